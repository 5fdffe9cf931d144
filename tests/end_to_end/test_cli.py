"""The command line against the real server, as a person types it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf import json_format

from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.handoff_service_pb2 import WatchHandoffsResponse
from ledger.api.v1.history_service_pb2 import GetCustomerResponse, ListHistoryResponse
from ledger.api.v1.ledger_service_pb2 import AppendResponse
from tests.command_line import Tellonce, typed
from tests.server_process import Server


class Story(NamedTuple):
    """What was recorded with one customer before the tests: see `story`."""

    email: str
    key: str
    positions: dict[str, int]


@pytest.fixture
def tellonce(shared_server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(shared_server.target, capsys, monkeypatch)


@pytest.fixture(scope="module")
def story(shared_server: Server) -> Story:
    """A customer writes about a parcel; a request, a handoff that is returned, a promise and two facts follow."""
    key = uuid.uuid4().hex[:8]
    email = f"zoe.{key}@example.org"
    contact = f"contact_id=c-{key}"
    told = [
        ["contact-received", contact, "reason=delivery", f"customer=email:{email}", "summary=Où est mon colis ?"],
        ["request-opened", f"request_id=r-{key}", contact, "owner_department=support", "wish=Livrer vite"],
        ["fact-given", "fact.key=order_number", "fact.value=4711", f"request_id=r-{key}", contact],
        [
            "handoff-offered",
            f"request_id=r-{key}",
            f"handoff_id=h-{key}",
            "ownership=moves",
            "from_department=support",
            "to_department=shipping",
            'facts={"key": "order_number", "value": "4711"}',
        ],
        [
            "promise-made",
            f"promise_id=p-{key}",
            "kind=delivery",
            f"request_id=r-{key}",
            f"contact_id=c-{key}",
            "due.local=2099-03-28",
        ],
        ["handoff-returned", f"request_id=r-{key}", f"handoff_id=h-{key}", "missing_keys=door_code"],
        ["fact-given", "fact.key=order_number", "fact.value=4711", f"request_id=r-{key}"],
    ]
    positions = {}
    for topic, *fields in told:
        department = "shipping" if topic == "handoff-returned" else "support"
        arguments = ["append", "--json", "--topic", topic, "--channel", "email", "--department", department]
        done = call(shared_server, *arguments, *(part for field in fields for part in ("--set", field)))
        assert done.returncode == 0, done.stderr
        positions[topic] = json_format.Parse(done.stdout, AppendResponse()).results[0].appended[0].position
    return Story(email, key, positions)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "clients.cli.main", *arguments]


def environment(server: Server) -> dict[str, str]:
    return os.environ | {"TELLONCE_TARGET": server.target, "COLUMNS": "140", "TZ": "Europe/Paris"}


def call(server: Server, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(command(*arguments), env=environment(server), input=given, capture_output=True, text=True, check=False)


# Appending


def test_an_event_that_is_appended_is_shown_with_its_place(tellonce: Tellonce) -> None:
    key = uuid.uuid4().hex[:8]

    done = tellonce("append", "--topic", "contact-received", "--set", f"contact_id=c-{key}", "--set", "reason=delivery")

    assert done.code == 0
    assert re.search(rf"\d+\s+contact-c-{key}\s+1\s+[0-9a-f-]{{36}}", done.out)


def test_sending_the_same_event_again_says_that_it_was_recorded_before(tellonce: Tellonce) -> None:
    id_ = str(uuid.uuid4())
    arguments = ["append", "--id", id_, "--at", "2020-01-01T10:00Z", "--late", "--topic", "contact-received"]
    arguments += ["--set", f"contact_id=c-{id_[:8]}", "--set", "reason=unknown"]
    first = tellonce(*arguments)

    again = tellonce(*arguments)

    assert (0, 0) == (first.code, again.code)
    assert "recorded before" in again.out
    assert first.out.split()[-3] == again.out.split()[-5]


def test_a_move_that_is_not_allowed_is_refused_with_what_to_do(tellonce: Tellonce, story: Story) -> None:
    done = tellonce(
        "append", "--topic", "handoff-completed", "--set", f"request_id=r-{story.key}", "--set", f"handoff_id=h-{story.key}",
        "--set", "outcome=handoff-done", "--department", "shipping",
    )  # fmt: skip

    assert done.code == 1
    assert "handoff-completed" in done.err
    assert "returned" in done.err
    assert "[MOVE_NOT_ALLOWED]" in done.err


def test_an_expectation_that_fails_is_refused(tellonce: Tellonce, story: Story) -> None:
    done = tellonce(
        "append", "--topic", "request-classified", "--set", f"request_id=r-{story.key}", "--set", "priority=high",
        "--expect", f"request-r-{story.key}=new",
    )  # fmt: skip

    assert done.code == 1
    assert "[REVISION_MISMATCH]" in done.err


def test_of_a_file_each_event_stands_or_falls_alone(tellonce: Tellonce, tmp_path: Path) -> None:
    key = uuid.uuid4().hex[:8]
    good = {"payload": {"contact_received": {"contact_id": f"c-{key}", "reason": "delivery"}}}
    bad = {"payload": {"note_added": {"contact_id": "c-nobody-knows", "text": "?"}}}
    file = tmp_path / "events.jsonl"
    file.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n")

    done = tellonce("append", str(file))

    assert done.code == 1
    assert f"contact-c-{key}" in done.out
    assert "note-added" in done.err
    assert "[REFERENCE_UNKNOWN]" in done.err
    assert "1 of 2 refused" in done.err


def test_together_all_events_of_a_file_are_recorded_or_none(tellonce: Tellonce, tmp_path: Path) -> None:
    key = uuid.uuid4().hex[:8]
    good = {"payload": {"contact_received": {"contact_id": f"c-{key}", "reason": "delivery"}}}
    bad = {"payload": {"note_added": {"contact_id": "c-nobody-knows", "text": "?"}}}
    file = tmp_path / "events.json"
    file.write_text(json.dumps([good, bad]))

    done = tellonce("append", str(file), "--together")

    assert done.code == 1
    assert done.out == ""


def test_events_may_come_from_standard_input(shared_server: Server) -> None:
    key = uuid.uuid4().hex[:8]
    event = {"payload": {"contact_received": {"contact_id": f"c-{key}", "reason": "delivery"}}}

    done = call(shared_server, "append", "-", "--json", given=json.dumps(event))

    answer = json_format.Parse(done.stdout, AppendResponse())
    assert [f"contact-c-{key}"] == [one.stream for one in answer.results[0].appended]
    assert answer.token.value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"payload": ', "line 1, column 13: no JSON"),
        ('{"payload": {}}', "line 1: no event: it has no payload"),
        ('\n{"payload": {"contact_recieved": {}}}', 'line 2: no event .*no field named "contact_recieved"'),
        ("[1]", "line 1: no event"),
    ],
)
def test_a_file_that_is_none_of_ours_is_a_usage_error(tellonce: Tellonce, tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "events.json"
    file.write_text(text)

    done = tellonce("append", str(file))

    assert done.code == 2
    assert re.search(complaint, plain(done.err))


def plain(panel: str) -> str:
    """Return the text of a complaint in its box, on one line."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", panel).split())


