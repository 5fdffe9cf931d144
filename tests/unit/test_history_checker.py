"""The checker passes a sound history, and catches each planted violation by the name of its rule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients.python import event
from ledger.api.v1.contact_pb2 import ContactReceived
from ledger.api.v1.core_pb2 import Identifier, Precision
from ledger.api.v1.event_pb2 import RecordedEvent
from ledger.api.v1.ledger_service_pb2 import Appended
from tests.history_checker import RULES, Recorder, check, digest_of, read_histories

History = list[dict[str, Any]]
GENESIS = ["g-1", "g-2"]


def logged(position: int, event_id: str, stream: str, revision: int) -> dict[str, Any]:
    return {
        "process": "end",
        "kind": "log",
        "position": position,
        "id": event_id,
        "stream": stream,
        "revision": revision,
        "record_time": position * 10,
        "digest": f"digest of {event_id}",
    }


def append(start: float, end: float, outcome: str, *events: tuple[str, int, str, int], key: str = "") -> dict[str, Any]:
    return {
        "process": "a",
        "kind": "append",
        "start": start,
        "end": end,
        "outcome": outcome,
        "events": [{"id": one[0], "digest": f"digest of {one[0]}"} for one in events],
        "appended": [{"position": one[1], "stream": one[2], "revision": one[3]} for one in events]
        if outcome == "acknowledged"
        else [],
        "key": key,
    }


def read(start: float, end: float, position: int, ids: list[str] | None = None, *, latest: bool = True) -> dict[str, Any]:
    fields = {"start": start, "end": end, "position": position, "latest": latest, "key": "k" if ids is not None else "", "ids": ids}
    return {"process": "r", "kind": "read", **fields}


def piece(after: int, until: int, *events: tuple[int, str]) -> dict[str, Any]:
    return {"process": "s", "kind": "piece", "after": after, "until": until, "events": [list(one) for one in events], "key": ""}


def sound() -> History:
    """Three appenders, one of them without an answer and one refused; two readers; a subscriber."""
    return [
        append(1.0, 2.0, "acknowledged", ("e-1", 3, "s", 1), key="k"),
        append(1.5, 2.5, "acknowledged", ("e-2", 4, "t", 1), ("e-3", 5, "s", 2), key="k"),
        append(3.0, 4.0, "unknown", ("e-4", 0, "", 0), ("e-5", 0, "", 0), key="k"),
        append(3.0, 4.0, "unknown", ("e-6", 0, "", 0)),
        append(3.5, 3.6, "refused", ("e-7", 0, "", 0)),
        append(5.0, 6.0, "acknowledged", ("e-8", 8, "t", 2), key="k"),
        read(2.1, 2.2, 4, ["e-1", "e-2"]),
        read(2.6, 2.7, 5, ["e-1", "e-2", "e-3"]),
        read(2.6, 2.7, 3, latest=False),
        read(6.5, 6.6, 8, ["e-1", "e-2", "e-3", "e-4", "e-5", "e-8"]),
        piece(0, 4, (1, "g-1"), (2, "g-2"), (3, "e-1"), (4, "e-2")),
        piece(6, 8, (7, "e-5"), (8, "e-8")),
        logged(1, "g-1", "ledger", 1),
        logged(2, "g-2", "policy", 1),
        logged(3, "e-1", "s", 1),
        logged(4, "e-2", "t", 1),
        logged(5, "e-3", "s", 2),
        logged(6, "e-4", "s", 3),
        logged(7, "e-5", "u", 1),
        logged(8, "e-8", "t", 2),
    ]


def of(history: History, kind: str, number: int = 0) -> dict[str, Any]:
    return [operation for operation in history if operation["kind"] == kind][number]


def drop(history: History, event_id: str) -> None:
    """Lose an event of the log, and let those behind it move up."""
    lost = next(one for one in history if one["kind"] == "log" and one["id"] == event_id)
    history.remove(lost)
    for one in history:
        if one["kind"] == "log" and one["position"] > lost["position"]:
            one["position"] -= 1


def swap(history: History, first: int, second: int) -> None:
    """Exchange two events of the log."""
    one, other = of(history, "log", first - 1), of(history, "log", second - 1)
    for name in ("id", "stream", "revision", "digest"):
        one[name], other[name] = other[name], one[name]


PLANTED: dict[str, tuple[str, Callable[[History], Any]]] = {
    "an acknowledged event is lost": ("acknowledged", lambda h: drop(h, "e-8")),
    "an acknowledged event stands elsewhere": ("as-acknowledged", lambda h: swap(h, 3, 4)),
    "an acknowledged revision is another": ("as-acknowledged", lambda h: of(h, "append", 0)["appended"][0].update(revision=2)),
    "an event is recorded with other content": ("bytes", lambda h: of(h, "log", 2).update(digest="other")),
    "a refused event is recorded": ("refused", lambda h: h.append(logged(9, "e-7", "v", 1))),
    "half of a group without answer is recorded": ("whole", lambda h: drop(h, "e-5")),
    "something stands between the events of a group": ("whole", lambda h: swap(h, 5, 6)),
    "an event is there that nobody sent": ("unasked", lambda h: h.append(logged(9, "e-99", "v", 1))),
    "an event is recorded twice": ("once", lambda h: h.append(logged(9, "e-1", "s", 4))),
    "a position is missing": ("positions", lambda h: of(h, "log", 7).update(position=9)),
    "a revision is missing": ("revisions", lambda h: of(h, "log", 5).update(revision=4)),
    "a record time goes back": ("record-time", lambda h: of(h, "log", 6).update(record_time=1)),
    "a later append stands before an acknowledged one": ("real-time", lambda h: of(h, "append", 1).update(start=6.5, end=7.0)),
    "the latest is stale": ("latest", lambda h: of(h, "read", 3).update(position=7, ids=["e-1", "e-2", "e-3", "e-4", "e-5"])),
    "the latest is stale by one right after the answer": ("latest", lambda h: of(h, "read", 0).update(start=2.51, end=2.6)),
    "a read stands where nothing was sent yet": ("future", lambda h: of(h, "read", 2).update(position=8)),
    "a read lacks an event": ("content", lambda h: of(h, "read", 1)["ids"].remove("e-2")),
    "a read shows an event twice": ("content", lambda h: of(h, "read", 1)["ids"].append("e-2")),
    "a read shows an event from behind its position": ("content", lambda h: of(h, "read", 0)["ids"].append("e-3")),
    "a stream leaves an event out": ("piece", lambda h: of(h, "piece", 0)["events"].pop(1)),
    "a stream leaves its last event out": ("piece", lambda h: of(h, "piece", 1)["events"].pop()),
    "a stream repeats an event": ("piece", lambda h: of(h, "piece", 0)["events"].append([4, "e-2"])),
    "a stream gives events out of order": ("piece", lambda h: of(h, "piece", 0)["events"].reverse()),
}


def test_a_sound_history_passes() -> None:
    assert [] == check(sound(), others=GENESIS)


@pytest.mark.parametrize("name", PLANTED)
def test_it_catches_that(name: str) -> None:
    rule, plant = PLANTED[name]
    history = copy.deepcopy(sound())

    plant(history)

    assert rule in {violation.rule for violation in check(history, others=GENESIS)}


def test_every_rule_has_a_planted_violation() -> None:
    assert set(RULES) == {rule for rule, _ in PLANTED.values()}


def test_an_event_refused_once_and_taken_when_sent_again_is_rightly_there() -> None:
    history = sound()
    history.append(append(7.0, 8.0, "acknowledged", ("e-7", 9, "v", 1)))
    history.append(logged(9, "e-7", "v", 1))

    assert [] == check(history, others=GENESIS)


def test_an_event_sent_again_later_may_stand_where_it_was_first_sent() -> None:
    history = sound()
    history.append(append(9.0, 9.5, "acknowledged", ("e-1", 3, "s", 1), key="k"))

    assert [] == check(history, others=GENESIS)


def test_what_processes_write_can_be_read_back(tmp_path: Path) -> None:
    sent = event(
        ContactReceived(contact_id="c", customer=Identifier(type="email", value="a@example.org")), precision=Precision.EXACT
    )
    recorded = RecordedEvent(position=1, stream="contact-c", revision=1, envelope=sent.envelope, payload=sent.payload)
    recorded.payload.contact_received.customer.subject = "made by the ledger"
    recorder = Recorder(tmp_path / "one.jsonl", "one")

    recorder.append(1.0, 2.0, "acknowledged", [sent], [Appended(position=1, stream="contact-c", revision=1)], key="k")
    recorder.read(2.5, 2.6, 1, latest=True, key="k", ids=[sent.envelope.event_id])
    recorder.piece(0, 1, [(1, sent.envelope.event_id)])
    recorder.log([recorded])
    recorder.close()

    history = read_histories([tmp_path / "one.jsonl"])
    assert [] == check(history)
    assert ["append", "read", "piece", "log"] == [operation["kind"] for operation in history]


def test_the_digest_of_an_event_sees_every_word_of_the_caller() -> None:
    one = event(ContactReceived(contact_id="c", customer=Identifier(type="email", value="a@example.org")))
    other = copy.deepcopy(one)
    other.payload.contact_received.customer.value = "b@example.org"

    assert digest_of(one) != digest_of(other)
