"""P13: from the start of the program to its first answer, its views up to date. Beside it a servicer that does nothing.

The answer is `latest`, so it knows every event. What the files hold is in the system's cache, as after a restart of the program.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import grpc

from benchmarks.asking import SECONDS, served
from benchmarks.big_ledger import with_views
from benchmarks.figure import Bench, Figure, Goal, Result
from benchmarks.harness import compared, in_turn
from benchmarks.questions import customers
from benchmarks.servers import noop, product
from benchmarks.workload import one_fact
from ledger.api.v1.history_service_pb2 import GetCustomerRequest
from ledger.api.v1.history_service_pb2_grpc import HistoryServiceStub
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub

GOAL: Final = Goal(ours_max=2.0, unit="s")
NAME: Final = "Start to first answer"
ANSWER_SECONDS: Final = 600.0


def run(bench: Bench) -> Sequence[Result]:
    """Measure P13."""
    folder = bench.folder("start")
    contenders: dict[str, Callable[[], float]] = {}
    for event_count in [bench.events, bench.small_events] if bench.large else [bench.events]:
        with served(bench, event_count) as ledger:
            asked = GetCustomerRequest(customer=customers(ledger.address, event_count)[0])
        contenders[f"{event_count:,} events"] = _start_of(with_views(bench, event_count), asked)
    contenders["no-op"] = lambda: _noop_start(folder)
    measured = in_turn(bench, contenders)
    ours, *small, limit = measured.values()
    detail = "the first answer is a customer's card; beside it a servicer that does nothing, started the same way"
    return [compared("P13", f"{NAME}, {bench.events:,} events", "s", GOAL, ours, limit, detail, small[0] if small else ())]


def _start_of(data: Path, asked: GetCustomerRequest) -> Callable[[], float]:
    def start() -> float:
        begin = time.perf_counter()
        with product(data, SECONDS) as address, grpc.insecure_channel(address) as channel:
            HistoryServiceStub(channel).GetCustomer(asked, timeout=ANSWER_SECONDS)
            return time.perf_counter() - begin

    return start


def _noop_start(folder: Path) -> float:
    begin = time.perf_counter()
    with noop(folder) as address, grpc.insecure_channel(address) as channel:
        LedgerServiceStub(channel).Append(one_fact(), timeout=ANSWER_SECONDS)
        return time.perf_counter() - begin


FIGURE: Final = Figure("P13", NAME, GOAL, run)
