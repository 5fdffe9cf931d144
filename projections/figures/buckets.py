"""Durations in log-spaced buckets: each holds its values within 1 %, so a histogram of them gives any percentile within 1 %.

The bounds are whole microseconds made by integer arithmetic, so that every machine puts a value into the same bucket. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

RELATIVE_ERROR: Final = 0.01
"""How far the value given for a bucket may be from any value in it, as a share of that value."""

SMALLEST_MICROS: Final = 1_000
"""What is shorter counts as zero."""

LONGEST_MICROS: Final = 100 * 366 * 86_400 * 1_000_000
"""What is longer counts as this long."""


def _bounds() -> list[int]:
    """Return the lower bounds of the buckets from 1 on, 2 % apart."""
    bounds = [SMALLEST_MICROS]
    while bounds[-1] < LONGEST_MICROS:
        bounds.append(bounds[-1] * 51 // 50)
    return bounds


_BOUNDS: Final = _bounds()
COUNT: Final = len(_BOUNDS) + 1
"""Buckets there are: 0 for nothing, 1 to `COUNT - 1` by length."""


def bucket_of(micros: int) -> int:
    """Return the bucket of a duration, from 0."""
    return bisect_right(_BOUNDS, micros)


def value_of(bucket: int) -> int:
    """Return the duration that stands for a bucket: no value in it is more than 1 % away."""
    if bucket == 0:
        return 0
    if bucket == len(_BOUNDS):
        return _BOUNDS[-1]
    low, high = _BOUNDS[bucket - 1], _BOUNDS[bucket] - 1
    return 2 * low * high // (low + high)
