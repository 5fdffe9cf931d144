"""Wake-up calls between the processes of one ledger: empty datagrams on Unix sockets found by path.

A wake-up says only "look again", so losing one is harmless and a full queue means that one is already waiting. Being found
by path, any part may die and come back, and nothing has to be handed to a spawned child.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

PATH_BYTES_MAX: Final = 107
"""Longest path of a Unix socket on Linux, in bytes."""


class SocketPathTooLongError(Exception):
    """The path is too long for a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The path {path} is longer than the {PATH_BYTES_MAX} bytes that a Unix socket may have: use a shorter data directory."
        )
        self.path = path


def check_socket_path(path: Path) -> None:
    """Raise SocketPathTooLongError when no Unix socket can stand at the path."""
    if len(str(path).encode()) > PATH_BYTES_MAX:
        raise SocketPathTooLongError(path)


class WakeSender:
    """Wakes whoever listens at these paths. Never blocks and never raises; safe from several threads."""

    def __init__(self, *paths: Path) -> None:
        self._paths = [str(path) for path in paths]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def wake(self) -> None:
        """Wake the listeners that there are."""
        for path in self._paths:
            with contextlib.suppress(OSError):
                self._socket.sendto(b"", path)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Listener(Protocol):
    """Something that is woken."""

    def fileno(self) -> int:
        """Return the descriptor to wait for; -1: there is none now."""

    def drain(self) -> None:
        """Take all waiting calls."""


def wait_for_any(listeners: Sequence[Listener], timeout_seconds: float) -> bool:
    """Wait until one of them is called and take all calls there are; False when the time ran out."""
    by_descriptor = {descriptor: one for one in listeners if (descriptor := one.fileno()) >= 0}
    ready, _, _ = select.select(list(by_descriptor), [], [], timeout_seconds)
    for descriptor in ready:
        by_descriptor[descriptor].drain()
    return bool(ready)


class WakeListener:
    """Listens at a path for wake-up calls. Takes the place of whoever listened there before."""

    def __init__(self, path: Path) -> None:
        check_socket_path(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))

    def fileno(self) -> int:
        """Return the descriptor, for an event loop or `select`."""
        return self._socket.fileno()

    def drain(self) -> None:
        """Take all waiting calls. Drain first and look afterwards: then no change is missed."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for a call and take all there are; False when the time ran out."""
        ready, _, _ = select.select([self._socket], [], [], timeout_seconds)
        if ready:
            self.drain()
        return bool(ready)

    def close(self) -> None:
        """Close the socket. The path stays: a successor may stand there already."""
        self._socket.close()
