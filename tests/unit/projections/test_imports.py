from __future__ import annotations

import pytest

from ledger.api.v1.contact_pb2 import NoteAdded
from ledger.api.v1.governance_pb2 import ImportFinished, ImportStarted
from ledger.event import Event
from projections import imports
from projections.imports import ImportRun, ImportsView
from tests.build import at, event
from tests.views import Views


def started(position: int, run: str = "run-1") -> Event:
    return event(ImportStarted(run_id=run, from_source="crm"), position=position, record=at(position))


def finished(position: int, run: str = "run-1") -> Event:
    return event(ImportFinished(run_id=run), position=position, record=at(position))


def of_run(position: int, run: str = "run-1") -> Event:
    return event(NoteAdded(contact_id="c"), position=position, record=at(position), import_run=run)


def views_of(*events: Event, batch_size: int = 1000) -> Views:
    return Views(ImportsView()).apply(events, batch_size)


def test_a_run_is_open_from_its_start_to_its_finish() -> None:
    views = views_of(started(1), of_run(2), started(3, "run-2"), finished(4), of_run(5, "run-2"))

    assert [] == imports.open_runs(views.read(known=0))
    assert ["run-1"] == imports.open_runs(views.read(known=2))
    assert ["run-1", "run-2"] == imports.open_runs(views.read(known=3))
    assert ["run-2"] == imports.open_runs(views.read())


def test_a_run_tells_when_it_was_last_heard_of() -> None:
    views = views_of(started(1), of_run(2), of_run(3), started(4, "run-2"))

    assert ImportRun(1, None, at(3)) == imports.state(views.read(), "run-1")
    assert ImportRun(4, None, at(4)) == imports.state(views.read(), "run-2")


def test_a_run_that_had_not_finished_at_the_position_known_is_open_there() -> None:
    views = views_of(started(1), of_run(2), finished(3))

    assert ImportRun(1, 3, at(3)) == imports.state(views.read(), "run-1")
    assert ImportRun(1, None, at(3)) == imports.state(views.read(known=2), "run-1")
    assert imports.state(views.read(known=0), "run-1") is None
    assert imports.state(views.read(), "no-such-run") is None


def test_a_run_that_nobody_said_starts_begins_with_its_first_event() -> None:
    views = views_of(of_run(1), of_run(2))

    assert ImportRun(1, None, at(2)) == imports.state(views.read(), "run-1")


def test_events_that_come_after_a_run_finished_do_not_open_it_again() -> None:
    views = views_of(started(1), finished(2), of_run(3))

    assert ImportRun(1, 2, at(3)) == imports.state(views.read(), "run-1")


@pytest.mark.parametrize("batch_size", [1, 2])
def test_changes_do_not_depend_on_how_events_fall_into_batches(batch_size: int) -> None:
    events = [started(1), of_run(2), of_run(3, "run-2"), finished(4), of_run(5)]

    apart, together = views_of(*events, batch_size=batch_size), views_of(*events)

    assert together.changes["imports"].entries == apart.changes["imports"].entries
    assert together.db.execute("SELECT * FROM import_run").fetchall() == apart.db.execute("SELECT * FROM import_run").fetchall()
