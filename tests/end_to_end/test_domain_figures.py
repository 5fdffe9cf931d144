"""Figures of information, escalations and effort, and what they are held against, through a real server and both clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from clients.connectors.policy_text import read_policy
from clients.python import Client, event, identifier
from ledger.api.v1.answer_pb2 import STATED, AnswerGiven
from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, ContactAnswered, ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import AUTOMATION, Fact
from ledger.api.v1.fact_pb2 import ASKED_OF_DEPARTMENT, FactAsked, FactGiven
from ledger.api.v1.request_pb2 import FUNCTIONAL, RESOLUTION_DONE, RequestEscalated, RequestOpened, RequestResolved
from tests.both_clients import Both
from tests.server_process import Server

POLICY = """
departments: {desk: {layer: front, channels: [phone]}, workshop: {layer: back}, billing: {}}
reasons: {repair: {intake_facts: [model, serial]}}
costs: {currency: EUR, escalation_cents: 1000, layers: [{layer: front, hour_cents: 6000}]}
assessments:
  - {figure: intake_completeness, at_least: 80%}
  - {figure: escalation, reason: repair, at_most: 50%}
  - {figure: handle_time, channel: phone, at_most: 6m}
  - {figure: first_contact_resolution, channel: phone, at_least: 70%}
