"""What each row of a view counts for in figures: of which series, at which time of its own, under which outcome, and how much.

A figure is a function of rows: a row that stands at (known, before) counts there, and nowhere else. So the cells, which follow the
rows as they change, and the exact way, which reads the rows again, count the same.

Pure, and nothing here reads a sealed value (domain rule 9.9): rows hold clear fields and pseudonyms only.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final, NamedTuple

from ledger.api.v1.experience_pb2 import CES, CSAT, NPS, RESPONDENT_EMPLOYEE
from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_REJECTED, HANDOFF_STATE_WITHDRAWN
from ledger.api.v1.history_service_pb2 import CONTACT_STATE_ABANDONED, CONTACT_STATE_ENDED
from ledger.api.v1.promise_pb2 import FROM_PLAYBOOK
from ledger.api.v1.promise_service_pb2 import (
    KEPT_CLAIMED,
    PROMISE_STATE_BROKEN,
    PROMISE_STATE_KEPT,
    PROMISE_STATE_KEPT_LATE,
    PROMISE_STATE_OPEN,
    PROMISE_STATE_RELEASED,
    PROMISE_STATE_REPLACED,
    PROMISE_STATE_VOID,
    PROMISE_STATE_WITHDRAWN,
)
from ledger.rules.contact import NO_ANSWER_NEEDED
from ledger.rules.contact_state import ANSWERED, NOT_NEEDED
from ledger.rules.experience import ASKED, SCORE
from projections import contacts, derived_targets, experience, handoffs, messages, promises, request_rows
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.view import MAX


class Series:
    """What is counted: plain numbers, because they stand in the views and in their digests."""

    CONTACT: Final = 1
    """Inbound contacts, at the time they were received; how long until the answer."""
    QUEUE: Final = 2
    """Inbound contacts that were queued, at the time of that; how long until the answer, or until they were given up."""
    TARGET: Final = 3
    """Derived targets, at their due."""
    PROMISE: Final = 4
    """Promises said and told, at the last due in force."""
    FIRST_DATE: Final = 5
    """The same, at the first date said."""
    HANDOFF: Final = 6
    """Handoffs, at the time they were offered; how long until the first acceptance."""
    RESOLVED: Final = 7
    """Requests, at the time they were first resolved; how long that took."""
    REQUEST: Final = 8
    """Requests, at the time they were opened; how many handoffs each has."""
    HANDLED: Final = 9
    """Contacts that were answered and ended, at their end; how long they were worked on."""
    SATISFACTION: Final = 11
    """Questions after satisfaction and scores of customers, at the time of each; scores in thousandths of their scale."""
    NEXT: Final = 10
    """Later messages of a contact, at the time they were received; how long until the answer."""
    FACTS: Final = 12
    """Facts required of accepted handoffs, at the time of the offer: how many were passed, and how many were absent."""


class Outcome:
    """What became of a member of a series: plain numbers, to which flags are added."""

    WAITING: Final = 1
    """Nobody answered yet; open."""
    UNTARGETED: Final = 2
    """Answered, without a target."""
    IN_TIME: Final = 3
    """Answered by its target."""
    LATE: Final = 4
    """Answered after its target."""
    WITHDRAWN: Final = 5
    """Given up by the customer; withdrawn by us."""
    NOT_NEEDED: Final = 6
    """Needed no answer; void."""
    UNANSWERED: Final = 7
    """Ended without an answer."""
    KEPT: Final = 8
    KEPT_LATE: Final = 9
    BROKEN: Final = 10
    RELEASED: Final = 11
    ACCEPTED: Final = 12
    REJECTED: Final = 13
    DONE: Final = 14
    ASKED: Final = 15
    """A question after satisfaction."""
    HIGH: Final = 16
    """A score that says satisfied, would recommend, was easy."""
    MIDDLE: Final = 17
    LOW: Final = 18
    PASSED: Final = 19
    """Required facts that a handoff had when it was first accepted."""
    ABSENT: Final = 20
    """Required facts that it lacked then."""


OUTCOMES: Final = range(1, 21)
"""All outcomes."""


FLAG: Final = 32
"""Outcomes are below; flags are multiples of it."""
QUEUED: Final = FLAG
"""Of a contact: it was queued, and its wait is counted from there."""
TARGETED: Final = 2 * FLAG
"""Of a contact without an answer: it had a target, and still needed an answer when that passed."""
TRANSFERRED: Final = 4 * FLAG
"""Of a contact: it was transferred at least once."""
RENEGOTIATED: Final = FLAG
"""Of a promise: the customer asked for, or agreed to, another date."""
MOVED: Final = 2 * FLAG
"""Of a promise: the date moved otherwise."""
CLAIMED: Final = 4 * FLAG
"""Of a promise: kept in time by word only, recorded afterwards."""
RETURNED: Final = FLAG
"""Of a handoff: it was returned at least once."""
ANSWERS: Final = FLAG
"""Of a score: it names the question that it answers."""
REOPENED: Final = FLAG
"""Of a request: it was reopened after it was resolved."""


Member = tuple[int, int, str, str, str, str, int, int | None]
"""What one row counts for in one series:

