"""Questions about improvements. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.improvement_service_pb2 import (
    CountImprovementsRequest,
    CountImprovementsResponse,
    GetImprovementRequest,
    GetImprovementResponse,
    Improvement,
    ImprovementFilter,
    ListImprovementsRequest,
    ListImprovementsResponse,
)

SERVICE: Final = "ImprovementService"
GET: Final = Rpc(SERVICE, "GetImprovement", GetImprovementRequest, GetImprovementResponse)
LIST: Final = Rpc(SERVICE, "ListImprovements", ListImprovementsRequest, ListImprovementsResponse)
COUNT: Final = Rpc(SERVICE, "CountImprovements", CountImprovementsRequest, CountImprovementsResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    open: bool | None
    problems: Names | None
    departments: Names | None
    steps: Names | None
    figures: Names | None
    effects: EnumsLike | None
    evidence_event_id: str | None


class ImprovementOptions(ReadOptions, _Which, total=False):
    """Which improvements, and the read options. `departments`: those that answer for it; `effects` as `"effect_better"`, …."""


class ImprovementListOptions(ListOptions, _Which, total=False):
    """Which improvements, and the list options."""


def improvement(improvement_id: str, **read: Unpack[ReadOptions]) -> Call[GetImprovementResponse, GetImprovementResponse]:
    """Return one improvement with the events that show its problem, in `result`.

    Example:
        >>> [event.topic for event in client.improvement("i-1").result.evidence]
        ['handoff-returned']
    """
    return ask(GET, read, improvement_id=improvement_id)


def improvements(**which: Unpack[ImprovementListOptions]) -> Listing[ListImprovementsResponse, Improvement]:
    """List improvements, oldest first.

    Example:
        >>> for improvement in client.improvements(open=True, departments="shipping"):
        ...     print(improvement.improvement_id, improvement.problem)
    """
    return Listing(ask(LIST, which, filter_type=ImprovementFilter), lambda page: page.result.improvements)


def count_improvements(
    group_by: EnumsLike = (), **which: Unpack[ImprovementOptions]
) -> Call[CountImprovementsResponse, CountImprovementsResponse]:
    """Count improvements, in groups: `"state"`, `"problem"`, `"step"`, `"figure"`, `"effect"`.

    Example:
        >>> [(row.values, row.count) for row in client.count_improvements("effect").result.rows]
        [(['EFFECT_BETTER'], 7), ([''], 3)]
    """
    return ask(COUNT, which, filter_type=ImprovementFilter, group_by=group_by)
