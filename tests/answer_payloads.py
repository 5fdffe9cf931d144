"""Payloads for properties of rules: answers, statements, opportunities and improvements, one entity of each."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from ledger.api.v1.answer_pb2 import (
    STATED,
    AnswerGiven,
    StatementAcknowledged,
    StatementAnnounced,
    StatementPublished,
    StatementWithdrawn,
)
from ledger.api.v1.governance_pb2 import EventConfirmed
from ledger.api.v1.improvement_pb2 import EFFECT_BETTER, ImprovementClosed, ImprovementProposed
from ledger.api.v1.opportunity_pb2 import (
    CROSS_SELL,
    UP_SELL,
    OpportunityDismissed,
    OpportunityNoted,
    OpportunitySuggested,
    OpportunityTaken,
)
from tests.build import at, event_id_text, timestamp

names = st.sampled_from([f"event {number}" for number in range(1, 9)])
times = st.none() | st.integers(0, 12).map(lambda minutes: timestamp(at(minutes)))

STREAMS: Final = {
    # An answer's stream is named after its event: the first one of a history.
    "answer": f"answer-{event_id_text('event 1')}",
    "statement": "statement-s-1",
    "opportunity": "opportunity-o-1",
    "improvement": "improvement-i-1",
}


def _confirmed(family: str) -> st.SearchStrategy[Any]:
    return names.map(lambda name: EventConfirmed(stream=STREAMS[family], confirmed_event_id=event_id_text(name)))


@st.composite
def statement_payloads(draw: st.DrawFn) -> Any:
    own: dict[str, Any] = {"statement_id": "s-1"}
    said: dict[str, Any] = {"question_key": "runs", "answer_key": "no", "valid_from": draw(times), "valid_until": draw(times)}
    return draw(
        st.sampled_from(
            [
                StatementPublished(**own, **said),
                *[StatementPublished(statement_id="s-2", replaces_statement_id="s-1", **said)] * 2,
                *[StatementAcknowledged(**own)] * 3,
                StatementAnnounced(**own, recipient_count=7),
                StatementWithdrawn(**own),
                draw(_confirmed("statement")),
            ]
        )
    )


@st.composite
def opportunity_payloads(draw: st.DrawFn) -> Any:
    own: dict[str, Any] = {"opportunity_id": "o-1"}
    return draw(
        st.sampled_from(
            [
                OpportunitySuggested(**own, kind=CROSS_SELL),
                *[OpportunityNoted(**own, kind=UP_SELL, consent=draw(st.booleans()))] * 3,
                *[OpportunityTaken(**own)] * 2,
                OpportunityDismissed(**own, reason="no"),
                draw(_confirmed("opportunity")),
            ]
        )
    )


PAYLOADS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "answer": _confirmed("answer"),
    "statement": statement_payloads(),
    "opportunity": opportunity_payloads(),
    "improvement": st.one_of(
        st.just(ImprovementProposed(improvement_id="i-1", problem="late")),
        st.just(ImprovementClosed(improvement_id="i-1", effect=EFFECT_BETTER)),
        _confirmed("improvement"),
    ),
}

OPENERS: Final[dict[str, Any]] = {
    "answer": AnswerGiven(question_key="runs", answer_key="no", stance=STATED),
    "statement": StatementPublished(statement_id="s-1", question_key="runs", answer_key="no", valid_until=timestamp(at(8))),
    "opportunity": OpportunitySuggested(opportunity_id="o-1", kind=CROSS_SELL),
    "improvement": ImprovementProposed(improvement_id="i-1", problem="late"),
}
