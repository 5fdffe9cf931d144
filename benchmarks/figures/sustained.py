"""P3c: appends sustained for a minute, counted when they are visible in every view, against the projector alone (P5).

The bulk lane lets no more in than the views can follow, so this is what an import of any length can reach.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.figures import projector
from benchmarks.harness import compared
from benchmarks.process import ProcessFailedError, stop
from benchmarks.servers import APPEND, Asking, product
from benchmarks.workload import as_request, calls, write_requests
from ledger.api.v1.ledger_service_pb2 import BULK

IN_FLIGHT: Final = 8
EVENTS_PER_CALL: Final = 100
EVENTS_PER_SECOND_MAX: Final = 10_000
"""So many events are made ready for each second."""
SECONDS: Final = 60.0
SECONDS_QUICK: Final = 20.0
WARM_SECONDS: Final = 2.0
GOAL: Final = Goal(ratio_min=0.9)
NAME: Final = "Append, 100 a call, 8 in flight, sustained, visible in every view, vs P5"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P3c."""
    limit = next((result for result in bench.earlier if result.id == "P5"), None) or projector.run(bench)[0]
    seconds = SECONDS_QUICK if bench.quick else SECONDS
    folder = bench.folder("sustained")
    requests = folder / "requests"
    bench.say("making events")
    event_count = int((seconds + WARM_SECONDS) * EVENTS_PER_SECOND_MAX)
    write_requests(requests, (as_request(call, BULK) for call in calls(event_count, EVENTS_PER_CALL)))
    with product(folder / "data") as address, Asking(address) as asking:
        asking.open_run()
        bench.say(f"{seconds:g} s of load")
        visible, measured = _watched(bench, asking, address, requests, seconds)
    if measured["exhausted"]:
        raise ProcessFailedError(f"more than {EVENTS_PER_SECOND_MAX:,} events/s were taken: raise EVENTS_PER_SECOND_MAX")
    if measured["refused"]:
        raise ProcessFailedError(f"{measured['refused']} groups were refused: {measured['refusal']}")
    detail = (
        f"{seconds:g} s in {len(visible)} windows; acknowledged {measured['events'] / measured['seconds']:,.0f}/s; "
        f"the bulk lane sent {measured['come_again']} calls away for a moment"
    )
    return [compared("P3c", NAME, "events/s", GOAL, visible, limit.measured["ours"], detail)]


def _watched(bench: Bench, asking: Asking, address: str, requests: Path, seconds: float) -> tuple[list[float], dict[str, Any]]:
    """Put the server under load; return the events that became visible in each window of it, a second, and the load's own count."""
    command = [
        *(sys.executable, "-m", "benchmarks.load.unary", "--target", address, "--method", APPEND),
        *("--requests", str(requests), "--in-flight", str(IN_FLIGHT)),
        *("--seconds", str(seconds), "--warm-seconds", str(WARM_SECONDS)),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        before = asking.status().head_position
        while asking.status().head_position == before:
            time.sleep(0.02)
        time.sleep(WARM_SECONDS)
        window = seconds / bench.rounds
        begin = time.perf_counter()
        places = [(begin, asking.status().views_position)]
        for number in range(1, bench.rounds + 1):
            # A little early, so that the load never ends within the last window.
            time.sleep(max(0.0, begin + number * window - 0.1 - time.perf_counter()))
            places.append((time.perf_counter(), asking.status().views_position))
            bench.say(f"{places[-1][1]:,} events visible")
        output, _ = process.communicate(timeout=120)
        if process.returncode != 0:
            raise ProcessFailedError(f"the load failed ({process.returncode})")
        measured: dict[str, Any] = json.loads(output.decode().splitlines()[-1])
    finally:
        stop(process)
    return [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairwise(places)], measured


FIGURE: Final = Figure("P3c", NAME, GOAL, run)
