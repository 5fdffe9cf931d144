"""Child processes of a benchmark: started, waited for until they are ready, and ended by their own id."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from benchmarks.figure import SkippedError

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0


class ProcessFailedError(Exception):
    """A process of the benchmark did not do its part: the message holds the end of what it wrote."""


@contextmanager
def running(arguments: Sequence[str], ready: str, log: Path, seconds: float = READY_SECONDS) -> Iterator[str]:
    """Run a server while the block lasts; yield what follows `ready` on the line of its output that begins with it.

    Its other output goes to `log`. Raises ProcessFailedError when it is not ready in time.
    """
    with log.open("ab") as errors:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        try:
            yield _ready_line(process, ready, log, seconds)
        finally:
            stop(process)


@contextmanager
def listening(arguments: Sequence[str], log: Path) -> Iterator[int]:
    """Run a program that says nothing when it is ready, while the block lasts; yield its process id."""
    with log.open("ab") as errors:
        process = subprocess.Popen(arguments, stdout=errors, stderr=errors, start_new_session=True)
        try:
            yield process.pid
        finally:
            stop(process)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process: asked first, killed when it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def measured_by(module: str, *arguments: object, seconds: float = 300.0) -> Any:
    """Run one of the load programs to its end and return what it measured, the last line of its output as JSON."""
    command = [sys.executable, "-m", f"benchmarks.load.{module}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, start_new_session=True)
    if done.returncode != 0 or not done.stdout.strip():
        raise ProcessFailedError(f"{module} failed ({done.returncode}): {done.stderr.strip()[-2_000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def needed(program: Path | str | None, why: str) -> str:
    """Return the program, or raise SkippedError when it is not there."""
    if program is None or not os.access(program, os.X_OK):
        raise SkippedError(why)
    return str(program)


def _ready_line(process: subprocess.Popen[bytes], ready: str, log: Path, seconds: float) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(deadline - time.monotonic()):
                break
            chunk = _read(process.stdout)
            if not chunk:
                break
            buffer += chunk
            for line in buffer.decode(errors="replace").splitlines(keepends=True):
                if line.startswith(ready) and line.endswith("\n"):
                    return line.removeprefix(ready).strip()
    raise ProcessFailedError(f"{' '.join(map(str, process.args))} was not ready: {log.read_text()[-2_000:]}")  # type: ignore[arg-type]


def _read(stream: IO[bytes]) -> bytes:
    return os.read(stream.fileno(), 65_536)
