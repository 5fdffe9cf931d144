"""`tellonce replay`: the timeline as it was recorded, event by event, with both times: for auditors."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.padding import Padding
from rich.text import Text

from clients.cli import options
from clients.cli.commands.progress import progress_bar
from clients.cli.connection import connect
from clients.cli.details import detail_table
from clients.cli.failure import NOT_FOUND, CommandError
from clients.cli.listing import FOLLOW_PATIENCE_SECONDS, Output, follow, split
from clients.cli.output import console, print_json, print_json_line, remark
from clients.cli.times import show_seconds, show_time
from clients.cli.words import event_text, topic_words
from clients.python import Client
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.event_pb2 import RecordedEvent

LATE_SECONDS: Final = 1
"""A delay between occurring and recording is shown from so many seconds on."""
INDENT: Final = (0, 0, 0, 10)
EXAMPLES: Final = (
    "tellonce replay --from 1",
    "tellonce replay --customer email:a@example.org --step",
    "tellonce replay --stream request-4711 --as-of 2026-03-01",
    "tellonce replay --from 100 --until 200 --json > timeline.jsonl",
    "tellonce replay --event 4711",
    "tellonce replay --follow",
)


def replay(
    from_: Annotated[int, typer.Option("--from", min=1, metavar="POSITION", help="First position.")] = 1,
    until: Annotated[
        int | None, typer.Option("--until", min=0, metavar="POSITION", help="Last position. Default: the head of the log.")
    ] = None,
    stream: Annotated[str | None, typer.Option("--stream", metavar="STREAM", help="Only this, such as request-4711.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="CUSTOMER", help=options.CUSTOMER_HELP)] = None,
    topic: Annotated[list[str] | None, typer.Option("--topic", metavar="TOPIC", help="Of this kind, such as promise-made.")] = None,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID|POSITION", help="One event with all that is recorded of it.")
    ] = None,
    step: Annotated[bool, options.flag("--step", help="Wait for Enter after each event; q ends.")] = False,
    following: options.FollowOption = False,
    after: options.AfterOption = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Replay what was recorded, in its order, with when it happened and when it became known.

    With --json there is one object a line.
    """
    output = Output(json, utc, limit, all=limit is None)
    options.present_only(following, as_of, before)
    known = options.as_of(as_of, None, utc=utc)
    occurred_before = options.moment("--before", before, utc=utc)
    who = options.customer(customer, "--customer")
    with connect(target) as client:
        if event is not None:
            _show_event(client, event, output)
            return
        if known is not None and known.known is not None:
            at = known.known if isinstance(known.known, int) else client.position_at(known.known)
            until = at if until is None else min(until, at)
        which: dict[str, Any] = {"stream": stream, "topics": split(topic), "subjects": _subjects(client, who, until)}
        if following:
            changes = client.subscribe(after, timeout_seconds=FOLLOW_PATIENCE_SECONDS, **which)
            follow(changes, lambda _, item: item, event_line, output, "new events")
            return
        if until is not None and until < from_:
            events: Iterable[RecordedEvent] = ()
        else:
            events = client.read_events(from_, until_position=until, **which)
        if occurred_before is not None:
            events = (one for one in events if _occurred(one) < occurred_before)
        with _progress(client, from_, until) as tick:
            shown = _play(events, output, step, tick)
    if not json:
        remark(f"{shown:,} event{'' if shown == 1 else 's'}.")


def _play(events: Iterable[RecordedEvent], output: Output, step: bool, tick: Any) -> int:
    shown = 0
    for one in events:
        if output.json:
            print_json_line(one)
        else:
            _print(one, output.utc)
        shown += 1
        tick(one.position)
        if shown == output.row_limit or (step and not _go_on()):
            break
    return shown


@contextmanager
def _progress(client: Client, first: int, until: int | None) -> Iterator[Any]:
    """Show progress where the events themselves do not show it: when they go into a file."""
    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield lambda position: None
        return
    last = client.head().position if until is None else until
    with progress_bar("Replaying", max(last - first + 1, 0), "events") as update:
        yield lambda position: update(position - first + 1)


def _go_on() -> bool:
    side = sys.stderr
    side.write("  Enter: the next one; q: end. ")
    side.flush()
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() != "q"


def _subjects(client: Client, who: CustomerReference | None, until: int | None) -> list[str]:
    if who is None:
        return []
    found = list(client.resolve(who, as_of=until).result.subjects)
    if not found:
        raise CommandError("Nothing is recorded with this customer, as of then. Check the identifier and --as-of.", NOT_FOUND)
    return found


def _occurred(event: RecordedEvent) -> datetime:
    return event.envelope.occur_time.ToDatetime(tzinfo=UTC)


def event_line(event: RecordedEvent, utc: bool) -> Text:
    """Return an event of the timeline as one line."""
    return Text.assemble(
        (f"{event.position:>8,}  ", "dim"),
        (topic_words(event.topic), "bold"),
        f"  {event.stream} @{event.revision}  ",
        (f"occurred {show_time(event.envelope.occur_time, utc=utc)}", "dim"),
        f"  {event_text(event, utc=utc)}",
    )


def _print(event: RecordedEvent, utc: bool) -> None:
    """Print an event of the timeline: what and where, when and by whom, and what it says."""
    envelope = event.envelope
    delay = (event.record_time.ToNanoseconds() - envelope.occur_time.ToNanoseconds()) / 1e9
    times = f"occurred {show_time(envelope.occur_time, utc=utc)} · recorded {show_time(event.record_time, utc=utc)}"
    if delay >= LATE_SECONDS:
        times += f", {show_seconds(delay)} later"
    by = ", ".join(part for part in (envelope.department, envelope.actor, envelope.channel) if part)
    marks = [name for name, is_set in _marks(event) if is_set]
    head = Text.assemble(
        (f"{event.position:>8,}  ", "dim"), (topic_words(event.topic), "bold"), f"  {event.stream} @{event.revision}"
    )
    if marks:
        head.append(f"  ({', '.join(marks)})", style="yellow")
    console().print(head)
    console().print(Padding(Text(f"{times}{' · ' + by if by else ''}", style="dim"), INDENT, expand=False))
    said = event_text(event, utc=utc)
    if said:
        console().print(Padding(Text(said), INDENT, expand=False))


def _marks(event: RecordedEvent) -> Iterator[tuple[str, bool]]:
    yield "imported", bool(event.envelope.import_run)
    yield "recorded late", event.envelope.record_late
    yield "by a supervisor", event.envelope.supervisor
    yield "held back until confirmed", event.held_back


def _show_event(client: Client, named: str, output: Output) -> None:
    try:
        event = client.get_event(position=int(named)) if named.isdecimal() else client.get_event(str(uuid.UUID(named)))
    except ValueError:
        raise options.usage("--event", f"{named!r} is neither a position nor an event id (a UUID).") from None
    if output.json:
        print_json(event)
        return
    out = console()
    _print(event, output.utc)
    out.print(Text("\nRecorded", style="bold"))
    out.print(detail_table(event, utc=output.utc, hidden={"payload", "envelope"}))
    out.print(Text("\nEnvelope", style="bold"))
    out.print(detail_table(event.envelope, utc=output.utc))
    kind = event.payload.WhichOneof("kind")
    if kind is not None:
        out.print(Text("\nWhat happened", style="bold"))
        out.print(detail_table(getattr(event.payload, kind), utc=output.utc))
