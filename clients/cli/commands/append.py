"""`tellonce append`: record events, one from the command line or many from a file."""

from __future__ import annotations

import difflib
import json as json_text
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from google.protobuf import json_format
from rich.text import Text

from clients.cli import options
from clients.cli.connection import connect
from clients.cli.failure import REFUSED, CommandError, explain, status_of
from clients.cli.fields import set_field
from clients.cli.output import NUMBER, SHORT, complain, print_json, print_table, table
from clients.python import TellonceError, group
from ledger.api.v1.event_pb2 import EventToAppend, Payload
from ledger.api.v1.ledger_service_pb2 import AppendResponse, EventGroup, GroupResult
from ledger.api.v1.options_pb2 import event as event_option


def _topics() -> Iterator[tuple[str, str]]:
    for field in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields:
        assert field.message_type is not None
        option = field.message_type.GetOptions().Extensions[event_option]
        if not option.reserved:
            yield option.topic, field.name


TOPICS: Final = dict(_topics())
"""Every event that callers record, by topic, and its line in `Payload.kind`."""

GROUPS_A_CALL: Final = 250
EXAMPLES: Final = (
    "tellonce append --topic contact-received --set contact_id=c-1 --set reason=delivery",
    "tellonce append --topic contact-received --set contact_id=c-2 --set reason=delivery "
    "--set customer=email:a@example.org --channel email --department support",
    "tellonce append --topic promise-made --set promise_id=p-1 --set kind=call_back --set due.local=2027-03-28",
    "tellonce append --topic handoff-accepted --set request_id=r-1 --set handoff_id=h-1 --department shipping "
    "--expect request-r-1=exists",
    "tellonce append events.jsonl",
    "tellonce append - < event.json",
)


