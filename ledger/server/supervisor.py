"""The supervisor: starts the parts in order, starts one that ended again alone, after a while if it keeps ending, and stops them.

Parts are spawned, never forked: gRPC does not survive a fork. The supervisor holds no data and answers nobody.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, Final, NamedTuple

from ledger.api.v1 import admin_service_pb2 as status
from ledger.server.part import run_part
from ledger.server.part_status import PartsFile

FIRST_DELAY_SECONDS: Final = 0.2
DELAY_SECONDS_MAX: Final = 10.0

STEADY_SECONDS: Final = 30.0
"""A part that ran so long is sound: its next end counts as the first."""

KILL_SECONDS: Final = 5.0
"""A killed process is waited for so long."""

log = logging.getLogger("tellonce.supervisor")


class Part(NamedTuple):
    """A process of the ledger."""

    name: str
    target: str
    """`module:function`, called in the process with `arguments` and a function to call when it is ready. A name, so that the
    supervisor need not import what only the process needs."""
    arguments: tuple[Any, ...]
    """Picklable."""
    stop_seconds: float
    """How long it may take to end after SIGTERM; then it is killed."""


class StartFailedError(Exception):
    """A part that serves ended before it was ready. It has said why."""


def back_off_seconds(failures_in_a_row: int) -> float:
    """Return how long a part is left alone: not at all after its first end, then twice as long each time, up to 10 s."""
    if failures_in_a_row <= 1:
        return 0.0
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(failures_in_a_row - 2, 16), DELAY_SECONDS_MAX)


class Supervisor:
    """Runs parts until SIGTERM or SIGINT.

    `stages`: parts that serve, those that others need first. A stage is started when all parts of the one before are ready, and
    stopped when all of the one after have ended, so that what these have begun is finished. `followers` are started last, and
    stopped last: they lose nothing by it. `parts_file`: where it is told how the parts are.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[Part]],
        followers: Sequence[Part],
        parts_file: PartsFile,
        steady_seconds: float = STEADY_SECONDS,
    ) -> None:
        self._stages = [[_Run(part, steady_seconds) for part in stage] for stage in stages]
        self._followers = [_Run(part, steady_seconds) for part in followers]
        self._runs = [run for runs in (*self._stages, self._followers) for run in runs]
        self._parts_file = parts_file
        self._stopping = False

    def run(self, ready: Callable[[Any], None]) -> None:
        """Start everything and stay until told to stop. Raises StartFailedError.

        `ready` is called with what the first part said, when all that serve are ready.
        """
        wake_reader, wake_writer = os.pipe()
        os.set_blocking(wake_reader, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        try:
            for stage in self._stages:
                self._start(stage, wake_reader)
            if not self._stopping:
                ready(self._runs[0].said)
                for run in self._followers:
                    run.start()
            while not self._stopping:
                self._wait(wake_reader)
                for run in self._runs:
                    run.start_again_if_due()
        finally:
            self._stop()
            signal.set_wakeup_fd(-1)
            os.close(wake_reader)
            os.close(wake_writer)

    def _stop_soon(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _start(self, stage: Sequence[_Run], wake_reader: int) -> None:
        """Start a stage and wait until all of it is ready. A part of an earlier one that ends meanwhile is started again."""
        if self._stopping:
            return
        for run in stage:
            run.start()
        while not self._stopping and not all(run.ready for run in stage):
            self._wait(wake_reader)
            if any(run.next_start_time is not None and not run.ready for run in stage):
                raise StartFailedError
            for run in self._runs:
                run.start_again_if_due()

    def _wait(self, wake_reader: int) -> None:
        """Wait until something happens: a signal, an end, a part that is ready, or the time to start one again."""
        self._parts_file.write(run.status() for run in self._runs)
        due_times = [due for run in self._runs if (due := run.next_time()) is not None]
        timeout = max(0.0, min(due_times) - time.monotonic()) if due_times else None
        happened = wait([wake_reader, *(source for run in self._runs for source in run.sources())], timeout)
        if wake_reader in happened:
            os.read(wake_reader, 4096)
        for run in self._runs:
            run.look(happened)

    def _stop(self) -> None:
        for runs in (*reversed(self._stages), self._followers):
            for run in runs:
                run.stop()
            for run in runs:
                run.join()
        self._parts_file.remove()


class _Run:
    """A part and the process that runs it now."""

    def __init__(self, part: Part, steady_seconds: float) -> None:
        self.part = part
        self._steady_seconds = steady_seconds
        self.ready = False
        self.said: Any = None
        self.next_start_time: float | None = None
        self._process: SpawnProcess | None = None
        self._receiver: Connection | None = None
        self._start_time = 0.0
        self._stop_time = 0.0
        self._status = status.Part(name=part.name)

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=run_part, args=(self.part.target, self.part.arguments, sender), name=self.part.name)
        with _without_interrupts():
            process.start()
        sender.close()
        self._process, self._receiver = process, receiver
        self._start_time = time.monotonic()
        self.next_start_time = None
        self._status.state = status.STARTING
        assert process.pid is not None
        self._status.process_id = process.pid
        self._status.start_time.GetCurrentTime()
        self._status.ClearField("next_start_time")
        log.info("%s started, process %d", self.part.name, process.pid)

    def start_again_if_due(self) -> None:
        if self.next_start_time is not None and time.monotonic() >= self.next_start_time:
            self.start()

    def status(self) -> status.Part:
        """Return how the part is."""
        if self._steady_time() <= time.monotonic():
            self._status.failures_in_a_row = 0
        return self._status

    def next_time(self) -> float | None:
        """Return when the part is to be looked at without anything happening; None: never."""
        if self.next_start_time is not None:
            return self.next_start_time
        return self._steady_time() if self._status.failures_in_a_row else None

    def sources(self) -> list[Any]:
        """Return what becomes readable when something happens to the process."""
        if self._process is None:
            return []
        return [self._process.sentinel, *([] if self._receiver is None else [self._receiver])]

    def look(self, happened: Sequence[Any]) -> None:
        if self._receiver is not None and self._receiver in happened:
            self._hear(self._receiver)
        if self._process is not None and self._process.sentinel in happened:
            self._bury(self._process)

    def stop(self) -> None:
        if self._process is not None and self._process.is_alive():
            self._process.terminate()
        self._stop_time = time.monotonic()

    def join(self) -> None:
        if self._process is None:
            return
        self._process.join(max(0.0, self._stop_time + self.part.stop_seconds - time.monotonic()))
        if self._process.is_alive():
            log.error("%s did not end within %g s: killed", self.part.name, self.part.stop_seconds)
            self._process.kill()
            self._process.join(KILL_SECONDS)
        log.info("%s ended", self.part.name)

    def _steady_time(self) -> float:
        return self._start_time + self._steady_seconds if self._process is not None else math.inf

    def _hear(self, receiver: Connection) -> None:
        try:
            self.said = receiver.recv()
            self.ready = True
            self._status.state = status.RUNNING
            log.info("%s is ready", self.part.name)
        except EOFError:
            pass
        receiver.close()
        self._receiver = None

    def _bury(self, process: SpawnProcess) -> None:
        process.join()
        now = self.status()
        now.failures_in_a_row += 1
        now.failures += 1
        assert process.exitcode is not None
        now.last_end = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
        delay = back_off_seconds(now.failures_in_a_row)
        self.next_start_time = time.monotonic() + delay
        now.state = status.WAITING
        now.ClearField("process_id")
        now.next_start_time.FromNanoseconds(time.time_ns() + int(delay * 1e9))
        log.error(
            "%s ended with %s (%d in a row): starting it again in %g s",
            self.part.name,
            now.last_end,
            now.failures_in_a_row,
            delay,
        )
        if self._receiver is not None:
            self._receiver.close()
        self._process = self._receiver = None


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back: a process started meanwhile never gets one, also not while it still imports."""
    # Started later, multiprocessing's own helper would let Ctrl-C through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
