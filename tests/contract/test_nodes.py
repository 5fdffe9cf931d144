"""Several processes append to one log in PostgreSQL: each decides by what all of them recorded."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.api.v1.contact_pb2 import ContactEnded, ContactReceived
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.identity_pb2 import IdentifierShared
from ledger.api.v1.ledger_service_pb2 import StreamExpectation
from ledger.api.v1.request_pb2 import RequestClosed, RequestOpened, RequestReopened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.privacy.master_key import MasterKey
from tests.appending import append_one, group, reason_of, to_append
from tests.postgres_server import new_schema

Node = Callable[[], Ledger]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Opens another node of the same ledger."""
    log, vault = new_schema(), new_schema()
    key = MasterKey(bytes(range(32))).save(tmp_path / "master.key")
    opened: list[Ledger] = []
    numbers = itertools.count()

    def another() -> Ledger:
        folder = tmp_path / f"node{next(numbers)}"
        (folder / "keys").mkdir(parents=True)
        shutil.copy(key.path or "", folder / "keys" / "master.key")
        ledger = Ledger.open(folder, log=log, vault=vault)
        opened.append(ledger)
        return ledger

    yield another
    for one in opened:
        one.close()


def test_nodes_are_of_the_same_ledger_and_read_what_the_other_recorded(node: Node) -> None:
    first, second = node(), node()

    append_one(first, ContactReceived(contact_id="c-1", customer=Identifier(type="email", value="a@example.org"), reason="x"))
    append_one(second, ContactReceived(contact_id="c-2", customer=Identifier(type="email", value="a@example.org"), reason="x"))

    rows = first.store.read(0, 10)
    assert first.ledger_id == second.ledger_id
    assert ["ledger-opened", "policy-published", "contact-received", "contact-received"] == [row.topic for row in rows]
    assert rows == second.store.read(0, 10)
    subjects = {read_event(row.position, row.header).subject for row in rows[2:]}
    assert 1 == len(subjects)


def test_a_move_is_judged_by_what_another_node_recorded(node: Node) -> None:
    first, second = node(), node()
    append_one(first, RequestOpened(request_id="r-1", owner_department="desk"), department="desk")

    # The second node first looked at the request when there was none.
    reasons = [
        append_one(second, RequestClosed(request_id="r-1", outcome=1), department="desk"),
        append_one(first, RequestClosed(request_id="r-1", outcome=1), department="desk"),
        append_one(first, RequestReopened(request_id="r-1"), department="desk"),
        append_one(second, RequestReopened(request_id="r-1"), department="desk"),
    ]

    assert ["", "MOVE_NOT_ALLOWED", "", "MOVE_NOT_ALLOWED"] == reasons


def test_the_same_event_is_recorded_once_whichever_node_it_is_sent_to(node: Node) -> None:
    first, second = node(), node()
    sent = group(to_append(ContactReceived(contact_id="c-1", reason="x")))

    (recorded,), (again,) = first.append([sent]), second.append([sent])

    assert recorded.appended[0].position == again.appended[0].position
    assert (False, True) == (recorded.appended[0].duplicate, again.appended[0].duplicate)


def test_one_of_those_who_expect_the_same_revision_wins(node: Node) -> None:
    nodes = [node() for _ in range(3)]
    append_one(nodes[0], ContactReceived(contact_id="c-1", reason="x"))
    expected = StreamExpectation(stream="contact-c-1", revision=1)

    def end(number: int) -> str:
        events = to_append(ContactEnded(contact_id="c-1", disposition=f"by_{number}"))
        (result,) = nodes[number % 3].append([group(events, expect=expected)])
        return reason_of(result.error)

    with ThreadPoolExecutor(12) as pool:
        reasons = list(pool.map(end, range(12)))

    assert ["", *["REVISION_MISMATCH"] * 11] == sorted(reasons)


def test_positions_and_revisions_have_no_gaps_however_many_append(node: Node) -> None:
    nodes = [node() for _ in range(3)]

    def work(number: int) -> int:
        appended = 0
        for step in range(20):
            events = [
                to_append(ContactReceived(contact_id=f"c-{number}-{step}", reason="x")),
                to_append(ContactEnded(contact_id=f"c-{number}-{step}")),
            ]
            (result,) = nodes[number % 3].append([group(*events)])
            appended += len(result.appended)
        return appended

    with ThreadPoolExecutor(9) as pool:
        appended = sum(pool.map(work, range(9)))

    rows = nodes[0].store.read(0, 1_000)
    assert 9 * 20 * 2 == appended
    assert list(range(1, appended + 3)) == [row.position for row in rows]
    assert [1, 2] * 180 == [row.revision for row in rows[2:]]
    assert sorted(row.record_time for row in rows) == [row.record_time for row in rows]


def test_a_mark_that_one_node_recorded_counts_for_the_other(node: Node) -> None:
    first, second = node(), node()
    phone = Identifier(type="account", value="shared-1")
    append_one(second, ContactReceived(contact_id="c-1", customer=phone, reason="x"))
    append_one(first, IdentifierShared(identifier=phone, shared=True))

    append_one(second, ContactReceived(contact_id="c-2", customer=phone, reason="x"))

    rows = first.store.read_streams(["contact-c-1", "contact-c-2"])
    subjects = {read_event(row.position, row.header).subject for events in rows.values() for row in events}
    assert 2 == len(subjects)


def test_nodes_that_make_the_ledger_at_once_make_one(node: Node) -> None:
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: node(), range(4)))

    assert 1 == len({ledger.ledger_id for ledger in ledgers})
    assert 2 == ledgers[0].head().position
