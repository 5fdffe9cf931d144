"""What holds for all tests: how hypothesis draws its examples.

`make test` draws the same ones every time, so that the same code gets the same verdict on any machine. `make explore` draws new
ones, many more: what it finds becomes a test of its own.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=100)
settings.register_profile(
    "explore", deadline=None, max_examples=3000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")
