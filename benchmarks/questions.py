"""The questions that are timed: what departments ask all day, about customers and work lists of the large ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import grpc

from benchmarks.figure import SkippedError
from benchmarks.workload import UNTIL, write_requests
from clients.connectors.sample import WINDOW_DAYS
from clients.connectors.sample_people import INTAKE, Person
from ledger.api.v1.consistency_pb2 import AsOf
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_service_pb2 import HandoffFilter, ListHandoffsRequest
from ledger.api.v1.history_service_pb2 import GetCustomerRequest, ListHistoryRequest
from ledger.api.v1.history_service_pb2_grpc import HistoryServiceStub
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN, ListPromisesRequest, PromiseFilter

PAGE: Final = 50
CUSTOMERS: Final = 200
PEOPLE_LOOKED_AT: Final = 1_000
REQUESTS: Final = 500
DEPARTMENTS: Final = (*sorted(set(INTAKE.values())), "customer_service")

Place = Callable[[], AsOf | None]
"""Gives the point in the past that the next question is about; None for the present."""


class Question(NamedTuple):
    """A kind of question."""

    name: str
    method: str
    make: Callable[[CustomerReference, str, AsOf | None], Any]
    """Makes a request about a customer or a department, as of a point in the past."""


QUESTIONS: Final = (
    Question(
        "ListHistory (50)",
        "/ledger.api.v1.HistoryService/ListHistory",
        lambda customer, department, as_of: ListHistoryRequest(customer=customer, page_size=PAGE, as_of=as_of),
    ),
    Question(
        "GetCustomer",
        "/ledger.api.v1.HistoryService/GetCustomer",
        lambda customer, department, as_of: GetCustomerRequest(customer=customer, as_of=as_of),
    ),
    Question(
        "ListHandoffs (50)",
        "/ledger.api.v1.HandoffService/ListHandoffs",
        lambda customer, department, as_of: ListHandoffsRequest(
            filter=HandoffFilter(pending=True, hands=[department]), page_size=PAGE, as_of=as_of
        ),
    ),
    Question(
        "ListPromises (50)",
        "/ledger.api.v1.PromiseService/ListPromises",
        lambda customer, department, as_of: ListPromisesRequest(
            filter=PromiseFilter(states=[PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN], owner_departments=[department]),
            page_size=PAGE,
            as_of=as_of,
        ),
    ),
)


def busy_customers(address: str) -> list[CustomerReference]:
    """Return customers whose history fills a page, those with the most events first."""
    customers = []
    with grpc.insecure_channel(address) as channel:
        history = HistoryServiceStub(channel)
        for number in range(PEOPLE_LOOKED_AT):
            customer = CustomerReference(identifier=Identifier(**Person(number).email))
            try:
                answer = history.ListHistory(ListHistoryRequest(customer=customer, page_size=PAGE))
            except grpc.RpcError:
                continue
            if len(answer.result.entries) == PAGE:
                customers.append(customer)
                if len(customers) == CUSTOMERS:
                    break
    if len(customers) < 3:
        raise SkippedError("Too few customers have 50 events: make the ledger larger with --events")
    return customers


def write_questions(folder: Path, name: str, customers: list[CustomerReference], place: Place) -> dict[str, Path]:
    """Write requests of every kind, each about another customer or department and place; return the files by kind."""
    files = {}
    for question in QUESTIONS:
        path = folder / f"{name}-{question.name.split()[0]}"
        write_requests(path, _requests(question, customers, place))
        files[question.name] = path
    return files


def _requests(question: Question, customers: list[CustomerReference], place: Place) -> Iterator[Any]:
    random = Random(question.name)
    for _ in range(REQUESTS):
        yield question.make(random.choice(customers), random.choice(DEPARTMENTS), place())


def present() -> AsOf | None:
    """Ask about the present."""
    return None


def past_positions(head: int) -> Place:
    """Ask as known at random positions of the log."""
    random = Random(head)
    return lambda: AsOf(position=random.randint(head // 20, head))


def past_times() -> Place:
    """Ask about what had happened before random times of the sample."""
    random = Random(WINDOW_DAYS)

    def place() -> AsOf:
        as_of = AsOf()
        as_of.occurred_before.FromSeconds(int(UNTIL.timestamp() - random.uniform(0.02, 0.95) * WINDOW_DAYS * 86_400))
        return as_of

    return place
