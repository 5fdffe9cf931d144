"""What is sent by the loads."""

from __future__ import annotations

from pathlib import Path

from benchmarks.workload import as_grpc_body, as_request, calls, event_count_of, one_fact, read_requests, write_requests
from ledger.api.v1.ledger_service_pb2 import BULK, AppendRequest


def test_calls_are_the_same_every_time_and_hold_what_was_asked_for() -> None:
    first, again = list(calls(1_000, 100)), list(calls(1_000, 100))

    assert first == again
    assert 1_000 <= sum(map(event_count_of, first)) <= 1_101
    assert {100, 101} >= {event_count_of(call) for call in first}


def test_requests_come_out_of_a_file_as_they_went_in(tmp_path: Path) -> None:
    requests = [as_request(call, BULK) for call in calls(500, 100)]
    write_requests(tmp_path / "requests", requests)

    assert requests[1:3] == [AppendRequest.FromString(content) for content in read_requests(tmp_path / "requests", 1, 2)]


def test_a_body_of_a_call_is_a_byte_a_length_and_the_message_without_an_event_id() -> None:
    body = as_grpc_body(one_fact())

    assert (0, len(body) - 5) == (body[0], int.from_bytes(body[1:5], "big"))
    assert not AppendRequest.FromString(body[5:]).groups[0].events[0].envelope.HasField("event_id")
