"""The real server in processes of its own, for tests: start it, kill parts of it, stop it, look at what it said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import grpc

START_SECONDS: Final = 240.0
STOP_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.02
"""The first two are for a machine on which much else runs: nothing waits so long where all is well."""

_ADDRESS: Final = re.compile(r"Tellonce serves on (\S+)")
_STARTED: Final = "{part} started, process (\\d+)"


class Server:
    """`python -m ledger serve` on a data directory. It keeps its port over restarts."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.target = "127.0.0.1:0"
        self.process: subprocess.Popen[bytes] | None = None
        self._options = options
        self._out = data_dir.with_name(f"{data_dir.name}.out")
        self._err = data_dir.with_name(f"{data_dir.name}.err")

    def start(self) -> Self:
        """Start the supervisor and wait until the server takes calls."""
        self._out.write_bytes(b"")
        self._err.write_bytes(b"")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ledger", "serve", "--data", self.data_dir, "--listen", self.target, *self._options],
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        end_time = time.monotonic() + START_SECONDS
        while not (found := _ADDRESS.search(self.out)):
            if self.process.poll() is not None or time.monotonic() > end_time:
                self.kill_all()
                raise AssertionError(f"The server did not start:\n{self.out}\n{self.err}")
            time.sleep(LOOK_SECONDS)
        self.target = found[1]
        return self

    def with_options(self, *options: str) -> Self:
        """Give other options to the next start."""
        self._options = options
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell the supervisor to stop and return its exit code."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"The server did not stop:\n{self.err}") from None

    def restart(self) -> None:
        """Stop, and start again on the same port."""
        self.stop()
        self.start()

    def kill(self, part: str) -> int:
        """Kill a part, `server`, `projector` or `clock`, with SIGKILL and return its process id."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        return pid

    def pause(self, part: str) -> int:
        """Stop a part where it stands, until SIGCONT, and return its process id."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGSTOP)
        self.wait_until(lambda: _state(pid) == "T", f"{part} did not stand still")
        return pid

    def kill_all(self) -> None:
        """Kill the supervisor and every part with SIGKILL, and wait until they are gone."""
        assert self.process is not None
        pids = [self.process.pid, *(int(pid) for pid in re.findall(_STARTED.format(part=r"\w+"), self.err))]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.wait_until(lambda: not any(_alive(pid) for pid in pids[1:]), "parts did not end")

    def pid(self, part: str) -> int:
        """Return the process id of a part as started last."""
        pattern = _STARTED.format(part=part)
        self.wait_until(lambda: re.search(pattern, self.err), f"{part} was never started")
        return int(re.findall(pattern, self.err)[-1])

    def wait_until_restarted(self, part: str, old_pid: int) -> None:
        """Wait until another process runs the part and says that it is ready."""
        self.wait_until(lambda: self.pid(part) != old_pid, f"{part} was not started again")
        started = f"{part} started, process {self.pid(part)}"
        self.wait_until(lambda: f"{part} is ready" in self.err.partition(started)[2], f"{part} did not get ready")

    def wait_until(self, condition: object, complaint: str) -> None:
        """Wait until a function returns something true."""
        end_time = time.monotonic() + START_SECONDS
        while not condition():  # type: ignore[operator]
            if time.monotonic() > end_time:
                raise AssertionError(f"{complaint}:\n{self.err}")
            time.sleep(LOOK_SECONDS)

    def channel(self) -> grpc.Channel:
        """Return a new connection of its own: other channels to the server do not share it."""
        return grpc.insecure_channel(self.target, options=[("grpc.use_local_subchannel_pool", 1)])

    @property
    def internal_target(self) -> str:
        """The door for the ledger's own parts."""
        return f"unix:{self.data_dir / 'run' / 'ledger.sock'}"

    @property
    def out(self) -> str:
        """What the supervisor printed."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """The log lines of all processes."""
        return self._err.read_text()


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and not yet buried does not."""
    return _state(pid) not in ("", "Z")


def _state(pid: int) -> str:
    """Return the letter of a process's state; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
