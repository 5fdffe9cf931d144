"""Questions about answers: lists and counts, and what was answered while a statement was the official answer.

How long each is valid, and how it stands against the official statement of its time, is derived in answer_rows.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ledger.api.v1.answer_pb2 import AnswerObstacle, AnswerStance
from ledger.api.v1.answer_service_pb2 import (
    ANSWER_BY_ANSWER,
    ANSWER_BY_CHANNEL,
    ANSWER_BY_DEPARTMENT,
    ANSWER_BY_KNOWABLE,
    ANSWER_BY_OBSTACLE,
    ANSWER_BY_QUESTION,
    ANSWER_BY_SOURCE,
    ANSWER_BY_STANCE,
    ANSWER_BY_VERDICT,
    Answer,
    AnswerCount,
    AnswerFilter,
    AnswerGroup,
    Statement,
    StatementAnswers,
    StatementVerdict,
)
from ledger.api.v1.consistency_pb2 import CountRow
from ledger.event import DAY_MICROS
from ledger.event_id import to_text
from ledger.rules.answer import STATED, object_scope
from ledger.rules.instant import micros
from projections import listing, statements
from projections.answer_rows import STATES, TABLE, derived
from projections.contradictions import consistency as consistency
from projections.identity_spans import selection
from projections.listing import Cursor, Order, given, instant, text, yes_or_no
from projections.versions import Choice
from projections.view import MAX, Read, one_of

ORDER: Final = Order(("order_time", "entity"), descending=True)

_DERIVED_GROUPS: Final = frozenset({ANSWER_BY_VERDICT, ANSWER_BY_KNOWABLE})
_GROUPS: Final[dict[int, listing.Group]] = {
    ANSWER_BY_QUESTION: ("question_key", text),
    ANSWER_BY_ANSWER: ("answer_key", text),
    ANSWER_BY_DEPARTMENT: ("department", text),
    ANSWER_BY_CHANNEL: ("channel", text),
    ANSWER_BY_STANCE: ("stance", AnswerStance.Name),
    ANSWER_BY_OBSTACLE: ("obstacle", lambda number: AnswerObstacle.Name(number) if number else ""),
    ANSWER_BY_SOURCE: ("answer_source", text),
    ANSWER_BY_VERDICT: ("verdict", lambda number: StatementVerdict.Name(number) if number else ""),
    ANSWER_BY_KNOWABLE: ("knowable", lambda known: "" if known is None else yes_or_no(known)),
}


def page(
    read: Read, filter: AnswerFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Answer], Cursor | None]:
    """Return up to `limit` answers, newest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's. Of a subject the stretch counts that is the customer's.
    """
    choice = _choice(read, filter, subjects)
    if choice is None:
        return [], None
    if not _needs_derived(filter):
        rows, following = listing.page(read, TABLE, choice, ORDER, limit, after)
        return _answers(read, [(row.entity, (row.question_key, row.scope)) for row in rows]), following
    parameters: dict[str, Any] = {"limit": limit + 1}
    source = f"{derived(read, choice, parameters)} WHERE {_meets(read, filter, parameters)}"
    if after is not None:
        parameters["after0"], parameters["after1"] = after
        source += " AND (order_time, entity) < (:after0, :after1)"
    found = read.db.execute(
        f"SELECT order_time, entity, question_key, scope FROM ({source}) ORDER BY order_time DESC, entity DESC LIMIT :limit",
        parameters,
    )
    places = found.fetchall()
    following = tuple(places[limit - 1][:2]) if len(places) > limit else None
    return _answers(read, [(entity, (question, scope)) for _, entity, question, scope in places[:limit]]), following


def count(
    read: Read, filter: AnswerFilter, group_by: Sequence[AnswerGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> AnswerCount:
    """Return how many answers there are of each group. `subjects` as in `page`."""
    choice = _choice(read, filter, subjects)
    if choice is None:
        return AnswerCount(total=0)
    groups = [_GROUPS[group] for group in group_by]
    if not _needs_derived(filter) and not _DERIVED_GROUPS.intersection(group_by):
        rows, total = listing.count(read, TABLE, choice, groups)
        return AnswerCount(rows=rows, total=total)
    parameters: dict[str, Any] = {}
    source = f"{derived(read, choice, parameters)} WHERE {_meets(read, filter, parameters)}"
    names = ", ".join(column for column, _ in groups) or "NULL"
    totals: dict[tuple[str, ...], int] = {}
    for *values, number_of in read.db.execute(f"SELECT {names}, count(*) FROM ({source}) GROUP BY {names}", parameters):
        written = tuple(write(value) for (_, write), value in zip(groups, values, strict=False))
        totals[written] = totals.get(written, 0) + number_of
    counted = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return AnswerCount(rows=[CountRow(values=values, count=number) for values, number in counted], total=sum(totals.values()))


def statement(read: Read, statement_id: str) -> Statement | None:
    """Return a statement with what was answered while it was the official answer; None where there is none."""
    found = statements.get(read, statement_id)
    if found is None:
        return None
    asked = AnswerFilter(statement_id=statement_id)
    by_channel: dict[str, StatementAnswers] = {}
    for row in count(read, asked, (ANSWER_BY_CHANNEL, ANSWER_BY_VERDICT, ANSWER_BY_KNOWABLE)).rows:
        channel, verdict, knowable = row.values
        counts = by_channel.setdefault(channel, StatementAnswers(channel=channel) if channel else StatementAnswers())
        if verdict == "STATEMENT_CONFIRMED":
            counts.confirmed_count += row.count
        elif verdict == "STATEMENT_CONTRADICTED":
            counts.contradicted_count += row.count
        else:
            counts.not_confirmed_count += row.count
        if verdict != "STATEMENT_CONFIRMED" and knowable == "true":
            counts.knowable_count += row.count
    found.answers.extend(by_channel[channel] for channel in sorted(by_channel))
    if not found.departments:
        acknowledged = {one.department for one in found.acknowledgements}
        answered = {row.values[0] for row in count(read, asked, (ANSWER_BY_DEPARTMENT,)).rows}
        found.missing_departments.extend(sorted(answered - acknowledged - {""}))
    return found


# Which rows


def _choice(read: Read, filter: AnswerFilter, subjects: Sequence[bytes] | None) -> Choice | None:
    """Return the rows asked for, as far as they say it themselves; None where there can be none."""
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "order_time", parameters)
    if "opened_by" in parameters:
        # A day that is known no better stands at its end.
        parameters["opened_by"] += DAY_MICROS
    for column, values in (
        ("question_key", filter.question_keys),
        ("answer_key", filter.answer_keys),
        ("department", filter.departments),
        ("channel", filter.channels),
        ("stance", filter.stances),
        ("obstacle", filter.obstacles),
    ):
        if values:
            where.append(one_of(column, values, parameters, f"{column}_"))
    for column, value in (("request_id", filter.request_id), ("object_key", filter.object_key)):
        if value:
            where.append(f"{column} = :{column}")
            parameters[column] = value
    if filter.unanswered:
        where.append("answer_key = ''")
    if filter.HasField("from_time"):
        where.append("order_time >= :from_time")
        parameters["from_time"] = micros(filter.from_time)
    if filter.HasField("until_time"):
        where.append("order_time < :until_time")
        parameters["until_time"] = micros(filter.until_time)
    narrowed = bool(filter.question_keys)
    if filter.statement_id:
        asked = statements.row(read, filter.statement_id)
        if asked is None:
            return None
        where.append("question_key = :about AND scope = :scope AND order_time >= :holds_from AND order_time < :holds_until")
        parameters |= {
            "about": asked.question_key,
            "scope": object_scope(asked.object_key),
            "holds_from": asked.valid_from,
            "holds_until": asked.over_time,
        }
        narrowed = True
    scopes = {}
    if subjects is not None:
        scopes["subject"] = subjects
        where.extend(_theirs(read, subjects, parameters))
    return Choice(tuple(where), parameters, (STATED,) if filter.valid else STATES, scopes=scopes, narrowed=narrowed)


def _theirs(read: Read, subjects: Sequence[bytes], parameters: dict[str, Any]) -> list[str]:
    """Return the condition that an answer stands in a stretch which is the customer's (domain rule 9.6)."""
    spans = selection(read, subjects)
    if all(span.whole for span in spans) and len(spans) == len(subjects):
        return []
    parts = []
    for number, span in enumerate(spans):
        names = {f"span{number}": span.subject, f"low{number}": span.order_from, f"high{number}": span.order_until}
        parameters.update(names)
        parts.append(f"(subject = :span{number} AND order_time >= :low{number} AND order_time < :high{number})")
    return [f"({' OR '.join(parts) or 'FALSE'})"]


