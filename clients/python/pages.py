"""Lists that fetch their pages as they are walked through, sync and aio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import Message

from clients.python.core.calls import Call, Listing
from ledger.api.v1.consistency_pb2 import ReadAt

R = TypeVar("R", bound=Message)
T = TypeVar("T")


class Pages(Generic[R, T]):
    """The rows of a list, one page fetched at a time while you iterate. Walking again gives the same rows.

    All pages stand at the position and times of the first one (`read_at`), whatever is recorded meanwhile.

    Example:
        >>> pending = client.handoffs(pending=True)
        >>> print(f"as of position {pending.read_at.position}")
        >>> for handoff in pending:
        ...     print(handoff.handoff_id)
    """

    def __init__(self, listing: Listing[R, T], run: Callable[[Call[R, R]], R]) -> None:
        self._listing = listing
        self._run = run
        self._first: R | None = None

    @property
    def first(self) -> R:
        """The answer with the first page, as the API gives it; fetched when it is not there yet."""
        if self._first is None:
            self._first = self._run(self._listing.first)
        return self._first

    @property
    def read_at(self) -> ReadAt:
        """Position and times that the whole list stands at."""
        return cast(ReadAt, cast(Any, self.first).read_at)

    def __iter__(self) -> Iterator[T]:
        page = self.first
        while True:
            yield from self._listing.items(page)
            call = self._listing.after(page)
            if call is None:
                return
            page = self._run(call)


class AsyncPages(Generic[R, T]):
    """As `Pages`, for `async for`. Await it to have the first page, and with it `first` and `read_at`.

    Example:
        >>> pending = await client.handoffs(pending=True)
        >>> print(f"as of position {pending.read_at.position}")
        >>> async for handoff in pending:
        ...     print(handoff.handoff_id)
    """

    def __init__(self, listing: Listing[R, T], run: Callable[[Call[R, R]], Awaitable[R]]) -> None:
        self._listing = listing
        self._run = run
        self._first: R | None = None

    def __await__(self) -> Generator[Any, None, AsyncPages[R, T]]:
        yield from self._fetch_first().__await__()
        return self

    @property
    def first(self) -> R:
        """The answer with the first page, as the API gives it. Await the list, or walk it, before."""
        if self._first is None:
            raise RuntimeError("No page has been fetched yet: await the list first.")
        return self._first

    @property
    def read_at(self) -> ReadAt:
        """Position and times that the whole list stands at. Await the list, or walk it, before."""
        return cast(ReadAt, cast(Any, self.first).read_at)

    async def __aiter__(self) -> AsyncIterator[T]:
        page = await self._fetch_first()
        while True:
            for item in self._listing.items(page):
                yield item
            call = self._listing.after(page)
            if call is None:
                return
            page = await self._run(call)

    async def _fetch_first(self) -> R:
        if self._first is None:
            self._first = await self._run(self._listing.first)
        return self._first
