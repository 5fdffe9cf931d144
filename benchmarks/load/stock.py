"""pyeventsourcing as it comes: an aggregate for each stream of the ledger, its events saved a call's worth at a time.

Prints {"events", "seconds"}. Its Application.save() in this very process, without gRPC; aggregates stay in memory. Content is what
the ledger was sent, as a dict, encrypted by the library's own cipher. Made ready before the clock runs: the dicts, the streams.
Not done, to its advantage: rules of the protos, life cycles, policies, event ids, a key for each customer.
"""

from __future__ import annotations

import argparse
import json
import time
import uuid
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from eventsourcing.application import Application
from eventsourcing.cipher import AESCipher
from eventsourcing.domain import Aggregate
from google.protobuf.json_format import MessageToDict

from benchmarks.workload import read_requests
from ledger.api.v1.ledger_service_pb2 import AppendRequest
from ledger.intake.receive import receive

NAMESPACE: Final = uuid.UUID(int=0x0194_1F29_7C00_7000_8000_0000_0000_0003)


class Stream(Aggregate):
    """A stream of the ledger as an aggregate."""

    @staticmethod
    def create_id(name: str) -> uuid.UUID:
        """Return the id of a stream's aggregate."""
        return uuid.uuid5(NAMESPACE, name)

    class Created(Aggregate.Created):
        """A stream begins."""

        name: str

    class Recorded(Aggregate.Event):
        """An event of the stream."""

        topic: str
        content: dict[str, Any]

    def __init__(self, name: str) -> None:
        pass


Told = tuple[str, str, dict[str, Any]]
"""Stream, topic and content of an event."""


def told(content: bytes) -> list[Told]:
    """Return the events of a call."""
    request = AppendRequest.FromString(content)
    events = []
    for group in request.groups:
        for event in group.events:
            as_dict = MessageToDict(event)
            received = receive(event, "event", internal=False, home_zone="UTC", default_region="FR")
            events.append((received.stream, received.kind.topic, as_dict))
    return events


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--setting", action="append", required=True, help="of the application: NAME=VALUE")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-calls", type=int, default=5)
    arguments = parser.parse_args()
    calls = list(map(told, read_requests(arguments.requests, 0, arguments.count)))
    settings = dict(setting.split("=", 1) for setting in arguments.setting)
    cipher = {"CIPHER_TOPIC": "eventsourcing.cipher:AESCipher", "CIPHER_KEY": AESCipher.create_key(32)}
    application: Any = Application(env=settings | cipher)
    streams: dict[str, Any] = {}

    def save(call: list[Told]) -> int:
        """Save a call's events, and return how many were recorded: those that make an aggregate count, too."""
        touched = {}
        for name, topic, content in call:
            stream = streams.get(name)
            if stream is None:
                stream = streams[name] = Stream(name)
            stream.trigger_event(Stream.Recorded, topic=topic, content=content)
            touched[name] = stream
        return len(application.save(*touched.values()))

    endless = cycle(calls)
    for _ in range(arguments.warm_calls):
        save(next(endless))
    begin = now = time.perf_counter()
    events = 0
    for call in endless:
        events += save(call)
        now = time.perf_counter()
        if now - begin >= arguments.seconds:
            break
    application.close()
    print(json.dumps({"events": events, "seconds": now - begin}))


if __name__ == "__main__":
    main()
