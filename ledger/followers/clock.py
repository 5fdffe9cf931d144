"""The clock: writes what follows when time passes. promise-broken, handoff-expired, handoff-overdue; each exactly once.

It looks in the views for dues that have passed, judges each against the log, and appends through the server like any other
caller, with the stream's revision as it judged it: on a conflict it looks again. What it writes is a function of the stream alone:
its id is derived from topic, entity and the event that set the due, so any number of clocks write the same event once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from uuid import UUID

from ledger.api.v1.core_pb2 import CLOCK
from ledger.api.v1.errors_pb2 import ErrorReason
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.handoff_pb2 import HandoffExpired, HandoffOverdue
from ledger.api.v1.ledger_service_pb2 import AppendRequest, AppendResponse, EventGroup, StreamExpectation
from ledger.api.v1.promise_pb2 import PromiseBroken
from ledger.policy.book import Policy, PolicyBook
from ledger.catalogue import read_event
from ledger.store.recorder import LogReader
from projections.due import DueItem, DueKind
