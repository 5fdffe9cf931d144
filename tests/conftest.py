"""What holds for all tests: how hypothesis draws its examples, and how long faults go on.

`make test` draws the same ones every time, so that the same code gets the same verdict on any machine. `make explore` draws new
ones, many more: what it finds becomes a test of its own.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.register_profile(
    "explore", deadline=None, max_examples=3000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make faults` goes on for more rounds than `make test`."""
    parser.addoption("--fault-rounds", type=int, default=1, help="how many rounds the tests with faults go on (default 1)")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How many rounds a test with faults goes on."""
    return int(request.config.getoption("--fault-rounds"))
