"""From a refusal of the rules to the error of a group."""

from __future__ import annotations

from ledger.errors import LedgerError
from ledger.rules.verdict import Refusal


def refused(refusal: Refusal) -> LedgerError:
    """Return a refusal of the rules as the error of the group."""
    error = LedgerError(refusal.reason, refusal.message)
    error.metadata.update(refusal.metadata)
    return error
