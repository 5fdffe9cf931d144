"""The synchronous client of the ledger. It only sends, waits and sleeps; what to send and when is decided in core/."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from threading import Event
from typing import Concatenate, ParamSpec, TypeVar, Unpack

import grpc
from google.protobuf.message import Message

from clients.python.batcher import Batcher
from clients.python.core import (
    answer_calls,
    complaint_calls,
    exception_calls,
    experience_calls,
    figure_calls,
    handoff_calls,
    history_calls,
    identity_calls,
    improvement_calls,
    insight_calls,
    journey_calls,
    log_calls,
    notice_calls,
    opportunity_calls,
    playbook_calls,
    policy_calls,
    promise_calls,
    request_calls,
    whatif_calls,
)
from clients.python.core.appending import Again, LaneLike, Piece, Result, not_sent, pieces
from clients.python.core.arguments import ConsistencyLike
from clients.python.core.batching import BatchOptions, BatchPolicy
from clients.python.core.calls import Call, Listing, show_signature
from clients.python.core.connections import CHANNEL_OPTIONS, Connections
from clients.python.core.following import Feed
from clients.python.core.retry import RetryPolicy
from clients.python.core.session import Session
from clients.python.errors import ClosedError, TellonceError
from clients.python.events import ExpectationsLike, group
from clients.python.pages import Pages
from clients.python.subscription import Subscription
from ledger.api.v1.consistency_pb2 import LedgerToken
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import Appended, EventGroup

P = ParamSpec("P")
R = TypeVar("R", bound=Message)
T = TypeVar("T")


def _one(plan: Callable[P, Call[R, T]]) -> Callable[Concatenate[Client, P], T]:
    @wraps(plan)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(plan(*args, **kwargs))

    show_signature(method, plan)
    return method


def _many(plan: Callable[P, Listing[R, T]]) -> Callable[Concatenate[Client, P], Pages[R, T]]:
    @wraps(plan)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Pages[R, T]:
        return Pages(plan(*args, **kwargs), self._run)

    show_signature(method, plan)
    return method


def _stream(plan: Callable[P, Feed[R, T]]) -> Callable[Concatenate[Client, P], Subscription[T]]:
    @wraps(plan)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Subscription[T]:
        return Subscription(plan(*args, **kwargs), self._session, self._connections)

    show_signature(method, plan)
    return method


class Client:
    """A connection to the ledger, safe to use from several threads.

    `target`: host and port. `connections`: how many connections to open; calls take them in turn. `timeout_seconds`: how long
    a call may take in all, attempts and waits together; each method takes its own. `retry`: how to try again. The client sends
    everything again that passes by itself (UNAVAILABLE, a call the server cancelled, overload with a delay, a lost
    connection): reads change nothing, and appends carry ids made here, so nothing is recorded twice.

    `consistency` is how fresh answers must be; each question takes its own, too:

    - `"read_your_writes"` (default): the client carries the newest token that its appends and reads brought, and asks for
      answers that know at least that much. So it sees all it wrote and never goes back, but may miss, for a moment, what
      others wrote since. Before the first token it asks for `latest`.
    - `"latest"`: every event that was acknowledged, to anybody, before the question was asked.
    - `"any"`: whatever the views hold, without waiting.
    - a `LedgerToken`, such as `other.token`: at least what that one saw, whoever it was.

    Questions with one answer return the API's response, with `result` and, beside it, `read_at`; lists return `Pages`; streams
    return a `Subscription`. Errors are the classes of clients/python/errors.py.

    Example:
        >>> with Client("127.0.0.1:50051") as client:
        ...     received = ContactReceived(contact_id="c-1", customer=identifier("email:a@example.org"), reason="delivery")
        ...     client.append(event(received, channel="email"))
        ...     for entry in client.history("email:a@example.org"):
        ...         print(entry.event.topic)
    """

    def __init__(
        self,
        target: str = "127.0.0.1:50051",
        *,
        connections: int = 2,
        consistency: ConsistencyLike = "read_your_writes",
        timeout_seconds: float = 30.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._session = Session(target, consistency, timeout_seconds, retry or RetryPolicy())
        self._connections = Connections(lambda: grpc.insecure_channel(target, options=CHANNEL_OPTIONS), connections)
        self._closing = Event()

    @property
    def token(self) -> LedgerToken | None:
        """The newest token this client has seen: give it to another client to read at least as much."""
        return self._session.token

    def append(
        self,
        *events: EventToAppend,
        expectations: ExpectationsLike = (),
        lane: LaneLike = "interactive",
        timeout_seconds: float | None = None,
    ) -> list[Appended]:
        """Append events as one group: all are recorded, durably, or none is. Returns where each one stands.

        `expectations` must hold, too; see `group`. A refusal is raised as its class (MoveNotAllowedError, InvalidError, …);
        OutcomeUnknownError says that no answer came: append the same event objects again.

        Example:
            >>> opened = event(RequestOpened(request_id="r-1", contact_id="c-1", reason="delivery"))
            >>> client.append(opened, expectations={"request-r-1": "new"})[0].position
            4711
        """
        built = group(*events, expectations=expectations)
        return self.append_groups([built], lane=lane, timeout_seconds=timeout_seconds)[0].get()

    def append_groups(
        self, groups: Iterable[EventGroup], *, lane: LaneLike = "interactive", timeout_seconds: float | None = None
    ) -> list[Result]:
        """Append groups, each atomic for itself, and return one result each, in order. Never raises for one group.

        Any number: it takes several calls, one after the other, where one would be too large (1,000 events, 900 KiB). When a
        call fails for good, its groups' results hold the error, and nothing after it is sent. `timeout_seconds` is for a call.

        Example:
            >>> [result.error for result in client.append_groups([group(first), group(second, third)])]
            [None, None]
        """
        results: list[Result] = []
        failed: TellonceError | None = None
        for piece in pieces(groups, lane, timeout_seconds):
            results += piece.given_up(not_sent(failed)) if failed else self._send(piece, self._closing)
            failed = failed or piece.failed
        return results

    def batcher(self, **options: Unpack[BatchOptions]) -> Batcher:
        """Return a batcher: appends many events in large calls, several in flight. See `Batcher`.

        Example:
            >>> with client.batcher(lane="bulk") as batcher:
            ...     for row in rows:
            ...         batcher.add(event_of(row))
        """
        return Batcher(self._send, BatchPolicy(**options))

    head = _one(log_calls.head)
    position_at = _one(log_calls.position_at)
    get_event = _one(log_calls.get_event)
    read_events = _stream(log_calls.read_events)
    subscribe = _stream(log_calls.subscribe)

    card = _one(history_calls.card)
    history = _many(history_calls.history)
    search = _many(history_calls.search)
    watch_history = _stream(history_calls.watch_history)
    contacts = _many(history_calls.contacts)
    count_contacts = _one(history_calls.count_contacts)

    handoff = _one(handoff_calls.handoff)
    handoffs = _many(handoff_calls.handoffs)
    count_handoffs = _one(handoff_calls.count_handoffs)
    watch_handoffs = _stream(handoff_calls.watch_handoffs)

    promise = _one(promise_calls.promise)
    promises = _many(promise_calls.promises)
    count_promises = _one(promise_calls.count_promises)
    watch_promises = _stream(promise_calls.watch_promises)

    request = _one(request_calls.request)
    requests = _many(request_calls.requests)
    count_requests = _one(request_calls.count_requests)

    notices = _many(notice_calls.notices)
    watch_notices = _stream(notice_calls.watch_notices)

    plays = _many(playbook_calls.plays)
    refused_plays = _one(playbook_calls.refused_plays)
    compare_with_policy = _many(whatif_calls.compare_with_policy)

    complaint = _one(complaint_calls.complaint)
    complaints = _many(complaint_calls.complaints)
    count_complaints = _one(complaint_calls.count_complaints)

    exception = _one(exception_calls.exception)
    exceptions = _many(exception_calls.exceptions)
    count_exceptions = _one(exception_calls.count_exceptions)
    adjusted = _one(exception_calls.adjusted)
    overrides = _many(exception_calls.overrides)

    satisfaction = _many(experience_calls.satisfaction)
    count_satisfaction = _one(experience_calls.count_satisfaction)
    irritants = _many(experience_calls.irritants)
    count_irritants = _one(experience_calls.count_irritants)
    referrals = _many(experience_calls.referrals)

    answers = _many(answer_calls.answers)
    count_answers = _one(answer_calls.count_answers)
    contradictions = _many(answer_calls.contradictions)
    statement = _one(answer_calls.statement)
    official_answer = _one(answer_calls.official_answer)
    statements = _many(answer_calls.statements)
    count_statements = _one(answer_calls.count_statements)
    watch_statements = _stream(answer_calls.watch_statements)

    opportunity = _one(opportunity_calls.opportunity)
    opportunities = _many(opportunity_calls.opportunities)
    count_opportunities = _one(opportunity_calls.count_opportunities)

    improvement = _one(improvement_calls.improvement)
    improvements = _many(improvement_calls.improvements)
    count_improvements = _one(improvement_calls.count_improvements)

    resolve = _one(identity_calls.resolve)
    identifiers = _one(identity_calls.identifiers)
    duplicate_candidates = _many(identity_calls.duplicate_candidates)
    link = _many(identity_calls.link)

    policy = _one(policy_calls.policy)
    policies = _many(policy_calls.policies)
    check_policy = _one(policy_calls.check_policy)
    policy_conflicts = _one(policy_calls.policy_conflicts)

    figures = _one(figure_calls.figures)
    figure_definitions = _one(figure_calls.figure_definitions)

    journey = _one(journey_calls.journey)
    journeys = _one(journey_calls.journeys)
    repeats = _many(journey_calls.repeats)
    repetitions = _many(journey_calls.repetitions)
    fact_diff = _one(journey_calls.fact_diff)

    data_quality = _many(insight_calls.data_quality)
    status = _one(insight_calls.status)
    view_digest = _one(insight_calls.view_digest)

    def close(self) -> None:
        """Close the connections. Calls under way fail with ClosedError."""
        self._session.closed = True
        self._closing.set()
        for channel in self._connections.channels:
            channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _send(self, piece: Piece, stop: Event) -> list[Result]:
        try:
            return self._run(piece.call, stop)
        except TellonceError as error:
            return piece.given_up(error)

    def _run(self, call: Call[R, T], stop: Event | None = None) -> T:
        stop = stop or self._closing
        session = self._session
        attempts = session.attempts(call.timeout_seconds, appends=call.appends)
        request = session.prepare(call)
        while True:
            try:
                response = self._connections.unary(call.rpc)(request, timeout=attempts.attempt_seconds())
                return session.take(call, response)
            except grpc.RpcError as error:
                fault = session.fault(error.code().name, error.details() or "", error.trailing_metadata())
            except Again as again:
                fault = again.fault
            except ValueError as error:
                # What grpc raises for a call on a closed channel.
                if not session.closed:
                    raise
                fault = session.fault("CANCELLED", str(error), ())
            if stop.wait(attempts.failed(fault)):
                raise ClosedError("CLIENT_CLOSED", "Closed while it waited to try again: make a new one.")
