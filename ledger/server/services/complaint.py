"""ComplaintService: what customers are dissatisfied with."""

from __future__ import annotations

from ledger.api.v1.complaint_service_pb2 import (
    Complaint,
    ComplaintCount,
    ComplaintList,
    CountComplaintsRequest,
    CountComplaintsResponse,
    GetComplaintRequest,
    GetComplaintResponse,
    ListComplaintsRequest,
    ListComplaintsResponse,
)
from ledger.api.v1.complaint_service_pb2_grpc import ComplaintServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import complaints
from projections.view import Read


class ComplaintServicer(ComplaintServiceServicer):
    """Answers ComplaintService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def GetComplaint(self, request: GetComplaintRequest, context: Context) -> GetComplaintResponse:
        """Return one complaint."""
        return await self._reading.answer(request, context, GetComplaintResponse, self._get)

    async def ListComplaints(self, request: ListComplaintsRequest, context: Context) -> ListComplaintsResponse:
        """Return a page of complaints."""
        return await self._reading.page(request, context, ListComplaintsResponse, self._list)

    async def CountComplaints(self, request: CountComplaintsRequest, context: Context) -> CountComplaintsResponse:
        """Return counts of complaints."""
        return await self._reading.answer(request, context, CountComplaintsResponse, self._count)

    def _get(self, read: Read, request: GetComplaintRequest) -> Complaint:
        return recorded(complaints.get(read, request.complaint_id), "complaint", request.complaint_id)

    def _list(self, read: Read, request: ListComplaintsRequest, limit: int, after: After) -> tuple[ComplaintList, After]:
        found, following = complaints.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return ComplaintList(complaints=found), following

    def _count(self, read: Read, request: CountComplaintsRequest) -> ComplaintCount:
        return complaints.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))
