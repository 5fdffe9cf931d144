"""Questions about the service policies. Pure: makes calls, sends nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Unpack

from clients.python.core.arguments import ListOptions, ReadOptions, invalid
from clients.python.core.calls import Call, Listing, Rpc, ask
from ledger.api.v1.policy_pb2 import ServicePolicy
from ledger.api.v1.policy_service_pb2 import (
    GetPolicyRequest,
    GetPolicyResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    PolicyConflict,
    PolicyMistake,
    PolicyVersion,
    PublishedPolicy,
    ValidatePolicyRequest,
    ValidatePolicyResponse,
)

GET: Final = Rpc("PolicyService", "GetPolicy", GetPolicyRequest, GetPolicyResponse)
LIST: Final = Rpc("PolicyService", "ListPolicies", ListPoliciesRequest, ListPoliciesResponse)
VALIDATE: Final = Rpc("PolicyService", "ValidatePolicy", ValidatePolicyRequest, ValidatePolicyResponse)


def policy(
    at: datetime | None = None, *, policy_id: str | None = None, version: int | None = None, **read: Unpack[ReadOptions]
) -> Call[GetPolicyResponse, GetPolicyResponse]:
    """Return the policy in force at a time, by default now; or one version of a policy, by both its id and its version.

    Example:
        >>> client.policy(datetime(2026, 12, 24, tzinfo=UTC)).result.policy_version
        3
    """
    if (policy_id is None) != (version is None):
        raise invalid("policy_id, version", "one version of a policy has both")
    if policy_id is not None and at is not None:
        raise invalid("at", "either the policy in force at a time, or one version")
    named = None if policy_id is None else PolicyVersion(policy_id=policy_id, policy_version=version)
    return ask(GET, read, at=at, version=named)


def policies(**which: Unpack[ListOptions]) -> Listing[ListPoliciesResponse, PublishedPolicy]:
    """List every version that was published, the one that comes into force last first, without their documents.

    Example:
        >>> [(one.policy_id, one.policy_version) for one in client.policies()]
        [('service', 2), ('service', 1), ('default', 1)]
    """
    return Listing(ask(LIST, which), lambda page: page.result.policies)


def check_policy(
    policy: ServicePolicy, *, timeout_seconds: float | None = None
) -> Call[ValidatePolicyResponse, list[PolicyMistake]]:
    """Return every mistake of a policy, with its place; none: it can be published. Records nothing.

    Example:
        >>> [mistake.path for mistake in client.check_policy(policy)]
        ['calendars[0].zone']
    """
    request = ValidatePolicyRequest(policy=policy)
    return Call(VALIDATE, request, lambda response: list(response.mistakes), timeout_seconds=timeout_seconds)


def policy_conflicts(
    policy: ServicePolicy, *, timeout_seconds: float | None = None
) -> Call[ValidatePolicyResponse, list[PolicyConflict]]:
    """Return what in a policy cannot be had together, each with both its places; none where it has mistakes. Records nothing.

    A warning: such a policy can be published. What is published says the same in `policy().result.conflicts`.

    Example:
        >>> [(one.path, one.other_path) for one in client.policy_conflicts(policy)]
        [('assessments[0].at_most', 'assessments[1].at_least')]
    """
    request = ValidatePolicyRequest(policy=policy)
    return Call(VALIDATE, request, lambda response: list(response.conflicts), timeout_seconds=timeout_seconds)
