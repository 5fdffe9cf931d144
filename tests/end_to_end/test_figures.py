"""Figures through the real server and both clients, and at the command line: a story whose values can be counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.python import AsOf, Client, InvalidError, event, identifier
from clients.python.core.arguments import timestamp
from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, ContactAnswered, ContactReceived
from ledger.api.v1.core_pb2 import Due
from ledger.api.v1.governance_pb2 import ImportFinished, ImportStarted
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from tests.both_clients import Both
from tests.server_process import Server

BEGIN = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The day before the spring night."""


def at(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("figures") / "data", "--home-zone", "Europe/Paris").start()
    try:
        with Client(started.target, consistency="latest") as client:
            told(client)
        yield started
    finally:
        started.stop()


def told(client: Client) -> None:
    """Four contacts on two channels, three answered; two promises, one kept late and one in time."""
    run: dict[str, Any] = {"import_run": "story", "department": "desk"}
    client.append(event(ImportStarted(run_id="story", from_source="test", answers_recorded=True)))
    for number, (channel, waited) in enumerate((("phone", 1), ("phone", 3), ("email", 60), ("email", None))):
        customer = identifier(("email", f"{number}@example.org"))
        received = ContactReceived(contact_id=f"c-{number}", customer=customer, reason="billing")
        client.append(event(received, channel=channel, occur_time=at(number), **run))
        if waited is not None:
            answered = ContactAnswered(contact_id=f"c-{number}", answered_by=ANSWERED_BY_HUMAN)
            client.append(event(answered, channel=channel, occur_time=at(number) + timedelta(minutes=waited), **run))
    for name, kept in (("p-1", 20), ("p-2", 30)):
        made = PromiseMade(promise_id=name, kind="delivery", contact_id="c-0", due=Due(instant=timestamp(at(24), "due")))
        client.append(event(made, channel="phone", occur_time=at(1), **run))
        client.append(event(PromiseKept(promise_id=name), occur_time=at(kept), **run))
    client.append(event(ImportFinished(run_id="story", row_count=1, appended_count=1, duplicate_count=0, rejected_count=0)))


