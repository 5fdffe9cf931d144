"""What a gRPC error says, as tests compare it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

Detail = TypeVar("Detail", bound=Message)


class Refusal(NamedTuple):
    """A refused call."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    fields: list[str]
    """Fields at fault."""
    retry_seconds: float | None


def refusal_of(error: Any) -> Refusal:
    """Return what a gRPC error says. It must carry the ledger's own details."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert packed is not None, f"{error.code()} without details: {error.details()}"
    status = Status.FromString(packed)
    assert (error.code().value[0], error.details()) == (status.code, status.message)
    info = _detail(status, ErrorInfo)
    assert info is not None
    assert info.domain == "tellonce"
    bad, retry = _detail(status, BadRequest), _detail(status, RetryInfo)
    return Refusal(
        code=error.code(),
        reason=info.reason,
        message=status.message,
        metadata=dict(info.metadata),
        fields=[violation.field for violation in bad.field_violations] if bad else [],
        retry_seconds=retry.retry_delay.ToMilliseconds() / 1_000 if retry else None,
    )


def refused(call: Callable[[Any], Any], request: Any) -> Refusal:
    """Call and return how it was refused."""
    with pytest.raises(grpc.RpcError) as raised:
        _finish(call(request))
    return refusal_of(raised.value)


def refused_or_none(call: Callable[[Any], Any], request: Any) -> Refusal | None:
    """Call and return how it was refused; None when it was not."""
    try:
        _finish(call(request))
    except grpc.RpcError as error:
        return refusal_of(error)
    return None


def _finish(answer: Any) -> None:
    """Take what a stream has, so that its end shows; an answer that is no stream is there already."""
    if hasattr(answer, "__iter__"):
        for _ in answer:
            pass


def _detail(status: Status, kind: type[Detail]) -> Detail | None:
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None
