"""A policy compared with what was recorded, piece by piece: what InsightService.CompareWithPolicy answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ledger.api.v1.errors_pb2 import FIELD_INVALID
from ledger.api.v1.policy_pb2 import PolicyPublished, ServicePolicy
from ledger.api.v1.whatif_pb2 import CompareWithPolicyRequest, PolicyComparison
from ledger.errors import LedgerError
from ledger.policy.policy import Policy
from ledger.policy.publication import prepare
from ledger.rules import hours_book
from ledger.server.times import micros
from ledger.server.whatif.piece import Piece, Question
from projections.view import Read

CANDIDATE_ID = "candidate"


def compare(
    read: Read, request: CompareWithPolicyRequest, home_zone: str, limit: int, after: Sequence[Any] | None
) -> tuple[PolicyComparison, tuple[int] | None]:
    """Return what would differ in one piece of the log, and where the next one begins; None on the last one.

    Raises LedgerError (POLICY_INVALID, FIELD_INVALID).
    """
    start, end = micros(request.from_time), micros(request.until_time)
    if start >= end:
        raise LedgerError(
            FIELD_INVALID,
            "The period ends before it begins: until_time has to be after from_time.",
            violations=[("until_time", "not after from_time")],
            field="until_time",
        )
    candidate = _prepared(request.policy.SerializeToString(deterministic=True), start)
    piece = Piece(read, Question(candidate, start, end), home_zone, limit, 0 if after is None else after[0])
    piece.run()
    listed, more = piece.tally.differences()
    found = PolicyComparison(
        counts=piece.tally.counts,
        differences=listed,
        not_listed_count=more,
        event_count=piece.tally.event_count,
        left_out_count=piece.tally.left_out_count,
        position=piece.position,
        until_position=read.known,
    )
    return found, None if piece.done else (piece.position,)


@lru_cache(8)
def _prepared(document: bytes, in_force_from: int) -> Policy:
    """Return the candidate ready to be asked: checked, its calendars expanded. Pages ask for the same one again."""
    published = PolicyPublished(policy_id=CANDIDATE_ID, policy_version=1, policy=ServicePolicy.FromString(document))
    published.in_force_from.FromMicroseconds(in_force_from)
    prepare(published, "request")
    hours_book.learn(published.policy)
    return Policy.published(published, 0)
