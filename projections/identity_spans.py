"""Which stretch of an identifier's events counts for a customer: links may say from when, and until when, it was theirs.

Bounds on a link (`valid_from`, `valid_until`) are about time: of the *right* identifier only the events within them count for the
customer through that link. They restrict an identifier whose every joining link names it on the right and bears bounds; any
other member counts whole. A link that is over (`valid_until` had passed when it was recorded, or an unlink said ENDED) joins
nobody, gives its right identifier's events of that time to the left side's customer, and takes them from whoever has it now,
unless a joining link of that one claims them with bounds of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from projections.identity_sets import ENDED, JOINS
from projections.view import MAX, Read, one_of

EARLIEST: Final = -(2**62)
"""Before all order times."""


class Span(NamedTuple):
    """A stretch of one subject's events that counts for a customer."""

    subject: bytes
    order_from: int
    """Order time, inclusive."""
    order_until: int
    """Exclusive; MAX: no end."""

    @property
    def whole(self) -> bool:
        """True when all of the subject's events count."""
        return self.order_from == EARLIEST and self.order_until == MAX


def selection(read: Read, subjects: Sequence[bytes]) -> list[Span]:
    """Return which stretches of whose events count for a set of subjects (see the head of this file)."""
    return read.once(("selection", *subjects), lambda: _selection(read, subjects))


def _selection(read: Read, subjects: Sequence[bytes]) -> list[Span]:
    parameters: dict[str, Any] = {"known": read.known}
    columns = "SELECT left_subject, right_subject, valid_from, valid_until, state FROM identity_link"
    standing = f"bounded = 1 AND state IN ({JOINS}, {ENDED}) AND {stands(read)}"
    left, right = (one_of(f"{side}_subject", subjects, parameters, "s") for side in ("left", "right"))
    bounded = read.db.execute(
        f"{columns} INDEXED BY identity_link_bounded_left WHERE {left} AND {standing} "
        f"UNION {columns} INDEXED BY identity_link_bounded_right WHERE {right} AND {standing}",
        parameters,
    ).fetchall()
    if not bounded:
        return [Span(subject, EARLIEST, MAX) for subject in subjects]
    inside = set(subjects)
    claimed: dict[bytes, list[tuple[int, int]]] = {}
    through_links: dict[bytes, list[tuple[int, int]]] = {}
    taken: dict[bytes, list[tuple[int, int]]] = {}
    for left_subject, right_subject, valid_from, valid_until, state in bounded:
        stretch = (EARLIEST if valid_from is None else valid_from, MAX if valid_until is None else valid_until)
        if state == JOINS:
            through_links.setdefault(right_subject, []).append(stretch)
        elif left_subject in inside:
            claimed.setdefault(right_subject, []).append(stretch)
        else:
            taken.setdefault(right_subject, []).append(stretch)
    for subject in subjects:
        if subject in through_links and not _joined_whole(read, subject):
            claimed.setdefault(subject, []).extend(through_links[subject])
        else:
            claimed.setdefault(subject, []).extend(_without((EARLIEST, MAX), taken.get(subject, ())))
    return [Span(subject, low, high) for subject, stretches in claimed.items() for low, high in _united(stretches)]


def _joined_whole(read: Read, subject: bytes) -> bool:
    """True when a link joins the subject as its left side, or as its right one without bounds."""
    row = read.db.execute(
        f"SELECT EXISTS (SELECT 1 FROM identity_link WHERE left_subject = :subject AND state = {JOINS} AND {stands(read)}) "
        f"OR EXISTS (SELECT 1 FROM identity_link WHERE right_subject = :subject AND bounded = 0 AND state = {JOINS} "
        f"AND {stands(read)})",
        {"subject": subject, "known": read.known},
    ).fetchone()
    return bool(row[0])


def stands(read: Read) -> str:
    """Return the condition under which a row kept by position shows."""
    if read.known >= read.position:
        return "until_position IS NULL"
    return "from_position <= :known AND (until_position IS NULL OR until_position > :known)"


def _united(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches without overlaps, in order."""
    united: list[tuple[int, int]] = []
    for low, high in sorted(stretches):
        if low >= high:
            continue
        if united and low <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], high))
        else:
            united.append((low, high))
    return united


def _without(whole: tuple[int, int], taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what remains of a stretch."""
    low, high = whole
    remaining = []
    for taken_low, taken_high in _united(taken):
        if low < taken_low:
            remaining.append((low, min(taken_low, high)))
        low = max(low, taken_high)
    if low < high:
        remaining.append((low, high))
    return remaining
