"""High availability rehearsed: Patroni with the configuration of docs/high-availability.md, two nodes, and whatever fails.

Nothing acknowledged is lost, nothing is recorded twice, and the latest is never stale, whatever died. The same servers without a
standby that commits wait for are caught losing. One failover and one switchover run with every `make test`, all rounds with
`make faults`. Each round prints how long appends stood still.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from clients.python import Client, event
from ledger.api.v1.contact_pb2 import ContactReceived
from tests.history_checker import Recorder, check, read_histories
from tests.patroni_cluster import Cluster, missing
from tests.server_process import Server

NODES: Final = 2
ENOUGH: Final = 60
"""So many groups are acknowledged before and after each fault."""
PATIENCE_SECONDS: Final = 240.0
OF_THE_LEDGER: Final = 2
"""The first events are the ledger's own: its opening and its first policy."""

pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(
        bool(missing()), reason=f"HIGH AVAILABILITY IS NOT REHEARSED HERE: apt-get install {' '.join(missing())} to do so"
    ),
]


class Rehearsal:
    """Nodes on a cluster, and processes that append to them all the while."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder / "histories"
        self.folder.mkdir()
        self.nodes: list[Server] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.stalls: list[tuple[str, float]] = []
        self.cluster = Cluster(**options)
        try:
            self._start(folder)
        except BaseException:
            self.close()
            raise

    def round(self, name: str, fault: Callable[[Cluster], None]) -> None:
        """Let something fail amid appends, and wait until they go on and the cluster is whole again."""
        self.until_more(ENOUGH)
        begin = time.monotonic()
        fault(self.cluster)
        self.until_more(ENOUGH)
        self.cluster.wait_until_whole()
        self.stalls.append((name, self._stood_still(begin)))

    def until_more(self, count: int) -> None:
        """Wait until each process had so many more groups acknowledged."""
        wanted = [found + count for found in self._acknowledged()]
        end_time = time.monotonic() + PATIENCE_SECONDS
        while any(found < enough for found, enough in zip(self._acknowledged(), wanted, strict=True)):
            assert [] == [worker.args for worker in self.workers if worker.poll() is not None]
            assert time.monotonic() < end_time, f"nothing is acknowledged any more: {self._complaints()}"
            time.sleep(0.05)

    def end(self) -> list[dict[str, Any]]:
        """End the processes, and return what they saw, with the log as both nodes tell it."""
        (self.folder / "end").touch()
        assert [0] * NODES == [worker.wait(PATIENCE_SECONDS) for worker in self.workers]
        for node in self.nodes:
            # By itself a node has found its way back: it takes an event, and tells of it at once.
            with Client(node.target, consistency="latest", timeout_seconds=60) as client:
                recorder = Recorder(self.folder / "end.jsonl", "end")
                sent = event(ContactReceived(contact_id=f"end-{node.data_dir.name}", reason="x"))
                start = time.monotonic()
                recorder.append(start, time.monotonic(), "acknowledged", [sent], client.append(sent))
                recorder.close()
        logs = []
        for node in self.nodes:
            with Client(node.target, consistency="latest") as client:
                logs.append([one.SerializeToString(deterministic=True) for one in client.read_events()])
        assert logs[0] == logs[1]
        with Client(self.nodes[0].target) as client:
            recorder = Recorder(self.folder / "log.jsonl", "log")
            recorder.log(client.read_events())
            recorder.close()
        return read_histories(sorted(self.folder.glob("*.jsonl")))

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.stop()
        self.cluster.stop()

    def _start(self, folder: Path) -> None:
        for number in range(NODES):
            data = folder / f"node{number}"
            if self.nodes:
                (data / "keys").mkdir(parents=True)
                shutil.copy(self.nodes[0].data_dir / "keys" / "master.key", data / "keys" / "master.key")
            self.nodes.append(Server(data, "--store", self.cluster.address()).start())
        targets = [node.target for node in self.nodes]
        for number in range(NODES):
            ordered = ",".join(targets[number:] + targets[:number])
            arguments = [ordered, str(self._history(number)), f"worker-{number}", str(self.folder / "end")]
            self.workers.append(subprocess.Popen([sys.executable, "-m", "tests.failover_worker", *arguments]))

    def _history(self, number: int) -> Path:
        return self.folder / f"worker-{number}.jsonl"

    def _acknowledged(self) -> list[int]:
        paths = map(self._history, range(NODES))
        return [path.read_bytes().count(b'"outcome": "acknowledged"') if path.exists() else 0 for path in paths]

    def _stood_still(self, begin: float) -> float:
        """Return the longest time since then in which nothing was acknowledged, seconds."""
        operations = read_histories(map(self._history, range(NODES)))
        ends: list[float] = sorted(one["end"] for one in operations if one.get("outcome") == "acknowledged" and one["end"] >= begin)
        return max(later - earlier for earlier, later in pairwise([begin, *ends]))

    def _complaints(self) -> str:
        return "\n".join([*(node.err[-3000:] for node in self.nodes), self.cluster.complaints()])


NewRehearsal = Callable[..., Rehearsal]


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[NewRehearsal]:
    made: list[Rehearsal] = []

    def new(**options: Any) -> Rehearsal:
        made.append(Rehearsal(tmp_path, **options))
        return made[-1]

    yield new
    for one in made:
        one.close()


# What fails


def primary_dies(cluster: Cluster) -> None:
    dead = cluster.with_role("leader")
    cluster.kill(dead)
    cluster.wait_for_other_primary(dead)
    cluster.start(dead)


def operator_switches_over(cluster: Cluster) -> None:
    cluster.switch_over()


def synchronous_standby_dies(cluster: Cluster) -> None:
    dead = cluster.with_role("sync_standby")
    cluster.kill(dead)
    cluster.wait_for_other_with_role("sync_standby", dead)
    cluster.start(dead)


def both_standbys_die(cluster: Cluster) -> None:
    standing = cluster.with_role("leader")
    dead = [name for name in cluster.members if name != standing]
    cluster.kill(*dead)
    cluster.start(*dead)


def primary_dies_with_its_synchronous_standby(cluster: Cluster) -> None:
    dead = [cluster.with_role("leader"), cluster.with_role("sync_standby")]
    cluster.kill(*dead)
    cluster.start(*dead)


def etcd_leader_dies(cluster: Cluster) -> None:
    dead = cluster.etcd_leader()
    cluster.kill(dead)
    cluster.wait_for_other_etcd_leader(dead)
    cluster.start(dead)


def all_etcds_die(cluster: Cluster) -> None:
    cluster.kill(*cluster.etcds)
    cluster.wait_until_no_primary()
    cluster.start(*cluster.etcds)


def patroni_of_the_primary_dies(cluster: Cluster) -> None:
    unguarded = cluster.with_role("leader")
    cluster.kill_patroni(unguarded)
    cluster.wait_for_other_primary(unguarded)
    # Two take writes now, and no commit of the old one is confirmed. Its machine's Patroni comes back, and makes it a standby.
    cluster.start(unguarded)


SHORT: Final = (primary_dies, operator_switches_over)
LONG: Final = (
    primary_dies,
    synchronous_standby_dies,
    etcd_leader_dies,
    all_etcds_die,
    both_standbys_die,
    primary_dies_with_its_synchronous_standby,
    patroni_of_the_primary_dies,
    operator_switches_over,
    primary_dies,
)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_a_failover_and_a_switchover(
    rehearsal: NewRehearsal, capfd: pytest.CaptureFixture[str]
) -> None:
    assert [] == rehearsed(rehearsal(), SHORT, capfd)


@pytest.mark.long
def test_nothing_acknowledged_is_lost_whatever_fails(rehearsal: NewRehearsal, capfd: pytest.CaptureFixture[str]) -> None:
    assert [] == rehearsed(rehearsal(etcd_count=3), LONG, capfd)


@pytest.mark.long
def test_a_cluster_whose_commits_wait_for_no_standby_is_caught(rehearsal: NewRehearsal) -> None:
    playing = rehearsal(synchronous=False)
    cluster = playing.cluster
    playing.until_more(ENOUGH)
    primary = cluster.with_role("leader")
    standbys = [name for name in cluster.members if name != primary]
    cluster.kill(*standbys)
    playing.until_more(ENOUGH)
    cluster.kill(primary)
    cluster.start(*standbys)
    cluster.wait_for_other_primary(primary)
    # The nodes find the branch they followed lost, and go on by themselves on what there is.
    playing.until_more(ENOUGH)

    lost = [violation for violation in checked(playing.end()) if violation.rule == "acknowledged"]

    assert ENOUGH <= len(lost)


def rehearsed(playing: Rehearsal, faults: tuple[Callable[[Cluster], None], ...], capfd: pytest.CaptureFixture[str]) -> list[Any]:
    """Play the rounds, print how long appends stood still, and return what was wrong."""
    for fault in faults:
        playing.round(fault.__name__.replace("_", " "), fault)
    operations = playing.end()
    violations = checked(operations)
    appends = [one for one in operations if one["kind"] == "append"]
    acknowledged = sum(one["outcome"] == "acknowledged" for one in appends)
    reads = sum(one["kind"] == "read" for one in operations)
    rewinds = playing.cluster.count_in_logs(r"running pg_rewind from \w+\n")
    with capfd.disabled():
        print(f"\n{len(faults)} rounds: {acknowledged} groups acknowledged, {len(appends) - acknowledged} answers in doubt,")
        print(f"  {reads} reads of the latest, {len(violations)} violations, {rewinds} rewinds of an old primary")
        for name, seconds in playing.stalls:
            print(f"  {name}: appends stood still for {seconds:.1f} s")
    return violations


def checked(operations: list[dict[str, Any]]) -> list[Any]:
    own = [one["id"] for one in operations if one["kind"] == "log" and one["position"] <= OF_THE_LEDGER]
    return check(operations, others=own)
