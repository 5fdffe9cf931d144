"""Where departments contradict each other: same question and scope, different answers, while both claim validity (domain rule 9.8).

Has no tables: it reads the rows of answer_rows.py. A department's next answer ends its last one, so a change of policy is none.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from ledger.api.v1.answer_service_pb2 import (
    ContradictingAnswer,
    Contradiction,
    ContradictionFilter,
    ContradictionList,
    QuestionContradictions,
)
from ledger.api.v1.consistency_pb2 import CountRow
from ledger.event_id import to_text
from ledger.rules.answer import STATED
from ledger.rules.instant import micros
from projections import listing
from projections.answer_rows import STATES, TABLE
from projections.listing import given, instant
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of

_COLUMNS: Final = (
    "entity, question_key, scope, answer_key, department, channel, order_time, occur_time, claimed_until, request_id, contact_id, "
    "object_key, subject"
)

Cursor = tuple[str, int, int, int]
"""Question, minus the place where the contradiction begins, and its two answers: lists are in this order."""


class _Row(NamedTuple):
    """An answer that states something."""

    entity: int
    question_key: str
    scope: str
    answer_key: str
    department: str
    channel: str
    order_time: int
    occur_time: int
    claimed_until: int | None
    request_id: str
    contact_id: str
    object_key: str
    subject: bytes


class _Pair(NamedTuple):
    """Two answers that contradict each other, until when each is valid, and since when both are."""

    earlier: _Row
    earlier_until: int
    later: _Row
    later_until: int

    @property
    def begin(self) -> int:
        """Since when both claim validity. Inclusive."""
        return self.later.order_time

    @property
    def end(self) -> int:
        """Until when. Exclusive; MAX: there is no end."""
        return min(self.earlier_until, self.later_until)

    @property
    def place(self) -> Cursor:
        """Where it stands in lists."""
        return self.earlier.question_key, -self.begin, -self.later.entity, self.earlier.entity


class Consistency(NamedTuple):
    """The figure "answer consistency" of a period, and what it is made of. No sealed value is read for it."""

    asked_keys: tuple[str, ...]
    """Question keys that were asked at least twice in the period, by name."""
    contradicted_keys: tuple[str, ...]
    """Those of them with two answers of the period that contradict each other, by name."""
    event_positions: tuple[int, ...]
    """Positions of the answers in those contradictions, ascending."""

    @property
    def value(self) -> float | None:
        """1 minus contradicted ÷ asked; None where no question was asked twice."""
        return 1 - len(self.contradicted_keys) / len(self.asked_keys) if self.asked_keys else None


def consistency(read: Read, from_us: int, to_us: int) -> Consistency:
    """Return how consistently questions were answered in [from_us, to_us), microseconds UTC on the occur axis.

    1 minus question keys with ≥ 2 incompatible answers valid at the same time ÷ keys asked ≥ 2 times (domain rule 9.8). Its
    members are the answers given in the period, by their place in the order; asked counts those that could not be answered, too.
    """
    parameters: dict[str, Any] = {"from_time": from_us, "until_time": to_us}
    within = ("order_time >= :from_time", "order_time < :until_time")
    source = shown(read, TABLE, "question_key", Choice(within, states=STATES), parameters)
    sql = f"SELECT question_key FROM ({source}) GROUP BY question_key HAVING count(*) > 1 ORDER BY question_key"
    asked = tuple(key for (key,) in read.db.execute(sql, parameters))
    found: set[str] = set()
    places: set[int] = set()
    for pair in _pairs(_differing(read, within, {"from_time": from_us, "until_time": to_us})):
        found.add(pair.earlier.question_key)
        places.update((pair.earlier.entity, pair.later.entity))
    return Consistency(asked, tuple(sorted(found)), tuple(sorted(places)))


def page(
    read: Read, filter: ContradictionFilter, limit: int, after: Sequence[Any] | None
) -> tuple[ContradictionList, Cursor | None]:
    """Return what the filter asks for: all counts, up to `limit` contradictions, and where the next page begins; None on the last.

    By question, those that began last first. Only questions and scopes with different answers are looked into.
    """
    parameters: dict[str, Any] = {}
    about = _about(filter, parameters)
    pairs = sorted(
        (pair for pair in _pairs(_differing(read, about, parameters)) if _meets(read, filter, pair)), key=attrgetter("place")
    )
    listed = [pair for pair in pairs if after is None or pair.place > tuple(after)]
    shown_pairs = listed[:limit]
    ids = listing.ids_of(read, {one.entity for pair in shown_pairs for one in (pair.earlier, pair.later)})
    result = ContradictionList(
        questions=_questions(read, about, parameters, pairs),
        by_departments=_counted(pairs, "department"),
        by_channels=_counted(pairs, "channel"),
        contradictions=[_message(read, pair, ids) for pair in shown_pairs],
    )
    return result, shown_pairs[-1].place if len(listed) > limit else None


def _about(filter: ContradictionFilter, parameters: dict[str, Any]) -> tuple[str, ...]:
    """Return the conditions on what the answers are about."""
    where = []
    if filter.question_keys:
        where.append(one_of("question_key", filter.question_keys, parameters, "question"))
    if filter.object_key:
        where.append("scope = 'o ' || :object_key")
        parameters["object_key"] = filter.object_key
    if filter.request_id:
        where.append("scope = 'r ' || :request_id")
        parameters["request_id"] = filter.request_id
    return tuple(where)


def _meets(read: Read, filter: ContradictionFilter, pair: _Pair) -> bool:
    return (
        (not filter.departments or not {pair.earlier.department, pair.later.department}.isdisjoint(filter.departments))
        and (not filter.channels or not {pair.earlier.channel, pair.later.channel}.isdisjoint(filter.channels))
        and (not filter.standing or pair.begin <= read.evaluated < pair.end)
        and (not filter.HasField("from_time") or pair.begin >= micros(filter.from_time))
        and (not filter.HasField("until_time") or pair.begin < micros(filter.until_time))
    )


def _differing(read: Read, where: tuple[str, ...], parameters: dict[str, Any]) -> Iterator[_Row]:
    """Yield the answers that state something on each question and scope that has different ones, in order of their place."""
    bound = dict(parameters)
    choice = Choice(where, states=(STATED,), narrowed=True)
    source = shown(read, TABLE, "question_key, scope, answer_key", choice, bound)
    differing = f"SELECT question_key, scope FROM ({source}) GROUP BY question_key, scope HAVING min(answer_key) <> max(answer_key)"
    rows = shown(read, TABLE, _COLUMNS, choice, bound)
    sql = f"SELECT * FROM ({rows}) WHERE (question_key, scope) IN ({differing}) ORDER BY question_key, scope, order_time, entity"
    yield from map(_Row._make, read.db.execute(sql, bound))


def _pairs(rows: Iterable[_Row]) -> Iterator[_Pair]:
    """Yield the contradictions among answers that come by question and scope, and there in order of their place."""
    for _, group in groupby(rows, key=attrgetter("question_key", "scope")):
        here = list(group)
        next_time: dict[str, int] = {}
        until: dict[int, int] = {}
        for row in reversed(here):
            ends = (row.claimed_until, next_time.get(row.department))
            until[row.entity] = min((end for end in ends if end is not None), default=MAX)
            next_time[row.department] = row.order_time
        standing: list[tuple[int, int, _Row]] = []
        for row in here:
            end = until[row.entity]
            while standing and standing[0][0] <= row.order_time:
                heapq.heappop(standing)
            if end <= row.order_time:
                continue
            for other_end, _, other in sorted(standing):
                if other.answer_key != row.answer_key:
                    yield _Pair(other, other_end, row, end)
            heapq.heappush(standing, (end, row.entity, row))


def _questions(
    read: Read, about: tuple[str, ...], parameters: dict[str, Any], pairs: Sequence[_Pair]
) -> list[QuestionContradictions]:
    pair_counts = Counter(pair.earlier.question_key for pair in pairs)
    inside = Counter(key for key, _ in {(one.question_key, one.entity) for pair in pairs for one in (pair.earlier, pair.later)})
    if not pair_counts:
        return []
    bound = dict(parameters)
    where = (*about, one_of("question_key", sorted(pair_counts), bound, "found"))
    source = shown(read, TABLE, "question_key", Choice(where, states=(STATED,), narrowed=True), bound)
    stated = dict(read.db.execute(f"SELECT question_key, count(*) FROM ({source}) GROUP BY question_key", bound).fetchall())
    ordered = sorted(pair_counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        QuestionContradictions(
            question_key=key,
            stated_count=stated[key],
            contradicted_count=inside[key],
            contradiction_count=number,
            share=inside[key] / stated[key],
        )
        for key, number in ordered
    ]


def _counted(pairs: Iterable[_Pair], field: str) -> list[CountRow]:
    counts = Counter(
        (pair.earlier.question_key, *sorted((getattr(pair.earlier, field), getattr(pair.later, field)))) for pair in pairs
    )
    return [CountRow(values=values, count=number) for values, number in sorted(counts.items())]


def _message(read: Read, pair: _Pair, ids: dict[int, str]) -> Contradiction:
    earlier = pair.earlier
    scope = earlier.scope[:1]
    return Contradiction(
        **given(
            question_key=earlier.question_key,
            object_key=earlier.object_key if scope == "o" else "",
            request_id=earlier.request_id if scope == "r" else "",
            subject=to_text(earlier.subject) if scope == "m" else "",
            earlier=_answer(earlier, pair.earlier_until, ids),
            later=_answer(pair.later, pair.later_until, ids),
            from_time=instant(pair.begin),
            until_time=instant(pair.end) if pair.end != MAX else None,
            standing=pair.begin <= read.evaluated < pair.end,
        )
    )


def _answer(row: _Row, until: int, ids: dict[int, str]) -> ContradictingAnswer:
    return ContradictingAnswer(
        **given(
            event_id=ids[row.entity],
            position=row.entity,
            answer_key=row.answer_key,
            department=row.department,
            channel=row.channel,
            occur_time=instant(row.occur_time),
            valid_until=instant(until) if until != MAX else None,
            contact_id=row.contact_id,
            request_id=row.request_id,
        )
    )
