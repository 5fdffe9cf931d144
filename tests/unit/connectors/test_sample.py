import io
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest

from clients.connectors.importer import run_import, shipped_mappings
from clients.connectors.sample import CHANNELS, WINDOW_DAYS, sample
from clients.connectors.sample_rows import LEFT_OUT, write_rows
from ledger.api.v1 import options_pb2
from ledger.api.v1.event_pb2 import EventToAppend, Payload
from ledger.api.v1.governance_pb2 import ImportStarted
from ledger.api.v1.ledger_service_pb2 import EventGroup
from ledger.application import Ledger

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
NOT_TOLD = {
    "ledger-opened": "the ledger tells it itself, once",
    "import-started": "frames an import: the importer tells it",
    "import-finished": "frames an import: the importer tells it",
    "policy-published": "would decide the targets of all that the ledger holds beside the sample",
    "policy-withdrawn": "as with policy-published",
    "event-confirmed": "nothing of a sample is ever held back",
    "event-corrected": "mends a record that is wrong: no record of a sample is",
    "event-retracted": "as with event-corrected",
}
"""What callers may append and a sample leaves out, and why."""


def events(size: int, seed: int = 1) -> list[EventToAppend]:
    return list(chain.from_iterable(sample(size, seed, UNTIL)))


def kinds() -> list[options_pb2.EventOptions]:
    messages = [field.message_type for field in Payload.DESCRIPTOR.fields]
    return [one.GetOptions().Extensions[options_pb2.event] for one in messages if one is not None]


def topics_of_callers() -> set[str]:
    return {kind.topic for kind in kinds() if not kind.reserved} - NOT_TOLD.keys()


def test_the_same_seed_size_and_end_give_the_same_events() -> None:
    first = [event.SerializeToString(deterministic=True) for event in events(500)]

    again = [event.SerializeToString(deterministic=True) for event in events(500)]

    assert first == again


def test_another_seed_gives_other_events() -> None:
    assert {one.envelope.event_id for one in events(500)}.isdisjoint(one.envelope.event_id for one in events(500, seed=2))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sample_has_about_the_size_asked_for(seed: int) -> None:
    assert len(events(5_000, seed)) == pytest.approx(5_000, rel=0.15)


def test_events_come_in_the_order_in_which_they_happened_and_end_before_the_end() -> None:
    times = [event.envelope.occur_time.ToDatetime(UTC) for event in events(2_000)]

    assert sorted(times) == times
    assert UNTIL - timedelta(days=WINDOW_DAYS) <= times[0]
    assert times[-1] < UNTIL


def test_a_sample_tells_every_event_that_callers_record_over_every_channel() -> None:
    told = events(20_000)

    assert topics_of_callers() == {one.payload.WhichOneof("kind").replace("_", "-") for one in told}  # type: ignore[union-attr]
    assert set(CHANNELS) == {one.envelope.channel for one in told if one.payload.HasField("contact_received")}


def test_what_a_sample_leaves_out_exists() -> None:
    assert {kind.topic for kind in kinds()} >= NOT_TOLD.keys()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_most_customers_are_ordinary(seed: int) -> None:
    told = events(20_000, seed)

    rare: dict[str, set[str]] = {"complaint_received": set(), "exception_requested": set(), "statement_published": set()}
    for event in told:
        rare.get(str(event.payload.WhichOneof("kind")), set()).add(event.envelope.correlation_id)
    stories = len({event.envelope.correlation_id for event in told})
    assert 0.01 < len(rare["complaint_received"]) / stories < 0.05
    assert 0 < len(rare["exception_requested"]) / stories < 0.02
    assert 0 < len(rare["statement_published"]) / stories < 0.01


def test_in_a_crisis_the_desks_do_not_all_say_what_was_said_officially() -> None:
    told = events(20_000)

    official, said = defaultdict(set), defaultdict(set)
    for event in told:
        if event.payload.HasField("statement_published"):
            official[event.payload.statement_published.object_key].add(event.payload.statement_published.answer_key)
        elif event.payload.HasField("answer_given"):
            said[event.payload.answer_given.object_key].add(event.payload.answer_given.answer_key)
    assert official
    assert all(said[about] - answers for about, answers in official.items() if len(said[about]) > 1)
    assert any(said[about] & answers for about, answers in official.items())


def test_event_ids_are_uuids_of_version_7_and_never_repeat() -> None:
    ids = [event.envelope.event_id for event in events(5_000)]

    assert len(ids) == len(set(ids))
    assert {id_[14] for id_ in ids} == {"7"}
    assert {id_[19] for id_ in ids} <= set("89ab")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_history_of_a_sample_keeps_to_the_life_cycles(tmp_path: Path, seed: int) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.append(
        [EventGroup(events=[EventToAppend(payload=Payload(import_started=ImportStarted(run_id="run", from_source="sample")))])]
    )
    groups = [EventGroup(events=group) for group in sample(3_000, seed, UNTIL, import_run="run")]

    results = list(chain.from_iterable(ledger.append(groups[start : start + 200]) for start in range(0, len(groups), 200)))

    ledger.close()
    refused = [result.error.message for result in results if result.HasField("error")]
    irregular = [one.stream for result in results for one in result.appended if one.irregular or one.held_back]
    assert ([], []) == (refused, irregular)


def test_the_shipped_mapping_takes_every_row_of_a_written_sample(tmp_path: Path) -> None:
    file = tmp_path / "sample.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        written = max(write_rows(lines, 20_000, 1, UNTIL))

    summary = run_import(file, shipped_mappings()["sample"], dry_run=True, reject_path=tmp_path / "rejects.jsonl")

    assert (written, 0) == (summary.events, summary.tally.rows_rejected)
    assert topics_of_callers() - {topic.replace("_", "-") for topic in LEFT_OUT} == set(summary.tally.topics)


def test_rows_say_what_the_events_say() -> None:
    lines = io.StringIO()
    list(write_rows(lines, 2_000, 1, UNTIL))

    rows = Counter(json.loads(line)["event"] for line in lines.getvalue().splitlines())

    told = Counter(one.payload.WhichOneof("kind").replace("_", "-") for one in events(2_000))  # type: ignore[union-attr]
    assert {topic: told[topic] for topic in rows if topic != "identity-linked"} == {
        topic: count for topic, count in rows.items() if topic != "identity-linked"
    }
