"""What corrections and retractions make of the events that they name (domain rule 8.12).

Pure. From its position on, a correction puts what it says in the place of an event, whose ids, stream and position stay; its
corrected occur time decides where it stands. The last one wins. A retraction takes out the event that it names; one that names a
correction, or a retraction, takes back that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor

from ledger.api.v1.event_pb2 import PART_ACTOR, PART_CHANNEL, PART_DEPARTMENT, EventCorrected
from ledger.catalogue import BY_FIELD, RESTATING
from ledger.event import Event
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.rules.instant import micros, uuid_bytes
from ledger.rules.touch import concerns, linked_contacts, touched_by, touches

CORRECTED: Final = "event-corrected"
RETRACTED: Final = "event-retracted"
CONFIRMED: Final = "event-confirmed"

NAMES_ANOTHER: Final = RESTATING | {CONFIRMED}
"""Topics of events that belong wherever the event belongs that they name."""

_DUES: Final = frozenset({"due", "accept_by", "complete_by", "response_due_time"})
"""Names of fields that hold dues."""

_WITHOUT: Final = {PART_CHANNEL: "channel", PART_DEPARTMENT: "department", PART_ACTOR: "actor"}


class CorrectedEvent(Event):
    """An event as it stands corrected: its own ids and position, what its last correction says. Its parts are the correction's."""

    __slots__ = ("correction", "set_dues")

    correction: Event
    """The correction that stands."""
    set_dues: Event

    def at(self, position: int) -> CorrectedEvent:
        """Return the same event under another position: for rows that stand from the correction's on."""
        event = CorrectedEvent(position=position, header=self.header, payload=self.payload, parts=self.parts, clock=self.clock)
        event.correction, event.set_dues = self.correction, self.set_dues
        return event

    @property
    def said_by(self) -> Event:
        """See `Event.said_by`."""
        return self.correction

    @property
    def due_setter(self) -> Event:
        """See `Event.due_setter`."""
        return self.set_dues


def named_by(event: Event) -> bytes:
    """Return the id that a correction, retraction or confirmation names."""
    return uuid_bytes(event.payload.confirmed_event_id) if event.topic == CONFIRMED else _named_in(event.payload)


def _named_in(payload: Any) -> bytes:
    named = payload.corrected_event_id if isinstance(payload, EventCorrected) else payload.retracted_event_id
    return uuid_bytes(named)


def payload_of(correction: Event) -> Any:
    """Return the payload that a correction says, clear or full as its own is; None for one that says none."""
    payload = correction.payload.payload
    field = payload.WhichOneof("kind")
    return None if field is None else getattr(payload, field)


def standing(events: Iterable[Event]) -> dict[bytes, list[Event]]:
    """Return, by id of the event first recorded, the corrections and retractions of it that were not taken back; oldest first.

    The last one of a list decides. Events of other topics are passed over.
    """
    return _reduced(events)[0]


def taken_back(events: Iterable[Event]) -> set[bytes]:
    """Return the ids of the corrections and retractions that were retracted."""
    return _reduced(events)[1]


def _reduced(events: Iterable[Event]) -> tuple[dict[bytes, list[Event]], set[bytes]]:
    restating = sorted((event for event in events if event.topic in RESTATING), key=lambda event: event.position)
    ids = {event.event_id for event in restating}
    gone: set[bytes] = set()
    chains: dict[bytes, list[Event]] = {}
    # The last one first: what takes back is later than what it takes back.
    for event in reversed(restating):
        if event.event_id in gone:
            continue
        named = named_by(event)
        if named not in ids:
            chains.setdefault(named, []).insert(0, event)
        elif event.topic == RETRACTED:
            gone.add(named)
    return chains, gone


def as_stands(original: Event, chain: Sequence[Event]) -> Event | None:
    """Return how an event stands under its chain (see `standing`); None when it is retracted."""
    if chain and chain[-1].topic == RETRACTED:
        return None
    corrections = [event for event in chain if event.topic == CORRECTED and _fits(original, event)]
    return corrected(original, corrections) if corrections else original


def as_it_stands(events: Sequence[Event], payload: Any) -> Event | None:
    """Return the event that the payload of a correction or retraction is about, as it stands among its stream's events.

    One retracted is as it was recorded; None: there is no such event.
    """
    by_id = {event.event_id: event for event in events}
    found = by_id.get(_named_in(payload))
    while found is not None and found.topic in RESTATING:
        found = by_id.get(named_by(found))
    return found and (as_stands(found, standing(events).get(found.event_id, ())) or found)


def _fits(original: Event, correction: Event) -> bool:
    field = correction.payload.payload.WhichOneof("kind")
    return field is not None and BY_FIELD[field].topic == original.topic and correction.position > original.position


