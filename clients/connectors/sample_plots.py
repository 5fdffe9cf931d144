"""The plots of the sample: what happens between a customer and the departments of a furniture shop. Here the everyday ones.

Each plot tells one story from its start; all of them keep to the life cycles, so that nothing of a sample is ever irregular.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clients.connectors.sample_feedback import answered, stock_asked
from clients.connectors.sample_people import INTAKE
from clients.connectors.sample_requests import chase, close, offer, open_request, reopen, resolve
from clients.connectors.sample_story import DAY, HOUR, MINUTE, Story
from clients.connectors.sample_talks import approached, ordered, passed_on_live, threaded
from clients.connectors.sample_troubles import complained, crisis, improved, waived

ABANDONED: Final = {
    "phone": "ABANDONED_IN_QUEUE",
    "ivr": "ABANDONED_IN_IVR",
    "chat": "ABANDONED_WITH_BOT",
    "web_form": "ABANDONED_IN_FORM",
}
"""Where customers give up, by channel; over other channels nobody can."""


def question(story: Story) -> None:
    """A question, answered on the spot."""
    contact_id = story.receive(story.choose(("information", "information", "delivery", "quote")))
    actor = story.answer(contact_id)
    stock_asked(story, contact_id, actor)
    if story.person.identifier(story.channel) is None and story.chance(0.3):
        known = {"contact_id": contact_id, "customer": story.person.email, "evidence": "order_number"}
        story.tell("contact_attributed", known, "customer_service", actor)
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
    said = story.chance(0.12)
    if said:
        answered(story, "delivery_date", "this_week", contact_id=contact_id, request_id=request_id)
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
        chase(story, request_id, reason, key, said)


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


PLOTS: Final[tuple[tuple[Callable[[Story], None], float], ...]] = (
    (question, 0.30),
    (abandoned, 0.08),
    (settled_at_once, 0.20),
    (passed_on, 0.20),
    (called_back, 0.06),
    (conditional, 0.025),
    (doubled, 0.025),
    (threaded, 0.035),
    (passed_on_live, 0.025),
    (approached, 0.02),
    (ordered, 0.03),
    (complained, 0.025),
    (waived, 0.015),
    (improved, 0.005),
    (crisis, 0.003),
)
"""Every plot and its share of all stories."""
