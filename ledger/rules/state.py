"""What all states have in common: they are named tuples, and the next one is the last one with a few fields changed.

Pure. `_replace` of a named tuple asks for every field by its name; here only what changes is looked up, because a state has up to
35 fields and nearly every event changes two or three of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

_State = TypeVar("_State", bound=type[NamedTuple])


def state_class(kind: _State) -> _State:
    """Decorate a named tuple whose `_replace` is called for many events. It promises what it did, and takes a third of the time."""
    place = {name: number for number, name in enumerate(kind._fields)}
    make = tuple.__new__

    def _replace(self: Any, /, **changes: Any) -> Any:
        values = [*self]
        try:
            for name, value in changes.items():
                values[place[name]] = value
        except KeyError:
            raise ValueError(f"Got unexpected field names: {sorted(changes.keys() - place.keys())}") from None
        return make(kind, values)

    kind._replace = _replace  # type: ignore[misc, assignment]  # promises what the one it replaces does
    return kind
