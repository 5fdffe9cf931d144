"""The content of large ledgers: a year of the sample, and in it one customer who came again and again.

A sample covers a quarter, so four of them follow one another: questions about a year find a year. The same size gives the same
events, byte for byte.
"""

from __future__ import annotations

import heapq
from bisect import bisect
from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate, chain
from random import Random
from typing import Final

from benchmarks.workload import RUN, SEED, UNTIL
from clients.connectors.sample import WINDOW_DAYS, stories_in_order
from clients.connectors.sample_people import Person
from clients.connectors.sample_plots import PLOTS
from clients.connectors.sample_story import DAY, EPOCH, Step, Story
from ledger.api.v1.event_pb2 import EventToAppend
from ledger.api.v1.ledger_service_pb2 import EventGroup

QUARTERS: Final = 4
DAYS: Final = QUARTERS * WINDOW_DAYS
FREQUENT: Final = Person(9_000_000)
"""The customer with many events: in no sample, because no sample has so many people."""
FREQUENT_EVENTS: Final = 10_000
FREQUENT_FROM_EVENTS: Final = 100_000
"""Smaller ledgers have no such customer: one would be too much of the whole."""
_CHANNELS: Final = ("email", "web_form", "chat", "app")
"""Those that show the mail address, so that every contact is known to be this customer's."""


def year(event_count: int) -> Iterator[EventGroup]:
    """Yield about `event_count` events, in groups, in the order they happened: the year before UNTIL."""
    frequent = frequent_customer(FREQUENT_EVENTS) if event_count >= FREQUENT_FROM_EVENTS else []
    quarters = chain.from_iterable(
        stories_in_order(event_count // QUARTERS, SEED + back, UNTIL - timedelta(days=back * WINDOW_DAYS), RUN)
        for back in reversed(range(QUARTERS))
    )
    for step in heapq.merge(quarters, frequent, key=lambda step: step.micros):
        yield EventGroup(events=[EventToAppend(**fields) for fields in step.events])


def frequent_customer(event_count: int) -> list[Step]:
    """Return at least `event_count` events of the one customer, spread over the year."""
    end = (UNTIL - EPOCH) // timedelta(microseconds=1)
    random = Random(SEED)
    plots, shares = [plot for plot, _ in PLOTS], list(accumulate(share for _, share in PLOTS))
    steps: list[Step] = []
    count = number = 0
    while count < event_count:
        number += 1
        story = Story(random, FREQUENT, end - int(random.uniform(0.02, 1.0) * DAYS * DAY), number, "frequent", RUN)
        story.channel = story.choose(_CHANNELS)
        plots[bisect(shares, random.random() * shares[-1])](story)
        told = [step for step in story.steps if step.micros < end]
        steps += told
        count += sum(len(step.events) for step in told)
    return sorted(steps, key=lambda step: step.micros)
