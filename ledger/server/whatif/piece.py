"""One piece of a comparison: the events of a stretch of the log under the candidate, and the entities that begin in it.

Pieces are cut by work, never by time, so that the same question has the same pieces on every node. Reads the log and the views of
one snapshot, writes nothing, opens nothing sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger.api.v1.errors_pb2 import DEPARTMENT_UNKNOWN, FACTS_MISSING
from ledger.api.v1.whatif_pb2 import (
    COMPARED_ACCEPT_TERM,
    COMPARED_COMPLETE_TERM,
    COMPARED_DEFAULT_DUE,
    COMPARED_DEPARTMENT,
    COMPARED_INTAKE_FACTS,
    COMPARED_PLAYBOOK,
    COMPARED_REQUIRED_FACTS,
    COMPARED_TARGET,
)
from ledger.catalogue import BY_TOPIC, read_event
from ledger.event import Event
from ledger.followers.plays import DEPTH_MAX, acts_on, depth, plays, triggers
from ledger.followers.situation import card_of
from ledger.policy.policy import Policy
from ledger.rules import family_of
from ledger.server.whatif.outcomes import NONE, Due, Key, dues_of
from ledger.server.whatif.rederiving import Rederived, Rederiving
from ledger.server.whatif.tally import Tally
from ledger.sqlite_file import in_batches, places
from projections import policies
from projections.view import MAX, Read

CHUNK_EVENTS: Final = 500
"""So many events of the log are taken at once; a piece ends between two of these."""

WORK_MAX: Final = 20_000
"""Work of a piece, about a second or two of it. In events looked at; other things cost as much as so many events:"""
ENTITY_WORK: Final = 5
CARD_WORK: Final = 50

AHEAD_MICROS: Final = 300_000_000
"""An event may occur so long after it is recorded (domain rule 8.2)."""

LEDGERS_OWN: Final = frozenset({"policy", "governance"})
"""Areas that no policy rules."""

RESTATING: Final = frozenset({"event-corrected", "event-retracted"})

_TERMS: Final = {
    COMPARED_ACCEPT_TERM: ("default_accept_by", "accept_by"),
    COMPARED_COMPLETE_TERM: ("default_complete_by", "complete_by"),
}


class Question(NamedTuple):
    """What is compared: a candidate, over what occurred in [from_micros, until_micros)."""

    candidate: Policy
    from_micros: int
    until_micros: int


class TiersThen:
    """Which tier a subject had at an instant, as known at the event looked at. Read from the log when it is asked for."""

    def __init__(self, read: Read) -> None:
        self.position = 0
        """Position of the event looked at: a classification counts for what is recorded after it."""
        self._read = read
        self._known: dict[bytes, list[tuple[int, int, str]]] | None = None

    def tier(self, subject: bytes, order: int) -> str:
        """Return the tier; empty where none was said."""
        if self._known is None:
            self._known = {}
            for row in self._read.log.read_classifications():
                event = read_event(row.position, row.header)
                if row.position <= self._read.known and event.payload.tier:
                    self._known.setdefault(event.subject, []).append((event.order, event.position, event.payload.tier))
        said = [one for one in self._known.get(subject, ()) if one[0] <= order and one[1] < self.position]
        return max(said)[2] if said else ""


class Piece:
    """Compares one piece. `after`: the position that the piece before ended at, 0 for the first one."""

    def __init__(self, read: Read, question: Question, home_zone: str, limit: int, after: int) -> None:
        self._read = read
        self._candidate = question.candidate
        self._from = question.from_micros
        self._until = min(question.until_micros, MAX if read.before is None else read.before)
        self._governing = policies.rows(read.log, read.known)
        published = policies.published(self._governing)
        self._by_version = {(one.policy_id, one.version): one for one in published}
        self._recorded_triggers = triggers(published)
        self._candidate_triggers = triggers([question.candidate])
        self._tiers = TiersThen(read)
        self._rederiving = Rederiving(policies.book_of(self._governing, read.known), self._tiers, home_zone)
        self._measured: dict[str, bool] = {}
        self._under: dict[bytes, Rederived] = {}
        """By event id: what is asked twice, with its event and with its entity."""
        self.tally = Tally(limit)
        self.position = max(after, read.log.position_at(self._from - AHEAD_MICROS))
        """Everything up to this position was looked at."""

    def run(self) -> None:
        """Look at the piece."""
        work = 0
        while work < WORK_MAX and self.position < self._read.known:
            rows = self._read.log.read(self.position, CHUNK_EVENTS, self._read.known)
            if not rows:
                break
            first = self.position + 1
            self.position = rows[-1].position
            events = [read_event(row.position, row.header) for row in rows]
            inside = [event for event in events if self._is_inside(event)]
            work += len(rows) + self._look(inside, first)

    @property
    def done(self) -> bool:
        """True when there is nothing after this piece."""
        return self.position >= self._read.known

    def _is_inside(self, event: Event) -> bool:
        return self._from <= event.occur and event.order < self._until and BY_TOPIC[event.topic].area not in LEDGERS_OWN

    def _look(self, inside: Sequence[Event], first: int) -> int:
        """Look at the events of a chunk that belong to the period; return what that cost."""
        self._under.clear()
        entities = self._entities({event.stream for event in inside if family_of(event.stream) is not None}, first)
        for stream, events in entities.items():
            self._compare_entity(stream, events)
        for event in inside:
            self.tally.event_count += 1
            under = self._under.get(event.event_id) or self._rederive(event, (None, None))
            self._compare_event(event, under)
        return len(entities) * ENTITY_WORK + self._compare_plays(inside) * CARD_WORK

    # What policies say of an event

    def _recorded_policy(self, event: Event) -> Policy | None:
        header = event.header
        if header.policy_id:
            return self._by_version.get((header.policy_id, header.policy_version))
        return policies.book_of(self._governing, event.position - 1).in_force(event.occur)

    def _rederive(self, event: Event, states: tuple[object, object]) -> Rederived:
        self._tiers.position = event.position
        recorded = self._recorded_policy(event)
        under = self._rederiving.under(self._candidate, recorded, event, states, measured=self._is_measured(event))
        self._under[event.event_id] = under
        return under

    def _is_measured(self, event: Event) -> bool:
        """Return whether the event's import says when things were answered (domain rule 8.8)."""
        run = event.header.import_run
        if run not in self._measured:
            rows = self._read.log.read_stream(f"import-{run}", self._read.known)[:1] if run else []
            self._measured[run] = not run or any(
                read_event(row.position, row.header).payload.answers_recorded for row in rows if row.topic == "import-started"
            )
        return self._measured[run]

    # One event

    def _compare_event(self, event: Event, under: Rederived) -> None:
        refused = under.refusal.reason if under.refusal is not None else 0
        metadata = under.refusal.metadata if under.refusal is not None else {}
        unknown = ["unknown"] if under.unknown_before else []
        if refused == DEPARTMENT_UNKNOWN:
            self.tally.marked(COMPARED_DEPARTMENT, "", event, unknown, [str(metadata["department"])], refused=True)
        elif under.unknown_before or under.unknown:
            would = ["unknown"] if under.unknown else []
            self.tally.marked(COMPARED_DEPARTMENT, "", event, unknown, would, refused=False)
        for topic, name, about, kind in (
            ("handoff-offered", "missing_required_keys", "handoff_id", COMPARED_REQUIRED_FACTS),
            ("request-opened", "keys_not_taken", "request_id", COMPARED_INTAKE_FACTS),
        ):
            if event.topic != topic:
                continue
            was, would = list(getattr(event.payload, name)), list(getattr(under.event.payload, name))
            if refused == FACTS_MISSING:
                would = str(metadata["missing_keys"]).split(", ")
            self.tally.marked(kind, getattr(event.payload, about), event, was, would, refused=refused == FACTS_MISSING)

    # One entity

    def _entities(self, streams: Iterable[str], first: int) -> dict[str, list[Event]]:
        """Return the events of the entities whose first event of the period stands in this chunk, as known.

        Those of which an event was corrected are left out: what a correction would derive anew is not judged.
        """
        found: dict[str, list[Event]] = {}
        stored = self._read.log.read_streams(sorted(streams))
        for stream, rows in stored.items():
            events = [read_event(row.position, row.header) for row in rows if row.position <= self._read.known]
            inside = [event for event in events if self._is_inside(event)]
            if not inside or inside[0].position < first:
                continue
            if any(event.topic in RESTATING for event in events):
                self.tally.left_out_count += 1
                continue
            found[stream] = events
        for stream, events in self._touching(found):
            found[stream] = sorted([*found[stream], *events], key=lambda event: event.position)
        return found

    def _touching(self, streams: Iterable[str]) -> Iterator[tuple[str, list[Event]]]:
        """Yield what other streams say of these entities."""
        for some in in_batches(sorted(streams)):
            listed = f"stream IN ({places(len(some))})"
            sql = f"SELECT stream, position FROM touch WHERE {listed} AND position <= ? ORDER BY stream, position"
            by_stream: dict[str, list[int]] = {}
            for stream, position in self._read.db.execute(sql, (*some, self._read.known)):
                by_stream.setdefault(stream, []).append(position)
            rows = self._read.log.read_positions(sorted({position for listed in by_stream.values() for position in listed}))
            for stream, positions in by_stream.items():
                yield stream, [read_event(position, rows[position].header) for position in positions]

    def _compare_entity(self, stream: str, events: list[Event]) -> None:
        rules = family_of(stream)
        assert rules is not None
        as_they_would_be: list[Event] = []
        derived: set[bytes] = set()
        was_state = would_state = None
        for event in events:
            would = event
            if event.stream == stream and self._is_inside(event):
                under = self._rederive(event, (was_state, would_state))
                would = under.event
                if under.derived or under.changed:
                    derived.add(event.event_id)
            as_they_would_be.append(would)
            if event.stream == stream or was_state is not None:
                was_state, _ = rules.step(was_state, event)
                would_state, _ = rules.step(would_state, would)
        if not derived:
            return
        before = self._read.before
        evaluated = self._read.evaluated
        recorded = dues_of(rules, _before(events, before), stream, evaluated)
        candidate = dues_of(rules, _before(as_they_would_be, before), stream, evaluated)
        by_id = {event.event_id: event for event in events}
        for key in sorted(recorded.keys() | candidate.keys()):
            self._compare_due(key, by_id, derived, recorded.get(key, NONE), candidate.get(key, NONE))

    def _compare_due(self, key: Key, by_id: dict[bytes, Event], derived: set[bytes], recorded: Due, candidate: Due) -> None:
        kind, about = key
        event = by_id.get(recorded.set_by or candidate.set_by)
        # The due of a target may follow from the end of a pause. Others that no policy derived were said by somebody.
        if event is None or (kind != COMPARED_TARGET and event.event_id not in derived):
            return
        if kind in (COMPARED_TARGET, COMPARED_DEFAULT_DUE) or recorded.time is not None or candidate.time is not None:
            self.tally.due(kind, about, event, recorded, candidate)

    # Playbooks

    def _compare_plays(self, inside: Sequence[Event]) -> int:
        """Compare what the events set off; return for how many of them a card was looked at."""
        asked = [event for event in inside if event.topic in self._candidate_triggers or event.topic in self._recorded_triggers]
        recorded = self._plays_of(asked)
        cards = 0
        for event in asked:
            was = recorded.get(event.event_id, {})
            would: dict[str, list[str]] = {}
            if event.topic in self._candidate_triggers and acts_on(event, self._candidate) and depth(event, self._find) < DEPTH_MAX:
                cards += 1
                found, _ = plays(event, self._candidate, card_of(self._read, event))
                would = {play.playbook.playbook: [step.step for step in play.playbook.steps] for play in found}
            for name in sorted(was.keys() | would.keys()):
                self.tally.fired(COMPARED_PLAYBOOK, name, event, was.get(name), would.get(name))
        return cards

    def _plays_of(self, events: Sequence[Event]) -> dict[bytes, dict[str, list[str]]]:
        """Return the playbooks that these events set off, by trigger, with the steps of each by its policy."""
        found: dict[bytes, dict[str, list[str]]] = {}
        for some in in_batches([event.event_id for event in events]):
            sql = (
                f"SELECT DISTINCT cause, playbook, policy_id, policy_version FROM play WHERE cause IN ({places(len(some))}) "
                "AND kind = 0 AND position <= ?"
            )
            for cause, name, policy_id, version in self._read.db.execute(sql, (*some, self._read.known)):
                policy = self._by_version.get((policy_id, version))
                steps = (
                    []
                    if policy is None
                    else [step.step for one in policy.document.playbooks if one.playbook == name for step in one.steps]
                )
                found.setdefault(cause, {})[name] = steps
        return found

    def _find(self, event_id: bytes) -> Event | None:
        row = self._read.log.find_event_ids([event_id]).get(event_id) if event_id else None
        return None if row is None else read_event(row.position, row.header)


def _before(events: Sequence[Event], before: int | None) -> Sequence[Event]:
    return events if before is None else [event for event in events if event.order < before]
