from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.contact_pb2 import ContactReceived, NoteAdded
from ledger.api.v1.core_pb2 import DAY, PRECISION_UNSPECIFIED, Precision
from ledger.api.v1.history_service_pb2 import HistoryEntry, HistoryFilter
from ledger.api.v1.identity_pb2 import ENDED, IdentityLinked, IdentityUnlinked
from ledger.event import Event
from projections import history, history_rows
from projections.history import HistoryView
from projections.identities import IdentitiesView, members
from tests.build import at, event, event_id_text, timestamp
from tests.views import Views, identifier, subject

ALL = HistoryFilter()


def note(
    position: int,
    minutes: float,
    whose: str = "anna",
    *,
    contact: str = "c",
    channel: str = "phone",
    department: str = "desk",
    precision: Precision.ValueType = PRECISION_UNSPECIFIED,
) -> Event:
    return event(
        NoteAdded(contact_id=contact, text=f"note {position}"),
        position=position,
        occur=at(minutes),
        subject=subject(whose),
        channel=channel,
        department=department,
        precision=precision,
    )


def contact(position: int, minutes: float, whose: str) -> Event:
    payload = ContactReceived(contact_id=f"c-{position}", customer=identifier(whose), reason="unknown")
    return event(payload, position=position, occur=at(minutes), subject=subject(whose))


def link(position: int, left: str, right: str, valid_from: float | None = None, valid_until: float | None = None) -> Event:
    bounds: dict[str, Timestamp] = {}
    if valid_from is not None:
        bounds["valid_from"] = timestamp(at(valid_from))
    if valid_until is not None:
        bounds["valid_until"] = timestamp(at(valid_until))
    payload = IdentityLinked(left=identifier(left), right=identifier(right), **bounds)  # type: ignore[arg-type]
    return event(payload, position=position, occur=at(position), name=f"link {position}", subject=subject(left))


def unlink_ended(position: int, link_position: int, ended: float) -> Event:
    payload = IdentityUnlinked(
        link_event_id=event_id_text(f"link {link_position}"), unlink_reason=ENDED, ended_at=timestamp(at(ended))
    )
    return event(payload, position=position, occur=at(position))


def views_of(*events: Event, batch_size: int = 1000) -> Views:
    return Views(HistoryView(), IdentitiesView()).apply(events, batch_size)


def positions(entries: list[HistoryEntry]) -> list[int]:
    return [entry.event.position for entry in entries]


def whole(views: Views, *names: str, filter: HistoryFilter = ALL, oldest_first: bool = False, **as_of: Any) -> list[int]:
    """Return the whole history of these subjects, asked page by page, two a page."""
    found: list[int] = []
    after = None
    while True:
        read = views.read(**as_of)
        entries, after = history.page(read, [subject(name) for name in names], filter, oldest_first, 2, after)
        found += positions(entries)
        if after is None:
            return found


def test_a_history_is_in_order_of_time_newest_first_and_of_position_on_a_tie() -> None:
    views = views_of(note(1, 5), note(2, 9), note(3, 1), note(4, 5), note(5, 9, "ben"))

    assert [2, 4, 1, 3] == whole(views, "anna")


def test_a_history_can_be_read_oldest_first() -> None:
    views = views_of(note(1, 5), note(2, 9), note(3, 1), note(4, 5))

    assert [3, 1, 4, 2] == whole(views, "anna", oldest_first=True)


def test_a_coarse_time_stands_at_the_end_of_its_unit() -> None:
    views = views_of(note(1, 5), note(2, 0, precision=DAY))

    assert [2, 1] == whole(views, "anna")


def test_histories_of_several_subjects_are_merged() -> None:
    events = [note(position, position * 7 % 31, ("anna", "ben", "carl")[position % 3]) for position in range(1, 31)]
    views = views_of(*events)

    newest_first = [one.position for one in sorted(events, key=lambda one: -one.order)]
    assert newest_first == whole(views, "anna", "ben", "carl")
    assert newest_first[::-1] == whole(views, "anna", "ben", "carl", oldest_first=True)


