"""What the policy in force makes of an event: dues, terms, missing facts, unknown departments. Resolved once, at append, and stored
in the event with the version of the policy (domain rules 8.8 to 8.11): whatever policies come later, it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from ledger.api.v1.core_pb2 import PLAYBOOK
from ledger.api.v1.errors_pb2 import DEPARTMENT_UNKNOWN, FACTS_MISSING
from ledger.api.v1.policy_pb2 import FACTS_ENFORCED, TARGET_FIRST_RESPONSE, TARGET_NEXT_RESPONSE
from ledger.catalogue import BY_TOPIC
from ledger.commit import derived_targets
from ledger.commit.governing import Governing
from ledger.errors import LedgerError
from ledger.event import Event
from ledger.intake.local_time import resolve
from ledger.policy.policy import Policy, missing
from ledger.rules.contact_state import ContactState
from ledger.rules.promise import PromiseState


class Derivation:
    """Sets what a policy decides. A few look-ups an event; events that no rule looks at cost one."""

    def __init__(self, governing: Governing) -> None:
        self._policies = governing.policies
        self._tiers = governing.tiers

    def derive(self, event: Event, given: Any, state: Any, *, measured: bool) -> None:
        """Set what the policy in force decides about an event, and name the policy in its header where it decided anything.

        `given`: the payload as received, sealed fields included; `state`: the event's stream before it. `measured`: False for an
        import that does not say when things were answered; of it only dates are resolved (domain rule 8.8). Raises LedgerError
        (FACTS_MISSING, DEPARTMENT_UNKNOWN) where the policy enforces a rule on those who are not exempt.
        """
        if event.topic in _RULES or self._policies.names_departments:
            policy = self._ruling(event)
            if policy is not None:
                self.derive_under(policy, event, given, state, measured=measured)

    def _ruling(self, event: Event) -> Policy | None:
        """Return the policy for an event. What a playbook does is ruled by the policy of the playbook, whatever came since."""
        header = event.header
        if header.policy_id:
            return self._policies.version(header.policy_id, header.policy_version)
        return self._policies.in_force(event.occur)

    def derive_under(self, policy: Policy, event: Event, given: Any, state: Any, *, measured: bool) -> None:
        """Set what one policy decides about an event, whichever is in force: see `derive`."""
        decided = False
        if policy.departments and BY_TOPIC[event.topic].area not in _ABOUT_THE_LEDGER:
            decided = _check_departments(policy, event)
        rule = _RULES.get(event.topic)
        if rule is not None:
            decided = rule(self, policy, event, given, state, measured) or decided
        if decided:
            event.header.policy_id, event.header.policy_version = policy.policy_id, policy.version

    # One rule a topic: each returns whether the policy decided anything

    def _received(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        if not measured:
            return False
        header = event.header
        reason = policy.reasons.get(event.payload.reason)
        skill = reason.skill if reason is not None and not event.payload.skill_needed else ""
        if skill:
            event.payload.skill_of_reason = skill
        tier = self._tiers.tier(event.subject, event.order) if policy.reads_tiers else ""
        target = policy.target_for(TARGET_FIRST_RESPONSE, header.channel, tier, event.payload.reason, department=header.department)
        due = target.hours.add(event.order, target.within) if target is not None else None
        if due is None:
            return bool(skill)
        event.payload.response_due_time.FromMicroseconds(due)
        event.payload.bot_answers = policy.bot_answers
        return True

    def _wrote(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        if not measured or not isinstance(state, ContactState):
            return False
        department = state.current_department or event.header.department
        channel, reason = event.header.channel or state.channel, event.payload.reason or state.reason
        tier = self._tiers.tier(event.subject, event.order) if policy.reads_tiers else ""
        target = policy.target_for(TARGET_NEXT_RESPONSE, channel, tier, reason, department=department)
        due = target.hours.add(event.order, target.within) if target is not None else None
        if due is not None:
            event.payload.response_due_time.FromMicroseconds(due)
        return due is not None

    def _offered(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        payload = event.payload
        type_ = policy.handoff_types.get(payload.type)
        if type_ is None or not measured:
            return False
        lacking = missing(type_.required_facts, (fact.key for fact in payload.facts))
        if lacking and type_.facts_mode == FACTS_ENFORCED and _is_refusable(event):
            raise LedgerError(
                FACTS_MISSING,
                f"A handoff of the type {payload.type} needs {', '.join(lacking)}, by policy {policy.policy_id} version "
                f"{policy.version}: pass them with the offer.",
                type=payload.type,
                missing_keys=", ".join(lacking),
                policy_id=policy.policy_id,
                policy_version=policy.version,
            )
        payload.missing_required_keys.extend(lacking)
        if type_.required_facts:
            payload.required_fact_count = len(set(type_.required_facts))
        decided = bool(type_.required_facts)
        for said, default, within in (
            ("accept_by", payload.default_accept_by, "accept_within"),
            ("complete_by", payload.default_complete_by, "complete_within"),
        ):
            if payload.HasField(said) or not type_.HasField(within):  # type: ignore[arg-type]
                continue
            due = policy.due(type_.measure, payload.to_department, event.order, getattr(type_, within).ToMicroseconds())
            if due is not None:
                default.FromMicroseconds(due)
                decided = True
        return decided

    def _promised(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        payload = event.payload
        owner = payload.owner_department or payload.promising_department or event.header.department
        decided = payload.HasField("due") and _end_of_opening_hours(policy, owner, payload.due)
        kind = policy.promise_kinds.get(payload.kind)
        if kind is None or not measured:
            return decided
        if kind.early_keeps:
            payload.early_keeps = decided = True
        if kind.HasField("default_due") and not payload.due.HasField("due_time") and not given.condition:
            due = policy.due(kind.measure, owner, event.order, kind.default_due.ToMicroseconds())
            if due is not None:
                payload.default_due_time.FromMicroseconds(due)
                decided = True
        return decided

    def _redated(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        owner = state.owner_department if isinstance(state, PromiseState) else event.header.department
        return _end_of_opening_hours(policy, owner, event.payload.due)

    def _opened(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        payload = event.payload
        decided = measured and derived_targets.open_request(policy, event, self._tier(policy, event))
        reason = policy.reasons.get(payload.reason)
        if reason is None or not reason.intake_facts or payload.missing_intake_keys or not measured:
            return decided
        payload.keys_not_taken.extend(missing(reason.intake_facts, (fact.key for fact in payload.intake_facts)))
        return True

    def _classified(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        first = self._policies.first_in_force_from
        return measured and derived_targets.classify_request(policy, event, state, self._tier(policy, event), first)

    def _complained(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        return measured and derived_targets.receive_complaint(policy, event, self._tier(policy, event))

    def _tier(self, policy: Policy, event: Event) -> str:
        return self._tiers.tier(event.subject, event.order) if policy.reads_tiers else ""

    def _said(self, policy: Policy, event: Event, given: Any, state: Any, measured: bool) -> bool:
        if policy.answer_validity is None:
            return False
        event.payload.policy_valid_until.FromMicroseconds(event.order + policy.answer_validity)
        return True


_Rule = Callable[[Derivation, Policy, Event, Any, Any, bool], bool]

_RULES: Final[dict[str, _Rule]] = {
    "answer-given": Derivation._said,
    "contact-received": Derivation._received,
    "message-received": Derivation._wrote,
    "handoff-offered": Derivation._offered,
    "promise-made": Derivation._promised,
    "promise-dated": Derivation._redated,
    "promise-renegotiated": Derivation._redated,
    "request-opened": Derivation._opened,
    "request-classified": Derivation._classified,
    "complaint-received": Derivation._complained,
}

_ABOUT_THE_LEDGER: Final = frozenset({"policy", "governance"})
"""Areas whose events are about the ledger: their departments are not looked at."""


def _end_of_opening_hours(policy: Policy, department: str, due: Any) -> bool:
    """Make of a date without a time the end of the department's opening hours that day; return whether there was one.

    Without a calendar, and on a day on which it never opens, it stays the end of the day (domain rule 8.11).
    """
    if due.WhichOneof("said") != "local" or "T" in due.local:
        return False
    hours = policy.hours_of(department)
    if hours is None:
        return False
    midnight = resolve(f"{due.local}T00:00", due.zone).micros
    next_day = (date.fromisoformat(due.local) + timedelta(days=1)).isoformat()
    closing = hours.closing_time(midnight, resolve(f"{next_day}T00:00", due.zone).micros)
    if closing is None:
        return False
    due.due_time.FromMicroseconds(closing)
    due.ClearField("ambiguous")
    return True


def _is_refusable(event: Event) -> bool:
    """True unless the event is taken as it comes: imports, late records, and what the ledger itself does."""
    return not (event.exempt or event.clock or event.header.actor_kind == PLAYBOOK)


# Departments


def _check_departments(policy: Policy, event: Event) -> bool:
    """Mark an event that names a department which the policy does not know, and return whether it does. Raises LedgerError."""
    for name, code in _departments(event):
        if policy.knows_department(code):
            continue
        if policy.refuses_unknown_departments and _is_refusable(event):
            raise LedgerError(
                DEPARTMENT_UNKNOWN,
                f"{name} {code} is no department of policy {policy.policy_id} version {policy.version}: use one that it names.",
                department=code,
                field=name,
                policy_id=policy.policy_id,
                policy_version=policy.version,
            )
        event.header.department_unknown = True
        return True
    return False


def _departments(event: Event) -> list[tuple[str, str]]:
    """Return the departments an event names, with the field of each."""
    found = [("department", event.header.department)] if event.header.department else []
    for name, repeated in _department_fields(event.payload.DESCRIPTOR):
        value = getattr(event.payload, name)
        if value:
            found.extend((name, code) for code in (value if repeated else (value,)))
    return found


@cache
def _department_fields(descriptor: Descriptor) -> tuple[tuple[str, bool], ...]:
    return tuple(
        (field.name, field.is_repeated)
        for field in descriptor.fields
        if field.type == FieldDescriptor.TYPE_STRING and field.name.endswith(("department", "departments"))
    )
