"""Notices, playbooks, what-if and the move of a department at the command line, against the real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.python import Client, event
from ledger.api.v1.core_pb2 import STAYS
from ledger.api.v1.exception_pb2 import RuleOverridden
from ledger.api.v1.handoff_pb2 import HandoffOffered
from ledger.api.v1.policy_pb2 import PolicyPublished
from ledger.api.v1.promise_pb2 import PromiseMade
from ledger.api.v1.request_pb2 import RequestOpened
from tests.command_line import Done, Tellonce, typed
from tests.playing import policy, seconds, stolen_phone
from tests.server_process import Server

CANDIDATE = """
policy_id: service
version: 9
targets:
  - {kind: first_response, channel: phone, within: 10s}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which a playbook has acted, a step was overridden, a promise is due soon, and a department ends."""
    server = Server(tmp_path_factory.mktemp("played") / "data").start()
    try:
        with Client(server.target) as client:
            published = PolicyPublished(policy_id="service", policy_version=1, policy=policy(stolen_phone()))
            published.policy.promise_kinds.add(kind="quote", remind_before=seconds(86400))
            published.policy.departments.add(department="front")
            published.policy.departments.add(department="old", successor="new")
            for code in ("new", "billing", "shipping"):
                published.policy.departments.add(department=code)
            published.in_force_from.FromDatetime(datetime.now(UTC))
            client.append(event(published))
            opened = event(RequestOpened(request_id="r-1", reason="phone_stolen", owner_department="front"), department="front")
            override = RuleOverridden(
                rule="stolen_phone",
                step="insurance",
                trigger_event_id=opened.envelope.event_id,
                request_id="r-1",
                reason="in_distress",
            )
            client.append(opened, event(override, actor="s-17"))
            client.append(event(RequestOpened(request_id="r-2", owner_department="old"), department="old"))
            offered = HandoffOffered(
                request_id="r-2", handoff_id="h-2", from_department="old", to_department="new", ownership=STAYS
            )
            client.append(event(offered, department="old"))
            promised = PromiseMade(promise_id="p-1", kind="quote", request_id="r-2", owner_department="old")
            promised.due.instant.FromDatetime(datetime.now(UTC) + timedelta(hours=2))
            client.append(event(promised, department="old"))
            client.append(event(RequestOpened(request_id="r-3", reason="phone_stolen")))
            server.wait_until(lambda: client.refused_plays().plays, "the playbook was not refused")
            server.wait_until(lambda: list(client.plays(consistency="latest")), "the playbook did not act")
        yield server
    finally:
        server.stop()


@pytest.fixture
def tellonce(played: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tellonce:
    return typed(played.target, capsys, monkeypatch, columns=160)


def read(done: Done) -> Any:
    assert 0 == done.code, done.err
    return json.loads(done.out)


def test_notices_are_shown_as_a_table_and_as_json(tellonce: Tellonce) -> None:
    shown = tellonce("notices", "--department", "old")
    found = read(tellonce("notices", "--json", "--kind", "due-soon"))

    assert "due soon" in shown.out
    assert "promise p-1 (quote) of r-2" in shown.out
    assert ["p-1"] == [one["promise_id"] for one in found["result"]["notices"]]


def test_notices_are_followed_until_ctrl_c(played: Server) -> None:
    arguments = [sys.executable, "-m", "clients.cli.main", "notices", "--follow", "--json", "--target", played.target]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert "p-1" == line["notice"]["promise_id"]
    assert 0 == process.returncode, err


def test_playbooks_show_steps_and_overrides(tellonce: Tellonce) -> None:
    shown = tellonce("playbooks", "--request", "r-1")
    found = read(tellonce("playbooks", "--json", "--overridden"))

    assert "handoff-offered in request-r-1" in shown.out
    assert "overridden before: in distress (s-17)" in shown.out
    assert ["stolen_phone"] == [one["playbook"] for one in found["result"]["plays"]]


def test_refused_playbooks_show_why(tellonce: Tellonce) -> None:
    shown = tellonce("playbooks", "--refused")

    assert "request r-3 has no owner" in " ".join(shown.out.split())
    assert "PLAYBOOK_CANNOT_ACT" in tellonce("playbooks", "--refused", "--json").out
    assert 2 == tellonce("playbooks", "--refused", "--request", "r-1").code


def test_a_policy_is_compared_with_what_was_recorded(tellonce: Tellonce, tmp_path: Path) -> None:
    file = tmp_path / "candidate.yaml"
    file.write_text(CANDIDATE)
    period = ("--from", "2026-01-01", "--to", "2100-01-01")

    shown = tellonce("policy", "compare", str(file), *period)
    found = read(tellonce("policy", "compare", str(file), *period, "--json"))

    assert "nothing was recorded" in shown.out
    assert "not set off" in shown.out
    assert {"COMPARED_PLAYBOOK"} <= {one["kind"] for one in found["result"]["counts"]}
    assert 2 == tellonce("policy", "compare", str(file)).code


def test_a_department_is_moved_after_a_look_at_what_would_move(tellonce: Tellonce) -> None:
    planned = tellonce("move-department", "old", "--dry-run")
    no_successor = tellonce("move-department", "billing")
    moved = tellonce("move-department", "old", "--actor", "s-1")

    assert "Would move from old to new: 1 requests, 1 promises, by 3 events. Nothing was recorded." in planned.out
    assert 2 == no_successor.code
    assert (0, "Moved from old to new: 1 requests, 1 promises.\n") == (moved.code, moved.out)
    assert [] == read(tellonce("requests", "--department", "old", "--json"))["result"].get("requests", [])
