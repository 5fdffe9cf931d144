"""The sync and the aio client while the real server is killed: nothing acknowledged is lost, nothing stands twice, order holds."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clients.python import TellonceError, event, new_id
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.event_pb2 import EventToAppend, RecordedEvent
from tests.both_clients import Both
from tests.history_checker import Recorder, check, read_histories
from tests.server_process import Server

pytestmark = pytest.mark.timeout(900)

PATIENCE_SECONDS = 300.0
"""A machine on which much else runs may take a minute to start a server again."""
CONTACTS = 25
NOTES = 23


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path / "history.jsonl", "test")
    yield recorder
    recorder.close()


def life_cycles() -> list[EventToAppend]:
    """Return an opener and notes for each of several contacts, taking turns."""
    names = [f"c-{new_id()}" for _ in range(CONTACTS)]
    openers = [event(ContactReceived(contact_id=name, reason="delivery")) for name in names]
    return openers + [event(NoteAdded(contact_id=name, text=f"note {number}")) for number in range(NOTES) for name in names]


def send(batcher: Any, recorder: Recorder, events: list[EventToAppend], disturb: Any) -> None:
    """Add events to a batcher, note what becomes of each, and disturb on the way."""
    for number, one in enumerate(events):
        disturb(number)
        note(batcher.add(one), one, recorder)


def note(future: Any, sent: EventToAppend, recorder: Recorder) -> None:
    start = time.monotonic()

    def done(resolved: Any) -> None:
        error = resolved.exception()
        appended = [] if error else [resolved.result()]
        recorder.append(start, time.monotonic(), "acknowledged" if not error else outcome(error), [sent], appended)

    future.add_done_callback(done)


def outcome(error: BaseException) -> str:
    return "unknown" if getattr(error, "reason", "") == "NO_ANSWER" else "refused"


def violations(client: Any, recorder: Recorder, tmp_path: Path) -> list[Any]:
    log: list[RecordedEvent] = list(client.read_events())
    recorder.log(log)
    own = [one.envelope.event_id for one in log if one.topic in ("ledger-opened", "policy-published")]
    return check(read_histories([tmp_path / "history.jsonl"]), others=own)


def acknowledged(tmp_path: Path) -> int:
    return sum(one["kind"] == "append" and one["outcome"] == "acknowledged" for one in read_histories([tmp_path / "history.jsonl"]))


def test_a_batcher_run_outlives_a_server_that_is_killed_again_and_again(
    server: Server, both: Both, recorder: Recorder, tmp_path: Path
) -> None:
    client = both(server.target, timeout_seconds=PATIENCE_SECONDS)
    events = life_cycles()
    kill_at = {200, 400}

    with client.batcher(max_events=20, in_flight=4, waiting_events_max=80) as batcher:
        send(batcher, recorder, events, lambda number: server.kill("server") if number in kill_at else None)

    assert [] == violations(client, recorder, tmp_path)
    assert len(events) == acknowledged(tmp_path)


def test_a_batcher_run_outlives_a_restart_of_everything(server: Server, both: Both, recorder: Recorder, tmp_path: Path) -> None:
    client = both(server.target, timeout_seconds=PATIENCE_SECONDS)
    events = life_cycles()

    def restart() -> None:
        server.kill_all()
        server.start()

    with client.batcher(max_events=20, in_flight=4, waiting_events_max=80) as batcher:
        send(batcher, recorder, events, lambda number: threading.Thread(target=restart).start() if number == 300 else None)

    assert [] == violations(client, recorder, tmp_path)
    assert len(events) == acknowledged(tmp_path)


def test_what_a_killed_server_left_open_is_settled_by_sending_it_again(
    server: Server, both: Both, recorder: Recorder, tmp_path: Path
) -> None:
    impatient, patient = both(server.target, timeout_seconds=0.2), both(server.target, timeout_seconds=PATIENCE_SECONDS)
    events = [event(ContactReceived(contact_id=f"c-{new_id()}", reason="delivery")) for _ in range(300)]
    for one in events[:50]:
        start = time.monotonic()
        recorder.append(start, time.monotonic(), "acknowledged", [one], patient.append(one))
    assert server.process is not None
    # Nobody starts the server again before the client has given up.
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        server.kill("server")
        start = time.monotonic()
        with pytest.raises(TellonceError) as given_up:
            impatient.append(events[50])
        recorder.append(start, time.monotonic(), outcome(given_up.value), [events[50]])
    finally:
        os.kill(server.process.pid, signal.SIGCONT)

    again = events[50:]
    start = time.monotonic()
    for one in again:
        recorder.append(start, time.monotonic(), "acknowledged", [one], patient.append(one))

    assert [] == violations(patient, recorder, tmp_path)
    assert 302 == patient.head().position


def test_a_subscription_outlives_killed_servers_without_gap_or_repetition(
    server: Server, both: Both, recorder: Recorder, tmp_path: Path
) -> None:
    client = both(server.target, timeout_seconds=PATIENCE_SECONDS)
    events = life_cycles()
    seen: list[tuple[int, str]] = []

    def follow() -> None:
        with both(server.target, timeout_seconds=PATIENCE_SECONDS).subscribe(0) as followed:
            for one in followed:
                seen.append((one.position, one.envelope.event_id))
                if len(seen) == len(events) + 2:
                    return

    following = threading.Thread(target=follow)
    following.start()
    with client.batcher(max_events=20, waiting_events_max=80) as batcher:
        send(batcher, recorder, events, lambda number: server.kill("server") if number in {250, 450} else None)
    following.join(PATIENCE_SECONDS)

    recorder.piece(0, len(events) + 2, seen)
    assert [] == violations(client, recorder, tmp_path)
