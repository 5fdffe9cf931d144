"""Facts that were given, as figures look for them: about requests, and by their customers about whatever.

Keys and times; no value is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from projections import request_rows
from projections.figures.tally import few
from projections.parties import Parties
from projections.versions import Choice, shown
from projections.view import Read, happened, one_of


class AskedAbout(NamedTuple):
    """A request about which facts are asked, as far as it matters here."""

    entity: int
    subject: bytes
    opened: int
    position: int
    reason: str
    channel: str
    ended: int | None


def asked_about(read: Read, entities: Iterable[int]) -> dict[int, AskedAbout]:
    """Return requests by number."""
    wanted = set(entities)
    parameters: dict[str, Any] = {}
    columns = "entity, subject, opened_time, position, reason, channel, ended_time"
    query = shown(read, request_rows.TABLE, columns, Choice(states=request_rows.STATES, entities=few(wanted)), parameters)
    return {row[0]: AskedAbout._make(row) for row in read.db.execute(query, parameters) if row[0] in wanted}


class Giving(NamedTuple):
    """A fact that was given."""

    key: str
    occur: int
    position: int
    request_id: str | None


class Givings:
    """The facts that were given, as known and as it had happened: about requests, and by customers."""

    def __init__(self, read: Read, keys: Iterable[str], found: Iterable[AskedAbout]) -> None:
        parameters: dict[str, Any] = dict(read.parameters)
        where = one_of("key", sorted(set(keys)), parameters, "key")
        rows = read.db.execute(
            f"SELECT subject, order_time, key, occur_time, position, request_id FROM fact_given WHERE {where} AND {happened(read)}",
            parameters,
        ).fetchall()
        self._parties = Parties(read, {*(one.subject for one in found), *(row[0] for row in rows)})
        self._about: dict[str, list[Giving]] = {}
        self._by: dict[bytes, list[Giving]] = {}
        for subject, order, *rest in rows:
            one = Giving(*rest)
            if one.request_id is not None:
                self._about.setdefault(one.request_id, []).append(one)
            party = self._parties.of(subject, order)
            if party is not None:
                self._by.setdefault(party, []).append(one)

    def for_request(self, request: AskedAbout, request_id: str, stable: Iterable[str] = ()) -> set[Giving]:
        """Return what was given about a request, by its customer about none, and of the stable keys about any other."""
        party = self._parties.of(request.subject, request.opened) if request.subject else None
        kept = set(stable)
        of_customer = self._by.get(party, ()) if party is not None else ()
        about_others = (one for one in of_customer if one.request_id is None or one.key in kept)
        return {*self._about.get(request_id, ()), *about_others}

    def by_customer(self, subject: bytes, order: int) -> list[Giving]:
        """Return what the customer of a subject gave, about whatever."""
        party = self._parties.of(subject, order) if subject else None
        return self._by.get(party, []) if party is not None else []
