"""Figures that stand against a quantity: whether answers were whole, by how long they were waited for, and what short calls led to.

Made of rows in any case: they take single values of contacts together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ledger.api.v1.contact_pb2 import FULL, NONE, PARTIAL
from ledger.api.v1.figure_pb2 import FIGURE_SHARE
from projections import contacts, repeats
from projections.figures.definition import Definition, Question, Result, Results, share
from projections.figures.members import FLAG, Outcome, Series
from projections.figures.tally import Found, Group, Measured, Slice, few, members_of
from projections.versions import Choice, shown
from projections.view import Read

_ANSWERED: Final = (Outcome.UNTARGETED, Outcome.IN_TIME, Outcome.LATE)
_SECOND: Final = 1_000_000

WAITS: Final = (("within_20s", 20), ("20s_to_1min", 60), ("1_to_10min", 600), ("over_10min", None))
"""Classes of waits: name, and the seconds up to which they go, inclusive."""

SHORT: Final = 2
"""Handled in less than the median of its reason divided by this is short; in more than the median times this it is long."""


class _Said(NamedTuple):
    """Of a contact's row, what is asked here."""

    reason: str
    opened: int
    completeness: int


def _said(read: Read, entities: Iterable[int]) -> dict[int, _Said]:
    parameters: dict[str, Any] = {}
    choice = Choice(("outbound = 0",), states=contacts.STATES, entities=few(entities))
    query = shown(read, contacts.TABLE, "entity, reason, opened_time, completeness", choice, parameters)
    return {entity: _Said._make(rest) for entity, *rest in read.db.execute(query, parameters)}


# Completeness


class _Answers:
    """The answers of a group: how many of each completeness, by class of wait."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], int] = {}

    def add(self, waited: int, completeness: int) -> None:
        """Count one."""
        name = next(name for name, most in WAITS if most is None or waited <= most * _SECOND)
        self._counts[name, completeness] = self._counts.get((name, completeness), 0) + 1

    def _of(self, *, wait: str = "", completeness: int = 0) -> int:
        return sum(n for (name, said), n in self._counts.items() if wait in ("", name) and completeness in (0, said))

    def result(self) -> Result:
        """Return the figure."""
        full, said = self._of(completeness=FULL), self._of()
        parts: list[tuple[str, float | None]] = [
            ("full", full),
            ("partial", self._of(completeness=PARTIAL)),
            ("none", self._of(completeness=NONE)),
        ]
        for name, _ in WAITS:
            of_class = self._of(wait=name)
            parts.append((f"answered_{name}", of_class))
            parts.append((f"share_full_{name}", share(self._of(wait=name, completeness=FULL), of_class)))
        return Result(share(full, said), said, tuple(parts))


def _completeness(question: Question) -> Results:
    found = [one for one in question.members(Series.CONTACT) if one.outcome % FLAG in _ANSWERED]
    said = _said(question.read, {one.entity for one in found}) if found else {}
    groups: dict[Group, _Answers] = {}
    for one in found:
        completeness = said[one.entity].completeness
        if completeness and one.value is not None:
            groups.setdefault(one.group, _Answers()).add(one.value, completeness)
    return {group: answers.result() for group, answers in groups.items()}


# Short calls


class _Handled:
    """The handled contacts of a group."""

    def __init__(self) -> None:
        self.short = self.short_repeated = self.long = self.others = self.others_repeated = 0

    def result(self) -> Result:
        """Return the figure."""
        of_short = share(self.short_repeated, self.short)
        return Result(
            of_short,
            self.short,
            (
                ("handled", self.short + self.others),
                ("short", self.short),
                ("short_repeated", self.short_repeated),
                ("others_repeated", self.others_repeated),
                ("share_of_others", share(self.others_repeated, self.others)),
                ("long", self.long),
            ),
        )


def _short_and_repeated(question: Question) -> Results:
    read, asked = question.read, question.asked
    # What is usual for a reason is so for everybody, whichever slice is asked for.
    peers = list(members_of(read, Series.HANDLED, asked._replace(slices=(), channels=frozenset(), departments=frozenset())))
    if not peers:
        return {}
    said = _said(read, {one.entity for one in peers})
    medians = _medians(peers, said)
    opened = [one.opened for one in said.values()]
    again = repeats.first_after(read, min(opened), max(opened) + 1, question.repeat_window)
    groups: dict[Group, _Handled] = {}
    for one in question.members(Series.HANDLED):
        group = groups.setdefault(one.group, _Handled())
        handled, usual = one.value or 0, medians[said[one.entity].reason]
        group.long += handled > usual * SHORT
        if handled * SHORT < usual:
            group.short += 1
            group.short_repeated += one.entity in again
        else:
            group.others += 1
            group.others_repeated += one.entity in again
    return {group: one.result() for group, one in groups.items()}


def _medians(found: Iterable[Found], said: dict[int, _Said]) -> dict[str, int]:
    """Return the median of handling by reason (nearest rank), microseconds."""
    measured: dict[str, Measured] = {}
    for one in found:
        handled = one.value or 0
        measured.setdefault(said[one.entity].reason, Measured()).add(1, handled, handled)
    return {reason: of_reason.percentile(0.5) or 0 for reason, of_reason in measured.items()}


DEFINITIONS: Final = (
    Definition(
        name="answer_completeness",
        version=1,
        title="Answers that were whole",
        text="Full answers ÷ answers, of the contacts received in the period that were answered and say how complete the answer "
        "was. Beside it the same by how long the customer had waited for the first answer: a short wait for a part of an answer, "
        "or a longer one for the whole.",
        source="domain §6: S2-7",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.SKILL, Slice.TIER),
        parts={
            "full": "Full answers.",
            "partial": "Answers in part.",
            "none": "No answer to what was asked.",
            **{f"answered_{name}": f"Answers by wait: {name.replace('_', ' ')}." for name, _ in WAITS},
            **{f"share_full_{name}": f"Full ÷ answers, of that wait: {name.replace('_', ' ')}." for name, _ in WAITS},
        },
        measure=_completeness,
        series=(Series.CONTACT,),
        always_exact=True,
    ),
    Definition(
        name="short_and_repeated",
        version=1,
        title="Short handling that led to a repeat",
        text="Contacts handled in less than half the median time of their reason that were repeated within the window ÷ such short "
        "contacts, of those ended in the period. The same share of the others stands beside it: where short ones are repeated "
        "more often, time is saved at the customer's cost. Long ones (more than twice the median of their reason) point at a "
        "procedure, or at somebody to help. The median is that of all departments and channels in the period.",
        source="domain §6: S2-9, S2-10; domain rule 9.7",
        unit=FIGURE_SHARE,
        member_time="ended",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON),
        parts={
            "handled": "Contacts handled.",
            "short": "Of these, short ones.",
            "short_repeated": "Short ones that were repeated.",
            "others_repeated": "Others that were repeated.",
            "share_of_others": "Others that were repeated ÷ others.",
            "long": "Long ones.",
        },
        measure=_short_and_repeated,
        series=(Series.HANDLED,),
        always_exact=True,
    ),
)
