"""IdentityService: who is who."""

from __future__ import annotations

from uuid import UUID

from ledger.api.v1.identity_service_pb2 import (
    DuplicateCandidateList,
    GetLinkRequest,
    GetLinkResponse,
    IdentifierList,
    IdentityLink,
    ListDuplicateCandidatesRequest,
    ListDuplicateCandidatesResponse,
    ListIdentifiersRequest,
    ListIdentifiersResponse,
    ResolvedCustomer,
    ResolveRequest,
    ResolveResponse,
)
from ledger.api.v1.identity_service_pb2_grpc import IdentityServiceServicer
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import identities, identity_links
from projections.view import Read


class IdentityServicer(IdentityServiceServicer):
    """Answers IdentityService."""

    def __init__(self, reading: Reading, customers: Customers) -> None:
        self._reading = reading
        self._customers = customers

    async def Resolve(self, request: ResolveRequest, context: Context) -> ResolveResponse:
        """Return the customer an identifier belongs to; an empty one for nobody's."""
        return await self._reading.answer(request, context, ResolveResponse, self._resolved)

    async def ListIdentifiers(self, request: ListIdentifiersRequest, context: Context) -> ListIdentifiersResponse:
        """Return the identifiers of a customer."""
        return await self._reading.answer(request, context, ListIdentifiersResponse, self._identifiers)

    async def ListDuplicateCandidates(
        self, request: ListDuplicateCandidatesRequest, context: Context
    ) -> ListDuplicateCandidatesResponse:
        """Return a page of links that do not join."""
        return await self._reading.page(request, context, ListDuplicateCandidatesResponse, self._candidates)

    async def GetLink(self, request: GetLinkRequest, context: Context) -> GetLinkResponse:
        """Return a link, with a page of what was recorded across it."""
        return await self._reading.page(request, context, GetLinkResponse, self._link)

    def _resolved(self, read: Read, request: ResolveRequest) -> ResolvedCustomer:
        subject = self._customers.subject(read, request.customer)
        if subject is None:
            return ResolvedCustomer()
        subjects = [str(UUID(bytes=member)) for member in identities.members(read, subject)]
        return ResolvedCustomer(customer_id=subjects[0], subjects=subjects)

    def _identifiers(self, read: Read, request: ListIdentifiersRequest) -> IdentifierList:
        subject = self._customers.subject(read, request.customer)
        return IdentifierList() if subject is None else identities.identifiers(read, subject)

    def _candidates(
        self, read: Read, request: ListDuplicateCandidatesRequest, limit: int, after: After
    ) -> tuple[DuplicateCandidateList, After]:
        found, following = identities.duplicate_candidates(read, limit, after)
        return DuplicateCandidateList(candidates=found), following

    def _link(self, read: Read, request: GetLinkRequest, limit: int, after: After) -> tuple[IdentityLink, After]:
        event_id = request.link_event_id
        return recorded(identity_links.link(read, UUID(event_id).bytes, limit, after), "link", event_id)
