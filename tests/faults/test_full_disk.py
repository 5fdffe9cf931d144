"""A disk that takes no more: the ledger says so and goes on answering, and takes events again by itself once there is room.

The limit on the size of its files stands for the full disk: what SQLite writes beyond it fails, as it would there.
"""

from __future__ import annotations

import resource

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from clients.python import Client
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.ledger_service_pb2 import AppendRequest, EventGroup
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub
from ledger.server.serving import LEDGER_SERVICE
from tests.appending import group, to_append
from tests.server_process import Server

TIMEOUT = 60
SMALL_BYTES = 4_096


def contact(contact_id: str) -> EventGroup:
    customer = Identifier(type="email", value="a@example.org")
    return group(to_append(ContactReceived(contact_id=contact_id, customer=customer, reason="x", body="words")))


def test_on_a_full_disk_nothing_is_recorded_until_there_is_room_again(server: Server) -> None:
    with server.channel() as channel, Client(server.target, consistency="latest", timeout_seconds=TIMEOUT) as client:
        append, check = LedgerServiceStub(channel).Append, HealthStub(channel).Check

        def serves_appends() -> bool:
            status = check(HealthCheckRequest(service=LEDGER_SERVICE), timeout=TIMEOUT).status
            return bool(status == HealthCheckResponse.SERVING)

        append(AppendRequest(groups=[contact("c-1")]), timeout=TIMEOUT)
        pid, sent = server.pid("server"), AppendRequest(groups=[contact("c-2")])
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (SMALL_BYTES, before[1]))

        with pytest.raises(grpc.RpcError) as refused:
            append(sent, timeout=TIMEOUT)
        server.wait_until(lambda: not serves_appends(), "the ledger says that it takes events")
        told = [entry.event.payload.contact_received.contact_id for entry in client.history("email:a@example.org")]
        reason = client.status().read_only_reason
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        server.wait_until(serves_appends, "the ledger does not see that there is room again")
        (result,) = append(sent, timeout=TIMEOUT).results

        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert ["c-1"] == told
        assert reason
        assert (4, False) == (result.appended[0].position, result.appended[0].duplicate)
        assert pid == server.pid("server")
