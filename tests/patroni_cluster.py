"""Three PostgreSQL servers under Patroni with etcd, on the loopback, for tests that kill them.

They run with the very files that docs/high-availability.md gives to operators: only the placeholders are filled in here.
"""

from __future__ import annotations

import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import psycopg

FILES: Final = Path(__file__).parents[1] / "docs" / "high-availability"
HOST: Final = "127.0.0.1"
PASSWORD: Final = "words-of-the-rehearsal"
PACKAGES: Final = ("patroni", "etcd-server", "postgresql")
OWNER: Final = "postgres"
"""Who runs the servers when the test is root, which PostgreSQL refuses to run as. Debian's package makes this user."""

PORTS: Final = range(15_000, 32_000)
"""Below those that the kernel gives to outgoing connections: one of them could take the port of a server that is down."""

TIMING: Final = {"TTL": "20", "LOOP_WAIT": "1", "RETRY_TIMEOUT": "5"}
"""The quickest that Patroni allows for: a dead primary is replaced after about 20 s."""

PATIENCE_SECONDS: Final = 240.0
LOOK_SECONDS: Final = 0.1


def missing() -> list[str]:
    """Return which Debian packages are not there. Without them nothing here can be run."""
    found = (shutil.which("patroni"), shutil.which("etcd"), _bin_dir())
    absent = [name for name, place in zip(PACKAGES, found, strict=True) if not place]
    if not absent and os.geteuid() == 0:
        try:
            pwd.getpwnam(OWNER)
        except KeyError:
            return [f"postgresql (its user {OWNER})"]
    return absent


