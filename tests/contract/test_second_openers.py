"""Some entities can be opened by two types of event. The one recorded first opens; the other is a move like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.opportunity_pb2 import CROSS_SELL, OpportunityDismissed, OpportunityNoted, OpportunitySuggested, OpportunityTaken
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from tests.appending import append_one, group, to_append

START = 1_770_000_000_000_000
SECOND = 1_000_000
OWN: dict[str, Any] = {"opportunity_id": "o-1"}
ANNA = Identifier(type="email", value="anna@example.org")
BERT = Identifier(type="email", value="bert@example.org")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, now=lambda: START)
    yield opened
    opened.close()


def suggested(**fields: Any) -> OpportunitySuggested:
    return OpportunitySuggested(**OWN, kind=CROSS_SELL, customer=ANNA, **fields)


def noted(**fields: Any) -> OpportunityNoted:
    return OpportunityNoted(**{**OWN, "consent": True, **fields})


def at(seconds: int) -> int:
    return START + seconds * SECOND


def stream(ledger: Ledger) -> list[Event]:
    rows = ledger.store.read_stream("opportunity-o-1")
    return [read_event(row.position, row.header, row.parts) for row in rows]


def test_a_second_type_of_opener_is_a_move(ledger: Ledger) -> None:
    assert "" == append_one(ledger, suggested())
    assert "" == append_one(ledger, noted())
    assert "" == append_one(ledger, OpportunityTaken(**OWN))
    assert "MOVE_NOT_ALLOWED" == append_one(ledger, noted())
    assert ["opportunity-suggested", "opportunity-noted", "opportunity-taken"] == [one.topic for one in stream(ledger)]


def test_the_same_opener_comes_once(ledger: Ledger) -> None:
    append_one(ledger, suggested())

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, suggested())


def test_a_second_opener_in_the_same_append_is_a_move_too(ledger: Ledger) -> None:
    assert "" == append_one(ledger, suggested(), noted(), OpportunityTaken(**OWN))
    assert "MOVE_NOT_ALLOWED" == append_one(ledger, OpportunityDismissed(**OWN))


def test_what_belongs_to_the_entity_belongs_to_the_subject_of_its_first_opener(ledger: Ledger) -> None:
    append_one(ledger, suggested())
    append_one(ledger, noted(customer=BERT, text="Bert's words"))
    append_one(ledger, OpportunityTaken(**OWN))

    first, second, third = (one.subject for one in stream(ledger))

    assert first == third != second


def test_a_move_before_the_second_opener_is_judged_without_it(ledger: Ledger) -> None:
    append_one(ledger, suggested(), occur=at(-90))
    append_one(ledger, noted(), occur=at(-30))

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, OpportunityTaken(**OWN), occur=at(-60))
    assert "" == append_one(ledger, OpportunityTaken(**OWN), occur=at(-10))


def test_a_second_opener_is_judged_at_its_own_place(ledger: Ledger) -> None:
    append_one(ledger, suggested(), occur=at(-90))
    append_one(ledger, OpportunityDismissed(**OWN), occur=at(-30))

    assert "MOVE_NOT_ALLOWED" == append_one(ledger, noted(), occur=at(-10))
    assert "" == append_one(ledger, noted(), occur=at(-60))


def test_a_ledger_opened_again_judges_alike(tmp_path: Path) -> None:
    first = Ledger.open(tmp_path, now=lambda: START)
    append_one(first, suggested(), occur=at(-90))
    append_one(first, noted(), occur=at(-30))
    first.close()

    again = Ledger.open(tmp_path, now=lambda: START)

    assert "MOVE_NOT_ALLOWED" == append_one(again, OpportunityTaken(**OWN), occur=at(-60))
    assert "" == append_one(again, OpportunityTaken(**OWN), occur=at(-20))
    again.close()


def test_an_imported_opener_that_comes_second_is_never_refused(ledger: Ledger) -> None:
    append_one(ledger, ImportStarted(run_id="run", from_source="crm"))
    moves = (noted(), suggested(), OpportunityTaken(**OWN))

    results = ledger.append([group(to_append(one, import_run="run")) for one in moves])

    assert [False, True, False] == [result.appended[0].irregular for result in results]
