"""How long an answer holds by the policy in force is resolved once, at append, and stands whatever is published later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.api.v1.answer_pb2 import STATED, AnswerGiven
from ledger.api.v1.policy_pb2 import PolicyPublished, ServicePolicy
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from tests.appending import append_one

START = 1_770_000_000_000_000
HOUR = 3_600_000_000


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.micros = START

    def __call__(self) -> int:
        return self.micros


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path: Path, now: Time) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, now=now)
    yield opened
    opened.close()


def publish(ledger: Ledger, now: Time, version: int, **fields: Any) -> None:
    published = PolicyPublished(policy_id="service", policy_version=version, policy=ServicePolicy(**fields))
    published.in_force_from.FromMicroseconds(now.micros)
    assert "" == append_one(ledger, published)


def answered(ledger: Ledger, **fields: Any) -> Event:
    """Record an answer and return it as stored."""
    payload = AnswerGiven(**{"question_key": "runs", "answer_key": "no", "stance": STATED, **fields})
    assert "" == append_one(ledger, payload, department="desk")
    (row,) = ledger.store.read(ledger.head().position - 1, 1)
    return read_event(row.position, row.header, row.parts)


def test_an_answer_holds_as_long_as_the_policy_in_force_says(ledger: Ledger, now: Time) -> None:
    publish(ledger, now, 1, answer_validity=timedelta(hours=8))
    now.micros += HOUR

    one = answered(ledger)

    assert now.micros + 8 * HOUR == one.payload.policy_valid_until.ToMicroseconds()
    assert ("service", 1) == (one.header.policy_id, one.header.policy_version)


def test_the_end_that_an_answer_says_itself_stands_beside_that_of_the_policy(ledger: Ledger, now: Time) -> None:
    publish(ledger, now, 1, answer_validity=timedelta(hours=8))
    said = Timestamp()
    said.FromMicroseconds(now.micros + 2 * HOUR)

    one = answered(ledger, valid_until=said)

    assert said == one.payload.valid_until
    assert one.payload.HasField("policy_valid_until")


def test_a_later_policy_leaves_it_alone_and_without_one_there_is_no_end(ledger: Ledger, now: Time) -> None:
    open_ended = answered(ledger)
    publish(ledger, now, 1, answer_validity=timedelta(hours=8))
    now.micros += HOUR
    before = answered(ledger)
    now.micros += HOUR
    publish(ledger, now, 2)
    after = answered(ledger)

    assert [False, True, False] == [one.payload.HasField("policy_valid_until") for one in (open_ended, before, after)]
    stored = ledger.store.read_positions([before.position])[before.position]
    assert before.payload == read_event(before.position, stored.header).payload
