"""Journeys, repeats, repetitions, fact diffs, silence, strands and exports, asked of a real server after a small story."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from clients.python import AsOf, Client, MoveNotAllowedError, event, identifier, new_id
from ledger.api.v1.contact_pb2 import REACHED_YES, ContactAttributed, ContactEnded, ContactMade, ContactReceived
from ledger.api.v1.core_pb2 import MOVES, STAYS, Fact, ObjectReference
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.experience_pb2 import CSAT, JourneyStepReached, SatisfactionRecorded
from ledger.api.v1.fact_pb2 import ASKED_OF_CUSTOMER, FactAsked, FactGiven
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered, HandoffReturned
from ledger.api.v1.handoff_service_pb2_grpc import HandoffServiceStub
from ledger.api.v1.history_service_pb2_grpc import HistoryServiceStub
from ledger.api.v1.insight_service_pb2_grpc import InsightServiceStub
from ledger.api.v1.journey_pb2 import (
    BREAK_FACT_LOSS,
    BREAK_RETURN,
    BREAK_STALL,
    VARIANT_OF_UNSPECIFIED,
    GetJourneyRequest,
    GetJourneysRequest,
)
from ledger.api.v1.policy_pb2 import HandoffType, PolicyPublished, ReasonRule, ServicePolicy
from ledger.api.v1.repetition_pb2 import (
    ASKED_AGAIN,
    FACT_DIFFERS,
    FACT_NOT_PASSED,
    FACT_SAME,
    REPEAT_SAME_OBJECT,
    REPEAT_SAME_REASON,
    REPEAT_SAME_REQUEST,
    REPETITION_KIND_UNSPECIFIED,
    GetFactDiffRequest,
    ListRepeatsRequest,
    ListRepetitionsRequest,
    RepeatFilter,
    RepetitionFilter,
)
from ledger.api.v1.request_pb2 import RESOLUTION_DONE, ContactLinked, RequestOpened, RequestResolved
from ledger.api.v1.request_service_pb2 import ListRequestsRequest, RequestFilter
from ledger.api.v1.request_service_pb2_grpc import RequestServiceStub
from tests.command_line import Done, Tellonce, typed
from tests.refusals import refused
from tests.server_process import Server

BEGUN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("journeys") / "data").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(served: Server) -> Iterator[Client]:
    with Client(served.target, consistency="latest") as client:
        tell(client)
        yield client


def tell(client: Client) -> None:
    """Record the story: an address lost at a handoff, a size asked for twice, and a customer who had to call again."""
    customer = identifier("email:anna@example.org")

    def said(payload: Any, hours: float, department: str = "desk") -> Any:
        when = BEGUN + timedelta(hours=hours)
        return event(payload, occur_time=when, department=department, channel="phone", record_late=True)

    client.append(
        said(ContactReceived(contact_id="c-1", customer=customer, reason="delivery"), 0),
        said(
            RequestOpened(
                request_id="r-1",
                contact_id="c-1",
                reason="delivery",
                owner_department="desk",
                objects=[ObjectReference(type="order", value="77")],
                intake_facts=[Fact(key="address", value="12 rue Haute"), Fact(key="name", value="Anna")],
            ),
            0.1,
        ),
        said(FactGiven(fact=Fact(key="size", value="XL"), request_id="r-1"), 0.2),
        said(ContactEnded(contact_id="c-1", reason="delivery"), 0.3),
    )
    facts = [Fact(key="address", value="21 rue Haute"), Fact(key="name", value="Anna")]
    client.append(
        said(
            HandoffOffered(
                request_id="r-1", handoff_id="h-1", from_department="desk", to_department="shipping", ownership=MOVES, facts=facts
            ),
            1,
        )
    )
    client.append(said(HandoffAccepted(request_id="r-1", handoff_id="h-1"), 3, "shipping"))
    client.append(said(JourneyStepReached(request_id="r-1", step="packed"), 4, "shipping"))
    client.append(said(FactAsked(key="size", asked_of=ASKED_OF_CUSTOMER, request_id="r-1"), 5, "shipping"))
    client.append(said(SatisfactionRecorded(measure=CSAT, score=2, request_id="r-1"), 6))
    client.append(said(HandoffReturned(request_id="r-1", handoff_id="h-1", wrong_keys=["address"]), 7, "shipping"))
    client.append(
        said(ContactReceived(contact_id="c-2", customer=customer, reason="delivery"), 72),
        said(ContactLinked(request_id="r-1", contact_id="c-2"), 72.1),
    )
    client.append(
        said(ContactReceived(contact_id="c-3", customer=customer, reason="invoice"), 73),
        said(RequestOpened(request_id="r-2", contact_id="c-3", reason="invoice", owner_department="desk"), 73.1),
    )
    for number, department in enumerate(("cards", "phones"), 1):
        offer = HandoffOffered(
            request_id="r-2", handoff_id=f"s-{number}", from_department="desk", to_department=department, ownership=STAYS
        )
        client.append(said(offer, 74))


def test_a_journey_has_its_steps_its_stays_and_its_breaks(client: Client) -> None:
    found = client.journey("r-1", stall_limit=timedelta(hours=5)).result

    assert [("desk", False), ("shipping", False), ("desk", True)] == [(stay.department, stay.stalled) for stay in found.stays]
    assert timedelta(hours=4) == found.stays[1].active.ToTimedelta()
    assert {(BREAK_RETURN, "desk", "shipping"), (BREAK_FACT_LOSS, "desk", "shipping"), (BREAK_STALL, "desk", "")} == {
        (point.kind, point.department, point.to_department) for point in found.break_points
    }
    topics = [step.topic for step in found.steps]
    assert ["contact-received", "request-opened", "fact-given", "contact-ended", "handoff-offered"] == topics[:5]
    assert {"journey-step-reached", "fact-asked", "satisfaction-recorded", "contact-linked"} <= set(topics)
    assert ("packed", "shipping") == next((step.step, step.owner_department) for step in found.steps if step.step)


def test_a_customer_has_one_journey_over_all_requests(client: Client) -> None:
    found = client.journey(customer="email:anna@example.org").result

    assert ["r-1", "r-2"] == list(found.request_ids)
    assert ["c-1", "c-2", "c-3"] == [step.contact_id for step in found.steps if step.topic == "contact-received"]


def test_journeys_show_how_requests_went_and_what_customers_said(client: Client) -> None:
    found = client.journeys(stall_limit=timedelta(days=400)).result.period

    assert {("desk", "shipping", "desk"), ("desk",)} == {tuple(variant.sequence) for variant in found.variants}
    (pair,) = [pair for pair in found.pairs if pair.to_department == "shipping"]
    assert (1, 1, 1, 1) == (pair.handoff_count, pair.accepted_count, pair.returned_count, pair.fact_loss_count)
    assert timedelta(hours=2) == pair.acceptance_median.ToTimedelta()
    (said,) = found.satisfaction_points
    assert ("shipping", 1, 0, 1) == (said.department, said.count, said.good_count, said.bad_count)


def test_two_periods_are_compared(client: Client) -> None:
    found = client.journeys(
        from_time=BEGUN + timedelta(hours=48),
        compare_to_time=BEGUN + timedelta(hours=48),
        stall_limit=timedelta(days=400),
    ).result

    assert (1, 1) == (found.period.request_count, found.compared.request_count)
    assert {(BREAK_RETURN, -1.0), (BREAK_FACT_LOSS, -1.0)} == {(one.point.kind, one.share_change) for one in found.changes}


def test_a_journey_is_as_it_had_happened_then(client: Client) -> None:
    before = AsOf(occurred_before=BEGUN + timedelta(hours=4))

    found = client.journeys(as_of=before, stall_limit=timedelta(hours=1)).result.period

    assert [("desk", "shipping")] == [tuple(variant.sequence) for variant in found.variants]
    assert {BREAK_STALL} == {point.kind for point in found.break_points}


def test_who_came_back_repeats_and_says_why(client: Client) -> None:
    pages = client.repeats(window=timedelta(days=7))

    assert [("c-2", "c-1", [REPEAT_SAME_REASON, REPEAT_SAME_OBJECT, REPEAT_SAME_REQUEST])] == [
        (one.contact_id, one.repeated_contact_id, list(one.rules)) for one in pages
    ]
    assert (1, 3) == (pages.first.result.repeat_count, pages.first.result.contact_count)
    assert ["c-2", "c-3"] == [one.contact_id for one in client.repeats(window=timedelta(days=7), any_reason=True)]
    assert [] == list(client.repeats(window=timedelta(hours=1)))
    assert [] == list(client.requests(repeated=True))


def test_what_was_asked_although_it_was_given_is_a_repetition(client: Client) -> None:
    found = list(client.repetitions(customer="email:anna@example.org"))

    assert [(ASKED_AGAIN, "size", "shipping", "r-1", "XL")] == [
        (one.kind, one.key, one.department, one.request_id, one.given.value) for one in found
    ]


def test_a_fact_diff_says_what_was_known_passed_returned_and_asked_again(client: Client) -> None:
    diff = client.fact_diff("h-1").result

    assert {"address": FACT_DIFFERS, "name": FACT_SAME, "size": FACT_NOT_PASSED} == {fact.key: fact.passing for fact in diff.facts}
    by_key = {fact.key: fact for fact in diff.facts}
    assert ("12 rue Haute", "21 rue Haute", True) == (
        by_key["address"].given.value,
        by_key["address"].passed.value,
        by_key["address"].returned_wrong,
    )
    assert (1, True) == (by_key["size"].asked_again_count, diff.fact_loss)


def test_silent_requests_are_those_without_word_for_too_long(client: Client) -> None:
    after = AsOf(evaluated_time=BEGUN + timedelta(days=8))

    silent = {one.request_id: one.silent_since_time.ToDatetime(UTC) for one in client.requests(silent=True, as_of=after)}

    assert {"r-1": BEGUN + timedelta(hours=0.1)} == silent


def test_a_request_with_open_strands_is_resolved_only_against_the_rule(client: Client) -> None:
    request_id = f"r-{new_id()}"
    client.append(event(RequestOpened(request_id=request_id, owner_department="desk"), department="desk"))
    for to in ("cards", "phones"):
        offer = HandoffOffered(
            request_id=request_id, handoff_id=f"h-{to}", from_department="desk", to_department=to, ownership=STAYS
        )
        client.append(event(offer, department="desk"))
    resolved = RequestResolved(request_id=request_id, resolution=RESOLUTION_DONE)
    override = event(RuleOverridden(rule="strands_open", request_id=request_id, reason="customer_content"), department="desk")

    with pytest.raises(MoveNotAllowedError) as refusal:
        client.append(event(resolved, department="desk"))
    open_strands = client.request(request_id).result
    resolved.override_event_id = override.envelope.event_id
    client.append(override, event(resolved, department="desk"))

    assert ("STRANDS_OPEN", "h-cards, h-phones") == (refusal.value.reason, refusal.value.metadata["handoff_ids"])
    assert (2, 0) == (open_strands.strand_count, open_strands.strand_done_count)
    assert request_id not in [one.request_id for one in client.requests(strands_open=True, open=True)]
    assert "r-2" in [one.request_id for one in client.requests(strands_open=True)]


def test_a_policy_says_which_path_is_expected_which_facts_are_stable_and_which_a_handoff_needs(client: Client) -> None:
    number = new_id()[-8:]
    reason, request_id = f"removal_{number}", f"r-{number}"
    policy = ServicePolicy(
        reasons=[ReasonRule(reason=reason, stable_facts=["floor"], expected_path=["visit", "moved", "request_resolved"])],
        handoff_types=[HandoffType(type="crew", required_facts=["floor"])],
    )
    policy.silence_limit.FromTimedelta(timedelta(hours=1))
    published = PolicyPublished(policy_id=f"p-{number}", policy_version=1, policy=policy)
    published.in_force_from.GetCurrentTime()
    client.append(event(published))
    customer = identifier(f"email:{number}@example.org")
    offer = HandoffOffered(
        request_id=request_id, handoff_id="h-1", from_department="desk", to_department="movers", ownership=MOVES, type="crew"
    )
    for payload, department in (
        (FactGiven(fact=Fact(key="floor", value="4th"), customer=customer), "desk"),
        (ContactReceived(contact_id=f"c-{number}", customer=customer, reason=reason), "desk"),
        (RequestOpened(request_id=request_id, contact_id=f"c-{number}", reason=reason, owner_department="desk"), "desk"),
        (offer, "desk"),
        (HandoffAccepted(request_id=request_id, handoff_id="h-1"), "movers"),
        (FactAsked(key="floor", asked_of=ASKED_OF_CUSTOMER, request_id=request_id), "movers"),
        (JourneyStepReached(request_id=request_id, step="moved"), "movers"),
        (JourneyStepReached(request_id=request_id, step="visit"), "movers"),
        (JourneyStepReached(request_id=request_id, step="damage"), "movers"),
        (RequestResolved(request_id=request_id, resolution=RESOLUTION_DONE), "movers"),
    ):
        client.append(event(payload, department=department))

    journey = client.journey(request_id).result
    (went,) = client.journeys(reasons=reason).result.period.conformances
    (asked,) = client.repetitions(customer=f"email:{number}@example.org")
    (fact,) = client.fact_diff("h-1", request_id=request_id).result.facts

    assert (["damage"], [], True) == (
        list(journey.path_check.extra),
        list(journey.path_check.missing),
        journey.path_check.out_of_order,
    )
    assert (1, 0, 0, 1) == (went.request_count, went.unended_count, went.as_expected_count, went.out_of_order_count)
    assert (ASKED_AGAIN, "floor") == (asked.kind, asked.key)
    assert (FACT_NOT_PASSED, True, 1) == (fact.passing, fact.required_missing, fact.asked_again_count)
    assert BREAK_FACT_LOSS in [point.kind for point in journey.break_points]
    assert timedelta(hours=1) == client.journeys().result.stall_limit.ToTimedelta()


def test_a_contact_repeats_for_whom_it_was_attributed_to_and_an_answer_to_us_repeats_nothing(client: Client) -> None:
    number = new_id()[-8:]
    customer = identifier(f"email:{number}@example.org")
    first, anonymous, outbound, answer = (f"{name}-{number}" for name in ("first", "anonymous", "outbound", "answer"))
    for payload in (
        ContactReceived(contact_id=first, customer=customer, reason="invoice"),
        ContactReceived(contact_id=anonymous, reason="invoice"),
        ContactMade(contact_id=outbound, customer=customer, reached=REACHED_YES),
        ContactReceived(contact_id=answer, customer=customer, reason="invoice", reply_to=outbound),
    ):
        client.append(event(payload, department="desk", channel="email"))
    alone = list(client.repeats(customer=customer))

    client.append(event(ContactAttributed(contact_id=anonymous, customer=customer), department="desk"))
    attributed = list(client.repeats(customer=customer))

    assert [] == alone
    assert [(anonymous, first)] == [(one.contact_id, one.repeated_contact_id) for one in attributed]


# The command line


@pytest.fixture
def tellonce(served: Server, client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(served.target, capsys, monkeypatch, columns=160)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("journeys",), "desk → shipping → desk"),
        (("journeys", "--variants", "steps", "--compare-to", "2026-03-03"), "Compared with"),
        (("journeys", "--request", "r-1"), "packed"),
        (("journeys", "--customer", "email:anna@example.org"), "c-3"),
        (("repeats", "--window", "7d"), "reason, object, request"),
        (("repeats", "--facts"), "asked again"),
        (("handoffs", "--id", "h-1", "--facts"), "21 rue Haute"),
        (("requests", "--silent"), "no word since"),
        (("requests", "--strands"), "0 of 2 strands done"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_commands_show_it(tellonce: Callable[..., Done], arguments: tuple[str, ...], shown: str) -> None:
    done = tellonce(*arguments, "--utc")

    assert 0 == done.code, done.err
    assert shown in " ".join(done.out.split())


def test_commands_answer_in_json(tellonce: Callable[..., Done]) -> None:
    done = tellonce("journeys", "--json")

    assert "journeys@1" == json.loads(done.out)["result"]["definition"]


def test_a_mistaken_option_is_named(tellonce: Callable[..., Done]) -> None:
    assert 2 == tellonce("journeys", "--variants", "colours").code
    assert 2 == tellonce("repeats", "--window", "soon").code
    assert 2 == tellonce("export", "--format", "csv", "x").code


# Export

PM4PY: Final = """
import json, sys
import pm4py
folder = sys.argv[1]
counts = {}
for form, read in (("ocel-json", pm4py.read_ocel2_json), ("ocel-sqlite", pm4py.read_ocel2_sqlite)):
    log = read(f"{folder}/log.{form}")
    types = log.objects.groupby("ocel:type").size().to_dict()
    counts[form] = [len(log.events), types, len(log.relations), len(log.o2o)]
