"""The sync and the aio client against the real server: what is written, refused, read back and followed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.python import (
    AlreadyExistsError,
    InvalidError,
    MoveNotAllowedError,
    NotRecordedError,
    ReferenceUnknownError,
    RevisionMismatchError,
    TokenError,
    event,
    group,
    identifier,
    new_id,
)
from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.contact_pb2 import ANSWERED_BY_HUMAN, ContactAnswered, ContactEnded, ContactQueued, ContactReceived, NoteAdded
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.request_pb2 import RequestOpened, RequestResumed
from tests.both_clients import Both
from tests.server_process import Server

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(shared_server: Server, both: Both) -> Any:
    return both(shared_server.target)


def name(prefix: str = "c") -> str:
    """Return an id that no other test uses."""
    return f"{prefix}-{new_id()}"


def received(contact_id: str, **fields: Any) -> EventToAppend:
    return event(ContactReceived(contact_id=contact_id, reason="delivery", **fields), channel="email", department="service")


# Writing


def test_an_appended_event_is_read_back_as_it_was_written(client: Any) -> None:
    written = received(name(), customer=identifier("email:a@example.org"), body="Where is my parcel?")

    [appended] = client.append(written)
    found = client.get_event(appended.event_id)

    assert written.envelope.event_id == appended.event_id
    assert (1, False) == (appended.revision, appended.duplicate)
    assert (appended.position, appended.stream) == (found.position, found.stream)
    assert written.envelope.occur_time == found.envelope.occur_time
    assert "Where is my parcel?" == found.payload.contact_received.body


def test_appending_the_same_event_again_returns_where_it_stands(client: Any) -> None:
    written = received(name())

    [first] = client.append(written)
    [second] = client.append(written)

    assert first.position == second.position
    assert second.duplicate


def test_a_group_is_recorded_whole_over_several_streams(client: Any) -> None:
    contact_id, request_id = name(), name("r")

    appended = client.append(
        received(contact_id),
        event(RequestOpened(request_id=request_id, contact_id=contact_id, reason="delivery"), department="service"),
        expectations={f"contact-{contact_id}": "new", f"request-{request_id}": 0},
    )

    assert [f"contact-{contact_id}", f"request-{request_id}"] == [one.stream for one in appended]
    assert appended[0].position + 1 == appended[1].position


def test_a_group_with_a_refused_event_leaves_nothing(client: Any) -> None:
    contact_id = name()
    first = received(contact_id)

    with pytest.raises(MoveNotAllowedError):
        client.append(
            first,
            event(ContactEnded(contact_id=contact_id), department="service"),
            event(ContactQueued(contact_id=contact_id, queue="q"), department="service"),
        )

    with pytest.raises(NotRecordedError):
        client.get_event(first.envelope.event_id)


def test_groups_fail_alone_and_their_results_stand_in_order(client: Any) -> None:
    one, unknown, other = name(), name(), name()

    results = client.append_groups(
        [group(received(one)), group(event(NoteAdded(contact_id=unknown, text="x"))), group(received(other))]
    )

    assert [None, ReferenceUnknownError, None] == [result.error and type(result.error) for result in results]
    assert f"contact-{other}" == results[2].get()[0].stream


REFUSALS: dict[str, tuple[type[Exception], str, Callable[[str], tuple[list[EventToAppend], dict[str, Any]]]]] = {
    "a revision that is not there": (RevisionMismatchError, "REVISION_MISMATCH", lambda c: ([received(c)], {f"contact-{c}": 3})),
    "a stream that is not new": (
        RevisionMismatchError,
        "REVISION_MISMATCH",
        lambda c: ([received(c), event(NoteAdded(contact_id=c, text="x"))], {"policy-default-1": "new"}),
    ),
    "an event of a stream without opener": (
        ReferenceUnknownError,
        "REFERENCE_UNKNOWN",
        lambda c: ([event(RequestResumed(request_id=c))], {}),
    ),
    "a malformed id": (InvalidError, "ID_MALFORMED", lambda c: ([received("not an id")], {})),
    "a malformed channel": (
        InvalidError,
        "CODE_MALFORMED",
        lambda c: ([event(ContactReceived(contact_id=c, reason="delivery"), channel="E-Mail")], {}),
    ),
    "a missing reason": (InvalidError, "FIELD_REQUIRED", lambda c: ([event(ContactReceived(contact_id=c))], {})),
    "a time far in the future": (
        InvalidError,
        "TIME_OUT_OF_RANGE",
        lambda c: ([event(ContactReceived(contact_id=c, reason="delivery"), occur_time=datetime.now(UTC) + HOUR)], {}),
    ),
    "an oversize text": (InvalidError, "TEXT_TOO_LONG", lambda c: ([received(c, body="x" * 70_000)], {})),
    "an impossible address": (
        InvalidError,
        "IDENTIFIER_INVALID",
        lambda c: ([received(c, customer=identifier("email:nobody"))], {}),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_raised_as_its_class(client: Any, case: str) -> None:
    kind, reason, build = REFUSALS[case]
    events, expectations = build(name())

    with pytest.raises(kind) as raised:
        client.append(*events, expectations=expectations)

    assert reason == raised.value.reason  # type: ignore[attr-defined]


def test_a_refusal_names_the_field_at_fault(client: Any) -> None:
    with pytest.raises(InvalidError) as raised:
        client.append(received(name()), received(name(), body="x" * 70_000))

    assert any(violation.field.endswith("contact_received.body") for violation in raised.value.violations)


def test_an_id_used_for_something_else_is_refused(client: Any) -> None:
    event_id = new_id()
    client.append(event(ContactReceived(contact_id=name(), reason="delivery"), event_id=event_id))

    with pytest.raises(AlreadyExistsError):
        client.append(event(ContactReceived(contact_id=name(), reason="delivery"), event_id=event_id))


def test_more_events_than_a_call_can_hold_are_appended_in_order(client: Any) -> None:
    contact_id = name()
    groups = [group(received(contact_id)), *(group(event(NoteAdded(contact_id=contact_id, text="x" * 900))) for _ in range(1500))]

    results = client.append_groups(groups)

    assert list(range(1, 1502)) == [result.get()[0].revision for result in results]


# Reading the log


def test_the_log_is_read_in_order_from_a_position_to_the_head(client: Any) -> None:
    written = [received(name()) for _ in range(5)]
    first = client.append(*written)[0].position

    found = list(client.read_events(first))

    assert [one.envelope.event_id for one in written] == [one.envelope.event_id for one in found[:5]]
    assert list(range(first, first + len(found))) == [one.position for one in found]


def test_a_filter_leaves_out_what_was_not_asked_for(client: Any) -> None:
    contact_id = name()
    client.append(received(contact_id), event(NoteAdded(contact_id=contact_id, text="x")))

    found = client.read_events(topics="note-added", stream=f"contact-{contact_id}")

    assert ["note-added"] == [one.topic for one in found]


def test_a_position_is_found_by_time(client: Any) -> None:
    position = client.append(received(name()))[0].position
    recorded = client.get_event(position=position).record_time.ToDatetime(UTC)

    assert client.position_at(recorded) >= position
    assert 0 == client.position_at(datetime(2000, 1, 1, tzinfo=UTC))


def test_what_is_not_recorded_is_said(client: Any) -> None:
    with pytest.raises(NotRecordedError):
        client.get_event(uuid.uuid4())
    with pytest.raises(NotRecordedError):
        list(client.read_events(10**9))


def test_a_subscription_gives_what_is_there_and_what_comes(client: Any) -> None:
    contact_id = name()
    start = client.append(received(contact_id))[0].position
    texts: list[str] = []

    with client.subscribe(start - 1, stream=f"contact-{contact_id}") as followed:
        for change in followed.changes():
            if change.mark == "caught_up":
                client.append(event(NoteAdded(contact_id=contact_id, text="came later")))
            elif change.item is not None:
                texts.append(change.item.payload.note_added.text)
            if len(texts) == 2:
                break

    assert ["", "came later"] == texts


# Batching


def test_life_cycles_go_through_a_batcher_without_a_refusal(client: Any) -> None:
    contacts = [name() for _ in range(60)]
    moves = [
        lambda c: received(c),
        lambda c: event(ContactQueued(contact_id=c, queue="q"), department="service"),
        lambda c: event(ContactAnswered(contact_id=c, answered_by=ANSWERED_BY_HUMAN), department="service"),
        lambda c: event(RequestOpened(request_id=f"r-{c}", contact_id=c), department="service"),
        lambda c: event(ContactEnded(contact_id=c), department="service"),
    ]

    with client.batcher(max_events=7, in_flight=4) as batcher:
        futures = [batcher.add(move(contact_id)) for move in moves for contact_id in contacts]

    assert [] == [str(future.exception()) for future in futures if future.exception() is not None]
    positions = [future.result().position for future in futures]
    assert all(positions[number] < positions[number + 60] for number in range(240))


# Reading the views


def test_a_client_sees_what_it_wrote(client: Any) -> None:
    address = f"{new_id()}@example.org"
    for count in range(1, 6):
        client.append(received(name(), customer=identifier(("email", address))))

        entries = list(client.history(("email", address)))

        assert count == len(entries)


def test_another_client_sees_it_too_when_it_is_given_the_token(client: Any, shared_server: Server, both: Both) -> None:
    address = f"{new_id()}@example.org"
    other = both(shared_server.target, consistency="any")
    [appended] = client.append(received(name(), customer=identifier(("email", address))))

    found = other.history(("email", address), consistency=client.token)

    assert found.read_at.position >= appended.position
    assert 1 == len(list(found))


def test_a_token_that_is_none_is_refused(client: Any) -> None:
    with pytest.raises(TokenError):
        list(client.history("email:a@example.org", consistency=LedgerToken(value="nonsense")))


def test_a_history_is_walked_over_its_pages_as_of_the_first(client: Any) -> None:
    address = ("email", f"{new_id()}@example.org")
    written = [client.append(received(name(), customer=identifier(address)))[0] for _ in range(7)]

    pages = client.history(address, page_size=3, oldest_first=True)
    at = pages.read_at.position
    found = []
    for entry in pages:
        if not found:
            client.append(received(name(), customer=identifier(address)))
        found.append(entry.event.envelope.event_id)

    assert at >= written[-1].position
    assert [one.event_id for one in written] == found


def test_the_past_is_asked_by_position_and_by_when_it_was_recorded(client: Any) -> None:
    address = ("email", f"{new_id()}@example.org")
    first, second = (client.append(received(name(), customer=identifier(address)))[0].position for _ in range(2))
    recorded = client.get_event(position=first).record_time.ToDatetime(UTC)

    assert 1 == len(list(client.history(address, as_of=first)))
    assert 2 == len(list(client.history(address, as_of=second)))
    assert 1 <= len(list(client.history(address, as_of=recorded)))
    assert 0 == len(list(client.history(address, as_of=first - 1)))
