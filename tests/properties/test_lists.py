"""Lists, counts and changes of the fold views, under any filter and as of any position and time, are those of the folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.handoff_service_pb2 import HANDOFF_BY_HANDS, HANDOFF_BY_STATE, HandoffFilter, HandoffState
from ledger.api.v1.history_service_pb2 import CONTACT_BY_CHANNEL, CONTACT_BY_STATE, ContactFilter, ContactState
from ledger.api.v1.promise_service_pb2 import PROMISE_BY_OWNER, PROMISE_BY_STATE, PromiseFilter, PromiseState
from ledger.api.v1.request_service_pb2 import REQUEST_BY_OWNER, REQUEST_BY_STATE, RequestFilter, RequestState
from ledger.event import Event
from projections import contacts, handoffs, promises, request_rows, requests
from projections.fold_view import FoldView
from projections.view import MAX
from tests.build import at, timestamp
from tests.folded import FoldedViews, folded_rows
from tests.histories import CONTACTS, HANDOFFS, PROMISES, REQUESTS, histories, instants_of

EVALUATED = at(6)

Row = dict[str, Any]


class Asked(NamedTuple):
    """One kind of list, a filter, and what it means for a row of the fold."""

    module: Any
    view: FoldView
    filter: Any
    holds: Callable[[Row], bool]
    order: Callable[[Row], Any]
    groups: tuple[int, int]
    values: Callable[[Row], tuple[str, str]]


def _handoffs(filter: HandoffFilter) -> Asked:
    def holds(row: Row) -> bool:
        pending = row["state"] in (1, 2)
        late = row["state"] in (1, 2, 3) and row["complete_by"] < EVALUATED
        unaccepted = pending and not row["ever_accepted"] and row["accept_by"] < EVALUATED
        return (
            (not filter.pending or pending)
            and (not filter.states or row["state"] in filter.states)
            and (not filter.hands or row["hands"] in filter.hands)
            and (not filter.overdue or late or unaccepted)
            and (not filter.incomplete or (pending and bool(row["missing_keys"])))
            and (not filter.request_id or row["stream"] == f"request-{filter.request_id}")
        )

    def values(row: Row) -> tuple[str, str]:
        return HandoffState.Name(row["state"]), row["hands"]

    groups = (HANDOFF_BY_STATE, HANDOFF_BY_HANDS)
    return Asked(handoffs, handoffs.VIEW, filter, holds, lambda row: (row["since_time"], row["first"], row["key"]), groups, values)


def _requests(filter: RequestFilter) -> Asked:
    def holds(row: Row) -> bool:
        is_open = row["state"] in (1, 2)
        return (
            (not filter.open or is_open)
            and (not filter.orphaned or (is_open and row["owner_department"] == ""))
            and (not filter.states or row["state"] in filter.states)
            and (not filter.owner_departments or row["owner_department"] in filter.owner_departments)
            and (not filter.reopened or row["reopened_count"] > 0)
        )

    def values(row: Row) -> tuple[str, str]:
        return RequestState.Name(row["state"]), row["owner_department"]

    groups = (REQUEST_BY_STATE, REQUEST_BY_OWNER)
    return Asked(requests, request_rows.VIEW, filter, holds, lambda row: (row["opened_time"], row["first"]), groups, values)


def _contacts(filter: ContactFilter) -> Asked:
    def holds(row: Row) -> bool:
        return (
            (not filter.states or row["state"] in filter.states)
            and (not filter.channels or row["channel"] in filter.channels)
            and (not filter.current_departments or row["current_department"] in filter.current_departments)
            and (not filter.attributed or row["attributed"])
            and (not filter.transferred or row["transfer_count"] > 0)
            and (not filter.unanswered or row["unanswered_since"] is not None)
            and (not filter.bot_to_human or row["bot_to_human"])
            and (not filter.channel_switched or " " in row["channels"])
        )

    def values(row: Row) -> tuple[str, str]:
        return ContactState.Name(row["state"]), row["channel"]

    groups = (CONTACT_BY_STATE, CONTACT_BY_CHANNEL)
    return Asked(contacts, contacts.VIEW, filter, holds, lambda row: (-row["opened_time"], -row["first"]), groups, values)


def _promises(filter: PromiseFilter) -> Asked:
    def holds(row: Row) -> bool:
        return (
            (not filter.states or row["state"] in filter.states)
            and (not filter.overdue or (row["state"] == 1 and row["due_time"] < EVALUATED))
            and (not filter.undated or row["due_time"] == MAX)
            and (not filter.HasField("due_before") or row["due_time"] < filter.due_before.seconds * 1_000_000)
            and (not filter.owner_departments or _owner(row) in filter.owner_departments)
            and (not (filter.response_targets and filter.kinds) or row["kind"] in filter.kinds)
        )

    def _owner(row: Row) -> str:
        return str(row["department"] if filter.response_targets else row["owner_department"])

    def values(row: Row) -> tuple[str, str]:
        return PromiseState.Name(row["state"]), _owner(row)

    view = promises.TARGETS if filter.response_targets else promises.VIEW
    groups = (PROMISE_BY_STATE, PROMISE_BY_OWNER)
    return Asked(promises, view, filter, holds, lambda row: (row["due_time"], row["first"], row["key"]), groups, values)


true = st.sampled_from((None, None, None, True))
departments = st.sampled_from(([], [], [], ["north"], ["south"], ["north", "south"]))


def _states(last: int) -> st.SearchStrategy[list[int]]:
    return st.just([]) | st.just([]) | st.lists(st.integers(1, last), min_size=1, max_size=3, unique=True)


filters = st.one_of(
    st.builds(
        HandoffFilter,
        states=_states(6),
        pending=true,
        hands=departments,
        overdue=true,
        incomplete=true,
        request_id=st.sampled_from(("", "", "", "r-1", "r-7")),
    ).map(_handoffs),
    st.builds(RequestFilter, states=_states(8), open=true, orphaned=true, owner_departments=departments, reopened=true).map(
        _requests
    ),
    st.builds(ContactFilter, states=_states(5), channels=st.sampled_from(([], [], ["phone"]))).map(_contacts),
    st.builds(
        ContactFilter,
        current_departments=departments,
        attributed=true,
        transferred=true,
        unanswered=true,
        bot_to_human=true,
        channel_switched=true,
    ).map(_contacts),
    st.builds(
        PromiseFilter,
        states=_states(8),
        overdue=true,
        owner_departments=departments,
        due_before=st.sampled_from((None, None, timestamp(at(7)))),
    ).map(_promises),
    st.builds(PromiseFilter, states=_states(8), undated=true).map(_promises),
    st.builds(PromiseFilter, states=_states(8), overdue=true, owner_departments=departments, response_targets=st.just(True)).map(
        _promises
    ),
    st.builds(PromiseFilter, kinds=st.just(["next_response"]), response_targets=st.just(True)).map(_promises),
)
FAMILIES = {"contacts": [CONTACTS], "requests": [REQUESTS], "handoffs": [HANDOFFS], "promises": [PROMISES], "targets": [CONTACTS]}
questions = filters.flatmap(lambda asked: st.tuples(st.just(asked), histories(FAMILIES[asked.view.name])))
subjects = st.sampled_from((None, None, None, [b"\1" * 16], [b"\1" * 16, b"\2" * 16]))


def _expected(
    asked: Asked, history: Sequence[Event], known: int, before: int | None, of: Sequence[bytes] | None
) -> list[tuple[str, Row]]:
    """Return stream and row of what the list must show, in its order."""
    first = {event.stream: event.position for event in reversed(history)}
    found = []
    for (stream, key), values in folded_rows(asked.view, history, known, before).items():
        row = dict(zip(asked.view.table.names, values, strict=True)) | {"stream": stream, "key": key, "first": first[stream]}
        if asked.holds(row) and (of is None or row["party" if "party" in row else "subject"] in of):
            found.append((stream, row))
    return sorted(found, key=lambda one: asked.order(one[1]))


def _id(asked: Asked, stream: str, row: Row) -> str:
    if asked.module is handoffs:
        return f"{stream.removeprefix('request-')}/{row['handoff_id']}"
    if asked.view is promises.TARGETS and row["message_event_id"]:
        return f"next-response-{UUID(bytes=row['message_event_id'])}"
    return ("response-" if asked.view is promises.TARGETS else "") + stream.partition("-")[2]


def _id_of(asked: Asked, message: Any) -> str:
    if asked.module is handoffs:
        return f"{message.request_id}/{message.handoff_id}"
    return str(next(getattr(message, name) for name in ("contact_id", "request_id", "promise_id") if _is_id(asked, name)))


def _is_id(asked: Asked, name: str) -> bool:
    return name == {contacts: "contact_id", requests: "request_id", promises: "promise_id"}[asked.module]


@given(question=questions, of=subjects, size=st.sampled_from((1, 2, 50)), data=st.data())
def test_pages_hold_what_the_folds_say_in_order(
    question: tuple[Asked, list[Event]], of: list[bytes] | None, size: int, data: st.DataObject
) -> None:
    asked, history = question
    views = FoldedViews(history)
    known = data.draw(st.integers(0, len(history)) | st.integers(len(history) - 5, len(history)))
    before = data.draw(instants_of(history))

    found: list[Any] = []
    after = None
    while True:
        page, after = asked.module.page(views.read(known, before, EVALUATED), asked.filter, size, after, of)
        found.extend(page)
        if after is None:
            break

    expected = _expected(asked, history, known, before, of)
    assert [_id(asked, *one) for one in expected] == [_id_of(asked, one) for one in found]
    assert [row["state"] for _, row in expected] == [one.state for one in found]


@given(question=questions, of=subjects, data=st.data())
def test_counts_are_those_of_the_folds(question: tuple[Asked, list[Event]], of: list[bytes] | None, data: st.DataObject) -> None:
    asked, history = question
    views = FoldedViews(history)
    known = data.draw(st.integers(0, len(history)) | st.integers(len(history) - 5, len(history)))
    before = data.draw(instants_of(history))

    counted = asked.module.count(views.read(known, before, EVALUATED), asked.filter, asked.groups, of)

    expected = Counter(asked.values(row) for _, row in _expected(asked, history, known, before, of))
    assert expected == {tuple(row.values): row.count for row in counted.rows}
    assert expected.total() == counted.total


@given(question=questions, of=subjects, after=st.integers(0, 40))
def test_changes_are_what_is_in_the_list_or_left_it_at_each_position(
    question: tuple[Asked, list[Event]], of: list[bytes] | None, after: int
) -> None:
    asked, history = question
    views = FoldedViews(history)

    changes = asked.module.changed(views.read(None, None, EVALUATED), after, asked.filter, of)

    found = [(position, _id_of(asked, one), one.state) for position, one in changes]
    expected = []
    before: dict[Any, Any] = {}
    for position in range(len(history) + 1):
        now = folded_rows(asked.view, history, position, None)
        listed = {(stream, row["key"]) for stream, row in _expected(asked, history, position, None, of)}
        listed_before = {(stream, row["key"]) for stream, row in _expected(asked, history, position - 1, None, of)}
        for place, values in now.items():
            if before.get(place) != values and place in listed | listed_before and position > after:
                row = dict(zip(asked.view.table.names, values, strict=True))
                expected.append((position, _id(asked, place[0], row), row["state"]))
        before = now
    assert sorted(expected) == sorted(found)
    assert [position for position, *_ in found] == sorted(position for position, *_ in found)
