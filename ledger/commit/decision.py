"""Decide a batch of groups: duplicate, expectations, life cycle, in this order; then make the rows of what is accepted.

A group is atomic and fails alone: what it changed in the overlay is put back. Nothing here commits; the writer does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ledger.api.v1.core_pb2 import ACTOR_KIND_UNSPECIFIED, CLAIMED, EXACT, HUMAN, LEDGER, PRECISION_UNSPECIFIED
from ledger.api.v1.errors_pb2 import (
    EVENT_ID_REUSED,
    REVISION_MISMATCH,
)
from ledger.api.v1.event_pb2 import EventEnvelope
from ledger.api.v1.ledger_service_pb2 import Appended, GroupResult, StreamExpectation
from ledger.catalogue import RESTATING, read_event
from ledger.commit.acceptance import Acceptance
from ledger.commit.duplicate import same_as_recorded
from ledger.commit.governing import TAKEN, Governing
from ledger.commit.past_policies import PastPolicies
from ledger.commit.streams import NEW_STREAM, Streams, StreamState
from ledger.commit.subjects import Sealable, Subjects
from ledger.commit.threads import Threads
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.event_id import to_bytes, to_text
from ledger.intake.receive import Incoming, is_threaded, micros
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.privacy.content import ContentReader
from ledger.store.recorder import Head, LogReader, StoredEventRow

HEADERS_KEPT: Final = 10_000
"""Envelopes differ in little but id and time: so many headers that are begun are remembered."""


class IncomingGroup(NamedTuple):
    """Events that are recorded together or not at all."""

    events: Sequence[Incoming]
    expectations: Sequence[StreamExpectation]


Outcome = GroupResult | LedgerError
"""What became of a group: a result with one `Appended` an event, or the refusal."""


class Decision(NamedTuple):
    """A batch decided: the rows to insert, and the outcome of each group."""

    rows: list[StoredEventRow]
    events: list[Event]
    outcomes: list[Outcome]


class Decider:
    """Decides batches against the streams of one log. Used by one thread."""

    def __init__(
        self,
        *,
        ledger_id: bytes,
        reader: LogReader,
        streams: Streams,
        subjects: Subjects,
        governing: Governing,
        content: ContentReader,
    ) -> None:
        self._ledger_id = ledger_id
        self._reader = reader
        self._streams = streams
        self._subjects = subjects
        self._governing = governing
        self._acceptance = Acceptance(streams, governing, PastPolicies(reader, governing.policies), self._find)
        self._threads = Threads(streams, governing.policies)
        self._content = content
        self._head = Head(0, 0)
        self._record_time = 0
        self._accepted: list[tuple[Event, Sealable]] = []
        self._by_id: dict[bytes, tuple[Incoming, Appended]] = {}
        self._stored: Mapping[bytes, StoredEventRow] = {}
        self._restates = False
        self._headers: dict[bytes, EventHeader] = {}

    def decide(self, groups: Sequence[IncomingGroup], head: Head, record_time: int) -> Decision:
        """Decide the groups in order, as recorded at `record_time` after `head`. Keys of new subjects are durable on return."""
        self._head = head
        self._record_time = record_time
        self._accepted = []
        self._by_id = {}
        self._governing.begin()
        every = [event for group in groups for event in group.events]
        self._stored = self._reader.find_event_ids([event.event_id for event in every])
        fresh = [event for event in every if event.event_id not in self._stored]
        # What is restated may be in the same batch, in a stream of its own.
        self._restates = any(event.kind.topic in RESTATING for event in fresh)
        self._streams.load(self._streams_of(groups, fresh))
        sealables: Mapping[int, Sealable] = {}
        if any(not event.stream and is_threaded(event) for event in fresh):
            # What these become depends on what is accepted before them, so all are taken one by one; the keys are made at once.
            self._subjects.make_keys(fresh)
        else:
            sealables = self._subjects.resolve(fresh, self._streams)
        outcomes = [self._decide_group(group, sealables) for group in groups]
        rows = [self._row(event, sealable) for event, sealable in self._accepted]
        return Decision(rows, [event for event, _ in self._accepted], outcomes)

    def _streams_of(self, groups: Sequence[IncomingGroup], fresh: Sequence[Incoming]) -> list[str]:
        names: dict[str, None] = {}
        for group in groups:
            for expectation in group.expectations:
                names[expectation.stream] = None
        for event in fresh:
            if self._is_shared(event) and event.stream:
                names[event.stream] = None
            for name in self._subjects.streams_asked(event):
                names[name] = None
            if event.envelope.import_run:
                names[f"import-{event.envelope.import_run}"] = None
        return list(names)

    def _decide_group(self, group: IncomingGroup, sealables: Mapping[int, Sealable]) -> Outcome:
        before: dict[str, tuple[StreamState, int]] = {}
        start = len(self._accepted)
        governing = self._governing.mark()
        result = GroupResult()
        try:
            if group.expectations and any(self._recorded(event) is None for event in group.events):
                self._check_expectations(group.expectations)
            for event in group.events:
                recorded = self._recorded(event) if event.event_id in self._by_id or event.event_id in self._stored else None
                if recorded is None:
                    self._accept(event, sealables.get(id(event)), before, result)
                else:
                    result.appended.append(recorded)
        except LedgerError as error:
            for stream, (state, count) in before.items():
                self._streams.undo(stream, state, count)
            self._governing.undo(governing)
            for event_refused, _ in self._accepted[start:]:
                self._by_id.pop(event_refused.event_id, None)
            del self._accepted[start:]
            if len(group.events) > 1:
                error.metadata["event_index"] = str(len(result.appended))
            return error
        return result

    def _find(self, event_id: bytes) -> Event | None:
        """Return the event of an id: of this batch, else of the log. None when there is none."""
        for event, _ in self._accepted:
            if event.event_id == event_id:
                return event
        row = self._reader.find_event_ids([event_id]).get(event_id)
        return None if row is None else read_event(row.position, row.header)

    def _recorded(self, event: Incoming) -> Appended | None:
        """Return where an event is recorded already; None when it is new. Raises when its id has other content."""
        pending = self._by_id.get(event.event_id)
        if pending is not None:
            twin, appended = pending
            if twin.payload != event.payload or twin.envelope != event.envelope:
                raise _reused(event, appended.position)
            return Appended(
                event_id=appended.event_id,
                position=appended.position,
                stream=appended.stream,
                revision=appended.revision,
                duplicate=True,
                topic=appended.topic,
            )
        row = self._stored.get(event.event_id)
        if row is None:
            return None
        if not same_as_recorded(event, row, self._content):
            raise _reused(event, row.position)
        return Appended(
            event_id=to_text(row.event_id),
            position=row.position,
            stream=row.stream,
            revision=row.revision,
            duplicate=True,
            topic=row.topic,
        )

    def _check_expectations(self, expectations: Sequence[StreamExpectation]) -> None:
        failed: list[str] = []
        for expectation in expectations:
            revision = self._streams.get(expectation.stream).revision
            wanted = expectation.WhichOneof("state")
            if wanted == "revision" and revision != expectation.revision:
                failed.append(f"Stream {expectation.stream} is at revision {revision}, not {expectation.revision}")
            elif wanted == "is_new" and revision != 0:
                failed.append(f"Stream {expectation.stream} is at revision {revision}, not new")
            elif wanted == "exists" and revision == 0:
                failed.append(f"Stream {expectation.stream} has no event")
        if failed:
            raise LedgerError(
                REVISION_MISMATCH,
                ". ".join(failed) + ": read it again and decide again.",
                failed_count=len(failed),
                failed="; ".join(failed),
            )

    # One event

    def _accept(
        self, sent: Incoming, sealable: Sealable | None, before: dict[str, tuple[StreamState, int]], result: GroupResult
    ) -> None:
        """Accept an event, and say so in the result of its group. Raises LedgerError when it is refused."""
        incoming = self._threads.placed(sent, self._record_time) if not sent.stream and is_threaded(sent) else sent
        if sealable is None:
            sealable = self._subjects.resolve([incoming], self._streams)[id(incoming)]
        stream = incoming.stream
        shared = self._is_shared(incoming)
        state = self._streams.get(stream) if shared else NEW_STREAM
        event = self._event(incoming, sealable, state.revision + 1)
        moved_on, irregular = self._acceptance.accept(incoming, event, state)
        if shared:
            before.setdefault(stream, (state, self._streams.pending_count(stream)))
            self._streams.put(stream, moved_on, event)
        self._accepted.append((event, sealable))
        if event.topic in TAKEN:
            self._governing.take(event)
        # Made in its place, field by field: that takes half the time of making it and putting a copy there.
        appended = result.appended.add()
        # As it was sent, where it was: writing it anew costs three times as much.
        appended.event_id = incoming.envelope.event_id.lower() or to_text(event.event_id)
        appended.position = event.position
        appended.stream = stream
        appended.revision = event.revision
        appended.topic = event.topic
        if irregular:
            appended.irregular = True
        if event.header.held_back:
            appended.held_back = True
        self._by_id[event.event_id] = (sent, appended)

    def _is_shared(self, incoming: Incoming) -> bool:
        return has_shared_stream(incoming) or self._restates

    def _event(self, incoming: Incoming, sealable: Sealable, revision: int) -> Event:
        kind = incoming.kind
        event = Event.begun(
            self._common_header(incoming),
            self._head.position + len(self._accepted) + 1,
            sealable.clear,
            kind.clock,
            incoming.event_id,
            incoming.stream,
            revision,
            kind.topic,
            sealable.subject,
            self._record_time if incoming.occur is None else incoming.occur,
            self._record_time,
        )
        event.header.correlation_id = incoming.envelope.correlation_id
        return event

    def _common_header(self, incoming: Incoming) -> EventHeader:
        """Return what the headers of all events have in common whose envelopes do."""
        common = incoming.common
        if common is None:
            return self._header_of(incoming.envelope, incoming.internal)
        header = self._headers.get(common)
        if header is None:
            if len(self._headers) >= HEADERS_KEPT:
                self._headers.clear()
            header = self._headers[common] = self._header_of(incoming.envelope, incoming.internal)
        return header

    def _header_of(self, envelope: EventEnvelope, internal: bool) -> EventHeader:
        header = EventHeader(
            ledger_id=self._ledger_id,
            schema_version=1,
            precision=EXACT if envelope.precision == PRECISION_UNSPECIFIED else envelope.precision,
            channel=envelope.channel,
            department=envelope.department,
            actor=envelope.actor,
            actor_kind=HUMAN if envelope.actor_kind == ACTOR_KIND_UNSPECIFIED else envelope.actor_kind,
            actor_known=LEDGER if internal else CLAIMED,
            source=envelope.source,
            import_run=envelope.import_run,
            record_late=envelope.record_late,
            supervisor=envelope.supervisor,
            causation_id=to_bytes(envelope.causation_id) if envelope.causation_id else b"",
            policy_id=envelope.policy_id,
            policy_version=envelope.policy_version,
        )
        if envelope.HasField("source_record_time"):
            header.source_record_time_micros = micros(envelope.source_record_time)
        return header

    def _row(self, event: Event, sealable: Sealable) -> StoredEventRow:
        header = event.header
        clear = sealable.clear_bytes
        header.payload = event.payload.SerializeToString() if clear is None else clear
        parts = self._subjects.seal(header, sealable)
        event.parts = parts
        # Revision and record time have the highest field numbers, so they are the tail of these bytes.
        return StoredEventRow(
            event.position,
            event.event_id,
            event.stream,
            event.revision,
            event.topic,
            self._record_time,
            header.SerializeToString(),
            parts,
        )


def has_shared_stream(event: Incoming) -> bool:
    """True unless the event's stream is its own alone, named by its id: then it is new by the event id's own uniqueness."""
    return not event.kind.own_stream


def _reused(event: Incoming, position: int) -> LedgerError:
    return LedgerError(
        EVENT_ID_REUSED,
        f"Event id {to_text(event.event_id)} is recorded at position {position} with other content: a new event needs a new id.",
        event_id=to_text(event.event_id),
        position=position,
    )
