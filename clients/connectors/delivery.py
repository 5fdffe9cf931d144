"""Where the events of mapped rows go: into the ledger, in order and acknowledged; in a dry run, through the rules of the protos."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from clients.connectors.correcting import Correcting, correction_of
from clients.connectors.message_plan import rule_breaks
from clients.connectors.row_stream import RowOutcome
from clients.connectors.tally import Tally
from clients.python.batcher import Batcher
from clients.python.errors import (
    AlreadyExistsError,
    ClosedError,
    InvalidError,
    NeedsUpgradeError,
    TellonceError,
    TokenError,
    UnavailableError,
)
from ledger.api.v1.ledger_service_pb2 import Appended, EventGroup

Reject = Callable[[RowOutcome, str, str], None]
"""Notes a rejected row: the row, the reason, the ledger's code for it."""

CHECKPOINT_SECONDS: Final = 1.0
ROWS_WAITING_MAX: Final = 20_000
"""Rows without events wait for nobody; while the ledger is away they must not fill the memory."""
_CLIENT_FAULTS: Final = frozenset(("NOT_SENT", "CLIENT_FAILED", "NO_ANSWER"))

CURES: Final = {
    "EVENT_ID_REUSED": "These events were imported before with other content: the source or the mapping has changed since. "
    "What is recorded stands; nothing was added. Where the change is right, import again with --correct.",
    "IMPORT_NOT_OPEN": "This file was imported by this mapping before, to the end: what was rejected then needs a mended one.",
}
"""What refusals mean in an import, where the ledger's own words do not say it."""


class ImportInterruptedError(Exception):
    """The ledger could not be reached, or stopped taking events. What was acknowledged is recorded: run it again with --resume."""


class Delivery(Protocol):
    """Takes the rows in order. `close` waits until the last one is settled."""

    def take(self, outcome: RowOutcome) -> None:
        """Take the next row."""

    def close(self) -> None:
        """Settle what is under way."""


class DryRun:
    """Checks every event against the rules of the protos, and counts. Nothing is sent."""

    def __init__(self, tally: Tally, reject: Reject) -> None:
        self._tally = tally
        self._reject = reject

    def take(self, outcome: RowOutcome) -> None:
        """See `Delivery`."""
        count_row(self._tally, outcome)
        if outcome.reason:
            self._reject(outcome, outcome.reason, "")
            return
        for event, topic in zip(outcome.events, outcome.topics, strict=True):
            payload = getattr(event.payload, event.payload.WhichOneof("kind") or "")
            broken = rule_breaks(event.envelope) or rule_breaks(payload)
            if broken:
                self._reject(outcome, f"{topic}: " + "; ".join(f"{path}: {why}" for path, why in broken[:5]), "")
                return
        count_taken(self._tally, outcome)

    def close(self) -> None:
        """See `Delivery`."""