def test_nothing_recorded_after_the_position_known_is_seen() -> None:
    views = views_of(note(1, 5), note(2, 9), note(3, 7))

    assert [2, 1] == whole(views, "anna", known=2)
    assert [] == whole(views, "anna", known=0)


def test_only_what_happened_before_the_time_is_seen() -> None:
    views = views_of(note(1, 5), note(2, 9), note(3, 7))

    assert [3, 1] == whole(views, "anna", before=at(9))


def test_a_customer_without_events_has_an_empty_history() -> None:
    assert [] == whole(views_of(note(1, 5)), "nobody")


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (HistoryFilter(channels=["email"]), [2]),
        (HistoryFilter(channels=["email", "phone"]), [4, 2, 1]),
        (HistoryFilter(departments=["returns"]), [3]),
        (HistoryFilter(topics=["contact-received"]), [4]),
        (HistoryFilter(topics=["no-such-topic"]), []),
        (HistoryFilter(channels=["pigeon"]), []),
        (HistoryFilter(channels=["phone"], departments=["returns"]), []),
        (HistoryFilter(occurred_from=timestamp(at(3))), [4, 3]),
        (HistoryFilter(stream="contact-x"), [3, 2]),
        (HistoryFilter(stream="contact-x", channels=["email"]), [2]),
        (HistoryFilter(stream="contact-none"), []),
    ],
)
def test_a_filter_leaves_out_what_it_does_not_name(filter: HistoryFilter, expected: list[int]) -> None:
    received = event(
        ContactReceived(contact_id="y", customer=identifier("anna"), reason="unknown"),
        position=4,
        occur=at(4),
        subject=subject("anna"),
        channel="phone",
        department="desk",
    )
    views = views_of(
        note(1, 1),
        note(2, 2, contact="x", channel="email"),
        note(3, 3, contact="x", channel="chat", department="returns"),
        received,
    )

    assert expected == whole(views, "anna", filter=filter)
    assert expected[::-1] == whole(views, "anna", filter=filter, oldest_first=True)


def test_a_stream_filter_shows_only_the_events_of_the_subjects_asked_for() -> None:
    views = views_of(note(1, 1, "anna", contact="x"), note(2, 2, "ben", contact="x"))

    assert [1] == whole(views, "anna", filter=HistoryFilter(stream="contact-x"))


def test_a_link_stands_in_the_history_of_both_and_once_in_that_of_the_joined_customer() -> None:
    views = views_of(link(1, "anna", "ben"))

    assert [1] == whole(views, "anna")
    assert [1] == whole(views, "ben")
    assert [1] == whole(views, "anna", "ben")


def test_of_an_identifier_linked_from_a_time_on_earlier_events_do_not_count_for_the_customer() -> None:
    views = views_of(note(1, 1, "phone"), note(2, 50, "phone"), link(3, "anna", "phone", valid_from=50), note(4, 60, "phone"))

    assert [4, 2, 3] == whole(views, "anna", "phone")


def test_of_a_reused_number_each_holder_has_the_events_of_their_time() -> None:
    views = views_of(
        link(1, "anna", "phone"),
        note(2, 10, "phone"),
        unlink_ended(3, 1, ended=20),
        note(4, 15, "ben"),
        note(5, 30, "phone"),
        link(24, "ben", "phone", valid_from=20),
    )

    assert [subject("anna")] == members(views.read(), subject("anna"))
    assert [2, 1] == whole(views, "anna")
    assert {subject("ben"), subject("phone")} == set(members(views.read(), subject("phone")))
    assert [5, 24, 4] == whole(views, "ben", "phone")


def test_of_a_number_nobody_took_over_the_events_of_its_former_holder_are_not_its_own() -> None:
    views = views_of(link(1, "anna", "phone"), note(2, 10, "phone"), unlink_ended(3, 1, ended=20), note(4, 30, "phone"))

    assert [4] == whole(views, "phone")


