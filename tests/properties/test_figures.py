"""Cells of figures, as known at any position, and exact counts, at any position and before any time, are those of the folds."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from ledger.event import Event
from projections.figures import cells, tally
from projections.figures.buckets import bucket_of, value_of
from projections.figures.members import ALL_SERIES, COUNTED, SOURCES, Member
from projections.figures.tally import Asked, Slice, Tally
from tests.build import at
from tests.folded import FoldedViews, folded_rows
from tests.histories import histories, instants_of, splits

SLICES = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.RECEIVER, Slice.KIND)
QUARTER = cells.SLOT_MICROS
FIRST = at(0) // QUARTER * QUARTER - 3 * 86_400_000_000

periods = st.one_of(
    st.just((None, None)),
    st.tuples(*[st.integers(0, 8 * 96).map(lambda quarters: FIRST + quarters * QUARTER)] * 2).map(lambda two: (min(two), max(two))),
)


def folded_members(events: list[Event], known: int, before: int | None) -> list[Member]:
    return [
        member
        for source in SOURCES
        for values in folded_rows(source.view, events, known, before).values()
        for member in source.members(values)
    ]


def counted(members: list[Member], series: int, start: int | None, end: int | None, *, exact: bool) -> dict[object, list[int]]:
    """Return members and sum of values, by slices, outcome and value."""
    found: dict[object, list[int]] = {}
    for one in members:
        if one[0] == series and (start is None or start <= one[1]) and (end is None or one[1] < end):
            value = None if one[7] is None or series in COUNTED else one[7] if exact else value_of(bucket_of(one[7]))
            row = found.setdefault((one[2:6], one[6], value), [0])
            row[0] += 1
    return found


def flat(counts: Tally) -> dict[object, list[int]]:
    found: dict[object, list[int]] = {}
    for group, outcomes in counts.items():
        for outcome, measured in outcomes.items():
            for value, n in measured.values.items():
                if n:
                    found[group, outcome, value] = [n]
            if measured.n > measured.valued:
                found[group, outcome, None] = [measured.n - measured.valued]
    return found


def sums(members: list[Member], series: int, start: int | None, end: int | None) -> int:
    inside = [one for one in members if (start is None or start <= one[1]) and (end is None or one[1] < end)]
    return sum(one[7] or 0 for one in inside if one[0] == series)


@given(histories(), splits, st.integers(0, 40), periods, st.sampled_from((1, 3, 7, 4096)))
def test_cells_are_those_of_the_folds_as_known_at_any_position(
    history: list[Event], split: list[int], known: int, period: tuple[int | None, int | None], window: int
) -> None:
    with patch.object(cells, "WINDOW", window):
        views = FoldedViews(history, [one for one in split if one < len(history)])
        known = min(known, len(history))
        members = folded_members(history, known, None)

        for series in ALL_SERIES:
            counts = tally.of_cells(views.read(known), series, Asked(*period, SLICES))

            assert counted(members, series, *period, exact=False) == flat(counts)
            total = sum(measured.total for outcomes in counts.values() for measured in outcomes.values())
            assert sums(members, series, *period) == total


@given(st.data(), histories(), periods)
def test_exact_counts_are_those_of_the_folds_on_both_axes(
    data: st.DataObject, history: list[Event], period: tuple[int | None, int | None]
) -> None:
    views = FoldedViews(history)
    known = data.draw(st.integers(0, len(history)))
    before = data.draw(instants_of(history))
    members = folded_members(history, known, before)

    for series in ALL_SERIES:
        counts = tally.of_rows(views.read(known, before), series, Asked(*period, SLICES))

        assert counted(members, series, *period, exact=True) == flat(counts)


@given(histories(), splits, st.sampled_from((3, 4096)))
def test_cells_do_not_depend_on_batches(history: list[Event], split: list[int], window: int) -> None:
    with patch.object(cells, "WINDOW", window):
        whole = FoldedViews(history)
        cut = FoldedViews(history, [one for one in split if one < len(history)], entities_max=1)

    assert whole.changes[cells.NAME].entries == cut.changes[cells.NAME].entries
    for table in ("figure_cell", "figure_recent", "figure_delta", "figure_day", "figure_block"):
        # What came to nothing may be left over.
        something = "WHERE n <> 0 OR total <> 0" if table in ("figure_day", "figure_block") else ""
        query = f"SELECT * FROM {table} {something}"
        assert sorted(whole.db.execute(query)) == sorted(cut.db.execute(query))


@given(st.integers(0, 10**16))
def test_a_bucket_stands_within_one_per_cent_of_its_values(micros: int) -> None:
    value = value_of(bucket_of(micros))

    assert value == 0 if micros < 1000 else abs(value - micros) <= micros / 100 or micros > 3 * 10**15
