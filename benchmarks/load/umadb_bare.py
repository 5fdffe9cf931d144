"""UmaDB alone, by its own Python client: so many callers, each with a connection, so many events an append. Prints {"events",
"seconds"}.

The events are those of the request file as they were sent: neither checked nor sealed.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import umadb

from benchmarks.workload import read_requests
from ledger.api.v1.ledger_service_pb2 import AppendRequest


def keep_appending(target: str, batches: list[list[umadb.Event]], end: float) -> int:
    """Append until the end, one append after the other, and return how many events were acknowledged before it."""
    client = umadb.Client(f"http://{target}")
    events = 0
    for batch in cycle(batches):
        client.append(batch)
        if time.perf_counter() >= end:
            break
        events += len(batch)
    return events


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    batches = [
        [
            umadb.Event(event.payload.WhichOneof("kind") or "", event.SerializeToString(), tags=[event.envelope.correlation_id])
            for group in AppendRequest.FromString(content).groups
            for event in group.events
        ]
        for content in read_requests(arguments.requests, 0, arguments.count)
    ]
    umadb.Client(f"http://{arguments.target}").append(batches[0])
    begin = time.perf_counter()
    with ThreadPoolExecutor(arguments.callers) as callers:
        # Its client lets go of the interpreter while it waits, so threads are callers enough.
        counts = [
            callers.submit(keep_appending, arguments.target, batches, begin + arguments.seconds) for _ in range(arguments.callers)
        ]
        events = sum(count.result() for count in counts)
    print(json.dumps({"events": events, "seconds": arguments.seconds}))


if __name__ == "__main__":
    main()
