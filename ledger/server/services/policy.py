"""PolicyService: the rules that are data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from ledger.api.v1.errors_pb2 import NOT_RECORDED
from ledger.api.v1.policy_pb2 import ServicePolicy
from ledger.api.v1.policy_service_pb2 import (
    GetPolicyRequest,
    GetPolicyResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    PolicyConflict,
    PolicyList,
    PolicyMistake,
    PublishedPolicy,
    ValidatePolicyRequest,
    ValidatePolicyResponse,
)
from ledger.api.v1.policy_service_pb2_grpc import PolicyServiceServicer
from ledger.errors import LedgerError
from ledger.intake.validate import violations
from ledger.policy.check import mistakes_of, place_of
from ledger.policy.conflicts import CONFLICTS_MAX, Conflict, conflicts_of
from ledger.server.call import Context
from ledger.server.reading import After, Reading
from ledger.server.times import micros
from projections import policy_versions
from projections.figures.assessing import unanswered
from projections.listing import given
from projections.view import Read


class PolicyServicer(PolicyServiceServicer):
    """Answers PolicyService."""

    def __init__(self, reading: Reading, threads: Executor) -> None:
        self._reading = reading
        self._threads = threads

    async def GetPolicy(self, request: GetPolicyRequest, context: Context) -> GetPolicyResponse:
        """Return a policy."""
        return await self._reading.answer(request, context, GetPolicyResponse, self._policy)

    async def ListPolicies(self, request: ListPoliciesRequest, context: Context) -> ListPoliciesResponse:
        """Return a page of versions."""
        return await self._reading.page(request, context, ListPoliciesResponse, self._policies)

    async def ValidatePolicy(self, request: ValidatePolicyRequest, context: Context) -> ValidatePolicyResponse:
        """Return the mistakes of a policy. In a thread: conditions are compiled, and holidays looked up."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _validated, request.policy)

    def _policy(self, read: Read, request: GetPolicyRequest) -> PublishedPolicy:
        which = request.WhichOneof("which")
        if which == "version":
            wanted = request.version
            found = policy_versions.version(read, wanted.policy_id, wanted.policy_version)
            name, id = f"policy {wanted.policy_id} version {wanted.policy_version}", f"{wanted.policy_id}-{wanted.policy_version}"
        else:
            found = policy_versions.in_force(read, micros(request.at) if which == "at" else read.evaluated)
            name, id = "a policy in force then", ""
        if found is None:
            raise LedgerError(NOT_RECORDED, f"Nothing is recorded as {name}: check it, and the as-of.", kind="policy", id=id)
        found.conflicts.extend(_conflicts(found.policy))
        return found

    def _policies(self, read: Read, request: ListPoliciesRequest, limit: int, after: After) -> tuple[PolicyList, After]:
        return policy_versions.page(read, limit, after)


_CHECKS: tuple[Callable[[ServicePolicy], list[tuple[str, str]]], ...] = (
    violations,
    lambda policy: [(mistake.path, mistake.message) for mistake in mistakes_of(policy)],
)


def _validated(policy: ServicePolicy) -> ValidatePolicyResponse:
    mistakes = _mistakes(policy)
    return ValidatePolicyResponse(mistakes=mistakes, conflicts=[] if mistakes else _conflicts(policy))


def _mistakes(policy: ServicePolicy) -> list[PolicyMistake]:
    """Return what the rules of the protos and those of policies find; of several at one place the first."""
    found: dict[str, str] = {}
    for check in _CHECKS:
        for path, message in check(policy):
            found.setdefault(path, message)
    return [PolicyMistake(path=path, message=message) for path, message in found.items()]


def _conflicts(policy: ServicePolicy) -> list[PolicyConflict]:
    """Return what in a policy without mistakes cannot be had together, and what its assessments are of that no figure is."""
    found = [*conflicts_of(policy), *(Conflict(path, "", message) for path, message in unanswered(policy.assessments))]
    found.sort(key=lambda one: place_of(one.path))
    return [PolicyConflict(**given(path=one.path, other_path=one.other, message=one.message)) for one in found[:CONFLICTS_MAX]]
