"""Group commit: one queue, one thread, one transaction for all that waits.

The thread takes everything that is waiting, decides it in order, inserts what is accepted, commits once and answers everyone.
No artificial delay: while a commit is on its way to the disk, the next batch gathers. A caller's cancellation or deadline never
reaches the commit.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ledger.api.v1.errors_pb2 import NEEDS_UPGRADE, OUTCOME_UNKNOWN, QUEUE_FULL, SHUTTING_DOWN, STORE_READ_ONLY
from ledger.api.v1.ledger_service_pb2 import GroupResult
from ledger.catalogue import UnknownTopicError, read_event
from ledger.commit.decision import Decider, Decision, IncomingGroup, Outcome
from ledger.commit.record_clock import ClockRefusedError, RecordClock
from ledger.commit.streams import Streams
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.privacy.vault import VaultUnavailableError
from ledger.status import status_of
from ledger.store.recorder import Head, LogRecorder, OutcomeUnknownError, StoredEventRow, StoreError, StoreTooNewError

BATCH_EVENTS_MAX: Final = 2_000
"""A batch is cut here, so that nobody waits long behind a large one."""
QUEUE_EVENTS_MAX: Final = 20_000
RETRY_AFTER_SECONDS: Final = 0.2
TRY_SECONDS: Final = 1.0
"""While nothing can be recorded and nobody asks for it, it is tried so often whether it can be again."""
CLOCK_DIFFERENCE_MAX_MICROS: Final = 100_000
"""A record time may differ so much from the store's clock at the moment the log is locked."""
LEARNED_AT_ONCE: Final = 2_000

log = logging.getLogger("tellonce.writer")


class LogLostError(Exception):
    """The log no longer holds what this process read from it: the process has to end, and a new one to read it anew."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"The log does not hold the event at {position} any more that was read from it: a failover lost commits, or another "
            "log was put in its place."
        )


Answer = Callable[[list[GroupResult] | Exception], object]
"""Called with what became of a call: one result a group, or why the call as a whole came to nothing."""


class Job(NamedTuple):
    """A call's groups on their way."""

    groups: Sequence[IncomingGroup | LedgerError]
    """In the order of the call; a group that was refused at intake stands as its refusal."""
    event_count: int
    answer: Answer


