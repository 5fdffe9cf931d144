"""A subscriber that tails the log while many append misses nothing, repeats nothing, and sees the one order."""

from __future__ import annotations

import subprocess
import sys
import threading

import grpc

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.ledger_service_pb2 import AppendRequest, SubscribeRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from tests.appending import group, to_append
from tests.server_process import Server

APPENDERS = 8
EVENTS_EACH = 7_500


def test_a_subscriber_misses_none_of_60000_events_of_8_appenders(server: Server) -> None:
    with server.channel() as channel:
        opened = [group(to_append(ContactReceived(contact_id=f"shared-{number}", reason="x"))) for number in range(10)]
        LedgerServiceStub(channel).Append(AppendRequest(groups=opened))
    total = 12 + APPENDERS * EVENTS_EACH
    seen: list[tuple[int, str, str, int]] = []
    tail = threading.Thread(target=follow, args=(server, total, seen))
    tail.start()

    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.tailing_worker", server.target, str(number), str(EVENTS_EACH)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(APPENDERS)
    ]
    outputs = [worker.communicate()[0] for worker in workers]
    tail.join(timeout=60)

    assert [0] * APPENDERS == [worker.returncode for worker in workers]
    acknowledged = {int(position): event_id for output in outputs for position, event_id in map(str.split, output.splitlines())}
    assert APPENDERS * EVENTS_EACH == len(acknowledged)
    assert list(range(1, total + 1)) == [position for position, *_ in seen]
    assert acknowledged.items() <= {position: event_id for position, event_id, *_ in seen}.items()
    revisions: dict[str, int] = {}
    for _, _, stream, revision in seen:
        assert revisions.get(stream, 0) + 1 == revision
        revisions[stream] = revision


def follow(server: Server, total: int, seen: list[tuple[int, str, str, int]]) -> None:
    """Read the log as it grows, until the last event expected."""
    with server.channel() as channel:
        call = LedgerServiceStub(channel).Subscribe(SubscribeRequest(after_position=0), timeout=240)
        try:
            for item in call:
                if item.HasField("event"):
                    event = item.event
                    seen.append((event.position, event.envelope.event_id, event.stream, event.revision))
                    if event.position >= total:
                        break
        except grpc.RpcError as error:
            seen.append((-1, str(error), "", 0))
        finally:
            call.cancel()
