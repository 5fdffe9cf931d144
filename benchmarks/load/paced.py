"""Open-loop load: appends of one event arriving at random (Poisson), so many a second, whatever the answers take.

Some acknowledged appends are followed at once, over another connection, by a question that must know them (`at_least` their
token), and as many by the same question that need not. Prints {"appended", "seconds", "late", "fresh", "any"}: latencies in
seconds, from the acknowledgement to the answer. `late`: the largest delay of an arrival behind its time, as a check on this load.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import grpc

from benchmarks.load.unary import CHANNEL_OPTIONS
from benchmarks.servers import APPEND
from benchmarks.workload import read_requests
from ledger.api.v1.consistency_pb2 import Consistency
from ledger.api.v1.handoff_service_pb2 import HandoffFilter, ListHandoffsRequest
from ledger.api.v1.ledger_service_pb2 import AppendResponse

QUESTION = "/ledger.api.v1.HandoffService/ListHandoffs"


class Paced:
    """Arrivals, and what came of them."""

    def __init__(self, appends: Any, questions: Any, every: int) -> None:
        self._appends = appends
        self._questions = questions
        self._every = every
        self.counting = False
        self.appended = 0
        self.fresh: list[float] = []
        self.any: list[float] = []

    async def arrive(self, number: int, request: bytes) -> None:
        """Append one event; after some, ask."""
        counted = self.counting
        answer = await self._appends(request)
        acknowledged = time.perf_counter()
        self.appended += counted
        turn = number % self._every
        if turn == 0:
            await self._ask(Consistency(at_least=AppendResponse.FromString(answer).token), self.fresh, acknowledged, counted)
        elif turn == self._every // 2:
            await self._ask(Consistency(any=True), self.any, acknowledged, counted)

    async def _ask(self, consistency: Consistency, latencies: list[float], since: float, counted: bool) -> None:
        question = ListHandoffsRequest(consistency=consistency, page_size=1, filter=HandoffFilter(request_id="none"))
        await self._questions(question.SerializeToString())
        if counted:
            latencies.append(time.perf_counter() - since)


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the load and return what was measured."""
    (request,) = read_requests(arguments.requests, 0, 1)
    random_gap = random.Random(2026).expovariate
    late = 0.0
    async with (
        grpc.aio.insecure_channel(arguments.target, options=CHANNEL_OPTIONS) as appends,
        grpc.aio.insecure_channel(arguments.target, options=CHANNEL_OPTIONS) as questions,
    ):
        await asyncio.gather(appends.channel_ready(), questions.channel_ready())
        paced = Paced(appends.unary_unary(APPEND, None, None), questions.unary_unary(QUESTION, None, None), arguments.ask_every)
        under_way: set[asyncio.Task[None]] = set()
        begin = due = time.perf_counter()
        number = 0
        while due < begin + arguments.warm_seconds + arguments.seconds:
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            paced.counting = due >= begin + arguments.warm_seconds
            if paced.counting:
                late = max(late, time.perf_counter() - due)
            number += 1
            task = asyncio.ensure_future(paced.arrive(number, request))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += random_gap(arguments.rate)
        await asyncio.gather(*under_way)
    return {"appended": paced.appended, "seconds": arguments.seconds, "late": late, "fresh": paced.fresh, "any": paced.any}


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--ask-every", type=int, default=20)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-seconds", type=float, default=1.0)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
