"""What the processes of test_patroni.py do: append through one node, ask it for the latest, and write down what they saw.

`python -m tests.failover_worker TARGETS FILE PROCESS UNTIL_FILE`: TARGETS are separated by commas, the first is the node of this
process. What was not acknowledged is sent again, with the same ids, to whichever node, until it is. Ends when UNTIL_FILE exists.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clients.python import Client, RetryPolicy, TellonceError, event, identifier, new_id
from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from tests.history_checker import Recorder

CUSTOMERS: Final = tuple(f"customer-{number}@example.org" for number in range(30))
APPENDERS: Final = 3
PAUSE_SECONDS: Final = 0.02
"""Between two appends of a thread: a round is about what is lost, not about how much goes through."""

PATIENCE: Final = RetryPolicy(attempt_seconds=5.0)
TIMEOUT_SECONDS: Final = 10.0


def append(clients: Sequence[Client], recorder: Recorder, until: Path, chance: random.Random) -> None:
    """Append contacts of known customers, and of new ones: those need a key of the vault first."""
    while not until.exists():
        address = chance.choice(CUSTOMERS) if chance.random() < 0.8 else f"{new_id()}@example.org"
        contact_id = f"c-{new_id()}"
        opener = ContactReceived(contact_id=contact_id, customer=identifier(("email", address)), reason="delivery")
        events = [event(opener), event(NoteAdded(contact_id=contact_id, text="x"))]
        client = clients[0]
        while not until.exists():
            start = time.monotonic()
            try:
                appended = client.append(*events)
            except TellonceError:
                recorder.append(start, time.monotonic(), "unknown", events, key=address)
                client = chance.choice(clients)
                continue
            recorder.append(start, time.monotonic(), "acknowledged", events, appended, key=address)
            break
        time.sleep(PAUSE_SECONDS)


def read(clients: Sequence[Client], recorder: Recorder, until: Path, chance: random.Random) -> None:
    """Ask for the latest of a customer. No answer is no violation, an old one is."""
    while not until.exists():
        address = chance.choice(CUSTOMERS)
        start = time.monotonic()
        try:
            pages = clients[0].history(("email", address), page_size=500, consistency="latest")
            position = pages.read_at.position
            answered = time.monotonic()
            ids = [entry.event.envelope.event_id for entry in pages]
        except TellonceError:
            continue
        recorder.read(start, answered, position, latest=True, key=address, ids=ids)
        time.sleep(PAUSE_SECONDS)


def main(targets: str, file: str, process: str, until: str) -> None:
    """Append in several threads, and read in one."""
    recorder = Recorder(Path(file), process)
    clients = [Client(target, timeout_seconds=TIMEOUT_SECONDS, retry=PATIENCE) for target in targets.split(",")]
    threads = [
        threading.Thread(target=role, args=(clients, recorder, Path(until), random.Random(f"{process} {number}")))
        for number, role in enumerate([append] * APPENDERS + [read])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    recorder.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
