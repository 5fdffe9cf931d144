"""A bounded memory of what was used last. Safe to use from several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Lru(Generic[_Key, _Value]):
    """Keeps up to `size_max` values, those asked for last."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get_all(self, keys: Iterable[_Key]) -> dict[_Key, _Value]:
        """Return the values that are kept for these keys."""
        found: dict[_Key, _Value] = {}
        with self._lock:
            for key in keys:
                value = self._values.get(key)
                if value is not None:
                    self._values.move_to_end(key)
                    found[key] = value
        return found

    def put_all(self, values: Iterable[tuple[_Key, _Value]]) -> None:
        """Keep values, and let go of those asked for longest ago."""
        with self._lock:
            for key, value in values:
                self._values[key] = value
                self._values.move_to_end(key)
            while len(self._values) > self._size_max:
                self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)
