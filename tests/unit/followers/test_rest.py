"""How long the clock rests between two looks."""

from __future__ import annotations

from ledger.followers.process import LOOK_SECONDS, REST_SECONDS_MAX, rest_seconds


def test_a_quick_look_is_followed_by_the_usual_rest() -> None:
    assert rest_seconds(0.0) == rest_seconds(0.1) == LOOK_SECONDS


def test_looking_takes_a_fifth_of_the_time_at_most() -> None:
    assert rest_seconds(1.0) == 4.0


def test_no_rest_is_so_long_that_a_due_is_told_late() -> None:
    assert rest_seconds(60.0) == REST_SECONDS_MAX
