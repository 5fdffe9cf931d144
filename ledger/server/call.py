"""The outermost wrapper of every call: limits, deadline, validation, and how whatever goes wrong is told.

No exception's text reaches a caller. What is not foreseen becomes INTERNAL_ERROR with an error id, and the server's log holds the
traceback under that id: places in the code and types, never the exception's text, because it may hold content.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Generic, NoReturn, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError

from ledger.api.v1.errors_pb2 import (
    DEADLINE_PASSED,
    FIELD_INVALID,
    INTERNAL_ERROR,
    NEEDS_UPGRADE,
    SHUTTING_DOWN,
    VAULT_UNAVAILABLE,
)
from ledger.catalogue import UnknownTopicError
from ledger.errors import LedgerError
from ledger.privacy.vault import VaultUnavailableError
from ledger.server.limits import RETRY_SECONDS, UNARY_SECONDS_MAX, Gate
from ledger.status import status_code, status_of

log = logging.getLogger("tellonce.server")

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Any, Any]
Check = Callable[[Any], None]

STATUS_BYTES_MAX: Final = 4_000
"""gRPC drops trailers above 8 KiB, and binary ones grow by a third: a longer status loses its field violations."""


class Read(Generic[Request]):
    """Reads and checks a request. Raises LedgerError."""

    def __init__(self, parse: Callable[[bytes], Request], check: Check) -> None:
        self._parse = parse
        self._check = check

    def __call__(self, content: bytes) -> Request:
        """Return the request in these bytes."""
        try:
            request = self._parse(content)
        except DecodeError:
            raise LedgerError(
                FIELD_INVALID, "The request is no message of its type: generate the client from the ledger's own protos."
            ) from None
        self._check(request)
        return request


def unary(
    function: Callable[[Request, Context], Awaitable[Response]], gate: Gate, read: Read[Request]
) -> Callable[[bytes, Context], Awaitable[Response]]:
    """Wrap a handler that answers once."""

    async def call(content: bytes, context: Context) -> Response:
        try:
            with gate:
                request = read(content)
                remaining = context.time_remaining()
                if remaining is not None and remaining <= UNARY_SECONDS_MAX:
                    return await function(request, context)
                async with asyncio.timeout(UNARY_SECONDS_MAX):
                    return await function(request, context)
        except LedgerError as error:
            await refuse(context, error)
        except TimeoutError:
            await refuse(context, _deadline_passed())
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await refuse(context, refusal_of(error))

    return call


def stream(
    function: Callable[[Request, Context], AsyncIterator[Response]], gate: Gate, read: Read[Request], stopping: asyncio.Event
) -> Callable[[bytes, Context], Awaitable[None]]:
    """Wrap a handler that answers with a stream. When the server stops it ends at once: stop() would wait for it otherwise."""

    async def send(request: Request, context: Context) -> None:
        async for item in function(request, context):
            await context.write(item)

    async def call(content: bytes, context: Context) -> None:
        try:
            with gate:
                await unless_stopping(send(read(content), context), stopping)
        except LedgerError as error:
            await refuse(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            await refuse(context, refusal_of(error))

    return call


async def unless_stopping(work: Awaitable[None], stopping: asyncio.Event) -> None:
    """Await `work`, or raise LedgerError (SHUTTING_DOWN) as soon as the server stops."""
    working = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise LedgerError(
                SHUTTING_DOWN,
                "The server is stopping: resume from the last position received.",
                retry_after_seconds=RETRY_SECONDS,
            )
        working.result()
    finally:
        stopped.cancel()
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def refuse(context: Context, error: LedgerError) -> NoReturn:
    """End the call with the error's status, its details in the trailer."""
    status = status_of(error)
    if status.ByteSize() > STATUS_BYTES_MAX:
        del status.details[1:]
        status.message = status.message[:1_000]
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(status_code(error), status.message, trailer)


def refusal_of(error: BaseException) -> LedgerError:
    """Return what a caller is told of an exception that is no refusal."""
    if isinstance(error, VaultUnavailableError):
        log.warning("vault unavailable: %s", _places(error))
        return LedgerError(
            VAULT_UNAVAILABLE,
            f"The vault does not answer, so sealed content cannot be opened: try again in {RETRY_SECONDS} s; nothing is lost.",
            retry_after_seconds=RETRY_SECONDS,
        )
    if isinstance(error, UnknownTopicError):
        return LedgerError(NEEDS_UPGRADE, str(error), topic=error.topic, position=error.position)
    error_id = uuid4().hex
    log.error("error %s: %s", error_id, _places(error))
    return LedgerError(
        INTERNAL_ERROR,
        f"Something unforeseen happened: the server's log explains it under the error id {error_id}.",
        error_id=error_id,
    )


def _deadline_passed() -> LedgerError:
    return LedgerError(
        DEADLINE_PASSED,
        f"The call did not end within {UNARY_SECONDS_MAX:g} s, the longest time a call may take: ask for less; "
        "after an append, send the same events again with the same ids.",
        seconds_max=UNARY_SECONDS_MAX,
    )


def _places(error: BaseException) -> str:
    """Describe an exception and its causes by type and place in the code, without their texts."""
    lines: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(cause.__traceback__))
        cause = cause.__cause__ or cause.__context__
    return "\n".join(lines)
