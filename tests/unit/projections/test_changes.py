"""Changes of a list that is about one entity."""

from __future__ import annotations

from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.handoff_service_pb2 import HandoffFilter
from ledger.api.v1.request_pb2 import RequestOpened
from projections import handoffs
from tests.build import at, event
from tests.folded import FoldedViews


def test_changes_of_one_request_are_no_other_requests() -> None:
    history = [
        event(payload, position=position, occur=at(position), revision=1 + position // 3)
        for position, payload in enumerate(
            (
                RequestOpened(request_id="r-1", owner_department="desk"),
                RequestOpened(request_id="r-2", owner_department="desk"),
                HandoffOffered(request_id="r-2", handoff_id="h-2", from_department="desk", to_department="lab", ownership=1),
                HandoffOffered(request_id="r-1", handoff_id="h-1", from_department="desk", to_department="lab", ownership=1),
            ),
            1,
        )
    ]

    changes = handoffs.changed(FoldedViews(history).read(None, None, at(10)), 0, HandoffFilter(request_id="r-1"))

    assert [(4, "h-1")] == [(position, handoff.handoff_id) for position, handoff in changes]
