"""Accept a correction or a retraction: judged by what it makes of the history, never by where it stands itself (domain rule 8.12).

What follows from a corrected event is derived again, under the policy that ruled it when it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ledger.api.v1.errors_pb2 import FIELD_REQUIRED, TIME_OUT_OF_RANGE
from ledger.commit.derivation import Derivation
from ledger.commit.derived_targets import link_contact
from ledger.commit.past_policies import PastPolicies
from ledger.commit.refusal import refused
from ledger.commit.streams import Streams
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.intake.receive import Incoming
from ledger.rules import family_of
from ledger.rules.correction import CORRECTED, corrected, standing
from ledger.rules.correction_rules import (
    Named,
    correction_refused,
    find,
    lacks_approver,
    move_refused,
    retraction_refused,
    state_before,
)
from ledger.rules.verdict import Refusal

AHEAD_MAX_MICROS: Final = 5 * 60 * 1_000_000
"""How far a corrected occur time may run ahead of the ledger (domain rule 8.2)."""


class Restating:
    """Judges corrections and retractions. Used by one thread."""

    def __init__(
        self, derivation: Derivation, past_policies: PastPolicies, unmeasured: Callable[[Event], bool], streams: Streams
    ) -> None:
        self._derivation = derivation
        self._streams = streams
        self._past_policies = past_policies
        self._unmeasured = unmeasured

    def judge(self, incoming: Incoming, event: Event, events: Sequence[Event]) -> Refusal | None:
        """Return the refusal that an exempt correction stands with; None where what it corrects to applies.

        `events`: those of the stream so far. Sets what the ledger decides in the corrected payload, and the policy in the header.
        Raises LedgerError when it is refused.
        """
        named = find(events, event)
        if isinstance(named, Refusal):
            raise refused(named)
        if event.topic == CORRECTED:
            refusal = correction_refused(events, event, named)
            if refusal is None:
                self._complete(incoming, event, events, named)
        else:
            refusal = retraction_refused(events, event, named)
        if refusal is not None:
            raise refused(refusal)
        rules = family_of(event.stream)
        refusal = move_refused(rules, events, event) if rules is not None else None
        if refusal is not None and not event.exempt:
            raise refused(refusal)
        return refusal

    def _complete(self, incoming: Incoming, correction: Event, events: Sequence[Event], named: Named) -> None:
        original = named.original
        chain = [one for one in standing(events).get(original.event_id, ()) if one.topic == CORRECTED]
        stands = corrected(original, [*chain, correction])
        if stands.occur > correction.record + AHEAD_MAX_MICROS:
            raise LedgerError(
                TIME_OUT_OF_RANGE,
                "The corrected occur time is more than 5 minutes ahead of the ledger: give the time at which it happened.",
                violations=[("payload.event_corrected.envelope.occur_time", "more than 5 minutes ahead")],
            )
        rules = family_of(correction.stream)
        state = state_before(rules, events, stands) if rules is not None else None
        policy = self._past_policies.ruled(original)
        if policy is not None:
            assert incoming.corrected is not None
            given = incoming.corrected.payload
            self._derivation.derive_under(policy, stands, given, state, measured=not self._unmeasured(original))
        if stands.topic == "contact-linked":
            link_contact(stands, state, self._streams)
        header = correction.header
        header.policy_id, header.policy_version = stands.header.policy_id, stands.header.policy_version
        header.department_unknown = stands.header.department_unknown
        if rules is not None:
            rules.complete(state, stands.payload)
        if lacks_approver(correction, named):
            raise LedgerError(
                FIELD_REQUIRED,
                "payload.event_corrected.approver is missing: a due is corrected only where somebody approved that this was said.",
                violations=[("payload.event_corrected.approver", "value is required where a due is corrected")],
                stream=correction.stream,
            )
