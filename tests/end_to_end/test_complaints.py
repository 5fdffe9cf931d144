"""Complaints, exceptions and experience, recorded and asked for on a real server, by both clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from clients.python import InvalidError, MoveNotAllowedError, NotRecordedError, TellonceError, event, identifier, new_id
from ledger.api.v1.complaint_pb2 import (
    COMPLAINT_ACCEPTED,
    COMPLAINT_NOT_ACCEPTED,
    ESCALATED_INSIDE,
    NOT_UPHELD,
    UPHELD,
    ComplaintAcknowledged,
    ComplaintAssessed,
    ComplaintClosed,
    ComplaintContested,
    ComplaintEscalated,
    ComplaintInvestigated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResponded,
    ComplaintWithdrawn,
)
from ledger.api.v1.complaint_service_pb2 import (
    COMPLAINT_STATE_CLOSED,
    COMPLAINT_STATE_CONTESTED,
    COMPLAINT_STATE_RECEIVED,
    COMPLAINT_STATE_WITHDRAWN,
)
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.exception_pb2 import (
    EXCLUDED,
    EXTENDED,
    ExceptionDenied,
    ExceptionEnded,
    ExceptionGranted,
    ExceptionRequested,
    ExceptionScope,
    RuleOverridden,
)
from ledger.api.v1.exception_service_pb2 import EXCEPTION_STATE_DENIED, EXCEPTION_STATE_ENDED, EXCEPTION_STATE_GRANTED
from ledger.api.v1.experience_pb2 import (
    CSAT,
    NPS,
    IrritantReported,
    JourneyStepReached,
    ReferralMade,
    SatisfactionAsked,
    SatisfactionRecorded,
)
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_KEPT_LATE
from ledger.api.v1.request_pb2 import RequestOpened, RequestRefused
from tests.both_clients import Both
from tests.server_process import Server

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(shared_server: Server, both: Both) -> Any:
    return both(shared_server.target, consistency="latest")


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def stamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


def code(prefix: str) -> str:
    """A code that no other test uses."""
    return f"{prefix}_{new_id().replace('-', '')}"


def late(client: Any, payload: Message, when: datetime, department: str = "service") -> Any:
    return client.append(event(payload, occur_time=when, record_late=True, department=department, supervisor=True))[0]


# Complaints


def test_a_complaint_goes_through_all_its_stages_and_shows_who_took_how_long(client: Any) -> None:
    mark = new_id()
    complaint_id, customer = f"k-{mark}", identifier(("email", f"{mark}@example.org"))
    of = {"complaint_id": complaint_id}
    received = ComplaintReceived(
        **of, customer=customer, reason="late_delivery", about_department="shipping", text="Three weeks!", remedy_sought="a refund"
    )
    late(client, received, ago(hours=50))
    late(client, ComplaintAcknowledged(**of), ago(hours=49))
    late(client, ComplaintAssessed(**of, severity="high", safety=True), ago(hours=48))
    late(client, ComplaintEscalated(**of, escalation=ESCALATED_INSIDE, to_department="quality"), ago(hours=47))
    late(client, ComplaintInvestigated(**of, root_cause="lost_parcel"), ago(hours=17), "quality")
    position = late(client, ComplaintResponded(**of, decision=NOT_UPHELD, redress="a voucher"), ago(hours=16)).position
    late(client, ComplaintContested(**of, why="A voucher!"), ago(hours=10))
    contested = client.complaint(complaint_id).result
    on_card = client.card(customer).result.open_complaints
    before = client.complaint(complaint_id, as_of=position - 4).result
    late(client, ComplaintResponded(**of, decision=UPHELD, appeal_told=True, redress="a refund"), ago(hours=5))
    late(client, ComplaintClosed(**of, closing=COMPLAINT_ACCEPTED), ago(hours=1))

    closed = client.complaint(complaint_id).result

    assert (COMPLAINT_STATE_CONTESTED, "quality", "a voucher") == (contested.state, contested.hands, contested.redress)
    assert [complaint_id] == [one.complaint_id for one in on_card]
    assert (COMPLAINT_STATE_RECEIVED, "service") == (before.state - 1, before.hands)
    assert (COMPLAINT_STATE_CLOSED, "a refund", "Three weeks!") == (closed.state, closed.redress, closed.text)
    assert (2, 1, 49 * 3600) == (closed.response_count, closed.contested_count, closed.age_seconds)
    assert [
        "received",
        "acknowledged",
        "assessed",
        "escalated",
        "investigated",
        "responded",
        "contested",
        "responded",
        "closed",
    ] == [step.topic.removeprefix("complaint-") for step in closed.steps]
    assert {"service": 19 * 3600, "quality": 30 * 3600} == {clock.department: clock.seconds for clock in closed.clocks}
    assert not client.card(customer).result.open_complaints


def test_complaints_are_listed_and_counted(client: Any) -> None:
    about = code("d")
    ids = [f"k-{new_id()}" for _ in range(3)]
    for complaint_id in ids:
        client.append(
            event(ComplaintReceived(complaint_id=complaint_id, about_department=about, reason="noise"), department="service"),
        )
    client.append(event(ComplaintAssessed(complaint_id=ids[0], severity="low"), department="service"))
    client.append(event(ComplaintWithdrawn(complaint_id=ids[1]), department="service"))

    listed = [one.complaint_id for one in client.complaints(about_departments=about, open=True)]
    by_state = client.count_complaints("state", about_departments=about).result
    low = [one.complaint_id for one in client.complaints(about_departments=about, severities="low", states="assessed")]

    assert [ids[0], ids[2]] == listed
    assert (3, {"COMPLAINT_STATE_ASSESSED", "COMPLAINT_STATE_RECEIVED", "COMPLAINT_STATE_WITHDRAWN"}) == (
        by_state.total,
        {row.values[0] for row in by_state.rows},
    )
    assert [ids[0]] == low
    assert COMPLAINT_STATE_WITHDRAWN == client.complaint(ids[1]).result.state


def test_a_complaint_is_not_closed_as_not_accepted_before_the_ways_of_appeal_were_told(client: Any) -> None:
    of = {"complaint_id": f"k-{new_id()}"}
    client.append(event(ComplaintReceived(**of), department="service"))
    client.append(event(ComplaintResponded(**of, decision=NOT_UPHELD), department="service"))

    with pytest.raises(MoveNotAllowedError, match="ways of appeal"):
        client.append(event(ComplaintClosed(**of, closing=COMPLAINT_NOT_ACCEPTED), department="service"))

    client.append(event(ComplaintResponded(**of, decision=NOT_UPHELD, appeal_told=True), department="service"))
    client.append(event(ComplaintClosed(**of, closing=COMPLAINT_NOT_ACCEPTED), department="service"))
    client.append(event(ComplaintReopened(**of), department="service"))
    assert 1 == client.complaint(of["complaint_id"]).result.reopened_count


@pytest.mark.parametrize(
    "move",
    [
        ComplaintAcknowledged,
        ComplaintAssessed,
        ComplaintInvestigated,
        lambda **of: ComplaintResponded(**of, decision=UPHELD),
        ComplaintContested,
        lambda **of: ComplaintEscalated(**of, escalation=ESCALATED_INSIDE),
        ComplaintWithdrawn,
        ComplaintReopened,
        lambda **of: ComplaintClosed(**of, closing=COMPLAINT_ACCEPTED),
    ],
)
def test_a_move_of_a_complaint_that_was_never_received_is_refused(shared_server: Server, move: Any) -> None:
    from clients.python import Client

    with Client(shared_server.target) as client, pytest.raises(TellonceError, match="before complaint-"):
        client.append(event(move(complaint_id=f"k-{new_id()}")))


# Exceptions


@pytest.fixture
def owed(client: Any) -> dict[str, str]:
    """Three promises of a department of their own, due yesterday: kept, kept late, and broken unless the clock was too slow."""
    department = code("d")
    ids = {"department": department}
    for name, kept in (("kept", 30), ("late", 20), ("never", None)):
        ids[name] = f"p-{new_id()}"
        made = PromiseMade(
            promise_id=ids[name],
            kind="delivery",
            contact_id=f"c-{new_id()}",
            due=Due(instant=stamp(ago(hours=24))),
            owner_department=department,
        )
        late(client, made, ago(hours=48), department)
        if kept is not None:
            late(client, PromiseKept(promise_id=ids[name]), ago(hours=kept), department)
    return ids


def covering(**scope: Any) -> dict[str, Any]:
    return {
        "from_time": stamp(ago(hours=25)),
        "until_time": stamp(ago(hours=23)),
        "scope": ExceptionScope(**scope),
        "approver": "s-1",
    }


def test_a_waived_rule_shows_raw_and_adjusted_outcomes_side_by_side(client: Any, owed: dict[str, str]) -> None:
    only = {"owner_departments": owed["department"]}
    unchanged = client.adjusted(ago(hours=25), ago(hours=23), **only).result
    excluded, extended = f"x-{new_id()}", f"x-{new_id()}"
    granted = ExceptionGranted(exception_id=excluded, rule="strike", effect=EXCLUDED, **covering(promise_ids=[owed["never"]]))
    more_time = ExceptionGranted(
        exception_id=extended,
        rule="strike",
        effect=EXTENDED,
        extended_to=stamp(ago(hours=19)),
        **covering(department=owed["department"]),
    )
    client.append(event(granted), event(more_time))

    outcome = client.adjusted(ago(hours=25), ago(hours=23), **only).result

    raw = unchanged.raw
    assert unchanged.adjusted == raw
    assert (1, 3) == (raw.kept, raw.kept + raw.kept_late + raw.broken + raw.undecided)
    assert outcome.raw == client.adjusted(ago(hours=25), ago(hours=23), **only).result.raw
    assert (2, 0, 0, 0) == (outcome.adjusted.kept, outcome.adjusted.kept_late, outcome.adjusted.broken, outcome.adjusted.undecided)
    assert (1, 2) == (outcome.excluded_count, outcome.extended_count)
    by_id = {one.promise_id: one for one in outcome.differences}
    assert (excluded, False) == (by_id[owed["never"]].exception_id, by_id[owed["never"]].HasField("adjusted"))
    assert (PROMISE_STATE_KEPT_LATE, PROMISE_STATE_KEPT) == (by_id[owed["late"]].raw, by_id[owed["late"]].adjusted)


def test_an_exception_that_ended_covers_only_dues_before_that(client: Any, owed: dict[str, str]) -> None:
    exception_id = f"x-{new_id()}"
    granted = ExceptionGranted(exception_id=exception_id, rule="strike", effect=EXCLUDED, **covering(department=owed["department"]))
    late(client, granted, ago(hours=26))
    late(client, ExceptionEnded(exception_id=exception_id), ago(hours=24, seconds=1))

    outcome = client.adjusted(ago(hours=25), ago(hours=23), owner_departments=owed["department"]).result

    assert 0 == outcome.excluded_count
    assert EXCEPTION_STATE_ENDED == client.exception(exception_id).result.state


def test_exceptions_are_asked_for_granted_denied_and_counted_by_rule(client: Any) -> None:
    rule = code("rule")
    ids = [f"x-{new_id()}" for _ in range(3)]
    asked = [ExceptionRequested(exception_id=one, rule=rule, reason="goodwill", why="An old customer.") for one in ids]
    client.append(*[event(one, department="service") for one in asked])
    period = {"from_time": stamp(ago(hours=1)), "until_time": stamp(ago(hours=-1))}
    client.append(
        event(
            ExceptionGranted(exception_id=ids[0], **period, scope=ExceptionScope(channel="phone"), effect=EXCLUDED, approver="s-9")
        ),
        event(ExceptionDenied(exception_id=ids[1], approver="s-9")),
    )

    in_force = list(client.exceptions(rules=rule, in_force=True))
    counted = client.count_exceptions(["rule", "state"], rules=rule).result

    assert [(ids[0], rule, "goodwill", True, "s-9")] == [
        (one.exception_id, one.rule, one.reason, one.in_force, one.approver) for one in in_force
    ]
    assert (3, {1}) == (counted.total, {row.count for row in counted.rows})
    assert EXCEPTION_STATE_DENIED == client.exception(ids[1]).result.state
    with pytest.raises(MoveNotAllowedError, match="grant another"):
        client.append(
            event(
                ExceptionGranted(
                    exception_id=ids[0], **period, scope=ExceptionScope(channel="phone"), effect=EXCLUDED, approver="s-9"
                )
            )
        )
    assert EXCEPTION_STATE_GRANTED == client.exception(ids[0]).result.state


def test_an_override_says_what_was_overridden_by_whom_and_why(client: Any) -> None:
    request_id, rule = f"r-{new_id()}", code("rule")
    overridden = RuleOverridden(rule=rule, request_id=request_id, reason="goodwill", done_instead="Sent a new one at once.")
    client.append(event(overridden, department="service", actor="s-3"))

    found = list(client.overrides(request_id=request_id))

    assert [(rule, "goodwill", "s-3", "Sent a new one at once.")] == [
        (one.rule, one.reason, one.actor, one.done_instead) for one in found
    ]
    assert [one.event_id for one in found] == [one.event_id for one in client.overrides(rules=rule)]


# Experience


def test_satisfaction_is_listed_counted_and_on_the_card(client: Any) -> None:
    mark, survey = new_id(), f"s-{new_id()}"
    customer = identifier(("email", f"{mark}@example.org"))
    client.append(event(SatisfactionAsked(measure=CSAT, survey_id=survey, customer=customer), department="service"))
    for score in (2, 5):
        said = SatisfactionRecorded(measure=CSAT, score=score, survey_id=survey, customer=customer, comment=f"{score} stars")
        client.append(event(said, department="service"))

    scores = list(client.satisfaction(customer=customer))
    counted = client.count_satisfaction("measure", customer=customer).result
    on_card = client.card(customer).result.last_satisfaction

    assert [(5, 1, 5, 1000, "5 stars"), (2, 1, 5, 250, "2 stars")] == [
        (one.score, one.scale_min, one.scale_max, one.permille, one.comment) for one in scores
    ]
    assert (("CSAT",), 1, 2, 625) == (
        tuple(counted.rows[0].values),
        counted.rows[0].asked_count,
        counted.rows[0].recorded_count,
        counted.rows[0].mean_permille,
    )
    assert [(CSAT, 5)] == [(one.measure, one.score) for one in on_card]


def test_irritants_are_counted_by_cause_and_step(client: Any) -> None:
    about = code("d")
    for causes, step in ((["long_delay", "not_informed"], "delivery"), (["long_delay"], "invoice")):
        client.append(
            event(IrritantReported(causes=causes, step=step, about_department=about, text="Again!"), department="service")
        )

    by_cause = client.count_irritants("cause", departments=about).result
    by_step = client.count_irritants("step", departments=about, causes="not_informed").result
    listed = list(client.irritants(departments=about, steps="invoice"))

    assert (2, [("long_delay", 2), ("not_informed", 1)]) == (by_cause.total, [(row.values[0], row.count) for row in by_cause.rows])
    assert [("delivery", 1)] == [(row.values[0], row.count) for row in by_step.rows]
    assert [(["long_delay"], "Again!")] == [(list(one.causes), one.text) for one in listed]


def test_a_chain_of_referrals_is_followed(client: Any) -> None:
    mark = new_id()
    customer = identifier(("email", f"{mark}@example.org"))
    contacts, referrals = [f"c-{number}-{mark}" for number in range(3)], [f"f-{number}-{mark}" for number in range(2)]
    for number, contact_id in enumerate(contacts):
        follows = referrals[number - 1] if number else None
        received = ContactReceived(contact_id=contact_id, customer=customer, reason="card", referral_id=follows)
        client.append(event(received, channel="phone", department="service"))
        if number < 2:
            made = ReferralMade(
                referral_id=referrals[number], contact_id=contact_id, to_department="fraud", address="+33 1 42 68 53 00"
            )
            client.append(event(made, department="service"))

    found = {one.referral_id: one for one in client.referrals(customer=customer)}

    assert ([contacts[1]], 1) == (list(found[referrals[0]].following_contact_ids), found[referrals[0]].chain_length)
    assert ([contacts[2]], 2) == (list(found[referrals[1]].following_contact_ids), found[referrals[1]].chain_length)
    assert ("fraud", "+33 1 42 68 53 00") == (found[referrals[1]].to_department, found[referrals[1]].address)


# What is refused


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (SatisfactionRecorded(measure=CSAT, score=6), "the score must lie within its scale"),
        (SatisfactionRecorded(measure=NPS, score=11), "the score must lie within its scale"),
        (SatisfactionRecorded(measure=CSAT, score=3, scale_min=4, scale_max=9), "the score must lie within its scale"),
        (SatisfactionRecorded(measure=CSAT, score=5, scale_min=5, scale_max=5), "scale_max must lie above scale_min"),
        (SatisfactionRecorded(score=3), "measure"),
        (SatisfactionAsked(), "measure"),
        (IrritantReported(), "causes"),
        (ReferralMade(), "referral_id"),
        (JourneyStepReached(), "step"),
        (ComplaintReceived(), "complaint_id"),
        (ComplaintAcknowledged(complaint_id="k 1"), "complaint_id"),
        (ComplaintAssessed(complaint_id="k-1", severity="Very High"), "severity"),
        (ComplaintInvestigated(complaint_id="k-1", root_cause="ça"), "root_cause"),
        (ComplaintResponded(complaint_id="k-1"), "decision"),
        (ComplaintContested(complaint_id="k-1", why="x" * 4001), "why"),
        (ComplaintEscalated(complaint_id="k-1"), "escalation"),
        (ComplaintWithdrawn(), "complaint_id"),
        (ComplaintReopened(), "complaint_id"),
        (ComplaintClosed(complaint_id="k-1"), "closing"),
        (ExceptionRequested(exception_id="x-1"), "rule"),
        (
            ExceptionRequested(exception_id="x-1", rule="a", from_time=stamp(NOW), until_time=stamp(NOW)),
            "until_time must lie after from_time",
        ),
        (ExceptionGranted(exception_id="x-1", rule="a", effect=EXCLUDED, **covering()), "name ids, or a department or channel"),
        (
            ExceptionGranted(exception_id="x-1", rule="a", effect=EXCLUDED, **covering(channel="phone", request_ids=["r-1"])),
            "name ids, or a department or channel",
        ),
        (ExceptionGranted(exception_id="x-1", rule="a", effect=EXTENDED, **covering(channel="phone")), "extended_to is given"),
        (ExceptionDenied(), "exception_id"),
        (ExceptionEnded(), "exception_id"),
        (RuleOverridden(rule="a"), "reason"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Message) else "",
)
def test_bad_input_is_refused_by_the_name_of_its_field(shared_server: Server, payload: Message, words: str) -> None:
    from clients.python import Client

    with Client(shared_server.target) as client, pytest.raises(InvalidError, match=words):
        client.append(event(payload))


def test_an_exception_that_nobody_asked_for_names_its_rule(client: Any) -> None:
    with pytest.raises(InvalidError, match="must name the rule"):
        client.append(event(ExceptionGranted(exception_id=f"x-{new_id()}", effect=EXCLUDED, **covering(channel="phone"))))


@pytest.mark.parametrize("prefix", ["response-", "resolution-", "acknowledge-", "respond-"])
def test_an_id_of_a_derived_target_is_no_promise_id(client: Any, prefix: str) -> None:
    with pytest.raises(InvalidError, match="derived targets"):
        client.append(event(PromiseMade(promise_id=f"{prefix}{new_id()}", kind="delivery")))


def test_what_was_never_recorded_is_not_found(client: Any) -> None:
    for ask in (client.complaint, client.exception):
        with pytest.raises(NotRecordedError):
            ask(f"none-{new_id()}")


# The command line


@pytest.mark.parametrize(
    "arguments",
    [
        ["complaints", "--open"],
        ["complaints", "--count", "state,hands"],
        ["exceptions", "--in-force"],
        ["exceptions", "--count", "rule"],
        ["exceptions", "--overrides"],
        ["exceptions", "--adjusted", "--from", "2026-01-01", "--until", "2026-02-01"],
        ["experience"],
        ["experience", "--count", "measure"],
        ["experience", "--irritants", "--count", "cause"],
        ["experience", "--referrals"],
    ],
    ids=" ".join,
)
def test_a_command_answers_as_table_and_as_json(shared_server: Server, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "clients.cli.main", *arguments, "--target", shared_server.target]

    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    answered = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)

    assert (0, "") == (shown.returncode, shown.stderr)
    assert "read_at" in json.loads(answered.stdout)


def test_a_complaint_is_shown_with_its_steps(shared_server: Server, client: Any) -> None:
    complaint_id = f"k-{new_id()}"
    client.append(event(ComplaintReceived(complaint_id=complaint_id, text="Loud!"), department="service"))

    command = [sys.executable, "-m", "clients.cli.main", "complaints", "--id", complaint_id, "--target", shared_server.target]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert all(words in shown for words in (complaint_id, "Loud!", "Steps", "Time of each department", "service"))


def test_requests_that_gave_way_to_a_process_are_counted_by_its_rule(client: Any) -> None:
    rule, department = code("rule"), code("d")
    for _ in range(2):
        of = {"request_id": f"r-{new_id()}"}
        client.append(
            event(RequestOpened(**of, owner_department=department, wish="Earlier, please"), department=department),
            event(RequestRefused(**of, rule=rule), department=department),
        )

    counted = client.count_requests(["refused_rule", "state"], owner_departments=department).result
    (one, _) = client.requests(owner_departments=department)

    assert [([rule, "REQUEST_STATE_REFUSED"], 2)] == [(list(row.values), row.count) for row in counted.rows]
    assert rule == one.refused_rule
