"""Questions about journeys, repeat contacts, and what customers had to say again. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Unpack

from clients.python.core.arguments import CustomerLike, EnumLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.journey_pb2 import GetJourneyRequest, GetJourneyResponse, GetJourneysRequest, GetJourneysResponse
from ledger.api.v1.repetition_pb2 import (
    GetFactDiffRequest,
    GetFactDiffResponse,
    ListRepeatsRequest,
    ListRepeatsResponse,
    ListRepetitionsRequest,
    ListRepetitionsResponse,
    Repeat,
    RepeatFilter,
    Repetition,
    RepetitionFilter,
)

JOURNEY: Final = Rpc("InsightService", "GetJourney", GetJourneyRequest, GetJourneyResponse)
JOURNEYS: Final = Rpc("InsightService", "GetJourneys", GetJourneysRequest, GetJourneysResponse)
REPEATS: Final = Rpc("HistoryService", "ListRepeats", ListRepeatsRequest, ListRepeatsResponse)
REPETITIONS: Final = Rpc("HistoryService", "ListRepetitions", ListRepetitionsRequest, ListRepetitionsResponse)
FACT_DIFF: Final = Rpc("HandoffService", "GetFactDiff", GetFactDiffRequest, GetFactDiffResponse)


class JourneysOptions(ReadOptions, total=False):
    """Which requests, what to compare with, how much to return, and the read options. Periods are half-open: [from, to)."""

    from_time: datetime | None
    to_time: datetime | None
    compare_from_time: datetime | None
    compare_to_time: datetime | None
    reasons: Names | None
    variants_of: EnumLike | None
    top: int | None
    stall_limit: timedelta | None


class RepeatOptions(ListOptions, total=False):
    """Which repeat contacts, and the list options. `any_reason`: the party alone has to be the same, a figure of its own."""

    from_time: datetime | None
    to_time: datetime | None
    window: timedelta | None
    any_reason: bool | None
    customer: CustomerLike | None
    channels: Names | None
    reasons: Names | None


class RepetitionOptions(ListOptions, total=False):
    """Which repetitions, and the list options. `kinds` as `"given_again"`, `"asked_again"`."""

    from_time: datetime | None
    to_time: datetime | None
    customer: CustomerLike | None
    keys: Names | None
    departments: Names | None
    kinds: EnumsLike | None
    request_id: str | None


def journey(
    request_id: str | None = None,
    *,
    customer: CustomerLike | None = None,
    stall_limit: timedelta | None = None,
    **read: Unpack[ReadOptions],
) -> Call[GetJourneyResponse, GetJourneyResponse]:
    """Return the journey of one request, or of one customer, in `result`: its steps, stays and breaks.

    Example:
        >>> [stay.department for stay in client.journey("r-1").result.stays]
        ['desk', 'shipping']
    """
    return ask(JOURNEY, read, request_id=request_id, customer=customer, stall_limit=stall_limit)


def journeys(**which: Unpack[JourneysOptions]) -> Call[GetJourneysResponse, GetJourneysResponse]:
    """Return how the requests opened in a period went, in `result`: variants, department pairs, points of rupture and satisfaction.

    Example:
        >>> found = client.journeys(from_time=datetime(2026, 1, 1, tzinfo=UTC), stall_limit=timedelta(days=3))
        >>> [(point.kind, point.department, point.customer_count) for point in found.result.period.break_points]
        [(3, 'desk', 12)]
    """
    said: dict[str, Any] = dict(which)
    read = {name: said.pop(name) for name in ReadOptions.__annotations__ if name in said}
    return ask(JOURNEYS, read, **said)


def repeats(**which: Unpack[RepeatOptions]) -> Listing[ListRepeatsResponse, Repeat]:
    """List repeat contacts, in order of time. How many there are, of how many contacts, stands in `first.result`.

    Example:
        >>> found = client.repeats(window=timedelta(days=30))
        >>> found.first.result.repeat_count, found.first.result.contact_count
        (4187, 22078)
    """
    return Listing(ask(REPEATS, which, filter_type=RepeatFilter), lambda page: page.result.repeats)


def repetitions(**which: Unpack[RepetitionOptions]) -> Listing[ListRepetitionsResponse, Repetition]:
    """List what customers had to say again, newest first.

    Example:
        >>> for one in client.repetitions(kinds="asked_again", departments="shipping"):
        ...     print(one.key, one.request_id)
    """
    return Listing(ask(REPETITIONS, which, filter_type=RepetitionFilter), lambda page: page.result.repetitions)


def fact_diff(
    handoff_id: str, *, request_id: str | None = None, **read: Unpack[ReadOptions]
) -> Call[GetFactDiffResponse, GetFactDiffResponse]:
    """Return what became of the facts on their way through a handoff, in `result`.

    Example:
        >>> [(fact.key, fact.passing) for fact in client.fact_diff("h-1").result.facts]
        [('delivery_address', 4)]
    """
    return ask(FACT_DIFF, read, handoff_id=handoff_id, request_id=request_id)
