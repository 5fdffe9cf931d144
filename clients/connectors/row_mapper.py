"""From a row to the events it stands for, by a compiled mapping. Knows nothing of files and of the ledger's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from clients.connectors.event_id import SEPARATOR, derived_id
from clients.connectors.expression import Expression, ExpressionError, Language, Scope, Type
from clients.connectors.function import Sources
from clients.connectors.mapping import ENVELOPE_KEYS, Mapping, Rule
from clients.connectors.mapping_text import Entry, Mistakes, did_you_mean
from clients.connectors.message_plan import Planner, Step
from clients.connectors.time_text import TimeReader
from ledger.api.v1 import options_pb2
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload

KEY_TYPES: Final = ("STRING", "INT", "TIMESTAMP", "DOUBLE", "BOOL")
FRAME: Final = ("import-started", "import-finished")
"""The importer frames a run itself."""


class EventKind(NamedTuple):
    """What the API says of an event type."""

    field: str
    """Its line in `Payload.kind`."""
    descriptor: Any
    allowed: bool
    """False where only the ledger, or the importer itself, writes it."""


def _event_kinds() -> dict[str, EventKind]:
    kinds: dict[str, EventKind] = {}
    for line in Payload.DESCRIPTOR.oneofs_by_name["kind"].fields:
        assert line.message_type is not None
        option = line.message_type.GetOptions().Extensions[options_pb2.event]
        kinds[option.topic] = EventKind(line.name, line.message_type, not option.reserved and option.topic not in FRAME)
    return kinds


EVENT_KINDS: Final = _event_kinds()


class RowError(Exception):
    """A row cannot be mapped. `key` is the place in the mapping, `rule` the rule's name, where one was at work."""

    def __init__(self, message: str, key: str = "", rule: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.rule = rule


class Mapped(NamedTuple):
    """What became of a row."""

    key: str
    """Its key, as text."""
    events: list[EventToAppend]
    topics: list[str]


class _EventPlan(NamedTuple):
    name: str
    topic: str
    field: str
    when: Expression | None
    envelope: list[Step]
    payload: list[Step]


_DECIDED_MAX: Final = 1_000
"""Of so many values it is kept which rules take their rows."""


class RowMapper:
    """A mapping compiled for the columns of a file. Raises MappingError with all mistakes when it is made.

    Columns are named by their identifiers. For snapshots, call `start_case` before the first row of each case.
    """

    def __init__(self, mapping: Mapping, columns: Sequence[str], times: TimeReader, mistakes: Mistakes) -> None:
        self._snapshot = mapping.rows == "snapshot"
        self._kind = mapping.rows
        self._source = mapping.source
        self._unknown = mapping.reader.unknown
        self._language = Language(
            Sources(times, mapping.tables, mapping.source, frozenset(rule.name for rule in mapping.rules)), mistakes
        )
        self._mistakes = mistakes
        self._memory: Scope = {}
        self._before: dict[str, str] = {}
        self._import_run = ""
        self._compile(mapping, columns)
        mistakes.end()
        self._columns = self._used_columns(columns)
        self._pick = _picker([columns.index(name) for name in self._columns])
        self._names = tuple(f"row.{name}" for name in self._columns)
        self._before_names = tuple(f"before.{name}" for name in self._columns)

    def _compile(self, mapping: Mapping, columns: Sequence[str]) -> None:
        language = self._language
        language.declare([f"row.{name}" for name in columns], Type.STRING)
        language.declare(["line"], Type.INT)
        # What groups and orders the rows is read off each row alone, before there is any order.
        self._case = self._optional(mapping.case, KEY_TYPES)
        self._order = self._all(mapping.order, KEY_TYPES)
        self._skip = self._optional(mapping.skip, ["BOOL"])
        if self._snapshot:
            language.declare([f"before.{name}" for name in columns], Type.STRING)
            language.declare(["first"], Type.BOOL)
        self._first_memory: list[tuple[str, Expression]] = []
        for name, (first, _) in mapping.memory.items():
            compiled = language.compile(first)
            if compiled is None:
                language.mistaken.add(f"memory.{name}")
            else:
                if not compiled[0].constant:
                    self._mistakes.add(first, "may not depend on a row: it is the value before the first one")
                self._first_memory.append((f"memory.{name}", compiled[0]))
                language.declare([f"memory.{name}"], compiled[1])
        for name, entry in mapping.definitions.items():
            compiled = language.compile(entry)
            if compiled is None:
                language.mistaken.add(name)
            else:
                language.define(name, *compiled)
        self._keys = self._all(mapping.key, KEY_TYPES)
        self._next_memory: list[tuple[str, Expression]] = []
        types = {name: first.type_name for name, first in self._first_memory}
        for name, (_, following) in mapping.memory.items():
            wanted = types.get(f"memory.{name}")
            compiled = language.compile(following, [wanted] if wanted else ())
            if compiled is not None:
                self._next_memory.append((f"memory.{name}", compiled[0]))
        planner = Planner(language, self._mistakes)
        self._plans = [plan for rule in mapping.rules if (plan := self._plan(rule, mapping.envelope, planner)) is not None]
        self._decider = _decider(self._plans)
        self._taken_by: dict[str, list[_EventPlan]] = {}

    def _plan(self, rule: Rule, defaults: dict[str, Entry], planner: Planner) -> _EventPlan | None:
        topic = rule.topic.text
        kind = EVENT_KINDS.get(topic)
        if kind is None or not kind.allowed:
            topics = [name for name, one in EVENT_KINDS.items() if one.allowed]
            near = did_you_mean(topic, topics) or f"; known are {', '.join(topics)}"
            reserved = "is written by the ledger or the importer itself" if kind is not None else "is no event type"
            self._mistakes.add(rule.topic, f"{topic!r} {reserved}{near}")
            return None
        envelope = {**defaults, **rule.envelope}
        if "occur_time" not in envelope:
            self._mistakes.add(rule.entry, "needs the key `occur_time`: here, or once for all rules in `envelope`")
        return _EventPlan(
            name=rule.name,
            topic=topic,
            field=kind.field,
            when=self._optional(rule.when, ["BOOL"]),
            envelope=planner.message(EventEnvelope.DESCRIPTOR, envelope, rule.entry, only=ENVELOPE_KEYS),
            payload=planner.message(kind.descriptor, rule.fields, rule.entry),
        )

    def _optional(self, entry: Entry | None, wanted: Sequence[str]) -> Expression | None:
        compiled = self._language.compile(entry, wanted) if entry is not None else None
        return compiled[0] if compiled is not None else None

    def _all(self, entries: Sequence[Entry], wanted: Sequence[str]) -> list[Expression]:
        return [one for entry in entries if (one := self._optional(entry, wanted)) is not None]

    def _used_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in columns if {f"row.{name}", f"before.{name}"} & self._language.named)

    def join_run(self, import_run: str) -> None:
        """Put the events mapped from now on into an import run."""
        self._import_run = import_run

    # Before the rows are in order

    def place(self, line: int, cells: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
        """Return the case of a row and what it is ordered by. Raises RowError."""
        scope = self._scope(line, cells)
        try:
            assert self._case is not None
            case = self._case(scope)
            order = tuple(one(scope) for one in self._order)
        except ExpressionError as error:
            raise RowError(str(error), error.entry.key) from None
        if case == "":
            raise RowError("the case is unknown", self._case.entry.key)
        return _key_text(case), order

    def skips(self, line: int, cells: Sequence[str]) -> bool:
        """True when the mapping leaves the row out. Raises RowError."""
        if self._skip is None:
            return False
        try:
            return bool(self._skip(self._scope(line, cells)))
        except ExpressionError as error:
            raise RowError(str(error), error.entry.key) from None

    # In order

    def start_case(self) -> None:
        """Forget the case before: the next row is the first of its case."""
        self._before = {}
        self._memory = {name: first({}) for name, first in self._first_memory}

    def map(self, line: int, cells: Sequence[str]) -> Mapped:
        """Return the events of a row. Raises RowError; the row then counts as not there, for the rows after it too."""
        scope = self._scope(line, cells)
        rule = ""
        if self._snapshot:
            values = self._before or dict.fromkeys(self._before_names, "")
            scope.update(values)
            scope["first"] = not self._before
            scope.update(self._memory)
        try:
            key = SEPARATOR.join([_key_text(one(scope)) for one in self._keys])
            events: list[EventToAppend] = []
            topics: list[str] = []
            decided = scope[self._decider] if self._decider else ""
            known = self._taken_by.get(decided)
            taken: list[_EventPlan] = []
            for plan in self._plans if known is None else known:
                rule = plan.name
                if known is not None or plan.when is None or plan.when(scope):
                    events.append(self._event(plan, key, scope))
                    topics.append(plan.topic)
                    taken.append(plan)
            rule = ""
            if self._decider and known is None and len(self._taken_by) < _DECIDED_MAX:
                self._taken_by[decided] = taken
            memory = {name: following(scope) for name, following in self._next_memory}
        except ExpressionError as error:
            raise RowError(str(error), error.entry.key, rule) from None
        if self._snapshot:
            self._memory = memory
            self._before = dict(zip(self._before_names, [scope[name] for name in self._names], strict=True))
        else:
            self._check_count(topics)
        return Mapped(key.replace(SEPARATOR, " "), events, topics)

    def _check_count(self, topics: list[str]) -> None:
        if not topics:
            raise RowError("no rule takes this row: add one, or leave such rows out by `skip`")
        if self._kind == "event" and len(topics) > 1:
            raise RowError(f"{len(topics)} rules take this row, and with rows: event it is one event: {', '.join(topics)}")

    def _event(self, plan: _EventPlan, key: str, scope: Scope) -> EventToAppend:
        event = EventToAppend()
        envelope = event.envelope
        for step in plan.envelope:
            step(envelope, scope)
        moment = envelope.occur_time
        envelope.event_id = derived_id(moment.seconds * 1_000_000 + moment.nanos // 1000, self._source, key, plan.name)
        envelope.source = self._source
        envelope.import_run = self._import_run
        payload = getattr(event.payload, plan.field)
        payload.SetInParent()
        for step in plan.payload:
            step(payload, scope)
        return event

    def _scope(self, line: int, cells: Sequence[str]) -> Scope:
        unknown = self._unknown
        scope: Scope = {name: "" if cell in unknown else cell for name, cell in zip(self._names, self._pick(cells), strict=True)}
        scope["line"] = line
        return scope


def _picker(places: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    if len(places) == 1:
        return lambda cells: (cells[places[0]],)
    return itemgetter(*places) if places else lambda cells: ()


def _key_text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _decider(plans: Sequence[_EventPlan]) -> str:
    """Return the one column that the conditions of all rules look at; empty where they look at others too, or have none.

    A mapping of an event log has a rule for each kind of event: which takes a row is then found once for each kind.
    """
    looked_at = {plan.when.names if plan.when is not None else () for plan in plans}
    names = looked_at.pop() if len(looked_at) == 1 else ()
    return names[0] if len(names) == 1 and names[0].startswith("row.") else ""