class Cluster:
    """The servers. `synchronous` False: commits wait for no standby, and a failover may lose them."""

    def __init__(self, *, synchronous: bool = True, etcd_count: int = 1) -> None:
        # Below the temporary folder itself: another user has to get there.
        self.root = Path(tempfile.mkdtemp(prefix="patroni-"))
        self._user = OWNER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.root, self._user, self._user)
        ports = iter(_free_ports(2 * etcd_count + 6))
        self._etcd_ports = {f"etcd{number}": (next(ports), next(ports)) for number in range(1, etcd_count + 1)}
        self._ports = {f"db{number}": (next(ports), next(ports)) for number in range(1, 4)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._synchronous = synchronous
        try:
            self.start(*self._etcd_ports)
            self._wait(self._etcd_answers, "etcd does not answer")
            self.start(*self._ports)
            self.wait_until_whole()
            self._make_databases()
        except BaseException:
            self.stop()
            raise

    @property
    def members(self) -> list[str]:
        """Names of the PostgreSQL servers."""
        return list(self._ports)

    @property
    def etcds(self) -> list[str]:
        """Names of the etcd servers."""
        return list(self._etcd_ports)

    def address(self, database: str = "tellonce") -> str:
        """Address for nodes: of whichever server takes writes."""
        hosts = ",".join(f"{HOST}:{port}" for port, _ in self._ports.values())
        return f"postgresql://tellonce:{PASSWORD}@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=3"

    # What they are doing

    def roles(self) -> dict[str, str]:
        """Return `leader`, `sync_standby` or `replica` of each server that runs, as Patroni sees it; none if it cannot tell."""
        for _, port in self._ports.values():
            found = _asked(port, "cluster")
            if found is not None:
                members = found.get("members", [])
                return {one["name"]: one["role"] for one in members if one["state"] in ("running", "streaming")}
        return {}

    def primaries(self) -> list[str]:
        """Return the servers that take writes: those that say so themselves."""
        return [name for name in self._ports if self.takes_writes(name)]

    def takes_writes(self, member: str) -> bool:
        """True when a server runs and is no standby."""
        try:
            with self._connected(member) as connection:
                return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
        except psycopg.Error:
            return False

    def with_role(self, role: str) -> str:
        """Wait until a server has a role, and return its name."""
        self._wait(lambda: role in self.roles().values(), f"there is no {role}")
        return next(name for name, found in self.roles().items() if found == role)

    def wait_for_other_with_role(self, role: str, old: str) -> None:
        """Wait until another server has a role."""
        self._wait(lambda: any(found == role and name != old for name, found in self.roles().items()), f"no other {role}")

    def wait_for_other_primary(self, old: str) -> str:
        """Wait until another server takes writes, and return its name."""
        self._wait(lambda: any(name != old for name in self.primaries()), f"nobody took over from {old}")
        return next(name for name in self.primaries() if name != old)

    def wait_until_no_primary(self) -> None:
        """Wait until no server takes writes."""
        self._wait(lambda: not self.primaries(), "a server still takes writes")

    def wait_until_whole(self) -> None:
        """Wait until all servers run, the standbys stream, and commits wait for one of them where they have to."""
        others = ["replica", "sync_standby"] if self._synchronous else ["replica", "replica"]
        self._wait(lambda: sorted(self.roles().values()) == ["leader", *others], "the cluster does not get whole")
        self._wait(lambda: self._standbys() == 2, "the standbys do not stream")

    def etcd_leader(self) -> str:
        """Wait until the etcds that run have a leader, and return its name."""
        self._wait(lambda: self._etcd_leader() is not None, "etcd has no leader")
        return self._etcd_leader() or ""

    def wait_for_other_etcd_leader(self, old: str) -> None:
        """Wait until another etcd leads."""
        self._wait(lambda: self._etcd_leader() not in (None, old), "etcd has no other leader")

    # What is done to them

    def start(self, *names: str) -> None:
        """Start servers: PostgreSQL with its Patroni, or etcd."""
        for name in names:
            folder = self.root / name
            folder.mkdir(exist_ok=True)
            program, file = ("patroni", "patroni.yml") if name in self._ports else ("etcd", "etcd.yml")
            config = folder / file
            config.write_text(string.Template((FILES / file).read_text()).substitute(self._settings(name)))
            if self._user:
                shutil.chown(folder, self._user, self._user)
                shutil.chown(config, self._user, self._user)
            arguments = [str(config)] if program == "patroni" else ["--config-file", str(config)]
            with (folder / "log").open("ab") as out:
                self._processes[name] = subprocess.Popen(
                    [program, *arguments],
                    cwd=folder,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    **self._as_owner(),
                )

    def kill(self, *names: str) -> None:
        """Freeze servers with all their processes, then kill them: none of them lives on for a moment."""
        for name in names:
            processes = self._freeze(name)
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._processes[name].wait(PATIENCE_SECONDS)
            psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)

    def kill_patroni(self, member: str) -> None:
        """Kill a server's Patroni alone: PostgreSQL lives on, and nobody looks after it."""
        self._processes[member].kill()
        self._processes[member].wait(PATIENCE_SECONDS)

    def switch_over(self) -> None:
        """Make the synchronous standby the primary, as an operator does: again, if Patroni was not ready for it."""
        old = self.with_role("leader")

        def done() -> bool:
            candidate = self.with_role("sync_standby")
            config = str(self.root / candidate / "patroni.yml")
            if self.with_role("leader") == old:
                self._run("patronictl", "-c", config, "switchover", "ledger", "--candidate", candidate, "--force", check=False)
            return self.with_role("leader") != old

        self._wait(done, "no switchover")
        self.wait_for_other_primary(old)

    def stop(self) -> None:
        """End all servers and remove their files."""
        self.kill(*self._processes)
        shutil.rmtree(self.root, ignore_errors=True)

    def complaints(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {name}\n{(self.root / name / 'log').read_text()[-3000:]}" for name in self._processes)

    def count_in_logs(self, pattern: str) -> int:
        """Return how often something was said, in the logs of all servers."""
        return sum(len(re.findall(pattern, (self.root / name / "log").read_text())) for name in self._processes)

    # How

    def _settings(self, name: str) -> dict[str, str]:
        clients = {etcd: f"{HOST}:{port}" for etcd, (port, _) in self._etcd_ports.items()}
        peers = {etcd: f"{etcd}=http://{HOST}:{port}" for etcd, (_, port) in self._etcd_ports.items()}
        first, second = self._ports[name] if name in self._ports else self._etcd_ports[name]
        return {
            **TIMING,
            "MEMBER": name,
            "HOST": HOST,
            "NETWORK": f"{HOST}/32",
            "SYNCHRONOUS": "true" if self._synchronous else "false",
            "WATCHDOG": "off",
            "POSTGRES_PORT": str(first),
            "REST_PORT": str(second),
            "DATA_DIR": str(self.root / name / "data"),
            "BIN_DIR": str(_bin_dir()),
            "RUN_DIR": str(self.root / name),
            "WAL_KEEP": "128MB",
            "WAL_KEEP_MAX": "1GB",
            "SUPERUSER_PASSWORD": PASSWORD,
            "REPLICATION_PASSWORD": PASSWORD,
            "REWIND_PASSWORD": PASSWORD,
            "ETCD_HOSTS": ",".join(clients.values()),
            "ETCD_CLUSTER": ",".join(peers.values()),
            "ETCD_DATA_DIR": str(self.root / name / "etcd"),
            "ETCD_PORT": str(first),
            "ETCD_PEER_PORT": str(second),
        }

    def _make_databases(self) -> None:
        port, _ = self._ports[self.with_role("leader")]
        place = ["-h", HOST, "-p", str(port), "-U", "postgres", "-v", f"password={PASSWORD}", "-v", "ON_ERROR_STOP=1"]
        self._run(f"{_bin_dir()}/psql", *place, "-q", "-f", "-", given=(FILES / "databases.sql").read_bytes())

    def _connected(self, member: str) -> psycopg.Connection[Any]:
        port, _ = self._ports[member]
        dsn = f"postgresql://postgres:{PASSWORD}@{HOST}:{port}/postgres?connect_timeout=3"
        return psycopg.connect(dsn, autocommit=True)

    def _standbys(self) -> int:
        for name in self.primaries():
            with suppress(psycopg.Error), self._connected(name) as connection:
                row = connection.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'").fetchone()
                return int(row[0]) if row else 0
        return 0

    def _etcd_answers(self) -> bool:
        return all((_asked(port, "health") or {}).get("health") == "true" for port, _ in self._etcd_ports.values())

    def _etcd_leader(self) -> str | None:
        for name, (port, _) in self._etcd_ports.items():
            found = _asked(port, "v3/maintenance/status", b"{}")
            if found and found.get("leader") == found["header"]["member_id"]:
                return name
        return None

    def _freeze(self, name: str) -> list[psutil.Process]:
        """Stop Patroni first, so that it starts nothing, then PostgreSQL, then its backends, which leave its session."""
        frozen: dict[int, psutil.Process] = {}
        while new := [process for process in self._alive(name) if process.pid not in frozen]:
            for process in new:
                frozen[process.pid] = process
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGSTOP)
        return list(frozen.values())

    def _alive(self, name: str) -> Iterable[psutil.Process]:
        roots = [self._processes[name].pid]
        with suppress(OSError, IndexError, ValueError):
            roots.append(int((self.root / name / "data" / "postmaster.pid").read_text().split()[0]))
        for pid in roots:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process, name):
                    yield process
                    yield from process.children(recursive=True)

    def _is_ours(self, process: psutil.Process, name: str) -> bool:
        """A file may name a process that is long dead, and its number may be somebody else's now."""
        return any(str(self.root / name) in argument for argument in process.cmdline())

    def _as_owner(self) -> dict[str, Any]:
        names = ("PATH", "LANG", "TZ")
        environment = {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(self.root)}
        rights: dict[str, Any] = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        return {"env": environment, **rights}

    def _run(self, *command: str, given: bytes = b"", check: bool = True) -> None:
        owner = self._as_owner()
        owner["env"]["PGPASSWORD"] = PASSWORD
        done = subprocess.run(
            command,
            cwd=self.root,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SECONDS,
            check=False,
            **owner,
        )
        assert done.returncode == 0 or not check, f"{command[0]} failed: {done.stdout.decode()}"

    def _wait(self, condition: Callable[[], bool], complaint: str) -> None:
        end_time = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end_time, f"{complaint}: {self.roles()}\n{self.complaints()}"
            time.sleep(LOOK_SECONDS)


def _asked(port: int, what: str, sent: bytes | None = None) -> dict[str, Any] | None:
    try:
        with urlopen(f"http://{HOST}:{port}/{what}", data=sent, timeout=3) as response:
            found: dict[str, Any] = json.load(response)
            return found
    except (URLError, OSError, ValueError):
        return None


def _bin_dir() -> Path | None:
    """Return where the newest PostgreSQL of Debian has its programs."""
    found = [place.parent for place in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda place: int(place.parent.name), default=None)


def _free_ports(count: int) -> Sequence[int]:
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.sample(PORTS, len(PORTS)):
            probe = held.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((HOST, port))
                ports.append(port)
            if len(ports) == count:
                break
    return ports
