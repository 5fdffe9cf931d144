"""How long answers are valid, and how they stand against the official statement: the cases in which readers would differ."""

from __future__ import annotations

from typing import Any

import sqlite_utils

from ledger.api.v1.answer_pb2 import (
    NOT_CONFIRMED,
    REFERRED,
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementPublished,
    StatementWithdrawn,
)
from ledger.api.v1.answer_service_pb2 import (
    ANSWER_BY_VERDICT,
    STATEMENT_CONFIRMED,
    STATEMENT_CONTRADICTED,
    STATEMENT_NOT_CONFIRMED,
    Answer,
    AnswerFilter,
    Contradiction,
    ContradictionFilter,
)
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.event import Event
from projections import answers, contradictions
from projections.identities import IdentitiesView
from projections.view import Changes
from tests.build import at, event, timestamp
from tests.folded import FoldedViews
from tests.views import identifier, subject


class Ledger:
    """Events at positions that count from 1, and the questions asked of them."""

    def __init__(self, *events: Event) -> None:
        for position, one in enumerate(events, 1):
            one.position = position
        self.views = FoldedViews(events)
        identities = IdentitiesView()
        identities.create_tables(sqlite_utils.Database(self.views.db))
        identities.apply(list(events), self.views.db, Changes())

    def answers(self, evaluated: float = 30, subjects: list[bytes] | None = None, **fields: Any) -> list[Answer]:
        filter = AnswerFilter(**fields)
        return answers.page(self.views.read(None, None, at(evaluated)), filter, 50, None, subjects)[0]

    def verdicts(self) -> list[tuple[int, bool]]:
        """Return verdict and knowable of each answer, oldest first."""
        return [(one.verdict, one.knowable) for one in reversed(self.answers())]

    def contradictions(self, evaluated: float = 30, **fields: Any) -> list[Contradiction]:
        filter = ContradictionFilter(**fields)
        page, _ = contradictions.page(self.views.read(None, None, at(evaluated)), filter, 50, None)
        return list(page.contradictions)


def says(
    minutes: float, answer: str, department: str = "north", channel: str = "phone", whose: str = "anna", **fields: Any
) -> Event:
    payload = AnswerGiven(**{"question_key": "runs", "answer_key": answer, "stance": STATED, **fields})
    return event(
        payload, occur=at(minutes), department=department, channel=channel, subject=subject(whose), name=f"{minutes} {answer}"
    )


def official(minutes: float, answer: str = "no", name: str = "s-1", recorded: float | None = None, **fields: Any) -> Event:
    payload = StatementPublished(statement_id=name, question_key="runs", answer_key=answer, **fields)
    return event(payload, occur=at(minutes), record=at(minutes if recorded is None else recorded))


def test_the_next_answer_of_the_department_ends_the_last_one() -> None:
    ledger = Ledger(says(1, "yes"), says(5, "no"), says(7, "yes", "south"))

    south, later, first = ledger.answers()

    assert (timestamp(at(5)), False) == (first.valid_until, first.valid)
    assert (True, True, False) == (later.valid, south.valid, later.HasField("valid_until"))


def test_a_change_of_mind_is_no_contradiction() -> None:
    assert [] == Ledger(says(1, "yes"), says(5, "no")).contradictions()


def test_who_cannot_answer_does_not_end_what_the_department_stated() -> None:
    ledger = Ledger(says(1, "yes"), says(5, "", stance=NOT_CONFIRMED), says(6, "no", stance=REFERRED))

    assert [False, False, True] == [one.valid for one in ledger.answers()]


def test_answers_about_different_things_do_not_meet() -> None:
    ledger = Ledger(
        says(1, "yes"),
        says(2, "no", "south", object_key="train"),
        says(3, "later", "east", request_id="r-1"),
        says(4, "yes", "west"),
    )

    assert [] == ledger.contradictions()


def test_two_answers_of_one_instant_contradict_each_other_from_then_on() -> None:
    (found,) = Ledger(says(3, "yes"), says(3, "no", "south")).contradictions()

    assert (timestamp(at(3)), False, True) == (found.from_time, found.HasField("until_time"), found.standing)


def test_an_answer_is_valid_up_to_its_end_and_not_at_it() -> None:
    ledger = Ledger(says(1, "yes", valid_until=timestamp(at(5))), says(5, "no", "south"))

    assert [] == ledger.contradictions()
    assert ["yes"] == [one.answer_key for one in ledger.answers(4.9, valid=True)]
    assert ["no"] == [one.answer_key for one in ledger.answers(5, valid=True)]


def test_a_contradiction_ends_with_the_first_of_both_answers() -> None:
    ledger = Ledger(says(1, "yes"), says(3, "no", "south", valid_until=timestamp(at(8))), says(6, "no"))

    (found,) = ledger.contradictions()

    assert (timestamp(at(3)), timestamp(at(6))) == (found.from_time, found.until_time)
    assert [True, False] == [one.standing for one in (ledger.contradictions(5)[0], ledger.contradictions(6)[0])]


