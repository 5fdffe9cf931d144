"""docs/a-day.md: one day of an organisation is recorded, and every question about it is asked through gRPC."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.python import Client
from ledger.api.v1.answer_service_pb2 import STATEMENT_CONFIRMED, STATEMENT_CONTRADICTED, STATEMENT_NOT_CONFIRMED
from ledger.api.v1.complaint_service_pb2 import COMPLAINT_STATE_CLOSED
from ledger.api.v1.core_pb2 import PLAYBOOK
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_KEPT
from ledger.api.v1.request_pb2 import DURING
from tests.a_day import BRUNO, CLAIRE, DORA, Day, page_block
from tests.server_process import Server

COMMANDS = [line.removeprefix("$ ") for block in page_block("console") for line in block.splitlines()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("day") / "data", "--recording-allowance", "1").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def day(served: Server) -> Iterator[Day]:
    with Client(served.target, consistency="latest") as client:
        day = Day(client)
        day.record()
        day.until_the_clock_and_the_playbooks_are_done()
        yield day


@pytest.fixture
def ask(day: Day) -> Client:
    return day.client


def test_a_quote_is_promised_renegotiated_and_kept_and_a_forgotten_call_is_broken(ask: Client) -> None:
    quote, call = ask.promise("p-quote").result, ask.promise("p-call").result

    assert (PROMISE_STATE_KEPT, 1) == (quote.state, quote.renegotiated_count)
    assert quote.first_due_time.ToDatetime() < quote.due_time.ToDatetime()
    assert PROMISE_STATE_BROKEN == call.state
    broken = [one for one in ask.read_events(stream="promise-p-call") if one.topic == "promise-broken"]
    assert [call.due_time] == [one.envelope.occur_time for one in broken]


def test_as_of_before_it_was_renegotiated_the_first_date_stood(ask: Client) -> None:
    moved = next(one for one in ask.read_events(stream="promise-p-quote") if one.topic == "promise-renegotiated")

    then = ask.promise("p-quote", as_of=moved.position - 1).result

    assert then.due_time == then.first_due_time
    assert 0 == then.renegotiated_count


def test_the_address_that_was_lost_at_the_handoff_is_found(ask: Client, day: Day) -> None:
    diff = ask.fact_diff("h-order").result
    address = next(fact for fact in diff.facts if fact.key == "delivery_address")
    handoff = ask.handoff("h-order").result
    offer = ask.get_event(day.ids["offer"]).payload.handoff_offered

    assert ["delivery_address"] == offer.missing_required_keys
    assert address.given.value == address.passed.value == "3 rue des Lilas, 69003 Lyon"
    assert (True, True, True) == (address.supplied, address.required_missing, address.returned_missing)
    assert (1, False, True) == (handoff.returned_count, handoff.rated_complete, handoff.rated_usable)
    assert "shipping" == ask.promise("p-delivery").result.owner_department
    assert "shipping" == ask.request("r-order").result.owner_department


def test_the_journey_of_the_order_shows_where_it_broke(ask: Client) -> None:
    journey = ask.journey("r-order").result

    assert ["sales", "shipping"] == [stay.department for stay in journey.stays]
    assert 1 == len(journey.break_points)


def test_a_step_of_the_journey_says_its_phase_process_system_and_owner(ask: Client) -> None:
    (step,) = [step for step in ask.journey("r-order").result.steps if step.topic == "journey-step-reached"]

    assert ("delivered", DURING, "order_to_delivery") == (step.step, step.phase, step.process)
    assert ("parcel_tracking", "shipping", True) == (step.system, step.step_owner_department, step.manual)


def test_running_after_information_inside_is_seen(ask: Client) -> None:
    asked = [(step.department, step.topic) for step in ask.journey("r-quote").result.steps if step.topic == "fact-asked"]

    assert [("field_service", "fact-asked")] == asked


def test_escalations_are_counted_by_reason_and_causes_apart_from_reasons(ask: Client) -> None:
    escalated = {tuple(row.values): row.count for row in ask.count_requests(["reason", "escalated"]).result.rows}
    causes = {tuple(row.values): row.count for row in ask.count_requests(["reason", "root_cause"]).result.rows}

    assert 1 == escalated["quote", "true"]
    assert 1 == causes["order", "form_without_address"]


def test_employees_speak_too_and_rework_by_hand_is_counted(ask: Client) -> None:
    counted = {tuple(row.values): row.count for row in ask.count_irritants(["respondent", "cause"]).result.rows}

    assert {("RESPONDENT_EMPLOYEE", "manual_rework"): 1, ("RESPONDENT_EMPLOYEE", "missing_information"): 1} == counted


def test_a_figure_is_given_by_tier(ask: Client) -> None:
    (figure,) = ask.figures("volume", by="tier").result.figures

    assert {"gold": 2, "": 4} == {row.values[0]: row.member_count for row in figure.rows}


def test_a_customer_who_repeats_himself_is_seen(ask: Client) -> None:
    again = [(one.contact_id, one.repeated_contact_id) for one in ask.repeats()]
    facts = {(one.key, one.department) for one in ask.repetitions()}

    assert [("c-again", "c-invoice")] == again
    assert {("account_number", "billing")} == facts


def test_two_departments_that_answer_differently_contradict_one_another(ask: Client) -> None:
    found = list(ask.contradictions(question_keys="cancellation_fee"))

    assert [("customer_service", "no_fee", "billing", "fifty_euros")] == [
        (one.earlier.department, one.earlier.answer_key, one.later.department, one.later.answer_key) for one in found
    ]


def test_in_a_crisis_answers_are_held_against_the_statement_by_channel(ask: Client) -> None:
    verdicts = {one.channel: (one.verdict, one.knowable) for one in ask.answers(statement_id="st-outage")}
    official = ask.official_answer("outage_north", object_key="line_north", department="shop", channel="counter").result
    statement = ask.statement("st-outage").result

    assert {
        "phone": (STATEMENT_CONFIRMED, True),
        "social_public": (STATEMENT_CONTRADICTED, True),
        "counter": (STATEMENT_NOT_CONFIRMED, True),
    } == verdicts
    assert "back_at_six" == official.answer_key
    assert ["customer_service"] == [one.department for one in statement.acknowledgements]


def test_a_stolen_phone_sets_off_what_has_to_be_done_once_each_but_for_what_a_person_left_out(ask: Client, day: Day) -> None:
    request = ask.request("r-stolen").result
    (play,) = ask.plays()
    caused = [one for one in ask.read_events() if one.envelope.causation_id == day.ids["stolen"]]

    assert 2 == request.strand_count
    assert ["handoff-offered", "handoff-offered", "promise-made"] == sorted(one.topic for one in caused)
    assert {(PLAYBOOK, "lumen", 1)} == {(one.envelope.actor_kind, one.policy_id, one.policy_version) for one in caused}
    assert {"insurance": "customer_in_distress"} == {step.step: step.override.reason for step in play.steps if step.override.reason}
    assert [] == list(ask.opportunities(customer=DORA))


def test_a_waived_rule_changes_the_adjusted_outcome_and_not_the_raw_one(ask: Client, day: Day) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    result = ask.adjusted(day.began - timedelta(hours=1), until, kinds="first_response", response_targets=True).result

    target = ask.promise("response-c-waits").result
    assert PROMISE_STATE_BROKEN == target.state
    assert 1 == result.raw.broken
    assert 0 == result.adjusted.broken
    assert {"response-c-waits": PROMISE_STATE_BROKEN} == {
        one.promise_id: one.raw for one in result.differences if one.raw != PROMISE_STATE_KEPT
    }


def test_a_complaint_goes_through_all_its_stages(ask: Client) -> None:
    complaint = ask.complaint("k-1").result
    (listed,) = ask.complaints(customer=BRUNO)

    assert COMPLAINT_STATE_CLOSED == complaint.state
    assert complaint.complaint_id == listed.complaint_id
    assert [
        "complaint-received",
        "complaint-acknowledged",
        "complaint-assessed",
        "complaint-investigated",
        "complaint-responded",
        "complaint-contested",
        "complaint-escalated",
        "complaint-responded",
        "complaint-closed",
    ] == [step.topic for step in complaint.steps]


def test_the_card_tells_at_first_sight(ask: Client) -> None:
    card = ask.card(CLAIRE).result

    assert "gold" == card.tier
    assert ["p-call"] == [promise.promise_id for promise in card.promises]
    assert {"delivery_address", "order_number"} == {one.fact.key for one in card.facts}
    assert [4] == [score.score for score in card.last_satisfaction]


def test_the_figures_of_the_day_name_their_definition_position_and_events(ask: Client) -> None:
    figures = {figure.name: figure for figure in ask.figures(["promise_kept_rate", "volume"], evidence_limit=10).result.figures}

    kept = figures["promise_kept_rate"].rows[0]
    assert pytest.approx(2 / 3) == kept.value
    assert 6 == figures["volume"].rows[0].member_count == len(figures["volume"].evidence)
    assert 1 == figures["promise_kept_rate"].version


def test_an_improvement_rests_on_the_events_that_show_the_problem(ask: Client, day: Day) -> None:
    improvement = ask.improvement("i-address").result

    assert ["sales", "shipping"] == list(improvement.owner_departments)
    assert {day.ids["offer"], day.ids["return"]} == {one.event_id for one in improvement.evidence}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_page_answers(served: Server, day: Day, line: str) -> None:
    command = [sys.executable, "-c", "from clients.cli.main import main; main()", *shlex.split(line)[1:]]
    environment: dict[str, Any] = {**os.environ, "TELLONCE_TARGET": served.target, "COLUMNS": "200"}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert done.stdout.strip()
