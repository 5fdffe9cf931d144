"""Experience: how satisfied people are, what annoys them, and whom customers were sent on to.

A score counts on one scale, in thousandths: 0 is the lowest possible, 1000 the highest. No sealed value is read for any figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ledger.api.v1.consistency_pb2 import CountRow
from ledger.api.v1.experience_pb2 import Respondent, SatisfactionMeasure
from ledger.api.v1.experience_service_pb2 import (
    IRRITANT_BY_ABOUT,
    IRRITANT_BY_CAUSE,
    IRRITANT_BY_CHANNEL,
    IRRITANT_BY_RESPONDENT,
    IRRITANT_BY_STEP,
    SATISFACTION_BY_CHANNEL,
    SATISFACTION_BY_DEPARTMENT,
    SATISFACTION_BY_MEASURE,
    SATISFACTION_BY_RESPONDENT,
    SATISFACTION_BY_SURVEY,
    ExperienceFilter,
    Irritant,
    IrritantCount,
    IrritantGroup,
    SatisfactionCount,
    SatisfactionCountRow,
    SatisfactionGroup,
    SatisfactionScore,
)
from ledger.event_id import to_text
from ledger.rules.experience import ASKED, IRRITANT, REFERRAL, SCORE, ExperienceState
from ledger.rules.instant import micros
from projections import listing
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.identity_spans import selection
from projections.listing import Cursor, Group, Order, Row, given, instant, text
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of

TABLE: Final = Table(
    name="experience",
    static=(
        "occur_time INTEGER NOT NULL",
        "subject BLOB NOT NULL",
        "department TEXT NOT NULL",
        "channel TEXT NOT NULL",
        "contact_id TEXT NOT NULL",
        "request_id TEXT NOT NULL",
        "respondent INTEGER NOT NULL",
        "measure INTEGER NOT NULL",
        "score INTEGER NOT NULL",
        "scale_min INTEGER NOT NULL",
        "scale_max INTEGER NOT NULL",
        "survey_id TEXT NOT NULL",
        "asked_event_id TEXT NOT NULL",
        "causes TEXT NOT NULL",
        "step TEXT NOT NULL",
        "about_department TEXT NOT NULL",
        "referral_id TEXT NOT NULL",
        "to_department TEXT NOT NULL",
        "to_organisation TEXT NOT NULL",
        "reason TEXT NOT NULL",
    ),
    # The state is the kind.
    moving=("state INTEGER NOT NULL",),
    indexes=(
        "state, occur_time, entity",
        "subject, state, occur_time, entity",
        "contact_id WHERE contact_id <> ''",
        "request_id WHERE request_id <> ''",
        "referral_id WHERE referral_id <> ''",
    ),
    scopes=("subject", "contact_id", "request_id", "referral_id"),
)

ORDER: Final = Order(("occur_time", "entity"), descending=True)

_PERMILLE: Final = "(score - scale_min) * 1000 / (scale_max - scale_min)"
_SATISFACTION_GROUPS: Final[dict[int, Group]] = {
    SATISFACTION_BY_MEASURE: ("measure", SatisfactionMeasure.Name),
    SATISFACTION_BY_DEPARTMENT: ("department", text),
    SATISFACTION_BY_CHANNEL: ("channel", text),
    SATISFACTION_BY_RESPONDENT: ("respondent", Respondent.Name),
    SATISFACTION_BY_SURVEY: ("survey_id", text),
}
_IRRITANT_GROUPS: Final[dict[int, Group]] = {
    IRRITANT_BY_CAUSE: ("causes", str),
    IRRITANT_BY_STEP: ("step", text),
    IRRITANT_BY_ABOUT: ("about_department", text),
    IRRITANT_BY_RESPONDENT: ("respondent", Respondent.Name),
    IRRITANT_BY_CHANNEL: ("channel", text),
}
_DEPARTMENT: Final = {IRRITANT: "about_department", REFERRAL: "to_department"}
"""Which column the departments of a filter mean, where it is not the one that recorded it."""


def _values(state: ExperienceState) -> Values:
    return (*state[1:], state.state)


VIEW: Final = FoldView(name="experience", family="experience", table=TABLE, values=_values)


class Score(NamedTuple):
    """A score as figures need it: clear fields only. Times are microseconds UTC, unset strings empty."""

    position: int
    """Of the event: its evidence."""
    occur_time: int
    subject: bytes
    department: str
    channel: str
    contact_id: str
    request_id: str
    respondent: int
    """A Respondent, never unset."""
    measure: int
    """A SatisfactionMeasure."""
    score: int
    scale_min: int
    scale_max: int
    survey_id: str
    asked_event_id: str


def scores(read: Read, from_micros: int, to_micros: int) -> list[Score]:
    """Return the scores that were given in [from, to) by occur time, as known and as it had happened, in order of time."""
    return _in_period(read, SCORE, from_micros, to_micros)


def asked(read: Read, from_micros: int, to_micros: int) -> list[Score]:
    """Return the questions after satisfaction that were asked in [from, to), like `scores`; score and scale are 0."""
    return _in_period(read, ASKED, from_micros, to_micros)


def _in_period(read: Read, kind: int, from_micros: int, to_micros: int) -> list[Score]:
    parameters: dict[str, Any] = {"from_time": from_micros, "to_time": to_micros}
    choice = Choice(("occur_time >= :from_time", "occur_time < :to_time"), parameters, (kind,))
    columns = ", ".join(("entity", *Score._fields[1:]))
    query = f"{shown(read, TABLE, columns, choice, parameters)} ORDER BY occur_time, entity"
    return [Score._make(row) for row in read.db.execute(query, parameters)]


def last_satisfaction(read: Read, subjects: Sequence[bytes]) -> list[SatisfactionScore]:
    """Return the last score of each measure that these subjects gave as customers, by measure."""
    found = []
    for measure in sorted(SatisfactionMeasure.values()[1:]):
        filter = ExperienceFilter(measures=[measure], respondent=Respondent.RESPONDENT_CUSTOMER)
        found += satisfaction_page(read, filter, 1, None, subjects)[0]
    return found


def satisfaction_page(
    read: Read, filter: ExperienceFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[SatisfactionScore], Cursor | None]:
    """Return up to `limit` scores, newest first, and where the next page begins; None on the last one.

    `subjects`: those of the filter's customer, None for anybody's. Of a subject the stretch counts that is the customer's.
    """
    choice = choose(read, filter, (SCORE,), subjects)
    rows, following = listing.page(read, TABLE, choice, ORDER, limit, after) if choice is not None else ([], None)
    return [_score(row, *one) for row, one in _with_events(read, rows)], following


def irritants_page(
    read: Read, filter: ExperienceFilter, limit: int, after: Sequence[Any] | None, subjects: Sequence[bytes] | None = None
) -> tuple[list[Irritant], Cursor | None]:
    """Return up to `limit` irritants, newest first, and where the next page begins. `subjects` as in `satisfaction_page`."""
    choice = choose(read, filter, (IRRITANT,), subjects)
    rows, following = listing.page(read, TABLE, choice, ORDER, limit, after) if choice is not None else ([], None)
    return [_irritant(row, *one) for row, one in _with_events(read, rows)], following


def count_satisfaction(
    read: Read,
    filter: ExperienceFilter,
    group_by: Sequence[SatisfactionGroup.ValueType],
    subjects: Sequence[bytes] | None = None,
) -> SatisfactionCount:
    """Return how many were asked, how many answered, and the mean of their scores, of each group."""
    groups = [_SATISFACTION_GROUPS[group] for group in group_by]
    totals: dict[tuple[str, ...], list[int]] = {}
    choice = choose(read, filter, (ASKED, SCORE), subjects)
    if choice is not None:
        parameters: dict[str, Any] = {}
        columns = ", ".join(f"{expression} AS group{number}" for number, (expression, _) in enumerate(groups)) or "0 AS group0"
        names = ", ".join(f"group{number}" for number in range(max(1, len(groups))))
        answered = f"state = {SCORE}"
        source = shown(read, TABLE, f"{columns}, {answered} AS answered, {_PERMILLE} AS permille", choice, parameters)
        query = f"SELECT {names}, sum(NOT answered), sum(answered), sum(permille * answered) FROM ({source}) GROUP BY {names}"
        for *values, asked_count, recorded_count, permille in read.db.execute(query, parameters):
            written = tuple(write(value) for (_, write), value in zip(groups, values, strict=False))
            row = totals.setdefault(written, [0, 0, 0])
            for place, number in enumerate((asked_count, recorded_count, permille or 0)):
                row[place] += number
    rows = sorted(totals.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))
    whole = [sum(numbers[place] for numbers in totals.values()) for place in range(3)]
    return SatisfactionCount(rows=[_count_row(values, numbers) for values, numbers in rows], total=_count_row((), whole))


def _count_row(values: Sequence[str], numbers: Sequence[int]) -> SatisfactionCountRow:
    asked_count, recorded_count, permille = numbers
    row = SatisfactionCountRow(values=values, asked_count=asked_count, recorded_count=recorded_count)
    if recorded_count:
        row.mean_permille = permille // recorded_count
    return row


def count_irritants(
    read: Read, filter: ExperienceFilter, group_by: Sequence[IrritantGroup.ValueType], subjects: Sequence[bytes] | None = None
) -> IrritantCount:
    """Return how many irritants there are of each group; by cause, one counts once for each of its causes."""
    choice = choose(read, filter, (IRRITANT,), subjects)
    if choice is None:
        return IrritantCount(total=0)
    rows, total = listing.count(read, TABLE, choice, [_IRRITANT_GROUPS[group] for group in group_by])
    if IRRITANT_BY_CAUSE not in group_by:
        return IrritantCount(rows=rows, total=total)
    place = list(group_by).index(IRRITANT_BY_CAUSE)
    totals: dict[tuple[str, ...], int] = {}
    for row in rows:
        for cause in row.values[place].split():
            if not filter.causes or cause in filter.causes:
                values = (*row.values[:place], cause, *row.values[place + 1 :])
                totals[values] = totals.get(values, 0) + row.count
    counted = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return IrritantCount(rows=[CountRow(values=values, count=number) for values, number in counted], total=total)


def choose(read: Read, filter: ExperienceFilter, kinds: Sequence[int], subjects: Sequence[bytes] | None) -> Choice | None:
    """Return the rows of some kinds that a filter asks for; None where there can be none."""
    parameters: dict[str, Any] = {}
    where = listing.opened_by(read, "occur_time", parameters)
    scopes: dict[str, Sequence[Any]] = {}
    if filter.HasField("occurred_from"):
        where.append("occur_time >= :from_time")
        parameters["from_time"] = micros(filter.occurred_from)
    if filter.HasField("occurred_until"):
        where.append("occur_time < :until_time")
        parameters["until_time"] = micros(filter.occurred_until)
    for scope in ("contact_id", "request_id"):
        if getattr(filter, scope):
            where.append(f"{scope} <> ''")
            scopes[scope] = (getattr(filter, scope),)
    if filter.respondent:
        where.append("respondent = :respondent")
        parameters["respondent"] = filter.respondent
    for column, values in (
        (_DEPARTMENT.get(kinds[0], "department"), filter.departments),
        ("measure", filter.measures),
        ("step", filter.steps),
    ):
        if values:
            where.append(one_of(column, values, parameters, column))
    if filter.causes:
        causes = [f"instr(causes, :cause{number}) > 0" for number in range(len(filter.causes))]
        parameters.update({f"cause{number}": f" {cause} " for number, cause in enumerate(filter.causes)})
        where.append(f"({' OR '.join(causes)})")
    if subjects is not None:
        stretches = _stretches(read, subjects, parameters)
        if stretches is None:
            return None
        where += stretches
        scopes["subject"] = tuple(subjects)
    return Choice(tuple(where), parameters, tuple(kinds), scopes=scopes)


def _stretches(read: Read, subjects: Sequence[bytes], parameters: dict[str, Any]) -> list[str] | None:
    """Return conditions on which stretches of whose events count for a customer; None where none does."""
    spans = selection(read, subjects)
    if not spans:
        return None
    if all(span.whole for span in spans):
        return []
    arms = []
    for number, span in enumerate(spans):
        parameters |= {f"of{number}": span.subject, f"low{number}": span.order_from, f"high{number}": span.order_until}
        until = f" AND occur_time < :high{number}" if span.order_until < MAX else ""
        arms.append(f"subject = :of{number} AND occur_time >= :low{number}{until}")
    return [f"({' OR '.join(arms)})"]


def _with_events(read: Read, rows: Sequence[Row]) -> list[tuple[Row, tuple[str, Any]]]:
    """Return each row with the id of its event and its content."""
    positions = [row.entity for row in rows]
    payloads = listing.contents(read, positions)
    ids = {position: to_text(stored.event_id) for position, stored in read.log.read_positions(positions).items()}
    return [(row, (ids[row.entity], payloads[row.entity])) for row in rows]


def _common(row: Row, event_id: str) -> dict[str, Any]:
    return given(
        event_id=event_id,
        position=row.entity,
        time=instant(row.occur_time),
        channel=row.channel,
        contact_id=row.contact_id,
        request_id=row.request_id,
        subject=to_text(row.subject),
    )


def _score(row: Row, event_id: str, payload: Any) -> SatisfactionScore:
    return SatisfactionScore(
        score=row.score,
        scale_min=row.scale_min,
        scale_max=row.scale_max,
        permille=(row.score - row.scale_min) * 1000 // (row.scale_max - row.scale_min),
        measure=row.measure,
        respondent=row.respondent,
        **_common(row, event_id),
        **given(department=row.department, survey_id=row.survey_id, asked_event_id=row.asked_event_id, comment=payload.comment),
    )


def _irritant(row: Row, event_id: str, payload: Any) -> Irritant:
    return Irritant(
        causes=row.causes.split(),
        respondent=row.respondent,
        **_common(row, event_id),
        **given(step=row.step, about_department=row.about_department, department=row.department, text=payload.text),
    )