@pytest.fixture(params=["sync", "aio"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Any]:
    both = Both(request.param)
    yield both(server.target, consistency="latest")
    both.close()


def rows(answer: Any, name: str) -> dict[tuple[str, ...], float | None]:
    """Return the values of a figure by group."""
    (figure,) = [one for one in answer.result.figures if one.name == name]
    return {tuple(row.values): row.value if row.HasField("value") else None for row in figure.rows}


def test_volumes_and_responses_by_channel(client: Any) -> None:
    answer = client.figures(["volume", "unhandled", "first_response"], by="channel", from_local="2026-03-28", to_local="2026-03-29")

    assert {("phone",): 2, ("email",): 2} == rows(answer, "volume")
    assert {("phone",): 0, ("email",): 1} == rows(answer, "unhandled")
    response = rows(answer, "first_response")
    assert {("phone",): pytest.approx(60, rel=0.01), ("email",): pytest.approx(3600, rel=0.01)} == response
    assert "Europe/Paris" == answer.result.zone


def test_exact_values_are_read_one_by_one(client: Any) -> None:
    answer = client.figures("first_response", exact=True)

    assert {(): 180.0} == rows(answer, "first_response")
    assert answer.result.figures[0].exact


def test_promises_count_where_they_are_due(client: Any) -> None:
    due_day = {"from_local": date(2026, 3, 29), "to_local": date(2026, 3, 30)}
    made_day = {"from_local": date(2026, 3, 28), "to_local": date(2026, 3, 29)}

    assert {(): 0.5} == rows(client.figures("promise_kept_rate", **due_day), "promise_kept_rate")
    assert {} == rows(client.figures("promise_kept_rate", **made_day), "promise_kept_rate")


def test_figures_are_answered_as_known_and_as_it_happened(client: Any) -> None:
    before = client.figures("promise_kept_rate", as_of=AsOf(occurred_before=at(25)))
    nothing = client.figures("volume", as_of=0)

    assert {(): 1.0} == rows(before, "promise_kept_rate")
    assert before.result.figures[0].exact
    assert {} == rows(nothing, "volume")


def test_hours_are_cut_in_the_zone_asked_for(client: Any) -> None:
    by_zone = {
        zone: list(rows(client.figures("volume", by=["weekday", "hour"], zone=zone), "volume"))
        for zone in ("Europe/Paris", "Asia/Kathmandu")
    }

    assert [("6", "13"), ("6", "14"), ("6", "15"), ("6", "16")] == by_zone["Europe/Paris"]
    assert [("6", "17"), ("6", "18"), ("6", "19"), ("6", "20")] == by_zone["Asia/Kathmandu"]


def test_the_day_of_the_spring_night_has_23_hours(client: Any) -> None:
    answer = client.figures("volume", from_local="2026-03-29", to_local="2026-03-30")

    assert 23 * 3600 == answer.result.to_time.seconds - answer.result.from_time.seconds


def test_handle_time_is_never_alone(client: Any) -> None:
    figures = client.figures("handle_time").result.figures

    assert [
        ("handle_time", False),
        ("first_contact_resolution", True),
        ("repeat_rate", True),
        ("satisfaction_csat", True),
    ] == [(figure.name, figure.bundled) for figure in figures]


def test_evidence_leads_to_the_events(client: Any) -> None:
    (figure,) = client.figures("promise_kept_rate", evidence_limit=5).result.figures

    assert 2 == figure.evidence_total
    made = [client.get_event(one.event_id).payload.promise_made.promise_id for one in figure.evidence]
    assert [("kept", "p-1"), ("kept_late", "p-2")] == list(zip([one.outcome for one in figure.evidence], made, strict=True))


def test_every_set_is_answered(client: Any) -> None:
    described = client.figure_definitions().result

    for one in described.sets:
        names = {figure.name for figure in client.figures(set=one.name, by="channel").result.figures}
        assert {*one.figures} <= names


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"names": "nothing"}, "names"),
        ({"set": "nothing"}, "set"),
        ({"names": "volume", "set": "baseline"}, "set"),
        ({"names": "volume", "by": "kind"}, "slices"),
        ({"names": "volume", "from_local": "2026-02-01", "to_local": "2026-01-01"}, "to_local"),
        ({"names": "volume", "from_local": "yesterday"}, "from_local"),
        ({"names": "volume", "evidence_limit": 501}, "evidence_limit"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_field(client: Any, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as raised:
        client.figures(**arguments)

    assert field in [violation.field for violation in raised.value.violations]


@pytest.mark.parametrize("arguments", [{"zone": "Europe/Nowhere"}, {"from_local": "2026-02-30"}])
def test_a_zone_or_date_that_does_not_exist_is_refused(client: Any, arguments: dict[str, str]) -> None:
    with pytest.raises(InvalidError) as raised:
        client.figures("volume", **arguments)

    assert "LOCAL_TIME_INVALID" == raised.value.reason


def tellonce(server: Server, *arguments: str) -> str:
    command = Path(sys.executable).with_name("tellonce")
    done = subprocess.run(
        [command, "figures", *arguments, "--target", server.target], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_the_command_shows_a_table_and_the_same_as_json(server: Server) -> None:
    arguments = ("promise_kept_rate", "--by", "channel", "--from", "2026-03-29", "--to", "2026-03-30", "--evidence", "1")

    text, written = tellonce(server, *arguments), json.loads(tellonce(server, *arguments, "--json"))

    assert "Promise-kept rate (promise_kept_rate v1, by time due" in text
    assert "50.0%" in text
    assert "1 of 2 members" in text
    assert 0.5 == written["result"]["figures"][0]["rows"][0]["value"]


def test_the_command_says_what_a_figure_means(server: Server) -> None:
    text = tellonce(server, "first_response", "--definitions")

    assert "An automatic acknowledgement is no answer" in " ".join(text.split())


def test_the_baseline_is_what_is_shown_without_a_word(server: Server) -> None:
    text = tellonce(server)

    assert all(title in text for title in ("Contacts received", "First response time", "First-contact resolution, gross"))
