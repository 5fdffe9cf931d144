from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.errors_pb2 import LOCAL_TIME_INVALID
from ledger.errors import LedgerError
from ledger.intake.local_time import resolve, resolve_due


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("local", "zone", "instant", "ambiguous"),
    [
        ("2026-03-20T14:30", "Europe/Paris", "2026-03-20T13:30:00", False),
        ("2026-07-20T14:30:15", "Europe/Paris", "2026-07-20T12:30:15", False),
        # The spring night: 02:30 does not exist and becomes 03:30.
        ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:30:00", False),
        ("2026-03-08T02:30", "America/New_York", "2026-03-08T07:30:00", False),
        # The autumn night: 02:30 exists twice; the first one counts.
        ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30:00", True),
        ("2026-11-01T01:30", "America/New_York", "2026-11-01T05:30:00", True),
        # A date alone is the end of that day, also of the days with 23 and 25 hours.
        ("2026-03-20", "Europe/Paris", "2026-03-20T23:00:00", False),
        ("2026-03-29", "Europe/Paris", "2026-03-29T22:00:00", False),
        ("2026-10-25", "Europe/Paris", "2026-10-25T23:00:00", False),
        ("2026-12-31", "UTC", "2027-01-01T00:00:00", False),
    ],
)
def test_a_local_time_means_one_instant(local: str, zone: str, instant: str, ambiguous: bool) -> None:
    assert (utc(instant), ambiguous) == resolve(local, zone)


@pytest.mark.parametrize(("local", "zone"), [("2026-02-30", "UTC"), ("2026-13-01T10:00", "UTC"), ("2026-03-01", "Mars/Olympus")])
def test_a_time_that_no_calendar_has_is_refused(local: str, zone: str) -> None:
    with pytest.raises(LedgerError) as refused:
        resolve(local, zone)

    assert LOCAL_TIME_INVALID == refused.value.reason


def test_a_due_in_no_zone_is_read_in_the_home_zone() -> None:
    due = Due(local="2026-10-25T02:30")

    resolve_due(due, "Europe/Paris")

    assert ("Europe/Paris", True, utc("2026-10-25T00:30:00")) == (due.zone, due.ambiguous, due.due_time.ToMicroseconds())
