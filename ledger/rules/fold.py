"""The fold of an entity's events: in which order, which of them count, and how a new one is judged in its place.

Pure. State at (known P, before T) = fold of the events with position ≤ P and `order` < T, the opener first whatever its time
(domain rules 8.1, 8.2). `state_at` is that definition; views have to agree with it.

Some kinds of event act on what is known, not on what happened when (domain rule 8.12): from their position on, an event-confirmed
lets a held-back event in at its own place, a promise-disputed takes the keep that it names out, a contact-attributed says whose the
contact is, and corrections and retractions change how the event that they name stands (correction.py), at any T.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from ledger.catalogue import BY_TOPIC, RESTATING
from ledger.event import NOT_YET, Event
from ledger.rules.correction import NAMES_ANOTHER, effective
from ledger.rules.instant import uuid_bytes
from ledger.rules.touch import touches
from ledger.rules.verdict import Refusal, Rules, Verdict, not_allowed

FROM_THE_BEGINNING: Final = frozenset({"contact-attributed"})
"""Topics of events that stand right after the opener, in order of record: whose a contact is, it is at any T (domain rule 9.6)."""

REACHES_BACK: Final = frozenset({"event-confirmed", "promise-disputed"}) | FROM_THE_BEGINNING | RESTATING
"""Topics of events that change what stands before them: after one, the entity is folded anew from its first event."""

_BEFORE_ALL: Final = -(2**63)

_OPENERS: Final = frozenset(topic for topic, kind in BY_TOPIC.items() if kind.opener)


class Folded(NamedTuple):
    """What a fold came to."""

    state: Any | None
    """None: the entity was never opened."""
    ineffective: list[Event]
    """Events that did not apply where they stand, in order."""


def place(event: Event) -> tuple[int, bool, int]:
    """Return the sort key of an event that is no opener: by time, on a tie the clock's last, then by position.

    What holds from the beginning comes first.
    """
    return (_BEFORE_ALL if event.topic in FROM_THE_BEGINNING else event.order, event.clock, event.position)


def in_order(events: Iterable[Event], stream: str | None = None) -> list[Event]:
    """Return the events that count, in fold order.

    The opener comes first whatever its time. Left out are events held back, unless an event-confirmed among the events names them,
    keeps before a dispute that names them, and what was retracted; what was corrected is as it stands since. `stream` is the
    entity's; without it, it is found from the events, which needs at least one that is its own.
    """
    listed = events if isinstance(events, list) else list(events)
    return _ordered(listed, stream or _stream_of(listed))[0]


def _ordered(listed: list[Event], own: str, restated: bool = False) -> tuple[list[Event], frozenset[bytes]]:
    """Return the events that count, in order, and the ids of the keeps that disputes took out.

    `restated`: corrections and retractions among them are taken in already.
    """
    opener: Event | None = None
    reaching: list[Event] = []
    held = False
    rest: list[Event] = []
    for event in listed:
        topic = event.topic
        if topic in _OPENERS and event.stream == own and (opener is None or event.position < opener.position):
            if opener is not None:
                held = held or opener.header.held_back
                rest.append(opener)
            opener = event
            continue
        if topic in REACHES_BACK:
            if topic in RESTATING and not restated:
                return _ordered(effective(listed, own), own, True)
            reaching.append(event)
        if event.header.held_back:
            held = True
        rest.append(event)
    rest.sort(key=place)
    disputed: frozenset[bytes] = frozenset()
    if held or reaching:
        rest, disputed = _what_counts(rest, reaching)
    return (rest if opener is None else [opener, *rest]), disputed


def _what_counts(ordered: list[Event], reaching: list[Event]) -> tuple[list[Event], frozenset[bytes]]:
    confirmed = {uuid_bytes(event.payload.confirmed_event_id) for event in reaching if event.topic == "event-confirmed"}
    kept: set[bytes] = set()
    disputed: set[bytes] = set()
    counting = [event for event in ordered if not event.header.held_back or event.event_id in confirmed]
    for event in counting:
        if event.topic == "promise-kept":
            kept.add(event.event_id)
        elif event.topic == "promise-disputed":
            named = uuid_bytes(event.payload.kept_event_id)
            if named in kept:
                disputed.add(named)
    return [event for event in counting if event.event_id not in disputed], frozenset(disputed)


def _stream_of(events: Sequence[Event]) -> str:
    streams = dict.fromkeys(event.stream for event in events)
    if len(streams) <= 1:
        return next(iter(streams), "")
    for stream in streams:
        if all(event.stream == stream or event.topic in NAMES_ANOTHER or stream in touches(event) for event in events):
            return stream
    raise ValueError(f"These events are not those of one entity: {', '.join(streams)}.")


def steps(rules: Rules, events: Iterable[Event], stream: str | None = None) -> Iterator[tuple[Event, int, Any | None, bool]]:
    """Yield each event that counts, in order: the event, from which instant on it stands, the state after it, whether it applied.

    The instant is `max(event.order, opener.order)`: nothing of an entity stands before its opener.
    """
    listed = events if isinstance(events, list) else list(events)
    own = stream or _stream_of(listed)
    ordered, disputed = _ordered(listed, own)
    opened = ordered[0].order if ordered and ordered[0].topic in _OPENERS and ordered[0].stream == own else None
    state: Any | None = None
    step = rules.step
    for event in ordered:
        if state is None and event.stream != own:
            applied = False
        elif disputed and event.topic == "promise-disputed" and uuid_bytes(event.payload.kept_event_id) in disputed:
            applied = state is not None
        else:
            state, applied = step(state, event)
        if not applied and event.topic in RESTATING:
            # What it does, it has done to the events before.
            applied = True
        later = opened is None or (event.order > opened and event.topic not in FROM_THE_BEGINNING)
        yield event, event.order if later or opened is None else opened, state, applied


def fold(rules: Rules, events: Iterable[Event], stream: str | None = None) -> Folded:
    """Return the state after all events, and those that did not apply."""
    state: Any | None = None
    ineffective: list[Event] = []
    for event, _, after, applied in steps(rules, events, stream):
        state = after
        if not applied:
            ineffective.append(event)
    return Folded(state, ineffective)


def state_at(
    rules: Rules,
    events: Iterable[Event],
    known: int = NOT_YET,
    before: int | None = None,
    stream: str | None = None,
) -> Any | None:
    """Return the state as known at a position (inclusive), as it was before an instant (exclusive); None when it did not exist."""
    state: Any | None = None
    for _, order, after, _ in steps(rules, [event for event in events if event.position <= known], stream):
        if before is not None and order >= before:
            break
        state = after
    return state


def judge(rules: Rules, events: Sequence[Event], event: Event, stream: str | None = None) -> Verdict:
    """Judge a new event at its own place among the entity's events: only what stands before that place decides.

    `events` are those recorded so far. `stream` is the entity's, by default that of the event; an event that touches another
    entity is judged against that one too by naming it. A hold on the event itself is not looked at.
    """
    own = stream or event.stream
    recorded = in_order(events, own)
    before = _before_place(recorded, event, own)
    state = fold(rules, before, own).state
    refusal = _reach_refused(events, event) if event.topic == "event-confirmed" and event.stream == own else None
    if refusal is None and (state is not None or event.stream == own):
        refusal = rules.refusal(state, event)
        if refusal is None and event.stream == own:
            refusal = rules.authority(state, event)
    if len(before) == len(recorded) and event.topic not in REACHES_BACK:
        return Verdict(refusal, (), state)
    return Verdict(refusal, _overtaken(rules, events, event, own), state)


def _before_place(recorded: list[Event], event: Event, own: str) -> list[Event]:
    opener = recorded[0] if recorded and recorded[0].topic in _OPENERS and recorded[0].stream == own else None
    if opener is None and event.topic in _OPENERS and event.stream == own:
        return []
    here = place(event)
    return [one for one in recorded if one is opener or place(one) <= here]


def _reach_refused(events: Sequence[Event], event: Event) -> Refusal | None:
    """Refuse a confirmation of what is not held back, or no longer."""
    named = uuid_bytes(event.payload.confirmed_event_id)
    held = any(one.event_id == named and one.header.held_back for one in events)
    confirmed = any(one.topic == "event-confirmed" and uuid_bytes(one.payload.confirmed_event_id) == named for one in events)
    if held and not confirmed:
        return None
    return not_allowed(
        "event",
        event.payload.confirmed_event_id,
        "confirmed already" if held else "not held back in this stream",
        event.topic,
        (),
        "Name an event that is shown without effect because it was recorded late.",
    )


def _overtaken(rules: Rules, events: Sequence[Event], event: Event, own: str) -> tuple[Event, ...]:
    applied_today = {id(one) for one, _, _, applied in steps(rules, list(events), own) if applied}
    with_event = [*events, _unheld(event) if event.header.held_back else event]
    return tuple(one for one, _, _, applied in steps(rules, with_event, own) if not applied and id(one) in applied_today)


def _unheld(event: Event) -> Event:
    header = type(event.header)()
    header.CopyFrom(event.header)
    header.held_back = False
    return Event(position=event.position, header=header, payload=event.payload, parts=event.parts, clock=event.clock)
