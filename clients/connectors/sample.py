"""A sample of plausible interactions, made here: for demonstrations, for trying an import, and for benchmarks.

`sample` yields groups of events in the order in which they happened, as a stream: any size in little memory. The same seed, size
and end give the same events, byte for byte. Every history keeps to the life cycles. Nobody in it exists.
"""

from __future__ import annotations

import heapq
from bisect import bisect
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Final

from clients.connectors.sample_people import Person
from clients.connectors.sample_plots import PLOTS
from clients.connectors.sample_story import DAY, EPOCH, HOUR, MINUTE, Step, Story
from ledger.api.v1.event_pb2 import EventToAppend

WINDOW_DAYS: Final = 90
"""A sample covers so many days before its end."""

CHANNELS: Final = {
    "phone": 0.40,
    "email": 0.20,
    "chat": 0.10,
    "web_form": 0.07,
    "counter": 0.06,
    "app": 0.04,
    "messaging": 0.03,
    "social_private": 0.02,
    "social_public": 0.02,
    "sms": 0.02,
    "letter": 0.02,
    "ivr": 0.01,
    "field_visit": 0.005,
    "fax": 0.005,
}
"""Every channel the ledger ships, and its share of first contacts."""

_EVENTS_PER_STORY: Final = 8.75
_STORIES_PER_PERSON: Final = 2.2
_BUSY_SHARE: Final = 0.447
"""Mean of `_busy` over a week."""


def sample(size: int, seed: int, until: datetime, import_run: str = "") -> Iterator[list[EventToAppend]]:
    """Yield about `size` events (within 15 % at 5,000, closer the more), in groups, oldest first, all before `until`.

    `import_run` goes into every envelope: events as old as these are refused otherwise, unless the caller marks them late.
    """
    for step in stories_in_order(size, seed, until, import_run):
        yield [EventToAppend(**fields) for fields in step.events]


def stories_in_order(size: int, seed: int, until: datetime, import_run: str = "") -> Iterator[Step]:
    """Yield the sample's steps, oldest first: the stories merged by time. Only the stories that still run are held."""
    end = (until - EPOCH) // timedelta(microseconds=1)
    running: list[tuple[int, int, int, list[Step]]] = []
    for story in _stories(size, seed, end, import_run):
        start = story.steps[0].micros
        while running and running[0][0] <= start:
            yield _next_step(running)
        heapq.heappush(running, (start, story.number, 0, story.steps))
    while running and running[0][0] < end:
        yield _next_step(running)


def _next_step(running: list[tuple[int, int, int, list[Step]]]) -> Step:
    """Return the earliest step, and put the next one of its story in its place."""
    _, number, index, steps = running[0]
    if index + 1 < len(steps):
        heapq.heapreplace(running, (steps[index + 1].micros, number, index + 1, steps))
    else:
        heapq.heappop(running)
    return steps[index]


def _stories(size: int, seed: int, end: int, import_run: str) -> Iterator[Story]:
    """Yield the stories by their start."""
    rng = Random(f"{seed} {size} {end}")
    # Ids of two samples differ, so that both can stand in one ledger.
    tag = "".join(rng.choices("bcdfghjkmnpqrstvwxz", k=3))
    count = max(size / _EVENTS_PER_STORY, 1.0)
    people = max(round(count / _STORIES_PER_PERSON), 1)
    channels, channel_shares = tuple(CHANNELS), list(accumulate(CHANNELS.values()))
    plots, plot_shares = [plot for plot, _ in PLOTS], list(accumulate(share for _, share in PLOTS))
    gap = WINDOW_DAYS * DAY * _BUSY_SHARE / count
    known: dict[int, set[str]] = {}
    micros, number = end - WINDOW_DAYS * DAY, 0
    while True:
        micros += int(rng.expovariate(1.0) * gap) + 1
        if micros >= end:
            return
        if rng.random() > _busy(micros):
            continue
        number += 1
        # Some customers come often, most once or twice.
        person = Person(int(people * rng.random() ** 1.6))
        story = Story(rng, person, micros, number, tag, import_run)
        story.channel = channels[bisect(channel_shares, rng.random() * channel_shares[-1])]
        plots[bisect(plot_shares, rng.random() * plot_shares[-1])](story)
        _identify(story, micros, known.setdefault(person.number, set()))
        story.steps.sort(key=_micros)
        yield story


def _micros(step: Step) -> int:
    return step.micros


def _busy(micros: int) -> float:
    """Return how busy an hour of the week is, 0 to 1: shops rest at night and on Sundays."""
    hour, day = micros // HOUR % 24, (micros // DAY + 3) % 7
    if not 7 <= hour < 19:
        return 0.08
    return (1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.1)[day]


def _identify(story: Story, start: int, known: set[str]) -> None:
    """Tell who is who, as the front learns it: links of identifiers, shared phones, tiers, and a link that was wrong."""
    person = story.person
    if not known and story.chance(0.15):
        tier = story.choose(("standard", "loyal", "high_potential"))
        told = {"customer": person.email, "tier": tier, "relation": story.choose(("NEW", "EXISTING"))}
        story.tell("customer_classified", told, "sales", at=start + 20 * MINUTE)
    shown = person.identifier(story.channel)
    if shown is None or shown["type"] in known:
        return
    if person.shared_phone and shown["type"] == "phone":
        if "family" not in known:
            known.add("family")
            shared = {"identifier": shown, "shared": True}
            story.tell("identifier_shared", shared, "customer_service", at=start + 5 * MINUTE)
        return
    before = sorted(known - {"family"})
    if before:
        other = {"email": person.email, "account": person.account, "phone": person.phone}[before[0]]
        linked = {"left": other, "right": shown, "evidence": "order_form"}
        story.tell("identity_linked", linked, "customer_service", at=start + 5 * MINUTE)
    elif story.chance(0.01):
        wrong = {"left": shown, "right": Person(person.number + 1).account, "evidence": "same_name"}
        link = story.tell("identity_linked", wrong, "customer_service", at=start + 5 * MINUTE)
        unlinked = {"link_event_id": link, "unlink_reason": "WRONG_FROM_START"}
        story.tell("identity_unlinked", unlinked, "customer_service", at=start + HOUR)
    known.add(shown["type"])
