"""What a playbook does, as a pure function of trigger and policy: ids, content, depth."""

from __future__ import annotations

import pytest

from ledger.api.v1.core_pb2 import CLOCK, PLAYBOOK
from ledger.api.v1.policy_pb2 import Playbook, PlaybookStep, ServicePolicy
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.event import Event
from ledger.followers.plays import CannotActError, Play, Situation, acts_on, depth, plays, step_event_id, steps_of, triggers
from ledger.policy.check import mistakes_of
from ledger.policy.conditions import Card
from ledger.policy.policy import Policy
from tests.build import HOUR, START, event, event_id, event_id_text
from tests.playing import policy, stolen_phone

SITUATION = Situation("r1", "", "front")


def ruling(*playbooks: Playbook, policy_id: str = "service", version: int = 1) -> Policy:
    return Policy(policy(*playbooks), policy_id, version, 3, START)


def trigger(name: str = "trigger", **header: object) -> Event:
    return event(RequestOpened(request_id="r1", reason="phone_stolen", owner_department="front"), name=name, **header)  # type: ignore[arg-type]


def play(name: str = "trigger", **named: object) -> Play:
    playbook = stolen_phone()
    return Play(ruling(playbook, **named), playbook, trigger(name))  # type: ignore[arg-type]


def test_the_id_of_a_step_derives_from_trigger_policy_playbook_and_step() -> None:
    ids = {
        step_event_id(play(), "one"),
        step_event_id(play(), "two"),
        step_event_id(play("other"), "one"),
        step_event_id(play(version=2), "one"),
        step_event_id(play(policy_id="other"), "one"),
    }

    assert 5 == len(ids)
    assert step_event_id(play(), "one") == step_event_id(play(), "one")


def test_the_same_trigger_and_policy_give_the_same_content() -> None:
    assert steps_of(play(), SITUATION) == steps_of(play(), SITUATION)


def test_a_step_occurs_when_the_trigger_was_recorded_and_never_before_the_trigger() -> None:
    playbook = stolen_phone()
    late = Play(ruling(playbook), playbook, trigger(occur=START, record=START + HOUR))
    early = Play(ruling(playbook), playbook, trigger(occur=START + HOUR, record=START))

    occurs = [{step.event.envelope.occur_time.ToMicroseconds() for step in steps_of(one, SITUATION)} for one in (late, early)]

    assert [{START + HOUR}, {START + HOUR}] == occurs


def test_a_step_keeps_the_correlation_of_its_trigger() -> None:
    playbook = stolen_phone()
    correlated = Play(ruling(playbook), playbook, trigger(correlation_id="call-7"))

    assert {"call-7"} == {step.event.envelope.correlation_id for step in steps_of(correlated, SITUATION)}


@pytest.mark.parametrize("situation", [Situation("", "", ""), Situation("r1", "", "")], ids=["no request", "no owner"])
def test_a_play_without_a_request_or_an_owner_cannot_act(situation: Situation) -> None:
    with pytest.raises(CannotActError):
        steps_of(play(), situation)


def test_no_playbook_acts_on_imports_late_recordings_or_what_is_held_back() -> None:
    rules = ruling(stolen_phone())

    assert acts_on(trigger(record=START + HOUR), rules)
    assert not acts_on(trigger(record=START + HOUR + 1), rules)
    assert not acts_on(trigger(import_run="run"), rules)
    assert not acts_on(trigger(held_back=True), rules)


def test_a_condition_without_a_value_is_a_fault_of_its_playbook_alone() -> None:
    broken = stolen_phone("1 / card.open_promises == 1")
    broken.playbook = "broken"

    found, faults = plays(trigger(), ruling(broken, stolen_phone()), Card())

    assert (["stolen_phone"], ["broken"]) == ([one.playbook.playbook for one in found], [one.playbook for one in faults])


def test_the_topics_of_all_policies_are_triggers() -> None:
    assert {"request-opened", "promise-broken"} == triggers([ruling(stolen_phone()), ruling(stolen_phone("", ["promise-broken"]))])


def test_depth_counts_the_playbooks_in_a_line_of_causes_also_through_the_clock() -> None:
    first = trigger("first")
    made = trigger("made", actor_kind=PLAYBOOK, causation_id=event_id("first"))
    broken = event(
        PromiseBroken(promise_id="p1", set_by_event_id=event_id_text("made")),
        name="broken",
        actor_kind=CLOCK,
        causation_id=event_id("made"),
    )
    again = trigger("again", actor_kind=PLAYBOOK, causation_id=event_id("broken"))
    known = {one.event_id: one for one in (first, made, broken, again)}

    assert [0, 1, 1, 2] == [depth(one, known.get) for one in (first, made, broken, again)]


def test_a_step_whose_actor_would_not_fit_is_a_mistake_of_the_policy() -> None:
    long = Playbook(playbook="p" * 50, topics=["request-opened"], steps=[PlaybookStep(step="s" * 50)])
    long.steps[0].suggest_opportunity.kind = 1

    assert ["playbooks[0].steps[0].step"] == [one.path for one in mistakes_of(ServicePolicy(playbooks=[long]))]
