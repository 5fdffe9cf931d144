"""Checks what clients of a ledger saw against what a ledger promises. For every test with more than one client.

Each process writes what it did as JSON lines (`Recorder`): appends and reads with the monotonic times of their start and end
(comparable between the processes of one machine), pieces of the log it streamed, and one of them, in the end, the whole log.
`check` reads all of it and returns every violation, by the name of the rule it breaks. Positions make it O(n log n).

The rules (engines-and-faults.md §3): RULES.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message

from ledger.api.v1 import options_pb2
from ledger.api.v1.core_pb2 import ActorKind, Precision
from ledger.api.v1.event_pb2 import EventToAppend, RecordedEvent

RULES: Final = {
    "acknowledged": "what was acknowledged is in the log",
    "as-acknowledged": "it stands at the position, stream and revision that were acknowledged",
    "bytes": "it is recorded as it was sent",
    "refused": "what was refused is not in the log",
    "whole": "a group whose outcome is unknown is in the log whole or not at all, and groups stand together",
    "unasked": "nothing is in the log that nobody sent",
    "once": "no event id stands in the log twice",
    "positions": "positions are 1, 2, 3, …",
    "revisions": "revisions of a stream are 1, 2, 3, … in order of position",
    "record-time": "record times never decrease",
    "real-time": "what was sent after an acknowledgement came stands behind it",
    "latest": "a read of the latest stands at or behind everything acknowledged before it was asked",
    "future": "a read does not stand beyond what had been sent when it was answered",
    "content": "a read shows all that the log holds up to where it stands, and nothing else",
    "piece": "a streamed piece is the log between its ends, in order, without gap or repetition",
}

DEFAULTS: Final = {"precision": Precision.EXACT, "actor_kind": ActorKind.HUMAN}
"""What the ledger records where the caller said nothing."""


class Violation(NamedTuple):
    """A rule that was broken, and by what."""

    rule: str
    what: str


class Recorder:
    """Writes what a process does. One write for each line, so that a killed process leaves whole lines."""

    def __init__(self, path: Path, process: str) -> None:
        self._process = process
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def append(
        self, start: float, end: float, outcome: str, events: Sequence[EventToAppend], appended: Sequence[Any] = (), key: str = ""
    ) -> None:
        """Note a group that was sent: `outcome` is acknowledged, refused or unknown. `key`: under what reads may show it."""
        sent = [{"id": event.envelope.event_id, "digest": digest_of(event)} for event in events]
        found = [{"position": one.position, "stream": one.stream, "revision": one.revision} for one in appended]
        self._write(kind="append", start=start, end=end, outcome=outcome, events=sent, appended=found, key=key)

    def read(
        self, start: float, end: float, position: int, *, latest: bool, key: str = "", ids: Sequence[str] | None = None
    ) -> None:
        """Note a read: where it stood, and, for a key, all the event ids it showed."""
        self._write(kind="read", start=start, end=end, position=position, latest=latest, key=key, ids=ids)

    def piece(self, after: int, until: int, events: Sequence[tuple[int, str]], key: str = "") -> None:
        """Note a piece of the log that was streamed: all events (or those of a key) after a position and up to another."""
        self._write(kind="piece", after=after, until=until, events=events, key=key)

    def log(self, events: Iterable[RecordedEvent]) -> None:
        """Note the whole log, read when all was over."""
        for event in events:
            self._write(
                kind="log",
                position=event.position,
                id=event.envelope.event_id,
                stream=event.stream,
                revision=event.revision,
                record_time=event.record_time.ToMicroseconds(),
                digest=digest_of(event),
            )

    def close(self) -> None:
        os.close(self._file)

    def _write(self, **fields: Any) -> None:
        os.write(self._file, (json.dumps({"process": self._process, **fields}) + "\n").encode())


def digest_of(event: EventToAppend | RecordedEvent) -> str:
    """Return a digest of what a caller says in an event: without what the ledger makes, and without defaults that say nothing."""
    said = EventToAppend(envelope=event.envelope, payload=event.payload)
    for name, default in DEFAULTS.items():
        if getattr(said.envelope, name) == default:
            said.envelope.ClearField(name)
    _clear_made(said.payload)
    return hashlib.sha256(said.SerializeToString(deterministic=True)).hexdigest()[:32]


def _clear_made(message: Message) -> None:
    for field, value in message.ListFields():
        if field.GetOptions().Extensions[options_pb2.made]:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.is_repeated else (value,):
                _clear_made(inner)


def read_histories(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the operations of all processes."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def check(operations: Sequence[dict[str, Any]], *, others: Iterable[str] = ()) -> list[Violation]:
    """Return what is wrong. `others`: ids of events that the ledger itself, or a part that was not recorded, appended."""
    history = _History(operations)
    return [
        *history.log_is_sound(),
        *history.appends_are_kept(),
        *history.nothing_unasked(set(others)),
        *history.real_time_order(),
        *history.reads_are_fresh(),
        *history.pieces_are_whole(),
    ]


class _History:
    def __init__(self, operations: Sequence[dict[str, Any]]) -> None:
        by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for operation in operations:
            by_kind[operation["kind"]].append(operation)
        self.appends = by_kind["append"]
        self.reads = by_kind["read"]
        self.pieces = by_kind["piece"]
        self.log = sorted(by_kind["log"], key=lambda event: event["position"])
        self.place = {event["id"]: event for event in self.log}
        # An event may be sent by several calls: it may stand anywhere after the first of them, and must once any is answered.
        self.sent: dict[str, float] = {}
        self.answered: dict[str, float] = {}
        self.keyed: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for append in self.appends:
            for event in append["events"]:
                self._note(append, event["id"])
        for found in self.keyed.values():
            found.sort()

    def _note(self, append: dict[str, Any], event_id: str) -> None:
        known = event_id in self.sent
        self.sent[event_id] = min(append["start"], self.sent.get(event_id, append["start"]))
        if append["outcome"] == "acknowledged":
            self.answered[event_id] = min(append["end"], self.answered.get(event_id, append["end"]))
        if not known and append["key"] and event_id in self.place:
            self.keyed[append["key"]].append((self.place[event_id]["position"], event_id))

    def log_is_sound(self) -> Iterator[Violation]:
        if len(self.place) != len(self.log):
            yield Violation("once", f"{len(self.log)} events have {len(self.place)} ids")
        for number, event in enumerate(self.log, 1):
            if event["position"] != number:
                yield Violation("positions", f"position {event['position']} stands in place {number}")
                break
        revisions: dict[str, int] = defaultdict(int)
        for event in self.log:
            revisions[event["stream"]] += 1
            if event["revision"] != revisions[event["stream"]]:
                yield Violation("revisions", f"{event['stream']} has revision {event['revision']} at position {event['position']}")
        for before, after in pairwise(self.log):
            if after["record_time"] < before["record_time"]:
                yield Violation("record-time", f"position {after['position']} was recorded before the one before it")

    def appends_are_kept(self) -> Iterator[Violation]:
        acknowledged = set(self.answered)
        for append in self.appends:
            ids = [event["id"] for event in append["events"]]
            found = [event_id for event_id in ids if event_id in self.place]
            match append["outcome"]:
                case "acknowledged":
                    yield from self._is_as_acknowledged(append)
                case "refused":
                    # Sent again and taken then, it is rightly there.
                    yield from (Violation("refused", event_id) for event_id in found if event_id not in acknowledged)
                case "unknown" if found and len(found) < len(ids):
                    yield Violation("whole", f"{len(found)} of {len(ids)} events of a group are recorded")
            positions = [self.place[event_id]["position"] for event_id in found]
            if positions and positions != list(range(positions[0], positions[0] + len(positions))):
                yield Violation("whole", f"a group stands at {positions}")

    def _is_as_acknowledged(self, append: dict[str, Any]) -> Iterator[Violation]:
        for event, where in zip(append["events"], append["appended"], strict=True):
            recorded = self.place.get(event["id"])
            if recorded is None:
                yield Violation("acknowledged", f"{event['id']} at position {where['position']}")
                continue
            if any(recorded[name] != where[name] for name in ("position", "stream", "revision")):
                yield Violation("as-acknowledged", f"{event['id']} stands at {recorded['position']}, not at {where['position']}")
            if recorded["digest"] != event["digest"]:
                yield Violation("bytes", f"{event['id']} at position {recorded['position']}")

    def nothing_unasked(self, others: set[str]) -> Iterator[Violation]:
        for event in self.log:
            if event["id"] not in self.sent and event["id"] not in others:
                yield Violation("unasked", f"{event['id']} at position {event['position']}")

    def real_time_order(self) -> Iterator[Violation]:
        acknowledged = _Newest((time, self._position(event_id)) for event_id, time in self.answered.items())
        for event_id, time in self.sent.items():
            if event_id in self.place and acknowledged.before(time) > self._position(event_id):
                yield Violation(
                    "real-time", f"position {self._position(event_id)} was sent after {acknowledged.before(time)} stood"
                )

    def reads_are_fresh(self) -> Iterator[Violation]:
        acknowledged = _Newest((time, self._position(event_id)) for event_id, time in self.answered.items())
        unsent = _Newest((-time, -self._position(event_id)) for event_id, time in self.sent.items() if event_id in self.place)
        for read in self.reads:
            position = read["position"]
            if read["latest"] and acknowledged.before(read["start"]) > position:
                newest = acknowledged.before(read["start"])
                yield Violation("latest", f"{read['process']} read position {position} when {newest} was acknowledged")
            if -unsent.before(-read["end"], nothing=-len(self.log) - 1) <= position:
                yield Violation("future", f"{read['process']} read position {position} before it was sent")
            if read["ids"] is not None:
                yield from self._shows_what_stands(read)

    def _shows_what_stands(self, read: dict[str, Any]) -> Iterator[Violation]:
        keyed = self.keyed[read["key"]]
        wanted = [event_id for _, event_id in keyed[: bisect_right(keyed, (read["position"], "~"))]]
        missing, surplus = set(wanted) - set(read["ids"]), set(read["ids"]) - set(wanted)
        if missing or surplus or len(read["ids"]) != len(wanted):
            what = f"{len(missing)} events missing, {len(surplus)} too many of {read['key']} at position {read['position']}"
            yield Violation("content", f"{read['process']}: {what}")

    def pieces_are_whole(self) -> Iterator[Violation]:
        everything = [(event["position"], event["id"]) for event in self.log]
        for piece in self.pieces:
            source = self.keyed[piece["key"]] if piece["key"] else everything
            begin, end = bisect_right(source, (piece["after"], "~")), bisect_right(source, (piece["until"], "~"))
            if [tuple(event) for event in piece["events"]] != source[begin:end]:
                yield Violation("piece", f"{piece['process']}: ({piece['after']}, {piece['until']}] of {piece['key'] or 'the log'}")

    def _position(self, event_id: str) -> int:
        return int(self.place[event_id]["position"]) if event_id in self.place else 0


class _Newest:
    """The greatest position among those whose time is before a given one."""

    def __init__(self, marks: Iterable[tuple[float, int]]) -> None:
        self._times: list[float] = []
        self._positions: list[int] = []
        for time, position in sorted(marks):
            self._times.append(time)
            self._positions.append(max(position, self._positions[-1]) if self._positions else position)

    def before(self, time: float, nothing: int = 0) -> int:
        number = bisect_left(self._times, time)
        return self._positions[number - 1] if number else nothing
