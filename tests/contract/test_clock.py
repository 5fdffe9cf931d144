"""What the clock records, and that it records it once: the real ledger, the real views, a clock that is moved by hand."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.contact_pb2 import ContactAnswered, ContactMade, ContactReceived, MessageReceived, MessageSent
from ledger.api.v1.core_pb2 import CLOCK, STAYS, Due
from ledger.api.v1.governance_pb2 import ImportFinished, ImportStarted
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.api.v1.policy_pb2 import TARGET_NEXT_RESPONSE, PolicyPublished, ServicePolicy, Target
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade, PromiseRenegotiated
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.followers.clock import SILENT_MICROS, Clock
from projections.projector import Projector, open_views
from projections.search import SearchIndex
from projections.view import Read
from projections.views_file import ViewsFolder, ViewsReader
from tests.appending import append_one

START = 1_770_000_000_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class World:
    """A ledger, its views and its clock, at a time that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.ledger = Ledger.open(folder, now=lambda: self.now)
        self._folder = ViewsFolder(folder / "views")
        self._projector: Projector = open_views(self._folder, self.ledger.store, self.ledger.ledger_id)
        self._search = SearchIndex(self._folder.search)
        self.reader = ViewsReader(self._folder.path)
        self.clock = Clock(self.ledger.store, self._append)
        self.before_append: list[object] = []

    def _append(self, request: AppendRequest) -> Sequence[GroupResult]:
        for action in self.before_append:
            action()  # type: ignore[operator]
        self.before_append.clear()
        return self.ledger.append(list(request.groups), internal=True)

    def look(self, clock: Clock | None = None) -> int:
        """Bring the views up to date, and let the clock look."""
        self.project()
        with self.reader.snapshot() as snapshot:
            assert snapshot is not None
            at = snapshot.position
            read = Read(snapshot.db, at, at, None, self.now, self.ledger.store, self.ledger.content)
            return (clock or self.clock).look(read, self.now)

    def project(self) -> None:
        while self._projector.step(self._search, self.ledger.content):
            pass

    def events(self, topic: str) -> list[Event]:
        rows = self.ledger.store.read(0, 10_000)
        return [read_event(row.position, row.header) for row in rows if row.topic == topic]

    def close(self) -> None:
        self.reader.close()
        self._projector.close()
        self._search.close()
        self.ledger.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def at(micros: int) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMicroseconds(micros)
    return stamp


def promise(promise_id: str = "p1", due: int = START + HOUR) -> PromiseMade:
    return PromiseMade(promise_id=promise_id, kind="delivery", contact_id="c0", due=Due(instant=at(due)))


def test_a_promise_is_broken_once_its_due_and_the_allowance_have_passed(world: World) -> None:
    append_one(world.ledger, promise())
    world.now = START + HOUR + 2 * MINUTE - 1
    assert 0 == world.look()

    world.now += 1
    assert 1 == world.look()
    assert 0 == world.look()

    (broken,) = world.events("promise-broken")
    assert (START + HOUR, CLOCK) == (broken.occur, broken.header.actor_kind)


def test_any_number_of_clocks_record_the_same_event_once(world: World) -> None:
    append_one(world.ledger, promise())
    world.now = START + DAY
    other = Clock(world.ledger.store, lambda request: world.ledger.append(list(request.groups), internal=True))
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        stale = Read(snapshot.db, snapshot.position, snapshot.position, None, world.now, world.ledger.store, world.ledger.content)
        first, second = world.clock.look(stale, world.now), other.look(stale, world.now)

    assert (1, 0) == (first, second)
    assert 1 == len(world.events("promise-broken"))


def test_a_promise_kept_in_time_is_never_broken(world: World) -> None:
    append_one(world.ledger, promise())
    world.now = START + HOUR
    append_one(world.ledger, PromiseKept(promise_id="p1"))
    world.now = START + DAY

    assert 0 == world.look()


def test_a_promise_kept_late_was_broken_in_between(world: World) -> None:
    append_one(world.ledger, promise())
    world.now = START + HOUR + MINUTE
    append_one(world.ledger, PromiseKept(promise_id="p1"))
    world.now = START + DAY

    assert 1 == world.look()
    assert 0 == world.look()


def test_a_promise_that_moves_while_the_clock_decides_is_looked_at_again(world: World) -> None:
    append_one(world.ledger, promise())
    world.now = START + HOUR + 2 * MINUTE
    world.before_append.append(
        lambda: append_one(
            world.ledger,
            PromiseRenegotiated(promise_id="p1", due=Due(instant=at(START + DAY)), customer_agreed=True, contact_id="c0"),
            occur=START + HOUR - MINUTE,
            record_late=True,
        )
    )

    assert 0 == world.look()
    assert 0 == world.look()
    world.now = START + DAY + 2 * MINUTE
    assert 1 == world.look()


