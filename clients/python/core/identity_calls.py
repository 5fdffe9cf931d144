"""Questions about who is who. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, Unpack

from clients.python.core.arguments import CustomerLike, ListOptions, ReadOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.identity_service_pb2 import (
    DuplicateCandidate,
    GetLinkRequest,
    GetLinkResponse,
    ListDuplicateCandidatesRequest,
    ListDuplicateCandidatesResponse,
    ListIdentifiersRequest,
    ListIdentifiersResponse,
    ResolveRequest,
    ResolveResponse,
)

SERVICE: Final = "IdentityService"
RESOLVE: Final = Rpc(SERVICE, "Resolve", ResolveRequest, ResolveResponse)
IDENTIFIERS: Final = Rpc(SERVICE, "ListIdentifiers", ListIdentifiersRequest, ListIdentifiersResponse)
LINK: Final = Rpc(SERVICE, "GetLink", GetLinkRequest, GetLinkResponse)
DUPLICATES: Final = Rpc(SERVICE, "ListDuplicateCandidates", ListDuplicateCandidatesRequest, ListDuplicateCandidatesResponse)


def resolve(customer: CustomerLike, **read: Unpack[ReadOptions]) -> Call[ResolveResponse, ResolveResponse]:
    """Return the customer an identifier belongs to, in `result`: the public id, and the pseudonyms of the set.

    Example:
        >>> client.resolve("phone:+33142000000").result.customer_id
        '019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00'
    """
    return ask(RESOLVE, read, customer=customer)


def identifiers(customer: CustomerLike, **read: Unpack[ReadOptions]) -> Call[ListIdentifiersResponse, ListIdentifiersResponse]:
    """Return the identifiers of a customer, oldest first, in `result.identifiers`.

    Example:
        >>> [known.identifier.type for known in client.identifiers("email:a@example.org").result.identifiers]
        ['email', 'phone']
    """
    return ask(IDENTIFIERS, read, customer=customer)


def duplicate_candidates(**which: Unpack[ListOptions]) -> Listing[ListDuplicateCandidatesResponse, DuplicateCandidate]:
    """List links that do not join, with the reason, newest first: a person has to look at them.

    Example:
        >>> [candidate.why for candidate in client.duplicate_candidates()]
    """
    return Listing(ask(DUPLICATES, which), lambda page: page.result.candidates)


def link(link_event_id: str, **which: Unpack[ListOptions]) -> Listing[GetLinkResponse, RecordedEvent]:
    """List what was recorded across a link while it stood, in order of record; how the link stands is in each page's `result`.

    Example:
        >>> pages = client.link("019a2b8e-5c1f-7a43-9d1e-0a4f3c2b1d00")
        >>> pages.first.result.joined_otherwise, [event.topic for event in pages]
        (False, ['contact-linked'])
    """
    return Listing(ask(LINK, which, link_event_id=link_event_id), lambda page: page.result.across)
