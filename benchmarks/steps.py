"""`python -m benchmarks.steps`: where the time of an event goes, step by step, on the way into the log and into the views.

CPU time of the thread that does the work, so a busy machine distorts it little; the median of many batches. A step that is set in
belongs to the one above. Measuring adds about 1 us to each step that is done event by event.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.workload import calls, event_count_of, import_started
from ledger.application import MASTER_KEY_FILE, VAULT_FILE, Ledger, warm_rules
from ledger.catalogue import read_event
from ledger.data_directory import DataDirectory
from ledger.intake import receive
from ledger.privacy.content import ContentReader
from ledger.privacy.master_key import load
from ledger.privacy.vault import Vault
from ledger.server.part import collect_seldom
from ledger.store.opening import open_reader
from projections import projector as projector_module
from projections.projector import Projector
from projections.search import SearchIndex

EVENTS_PER_CALL: Final = 500
WARM_CALLS: Final = 4


class Steps:
    """Times functions, by replacing them where they are looked up."""

    def __init__(self) -> None:
        self._current: dict[str, float] = defaultdict(float)
        self._batches: list[tuple[int, dict[str, float]]] = []
        self._names: list[str] = []

    def time(self, owner: Any, function_name: str, step: str) -> None:
        """Count what `owner.function_name` takes under a step's name."""
        function: Callable[..., Any] = getattr(owner, function_name)
        self._names.append(step)

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self._current[step] += time.thread_time() - start

        setattr(owner, function_name, timed)

    def batch(self, event_count: int) -> None:
        """End a batch of so many events."""
        self._batches.append((event_count, dict(self._current)))
        self._current.clear()

    def show(self) -> None:
        """Print each step's median, in microseconds an event."""
        for step in self._names:
            took = median(seconds.get(step, 0.0) / count for count, seconds in self._batches)
            print(f"{took * 1e6:8.1f}  {step}")


def append_steps(folder: Path, event_count: int) -> None:
    """Time the way into the log."""
    warm_rules()
    ledger = Ledger.open(folder)
    collect_seldom()
    ledger.append([import_started()])
    batches = calls(event_count, EVENTS_PER_CALL)
    for _ in range(WARM_CALLS):
        ledger.append(next(batches))
    steps = Steps()
    writer = ledger.writer
    decider = writer._decider
    subjects = decider._subjects
    steps.time(ledger, "submit", "intake, in the caller's thread")
    steps.time(receive, "read_plain_event", "  plain events: all rules, and what is clear and what is sealed, in one pass")
    steps.time(receive, "receive_thoroughly", "  other events: rules, unknown fields, reserved ones, one after the other")
    steps.time(writer, "_record", "commit, in the writer's thread")
    steps.time(decider, "decide", "  decided")
    steps.time(decider._reader, "find_event_ids", "    duplicates looked up")
    steps.time(decider._streams, "load", "    streams looked up")
    steps.time(subjects, "resolve", "    subjects found")
    steps.time(subjects._vault, "ensure", "      keys of identifiers, from the vault or made")
    steps.time(decider, "_decide_group", "    judged, header begun")
    steps.time(decider, "_row", "    sealed and serialised")
    steps.time(writer, "_insert", "  inserted and committed")
    for call in batches:
        ledger.append(call)
        steps.batch(event_count_of(call))
    steps.show()
    ledger.close()


def projector_steps(folder: Path, event_count: int) -> None:
    """Time the way into the views."""
    ledger = Ledger.open(folder)
    ledger.append([import_started()])
    for call in calls(event_count, EVENTS_PER_CALL):
        ledger.append(call)
    ledger.close()
    log = open_reader(DataDirectory(folder).log)
    ledger_id = uuid.UUID(read_event(1, log.read(0, 1)[0].header).payload.ledger_id).bytes
    content = ContentReader(Vault(folder / VAULT_FILE, load(folder / MASTER_KEY_FILE), read_only=True), ledger_id)
    projector = Projector(folder / "views.db", log, ledger_id)
    search = SearchIndex(folder / "search.db")
    collect_seldom()
    steps = Steps()
    steps.time(projector, "step", "a batch")
    steps.time(log, "read", "  read from the log")
    steps.time(projector_module, "read_event", "  decoded")
    steps.time(search, "apply", "  search: opened, folded, indexed")
    steps.time(projector, "_apply", "  all views")
    for view in projector._views:
        steps.time(view, "apply", f"    {view.name}")
    steps.time(projector._folds, "apply", "    contacts, requests, handoffs, promises, data quality")
    steps.time(projector._digests, "apply", "    digests")
    while count := projector.step(search, content):
        steps.batch(count)
    steps.show()


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("append", "projector", "both"), nargs="?", default="both")
    parser.add_argument("--events", type=int, default=30_000)
    arguments = parser.parse_args()
    for name, measure in (("append", append_steps), ("projector", projector_steps)):
        if arguments.what in (name, "both"):
            print(f"us an event, {name}")
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder), arguments.events)


if __name__ == "__main__":
    main()
