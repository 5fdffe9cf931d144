"""A small real gRPC server that speaks LedgerService from memory and does what a script says: refuses, cancels, loses answers.

For tests of the clients: it keeps the promises of the API (idempotent, in order within a call) and nothing more, so that what a
client does about faults can be seen alone. It says nothing about calls in flight together, like the ledger.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from clients.python import RetryPolicy, event
from clients.python.core.ordering import keys_of
from ledger.api.v1.consistency_pb2 import LedgerToken, ReadAt
from ledger.api.v1.contact_pb2 import NoteAdded
from ledger.api.v1.event_pb2 import EventToAppend, RecordedEvent
from ledger.api.v1.handoff_service_pb2 import ListHandoffsRequest, ListHandoffsResponse, WatchHandoffsRequest, WatchHandoffsResponse
from ledger.api.v1.handoff_service_pb2_grpc import HandoffServiceServicer, add_HandoffServiceServicer_to_server
from ledger.api.v1.ledger_service_pb2 import (
    Appended,
    AppendRequest,
    AppendResponse,
    EventGroup,
    GetEventRequest,
    GetEventResponse,
    GetHeadRequest,
    GetHeadResponse,
    GetPositionAtRequest,
    GetPositionAtResponse,
    GroupResult,
    ReadEventsRequest,
    ReadEventsResponse,
    SubscribeRequest,
    SubscribeResponse,
)
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceServicer, add_LedgerServiceServicer_to_server

Act = Callable[[Any, Callable[[], Any]], Any]
"""What a call does instead of just answering: gets the context and the way to the answer."""


HOLD_SECONDS_MAX = 60.0

QUICK = RetryPolicy(first_delay_seconds=0.01, delay_seconds_max=0.05, attempt_seconds=HOLD_SECONDS_MAX)
"""So that tests of many retries are short. What only takes long, on a slow machine, is not sent a second time."""


def note(contact_id: str = "c-1", text: str = "called back") -> EventToAppend:
    """Return an event of the life cycle of a contact."""
    return event(NoteAdded(contact_id=contact_id, text=text))


def append_request(one: EventToAppend) -> AppendRequest:
    """Return the request that appends an event."""
    return AppendRequest(groups=[EventGroup(events=[one])])


def status(code: str, reason: str = "", message: str = "refused", retry_after_seconds: float | None = None) -> Status:
    """Return a `google.rpc.Status` as the ledger sends it."""
    made = Status(code=Code.Value(code), message=message)
    if reason:
        made.details.add().Pack(ErrorInfo(reason=reason, domain="tellonce", metadata={"stream": "request-1"}))
    if retry_after_seconds is not None:
        delay = Duration()
        delay.FromNanoseconds(int(retry_after_seconds * 1e9))
        made.details.add().Pack(RetryInfo(retry_delay=delay))
    return made


def refuse(code: str, reason: str = "", retry_after_seconds: float | None = None) -> Act:
    """Refuse the call before anything is done."""

    def act(context: Any, proceed: Callable[[], Any]) -> NoReturn:
        context.abort_with_status(rpc_status.to_status(status(code, reason, retry_after_seconds=retry_after_seconds)))

    return act


def lose_answer(code: str = "UNAVAILABLE") -> Act:
    """Do what was asked, and end the call as if the connection had been lost."""

    def act(context: Any, proceed: Callable[[], Any]) -> NoReturn:
        proceed()
        context.abort(getattr(grpc.StatusCode, code), "Socket closed")

    return act


def wait(seconds: float) -> Act:
    """Answer late."""

    def act(context: Any, proceed: Callable[[], Any]) -> Any:
        time.sleep(seconds)
        return proceed()

    return act


def hold(until: threading.Event) -> Act:
    """Answer when something has happened."""

    def act(context: Any, proceed: Callable[[], Any]) -> Any:
        assert until.wait(HOLD_SECONDS_MAX), "what was waited for never happened"
        return proceed()

    return act


def before(do: Callable[[], object], act: Act | None = None) -> Act:
    """Do something when the call has come, then act; without an act, answer."""

    def first(context: Any, proceed: Callable[[], Any]) -> Any:
        do()
        return proceed() if act is None else act(context, proceed)

    return first


def after(do: Callable[[], object]) -> Act:
    """Do something when all is done and nothing is answered yet."""

    def last(context: Any, proceed: Callable[[], Any]) -> Any:
        answer = proceed()
        do()
        return answer

    return last


def refuse_groups(code: str, reason: str, *numbers: int) -> Act:
    """Record the other groups of the call, and refuse these."""

    def act(context: Any, proceed: Callable[..., Any]) -> Any:
        return proceed(refused=dict.fromkeys(numbers, status(code, reason)))

    return act


def break_after(count: int, code: str = "UNAVAILABLE") -> Act:
    """Break a stream after so many answers."""

    def act(context: Any, proceed: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        for number, response in enumerate(proceed()):
            if number == count:
                break
            yield response
        context.abort(getattr(grpc.StatusCode, code), "Socket closed")

    return act


class FaultServer(LedgerServiceServicer, HandoffServiceServicer):
    """The server. `events` is its log; `requests` are the requests of each method as they came."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.handoff_changes: list[WatchHandoffsResponse] = []
        self.handoff_pages: list[ListHandoffsResponse] = []
        self.every_append: Act | None = None
        self.appends_at_once_max = 0
        self._appends_at_once = 0
        self._ids: dict[str, RecordedEvent] = {}
        self._acts: dict[str, deque[Act]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._port = 0
        self._stopping = threading.Event()
        self._start()

    def _start(self) -> None:
        self._stopping.clear()
        self._server = grpc.server(ThreadPoolExecutor(16))
        add_LedgerServiceServicer_to_server(self, self._server)
        add_HandoffServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self._server.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._port}"

    def stop(self) -> None:
        self._stopping.set()
        self._server.stop(None).wait()

    def restart(self) -> None:
        """End all calls and connections, and listen again on the same port."""
        self.stop()
        self._start()

    def script(self, method: str, *acts: Act) -> None:
        """Let the next calls of a method act like this, one after the other; later ones just answer."""
        self._acts[method].extend(acts)

    def topics(self) -> list[str]:
        return [event.topic for event in self.events]

    def _do(self, method: str, request: Any, context: Any, proceed: Callable[..., Any]) -> Any:
        with self._lock:
            self.requests[method].append(request)
            act = self._acts[method].popleft() if self._acts[method] else None
        if act is None and method == "Append":
            act = self.every_append
        return act(context, proceed) if act is not None else proceed()

    # LedgerService

    def Append(self, request: AppendRequest, context: Any) -> AppendResponse:  # noqa: N802
        def proceed(refused: dict[int, Status] | None = None) -> AppendResponse:
            results = []
            for number, group in enumerate(request.groups):
                if refused and number in refused:
                    results.append(GroupResult(error=refused[number]))
                    continue
                with self._lock:
                    results.append(GroupResult(appended=[self._record(event) for event in group.events]))
                time.sleep(0)  # so that groups of calls in flight together mix
            return AppendResponse(results=results, token=LedgerToken(value=f"t-{len(self.events)}"))

        with self._lock:
            self._appends_at_once += 1
            self.appends_at_once_max = max(self.appends_at_once_max, self._appends_at_once)
        try:
            return self._do("Append", request, context, proceed)
        finally:
            with self._lock:
                self._appends_at_once -= 1

    def _record(self, event: EventToAppend) -> Appended:
        event_id = event.envelope.event_id
        found = self._ids.get(event_id)
        if found is not None:
            return Appended(
                event_id=event_id, position=found.position, stream=found.stream, revision=found.revision, duplicate=True
            )
        keys = sorted(key for key in keys_of([event]).changes if not key.startswith("event-"))
        stream = keys[0] if keys else f"own-{event_id}"
        revision = 1 + sum(one.stream == stream for one in self.events)
        recorded = RecordedEvent(
            position=len(self.events) + 1,
            stream=stream,
            revision=revision,
            topic=event.payload.WhichOneof("kind").replace("_", "-"),
            envelope=event.envelope,
            payload=event.payload,
        )
        self.events.append(recorded)
        self._ids[event_id] = recorded
        return Appended(event_id=event_id, position=recorded.position, stream=stream, revision=revision)

    def GetHead(self, request: GetHeadRequest, context: Any) -> GetHeadResponse:  # noqa: N802
        def proceed() -> GetHeadResponse:
            return GetHeadResponse(position=len(self.events), token=LedgerToken(value=f"t-{len(self.events)}"))

        return self._do("GetHead", request, context, proceed)

    def GetEvent(self, request: GetEventRequest, context: Any) -> GetEventResponse:  # noqa: N802
        def proceed() -> GetEventResponse:
            return GetEventResponse(event=self.events[request.position - 1])

        return self._do("GetEvent", request, context, proceed)

    def GetPositionAt(self, request: GetPositionAtRequest, context: Any) -> GetPositionAtResponse:  # noqa: N802
        return self._do("GetPositionAt", request, context, lambda: GetPositionAtResponse(position=len(self.events)))

    def ReadEvents(self, request: ReadEventsRequest, context: Any) -> Iterator[ReadEventsResponse]:  # noqa: N802
        def proceed() -> Iterator[ReadEventsResponse]:
            until = request.until_position if request.HasField("until_position") else len(self.events)
            wanted = self.events[request.from_position - 1 : until]
            if request.HasField("limit"):
                wanted = wanted[: request.limit]
            for start in range(0, len(wanted), 2):
                yield ReadEventsResponse(events=wanted[start : start + 2])

        yield from self._do("ReadEvents", request, context, proceed)

    def Subscribe(self, request: SubscribeRequest, context: Any) -> Iterator[SubscribeResponse]:  # noqa: N802
        def proceed() -> Iterator[SubscribeResponse]:
            position, caught_up = request.after_position, False
            while context.is_active() and not self._stopping.is_set():
                while position < len(self.events):
                    yield SubscribeResponse(event=self.events[position])
                    position += 1
                if not caught_up:
                    caught_up = True
                    yield SubscribeResponse(caught_up={"position": position})
                time.sleep(0.005)

        yield from self._do("Subscribe", request, context, proceed)

    # HandoffService

    def ListHandoffs(self, request: ListHandoffsRequest, context: Any) -> ListHandoffsResponse:  # noqa: N802
        def proceed() -> ListHandoffsResponse:
            response = ListHandoffsResponse()
            response.CopyFrom(self.handoff_pages[int(request.page_token or 0)])
            position = len(self.events)
            response.read_at.CopyFrom(ReadAt(position=position, token=LedgerToken(value=f"t-{position}")))
            return response

        return self._do("ListHandoffs", request, context, proceed)

    def WatchHandoffs(self, request: WatchHandoffsRequest, context: Any) -> Iterator[WatchHandoffsResponse]:  # noqa: N802
        def proceed() -> Iterator[WatchHandoffsResponse]:
            for change in self.handoff_changes:
                if change.position > request.after_position:
                    yield change
            while context.is_active() and not self._stopping.is_set():
                time.sleep(0.005)

        yield from self._do("WatchHandoffs", request, context, proceed)

    def GetHandoff(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        self._do("GetHandoff", request, context, lambda: context.abort(grpc.StatusCode.UNIMPLEMENTED, "not spoken here"))
        raise AssertionError("the script of GetHandoff has to abort")

    def CountHandoffs(self, request: Any, context: Any) -> NoReturn:  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not spoken here")
        raise AssertionError
