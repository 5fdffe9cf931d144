"""What plots of the sample have in common about requests: one is opened, handed over, resolved, reopened, closed, chased."""

from __future__ import annotations

from typing import Any, Final

from clients.connectors.sample_feedback import answered, irritant, survey
from clients.connectors.sample_people import INTAKE
from clients.connectors.sample_story import DAY, HOUR, MINUTE, Story

MATTERS: Final = ("delivery", "delivery", "defect", "invoice", "return", "order_change")


def open_request(story: Story) -> tuple[str, str, str, str]:
    """The customer contacts us and wants something. Returns reason, contact, request, and who took it."""
    reason = story.choose(MATTERS)
    contact_id = story.receive(reason)
    actor = story.answer(contact_id)
    story.wait(MINUTE)
    request_id = f"r-{story.name}"
    opened: dict[str, Any] = {
        "request_id": request_id,
        "contact_id": contact_id,
        "reason": reason,
        "phase": "AFTER" if reason in {"defect", "return", "invoice"} else "DURING",
        "objects": [{"type": "order", "value": story.order}],
        "wish": story.words(reason),
        "priority": story.choose(("normal", "normal", "high")),
    }
    if story.chance(0.97):
        opened["owner_department"] = "customer_service"
    story.tell("request_opened", opened, "customer_service", actor)
    if "owner_department" not in opened and story.chance(0.7):
        story.wait(MINUTE)
        taken = {"request_id": request_id, "department": "customer_service", "assignee": actor}
        story.tell("request_assigned", taken, "customer_service", actor)
    return reason, contact_id, request_id, actor


def offer(story: Story, request_id: str, to: str, facts: list[dict[str, Any]], promise_id: str, key: str) -> bool:
    """Hand a request to another department. True when it was accepted and worked on; False: it is still pending, or over."""
    handoff_id = f"h-{story.name}"
    story.wait(10 * MINUTE)
    start = story.now
    offered = {
        "request_id": request_id,
        "handoff_id": handoff_id,
        "from_department": "customer_service",
        "to_department": to,
        "type": "order_check",
        "ownership": "MOVES",
        "reason": "not_solvable_at_front",
        "next_step": "check_stock",
        "accept_by": {"seconds": (start + 8 * HOUR) // 1_000_000},
        "complete_by": {"seconds": (start + 5 * DAY) // 1_000_000},
        "facts": facts,
        "promise_ids": [promise_id],
    }
    story.tell("handoff_offered", offered, "customer_service")
    name = {"request_id": request_id, "handoff_id": handoff_id}
    lot = story.rng.random()
    if lot < 0.05:
        return False
    story.wait_for_day(3 * HOUR)
    if lot < 0.09:
        story.tell("handoff_rejected", {**name, "reason": "not_ours", "text": "Relève d'un autre service"}, to)
        return False
    if lot < 0.12:
        story.tell("handoff_withdrawn", {**name, "reason": "settled_otherwise"}, "customer_service")
        return False
    if lot < 0.27:
        story.tell("handoff_returned", {**name, "missing_keys": ["order_number"], "text": "Numéro de commande absent"}, to)
        story.wait_for_day(5 * HOUR)
        if lot < 0.15:
            return False
        asked = {"key": "order_number", "asked_of": "ASKED_OF_CUSTOMER", "request_id": request_id}
        story.tell("fact_asked", asked, "customer_service")
        story.wait(2 * HOUR)
        story.give("order_number", request_id=request_id)
        story.wait(10 * MINUTE)
        story.tell("handoff_supplied", {**name, "facts": [story.person.fact("order_number", story.order)]}, "customer_service")
        story.wait_for_day(2 * HOUR)
    worker = story.clerk(to)
    story.tell("handoff_accepted", {**name, "assignee": worker}, to, worker)
    if story.chance(0.5):
        story.wait(20 * MINUTE)
        story.tell("request_assigned", {"request_id": request_id, "assignee": worker}, to, worker)
    if story.chance(0.35):
        story.wait(2 * HOUR)
        story.tell("fact_asked", {"key": key, "asked_of": "ASKED_OF_CUSTOMER", "request_id": request_id}, to, worker)
        story.wait(HOUR)
        story.give(key, department=to, request_id=request_id)
    if story.chance(0.25):
        story.wait(HOUR)
        story.tell(
            "request_waiting", {"request_id": request_id, "waiting_for": "WAITING_FOR_PARTNER", "why": "Transporteur"}, to, worker
        )
        story.wait_for_day(20 * HOUR)
        story.tell("request_resumed", {"request_id": request_id}, to, worker)
    story.wait_for_day(8 * HOUR)
    if story.chance(0.15):
        return True
    outcome = "HANDOFF_IMPOSSIBLE" if story.chance(0.06) else "HANDOFF_DONE"
    story.tell("handoff_completed", {**name, "outcome": outcome}, to, worker)
    if story.chance(0.6):
        story.wait(5 * MINUTE)
        story.tell("handoff_rated", {**name, "complete": lot > 0.4, "usable": lot > 0.3}, to, worker)
    return True


def resolve(story: Story, request_id: str, department: str, **said: str) -> None:
    """Staff declare the request met."""
    story.wait(20 * MINUTE)
    resolution = "RESOLUTION_PARTLY" if story.chance(0.1) else "RESOLUTION_DONE"
    resolved = {"request_id": request_id, "resolution": resolution, "root_cause": story.choose(("carrier", "stock", "typing"))}
    story.tell("request_resolved", {**resolved, **said}, department)


def reopen(story: Story, request_id: str) -> None:
    """It was not met after all."""
    story.wait_for_day(3 * DAY)
    again = story.receive("delivery")
    actor = story.answer(again)
    reopened = {"request_id": request_id, "reopened_by": "REOPENED_BY_CUSTOMER", "contact_id": again}
    story.tell("request_reopened", reopened, "customer_service", actor)
    story.end(again, actor, completeness="PARTIAL", request_ids=[request_id])
    if story.chance(0.7):
        story.wait_for_day(DAY)
        resolve(story, request_id, "customer_service")


def close(story: Story, request_id: str, department: str = "customer_service") -> None:
    """The customer confirms, or says nothing more; the request is closed."""
    story.wait_for_day(2 * DAY)
    confirmed = story.chance(0.4)
    if confirmed:
        story.tell("request_confirmed", {"request_id": request_id}, department)
        story.wait(HOUR)
    outcome = "CLOSED_RESOLVED" if confirmed or story.chance(0.8) else "CLOSED_NO_REPLY"
    story.tell("request_closed", {"request_id": request_id, "outcome": outcome}, department)
    if story.chance(0.15):
        survey(story, request_id=request_id)


def chase(story: Story, request_id: str, reason: str, key: str, said: bool) -> None:
    """The customer asks how it stands, and has to say it all again. `said`: a date was said before; now it is another one."""
    story.wait_for_day(DAY)
    story.channel = story.choose(("phone", "email", "chat"))
    again = story.receive(reason)
    actor = story.answer(again)
    given = story.give(key, contact_id=again)
    if story.chance(0.5):
        confirmed = {"key": key, "fact_event_id": given, "contact_id": again}
        story.tell("fact_confirmed", confirmed, "customer_service", actor)
    if said:
        answered(story, "delivery_date", "in_two_weeks", INTAKE[reason], contact_id=again, request_id=request_id)
    if story.chance(0.2):
        irritant(story, "delivery", INTAKE[reason], contact_id=again, request_id=request_id)
    story.end(again, actor, completeness="NONE", incomplete_cause="no_news", request_ids=[request_id])
