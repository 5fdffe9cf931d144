"""A policy through a real server: checked, published, in force, asked for as of then, and written back."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from clients.connectors.policy_text import read_policy
from clients.python import AsOf, AsyncClient, Client, ConflictError, FactsMissingError, InvalidError, event
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import STAYS, Fact
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.insight_service_pb2 import UNKNOWN_DEPARTMENT
from ledger.api.v1.policy_pb2 import PolicyPublished, PolicyWithdrawn, ServicePolicy
from ledger.api.v1.policy_service_pb2 import GetPolicyRequest, ListPoliciesRequest, PolicyVersion, ValidatePolicyRequest
from ledger.api.v1.policy_service_pb2_grpc import PolicyServiceStub
from ledger.api.v1.request_pb2 import RequestOpened
from tests.command_line import Tellonce, typed
from tests.refusals import refused
from tests.server_process import Server

ROOT = Path(__file__).resolve().parents[2]
FAST = "targets: [{kind: first_response, channel: phone, within: 20s}]"


@pytest.fixture
def tellonce(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(shared_server.target, capsys, monkeypatch, columns=160)


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client of a ledger of its own: a policy rules everything that is recorded after it."""
    with Client(server.target, consistency="latest") as made:
        yield made


def policy(text: str, version: int = 1, since: datetime | None = None) -> PolicyPublished:
    said = read_policy(text, "policy.yaml")
    said.end()
    said.published.policy_id, said.published.policy_version = "service", version
    said.published.in_force_from.FromDatetime(since or datetime.now(UTC))
    return said.published


def received(client: Client, channel: str = "phone", contact_id: str = "", **fields: str) -> tuple[float, tuple[str, int]]:
    """Record a contact; return in how many seconds it is due (0: never), and the policy that says so."""
    payload = ContactReceived(contact_id=contact_id or f"c-{uuid.uuid4().hex[:12]}", reason="delivery")
    (appended,) = client.append(event(payload, channel=channel, **fields))
    recorded = client.get_event(position=appended.position)
    due = recorded.payload.contact_received.response_due_time
    seconds = (due.ToDatetime() - recorded.envelope.occur_time.ToDatetime()).total_seconds() if due.seconds else 0.0
    return seconds, (recorded.policy_id, recorded.policy_version)


# Publishing


def test_dues_change_for_new_events_and_stay_for_old_ones(client: Client) -> None:
    before = received(client, contact_id="c-1")
    due = client.promise("response-c-1").result.due_time
    position = client.head().position

    client.append(event(policy(FAST), actor="a-17"))

    assert [(60.0, ("default", 1)), (20.0, ("service", 1))] == [before, received(client)]
    assert due == client.promise("response-c-1").result.due_time
    # As of before, the old policy is what was in force.
    assert "default" == client.policy(as_of=position).result.policy_id
    found = client.policy().result
    assert ("service", 1, "a-17") == (found.policy_id, found.policy_version, found.actor)


def test_a_policy_is_found_by_the_time_it_is_in_force_and_by_its_version(client: Client) -> None:
    soon = datetime.now(UTC) + timedelta(days=10)
    client.append(event(policy(FAST, 1)))
    client.append(event(policy(FAST, 2, soon)))

    asked = [
        client.policy(),
        client.policy(soon),
        client.policy(soon - timedelta(seconds=1)),
        client.policy(policy_id="default", version=1),
    ]

    assert [("service", 1), ("service", 2), ("service", 1), ("default", 1)] == [
        (one.result.policy_id, one.result.policy_version) for one in asked
    ]
    assert [("service", 2), ("service", 1), ("default", 1)] == [(one.policy_id, one.policy_version) for one in client.policies()]
    assert [("service", 2)] == [(one.policy_id, one.policy_version) for one in client.policies(page_size=1).first.result.policies]
    assert 3 == len(list(client.policies(page_size=1)))


def test_a_withdrawn_policy_is_shown_and_rules_nothing(client: Client) -> None:
    client.append(event(policy(FAST)))
    position = client.head().position
    (withdrawn,) = client.append(event(PolicyWithdrawn(policy_id="service", policy_version=1, why="A mistake.")))

    assert "default" == client.policy().result.policy_id
    assert withdrawn.position == client.policy(policy_id="service", version=1).result.withdrawn_position
    assert ("service", 0) == (
        client.policy(as_of=position).result.policy_id,
        client.policy(policy_id="service", version=1, as_of=position).result.withdrawn_position,
    )
    assert (60.0, ("default", 1)) == received(client)


def test_before_the_first_event_there_is_no_policy(client: Client) -> None:
    with pytest.raises(Exception, match="NOT_RECORDED"):
        client.policy(as_of=AsOf(known=0))


def test_a_bad_policy_is_refused_with_place_and_reason_and_the_server_goes_on(client: Client) -> None:
    bad = policy("default_calendar: desk\ntargets: [{kind: resolution, within: 0s}]")

    with pytest.raises(InvalidError) as raised:
        client.append(event(bad))

    assert "POLICY_INVALID" == raised.value.reason
    assert ["policy.default_calendar", "policy.targets[0].within"] == [
        one.field.partition("policy_published.")[2] for one in raised.value.violations
    ]
    assert (60.0, ("default", 1)) == received(client)


