"""Questions for figures and their definitions. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, Unpack

from google.protobuf.duration_pb2 import Duration

from clients.python.core.arguments import EnumsLike, Names, ReadOptions, invalid
from clients.python.core.calls import Call, Rpc, ask
from ledger.api.v1.figure_pb2 import (
    GetFiguresRequest,
    GetFiguresResponse,
    ListFigureDefinitionsRequest,
    ListFigureDefinitionsResponse,
)

FIGURES: Final = Rpc("InsightService", "GetFigures", GetFiguresRequest, GetFiguresResponse)
DEFINITIONS: Final = Rpc("InsightService", "ListFigureDefinitions", ListFigureDefinitionsRequest, ListFigureDefinitionsResponse)

LocalLike = str | date | datetime
"""A date (its first instant) or a local date and time without a zone: `"2026-03-28"`, `date(2026, 3, 28)`, `"2026-03-28T14:30"`."""


def figures(
    names: Names = (),
    *,
    set: str | None = None,
    from_local: LocalLike | None = None,
    to_local: LocalLike | None = None,
    zone: str | None = None,
    by: EnumsLike = (),
    channels: Names = (),
    departments: Names = (),
    exact: bool = False,
    evidence_limit: int | None = None,
    window: timedelta | None = None,
    answered_within: timedelta | None = None,
    **read: Unpack[ReadOptions],
) -> Call[GetFiguresResponse, GetFiguresResponse]:
    """Return figures of a period, in `result`: those named, or those of a set, by default of `baseline`.

    The period is half-open and local in `zone` (default: the ledger's home zone). `by`: `"channel"`, `"department"`, `"hour"`, …;
    `evidence_limit`: so many members to name; `exact`: single values one by one; `window`: of first-contact resolution and repeats;
    `answered_within`: of the service level. What each figure means: `figure_definitions()`.

    Example:
        >>> answer = client.figures("first_response", from_local="2026-01-01", to_local="2027-01-01", by="channel")
        >>> {row.values[0]: row.value for row in answer.result.figures[0].rows}
        {'email': 8040.0, 'phone': 22.0}
    """
    fields: dict[str, Any] = {
        "names": names,
        "set": set,
        "from_local": _local(from_local, "from_local"),
        "to_local": _local(to_local, "to_local"),
        "zone": zone,
        "slices": by,
        "channels": channels,
        "departments": departments,
        "exact": exact,
        "evidence_limit": evidence_limit,
        "window": _duration(window),
        "answered_within": _duration(answered_within),
    }
    return ask(FIGURES, read, **fields)


def figure_definitions(
    *, timeout_seconds: float | None = None
) -> Call[ListFigureDefinitionsResponse, ListFigureDefinitionsResponse]:
    """Return what each figure means, and the sets, in `result`.

    Example:
        >>> [one.name for one in client.figure_definitions().result.sets]
        ['baseline', 'desk', 'departments', 'promises', 'staffing', 'handling', 'process']
    """
    return ask(DEFINITIONS, {"timeout_seconds": timeout_seconds})


def _local(said: LocalLike | None, field: str) -> str | None:
    if said is None or isinstance(said, str):
        return said
    if isinstance(said, datetime):
        if said.tzinfo is not None:
            raise invalid(field, "the time has a zone: give it local, and the zone apart")
        return said.isoformat(timespec="seconds")
    return said.isoformat()


def _duration(said: timedelta | None) -> Duration | None:
    if said is None:
        return None
    message = Duration()
    message.FromTimedelta(said)
    return message
