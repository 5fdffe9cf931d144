"""Append events to a server from a process of its own: `python -m tests.tailing_worker TARGET NUMBER COUNT`.

Prints one line `position event_id` for each acknowledged event. Batches have 1 to 50 events; streams are shared between workers.
"""

from __future__ import annotations

import random
import sys

import grpc

from ledger.api.v1.contact_pb2 import NoteAdded
from ledger.api.v1.ledger_service_pb2 import AppendRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from tests.appending import group, to_append


def main() -> None:
    """Append COUNT events, and say where each was recorded."""
    target, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chosen = random.Random(number)
    with grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        append = LedgerServiceStub(channel).Append
        left = count
        while left:
            size = min(left, chosen.randint(1, 50))
            groups = [
                group(to_append(NoteAdded(contact_id=f"shared-{chosen.randint(0, 9)}", text="n"), department="support"))
                for _ in range(size)
            ]
            for result in append(AppendRequest(groups=groups), timeout=60).results:
                sys.stdout.write(f"{result.appended[0].position} {result.appended[0].event_id}\n")
            left -= size


if __name__ == "__main__":
    main()
