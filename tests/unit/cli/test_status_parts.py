"""`tellonce status` on the processes: a sound one is one line, and one that keeps ending stands out with how and when."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from clients.cli.commands.status import status_table
from ledger.api.v1.admin_service_pb2 import RUNNING, WAITING, GetStatusResponse, Part


def shown(*parts: Part) -> str:
    out = StringIO()
    Console(file=out, width=200).print(status_table(GetStatusResponse(parts=parts), utc=True))
    return out.getvalue()


def test_a_sound_process_is_told_by_name_and_id() -> None:
    text = shown(Part(name="worker-1", state=RUNNING, process_id=4711))

    assert "worker-1: running, process 4711" in text
    assert "ended unasked" not in text


def test_a_process_that_keeps_ending_says_how_often_how_and_when_it_is_started_again() -> None:
    part = Part(name="projector", state=WAITING, failures=7, failures_in_a_row=4, last_end="exit code 1")
    part.next_start_time.FromJsonString("2026-03-28T14:30:05Z")

    text = shown(part)

    for words in (
        "projector: waiting",
        "started again at",
        "14:30:05",
        "ended unasked 7 times, last with exit code 1",
        "4 times in a row",
    ):
        assert words in text


def test_without_a_supervisor_nothing_is_said_of_processes() -> None:
    assert "processes" not in shown()
