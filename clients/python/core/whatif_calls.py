"""What would differ under another policy. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Unpack

from clients.python.core.arguments import ListOptions
from clients.python.core.calls import Listing, Rpc, ask
from ledger.api.v1.policy_pb2 import ServicePolicy
from ledger.api.v1.whatif_pb2 import CompareWithPolicyRequest, CompareWithPolicyResponse, PolicyComparison

COMPARE: Final = Rpc("InsightService", "CompareWithPolicy", CompareWithPolicyRequest, CompareWithPolicyResponse)


def compare_with_policy(
    policy: ServicePolicy, from_time: datetime, until_time: datetime, **which: Unpack[ListOptions]
) -> Listing[CompareWithPolicyResponse, PolicyComparison]:
    """Replay a past period, [from_time, until_time), under another policy, and return what would differ, in pieces of the log.

    Sum the counts of the pieces. `page_size`: how many differences each piece lists at most; others are counted. Nothing is
    recorded.

    Example:
        >>> for piece in client.compare_with_policy(policy, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)):
        ...     print(piece.position, [(count.kind, count.changed_count) for count in piece.counts])
    """
    request = ask(COMPARE, which, policy=policy, from_time=from_time, until_time=until_time)
    return Listing(request, lambda page: (page.result,))
