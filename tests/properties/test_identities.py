"""Who is who at every position equals a recomputation from scratch by other means."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.event_pb2 import EventCorrected, Payload
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.api.v1.identity_pb2 import ENDED, WRONG_FROM_START, IdentifierShared, IdentityLinked, IdentityUnlinked
from ledger.api.v1.identity_service_pb2 import (
    LINK_INEFFECTIVE_UNSPECIFIED,
    SET_TOO_LARGE,
    SHARED_IDENTIFIER,
    UNIQUE_TYPE_VETO,
    LinkIneffective,
)
from ledger.event import Event
from projections import identities, identity_sets
from projections.identities import IdentitiesView
from projections.identity_sets import UNIQUE_TYPES
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]
TYPES = {"a": "account", "b": "account", "c": "account", "d": "customer_number", "e": "customer_number"}

names = st.sampled_from(NAMES)
Move = tuple[Any, ...]


@st.composite
def histories(draw: st.DrawFn) -> list[Move]:
    """Moves by position: links, links that are over, unlinks of one of them, marks set and taken away; some restated later."""
    history: list[Move] = []
    links: list[int] = []
    restatable: list[int] = []
    shared: set[str] = set()
    for position in range(1, draw(st.integers(1, 40)) + 1):
        plain = ["link", "link", "link", "link", "over", "unlink", "unlink", "share", "share"]
        kind = draw(st.sampled_from([*plain, "retract", "correct"]))
        if kind == "retract" and restatable:
            history.append((kind, draw(st.sampled_from(restatable))))
            restatable.append(position)
        elif kind == "correct" and links:
            history.append((kind, draw(st.sampled_from(links)), draw(names), draw(names)))
            restatable.append(position)
        elif kind == "unlink" and links:
            restatable.append(position)
            history.append((kind, draw(st.sampled_from(links)), draw(st.booleans())))
        elif kind == "share":
            name = draw(st.sampled_from(NAMES[4:6]))
            shared.symmetric_difference_update({name})
            # Now and then the mark that stands already.
            history.append((kind, name, (name in shared) != (draw(st.integers(0, 9)) == 0)))
        else:
            history.append(("over" if kind == "over" else "link", draw(names), draw(names)))
            links.append(position)
            restatable.append(position)
    return history


def root_of(history: list[Move], position: int) -> int:
    """Return the link or unlink that a correction or retraction is about in the end."""
    while history[position - 1][0] in ("retract", "correct"):
        position = history[position - 1][1]
    return position


def naming(history: list[Move], position: int) -> list[int]:
    """Return what corrects or retracts a move, itself not retracted, in order."""
    return [
        later
        for later, move in enumerate(history, 1)
        if later > position
        and move[:2] in (("retract", position), ("correct", position))
        and not any(history[by - 1][0] == "retract" for by in naming(history, later))
    ]


def link_as_said(history: list[Move], position: int) -> tuple[str, str, bool] | None:
    """Return left, right and whether it is over, by the last word on a link and on what unlinks it; None: it does not stand."""
    words = naming(history, position)
    if words and history[words[-1] - 1][0] == "retract":
        return None
    corrections = [word for word in words if history[word - 1][0] == "correct"]
    kind, left, right = history[position - 1]
    if corrections:
        kind, _, left, right = history[corrections[-1] - 1]
    over = kind == "over"
    for later, move in enumerate(history, 1):
        if move[:2] == ("unlink", position) and not any(history[by - 1][0] == "retract" for by in naming(history, later)):
            if move[2]:
                return None
            over = True
    return left, right, over


@dataclass
class Edge:
    position: int
    left: str
    right: str
    ended: bool
    why: LinkIneffective.ValueType = LINK_INEFFECTIVE_UNSPECIFIED

    @property
    def joins(self) -> bool:
        return not self.ended and self.why == LINK_INEFFECTIVE_UNSPECIFIED


@dataclass
class Naive:
    """Sets by union-find over the links that join, made anew for every question."""

    set_size_max: int
    edges: dict[str, Edge] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    first: dict[str, int] = field(default_factory=dict)
    history: list[Move] = field(default_factory=list)

    def restate(self, position: int, move: Move) -> None:
        """Put a link in the place of how it stood: others that may join now do so first."""
        if move[0] == "correct":
            for name in move[2:]:
                self.first.setdefault(name, position)
        root = root_of(self.history, position)
        link = root if self.history[root - 1][0] in ("link", "over") else self.history[root - 1][1]
        said = link_as_said(self.history, link)
        stood = self.edges.get(str(link))
        if stood is not None and (stood.left, stood.right, stood.ended) == said:
            return
        before = self.components()
        self.edges.pop(str(link), None)
        self.judge_again(before)
        if said is not None:
            edge = Edge(link, *said)
            edge.why = self.why_not(edge)
            self.edges[str(link)] = edge
            self.edges = dict(sorted(self.edges.items(), key=lambda item: item[1].position))

    def components(self) -> dict[str, frozenset[str]]:
        parent = {name: name for name in NAMES}

        def root(name: str) -> str:
            while parent[name] != name:
                name = parent[name]
            return name

        for edge in self.edges.values():
            if edge.joins:
                parent[root(edge.left)] = root(edge.right)
        return {name: frozenset(other for other in NAMES if root(other) == root(name)) for name in NAMES}

    def why_not(self, edge: Edge) -> LinkIneffective.ValueType:
        if {edge.left, edge.right} & self.shared:
            return SHARED_IDENTIFIER
        left, right = (self.components()[name] for name in (edge.left, edge.right))
        if edge.ended or left == right:
            return LINK_INEFFECTIVE_UNSPECIFIED
        unique = [TYPES[name] for name in left | right if TYPES.get(name) in UNIQUE_TYPES]
        if len(unique) > len(set(unique)):
            return UNIQUE_TYPE_VETO
        return SET_TOO_LARGE if len(left | right) > self.set_size_max else LINK_INEFFECTIVE_UNSPECIFIED

    def take(self, position: int, move: Move) -> None:
        self.history.append(move)
        if move[0] in ("retract", "correct"):
            self.restate(position, move)
            return
        before = self.components()
        if move[0] in ("link", "over"):
            for name in move[1:]:
                self.first.setdefault(name, position)
            edge = Edge(position, move[1], move[2], ended=move[0] == "over")
            edge.why = self.why_not(edge)
            self.edges[str(position)] = edge
        elif move[0] == "unlink":
            taken_back = self.edges.pop(str(move[1]), None)
            if taken_back is not None and not move[2]:
                self.edges[str(move[1])] = replace(taken_back, ended=True)
            self.edges = dict(sorted(self.edges.items(), key=lambda item: item[1].position))
        else:
            self.first.setdefault(move[1], position)
            (self.shared.add if move[2] else self.shared.discard)(move[1])
            for edge in list(self.edges.values()):
                if move[1] in (edge.left, edge.right):
                    now_shared = bool({edge.left, edge.right} & self.shared)
                    if now_shared or edge.why == SHARED_IDENTIFIER:
                        # While it is judged it must not stand in its own way, nor count.
                        edge.why = SHARED_IDENTIFIER
                        edge.why = self.why_not(edge)
        self.judge_again(before)

    def judge_again(self, before: dict[str, frozenset[str]]) -> None:
        after = self.components()
        smaller = {name for name in NAMES if not before[name] <= after[name]}
        for edge in self.edges.values():
            if {edge.left, edge.right} & smaller and not edge.ended and edge.why in (UNIQUE_TYPE_VETO, SET_TOO_LARGE):
                edge.why = edge.why if self.why_not(edge) else LINK_INEFFECTIVE_UNSPECIFIED

    def members(self) -> dict[str, list[bytes]]:
        oldest_first = sorted(NAMES, key=lambda name: (self.first.get(name, 0), subject(name)))
        components = self.components()
        return {name: [subject(one) for one in oldest_first if one in components[name]] for name in NAMES}

    def candidates(self) -> list[tuple[int, int]]:
        return [(edge.position, edge.why) for edge in reversed(self.edges.values()) if edge.why and not edge.ended]


def recorded(position: int, move: Move, streams: dict[int, str]) -> Event:
    when = at(position)
    payload: Any
    if move[0] == "retract":
        payload = EventRetracted(stream=streams[move[1]], retracted_event_id=event_id_text(str(move[1])))
    elif move[0] == "correct":
        left, right = (identifier(name, TYPES.get(name, "phone")) for name in move[2:])
        said = Payload(identity_linked=IdentityLinked(left=left, right=right))
        payload = EventCorrected(stream=streams[move[1]], corrected_event_id=event_id_text(str(move[1])), payload=said)
    elif move[0] in ("link", "over"):
        left, right = (identifier(name, TYPES.get(name, "phone")) for name in move[1:])
        payload = IdentityLinked(left=left, right=right, valid_until=timestamp(when) if move[0] == "over" else None)
    elif move[0] == "unlink":
        reason = WRONG_FROM_START if move[2] else ENDED
        payload = IdentityUnlinked(link_event_id=event_id_text(str(move[1])), unlink_reason=reason, ended_at=timestamp(when))
    else:
        payload = IdentifierShared(identifier=identifier(move[1], TYPES.get(move[1], "phone")), shared=move[2])
    made = event(payload, position=position, occur=when, name=str(position))
    streams[position] = made.stream
    return made


@pytest.mark.parametrize("set_size_max", [3, 200])
@given(history=histories(), batch_size=st.integers(1, 40))
def test_sets_at_every_position_equal_a_recomputation_from_the_links_recorded_by_then(
    set_size_max: int, history: list[Move], batch_size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity_sets, "SET_SIZE_MAX", set_size_max)
        streams: dict[int, str] = {}
        events = [recorded(position, move, streams) for position, move in enumerate(history, 1)]
        views = Views(IdentitiesView()).apply(events, batch_size)
        whole = Views(IdentitiesView()).apply(events)
    naive = Naive(set_size_max)

    for position, move in enumerate(history, 1):
        naive.take(position, move)
        read = views.read(known=position)

        for name, expected in naive.members().items():
            assert expected == identities.members(read, subject(name))
            assert expected[0].hex() == identities.customer_id(read, subject(name)).replace("-", "")
        candidates, _ = identities.duplicate_candidates(read, 50, None)
        assert naive.candidates() == [(candidate.position, candidate.why) for candidate in candidates]

    assert whole.changes["identities"].entries == views.changes["identities"].entries
