"""Appending groups of any number: how they are cut into calls, and what the answers mean.

Pure. One `Piece` is one call of Append; sending it again is always safe, because the events carry their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from clients.python.core.arguments import invalid
from clients.python.core.calls import Call, Rpc
from clients.python.core.faults import Fault, fault_of_status
from clients.python.errors import InvalidError, TellonceError, UnavailableError
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended, AppendRequest, AppendResponse, EventGroup, Lane

APPEND: Final = Rpc("LedgerService", "Append", AppendRequest, AppendResponse)
EVENTS_MAX: Final = 1000
"""Events in a call at most."""
BYTES_MAX: Final = 900 * 1024
"""Bytes in a call at most: below the ledger's limit of 1 MiB by the room that framing and metadata may need."""

LaneLike: TypeAlias = Literal["interactive", "bulk"]
"""Which lane an append takes: `bulk` is admitted only while the views keep up, so it takes freshness from nobody."""

LANES: Final[dict[str, Lane.ValueType]] = {"interactive": Lane.INTERACTIVE, "bulk": Lane.BULK}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a group: either all of `appended`, in the order of the group, or `error`.

    `Appended.duplicate` says that an earlier append recorded it; that may be an earlier attempt of the same call.

    Example:
        >>> for result in client.append_groups(groups):
        ...     if result.error:
        ...         print(result.error.reason, result.error)
    """

    appended: tuple[Appended, ...] = ()
    error: TellonceError | None = None

    def get(self) -> list[Appended]:
        """Return where the events were recorded; raise the error if the group was refused."""
        if self.error is not None:
            raise self.error
        return list(self.appended)


class Again(Exception):  # noqa: N818 - not an error: a sign to send the rest once more
    """Some groups of a call were not recorded for a reason that passes; the rest of the call has to be sent once more."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault.error))
        self.fault = fault


class Piece:
    """One call of Append, and what has become of its groups so far. A single event is a group of its own.

    `call` asks for the groups that have no result yet: it shrinks when an answer settles some of them only.
    """

    def __init__(self, groups: Sequence[EventToAppend | EventGroup], lane: LaneLike, timeout_seconds: float | None = None) -> None:
        self.group_count = len(groups)
        if lane not in LANES:
            raise invalid("lane", f"{lane} is not one of {', '.join(LANES)}")
        self._request = AppendRequest(lane=LANES[lane])
        for one in groups:
            if isinstance(one, EventToAppend):
                self._request.groups.add().events.append(one)
            else:
                self._request.groups.append(one)
        self.call = Call(APPEND, self._request, self._take, timeout_seconds=timeout_seconds, appends=True)
        self.failed: TellonceError | None = None
        """Why the whole call failed for good, if it did."""
        self._results: list[Result] = []
        # What an earlier attempt recorded beyond the results.
        self._recorded: dict[int, Result] = {}

    def _take(self, response: AppendResponse) -> list[Result]:
        results: list[Result] = []
        settled = 0
        again: Fault | None = None
        for number, one in enumerate(response.results, len(self._results)):
            if one.HasField("error"):
                fault = fault_of_status(one.error)
                again = again or (fault if fault.passing else None)
                results.append(Result(error=fault.error))
            else:
                # The first answer for a group counts: later ones would call its events duplicates.
                results.append(self._recorded.setdefault(number, Result(tuple(one.appended))))
            settled += again is None
        # What follows a group that was not recorded may have been refused for that alone: it is sent again with it.
        self._results += results[:settled]
        if again is not None:
            del self._request.groups[:settled]
            raise Again(again)
        return self._results

    def given_up(self, error: TellonceError) -> list[Result]:
        """Return the results when the call failed for good with `error`."""
        self.failed = error
        rest = range(len(self._results), self.group_count)
        return self._results + [self._recorded.get(number, Result(error=error)) for number in rest]


def not_sent(failed: TellonceError) -> UnavailableError:
    """Return the error of what was not sent because a call before it failed."""
    return UnavailableError("NOT_SENT", f"Not sent, because a call before it failed: {failed.message}", failed.metadata)


def pieces(groups: Iterable[EventGroup], lane: LaneLike, timeout_seconds: float | None = None) -> Iterator[Piece]:
    """Cut groups into calls within the limits, in order. InvalidError before anything is sent for a group that no call can hold."""
    groups = list(groups)
    for group in groups:
        check_size(group)
    taken: list[EventGroup] = []
    events = size = 0
    for group in groups:
        group_events, group_size = len(group.events), group_bytes(group)
        if taken and (events + group_events > EVENTS_MAX or size + group_size > BYTES_MAX):
            yield Piece(taken, lane, timeout_seconds)
            taken, events, size = [], 0, 0
        taken.append(group)
        events += group_events
        size += group_size
    if taken:
        yield Piece(taken, lane, timeout_seconds)


def group_bytes(group: EventToAppend | EventGroup) -> int:
    """Return the bytes a group takes in a call: its own, and its tags and lengths at most."""
    return group.ByteSize() + 10


def check_size(group: EventToAppend | EventGroup) -> int:
    """Return how many events a group has. Refuse one that no call can hold: it is atomic, so nobody may cut it."""
    event_count = 1 if isinstance(group, EventToAppend) else len(group.events)
    if event_count > EVENTS_MAX:
        raise _too_large("events", event_count, EVENTS_MAX)
    if (size := group_bytes(group)) > BYTES_MAX:
        raise _too_large("bytes", size, BYTES_MAX)
    return event_count


def _too_large(what: str, found: int, most: int) -> InvalidError:
    return InvalidError(
        "APPEND_TOO_LARGE",
        f"A group of {found} {what} is more than a call can hold ({most}), and nobody may cut it: make smaller ones.",
        {what: str(found), f"{what}_max": str(most)},
    )
