"""What a story of the sample is told with: a clock that moves on, staff, contacts, promises and their outcomes.

Times are microseconds UTC. A story only ever says what the life cycles allow, in the order of its times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple

from clients.connectors.sample_people import STAFF, WORDS, Person

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SOURCE: Final = "sample"
ZONE: Final = "Europe/Paris"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

CODES: Final = {"customer_service": "cs", "shipping": "sh", "billing": "bi", "technical": "te", "returns": "re", "sales": "sa"}
LIVE: Final = frozenset({"phone", "chat", "counter", "ivr", "field_visit"})
"""Channels on which somebody waits for the answer."""

Fields = dict[str, Any]


class Step(NamedTuple):
    """Events that are recorded together, and when they happened."""

    micros: int
    events: list[Fields]


class Story:
    """One customer's matter, told event by event. `steps` is sorted once all is told."""

    def __init__(self, rng: Random, person: Person, start_micros: int, number: int, tag: str, import_run: str) -> None:
        self.rng = rng
        self.person = person
        self.now = start_micros
        self.number = number
        self.name = f"{tag}{number}"
        """Part of all its ids."""
        self.order = f"{100_000 + person.number * 3 + number % 3}"
        self.steps: list[Step] = []
        self.channel = "phone"
        self._correlation = f"s-{self.name}"
        self._import_run = import_run
        self._contacts = 0

    def chance(self, share: float) -> bool:
        """Return True in so many of all cases, 0 to 1."""
        return self.rng.random() < share

    def choose(self, items: tuple[str, ...]) -> str:
        """Return one of the items, all equally likely."""
        return items[int(self.rng.random() * len(items))]

    def wait(self, mean: float) -> int:
        """Let so many microseconds pass on average, and return when it is then."""
        self.now += int(self.rng.expovariate(1.0) * mean) + SECOND
        return self.now

    def wait_for_day(self, mean: float) -> int:
        """Let time pass and, if it is then night, wait for the morning."""
        self.wait(mean)
        return self.by_day()

    def by_day(self) -> int:
        """Wait for the morning if it is night."""
        hour = self.now // HOUR % 24
        if hour < 7:
            self.now += (7 - hour) * HOUR
        elif hour > 18:
            self.now += (31 - hour) * HOUR
        return self.now

    def clerk(self, department: str) -> str:
        """Return the staff code of somebody in the department."""
        return f"{CODES[department]}-{int(self.rng.random() * STAFF[department]) + 1}"

    def words(self, reason: str) -> str:
        """Return what the customer says."""
        said = WORDS[reason]
        return self.choose(said[self.person.language]).format(order=self.order)

    def event_id(self, micros: int) -> str:
        """Return a UUID of version 7 whose random part comes from the sample's seed."""
        bits = self.rng.getrandbits(74)
        text = f"{(micros // 1000) << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0x2 << 62 | bits & (1 << 62) - 1:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def tell(
        self,
        field: str,
        payload: Fields,
        department: str = "",
        actor: str = "",
        *,
        at: int = 0,
        kind: str = "",
        together: bool = False,
    ) -> str:
        """Tell one event, now or `at` a time; `together` with the one told before. Returns its id."""
        micros = at or self.now
        event_id = self.event_id(micros)
        envelope: Fields = {
            "event_id": event_id,
            "occur_time": {"seconds": micros // SECOND, "nanos": micros % SECOND // 1000 * 1_000_000},
            "channel": self.channel,
            "source": SOURCE,
            "correlation_id": self._correlation,
        }
        if department:
            envelope["department"] = department
            envelope["actor"] = actor or self.clerk(department)
        if kind:
            envelope["actor_kind"] = kind
        if self._import_run:
            envelope["import_run"] = self._import_run
        event = {"envelope": envelope, "payload": {field: payload}}
        if together:
            self.steps[-1].events.append(event)
        else:
            self.steps.append(Step(micros, [event]))
        return event_id

    # Contacts

    def next_contact_id(self) -> str:
        """Return the id of one more contact of this story."""
        self._contacts += 1
        return f"c-{self.name}-{self._contacts}"

    def receive(self, reason: str, queue: str = "front", **about: str) -> str:
        """The customer contacts us over `channel`. Returns the contact's id."""
        contact_id = self.next_contact_id()
        written = self.channel not in LIVE
        payload: Fields = {
            "contact_id": contact_id,
            "reason": reason,
            "language": self.person.language,
            "summary": self.words(reason),
            **about,
        }
        identifier = self.person.identifier(self.channel)
        if identifier is not None:
            payload["customer"] = identifier
        if written and self.chance(0.6):
            payload["body"] = f"{self.words(reason)}. {self.words(reason)}."
        self.tell("contact_received", payload, "customer_service", "switch", kind="AUTOMATION")
        if self.channel in {"phone", "chat"}:
            self.now += SECOND
            self.tell("contact_queued", {"contact_id": contact_id, "queue": queue}, "customer_service", "switch", kind="AUTOMATION")
        return contact_id

    def answer(self, contact_id: str, department: str = "customer_service") -> str:
        """Somebody of the department answers. Returns the staff code."""
        actor = self.clerk(department)
        if self.channel in LIVE:
            self.wait(40 * SECOND)
        else:
            if self.channel in {"email", "web_form"}:
                self.now += 20 * SECOND
                answered = {"contact_id": contact_id, "answered_by": "ANSWERED_BY_AUTOMATIC"}
                self.tell("contact_answered", answered, "customer_service", "mailer", kind="AUTOMATION")
            self.wait_for_day(6 * HOUR)
        if self.channel == "chat" and self.chance(0.25):
            bot = {"contact_id": contact_id, "answered_by": "ANSWERED_BY_BOT"}
            self.tell("contact_answered", bot, "customer_service", "bot-1", kind="BOT")
            self.wait(MINUTE)
        self.tell("contact_answered", {"contact_id": contact_id, "answered_by": "ANSWERED_BY_HUMAN"}, department, actor)
        return actor

    def end(self, contact_id: str, actor: str, department: str = "customer_service", **said: Any) -> None:
        """The exchange is over."""
        talk = int(self.rng.expovariate(1 / 240)) + 20
        self.now += talk * SECOND
        ended = {"contact_id": contact_id, "ended_by": self.choose(("ENDED_BY_CUSTOMER", "ENDED_BY_AGENT")), **said}
        if self.channel in LIVE:
            ended["talk"] = {"seconds": talk}
            if self.chance(0.3):
                ended["hold"] = {"seconds": talk // 5}
        self.tell("contact_ended", ended, department, actor)
        if self.channel == "phone":
            self.wait(MINUTE)
            wrap_up = {"contact_id": contact_id, "wrap_up": {"seconds": int(self.rng.random() * 120) + 5}}
            self.tell("contact_wrapped_up", wrap_up, department, actor)

    def give(self, key: str, *, department: str = "customer_service", asked: bool = True, **about: str) -> str:
        """The customer gives a fact. Returns the event's id."""
        fact = {"fact": self.person.fact(key, self.order), "asked": asked, "to_department": department, **about}
        return self.tell("fact_given", fact, department)

    # Promises

    def promise(self, kind: str, owner: str, days: float, *, together: bool = False, **said: Any) -> tuple[str, int]:
        """Somebody promises something by a date. Returns the promise's id and the instant it is due."""
        number = len(self.steps)
        promise_id = f"p-{self.name}-{number}"
        due, due_micros = self.due(days, exact=kind == "call_back")
        made = {"promise_id": promise_id, "kind": kind, "origin": "SAID", "owner_department": owner, "due": due, **said}
        self.tell("promise_made", made, "customer_service", together=together)
        return promise_id, due_micros

    def due(self, days: float, *, exact: bool) -> tuple[Fields, int]:
        """Return a due so many days ahead: an instant with a window for call-backs, else a local date."""
        micros = self.now + int(days * DAY)
        if exact:
            seconds = micros // SECOND
            return {"instant": {"seconds": seconds}, "not_before": {"seconds": seconds - 7200}}, seconds * SECOND
        day = EPOCH + timedelta(days=micros // DAY)
        # The end of that day in Paris lies between 22:00 and 23:00 UTC.
        return {"local": f"{day:%Y-%m-%d}", "zone": ZONE}, micros // DAY * DAY + 22 * HOUR

    def settle(self, promise_id: str, owner: str, due: int, contact_id: str) -> None:
        """Tell what becomes of a dated promise: kept, late, moved, released, withdrawn, or nothing at all."""
        lot = self.rng.random()
        left = due - self.now
        kept: Fields = {"promise_id": promise_id}
        if left <= 0:
            if lot < 0.7:
                self.tell("promise_kept", kept, owner, at=self.now + int(self.rng.expovariate(1.0) * DAY))
        elif lot < 0.60:
            early = self.now + int(left * (0.3 + 0.65 * self.rng.random()))
            kept["proof_reference"] = f"bon {self.order}"
            if self.chance(0.05):
                self.tell("promise_kept", {"promise_id": promise_id, "partial": True}, owner, at=self.now + left // 4)
            kept_id = self.tell("promise_kept", kept, owner, at=early)
            if self.chance(0.04):
                disputed = {"promise_id": promise_id, "kept_event_id": kept_id, "contact_id": contact_id}
                self.tell("promise_disputed", disputed, "customer_service", at=early + 3 * HOUR)
        elif lot < 0.72:
            self.tell("promise_kept", kept, owner, at=due + HOUR + int(self.rng.expovariate(1.0) * 2 * DAY))
        elif lot < 0.80:
            who = self.choose(("customer_asked", "customer_agreed", "customer_told"))
            moved = self.now + left // 2
            new = EPOCH + timedelta(days=due // DAY + 4)
            told = {
                "promise_id": promise_id,
                "due": {"local": f"{new:%Y-%m-%d}", "zone": ZONE},
                who: True,
                "contact_id": contact_id,
            }
            self.tell("promise_renegotiated", told, owner, at=moved)
            if self.chance(0.8):
                self.tell("promise_kept", kept, owner, at=due + 2 * DAY)
        elif lot < 0.84:
            self.tell("promise_released", {"promise_id": promise_id, "contact_id": contact_id}, owner, at=self.now + left // 2)
        elif lot < 0.87:
            withdrawn = {"promise_id": promise_id, "contact_id": contact_id, "why": "Article épuisé"}
            self.tell("promise_withdrawn", withdrawn, owner, at=self.now + left // 2)
        elif lot < 0.90:
            self.tell(
                "promise_reassigned", {"promise_id": promise_id, "assignee": self.clerk(owner)}, owner, at=self.now + left // 3
            )
