"""How every question is answered: resolve how fresh and how far back, wait for the views, read one snapshot, say where it stood.

`result` is a function of position, times and arguments. What is not, stands in `read_at`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from ledger.api.v1.consistency_pb2 import ReadAt
from ledger.api.v1.errors_pb2 import VIEWS_LAGGING
from ledger.errors import LedgerError
from ledger.internal.v1.stored_pb2 import PageCursor
from ledger.privacy.content import ContentReader
from ledger.server.call import Context
from ledger.server.following import check_within, follow, start_of
from ledger.server.head import Head
from ledger.server.limits import RETRY_SECONDS, VIEWS_WAIT_SECONDS_MAX
from ledger.server.snapshots import Snapshots
from ledger.server.times import micros, micros_up, timestamp
from ledger.server.turns import Turns
from ledger.server.waiting import LOOK_SECONDS, Waiting
from ledger.store.recorder import LogReader
from ledger.tokens import (
    Branch,
    arguments_digest,
    read_keys,
    read_page_token,
    read_token,
    write_keys,
    write_page_token,
    write_token,
)
from projections.view import Read

PAGE_SIZE: Final = 50
"""Rows of a page when the caller does not say."""

DEADLINE_RESERVE_SECONDS: Final = 0.1
"""Waiting ends so long before the caller's deadline, so that VIEWS_LAGGING reaches it."""

WATCH_POSITIONS_MAX: Final = 10_000
"""So many positions are looked through for changes in one piece: a thread is never held for long."""

DISCLOSURE_CLASS: Final = "full"
"""Until access control comes, every reader sees everything."""

Response = TypeVar("Response")
After = tuple[Any, ...] | None
Answer = Callable[[Read, Any], Any]
"""Returns the result of a request."""
Page = Callable[[Read, Any, int, Any], tuple[Any, Any]]
"""Returns the result of a request: so many rows after a place, and the place of the last row where there are more."""
Changes = Callable[[Read, Any, int], tuple[Sequence[tuple[int, Any]], int]]
"""Returns what changed for a request after a position, as responses with their positions, and how far it got."""


class Place(NamedTuple):
    """Where a question is to be answered."""

    wanted: int
    """The views must stand here at least."""
    known: int | None
    """None: where the snapshot stands."""
    before: int | None
    """None: everything."""
    evaluated: int | None
    """None: the record time of `known`, and without that the node's clock."""
    after: After = None