"""

BEGIN = datetime.now(UTC) - timedelta(hours=5)


def at(minutes: float) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def policy(version: int = 1) -> Any:
    """Return the policy: version 1 for what is told, version 2 from now on, because the ledger is born with one of its own."""
    said = read_policy(POLICY, "policy.yaml")
    said.end()
    said.published.policy_id, said.published.policy_version = "service", version
    said.published.in_force_from.FromDatetime(BEGIN - timedelta(hours=1) if version == 1 else datetime.now(UTC))
    return said.published


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("domain") / "data").start()
    try:
        with Client(started.target, consistency="latest") as client:
            told(client)
        yield started
    finally:
        started.stop()


def told(client: Client) -> None:
    """Two repairs: one whose facts were taken in the call, one that was escalated and had to be asked about."""

    def say(minutes: float, payload: Any, **how: Any) -> None:
        envelope = {"department": "desk", "channel": "phone", "occur_time": at(minutes), "record_late": True} | how
        client.append(event(payload, **envelope))

    for version in (1, 2):
        client.append(event(policy(version)))
    for number in (1, 2):
        customer = identifier(("email", f"{number}@example.org"))
        say(0, ContactReceived(contact_id=f"c-{number}", customer=customer, reason="repair"))
        say(1, ContactAnswered(contact_id=f"c-{number}", answered_by=ANSWERED_BY_HUMAN))
        facts = [Fact(key="model", value="X1")]
        opened = RequestOpened(request_id=f"r-{number}", contact_id=f"c-{number}", reason="repair", intake_facts=facts)
        opened.owner_department = "desk"
        say(2, opened)
    say(3, FactGiven(fact=Fact(key="serial", value="4711"), request_id="r-1", contact_id="c-1"))
    say(4, RequestEscalated(request_id="r-2", kind=FUNCTIONAL))
    for number in (1, 2):
        talk = Duration(seconds=360)
        say(10, ContactEnded(contact_id=f"c-{number}", talk=talk, request_ids=[f"r-{number}"]))
    say(20, FactAsked(key="serial", asked_of=ASKED_OF_DEPARTMENT, of_department="desk", request_id="r-2"), department="workshop")
    say(50, FactGiven(fact=Fact(key="serial", value="4712"), request_id="r-2"), actor_kind=AUTOMATION)
    say(64, RequestResolved(request_id="r-2", resolution=RESOLUTION_DONE))
    for department, answer in (("desk", "no"), ("billing", "yes")):
        say(70, AnswerGiven(question_key="is_it_free", answer_key=answer, stance=STATED), department=department)


@pytest.fixture(params=["sync", "aio"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Any]:
    both = Both(request.param)
    yield both(server.target, consistency="latest")
    both.close()


def only(answer: Any, name: str) -> tuple[Any, dict[str, float]]:
    """Return the one row of a figure, and its parts."""
    (figure,) = [one for one in answer.result.figures if one.name == name]
    (row,) = figure.rows
    return row, {part.name: part.value for part in row.parts}


def topics(client: Any, figure: Any) -> list[tuple[str, str]]:
    return [(one.outcome, client.get_event(one.event_id).topic) for one in figure.evidence]


def test_completeness_at_first_contact_is_held_against_its_target(client: Any) -> None:
    answer = client.figures("intake_completeness", by="reason", evidence_limit=5)

    row, parts = only(answer, "intake_completeness")
    # Model and serial of one, the model of the other.
    assert (["repair"], 3 / 4, 1.0, 2.0) == (list(row.values), row.value, parts["complete"], parts["requests"])
    said = row.assessment
    assert (0.8, False, "service", 2) == (said.target.at_least, said.met, said.policy.policy_id, said.policy.policy_version)
    behind = [("complete", "request-opened"), ("incomplete", "request-opened")]
    assert behind == topics(client, answer.result.figures[0])
    assert [["serial"], ["serial"]] == [list(client.request(one).result.missing_intake_keys) for one in ("r-1", "r-2")]


def test_information_asked_for_inside_is_counted_and_its_wait_measured(client: Any) -> None:
    answer = client.figures(["information_requests", "information_wait"], evidence_limit=5)

    asked, parts = only(answer, "information_requests")
    assert (1 / 2, 1.0) == (asked.value, parts["asked_departments"])
    waited, _ = only(answer, "information_wait")
    assert 30 * 60 == waited.value
    assert [("given", "fact-asked")] == topics(client, answer.result.figures[1])
    by_department = client.figures("information_wait", by=["department", "kind"]).result.figures[0]
    assert [["workshop", "department"]] == [list(row.values) for row in by_department.rows]


def test_an_escalation_has_its_cost_beside_it_and_never_without_the_bundle(client: Any) -> None:
    answer = client.figures("escalation", by="reason", evidence_limit=5)

    row, parts = only(answer, "escalation")
    # Six minutes at 60.00 an hour, and 10.00 for itself.
    assert (1 / 2, 16.0, 360.0, 3600.0) == (row.value, parts["cost_amount"], parts["handled_seconds"], parts["open_seconds"])
    figure = answer.result.figures[0]
    assert ("EUR", [("service", 1)]) == (figure.currency, [(one.policy_id, one.policy_version) for one in figure.policies])
    assert (0.5, True) == (row.assessment.target.at_most, row.assessment.met)
    bundle = ["first_contact_resolution", "repeat_rate", "satisfaction_csat"]
    assert bundle == [one.name for one in answer.result.figures if one.bundled]
    assert [("escalated", "request-opened")] == topics(client, figure)


def test_effort_is_told_by_who_gave_what(client: Any) -> None:
    answer = client.figures("data_entry_effort", by="kind")

    rows = {row.values[0]: {part.name: part.value for part in row.parts} for row in answer.result.figures[0].rows}
    # Contact id and reason; the customer's address is sealed, its kind is not.
    contacts = rows["contact-received"]
    assert [2, 6, 2, 2] == [contacts[name] for name in ("events", "fields", "contacts", "with_content")]
    given = rows["fact-given"]
    # Key, request and contact; what a program said: key and request.
    assert [1, 3, 1, 2] == [given[name] for name in ("events", "fields", "machines_events", "machines_fields")]
    assert {"policy-published"}.isdisjoint(rows)


def test_the_events_behind_the_one_outcome_and_the_contradictions_are_named(client: Any) -> None:
    answer = client.figures(["joint_outcome", "answer_consistency"], evidence_limit=5)

    joint, consistent = answer.result.figures
    assert [("undecided", "request-opened"), ("good", "request-opened")] == topics(client, joint)
    assert [("contradicted", "answer-given")] * 2 == topics(client, consistent)
    assert (2, 2) == (joint.evidence_total, consistent.evidence_total)


def test_what_cannot_be_had_together_is_told_before_and_after_publication(client: Any) -> None:
    before = client.policy_conflicts(policy().policy)
    after = client.policy().result.conflicts

    places = [("assessments[2].at_most", "assessments[1].at_most"), ("assessments[2].at_most", "assessments[3].at_least")]
    assert [places, places] == [[(one.path, one.other_path) for one in found] for found in (before, after)]
    assert [] == client.check_policy(policy().policy)


def test_the_command_line_shows_targets_amounts_and_warnings(server: Server, tmp_path: Any) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(POLICY, encoding="utf-8")

    def tellonce(*arguments: str) -> str:
        command = [Path(sys.executable).with_name("tellonce"), *arguments, "--target", server.target]
        environment = os.environ | {"COLUMNS": "250"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    checked = tellonce("policy", "check", str(file))
    published = tellonce("policy", "publish", str(file), "--id", "later", "--from", "2150-01-01")
    listed = tellonce("requests", "--reason", "repair")
    effort = tellonce("figures", "data_entry_effort")
    shown = tellonce("figures", "escalation", "intake_completeness", "--by", "reason")

    assert "No mistakes." in checked
    assert f"Warning: {file}:8: assessments[2].at_most: a cap on handle time cuts answers short" in checked
    assert "(see line 9)" in checked
    assert [line for line in checked.splitlines() if "Warning" in line] == [
        line for line in published.splitlines() if "Warning" in line
    ]
    assert "Policy later version 1 is recorded" in published
    assert "opened without serial" in listed
    # 37 fields in 12 events, of two contacts; the two answers are given to nobody in particular.
    assert ("3.08" in effort, "18.50" in effort) == (True, True)
    assert "16.00 EUR" in shown
    assert "at most 50.0%, met" in shown
    assert "at least 80.0%, missed" in shown