def corrected(original: Event, corrections: Sequence[Event]) -> CorrectedEvent:
    """Return an event with its corrections, oldest first: the payload of the last, of each envelope what it says.

    Its dues are set by the first of the versions that says those which stand, and what it says of its occur time was recorded with
    the first that says that: so a correction of something else moves neither the clock nor the evidence.
    """
    last = corrections[-1]
    header = EventHeader()
    header.CopyFrom(original.header)
    versions = [_Version.of(original, header, original.payload)]
    for correction in corrections:
        _correct(header, correction.payload.envelope)
        versions.append(_Version.of(correction, header, payload_of(correction)))
    stands = versions[-1]
    header.record_time_micros = next(one.said_by.record for one in versions if one.when == stands.when)
    header.policy_id, header.policy_version = last.header.policy_id, last.header.policy_version
    header.department_unknown = last.header.department_unknown
    header.subject = last.header.subject
    del header.parts[:]
    header.parts.extend(last.header.parts)
    payload = payload_of(last)
    event = CorrectedEvent(position=original.position, header=header, payload=payload, parts=last.parts, clock=original.clock)
    event.correction = last
    event.set_dues = next(one.said_by for one in versions if one.dues == stands.dues)
    return event


class _Version(NamedTuple):
    """What an event, or a correction of it, says that later events rely on."""

    said_by: Event
    when: tuple[int, int]
    """Occur time and precision."""
    dues: Any
    """Equal where the same dues follow."""

    @classmethod
    def of(cls, said_by: Event, header: EventHeader, payload: Any) -> _Version:
        when = header.occur_time_micros, header.precision
        if _says_its_dues(payload.DESCRIPTOR):
            return cls(said_by, when, times_of(payload))
        # A due may follow from anything that it says, such as a priority.
        return cls(said_by, when, (when, header.channel, header.department, payload.SerializeToString(deterministic=True)))


@cache
def _says_its_dues(descriptor: Descriptor) -> bool:
    """True when all dues that follow from such an event stand in it."""
    return not _DUES.isdisjoint(descriptor.fields_by_name)


def _correct(header: EventHeader, envelope: Any) -> None:
    if envelope.HasField("occur_time"):
        header.occur_time_micros = micros(envelope.occur_time)
    if envelope.HasField("precision"):
        header.precision = envelope.precision
    for name in _WITHOUT.values():
        if envelope.HasField(name):
            setattr(header, name, getattr(envelope, name))
    for part in envelope.without:
        setattr(header, _WITHOUT[part], "")


def times_of(message: Any) -> list[tuple[str, int]]:
    """Return every time that a clear message holds, by path: its dues are among them."""
    found: list[tuple[str, int]] = []
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if field.is_repeated else (value,):
            if field.message_type.full_name == "google.protobuf.Timestamp":
                found.append((field.name, micros(item)))
            else:
                found.extend((f"{field.name}.{path}", when) for path, when in times_of(item))
    return found


def effective(events: Sequence[Event], own: str) -> list[Event]:
    """Return the events of an entity as they stand: corrected ones in place of those recorded, retracted ones left out.

    Corrections and retractions stay among them, and change nothing any more. An event of another stream that touches this one
    only as recorded, or only as corrected, is among them only then.
    """
    chains = standing(events)
    linked = linked_contacts(own, events)
    found: list[Event] = []
    for event in events:
        topic = event.topic
        stands = event if topic in RESTATING else as_stands(event, chains.get(event.event_id, ()))
        if stands is None:
            continue
        if stands.stream != own and topic not in NAMES_ANOTHER and not concerns(stands, own, linked):
            continue
        found.append(stands)
    return found


# Which other entities they concern


def about_the_same(event: Event, stream: Sequence[Event]) -> list[Event]:
    """Return the event that a correction, retraction or confirmation is about, and all that names it, among its stream's events."""
    by_id = {one.event_id: one for one in stream}
    about = event
    while about.topic in NAMES_ANOTHER:
        named = by_id.get(named_by(about))
        if named is None or named.position >= about.position:
            return []
        about = named
    found = [about]
    ids = {about.event_id}
    for one in stream:
        if one.topic in NAMES_ANOTHER and one.position > about.position and named_by(one) in ids:
            found.append(one)
            ids.add(one.event_id)
    return found


def touches_as_said(event: Event) -> tuple[str, ...]:
    """Return the streams of other entities that an event concerns; of a correction, those that what it corrects to concerns."""
    if event.topic != CORRECTED:
        return touches(event)
    field = event.payload.payload.WhichOneof("kind")
    return () if field is None else touched_by(BY_FIELD[field].topic, getattr(event.payload.payload, field))


def belonging_to(own: str, events: list[Event]) -> list[Event]:
    """Return those events that belong to an entity, of its own and of those that touch it by anything they were ever corrected to.

    An event that touches it only by a correction belongs to it together with that one.
    """
    corrected_ids = {named_by(event) for event in events if event.topic == CORRECTED and event.stream != own}
    linked = linked_contacts(own, events)
    return [
        event
        for event in events
        if event.stream == own or event.topic in NAMES_ANOTHER or event.event_id in corrected_ids or concerns(event, own, linked)
    ]
