"""Fault tests use the real server."""

from tests.end_to_end.conftest import server

__all__ = ["server"]
