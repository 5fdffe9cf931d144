"""The same log and policy give the same playbook events, whatever the batches, and however many followers look, and when.

What playbooks record is part of the log: conditions here look at what people record only.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.policy_pb2 import MakePromise, Playbook, PlaybookStep
from ledger.api.v1.request_pb2 import RequestClassified, RequestOpened
from ledger.followers import playbooks as follower_module
from tests.appending import group, to_append
from tests.playing import MINUTE, World, published, stolen_phone

CUSTOMERS = ("anna", "ben")

AGAIN = Playbook(
    playbook="again",
    topics=["request-classified"],
    condition='event.priority == "urgent" && card.open_requests < 3',
    steps=[PlaybookStep(step="answer", make_promise=MakePromise(kind="answer"))],
)

moves = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(CUSTOMERS), st.sampled_from(["phone_stolen", "invoice"]), st.booleans()),
    st.tuples(st.just("classify"), st.sampled_from(CUSTOMERS), st.sampled_from(["gold", "small"])),
    st.tuples(st.just("priority"), st.integers(0, 5), st.sampled_from(["urgent", "low"])),
)
looks = st.lists(st.lists(st.integers(0, 2), max_size=2), min_size=12, max_size=12)


def events_of(world: World, number: int, move: tuple[object, ...], opened: list[str]) -> None:
    """Append what a move says, under ids that are the same in every world."""

    def event_id(name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {name}"))

    world.now += MINUTE
    match move:
        case "open", str(customer), str(reason), bool(overridden):
            request_id = f"r{number}"
            opened.append(request_id)
            request = RequestOpened(
                request_id=request_id,
                customer=Identifier(type="email", value=f"{customer}@example.org"),
                owner_department="front",
                reason=reason,
            )
            events = [to_append(request, event_id=event_id("opened"))]
            if overridden:
                override = RuleOverridden(
                    rule="stolen_phone", step="insurance", trigger_event_id=event_id("opened"), request_id=request_id, reason="no"
                )
                events.append(to_append(override, event_id=event_id("override")))
            world.ledger.append([group(*events)])
        case "classify", str(customer), str(tier):
            classified = CustomerClassified(customer=Identifier(type="email", value=f"{customer}@example.org"), tier=tier)
            world.append(classified, event_id=event_id("classified"))
        case "priority", int(which), str(priority) if opened:
            request_id = opened[which % len(opened)]
            world.append(RequestClassified(request_id=request_id, priority=priority), event_id=event_id("priority"))


def played(moves_made: list[tuple[object, ...]], schedule: list[list[int]], rows_max: int) -> set[tuple[object, ...]]:
    """Return what playbooks record when followers look by a schedule, and all of them at the end."""
    before = follower_module.ROWS_MAX
    follower_module.ROWS_MAX = rows_max  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            world.append(published(stolen_phone('event.reason == "phone_stolen" && tier != "small"'), AGAIN), event_id=PUBLISHED)
            followers = [world.playbooks, world.follower("second"), world.follower("third")]
            opened: list[str] = []
            for number, move in enumerate(moves_made):
                events_of(world, number, move, opened)
                for which in schedule[number % len(schedule)]:
                    world.look(followers[which])
            for follower in followers:
                world.look(follower)
            return {
                (one.event_id, one.stream, one.occur, one.header.actor, one.header.causation_id, one.payload.SerializeToString())
                for one in world.made()
            }
        finally:
            follower_module.ROWS_MAX = before  # type: ignore[misc]
            world.close()


PUBLISHED = str(uuid.uuid5(uuid.NAMESPACE_URL, "published"))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(moves, min_size=1, max_size=10), looks, st.sampled_from([1, 3, 1000]))
def test_the_same_log_gives_the_same_playbook_events_however_it_is_looked_at(
    moves_made: list[tuple[object, ...]], schedule: list[list[int]], rows_max: int
) -> None:
    at_the_end = played(moves_made, [[]], 1000)

    as_they_come = played(moves_made, schedule, rows_max)

    assert at_the_end == as_they_come
