"""From an event as a caller sends it to one that is ready to be decided: checked, normalised, its dues resolved.

Pure: no store, no vault, no clock. What depends on other events is left to the decision.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple

import uuid_utils
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from ledger.api.v1.core_pb2 import CLOCK, PLAYBOOK, Due, Fact, ObjectReference
from ledger.api.v1.errors_pb2 import FIELD_MADE_BY_LEDGER, FIELD_REQUIRED, ID_MALFORMED, NOT_CORRECTABLE, TOPIC_RESERVED
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.catalogue import BY_FIELD, CORRECTED, RESTATING, EventType, is_made
from ledger.errors import LedgerError
from ledger.event_id import to_bytes, to_text
from ledger.intake.identifier import normalise
from ledger.intake.local_time import resolve_due
from ledger.intake.plain import Plain
from ledger.intake.plain_event import PlainEvent, read_plain_event
from ledger.intake.validate import PERSONAL_ID, check, check_known
from ledger.policy.publication import prepare
from ledger.rules.derived import PREFIXES

PAYLOAD: Final = Payload.DESCRIPTOR.full_name

TARGET_PREFIXES: Final = ("response-", *PREFIXES)
"""Promise ids with one of these prefixes belong to derived targets."""


class Incoming(NamedTuple):
    """An event to be decided. `payload` is in normal form: texts as given, identifiers normalised, dues resolved. Leave it."""

    kind: EventType
    envelope: EventEnvelope
    payload: Any
    event_id: bytes
    stream: str
    occur: int | None
    """Occur time in microseconds; None: when it is recorded."""
    identifiers: tuple[tuple[str, str, str], ...]
    """Field, type and normalised value of each identifier."""
    internal: bool
    corrected: Incoming | None = None
    """Of a correction, what the event should have said, as an event of its kind: its payload stands in that of the correction."""
    plain: Plain | None = None
    """The payload divided, where its bytes alone showed that it is good; dues unresolved, types of identifiers as given."""
    common: bytes | None = None
    """The envelope but for event id and occur time, as serialised, where its bytes alone showed that it is good."""


def receive(event: EventToAppend, path: str, *, internal: bool, home_zone: str, default_region: str) -> Incoming:
    """Check an event and bring it into normal form; `path` names it in violations. Raises LedgerError.

    What is returned may hold messages of the event itself, so leave it alone as long as that is used.
    """
    if not internal:
        plain = read_plain_event(event)
        incoming = None if plain is None else _receive_plain(plain, home_zone, default_region)
        if incoming is not None:
            return incoming
    return receive_thoroughly(event, path, internal=internal, home_zone=home_zone, default_region=default_region)


def receive_thoroughly(event: EventToAppend, path: str, *, internal: bool, home_zone: str, default_region: str) -> Incoming:
    """Do what `receive` does of any event; several times slower than it is for plain ones. Its words are the only ones."""
    check_known(event, path)
    field = event.payload.WhichOneof("kind")
    if field is None:
        raise LedgerError(
            FIELD_REQUIRED, f"{path}.payload is missing: say what happened.", violations=[(f"{path}.payload", "value is required")]
        )
    kind = BY_FIELD[field]
    envelope = event.envelope
    given = getattr(event.payload, field)
    inner_path = f"{path}.payload.{field}"
    check(envelope, f"{path}.envelope")
    check(given, inner_path)
    if field == "contact_received" and not given.contact_id and not given.thread_id:
        raise LedgerError(
            FIELD_REQUIRED,
            f"{inner_path}.contact_id is missing: name the contact, or the thread that the message came in.",
            violations=[(f"{inner_path}.contact_id", "value is required without thread_id")],
            field=f"{inner_path}.contact_id",
        )
    _refuse_reserved(kind, envelope, given, inner_path, internal)
    payload = kind.message()
    payload.CopyFrom(given)
    identifiers = _normalise(kind, payload, inner_path, home_zone, default_region)
    corrected = None
    if field == "event_corrected":
        corrected = _receive_corrected(payload, envelope, inner_path, internal, home_zone, default_region)
    if kind.topic == "policy-published":
        prepare(payload, inner_path)
    event_id = envelope.event_id.lower() or str(uuid_utils.uuid7())
    return Incoming(
        kind=kind,
        envelope=envelope,
        payload=payload,
        event_id=to_bytes(event_id),
        stream=kind.stream_of(payload, event_id),
        occur=micros(envelope.occur_time) if envelope.HasField("occur_time") else None,
        identifiers=identifiers,
        internal=internal,
        corrected=corrected,
    )


def _receive_plain(plain: PlainEvent, home_zone: str, default_region: str) -> Incoming | None:
    """Bring a plain event into normal form; None when something else is wrong with it."""
    kind, envelope, payload, event_id, occur, common, divided = plain
    if kind.topic == "contact-received" and not payload.contact_id and not payload.thread_id:
        return None
    if kind.topic == "promise-made" and payload.promise_id.startswith(TARGET_PREFIXES):
        return None
    identifiers = divided.identifiers
    dues = [name for name in _DUES[kind.field] if payload.HasField(name)] if kind.field in _DUES else ()
    try:
        if identifiers:
            identifiers = tuple((name, *normalise(type_, value, default_region)) for name, type_, value in identifiers)
        if dues or identifiers != divided.identifiers:
            normal = kind.message()
            normal.CopyFrom(payload)
            payload = normal
            for name, type_, value in identifiers:
                identifier = getattr(payload, name)
                identifier.type, identifier.value = type_, value
            for name in dues:
                resolve_due(getattr(payload, name), home_zone)
    except LedgerError:
        return None
    event_id = event_id or uuid_utils.uuid7().bytes
    stream = kind.stream_of(payload, to_text(event_id) if kind.own_stream else "")
    return Incoming(kind, envelope, payload, event_id, stream, occur, identifiers, False, None, divided, common)


def _normalise(kind: EventType, payload: Any, path: str, home_zone: str, default_region: str) -> tuple[tuple[str, str, str], ...]:
    """Bring identifiers and dues of a payload into normal form, and return the identifiers."""
    identifiers: list[tuple[str, str, str]] = []
    for name in kind.identifiers:
        if payload.HasField(name):
            identifier = getattr(payload, name)
            with at_field(f"{path}.{name}.value"):
                identifier.type, identifier.value = normalise(identifier.type, identifier.value, default_region)
            identifiers.append((name, identifier.type, identifier.value))
    for name in fields_of(payload.DESCRIPTOR, Due.DESCRIPTOR.full_name):
        if payload.HasField(name):
            with at_field(f"{path}.{name}"):
                resolve_due(getattr(payload, name), home_zone)
    return tuple(identifiers)


def _receive_corrected(
    correction: Any, envelope: EventEnvelope, path: str, internal: bool, home_zone: str, default_region: str
) -> Incoming:
    """Check what an event should have said, and bring it into normal form where it stands, as an event of its kind."""
    field = correction.payload.WhichOneof("kind")
    if field is None:
        raise LedgerError(
            FIELD_REQUIRED,
            f"{path}.payload is missing: say what the event should have said, all of it.",
            violations=[(f"{path}.payload", "value is required")],
        )
    kind = BY_FIELD[field]
    inner_path = f"{path}.payload.{field}"
    if kind.topic in RESTATING:
        raise LedgerError(
            NOT_CORRECTABLE,
            f"{inner_path}: a correction says what an event should have said, never another correction.",
            field=inner_path,
        )
    payload = getattr(correction.payload, field)
    check(payload, inner_path)
    _refuse_reserved(kind, envelope, payload, inner_path, internal)
    corrected_id = correction.corrected_event_id.lower()
    return Incoming(
        kind=kind,
        envelope=envelope,
        payload=payload,
        event_id=to_bytes(corrected_id),
        stream=kind.stream_of(payload, corrected_id),
        occur=None,
        identifiers=_normalise(kind, payload, inner_path, home_zone, default_region),
        internal=internal,
    )


def is_threaded(incoming: Incoming) -> bool:
    """True for a message of a thread: whether it opens a contact, and which one, is decided at append (commit/threads.py)."""
    return not incoming.stream and incoming.kind.topic == "contact-received"


@contextmanager
def at_field(path: str) -> Iterator[None]:
    """Name the field at fault in what is refused inside."""
    try:
        yield
    except LedgerError as error:
        error.violations = ((path, error.message),)
        error.metadata["field"] = path
        raise


def micros(time: Any) -> int:
    """Return a Timestamp as microseconds since 1970."""
    return int(time.seconds) * 1_000_000 + int(time.nanos) // 1000


def _refuse_reserved(kind: EventType, envelope: EventEnvelope, payload: Any, path: str, internal: bool) -> None:
    if not internal:
        if kind.reserved:
            raise LedgerError(
                TOPIC_RESERVED, f"{kind.topic} is written by the ledger only: leave it to the ledger.", topic=kind.topic
            )
        if envelope.actor_kind in (CLOCK, PLAYBOOK):
            raise _made_by_ledger(path, "actor_kind")
        for name in ("policy_id", "policy_version"):
            if envelope.HasField(name):
                raise _made_by_ledger(path, name)
        made = first_made(payload)
        if made:
            raise _made_by_ledger(path, made)
        if kind.topic == "promise-made" and payload.promise_id.startswith(TARGET_PREFIXES):
            raise _malformed(f"{path}.promise_id", f"ids that begin with {', '.join(TARGET_PREFIXES)} belong to derived targets")
    for name in _id_fields(payload.DESCRIPTOR):
        if PERSONAL_ID.match(getattr(payload, name)):
            raise _malformed(f"{path}.{name}", "it looks like a phone number, and ids must not be personal data")


def _made_by_ledger(path: str, name: str) -> LedgerError:
    return LedgerError(
        FIELD_MADE_BY_LEDGER,
        f"{path}.{name} is set by the ledger: leave it out.",
        violations=[(f"{path}.{name}", "set by the ledger")],
        field=f"{path}.{name}",
    )


def _malformed(path: str, why: str) -> LedgerError:
    return LedgerError(ID_MALFORMED, f"{path} is no usable id: {why}. Choose another one.", violations=[(path, why)], field=path)


@cache
def _id_fields(descriptor: Descriptor) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in descriptor.fields
        if field.name.endswith("_id") and not field.is_repeated and field.type == field.TYPE_STRING
    )


@cache
def fields_of(descriptor: Descriptor, message_name: str) -> tuple[str, ...]:
    """Return the names of a message's fields that hold messages of one type."""
    return tuple(field.name for field in descriptor.fields if field.message_type and field.message_type.full_name == message_name)


