"""Figures of the real sets by plain csv reading, without ledger or mapping. What the ledger answers must equal them."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

BOSTON = ZoneInfo("America/New_York")


def boston_repeats(file: Path, window: timedelta, *, same_reason: bool) -> int:
    """Return how many requests came from an address that had an earlier one, of the same type if asked, within the window."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["address_key"]:
                local = datetime.strptime(row["open_dt"], "%Y-%m-%d %H:%M:%S")
                key = (row["address_key"], row["type"] if same_reason else "")
                times[key].append(local.replace(tzinfo=BOSTON).astimezone(UTC))
    repeats = 0
    for of_key in times.values():
        of_key.sort()
        repeats += sum(later - earlier <= window for earlier, later in pairwise(of_key))
    return repeats


def boston_departments(file: Path) -> Counter[tuple[str, ...]]:
    """Return how many requests each department had."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        return Counter((row["department"].lower(),) for row in csv.DictReader(stream))


def boston_promises(file: Path) -> dict[str, Counter[str]]:
    """Return, by department, how many requests carry a promise that was kept, kept late or broken, how many carry none, and how
    many the city itself calls on time.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            due, closed = row["sla_target_dt"], row["closed_dt"]
            outcome = "none" if not due else "broken" if not closed else "kept" if closed <= due else "kept_late"
            found[row["department"].lower()][outcome] += 1
            found[row["department"].lower()]["on_time"] += row["on_time"] == "ONTIME"
    return found


class Incidents(NamedTuple):
    """How incidents went."""

    variants: Counter[tuple[str, ...]]
    """Groups that answered, in turn."""
    pairs: Counter[tuple[str, str]]
    """From which group to which one they were handed."""
    accepted: Counter[tuple[str, str]]
    """Those handovers that somebody took before the group changed again or the incident was closed."""
    reopened: Counter[str]
    """How often each incident became active again."""


def incidents(file: Path) -> Incidents:
    """Read the incidents' log: a row is a snapshot after an update."""
    found = Incidents(Counter(), Counter(), Counter(), Counter())
    for number, rows in _histories(file).items():
        found.variants[_path(rows, found)] += 1
        for before, row in pairwise(rows):
            if before["ident_state"] in ("Resolved", "Closed") and row["ident_state"] not in ("Resolved", "Closed"):
                found.reopened[number] += 1
    return found


def _histories(file: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each incident: by time of update, then count of updates, then as they stand."""
    histories: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(file):
        histories[row["number"]].append(row)
    for rows in histories.values():
        rows.sort(key=lambda row: (datetime.strptime(row["sys_updated_at"], "%d/%m/%Y %H:%M"), int(row["sys_mod_count"])))
    return histories


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as stream:
        yield from csv.DictReader(io.TextIOWrapper(stream, encoding="ascii", newline=""))


def _path(rows: list[dict[str, str]], found: Incidents) -> tuple[str, ...]:
    """Return the groups that answered for an incident, in turn; count its handovers."""
    path: list[str] = []
    offered: tuple[str, str] | None = None
    group = ""
    for number, row in enumerate(rows):
        now = "" if row["assignment_group"] == "?" else f"group_{row['assignment_group']}"
        taken = row["assigned_to"] != "?"
        over = row["ident_state"] in ("Resolved", "Closed")
        if number == 0:
            path += [now] if now else []
        elif now != group:
            offered = (group, now) if now and group else None
            if offered is not None:
                found.pairs[offered] += 1
            elif now and not path and not over:
                path.append(now)
        if offered is not None and taken:
            found.accepted[offered] += 1
            path.append(offered[1])
            offered = None
        if row["ident_state"] == "Closed" and row["closed_at"] == row["sys_updated_at"]:
            offered = None
        group = now
    return tuple(path)
