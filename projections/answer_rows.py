"""The rows of answers, and what follows from them: until when each is valid, and how it stands against the official statement.

An answer is valid from its place in the order to the first of what it says, what the policy says, and the same department's next
answer to that question there that states something (domain rule 9.8). Both follow from the rows at the position and times asked,
so nothing of it is stored. No sealed value is read for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, Final

from ledger.api.v1.answer_service_pb2 import STATEMENT_CONFIRMED, STATEMENT_CONTRADICTED, STATEMENT_NOT_CONFIRMED
from ledger.rules.answer import NOT_STATED, STATED, AnswerState, object_of
from projections import statements
from projections.bitemporal import Table, Values
from projections.fold_view import FoldView
from projections.versions import Choice, shown
from projections.view import MAX, Read, one_of

TABLE: Final = Table(
    name="answer",
    static=(
        "question_key TEXT NOT NULL",
        "scope TEXT NOT NULL",
        "answer_key TEXT NOT NULL",
        "stance INTEGER NOT NULL",
        "obstacle INTEGER NOT NULL",
        "answer_version TEXT NOT NULL",
        "answer_source TEXT NOT NULL",
        "department TEXT NOT NULL",
        "channel TEXT NOT NULL",
        "order_time INTEGER NOT NULL",
        "occur_time INTEGER NOT NULL",
        "earliest_time INTEGER NOT NULL",
        "record_time INTEGER NOT NULL",
        "claimed_until INTEGER",
        "request_id TEXT NOT NULL",
        "contact_id TEXT NOT NULL",
        "object_key TEXT NOT NULL",
        "subject BLOB NOT NULL",
    ),
    moving=("state INTEGER NOT NULL",),
    indexes=(
        "state, order_time, entity",
        "question_key, scope, department, order_time, entity",
        "subject, order_time, entity",
    ),
)

STATES: Final = (STATED, NOT_STATED)

_COLUMNS: Final = f"entity, {', '.join(TABLE.names)}"
_STATIC: Final = itemgetter(*map(AnswerState._fields.index, TABLE.names[:-1]))


def _values(state: AnswerState) -> Values:
    values: Values = (*_STATIC(state), state.state)
    return values


VIEW: Final = FoldView(name="answers", family="answer", table=TABLE, values=_values)


def next_of(read: Read, parameters: dict[str, Any]) -> str:
    """Return the SQL of the place at which the next answer of the department ends the answer `a`; NULL where none does."""
    where = (
        "question_key = a.question_key",
        "scope = a.scope",
        "department = a.department",
        "(order_time, entity) > (a.order_time, a.entity)",
    )
    choice = Choice(where, states=(STATED,), narrowed=True)
    # Ordered by the index, so that it ends at the first one found.
    return f"{shown(read, TABLE, 'order_time', choice, parameters)} ORDER BY order_time LIMIT 1"


def derived(read: Read, choice: Choice, parameters: dict[str, Any], about: Iterable[tuple[str, str]] = ()) -> str:
    """Return a query of the rows chosen with `valid_until` (MAX: no end), `statement`, `verdict` and `knowable`.

    The official statement is the latest valid one at the answer's place that binds its department and channel. `about`: question
    and scope of the rows chosen, where they are known: then no statements about others are looked at.
    """
    base = shown(read, TABLE, _COLUMNS, choice, parameters)
    columns = "entity, question_key, object_key, answer_key, valid_from, over_time, record_time, departments, channels"
    official = shown(read, statements.TABLE, columns, _stated(about, parameters), parameters)
    binding = " AND ".join(
        f"(s.{column}s = '' OR instr(' ' || s.{column}s || ' ', ' ' || a.{column} || ' ') > 0)"
        for column in ("department", "channel")
    )
    in_force = (
        "SELECT s.entity FROM official AS s WHERE s.question_key = a.question_key "
        "AND a.scope = CASE s.object_key WHEN '' THEN '' ELSE 'o ' || s.object_key END "
        f"AND s.valid_from <= a.order_time AND s.over_time > a.order_time AND {binding} "
        "ORDER BY s.valid_from DESC, s.entity DESC LIMIT 1"
    )
    inner = (
        f"SELECT a.*, min(coalesce(a.claimed_until, {MAX}), coalesce(({next_of(read, parameters)}), {MAX})) AS valid_until, "
        f"({in_force}) AS statement FROM ({base}) AS a"
    )
    verdict = (
        f"CASE WHEN o.entity IS NULL THEN 0 WHEN x.state <> {STATED} THEN {STATEMENT_NOT_CONFIRMED} "
        f"WHEN x.answer_key = o.answer_key THEN {STATEMENT_CONFIRMED} ELSE {STATEMENT_CONTRADICTED} END"
    )
    return (
        f"SELECT * FROM (WITH official AS MATERIALIZED ({official}) SELECT x.*, {verdict} AS verdict, "
        f"o.record_time <= x.earliest_time AS knowable FROM ({inner}) AS x LEFT JOIN official AS o ON o.entity = x.statement)"
    )


def _stated(about: Iterable[tuple[str, str]], parameters: dict[str, Any]) -> Choice:
    """Return the statements about these questions and scopes; all of them where none is named."""
    asked = set(about)
    if not asked:
        return Choice(states=statements.STATES)
    questions = one_of("question_key", sorted({question for question, _ in asked}), parameters, "stated")
    objects = sorted({object_of(scope) for _, scope in asked})
    return Choice((questions,), states=statements.STATES, scopes={"object_key": objects})
