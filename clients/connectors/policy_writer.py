"""A published policy as YAML, in the form in which people write it: what `policy_text` reads gives the same policy again."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

import yaml
from google.protobuf.descriptor import FieldDescriptor

from clients.connectors.policy_text import KEYED
from clients.connectors.policy_words import CLOSED, DAY_NAMES, NONE, choices, write_duration, write_periods
from ledger.api.v1.options_pb2 import made
from ledger.api.v1.policy_pb2 import Calendar, PolicyPublished, Target

_DAYS: Final = {number: name for name, number in DAY_NAMES.items()}


def write_policy(published: PolicyPublished) -> str:
    """Return a policy as YAML. What the ledger made of it is left out."""
    tree: dict[str, Any] = {"policy_id": published.policy_id, "version": published.policy_version}
    if published.HasField("in_force_from"):
        tree["in_force_from"] = published.in_force_from.ToDatetime(UTC).isoformat()
    tree |= _tree(published.policy)
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes conditions of several lines as such, and indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _tree(message: Any, skip: str = "") -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name != skip and not field.GetOptions().Extensions[made]:
            tree[field.name] = _value(field, value)
    if isinstance(message, Calendar):
        return _calendar(message, tree)
    if isinstance(message, Target) and not message.HasField("within"):
        tree["within"] = NONE
    return tree


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.is_repeated:
        code = KEYED.get(field.name)
        if code is not None:
            return {getattr(item, code): _tree(item, code) for item in value}
        return [_tree(item) for item in value] if field.message_type is not None else list(value)
    if field.enum_type is not None:
        return choices(field.enum_type)[value]
    if field.message_type is None:
        return value
    if field.message_type.full_name == "google.protobuf.Duration":
        return write_duration(value)
    return _tree(value)


def _calendar(calendar: Calendar, tree: dict[str, Any]) -> dict[str, Any]:
    for name in ("week", "special_days", "holiday_country", "holiday_subdivision"):
        tree.pop(name, None)
    tree["week"] = {_DAYS[hours.weekday]: write_periods(hours.periods) for hours in calendar.week}
    if calendar.holiday_country:
        tree["holidays"] = "-".join(filter(None, (calendar.holiday_country, calendar.holiday_subdivision)))
    if calendar.special_days:
        tree["special_days"] = {day.date: write_periods(day.periods) if day.periods else CLOSED for day in calendar.special_days}
    return tree
