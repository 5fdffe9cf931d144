"""Questions about the service policies themselves: which is in force, and which there were. Has no tables: the log holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.api.v1.policy_service_pb2 import PolicyList, PublishedPolicy
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.policy.book import PolicyBook
from projections.view import Read


def version(read: Read, policy_id: str, policy_version: int) -> PublishedPolicy | None:
    """Return one version of a policy, withdrawn or not; None when it is not published as of the read."""
    events = _events(read)
    for event in events:
        said = event.payload
        if event.topic == "policy-published" and (said.policy_id, said.policy_version) == (policy_id, policy_version):
            return _published(event, events, document=True)
    return None


def in_force(read: Read, instant: int) -> PublishedPolicy | None:
    """Return the policy for an event that occurs at an instant and is recorded after all that is known; None without one."""
    events = _events(read)
    found = PolicyBook.of(events).in_force(instant)
    if found is None:
        return None
    return next(_published(event, events, document=True) for event in events if event.position == found.position)


def page(read: Read, limit: int, after: tuple[Any, ...] | None) -> tuple[PolicyList, tuple[Any, ...] | None]:
    """Return versions without their documents, the one that comes into force last first, and where the next page begins."""
    events = _events(read)
    published = [event for event in events if event.topic == "policy-published"]
    published.sort(key=_place, reverse=True)
    rest = [event for event in published if after is None or _place(event) < after]
    shown = [_published(event, events, document=False) for event in rest[:limit]]
    return PolicyList(policies=shown), _place(rest[limit - 1]) if len(rest) > limit else None


def _events(read: Read) -> list[Event]:
    """Return what happened to policies, as of the read."""
    events = [read_event(row.position, row.header) for row in read.log.read_policies() if row.position <= read.known]
    return [event for event in events if read.before is None or event.order < read.before]


def _place(event: Event) -> tuple[int, int]:
    return event.payload.in_force_from.ToMicroseconds(), event.position


def _published(event: Event, events: Sequence[Event], *, document: bool) -> PublishedPolicy:
    said = event.payload
    made = PublishedPolicy(
        policy_id=said.policy_id,
        policy_version=said.policy_version,
        in_force_from=said.in_force_from,
        position=event.position,
    )
    made.record_time.FromMicroseconds(event.record)
    if event.header.actor:
        made.actor = event.header.actor
    withdrawn = next((one for one in events if one.topic == "policy-withdrawn" and one.stream == event.stream), None)
    if withdrawn is not None:
        made.withdrawn_position = withdrawn.position
    if document:
        made.policy.CopyFrom(said.policy)
    return made
