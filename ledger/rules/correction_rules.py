"""Which corrections and retractions are refused, in words, and who may make them (domain rule 8.12).

Pure. What they do stands in correction.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger.api.v1.errors_pb2 import NOT_CORRECTABLE, REFERENCE_UNKNOWN, ErrorReason
from ledger.catalogue import BY_FIELD, BY_TOPIC, RESTATING, expand
from ledger.event import Event
from ledger.rules.correction import CORRECTED, RETRACTED, as_stands, named_by, payload_of, standing, taken_back
from ledger.rules.fold import place, steps
from ledger.rules.instant import micros, micros_or_none
from ledger.rules.verdict import Refusal, Rules, not_yours

_INSTEAD: Final = {
    "identifier-shared": "Record identifier-shared again, as it should be.",
    "import-started": "A run is what it was: import again with another one.",
    "import-finished": "A run is what it was: import again with another one.",
    "policy-published": "Publish another version, or withdraw this one: what it decided stands.",
    "policy-withdrawn": "Publish the policy again.",
}
"""Topics of events that have a way of their own to be mended."""


class Named(NamedTuple):
    """The event that a correction or retraction is about, found in its stream."""

    original: Event
    """As it was recorded first."""
    stands: Event | None
    """As it stands until then; None: retracted."""
    event: Event
    """The one named: the original, or a correction or retraction of it."""


def find(events: Sequence[Event], restating: Event) -> Named | Refusal:
    """Return what a correction or retraction is about among its stream's events so far, or why it is about nothing."""
    by_id = {event.event_id: event for event in events}
    named = by_id.get(named_by(restating))
    if named is None:
        return _refusal(
            REFERENCE_UNKNOWN,
            f"{restating.stream} has no event {_text(named_by(restating))}: name one of this stream, by its own id.",
            restating,
        )
    original = named
    # What takes back is later than what it takes back, so this comes to an end.
    while original.topic in RESTATING and named_by(original) in by_id:
        original = by_id[named_by(original)]
    chain = standing(events).get(original.event_id, ())
    return Named(original, as_stands(original, chain), named)


def correction_refused(events: Sequence[Event], correction: Event, named: Named) -> Refusal | None:
    """Return why a correction may not be made; None when it may."""
    original, stands = named.original, named.stands
    if named.event.topic in RESTATING:
        return _refusal(
            NOT_CORRECTABLE,
            f"Event {_text(named.event.event_id)} is itself {_article(named.event.topic)}: correct {_text(original.event_id)}, the "
            "event that it is about. The last correction wins.",
            correction,
        )
    refusal = _not_correctable(original, correction)
    if refusal is not None:
        return refusal
    payload = correction.payload.payload
    kind = BY_FIELD[payload.WhichOneof("kind")]
    if kind.topic != original.topic:
        return _refusal(
            NOT_CORRECTABLE,
            f"Event {_text(original.event_id)} is {original.topic}, not {kind.topic}: a correction is of the same kind. Retract it "
            "instead, and record what happened.",
            correction,
        )
    said = payload_of(correction)
    changed = _changed_id(original, said)
    if changed:
        return _refusal(
            NOT_CORRECTABLE,
            f"Event {_text(original.event_id)} is about another {changed}: ids and streams are not corrected. Retract it instead, "
            "and record what happened.",
            correction,
        )
    if stands is None:
        return _refusal(
            NOT_CORRECTABLE,
            f"Event {_text(original.event_id)} is retracted: retract {_text(_last(events, original).event_id)} first.",
            correction,
        )
    return authority(stands, correction)


def lacks_approver(correction: Event, named: Named) -> bool:
    """True when a correction says other dues than the event, and nobody approved that these were said. Imports need nobody."""
    if correction.payload.approver or correction.header.import_run or named.stands is None:
        return False
    return dues_of(payload_of(correction)) != dues_of(named.stands.payload)


