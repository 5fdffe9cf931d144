"""Corrections through the real server: views follow, as-of before shows the old values, imports correct by a mended mapping."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from clients.connectors.importer import run_import
from clients.connectors.tally import Summary
from clients.python import Client
from clients.python.events import correction, event
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import Due, Fact, Identifier
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import EventRetracted
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN
from tests.build import timestamp
from tests.server_process import Server

MAPPING = """\
mapping: 1
source: {source}
rows: case
key: [row.number]
envelope:
  occur_time: time(row.{at})
  department: code(row.{team})
  channel: '"email"'
rules:
  - rule: received
    emit: contact-received
    set:
      contact_id: id("{source}", row.number)
      customer: {{type: '"email"', value: row.who}}
      reason: '"delivery"'
      summary: row.{text}
  - rule: fact
    emit: fact-given
    set:
      customer: {{type: '"email"', value: row.who}}
      fact: {{key: '"size"', value: row.{size}}}
"""


@pytest.fixture
def client(shared_server: Server) -> Iterator[Client]:
    # What an import recorded, another client did.
    with Client(shared_server.target, consistency="latest") as connected:
        yield connected


def mail(name: str) -> str:
    return f"{name}-{uuid4().hex[:8]}@example.org"


def test_a_history_shows_what_was_recorded_and_what_stands(client: Client) -> None:
    who = mail("a")
    received = event(
        ContactReceived(
            contact_id=f"c-{uuid4()}", customer=Identifier(type="email", value=who), reason="delivery", summary="Paket"
        ),
        channel="phone",
        department="care",
    )
    first = client.append(received)[0]
    said = ContactReceived()
    said.CopyFrom(received.payload.contact_received)
    said.reason, said.summary = "billing", "Rechnung"

    made = client.append(correction(first.stream, first.event_id, said, reason="misheard", channel="email", department="care"))[0]

    (entry,) = list(client.history(f"email:{who}", topics=["contact-received"]))
    (before,) = list(client.history(f"email:{who}", as_of=first.position))
    assert ("delivery", "Paket", "phone") == _said(entry.event)
    assert ("billing", "Rechnung", "email") == _said(entry.corrected)
    assert (made.event_id, False) == (entry.restated_by_event_id, entry.retracted)
    assert (False, "") == (before.HasField("corrected"), before.restated_by_event_id)
    (contact,) = list(client.contacts(customer=f"email:{who}"))
    assert ("billing", "email") == (contact.reason, contact.channel)
    (as_of,) = list(client.contacts(customer=f"email:{who}", as_of=first.position))
    assert ("delivery", "phone") == (as_of.reason, as_of.channel)


def _said(recorded: Any) -> tuple[str, str, str]:
    said = recorded.payload.contact_received
    return said.reason, said.summary, recorded.envelope.channel


def test_a_search_finds_what_stands_and_of_the_past_what_stood(client: Client) -> None:
    who = mail("b")
    contact_id = f"c-{uuid4()}"
    client.append(event(ContactReceived(contact_id=contact_id, customer=Identifier(type="email", value=who), reason="delivery")))
    note = client.append(event(NoteAdded(contact_id=contact_id, text="Gartenzwerg")))[0]
    second = client.append(correction(note.stream, note.event_id, NoteAdded(contact_id=contact_id, text="Gartenbank")))[0]
    third = client.append(correction(note.stream, note.event_id, NoteAdded(contact_id=contact_id, text="Gartenlaube")))[0]

    def found(words: str, as_of: int | None = None) -> list[int]:
        return [entry.event.position for entry in list(client.search(words, customer=f"email:{who}", as_of=as_of))]

    assert ([], [], [note.position]) == (found("gartenzwerg"), found("gartenbank"), found("gartenlaube"))
    assert ([note.position], []) == (found("gartenzwerg", note.position), found("gartenlaube", note.position))
    assert [note.position] == found("gartenbank", second.position)
    client.append(event(EventRetracted(stream=note.stream, retracted_event_id=third.event_id, reason="wrong")))
    assert ([note.position], []) == (found("gartenbank"), found("gartenlaube"))
    client.append(event(EventRetracted(stream=note.stream, retracted_event_id=note.event_id, reason="wrong")))
    assert [] == found("garten*")
    (entry,) = list(client.history(f"email:{who}", topics=["note-added"]))
    assert entry.retracted


def test_a_wrong_customer_corrected_moves_the_contact_to_the_right_one(client: Client) -> None:
    wrong, right = mail("wrong"), mail("right")
    contact_id = f"c-{uuid4()}"
    payload = ContactReceived(contact_id=contact_id, customer=Identifier(type="email", value=wrong), reason="delivery", summary="x")
    received = client.append(event(payload))[0]
    payload.customer.value = right

    client.append(correction(received.stream, received.event_id, payload))

    assert [0, 1] == [client.card(f"email:{who}").result.contact_count for who in (wrong, right)]
    assert [] == list(client.history(f"email:{wrong}", topics=["contact-received"]))
    assert [received.position] == [
        entry.event.position for entry in list(client.history(f"email:{right}", topics=["contact-received"]))
    ]
    assert [1] == [client.card(f"email:{wrong}", as_of=received.position).result.contact_count]


def test_a_promise_with_a_corrected_due_is_judged_afresh(client: Client) -> None:
    now = datetime.now(UTC)
    promise_id = f"p-{uuid4()}"
    promise = PromiseMade(promise_id=promise_id, kind="delivery", due=Due(instant=_time(now - timedelta(days=2))))
    made = client.append(event(promise, occur_time=now - timedelta(days=3), record_late=True))[0]
    later = PromiseMade(promise_id=promise_id, kind="delivery", due=Due(instant=_time(now + timedelta(days=2))))

    client.append(correction(made.stream, made.event_id, later, approver="s-1", reason="misheard"))

    assert PROMISE_STATE_OPEN == client.promise(promise_id).result.state
    assert (now + timedelta(days=2)).replace(microsecond=0) == client.promise(promise_id).result.due_time.ToDatetime(UTC).replace(
        microsecond=0
    )
    assert client.promise(promise_id, as_of=made.position).result.state in (PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN)
    assert client.promise(promise_id, as_of=made.position).result.due_time.ToDatetime(UTC) < now


def _time(when: datetime) -> Any:
    return timestamp(int(when.timestamp()) * 1_000_000)


def test_a_retracted_link_no_longer_joins_and_retracting_that_joins_again(client: Client) -> None:
    one, other = mail("one"), mail("other")
    for who in (one, other):
        client.append(event(ContactReceived(contact_id=f"c-{uuid4()}", customer=Identifier(type="email", value=who), reason="x")))
    left, right = (Identifier(type="email", value=who) for who in (one, other))
    link = client.append(event(IdentityLinked(left=left, right=right, evidence="said_so")))[0]

    def together(as_of: int | None = None) -> int:
        return len(client.identifiers(f"email:{one}", as_of=as_of).result.identifiers)

    assert 2 == together()
    gone = client.append(event(EventRetracted(stream=link.stream, retracted_event_id=link.event_id, reason="wrong")))[0]
    assert (1, 2) == (together(), together(link.position))
    client.append(event(EventRetracted(stream=link.stream, retracted_event_id=gone.event_id, reason="was_right")))
    assert (2, 1) == (together(), together(gone.position))


def test_a_fact_corrected_is_known_as_corrected(client: Client) -> None:
    who = mail("f")
    customer = Identifier(type="email", value=who)
    given = client.append(event(FactGiven(customer=customer, fact=Fact(key="size", value="40"))))[0]

    client.append(correction(given.stream, given.event_id, FactGiven(customer=customer, fact=Fact(key="size", value="41"))))

    (known,) = client.card(f"email:{who}").result.facts
    (before,) = client.card(f"email:{who}", as_of=given.position).result.facts
    assert [("41", 1), ("40", 1)] == [(one.fact.value, one.given_count) for one in (known, before)]


# Import


class Desk:
    """A ticket system with a file and a mapping that gets mended."""

    def __init__(self, folder: Path, target: str) -> None:
        self.target = target
        self.source = f"crm_{uuid4().hex[:8]}"
        self.file, self.mapping, self.rejects = folder / "t.csv", folder / "m.yaml", folder / "r.jsonl"
        self.who = f"{self.source}@example.org"
        lines = [f"{n},2016-03-01T0{n}:00:00,2016-03-02T0{n}:00:00,desk,depot,wrong{n},right{n},{self.who},4{n}" for n in range(5)]
        head = "number,at,closed,owner,team,title,text,who,size"
        self.file.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        self.map()

    def map(self, at: str = "at", team: str = "owner", text: str = "title", size: str = "size") -> None:
        self.mapping.write_text(MAPPING.format(source=self.source, at=at, team=team, text=text, size=size), encoding="utf-8")

    def run(self, **options: bool) -> Summary:
        return run_import(self.file, self.mapping, target=self.target, reject_path=self.rejects, **options)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path, shared_server: Server) -> Desk:
    return Desk(tmp_path, shared_server.target)


def test_a_mended_mapping_corrects_what_it_imported_wrongly(client: Client, desk: Desk) -> None:
    desk.run()
    before = client.head().position
    desk.map(team="team", text="text")

    refused = desk.run()
    reason = json.loads(desk.rejects.read_text().splitlines()[0])["reason"]
    tally = desk.run(correct=True).tally

    assert (5, 0, True) == (refused.tally.rows_rejected, refused.tally.events_corrected, "--correct" in reason)
    assert (0, 10, 0, 0) == (tally.rows_rejected, tally.events_corrected, tally.events_appended, tally.events_duplicate)
    contacts = list(client.contacts(customer=f"email:{desk.who}"))
    assert [5, {"depot"}] == [len(contacts), {one.department for one in contacts}]
    as_of = list(client.contacts(customer=f"email:{desk.who}", as_of=before))
    assert [5, {"desk"}] == [len(as_of), {one.department for one in as_of}]
    assert (5, 0) == tuple(len(list(client.search(words, customer=f"email:{desk.who}"))) for words in ("right*", "wrong*"))


def test_a_mended_time_is_corrected_though_it_gives_another_id(client: Client, desk: Desk) -> None:
    desk.run()
    before = client.head().position
    desk.map(at="closed")

    tally = desk.run(correct=True).tally

    # A fact has a stream of its own, in which nothing can be looked up: it is recorded at its new time as well.
    assert (0, 5, 5, 0) == (tally.rows_rejected, tally.events_corrected, tally.events_appended, tally.events_duplicate)
    now, then = (list(client.contacts(customer=f"email:{desk.who}", as_of=as_of)) for as_of in (None, before))
    assert [{"2016-03-02"}, {"2016-03-01"}] == [{one.opened_time.ToJsonString()[:10] for one in rows} for rows in (now, then)]
    assert [5, 5] == [len(now), len(then)]


def test_correcting_twice_changes_nothing(client: Client, desk: Desk) -> None:
    desk.run()
    desk.map(team="team", text="text", size="number")
    first = desk.run(correct=True)
    again = desk.run(correct=True)

    assert [(10, 0, 0), (0, 0, 10)] == [
        (one.tally.events_corrected, one.tally.events_appended, one.tally.events_duplicate) for one in (first, again)
    ]
    assert "4" == client.card(f"email:{desk.who}").result.facts[0].fact.value


def test_a_mapping_mended_back_and_forth_is_followed(client: Client, desk: Desk) -> None:
    desk.run()
    departments = []
    for team in ("team", "owner"):
        desk.map(team=team)
        departments.append(desk.run(correct=True).tally.events_corrected)
        departments += {one.department for one in client.contacts(customer=f"email:{desk.who}")}

    assert [10, "depot", 10, "desk"] == departments


def test_what_a_person_corrected_is_left_by_an_import_that_says_nothing_new(client: Client, desk: Desk) -> None:
    desk.run()
    contact = next(iter(client.contacts(customer=f"email:{desk.who}")))
    (opener, *_) = client.read_events(stream=f"contact-{contact.contact_id}")
    said = ContactReceived()
    said.CopyFrom(opener.payload.contact_received)
    said.reason = "billing"
    said.customer.ClearField("subject")
    said.ClearField("response_due_time")
    client.append(correction(opener.stream, opener.envelope.event_id, said, department="desk"))

    tally = desk.run(correct=True).tally

    assert (0, 10) == (tally.events_corrected, tally.events_duplicate)
    assert {"billing", "delivery"} == {one.reason for one in client.contacts(customer=f"email:{desk.who}")}


def test_an_import_that_corrects_brings_in_what_is_new_as_well(desk: Desk) -> None:
    desk.run()
    lines = desk.file.read_text().splitlines()
    lines[2] = lines[2].replace("wrong1", "other")
    desk.file.write_text("\n".join([*lines, lines[1].replace("0,2016", "7,2016")]) + "\n")

    tally = desk.run(correct=True).tally

    assert (1, 2, 9) == (tally.events_corrected, tally.events_appended, tally.events_duplicate)


def test_the_command_line_corrects_and_shows_both(client: Client, desk: Desk) -> None:
    desk.run()
    desk.map(text="text")

    done = _tellonce("import", str(desk.file), "-m", str(desk.mapping), "--correct", "--json", "--target", desk.target)
    shown = _tellonce("history", f"email:{desk.who}", "--topic", "contact-received", "--target", desk.target, "--limit", "1")

    assert 5 == json.loads(done)["events_corrected"]
    assert "wrong4" in shown
    assert "corrected" in shown
    assert "right4" in shown


def test_any_event_is_corrected_and_retracted_on_the_command_line(client: Client, desk: Desk) -> None:
    who = mail("cli")
    contact_id = f"c-{uuid4()}"
    client.append(event(ContactReceived(contact_id=contact_id, customer=Identifier(type="email", value=who), reason="delivery")))
    note = client.append(event(NoteAdded(contact_id=contact_id, text="Gartenzwerg")))[0]
    names = ("--set", f"stream={note.stream}", "--set", "reason=typing_error", "--target", desk.target)
    said = json.dumps({"note_added": {"contact_id": contact_id, "text": "Gartenbank"}})

    _tellonce(
        "append", "--topic", "event-corrected", "--set", f"corrected_event_id={note.event_id}", "--set", f"payload={said}", *names
    )
    corrected = _tellonce("history", f"email:{who}", "--target", desk.target)
    _tellonce("append", "--topic", "event-retracted", "--set", f"retracted_event_id={note.event_id}", *names)
    retracted = _tellonce("history", f"email:{who}", "--topic", "note-added", "--target", desk.target)

    assert "“Gartenzwerg” (corrected: “Gartenbank”)" in corrected
    assert "(retracted)" in retracted


def _tellonce(*arguments: str) -> str:
    code = "from clients.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env={"COLUMNS": "300", "PATH": ""}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
