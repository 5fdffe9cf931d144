"""Every fold view, asked as known at any position and as it happened before any time, is the fold of the events up to there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.event import Event
from tests.folded import VIEWS, FoldedViews, folded_findings, folded_rows
from tests.histories import histories, instants_of, splits


@given(history=histories(), cut=splits, entities_max=st.sampled_from((1, 2, 100)), data=st.data())
def test_every_view_at_a_position_and_a_time_is_the_fold_of_the_events_up_to_there(
    history: list[Event], cut: list[int], entities_max: int, data: st.DataObject
) -> None:
    views = FoldedViews(history, [end for end in cut if end < len(history)], entities_max)

    for _ in range(8):
        known = data.draw(st.integers(0, len(history)))
        before = data.draw(instants_of(history))
        for view in VIEWS:
            assert folded_rows(view, history, known, before) == views.rows(view, known, before), (view.name, known, before)
        expected = folded_findings(history, known, before)
        assert expected == {found for found in views.findings(known, before) if found[1] <= 3}
    for view in VIEWS:
        assert folded_rows(view, history, len(history), None) == views.rows(view)


@given(history=histories(), cut=splits, entities_max=st.sampled_from((1, 100)))
def test_what_a_view_changes_does_not_depend_on_batches(history: list[Event], cut: list[int], entities_max: int) -> None:
    whole = FoldedViews(history)

    cut_up = FoldedViews(history, [end for end in cut if end < len(history)], entities_max)

    for name, changes in whole.changes.items():
        assert changes.entries == cut_up.changes[name].entries, name
        positions_in_order = [position for position, _ in changes.entries]
        assert sorted(positions_in_order) == positions_in_order