class Sending:
    """Appends the events of each row as one group, and settles the rows in order: what is settled needs not be sent again.

    `settled` is called at most once a second, when the first `rows` of the run are done.
    """

    def __init__(
        self,
        batcher: Batcher,
        tally: Tally,
        reject: Reject,
        rows_done: int,
        settled: Callable[[int], None],
        correcting: Correcting | None = None,
    ) -> None:
        """`correcting`: what was recorded with other content is corrected; without it, such a row is rejected."""
        self._correcting = correcting
        self._batcher = batcher
        self._tally = tally
        self._reject = reject
        self._settled = settled
        self._rows_done = rows_done
        self._waiting: deque[tuple[RowOutcome, Future[list[Appended]] | None]] = deque()
        self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS

    def take(self, outcome: RowOutcome) -> None:
        """See `Delivery`. Blocks while enough is under way. Raises ImportInterruptedError."""
        future: Future[list[Appended]] | None = None
        if outcome.events:
            if self._correcting is not None:
                outcome = self._correcting.as_recorded(outcome)
            try:
                future = self._batcher.add(EventGroup(events=outcome.events))
            except InvalidError as error:
                outcome = outcome._replace(events=(), reason=error.message)
            except TellonceError as error:
                self._settle(wait=True)
                raise _interrupted(error) from error
        self._waiting.append((outcome, future))
        while len(self._waiting) > ROWS_WAITING_MAX:
            self._settle_first()
        self._settle(wait=False)

    def close(self) -> None:
        """See `Delivery`. Raises ImportInterruptedError."""
        try:
            self._batcher.flush()
        except TellonceError as error:
            self._settle(wait=True)
            raise _interrupted(error) from error
        self._settle(wait=True)
        self._settled(self._rows_done)

    def _settle(self, *, wait: bool) -> None:
        while self._waiting:
            future = self._waiting[0][1]
            if future is not None and not wait and not future.done():
                break
            self._settle_first()
        if time.monotonic() >= self._next_checkpoint:
            self._settled(self._rows_done)
            self._next_checkpoint = time.monotonic() + CHECKPOINT_SECONDS

    def _settle_first(self) -> None:
        while self._correct(self._waiting[0]):
            self._batcher.flush()
        self._settle_row(*self._waiting[0])
        self._waiting.popleft()
        self._rows_done += 1

    def _correct(self, first: tuple[RowOutcome, Future[list[Appended]] | None]) -> bool:
        """Send rows again whose first changed event was refused, as a correction of it; True when the first row is one of them.

        All that are known to be refused go together: one by one, each would wait for its own answer.
        """
        if self._correcting is None or not _changed(*first, wait=True):
            return False
        for place, (outcome, future) in enumerate(self._waiting):
            changed = _changed(outcome, future, wait=False)
            if changed:
                events = tuple(correction_of(one) if one.envelope.event_id == changed else one for one in outcome.events)
                outcome = outcome._replace(events=events)
                self._waiting[place] = (outcome, self._batcher.add(EventGroup(events=events)))
        return True

    def _settle_row(self, outcome: RowOutcome, future: Future[list[Appended]] | None) -> None:
        tally = self._tally
        reason, code = outcome.reason, ""
        appended: list[Appended] = []
        if future is not None:
            try:
                appended = future.result()
            except TellonceError as error:
                if (
                    isinstance(error, UnavailableError | ClosedError | TokenError | NeedsUpgradeError)
                    or error.reason in _CLIENT_FAULTS
                ):
                    raise _interrupted(error) from error
                reason, code = " ".join(filter(None, (str(error), CURES.get(error.reason)))), error.reason
        count_row(tally, outcome)
        if reason:
            self._reject(outcome, reason, code)
            return
        count_taken(tally, outcome)
        for one, event in zip(appended, outcome.events, strict=False):
            if one.duplicate:
                tally.events_duplicate += 1
            elif event.payload.HasField("event_corrected"):
                tally.events_corrected += 1
            else:
                tally.events_appended += 1
                tally.events_irregular += one.irregular


def _changed(outcome: RowOutcome, future: Future[list[Appended]] | None, *, wait: bool) -> str:
    """Return the id of the event for which a row was refused: it is recorded with other content. Empty: none is to be corrected."""
    if future is None or not (wait or future.done()):
        return ""
    error = future.exception()
    changed = error.metadata.get("event_id", "") if isinstance(error, AlreadyExistsError) else ""
    is_event = any(one.envelope.event_id == changed and not one.payload.HasField("event_corrected") for one in outcome.events)
    return changed if is_event else ""


def count_row(tally: Tally, outcome: RowOutcome) -> None:
    """Count a row as read."""
    tally.rows_read += 1
    tally.rows_skipped += outcome.skipped


def count_taken(tally: Tally, outcome: RowOutcome) -> None:
    """Count the events of a row that was taken."""
    tally.ambiguous_times += outcome.ambiguous_times
    tally.moved_times += outcome.moved_times
    for topic in outcome.topics:
        tally.topics[topic] = tally.topics.get(topic, 0) + 1


def _interrupted(error: TellonceError) -> ImportInterruptedError:
    return ImportInterruptedError(f"{error} What was acknowledged is recorded: run the same import again with --resume.")