def append(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE", help="Events as JSON: one, a list, or one a line (messages EventToAppend). - reads standard input."
        ),
    ] = None,
    topic: Annotated[str | None, typer.Option("--topic", metavar="TOPIC", help="What happened, such as contact-received.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="FIELD=VALUE", help="A field of it; due.local=… inside another; again for lists."),
    ] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="UUID", help="Id of the event. Default: a new one.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it occurred. Default: now.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="CODE", help="Channel it went over.")] = None,
    department: Annotated[str | None, typer.Option("--department", "-d", metavar="CODE", help="Department that acts.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="CODE", help="Staff code or program, never a name.")] = None,
    actor_kind: Annotated[str | None, typer.Option("--actor-kind", metavar="KIND", help="human, bot, automation, partner.")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="CODE", help="Source system.")] = None,
    late: Annotated[bool, options.flag("--late", help="Recorded late on purpose: it may lie back as far as it does.")] = False,
    supervisor: Annotated[
        bool, options.flag("--supervisor", help="A supervisor acts: moves of other departments are allowed.")
    ] = False,
    correlation: Annotated[str | None, typer.Option("--correlation", metavar="ID", help="What it belongs to.")] = None,
    causation: Annotated[str | None, typer.Option("--causation", metavar="UUID", help="Event that caused it.")] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="STREAM=STATE", help="Only if the stream is at this revision, or new, or exists."),
    ] = None,
    together: Annotated[bool, options.flag("--together", help="All events of the file, or none.")] = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Record events. Each one stands or falls alone, unless --together; sent again with its id, it is recorded once."""
    expectations = _expectations(expect)
    if (file is None) == (topic is None):
        raise options.usage("FILE, --topic", "Give either a file (- for standard input) or one event with --topic and --set.")
    if topic is not None:
        flags = {
            "event_id": id,
            "occur_time": at,
            "channel": channel,
            "department": department,
            "actor": actor,
            "actor_kind": actor_kind,
            "source": source,
            "correlation_id": correlation,
            "causation_id": causation,
        }
        event = _event(topic, set_ or [], flags, utc=utc)
        event.envelope.record_late, event.envelope.supervisor = late, supervisor
        groups = iter([group(event, expectations=expectations)])
    else:
        assert file is not None
        events = _read(file)
        if together:
            groups = iter([group(*events, expectations=expectations)])
        elif expectations:
            raise options.usage("--expect", "Goes with --topic, or with --together: with one group.")
        else:
            groups = (group(one) for one in events)
    response = AppendResponse()
    with connect(target) as client:
        while call := list(islice(groups, GROUPS_A_CALL)):
            for events_of, result in zip(call, client.append_groups(call), strict=True):
                told = GroupResult(appended=result.appended)
                if result.error is not None:
                    _complain(events_of, result.error, target)
                    told.error.CopyFrom(status_of(result.error))
                response.results.append(told)
        if client.token is not None:
            response.token.CopyFrom(client.token)
    _print(response, json)


def _event(topic: str, assignments: list[str], flags: dict[str, str | None], *, utc: bool) -> EventToAppend:
    field = TOPICS.get(topic.replace("_", "-"))
    if field is None:
        near = difflib.get_close_matches(topic, TOPICS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TOPICS)}."
        raise options.usage("--topic", f"There is no event {topic!r}: {hint}")
    event = EventToAppend()
    payload = getattr(event.payload, field)
    payload.SetInParent()
    try:
        for assignment in assignments:
            set_field(payload, assignment, utc=utc)
    except ValueError as error:
        raise options.usage("--set", str(error)) from None
    for name, text in flags.items():
        if text is not None:
            try:
                set_field(event.envelope, f"{name}={text}", utc=utc)
            except ValueError as error:
                raise options.usage(f"--{_OPTION.get(name, name)}", str(error).removeprefix(f"{name}: ")) from None
    return event


_OPTION: Final = {
    "event_id": "id",
    "occur_time": "at",
    "actor_kind": "actor-kind",
    "correlation_id": "correlation",
    "causation_id": "causation",
}


def _expectations(texts: list[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts or ():
        stream, equals, state = text.partition("=")
        if not equals or not (state in {"new", "exists"} or state.isdecimal()):
            raise options.usage("--expect", f"{text!r}: write STREAM=REVISION, STREAM=new or STREAM=exists.")
        found[stream] = int(state) if state.isdecimal() else state
    return found


def _read(file: str) -> Iterator[EventToAppend]:
    """Yield the events of a file; nothing is sent before the whole file can be read."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise options.usage("FILE", f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise options.usage("FILE", f"{file} is not UTF-8.") from None
    return iter([_parsed(line, value) for line, value in _values(text)])


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the JSON values of a text with their lines: those of a list, or one after the other."""
    decoder = json_text.JSONDecoder()
    position, line = 0, 1
    while True:
        began = position
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return
        line += text.count("\n", began, position)
        try:
            value, end = decoder.raw_decode(text, position)
        except json_text.JSONDecodeError as error:
            raise options.usage("FILE", f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}.") from None
        for one in value if isinstance(value, list) else [value]:
            yield line, one
        line += text.count("\n", position, end)
        position = end


def _parsed(line: int, value: Any) -> EventToAppend:
    try:
        event = json_format.ParseDict(value, EventToAppend())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        text = str(error).partition("\n")[0]
        raise options.usage("FILE", f"line {line}: no event (a message EventToAppend in JSON): {text}") from None
    if event.payload.WhichOneof("kind") is None:
        example = '{"payload": {"contact_received": {"contact_id": "c-1", "reason": "delivery"}}}'
        raise options.usage("FILE", f"line {line}: no event: it has no payload, such as {example}.")
    return event


def _complain(refused: EventGroup, error: TellonceError, target: str) -> None:
    first = refused.events[0]
    what = first.payload.WhichOneof("kind") or "event"
    more = f" and {len(refused.events) - 1} more" if len(refused.events) > 1 else ""
    complain(f"{what.replace('_', '-')} {first.envelope.event_id}{more}: {explain(error, target)}")


def _print(response: AppendResponse, json: bool) -> None:
    refused = sum(not result.appended for result in response.results)
    if json:
        print_json(response)
    else:
        made = table(("position", NUMBER), "stream", ("revision", NUMBER), ("event", SHORT), "remarks")
        for result in response.results:
            for one in result.appended:
                remarks = [text for text, is_set in _remarks(one) if is_set]
                made.add_row(f"{one.position:,}", one.stream, str(one.revision), one.event_id, Text(", ".join(remarks), "yellow"))
        if made.row_count or not refused:
            print_table(made, "There was nothing to record.")
    if refused == len(response.results) == 1:
        raise typer.Exit(REFUSED)
    if refused:
        raise CommandError(f"{refused} of {len(response.results)} refused: see above. What was recorded stays recorded.", REFUSED)


def _remarks(one: Any) -> Iterator[tuple[str, bool]]:
    yield "recorded before", one.duplicate
    yield "does not apply where it stands", one.irregular
    yield "without effect until confirmed", one.held_back
