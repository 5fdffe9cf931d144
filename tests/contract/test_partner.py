"""Partners work in the ledger like departments: as actors of their own kind, and for themselves only (requirements S0-7, S4-8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import AUTOMATION, BOT, CLAIMED, HUMAN, MOVES, PARTNER, ActorKind
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffCompleted, HandoffOffered, HandoffWithdrawn
from ledger.api.v1.policy_pb2 import UNKNOWN_REFUSED, Department, PolicyPublished, ServicePolicy
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from tests.appending import append_one

WORKS = {"department": "call_centre", "actor": "cc-4", "actor_kind": PARTNER}
"""What the events of the partner say of who acted."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path)
    document = ServicePolicy(
        departments=[Department(department="desk"), Department(department="call_centre", partner=True)],
        unknown_departments=UNKNOWN_REFUSED,
    )
    published = PolicyPublished(policy_id="p", policy_version=1, policy=document)
    published.in_force_from.GetCurrentTime()
    append_one(opened, published)
    append_one(opened, RequestOpened(request_id="r-1", owner_department="desk"), department="desk")
    append_one(opened, offer("h-1"), department="desk")
    yield opened
    opened.close()


def offer(handoff_id: str, to: str = "call_centre", sender: str = "desk") -> HandoffOffered:
    return HandoffOffered(
        request_id="r-1", handoff_id=handoff_id, from_department=sender, to_department=to, ownership=MOVES, reason="evening"
    )


def last(ledger: Ledger) -> Event:
    row = list(ledger.store.read(0, 10_000))[-1]
    return read_event(row.position, row.header)


def test_a_partner_makes_the_moves_of_its_own_department_and_no_others(ledger: Ledger) -> None:
    accepted = HandoffAccepted(request_id="r-1", handoff_id="h-1")

    assert "DEPARTMENT_NOT_ALLOWED" == append_one(ledger, HandoffWithdrawn(request_id="r-1", handoff_id="h-1"), **WORKS)
    assert "DEPARTMENT_NOT_ALLOWED" == append_one(ledger, accepted, department="desk")
    assert "" == append_one(ledger, accepted, **WORKS)
    # It answers for the request now, and hands it back like any department.
    assert "" == append_one(ledger, HandoffCompleted(request_id="r-1", handoff_id="h-1", outcome=1), **WORKS)
    assert "" == append_one(ledger, offer("h-3", to="desk", sender="call_centre"), **WORKS)


def test_a_partner_that_the_policy_does_not_name_is_refused(ledger: Ledger) -> None:
    contact = ContactReceived(contact_id="c-1", reason="unknown")

    assert "DEPARTMENT_UNKNOWN" == append_one(ledger, contact, **{**WORKS, "department": "other_centre"})


@pytest.mark.parametrize("kind", [HUMAN, BOT, AUTOMATION, PARTNER], ids=ActorKind.Name)
def test_who_acted_and_of_which_kind_stands_in_every_event(ledger: Ledger, kind: Any) -> None:
    append_one(ledger, ContactReceived(contact_id="c-1", reason="unknown"), **{**WORKS, "actor_kind": kind})

    header = last(ledger).header
    assert (kind, "cc-4", "call_centre", CLAIMED) == (header.actor_kind, header.actor, header.department, header.actor_known)
