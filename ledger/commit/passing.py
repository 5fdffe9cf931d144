"""How groups that went through intake are passed to the process that decides: packed here, unpacked there, the same on both sides.

What intake worked out and the payload in normal form says again (stream, identifiers, times) is not passed but read out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.api.v1.event_pb2 import EventEnvelope
from ledger.catalogue import BY_FIELD, EventType
from ledger.commit.decision import IncomingGroup
from ledger.event_id import to_bytes, to_text
from ledger.intake.plain import Plain
from ledger.intake.receive import Incoming, micros
from ledger.internal.v1.passing_pb2 import PassedAppend, PassedEvent, PassedGroup


def pack(number: int, groups: Iterable[IncomingGroup], *, internal: bool) -> bytes:
    """Return the groups of a call as they are passed; `number` names the call."""
    return PassedAppend(
        number=number,
        internal=internal,
        groups=[
            PassedGroup(events=[_packed(event) for event in group.events], expectations=group.expectations) for group in groups
        ],
    ).SerializeToString()


def unpack(passed: PassedAppend) -> list[IncomingGroup]:
    """Return the groups that were packed."""
    return [
        IncomingGroup([_unpacked(event, passed.internal) for event in group.events], group.expectations) for group in passed.groups
    ]


def _packed(event: Incoming) -> PassedEvent:
    passed = PassedEvent(
        event_id=event.event_id,
        envelope=event.envelope,
        field=event.kind.field,
        payload=event.payload.SerializeToString(),
    )
    if event.plain is not None and event.common is not None:
        division = passed.division
        division.clear, division.sealed, division.common = event.plain.clear, event.plain.sealed, event.common
    return passed


def _unpacked(passed: PassedEvent, internal: bool) -> Incoming:
    kind = BY_FIELD[passed.field]
    payload = kind.message.FromString(passed.payload)
    envelope, division = passed.envelope, passed.division if passed.HasField("division") else None
    return Incoming(
        kind=kind,
        envelope=envelope,
        payload=payload,
        event_id=passed.event_id,
        stream=kind.stream_of(payload, to_text(passed.event_id)),
        occur=micros(envelope.occur_time) if envelope.HasField("occur_time") else None,
        identifiers=_identifiers(kind, payload),
        internal=internal,
        corrected=_corrected(payload, envelope, internal) if kind.field == "event_corrected" else None,
        plain=None if division is None else Plain(division.clear, division.sealed, _identifiers(kind, payload)),
        common=None if division is None else division.common,
    )


def _corrected(correction: Any, envelope: EventEnvelope, internal: bool) -> Incoming:
    kind = BY_FIELD[correction.payload.WhichOneof("kind")]
    payload = getattr(correction.payload, kind.field)
    corrected_id = correction.corrected_event_id.lower()
    return Incoming(
        kind=kind,
        envelope=envelope,
        payload=payload,
        event_id=to_bytes(corrected_id),
        stream=kind.stream_of(payload, corrected_id),
        occur=None,
        identifiers=_identifiers(kind, payload),
        internal=internal,
    )


def _identifiers(kind: EventType, payload: Any) -> tuple[tuple[str, str, str], ...]:
    said = ((name, getattr(payload, name)) for name in kind.identifiers if payload.HasField(name))
    return tuple((name, identifier.type, identifier.value) for name, identifier in said)
