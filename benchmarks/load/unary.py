"""Closed-loop load: so many calls in flight over one connection to each target, each answered one followed by the next.

Requests are bytes of a file and answers stay bytes until the clock has stopped, so that this process costs little. Prints
{"calls", "events", "refused", "come_again", "seconds", "latencies"}: what was answered while the clock ran, latencies in seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc

from benchmarks.workload import read_requests
from ledger.api.v1.ledger_service_pb2 import AppendResponse

CHANNEL_OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1))

AGAIN_SECONDS = 0.05


class Load:
    """Calls in flight, and what came back."""

    def __init__(self, call: Any, requests: list[bytes], again: bool) -> None:
        self._call = call
        self._requests = cycle(requests) if again else iter(requests)
        self.answers: list[tuple[float, float, bytes]] = []
        """Start and end of each call, and its answer."""
        self.exhausted = False
        self.refused_calls = 0

    async def keep_calling(self, until: float) -> None:
        """Call, one call after the other, until a time of the monotonic clock or the end of the requests."""
        for request in self._requests:
            start = time.perf_counter()
            if start >= until:
                return
            answer = await self._answer(request)
            self.answers.append((start, time.perf_counter(), answer))
        self.exhausted = True

    async def _answer(self, request: bytes) -> bytes:
        """Call until it is taken: the bulk lane asks to come again while the views are behind."""
        while True:
            try:
                return bytes(await self._call(request))
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                self.refused_calls += 1
                await asyncio.sleep(AGAIN_SECONDS)


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the load and return what was measured, of all targets together."""
    async with AsyncExitStack() as stack:
        loads = []
        for number, target in enumerate(arguments.target.split(",")):
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS))
            await asyncio.wait_for(channel.channel_ready(), 10)
            requests = read_requests(arguments.requests, arguments.first + number * arguments.count, arguments.count)
            loads.append(Load(channel.unary_unary(arguments.method, None, None), requests, arguments.again))
        begin = time.perf_counter() + arguments.warm_seconds
        end = begin + arguments.seconds
        await asyncio.gather(*(load.keep_calling(end) for load in loads for _ in range(arguments.in_flight)))
    answers = [answer for load in loads for answer in load.answers]
    counted = [answer for answer in answers if begin <= answer[1] < end]
    if not counted:
        sys.exit(f"no call was answered in {arguments.seconds:g} s: the machine is too busy to measure anything")
    exhausted = any(load.exhausted for load in loads)
    seconds = (max(stop for _, stop, _ in counted) - begin) if exhausted else arguments.seconds
    events, refused, refusal = tally(answer for _, _, answer in counted)
    return {
        "calls": len(counted),
        "all_calls": len(answers),
        "events": events,
        "refused": refused,
        "refusal": refusal,
        "come_again": sum(load.refused_calls for load in loads),
        "exhausted": exhausted,
        "seconds": seconds,
        "latencies": [stop - start for start, stop, _ in counted],
    }


def tally(answers: Any) -> tuple[int, int, str]:
    """Return how many events were appended, how many groups refused, and the first refusal."""
    events = refused = 0
    refusal = ""
    for content in answers:
        for result in AppendResponse.FromString(content).results:
            events += len(result.appended)
            if result.HasField("error"):
                refused += 1
                refusal = refusal or result.error.message
    return events, refused, refusal


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, help="address; several, separated by commas, each get their own requests")
    parser.add_argument("--method", required=True, help="path of the call, such as /ledger.api.v1.LedgerService/Append")
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000_000)
    parser.add_argument("--again", action="store_true", help="begin again at the end of the requests")
    parser.add_argument("--in-flight", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warm-seconds", type=float, default=0.3)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
