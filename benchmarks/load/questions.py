"""One caller who asks one question after the other, several kinds in turn, in small blocks: A B A B …

Prints one list of latencies in seconds for each kind and round. Each kind is `name|address|method|file`; its requests are asked
one after the other, again from the first at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc

from benchmarks.load.unary import CHANNEL_OPTIONS
from benchmarks.workload import read_requests

BLOCK_CALLS = 20


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", action="append", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--calls", type=int, required=True, help="calls of each kind in a round")
    parser.add_argument("--warm-calls", type=int, default=200)
    arguments = parser.parse_args()
    channels: dict[str, Any] = {}
    kinds: dict[str, tuple[Any, Any]] = {}
    for kind in arguments.kind:
        name, address, method, file = kind.split("|")
        if address not in channels:
            channels[address] = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        kinds[name] = (channels[address].unary_unary(method), cycle(read_requests(Path(file), 0, 1_000_000)))
    for call, requests in kinds.values():
        for _ in range(arguments.warm_calls):
            call(next(requests))
    rounds = []
    for _ in range(arguments.rounds):
        latencies: dict[str, list[float]] = {name: [] for name in kinds}
        while len(next(reversed(latencies.values()))) < arguments.calls:
            for name, (call, requests) in kinds.items():
                for _ in range(min(BLOCK_CALLS, arguments.calls)):
                    request = next(requests)
                    start = time.perf_counter()
                    call(request)
                    latencies[name].append(time.perf_counter() - start)
        rounds.append(latencies)
    print(json.dumps(rounds))


if __name__ == "__main__":
    try:
        main()
    except grpc.RpcError as refused:
        sys.exit(f"{refused.code().name}: {refused.details()}")
