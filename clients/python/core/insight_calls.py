"""Questions about the ledger itself: what does not fit, how it does, what an auditor compares. Pure: makes calls, sends nothing."""

from __future__ import annotations

from typing import Final, Unpack

from clients.python.core.arguments import ConsistencyLike, EnumLike, ListOptions
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.admin_service_pb2 import GetStatusRequest, GetStatusResponse
from ledger.api.v1.audit_service_pb2 import GetViewDigestRequest, GetViewDigestResponse
from ledger.api.v1.insight_service_pb2 import Finding, GetDataQualityRequest, GetDataQualityResponse

DATA_QUALITY: Final = Rpc("InsightService", "GetDataQuality", GetDataQualityRequest, GetDataQualityResponse)
STATUS: Final = Rpc("AdminService", "GetStatus", GetStatusRequest, GetStatusResponse)
VIEW_DIGEST: Final = Rpc("AuditService", "GetViewDigest", GetViewDigestRequest, GetViewDigestResponse)


def data_quality(kind: EnumLike | None = None, **which: Unpack[ListOptions]) -> Listing[GetDataQualityResponse, Finding]:
    """List the events that do not fit, newest first: `"irregular"`, `"overtaken"`, `"held_back"`, `"set_aside"`, ….

    How many there are of each kind stands in `first.result.counts`.

    Example:
        >>> findings = client.data_quality("overtaken")
        >>> [(row.values[0], row.count) for row in findings.first.result.counts]
        [('OVERTAKEN', 2)]
    """
    return Listing(ask(DATA_QUALITY, which, kind=kind), lambda page: page.result.findings)


def status(*, timeout_seconds: float | None = None) -> Call[GetStatusResponse, GetStatusResponse]:
    """Return how the ledger is doing: head, views, lag, sizes, and why appends are refused, if they are.

    Example:
        >>> client.status().lag_events
        0
    """
    return ask(STATUS, {"timeout_seconds": timeout_seconds})


def view_digest(
    position: int | None = None, *, consistency: ConsistencyLike | None = None, timeout_seconds: float | None = None
) -> Call[GetViewDigestResponse, GetViewDigestResponse]:
    """Return the digests of the log and of every view at a multiple of 1,024 (default: the last one reached), in `result`.

    Equal on every node and after every rebuild.

    Example:
        >>> {digest.view: digest.digest.hex() for digest in client.view_digest(1024).result.digests}
    """
    return ask(VIEW_DIGEST, {"consistency": consistency, "timeout_seconds": timeout_seconds}, position=position)
