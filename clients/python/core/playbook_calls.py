"""Questions about playbooks: what they did, and what people did instead. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, Unpack

from clients.python.core.arguments import ListOptions, Names
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.playbook_service_pb2 import (
    ListPlaysRequest,
    ListPlaysResponse,
    ListRefusedPlaysRequest,
    ListRefusedPlaysResponse,
    Play,
    PlayFilter,
)

SERVICE: Final = "PlaybookService"
LIST: Final = Rpc(SERVICE, "ListPlays", ListPlaysRequest, ListPlaysResponse)
LIST_REFUSED: Final = Rpc(SERVICE, "ListRefusedPlays", ListRefusedPlaysRequest, ListRefusedPlaysResponse)


class PlayListOptions(ListOptions, total=False):
    """Which plays, and the list options. `overridden`: only those that a person overrode, wholly or in part."""

    playbooks: Names | None
    request_id: str | None
    trigger_event_id: str | None
    overridden: bool | None


def plays(**which: Unpack[PlayListOptions]) -> Listing[ListPlaysResponse, Play]:
    """List plays, newest first: what a playbook did when an event set it off, step by step, with overrides.

    Example:
        >>> for play in client.plays(request_id="r-1"):
        ...     print(play.playbook, [step.stream for step in play.steps])
    """
    return Listing(ask(LIST, which, filter_type=PlayFilter), lambda page: page.result.plays)


def refused_plays(
    limit: int | None = None, *, timeout_seconds: float | None = None
) -> Call[ListRefusedPlaysResponse, ListRefusedPlaysResponse]:
    """Return the plays that the node asked could not record, newest first, with the reason.

    Example:
        >>> [(play.playbook, play.reason) for play in client.refused_plays().plays]
        [('stolen_phone', 'MOVE_NOT_ALLOWED')]
    """
    return ask(LIST_REFUSED, {"timeout_seconds": timeout_seconds}, limit=limit)
