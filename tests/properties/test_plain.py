"""Plain events: what is accepted from its bytes alone, the library accepts as well, and it is divided as ever.

For every event type, with values at and beyond every bound that a rule of the protos draws.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any, Final

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.workload import calls
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.catalogue import BY_FIELD, TIME_TYPES, EventType, take_sealed
from ledger.errors import LedgerError
from ledger.intake.plain_event import read_plain_event
from ledger.intake.receive import Incoming, receive, receive_thoroughly
from ledger.intake.validate import violations

KINDS: Final = sorted(BY_FIELD.values(), key=lambda kind: kind.topic)
LENGTHS: Final = (1, 2, 31, 32, 33, 63, 64, 65, 79, 80, 81, 96, 97, 111, 112, 127, 128, 200, 201, 255, 256, 320, 321)
LONG: Final = (2_000, 2_001, 4_000, 4_001, 20_000, 20_001, 65_536, 65_537)
TEXTS: Final = (
    *(
        "",
        "a",
        "A",
        "_",
        "-",
        "é",
        "٣",
        "a\n",
        "\na",
        "a b",
        "a\0",
        "code_1",
        "Code-1.x:y",
        "9",
        "fr",
        "fr-CA",
        "fra-FR",
        "FR",
        "C1",
    ),
    *("0612345678", "0033612345678", "00612345678", "061234567", "response-1", "contact-1", "request-1", "promise-9", "x-1"),
    *("2026-03-28", "2026-03-28T14:30", "2026-03-28T14:30:59", "2026-3-28", "Europe/Paris", "UTC", "wait-and-see"),
    *("0194f0a0-0000-7000-8000-000000000001", "0194F0A0-0000-7000-8000-00000000000A", "0194f0a000007000800000000000000a"),
    *("0194f0a0-0000-7000-8000-00000000000g", "0194f0a0-0000-7000-8000-0000000 0001", "0194f0a00-000-7000-8000-000000000001"),
    *(letter * length for letter in "aé" for length in LENGTHS),
    *("a" * length for length in LONG),
    *("é" * (length // 2 + 1) for length in LONG),
)
NUMBERS: Final = (
    -(2**31),
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    50,
    99,
    100,
    101,
    127,
    128,
    365,
    366,
    1_000,
    10_000,
    2**31 - 1,
)
SECONDS: Final = (
    *(-2_208_988_801, -2_208_988_800, -1, 0, 1, 127, 128, 2**28 - 1, 2**28, 1_774_000_000, 2**31, 2**32),
    *(31_622_399, 31_622_400, 7_258_118_399, 7_258_118_400, 2**35),
)
NANOS: Final = (0, 1, 127, 128, 1_000, 999_999_999, 1_000_000_000, -1)
UNKNOWN: Final = bytes.fromhex("c23e0161")
"""A field that no message has."""


HOW: Final = {"internal": False, "home_zone": "Europe/Paris", "default_region": "FR"}


@given(seed=st.integers(0, 2**32))
def test_a_plain_event_is_received_like_any_other(seed: int) -> None:
    random = Random(seed)
    # Some types for each seed, or it would take minutes.
    for kind in random.sample(KINDS, len(KINDS) // 4):
        event = an_event(kind, random)
        again = EventToAppend.FromString(event.SerializeToString())

        plain = read_plain_event(event)
        assert_received_alike(event, again)
        if plain is not None:
            payload = getattr(event.payload, kind.field)
            assert (kind, []) == (plain.kind, violations(event.envelope) + violations(payload))
            assert divided(kind, payload) == plain.plain[:2]


@pytest.mark.parametrize("said", ["", "0a00", "1200", "0a001200"], ids=["nothing", "envelope", "payload", "both"])
def test_an_event_of_empty_parts_is_refused_like_any_other(said: str) -> None:
    event = EventToAppend.FromString(bytes.fromhex(said))

    assert received(receive_thoroughly, event) == received(receive, event)


@given(seed=st.integers(0, 2**32))
def test_damaged_events_are_received_like_any_other(seed: int) -> None:
    random = Random(seed)
    for kind in random.sample(KINDS, len(KINDS) // 8):
        content = bytearray(an_event(kind, random).SerializeToString())
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(content))
            content[place : place + random.randint(0, 2)] = random.randbytes(random.randint(0, 2))
        try:
            event, again = EventToAppend.FromString(bytes(content)), EventToAppend.FromString(bytes(content))
        except DecodeError:
            continue

        assert_received_alike(event, again)


def test_all_but_a_few_rare_types_are_plain() -> None:
    events = [event for call in calls(4_000, 500) for group in call for event in group.events]

    others = {BY_FIELD[event.payload.WhichOneof("kind")].topic for event in events if read_plain_event(event) is None}

    # These have rules of the message as a whole.
    assert {"satisfaction-recorded", "exception-requested", "exception-granted"} == others


def assert_received_alike(event: EventToAppend, again: EventToAppend) -> None:
    """Check that both ways make the same of an event, given twice because what is received may hold parts of it."""
    expected, found = received(receive_thoroughly, again), received(receive, event)
    if isinstance(expected, Incoming) and not event.envelope.event_id:
        # Each has made one of its own.
        assert isinstance(found, Incoming)
        own = expected.kind.own_stream
        expected = expected._replace(event_id=found.event_id, stream=found.stream if own else expected.stream)
    assert expected == found


def received(how: Any, event: EventToAppend) -> Incoming | tuple[Any, ...]:
    """Return an event as it is received, or what is said against it."""
    try:
        incoming: Incoming = how(event, "event", **HOW)
    except LedgerError as error:
        return error.reason_name, error.message, tuple(error.violations), tuple(error.metadata.items())
    return incoming._replace(plain=None, common=None)


def divided(kind: EventType, payload: Message) -> tuple[bytes, bytes]:
    """Return what is clear and what is sealed of a payload, but for the values of its identifiers, field by field."""
    clear: Any = kind.message()
    clear.CopyFrom(payload)
    part = take_sealed(clear, skip=kind.identifiers)
    for name in kind.identifiers:
        if clear.HasField(name):
            getattr(clear, name).ClearField("value")
    return clear.SerializeToString(), b"" if part is None else part.SerializeToString()


# Events with values close to the bounds


def an_event(kind: EventType, random: Random) -> EventToAppend:
    """Make an event of a type, more often good than bad."""
    event = EventToAppend()
    event.envelope.SetInParent()
    payload = getattr(event.payload, kind.field)
    payload.SetInParent()
    _fill(payload, random)
    if random.random() < 0.5:
        _fill(event.envelope, random)
    return event


def _fill(message: Any, random: Random, depth: int = 0) -> None:
    """Set some fields of a message: most of them to values that are good, close to a bound."""
    if message.DESCRIPTOR.full_name in TIME_TYPES:
        message.seconds, message.nanos = random.choice(SECONDS), random.choice(NANOS)
        return
    share = random.random()
    for field in message.DESCRIPTOR.fields:
        required = bool(_required(message, field))
        if random.random() >= (0.98 if required else share * 0.8):
            continue
        for _ in range(random.choice((1, 1, 2, 3)) if field.is_repeated else 1):
            if field.message_type is None:
                _set(message, field, _value(message, field, random))
            elif depth < 3 and field.message_type.full_name != "ledger.api.v1.Payload":
                inner = getattr(message, field.name)
                if field.is_repeated:
                    inner = inner.add()
                else:
                    inner.SetInParent()
                _fill(inner, random, depth + 1)
    if random.random() < 0.02:
        message.MergeFromString(UNKNOWN)


def _value(message: Message, field: FieldDescriptor, random: Random) -> Any:
    good, every = _values(type(message), field)
    return random.choice(every if not good or random.random() < 0.02 else good)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def _required(message: Message, field: FieldDescriptor) -> bool:
    return field.name in _names_at_fault(type(message))


@cache
def _names_at_fault(message: type[Message]) -> frozenset[str]:
    return frozenset(path.split("[")[0] for path, _ in violations(message()))


@cache
def _values(message: type[Message], field: FieldDescriptor) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the values that the library takes in a field, and all of them."""
    every = _candidates(field)
    good: list[Any] = []
    for value in every:
        one = message()
        _set(one, field, value)
        if not any(path.split("[")[0] == field.name for path, _ in violations(one)):
            good.append(value)
    return tuple(good), every


def _candidates(field: FieldDescriptor) -> tuple[Any, ...]:
    if field.type == field.TYPE_STRING:
        return TEXTS
    if field.type == field.TYPE_BYTES:
        return tuple(b"b" * size for size in (0, 1, 16, 31, 32, 33))
    if field.type == field.TYPE_ENUM:
        assert field.enum_type is not None
        return (*(value.number for value in field.enum_type.values), 99, -1)
    if field.type == field.TYPE_BOOL:
        return (False, True)
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return (-1.0, 0.0, 0.5, 1.0)
    return NUMBERS if field.type != field.TYPE_INT64 else (*NUMBERS, -(2**63), 2**32, 2**62, 2**63 - 1)