def test_what_an_unlink_gives_and_takes_is_known_from_its_position_on() -> None:
    views = views_of(link(1, "anna", "phone"), note(2, 10, "phone"), note(3, 30, "phone"), unlink_ended(4, 1, ended=20))

    assert [3, 2, 1] == whole(views, "anna", "phone", known=3)
    assert [2, 1] == whole(views, "anna", known=4)


def test_an_event_that_changes_nothing_is_marked() -> None:
    views = views_of(note(1, 1), note(2, 2))
    views.mark_without_effect(1)

    entries, _ = history.page(views.read(), [subject("anna")], ALL, True, 10, None)

    assert [True, False] == [entry.without_effect for entry in entries]


def test_an_entry_holds_the_event_as_recorded() -> None:
    views = views_of(note(1, 5))

    ((entry,), _) = history.page(views.read(), [subject("anna")], ALL, False, 10, None)

    assert "note 1" == entry.event.payload.note_added.text
    assert timestamp(at(5)) == entry.event.envelope.occur_time


@pytest.mark.parametrize("recent_positions", [0, 2_000])
def test_changes_are_the_events_recorded_after_a_position_in_order_of_record(
    recent_positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "RECENT_POSITIONS", recent_positions)
    views = views_of(note(1, 9), note(2, 8), note(3, 7, "ben"), note(4, 6, channel="email"), note(5, 5), note(6, 4, contact="x"))
    anna = [subject("anna")]

    def changed(filter: HistoryFilter = ALL, limit: int = 500) -> list[int]:
        return [position for position, _ in history.changed(views.read(), 1, anna, filter, limit)]

    assert [2, 4, 5, 6] == changed()
    assert [2, 4] == changed(limit=2)
    assert [2, 5, 6] == changed(HistoryFilter(channels=["phone"]))
    assert [6] == changed(HistoryFilter(stream="contact-x"))
    assert [] == changed(HistoryFilter(channels=["pigeon"]))


def test_contacts_are_counted_as_of_any_position_and_time() -> None:
    views = views_of(contact(1, 1, "phone"), contact(2, 9, "anna"), note(3, 5, "anna"), contact(4, 7, "anna"))
    both = [subject("anna"), subject("phone")]

    assert 3 == history.contact_count(views.read(), both)
    assert 2 == history.contact_count(views.read(known=3), both)
    assert 2 == history.contact_count(views.read(before=at(9)), both)
    assert 0 == history.contact_count(views.read(), [subject("nobody")])

    views.apply([link(5, "anna", "phone", valid_from=2)])

    assert 2 == history.contact_count(views.read(), both)
    assert 3 == history.contact_count(views.read(known=4), both)


def test_blocks_of_the_log_are_named_by_their_latest_time_up_to_an_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "BLOCK_BITS", 1)
    monkeypatch.setattr(history_rows, "BLOCK_BITS", 1)
    views = views_of(note(1, 9), note(2, 1), note(3, 5), note(4, 7), note(5, 8), batch_size=1)

    assert [(at(9), 0, 1), (at(8), 4, 5), (at(5), 2, 3)] == list(history_rows.blocks(views.read(), at(60)))
    assert [(at(3), 2, 3)] == list(history_rows.blocks(views.read(), at(3)))
    assert [(at(9), 0, 1), (at(5), 2, 2)] == list(history_rows.blocks(views.read(known=2), at(60)))


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_changes_do_not_depend_on_how_events_fall_into_batches(batch_size: int) -> None:
    events = [
        note(1, 5),
        link(2, "anna", "ben"),
        note(3, 1, "ben"),
        link(4, "carl", "dora"),
        link(5, "dora", "dora"),
        note(6, 2, "x"),
    ]

    apart, together = views_of(*events, batch_size=batch_size), views_of(*events)

    assert together.changes["history"].entries == apart.changes["history"].entries
    tables = ("history", "history_subject", "history_code", "history_block")
    for table in tables:
        assert together.db.execute(f"SELECT * FROM {table}").fetchall() == apart.db.execute(f"SELECT * FROM {table}").fetchall()
