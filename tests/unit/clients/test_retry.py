from __future__ import annotations

import pytest

from clients.python.core.faults import Fault, fault_of_call, fault_of_status
from clients.python.core.retry import Attempts, RetryPolicy
from clients.python.errors import InvalidError, OutcomeUnknownError, OverloadedError, UnavailableError
from tests.fault_server import status


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


LOST = fault_of_call("UNAVAILABLE", "Socket closed", ())
POLICY = RetryPolicy(first_delay_seconds=0.1, delay_seconds_max=1.0, attempt_seconds=5.0)


def attempts(clock: Clock, timeout_seconds: float = 30.0, *, appends: bool = False, fraction: float = 0.0) -> Attempts:
    return Attempts(POLICY, timeout_seconds, appends=appends, clock=clock, fraction=lambda: fraction)


def overloaded(seconds: float) -> Fault:
    return fault_of_status(status("RESOURCE_EXHAUSTED", "QUEUE_FULL", retry_after_seconds=seconds))


def test_waits_double_up_to_the_greatest() -> None:
    made = attempts(Clock())

    assert [0.1, 0.2, 0.4, 0.8, 1.0, 1.0] == [made.failed(LOST) for _ in range(6)]


def test_waits_are_shortened_at_random_by_up_to_a_half() -> None:
    made = attempts(Clock(), fraction=1.0)

    assert [0.05, 0.1, 0.2] == [made.failed(LOST) for _ in range(3)]


def test_a_delay_asked_for_is_kept_to_and_never_shortened() -> None:
    assert 3.0 == attempts(Clock()).failed(overloaded(3.0))
    assert 3.75 == attempts(Clock(), fraction=1.0).failed(overloaded(3.0))


def test_an_attempt_is_bounded_by_itself_and_by_what_is_left() -> None:
    clock = Clock()
    made = attempts(clock, 7.0)

    first = made.attempt_seconds()
    clock.now += 4.0

    assert (5.0, 3.0) == (first, made.attempt_seconds())


def test_what_does_not_pass_is_raised_at_once() -> None:
    with pytest.raises(InvalidError):
        attempts(Clock()).failed(fault_of_status(status("INVALID_ARGUMENT", "FIELD_INVALID")))


def test_no_wait_reaches_beyond_the_time_given() -> None:
    clock = Clock()
    made = attempts(clock, 1.0)
    made.failed(LOST)
    clock.now += 0.9

    with pytest.raises(UnavailableError, match=r"Tried 2 times in 0\.9 s"):
        made.failed(LOST)


def test_a_delay_longer_than_the_time_left_is_not_waited_for() -> None:
    with pytest.raises(OverloadedError) as raised:
        attempts(Clock(), 2.0).failed(overloaded(5.0))

    assert 5.0 == raised.value.retry_after_seconds


def test_an_append_is_unknown_once_any_attempt_went_without_an_answer() -> None:
    clock = Clock()
    made = attempts(clock, 1.0, appends=True)
    made.failed(LOST)
    clock.now += 0.9

    with pytest.raises(OutcomeUnknownError):
        made.failed(fault_of_status(status("UNAVAILABLE", "STORE_READ_ONLY")))


def test_a_read_is_never_unknown() -> None:
    clock = Clock()
    made = attempts(clock, 0.01)

    with pytest.raises(UnavailableError) as raised:
        made.failed(LOST)

    assert not isinstance(raised.value, OutcomeUnknownError)


def test_progress_gives_the_whole_time_again() -> None:
    clock = Clock()
    made = attempts(clock, 1.0)
    made.failed(LOST)
    clock.now += 0.95

    made.progressed()

    assert 0.1 == made.failed(LOST)
