"""Accept one event: times, import run, opener, life cycle, authority; and what the policy derives from it.

An event is judged at its own place in the order of its stream. Imports and late recordings are never refused for a life cycle:
where they do not apply they stand as irregular.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from ledger.api.v1.errors_pb2 import IMPORT_NOT_OPEN, MOVE_NOT_ALLOWED, OCCURRED_TOO_LONG_AGO, REFERENCE_UNKNOWN, TIME_OUT_OF_RANGE
from ledger.catalogue import BY_TOPIC, RESTATING
from ledger.commit.derivation import Derivation
from ledger.commit.derived_targets import link_contact
from ledger.commit.governing import Governing
from ledger.commit.late import holds_back, may_confirm
from ledger.commit.past_policies import PastPolicies
from ledger.commit.refusal import refused
from ledger.commit.restating import AHEAD_MAX_MICROS, Restating
from ledger.commit.streams import Streams, StreamState, is_tangled, state_of
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.intake.receive import TARGET_PREFIXES, Incoming
from ledger.rules import family_of
from ledger.rules.fold import REACHES_BACK, fold, judge
from ledger.rules.instant import uuid_bytes
from ledger.rules.request_rules import strands_refusal
from ledger.rules.verdict import Refusal, Rules

DAY_MICROS: Final = 86_400_000_000


class Acceptance:
    """Judges events against the streams of a batch and the policies in force. Changes neither."""

    def __init__(
        self, streams: Streams, governing: Governing, past_policies: PastPolicies, find: Callable[[bytes], Event | None]
    ) -> None:
        """`find` returns the event of an id, recorded or accepted in this batch; None when there is none."""
        self._streams = streams
        self._find = find
        self._policies = governing.policies
        self._derivation = Derivation(governing)
        self._restating = Restating(self._derivation, past_policies, self._unmeasured, streams)

    def accept(self, incoming: Incoming, event: Event, state: StreamState) -> tuple[StreamState, bool]:
        """Return the stream after the event, and whether the event is irregular. Raises LedgerError when it is refused.

        Sets what the ledger decides in the payload and the header: made fields, the policy, the hold.
        """
        self._check_times(incoming, event)
        self._check_import(incoming)
        if event.topic in RESTATING:
            events = self._streams.events(event.stream)
            refusal = self._restating.judge(incoming, event, events)
            return state_of(event.stream, [*events, event]), refusal is not None
        if not state.opened:
            self._check_opener(incoming, event)
        self._derivation.derive(event, incoming.payload, state.state, measured=not self._unmeasured(event))
        if event.topic == "contact-linked":
            link_contact(event, state.state, self._streams)
        rules = None if _is_response(incoming) else family_of(event.stream)
        if rules is not None:
            refusal, new_state, tangled = self._judge(rules, state, event)
            return _moved_on(state, event, new_state, tangled), refusal is not None
        if incoming.kind.topic == "policy-withdrawn":
            self._check_withdrawal(event)
        if incoming.kind.opener and state.opened:
            raise LedgerError(
                MOVE_NOT_ALLOWED,
                f"{event.stream} is open already: {event.topic} comes once.",
                stream=event.stream,
                topic=event.topic,
            )
        return _moved_on(state, event, state.state, state.tangled), False

    def _check_times(self, incoming: Incoming, event: Event) -> None:
        if incoming.internal or incoming.occur is None:
            return
        if event.occur > event.record + AHEAD_MAX_MICROS:
            raise LedgerError(
                TIME_OUT_OF_RANGE,
                "The occur time is more than 5 minutes ahead of the ledger: correct the clock it comes from.",
                violations=[("envelope.occur_time", "more than 5 minutes ahead")],
            )
        if event.exempt:
            return
        policy = self._policies.in_force(event.record)
        allowance = policy.recording_allowance if policy else 0
        if event.order < event.record - allowance:
            raise LedgerError(
                OCCURRED_TOO_LONG_AGO,
                f"The event occurred more than {allowance // 1_000_000} seconds ago: set record_late to record it late on purpose, "
                "or import it.",
                allowance_seconds=allowance // 1_000_000,
            )

    def _check_import(self, incoming: Incoming) -> None:
        run = incoming.envelope.import_run
        if not run or incoming.kind.topic == "import-started":
            return
        state = self._streams.get(f"import-{run}")
        if not state.opened or (state.revision > 1 and incoming.kind.topic != "import-finished"):
            how = "has finished" if state.opened else "is not open"
            raise LedgerError(
                IMPORT_NOT_OPEN, f"Import run {run} {how}: append import-started first, or use a run that is open.", import_run=run
            )

    def _check_opener(self, incoming: Incoming, event: Event) -> None:
        if incoming.kind.opener or event.exempt or _is_response(incoming) or "{event_id}" in incoming.kind.stream:
            return
        raise LedgerError(
            REFERENCE_UNKNOWN,
            f"Nothing is recorded as {incoming.stream}: record its opener before {event.topic}.",
            stream=incoming.stream,
            topic=event.topic,
        )

    def _check_withdrawal(self, event: Event) -> None:
        if self._policies.version(event.payload.policy_id, event.payload.policy_version) is None and not event.exempt:
            raise LedgerError(
                MOVE_NOT_ALLOWED,
                f"{event.stream} is withdrawn already: publish another version to have it again.",
                stream=event.stream,
                topic=event.topic,
            )

    def _unmeasured(self, event: Event) -> bool:
        run = event.header.import_run
        return bool(run) and not self._streams.get(f"import-{run}").state

    def _judge(self, rules: Rules, state: StreamState, event: Event) -> tuple[Refusal | None, Any, bool]:
        """Return the refusal that an exempt event stands with, the new state, and whether the stream is tangled."""
        late = (
            event.topic in REACHES_BACK
            or state.tangled
            or (state.revision > 0 if _opens(state, event) else (event.order, event.clock) < state.last)
        )
        overtakes: Sequence[Event] = ()
        if late:
            events = self._streams.events(event.stream)
            if event.topic == "event-confirmed":
                may_confirm(rules, events, event)
            refusal, overtakes, at_place = judge(rules, events, event)
            rules.complete(at_place, event.payload)
        else:
            at_place = state.state
            rules.complete(at_place, event.payload)
            moved_on, applied = rules.step(at_place, event)
            refusal = None if applied else rules.refusal(at_place, event)
        if refusal is not None and not event.exempt:
            raise refused(refusal)
        if refusal is None:
            self._check_authority(rules, at_place, event)
            if event.header.record_late and holds_back(event, overtakes, at_place):
                event.header.held_back = True
        if late:
            events = [*events, event]
            return refusal, fold(rules, events).state, is_tangled(events)
        if event.header.held_back or refusal is not None:
            return refusal, state.state, state.tangled or event.header.held_back
        return None, moved_on, False

    def _check_authority(self, rules: Rules, state: Any, event: Event) -> None:
        denied = rules.authority(state, event)
        if denied is not None:
            raise refused(denied)
        if event.topic == "request-resolved" and state is not None:
            named = event.payload.override_event_id
            open_strands = strands_refusal(state, event, self._find(uuid_bytes(named)) if named else None)
            if open_strands is not None:
                raise refused(open_strands)
        if event.topic == "request-reopened" and state is not None and not event.exempt:
            policy = self._policies.in_force(event.occur)
            window = policy.reopen_window if policy else 0
            if window and event.order > state.since_time + window:
                raise LedgerError(
                    MOVE_NOT_ALLOWED,
                    f"{event.stream} ended more than {window // DAY_MICROS} days ago: open a new one with follows_request_id.",
                    stream=event.stream,
                    window_days=window // DAY_MICROS,
                )


def _opens(state: StreamState, event: Event) -> bool:
    """True for the event that opens its stream. Another opener there, of whatever type, is a move that the family's rules judge."""
    return BY_TOPIC[event.topic].opener and not state.opened


def _moved_on(state: StreamState, event: Event, new_state: Any, tangled: bool) -> StreamState:
    opener = _opens(state, event)
    if event.topic == "import-started":
        new_state = event.payload.answers_recorded
    return StreamState(
        revision=event.revision,
        opened=state.opened or opener,
        subject=event.subject if opener else state.subject,
        state=new_state,
        last=state.last if opener else max(state.last, (event.order, event.clock)),
        tangled=tangled,
    )


def _is_response(incoming: Incoming) -> bool:
    """True for the clock's event on a response target: its entity is the contact, judged in the views with all that answers it."""
    return incoming.kind.topic == "promise-broken" and str(incoming.payload.promise_id).startswith(TARGET_PREFIXES)
