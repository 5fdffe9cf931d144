"""The playbooks' follower: looks at each event that is recorded, and records what the playbooks in force make of it, once.

It follows the log from its own checkpoint, at least once; ids are derived, so any number of followers record each step once. A
play is one atomic group, appended through the server like by any other caller. Overrides are looked up right before; one that is
recorded in that very moment comes after the step. A play that is refused is noted and not tried again: nothing of it is recorded.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import grpc
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo

from ledger.api.v1.errors_pb2 import REVISION_MISMATCH, ErrorReason
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup, GroupResult, StreamExpectation
from ledger.catalogue import BY_FIELD, BY_TOPIC, read_event
from ledger.event import NOT_YET, Event
from ledger.event_id import to_bytes
from ledger.followers.playbook_record import Checkpoint, PlaybookRecord, Refused
from ledger.followers.plays import DEPTH_MAX, CannotActError, Play, Step, depth, plays, steps_of, triggers
from ledger.followers.situation import card_of, situation_of
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.policy.policy import Policy
from ledger.rules import family_of
from ledger.rules.fold import judge
from ledger.store.recorder import LogReader, StoredEventRow, StoreError
from projections import playbooks, policies
from projections.playbooks import Override
from projections.view import Read

ROWS_MAX: Final = 1_000
"""So many events are looked at before the checkpoint moves."""
TRIES_MAX: Final = 20
"""A request that changes between look and append is looked at again so often."""

CANNOT_ACT: Final = "PLAYBOOK_CANNOT_ACT"
OVERTAKES: Final = "PLAYBOOK_OVERTAKES"
NO_VALUE: Final = "CONDITION_WITHOUT_VALUE"
FAILED: Final = "PLAYBOOK_FAILED"

log = logging.getLogger("tellonce.playbooks")


_PASSING: Final = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED})
"""What passes by itself: tried again, not noted."""


class TryAgainError(Exception):
    """The ledger takes no events now. Nothing is lost: the trigger is looked at again."""


class Looked(NamedTuple):
    """What became of a look at the log."""

    position: int
    """Up to where it got."""
    recorded: int
    """How many events were recorded."""


class Playbooks:
    """Finds triggers, and records what follows. Used by one thread."""

    def __init__(self, reader: LogReader, append: Callable[[AppendRequest], Sequence[GroupResult]], record: PlaybookRecord) -> None:
        self._reader = reader
        self._append = append
        self._record = record
        self._governing: policies.Rows = ()
        self._tail = 0
        """Up to where the log was looked through for overrides that the views have not seen."""
        self._late: dict[bytes, set[Override]] = {}
        """Those overrides, by trigger."""
        self._looked_at = b""
        """Id of the event there; empty where it is not known."""
        self._position = self._start()

    @property
    def position(self) -> int:
        """Up to where triggers were looked at."""
        return self._position

    def look(self, read: Read) -> Looked:
        """Look at the events after the checkpoint that this snapshot of the views has seen, and act on them.

        Raises StoreError and grpc.RpcError as they come, and TryAgainError: the caller looks again later, and nothing is recorded
        twice.
        """
        recorded = 0
        self._governing = policies.rows(self._reader, read.position)
        topics = triggers(policies.published(self._governing))
        if not topics:
            # Not noted on disk: to look again costs little, and nothing would follow.
            self._position, self._looked_at = read.position, b""
            return Looked(self._position, 0)
        if read.position < self._position:
            # The views are made anew.
            return Looked(self._position, 0)
        # The event looked at last is read again: after a failover that lost commits, another may stand there.
        rows = self._reader.read(max(0, self._position - 1), ROWS_MAX + 1, read.position)
        if self._position:
            if self._looked_at and (not rows or rows[0].event_id != self._looked_at):
                log.warning("The log holds another event at %d than was looked at: young ones are looked at again.", self._position)
                self._position = self._start()
                self._looked_at = b""
                return Looked(self._position, 0)
            rows = rows[1:]
        refused: list[Refused] = []
        for row in rows:
            if row.topic in topics:
                recorded += self._act_or_note(read, read_event(row.position, row.header), refused)
                if refused:
                    # Told at once: a play that is refused is not tried again, also by a follower that is killed now.
                    self._move(row.position, refused)
                    refused = []
        if rows:
            self._move(rows[-1].position, [])
        return Looked(self._position, recorded)

    # Where to begin

    def _start(self) -> int:
        """Return where to begin: at the checkpoint; without one at what is young enough to act upon.

        A checkpoint that is not on this log (it was restored) counts for nothing.
        """
        checkpoint = self._record.checkpoint()
        if checkpoint is not None:
            row = self._reader.read_positions([checkpoint.position]).get(checkpoint.position)
            if checkpoint.position == 0 or (row is not None and row.event_id == checkpoint.event_id):
                self._looked_at = checkpoint.event_id
                return checkpoint.position
        head = self._reader.head()
        within = max((policy.act_within for policy in policies.book(self._reader, head.position).policies), default=0)
        return self._reader.position_at(head.record_time - within)

    def _move(self, position: int, refused: list[Refused]) -> int:
        if position > self._position or refused:
            row = self._reader.read_positions([position]).get(position)
            self._looked_at = row.event_id if row is not None else b""
            self._record.move(Checkpoint(position, self._looked_at), refused)
            self._position = position
        return self._position

    # One trigger

    def _act_or_note(self, read: Read, event: Event, refused: list[Refused]) -> int:
        """Act on a trigger. What nobody foresaw is noted, so that one trigger does not stop all playbooks."""
        try:
            return self._act(read, event, refused)
        except (StoreError, sqlite3.Error, grpc.RpcError, TryAgainError):
            raise
        except Exception as error:
            # Places in the code, never the error's text: it may hold content.
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("Acting on the event at %d failed: %s\n%s", event.position, type(error).__name__, places)
            message = f"something unforeseen happened ({type(error).__name__}): the node's log says where"
            refused.append(_noted(event, "", 0, "", FAILED, message))
            return 0

    def _act(self, read: Read, event: Event, refused: list[Refused]) -> int:
        # Ruled by what was published before it (domain rule 8.10).
        policy = policies.book_of(self._governing, event.position - 1).in_force(event.occur)
        if policy is None or depth(event, self._find) >= DEPTH_MAX:
            return 0
        found, faults = plays(event, policy, card_of(read, event))
        refused.extend(_refused(event, policy, one.playbook, NO_VALUE, one.why) for one in faults)
        return sum(self._play(read, play, refused) for play in found)

    def _play(self, read: Read, play: Play, refused: list[Refused]) -> int:
        policy, event = play.policy, play.trigger

        def refuse(reason: str, message: str) -> int:
            refused.append(_refused(event, policy, play.playbook.playbook, reason, message))
            log.info("Playbook %s on the event at %d was refused (%s): %s", play.playbook.playbook, event.position, reason, message)
            return 0

        try:
            steps = steps_of(play, situation_of(read, event))
        except CannotActError as error:
            return refuse(CANNOT_ACT, str(error))
        for _ in range(TRIES_MAX):
            left = self._not_overridden(read, play, steps)
            if not left or self._all_recorded(left):
                return 0
            group, overtakes = self._group(left)
            if overtakes:
                return refuse(OVERTAKES, f"{overtakes} was recorded meanwhile: what the playbook does would go before it")
            (result,) = self._append(AppendRequest(groups=[group]))
            if not result.HasField("error"):
                return sum(not appended.duplicate for appended in result.appended)
            if result.error.code in _PASSING:
                raise TryAgainError(result.error.message)
            reason = _reason(result)
            if reason != REVISION_MISMATCH:
                return refuse(ErrorReason.Name(reason), result.error.message)
        return refuse(ErrorReason.Name(REVISION_MISMATCH), "the request changed again and again while it was looked at")

    def _not_overridden(self, read: Read, play: Play, steps: Sequence[Step]) -> list[Step]:
        """Leave out the steps that a person overrode so far: in the views, and in what the views have not seen yet."""
        self._look_at_tail(read.position)
        trigger_id, name = play.trigger.event_id, play.playbook.playbook
        found = playbooks.overrides(read, trigger_id) | self._late.get(trigger_id, set())
        return [step for step in steps if not found & {Override(name, step.step), Override(name, "")}]

    def _look_at_tail(self, position: int) -> None:
        """Take in the overrides recorded since the views' position. Each event of the log is looked at once."""
        if self._tail <= position:
            self._tail = position
            self._late.clear()
        while rows := self._reader.read(self._tail, ROWS_MAX):
            for row in rows:
                if row.topic == "rule-overridden":
                    payload = _read(row).payload
                    if payload.trigger_event_id:
                        named = self._late.setdefault(to_bytes(payload.trigger_event_id), set())
                        named.add(Override(payload.rule, payload.step))
            self._tail = rows[-1].position

    def _all_recorded(self, steps: Sequence[Step]) -> bool:
        ids = [to_bytes(step.event.envelope.event_id) for step in steps]
        return len(self._reader.find_event_ids(ids)) == len(ids)

    def _group(self, steps: Sequence[Step]) -> tuple[EventGroup, str]:
        """Return the steps as a group, at the revision of the request that they were judged at, and what they would overtake.

        They occur when the trigger was recorded. Where a request was closed since, they would stand before it and undo it.
        """
        group = EventGroup(events=[step.event for step in steps])
        # Streams are read to their ends: what rules them there has to be known, too.
        policies.book(self._reader, NOT_YET)
        streams: dict[str, list[Event]] = {}
        for step in steps:
            event = _as_event(step)
            rules = family_of(event.stream)
            if rules is None or BY_TOPIC[event.topic].opener:
                continue
            if event.stream not in streams:
                stored = self._reader.read_stream(event.stream)
                streams[event.stream] = [_read(row) for row in stored]
                if stored:
                    group.expectations.append(StreamExpectation(stream=event.stream, revision=stored[-1].revision))
            events = streams[event.stream]
            verdict = judge(rules, events, event, event.stream)
            if verdict.overtakes:
                return group, verdict.overtakes[0].topic
            events.append(event)
        return group, ""

    def _find(self, event_id: bytes) -> Event | None:
        row = self._reader.find_event_ids([event_id]).get(event_id) if event_id else None
        return None if row is None else _read(row)


