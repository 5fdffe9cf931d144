import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.empty_pb2 import Empty

from ledger.api.v1 import options_pb2
from ledger.api.v1.errors_pb2 import ErrorReason
from ledger.catalogue import BY_TOPIC, Plan, plan_of

FIELD = descriptor_pb2.FieldDescriptorProto
FIELD_RULES, STRING_RULES, REPEATED_RULES, ITEM_RULES = 1159, 14, 18, 4
"""Where the rules of a field stand: protovalidate's option in FieldOptions, `string`, `repeated` and `repeated.items` inside."""
PATTERN, UUID = 6, 22
"""The rules of a string that leave no room for free text."""


@pytest.fixture(scope="session")
def files(document: ModuleType) -> descriptor_pb2.FileDescriptorSet:
    found = document.described()
    assert isinstance(found, descriptor_pb2.FileDescriptorSet)
    return found


@pytest.mark.parametrize("script", ["generate.py", "document.py"])
def test_what_is_generated_is_what_the_protos_give(root: Path, script: str) -> None:
    done = subprocess.run([sys.executable, "protos/" + script, "--check"], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_every_element_of_the_protos_has_a_comment(document: ModuleType, files: descriptor_pb2.FileDescriptorSet) -> None:
    found = [element for file in files.file for element in document.elements(file)]

    assert len(found) > 900
    assert [f"{element.kind} {element.name}" for element in found if not element.comment] == []


def test_every_rpc_says_its_errors_its_idempotency_and_gives_an_example(
    document: ModuleType, files: descriptor_pb2.FileDescriptorSet
) -> None:
    rpcs = [element for file in files.file for element in document.elements(file) if element.kind == "rpc"]

    lacking = [
        rpc.name for rpc in rpcs if not all(word in rpc.comment for word in ("Errors", "Idempotency:", "Example: `tellonce "))
    ]

    assert lacking == []


def test_every_rpc_names_the_errors_that_follow_from_its_arguments(
    document: ModuleType, files: descriptor_pb2.FileDescriptorSet
) -> None:
    messages = {f".{file.package}.{message.name}": message for file in files.file for message in file.message_type}
    arguments = {
        f"{service.name}.{method.name}": {field.name for field in messages[method.input_type].field}
        for file in files.file
        for service in file.service
        for method in service.method
    }
    rpcs = [element for file in files.file for element in document.elements(file) if element.kind == "rpc"]
    named = {rpc.name.split("v1.")[-1]: set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", said_errors(rpc.comment))) for rpc in rpcs}

    unknown = {name: errors - set(ErrorReason.keys()) for name, errors in named.items() if errors - set(ErrorReason.keys())}
    lacking = {
        (name, error)
        for name, errors in named.items()
        for argument, error in (("as_of", "POSITION_BEYOND_HEAD"), ("as_of", "VIEWS_LAGGING"), ("page_token", "PAGE_TOKEN_INVALID"))
        if argument in arguments[name] and error not in errors
    }

    assert len(named) > 60
    assert ({}, set()) == (unknown, lacking)


def said_errors(comment: str) -> str:
    found = re.search(r"Errors: (.*?)(?=\.\s|\.$)", comment, re.DOTALL)
    return found[1] if found else ""


def test_a_clear_text_is_always_a_code_or_an_id(document: ModuleType, files: descriptor_pb2.FileDescriptorSet) -> None:
    texts = [
        (f"{message.name}.{field.name}", field)
        for file in files.file
        for message in file.message_type
        for field in message.field
        if field.type == FIELD.TYPE_STRING and field.options.Extensions[options_pb2.clear]
    ]

    # What the ledger makes needs no rule: no caller can write into it.
    free = [name for name, field in texts if not field.options.Extensions[options_pb2.made] and not is_bound(document, field)]

    assert len(texts) > 150
    assert free == []


def is_bound(document: ModuleType, field: descriptor_pb2.FieldDescriptorProto) -> bool:
    return any(document.unknown(rules, PATTERN) or document.unknown(rules, UUID) for rules in string_rules(document, field))


def string_rules(document: ModuleType, field: descriptor_pb2.FieldDescriptorProto) -> Iterator[Empty]:
    for option in document.unknown(field.options, FIELD_RULES):
        rules = Empty.FromString(option)
        if field.label == FIELD.LABEL_REPEATED:
            repeated = [Empty.FromString(one) for one in document.unknown(rules, REPEATED_RULES)]
            inner = [Empty.FromString(one) for rule in repeated for one in document.unknown(rule, ITEM_RULES)]
        else:
            inner = [rules]
        for one in inner:
            yield from (Empty.FromString(text) for text in document.unknown(one, STRING_RULES))


def test_only_enums_numbers_times_codes_and_ids_stand_clear(files: descriptor_pb2.FileDescriptorSet) -> None:
    events = {kind.message.DESCRIPTOR.name for kind in BY_TOPIC.values()}
    clear_messages = [
        f"{message.name}.{field.name}: {field.type_name}"
        for file in files.file
        for message in file.message_type
        for field in message.field
        if message.name in events
        and field.options.Extensions[options_pb2.clear]
        and field.type == FIELD.TYPE_MESSAGE
        and field.type_name not in {".google.protobuf.Timestamp", ".google.protobuf.Duration"}
    ]

    assert clear_messages == []


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_an_event_type_is_described_in_the_docs(root: Path, topic: str) -> None:
    page = (root / "docs" / "events.md").read_text(encoding="utf-8")

    assert f"\n### {topic}\n" in page


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_an_event_type_says_its_stream_and_where_its_content_is_sealed(topic: str) -> None:
    kind: Any = BY_TOPIC[topic]

    plan = plan_of(kind.message.DESCRIPTOR)

    assert kind.stream
    # Without a place to look for one, the event gets a subject of its own: right only where it has a stream of its own.
    assert kind.subject or plan == Plan((), (), ()) or kind.stream.endswith("{event_id}") or kind.reserved


def test_every_reason_has_a_grpc_status_and_a_cure(document: ModuleType, files: descriptor_pb2.FileDescriptorSet) -> None:
    (file,) = [file for file in files.file if file.name.endswith("/errors.proto")]
    (enum,) = file.enum_type
    comments = {element.name.rsplit(".", 1)[-1]: element.comment for element in document.elements(file)}

    without_status = [value.name for value in enum.value if not value.options.Extensions[options_pb2.grpc_status]]
    # A first sentence says what happened, a second one what to do.
    without_cure = [value.name for value in enum.value if value.number and comments[value.name].rstrip(".").count(". ") < 1]

    assert ([], []) == (without_status, without_cure)
