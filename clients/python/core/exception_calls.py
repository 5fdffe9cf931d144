"""Questions about exceptions and overrides. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.exception_service_pb2 import (
    CountExceptionsRequest,
    CountExceptionsResponse,
    ExceptionFilter,
    GetAdjustedRequest,
    GetAdjustedResponse,
    GetExceptionRequest,
    GetExceptionResponse,
    ListExceptionsRequest,
    ListExceptionsResponse,
    ListOverridesRequest,
    ListOverridesResponse,
    Override,
    OverrideFilter,
    RuleException,
)

SERVICE: Final = "ExceptionService"
GET: Final = Rpc(SERVICE, "GetException", GetExceptionRequest, GetExceptionResponse)
LIST: Final = Rpc(SERVICE, "ListExceptions", ListExceptionsRequest, ListExceptionsResponse)
COUNT: Final = Rpc(SERVICE, "CountExceptions", CountExceptionsRequest, CountExceptionsResponse)
ADJUSTED: Final = Rpc(SERVICE, "GetAdjusted", GetAdjustedRequest, GetAdjustedResponse)
OVERRIDES: Final = Rpc(SERVICE, "ListOverrides", ListOverridesRequest, ListOverridesResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    in_force: bool | None
    rules: Names | None


class ExceptionOptions(ReadOptions, _Which, total=False):
    """Which exceptions, and the read options. `in_force`: only those that count at the evaluated time."""


class ExceptionListOptions(ListOptions, _Which, total=False):
    """Which exceptions, and the list options."""


class OverrideListOptions(ListOptions, total=False):
    """Which overrides, and the list options."""

    rules: Names | None
    request_id: str | None
    contact_id: str | None


def exception(exception_id: str, **read: Unpack[ReadOptions]) -> Call[GetExceptionResponse, GetExceptionResponse]:
    """Return one exception, in `result`.

    Example:
        >>> client.exception("x-1").result.in_force
        True
    """
    return ask(GET, read, exception_id=exception_id)


def exceptions(**which: Unpack[ExceptionListOptions]) -> Listing[ListExceptionsResponse, RuleException]:
    """List exceptions from rules, oldest first.

    Example:
        >>> for exception in client.exceptions(in_force=True):
        ...     print(exception.exception_id, exception.rule)
    """
    return Listing(ask(LIST, which, filter_type=ExceptionFilter), lambda page: page.result.exceptions)


def count_exceptions(
    group_by: EnumsLike = (), **which: Unpack[ExceptionOptions]
) -> Call[CountExceptionsResponse, CountExceptionsResponse]:
    """Count exceptions, in groups: `"state"`, `"rule"`, `"reason"`, `"approver"`, `"effect"`. By rule: the most often waived first.

    Example:
        >>> [(row.values[0], row.count) for row in client.count_exceptions("rule", states="granted").result.rows]
        [('return_period', 12)]
    """
    return ask(COUNT, which, filter_type=ExceptionFilter, group_by=group_by)


def adjusted(
    due_from: datetime,
    due_until: datetime,
    *,
    kinds: Names = (),
    owner_departments: Names = (),
    channels: Names = (),
    response_targets: bool | None = None,
    **read: Unpack[ReadOptions],
) -> Call[GetAdjustedResponse, GetAdjustedResponse]:
    """Return what became of promises due in [due_from, due_until), raw and adjusted by exceptions, side by side.

    `response_targets`: derived targets instead.

    Example:
        >>> outcome = client.adjusted(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)).result
        >>> outcome.raw.broken, outcome.adjusted.broken
        (7, 5)
    """
    return ask(
        ADJUSTED,
        read,
        due_from=due_from,
        due_until=due_until,
        kinds=kinds,
        owner_departments=owner_departments,
        channels=channels,
        response_targets=response_targets,
    )


def overrides(**which: Unpack[OverrideListOptions]) -> Listing[ListOverridesResponse, Override]:
    """List rules that people overrode, newest first.

    Example:
        >>> for override in client.overrides(rules="stolen_phone"):
        ...     print(override.actor, override.reason)
    """
    return Listing(ask(OVERRIDES, which, filter_type=OverrideFilter), lambda page: page.result.overrides)