def test_a_policy_says_what_to_do_with_departments_and_facts(client: Client) -> None:
    client.append(
        event(
            policy(
                "departments: {sales: {}}\nunknown_departments: refused\n"
                "handoff_types: {refund: {required_facts: [iban], facts_mode: enforced}}"
            )
        )
    )
    client.append(event(RequestOpened(request_id="r-1", owner_department="sales"), department="sales"))
    offer = HandoffOffered(
        request_id="r-1", handoff_id="h-1", type="refund", from_department="sales", to_department="sales", ownership=STAYS
    )

    with pytest.raises(FactsMissingError) as lacking:
        client.append(event(offer, department="sales"))
    with pytest.raises(ConflictError) as unknown:
        client.append(event(RequestOpened(request_id="r-2"), department="sails"))

    assert ("iban", "DEPARTMENT_UNKNOWN") == (lacking.value.metadata["missing_keys"], unknown.value.reason)


def test_an_offer_that_lacks_facts_is_listed_as_incomplete(client: Client) -> None:
    client.append(event(policy("handoff_types: {delivery: {required_facts: [address], accept_within: 1h}}")))
    client.append(event(RequestOpened(request_id="r-1", owner_department="sales"), department="sales"))
    offers = [
        HandoffOffered(
            request_id="r-1",
            handoff_id=handoff_id,
            type="delivery",
            from_department="sales",
            to_department="shipping",
            ownership=STAYS,
            facts=[Fact(key="address", value="17 rue de la Paix")] if complete else [],
        )
        for handoff_id, complete in (("h-1", True), ("h-2", False))
    ]

    client.append(*(event(offer, department="sales") for offer in offers))

    assert [("h-2", ["address"])] == [(one.handoff_id, list(one.missing_keys)) for one in client.handoffs(incomplete=True)]
    assert all(one.HasField("accept_by") for one in client.handoffs())


def test_an_unknown_department_is_listed_with_the_data_quality(client: Client) -> None:
    client.append(event(policy("departments: {sales: {}}")))
    client.append(event(RequestOpened(request_id="r-1"), department="sales"))
    (appended,) = client.append(event(RequestOpened(request_id="r-2"), department="sails"))

    assert [appended.position] == [finding.position for finding in client.data_quality(UNKNOWN_DEPARTMENT)]


def test_both_clients_ask_the_same(client: Client, server: Server) -> None:
    async def asked() -> tuple[str, list[str], list[str]]:
        async with AsyncClient(server.target) as aio:
            found = await aio.policy()
            listed = [one.policy_id async for one in aio.policies()]
            bad = [one.path for one in await aio.check_policy(ServicePolicy(default_calendar="x"))]
            return found.result.policy_id, listed, bad

    assert ("default", ["default"], ["default_calendar"]) == asyncio.run(asked())


# Bad input


@pytest.fixture
def stub(channel: grpc.Channel) -> PolicyServiceStub:
    return PolicyServiceStub(channel)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (GetPolicyRequest(version=PolicyVersion(policy_id="nobody", policy_version=1)), "NOT_RECORDED"),
        (GetPolicyRequest(version=PolicyVersion(policy_id="default", policy_version=99)), "NOT_RECORDED"),
        (GetPolicyRequest(version=PolicyVersion(policy_id="default")), "FIELD_REQUIRED"),
        (GetPolicyRequest(version=PolicyVersion(policy_id="a b", policy_version=1)), "ID_MALFORMED"),
    ],
)
def test_a_question_for_no_policy_is_refused(stub: PolicyServiceStub, asked: GetPolicyRequest, reason: str) -> None:
    assert reason == refused(stub.GetPolicy, asked).reason


def test_a_page_of_no_size_is_refused(stub: PolicyServiceStub) -> None:
    assert "FIELD_INVALID" == refused(stub.ListPolicies, ListPoliciesRequest(page_size=501)).reason


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("targets: [{kind: first_response, channel: Phone Line, within: 1m}]", ["targets[0].channel"]),
        ("targets: [{channel: phone, within: 1m}]", ["targets[0].kind"]),
        ("targets: [{kind: resolution, within: 400d}]", ["targets[0].within"]),
        ("handoff_types: {refund: {required_facts: [Order Number]}}", ["handoff_types[0].required_facts[0]"]),
        ("handoff_types: {Re Fund: {}}", ["handoff_types[0].type"]),
        ("departments: {Sales Team: {}}", ["departments[0].department"]),
        ("promise_kinds: {visit: {attempts: 1000}}", ["promise_kinds[0].attempts"]),
        ("calendars: {desk: {week: {monday: 09:00-10:00}}}", ["calendars[0].zone"]),
        ("playbooks: {p: {topics: [request-opened], steps: {one: {}}}}", ["playbooks[0].steps[0].action"]),
        (
            "playbooks: {p: {topics: [Request Opened], condition: \"'é' == reason\", steps: {one: {suggest_opportunity: {}}}}}",
            ["playbooks[0].topics[0]", "playbooks[0].condition", "playbooks[0].steps[0].suggest_opportunity.kind"],
        ),
    ],
)
def test_what_breaks_the_protos_is_a_mistake_like_others(stub: PolicyServiceStub, text: str, paths: list[str]) -> None:
    found = read_policy(text, "policy.yaml")
    assert [] == found.mistakes

    answered = stub.ValidatePolicy(ValidatePolicyRequest(policy=found.published.policy))

    assert set(paths) <= {mistake.path for mistake in answered.mistakes}
    assert all(mistake.message for mistake in answered.mistakes)


