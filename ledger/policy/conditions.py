"""Conditions of playbooks: CEL over the event that triggers, and the customer's card as of its position.

Compiled once, with types checked: a misspelt name or a wrong type is a mistake of the policy, not a surprise at night. What may be
named is declared here and nowhere else. Sealed fields are not declared, so no condition can read one (domain rule 9.9).

The compiler is loaded with the first condition: most processes import this module and compile none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from ledger.api.v1.core_pb2 import ActorKind
from ledger.catalogue import BY_TOPIC, is_clear, is_made
from ledger.event import Event

TEXT, TRUTH, NUMBER, REAL, TIME, DURATION, TEXTS = "STRING", "BOOL", "INT", "DOUBLE", "TIMESTAMP", "DURATION", "LIST"
"""Types of what can be named, by their names in CEL; a list is one of texts."""

ABOUT: Final = dict.fromkeys(("topic", "channel", "department", "actor_kind", "reason", "kind", "priority", "tier"), TEXT)
"""What every event answers: from its envelope, from a field of that name in its payload (empty where it has none), and the
customer's tier."""

_FAULT: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_STATUS: Final = re.compile(r"^[A-Z_]+: ")
_STRINGS: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
_NAME: Final = re.compile(r"(?<![\w.])(event|card)\s*\.\s*([A-Za-z_]\w*)|(?<![\w.])([A-Za-z_]\w*)")


class Card(NamedTuple):
    """What a condition may know of the customer, as of the position of the trigger."""

    tier: str = ""
    relation: str = ""
    """As the API names it, such as `CUSTOMER_FORMER`; empty where none was said."""
    open_promises: int = 0
    broken_promises: int = 0
    pending_handoffs: int = 0
    open_requests: int = 0
    contacts_30d: int = 0
    """Contacts received in the thirty days before the trigger, itself not counted."""


CARD: Final = {f"card.{name}": TEXT if isinstance(value, str) else NUMBER for name, value in Card._field_defaults.items()}


class ConditionError(Exception):
    """A condition does not compile, or has no value. The text says why; it holds nothing of an event."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        """1-based line within the condition."""


class Condition:
    """A compiled condition."""

    __slots__ = ("_compiled", "_env", "_names", "text")

    def __init__(self, text: str, topics: Iterable[str]) -> None:
        """Compile the condition of a playbook that these topics trigger. Raises ConditionError."""
        from cel_expr_python import cel

        self.text: Final = text
        variables = declared(topics)
        texts = cel.Type.List(cel.Type.STRING)
        self._env = cel.NewEnv(
            variables={name: texts if kind == TEXTS else getattr(cel.Type, kind) for name, kind in variables.items()}
        )
        try:
            self._compiled = self._env.compile(text)
        except RuntimeError as error:
            raise _compile_error(str(error), variables) from None
        if self._compiled.return_type().name() != TRUTH:
            raise ConditionError(f"it gives {self._compiled.return_type().name().lower()}, and has to give true or false")
        self._names: Final = tuple(name for name in _names(text) if name in variables)

    def holds(self, event: Event, card: Card) -> bool:
        """Return whether it holds for an event and the customer's card. Raises ConditionError when it has no value."""
        values = {name: value_of(name, event, card) for name in self._names}
        result = self._compiled.eval(data=values)
        if result.type().name() != TRUTH:
            # The text of an error may hold values of the event.
            raise ConditionError("it has no value for this event: guard divisions and look-ups")
        return bool(result.plain_value())


def declared(topics: Iterable[str]) -> dict[str, str]:
    """Return what a condition may name, with types, for these triggers.

    `event.<field>` are the clear fields of the payloads; of a field that several triggers have in different types, none.
    """
    variables: dict[str, str] = {**ABOUT, **CARD}
    differing: set[str] = set()
    for topic in topics:
        for name, type_ in _fields(topic).items():
            if variables.setdefault(f"event.{name}", type_) != type_:
                differing.add(f"event.{name}")
    return {name: type_ for name, type_ in variables.items() if name not in differing}