_DUES: Final = {
    field: names for field, kind in BY_FIELD.items() if (names := fields_of(kind.message.DESCRIPTOR, Due.DESCRIPTOR.full_name))
}
"""Names of the dues of those event types that have any, by their lines in `Payload.kind`."""


# Fields that the ledger sets


@cache
def _made_plan(descriptor: Descriptor) -> tuple[tuple[str, ...], tuple[tuple[str, bool], ...]]:
    made = tuple(field.name for field in descriptor.fields if is_made(field))
    inner = tuple(
        (field.name, field.is_repeated)
        for field in descriptor.fields
        # What a correction corrects to is received as an event of its own kind is.
        if field.message_type
        and field.message_type.full_name != PAYLOAD
        and not is_made(field)
        and any(_made_plan(field.message_type))
    )
    return made, inner


def has_made(descriptor: Descriptor) -> bool:
    """True when the ledger sets a field of a message, or of one inside it."""
    return any(_made_plan(descriptor))


def first_made(message: Any) -> str | None:
    """Return the path of a field set that only the ledger sets; None when there is none."""
    made, inner = _made_plan(message.DESCRIPTOR)
    if not made and not inner:
        return None
    for name in made:
        field = message.DESCRIPTOR.fields_by_name[name]
        if getattr(message, name) if field.is_repeated else message.HasField(name):
            return name
    for name, repeated in inner:
        items = getattr(message, name) if repeated else [getattr(message, name)] if message.HasField(name) else []
        for item in items:
            found = first_made(item)
            if found:
                return f"{name}.{found}"
    return None


