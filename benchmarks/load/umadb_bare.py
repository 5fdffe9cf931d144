"""UmaDB alone, by its own Python client: one caller, so many events an append. Prints {"events", "seconds"}.

The events are those of the request file as they were sent: neither checked nor sealed.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import cycle
from pathlib import Path

import umadb

from benchmarks.workload import read_requests
from ledger.api.v1.ledger_service_pb2 import AppendRequest


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
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
    client = umadb.Client(f"http://{arguments.target}")
    client.append(batches[0])
    begin = time.perf_counter()
    now, events = begin, 0
    for batch in cycle(batches):
        client.append(batch)
        events += len(batch)
        now = time.perf_counter()
        if now - begin >= arguments.seconds:
            break
    print(json.dumps({"events": events, "seconds": now - begin}))


if __name__ == "__main__":
    main()
