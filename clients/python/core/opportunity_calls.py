"""Questions about opportunities. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.opportunity_service_pb2 import (
    CountOpportunitiesRequest,
    CountOpportunitiesResponse,
    GetOpportunityRequest,
    GetOpportunityResponse,
    ListOpportunitiesRequest,
    ListOpportunitiesResponse,
    Opportunity,
    OpportunityFilter,
)

SERVICE: Final = "OpportunityService"
GET: Final = Rpc(SERVICE, "GetOpportunity", GetOpportunityRequest, GetOpportunityResponse)
LIST: Final = Rpc(SERVICE, "ListOpportunities", ListOpportunitiesRequest, ListOpportunitiesResponse)
COUNT: Final = Rpc(SERVICE, "CountOpportunities", CountOpportunitiesRequest, CountOpportunitiesResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    open: bool | None
    kinds: EnumsLike | None
    products: Names | None
    customer: CustomerLike | None
    departments: Names | None
    consented: bool | None
    request_id: str | None


class OpportunityOptions(ReadOptions, _Which, total=False):
    """Which opportunities, and the read options. `states` as `"suggested"`, `"noted"`, …; `kinds` as `"cross_sell"`, …."""


class OpportunityListOptions(ListOptions, _Which, total=False):
    """Which opportunities, and the list options."""


def opportunity(opportunity_id: str, **read: Unpack[ReadOptions]) -> Call[GetOpportunityResponse, GetOpportunityResponse]:
    """Return one opportunity, in `result`.

    Example:
        >>> client.opportunity("o-1").result.consent
        True
    """
    return ask(GET, read, opportunity_id=opportunity_id)


def opportunities(**which: Unpack[OpportunityListOptions]) -> Listing[ListOpportunitiesResponse, Opportunity]:
    """List opportunities, oldest first.

    Example:
        >>> for opportunity in client.opportunities(open=True, consented=True):
        ...     print(opportunity.opportunity_id, opportunity.product)
    """
    return Listing(ask(LIST, which, filter_type=OpportunityFilter), lambda page: page.result.opportunities)


def count_opportunities(
    group_by: EnumsLike = (), **which: Unpack[OpportunityOptions]
) -> Call[CountOpportunitiesResponse, CountOpportunitiesResponse]:
    """Count opportunities, in groups: `"state"`, `"kind"`, `"product"`, `"department"`, `"consent"`, `"reason"`.

    Example:
        >>> [(row.values, row.count) for row in client.count_opportunities("state").result.rows]
        [(['OPPORTUNITY_STATE_NOTED'], 12), (['OPPORTUNITY_STATE_TAKEN'], 5)]
    """
    return ask(COUNT, which, filter_type=OpportunityFilter, group_by=group_by)
