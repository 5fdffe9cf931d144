"""The other forms of an exported log: OCEL 2.0 as JSON, and XES with a trace for each request. Both are written piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from clients.connectors.export_event import NUMBER, TIME, TRUTH
from clients.connectors.export_store import ExportStore

_EPOCH: Final = "1970-01-01T00:00:00.000000+00:00"


def write_ocel_json(store: ExportStore, path: Path) -> None:
    """Write an OCEL 2.0 log as JSON (https://www.ocel-standard.org)."""
    with path.open("w", encoding="utf-8") as file:
        file.write('{"eventTypes": ')
        _list(file.write, ({"name": name, "attributes": _named(of)} for name, of in store.event_types.items()))
        file.write(',\n"objectTypes": ')
        texts = ((name, [(one, "string") for one in of]) for name, of in store.object_types.items())
        _list(file.write, ({"name": name, "attributes": _named(of)} for name, of in texts))
        file.write(',\n"events": ')
        _list(file.write, _events(store))
        file.write(',\n"objects": ')
        _list(file.write, _objects(store))
        file.write("}\n")


def _named(attributes: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "type": type_} for name, type_ in attributes]


def _list(write: Any, items: Iterable[Any]) -> None:
    separator = "[\n"
    for item in items:
        write(separator)
        write(json.dumps(item, ensure_ascii=False, separators=(",", ":")))
        separator = ",\n"
    write("[]" if separator == "[\n" else "\n]")


def _events(store: ExportStore) -> Iterator[dict[str, Any]]:
    for topic, attributes in store.event_types.items():
        for event_id, time, values, related in store.events(topic):
            said = [
                {"name": name, "value": _value(value, type_)}
                for (name, type_), value in zip(attributes, values, strict=True)
                if value is not None
            ]
            yield {"id": event_id, "type": topic, "time": time, "attributes": said, "relationships": _relations(related)}


def _objects(store: ExportStore) -> Iterator[dict[str, Any]]:
    for type_, names in store.object_types.items():
        for object_id, values, related in store.objects(type_):
            said = [
                {"name": name, "time": _EPOCH, "value": value}
                for name, value in zip(names, values, strict=True)
                if value is not None
            ]
            yield {"id": object_id, "type": type_, "attributes": said, "relationships": _relations(related)}


def _relations(related: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"objectId": object_id, "qualifier": role} for object_id, role in related]


def _value(value: Any, type_: str) -> Any:
    return bool(value) if type_ == TRUTH else value


# XES


_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">\n'
    '<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>\n'
    '<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>\n'
    '<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>\n'
)
_TAGS: Final = {NUMBER: "int", TRUTH: "boolean", TIME: "date"}


def write_xes(store: ExportStore, path: Path) -> int:
    """Write a XES log (IEEE 1849): a trace for each request, its events in order of time. Returns the number of traces."""
    store.index()
    types = {topic: dict(attributes) for topic, attributes in store.event_types.items()}
    traces = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        requests = store.traces("request") if "request" in store.object_types else iter(())
        for object_id, events in requests:
            traces += 1
            file.write(f"<trace>\n{_attribute('string', 'concept:name', object_id.partition(':')[2])}")
            for topic, time, attributes in events:
                file.writelines(chain(["<event>\n"], _event(topic, time, attributes, types[topic]), ["</event>\n"]))
            file.write("</trace>\n")
        file.write("</log>\n")
    return traces


def _event(topic: str, time: str, attributes: dict[str, Any], types: dict[str, str]) -> Iterator[str]:
    yield _attribute("string", "concept:name", topic)
    yield _attribute("date", "time:timestamp", time)
    if attributes.get("actor"):
        yield _attribute("string", "org:resource", attributes["actor"])
    if attributes.get("department"):
        yield _attribute("string", "org:group", attributes["department"])
    for name, value in attributes.items():
        tag = _TAGS.get(types[name], "string")
        yield _attribute(tag, name, str(bool(value)).lower() if tag == "boolean" else str(value))


def _attribute(tag: str, key: str, value: str) -> str:
    return f"<{tag} key={quoteattr(key)} value={quoteattr(value)}/>\n"
