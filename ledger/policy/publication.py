"""A policy on its way into the ledger: refused with all its mistakes, or made whole with its calendars expanded."""

from __future__ import annotations

from typing import Final

from ledger.api.v1.errors_pb2 import POLICY_INVALID
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.errors import LedgerError
from ledger.policy.check import mistakes_of

SHOWN_MAX: Final = 20
"""A refusal lists so many mistakes; ValidatePolicy lists all."""


def prepare(published: PolicyPublished, path: str) -> None:
    """Set what the ledger makes of a policy; `path` names the event in the refusal. Raises LedgerError (POLICY_INVALID).

    A pure function of the event and of the zone and holiday data of this installation: what it sets is stored, so later data
    never moves it. Some milliseconds for each calendar, more the first time.
    """
    mistakes = mistakes_of(published.policy)
    if mistakes:
        listed = "; ".join(f"{mistake.path}: {mistake.message}" for mistake in mistakes[:SHOWN_MAX])
        more = f"; and {len(mistakes) - SHOWN_MAX} more" if len(mistakes) > SHOWN_MAX else ""
        raise LedgerError(
            POLICY_INVALID,
            f"The policy has mistakes: {listed}{more}. Mend them and publish it again.",
            violations=[(f"{path}.policy.{mistake.path}", mistake.message) for mistake in mistakes[:SHOWN_MAX]],
            mistakes_count=len(mistakes),
            field=f"{path}.policy.{mistakes[0].path}",
        )
    if published.policy.calendars:
        # Imported here: a policy without calendars needs no zone data.
        from ledger.policy.calendars import expand

        expand(published)
