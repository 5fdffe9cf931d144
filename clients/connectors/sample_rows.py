"""The sample as a file that a source system might export: JSON Lines, one flat row an event.

The shipped mapping `sample` reads it. The row format is part of that mapping: change both together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO, Any, Final

from clients.connectors.sample import stories_in_order
from clients.connectors.sample_story import EPOCH, Fields

LEFT_OUT: Final = frozenset({"fact_confirmed", "promise_disputed", "identity_unlinked"})
"""These name another event by the ledger's id, which a source system does not know."""

EVENT_IDS: Final = frozenset({"proof_event_id", "asked_event_id", "evidence_event_ids"})
"""Fields that do so in events which can do without."""

IDENTIFIERS: Final = frozenset({"customer", "identifier", "left", "right"})
SPANS: Final = frozenset({"talk", "hold", "wrap_up"})
"""Durations; every other field of seconds is a time."""
OBJECTS: Final = frozenset({"fact", "facts", "object", "objects"})
PREFIXES: Final = {"sent_by": "ANSWERED_BY_"}
"""Prefixes of enum values that do not begin with the name of their field."""


def write_rows(file: IO[str], size: int, seed: int, until: datetime) -> Iterator[int]:
    """Write about `size` rows, oldest first, the sample of that seed up to `until`; yield the number of rows so far."""
    count = 0
    for step in stories_in_order(size, seed, until):
        for event in step.events:
            if _is_told(event["payload"]):
                file.write(json.dumps(row_of(event), ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
        yield count


def _is_told(payload: Fields) -> bool:
    ((kind, fields),) = payload.items()
    # A wrong link is told together with its unlinking, or not at all.
    return kind not in LEFT_OUT and fields.get("evidence") != "same_name"


def row_of(event: Fields) -> Fields:
    """Return the row of an event: its topic, its time, and its fields as texts and numbers."""
    envelope = event["envelope"]
    ((kind, payload),) = event["payload"].items()
    row: Fields = {"id": envelope["event_id"], "at": _time(envelope["occur_time"]), "event": kind.replace("_", "-")}
    for name in ("channel", "department", "actor", "correlation_id"):
        if name in envelope:
            row[name] = envelope[name]
    if "actor_kind" in envelope:
        row["actor_kind"] = envelope["actor_kind"].lower()
    for name, value in payload.items():
        row.update(_cells(name, value))
    return row


def _cells(name: str, value: Any) -> Fields:
    if name in EVENT_IDS:
        return {}
    if name in IDENTIFIERS:
        return {f"{name}_type": value["type"], f"{name}_value": value["value"]}
    if name in OBJECTS:
        one = value if isinstance(value, dict) else value[0]
        return {"order": one["value"]} if "type" in one else {"fact_key": one["key"], "fact_value": one["value"]}
    if name == "scope":
        return {f"scope_{part}": " ".join(said) if isinstance(said, list) else said for part, said in value.items()}
    if name == "due":
        return {f"due_{part}": _time(said) if isinstance(said, dict) else said for part, said in value.items()}
    if isinstance(value, dict):
        return {name: value["seconds"] if name in SPANS else _time(value)}
    if isinstance(value, list):
        return {name: " ".join(value)}
    if isinstance(value, str) and value.isupper():
        return {name: value.removeprefix(PREFIXES.get(name, f"{name.upper()}_")).lower()}
    return {name: value}


def _time(said: Fields) -> str:
    moment = EPOCH + timedelta(seconds=said["seconds"], microseconds=said.get("nanos", 0) // 1000)
    return moment.isoformat(timespec="milliseconds")