def retraction_refused(events: Sequence[Event], retraction: Event, named: Named) -> Refusal | None:
    """Return why a retraction may not be made; None when it may."""
    refusal = _not_correctable(named.original, retraction)
    if refusal is not None:
        return refusal
    if named.stands is None if named.event is named.original else named.event.event_id in taken_back(events):
        return _refusal(
            NOT_CORRECTABLE, f"Event {_text(named.event.event_id)} is retracted already: there is nothing to do.", retraction
        )
    return authority(named.stands or named.original, retraction)


def authority(stands: Event, restating: Event) -> Refusal | None:
    """Return why a department may not restate an event; None when it may: its own, a supervisor, imports."""
    header = restating.header
    allowed = stands.header.department
    if not allowed or header.department == allowed or header.supervisor or header.import_run:
        return None
    what = f"Event {_text(stands.event_id)} of {stands.stream}"
    return not_yours(what, restating.topic, header.department, allowed, "the department that recorded it")


def move_refused(rules: Rules, events: Sequence[Event], restating: Event) -> Refusal | None:
    """Return why a corrected event would not apply where it then stands, though it applies today; None where it does.

    What others did and what does not apply any more is not refused: it shows as overtaken.
    """
    if restating.topic == RETRACTED:
        return None
    own, named = restating.stream, named_by(restating)
    if not any(applied for event, _, _, applied in steps(rules, list(events), own) if event.event_id == named):
        return None
    before: Any | None = None
    for event, _, after, applied in steps(rules, [*events, restating], own):
        if event.event_id == named:
            return None if applied else rules.refusal(before, event)
        before = after
    return None


def state_before(rules: Rules, events: Sequence[Event], stands: Event) -> Any | None:
    """Return the entity just before an event as it would stand, without that event: what `Rules.complete` needs."""
    others = [event for event in events if event.event_id != stands.event_id]
    state: Any | None = None
    for event, _, after, _ in steps(rules, others, stands.stream):
        if not BY_TOPIC[event.topic].opener and place(event) > place(stands):
            break
        state = after
    return state


def dues_of(payload: Any) -> list[tuple[str, int]]:
    """Return the dues that an event says, those apart that the ledger derives."""
    found: list[tuple[str, int]] = []
    if "due" in payload.DESCRIPTOR.fields_by_name and payload.HasField("due"):
        due = payload.due
        found += [(name, micros(getattr(due, name))) for name in ("due_time", "not_before") if due.HasField(name)]
    for name in ("accept_by", "complete_by"):
        if name in payload.DESCRIPTOR.fields_by_name:
            when = micros_or_none(payload, name)
            if when is not None:
                found.append((name, when))
    return found


def _not_correctable(original: Event, restating: Event) -> Refusal | None:
    kind = BY_TOPIC[original.topic]
    instead = _INSTEAD.get(original.topic)
    if kind.reserved or kind.clock:
        instead = "The ledger wrote it: correct what it followed from."
    elif original.topic == "event-confirmed" and restating.topic == CORRECTED:
        instead = "Retract it instead."
    if instead is None:
        return None
    return _refusal(
        NOT_CORRECTABLE, f"Event {_text(original.event_id)} is {original.topic}, which is not corrected. {instead}", restating
    )


def _changed_id(original: Event, said: Any) -> str:
    """Return the name of an id of its own that a correction would change; empty when there is none."""
    kind = BY_TOPIC[original.topic]
    if expand(kind.stream, said, _text(original.event_id)) != original.stream:
        return original.stream.partition("-")[0]
    if "handoff_id" in said.DESCRIPTOR.fields_by_name and said.handoff_id != original.payload.handoff_id:
        return "handoff"
    return ""


def _last(events: Sequence[Event], original: Event) -> Event:
    return standing(events)[original.event_id][-1]


def _article(topic: str) -> str:
    return "a correction" if topic == CORRECTED else "a retraction"


def _text(event_id: bytes) -> str:
    return str(UUID(bytes=event_id)) if len(event_id) == 16 else event_id.hex()


def _refusal(reason: ErrorReason.ValueType, message: str, restating: Event) -> Refusal:
    return Refusal(reason, message, {"stream": restating.stream, "topic": restating.topic})
