"""Wake-up calls: heard by whoever listens now, lost without harm by who does not."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ledger.wake import WakeListener, WakeSender


def test_a_listener_hears_a_call_and_takes_all_there_are(tmp_path: Path) -> None:
    with closing(WakeListener(tmp_path / "a.sock")) as listener, closing(WakeSender(tmp_path / "a.sock")) as sender:
        for _ in range(3):
            sender.wake()

        assert (True, False) == (listener.wait(1.0), listener.wait(0.0))


def test_calling_nobody_does_no_harm(tmp_path: Path) -> None:
    with closing(WakeSender(tmp_path / "a.sock")) as sender:
        sender.wake()


def test_calls_beyond_what_the_queue_holds_are_dropped(tmp_path: Path) -> None:
    with closing(WakeListener(tmp_path / "a.sock")) as listener, closing(WakeSender(tmp_path / "a.sock")) as sender:
        for _ in range(2_000):
            sender.wake()

        assert listener.wait(1.0)


def test_a_successor_takes_the_place_of_a_dead_listener(tmp_path: Path) -> None:
    with closing(WakeSender(tmp_path / "a.sock")) as sender:
        WakeListener(tmp_path / "a.sock").close()
        with closing(WakeListener(tmp_path / "a.sock")) as successor:
            sender.wake()

            assert successor.wait(1.0)
