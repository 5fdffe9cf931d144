"""Every question of the sync and the aio client, asked of the real server after a small story was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clients.python import AsOf, NotRecordedError, event, identifier, new_id
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import MOVES, Due, Identifier
from ledger.api.v1.handoff_pb2 import HandoffAccepted, HandoffOffered
from ledger.api.v1.handoff_service_pb2 import HANDOFF_STATE_ACCEPTED, HANDOFF_STATE_OFFERED
from ledger.api.v1.identity_pb2 import IdentityLinked
from ledger.api.v1.promise_pb2 import PromiseKept, PromiseMade
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_KEPT, PROMISE_STATE_OPEN
from ledger.api.v1.request_pb2 import RequestOpened
from tests.both_clients import Both
from tests.server_process import Server


@pytest.fixture(params=["sync", "aio"])
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    both = Both(request.param)
    yield both
    both.close()


@pytest.fixture
def client(shared_server: Server, both: Both) -> Any:
    return both(shared_server.target, consistency="latest")


@dataclass
class Story:
    """A customer writes, wants something, it is offered to another department, and something is promised."""

    customer: Identifier
    contact_id: str
    request_id: str
    handoff_id: str
    promise_id: str
    department: str
    position: int

    @property
    def only(self) -> dict[str, Any]:
        return {"customer": self.customer}


@pytest.fixture
def story(client: Any) -> Story:
    mark = new_id()
    customer = identifier(("email", f"{mark}@example.org"))
    names = [f"{prefix}-{mark}" for prefix in ("c", "r", "h", "p")]
    told = Story(customer, *names, department=f"d_{mark.replace('-', '')}"[:40], position=0)
    due = Due(instant=datetime.now(UTC) + timedelta(days=1))
    appended = client.append(
        event(
            ContactReceived(contact_id=names[0], customer=customer, reason="delivery", body=f"Où est mon colis {mark[-12:]} ?"),
            channel="email",
            department="service",
        ),
        event(RequestOpened(request_id=names[1], contact_id=names[0], owner_department="service"), department="service"),
        event(
            HandoffOffered(
                request_id=names[1],
                handoff_id=names[2],
                from_department="service",
                to_department=told.department,
                ownership=MOVES,
            ),
            department="service",
        ),
        event(
            PromiseMade(promise_id=names[3], kind="call_back_soon", request_id=names[1], contact_id=names[0], due=due),
            department="service",
        ),
    )
    told.position = appended[-1].position
    return told


def test_the_card_shows_what_is_open(client: Any, story: Story) -> None:
    answer = client.card(story.customer)

    card = answer.result
    assert [story.promise_id] == [one.promise_id for one in card.promises]
    assert [story.handoff_id] == [one.handoff_id for one in card.pending_handoffs]
    assert [story.request_id] == [one.request_id for one in card.open_requests]
    assert 1 == card.contact_count
    assert answer.read_at.position >= story.position


def test_a_history_is_filtered(client: Any, story: Story) -> None:
    everything = [entry.event.topic for entry in client.history(story.customer, oldest_first=True)]
    by_topic = [entry.event.topic for entry in client.history(story.customer, topics="request-opened")]
    by_stream = [entry.event.topic for entry in client.history(story.customer, stream=f"contact-{story.contact_id}")]

    assert ["contact-received", "request-opened", "handoff-offered", "promise-made"] == everything
    assert (["request-opened"], ["contact-received"]) == (by_topic, by_stream)


def test_words_are_found_without_their_accents(client: Any, story: Story) -> None:
    found = client.search(f"ou colis {story.contact_id[-12:]}")

    assert [story.contact_id] == [entry.event.payload.contact_received.contact_id for entry in found]


def test_a_handoff_is_found_listed_and_counted(client: Any, story: Story) -> None:
    one = client.handoff(story.handoff_id).result
    listed = list(client.handoffs(hands=story.department, pending=True))
    counted = client.count_handoffs("state", to_departments=[story.department]).result

    assert (HANDOFF_STATE_OFFERED, story.department) == (one.state, one.hands)
    assert [one.handoff_id] == [other.handoff_id for other in listed]
    assert (1, 1) == (counted.total, counted.rows[0].count)


def test_a_promise_is_found_listed_and_counted(client: Any, story: Story) -> None:
    one = client.promise(story.promise_id).result
    listed = list(client.promises(**story.only, states="open"))
    counted = client.count_promises(["state", "owner"], request_id=story.request_id).result

    assert PROMISE_STATE_OPEN == one.state
    assert [story.promise_id] == [other.promise_id for other in listed]
    assert 1 == counted.total


def test_a_request_is_found_listed_and_counted(client: Any, story: Story) -> None:
    one = client.request(story.request_id).result
    listed = list(client.requests(**story.only, open=True))
    counted = client.count_requests("owner", **story.only).result

    assert ("service", 1) == (one.owner_department, one.pending_handoff_count)
    assert [story.request_id] == [other.request_id for other in listed]
    assert [["service"]] == [list(row.values) for row in counted.rows]


def test_contacts_are_listed_and_counted(client: Any, story: Story) -> None:
    listed = list(client.contacts(**story.only, channels="email"))
    counted = client.count_contacts("channel", **story.only).result

    assert [story.contact_id] == [one.contact_id for one in listed]
    assert [(["email"], 1)] == [(list(row.values), row.count) for row in counted.rows]


def test_identifiers_that_are_linked_are_one_customer(client: Any, story: Story) -> None:
    phone = identifier(("account", f"a{new_id()}"))
    client.append(event(IdentityLinked(left=story.customer, right=phone, evidence="said_so"), department="service"))

    customer_id = client.resolve(phone).result.customer_id
    known = client.identifiers(story.customer).result.identifiers

    assert customer_id == client.resolve(story.customer).result.customer_id
    assert {"email", "account"} == {one.identifier.type for one in known}
    assert 4 < len(list(client.history(customer_id)))


def test_the_past_is_asked_on_both_axes(client: Any, story: Story) -> None:
    before = story.position - 4

    with pytest.raises(NotRecordedError):
        client.handoff(story.handoff_id, as_of=before)
    assert 0 == client.count_handoffs(to_departments=story.department, as_of=AsOf(known=before)).result.total
    long_ago = AsOf(occurred_before=datetime(2020, 1, 1, tzinfo=UTC))
    assert 0 == client.count_handoffs(to_departments=story.department, as_of=long_ago).result.total
    assert 1 == client.count_handoffs(to_departments=story.department, as_of=story.position).result.total


def test_what_does_not_fit_is_listed(client: Any, story: Story) -> None:
    client.append(event(ContactReceived(contact_id=f"c-{new_id()}", reason="unknown"), channel="phone"))

    findings = client.data_quality("unknown_reason", page_size=1)

    assert 1 <= len(list(findings))
    assert findings.read_at.position > story.position


def test_links_that_do_not_join_can_be_asked_for(client: Any) -> None:
    assert [] == [one for one in client.duplicate_candidates() if not one.link_event_id]


def test_the_ledger_says_how_it_does(client: Any, story: Story) -> None:
    status = client.status()

    assert status.head_position >= story.position
    assert status.ledger_id == client.head().ledger_id


def test_digests_can_be_compared(client: Any) -> None:
    assert 0 <= client.view_digest().result.position


def test_a_watch_of_handoffs_gives_each_change(client: Any, story: Story) -> None:
    states = []

    with client.watch_handoffs(story.position - 1, to_departments=story.department) as watched:
        for change in watched.changes():
            if change.item is not None:
                states.append(change.item.state)
            if change.mark == "caught_up":
                accepted = HandoffAccepted(request_id=story.request_id, handoff_id=story.handoff_id)
                client.append(event(accepted, department=story.department))
            if HANDOFF_STATE_ACCEPTED in states:
                break

    assert HANDOFF_STATE_ACCEPTED == states[-1]


def test_a_watch_of_promises_from_now_on_gives_what_comes(client: Any, story: Story) -> None:
    kept = event(PromiseKept(promise_id=story.promise_id), department="service")

    with client.watch_promises(**story.only) as watched:
        for change in watched.changes():
            if change.mark == "caught_up":
                client.append(kept)
            if change.item is not None:
                break

    assert (story.promise_id, PROMISE_STATE_KEPT) == (change.item.promise_id, change.item.state)


def test_a_watch_of_a_history_gives_what_comes(client: Any, story: Story) -> None:
    topics = []

    with client.watch_history(story.customer, story.position - 4) as watched:
        for change in watched.changes():
            if change.item is not None:
                topics.append(change.item.event.topic)
            if change.mark == "caught_up":
                client.append(event(ContactReceived(contact_id=f"c-{new_id()}", customer=story.customer, reason="delivery")))
            if len(topics) == 5:
                break

    assert ["contact-received", "request-opened", "handoff-offered", "promise-made", "contact-received"] == topics
