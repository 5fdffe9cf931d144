"""Intake of a call's groups: each is checked and brought into normal form for itself, so that a bad one is refused alone.

Pure: may be done in another process than the one that decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.api.v1.errors_pb2 import FIELD_REQUIRED
from ledger.api.v1.ledger_service_pb2 import EventGroup
from ledger.commit.decision import IncomingGroup
from ledger.errors import LedgerError
from ledger.intake.receive import receive
from ledger.intake.validate import check


def receive_groups(
    groups: Sequence[EventGroup], *, internal: bool, home_zone: str, default_region: str
) -> list[IncomingGroup | LedgerError]:
    """Return the groups of a call, ready to be decided, each of them or its refusal."""
    return [
        _receive(group, f"groups[{index}]", internal=internal, home_zone=home_zone, default_region=default_region)
        for index, group in enumerate(groups)
    ]


def _receive(group: EventGroup, path: str, *, internal: bool, home_zone: str, default_region: str) -> IncomingGroup | LedgerError:
    try:
        if not group.events:
            raise LedgerError(
                FIELD_REQUIRED,
                f"{path}.events is empty: a group has at least one event.",
                violations=[(f"{path}.events", "value is required")],
            )
        for index, expectation in enumerate(group.expectations):
            check(expectation, f"{path}.expectations[{index}]")
        return IncomingGroup(
            [
                receive(
                    event,
                    f"{path}.events[{index}]",
                    internal=internal,
                    home_zone=home_zone,
                    default_region=default_region,
                )
                for index, event in enumerate(group.events)
            ],
            group.expectations,
        )
    except LedgerError as error:
        return error
