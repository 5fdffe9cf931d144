"""A service policy as YAML for people: read with line numbers, so that every mistake names its place, and written back.

Knows the form, not what makes a policy good: that the ledger says (PolicyService.ValidatePolicy), in paths of the message, which
`PolicyText.place_of` brings back to lines of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from clients.connectors.mapping_text import Entry, MappingError, Mistake, Mistakes, did_you_mean, parse_mapping
from clients.connectors.policy_words import (
    NONE,
    read_choice,
    read_days,
    read_duration,
    read_holidays,
    read_number,
    read_periods,
)
from ledger.api.v1.options_pb2 import made
from ledger.api.v1.policy_pb2 import Calendar, PolicyPublished, ServicePolicy

KEYED: Final = {
    "calendars": "calendar",
    "departments": "department",
    "handoff_types": "type",
    "promise_kinds": "kind",
    "reasons": "reason",
    "playbooks": "playbook",
    "steps": "step",
}
"""What is written as a map: the key is the code, which the message holds in this field."""

ABOUT: Final = ("policy_id", "version", "in_force_from")
"""Keys of a file beside those of the policy itself."""

_TRUE, _FALSE = frozenset({"yes", "true"}), frozenset({"no", "false"})
_LAST_STEP: Final = re.compile(r"(\.?\w+|\[\d+\])$")


class PolicyTextError(Exception):
    """A policy has mistakes. `mistakes` are in the order of their lines; the text shows them one a line."""

    def __init__(self, name: str, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(set(mistakes))
        lines = [f"{name}:{one.line}: {one.key + ': ' if one.key else ''}{one.message}" for one in self.mistakes]
        super().__init__("\n".join(lines))


class PolicyText:
    """A policy as read from a file: what could be read, where everything stands, and the mistakes of the text itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.published = PolicyPublished(policy=ServicePolicy())
        """Id, version and in-force time are set where the file says them."""
        self._mistakes = Mistakes(name)
        self._places: dict[str, Entry] = {}

    @property
    def mistakes(self) -> list[Mistake]:
        """What the text itself does wrong."""
        return self._mistakes.found

    def place_of(self, path: str) -> Mistake:
        """Return the line and key of a path of the message, or of the nearest thing around it; without a message."""
        while path and path not in self._places:
            path = _LAST_STEP.sub("", path)
        entry = self._places.get(path)
        return Mistake(entry.line, entry.key, "") if entry is not None else Mistake(1, "", "")

    def add_found(self, path: str, message: str) -> None:
        """Note a mistake that the ledger found at a path; one that follows from a mistake of the text itself is left out."""
        place = self.place_of(path)
        if not any(one.line == place.line and one.key == place.key for one in self.mistakes if message == "value is required"):
            self._mistakes.found.append(place._replace(message=message))

    def end(self) -> None:
        """Raise PolicyTextError when there are mistakes."""
        if self.mistakes:
            raise PolicyTextError(self.name, self.mistakes)

    # Reading

    def read(self, text: str) -> None:
        """Read a file. Raises PolicyTextError at once where it is no YAML: nothing else can be said then."""
        if not text.strip():
            raise PolicyTextError(self.name, [Mistake(1, "", "the policy is empty")])
        try:
            root = parse_mapping(text, self._mistakes)
        except MappingError as error:
            raise PolicyTextError(self.name, error.mistakes) from None
        if root.kind != "map":
            raise PolicyTextError(self.name, [Mistake(root.line, "", "a policy is a map of keys, such as `calendars:`")])
        self._read_about(root)
        policy = Entry("map", root.line, "", fields={key: one for key, one in root.fields.items() if key not in ABOUT})
        self._message(policy, self.published.policy, "", extra=ABOUT)

    def _read_about(self, root: Entry) -> None:
        entry = root.fields.get("policy_id")
        if entry is not None:
            self.published.policy_id = entry.text
        entry = root.fields.get("version")
        if entry is not None:
            if entry.text.isdecimal() and 0 < int(entry.text) < 2**31:
                self.published.policy_version = int(entry.text)
            else:
                self._mistakes.add(entry, f"{entry.text!r} is no version: write 1, 2, …")
        entry = root.fields.get("in_force_from")
        if entry is not None:
            try:
                moment = datetime.fromisoformat(entry.text)
                moment = moment if moment.tzinfo is not None else moment.astimezone()
                self.published.in_force_from.FromDatetime(moment.astimezone(UTC))
            except (ValueError, OverflowError):
                self._mistakes.add(entry, f"{entry.text!r} is no time: write one such as 2026-12-01 or 2026-12-01T08:00+01:00")

    def _message(self, entry: Entry, message: Any, path: str, extra: tuple[str, ...] = (), skip: str = "") -> None:
        self._places[path] = entry
        if entry.kind != "map":
            self._mistakes.add(entry, "has to be a map of keys")
            return
        if isinstance(message, Calendar):
            entry = self._read_calendar(entry, message, path)
        fields = {field.name: field for field in message.DESCRIPTOR.fields if field.name != skip and not _is_made(field)}
        for key, value in entry.fields.items():
            field = fields.get(key)
            if field is None:
                known = [*fields, *extra, *(_CALENDAR_KEYS if isinstance(message, Calendar) else ())]
                hint = did_you_mean(key, known) or f"; there is {', '.join(known)}"
                self._mistakes.add(value, f"there is no such key{hint}")
            elif value.kind != "text" or value.text or field.is_repeated:
                self._field(value, message, field, f"{path}.{key}" if path else key)
            else:
                self._places[f"{path}.{key}" if path else key] = value
                self._mistakes.add(value, "is empty: write a value, or leave the key out")

    def _field(self, entry: Entry, message: Any, field: FieldDescriptor, path: str) -> None:
        self._places[path] = entry
        if field.is_repeated:
            self._repeated(entry, message, field, path)
        elif field.message_type is not None and field.message_type.full_name != "google.protobuf.Duration":
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._message(entry, inner, path)
        elif entry.kind != "text":
            self._mistakes.add(entry, "has to be one value")
        elif field.message_type is not None and entry.text == NONE:
            return
        else:
            self._value(entry, lambda text: _set(message, field, text))

    def _repeated(self, entry: Entry, message: Any, field: FieldDescriptor, path: str) -> None:
        items = getattr(message, field.name)
        code = KEYED.get(field.name)
        if code is not None:
            if entry.kind != "map":
                self._mistakes.add(entry, f"has to be a map: each {code} with what belongs to it")
                return
            for number, (key, value) in enumerate(entry.fields.items()):
                item = items.add()
                setattr(item, code, key)
                empty = value.kind == "text" and not value.text
                self._message(Entry("map", value.line, value.key) if empty else value, item, f"{path}[{number}]", skip=code)
        elif field.message_type is not None:
            if entry.kind != "list":
                self._mistakes.add(entry, "has to be a list")
                return
            for number, value in enumerate(entry.items):
                self._message(value, items.add(), f"{path}[{number}]")
        else:
            for number, value in enumerate(_listed(entry)):
                self._places[f"{path}[{number}]"] = value
                if value.kind != "text":
                    self._mistakes.add(value, "has to be one value")
                else:
                    items.append(value.text)

    # Calendars have forms of their own

    def _read_calendar(self, entry: Entry, calendar: Calendar, path: str) -> Entry:
        rest = dict(entry.fields)
        week = rest.pop("week", None)
        if week is not None:
            self._read_week(week, calendar, path)
        holidays = rest.pop("holidays", None)
        if holidays is not None:
            self._places[f"{path}.holiday_country"] = self._places[f"{path}.holiday_subdivision"] = holidays

            def set_holidays(text: str) -> None:
                country, subdivision = read_holidays(text)
                calendar.holiday_country = country
                if subdivision:
                    calendar.holiday_subdivision = subdivision

            self._value(holidays, set_holidays)
        days_off = rest.pop("days_off", None)
        for day in _listed(days_off) if days_off is not None else ():
            self._places[f"{path}.special_days[{len(calendar.special_days)}]"] = day
            calendar.special_days.add(date=day.text)
        special = rest.pop("special_days", None)
        if special is not None:
            if special.kind != "map":
                self._mistakes.add(special, "has to be a map: each date with its hours")
                special = Entry("map", special.line, special.key)
            for date, hours in special.fields.items():
                self._places[f"{path}.special_days[{len(calendar.special_days)}]"] = hours
                self._value(hours, calendar.special_days.add(date=date).periods.extend, read_periods)
        return Entry("map", entry.line, entry.key, fields=rest)

    def _read_week(self, week: Entry, calendar: Calendar, path: str) -> None:
        self._places[f"{path}.week"] = week
        if week.kind != "map":
            self._mistakes.add(week, "has to be a map: each day, or days such as monday-friday, with its hours")
            return
        for days, hours in week.fields.items():

            def add_hours(text: str, days: str = days, hours: Entry = hours) -> None:
                periods = read_periods(text)
                for weekday in read_days(days):
                    self._places[f"{path}.week[{len(calendar.week)}]"] = hours
                    calendar.week.add(weekday=weekday, periods=periods)

            self._value(hours, add_hours)

    def _value(self, entry: Entry, take: Callable[[Any], None], read: Callable[[str], Any] = str) -> None:
        """Read one value, or a list of values as one with commas; what is wrong with it becomes a mistake."""
        try:
            take(read(", ".join(item.text for item in entry.items) if entry.kind == "list" else entry.text))
        except ValueError as error:
            self._mistakes.add(entry, str(error))


_CALENDAR_KEYS: Final = ("holidays", "days_off")


def read_policy(text: str, name: str) -> PolicyText:
    """Read a policy; `name` is what its mistakes call the file. Raises PolicyTextError where it is no YAML."""
    found = PolicyText(name)
    found.read(text)
    return found


def _listed(entry: Entry) -> list[Entry]:
    """Return the items of a list, or the one value that stands for a list of one."""
    if entry.kind == "list":
        return entry.items
    return [entry] if entry.kind == "map" or entry.text else []


def _is_made(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[made])


def _set(message: Message, field: FieldDescriptor, text: str) -> None:
    if field.enum_type is not None:
        setattr(message, field.name, read_choice(field.enum_type, text))
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(read_duration(text))
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(f"{text!r} is neither yes nor no")
        setattr(message, field.name, text.lower() in _TRUE)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        if not text.isdecimal() or int(text) >= 2**31:
            raise ValueError(f"{text!r} is no whole number")
        setattr(message, field.name, int(text))
    elif field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        setattr(message, field.name, read_number(text))
    else:
        setattr(message, field.name, text)
