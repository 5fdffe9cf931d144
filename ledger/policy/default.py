"""The service policy a ledger is born with: published as its second event.

`clients/connectors/policies/default.yaml` says the same for people; a test keeps the two equal. It stands here in code too, so that
a server starts without reading YAML.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ledger.api.v1.policy_pb2 import TARGET_FIRST_RESPONSE, ServicePolicy, Target

POLICY_ID: Final = "default"

RESPONSE_TARGETS: Final = {
    "phone": timedelta(minutes=1),
    "chat": timedelta(seconds=30),
    "social_public": timedelta(minutes=30),
    "social_private": timedelta(minutes=30),
    "email": timedelta(hours=24),
}
"""Within what time a contact is answered, by channel (requirement S2-12). Other channels are untargeted."""

RECORDING_ALLOWANCE: Final = timedelta(minutes=2)
REOPEN_WINDOW: Final = timedelta(days=30)


def default_policy(recording_allowance: timedelta = RECORDING_ALLOWANCE) -> ServicePolicy:
    """Return the policy that a new ledger starts with."""
    policy = ServicePolicy(bot_answers=False)
    for channel, within in RESPONSE_TARGETS.items():
        target = Target(kind=TARGET_FIRST_RESPONSE, channel=channel)
        target.within.FromTimedelta(within)
        policy.targets.append(target)
    policy.recording_allowance.FromTimedelta(recording_allowance)
    policy.reopen_window.FromTimedelta(REOPEN_WINDOW)
    return policy