class Reading:
    """Answers questions from snapshots of the views. Belongs to one event loop; queries run in threads."""

    def __init__(
        self,
        *,
        branch: Branch,
        log: LogReader,
        content: ContentReader,
        snapshots: Snapshots,
        views: Waiting,
        search: Waiting,
        head: Head,
        now: Callable[[], int],
        threads: Executor,
        view_version: int,
        node: str,
    ) -> None:
        self._branch = branch
        self._log = log
        self._content = content
        self._snapshots = snapshots
        self._views = views
        self._search = search
        self._changes = Waiting(views.look, look_seconds=1.0)
        views.on_move.append(self._changes.stands_at)
        self._head = head.waiting
        self._latest = head.latest
        self._now = now
        self._threads = threads
        self._turns = Turns(threads)
        self._view_version = view_version
        self._node = node
        self._last_record_time = (-1, 0)

    async def answer(self, request: Any, context: Context, response: type[Response], query: Answer) -> Response:
        """Answer a question with one result. Raises LedgerError."""

        def build(read: Read) -> Response:
            return self._made(response, query(read, request), read)

        return await self._read(await self._place(request), context, build)

    async def page(
        self, request: Any, context: Context, response: type[Response], query: Page, *, search: bool = False
    ) -> Response:
        """Answer a question with a page. `search`: the search index must be there too. Raises LedgerError."""
        digest = arguments_digest(request)
        place = self._continued(request.page_token, digest) if request.page_token else await self._place(request)
        limit = request.page_size or PAGE_SIZE

        def build(read: Read) -> Response:
            result, after = query(read, request, limit, place.after)
            page = self._made(response, result, read)
            if after is not None:
                page.next_page_token = self._page_token(read, digest, after)  # type: ignore[attr-defined]
            return page

        return await self._read(place, context, build, search=search)

    async def watch(self, request: Any, response: type[Response], changes: Changes) -> AsyncIterator[Response]:
        """Answer a question with every change from a position on, for ever. Raises LedgerError."""
        head = self._head.look()
        start = start_of(request.after_position if request.HasField("after_position") else None, head)

        async def read(after: int, until: int) -> tuple[Sequence[tuple[int, Any]], int]:
            return await self._turns.run(partial(self._changed, request, changes, after, until))

        async for step in follow(start, head, self._changes, read):
            if step.item is not None:
                yield step.item
            elif step.caught_up:
                yield response(position=step.position, caught_up=True)  # type: ignore[call-arg]
            else:
                yield response(position=step.position, checkpoint=True)  # type: ignore[call-arg]

    async def look(
        self,
        context: Context,
        query: Callable[[Read], Response],
        known: int | None = None,
        evaluated: int | None = None,
        *,
        latest: bool = False,
    ) -> Response:
        """Return what `query` makes of the views as they stand, or as known at a position; evaluated now, or when said.

        For streams whose answers follow from time as well as from the log. `latest`: the views must show every event that was
        acknowledged before. Raises LedgerError.
        """
        if known is not None:
            self._check_within(known)
        wanted = await self._latest() if latest else known or 0
        return await self._read(Place(wanted, known, None, evaluated), context, query)

    async def moved(self, position: int, timeout_seconds: float) -> bool:
        """Wait until the views stand beyond a position; False when they did not in time."""
        return await self._changes.until(position + 1, timeout_seconds)

    # Where

    async def _place(self, request: Any) -> Place:
        """Resolve `consistency` and `as_of`. A known position is waited for alone: nothing newer would be seen."""
        level = request.consistency.WhichOneof("level")
        if level == "any":
            wanted = 0
        elif level == "at_least":
            wanted = read_token(self._branch, request.consistency.at_least)
            self._check_within(wanted)
        else:
            wanted = await self._latest()
        if not request.DESCRIPTOR.fields_by_name.get("as_of") or not request.HasField("as_of"):
            return Place(wanted, None, None, None)
        as_of = request.as_of
        known: int | None = None
        evaluated: int | None = None
        which = as_of.WhichOneof("known")
        if which == "position":
            known = wanted = as_of.position
            self._check_within(wanted)
        elif which == "record_time":
            evaluated = micros(as_of.record_time)
            loop = asyncio.get_running_loop()
            known = wanted = await loop.run_in_executor(self._threads, self._log.position_at, evaluated)
        before = micros_up(as_of.occurred_before) if as_of.HasField("occurred_before") else None
        evaluated = before if before is not None else evaluated
        if as_of.HasField("evaluated_time"):
            evaluated = micros(as_of.evaluated_time)
        return Place(wanted, known, before, evaluated)

    def _continued(self, page_token: str, digest: bytes) -> Place:
        """Return the place that the first page pinned."""
        cursor = read_page_token(self._branch, page_token, digest)
        self._check_within(cursor.known_position)
        before = cursor.occurred_before_micros if cursor.HasField("occurred_before_micros") else None
        return Place(cursor.known_position, cursor.known_position, before, cursor.evaluated_time_micros, read_keys(cursor.after))

    def _check_within(self, position: int) -> None:
        if position > self._head.reached:
            check_within(position, self._head.look())

    def _page_token(self, read: Read, digest: bytes, after: Sequence[Any]) -> str:
        return write_page_token(
            PageCursor(
                ledger_id=self._branch.ledger_id,
                incarnation=self._branch.incarnation,
                position=read.position,
                known_position=read.known,
                occurred_before_micros=read.before,
                evaluated_time_micros=read.evaluated,
                arguments_digest=digest,
                after=write_keys(after),
            )
        )

    # When

    async def _read(self, place: Place, context: Context, build: Callable[[Read], Response], *, search: bool = False) -> Response:
        loop = asyncio.get_running_loop()
        remaining = context.time_remaining()
        patience = VIEWS_WAIT_SECONDS_MAX
        if remaining is not None:
            patience = min(patience, remaining - DEADLINE_RESERVE_SECONDS)
        end_time = loop.time() + patience
        while True:
            for line in (self._search, self._views) if search else (self._views,):
                if not await line.until(place.wanted, end_time - loop.time()):
                    raise _lagging(place.wanted, line.reached)
            response = await self._turns.run(partial(self._built, place, build, search=search))
            if response is not None:
                return response
            # The views were switched to a file that is not as far yet.
            self._views.look()
            await asyncio.sleep(LOOK_SECONDS)
            if loop.time() >= end_time:
                raise _lagging(place.wanted, self._views.reached)

    # In a thread

    def _built(self, place: Place, build: Callable[[Read], Response], *, search: bool) -> Response | None:
        with self._snapshots.snapshot() as snapshot:
            if snapshot is None or snapshot.position < place.wanted:
                return None
            known = snapshot.position if place.known is None else place.known
            if search and place.known is None:
                known = min(known, self._snapshots.search_position())
            return build(
                Read(
                    db=snapshot.db,
                    position=snapshot.position,
                    known=known,
                    before=place.before,
                    evaluated=self._evaluated(place),
                    log=self._log,
                    content=self._content,
                )
            )

    def _evaluated(self, place: Place) -> int:
        if place.evaluated is not None:
            return place.evaluated
        record_time = None if place.known is None else self._record_time(place.known)
        return self._now() if record_time is None else record_time

    def _changed(self, request: Any, changes: Changes, after: int, until: int) -> tuple[Sequence[tuple[int, Any]], int]:
        with self._snapshots.snapshot() as snapshot:
            known = 0 if snapshot is None else min(until, snapshot.position, after + WATCH_POSITIONS_MAX)
            if snapshot is None or known <= after:
                return (), after
            read = Read(
                db=snapshot.db,
                position=snapshot.position,
                known=known,
                before=None,
                evaluated=self._now(),
                log=self._log,
                content=self._content,
            )
            return changes(read, request, after)

    def _made(self, response: type[Response], result: Any, read: Read) -> Response:
        """Return a result and where it was read. CopyFrom, because a constructor takes twice as long to copy a long list."""
        made: Any = response()
        # An empty one is one, too.
        made.result.SetInParent()
        made.result.CopyFrom(result)
        made.read_at.CopyFrom(self._read_at(read))
        answer: Response = made
        return answer

    def _read_at(self, read: Read) -> ReadAt:
        record_time = self._record_time(read.known)
        return ReadAt(
            position=read.known,
            record_time=None if record_time is None else timestamp(record_time),
            evaluated_time=timestamp(read.evaluated),
            disclosure_class=DISCLOSURE_CLASS,
            erasures_known=0,
            view_version=self._view_version,
            node=self._node,
            token=write_token(self._branch, read.known),
        )

    def _record_time(self, position: int) -> int | None:
        # Most questions stand at the same position as the one before.
        known, record_time = self._last_record_time
        if known == position:
            return record_time
        row = self._log.read_positions([position]).get(position)
        if row is None:
            return None
        self._last_record_time = position, row.record_time
        return row.record_time


def _lagging(wanted: int, reached: int) -> LedgerError:
    return LedgerError(
        VIEWS_LAGGING,
        f"The views stand at position {reached} and did not reach {wanted} in time: try again in {RETRY_SECONDS} s, "
        "or accept an older answer with `any`.",
        retry_after_seconds=RETRY_SECONDS,
        wanted=wanted,
        reached=reached,
    )
