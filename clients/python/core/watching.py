"""The one shape of all Watch RPCs: a position, and one of an item, `caught_up`, `checkpoint` or `membership_changed`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from clients.python.core.arguments import fill
from clients.python.core.calls import Rpc
from clients.python.core.following import Change, Feed, Following, MarkName

R = TypeVar("R", bound=Message)
T = TypeVar("T")


def watch(
    rpc: Rpc[Any, R],
    item_field: str,
    key: Callable[[T], object],
    after_position: int | None,
    timeout_seconds: float | None,
    filter_type: type[Message],
    which: Mapping[str, Any],
    **fields: Any,
) -> Feed[R, T]:
    """Return the feed of a Watch RPC whose items stand in `item_field` of its answers."""
    template = rpc.request()
    fill(template, fields)
    wanted = filter_type()
    fill(wanted, which)
    if wanted.ByteSize():
        cast(Any, template).filter.CopyFrom(wanted)

    def request(following: Following[Any, Any]) -> Message:
        message = rpc.request()
        message.CopyFrom(template)
        message.after_position = following.position
        return cast(Message, message)

    def read(response: R) -> Iterator[Change[T]]:
        answer = cast(Any, response)
        kind = answer.WhichOneof("item")
        if kind == item_field:
            yield Change(answer.position, getattr(answer, item_field))
        elif kind is not None:
            yield Change(answer.position, mark=cast(MarkName, kind))

    return Feed(rpc, request, read, key, after_position, timeout_seconds=timeout_seconds)
