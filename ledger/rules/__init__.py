"""The life cycles: pure functions that say what an event makes of an entity, and why a move does not apply.

One family per stream prefix. Nothing here reads a store, a clock or a sealed value.
"""

from __future__ import annotations

from typing import Final

from ledger.rules.contact_rules import ContactRules
from ledger.rules.promise_rules import PromiseRules
from ledger.rules.request_rules import RequestRules
from ledger.rules.verdict import Rules

FAMILIES: Final[dict[str, Rules]] = {"contact": ContactRules(), "request": RequestRules(), "promise": PromiseRules()}
"""The rules of each family, by the prefix of its streams."""

_RESPONSE: Final = "promise-response-"


def family_of(stream: str) -> Rules | None:
    """Return the rules that fold a stream; None when it has no life cycle.

    A stream `promise-response-<contact_id>` has none of its own: a response target is part of its contact.
    """
    if stream.startswith(_RESPONSE):
        return None
    return FAMILIES.get(stream.partition("-")[0])
