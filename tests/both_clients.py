"""The aio client behind the surface of the sync one, so that one test asks both."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from clients.python import AsyncBatcher, AsyncClient, AsyncPages, AsyncSubscription, Client


class Blocking:
    """An object of the aio client whose coroutines are waited for, in a loop of another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._wrapped(self._run(lambda: found(*args, **kwargs)))

        return call

    def __iter__(self) -> Iterator[Any]:
        return self._iterate(self._inner)

    def changes(self) -> Iterator[Any]:
        return self._iterate(self._inner.changes())

    def __enter__(self) -> Blocking:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._run(lambda: self._inner.__aexit__(*exc_info))

    @property
    def read_at(self) -> Any:
        async def first_page() -> Any:
            return (await self._inner).read_at

        return self._run(first_page)

    def _iterate(self, inner: Any) -> Iterator[Any]:
        walked = inner.__aiter__()

        async def following() -> Any:
            return await anext(walked, _END)

        async def end() -> None:
            await walked.aclose()

        try:
            while (item := self._run(following)) is not _END:
                yield item
        finally:
            self._run(end)

    def _run(self, make: Callable[[], Any]) -> Any:
        async def run() -> Any:
            made = make()
            return await made if inspect.iscoroutine(made) else made

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)

    def _wrapped(self, made: Any) -> Any:
        if isinstance(made, asyncio.Future):
            return BlockingFuture(self._loop, made)
        return Blocking(self._loop, made) if isinstance(made, AsyncPages | AsyncSubscription | AsyncBatcher) else made


class BlockingFuture:
    """A future of the loop, waited for from outside."""

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self._loop = loop
        self._future = future

    def result(self, timeout: float = 60) -> Any:
        async def wait() -> Any:
            return await self._future

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(timeout)

    def exception(self) -> BaseException | None:
        try:
            self.result()
        except Exception as error:
            return error
        return None

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Call back in the thread of the loop, with the future of the loop."""
        self._loop.call_soon_threadsafe(self._future.add_done_callback, callback)


_END = object()


class Both:
    """Makes clients of one kind, `sync` or `aio`, and closes them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._made: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __call__(self, target: str, **options: Any) -> Any:
        client: Any = Client(target, **options) if self.kind == "sync" else Blocking(self._loop, AsyncClient(target, **options))
        self._made.append(client)
        return client

    def close(self) -> None:
        for client in self._made:
            client.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