def clear_made(message: Any) -> None:
    """Take out what the ledger set: what remains is as it was received, in normal form."""
    made, inner = _made_plan(message.DESCRIPTOR)
    for name in made:
        message.ClearField(name)
    for name, repeated in inner:
        for item in getattr(message, name) if repeated else [getattr(message, name)] if message.HasField(name) else []:
            clear_made(item)
    if message.DESCRIPTOR.full_name == CORRECTED:
        clear_made(getattr(message.payload, message.payload.WhichOneof("kind")))


# Values that are marked, so that equal ones can be found without being read


MARKED: Final = (Fact.DESCRIPTOR.full_name, ObjectReference.DESCRIPTOR.full_name)


def marked_items(payload: Message) -> list[tuple[Any, str]]:
    """Return each fact and object reference, with the label its mark is made under; in the same order for equal shapes."""
    items: list[tuple[Any, str]] = []
    for message_name in MARKED:
        for name in fields_of(payload.DESCRIPTOR, message_name):
            value = getattr(payload, name)
            repeated = payload.DESCRIPTOR.fields_by_name[name].is_repeated
            for item in value if repeated else [value] if payload.HasField(name) else []:
                label = f"fact:{item.key}" if message_name == MARKED[0] else f"object:{item.type}"
                items.append((item, label))
    return items


def normal_text(value: str) -> str:
    """Return a value as it is compared: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