# Asking


def test_the_history_tells_what_happened_newest_first(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", f"email:{story.email}")

    topics = ["fact given", "handoff returned", "promise made", "handoff offered", "request opened", "contact received"]
    places = [done.out.index(topic) for topic in topics]
    assert sorted(places) == places
    assert "“Où est mon colis ?”" in done.out
    assert "missing keys door_code" in done.out
    assert "rows · position" in done.out


def test_the_history_in_json_is_one_message_and_the_same_for_the_same_question(tellonce: Tellonce, story: Story) -> None:
    as_of = ["--as-of", str(story.positions["handoff-returned"])]

    answer = tellonce("history", story.email, "--json", *as_of)
    again = tellonce("history", story.email, "--json", *as_of)

    assert [6, 6] == [len(json_format.Parse(done.out, ListHistoryResponse()).result.entries) for done in (answer, again)]
    assert answer.json()["result"] == again.json()["result"]


def test_the_history_is_searched_without_regard_to_accents(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", story.email, "--search", "OU colis")

    assert "contact received" in done.out
    assert "1 row ·" in done.out


def test_the_history_may_be_filtered(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", story.email, "--topic", "promise-made", "--department", "support", "--channel", "email")

    assert "promise made" in done.out
    assert "contact received" not in done.out


def test_as_of_a_position_nothing_later_is_seen(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", story.email, "--as-of", str(story.positions["request-opened"]))

    assert "request opened" in done.out
    assert "handoff offered" not in done.out


def test_before_a_time_nothing_had_happened(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", story.email, "--before", "2020-01-01")

    assert done.code == 0
    assert "Nothing is recorded with this customer." in done.out


def test_the_card_says_what_is_owed_pending_and_said_already(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("card", story.email)

    assert f"email:{story.email}" in done.out
    assert re.search(rf"p-{story.key}\s+delivery\s+open\s+2099-03-2\d", done.out)
    assert f"h-{story.key}" in done.out
    assert re.search(r"order number\s+4711\s+\S+ \S+\s+2\s", done.out)


def test_the_card_in_json_is_one_message(tellonce: Tellonce, story: Story) -> None:
    answer = json_format.Parse(tellonce("card", story.email, "--json").out, GetCustomerResponse())

    assert [f"p-{story.key}"] == [promise.promise_id for promise in answer.result.promises]


def test_nobody_has_an_empty_card(tellonce: Tellonce) -> None:
    assert "Nothing is recorded with this customer." in tellonce("card", "email:nobody@example.org").out


def test_a_returned_handoff_is_pending_in_the_hands_of_its_sender(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("handoffs", "--state", "pending", "--department", "support", "--request", f"r-{story.key}")

    assert re.search(rf"h-{story.key}\s+r-{story.key}\s+returned\s+support\s+support\s+\d+s .*\n\s+→ shipping", done.out)
    assert "missing: door_code" in done.out


def test_a_handoff_as_of_before_its_return_is_in_the_hands_of_its_receiver(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("handoffs", "--id", f"h-{story.key}", "--as-of", str(story.positions["handoff-offered"]), "--json").json()

    assert ("HANDOFF_STATE_OFFERED", "shipping") == (done["result"]["state"], done["result"]["hands"])


def test_handoffs_are_counted_by_group(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("handoffs", "--count", "state,department", "--request", f"r-{story.key}")

    assert re.search(r"returned\s+support\s+1\s+100\.0%", done.out)


def test_one_thing_is_shown_with_all_its_fields(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("requests", "--id", f"r-{story.key}")

    assert "owner department" in done.out
    assert "Livrer vite" in done.out


@pytest.mark.parametrize("what", ["handoffs", "promises", "requests"])
def test_what_is_not_recorded_is_not_found(tellonce: Tellonce, what: str) -> None:
    done = tellonce(what, "--id", "nothing-of-that-name")

    assert done.code == 4
    assert "[NOT_RECORDED]" in done.err


def test_promises_are_listed_with_their_due(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("promises", "--customer", story.email, "--state", "open")

    assert re.search(rf"p-{story.key}\s+delivery\s+open\s+2099-03-2\d \d\d:\d\d\s+support\s+r-{story.key}", done.out)


def test_a_response_target_stands_beside_the_promises(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("promises", "--targets", "--customer", story.email)

    assert f"response-c-{story.key}" in done.out
    assert "first response" in done.out


def test_open_requests_are_listed(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("requests", "--open", "--customer", story.email)

    assert re.search(rf"r-{story.key}\s+open\s+support", done.out)
    assert "1 pending handoff" in done.out


def test_contacts_are_listed_and_counted(tellonce: Tellonce, story: Story) -> None:
    listed = tellonce("contacts", "--customer", story.email)
    counted = tellonce("contacts", "--customer", story.email, "--count", "channel")

    assert f"c-{story.key}" in listed.out
    assert re.search(r"email\s+1\s+100\.0%", counted.out)


def test_the_course_of_a_contact_is_shown_and_asked_for(tellonce: Tellonce) -> None:
    key = uuid.uuid4().hex[:8]
    thread, email = f"t-{key}", f"anna.{key}@example.org"
    told = [
        ["contact-received", f"thread_id={thread}", "reason=delivery", f"customer=email:{email}", "summary=Where is it?"],
        ["contact-answered", f"contact_id={thread}.1", "answered_by=bot"],
        ["contact-transferred", f"contact_id={thread}.1", "to_department=billing", "kind=warm"],
        ["contact-answered", f"contact_id={thread}.1", "answered_by=human"],
        ["authentication-checked", f"contact_id={thread}.1", "method=one_time_code", "passed=true"],
        ["contact-received", f"thread_id={thread}", "reason=delivery", "summary=And now?"],
    ]
    for topic, *fields in told:
        arguments = ["append", "--topic", topic, "--channel", "email", "--department", "support"]
        done = tellonce(*arguments, *(part for field in fields for part in ("--set", field)))
        assert done.code == 0, done.err

    listed = tellonce("contacts", "--customer", f"email:{email}", "--unanswered", "--with", "billing", "--transferred")
    counted = tellonce("contacts", "--customer", f"email:{email}", "--count", "with", "--count", "bot-to-human")
    card = tellonce("card", f"email:{email}")

    for words in (f"{thread}.1", "→ billing", "1 message", "unanswered", "1 transfer", "bot"):
        assert words in listed.out
    assert "billing" in counted.out
    assert "authenticated by one time code, in contact" in card.out
    assert "No contacts." in tellonce("contacts", "--customer", f"email:{email}", "--attributed").out


def test_a_list_says_when_there_are_more_rows(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("history", story.email, "--limit", "2")

    assert "2 rows, more with --all" in done.out
    assert "more with" not in tellonce("history", story.email, "--all").out


# Following


@pytest.fixture
def followed(shared_server: Server) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run a command that follows; it is ended when the test is over."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command(*arguments), env=environment(shared_server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def test_following_shows_changes_as_they_come_until_ctrl_c(
    tellonce: Tellonce, story: Story, followed: Callable[..., subprocess.Popen[str]]
) -> None:
    process = followed("handoffs", "--follow", "--json", "--request", f"r-{story.key}")
    assert process.stderr is not None
    assert process.stdout is not None
    assert "Up to date at position" in process.stderr.readline()

    tellonce(
        "append", "--topic", "handoff-supplied", "--set", f"request_id=r-{story.key}", "--set", f"handoff_id=h-{story.key}",
        "--set", 'facts={"key": "door_code", "value": "12A"}', "--department", "support",
    )  # fmt: skip
    change = json_format.Parse(process.stdout.readline(), WatchHandoffsResponse())
    process.send_signal(signal.SIGINT)

    assert "shipping" == change.handoff.hands
    assert 0 == process.wait(10)
    assert re.search(r"Go on from here with --after \d+", process.stderr.read())


def test_the_past_is_not_followed(tellonce: Tellonce) -> None:
    done = tellonce("promises", "--follow", "--as-of", "1")

    assert done.code == 2
    assert "The past does not change" in plain(done.err)


# Replaying


def test_a_stream_is_replayed_in_its_order_with_both_times(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("replay", "--stream", f"request-r-{story.key}", "--until", str(story.positions["handoff-returned"]))

    heads = [rf"request opened\s+request-r-{story.key} @1", "handoff offered .* @2", "handoff returned .* @3"]
    assert re.search(".*".join(heads), done.out, re.DOTALL)
    assert done.out.count("occurred ") == done.out.count("recorded ") == 3
    assert "3 events." in done.err


def test_a_customer_is_replayed_over_all_streams(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("replay", "--customer", story.email, "--as-of", str(story.positions["promise-made"]), "--json")

    events = [json_format.Parse(line, RecordedEvent()) for line in done.out.splitlines()]
    assert [position for topic, position in story.positions.items() if topic not in {"fact-given", "handoff-returned"}] == [
        event.position for event in events if event.topic != "fact-given"
    ]


def test_a_replay_goes_step_by_step(shared_server: Server, story: Story) -> None:
    done = call(shared_server, "replay", "--customer", story.email, "--step", given="\nq\n")

    assert done.returncode == 0
    assert "2 events." in done.stderr
    assert "Enter: the next one; q: end." in done.stderr


def test_one_event_is_shown_with_all_that_is_recorded(tellonce: Tellonce, story: Story) -> None:
    done = tellonce("replay", "--event", str(story.positions["request-opened"]))

    assert "Envelope" in done.out
    assert re.search(r"owner department\s+support", done.out)


@pytest.mark.parametrize("named", ["999999999", "00000000-0000-4000-8000-000000000000"])
def test_an_event_that_is_not_recorded_is_not_found(tellonce: Tellonce, named: str) -> None:
    assert 4 == tellonce("replay", "--event", named).code


def test_progress_is_shown_to_the_person_and_not_in_the_file(shared_server: Server, story: Story, tmp_path: Path) -> None:
    person, side = pty.openpty()
    with (tmp_path / "timeline.jsonl").open("w") as file:
        arguments = command("replay", "--stream", f"request-r-{story.key}", "--json")
        code = subprocess.call(arguments, env=environment(shared_server), stdout=file, stderr=side)
    os.close(side)

    shown = os.read(person, 65_536).decode()

    os.close(person)
    assert code == 0
    assert "Replaying" in shown
    assert "request-opened" not in shown
    assert [json.loads(line)["stream"] for line in (tmp_path / "timeline.jsonl").read_text().splitlines()]


def test_a_customer_nobody_knows_cannot_be_replayed(tellonce: Tellonce) -> None:
    done = tellonce("replay", "--customer", "nobody@example.org")

    assert done.code == 4
    assert "Nothing is recorded with this customer" in done.err


def test_a_position_beyond_the_head_is_said_to_be_so(tellonce: Tellonce) -> None:
    done = tellonce("history", "nobody@example.org", "--as-of", "999999999")

    assert done.code == 4
    assert "[POSITION_BEYOND_HEAD]" in done.err


# The ledger itself


def test_the_status_says_head_views_and_store(tellonce: Tellonce) -> None:
    done = tellonce("status")

    assert re.search(r"head\s+position \d", done.out)
    assert re.search(r"views\s+position \d", done.out)
    assert "sqlite" in done.out


@pytest.mark.parametrize("option", ["--quality", "--digests", "--duplicates"])
def test_the_ledger_tells_about_its_record(tellonce: Tellonce, option: str) -> None:
    assert 0 == tellonce("status", option).code
    assert tellonce("status", option, "--json").json()


def test_contacts_are_counted_by_channel(tellonce: Tellonce, story: Story) -> None:
    assert re.search(r"email\s+\d+\s+[\d.]+%", tellonce("status", "--contacts", "channel").out)


def test_the_options_of_serve_are_those_of_the_server(shared_server: Server) -> None:
    done = call(shared_server, "serve", "--help")

    assert done.returncode == 0
    assert "--home-zone" in done.stdout


# Importing


def test_a_sample_is_imported_once_however_often(tellonce: Tellonce, tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    assert 0 == tellonce("sample", str(file), "--size", "300", "--until", "2026-03-01", "--seed", "5").code
    rows = len(file.read_text().splitlines())

    first = tellonce("import", str(file), "--mapping", "sample", "--rejects", str(tmp_path / "rejects.jsonl"), "--json").json()
    again = tellonce("import", str(file), "--mapping", "sample", "--rejects", str(tmp_path / "rejects.jsonl"))

    assert (rows, rows, 0, 0) == tuple(
        first[name] for name in ("rows_read", "events_appended", "rows_rejected", "events_irregular")
    )
    assert again.code == 0
    assert re.search(rf"events recorded before\s+{rows}", again.out)


def test_rows_that_are_rejected_are_said_where_to_find(tellonce: Tellonce, tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    file.write_text('{"id": "1", "event": "contact-received", "at": "yesterday"}\n')
    rejects = tmp_path / "rejects.jsonl"

    done = tellonce("import", str(file), "--mapping", "sample", "--rejects", str(rejects), "--dry-run")

    assert done.code == 1
    assert f"1 rows were rejected: {rejects} says why." in done.err.replace("\n", "")


def test_a_mapping_with_a_mistake_is_refused_naming_line_and_key(tellonce: Tellonce, tmp_path: Path) -> None:
    mapping = tmp_path / "wrong.yaml"
    mapping.write_text("mapping: 1\nsource: x\nrows: event\nkey: row.id\nreeder: {format: csv}\nrules: []\n")
    (tmp_path / "rows.csv").write_text("id\n1\n")

    done = tellonce("import", str(tmp_path / "rows.csv"), "--mapping", str(mapping))

    assert done.code == 2
    assert "wrong.yaml:5: reeder" in done.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["import", "rows.csv", "--mapping", "nothing"], "no shipped mapping of that name; shipped are"),
        (["import", "no-such-file.csv", "--mapping", "sample"], "no-such-file.csv"),
        (["append"], "Give either a file"),
        (["append", "--topic", "contact-recieved"], "did you mean contact-received?"),
        (["append", "--topic", "promise-broken"], "There is no event 'promise-broken'"),
        (["history"], "Whose history?"),
        (["card", "somebody"], "'somebody' is nobody"),
        (["handoffs", "--state", "lost"], "'lost' is not one of pending, offered"),
        (["promises", "--count", "colour"], "'colour' is not one of state, department"),
        (["requests", "--as-of", "soon"], "'soon' is neither a position nor a time"),
        (["requests", "--before", "soon"], "'soon' is not a time"),
        (["status", "--as-of", "1"], "How the ledger is doing is about now"),
        (["replay", "--event", "x"], "neither a position nor an event id"),
        (["frobnicate"], "No such command"),
    ],
)
def test_a_command_that_is_written_wrongly_is_a_usage_error(tellonce: Tellonce, arguments: list[str], complaint: str) -> None:
    done = tellonce(*arguments)

    assert done.code == 2
    assert complaint in plain(done.err)


def test_a_code_that_is_none_is_a_usage_error_that_names_the_field(tellonce: Tellonce) -> None:
    done = tellonce("handoffs", "--department", "Ship ping")

    assert done.code == 2
    assert "hands" in done.err
    assert "[CODE_MALFORMED]" in done.err


def test_no_answer_has_an_exit_code_of_its_own_and_says_what_to_do(tellonce: Tellonce) -> None:
    done = tellonce("status", "--target", "127.0.0.1:1")

    assert done.code == 3
    assert "No answer from a ledger at 127.0.0.1:1 (connection refused). Start one with `tellonce serve`" in done.err


def test_a_reader_that_has_enough_ends_the_command_quietly(shared_server: Server, story: Story) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = [
            subprocess.run(
                command(*asked), env=environment(shared_server), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
            )
            for asked in (("replay", "--json"), ("contacts", "--json"), ("contacts",), ("--help",))
        ]
    finally:
        os.close(writer)

    assert [(0, "")] * 4 == [(done.returncode, done.stderr) for done in ended]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_shows_history_card_handoffs_and_broken_promises_and_leaves_nothing(
    shared_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Its sockets bear their whole path as a name, which may not be long.
    folder = tmp_path_factory.mktemp("demo")

    done = subprocess.run(
        command("demo", "--size", "1500"),
        env=environment(shared_server) | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    titles = ("A customer's history", "The customer's card", "Pending handoffs", "Open complaints", "Who told", "Broken promises")
    for title in titles:
        assert title in done.stdout
    assert re.search(r"p-\S+\s+\w+\s+broken", done.stdout)
    assert list(folder.iterdir()) == []
