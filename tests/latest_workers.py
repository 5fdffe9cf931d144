"""What the processes of test_latest.py do: append, or read the latest, and write down what they saw.

`python -m tests.latest_workers append|read|bulk TARGET FILE PROCESS UNTIL_FILE`: goes on until UNTIL_FILE exists.
"""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import Future
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from clients.python import Client, event, group, identifier, new_id
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended
from tests.history_checker import Recorder

PATIENCE_SECONDS: Final = 180.0
"""A call is tried again for so long: a part that was killed may need a while on a busy machine."""

CUSTOMERS: Final = tuple(f"customer-{number}@example.org" for number in range(12))


def append(client: Client, recorder: Recorder, until: Path, chance: random.Random) -> None:
    """Append groups of one to three events of one customer, who waits for nothing."""
    while not until.exists():
        address = chance.choice(CUSTOMERS)
        contact_id = f"c-{new_id()}"
        opener = ContactReceived(contact_id=contact_id, customer=identifier(("email", address)), reason="delivery")
        events = [event(opener), *(event(NoteAdded(contact_id=contact_id, text="x")) for _ in range(chance.randrange(3)))]
        start = time.monotonic()
        appended = client.append(*events)
        recorder.append(start, time.monotonic(), "acknowledged", events, appended, key=address)
        time.sleep(chance.random() * 0.01)


def read(client: Client, recorder: Recorder, until: Path, chance: random.Random) -> None:
    """Ask for histories and counts, mostly the latest ones."""
    while not until.exists():
        address = chance.choice(CUSTOMERS)
        latest = chance.random() < 0.9
        start = time.monotonic()
        if chance.random() < 0.3:
            answer = client.count_contacts("channel", consistency="latest" if latest else "any")
            recorder.read(start, time.monotonic(), answer.read_at.position, latest=latest)
            continue
        pages = client.history(("email", address), page_size=500, consistency="latest" if latest else "any")
        position = pages.read_at.position
        answered = time.monotonic()
        ids = [entry.event.envelope.event_id for entry in pages]
        recorder.read(start, answered, position, latest=latest, key=address, ids=ids)


def bulk(client: Client, recorder: Recorder, until: Path, chance: random.Random) -> None:
    """Append as many groups as the bulk lane admits, as an import does."""
    with client.batcher(lane="bulk", max_events=200) as batcher:
        for number in count():
            if until.exists():
                return
            contact_id = f"b-{new_id()}"
            customer = identifier(("email", f"bulk-{number % 500}@example.org"))
            events = [
                event(ContactReceived(contact_id=contact_id, customer=customer, reason="delivery")),
                event(NoteAdded(contact_id=contact_id, text="x")),
            ]
            start = time.monotonic()
            future = batcher.add(group(*events))
            future.add_done_callback(partial(_note, recorder, start, events))


def _note(recorder: Recorder, start: float, events: list[EventToAppend], future: Future[list[Appended]]) -> None:
    recorder.append(start, time.monotonic(), "acknowledged", events, future.result())


def main(role: str, target: str, file: str, process: str, until: str) -> None:
    """Do what the role says."""
    recorder = Recorder(Path(file), process)
    with Client(target, timeout_seconds=PATIENCE_SECONDS) as client:
        {"append": append, "read": read, "bulk": bulk}[role](client, recorder, Path(until), random.Random(process))
    recorder.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
