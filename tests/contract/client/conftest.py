"""A server that makes faults, and a client of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.both_clients import Both
from tests.fault_server import QUICK, FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.stop()


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(server: FaultServer, both: Both) -> Any:
    return both(server.target, retry=QUICK, timeout_seconds=60.0)