def test_an_answer_in_time_meets_the_response_target_and_a_missing_one_breaks_it(world: World) -> None:
    for contact_id in ("c1", "c2", "c3"):
        append_one(world.ledger, ContactReceived(contact_id=contact_id, reason="x"), channel="phone")
    world.now = START + 30_000_000
    append_one(world.ledger, ContactAnswered(contact_id="c1", answered_by=1))
    append_one(world.ledger, ContactMade(contact_id="c9", in_reply_to="c3", reached=1))
    world.now = START + HOUR

    assert 1 == world.look()
    assert 0 == world.look()

    (broken,) = world.events("promise-broken")
    assert ("promise-response-c2", START + MINUTE) == (broken.stream, broken.occur)


def test_each_message_is_broken_by_itself_under_an_id_of_its_own(world: World) -> None:
    publish_next_response(world, HOUR)
    append_one(world.ledger, ContactReceived(contact_id="c1", reason="x"), channel="letter")
    second, third, fourth = (str(uuid.UUID(int=number)) for number in (2, 3, 4))
    append_one(world.ledger, MessageReceived(contact_id="c1"), event_id=second)
    world.now += 2 * MINUTE
    append_one(world.ledger, MessageReceived(contact_id="c1"), event_id=third)
    world.now += HOUR
    append_one(world.ledger, MessageReceived(contact_id="c1"), event_id=fourth)

    while world.look():
        pass

    assert [f"promise-next-response-{second}"] == [event.stream for event in world.events("promise-broken")]
    world.now += 2 * HOUR
    while world.look():
        pass
    broken = world.events("promise-broken")
    assert [f"promise-next-response-{one}" for one in (second, third, fourth)] == [event.stream for event in broken]
    assert [START + HOUR, START + HOUR + 2 * MINUTE, START + 2 * HOUR + 2 * MINUTE] == [event.occur for event in broken]


def test_an_answer_in_time_meets_the_targets_of_all_messages_before_it(world: World) -> None:
    publish_next_response(world, HOUR)
    append_one(world.ledger, ContactReceived(contact_id="c1", reason="x"), channel="letter")
    append_one(world.ledger, MessageReceived(contact_id="c1"))
    append_one(world.ledger, MessageReceived(contact_id="c1"))
    append_one(world.ledger, MessageSent(contact_id="c1", sent_by=1))
    world.now += DAY

    assert 0 == world.look()


def publish_next_response(world: World, within: int) -> None:
    """Publish a policy with a target for next responses and for nothing else."""
    target = Target(kind=TARGET_NEXT_RESPONSE)
    target.within.FromMicroseconds(within)
    published = PolicyPublished(policy_id="service", policy_version=1, policy=ServicePolicy(targets=[target]))
    published.policy.recording_allowance.FromMicroseconds(2 * MINUTE)
    published.in_force_from.FromMicroseconds(world.now)
    assert "" == append_one(world.ledger, published)


def offer(handoff_id: str, accept_by: int, complete_by: int) -> HandoffOffered:
    return HandoffOffered(
        request_id="r1",
        handoff_id=handoff_id,
        from_department="sales",
        to_department="shipping",
        ownership=STAYS,
        accept_by=at(accept_by),
        complete_by=at(complete_by),
    )


def test_handoffs_expire_and_become_overdue(world: World) -> None:
    append_one(world.ledger, RequestOpened(request_id="r1", owner_department="sales"), department="sales")
    append_one(world.ledger, offer("h1", START + HOUR, START + 2 * HOUR), department="sales")
    append_one(world.ledger, offer("h2", START + HOUR, START + 2 * HOUR), department="sales")
    append_one(world.ledger, HandoffAccepted(request_id="r1", handoff_id="h2"), department="shipping")
    world.now = START + DAY

    while world.look():
        pass

    assert ["h1"] == [event.payload.handoff_id for event in world.events("handoff-expired")]
    assert ["h1", "h2"] == sorted(event.payload.handoff_id for event in world.events("handoff-overdue"))


def test_nothing_is_derived_for_an_import_that_is_open(world: World) -> None:
    append_one(world.ledger, ImportStarted(run_id="run", from_source="crm"))
    append_one(world.ledger, promise(due=START - DAY), import_run="run", occur=START - 2 * DAY)
    world.now = START + 30 * MINUTE
    assert 0 == world.look()

    append_one(world.ledger, ImportFinished(run_id="run"))

    assert 1 == world.look()


def test_an_import_that_fell_silent_counts_as_over(world: World) -> None:
    append_one(world.ledger, ImportStarted(run_id="run", from_source="crm"))
    append_one(world.ledger, promise(due=START - DAY), import_run="run", occur=START - 2 * DAY)

    world.now = START + SILENT_MICROS + 1

    assert 1 == world.look()


def test_what_was_just_recorded_late_waits_for_the_allowance(world: World) -> None:
    append_one(world.ledger, promise(due=START - DAY), occur=START - 2 * DAY, record_late=True)

    assert 0 == world.look()
    world.now += 2 * MINUTE
    assert 1 == world.look()