def _read(row: StoredEventRow) -> Event:
    return read_event(row.position, row.header)


def _as_event(step: Step) -> Event:
    """Return a step as the event that it becomes, for the rules to judge."""
    envelope = step.event.envelope
    kind = BY_FIELD[str(step.event.payload.WhichOneof("kind"))]
    payload: Any = getattr(step.event.payload, kind.field)
    header = EventHeader(
        event_id=to_bytes(envelope.event_id),
        stream=kind.stream_of(payload, envelope.event_id),
        topic=kind.topic,
        occur_time_micros=envelope.occur_time.ToMicroseconds(),
        department=envelope.department,
        actor=envelope.actor,
        actor_kind=envelope.actor_kind,
        record_time_micros=envelope.occur_time.ToMicroseconds(),
    )
    return Event(position=NOT_YET, header=header, payload=payload)


def _refused(event: Event, policy: Policy, playbook: str, reason: str, message: str) -> Refused:
    return _noted(event, policy.policy_id, policy.version, playbook, reason, message)


def _noted(event: Event, policy_id: str, version: int, playbook: str, reason: str, message: str) -> Refused:
    return Refused(
        trigger_position=event.position,
        playbook=playbook,
        trigger_event_id=event.event_id,
        trigger_topic=event.topic,
        policy_id=policy_id,
        policy_version=version,
        reason=reason,
        message=message,
        refused_time=time.time_ns() // 1000,
    )


def _reason(result: GroupResult) -> ErrorReason.ValueType:
    info = ErrorInfo()
    for detail in result.error.details:
        if detail.Unpack(info):
            return ErrorReason.Value(info.reason)
    return ErrorReason.ERROR_REASON_UNSPECIFIED
