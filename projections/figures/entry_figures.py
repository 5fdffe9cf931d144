"""What it costs to tell the ledger: how many fields somebody had to give.

Made of the log itself: nothing is stored for it, so the projector does no work. It takes time by the number of events in the
blocks of the log that the period touches. Fields are counted, not read; what is sealed is not opened, and not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor

from ledger.api.v1.core_pb2 import ACTOR_KIND_UNSPECIFIED, CLOCK, HUMAN, PARTNER, PLAYBOOK
from ledger.api.v1.figure_pb2 import FIGURE_PER_MEMBER
from ledger.catalogue import BY_TOPIC, TIME_TYPES, is_made, is_mandatory, read_event
from ledger.event import Event
from projections.figures.definition import Definition, Evidence, PeriodTooLongError, Question, Result, Results, share
from projections.figures.tally import Group, Slice, localised
from projections.history import CONTACTS
from projections.history_rows import BLOCK_BITS
from projections.view import Read

EVENTS_MAX: Final = 500_000
"""So many events at most are looked at for one question: some 10 seconds."""

_BY_LEDGER: Final = frozenset({CLOCK, PLAYBOOK})
"""What the ledger writes by itself: nobody had to give anything."""

PEOPLE, MACHINES, PARTNERS, IMPORTED = "people", "machines", "partners", "imported"
"""Who gave the fields of an event."""
_GIVERS: Final[dict[int, str]] = {ACTOR_KIND_UNSPECIFIED: PEOPLE, HUMAN: PEOPLE, PARTNER: PARTNERS}


class _Counted(NamedTuple):
    """The clear fields of an event."""

    fields: int
    mandatory: int


class _Entry:
    """What was given by somebody in a group."""

    def __init__(self) -> None:
        self.events = self.fields = self.mandatory = self.with_content = 0

    def add(self, counted: _Counted, with_content: bool) -> None:
        """Add an event."""
        self.events += 1
        self.fields += counted.fields
        self.mandatory += counted.mandatory
        self.with_content += with_content

    def parts(self, who: str) -> tuple[tuple[str, float], ...]:
        """Return how many events and fields, as parts."""
        return (f"{who}_events", self.events), (f"{who}_fields", self.fields)


class _Entries:
    """What was given in a group, by whom."""

    def __init__(self) -> None:
        self.of = {who: _Entry() for who in (PEOPLE, MACHINES, PARTNERS, IMPORTED)}
        self.contacts = 0

    def result(self) -> Result:
        """Return the figure."""
        people = self.of[PEOPLE]
        others = [one for who in (MACHINES, PARTNERS, IMPORTED) for one in self.of[who].parts(who)]
        return Result(
            share(people.fields, people.events),
            people.events,
            (
                ("events", people.events),
                ("fields", people.fields),
                ("mandatory", people.mandatory),
                ("with_content", people.with_content),
                ("contacts", self.contacts),
                ("fields_each_contact", share(people.fields, self.contacts)),
                *others,
            ),
        )


def _effort(question: Question) -> Results:
    groups: dict[Group, _Entries] = {}
    for event, group in _events(question):
        entries = groups.setdefault(group, _Entries())
        who = _who(event)
        entries.of[who].add(counted(event.payload), bool(event.header.parts))
        entries.contacts += who == PEOPLE and event.topic in CONTACTS
    return {group: entries.result() for group, entries in groups.items()}


def _behind_effort(question: Question) -> Iterator[Evidence]:
    for event, _ in _events(question):
        yield Evidence(event.position, event.position, _who(event))


def _who(event: Event) -> str:
    header = event.header
    if header.import_run:
        return IMPORTED
    return _GIVERS.get(header.actor_kind, MACHINES)


def _events(question: Question) -> Iterator[tuple[Event, Group]]:
    """Yield the events of the period that somebody appended, as recorded, with their groups. They are too many to be kept."""
    asked = question.asked
    for event in _recorded(question.read, asked.start, asked.end):
        header = event.header
        channel, department = header.channel, header.department
        if header.actor_kind in _BY_LEDGER or not asked.within(event.order) or not asked.wants(channel, department):
            continue
        values = {Slice.CHANNEL: channel, Slice.DEPARTMENT: department, Slice.KIND: event.topic, Slice.SOURCE: header.source}
        yield event, localised(tuple(values.get(one, "") for one in asked.slices), asked, event.order)


def _recorded(read: Read, start: int | None, end: int | None) -> Iterator[Event]:
    """Yield the events about customers in the blocks of the log that a period touches, as known and as it had happened."""
    where = ["block <= :last"]
    if start is not None:
        where.append("order_max >= :start")
    if end is not None:
        where.append("order_min < :end")
    bounds = {"last": read.known >> BLOCK_BITS, "start": start, "end": end}
    blocks = read.db.execute(f"SELECT block FROM history_block WHERE {' AND '.join(where)} ORDER BY block", bounds).fetchall()
    if len(blocks) << BLOCK_BITS > EVENTS_MAX:
        raise PeriodTooLongError(len(blocks) << BLOCK_BITS, "events", EVENTS_MAX)
    for (block,) in blocks:
        first = block << BLOCK_BITS
        last = min(first + (1 << BLOCK_BITS) - 1, read.known)
        for row in read.log.read(max(0, first - 1), last - max(1, first) + 1, last):
            event = read_event(row.position, row.header)
            if event.subject and not event.clock and (read.before is None or event.order < read.before):
                yield event


# Counting fields


def counted(payload: Any) -> _Counted:
    """Return how many clear fields a caller set in a payload, each element of a list for itself, and how many of them it had to.

    A message inside counts by its own fields. What only the ledger sets does not count.
    """
    kinds = _kinds(payload.DESCRIPTOR)
    fields = mandatory = 0
    for field, value in payload.ListFields():
        kind = kinds.get(field.name)
        if kind is not None:
            count = _fields_of(kind, value)
            fields += count
            mandatory += kind.mandatory and count > 0
    return _Counted(fields, mandatory)


class _Kind(NamedTuple):
    """A field that a caller may set."""

    message: bool
    repeated: bool
    mandatory: bool


@cache
def _kinds(descriptor: Descriptor) -> dict[str, _Kind]:
    """Return the fields of a message that a caller may set."""
    return {
        field.name: _Kind(
            field.message_type is not None and field.message_type.full_name not in TIME_TYPES,
            field.is_repeated,
            is_mandatory(field),
        )
        for field in descriptor.fields
        if not is_made(field)
    }


def _fields_of(kind: _Kind, value: Any) -> int:
    if not kind.message:
        return len(value) if kind.repeated else 1
    return sum(counted(item).fields for item in value) if kind.repeated else counted(value).fields


DEFINITIONS: Final = (
    Definition(
        name="data_entry_effort",
        version=1,
        title="Fields that people had to give",
        text="Fields set in the events that people appended ÷ these events, of the events about customers in the period, by their "
        "place in time. Fields are those of the event itself, each element of a list for itself, as far as they stand clear: what "
        "is sealed (values of identifiers and facts, names, free text) is not looked into, and events that hold any are counted "
        "beside. What a program of theirs filled in for people counts as theirs. Bots and programs, partners, and what was "
        "imported stand apart; what the ledger writes by itself, and what stands in every event (who, where, when), is nobody's "
        "effort. Corrections count: they are work. Kind is the type of the event. Counted from the log at the question, of "
        f"{EVENTS_MAX:,} events at most.",
        source="domain §6: S4-18",
        unit=FIGURE_PER_MEMBER,
        member_time="occurred",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.KIND, Slice.SOURCE, Slice.HOUR, Slice.WEEKDAY),
        parts={
            "events": "Events that people appended.",
            "fields": "Fields in these.",
            "mandatory": "Of these, fields without which the event is refused.",
            "with_content": "Of the events, those with sealed content.",
            "contacts": "Contacts that people opened: contact-received and contact-made among the events.",
            "fields_each_contact": "Fields ÷ these contacts: what a contact takes until all about it is told.",
            **{
                f"{who}_{name}": f"{name.capitalize()} of {text}."
                for who, text in (
                    (MACHINES, "bots and programs"),
                    (PARTNERS, "partners, persons or programs"),
                    (IMPORTED, "imports, whoever acted"),
                )
                for name in ("events", "fields")
            },
        },
        measure=_effort,
        evidence=_behind_effort,
        always_exact=True,
    ),
)

assert all(topic in BY_TOPIC for topic in CONTACTS)
