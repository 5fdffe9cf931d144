"""Moves for generated histories (tests/histories.py) of answers, statements, opportunities and improvements."""

from __future__ import annotations

from ledger.api.v1.answer_pb2 import (
    NOT_CONFIRMED,
    REFERRED,
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementAnnounced,
    StatementPublished,
    StatementWithdrawn,
)
from ledger.api.v1.core_pb2 import ObjectReference
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.improvement_pb2 import ImprovementClosed, ImprovementProposed
from ledger.api.v1.opportunity_pb2 import (
    CROSS_SELL,
    UP_SELL,
    OpportunityDismissed,
    OpportunityNoted,
    OpportunitySuggested,
    OpportunityTaken,
)
from tests.build import event_id_text, timestamp
from tests.histories import Draws, Move


def _statement(d: Draws) -> str:
    return str(d.of("s-1", "s-1", "s-2"))


def _opportunity(d: Draws) -> str:
    return str(d.of("o-1", "o-1", "o-2"))


def _improvement(d: Draws) -> str:
    return str(d.of("i-1", "i-1", "i-2"))


def _answer(d: Draws) -> AnswerGiven:
    about = d.of(
        {}, {}, {"request_id": "r-1"}, {"object_key": "train"}, {"object": ObjectReference(type="parcel", value_mark=b"\1")}
    )
    return AnswerGiven(
        question_key=d.of("runs", "runs", "runs", "price"),
        answer_key=d.of("yes", "yes", "no", "no", "later", ""),
        stance=d.of(STATED, STATED, STATED, NOT_CONFIRMED, REFERRED),
        valid_until=d.of(None, None, timestamp(d.minute)),
        policy_valid_until=d.of(None, None, None, timestamp(d.minute)),
        obstacle=d.of(None, None, 1, 2),
        **about,
    )


def _published(d: Draws) -> StatementPublished:
    return StatementPublished(
        statement_id=_statement(d),
        replaces_statement_id=d.of("", "", _statement(d)),
        question_key=d.of("runs", "runs", "runs", "price"),
        answer_key=d.of("yes", "no"),
        object_key=d.of("", "", "train"),
        valid_from=d.of(None, None, timestamp(d.minute)),
        valid_until=d.of(None, None, timestamp(d.minute)),
        departments=d.of([], ["north"], ["south", "north"]),
        channels=d.of([], [], ["phone"]),
    )


def _confirmed(d: Draws) -> EventConfirmed:
    # The history makes it name an event that is held back, where there is one.
    return EventConfirmed(stream=f"statement-{_statement(d)}")


ANSWERS: tuple[Move, ...] = (_answer, _answer, *[_answer] * 8, _confirmed)
STATEMENTS: tuple[Move, ...] = (
    _published,
    _published,
    *[_published] * 3,
    *[lambda d: StatementAcknowledged(statement_id=_statement(d))] * 3,
    lambda d: StatementAnnounced(statement_id=_statement(d), audience=d.of("", "all"), recipient_count=d.of(None, 7)),
    lambda d: StatementWithdrawn(statement_id=_statement(d)),
    _confirmed,
)
OPPORTUNITIES: tuple[Move, ...] = (
    lambda d: OpportunitySuggested(opportunity_id=_opportunity(d), kind=CROSS_SELL, product="warranty"),
    lambda d: OpportunityNoted(opportunity_id=_opportunity(d), kind=UP_SELL, consent=True),
    lambda d: OpportunitySuggested(opportunity_id=_opportunity(d), kind=d.of(1, 2, 3), contact_id="c-1"),
    *[
        lambda d: OpportunityNoted(
            opportunity_id=_opportunity(d), kind=d.of(None, 3), consent=d.of(True, False, None), request_id=d.of("", "r-1")
        )
    ]
    * 3,
    *[lambda d: OpportunityTaken(opportunity_id=_opportunity(d), contact_id=d.of("", "c-2"))] * 2,
    lambda d: OpportunityDismissed(opportunity_id=_opportunity(d), reason=d.of("", "not_interested")),
)
IMPROVEMENTS: tuple[Move, ...] = (
    *[
        lambda d: ImprovementProposed(
            improvement_id=_improvement(d),
            problem=d.of("address_lost", "quote_late"),
            step=d.of("", "delivery"),
            figure=d.of("", "repeat_rate"),
            owner_departments=d.of([], ["north"], ["south", "north"]),
            evidence_event_ids=d.of([], [event_id_text("at 1")], [event_id_text("at 2"), event_id_text("at 1")]),
        )
    ]
    * 3,
    lambda d: ImprovementClosed(improvement_id=_improvement(d), effect=d.of(1, 2, 3, 4)),
)
