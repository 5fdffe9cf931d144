"""The journey of a request as its fold carries it: who answered for it, and what happened, in turn, as two short texts.

Pure. They are texts because every version of a request holds them: small, compared whole, grouped by SQL.

- A *path* has a stay for each department that answered for the request: `=desk@1700000000000000 >shipping@1700000060000000`. The
  sign says how it came there (NAMED at the opening or on an orphan, ACCEPTED a handoff that moves the ownership, got it RETURNED),
  the number since when, microseconds UTC.
- *Steps* are codes of one letter, or `:code` for a step of the organisation's own (journey-step-reached).

Of a request with more than 200 stays or steps the first 200 are kept, so that no version grows without end.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.event import Event

NAMED: Final = "="
ACCEPTED: Final = ">"
RETURNED: Final = "<"

STEPS: Final[dict[str, str]] = {
    "request-opened": "o",
    "request-assigned": "a",
    "request-escalated": "e",
    "contact-linked": "l",
    "request-waiting": "w",
    "request-resumed": "u",
    "customer-informed": "i",
    "request-resolved": "r",
    "request-confirmed": "f",
    "request-reopened": "p",
    "request-withdrawn": "d",
    "request-refused": "n",
    "request-merged": "m",
    "request-closed": "c",
    "handoff-offered": "O",
    "handoff-accepted": "A",
    "handoff-rejected": "J",
    "handoff-returned": "R",
    "handoff-supplied": "S",
    "handoff-withdrawn": "W",
    "handoff-completed": "C",
    "rule-overridden": "x",
}
"""The letter of each topic that is a step. What only describes (classified, rated) or marks (expired, overdue) is none. The letters
are in rows of the views, and are never given another meaning."""

TOPICS: Final = {letter: topic for topic, letter in STEPS.items()}

OWN: Final = ":"
"""Before the code of a step of the organisation's own."""

LENGTH_MAX: Final = 200
"""Stays of a path, and steps, at most."""


class Stay(NamedTuple):
    """A department that answered for a request, and since when."""

    came_by: str
    department: str
    since: int


def begun(department: str, event: Event) -> str:
    """Return the path of a request that is opened; empty for an orphan."""
    return f"{NAMED}{department}@{event.occur}" if department else ""


def goes_on(path: str, came_by: str, department: str, event: Event) -> str:
    """Return the path with one more stay."""
    if not department:
        return path
    stay = f"{came_by}{department}@{event.occur}"
    return and_then(path, stay) if path else stay


def step_of(event: Event) -> str:
    """Return the step that an event is; empty when it is none."""
    if event.topic == "journey-step-reached":
        return OWN + str(event.payload.step)
    return STEPS.get(event.topic, "")


def and_then(text: str, one: str) -> str:
    """Return a path or steps with one more, or as it was when it is long enough."""
    return text if text.count(" ") >= LENGTH_MAX - 1 else f"{text} {one}"


def stays(path: str) -> list[Stay]:
    """Return the stays of a path, in turn."""
    parts = (text.partition("@") for text in path.split())
    return [Stay(place[0], place[1:], int(since)) for place, _, since in parts]
