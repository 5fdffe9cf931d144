"""One event under another policy: what the policy would have decided, by the code that decides at append. Pure.

Works on the clear payload alone: nothing sealed is opened. What a rule needs and cannot see there (a condition in words) shows:
asked again, the recorded policy no longer gives what is recorded. Such a field is left as it was.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, cast

from ledger.api.v1.core_pb2 import Due
from ledger.commit.derivation import Derivation
from ledger.commit.governing import Governing
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.intake.local_time import resolve_due
from ledger.intake.receive import clear_made, fields_of
from ledger.internal.v1.stored_pb2 import EventHeader
from ledger.policy.book import PolicyBook
from ledger.policy.policy import Policy


class Tiers(Protocol):
    """Who knows which tier a subject had at an instant."""

    def tier(self, subject: bytes, order: int) -> str:
        """Return the tier; empty where none was said."""


class Knowledge(NamedTuple):
    """What rules an event beyond its stream, as `Derivation` asks for it."""

    policies: PolicyBook
    tiers: Tiers


class Rederived(NamedTuple):
    """What a policy would have made of an event."""

    event: Event
    """The event as it would have been recorded; the recorded one where nothing differs."""
    changed: frozenset[str]
    """Fields of the payload that would differ."""
    derived: frozenset[str]
    """Fields that either policy sets."""
    unknown_before: bool
    """The recorded policy does not know a department that it names."""
    unknown: bool
    """Nor would the other policy."""
    refusal: LedgerError | None
    """The other policy would have refused it."""


class Rederiving:
    """Asks policies again about recorded events."""

    def __init__(self, policies: PolicyBook, tiers: Tiers, home_zone: str) -> None:
        self._derivation = Derivation(cast("Governing", Knowledge(policies, tiers)))
        self._home_zone = home_zone

    def under(
        self, candidate: Policy, recorded: Policy | None, event: Event, states: tuple[Any, Any], *, measured: bool
    ) -> Rederived:
        """Return what `candidate` would have made of an event that `recorded` ruled. `states`: its stream before it, under each."""
        was_state, would_state = states
        before, _ = self._derived(recorded, event, was_state, measured)
        after, refusal = self._derived(candidate, event, would_state, measured)
        plain = self._received(event)
        derived, changed = set(), set()
        for field in event.payload.DESCRIPTOR.fields:
            name = field.name
            was, would = _value(before.payload, name), _value(after.payload, name)
            if (was, would) != (_value(plain, name),) * 2:
                derived.add(name)
            if was != would and refusal is None and was == _value(event.payload, name):
                changed.add(name)
        event_as_it_would_be = _with(event, after, changed) if changed else event
        return Rederived(
            event_as_it_would_be,
            frozenset(changed),
            frozenset(derived),
            before.header.department_unknown,
            after.header.department_unknown,
            refusal,
        )

    def _derived(self, policy: Policy | None, event: Event, state: Any, measured: bool) -> tuple[Event, LedgerError | None]:
        header = EventHeader()
        header.CopyFrom(event.header)
        header.department_unknown = False
        fresh = Event(position=event.position, header=header, payload=self._received(event), clock=event.clock)
        if policy is None:
            return fresh, None
        try:
            self._derivation.derive_under(policy, fresh, fresh.payload, state, measured=measured)
        except LedgerError as error:
            return fresh, error
        return fresh, None

    def _received(self, event: Event) -> Any:
        """Return the payload as it was received, but for what is sealed."""
        payload = type(event.payload)()
        payload.CopyFrom(event.payload)
        clear_made(payload)
        for name in fields_of(payload.DESCRIPTOR, Due.DESCRIPTOR.full_name):
            if payload.HasField(name):
                resolve_due(getattr(payload, name), self._home_zone)
        return payload


def _value(payload: Any, name: str) -> Any:
    field = payload.DESCRIPTOR.fields_by_name[name]
    value = getattr(payload, name)
    if field.is_repeated:
        return list(value)
    return value if payload.HasField(name) else None


def _with(event: Event, source: Event, names: set[str]) -> Event:
    payload = type(event.payload)()
    payload.CopyFrom(event.payload)
    for name in names:
        payload.ClearField(name)
        field = payload.DESCRIPTOR.fields_by_name[name]
        value = getattr(source.payload, name)
        if field.is_repeated:
            getattr(payload, name).extend(value)
        elif source.payload.HasField(name):
            if field.message_type is None:
                setattr(payload, name, value)
            else:
                getattr(payload, name).CopyFrom(value)
    return Event(position=event.position, header=event.header, payload=payload, parts=event.parts, clock=event.clock)
