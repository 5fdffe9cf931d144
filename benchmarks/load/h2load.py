"""Load by h2load (Debian: nghttp2-client), a client that nobody here wrote. It sends one body again and again."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from benchmarks.process import ProcessFailedError

WARM_SECONDS: Final = 1
"""h2load takes whole seconds."""


def h2load() -> str | None:
    """Return the program; None where it is not installed."""
    return shutil.which("h2load")


def run(
    program: str,
    address: str,
    method: str,
    body: Path,
    in_flight: int,
    seconds: float,
    log: Path,
    connections: int = 1,
    rate: int | None = None,
) -> dict[str, Any]:
    """Keep so many calls in flight over each connection, and return what `load.unary` returns, events apart.

    With a `rate`, so many calls a second are sent over each connection, evenly, as long as no more than `in_flight` are unanswered.
    """
    log.unlink(missing_ok=True)
    whole_seconds = max(round(seconds), 1)
    command = [
        program,
        f"-c{connections}",
        f"-m{in_flight}",
        f"-D{whole_seconds}",
        f"--warm-up-time={WARM_SECONDS}",
        f"--log-file={log}",
        *([f"--rps={rate}"] if rate is not None else []),
        "-H",
        "content-type: application/grpc",
        "-H",
        "te: trailers",
        "-d",
        str(body),
        f"http://{address}{method}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, start_new_session=True)
    counted = re.search(r"requests: (\d+) total.* (\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
    if done.returncode != 0 or counted is None or int(counted[3]) or int(counted[4]):
        raise ProcessFailedError(f"h2load failed ({done.returncode}): {done.stdout[-1_000:]}{done.stderr[-1_000:]}")
    latencies = [int(line.split("\t")[2]) / 1e6 for line in log.read_text().splitlines()]
    return {"calls": int(counted[2]), "seconds": whole_seconds, "latencies": latencies}
