"""Write docs/events.md and docs/errors.md from the protos, or check that what is checked in is what they give.

`python protos/document.py` writes both; `--check` compares and exits 1 on a difference. Comments of the protos are the text: what
is said there is said once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from generate import PROTOS, ROOT, dependencies, run
from google.protobuf import descriptor_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.api.v1 import options_pb2

FIELD = descriptor_pb2.FieldDescriptorProto
MESSAGES, ENUMS, SERVICES = 4, 5, 6
"""Numbers of the fields of FileDescriptorProto: what `source_code_info` names places by."""

SCALARS = {
    FIELD.TYPE_STRING: "text",
    FIELD.TYPE_BYTES: "bytes",
    FIELD.TYPE_BOOL: "yes or no",
    FIELD.TYPE_INT32: "number",
    FIELD.TYPE_INT64: "number",
    FIELD.TYPE_DOUBLE: "number",
}
WORDS = {"google.protobuf.Timestamp": "time", "google.protobuf.Duration": "duration", "google.rpc.Status": "status"}
SHARED = (
    "EventEnvelope",
    "CorrectedEnvelope",
    "Identifier",
    "Due",
    "Fact",
    "ObjectReference",
    "Attachment",
    "ServicePolicy",
    "Calendar",
    "WeekdayHours",
    "OpenPeriod",
    "SpecialDay",
    "ExpandedHours",
    "Department",
    "Target",
    "ResponseTarget",
    "HandoffType",
    "PromiseKind",
    "ReasonRule",
    "Playbook",
    "PlaybookStep",
    "OfferHandoff",
    "MakePromise",
    "SuggestOpportunity",
)
"""Messages that events share: described once, at the end."""


RULES, REQUIRED = 1159, 25
"""Numbers of protovalidate's option and of its rule `required`: its Python classes are not google's, so it is read as unknown."""


class Element(NamedTuple):
    """Something of a proto that wants a comment."""

    name: str
    """Full name, such as `ledger.api.v1.Due.local`."""
    kind: str
    comment: str


def described() -> descriptor_pb2.FileDescriptorSet:
    """Return our protos with their comments."""
    with tempfile.TemporaryDirectory() as folder:
        imports, out = Path(folder, "imports.binpb"), Path(folder, "out.binpb")
        imports.write_bytes(dependencies())
        sources = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / "ledger").rglob("*.proto"))
        run(
            [
                "protoc",
                f"--proto_path={PROTOS}",
                f"--descriptor_set_in={imports}",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                *sources,
            ]
        )
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def elements(file: descriptor_pb2.FileDescriptorProto) -> Iterator[Element]:
    """Yield every service, RPC, message, field, oneof, enum and value of a file with its comment."""
    comments = {tuple(place.path): " ".join(place.leading_comments.split()) for place in file.source_code_info.location}

    def element(kind: str, path: tuple[int, ...], *names: str) -> Element:
        return Element(".".join((file.package, *names)), kind, comments.get(path, ""))

    def of_message(message: descriptor_pb2.DescriptorProto, path: tuple[int, ...], names: tuple[str, ...]) -> Iterator[Element]:
        yield element("message", path, *names)
        for index, field in enumerate(message.field):
            yield element("field", (*path, 2, index), *names, field.name)
        for index, oneof in enumerate(message.oneof_decl):
            yield element("oneof", (*path, 8, index), *names, oneof.name)
        for index, inner in enumerate(message.nested_type):
            yield from of_message(inner, (*path, 3, index), (*names, inner.name))
        for index, enum in enumerate(message.enum_type):
            yield from of_enum(enum, (*path, 4, index), (*names, enum.name))

    def of_enum(enum: descriptor_pb2.EnumDescriptorProto, path: tuple[int, ...], names: tuple[str, ...]) -> Iterator[Element]:
        yield element("enum", path, *names)
        for index, value in enumerate(enum.value):
            yield element("value", (*path, 2, index), *names, value.name)

    for index, message in enumerate(file.message_type):
        yield from of_message(message, (MESSAGES, index), (message.name,))
    for index, enum in enumerate(file.enum_type):
        yield from of_enum(enum, (ENUMS, index), (enum.name,))
    for index, service in enumerate(file.service):
        yield element("service", (SERVICES, index), service.name)
        for number, method in enumerate(service.method):
            yield element("rpc", (SERVICES, index, 2, number), service.name, method.name)
    for index, field in enumerate(file.extension):
        yield element("extension", (7, index), field.name)


def events_page(files: descriptor_pb2.FileDescriptorSet) -> str:
    """Return the page of all event types."""
    messages = {f".{file.package}.{message.name}": message for file in files.file for message in file.message_type}
    comments = {element.name: element.comment for file in files.file for element in elements(file)}
    payload = messages[".ledger.api.v1.Payload"]
    area_of = {
        f".{file.package}.{message.name}": file.name.rsplit("/", 1)[-1].removesuffix(".proto")
        for file in files.file
        for message in file.message_type
    }
    areas: dict[str, list[descriptor_pb2.DescriptorProto]] = {}
    for line in payload.field:
        areas.setdefault(area_of[line.type_name], []).append(messages[line.type_name])
    out = [
        "# Events",
        "",
        "Generated from the protos by `make protos`: change the comments there.",
        "",
        "A fact is recorded as one event. *Sealed* fields are encrypted under the key of their subject, and can be forgotten;",
        "*clear* ones stand in the header for ever. *Set by the ledger*: leave it out. A stream is the history of one thing; an",
        "*opener* starts it.",
        "",
    ]
    for area, found in areas.items():
        out.append(f"- {area}: " + ", ".join(f"[{_topic(message)}](#{_topic(message)})" for message in found))
    for area, found in areas.items():
        out += ["", f"## {area.capitalize()}"]
        for message in found:
            out += _event(message, comments)
    out += ["", "## What events share"]
    shared = [messages[f".ledger.api.v1.{name}"] for name in SHARED]
    for message in shared:
        out += ["", f"### {message.name}", "", comments[f"ledger.api.v1.{message.name}"], "", *_fields(message, comments)]
    fields = [field for message in [*shared, *chain.from_iterable(areas.values())] for field in message.field]
    used = {field.type_name for field in fields if field.type == FIELD.TYPE_ENUM}
    out += ["", "## Values"]
    for file in files.file:
        for enum in file.enum_type:
            if f".{file.package}.{enum.name}" in used:
                out += _values(f"{file.package}.{enum.name}", enum, comments)
    return "\n".join(out) + "\n"


def _values(name: str, enum: descriptor_pb2.EnumDescriptorProto, comments: dict[str, str]) -> list[str]:
    rows = [f"- `{value.name}`: {comments[f'{name}.{value.name}']}" for value in enum.value if value.number]
    return ["", f"### {enum.name}", "", comments[name], "", *rows]


def _topic(message: descriptor_pb2.DescriptorProto) -> str:
    return message.options.Extensions[options_pb2.event].topic


def _event(message: descriptor_pb2.DescriptorProto, comments: dict[str, str]) -> list[str]:
    option = message.options.Extensions[options_pb2.event]
    facts = [f"Stream `{option.stream}`" + (", opener" if option.opener else "")]
    if option.clock:
        facts.append("written by the clock")
    elif option.reserved:
        facts.append("written by the ledger only")
    if option.subject:
        facts.append("subject: " + ", else ".join(f"`{place}`" for place in option.subject))
    fields = _fields(message, comments)
    return ["", f"### {option.topic}", "", f"{comments[f'ledger.api.v1.{message.name}']} {'; '.join(facts)}.", "", *fields]


def _fields(message: descriptor_pb2.DescriptorProto, comments: dict[str, str]) -> list[str]:
    rows = ["| Field | Type | | Kept | Meaning |", "|---|---|---|---|---|"]
    for field in message.field:
        options = field.options.Extensions
        kept = "clear" if options[options_pb2.clear] else "sealed"
        if field.type == FIELD.TYPE_MESSAGE and not options[options_pb2.clear] and field.type_name.removeprefix(".") not in WORDS:
            kept = "by field"
        if message.name == "EventEnvelope":
            kept = "clear"
        if options[options_pb2.made]:
            kept += ", set by the ledger"
        text = comments[f"ledger.api.v1.{message.name}.{field.name}"].replace("|", "\\|")
        rows.append(f"| `{field.name}` | {_type(field)} | {'required' if _required(field) else ''} | {kept} | {text} |")
    return rows


def _required(field: descriptor_pb2.FieldDescriptorProto) -> bool:
    return any(1 in unknown(Empty.FromString(rules), REQUIRED) for rules in unknown(field.options, RULES))


def unknown(message: Message, number: int) -> list[Any]:
    """Return the values of an unknown field of a message: bytes of messages and texts, numbers as they are."""
    return [field.data for field in UnknownFieldSet(message) if field.field_number == number]


def _type(field: descriptor_pb2.FieldDescriptorProto) -> str:
    full = field.type_name.removeprefix(".")
    name = SCALARS.get(field.type) or WORDS.get(full)
    if full == "ledger.api.v1.Payload":
        return "an event"
    if name is None:
        short = full.rsplit(".", 1)[-1]
        name = f"[{short}](#{short.lower()})"
    return f"list of {name}" if field.label == FIELD.LABEL_REPEATED else name


def errors_page(files: descriptor_pb2.FileDescriptorSet) -> str:
    """Return the page of all reasons a call or a group is refused for."""
    (file,) = (file for file in files.file if file.name.endswith("/errors.proto"))
    (enum,) = file.enum_type
    comments = {element.name: element.comment for element in elements(file)}
    out = [
        "# Errors",
        "",
        "Generated from the protos by `make protos`: change the comments there.",
        "",
        comments[f"{file.package}.{enum.name}"],
        "",
        "| Reason | gRPC status | What happened, and what to do |",
        "|---|---|---|",
    ]
    for value in enum.value:
        status = value.options.Extensions[options_pb2.grpc_status]
        if value.number:
            text = comments[f"{file.package}.{enum.name}.{value.name}"].replace("|", "\\|")
            out.append(f"| `{value.name}` | {status} | {text} |")
    return "\n".join(out) + "\n"


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is checked in; change nothing")
    check = parser.parse_args().check
    files = described()
    pages = {ROOT / "docs" / "events.md": events_page(files), ROOT / "docs" / "errors.md": errors_page(files)}
    if not check:
        for path, text in pages.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return
    different = [path.name for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if different:
        sys.exit(f"docs: {', '.join(different)} is not what the protos give: run `make protos`.")
    print(f"{len(pages)} generated pages are what the protos give.")


if __name__ == "__main__":
    main()
