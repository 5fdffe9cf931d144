"""P7 and P9: what departments ask all day, at the present and as of the past, of a large ledger.

All answers are `latest`: they know every event acknowledged before the question. One caller, one question after the other.
"""

from __future__ import annotations

from typing import Final

from benchmarks.figure import Goal

GOAL_PRESENT: Final = Goal(ratio_max=3.0)
GOAL_PAST: Final = Goal(ratio_max=2.0)
CALLS: Final = 600
CALLS_QUICK: Final = 200
NOOP: Final = "no-op"
Rounds = list[dict[str, list[float]]]