xes = pm4py.read_xes(f"{folder}/log.xes")
counts["xes"] = [int(xes["case:concept:name"].nunique()), len(xes)]
print("\\n" + json.dumps(counts))
"""
"""Read in a process of its own: pm4py brings warnings and a banner."""


def test_pm4py_reads_every_form_of_export_and_finds_the_same_counts(
    tellonce: Callable[..., Done], client: Client, tmp_path: Path
) -> None:
    for form in ("ocel-json", "ocel-sqlite", "xes"):
        done = tellonce("export", "--format", form, str(tmp_path / f"log.{form}.other"))
        assert 0 == done.code, done.err
        (tmp_path / f"log.{form}.other").rename(tmp_path / f"log.{form.replace('ocel-json', 'jsonocel')}")
    (tmp_path / "log.jsonocel").rename(tmp_path / "log.ocel-json")

    read = subprocess.run([sys.executable, "-c", PM4PY, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300)

    assert 0 == read.returncode, read.stderr
    counts = json.loads(read.stdout.splitlines()[-1])
    exported = json.loads((tmp_path / "log.ocel-json").read_text())
    objects: dict[str, int] = {}
    for one in exported["objects"]:
        objects[one["type"]] = objects.get(one["type"], 0) + 1
    relations = sum(len(one["relationships"]) for one in exported["events"])
    between = sum(len(one["relationships"]) for one in exported["objects"])
    expected = [len(exported["events"]), objects, relations, between]
    assert (expected, expected) == (counts["ocel-json"], counts["ocel-sqlite"])
    of_requests = [one for one in exported["events"] if any(it["qualifier"] == "request" for it in one["relationships"])]
    assert [objects["request"], len(of_requests)] == counts["xes"]
    assert {"customer", "contact", "request", "handoff", "object order"} <= objects.keys()


def test_an_export_holds_no_sealed_content(tellonce: Callable[..., Done], tmp_path: Path) -> None:
    for form in ("ocel-json", "ocel-sqlite", "xes"):
        tellonce("export", "--format", form, str(tmp_path / form))

    for form in ("ocel-json", "ocel-sqlite", "xes"):
        written = (tmp_path / form).read_bytes()
        assert b"request-opened" in written
        assert not any(secret in written for secret in (b"anna@example.org", b"Haute", b"XL"))


def test_an_export_is_of_a_period_and_as_it_was_known(tellonce: Callable[..., Done], tmp_path: Path) -> None:
    tellonce("export", "--to", "2026-03-03", "--utc", str(tmp_path / "early"))
    tellonce("export", "--as-of", "4", str(tmp_path / "known"))

    early, known = (json.loads((tmp_path / name).read_text())["events"] for name in ("early", "known"))
    assert not [one for one in early if one["time"] >= "2026-03-03"]
    assert 10 == len(early)
    assert max(attribute["value"] for one in known for attribute in one["attributes"] if attribute["name"] == "position") <= 4


# Bad input


@pytest.mark.parametrize(
    ("service", "method", "request_", "reason", "fields"),
    [
        (InsightServiceStub, "GetJourney", GetJourneyRequest(), "FIELD_REQUIRED", ["whose"]),
        (InsightServiceStub, "GetJourney", GetJourneyRequest(request_id="a b"), "ID_MALFORMED", ["request_id"]),
        (InsightServiceStub, "GetJourney", GetJourneyRequest(request_id="nobody-s"), "NOT_RECORDED", []),
        (InsightServiceStub, "GetJourneys", GetJourneysRequest(top=0), "FIELD_INVALID", ["top"]),
        (InsightServiceStub, "GetJourneys", GetJourneysRequest(top=501), "FIELD_INVALID", ["top"]),
        (
            InsightServiceStub,
            "GetJourneys",
            GetJourneysRequest(variants_of=VARIANT_OF_UNSPECIFIED),
            "FIELD_INVALID",
            ["variants_of"],
        ),
        (InsightServiceStub, "GetJourneys", GetJourneysRequest(reasons=["A B"]), "CODE_MALFORMED", ["reasons[0]"]),
        (InsightServiceStub, "GetJourneys", GetJourneysRequest(stall_limit=Duration(seconds=-1)), "FIELD_INVALID", ["stall_limit"]),
        (HistoryServiceStub, "ListRepeats", ListRepeatsRequest(page_size=501), "FIELD_INVALID", ["page_size"]),
        (HistoryServiceStub, "ListRepeats", ListRepeatsRequest(page_token="x"), "PAGE_TOKEN_INVALID", []),
        (
            HistoryServiceStub,
            "ListRepeats",
            ListRepeatsRequest(filter=RepeatFilter(window=Duration(seconds=-1))),
            "FIELD_INVALID",
            ["filter.window"],
        ),
        (
            HistoryServiceStub,
            "ListRepeats",
            ListRepeatsRequest(filter=RepeatFilter(any_reason=False)),
            "FIELD_INVALID",
            ["filter.any_reason"],
        ),
        (
            HistoryServiceStub,
            "ListRepetitions",
            ListRepetitionsRequest(filter=RepetitionFilter(kinds=[REPETITION_KIND_UNSPECIFIED])),
            "FIELD_INVALID",
            ["filter.kinds[0]"],
        ),
        (
            HistoryServiceStub,
            "ListRepetitions",
            ListRepetitionsRequest(filter=RepetitionFilter(keys=["Some Key"])),
            "CODE_MALFORMED",
            ["filter.keys[0]"],
        ),
        (HandoffServiceStub, "GetFactDiff", GetFactDiffRequest(), "FIELD_REQUIRED", ["handoff_id"]),
        (HandoffServiceStub, "GetFactDiff", GetFactDiffRequest(handoff_id="h-none"), "NOT_RECORDED", []),
        (
            RequestServiceStub,
            "ListRequests",
            ListRequestsRequest(filter=RequestFilter(silent=False)),
            "FIELD_INVALID",
            ["filter.silent"],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else getattr(value, "__name__", ""),
)
def test_bad_input_is_refused_by_its_name(
    served: Server, service: Any, method: str, request_: Any, reason: str, fields: list[str]
) -> None:
    with grpc.insecure_channel(served.target) as channel:
        refusal = refused(getattr(service(channel), method), request_)

    assert (reason, fields) == (refusal.reason, refusal.fields)
