"""What happened in the course of a contact, packed into one column: most contacts have none of it, so it costs them nothing.

Pure. What lists filter or count by stands in columns of its own (contacts.py).
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.customer_pb2 import Authentication
from ledger.event_id import to_text
from ledger.rules.contact_state import NO_COURSE, AuthenticationState, ContactState
from projections.listing import given, instant


class Course(NamedTuple):
    """The packed part of a contact. Durations in microseconds."""

    message_in_count: int = 0
    message_out_count: int = 0
    unanswered_count: int = 0
    warm: int = 0
    tepid: int = 0
    cold: int = 0
    consult_count: int = 0
    talk: int | None = None
    hold: int | None = None
    wrap_up: int | None = None
    authentication: AuthenticationState | None = None


NOTHING: Final = Course()


def pack(state: ContactState) -> str:
    """Return the column's text; empty where nothing happened."""
    course = state.course
    if course is NO_COURSE or course == NO_COURSE:
        return ""
    check = course.authentication
    counts = (state.message_in_count, course.message_out_count, state.unanswered_count, *course.transfers, course.consult_count)
    spent = ["null" if one is None else str(one) for one in (course.talk, course.hold, course.wrap_up)]
    checked = "null" if check is None else json.dumps([check.event_id.hex(), *check[1:]], separators=(",", ":"))
    # The JSON of a list, put together by hand: most have numbers only.
    return f"[{','.join(map(str, counts))},{','.join(spent)},{checked}]"


def unpack(text: str) -> Course:
    """Return what `pack` packed."""
    if not text:
        return NOTHING
    *counts, check = json.loads(text)
    return Course._make([*counts, None if check is None else AuthenticationState._make([bytes.fromhex(check[0]), *check[1:]])])


def fields_of(course: Course, contact_id: str, ended_time: int | None, evaluated: int) -> dict[str, Any]:
    """Return the fields of a Contact that are packed; those without a value are left out."""
    check = course.authentication
    return given(
        message_in_count=course.message_in_count,
        message_out_count=course.message_out_count,
        unanswered_count=course.unanswered_count,
        transfer_count=course.warm + course.tepid + course.cold,
        warm_transfer_count=course.warm,
        tepid_transfer_count=course.tepid,
        cold_transfer_count=course.cold,
        consult_count=course.consult_count,
        talk=_duration(course.talk),
        hold=_duration(course.hold),
        wrap_up=_duration(course.wrap_up),
        authentication=None if check is None else authentication(check, contact_id, ended_time, evaluated),
    )


def authentication(check: AuthenticationState, contact_id: str, ended_time: int | None, evaluated: int) -> Authentication:
    """Return a check of who the customer is, and whether it counts at the evaluated time (requirement S4-10).

    It counts when it was passed, had happened, and is not over: until the time it says, exclusive, or until its contact ended where
    it says none. `ended_time`: of the contact; None while it goes on.
    """
    until = check.valid_until if check.valid_until is not None else ended_time
    return Authentication(
        **given(
            event_id=to_text(check.event_id),
            contact_id=contact_id,
            checked_time=instant(check.checked_time),
            method=check.method,
            level=check.level,
            passed=check.passed,
            valid_until=instant(check.valid_until),
            valid=check.passed and check.checked_time <= evaluated and (until is None or evaluated < until),
        )
    )


def _duration(micros: int | None) -> Duration | None:
    if micros is None:
        return None
    return Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)
