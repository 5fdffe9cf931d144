from __future__ import annotations

import pytest

from clients.python import InvalidError, event, group
from clients.python.core.appending import Again, Piece, pieces
from clients.python.errors import MoveNotAllowedError, UnavailableError
from ledger.api.v1.contact_pb2 import NoteAdded
from ledger.api.v1.ledger_service_pb2 import Appended, AppendRequest, AppendResponse, EventGroup, GroupResult, Lane
from tests.fault_server import status

REFUSED = GroupResult(error=status("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED"))
PASSING = GroupResult(error=status("UNAVAILABLE", "VAULT_UNAVAILABLE"))


def groups(count: int, events: int = 1, text: str = "x") -> list[EventGroup]:
    return [group(*[event(NoteAdded(contact_id=f"c-{number}", text=text)) for _ in range(events)]) for number in range(count)]


def recorded(position: int, *, duplicate: bool = False) -> GroupResult:
    return GroupResult(appended=[Appended(position=position, duplicate=duplicate)])


def sent(piece: Piece) -> int:
    assert isinstance(piece.call.request, AppendRequest)
    return len(piece.call.request.groups)


def test_every_result_stands_where_its_group_stood() -> None:
    piece = Piece(groups(3), "interactive")

    results = piece.call.take(AppendResponse(results=[recorded(1), REFUSED, recorded(2)]))

    assert [1, None, 2] == [result.appended[0].position if result.appended else None for result in results]
    assert isinstance(results[1].error, MoveNotAllowedError)


def test_a_group_that_failed_in_passing_and_all_behind_it_are_asked_for_again() -> None:
    piece = Piece(groups(4), "interactive")

    with pytest.raises(Again):
        piece.call.take(AppendResponse(results=[recorded(1), PASSING, recorded(2), REFUSED]))
    again = sent(piece)
    results = piece.call.take(AppendResponse(results=[recorded(3), recorded(2, duplicate=True), recorded(4)]))

    assert 3 == again
    assert [1, 3, 2, 4] == [result.appended[0].position for result in results]
    assert not any(result.appended[0].duplicate for result in results)


def test_giving_up_keeps_what_was_recorded() -> None:
    piece = Piece(groups(3), "interactive")
    with pytest.raises(Again):
        piece.call.take(AppendResponse(results=[recorded(1), PASSING, recorded(2)]))

    results = piece.given_up(UnavailableError("VAULT_UNAVAILABLE", "no"))

    assert [1, None, 2] == [result.appended[0].position if result.appended else None for result in results]
    assert piece.failed is not None


def test_a_result_gives_its_events_or_raises() -> None:
    good, bad = Piece(groups(2), "bulk").call.take(AppendResponse(results=[recorded(1), REFUSED]))

    assert 1 == good.get()[0].position
    with pytest.raises(MoveNotAllowedError):
        bad.get()


def test_the_lane_is_asked_for() -> None:
    assert Lane.BULK == Piece(groups(1), "bulk").call.request.lane  # type: ignore[attr-defined]
    with pytest.raises(InvalidError, match="bulk"):
        Piece(groups(1), "fast")  # type: ignore[arg-type]


def test_groups_are_cut_by_count() -> None:
    assert [2, 2, 1] == [sent(piece) for piece in pieces(groups(5, 400), "interactive")]


def test_groups_are_cut_by_bytes_below_the_limit_of_the_ledger() -> None:
    cut = list(pieces(groups(40, text="x" * 60_000), "interactive"))

    assert 3 == len(cut)
    assert all(piece.call.request.ByteSize() < 1_000_000 for piece in cut)
    assert 40 == sum(sent(piece) for piece in cut)


def test_nothing_to_append_is_no_call() -> None:
    assert [] == list(pieces([], "interactive"))


def test_a_group_too_large_in_bytes_is_refused() -> None:
    with pytest.raises(InvalidError, match="bytes"):
        list(pieces(groups(1, 20, "x" * 60_000), "interactive"))
