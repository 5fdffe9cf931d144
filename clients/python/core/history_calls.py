"""Questions about what happened with a customer, and about contacts. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict, Unpack

from clients.python.core.arguments import CustomerLike, EnumsLike, ListOptions, Names, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from clients.python.core.following import Feed
from clients.python.core.watching import watch
from ledger.api.v1.history_service_pb2 import (
    Contact,
    ContactFilter,
    CountContactsRequest,
    CountContactsResponse,
    GetCustomerRequest,
    GetCustomerResponse,
    HistoryEntry,
    HistoryFilter,
    ListContactsRequest,
    ListContactsResponse,
    ListHistoryRequest,
    ListHistoryResponse,
    SearchHistoryRequest,
    SearchHistoryResponse,
    WatchHistoryRequest,
    WatchHistoryResponse,
)

SERVICE: Final = "HistoryService"
CARD: Final = Rpc(SERVICE, "GetCustomer", GetCustomerRequest, GetCustomerResponse)
HISTORY: Final = Rpc(SERVICE, "ListHistory", ListHistoryRequest, ListHistoryResponse)
SEARCH: Final = Rpc(SERVICE, "SearchHistory", SearchHistoryRequest, SearchHistoryResponse)
WATCH: Final = Rpc(SERVICE, "WatchHistory", WatchHistoryRequest, WatchHistoryResponse)
CONTACTS: Final = Rpc(SERVICE, "ListContacts", ListContactsRequest, ListContactsResponse)
COUNT_CONTACTS: Final = Rpc(SERVICE, "CountContacts", CountContactsRequest, CountContactsResponse)


class _Entries(TypedDict, total=False):
    channels: Names | None
    departments: Names | None
    topics: Names | None
    occurred_from: datetime | None
    stream: str | None


class HistoryOptions(ListOptions, _Entries, total=False):
    """Which events of a history, and the list options. `stream`: only that entity, such as `"request-4711"`."""


class HistoryWatchOptions(_Entries, total=False):
    """Which events of a history."""


class _Contacts(TypedDict, total=False):
    channels: Names | None
    departments: Names | None
    states: EnumsLike | None
    reasons: Names | None
    customer: CustomerLike | None
    current_departments: Names | None
    attributed: bool | None
    transferred: bool | None
    unanswered: bool | None
    bot_to_human: bool | None
    channel_switched: bool | None
    completeness: EnumsLike | None
    incomplete_causes: Names | None
    skills_needed: Names | None


class ContactOptions(ReadOptions, _Contacts, total=False):
    """Which contacts, and the read options."""


class ContactListOptions(ListOptions, _Contacts, total=False):
    """Which contacts, and the list options."""


def card(customer: CustomerLike, **read: Unpack[ReadOptions]) -> Call[GetCustomerResponse, GetCustomerResponse]:
    """Return the customer card, in `result`: who it is, what is owed and pending, what was said already.

    Example:
        >>> card = client.card("email:a@example.org")
        >>> card.result.tier, len(card.result.promises), card.read_at.position
        ('gold', 2, 4711)
    """
    return ask(CARD, read, customer=customer)


def history(
    customer: CustomerLike, *, oldest_first: bool = False, **which: Unpack[HistoryOptions]
) -> Listing[ListHistoryResponse, HistoryEntry]:
    """List what happened with a customer over all channels and departments, newest first, without limit of age.

    Example:
        >>> for entry in client.history("email:a@example.org", channels=["phone"]):
        ...     print(entry.event.envelope.occur_time.ToDatetime(UTC), entry.event.topic)
    """
    listed = ask(HISTORY, which, filter_type=HistoryFilter, customer=customer, oldest_first=oldest_first)
    return Listing(listed, lambda page: page.result.entries)


def search(
    words: str, *, customer: CustomerLike | None = None, **which: Unpack[HistoryOptions]
) -> Listing[SearchHistoryResponse, HistoryEntry]:
    """Find events by words in their content, of one customer or of all; newest first, never by rank.

    Accents and case do not matter; a trailing `*` finds beginnings.

    Example:
        >>> [entry.event.position for entry in client.search("colis perdu")]
        [412, 97]
    """
    found = ask(SEARCH, which, filter_type=HistoryFilter, words=words, customer=customer)
    return Listing(found, lambda page: page.result.entries)


def watch_history(
    customer: CustomerLike,
    after_position: int | None = None,
    *,
    timeout_seconds: float | None = None,
    **which: Unpack[HistoryWatchOptions],
) -> Feed[WatchHistoryResponse, HistoryEntry]:
    """Follow what is recorded with a customer, after a position or from now on; resumes by itself like `subscribe`.

    `changes()` also gives the mark `membership_changed`: identifiers were joined or split, so read the history again.

    Example:
        >>> for entry in client.watch_history("email:a@example.org"):
        ...     print(entry.event.topic)
    """
    return watch(
        WATCH,
        "entry",
        lambda entry: entry.event.envelope.event_id,
        after_position,
        timeout_seconds,
        HistoryFilter,
        which,
        customer=customer,
    )


def contacts(**which: Unpack[ContactListOptions]) -> Listing[ListContactsResponse, Contact]:
    """List contacts, newest first.

    Example:
        >>> for contact in client.contacts(states="received", channels="email"):
        ...     print(contact.contact_id, contact.reason)
    """
    return Listing(ask(CONTACTS, which, filter_type=ContactFilter), lambda page: page.result.contacts)


def count_contacts(group_by: EnumsLike = (), **which: Unpack[ContactOptions]) -> Call[CountContactsResponse, CountContactsResponse]:
    """Count contacts, in groups: `"channel"`, `"department"`, `"state"`, `"reason"`, `"direction"`, `"identified"`,
    `"current_department"`, `"transferred"`, `"completeness"`, `"incomplete_cause"`, `"bot_to_human"`, `"channel_switched"`,
    `"attributed"`.

    Example:
        >>> {row.values[0]: row.count for row in client.count_contacts("channel").result.rows}
        {'email': 310, 'phone': 120}
    """
    return ask(COUNT_CONTACTS, which, filter_type=ContactFilter, group_by=group_by)
