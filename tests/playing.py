"""A ledger with a policy that has playbooks, its views, and followers that a test moves by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from ledger.api.v1.ledger_service_pb2 import AppendRequest, GroupResult
from ledger.api.v1.opportunity_pb2 import CROSS_SELL
from ledger.api.v1.policy_pb2 import (
    HandoffType,
    MakePromise,
    OfferHandoff,
    Playbook,
    PlaybookStep,
    PolicyPublished,
    PromiseKind,
    ServicePolicy,
    SuggestOpportunity,
)
from ledger.api.v1.request_pb2 import RequestOpened
from ledger.application import Ledger
from ledger.catalogue import read_event
from ledger.event import Event
from ledger.followers.playbook_record import PlaybookRecord
from ledger.followers.playbooks import Playbooks
from ledger.store.recorder import LogReader
from projections.projector import Projector, open_views
from projections.search import SearchIndex
from projections.view import Read
from projections.views_file import ViewsFolder, ViewsReader
from tests.appending import append_one

START = 1_770_000_000_000_000
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def seconds(count: int) -> Duration:
    return Duration(seconds=count)


def stolen_phone(condition: str = 'event.reason == "phone_stolen"', topics: Sequence[str] = ("request-opened",)) -> Playbook:
    """A stolen phone: stop charges, send a replacement, offer insurance."""
    return Playbook(
        playbook="stolen_phone",
        topics=topics,
        condition=condition or None,
        steps=[
            PlaybookStep(
                step="stop_charges",
                offer_handoff=OfferHandoff(type="block_sim", to_department="billing", next_step="block_the_sim"),
            ),
            PlaybookStep(step="replacement", offer_handoff=OfferHandoff(type="ship", to_department="shipping")),
            PlaybookStep(step="call_back", make_promise=MakePromise(kind="call_back", due_within=seconds(7200))),
            PlaybookStep(step="insurance", suggest_opportunity=SuggestOpportunity(kind=CROSS_SELL, product="phone_insurance")),
        ],
    )


STEPS = ("stop_charges", "replacement", "call_back", "insurance")


def policy(*playbooks: Playbook) -> ServicePolicy:
    """A policy with these playbooks."""
    made = ServicePolicy(
        handoff_types=[
            HandoffType(type="block_sim", accept_within=seconds(900)),
            HandoffType(type="ship", required_facts=["delivery_address"]),
        ],
        promise_kinds=[PromiseKind(kind="call_back"), PromiseKind(kind="answer", default_due=seconds(3600))],
        playbooks=playbooks,
    )
    made.recording_allowance.FromSeconds(120)
    made.reopen_window.FromSeconds(30 * 86400)
    return made


def published(*playbooks: Playbook, version: int = 1, in_force_from: int = START) -> PolicyPublished:
    """The event that publishes a policy with these playbooks."""
    made = PolicyPublished(policy_id="service", policy_version=version, policy=policy(*playbooks))
    made.in_force_from.FromMicroseconds(in_force_from)
    return made


def opened(request_id: str = "r1", reason: str = "phone_stolen", owner: str = "front") -> RequestOpened:
    """A request that sets the playbook off."""
    return RequestOpened(request_id=request_id, owner_department=owner, reason=reason)


class World:
    """A ledger, its views, and its playbooks, at a time that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.folder = folder
        self.ledger = Ledger.open(folder, now=lambda: self.now)
        self._views = ViewsFolder(folder / "views")
        self._projector: Projector = open_views(self._views, self.ledger.store, self.ledger.ledger_id)
        self._search = SearchIndex(self._views.search)
        self.reader = ViewsReader(self._views.path)
        self.before_append: list[object] = []
        self._records: list[PlaybookRecord] = []
        self.playbooks = self.follower("playbooks")

    def follower(self, name: str, reader: LogReader | None = None) -> Playbooks:
        """Return a follower with a checkpoint file of its own: another node, or the same one started again."""
        record = PlaybookRecord(self.folder / f"{name}.db")
        self._records.append(record)
        return Playbooks(reader or self.ledger.store, self._append, record)

    def _append(self, request: AppendRequest) -> Sequence[GroupResult]:
        actions, self.before_append = self.before_append, []
        for action in actions:
            action()  # type: ignore[operator]
        return self.ledger.append(list(request.groups), internal=True)

    def look(self, follower: Playbooks | None = None) -> int:
        """Bring the views up to date, and let the playbooks look until there is nothing more; return what they recorded."""
        follower = follower or self.playbooks
        recorded = 0
        while True:
            self.project()
            with self.reader.snapshot() as snapshot:
                assert snapshot is not None
                looked = follower.look(self.read(snapshot.db, snapshot.position))
            recorded += looked.recorded
            if not looked.recorded and looked.position == self.ledger.head().position:
                return recorded

    def read(self, db: object, position: int) -> Read:
        return Read(db, position, position, None, self.now, self.ledger.store, self.ledger.content)  # type: ignore[arg-type]

    def project(self) -> None:
        while self._projector.step(self._search, self.ledger.content):
            pass

    def events(self, topic: str = "") -> list[Event]:
        rows = self.ledger.store.read(0, 10_000)
        return [read_event(row.position, row.header) for row in rows if not topic or row.topic == topic]

    def made(self) -> list[Event]:
        """Return what playbooks recorded."""
        return [event for event in self.events() if event.header.policy_id and event.header.actor.count(":")]

    def append(self, *payloads: object, **envelope: object) -> None:
        reason = append_one(self.ledger, *payloads, **envelope)  # type: ignore[arg-type]
        assert not reason, reason

    def close(self) -> None:
        for record in self._records:
            record.close()
        self.reader.close()
        self._projector.close()
        self._search.close()
        self.ledger.close()
