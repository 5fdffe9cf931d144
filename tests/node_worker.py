"""What the processes of test_nodes.py do: append to one node of several, and write down what they saw.

`python -m tests.node_worker TARGETS FILE PROCESS UNTIL_FILE`: TARGETS are separated by commas, the first is the one to append to.
Groups expect what is so, or what no longer is; some are sent again, also to another node. Goes on until UNTIL_FILE exists.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from clients.python import Client, TellonceError, event, identifier, new_id
from clients.python.errors import RevisionMismatchError
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from tests.history_checker import Recorder

CUSTOMERS: Final = tuple(f"customer-{number}@example.org" for number in range(12))
THREADS: Final = 4
SHARED_STREAMS: Final = 6


def work(clients: Sequence[Client], recorder: Recorder, until: Path, chance: random.Random, faults: list[str]) -> None:
    """Append until the end. What must not be stands in `faults`."""
    own = clients[0]
    while not until.exists():
        address = chance.choice(CUSTOMERS)
        contact_id = f"c-{new_id()}"
        opener = ContactReceived(contact_id=contact_id, customer=identifier(("email", address)), reason="delivery")
        events = [event(opener), event(NoteAdded(contact_id=contact_id, text="x"))]
        appended = _append(own, recorder, events, address)
        if appended and chance.random() < 0.3:
            again = chance.choice(clients).append(*events)
            if [one.position for one in again] != [one.position for one in appended] or not all(one.duplicate for one in again):
                faults.append(f"{contact_id} was recorded twice")
        _expect(own, recorder, chance, faults)


def _expect(client: Client, recorder: Recorder, chance: random.Random, faults: list[str]) -> None:
    """Add to a stream that all add to, expecting a revision that may have passed."""
    stream = f"contact-shared-{chance.randrange(SHARED_STREAMS)}"
    latest = max((one.revision for one in client.read_events(stream=stream)), default=0)
    stale = chance.random() < 0.3
    note = event(NoteAdded(contact_id=stream.removeprefix("contact-"), text="x"))
    expected = {stream: latest - 1 if stale else latest}
    start = time.monotonic()
    try:
        appended = client.append(note, expectations=expected)
    except RevisionMismatchError:
        recorder.append(start, time.monotonic(), "refused", [note])
    except TellonceError:
        recorder.append(start, time.monotonic(), "unknown", [note])
    else:
        recorder.append(start, time.monotonic(), "acknowledged", [note], appended)
        if stale:
            faults.append(f"{stream} took an event that expected revision {latest - 1}")


def _append(client: Client, recorder: Recorder, events: Sequence[Any], key: str) -> Sequence[Any]:
    start = time.monotonic()
    try:
        appended = client.append(*events)
    except TellonceError:
        recorder.append(start, time.monotonic(), "unknown", events, key=key)
        return ()
    recorder.append(start, time.monotonic(), "acknowledged", events, appended, key=key)
    return appended


def main(targets: str, file: str, process: str, until: str) -> None:
    """Work in several threads, and end with what must not have been."""
    recorder = Recorder(Path(file), process)
    clients = [Client(target, timeout_seconds=60) for target in targets.split(",")]
    faults: list[str] = []
    threads = [
        threading.Thread(target=work, args=(clients, recorder, Path(until), random.Random(f"{process} {number}"), faults))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    recorder.close()
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main(*sys.argv[1:])
