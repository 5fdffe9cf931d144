"""Events as stored are read for ever: a golden file, once recorded, keeps its meaning."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict

from ledger.catalogue import BY_TOPIC, put_back, read_event
from ledger.internal.v1.stored_pb2 import EventHeader
from tests.golden.record import FOLDER


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_every_event_type_has_golden_bytes(topic: str) -> None:
    assert (FOLDER / f"{topic}.json").is_file(), f"record them: python -m tests.golden.record ({topic})"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_golden_bytes_keep_their_meaning(path: object) -> None:
    golden = json.loads(path.read_text())  # type: ignore[attr-defined]

    event = read_event(9, bytes.fromhex(golden["header"]))
    payload = event.payload
    if golden["sealed"]:
        put_back(payload, type(payload).FromString(bytes.fromhex(golden["sealed"])))

    assert golden["topic"] == event.topic
    assert golden["means"] == MessageToDict(payload, preserving_proto_field_name=True)
    assert (7, 1_770_000_000_123_456) == (event.revision, event.occur)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_header_in_two_byte_strings_is_one_message(path: object) -> None:
    stored = bytes.fromhex(json.loads(path.read_text())["header"])  # type: ignore[attr-defined]
    whole = EventHeader.FromString(stored)
    tail = EventHeader(revision=whole.revision, record_time_micros=whole.record_time_micros).SerializeToString()

    assert stored.endswith(tail)
