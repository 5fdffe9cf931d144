"""Fills a ledger with the year of a large ledger, through its API, as an import would: one large call after the other.

Prints a line of JSON every few seconds and at the end: {"acknowledged", "irregular", "seconds", "done"}. All events up to
`acknowledged` are recorded, so the same command with `--skip` of that number goes on. Events sent twice are recorded once.

One call at a time keeps the order of what happened, so the same year gives the same ledger; the next one is made ready meanwhile.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc

from benchmarks.load.unary import CHANNEL_OPTIONS
from benchmarks.workload import import_started
from benchmarks.year import year
from ledger.api.v1.ledger_service_pb2 import AppendRequest, AppendResponse
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub

EVENTS_PER_CALL: Final = 900
TELL_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 0.2
CALL_SECONDS: Final = 120.0


class Fill:
    """The call in flight, and what was acknowledged."""

    def __init__(self, stub: Any, acknowledged: int) -> None:
        self._stub = stub
        self._request = AppendRequest(groups=[import_started()])
        self._call = self._send()
        self._event_count = 0
        self.acknowledged = acknowledged
        self.irregular = 0

    def send(self, request: AppendRequest, event_count: int) -> None:
        """Wait for the call in flight, then send the next one."""
        self.settle()
        self._request, self._event_count = request, event_count
        self._call = self._send()

    def settle(self) -> None:
        """Wait for the call in flight."""
        for result in self._answer().results:
            if result.HasField("error"):
                raise SystemExit(f"refused: {result.error.message}")
            self.irregular += sum(one.irregular for one in result.appended)
        self.acknowledged += self._event_count
        self._event_count = 0

    def _send(self) -> Any:
        return self._stub.Append.future(self._request, timeout=CALL_SECONDS)

    def _answer(self) -> AppendResponse:
        """Send again until it is taken: a full queue asks to come again."""
        while True:
            try:
                answer: AppendResponse = self._call.result()
            except grpc.RpcError as error:
                if error.code() not in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}:
                    raise
                time.sleep(AGAIN_SECONDS)
                self._call = self._send()
            else:
                return answer


def requests(event_count: int, skip: int) -> Iterator[tuple[AppendRequest, int]]:
    """Yield the calls and their numbers of events, without the first `skip` events."""
    call, in_call, total = AppendRequest(), 0, 0
    for group in year(event_count):
        total += len(group.events)
        if total <= skip:
            continue
        call.groups.append(group)
        in_call += len(group.events)
        if in_call >= EVENTS_PER_CALL:
            yield call, in_call
            call, in_call = AppendRequest(), 0
    if in_call:
        yield call, in_call


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--skip", type=int, default=0)
    arguments = parser.parse_args()
    begin = tell = time.monotonic()

    def say(fill: Fill, done: bool) -> None:
        seconds = round(time.monotonic() - begin, 2)
        said = {"acknowledged": fill.acknowledged, "irregular": fill.irregular, "seconds": seconds, "done": done}
        print(json.dumps(said), flush=True)

    with grpc.insecure_channel(arguments.target, options=CHANNEL_OPTIONS) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
        fill = Fill(LedgerServiceStub(channel), arguments.skip)
        for request, event_count in requests(arguments.events, arguments.skip):
            fill.send(request, event_count)
            if time.monotonic() >= tell:
                tell = time.monotonic() + TELL_SECONDS
                say(fill, done=False)
        fill.settle()
        say(fill, done=True)


if __name__ == "__main__":
    main()
