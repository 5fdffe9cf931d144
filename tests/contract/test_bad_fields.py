"""Bad input of every event type that callers append: each constrained field is refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.rpc.error_details_pb2 import BadRequest

from ledger.api.v1.event_pb2 import EventToAppend
from ledger.application import Ledger
from ledger.catalogue import BY_TOPIC, is_clear, is_made
from tests.appending import group, reason_of, to_append

BAD_TEXT = "no code\x07"
"""Matches no pattern, and is no UUID."""
UNDEFINED = 99
"""No value of any enum."""
TOPICS = sorted(topic for topic, kind in BY_TOPIC.items() if not kind.reserved)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path_factory.mktemp("bad") / "ledger")
    yield opened
    opened.close()


def bad_values(message_class: Any) -> Iterator[tuple[str, Any]]:
    """Yield a message for each field whose rules a value can break, with that value and nothing else."""
    for field in message_class.DESCRIPTOR.fields:
        value = _bad(field)
        if field.message_type is not None and field.message_type.name == "Identifier" and not field.is_repeated:
            of_whom = message_class()
            getattr(of_whom, field.name).type = BAD_TEXT
            yield "type", of_whom
        if value is None or is_made(field):
            continue
        message = message_class()
        getattr(message, field.name).append(value) if field.is_repeated else setattr(message, field.name, value)
        yield field.name, message


def _bad(field: FieldDescriptor) -> Any:
    """Return a value that breaks the rule of a field; None for one without. A clear text is a code or an id, never free."""
    if not is_clear(field):
        return None
    if field.type == FieldDescriptor.TYPE_STRING:
        return BAD_TEXT
    return UNDEFINED if field.type == FieldDescriptor.TYPE_ENUM else None


def refused_fields(ledger: Ledger, event: EventToAppend) -> tuple[str, list[str]]:
    """Return the reason of a refusal and the fields it names."""
    (result,) = ledger.append([group(event)])
    bad = BadRequest()
    fields = [one.field for detail in result.error.details if detail.Unpack(bad) for one in bad.field_violations]
    return reason_of(result.error), fields


@pytest.mark.parametrize("topic", TOPICS)
def test_a_bad_value_of_any_field_is_refused_by_the_name_of_the_field(ledger: Ledger, topic: str) -> None:
    head = ledger.head().position
    tried = 0

    for name, message in bad_values(BY_TOPIC[topic].message):
        reason, fields = refused_fields(ledger, to_append(message))
        named = [field for field in fields if field.rpartition(".")[2].partition("[")[0] == name]
        # What else is missing is named beside it, and gives the reason where it comes first.
        assert reason
        assert named, (name, reason, fields)
        tried += 1

    assert tried > 0
    assert head == ledger.head().position
