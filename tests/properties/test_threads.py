"""However messages of a thread fall into batches, they become what going through them one by one gives (domain rule 9.1)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.v1.contact_pb2 import (
    ANSWERED_BY_AUTOMATIC,
    ANSWERED_BY_HUMAN,
    ContactAbandoned,
    ContactEnded,
    ContactReceived,
    MessageSent,
)
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.application import Ledger
from tests.appending import group, reason_of, to_append

HOUR = 3_600_000_000
NOW = 1_770_000_000_000_000
WINDOW_HOURS = 72

steps = st.tuples(st.sampled_from(("wrote", "wrote", "wrote", "sent", "automatic", "ended", "abandoned")), st.integers(0, 80))
threads = itertools.count()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path_factory.mktemp("threads"), now=lambda: NOW)
    yield opened
    opened.close()


class Model:
    """What a thread is, by the words of the rule: an open contact, our last answer, whether the customer waits."""

    def __init__(self) -> None:
        self.number = 0
        self.open = False
        self.answered: int | None = None
        self.waits = False

    def wrote(self, hour: int) -> int:
        """Return the number of the contact that a message belongs to."""
        quiet = self.answered is not None and not self.waits and hour - self.answered > WINDOW_HOURS
        if not self.open or quiet:
            self.number += 1
            self.open, self.answered = True, None
        self.waits = True
        return self.number

    def sent(self, hour: int) -> None:
        """We answered."""
        self.answered, self.waits = hour, False


@given(story=st.lists(steps, max_size=14), cuts=st.lists(st.booleans(), min_size=14, max_size=14))
def test_messages_of_a_thread_fall_into_its_contacts_however_they_are_batched(
    ledger: Ledger, story: list[tuple[str, int]], cuts: list[bool]
) -> None:
    thread = f"t-{next(threads)}"
    model = Model()
    hour = 0
    events: list[EventToAppend] = []
    expected: list[str] = []

    for step, gap in story:
        hour += gap
        contact_id = f"{thread}.{model.number}"
        payload: Any
        if step == "wrote":
            payload = ContactReceived(thread_id=thread, reason="x")
            expected.append(f"contact-{thread}.{model.wrote(hour)}")
        elif not model.open or (step == "abandoned" and model.answered is not None):
            continue
        elif step in ("sent", "automatic"):
            payload = MessageSent(contact_id=contact_id, sent_by=ANSWERED_BY_HUMAN if step == "sent" else ANSWERED_BY_AUTOMATIC)
            if step == "sent":
                model.sent(hour)
        else:
            payload = ContactEnded(contact_id=contact_id) if step == "ended" else ContactAbandoned(contact_id=contact_id)
            model.open = False
        events.append(to_append(payload, occur=NOW - 5000 * HOUR + hour * HOUR, record_late=True))

    found = []
    batch: list[EventToAppend] = []
    for event, cut in itertools.zip_longest(events, cuts[: len(events)], fillvalue=True):
        batch.append(event)  # type: ignore[arg-type]
        if cut or len(batch) == len(events):
            found += _append(ledger, batch)
            batch = []
    found += _append(ledger, batch)

    assert expected == found


def _append(ledger: Ledger, events: list[EventToAppend]) -> list[str]:
    """Append each as a group of its own in one batch; return the streams of the messages."""
    if not events:
        return []
    results = ledger.append([group(event) for event in events])
    assert [""] * len(results) == [reason_of(result.error) for result in results]
    kinds = [event.payload.WhichOneof("kind") for event in events]
    return [result.appended[0].stream for kind, result in zip(kinds, results, strict=True) if kind == "contact_received"]
