"""The supervisor: what it starts first, what it does with a part that ends, what it says about it, and the order of the stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.api.v1.admin_service_pb2 import RUNNING, WAITING
from ledger.api.v1.admin_service_pb2 import Part as PartStatus
from ledger.server.part_status import PartsFile
from ledger.server.supervisor import DELAY_SECONDS_MAX, Part, StartFailedError, Supervisor, back_off_seconds

PATIENCE_SECONDS = 120.0


def note(folder: Path, what: str) -> None:
    """Write down what happens, in order, whoever does it."""
    with (folder / "story").open("a") as story:
        story.write(what + "\n")


def stay(folder: Path, name: str, ready: Callable[[Any], None]) -> None:
    """Be ready, and end when told to."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    note(folder, f"{name} begins")
    try:
        ready(name)
        while True:
            signal.pause()
    finally:
        note(folder, f"{name} ends")


def fail_twice(folder: Path, ready: Callable[[Any], None]) -> None:
    """End at once two times, then stay."""
    note(folder, "failing begins")
    if (folder / "story").read_text().count("failing begins") <= 2:
        sys.exit(3)
    stay(folder, "failing", ready)


def never_ready(ready: Callable[[Any], None]) -> None:
    """End before being ready."""
    sys.exit(4)


def look(folder: Path, parent: int, wanted: str, ready: Callable[[Any], None]) -> None:
    """Stop the supervisor as soon as the parts file says what is wanted of the part `failing`."""
    ready(None)
    file = PartsFile(folder / "parts")
    end_time = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end_time:
        parts = {part.name: part for part in file.read()}
        if _is(parts.get("failing"), wanted):
            break
        time.sleep(0.01)
    (folder / "seen").write_bytes(parts["failing"].SerializeToString())
    os.kill(parent, signal.SIGTERM)
    signal.pause()


def _is(part: PartStatus | None, wanted: str) -> bool:
    if part is None:
        return False
    if wanted == "waiting":
        return part.state == WAITING and part.failures_in_a_row == 2
    return part.state == RUNNING and part.failures == 2 and (wanted == "running" or part.failures_in_a_row == 0)


def part(name: str, target: Callable[..., None], *arguments: Any) -> Part:
    return Part(name, f"{target.__module__}:{target.__name__}", arguments, stop_seconds=20.0)


def run(
    folder: Path, stages: list[list[Part]], followers: list[Part], ready: Callable[[Any], None], steady_seconds: float = 3_600.0
) -> list[str]:
    """Run a supervisor to its end, and return what was noted."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        Supervisor(stages, followers, PartsFile(folder / "parts"), steady_seconds).run(ready)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return (folder / "story").read_text().splitlines()


def test_waits_begin_with_none_double_and_end_at_ten_seconds() -> None:
    assert [0.0, 0.2, 0.4, 0.8, 1.6] == [back_off_seconds(number) for number in range(1, 6)]
    assert [DELAY_SECONDS_MAX] * 3 == [back_off_seconds(number) for number in (8, 100, 1_000_000)]


def test_a_stage_begins_when_the_one_before_is_ready_and_ends_before_it(tmp_path: Path) -> None:
    stages = [[part("first", stay, tmp_path, "first")], [part("second", stay, tmp_path, "second")]]

    def ready(said: Any) -> None:
        note(tmp_path, f"told {said}")
        os.kill(os.getpid(), signal.SIGTERM)

    story = run(tmp_path, stages, [], ready)

    assert ["first begins", "second begins", "told first", "second ends", "first ends"] == story
    assert not (tmp_path / "parts").exists()


def test_a_part_that_serves_and_ends_before_it_is_ready_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartFailedError):
        run(tmp_path, [[part("first", stay, tmp_path, "first")], [part("second", never_ready)]], [], lambda said: None)

    assert ["first begins", "first ends"] == (tmp_path / "story").read_text().splitlines()


@pytest.mark.parametrize("wanted", ["waiting", "running", "sound again"])
def test_a_part_that_keeps_ending_is_started_again_and_it_is_told(tmp_path: Path, wanted: str) -> None:
    followers = [part("failing", fail_twice, tmp_path), part("look", look, tmp_path, os.getpid(), wanted)]
    steady_seconds = 0.05 if wanted == "sound again" else 3_600.0

    run(tmp_path, [[part("first", stay, tmp_path, "first")]], followers, lambda said: None, steady_seconds)

    seen = PartStatus.FromString((tmp_path / "seen").read_bytes())
    assert _is(seen, wanted)
    assert ("exit code 3", 2) == (seen.last_end, seen.failures)
    assert (wanted == "waiting") == seen.HasField("next_start_time")
