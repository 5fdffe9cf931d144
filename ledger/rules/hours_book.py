"""The opening hours that targets are measured by, under a key made of what they are.

An event whose target is measured in business time holds the key only, 16 bytes, not the hours: those stand once, in the policy that
was published before it. The key is a digest of the hours, so a book is never wrong and never out of date: whoever folds events has
learned from every policy before them, and what one process or test learned does another no harm.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from ledger.rules.business_time import CLOCK, Hours, OpenHours, unpack

KEY_BYTES: Final = 16

_EXPANDED: Final[dict[bytes, Any]] = {}
_HOURS: Final[dict[bytes, OpenHours]] = {}


def key_of(expanded: Any) -> bytes:
    """Return the key of the hours of a calendar as its policy holds them resolved (`ExpandedHours`)."""
    return hashlib.sha256(expanded.SerializeToString(deterministic=True)).digest()[:KEY_BYTES]


def learn(document: Any) -> None:
    """Take in the calendars of a policy (`ServicePolicy`)."""
    for calendar in document.calendars:
        if calendar.expanded.HasField("horizon_until"):
            _EXPANDED.setdefault(key_of(calendar.expanded), calendar.expanded)


def hours(key: bytes) -> Hours:
    """Return the hours under a key; by the clock for an empty one. Raises KeyError for hours that no policy brought."""
    if not key:
        return CLOCK
    found = _HOURS.get(key)
    if found is None:
        expanded = _EXPANDED[key]
        found = _HOURS[key] = unpack(
            expanded.step_minutes, expanded.horizon_from.ToMicroseconds(), expanded.horizon_until.ToMicroseconds()
        )
    return found
