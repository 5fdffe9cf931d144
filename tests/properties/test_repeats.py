"""Repeat contacts at any position and time are those of the definition, looked for one pair at a time among the folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
import sqlite_utils
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import ContactAbandoned, ContactEnded, ContactMade, ContactReceived
from ledger.api.v1.core_pb2 import ObjectReference
from ledger.api.v1.repetition_pb2 import RepeatFilter
from ledger.api.v1.request_pb2 import ContactLinked, RequestClosed, RequestMerged, RequestOpened, RequestResumed, RequestWaiting
from ledger.event import Event
from ledger.rules import FAMILIES
from ledger.rules.fold import state_at
from projections import contacts, listing, repeat_list, repeats, request_rows
from projections.identities import IdentitiesView
from projections.repeats import SAME_OBJECT, SAME_PARTY, SAME_REASON, SAME_REQUEST
from projections.view import MAX, Read
from tests.build import MINUTE, at, timestamp
from tests.folded import FoldedViews, belonging, folded_rows
from tests.histories import Draws, Move, histories, instants_of

ONE, TWO = b"\1" * 16, b"\2" * 16
WINDOW = 3 * MINUTE


def _contact(d: Draws) -> str:
    return str(d.of("c-1", "c-2", "c-3", "c-4", "c-5"))


def _request(d: Draws) -> str:
    return str(d.of("r-1", "r-2"))


def _received(d: Draws) -> Any:
    return ContactReceived(
        contact_id=_contact(d), reason=d.of("billing", "moving", "unknown"), reply_to=d.of("", "", "", "c-5", "c-1")
    )


CONTACTS: tuple[Move, ...] = (
    _received,
    *[_received] * 5,
    lambda d: ContactMade(contact_id="c-5", reached=d.of(1)),
    lambda d: ContactEnded(contact_id=_contact(d), reason=d.of("", "billing"), request_ids=d.of([], ["r-1"])),
    lambda d: ContactAbandoned(contact_id=_contact(d)),
)
REQUESTS: tuple[Move, ...] = (
    *[
        lambda d: RequestOpened(
            request_id=_request(d),
            contact_id=_contact(d),
            objects=d.of([], [ObjectReference(type="order", value_mark=d.of(b"a", b"b"))]),
        )
    ]
    * 3,
    *[lambda d: ContactLinked(request_id=_request(d), contact_id=_contact(d))] * 3,
    lambda d: RequestWaiting(request_id=_request(d), waiting_for=d.of(1, 1, 2)),
    lambda d: RequestResumed(request_id=_request(d)),
    lambda d: RequestMerged(request_id="r-2", into_request_id="r-1"),
    lambda d: RequestClosed(request_id=_request(d), outcome=d.of(1)),
)


class One(NamedTuple):
    """A contact as the folds have it."""

    id: str
    first: int
    subject: bytes
    received: int
    ended: int
    reason: str
    requests: frozenset[str]
    objects: frozenset[str]
    answers_us: bool


def _ones(history: Sequence[Event], known: int, before: int | None) -> list[One]:
    first = {event.stream: event.position for event in reversed(history)}
    rows = {
        stream.removeprefix("contact-"): dict(zip(contacts.TABLE.names, values, strict=True))
        for (stream, _), values in folded_rows(contacts.VIEW, history, known, before).items()
    }
    of_requests = {
        stream.removeprefix("request-"): dict(zip(request_rows.TABLE.names, values, strict=True))
        for (stream, _), values in folded_rows(request_rows.VIEW, history, known, before).items()
    }

    def one(contact_id: str, row: dict[str, Any]) -> One:
        named = {name for name, request in of_requests.items() if contact_id in request["contact_ids"].split()}
        named.update(row["request_ids"].split())
        known_ones = [name for name in named if name in of_requests]
        replies = row["reply_to"] in rows and rows[row["reply_to"]]["outbound"]
        asked = any(_waited(history, known, name, row["opened_time"]) for name in known_ones)
        return One(
            id=contact_id,
            first=first[f"contact-{contact_id}"],
            subject=row["subject"],
            received=row["opened_time"],
            ended=max(row["opened_time"], row["ended_time"] or 0),
            reason=row["reason"],
            requests=frozenset(of_requests.get(name, {}).get("merged_into_request_id") or name for name in named),
            objects=frozenset(mark for name in known_ones for mark in of_requests[name]["object_marks"].split()),
            answers_us=bool(replies or asked),
        )

    found = [one(contact_id, row) for contact_id, row in rows.items() if not row["outbound"]]
    return sorted(found, key=lambda each: (each.received, each.first))


def _waited(history: Sequence[Event], known: int, request_id: str, instant: int) -> bool:
    stream = f"request-{request_id}"
    state: Any = state_at(FAMILIES["request"], belonging(stream, history), known, instant, stream)
    return state is not None and state.state == 2 and state.waiting_for == 1


def _rules(one: One, other: One) -> int:
    return (
        SAME_REASON * (one.reason == other.reason and one.reason not in ("", "unknown"))
        + SAME_OBJECT * bool(one.objects & other.objects)
        + SAME_REQUEST * bool(one.requests & other.requests)
    )


def _repeats(one: One, earlier: One, joined: bool, any_reason: bool) -> int:
    """Return by which rules a contact repeats one received before it."""
    if one.answers_us or (one.subject != earlier.subject and not joined) or one.received - earlier.ended > WINDOW:
        return 0
    return SAME_PARTY if any_reason else _rules(one, earlier)


questions = st.tuples(histories([CONTACTS, REQUESTS]), st.booleans(), st.booleans())


@given(question=questions, data=st.data())
def test_repeats_are_those_of_the_definition_at_any_position_and_time(
    question: tuple[list[Event], bool, bool], data: st.DataObject
) -> None:
    history, joined, any_reason = question
    views = _views(history, joined)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    before = data.draw(instants_of(history))
    low, high = sorted((data.draw(st.integers(0, 12)), data.draw(st.integers(0, 13))))

    found = repeats.of_period(views.read(known, before), at(low), at(high), WINDOW, any_reason)

    ones = _ones(history, known, before)
    inside = [one for one in ones if at(low) <= one.received < at(high)]
    expected = []
    for one in inside:
        of = [(each, _repeats(one, each, joined, any_reason)) for each in ones[: ones.index(one)]]
        matching = [(each, rules) for each, rules in of if rules]
        if matching:
            expected.append((one.first, matching[-1][0].first, matching[-1][1]))
    assert len(inside) == found.contact_count
    assert expected == [(each.entity, each.of_entity, each.rules) for each in found.repeats]


@given(question=questions, data=st.data())
def test_a_contact_is_followed_by_the_first_one_that_repeats_it(
    question: tuple[list[Event], bool, bool], data: st.DataObject
) -> None:
    history, joined, any_reason = question
    views = _views(history, joined)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    before = data.draw(instants_of(history))
    low, high = sorted((data.draw(st.integers(0, 12)), data.draw(st.integers(0, 13))))

    found = repeats.first_after(views.read(known, before), at(low), at(high), WINDOW, any_reason)

    ones = _ones(history, known, before)
    expected = {}
    for number, one in enumerate(ones):
        after = [each for each in ones[number + 1 :] if _repeats(each, one, joined, any_reason)]
        if at(low) <= one.received < at(high) and after:
            expected[one.first] = after[0].first
    assert expected == {of: each.entity for of, each in found.items()}


@given(question=questions, data=st.data())
def test_the_repeats_of_a_customer_are_those_of_everybody_that_are_the_customers(
    question: tuple[list[Event], bool, bool], data: st.DataObject
) -> None:
    history, joined, any_reason = question
    views = _views(history, joined)
    known = data.draw(st.integers(0, len(history)) | st.just(len(history)))
    read = views.read(known, data.draw(instants_of(history)))

    everybody = repeats.of_period(read, at(0), at(13), WINDOW, any_reason).repeats
    of_one = repeats.of_period(read, at(0), at(13), WINDOW, any_reason, frozenset({ONE})).repeats

    assert [one for one in everybody if joined or one.row.party == ONE] == list(of_one)


@given(question=questions, limit=st.integers(1, 3), data=st.data())
def test_pages_of_repeats_are_the_list_cut_in_pieces_and_count_alike(
    question: tuple[list[Event], bool, bool], limit: int, data: st.DataObject
) -> None:
    history, joined, any_reason = question
    read = _views(history, joined).read(
        data.draw(st.just(len(history)) | st.integers(0, len(history))), data.draw(instants_of(history))
    )
    filter = RepeatFilter(any_reason=any_reason, reasons=data.draw(st.sampled_from([[], ["billing", "moving"]])))
    filter.window.FromMicroseconds(WINDOW)
    if data.draw(st.booleans()):
        filter.from_time.CopyFrom(timestamp(at(data.draw(st.integers(0, 6)))))
    everything = [one for _, one in _filtered(read, filter) if one is not None]

    pages, after = [], None
    with pytest.MonkeyPatch.context() as patch:
        # So few that most pages need several stretches.
        patch.setattr(repeat_list, "CONTACTS_AT_ONCE", 1)
        while not pages or (after is not None and len(pages) <= len(everything)):
            page, after = repeat_list.page(read, filter, limit, after)
            pages.append(page)

    assert [listing.instant(one.received) for one in everything] == [one.received_time for page in pages for one in page.repeats]
    ids = listing.ids_of(read, {number for one in everything for number in (one.entity, one.of_entity)})
    assert [(ids[one.entity], ids[one.of_entity]) for one in everything] == [
        (one.contact_id, one.repeated_contact_id) for page in pages for one in page.repeats
    ]
    assert {(len(everything), len(_filtered(read, filter)))} == {(page.repeat_count, page.contact_count) for page in pages}


def _filtered(read: Read, filter: RepeatFilter) -> list[tuple[repeats.ContactRow, repeats.Repeat | None]]:
    low = filter.from_time.ToMicroseconds() if filter.HasField("from_time") else -(2**61)
    found = repeats.each(read, low, MAX, WINDOW, filter.any_reason, None)
    return [(row, one) for row, one in found if not filter.reasons or row.reason in filter.reasons]


def _views(history: list[Event], joined: bool) -> FoldedViews:
    views = FoldedViews(history)
    IdentitiesView().create_tables(sqlite_utils.Database(views.db))
    if joined:
        views.db.executemany("INSERT INTO identity_member VALUES (?, ?, 0, NULL)", [(ONE, ONE), (TWO, ONE)])
        views.db.executemany("INSERT INTO identity_subject VALUES (?, 'phone', 0, 0)", [(ONE,), (TWO,)])
    return views
