"""The outermost wrapper: whatever goes wrong is told by reason, and no exception's text or content reaches a caller or the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from ledger.api.v1.errors_pb2 import QUEUE_FULL
from ledger.api.v1.ledger_service_pb2 import GetHeadRequest
from ledger.errors import LedgerError
from ledger.privacy.vault import VaultUnavailableError
from ledger.server import call as module
from ledger.server.call import Read, stream, unary
from ledger.server.limits import CallClass, Gate
from tests.refusals import Refusal, refusal_of

SECRET = "anne@example.org"


class AbortedError(Exception):
    """What a context raises when the call is ended, with what a caller would see of it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailer: Any) -> None:
        super().__init__(details)
        self._all = code, details, trailer

    def code(self) -> grpc.StatusCode:
        return self._all[0]

    def details(self) -> str:
        return self._all[1]

    def trailing_metadata(self) -> Any:
        return self._all[2]


class Context:
    """A call's context: a deadline, what was written, and how it was ended."""

    def __init__(self, remaining: float | None = 5.0) -> None:
        self._remaining = remaining
        self.written: list[Any] = []

    def time_remaining(self) -> float | None:
        return self._remaining

    async def write(self, item: Any) -> None:
        self.written.append(item)

    async def abort(self, code: grpc.StatusCode, details: str, trailer: Any = ()) -> None:
        raise AbortedError(code, details, trailer)


def any_request(request: Any) -> None:
    """Find nothing wrong."""


READ = Read(GetHeadRequest.FromString, any_request)


def gate(limit: int = 10) -> Gate:
    return Gate(CallClass.READ, limit)


def refused(call: Callable[[bytes, Any], Awaitable[Any]], content: bytes = b"", context: Context | None = None) -> Refusal:
    with pytest.raises(AbortedError) as aborted:
        asyncio.run(call(content, context or Context()))  # type: ignore[arg-type]
    return refusal_of(aborted.value)


def failing(error: Exception) -> Callable[[Any, Any], Awaitable[str]]:
    async def handler(request: Any, context: Any) -> str:
        raise error

    return handler


async def answering(request: Any, context: Any) -> str:
    return "answer"


def test_an_answer_is_passed_on() -> None:
    assert asyncio.run(unary(answering, gate(), READ)(b"", Context())) == "answer"  # type: ignore[arg-type]


def test_a_refusal_is_told_with_its_details() -> None:
    error = LedgerError(QUEUE_FULL, "full", retry_after_seconds=0.5, queue_events=7)

    refusal = refused(unary(failing(error), gate(), READ))

    assert refusal == Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", {"queue_events": "7"}, [], 0.5)


def test_an_unforeseen_error_is_told_by_an_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        refusal = refused(unary(failing(ValueError(f"no {SECRET} here")), gate(), READ))

    assert ("INTERNAL_ERROR", grpc.StatusCode.INTERNAL) == (refusal.reason, refusal.code)
    assert SECRET not in refusal.message
    assert refusal.metadata["error_id"] in caplog.text
    assert "test_call.py" in caplog.text
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


def test_the_causes_of_an_error_are_logged_without_their_texts(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(request: Any, context: Any) -> str:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(SECRET) from error

    with caplog.at_level(logging.ERROR):
        refused(unary(handler, gate(), READ))

    assert "KeyError" in caplog.text
    assert SECRET not in caplog.text


def test_a_vault_that_does_not_answer_is_told_as_such() -> None:
    refusal = refused(unary(failing(VaultUnavailableError("disk gone")), gate(), READ))

    assert ("VAULT_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE) == (refusal.reason, refusal.code)
    assert "disk gone" not in refusal.message


def test_bytes_that_are_no_message_are_refused() -> None:
    refusal = refused(unary(answering, gate(), READ), b"\xff\xff\xff")

    assert ("FIELD_INVALID", grpc.StatusCode.INVALID_ARGUMENT) == (refusal.reason, refusal.code)


def test_a_request_that_breaks_a_rule_never_reaches_the_handler() -> None:
    def bad(request: Any) -> None:
        raise LedgerError(QUEUE_FULL, "bad")

    assert refused(unary(failing(AssertionError()), gate(), Read(GetHeadRequest.FromString, bad))).message == "bad"


def test_calls_beyond_the_limit_of_their_class_are_refused_with_a_delay() -> None:
    refusal = refused(unary(answering, gate(limit=0), READ))

    assert ("CALLS_EXHAUSTED", grpc.StatusCode.RESOURCE_EXHAUSTED) == (refusal.reason, refusal.code)
    assert refusal.retry_seconds is not None


def test_a_call_that_failed_gives_its_place_back() -> None:
    one = gate(limit=1)

    refused(unary(failing(ValueError()), one, READ))

    assert one.count == 0


@pytest.mark.parametrize("remaining", [None, 3600.0])
def test_a_call_without_a_deadline_or_with_a_long_one_ends_at_the_servers_own(
    remaining: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNARY_SECONDS_MAX", 0.01)

    async def slow(request: Any, context: Any) -> str:
        await asyncio.sleep(30)
        return "late"

    refusal = refused(unary(slow, gate(), READ), context=Context(remaining))

    assert ("DEADLINE_PASSED", grpc.StatusCode.DEADLINE_EXCEEDED) == (refusal.reason, refusal.code)


def counting(end: Exception | None) -> Callable[[Any, Any], AsyncIterator[int]]:
    async def handler(request: Any, context: Any) -> AsyncIterator[int]:
        yield 1
        yield 2
        if end is not None:
            raise end

    return handler


def test_a_stream_is_written_item_by_item() -> None:
    async def run() -> list[Any]:
        context = Context()
        await stream(counting(None), gate(), READ, asyncio.Event())(b"", context)  # type: ignore[arg-type]
        return context.written

    assert asyncio.run(run()) == [1, 2]


def test_a_stream_that_fails_is_told_without_the_text() -> None:
    async def run() -> None:
        await stream(counting(ValueError(SECRET)), gate(), READ, asyncio.Event())(b"", Context())  # type: ignore[arg-type]

    with pytest.raises(AbortedError) as aborted:
        asyncio.run(run())

    refusal = refusal_of(aborted.value)
    assert refusal.reason == "INTERNAL_ERROR"
    assert SECRET not in refusal.message


def test_a_stream_ends_at_once_when_the_server_stops_and_its_handler_is_cleaned_up() -> None:
    cleaned: list[bool] = []

    async def endless(request: Any, context: Any) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            cleaned.append(True)

    async def run() -> Refusal:
        stopping = asyncio.Event()
        call = asyncio.ensure_future(stream(endless, gate(), READ, stopping)(b"", Context()))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        stopping.set()
        with pytest.raises(AbortedError) as aborted:
            await call
        return refusal_of(aborted.value)

    refusal = asyncio.run(run())

    assert ("SHUTTING_DOWN", grpc.StatusCode.UNAVAILABLE) == (refusal.reason, refusal.code)
    assert cleaned == [True]
