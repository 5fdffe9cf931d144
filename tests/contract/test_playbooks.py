"""What playbooks record, and that they record it once: the real ledger, the real views, followers that are moved by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import uuid_utils

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import PLAYBOOK, STAYS, Fact, Identifier
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.identity_pb2 import CustomerClassified
from ledger.api.v1.playbook_service_pb2 import Play, PlayFilter
from ledger.api.v1.policy_pb2 import MakePromise, OfferHandoff, Playbook, PlaybookStep, PolicyWithdrawn
from ledger.api.v1.promise_pb2 import FROM_PLAYBOOK, PromiseKept, PromiseMade
from ledger.api.v1.request_pb2 import CLOSED_NO_REPLY, ContactLinked, RequestClosed, RequestOpened
from ledger.event_id import to_text
from ledger.followers import playbooks as follower_module
from ledger.followers.playbook_record import read_record
from ledger.store.recorder import LogReader, StoredEventRow
from projections import playbooks
from tests.appending import group as group_of
from tests.appending import to_append
from tests.playing import DAY, HOUR, MINUTE, START, STEPS, World, opened, published, stolen_phone


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def refused(world: World) -> list[tuple[str, str]]:
    return [(one.playbook, one.reason) for one in read_record(world.folder / "playbooks.db", 100)[1]]


def test_a_stolen_phone_sets_off_every_step_at_once(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())

    assert 4 == world.look()

    (trigger,) = world.events("request-opened")
    assert ["handoff-offered", "handoff-offered", "promise-made", "opportunity-suggested"] == [one.topic for one in world.made()]
    assert {(PLAYBOOK, trigger.event_id, "service", 1, trigger.record)} == {
        (one.header.actor_kind, one.header.causation_id, one.header.policy_id, one.header.policy_version, one.occur)
        for one in world.made()
    }
    assert [f"stolen_phone:{step}" for step in STEPS] == [one.header.actor for one in world.made()]


def test_the_handoffs_stay_and_the_promise_is_an_aim_until_the_customer_is_told(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.look()

    offers = world.events("handoff-offered")
    (promise,) = world.events("promise-made")
    assert [("front", "billing", STAYS), ("front", "shipping", STAYS)] == [
        (one.payload.from_department, one.payload.to_department, one.payload.ownership) for one in offers
    ]
    assert START + 15 * MINUTE == offers[0].payload.default_accept_by.ToMicroseconds()
    assert (FROM_PLAYBOOK, "r1", "", START + 2 * HOUR) == (
        promise.payload.origin,
        promise.payload.request_id,
        promise.payload.contact_id,
        promise.payload.due.due_time.ToMicroseconds(),
    )


def test_what_is_looked_at_again_is_recorded_once(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.look()

    assert 0 == world.look()
    assert 0 == world.look(world.follower("another"))
    assert len(STEPS) == len(world.made())


def test_a_follower_that_lost_its_checkpoint_acts_on_nothing_old(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.now += 2 * HOUR
    world.append(ContactReceived(contact_id="c9", reason="x"))

    assert 0 == world.look(world.follower("another"))


class OtherBranch:
    """The log, with other events in some places."""

    def __init__(self, reader: LogReader) -> None:
        self.reader = reader
        self.other: dict[int, StoredEventRow] = {}

    def read(self, after_position: int, limit: int, until_position: int | None = None) -> list[StoredEventRow]:
        return [self.other.get(row.position, row) for row in self.reader.read(after_position, limit, until_position)]

    def read_positions(self, positions: Sequence[int]) -> dict[int, StoredEventRow]:
        return self.reader.read_positions(positions) | {at: self.other[at] for at in positions if at in self.other}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)


def test_a_follower_that_runs_notices_that_another_event_stands_where_it_looked(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    head = world.ledger.head().position
    log = OtherBranch(world.ledger.store)
    log.other[head] = world.ledger.store.read_positions([head - 1])[head - 1]._replace(position=head, event_id=bytes(16))
    follower = world.follower("another", cast(LogReader, log))
    assert 0 == world.look(follower)

    log.other.clear()

    assert 4 == world.look(follower)


def test_a_condition_that_does_not_hold_sets_nothing_off(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened(reason="invoice"))

    assert 0 == world.look()


def test_imports_and_what_is_recorded_too_late_set_nothing_off(world: World) -> None:
    world.append(published(stolen_phone(), in_force_from=START - DAY))
    world.append(ImportStarted(run_id="run", from_source="crm"))
    world.append(opened("r1"), import_run="run")
    world.append(opened("r2"), occur=START - HOUR - 1, record_late=True)
    world.append(opened("r3"), occur=START - HOUR, record_late=True)

    assert 4 == world.look()
    assert {"request-r3"} == {one.stream for one in world.made() if one.topic == "handoff-offered"}


def test_a_trigger_is_ruled_by_what_was_published_before_it(world: World) -> None:
    world.append(opened("r1"))
    world.append(published(stolen_phone()))
    world.append(opened("r2"))

    assert 4 == world.look()
    assert {"r2"} == {one.payload.request_id for one in world.made()}


def test_a_condition_sees_the_card_as_of_the_trigger(world: World) -> None:
    condition = 'card.tier == "gold" && card.open_requests == 1 && card.contacts_30d == 1'
    world.append(published(stolen_phone(condition)))
    anna = Identifier(type="email", value="anna@example.org")
    world.append(ContactReceived(contact_id="c1", customer=anna, reason="phone_stolen"))
    world.append(CustomerClassified(customer=anna, tier="gold"))
    world.append(RequestOpened(request_id="r1", contact_id="c1", owner_department="front", reason="phone_stolen"))
    # What comes later is not seen, although the follower looks only now.
    world.append(CustomerClassified(customer=anna, tier="small"))
    world.append(RequestOpened(request_id="r2", contact_id="c1", owner_department="front", reason="phone_stolen"))

    assert 4 == world.look()
    assert {"r1"} == {one.payload.request_id for one in world.made()}


def test_required_facts_that_the_customer_gave_are_passed_by_reference(world: World) -> None:
    world.append(published(stolen_phone(topics=("contact-linked",), condition="")))
    anna = Identifier(type="email", value="anna@example.org")
    world.append(RequestOpened(request_id="r1", customer=anna, owner_department="front", reason="phone_stolen"))
    world.append(FactGiven(customer=anna, request_id="r1", fact=Fact(key="delivery_address", value="3 Elm Street")))
    world.append(ContactReceived(contact_id="c1", customer=anna, reason="x"))
    world.append(ContactLinked(request_id="r1", contact_id="c1"))
    world.look()

    (given,) = world.events("fact-given")
    ship = next(one for one in world.events("handoff-offered") if one.payload.type == "ship")
    assert [("delivery_address", to_text(given.event_id))] == [(one.key, one.fact_event_id) for one in ship.payload.facts]
    assert [] == list(ship.payload.missing_required_keys)


def test_a_step_that_a_person_overrode_before_is_left_out(world: World) -> None:
    world.append(published(stolen_phone()))
    trigger_id = str(uuid_utils.uuid7())
    override = RuleOverridden(
        rule="stolen_phone", step="insurance", trigger_event_id=trigger_id, request_id="r1", reason="customer_in_distress"
    )
    world.ledger.append([group_of(to_append(opened(), event_id=trigger_id), to_append(override))])

    assert 3 == world.look()
    assert [] == world.events("opportunity-suggested")


def test_a_playbook_that_a_person_overrode_whole_does_nothing(world: World) -> None:
    world.append(published(stolen_phone()))
    trigger_id = str(uuid_utils.uuid7())
    override = RuleOverridden(rule="stolen_phone", trigger_event_id=trigger_id, request_id="r1", reason="false_alarm")
    world.ledger.append([group_of(to_append(opened(), event_id=trigger_id), to_append(override))])

    assert 0 == world.look()


def test_an_override_that_the_views_have_not_seen_yet_counts(world: World) -> None:
    world.append(published(stolen_phone()))
    trigger_id = str(uuid_utils.uuid7())
    world.append(opened(), event_id=trigger_id)
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        read = world.read(snapshot.db, snapshot.position)
        world.append(RuleOverridden(rule="stolen_phone", trigger_event_id=trigger_id, reason="false_alarm"))
        looked = world.playbooks.look(read)

    assert 0 == looked.recorded


def test_a_request_closed_meanwhile_refuses_the_whole_play_and_it_is_listed(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.now += MINUTE
    world.append(RequestClosed(request_id="r1", outcome=CLOSED_NO_REPLY))

    assert 0 == world.look()
    assert [] == world.made()
    assert [("stolen_phone", "PLAYBOOK_OVERTAKES")] == refused(world)


def test_a_request_that_changes_while_the_playbook_decides_is_looked_at_again(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.before_append.append(lambda: world.append(RequestClosed(request_id="r1", outcome=CLOSED_NO_REPLY)))

    assert 0 == world.look()
    assert 1 == len(refused(world))


def test_a_trigger_without_a_request_is_refused_and_listed(world: World) -> None:
    world.append(published(stolen_phone(topics=("contact-received",), condition="")))
    world.append(ContactReceived(contact_id="c1", reason="phone_stolen"))

    assert 0 == world.look()
    assert [("stolen_phone", "PLAYBOOK_CANNOT_ACT")] == refused(world)


def test_a_playbook_that_sets_itself_off_ends_after_five_causes(world: World) -> None:
    again = Playbook(
        playbook="again",
        topics=["request-opened", "promise-made"],
        steps=[PlaybookStep(step="answer", make_promise=MakePromise(kind="answer"))],
    )
    world.append(published(again))
    world.append(opened())

    assert 5 == world.look()


def test_several_playbooks_act_on_one_trigger_each_for_itself(world: World) -> None:
    moving = Playbook(
        playbook="moving",
        topics=["request-opened"],
        steps=[
            PlaybookStep(step="one", offer_handoff=OfferHandoff(type="ship", to_department="a", ownership=1)),
            PlaybookStep(step="two", offer_handoff=OfferHandoff(type="ship", to_department="b", ownership=1)),
        ],
    )
    world.append(published(moving, stolen_phone()))
    world.append(opened())

    assert 4 == world.look()
    assert [("moving", "OWNERSHIP_ALREADY_MOVING")] == refused(world)


def test_a_request_closed_and_opened_again_is_acted_upon_when_nothing_is_overtaken(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened())
    world.append(ContactReceived(contact_id="c1", reason="x"))

    assert 4 == world.look()


def test_a_policy_with_playbooks_that_is_withdrawn_rules_what_was_recorded_before(world: World) -> None:
    world.append(published(stolen_phone()))
    world.append(opened("r1"))
    world.append(PolicyWithdrawn(policy_id="service", policy_version=1))
    world.append(opened("r2"))

    assert 4 == world.look()
    assert {"r1"} == {one.payload.request_id for one in world.made()}


def test_a_playbook_on_a_broken_promise_acts_in_the_request_of_the_promise(world: World) -> None:
    make_good = Playbook(
        playbook="make_good",
        topics=["promise-kept"],
        steps=[PlaybookStep(step="call", make_promise=MakePromise(kind="call_back", owner_department="front"))],
    )
    world.append(published(make_good))
    world.append(opened())
    world.append(PromiseMade(promise_id="p1", kind="answer", request_id="r1"))
    world.append(PromiseKept(promise_id="p1"))

    assert 1 == world.look()
    assert ["r1"] == [one.payload.request_id for one in world.made()]


def test_no_playbook_opens_anything_sealed(world: World) -> None:
    world.append(
        published(stolen_phone('card.open_requests >= 0 && card.contacts_30d >= 0 && tier == "" && card.open_promises == 0'))
    )
    anna = Identifier(type="email", value="anna@example.org")
    world.append(RequestOpened(request_id="r1", customer=anna, owner_department="front", reason="x", wish="a new phone"))
    world.append(FactGiven(request_id="r1", fact=Fact(key="delivery_address", value="3 Elm Street")))
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        looked = world.playbooks.look(replace(world.read(snapshot.db, snapshot.position), content=None))  # type: ignore[arg-type]

    assert 4 == looked.recorded


def test_a_trigger_that_cannot_be_judged_is_noted_and_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.append(published(stolen_phone()))
    world.append(opened("r1"))
    world.append(opened("r2"))
    before = follower_module.steps_of

    def fails_once(*arguments: object) -> object:
        monkeypatch.setattr(follower_module, "steps_of", before)
        raise KeyError("a value that nobody may read")

    monkeypatch.setattr(follower_module, "steps_of", fails_once)

    assert 4 == world.look()
    (noted,) = read_record(world.folder / "playbooks.db", 100)[1]
    assert "PLAYBOOK_FAILED" == noted.reason
    assert "nobody may read" not in noted.message


def shown(world: World, known: int | None = None, before: int | None = None, **which: object) -> list[Play]:
    world.project()
    with world.reader.snapshot() as snapshot:
        assert snapshot is not None
        read = replace(world.read(snapshot.db, snapshot.position), before=before)
        read = read if known is None else replace(read, known=known)
        return playbooks.page(read, PlayFilter(**which), 50, None)[0]  # type: ignore[arg-type]


def test_plays_are_shown_as_known_and_as_happened_then(world: World) -> None:
    world.append(published(stolen_phone()))
    trigger_id = str(uuid_utils.uuid7())
    world.append(opened(), event_id=trigger_id)
    triggered = world.ledger.head().position
    world.look()
    acted = world.ledger.head().position
    world.now += HOUR
    world.append(RuleOverridden(rule="stolen_phone", step="insurance", trigger_event_id=trigger_id, request_id="r1", reason="x"))

    assert [] == shown(world, known=triggered)
    assert [4] == [len(play.steps) for play in shown(world, known=acted)]
    assert [] == shown(world, known=acted, overridden=True)
    assert [] == shown(world, before=START + HOUR, overridden=True)
    assert [START] == [play.trigger_time.ToMicroseconds() for play in shown(world, overridden=True)]
    assert [] == shown(world, request_id="r2")


def test_an_override_of_another_rule_is_no_play(world: World) -> None:
    world.append(published(stolen_phone()))
    trigger_id = str(uuid_utils.uuid7())
    world.append(opened(reason="invoice"), event_id=trigger_id)
    world.append(RuleOverridden(rule="return_period", trigger_event_id=trigger_id, request_id="r1", reason="x"))

    assert [] == shown(world)
