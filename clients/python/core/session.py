"""What a client remembers between calls: the newest token it has seen, and its defaults.

Does no input or output. Safe to use from several threads.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from clients.python.core.arguments import ConsistencyLike
from clients.python.core.calls import Call
from clients.python.core.faults import Fault, fault_of_call
from clients.python.core.retry import Attempts, RetryPolicy
from clients.python.errors import ClosedError, TokenError
from ledger.api.v1.consistency_pb2 import Consistency, LedgerToken
from ledger.api.v1.ledger_service_pb2 import AppendResponse, GetHeadResponse

R = TypeVar("R", bound=Message)
T = TypeVar("T")


class Session:
    """The state of a client that is not a connection."""

    def __init__(self, target: str, consistency: ConsistencyLike, timeout_seconds: float, retry: RetryPolicy) -> None:
        self.target = target
        self.consistency = consistency
        self.timeout_seconds = timeout_seconds
        self.retry = retry
        self.closed = False
        self._lock = threading.Lock()
        self._token = ""
        self._position = -1

    @property
    def token(self) -> LedgerToken | None:
        """The newest token seen in answers; None before the first."""
        return LedgerToken(value=self._token) if self._token else None

    def prepare(self, call: Call[Any, Any]) -> Message:
        """Return the request with the consistency asked for, where the RPC knows one and the caller set none."""
        request = call.request
        if "consistency" in request.DESCRIPTOR.fields_by_name and not request.HasField("consistency"):
            cast(Any, request).consistency.CopyFrom(self._level(call.consistency or self.consistency))
        return request

    def attempts(self, timeout_seconds: float | None, *, appends: bool = False) -> Attempts:
        """Return the attempts of a new call. ClosedError once the client is closed."""
        self.check_open()
        return Attempts(self.retry, self.timeout_seconds if timeout_seconds is None else timeout_seconds, appends=appends)

    def check_open(self) -> None:
        """Raise ClosedError once the client is closed."""
        if self.closed:
            raise ClosedError("CLIENT_CLOSED", "The client is closed: make a new one.")

    def take(self, call: Call[R, T], response: R) -> T:
        """Note the token of an answer and return the call's result."""
        self.saw(response)
        return call.take(response)

    def saw(self, response: Message) -> None:
        """Note the token of an answer, if it is newer."""
        match response:
            case AppendResponse():
                position = max((a.position for result in response.results for a in result.appended), default=0)
                token = response.token.value
            case GetHeadResponse():
                position, token = response.position, response.token.value
            case _:
                if "read_at" not in response.DESCRIPTOR.fields_by_name:
                    return
                read_at = cast(Any, response).read_at
                position, token = read_at.position, read_at.token.value
        with self._lock:
            if token and position > self._position:
                self._position, self._token = position, token

    def fault(self, code: str, details: str, metadata: Any) -> Fault:
        """Return the fault of a failed call; raise when it is of the client's own making."""
        if self.closed:
            raise ClosedError("CLIENT_CLOSED", "The client was closed while it waited for an answer: make a new one.")
        fault = fault_of_call(code, f"{details} at {self.target}" if details else f"{code} from {self.target}", metadata)
        if isinstance(fault.error, TokenError):
            # The ledger went back in time, or is another one. The caller has to know; but the next call must not fail for it.
            with self._lock:
                self._position, self._token = -1, ""
        return fault

    def _level(self, wanted: ConsistencyLike) -> Consistency:
        if isinstance(wanted, LedgerToken):
            return Consistency(at_least=wanted)
        if wanted == "any":
            return Consistency(any=True)
        token = self.token
        if wanted == "read_your_writes" and token is not None:
            return Consistency(at_least=token)
        return Consistency(latest=True)
