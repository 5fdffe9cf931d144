"""What is told while a large ledger is built."""

from __future__ import annotations

from benchmarks.big_ledger import TELL_SECONDS, Pace


def test_a_pace_is_told_every_few_seconds_with_rate_and_time_left() -> None:
    pace = Pace(total=10_000, done=1_000, now=100.0)

    assert "" == pace.told(1_500, 100.0 + TELL_SECONDS - 1)
    assert "2,500 of 10,000, 100/s, 0:01:15 left" == pace.told(2_500, 100.0 + TELL_SECONDS)
    assert "" == pace.told(2_600, 101.0 + TELL_SECONDS)


def test_a_work_that_stands_still_has_no_time_left_to_tell() -> None:
    pace = Pace(total=10_000, done=1_000, now=0.0)

    assert "1,000 of 20,000, 0/s, unknown left" == pace.told(1_000, TELL_SECONDS, total=20_000)
