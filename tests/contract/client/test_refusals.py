"""What the sync and the aio client make of refusals, of calls and of single groups, and which freshness they ask for."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from clients.python import ClosedError, InvalidError, MoveNotAllowedError, TokenError, UnavailableError, group
from ledger.api.v1.handoff_service_pb2 import Handoff, HandoffList, ListHandoffsResponse
from tests.fault_server import FaultServer, note, refuse, refuse_groups


def test_a_refused_group_raises_the_class_of_its_reason(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED", 0))

    with pytest.raises(MoveNotAllowedError) as raised:
        client.append(note())

    assert ("MOVE_NOT_ALLOWED", {"stream": "request-1"}) == (raised.value.reason, raised.value.metadata)
    assert 1 == len(server.requests["Append"])


def test_a_refused_group_leaves_the_others_recorded(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("FAILED_PRECONDITION", "MOVE_NOT_ALLOWED", 1))

    results = client.append_groups([group(note("c-1")), group(note("c-2")), group(note("c-3"))])

    assert [None, MoveNotAllowedError, None] == [result.error and type(result.error) for result in results]
    assert ["contact-c-1", "contact-c-3"] == [event.stream for event in server.events]


def test_a_group_that_failed_in_passing_is_sent_again_with_what_follows_it(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse_groups("UNAVAILABLE", "VAULT_UNAVAILABLE", 1))

    results = client.append_groups([group(note("c-1")), group(note("c-2")), group(note("c-3"))])

    assert [None, None, None] == [result.error for result in results]
    assert [3, 2] == [len(request.groups) for request in server.requests["Append"]]
    assert [False, False, False] == [result.appended[0].duplicate for result in results]


def test_too_many_groups_for_one_call_take_several_in_order(server: FaultServer, client: Any) -> None:
    groups = [group(*[note(f"c-{number}") for _ in range(400)]) for number in range(5)]

    results = client.append_groups(groups)

    assert [800, 800, 400] == [sum(len(one.events) for one in request.groups) for request in server.requests["Append"]]
    assert list(range(1, 2001)) == [appended.position for result in results for appended in result.appended]


def test_nothing_after_a_call_that_failed_is_sent(server: FaultServer, client: Any) -> None:
    server.script("Append", refuse("INVALID_ARGUMENT", "FIELD_INVALID"))

    results = client.append_groups([group(*[note() for _ in range(1000)]), group(note())])

    assert [InvalidError, UnavailableError] == [type(result.error) for result in results]
    assert ["FIELD_INVALID", "NOT_SENT"] == [result.error.reason for result in results]
    assert 1 == len(server.requests["Append"])


def test_a_group_that_no_call_can_hold_is_refused_before_anything_is_sent(server: FaultServer, client: Any) -> None:
    with pytest.raises(InvalidError, match="1001 events"):
        client.append_groups([group(note()), group(*[note() for _ in range(1001)])])

    assert [] == server.requests["Append"]


def test_nobody_at_the_target_is_unavailable(server: FaultServer, client: Any) -> None:
    server.stop()

    with pytest.raises(UnavailableError) as raised:
        client.head(timeout_seconds=0.3)

    assert "NO_ANSWER" == raised.value.reason
    assert server.target in str(raised.value)


def test_a_closed_client_says_so(server: FaultServer, client: Any) -> None:
    client.head()
    client.close()

    with pytest.raises(ClosedError):
        client.head()


def test_closing_ends_a_call_that_keeps_being_tried(server: FaultServer, client: Any) -> None:
    server.every_append = refuse("UNAVAILABLE")
    threading.Timer(0.2, client.close).start()

    with pytest.raises(ClosedError):
        client.append(note())


def test_a_token_of_another_ledger_is_raised_once_and_forgotten(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [ListHandoffsResponse()]
    client.append(note())
    server.script("ListHandoffs", refuse("FAILED_PRECONDITION", "TOKEN_OF_OTHER_INCARNATION"))

    with pytest.raises(TokenError):
        list(client.handoffs())
    list(client.handoffs())

    assert server.requests["ListHandoffs"][0].consistency.HasField("at_least")
    assert server.requests["ListHandoffs"][1].consistency.latest


def test_what_was_written_is_asked_for_in_the_next_read(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [ListHandoffsResponse()]

    list(client.handoffs())
    client.append(note())
    client.append(note())
    list(client.handoffs())
    list(client.handoffs(consistency="latest"))
    list(client.handoffs(consistency="any"))

    first, carried, latest, anything = [request.consistency for request in server.requests["ListHandoffs"]]
    assert first.latest
    assert "t-2" == carried.at_least.value
    assert latest.latest
    assert anything.any


def test_pages_are_fetched_as_they_are_walked_and_pinned_by_their_token(server: FaultServer, client: Any) -> None:
    server.handoff_pages = [
        ListHandoffsResponse(result=HandoffList(handoffs=[Handoff(handoff_id="h-1")]), next_page_token="1"),
        ListHandoffsResponse(result=HandoffList(handoffs=[Handoff(handoff_id="h-2"), Handoff(handoff_id="h-3")])),
    ]
    client.append(note())
    server.script("ListHandoffs", refuse("UNAVAILABLE"))

    pages = client.handoffs(pending=True, page_size=1)
    at = pages.read_at.position
    fetched = len(server.requests["ListHandoffs"])
    found = [one.handoff_id for one in pages]

    assert 1 == at
    assert 2 == fetched
    assert ["h-1", "h-2", "h-3"] == found
    last, before = server.requests["ListHandoffs"][-1], server.requests["ListHandoffs"][-2]
    last.ClearField("page_token")
    assert before == last
