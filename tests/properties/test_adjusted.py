"""Outcomes adjusted by exceptions: whatever is granted, the raw outcome is that of the promises alone, and none is lost between."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.exception_service_pb2 import GetAdjustedRequest, OutcomeCounts
from ledger.api.v1.promise_pb2 import FROM_PLAYBOOK
from ledger.event import Event
from projections import exceptions, promises
from projections.adjusted import adjusted
from projections.fold_view import FoldView
from tests.build import at, timestamp
from tests.complaint_moves import EXCEPTIONS
from tests.folded import FoldedViews, folded_rows
from tests.histories import PROMISES, histories, instants_of

EVALUATED = at(10)
NAMES = {1: "undecided", 2: "kept", 3: "kept_late"}

Rows = dict[str, dict[str, Any]]


def rows(view: FoldView, history: list[Event], known: int, before: int | None) -> Rows:
    found = folded_rows(view, history, known, before)
    return {stream: dict(zip(view.table.names, values, strict=True)) for (stream, _), values in found.items()}


def outcome(row: dict[str, Any]) -> str:
    return NAMES.get(row["state"]) or ("broken" if row["broken_time"] is not None else "beside")


def covers(exception: dict[str, Any], row: dict[str, Any]) -> bool:
    if exception["state"] not in (2, 4):
        return False
    ended = exception["ended_time"]
    until = exception["until_time"] if ended is None else min(exception["until_time"], ended)
    return bool(exception["from_time"] <= row["due_time"] < until and exception["scope_department"] == row["owner_department"])


@given(history=histories([PROMISES, EXCEPTIONS], restated=False), data=st.data())
def test_the_raw_outcome_is_untouched_and_what_is_covered_is_left_out_or_extended(
    history: list[Event], data: st.DataObject
) -> None:
    views = FoldedViews(history)
    known, before = data.draw(st.integers(0, len(history))), data.draw(instants_of(history))
    start, end = at(data.draw(st.integers(0, 6))), at(data.draw(st.integers(6, 13)))

    found = adjusted(views.read(known, before, EVALUATED), GetAdjustedRequest(due_from=timestamp(start), due_until=timestamp(end)))

    due = {
        stream.removeprefix("promise-"): row
        for stream, row in rows(promises.VIEW, history, known, before).items()
        if start <= row["due_time"] < end and row["told"] and row["origin"] != FROM_PLAYBOOK
    }
    granted = rows(exceptions.VIEW, history, known, before).values()
    covered = {one: row for one, row in due.items() if any(covers(exception, row) for exception in granted)}
    excluded = {
        one for one, row in covered.items() if any(covers(exception, row) and exception["effect"] == 1 for exception in granted)
    }
    expected = OutcomeCounts(kept=0, kept_late=0, broken=0, undecided=0, beside=0)
    for row in due.values():
        setattr(expected, outcome(row), getattr(expected, outcome(row)) + 1)
    assert expected == found.raw
    assert set(covered) == {one.promise_id for one in found.differences}
    assert (len(excluded), len(covered) - len(excluded)) == (found.excluded_count, found.extended_count)
    assert excluded == {one.promise_id for one in found.differences if not one.HasField("extended_to")}
    assert len(due) - len(excluded) == sum(value for _, value in found.adjusted.ListFields())
    assert found.adjusted.broken <= found.raw.broken
