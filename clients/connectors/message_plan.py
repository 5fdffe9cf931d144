"""How a message is filled from a row: the fields a mapping sets, checked against the descriptor, each with its expression.

Knows the API's descriptors and rules, nothing of rows or files. Plans are built once and used for every row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, cast

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from clients.connectors.expression import Expression, ExpressionError, Language, Scope, word
from clients.connectors.mapping_text import Entry, Mistakes, did_you_mean, nearest
from clients.connectors.time_text import micros
from ledger.api.v1 import options_pb2

Step = Callable[[Any, Scope], None]
"""Sets one field of a message from the scope of a row. Raises ExpressionError."""

TIMESTAMP: Final = "google.protobuf.Timestamp"
DURATION: Final = "google.protobuf.Duration"
_MICROS: Final = 1_000_000
_TYPES: Final = {
    FieldDescriptor.CPPTYPE_STRING: "STRING",
    FieldDescriptor.CPPTYPE_BOOL: "BOOL",
    FieldDescriptor.CPPTYPE_INT32: "INT",
    FieldDescriptor.CPPTYPE_INT64: "INT",
    FieldDescriptor.CPPTYPE_DOUBLE: "DOUBLE",
    FieldDescriptor.CPPTYPE_FLOAT: "DOUBLE",
}

_validator: Final = protovalidate.Validator()


def rule_breaks(message: Message) -> list[tuple[str, str]]:
    """Return the rules of the protos that a message breaks, as pairs of field path and description."""
    return [(_path(violation), str(violation.proto.message)) for violation in _validator.collect_violations(message)]


@cache
def required_fields(descriptor: Descriptor) -> frozenset[str]:
    """Return the fields that a message must have."""
    violations = _validator.collect_violations(GetMessageClass(descriptor)())
    return frozenset(_path(violation) for violation in violations if violation.proto.rule_id == "required")


def is_made(field: FieldDescriptor) -> bool:
    """True when only the ledger sets the field."""
    return bool(field.GetOptions().Extensions[options_pb2.made])


class Planner:
    """Turns entries into steps, noting what is mistaken."""

    def __init__(self, language: Language, mistakes: Mistakes) -> None:
        self._language = language
        self._mistakes = mistakes

    def message(
        self, descriptor: Descriptor, fields: dict[str, Entry], entry: Entry, only: Iterable[str] | None = None
    ) -> list[Step]:
        """Return the steps that fill a message. `only`: fields a mapping may set; by default all that the ledger does not make."""
        allowed = [field.name for field in descriptor.fields if not is_made(field)] if only is None else list(only)
        required = required_fields(descriptor)
        steps: list[Step] = []
        for name, value in fields.items():
            field = descriptor.fields_by_name.get(name)
            if field is None:
                near = did_you_mean(name, allowed) or f"; known are {', '.join(allowed)}"
                self._mistakes.add(value, f"{descriptor.name} has no field {name!r}{near}")
            elif name not in allowed:
                self._mistakes.add(value, f"{name} is set by the ledger: leave it out")
            else:
                step = self._field(field, value, name in required)
                if step is not None:
                    steps.append(step)
        meant = {nearest(name, allowed) for name in fields if name not in descriptor.fields_by_name}
        for name in sorted(required - fields.keys() - meant):
            self._mistakes.add(entry, f"{descriptor.name} needs the field `{name}`")
        return steps

    def _field(self, field: FieldDescriptor, entry: Entry, required: bool) -> Step | None:
        is_message = field.message_type is not None and field.message_type.full_name not in (TIMESTAMP, DURATION)
        if field.is_repeated:
            return self._items(field, entry) if is_message else self._values(field, entry)
        if is_message:
            return self._inner(field, entry, required)
        when: Expression | None = None
        if entry.kind == "map":
            parts = dict(entry.fields)
            when = self._condition(parts.pop("when", None), required)
            value = parts.pop("value", None)
            if value is None or parts:
                self._mistakes.add(entry, f"{field.name} is {self._word(field)}: write an expression, or `when` and `value`")
                return None
            entry = value
        expression = self._expression(field, entry)
        if expression is None:
            return None
        step = _setter(field, expression, required)
        if expression.constant:
            self._check_constant(field, step, expression.entry)
        return _guarded(step, when)

    def _inner(self, field: FieldDescriptor, entry: Entry, required: bool) -> Step | None:
        assert field.message_type is not None
        if entry.kind != "map":
            self._mistakes.add(entry, f"{field.name} has fields of its own: write a map of them")
            return None
        fields = dict(entry.fields)
        when = self._condition(fields.pop("when", None), required)
        steps = self.message(field.message_type, fields, entry)
        name = field.name

        def step(message: Any, scope: Scope) -> None:
            inner = getattr(message, name)
            inner.SetInParent()
            for one in steps:
                one(inner, scope)

        return _guarded(step, when)

    def _items(self, field: FieldDescriptor, entry: Entry) -> Step | None:
        assert field.message_type is not None
        if entry.kind != "list":
            self._mistakes.add(entry, f"{field.name} may hold several: write a list of maps")
            return None
        plans: list[tuple[Expression | None, list[Step]]] = []
        for item in entry.items:
            fields = dict(item.fields)
            if item.kind != "map":
                self._mistakes.add(item, "has to be a map of fields")
                continue
            when = self._condition(fields.pop("when", None), False)
            plans.append((when, self.message(field.message_type, fields, item)))
        name = field.name

        def step(message: Any, scope: Scope) -> None:
            for when, steps in plans:
                if when is None or when(scope):
                    item = getattr(message, name).add()
                    for one in steps:
                        one(item, scope)

        return step

    def _values(self, field: FieldDescriptor, entry: Entry) -> Step | None:
        wanted = _TYPES.get(field.cpp_type, "STRING")
        name = field.name
        if entry.kind == "text":
            compiled = self._language.compile(entry, [f"LIST<{wanted}>"])
            if compiled is None:
                return None
            whole = compiled[0]
            return lambda message, scope: getattr(message, name).extend(one for one in whole(scope) if one != "")
        found = [self._language.compile(item, [wanted]) for item in entry.items]
        each = [one[0] for one in found if one is not None]

        def step(message: Any, scope: Scope) -> None:
            getattr(message, name).extend(value for one in each if (value := one(scope)) != "")

        return step

    def _expression(self, field: FieldDescriptor, entry: Entry) -> Expression | None:
        if field.enum_type is not None:
            return self._language.compile_enum(entry, field.enum_type)
        compiled = self._language.compile(entry, [_wanted(field)])
        return compiled[0] if compiled is not None else None

    def _condition(self, entry: Entry | None, required: bool) -> Expression | None:
        if entry is None:
            return None
        if required:
            self._mistakes.add(entry, "may not depend on a condition: it is needed always")
        compiled = self._language.compile(entry, ["BOOL"])
        return compiled[0] if compiled is not None else None

    def _check_constant(self, field: FieldDescriptor, step: Step, entry: Entry) -> None:
        message = GetMessageClass(cast(Descriptor, field.containing_type))()
        try:
            step(message, {})
        except ExpressionError as error:
            self._mistakes.add(error.entry, str(error))
            return
        for path, why in rule_breaks(message):
            if path == field.name and message.HasField(field.name):
                self._mistakes.add(entry, f"{field.name} cannot be this: {why}")

    def _word(self, field: FieldDescriptor) -> str:
        return field.enum_type.name if field.enum_type is not None else word(_wanted(field))


def _wanted(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return "TIMESTAMP" if field.message_type.full_name == TIMESTAMP else "DURATION"
    return "BYTES" if field.type == FieldDescriptor.TYPE_BYTES else _TYPES[field.cpp_type]


def _guarded(step: Step, when: Expression | None) -> Step:
    if when is None:
        return step

    def guarded(message: Any, scope: Scope) -> None:
        if when(scope):
            step(message, scope)

    return guarded


def _setter(field: FieldDescriptor, expression: Expression, required: bool) -> Step:
    name = field.name
    if field.message_type is not None:
        return _moment_setter(name, expression) if field.message_type.full_name == TIMESTAMP else _span_setter(name, expression)
    numbers = {value.name: value.number for value in field.enum_type.values} if field.enum_type is not None else None
    if expression.constant and not required:
        return _constant_setter(name, expression, numbers)

    def step(message: Any, scope: Scope) -> None:
        value = expression(scope)
        if value == "":
            if required:
                raise ExpressionError(expression.entry, f"{name} is needed, and has no value here")
        else:
            setattr(message, name, value if numbers is None else numbers[value])

    return step


def _constant_setter(name: str, expression: Expression, numbers: dict[str, int] | None) -> Step:
    value: Any = None

    def step(message: Any, scope: Scope) -> None:
        nonlocal value
        if value is None:
            said = expression(scope)
            value = said if numbers is None or said == "" else numbers[said]
        if value != "":
            setattr(message, name, value)

    return step


def _moment_setter(name: str, expression: Expression) -> Step:
    def step(message: Any, scope: Scope) -> None:
        value: datetime = expression(scope)
        moment = getattr(message, name)
        moment.SetInParent()
        moment.seconds, rest = divmod(micros(value), _MICROS)
        moment.nanos = rest * 1000

    return step


def _span_setter(name: str, expression: Expression) -> Step:
    def step(message: Any, scope: Scope) -> None:
        value: timedelta = expression(scope)
        getattr(message, name).FromTimedelta(value)

    return step


def _path(violation: Any) -> str:
    steps = [one.field_name + (f"[{one.subscript.value}]" if one.subscript else "") for one in violation.proto.field.elements]
    return ".".join(steps)
