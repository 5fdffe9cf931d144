"""Where dues stand: the tables of promises and of derived targets, each with what it calls the same things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from ledger.event_id import to_text
from ledger.rules.derived import NEXT_RESPONSE_PREFIX
from projections import derived_targets, promises
from projections.bitemporal import Table


def _promise_id(entity_id: str, kind: str, message_event_id: bytes) -> str:
    return entity_id


def _response_id(entity_id: str, kind: str, message_event_id: bytes) -> str:
    return NEXT_RESPONSE_PREFIX + to_text(message_event_id) if message_event_id else promises.RESPONSE + entity_id


def _target_id(entity_id: str, kind: str, message_event_id: bytes) -> str:
    return derived_targets.PREFIXES[kind] + entity_id


class Dues(NamedTuple):
    """A table whose rows have a due. Expressions are SQL over its columns."""

    table: Table
    family: str
    derived: bool
    """True for targets that follow from the policy, False for promises."""
    promise_id: Callable[[str, str, bytes], str]
    """Of the entity's id, the kind and the message: the id under which it is asked for."""
    department: str = "department"
    contact_id: str = "''"
    request_id: str = "''"
    message_event_id: str = "x''"


DUES: Final = (
    Dues(promises.TABLE, "promise", False, _promise_id, "owner_department", "contact_id", "request_id"),
    Dues(promises.TARGET_TABLE, "contact", True, _response_id, message_event_id="message_event_id"),
    Dues(derived_targets.REQUEST_TABLE, "request", True, _target_id),
    Dues(derived_targets.COMPLAINT_TABLE, "complaint", True, _target_id),
)