class Writer:
    """Owns the thread that appends. `failed` is set when the thread ended unasked: the process must end then."""

    def __init__(
        self,
        *,
        recorder: LogRecorder,
        decider: Decider,
        streams: Streams,
        now: Callable[[], int],
        committed: Callable[[Sequence[Event], Head], None],
        learned: Callable[[Sequence[Event], Head], None],
        try_vault: Callable[[], None],
    ) -> None:
        """`committed` is called with what this process recorded, `learned` with what others did, each with the head after it.

        `try_vault` raises VaultUnavailableError while no keys can be made.
        """
        self._recorder = recorder
        self._decider = decider
        self._streams = streams
        self._committed = committed
        self._learned = learned
        self._try_vault = try_vault
        with recorder.transaction() as transaction:
            self._clock = RecordClock(now, transaction.now)
            self._confirmed = transaction.head.position
            """Everything up to this position is as durable as an acknowledgement promises: a commit of ours came after it."""
        self._head = recorder.head()
        self._last_id = b""
        for row in recorder.read_positions([self._head.position]).values():
            self._stands_at(row)
        self._jobs: deque[Job] = deque()
        self._waiting = threading.Condition()
        self._closing = False
        self.queue_events = 0
        self.read_only_reason: str | None = None
        self.failed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, groups: Sequence[IncomingGroup | LedgerError], event_count: int, answer: Answer) -> None:
        """Queue a call's groups. `answer` is called once, in the writer's thread, so it must be quick.

        Raises LedgerError (QUEUE_FULL, SHUTTING_DOWN) at once when they cannot be taken; then nothing is called.
        """
        with self._waiting:
            if self._closing or self.failed.is_set():
                raise LedgerError(SHUTTING_DOWN, "The server is stopping: send the events again, with the same ids.")
            if self.queue_events + event_count > QUEUE_EVENTS_MAX and self._jobs:
                raise LedgerError(
                    QUEUE_FULL,
                    f"{self.queue_events} events wait to be recorded: send again after the delay, with the same ids.",
                    retry_after_seconds=RETRY_AFTER_SECONDS,
                    queue_events=self.queue_events,
                )
            self._jobs.append(Job(groups, event_count, answer))
            self.queue_events += event_count
            self._waiting.notify()

    def close(self) -> None:
        """Record what waits, then end the thread."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        self._thread.join()

    def _run(self) -> None:
        batch: deque[Job] = deque()
        try:
            while True:
                batch = self._take()
                if batch:
                    self._record(batch)
                elif self._closing:
                    return
                else:
                    self._try_again()
        except BaseException:
            log.exception("The writer ended: the process has to end, and a new one to start.")
            self.failed.set()
            with self._waiting:
                batch += self._jobs
                self._jobs.clear()
            _answer_all(batch, _unknown())

    def _take(self) -> deque[Job]:
        """Wait for jobs and take them. None come when it closes, and when it is time to try whether anything can be recorded."""
        batch: deque[Job] = deque()
        count = 0
        with self._waiting:
            while not self._jobs and not self._closing:
                if not self._waiting.wait(TRY_SECONDS if self.read_only_reason else None):
                    break
            while self._jobs and (not batch or count + self._jobs[0].event_count <= BATCH_EVENTS_MAX):
                job = self._jobs.popleft()
                count += job.event_count
                batch.append(job)
            self.queue_events -= count
        return batch

    def _record(self, batch: deque[Job]) -> None:
        """Record a batch and answer its calls: those that are answered leave it."""
        try:
            outcomes = self._commit(batch)
        except ClockRefusedError as error:
            self._streams.forget()
            self.read_only_reason = error.why
            _answer_all(batch, error)
            return
        except (UnknownTopicError, StoreTooNewError) as error:
            # Whoever does not know what was recorded cannot judge what may follow it.
            log.error("NEEDS_UPGRADE: %s", error)
            self._streams.forget()
            self.read_only_reason = "needs upgrade"
            _answer_all(batch, LedgerError(NEEDS_UPGRADE, f"Nothing is recorded by this node. {error}"))
            return
        except (StoreError, VaultUnavailableError) as error:
            self._refuse(batch, error)
            return
        self.read_only_reason = None
        results = map(_result, outcomes)
        while batch:
            job = batch.popleft()
            _answer(job, list(islice(results, len(job.groups))))

    def _commit(self, batch: deque[Job]) -> list[Outcome]:
        groups = [group for job in batch for group in job.groups]
        incoming = [group for group in groups if isinstance(group, IncomingGroup)]
        if self._recorder.shared:
            # What others recorded before these calls came must count, also where a call is refused, or told that it was recorded.
            self._catch_up(self._recorder.head())
        self._decision = self._decider.decide(incoming, self._head, self._clock.estimate(self._head.record_time))
        if self._decision.rows:
            try:
                self._insert(incoming)
            except OutcomeUnknownError as error:
                if error.unconfirmed:
                    raise
                self._resolve(self._decision)
        decision = self._decision
        if decision.rows:
            self._stands_at(decision.rows[-1])
            self._confirmed = self._head.position
            self._streams.committed()
            self._committed(decision.events, self._head)
        elif self._recorder.shared and _last_told(decision) > self._confirmed:
            # Another process recorded it, and may still wait for the standby, or have been told that it waits in vain.
            self._recorder.confirm()
            self._confirmed = self._head.position
        decided = iter(decision.outcomes)
        return [next(decided) if isinstance(group, IncomingGroup) else group for group in groups]

    def _insert(self, incoming: Sequence[IncomingGroup]) -> None:
        """Insert what was decided. Where another process was faster, or the store's clock differs, decide again under the lock."""
        with self._recorder.transaction() as transaction:
            if transaction.head != self._head and not self._recorder.shared:
                raise StoreError(f"the log stands at {transaction.head}, not at {self._head}: another process appends to it")
            moved = transaction.head != self._head
            if moved:
                self._catch_up(transaction.head)
            record_time = self._decision.rows[0].record_time
            if transaction.now is not None:
                read = self._clock.read(transaction.now, self._head.record_time)
                if abs(read - record_time) > CLOCK_DIFFERENCE_MAX_MICROS:
                    moved, record_time = True, read
            if moved:
                self._streams.undo_batch()
                self._decision = self._decider.decide(incoming, self._head, max(record_time, self._head.record_time))
            transaction.insert(self._decision.rows)

    def _catch_up(self, head: Head) -> None:
        """Take in what other processes recorded up to a head. Raises LogLostError when what was known is no longer there."""
        if head == self._head:
            return
        known = self._head.position
        while True:
            # The event known last is read again: after a failover that lost commits, another may stand there.
            after = self._head.position
            rows = self._recorder.read(max(0, after - 1), LEARNED_AT_ONCE, max(head.position, after))
            if after and (not rows or rows[0].position != after or rows[0].event_id != self._last_id):
                raise LogLostError(known)
            if new := [row for row in rows if row.position > after]:
                events = [read_event(row.position, row.header) for row in new]
                for row in new:
                    self._streams.drop(row.stream)
                self._stands_at(new[-1])
                self._learned(events, self._head)
            if self._head.position >= head.position:
                return

    def _stands_at(self, row: StoredEventRow) -> None:
        self._head = Head(row.position, row.record_time)
        self._last_id = row.event_id

    def _resolve(self, decision: Decision) -> None:
        """The commit failed, and may have happened: look the ids up. All or nothing, since it was one transaction."""
        self._recorder.confirm()
        found = self._recorder.find_event_ids([row.event_id for row in decision.rows])
        if len(found) != len(decision.rows):
            raise StoreError("the commit did not happen")

    def _refuse(self, batch: deque[Job], error: Exception) -> None:
        """The store or the vault does not take anything now: say so, forget what was thought, and try again with the next batch."""
        log.error("Nothing could be recorded: %s", error)
        self._streams.forget()
        refusal = _unknown()
        try:
            head = self._recorder.head()
            if not self._recorder.shared:
                self._head = head
            if not isinstance(error, OutcomeUnknownError):
                refusal = LedgerError(
                    STORE_READ_ONLY,
                    "The store does not take events now; reading goes on. The operator finds the cause in the server's log. "
                    "Send the events again later, with the same ids.",
                    retry_after_seconds=1.0,
                )
        except StoreError as unreadable:
            log.error("Nor can the log be read: %s", unreadable)
        self.read_only_reason = type(error).__name__
        _answer_all(batch, refusal)

    def _try_again(self) -> None:
        """Look whether something could be recorded again: nobody sends anything to a ledger that says it takes nothing."""
        try:
            if self._recorder.shared:
                self._catch_up(self._recorder.head())
            with self._recorder.transaction() as transaction:
                self._clock.read(transaction.now, transaction.head.record_time)
                transaction.touch()
            self._try_vault()
        except (StoreError, VaultUnavailableError, ClockRefusedError, UnknownTopicError):
            return
        self.read_only_reason = None


def _answer_all(batch: deque[Job], error: Exception) -> None:
    while batch:
        _answer(batch.popleft(), error)


def _answer(job: Job, answer: list[GroupResult] | Exception) -> None:
    try:
        job.answer(answer)
    except Exception:
        # Whoever asked is gone, its event loop closed. What was decided stands, and the others are answered.
        log.exception("A call could not be answered.")


def _unknown() -> LedgerError:
    return LedgerError(
        OUTCOME_UNKNOWN,
        "Whether the events were recorded is not known: send them again with the same ids.",
        retry_after_seconds=0.5,
    )


def _result(outcome: Outcome) -> GroupResult:
    return GroupResult(error=status_of(outcome)) if isinstance(outcome, LedgerError) else outcome


def _last_told(decision: Decision) -> int:
    """Return the last position that callers are told, of all that was recorded before."""
    told = (outcome for outcome in decision.outcomes if not isinstance(outcome, LedgerError))
    return max((one.position for result in told for one in result.appended), default=0)
