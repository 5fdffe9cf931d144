"""P15: questions a second of two workers against one, on equal ledgers, asked over many connections.

By h2load alone: a client in Python takes as much of the machine as the workers do, and would be measured in their place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uuid_utils

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn, spread
from benchmarks.load import h2load
from benchmarks.process import needed, running
from benchmarks.servers import Asking
from benchmarks.workload import as_grpc_body
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.history_service_pb2 import ListHistoryRequest
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup

METHOD: Final = "/ledger.api.v1.HistoryService/ListHistory"
CUSTOMER: Final = Identifier(type="email", value="a@example.org")
EVENTS: Final = 60
PAGE: Final = 50
CONNECTIONS: Final = 32
"""Enough for the kernel, which deals them out at random, to give each worker about half."""
WORKERS: Final = (1, 2)
GOAL: Final = Goal(ratio_min=1.7)
NAME: Final = "ListHistory (50), latest: 2 workers vs 1"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P15."""
    folder = bench.folder("workers")
    question = ListHistoryRequest(customer=CustomerReference(identifier=CUSTOMER), page_size=PAGE)
    body, log = folder / "body", folder / "h2load.log"
    body.write_bytes(as_grpc_body(question))
    program = needed(h2load.h2load(), "h2load is not installed (Debian: nghttp2-client), and a client in Python would be the limit")
    one, two = (served(folder / f"data{workers}", workers) for workers in WORKERS)
    with one as one_address, two as two_address:
        for address in (one_address, two_address):
            _fill(address)

        def asked(address: str) -> dict[str, Any]:
            return h2load.run(program, address, METHOD, body, 1, bench.seconds, log, connections=CONNECTIONS)

        measured = in_turn(bench, {"2 workers": lambda: asked(two_address), "1 worker": lambda: asked(one_address)})
    rates = {name: [one["calls"] / one["seconds"] for one in rounds] for name, rounds in measured.items()}
    latencies = {name: [latency for one in rounds for latency in one["latencies"]] for name, rounds in measured.items()}
    detail = "; ".join(
        (f"load from h2load, {CONNECTIONS} connections", *(f"{name} {spread(seconds)}" for name, seconds in latencies.items()))
    )
    return [compared("P15", NAME, "calls/s", GOAL, rates["2 workers"], rates["1 worker"], detail)]


@contextmanager
def served(data: Path, workers: int) -> Iterator[str]:
    """Serve a data directory with so many workers while the block lasts; yield the address."""
    command = [sys.executable, "-m", "ledger", "serve", "--data", str(data), "--listen", "127.0.0.1:0", "--workers", str(workers)]
    with running(command, "Tellonce serves on ", data.with_suffix(".log"), 120.0) as address:
        yield address


def _fill(address: str) -> None:
    """Append the history that is asked for."""
    events = [
        EventToAppend(
            envelope=EventEnvelope(event_id=str(uuid_utils.uuid7()), channel="email", department="support"),
            payload=Payload(
                contact_received=ContactReceived(
                    contact_id=f"c-{number}", reason="delivery", customer=CUSTOMER, summary="Where is my parcel?"
                )
            ),
        )
        for number in range(EVENTS)
    ]
    with Asking(address) as asking:
        asking.append(AppendRequest(groups=[EventGroup(events=[event]) for event in events]))
        asking.settle()


FIGURE: Final = Figure("P15", NAME, GOAL, run)
