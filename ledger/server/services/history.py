"""HistoryService: one history over all channels and departments, contacts, and the customer card."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from ledger.api.v1.history_service_pb2 import (
    ContactCount,
    ContactList,
    CountContactsRequest,
    CountContactsResponse,
    Customer,
    GetCustomerRequest,
    GetCustomerResponse,
    HistoryList,
    ListContactsRequest,
    ListContactsResponse,
    ListHistoryRequest,
    ListHistoryResponse,
    SearchHistoryRequest,
    SearchHistoryResponse,
    WatchHistoryRequest,
    WatchHistoryResponse,
)
from ledger.api.v1.history_service_pb2_grpc import HistoryServiceServicer
from ledger.api.v1.repetition_pb2 import (
    ListRepeatsRequest,
    ListRepeatsResponse,
    ListRepetitionsRequest,
    ListRepetitionsResponse,
    RepeatList,
    RepetitionList,
)
from ledger.server.call import Context
from ledger.server.customers import Customers
from ledger.server.reading import After, Reading
from ledger.server.services.entity import far
from ledger.server.snapshots import Snapshots
from projections import card, contacts, history, identities, repeat_list, repetitions
from projections.view import Read


class HistoryServicer(HistoryServiceServicer):
    """Answers HistoryService."""

    def __init__(self, reading: Reading, customers: Customers, snapshots: Snapshots) -> None:
        self._reading = reading
        self._customers = customers
        self._snapshots = snapshots

    async def GetCustomer(self, request: GetCustomerRequest, context: Context) -> GetCustomerResponse:
        """Return the customer card."""
        return await self._reading.answer(request, context, GetCustomerResponse, self._card)

    async def ListHistory(self, request: ListHistoryRequest, context: Context) -> ListHistoryResponse:
        """Return a page of a history."""
        return await self._reading.page(request, context, ListHistoryResponse, self._list)

    async def SearchHistory(self, request: SearchHistoryRequest, context: Context) -> SearchHistoryResponse:
        """Return a page of what holds all the words."""
        return await self._reading.page(request, context, SearchHistoryResponse, self._search, search=True)

    def WatchHistory(self, request: WatchHistoryRequest, context: Context) -> AsyncIterator[WatchHistoryResponse]:
        """Stream what is recorded with a customer."""
        return self._reading.watch(request, WatchHistoryResponse, self._changed)

    async def ListContacts(self, request: ListContactsRequest, context: Context) -> ListContactsResponse:
        """Return a page of contacts."""
        return await self._reading.page(request, context, ListContactsResponse, self._contacts)

    async def CountContacts(self, request: CountContactsRequest, context: Context) -> CountContactsResponse:
        """Return counts of contacts."""
        return await self._reading.answer(request, context, CountContactsResponse, self._count)

    async def ListRepeats(self, request: ListRepeatsRequest, context: Context) -> ListRepeatsResponse:
        """Return a page of repeat contacts."""
        return await self._reading.page(request, context, ListRepeatsResponse, self._repeats)

    async def ListRepetitions(self, request: ListRepetitionsRequest, context: Context) -> ListRepetitionsResponse:
        """Return a page of what customers had to say again."""
        return await self._reading.page(request, context, ListRepetitionsResponse, self._repetitions)

    def _repeats(self, read: Read, request: ListRepeatsRequest, limit: int, after: After) -> tuple[RepeatList, After]:
        subjects = self._customers.asked(read, request.filter)
        parties = None if subjects is None else frozenset(subjects[:1])
        return repeat_list.page(read, request.filter, limit, after, parties)

    def _repetitions(self, read: Read, request: ListRepetitionsRequest, limit: int, after: After) -> tuple[RepetitionList, After]:
        subjects = self._customers.asked(read, request.filter)
        found, following = repetitions.page(read, request.filter, limit, after, subjects)
        return RepetitionList(repetitions=found), following

    def _card(self, read: Read, request: GetCustomerRequest) -> Customer:
        subject = self._customers.subject(read, request.customer)
        return Customer() if subject is None else card.customer(read, subject)

    def _list(self, read: Read, request: ListHistoryRequest, limit: int, after: After) -> tuple[HistoryList, After]:
        subjects = self._customers.subjects(read, request.customer)
        found, following = history.page(read, subjects, request.filter, request.oldest_first, limit, after)
        return HistoryList(entries=found), following

    def _search(self, read: Read, request: SearchHistoryRequest, limit: int, after: After) -> tuple[HistoryList, After]:
        subjects = self._customers.asked(read, request)
        found, following = self._snapshots.search.search(read, request.words, subjects, request.filter, limit, after)
        return HistoryList(entries=found), following

    def _contacts(self, read: Read, request: ListContactsRequest, limit: int, after: After) -> tuple[ContactList, After]:
        found, following = contacts.page(read, request.filter, limit, after, self._customers.asked(read, request.filter))
        return ContactList(contacts=found), following

    def _count(self, read: Read, request: CountContactsRequest) -> ContactCount:
        return contacts.count(read, request.filter, request.group_by, self._customers.asked(read, request.filter))

    def _changed(
        self, read: Read, request: WatchHistoryRequest, after: int
    ) -> tuple[Sequence[tuple[int, WatchHistoryResponse]], int]:
        subjects = self._customers.subjects(read, request.customer)
        found = history.changed(read, after, subjects, request.filter)
        entries, reached = far(
            read, [(position, WatchHistoryResponse(position=position, entry=entry)) for position, entry in found]
        )
        until = replace(read, known=reached)
        if identities.membership_changed(until, after, subjects) or history.attributed_since(until, after, subjects):
            changed = WatchHistoryResponse(position=reached, membership_changed=True)
            entries = [*entries, (reached, changed)]
        return entries, reached