@cache
def _fields(topic: str) -> Mapping[str, str]:
    kind = BY_TOPIC.get(topic)
    if kind is None:
        return {}
    fields = {field.name: _type_of(field) for field in kind.message.DESCRIPTOR.fields if is_clear(field) or is_made(field)}
    return {name: type_ for name, type_ in fields.items() if type_ is not None}


def _type_of(field: FieldDescriptor) -> str | None:
    """Return the type of a field in conditions: enums are their names; None for what they cannot read."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS if field.is_repeated else TEXT
    if field.is_repeated:
        return None
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        assert field.message_type is not None
        return _TIMES.get(field.message_type.full_name)
    return _SCALARS.get(field.type)


_SCALARS: Final = {
    FieldDescriptor.TYPE_ENUM: TEXT,
    FieldDescriptor.TYPE_BOOL: TRUTH,
    FieldDescriptor.TYPE_INT32: NUMBER,
    FieldDescriptor.TYPE_INT64: NUMBER,
    FieldDescriptor.TYPE_DOUBLE: REAL,
}
_TIMES: Final = {"google.protobuf.Timestamp": TIME, "google.protobuf.Duration": DURATION}


def value_of(name: str, event: Event, card: Card) -> Any:
    """Return what a name stands for."""
    what, _, field = name.partition(".")
    if field:
        return getattr(card, field) if what == "card" else _field_value(event, field)
    return _ABOUT[name](event, card)


def _field_value(event: Event, name: str) -> Any:
    descriptor = event.payload.DESCRIPTOR.fields_by_name.get(name)
    if descriptor is None:
        # Another trigger of the playbook has it.
        return _empty(event, name)
    value = getattr(event.payload, name)
    if descriptor.is_repeated:
        return list(value)
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name if value else ""
    if descriptor.message_type is not None:
        if descriptor.message_type.full_name == "google.protobuf.Duration":
            return value.ToTimedelta()
        return value.ToDatetime(UTC)
    return value


def _empty(event: Event, name: str) -> Any:
    for topic in BY_TOPIC:
        type_ = _fields(topic).get(name)
        if type_ is not None:
            return _EMPTY.get(type_, [])
    raise ConditionError(f"no event has a field {name}")


_EMPTY: Final[dict[str, Any]] = {
    TEXT: "",
    TRUTH: False,
    NUMBER: 0,
    REAL: 0.0,
    TIME: datetime(1970, 1, 1, tzinfo=UTC),
    DURATION: timedelta(),
}


def _payload_text(name: str) -> Callable[[Event, Card], str]:
    def read(event: Event, card: Card) -> str:
        return str(_field_value(event, name)) if name in event.payload.DESCRIPTOR.fields_by_name else ""

    return read


_ABOUT: Final[dict[str, Callable[[Event, Card], str]]] = {
    "topic": lambda event, card: event.topic,
    "channel": lambda event, card: event.header.channel,
    "department": lambda event, card: event.header.department,
    "actor_kind": lambda event, card: ActorKind.Name(event.header.actor_kind) if event.header.actor_kind else "",  # type: ignore[arg-type]
    "tier": lambda event, card: card.tier,
    **{name: _payload_text(name) for name in ("reason", "kind", "priority")},
}


def _names(text: str) -> list[str]:
    found: dict[str, None] = {}
    for member_of, member, plain in _NAME.findall(_STRINGS.sub("''", text)):
        found[f"{member_of}.{member}" if member_of else plain] = None
    return list(found)


def _compile_error(text: str, variables: Mapping[str, str]) -> ConditionError:
    faults = _FAULT.findall(text)
    if not faults:
        return ConditionError(_STATUS.sub("", text).splitlines()[0])
    line, column, message = faults[0]
    message = message.split(" (in container")[0]
    missing = re.match(r"undeclared reference to '([^']*)'", message)
    if missing is not None:
        name = missing[1]
        family = name.partition(".")[0]
        near = sorted(one for one in variables if one.startswith(f"{family}.")) or sorted(ABOUT)
        return ConditionError(f"nothing is called {name} here; there is {', '.join(near)}", int(line))
    return ConditionError(f"{message} (at character {column})", int(line))
