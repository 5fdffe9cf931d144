"""Questions about complaints. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.complaint_service_pb2 import (
    Complaint,
    ComplaintFilter,
    CountComplaintsRequest,
    CountComplaintsResponse,
    GetComplaintRequest,
    GetComplaintResponse,
    ListComplaintsRequest,
    ListComplaintsResponse,
)

SERVICE: Final = "ComplaintService"
GET: Final = Rpc(SERVICE, "GetComplaint", GetComplaintRequest, GetComplaintResponse)
LIST: Final = Rpc(SERVICE, "ListComplaints", ListComplaintsRequest, ListComplaintsResponse)
COUNT: Final = Rpc(SERVICE, "CountComplaints", CountComplaintsRequest, CountComplaintsResponse)


class _Which(TypedDict, total=False):
    states: EnumsLike | None
    open: bool | None
    hands: Names | None
    about_departments: Names | None
    severities: Names | None
    reasons: Names | None
    customer: CustomerLike | None
    overdue: bool | None
    safety: bool | None


class ComplaintOptions(ReadOptions, _Which, total=False):
    """Which complaints, and the read options. `hands`: departments that have to act."""


class ComplaintListOptions(ListOptions, _Which, total=False):
    """Which complaints, and the list options."""


def complaint(complaint_id: str, **read: Unpack[ReadOptions]) -> Call[GetComplaintResponse, GetComplaintResponse]:
    """Return one complaint with its steps and clocks, in `result`.

    Example:
        >>> [step.topic for step in client.complaint("k-1").result.steps]
        ['complaint-received', 'complaint-acknowledged']
    """
    return ask(GET, read, complaint_id=complaint_id)


def complaints(**which: Unpack[ComplaintListOptions]) -> Listing[ListComplaintsResponse, Complaint]:
    """List complaints, oldest first by their first expression.

    Example:
        >>> for complaint in client.complaints(open=True, overdue=True):
        ...     print(complaint.complaint_id, complaint.hands)
    """
    return Listing(ask(LIST, which, filter_type=ComplaintFilter), lambda page: page.result.complaints)


def count_complaints(
    group_by: EnumsLike = (), **which: Unpack[ComplaintOptions]
) -> Call[CountComplaintsResponse, CountComplaintsResponse]:
    """Count complaints, in groups: `"state"`, `"hands"`, `"owner"`, `"severity"`, `"reason"`, `"about"`, `"root_cause"`.

    Example:
        >>> client.count_complaints("state", open=True).result.total
        12
    """
    return ask(COUNT, which, filter_type=ComplaintFilter, group_by=group_by)
