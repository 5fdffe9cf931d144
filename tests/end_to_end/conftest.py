"""The real server, in processes of its own, on a free port and a data directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.server_process import Server


def _served(data_dir: Path) -> Iterator[Server]:
    server = Server(data_dir).start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests that need nothing but one: they use ids of their own."""
    yield from _served(tmp_path_factory.mktemp("shared") / "data")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server for one test, which may kill it."""
    yield from _served(tmp_path / "data")


@pytest.fixture
def channel(shared_server: Server) -> Iterator[grpc.Channel]:
    """A connection to the shared server."""
    with shared_server.channel() as channel:
        yield channel