series; the definition's own time, microseconds UTC, which chooses the period; channel; department; the second department of a pair;
kind of promise or target, type of handoff; outcome with its flags; microseconds measured, or a count, None where nothing was.

A plain tuple: some are made for nearly every event.
"""

Members = tuple[Member, ...]


class Columns(NamedTuple):
    """The columns of a row that matter."""

    names: tuple[str, ...]
    of: Callable[[Values], tuple[Any, ...]]
    """Takes them out of a row."""


Rule = tuple[Columns, Callable[[tuple[Any, ...]], Members]]
"""Which columns of a row matter, and what these count for."""

COUNTED: Final = frozenset({Series.REQUEST, Series.SATISFACTION, Series.FACTS})
"""Series whose values are counts, not durations."""


class Source(NamedTuple):
    """Where a series comes from."""

    view: FoldView
    rule: Rule
    times: dict[int, str]
    """By series, the column that holds its time."""
    opener: str = "entity"
    """Column with the position of the event that opened the member: of its entity, or the `key` of its own."""

    def members(self, row: Values) -> Members:
        """Return what a row counts for."""
        columns, members = self.rule
        return members(columns.of(row))


def _columns(table: Table, *names: str) -> Columns:
    return Columns(names, itemgetter(*map(table.names.index, names)))


_CONTACT = _columns(
    contacts.TABLE,
    *("outbound", "channel", "opened_time", "response_due_time", "state", "department", "queued_time", "answered_time"),
    *("ended_time", "disposition", "in_time", "handled", "transfer_count"),
)


_STILL_NEEDED: Final = (Outcome.WAITING, Outcome.UNANSWERED)
_NO_LONGER_NEEDED: Final = (Outcome.WITHDRAWN, Outcome.NOT_NEEDED)


def _of_contact(columns: tuple[Any, ...]) -> Members:
    outbound, channel, opened, due, state, department, queued, answered, ended, disposition, in_time, handled, transfers = columns
    if outbound:
        return ()
    until: int | None = None
    outcome: int
    if state == CONTACT_STATE_ABANDONED:
        outcome, until = Outcome.WITHDRAWN, ended
    elif answered is not None:
        until = answered
        outcome = Outcome.UNTARGETED if due is None else Outcome.IN_TIME if in_time else Outcome.LATE
    elif state != CONTACT_STATE_ENDED:
        outcome = Outcome.WAITING
    else:
        outcome = Outcome.NOT_NEEDED if disposition in NO_ANSWER_NEEDED else Outcome.UNANSWERED
    if due is not None and (outcome in _STILL_NEEDED or (outcome in _NO_LONGER_NEEDED and ended > due)):
        outcome += TARGETED
    if transfers:
        outcome += TRANSFERRED
    waited = None if until is None else max(0, until - opened)
    received = (Series.CONTACT, opened, channel, department, "", "", outcome if queued is None else outcome + QUEUED, waited)
    handle = state == CONTACT_STATE_ENDED and answered is not None and handled is not None
    if queued is None and not handle:
        return (received,)
    members = [received]
    if queued is not None:
        members.append(
            (Series.QUEUE, queued, channel, department, "", "", outcome, None if until is None else max(0, until - queued))
        )
    if handle:
        members.append((Series.HANDLED, ended, channel, department, "", "", Outcome.DONE, handled))
    return tuple(members)


_MET: Final[dict[int, int]] = {
    PROMISE_STATE_OPEN: Outcome.WAITING,
    PROMISE_STATE_KEPT: Outcome.KEPT,
    PROMISE_STATE_KEPT_LATE: Outcome.KEPT_LATE,
    PROMISE_STATE_BROKEN: Outcome.BROKEN,
    PROMISE_STATE_REPLACED: Outcome.BROKEN,
    PROMISE_STATE_VOID: Outcome.NOT_NEEDED,
    PROMISE_STATE_RELEASED: Outcome.RELEASED,
    PROMISE_STATE_WITHDRAWN: Outcome.WITHDRAWN,
}


def _of_target(columns: tuple[Any, ...]) -> Members:
    channel, department, due, kind, state = columns
    if due == MAX:
        # Paused, or beyond what the calendar knows: there is no due.
        return ()
    return ((Series.TARGET, due, channel, department, "", kind, _MET[state], None),)


def _target_rule(table: Table) -> Rule:
    return _columns(table, "channel", "department", "due_time", "kind", "state"), _of_target


_TARGET_TIMES: Final = {Series.TARGET: "due_time"}

_MESSAGE = _columns(messages.TABLE, "channel", "department", "received_time", "due_time", "state", "answered_time", "in_time")


def _of_message(columns: tuple[Any, ...]) -> Members:
    channel, department, received, due, state, answered, in_time = columns
    if state == ANSWERED:
        outcome = Outcome.UNTARGETED if due is None else Outcome.KEPT if in_time else Outcome.KEPT_LATE
        return ((Series.NEXT, received, channel, department, "", "", outcome, max(0, answered - received)),)
    outcome = Outcome.NOT_NEEDED if state == NOT_NEEDED else Outcome.UNANSWERED if due is None else Outcome.WAITING
    return ((Series.NEXT, received, channel, department, "", "", outcome, None),)


_PROMISE = _columns(
    promises.TABLE,
    *("kind", "channel", "origin", "state", "owner_department", "first_due_time", "ended_time", "broken_time", "kept_evidence"),
    *("renegotiated_count", "moved_by_us_count", "told", "due_time", "kept_by_first_date"),
)


def _of_promise(columns: tuple[Any, ...]) -> Members:
    kind, channel, origin, state, owner, first, ended, broken, evidence, renegotiated, moved, told, due, by_first = columns
    if not told or origin == FROM_PLAYBOOK or due == MAX:
        return ()
    outcome = _MET[state]
    gone = outcome in (Outcome.RELEASED, Outcome.WITHDRAWN)
    if gone and (broken is not None or ended > due):
        outcome = Outcome.BROKEN
    flags = 0
    if renegotiated:
        flags += RENEGOTIATED
    if moved:
        flags += MOVED
    if evidence == KEPT_CLAIMED:
        flags += CLAIMED
    last = (Series.PROMISE, due, channel, owner, "", kind, outcome + flags, None)
    if first is None:
        return (last,)
    if by_first:
        of_first: int = Outcome.KEPT
    elif gone:
        of_first = _MET[state] if ended <= first else Outcome.BROKEN
    elif first == due:
        of_first = outcome
    else:
        # It was moved past the first date: open there means that nothing was kept by then.
        of_first = Outcome.WAITING + MOVED if state == PROMISE_STATE_OPEN else Outcome.BROKEN
    return (last, (Series.FIRST_DATE, first, channel, owner, "", kind, of_first, None))


_HANDOFF = _columns(
    handoffs.TABLE,
    *("from_department", "to_department", "type", "offered_time", "state", "returned_count", "ever_accepted", "accepted_time"),
    *("accepted_without", "required_count"),
)


def _of_handoff(columns: tuple[Any, ...]) -> Members:
    sender, receiver, kind, offered, state, returned, accepted, accepted_time, lost, required = columns
    value: int | None = None
    outcome: int
    if accepted:
        outcome, value = Outcome.ACCEPTED, max(0, accepted_time - offered)
    elif state == HANDOFF_STATE_REJECTED:
        outcome = Outcome.REJECTED
    elif state == HANDOFF_STATE_WITHDRAWN:
        outcome = Outcome.WITHDRAWN
    else:
        outcome = Outcome.WAITING
    if returned:
        outcome += RETURNED
    offer = (Series.HANDOFF, offered, "", sender, receiver, kind, outcome, value)
    if not accepted or not required:
        return (offer,)
    absent = len(lost.split())
    facts = ((Outcome.PASSED, required - absent), (Outcome.ABSENT, absent))
    return (offer, *((Series.FACTS, offered, "", sender, receiver, kind, which, count) for which, count in facts if count))


_REQUEST = _columns(
    request_rows.TABLE, "opened_time", "channel", "owner_department", "first_resolved_time", "reopened_count", "handoff_count"
)


def _of_request(columns: tuple[Any, ...]) -> Members:
    opened, channel, owner, resolved, reopened, handoff_count = columns
    received = (Series.REQUEST, opened, channel, owner, "", "", Outcome.DONE, handoff_count)
    if resolved is None:
        return (received,)
    outcome = Outcome.DONE + REOPENED if reopened else Outcome.DONE
    return (received, (Series.RESOLVED, resolved, channel, owner, "", "", outcome, max(0, resolved - opened)))


_EXPERIENCE = _columns(
    experience.TABLE,
    *("occur_time", "channel", "department", "respondent", "measure", "score", "scale_min", "scale_max", "asked_event_id", "state"),
)

MEASURES: Final = {CSAT: "csat", NPS: "nps", CES: "ces"}
"""Kinds of satisfaction."""
_HIGH: Final = {CSAT: 750, NPS: 900, CES: 666}
"""Thousandths from which a score is high: 4 to 5 of 1 to 5, 9 to 10 of 0 to 10, 5 to 7 of 1 to 7."""
_LOW: Final = {CSAT: 499, NPS: 600, CES: 499}
"""Thousandths up to which a score is low: 1 to 2 of 1 to 5, 0 to 6 of 0 to 10, 1 to 3 of 1 to 7."""


def _of_experience(columns: tuple[Any, ...]) -> Members:
    time, channel, department, respondent, measure, score, lowest, highest, asked, kind = columns
    if kind not in (ASKED, SCORE) or respondent == RESPONDENT_EMPLOYEE or measure not in MEASURES:
        return ()
    name = MEASURES[measure]
    if kind == ASKED:
        return ((Series.SATISFACTION, time, channel, department, "", name, Outcome.ASKED, None),)
    part = (score - lowest) * 1000 // (highest - lowest)
    outcome = Outcome.HIGH if part >= _HIGH[measure] else Outcome.LOW if part <= _LOW[measure] else Outcome.MIDDLE
    return ((Series.SATISFACTION, time, channel, department, "", name, outcome + ANSWERS if asked else outcome, part),)


_CONTACT_TIMES: Final = {Series.CONTACT: "opened_time", Series.QUEUE: "queued_time", Series.HANDLED: "ended_time"}

SOURCES: Final[tuple[Source, ...]] = (
    Source(contacts.VIEW, (_CONTACT, _of_contact), _CONTACT_TIMES),
    Source(promises.TARGETS, _target_rule(promises.TARGET_TABLE), _TARGET_TIMES),
    Source(derived_targets.REQUESTS, _target_rule(derived_targets.REQUEST_TABLE), _TARGET_TIMES),
    Source(derived_targets.COMPLAINTS, _target_rule(derived_targets.COMPLAINT_TABLE), _TARGET_TIMES),
    Source(messages.VIEW, (_MESSAGE, _of_message), {Series.NEXT: "received_time"}, "key"),
    Source(promises.VIEW, (_PROMISE, _of_promise), {Series.PROMISE: "due_time", Series.FIRST_DATE: "first_due_time"}),
    Source(handoffs.VIEW, (_HANDOFF, _of_handoff), {Series.HANDOFF: "offered_time", Series.FACTS: "offered_time"}, "key"),
    Source(request_rows.VIEW, (_REQUEST, _of_request), {Series.RESOLVED: "first_resolved_time", Series.REQUEST: "opened_time"}),
    Source(experience.VIEW, (_EXPERIENCE, _of_experience), {Series.SATISFACTION: "occur_time"}),
)
"""Where every series comes from, by the view whose rows it is made of. A new one is a line here."""

MEMBERS: Final = {source.view.name: source.rule for source in SOURCES}
"""By view, what its rows count for."""
ALL_SERIES: Final = tuple(sorted({series for source in SOURCES for series in source.times}))
SOURCES_OF: Final = {series: tuple(source for source in SOURCES if series in source.times) for series in ALL_SERIES}
"""By series, where it comes from."""


def members_at(view: FoldView, row: Values) -> Members:
    """Return what a row of a view counts for."""
    columns, members = MEMBERS[view.name]
    return members(columns.of(row))
