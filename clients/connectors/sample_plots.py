"""The plots of the sample: what happens between a customer and the departments of a furniture shop.

Each plot tells one story from its start; all of them keep to the life cycles, so that nothing of a sample is ever irregular.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from clients.connectors.sample_people import INTAKE
from clients.connectors.sample_story import DAY, HOUR, MINUTE, Story

ABANDONED: Final = {
    "phone": "ABANDONED_IN_QUEUE",
    "ivr": "ABANDONED_IN_IVR",
    "chat": "ABANDONED_WITH_BOT",
    "web_form": "ABANDONED_IN_FORM",
}
"""Where customers give up, by channel; over other channels nobody can."""

MATTERS: Final = ("delivery", "delivery", "defect", "invoice", "return", "order_change")


def question(story: Story) -> None:
    """A question, answered on the spot."""
    contact_id = story.receive(story.choose(("information", "information", "delivery", "quote")))
    actor = story.answer(contact_id)
    if story.chance(0.2):
        story.tell("note_added", {"contact_id": contact_id, "text": "Le client a déjà appelé hier."}, "customer_service", actor)
    story.end(contact_id, actor, completeness="FULL", disposition="answered")


def abandoned(story: Story) -> None:
    """The customer gives up; sometimes we call back, sometimes it was nothing at all."""
    contact_id = story.receive(story.choose(("unknown", "delivery", "information")))
    if story.channel not in ABANDONED:
        story.wait(HOUR)
        story.tell("contact_ended", {"contact_id": contact_id, "disposition": "no_answer_needed"}, "customer_service")
        return
    story.wait(3 * MINUTE)
    story.tell(
        "contact_abandoned",
        {"contact_id": contact_id, "stage": ABANDONED[story.channel]},
        "customer_service",
        "switch",
        kind="AUTOMATION",
    )
    if story.person.identifier(story.channel) is None or story.chance(0.4):
        return
    for _ in range(3):
        story.wait_for_day(2 * HOUR)
        reached = story.choose(("REACHED_YES", "REACHED_YES", "REACHED_NO", "REACHED_VOICEMAIL"))
        made = {"contact_id": story.next_contact_id(), "reached": reached, "in_reply_to": contact_id, "reason": "call_back"}
        story.tell("contact_made", made, "customer_service")
        if reached == "REACHED_YES":
            return


def settled_at_once(story: Story) -> None:
    """A request that the front settles in the first contact."""
    reason, contact_id, request_id, actor = open_request(story)
    if story.chance(0.2):
        classified = {"request_id": request_id, "reason": reason, "priority": story.choose(("low", "high")), "complexity": "simple"}
        story.tell("request_classified", classified, "customer_service", actor)
    lot = story.rng.random()
    if lot < 0.06:
        story.tell("request_withdrawn", {"request_id": request_id, "contact_id": contact_id}, "customer_service", actor)
    elif lot < 0.10:
        story.tell("request_refused", {"request_id": request_id, "rule": "return_after_30_days"}, "customer_service", actor)
    else:
        resolve(story, request_id, "customer_service", contact_id=contact_id)
    story.end(contact_id, actor, completeness="FULL", request_ids=[request_id], disposition="settled")
    if 0.10 <= lot < 0.35:
        reopen(story, request_id)
    elif lot >= 0.5:
        close(story, request_id)


def passed_on(story: Story) -> None:
    """A request that another department has to settle: facts are passed, a date is promised."""
    reason, contact_id, request_id, actor = open_request(story)
    key = "serial_number" if reason == "defect" else "delivery_address"
    fact_id = story.give(key, request_id=request_id, contact_id=contact_id)
    to = INTAKE[reason]
    kind = {"shipping": "delivery", "billing": "refund", "technical": "repair", "returns": "refund"}[to]
    promise_id, due = story.promise(
        kind,
        "customer_service",
        2 + story.rng.random() * 8,
        contact_id=contact_id,
        request_id=request_id,
        what=f"Réponse sur la commande {story.order}",
    )
    informed = {"request_id": request_id, "contact_id": contact_id, "next_step": "check_stock", "promise_id": promise_id}
    story.tell("customer_informed", informed, "customer_service", actor, together=True)
    story.end(contact_id, actor, completeness="PARTIAL", incomplete_cause="other_department", request_ids=[request_id])
    passed = [{**story.person.fact(key, story.order), "fact_event_id": fact_id}]
    if offer(story, request_id, to, passed, promise_id, key):
        story.settle(promise_id, to, due, contact_id)
        if story.chance(0.6):
            resolve(story, request_id, to)
            if story.chance(0.8):
                close(story, request_id, to)
    elif story.chance(0.5):
        story.settle(promise_id, "customer_service", due, contact_id)
    if story.chance(0.3):
        chase(story, request_id, reason, key)


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


def called_back(story: Story) -> None:
    """A call-back is promised, and made in its window, late, or not at all."""
    contact_id = story.receive(story.choose(("quote", "information", "delivery")))
    actor = story.answer(contact_id)
    promise_id, due = story.promise(
        "call_back", "sales", 0.3 + story.rng.random() * 2, contact_id=contact_id, what="Rappeler le client"
    )
    story.end(contact_id, actor, completeness="PARTIAL", disposition="call_back")
    lot = story.rng.random()
    if lot < 0.12:
        return
    story.channel = "phone"
    story.now = max(story.now, due - int(story.rng.random() * 1.8 * HOUR))
    if story.chance(0.3):
        missed = {"contact_id": story.next_contact_id(), "reached": "REACHED_NO", "promise_ids": [promise_id]}
        customer = story.person.phone
        story.tell("contact_made", missed if customer is None else {**missed, "customer": customer}, "sales")
        story.now = due + int(story.rng.expovariate(1.0) * DAY)
    made = {"contact_id": story.next_contact_id(), "reached": "REACHED_YES", "in_reply_to": contact_id, "promise_ids": [promise_id]}
    proof = story.tell("contact_made", {**made, "reason": "call_back"}, "sales")
    story.tell("promise_kept", {"promise_id": promise_id, "proof_event_id": proof}, "sales", together=True)


def conditional(story: Story) -> None:
    """A promise without a date: first the part has to arrive."""
    _, contact_id, request_id, actor = open_request(story)
    story.now += MINUTE
    promise_id = f"p-{story.name}-0"
    made = {
        "promise_id": promise_id,
        "kind": "repair",
        "request_id": request_id,
        "contact_id": contact_id,
        "condition": "Pièce en stock",
    }
    story.tell("promise_made", {**made, "owner_department": "technical"}, "customer_service", actor)
    story.end(contact_id, actor, completeness="PARTIAL", incomplete_cause="part_missing", request_ids=[request_id])
    if story.chance(0.3):
        return
    story.wait_for_day(4 * DAY)
    due, due_micros = story.due(3, exact=False)
    story.tell("promise_dated", {"promise_id": promise_id, "due": due}, "technical")
    story.settle(promise_id, "technical", due_micros, contact_id)


def doubled(story: Story) -> None:
    """The same matter over two channels: the second request is merged into the first."""
    reason, contact_id, request_id, actor = open_request(story)
    escalated = {"request_id": request_id, "kind": "FUNCTIONAL", "to_department": INTAKE[reason], "why": "Client fidèle"}
    story.tell("request_escalated", escalated, "customer_service", actor)
    story.end(contact_id, actor, completeness="NONE", incomplete_cause="system_down", request_ids=[request_id])
    story.wait_for_day(DAY)
    story.channel = story.choose(("email", "chat", "phone"))
    again = story.receive(reason)
    actor = story.answer(again)
    second = f"{request_id}-b"
    story.tell(
        "request_opened", {"request_id": second, "contact_id": again, "reason": reason, "owner_department": "sales"}, "sales"
    )
    story.end(again, actor, completeness="PARTIAL", request_ids=[second])
    story.wait_for_day(3 * HOUR)
    story.tell("request_merged", {"request_id": second, "into_request_id": request_id}, "customer_service")
    story.tell("contact_linked", {"request_id": request_id, "contact_id": again}, "customer_service", together=True)
    story.tell("custom_recorded", {"type": "duplicate_found", "request_id": request_id, "body_json": "{}"}, "customer_service")


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


def chase(story: Story, request_id: str, reason: str, key: str) -> None:
    """The customer asks how it stands, and has to say it all again."""
    story.wait_for_day(DAY)
    story.channel = story.choose(("phone", "email", "chat"))
    again = story.receive(reason)
    actor = story.answer(again)
    given = story.give(key, contact_id=again)
    if story.chance(0.5):
        confirmed = {"key": key, "fact_event_id": given, "contact_id": again}
        story.tell("fact_confirmed", confirmed, "customer_service", actor)
    story.end(again, actor, completeness="NONE", incomplete_cause="no_news", request_ids=[request_id])


PLOTS: Final[tuple[tuple[Callable[[Story], None], float], ...]] = (
    (question, 0.34),
    (abandoned, 0.09),
    (settled_at_once, 0.22),
    (passed_on, 0.22),
    (called_back, 0.07),
    (conditional, 0.03),
    (doubled, 0.03),
)
"""Every plot and its share of all stories."""
