"""The events that are appended: the seeded sample of the connectors, cut into calls.

The same size and seed give the same events, so every contender of a round gets the same ones. They are imported, because they
happened in the past; that exempts them from refusals, not from any work: they are validated, judged, sealed and stored alike.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from clients.connectors.sample import sample
from ledger.api.v1.core_pb2 import Fact, Identifier
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.fact_pb2 import FactGiven
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.ledger_service_pb2 import LANE_UNSPECIFIED, AppendRequest, EventGroup, Lane

RUN: Final = "bench"
SEED: Final = 2026
UNTIL: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""End of the sample: fixed, so that it is the same in every run."""

_LENGTH: Final = struct.Struct(">I")


def import_started() -> EventGroup:
    """Return the event that opens the import run which all sample events belong to."""
    event_id = str(uuid.UUID(int=0x0194_1F29_7C00_7000_8000_0000_0000_0001))
    return EventGroup(
        events=[
            EventToAppend(
                envelope=EventEnvelope(event_id=event_id, import_run=RUN),
                payload=Payload(import_started=ImportStarted(run_id=RUN, from_source="sample", answers_recorded=True)),
            )
        ]
    )


def calls(event_count: int, events_per_call: int) -> Iterator[list[EventGroup]]:
    """Yield at least `event_count` events, in the order they happened, as the groups of calls of at least `events_per_call`.

    A call holds one event more where its last group has two.
    """
    call: list[EventGroup] = []
    in_call = total = 0
    # The sample may fall short of the size asked by 5 %.
    for events in sample(int(event_count * 1.06) + 100, SEED, UNTIL, RUN):
        call.append(EventGroup(events=events))
        in_call += len(events)
        if in_call >= events_per_call:
            yield call
            total += in_call
            if total >= event_count:
                return
            call, in_call = [], 0
    if call:
        yield call


def one_fact() -> AppendRequest:
    """Return an append of one event that can be sent again and again: it has no event id, so each time is a new event.

    A fact of a known customer: a personal identifier to normalise, a value to seal and to mark.
    """
    return AppendRequest(
        groups=[
            EventGroup(
                events=[
                    EventToAppend(
                        envelope=EventEnvelope(
                            channel="phone", department="customer_service", actor="cs-17", source="bench", correlation_id="s-1"
                        ),
                        payload=Payload(
                            fact_given=FactGiven(
                                fact=Fact(key="delivery_address", value="12 rue des Lilas, 75011 Paris"),
                                customer=Identifier(type="email", value="ines.moreau@example.org"),
                                asked=True,
                            )
                        ),
                    )
                ]
            )
        ]
    )


def event_count_of(groups: Iterable[EventGroup]) -> int:
    """Return how many events groups hold."""
    return sum(len(group.events) for group in groups)


def as_request(groups: Sequence[EventGroup], lane: Lane.ValueType = LANE_UNSPECIFIED) -> AppendRequest:
    """Return the groups as one call."""
    return AppendRequest(groups=groups, lane=lane)


def write_requests(path: Path, requests: Iterable[Message]) -> None:
    """Write requests to a file, ready to be sent by a load program."""
    with path.open("wb") as file:
        for request in requests:
            content = request.SerializeToString()
            file.write(_LENGTH.pack(len(content)) + content)


def read_requests(path: Path, first: int, count: int) -> list[bytes]:
    """Return up to `count` requests of a file, as bytes, from the `first` one on (0-based)."""
    content = path.read_bytes()
    requests: list[bytes] = []
    start = number = 0
    while start < len(content) and len(requests) < count:
        (length,) = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        if number >= first:
            requests.append(content[start : start + length])
        start += length
        number += 1
    return requests


def as_grpc_body(request: Message) -> bytes:
    """Return a request as the body of a gRPC call over HTTP/2: no compression, length, message."""
    content = request.SerializeToString()
    return b"\0" + _LENGTH.pack(len(content)) + content
