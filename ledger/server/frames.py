"""Messages between the processes of one server over a stream socket: four bytes of length each, then the message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LENGTH_BYTES: Final = 4


class Frames(asyncio.Protocol):
    """One end of a connection. Belongs to one event loop, and calls `received` and `lost` in it."""

    def __init__(self, received: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._outgoing: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._write()

    def data_received(self, data: bytes) -> None:
        """Take in what came, and hand on what is whole."""
        incoming = self._incoming
        incoming += data
        start = 0
        while len(incoming) - start >= LENGTH_BYTES:
            begin = start + LENGTH_BYTES
            end = begin + int.from_bytes(incoming[start:begin], "big")
            if len(incoming) < end:
                break
            self._received(bytes(incoming[begin:end]))
            start = end
        del incoming[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        self._transport = None
        self._ended = True
        self._lost()

    def send(self, message: bytes) -> None:
        """Send a message; to an end that is gone it is not sent. What is sent in one turn of the loop goes in one write."""
        if self._ended:
            return
        if not self._outgoing:
            self._loop.call_soon(self._write)
        self._outgoing += (len(message).to_bytes(LENGTH_BYTES, "big"), message)

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._write()
        if self._transport is not None:
            self._transport.close()

    def _write(self) -> None:
        if self._transport is not None and self._outgoing:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()
