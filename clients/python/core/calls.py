"""What a call is, before anything is sent: which RPC, which request, what to make of the answer.

Pure. core/*_calls.py make these; the drivers in client.py and aio.py run them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from google.protobuf.message import Message

from clients.python.core.arguments import ConsistencyLike, as_of_message, fill

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Q, R]):
    """One RPC of the API, by service and method, with the messages it takes and gives."""

    service: str
    method: str
    request: type[Q]
    response: type[R]

    @property
    def path(self) -> str:
        """The path under which gRPC knows it."""
        return f"/ledger.api.v1.{self.service}/{self.method}"


@dataclass(slots=True)
class Call(Generic[R, T]):
    """One call of an RPC with one answer."""

    rpc: Rpc[Any, R]
    request: Message
    take: Callable[[R], T]
    """Makes the result of the answer. May raise `core.appending.Again` for what has to be sent once more."""
    consistency: ConsistencyLike | None = None
    timeout_seconds: float | None = None
    appends: bool = False


@dataclass(slots=True)
class Listing(Generic[R, T]):
    """A list that comes in pages."""

    first: Call[R, R]
    items: Callable[[R], Sequence[T]]

    def after(self, page: R) -> Call[R, R] | None:
        """Return the call for the page after this one; None when it is the last."""
        token = cast(Any, page).next_page_token
        if not token:
            return None
        request = type(self.first.request)()
        request.CopyFrom(self.first.request)
        cast(Any, request).page_token = token
        return Call(self.first.rpc, request, whole, None, self.first.timeout_seconds)


def show_signature(method: Callable[..., Any], plan: Callable[..., Any]) -> None:
    """Give a client's method the signature of the function that makes its call, with `self` before it, so that `help` is right."""
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    signature = inspect.signature(plan)
    method.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])  # type: ignore[attr-defined]


def whole(response: T) -> T:
    """Take the answer as it is."""
    return response


def ask(rpc: Rpc[Any, R], options: Mapping[str, Any], *, filter_type: type[Message] | None = None, **fields: Any) -> Call[R, R]:
    """Return a call of a query.

    `fields` are the request's own; `options` are the read options and, with `filter_type`, the fields of its filter.
    """
    rest = dict(options)
    as_of = rest.pop("as_of", None)
    consistency = rest.pop("consistency", None)
    timeout_seconds = rest.pop("timeout_seconds", None)
    request = rpc.request()
    if as_of is not None:
        cast(Any, request).as_of.CopyFrom(as_of_message(as_of))
    if "page_size" in rest:
        fields["page_size"] = rest.pop("page_size")
    fill(request, fields)
    if filter_type is not None:
        wanted = filter_type()
        fill(wanted, rest)
        if wanted.ByteSize():
            cast(Any, request).filter.CopyFrom(wanted)
    elif rest:
        raise TypeError(f"There is no argument {next(iter(rest))!r} to this question.")
    return Call(rpc, request, whole, consistency, timeout_seconds)
