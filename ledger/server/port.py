"""The port that all workers of a ledger listen on: held by the supervisor for as long as it runs, and shared with nobody else."""

from __future__ import annotations

import socket


def hold_port(host: str, port: int) -> socket.socket:
    """Return a socket that holds a port, any free one for 0: bound, and never listening.

    Only processes of the same user that ask for it may listen beside it (SO_REUSEPORT). Raises OSError when another program has
    the port, or another supervisor, or when the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as claim:
        # While it listens without sharing, nobody else can claim the same port: of two that start at once, one fails.
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        claim.bind((host, port))
        claim.listen(1)
        claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held = socket.socket(family, socket.SOCK_STREAM)
        try:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind((host, claim.getsockname()[1]))
            # It was for connections that a server before us left behind. From now on it would let others claim the port.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except BaseException:
            held.close()
            raise
    return held
