"""The supervisor: starts the parts, starts a dead one again alone, and stops them in order.

Parts are spawned, never forked: gRPC does not survive a fork. The supervisor holds no data and answers nobody.
"""

from __future__ import annotations

import logging
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

from ledger.server.part import run_part

BACK_OFF_SECONDS: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""How long a dead part is left alone, by how often it died in a row."""

STEADY_SECONDS: Final = 30.0
"""A part that ran so long is sound: its next death counts as the first."""

KILL_SECONDS: Final = 5.0
"""A killed process is waited for so long."""

log = logging.getLogger("tellonce.supervisor")


class Part(NamedTuple):
    """A process of the ledger."""

    name: str
    target: Callable[..., None]
    """Importable by its name. Called in the process with `arguments` and a function to call when it is ready."""
    arguments: tuple[Any, ...]
    """Picklable."""
    stop_seconds: float
    """How long it may take to end after SIGTERM; then it is killed."""


class StartFailedError(Exception):
    """The first part ended before it was ready. It has said why."""


class Supervisor:
    """Runs parts until SIGTERM or SIGINT. The first one is started first, and stopped first: the others need it."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._runs = [_Run(part) for part in parts]
        self._stopping = False

    def run(self, ready: Callable[[Any], None]) -> None:
        """Start everything and stay until told to stop. Raises StartFailedError.

        `ready` is called with what the first part says when it is ready.
        """
        wake_reader, wake_writer = os.pipe()
        os.set_blocking(wake_reader, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop_soon)
        try:
            self._start_first(wake_reader)
            if not self._stopping:
                ready(self._runs[0].said)
                for run in self._runs[1:]:
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

    def _start_first(self, wake_reader: int) -> None:
        first = self._runs[0]
        first.start()
        while not first.ready and not self._stopping:
            self._wait(wake_reader)
            if first.next_start_time is not None:
                raise StartFailedError

    def _wait(self, wake_reader: int) -> None:
        """Wait until something happens: a signal, a death, a part that is ready, or the time to start one again."""
        now = time.monotonic()
        due_times = [run.next_start_time for run in self._runs if run.next_start_time is not None]
        timeout = max(0.0, min(due_times) - now) if due_times else None
        happened = wait([wake_reader, *(source for run in self._runs for source in run.sources())], timeout)
        if wake_reader in happened:
            os.read(wake_reader, 4096)
        for run in self._runs:
            run.look(happened)

    def _stop(self) -> None:
        self._runs[0].stop()
        self._runs[0].join()
        for run in self._runs[1:]:
            run.stop()
        for run in self._runs[1:]:
            run.join()


class _Run:
    """A part and the process that runs it now."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.ready = False
        self.said: Any = None
        self.next_start_time: float | None = None
        self._process: SpawnProcess | None = None
        self._receiver: Connection | None = None
        self._start_time = 0.0
        self._stop_time = 0.0
        self._deaths = 0

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
        log.info("%s started, process %d", self.part.name, process.pid)

    def start_again_if_due(self) -> None:
        if self.next_start_time is not None and time.monotonic() >= self.next_start_time:
            self.start()

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

    def _hear(self, receiver: Connection) -> None:
        try:
            self.said = receiver.recv()
            self.ready = True
            log.info("%s is ready", self.part.name)
        except EOFError:
            pass
        receiver.close()
        self._receiver = None

    def _bury(self, process: SpawnProcess) -> None:
        process.join()
        steady = time.monotonic() - self._start_time >= STEADY_SECONDS
        delay = BACK_OFF_SECONDS[0 if steady else min(self._deaths, len(BACK_OFF_SECONDS) - 1)]
        self._deaths = 1 if steady else self._deaths + 1
        self.next_start_time = time.monotonic() + delay
        log.error("%s ended with exit code %s: starting it again in %g s", self.part.name, process.exitcode, delay)
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
