"""The history at any position and time equals going through all events one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import NoteAdded
from ledger.api.v1.event_pb2 import CorrectedEnvelope, EventCorrected, Payload
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.api.v1.history_service_pb2 import HistoryFilter
from ledger.api.v1.identity_pb2 import ENDED, WRONG_FROM_START, IdentityLinked, IdentityUnlinked
from ledger.event import Event
from projections import history, identities
from projections.history import HistoryView
from projections.identities import IdentitiesView
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject

NAMES = ["a", "b", "c", "d", "e"]
CHANNELS = ["phone", "email", "chat"]
LAST_MINUTE = 30

names = st.sampled_from(NAMES)
minutes = st.integers(0, LAST_MINUTE)
instants = st.none() | minutes
steps = st.one_of(
    st.tuples(st.just("note"), names, minutes, st.sampled_from(CHANNELS)),
    st.tuples(st.just("note"), names, minutes, st.sampled_from(CHANNELS)),
    st.tuples(st.just("link"), names, names, instants, instants),
    st.tuples(st.just("unlink"), st.integers(1, 20), minutes, st.booleans()),
    st.tuples(st.just("correct"), st.integers(1, 10), names, minutes, st.sampled_from(CHANNELS)),
    st.tuples(st.just("retract"), st.integers(1, 20)),
)


@dataclass
class Link:
    left: str
    right: str
    valid_from: int | None
    valid_until: int | None
    over: bool = False

    @property
    def bounded(self) -> bool:
        return self.valid_from is not None or self.valid_until is not None

    def holds(self, minute: int) -> bool:
        return (self.valid_from is None or self.valid_from <= minute) and (self.valid_until is None or minute < self.valid_until)


def counts(links: list[Link], members: set[str], whose: str, minute: int) -> bool:
    """Tell whether what happened to an identifier at an instant counts for a customer, by the rules of identity_spans.py."""
    over = [link for link in links if link.over and link.right == whose and link.holds(minute)]
    if any(link.left in members for link in over):
        return True
    if whose not in members:
        return False
    joining = [link for link in links if not link.over]
    on_the_right = [link for link in joining if link.right == whose]
    if on_the_right and all(link.bounded for link in on_the_right) and all(link.left != whose for link in joining):
        return any(link.holds(minute) for link in on_the_right)
    return not over


def recorded(position: int, step: tuple[Any, ...]) -> Event:
    """Return the event of a step. It is recorded `position` minutes in; links and unlinks occur then too."""
    when = at(position)
    if step[0] == "note":
        occur = at(step[2])
        note = NoteAdded(contact_id="c")
        return event(note, position=position, occur=occur, name=str(position), subject=subject(step[1]), channel=step[3])
    if step[0] == "correct":
        said = EventCorrected(
            stream="contact-c",
            corrected_event_id=event_id_text(str(step[1])),
            envelope=CorrectedEnvelope(occur_time=timestamp(at(step[3])), channel=step[4]),
            payload=Payload(note_added=NoteAdded(contact_id="c")),
        )
        return event(said, position=position, occur=when, name=str(position), subject=subject(step[2]))
    if step[0] == "retract":
        gone = EventRetracted(stream="contact-c", retracted_event_id=event_id_text(str(step[1])))
        return event(gone, position=position, occur=when, name=str(position))
    if step[0] == "link":
        bounds = {
            name: timestamp(at(minute))
            for name, minute in zip(("valid_from", "valid_until"), step[3:], strict=True)
            if minute is not None
        }
        payload = IdentityLinked(left=identifier(step[1]), right=identifier(step[2]), **bounds)  # type: ignore[arg-type]
        return event(payload, position=position, occur=when, name=str(position), subject=subject(step[1]))
    unlinked = IdentityUnlinked(
        link_event_id=event_id_text(str(step[1])),
        unlink_reason=ENDED if step[3] else WRONG_FROM_START,
        ended_at=timestamp(at(step[2])),
    )
    return event(unlinked, position=position, occur=when, name=str(position))


def last_word(story: list[tuple[Any, ...]], known: int, position: int) -> tuple[tuple[Any, ...], int | None, bool]:
    """Return what a note says as its last correction has it, by which position, and whether it is retracted."""
    naming = [
        later
        for later in range(position + 1, known + 1)
        if story[later - 1][0] in ("correct", "retract") and story[later - 1][1] == position and not gone(story, known, later)
    ]
    corrections = [later for later in naming if story[later - 1][0] == "correct"]
    said = story[position - 1]
    if corrections:
        said = ("note", *story[corrections[-1] - 1][2:])
    by = corrections[-1] if corrections else None
    return said, by, bool(naming) and story[naming[-1] - 1][0] == "retract"


def gone(story: list[tuple[Any, ...]], known: int, position: int) -> bool:
    """Tell whether a correction or retraction was itself retracted."""
    later = range(position + 1, known + 1)
    return any(story[one - 1] == ("retract", position) and not gone(story, known, one) for one in later)


def links_at(story: list[tuple[Any, ...]], known: int) -> list[Link]:
    links: dict[int, Link] = {}
    for position, step in enumerate(story[:known], 1):
        if step[0] == "link":
            over = step[4] is not None and step[4] <= position
            links[position] = Link(step[1], step[2], step[3], step[4], over)
        elif step[0] == "unlink" and step[1] in links:
            link = links.pop(step[1])
            if step[3]:
                links[step[1]] = replace(link, valid_until=step[2], over=True)
    return list(links.values())


@given(
    story=st.lists(steps, min_size=1, max_size=20),
    known=st.integers(0, 20),
    before=instants,
    who=names,
    channels=st.sets(st.sampled_from(CHANNELS)),
    occurred_from=instants,
    oldest_first=st.booleans(),
    limit=st.integers(1, 5),
)
def test_a_history_at_any_position_and_time_is_what_going_through_all_events_gives(
    story: list[tuple[Any, ...]],
    known: int,
    before: int | None,
    who: str,
    channels: set[str],
    occurred_from: int | None,
    oldest_first: bool,
    limit: int,
) -> None:
    known = min(known, len(story))
    events = [recorded(position, step) for position, step in enumerate(story, 1)]
    views = Views(HistoryView(), IdentitiesView()).apply(events)
    read = views.read(known, None if before is None else at(before))
    subjects = identities.members(read, subject(who))
    filter = HistoryFilter(channels=channels)
    if occurred_from is not None:
        filter.occurred_from.CopyFrom(timestamp(at(occurred_from)))

    found: list[int] = []
    shown_as: dict[int, tuple[bool, bool]] = {}
    after = None
    while True:
        entries, after = history.page(read, subjects, filter, oldest_first, limit, after)
        found += [entry.event.position for entry in entries]
        shown_as.update({one.event.position: (one.HasField("corrected"), one.retracted) for one in entries})
        if after is None:
            break
    changed = [position for position, _ in history.changed(read, 0, subjects, filter)]

    members = {name for name in NAMES if subject(name) in subjects}
    links = links_at(story, known)
    expected: list[tuple[int, int]] = []
    marks: dict[int, tuple[bool, bool]] = {}
    for position, recorded_step in enumerate(story[:known], 1):
        step, by, retracted = recorded_step, None, False
        if step[0] == "note":
            step, by, retracted = last_word(story, known, position)
        marks[position] = (by is not None, retracted)
        minute = step[2] if step[0] == "note" else position
        whose = {"note": step[1:2], "link": step[1:3], "correct": step[2:3], "unlink": (), "retract": ()}[step[0]]
        shown = any(counts(links, members, name, minute) for name in whose)
        in_time = (before is None or minute < before) and (occurred_from is None or minute >= occurred_from)
        if shown and in_time and (not channels or (step[0] == "note" and step[3] in channels)):
            expected.append((minute, position))
    assert [position for _, position in sorted(expected, reverse=not oldest_first)] == found
    assert sorted(position for _, position in expected) == changed
    assert {position: marks[position] for position in shown_as} == shown_as
