"""A plain event: one whose bytes alone show that it is good, envelope and payload (plain.py). Most are.

The larger part of an envelope comes again and again: all but its id and its time. Once it was found good, its bytes are known.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ledger.api.v1.core_pb2 import CLOCK, PLAYBOOK
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.catalogue import BY_FIELD, RESTATING, EventType
from ledger.intake.plain import NANOS_MAX, Plain, Shape, event_shape, read_plain, tag_of, varint_at, whole_shape

_COMMONS_KEPT: Final = 20_000
_LENGTH_DELIMITED: Final = 2
_ID_LENGTH: Final = 36
_DASHES: Final = "----"
_NEVER: Final = RESTATING | {"policy-published"}
"""Topics of events that intake looks into more deeply."""


class PlainEvent(NamedTuple):
    """An event that keeps to all rules that can be told from itself alone."""

    kind: EventType
    envelope: EventEnvelope
    payload: Any
    """Both as they were sent."""
    event_id: bytes
    """16 bytes; empty where it was left to the ledger."""
    occur: int | None
    """Microseconds."""
    common: bytes
    """The envelope but for event id, occur time and correlation id, as serialised. Another correlation id may be in it."""
    plain: Plain
    """The payload, divided."""


def read_plain_event(event: EventToAppend) -> PlainEvent | None:
    """Return an event as plain; None when others have to judge it."""
    content = event.SerializeToString()
    end = len(content)
    if end < 2 or content[0] != _ENVELOPE_TAG:
        return None
    # On this path a call costs as much as a step of work, so lengths are read in place: most take one byte.
    size, at = content[1], 2
    if size > 127:
        size, at = varint_at(content, 1)
    stop = at + size
    envelope = event.envelope
    event_id, occur = b"", None
    if stop > at and content[at] == _ID_TAG:
        if content[at + 1] != _ID_LENGTH:
            return None
        begin, at = at + 2, at + 2 + _ID_LENGTH
        event_id = _uuid(content[begin:at].decode())
        if not event_id:
            return None
    if stop > at and content[at] == _TIME_TAG:
        time = envelope.occur_time
        seconds, nanos = time.seconds, time.nanos
        # Only the length tells of unknown fields: five bytes take seconds of those years, in which most things happen.
        if seconds not in _SECONDS or not 0 <= nanos <= NANOS_MAX or content[at + 1] != 6 + _NANOS_BYTES[nanos.bit_length()]:
            return None
        at += 2 + content[at + 1]
        occur = seconds * 1_000_000 + nanos // 1000
    if stop == end or content[stop] != _PAYLOAD_TAG:
        return None
    # A correlation id stands last. If what is before some such byte is good, it ends a field, so that the byte begins another one.
    last = content.rfind(_CORRELATION_TAG, at, stop)
    while last >= 0 and content[last + 1] != stop - last - 2:
        last = content.rfind(_CORRELATION_TAG, at, last)
    if last >= 0:
        common, correlation = content[at:last], content[last + 2 : stop]
        if correlation not in _CORRELATION.known and not _CORRELATION.check(correlation):
            return None
    else:
        common = content[at:stop]
    if common not in _good_commons and not _is_good(common):
        return None
    size, at = content[stop + 1], stop + 2
    if size > 127:
        size, at = varint_at(content, stop + 1)
    if not size or at + size != end:
        return None
    tag = content[at]
    at += 1
    if tag > 127:
        tag |= content[at] << 8
        at += 1
    known = _KINDS.get(tag)
    if known is None:
        return None
    kind, shape = known
    size = content[at]
    at += 1
    if size > 127:
        size, at = varint_at(content, at - 1)
    if at + size != end:
        return None
    plain = read_plain(shape, content, at, end)
    if plain is None:
        return None
    return PlainEvent(kind, envelope, getattr(event.payload, kind.field), event_id, occur, common, plain)


def _uuid(text: str) -> bytes:
    """Return the bytes of a UUID in its usual form; none for any other text."""
    digits = text.replace("-", "")
    if len(digits) != _ID_LENGTH - 4 or text[8:24:5] != _DASHES:
        return b""
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        return b""
    # What is no hexadecimal digit but a space would only make it shorter.
    return value if len(value) == (_ID_LENGTH - 4) // 2 else b""


def _is_good(common: bytes) -> bool:
    if read_plain(_COMMON, common, 0, len(common)) is None or EventEnvelope.FromString(common).actor_kind in (CLOCK, PLAYBOOK):
        return False
    if len(_good_commons) >= _COMMONS_KEPT:
        _good_commons.clear()
    _good_commons.add(common)
    return True


def _kinds() -> dict[int, tuple[EventType, Shape]]:
    found: dict[int, tuple[EventType, Shape]] = {}
    for field, kind in BY_FIELD.items():
        shape = None if kind.reserved or kind.topic in _NEVER else event_shape(kind.message.DESCRIPTOR)
        if shape is not None:
            found[tag_of(Payload.DESCRIPTOR.fields_by_name[field], _LENGTH_DELIMITED)] = kind, shape
    return found


_good_commons: set[bytes] = set()
_FIELDS: Final = EventEnvelope.DESCRIPTOR.fields_by_name
_ID_TAG: Final = tag_of(_FIELDS["event_id"], _LENGTH_DELIMITED)
_TIME_TAG: Final = tag_of(_FIELDS["occur_time"], _LENGTH_DELIMITED)
_ENVELOPE_TAG: Final = tag_of(EventToAppend.DESCRIPTOR.fields_by_name["envelope"], _LENGTH_DELIMITED)
_PAYLOAD_TAG: Final = tag_of(EventToAppend.DESCRIPTOR.fields_by_name["payload"], _LENGTH_DELIMITED)
_SECONDS: Final = range(1 << 28, min(1 << 35, 7_258_118_400))
"""Of times that take five bytes and keep to the rules of `occur_time`: from 1978 on."""
_NANOS_BYTES: Final = tuple(1 + (bits + 6) // 7 if bits else 0 for bits in range(31))
"""Bytes of the nanoseconds of a time, by their size in bits."""
_CORRELATION_TAG: Final = tag_of(_FIELDS["correlation_id"], _LENGTH_DELIMITED)
_CORRELATION: Final = whole_shape(EventEnvelope.DESCRIPTOR).fields[_CORRELATION_TAG]
_COMMON: Final = whole_shape(
    EventEnvelope.DESCRIPTOR,
    # The first two stand apart; the others are set by the ledger.
    without=("event_id", "occur_time", "policy_id", "policy_version"),
)
_KINDS: Final = _kinds()
