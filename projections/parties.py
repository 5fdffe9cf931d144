"""Whose a stretch of contacts is: the customer that each belongs to, for many at once (domain rule 9.6).

A contact belongs to whom it is attributed to (attribution.py), else to the set of its identifier, as known. An identifier marked as
shared belongs to nobody: contacts from it match no others. Where links say from when, or until when, an identifier was somebody's,
the time of the contact decides; where two customers claim that time, the one whose id is smaller has it.

Has no tables. What it answers for one subject is what identities.py and identity_spans.py answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.sqlite_file import in_batches, places
from projections import attribution, identities
from projections.identity_sets import ENDED, JOINS
from projections.identity_spans import selection, stands
from projections.view import Read


class Parties:
    """The customers of some subjects, as known. Make one for a question: it reads all that it needs at once."""

    def __init__(self, read: Read, subjects: Iterable[bytes]) -> None:
        asked = sorted(set(subjects))
        self._followed = attribution.followed_of(read, asked)
        wanted = sorted({*asked, *self._followed.values()})
        self._customers = _customers(read, wanted)
        self._shared = _shared(read, wanted)
        self._stretches = _stretches(read, frozenset(wanted))

    def of(self, subject: bytes, order: int) -> bytes | None:
        """Return the customer that an event of a subject belongs to: the oldest pseudonym of the set; None for nobody's.

        `order`: when it happened, microseconds UTC.
        """
        subject = self._followed.get(subject, subject)
        if subject in self._shared:
            return None
        stretches = self._stretches.get(subject)
        if stretches is not None:
            return min((customer for low, high, customer in stretches if low <= order < high), default=None)
        return self._customers.get(subject, subject)


def _customers(read: Read, subjects: list[bytes]) -> dict[bytes, bytes]:
    """Return the customer of each subject that is joined with others."""
    found: dict[bytes, bytes] = {}
    known = () if read.known >= read.position else (read.known, read.known)
    when = "until_position IS NULL" if not known else "from_position <= ? AND (until_position IS NULL OR until_position > ?)"
    if read.db.execute("SELECT 1 FROM identity_member LIMIT 1").fetchone() is None:
        return found
    for some in in_batches(subjects):
        sql = f"SELECT subject, customer FROM identity_member WHERE subject IN ({places(len(some))}) AND {when}"
        found.update(read.db.execute(sql, (*some, *known)).fetchall())
    return found


def _shared(read: Read, subjects: list[bytes]) -> frozenset[bytes]:
    rows = read.db.execute(f"SELECT subject FROM identity_shared WHERE {stands(read)}", {"known": read.known})
    return frozenset(subject for (subject,) in rows).intersection(subjects)


def _stretches(read: Read, subjects: frozenset[bytes]) -> dict[bytes, list[tuple[int, int, bytes]]]:
    """Return, of the subjects that bounds on links concern, which stretch of time belongs to which customer."""
    where = f"bounded = 1 AND state IN ({JOINS}, {ENDED}) AND {stands(read)}"
    rows: list[Any] = read.db.execute(
        f"SELECT left_subject, right_subject FROM identity_link WHERE {where}", {"known": read.known}
    ).fetchall()
    concerned = {right for _, right in rows} & subjects
    sets = {tuple(identities.members(read, side)) for left, right in rows if right in concerned for side in (left, right)}
    found: dict[bytes, list[tuple[int, int, bytes]]] = {subject: [] for subject in concerned}
    for members in sorted(sets):
        for span in selection(read, members):
            if span.subject in concerned:
                found[span.subject].append((span.order_from, span.order_until, members[0]))
    return found
