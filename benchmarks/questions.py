"""The questions that are timed: what departments ask all day, about customers and work lists of the large ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import grpc

from benchmarks.figure import SkippedError
from benchmarks.load.unary import CHANNEL_OPTIONS
from benchmarks.workload import UNTIL, write_requests
from benchmarks.year import DAYS, FREQUENT, QUARTERS
from clients.connectors.sample_people import INTAKE, Person
from ledger.api.v1.consistency_pb2 import AsOf
from ledger.api.v1.core_pb2 import Identifier
from ledger.api.v1.customer_pb2 import CustomerReference
from ledger.api.v1.handoff_service_pb2 import HandoffFilter, ListHandoffsRequest
from ledger.api.v1.handoff_service_pb2_grpc import HandoffServiceStub
from ledger.api.v1.history_service_pb2 import GetCustomerRequest, ListHistoryRequest
from ledger.api.v1.history_service_pb2_grpc import HistoryServiceStub
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN, PROMISE_STATE_OPEN, ListPromisesRequest, PromiseFilter
from ledger.api.v1.promise_service_pb2_grpc import PromiseServiceStub

PAGE: Final = 50
CUSTOMER_EVENTS: Final = range(50, 101)
"""A customer who is asked about has so many events, in every ledger: else a larger ledger would be asked larger questions."""
CUSTOMERS: Final = 100
PEOPLE_LOOKED_AT: Final = 600
FIRST_PERSON: Final = 0.3
"""Where to begin looking, as a share of the people of the sample. The first come most often; from here on an average number."""
REQUESTS: Final = 500
EVENTS_PER_PERSON: Final = 8.75 * 2.2
"""Of a quarter, on average, as the sample makes them."""
DEPARTMENTS: Final = (*sorted(set(INTAKE.values())), "customer_service")

Place = Callable[[], AsOf | None]
"""Gives the point in the past that the next question is about; None for the present."""


class Question(NamedTuple):
    """A kind of question."""

    name: str
    method: str
    make: Callable[[CustomerReference, str, AsOf | None], Any]
    """Makes a request about a customer or a department, as of a point in the past."""


def pending_handoffs(department: str, as_of: AsOf | None) -> ListHandoffsRequest:
    """Return the question which handoffs wait for a department."""
    return ListHandoffsRequest(filter=HandoffFilter(pending=True, hands=[department]), page_size=PAGE, as_of=as_of)


def owed_promises(department: str, as_of: AsOf | None) -> ListPromisesRequest:
    """Return the question which promises a department has to keep, or has broken."""
    asked = PromiseFilter(states=[PROMISE_STATE_OPEN, PROMISE_STATE_BROKEN], owner_departments=[department])
    return ListPromisesRequest(filter=asked, page_size=PAGE, as_of=as_of)


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
        lambda customer, department, as_of: pending_handoffs(department, as_of),
    ),
    Question(
        "ListPromises (50)",
        "/ledger.api.v1.PromiseService/ListPromises",
        lambda customer, department, as_of: owed_promises(department, as_of),
    ),
)


def customers(address: str, event_count: int) -> list[CustomerReference]:
    """Return customers of a ledger of about so many events, each with 50 to 100 of them."""
    found = []
    first = int(FIRST_PERSON * event_count / QUARTERS / EVENTS_PER_PERSON)
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        history = HistoryServiceStub(channel)
        for number in range(first, first + PEOPLE_LOOKED_AT):
            customer = CustomerReference(identifier=Identifier(**Person(number).email))
            try:
                answer = history.ListHistory(ListHistoryRequest(customer=customer, page_size=CUSTOMER_EVENTS.stop))
            except grpc.RpcError:
                continue
            if len(answer.result.entries) in CUSTOMER_EVENTS:
                found.append(customer)
                if len(found) == CUSTOMERS:
                    break
    if len(found) < 3:
        raise SkippedError("Too few customers have 50 events: make the ledger larger with --events")
    return found


def full_departments(address: str) -> tuple[str, ...]:
    """Return the departments whose work lists fill a page, so that a larger ledger's are not longer; all where none does."""
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        handoffs, promises = HandoffServiceStub(channel), PromiseServiceStub(channel)
        full = tuple(
            department
            for department in DEPARTMENTS
            if len(handoffs.ListHandoffs(pending_handoffs(department, None)).result.handoffs) == PAGE
            and len(promises.ListPromises(owed_promises(department, None)).result.promises) == PAGE
        )
    return full or DEPARTMENTS


def frequent_customer() -> CustomerReference:
    """Return the customer with 10,000 events."""
    return CustomerReference(identifier=Identifier(**FREQUENT.email))


def write_questions(
    folder: Path, name: str, customers: list[CustomerReference], place: Place, departments: tuple[str, ...] = DEPARTMENTS
) -> dict[str, Path]:
    """Write requests of every kind, each about another customer or department and place; return the files by kind."""
    files = {}
    for question in QUESTIONS:
        path = folder / f"{name}-{question.name.split()[0]}"
        write_requests(path, _requests(question, customers, place, departments))
        files[question.name] = path
    return files


def _requests(question: Question, customers: list[CustomerReference], place: Place, departments: tuple[str, ...]) -> Iterator[Any]:
    random = Random(question.name)
    for _ in range(REQUESTS):
        yield question.make(random.choice(customers), random.choice(departments), place())


def present() -> AsOf | None:
    """Ask about the present."""
    return None


def past_positions(head: int) -> Place:
    """Ask as known at random positions of the log."""
    random = Random(head)
    return lambda: AsOf(position=random.randint(max(head // 20, 1), head))


def past_times() -> Place:
    """Ask about what had happened before random times of the sample."""
    random = Random(DAYS)

    def place() -> AsOf:
        as_of = AsOf()
        as_of.occurred_before.FromSeconds(int(UNTIL.timestamp() - random.uniform(0.02, 0.95) * DAYS * 86_400))
        return as_of

    return place
