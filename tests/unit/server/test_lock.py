"""File locks: one holder, who can be named, and free as soon as the holder is gone."""

from __future__ import annotations

import os
from pathlib import Path

from ledger.server.lock import FileLock


def test_a_lock_has_one_holder_who_is_named(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")

    taken = first.acquire(), second.acquire()

    assert (True, False) == taken
    assert str(os.getpid()) == second.holder()
    first.release()


def test_a_lock_that_was_freed_can_be_taken(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    first.acquire()
    first.release()

    assert second.acquire(wait_seconds=1.0)
    second.release()


def test_waiting_for_a_lock_ends(tmp_path: Path) -> None:
    first = FileLock(tmp_path / "a.lock")
    first.acquire()

    assert not FileLock(tmp_path / "a.lock").acquire(wait_seconds=0.1)
    first.release()


def test_nobody_is_named_before_anybody_held_it(tmp_path: Path) -> None:
    assert FileLock(tmp_path / "a.lock").holder() == ""
