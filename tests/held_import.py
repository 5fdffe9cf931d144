"""The command `tellonce import`, stopped by itself at given rows: there a test can kill something on a machine of any speed.

`python -m tests.held_import TAKEN:SETTLED[,TAKEN:SETTLED…] import FILE …` takes so many rows, waits until so many of them are
acknowledged and noted in the checkpoint, and then stops (SIGSTOP) with the others under way. SIGCONT lets it go on, to the next
stop. `started`, `wait_until_held` and `go_on` are for the tests that hold one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clients.cli.main import main
from clients.connectors.delivery import Sending
from clients.connectors.row_stream import RowOutcome

ROOT: Final = Path(__file__).parents[1]


@contextmanager
def started(stops: dict[int, int], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `tellonce import` with these arguments in a process of its own, to be stopped there: rows taken → rows settled.

    What is left of it at the end is killed.
    """
    held = ",".join(f"{taken}:{settled}" for taken, settled in stops.items())
    command = [sys.executable, "-m", "tests.held_import", held, "import", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_held(process: subprocess.Popen[bytes]) -> None:
    """Wait until the import stands still at its next stop."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), process.communicate()


def go_on(process: subprocess.Popen[bytes]) -> None:
    """Let the import go on."""
    process.send_signal(signal.SIGCONT)


def hold(stops: dict[int, int]) -> None:
    """Have the import of this process stop itself when it has taken so many rows, and settled so many of them."""
    take = Sending.take
    taken = 0

    def held(self: Sending, outcome: RowOutcome) -> None:
        nonlocal taken
        take(self, outcome)
        taken += 1
        if taken in stops:
            while self._rows_done < stops[taken]:
                self._settle_first()
            self._settled(self._rows_done)
            os.kill(os.getpid(), signal.SIGSTOP)

    Sending.take = held  # type: ignore[method-assign]


if __name__ == "__main__":
    hold({int(taken): int(settled) for taken, settled in (stop.split(":") for stop in sys.argv[1].split(","))})
    sys.argv[1:] = sys.argv[2:]
    main()
