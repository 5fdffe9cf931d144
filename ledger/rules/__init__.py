"""The life cycles: pure functions that say what an event makes of an entity, and why a move does not apply.

One family per stream prefix. Nothing here reads a store, a clock or a sealed value.
"""

from __future__ import annotations

from typing import Final

from ledger.rules import experience, override
from ledger.rules.answer import AnswerRules
from ledger.rules.complaint_rules import ComplaintRules
from ledger.rules.contact_rules import ContactRules
from ledger.rules.derived import STREAMS
from ledger.rules.exception_rules import ExceptionRules
from ledger.rules.improvement import ImprovementRules
from ledger.rules.opportunity import OpportunityRules
from ledger.rules.promise_rules import PromiseRules
from ledger.rules.request_rules import RequestRules
from ledger.rules.statement import StatementRules
from ledger.rules.verdict import Rules

FAMILIES: Final[dict[str, Rules]] = {
    "contact": ContactRules(),
    "request": RequestRules(),
    "promise": PromiseRules(),
    "complaint": ComplaintRules(),
    "exception": ExceptionRules(),
    "override": override.RULES,
    "experience": experience.RULES,
    "answer": AnswerRules(),
    "statement": StatementRules(),
    "opportunity": OpportunityRules(),
    "improvement": ImprovementRules(),
}
"""The rules of each family, by the prefix of its streams."""

_DERIVED: Final = ("promise-response-", *STREAMS)


def family_of(stream: str) -> Rules | None:
    """Return the rules that fold a stream; None when it has no life cycle.

    A stream such as `promise-response-<contact_id>` has none of its own: a derived target is part of what it is about.
    """
    if stream.startswith(_DERIVED):
        return None
    return FAMILIES.get(stream.partition("-")[0])