def _needs_derived(filter: AnswerFilter) -> bool:
    return bool(filter.valid or filter.verdicts or filter.statement_id or filter.knowable)


def _meets(read: Read, filter: AnswerFilter, parameters: dict[str, Any]) -> str:
    """Return the conditions of a filter on what is derived."""
    where = ["TRUE"]
    if filter.valid:
        where.append(f"state = {STATED} AND order_time <= :evaluated AND valid_until > :evaluated")
        parameters["evaluated"] = read.evaluated
    if filter.verdicts:
        where.append(one_of("verdict", filter.verdicts, parameters, "verdict"))
    if filter.statement_id:
        where.append("statement = :statement")
        parameters["statement"] = listing.entity(read, f"statement-{filter.statement_id}")
    if filter.knowable:
        where.append("knowable")
    return " AND ".join(where)


# As messages


def _answers(read: Read, found: Sequence[tuple[int, tuple[str, str]]]) -> list[Answer]:
    """Return these answers, each by its number, question key and scope, as messages in this order."""
    if not found:
        return []
    entities = [entity for entity, _ in found]
    parameters: dict[str, Any] = {}
    source = derived(read, Choice(states=STATES, entities=entities), parameters, [about for _, about in found])
    cursor = read.db.execute(source, parameters)
    names = [column for column, *_ in cursor.description]
    rows = {row["entity"]: row for row in (dict(zip(names, values, strict=True)) for values in cursor)}
    stating = {row["statement"] for row in rows.values() if row["statement"] is not None}
    ids = listing.ids_of(read, [*entities, *stating])
    payloads = listing.contents(read, entities)
    return [_message(read, rows[entity], ids, payloads[entity]) for entity in entities]


_SAME: Final = (
    *("question_key", "answer_key", "answer_version", "answer_source", "stance", "obstacle", "department", "channel"),
    *("request_id", "contact_id", "object_key", "verdict"),
)
"""Columns that are fields of the message as they are."""


def _message(read: Read, row: Mapping[str, Any], ids: Mapping[int, str], payload: Any) -> Answer:
    stated, until = row["state"] == STATED, row["valid_until"]
    return Answer(
        **given(
            **{name: row[name] for name in _SAME},
            event_id=ids[row["entity"]],
            position=row["entity"],
            occur_time=instant(row["occur_time"]),
            record_time=instant(row["record_time"]),
            valid_until=instant(until) if stated and until != MAX else None,
            valid=stated and row["order_time"] <= read.evaluated < until,
            object=payload.object if payload.HasField("object") else None,
            subject=to_text(row["subject"]),
            text=payload.text,
            statement_id=ids[row["statement"]] if row["statement"] is not None else "",
            knowable=bool(row["knowable"]),
        )
    )
