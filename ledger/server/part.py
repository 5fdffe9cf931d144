"""What every process below the supervisor does first: signals, log lines, and ending when the supervisor is gone."""

from __future__ import annotations

import gc
import logging
import multiprocessing

# Without this import the watcher would die of an AttributeError, and leave an orphan that holds the port.
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from pkgutil import resolve_name
from typing import Any, Final

YOUNG_OBJECTS: Final = 5_000
OLD_COLLECTIONS: Final = 1_000
"""The collector of reference cycles looks at new objects when there are so many more of them, and seldom at old ones. The parts
make almost no cycles and keep large caches: by default, looking at all of them took 10 us an event, in pauses of up to 50 ms."""

ORPHAN_SECONDS: Final = 15.0
"""A part whose supervisor is gone has so long to finish what is under way."""


def run_part(target: str, arguments: tuple[Any, ...], ready: Connection) -> None:
    """Run a part in this process until it ends. It gets a function to call when it is ready, with what the supervisor is to know.

    Ctrl-C goes to the whole group of processes, so the supervisor alone obeys it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_plainly()
    threading.Thread(target=_end_with_supervisor, name="supervisor-watch", daemon=True).start()

    def tell_ready(said: Any = None) -> None:
        collect_seldom()
        with ready:
            ready.send(said)

    resolve_name(target)(*arguments, tell_ready)


def collect_seldom() -> None:
    """Let the collector leave alone what is there now, and look seldom at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, OLD_COLLECTIONS)


def log_plainly() -> None:
    """Write log lines to stderr, one line each, with time, level and name."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)


def _end_with_supervisor() -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return
    multiprocessing.connection.wait([supervisor.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)