def test_the_latest_validity_is_the_official_answer_and_the_older_one_is_again_when_it_is_withdrawn() -> None:
    ledger = Ledger(
        official(1, "no", "s-1"),
        official(3, "yes", "s-2"),
        event(StatementWithdrawn(statement_id="s-2"), occur=at(6), revision=2),
        says(2, "yes"),
        says(4, "yes"),
        says(6, "yes"),
    )

    assert ["s-1", "s-2", "s-1"] == [one.statement_id for one in reversed(ledger.answers())]
    assert [STATEMENT_CONTRADICTED, STATEMENT_CONFIRMED, STATEMENT_CONTRADICTED] == [verdict for verdict, _ in ledger.verdicts()]


def test_a_statement_holds_at_its_first_instant_and_not_at_its_last() -> None:
    bounds: dict[str, Any] = {"valid_from": timestamp(at(3)), "valid_until": timestamp(at(6))}
    ledger = Ledger(official(1, **bounds), says(2.9, "no"), says(3, "no"), says(5.9, "no"), says(6, "no"))

    assert [0, STATEMENT_CONFIRMED, STATEMENT_CONFIRMED, 0] == [verdict for verdict, _ in ledger.verdicts()]


def test_what_states_nothing_neither_confirms_nor_contradicts() -> None:
    ledger = Ledger(official(1), says(2, "", stance=NOT_CONFIRMED), says(3, "yes", stance=REFERRED))

    assert [STATEMENT_NOT_CONFIRMED] * 2 == [verdict for verdict, _ in ledger.verdicts()]


def test_a_statement_could_be_known_from_when_it_was_recorded_not_from_when_it_held() -> None:
    ledger = Ledger(official(1, recorded=5), says(3, "yes"), says(5, "yes", "south"))

    assert [(STATEMENT_CONTRADICTED, False), (STATEMENT_CONTRADICTED, True)] == ledger.verdicts()


def test_a_statement_binds_the_departments_and_channels_it_names() -> None:
    ledger = Ledger(
        official(1, departments=["north", "south_2"], channels=["counter"]),
        says(2, "yes", "north", "counter"),
        says(3, "yes", "south", "counter"),
        says(4, "yes", "north", "phone"),
        says(5, "yes", "", "counter"),
    )

    assert [STATEMENT_CONTRADICTED, 0, 0, 0] == [verdict for verdict, _ in ledger.verdicts()]


def test_a_statement_about_an_object_is_for_answers_about_it() -> None:
    ledger = Ledger(official(1, object_key="train"), says(2, "yes", object_key="train"), says(3, "yes"))

    assert [STATEMENT_CONTRADICTED, 0] == [verdict for verdict, _ in ledger.verdicts()]


def test_of_a_statement_for_all_those_have_not_read_it_who_answered_meanwhile() -> None:
    read_it = event(StatementAcknowledged(statement_id="s-1"), occur=at(2), department="south", revision=2)
    ledger = Ledger(official(1), says(0.5, "yes", "west"), read_it, says(3, "no", "south"), says(4, "yes", "north"))

    found = answers.statement(ledger.views.read(None, None, at(30)), "s-1")

    assert found is not None
    assert ["north"] == list(found.missing_departments)
    assert [("phone", 1, 1, 1)] == [
        (one.channel, one.confirmed_count, one.contradicted_count, one.knowable_count) for one in found.answers
    ]


def test_an_unknown_statement_has_no_answers() -> None:
    ledger = Ledger(says(1, "yes"))

    assert [] == ledger.answers(statement_id="s-9")
    assert 0 == answers.count(ledger.views.read(), AnswerFilter(statement_id="s-9"), (ANSWER_BY_VERDICT,)).total


def test_the_answers_of_a_customer_are_those_of_the_time_in_which_the_number_was_his() -> None:
    link = IdentityLinked(left=identifier("anna"), right=identifier("phone"), valid_from=timestamp(at(4)))
    ledger = Ledger(
        event(link, occur=at(0), subject=subject("anna")),
        says(3, "yes", whose="phone"),
        says(5, "no", whose="phone"),
        says(6, "later"),
    )

    found = ledger.answers(subjects=[subject("anna"), subject("phone")])

    assert ["later", "no"] == [one.answer_key for one in found]


def test_no_question_asked_twice_has_no_consistency() -> None:
    ledger = Ledger(says(1, "yes"))

    assert None is answers.consistency(ledger.views.read(), at(0), at(9)).value


def test_consistency_counts_questions_not_answers() -> None:
    other: dict[str, Any] = {"question_key": "price"}
    ledger = Ledger(
        says(1, "yes"), says(2, "no", "south"), says(3, "no", "east"), says(4, "ten", **other), says(5, "ten", "south", **other)
    )

    found = answers.consistency(ledger.views.read(), at(0), at(9))

    assert (("price", "runs"), ("runs",), 0.5) == (found.asked_keys, found.contradicted_keys, found.value)
    assert (1, 2, 3) == found.event_positions
