"""Questions about satisfaction, irritants and referrals. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.experience_service_pb2 import (
    CountIrritantsRequest,
    CountIrritantsResponse,
    CountSatisfactionRequest,
    CountSatisfactionResponse,
    ExperienceFilter,
    Irritant,
    ListIrritantsRequest,
    ListIrritantsResponse,
    ListReferralsRequest,
    ListReferralsResponse,
    ListSatisfactionRequest,
    ListSatisfactionResponse,
    Referral,
    SatisfactionScore,
)

SERVICE: Final = "ExperienceService"
SATISFACTION: Final = Rpc(SERVICE, "ListSatisfaction", ListSatisfactionRequest, ListSatisfactionResponse)
COUNT_SATISFACTION: Final = Rpc(SERVICE, "CountSatisfaction", CountSatisfactionRequest, CountSatisfactionResponse)
IRRITANTS: Final = Rpc(SERVICE, "ListIrritants", ListIrritantsRequest, ListIrritantsResponse)
COUNT_IRRITANTS: Final = Rpc(SERVICE, "CountIrritants", CountIrritantsRequest, CountIrritantsResponse)
REFERRALS: Final = Rpc(SERVICE, "ListReferrals", ListReferralsRequest, ListReferralsResponse)


class _Which(TypedDict, total=False):
    customer: CustomerLike | None
    occurred_from: datetime | None
    occurred_until: datetime | None
    contact_id: str | None
    request_id: str | None
    respondent: EnumLike | None
    departments: Names | None


class _Satisfaction(_Which, total=False):
    measures: EnumsLike | None


class _Irritants(_Which, total=False):
    causes: Names | None
    steps: Names | None


class SatisfactionOptions(ReadOptions, _Satisfaction, total=False):
    """Which scores, and the read options. `departments`: those that recorded them."""


class SatisfactionListOptions(ListOptions, _Satisfaction, total=False):
    """Which scores, and the list options."""


class IrritantOptions(ReadOptions, _Irritants, total=False):
    """Which irritants, and the read options. `departments`: those whose process it is."""


class IrritantListOptions(ListOptions, _Irritants, total=False):
    """Which irritants, and the list options."""


class ReferralListOptions(ListOptions, _Which, total=False):
    """Which referrals, and the list options. `departments`: those the customer was referred to."""


def satisfaction(**which: Unpack[SatisfactionListOptions]) -> Listing[ListSatisfactionResponse, SatisfactionScore]:
    """List satisfaction scores, newest first.

    Example:
        >>> for score in client.satisfaction(measures="csat", departments="service"):
        ...     print(score.contact_id, score.score, score.comment)
    """
    return Listing(ask(SATISFACTION, which, filter_type=ExperienceFilter), lambda page: page.result.scores)


def count_satisfaction(
    group_by: EnumsLike = (), **which: Unpack[SatisfactionOptions]
) -> Call[CountSatisfactionResponse, CountSatisfactionResponse]:
    """Count satisfaction, in groups: `"measure"`, `"department"`, `"channel"`, `"respondent"`, `"survey"`.

    Example:
        >>> client.count_satisfaction("measure").result.rows[0].recorded_count
        120
    """
    return ask(COUNT_SATISFACTION, which, filter_type=ExperienceFilter, group_by=group_by)


def irritants(**which: Unpack[IrritantListOptions]) -> Listing[ListIrritantsResponse, Irritant]:
    """List irritants, newest first.

    Example:
        >>> for irritant in client.irritants(causes="not_informed"):
        ...     print(irritant.step, irritant.about_department)
    """
    return Listing(ask(IRRITANTS, which, filter_type=ExperienceFilter), lambda page: page.result.irritants)


def count_irritants(
    group_by: EnumsLike = (), **which: Unpack[IrritantOptions]
) -> Call[CountIrritantsResponse, CountIrritantsResponse]:
    """Count irritants, in groups: `"cause"`, `"step"`, `"about"`, `"respondent"`, `"channel"`.

    Example:
        >>> [(row.values[0], row.count) for row in client.count_irritants("cause").result.rows]
        [('long_delay', 31), ('not_informed', 12)]
    """
    return ask(COUNT_IRRITANTS, which, filter_type=ExperienceFilter, group_by=group_by)


def referrals(**which: Unpack[ReferralListOptions]) -> Listing[ListReferralsResponse, Referral]:
    """List referrals, newest first, with the contacts that followed them.

    Example:
        >>> [referral.referral_id for referral in client.referrals() if not referral.following_contact_ids]
        ['f-7']
    """
    return Listing(ask(REFERRALS, which, filter_type=ExperienceFilter), lambda page: page.result.referrals)