# The command line


@pytest.mark.parametrize("name", ["default", "retailer"])
def test_a_shipped_policy_is_checked(tellonce: Tellonce, name: str) -> None:
    assert (0, "No mistakes.\n") == tellonce("policy", "check", name)[:2]


def test_the_policy_of_the_documentation_is_checked(tellonce: Tellonce, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    for block in blocks:
        (tmp_path / "service.yaml").write_text(block, encoding="utf-8")
        assert (0, "No mistakes.\n", "") == tellonce("policy", "check", str(tmp_path / "service.yaml"))
    assert blocks


def test_every_mistake_is_listed_with_its_line(tellonce: Tellonce, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "calendars:\n"
        "  desk:\n"
        "    zone: Europe/Pariss\n"
        "    week:\n"
        "      monday: 12:00-09:00\n"
        "      tuesday: noon\n"
        "bot_answers: maybe\n"
        "playbooks:\n"
        "  p:\n"
        "    topics: [request-opened]\n"
        "    condition: event.raison == 'x'\n"
        "    steps:\n"
        "      one:\n"
        "        make_promise: {kind: visit}\n",
        encoding="utf-8",
    )

    done = tellonce("policy", "check", str(file))

    places = re.findall(r"bad\.yaml:(\d+): ([\w.\[\]]+): ", done.err)
    assert 2 == done.code
    assert [
        ("3", "calendars.desk.zone"),
        ("5", "calendars.desk.week.monday"),
        ("6", "calendars.desk.week.tuesday"),
        ("7", "bot_answers"),
        ("11", "playbooks.p.condition"),
        ("14", "playbooks.p.steps.one.make_promise.kind"),
    ] == places
    assert "Europe/Pariss is no IANA time zone: use one such as Europe/Paris" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "nowhere.yaml"), "No such file"),
        (("check",), "take a file, the others none"),
        (("show", "service.yaml"), "take a file, the others none"),
        (("withdraw", "--id", "service"), "Name the version to withdraw"),
        (("show", "--version", "2"), "One version of a policy has both"),
        (("publish", "default", "--from", "tomorrow"), "'tomorrow' is not a time"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_a_command_that_is_written_wrongly_says_so(tellonce: Tellonce, arguments: tuple[str, ...], says: str) -> None:
    done = tellonce("policy", *arguments)

    assert 2 == done.code
    assert says in " ".join(done.err.replace("│", " ").split())


def test_a_policy_is_published_shown_listed_exported_and_withdrawn(tellonce: Tellonce, tmp_path: Path) -> None:
    name = f"p-{uuid.uuid4().hex[:8]}"
    published = tellonce("policy", "publish", "retailer", "--id", name, "--from", "2150-01-01", "--utc", "--actor", "a-17")
    assert (0, True) == (published.code, f"Policy {name} version 1 is recorded at position" in published.out), published.err

    shown = tellonce("policy", "show", "--at", "2150-01-02", "--utc")
    listed = tellonce("policy", "list", "--utc")
    exported = tellonce("policy", "export", "--id", name, "--version", "1")
    (tmp_path / "again.yaml").write_text(exported.out, encoding="utf-8")

    assert f"{name}" in shown.out
    assert "The hours of desk are known until 2153-01-0" in shown.err
    assert re.search(rf"{name} +1 +2150-01-01 00:00:00 .* a-17", listed.out)
    assert (0, "No mistakes.\n") == tellonce("policy", "check", str(tmp_path / "again.yaml"))[:2]
    assert 0 == tellonce("policy", "withdraw", "--id", name, "--version", "1").code
    assert "withdrawn at position" in tellonce("policy", "list").out
    assert name not in tellonce("policy", "show", "--at", "2150-01-02").out


def test_the_next_version_is_taken_where_none_is_said(tellonce: Tellonce, tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text(f"policy_id: p-{uuid.uuid4().hex[:8]}\nin_force_from: 2150-01-01T00:00Z\n{FAST}\n", encoding="utf-8")

    said = [tellonce("policy", "publish", str(file)).out for _ in range(2)]

    assert ["version 1", "version 2"] == [re.findall(r"version \d", one)[0] for one in said]
