"""Plots of the sample about the talk itself: calls passed on, threads of messages, offers, and an order without trouble."""

from __future__ import annotations

from typing import Final

from clients.connectors.sample_feedback import answered, survey
from clients.connectors.sample_people import INTAKE
from clients.connectors.sample_story import DAY, HOUR, MINUTE, SECOND, Fields, Story

THREADED: Final = ("email", "email", "email", "messaging", "social_private")
"""Channels on which customers and staff write to and fro."""


def passed_on_live(story: Story) -> None:
    """A call: who it is gets checked, a colleague is asked, and the customer is passed on to who knows."""
    story.channel = "phone"
    reason = story.choose(("defect", "invoice", "return"))
    contact_id = story.receive(reason)
    actor = story.answer(contact_id)
    name: Fields = {"contact_id": contact_id}
    to = INTAKE[reason]
    if story.chance(0.7):
        passed = story.chance(0.93)
        check = {**name, "method": story.choose(("knowledge", "one_time_code")), "level": "basic", "passed": passed}
        if passed:
            check["valid_until"] = {"seconds": (story.now + HOUR) // SECOND}
        story.wait(30 * SECOND)
        story.tell("authentication_checked", check, "customer_service", actor)
    if story.chance(0.4):
        story.wait(MINUTE)
        story.tell("colleague_consulted", {**name, "of_department": to, "about": reason}, "customer_service", actor)
    talk = int(story.rng.expovariate(1 / 120)) + 20
    story.now += talk * SECOND
    transferred = {
        **name,
        "from_department": "customer_service",
        "to_department": to,
        "to_queue": to,
        "kind": story.choose(("WARM", "WARM", "TEPID", "COLD")),
        "talk": {"seconds": talk},
        "reason": "needs_specialist",
    }
    story.tell("contact_transferred", transferred, "customer_service", actor)
    story.now += SECOND
    story.tell("contact_queued", {**name, "queue": to}, to, "switch", kind="AUTOMATION")
    actor = story.answer(contact_id, to)
    if story.chance(0.5):
        answered(story, "next_step", "repair" if reason == "defect" else "refund", to, contact_id=contact_id)
    story.end(contact_id, actor, to, completeness="FULL", disposition="settled")


def threaded(story: Story) -> None:
    """A thread of messages: the customer writes, we write, until the matter is settled or nobody writes any more."""
    story.channel = story.choose(THREADED)
    reason = story.choose(("information", "delivery", "quote", "order_change"))
    contact_id = story.receive(reason, thread_id=f"t-{story.name}")
    name: Fields = {"contact_id": contact_id}
    actor = story.clerk("customer_service")
    if story.channel == "email":
        story.now += 20 * SECOND
        story.tell("message_sent", {**name, "sent_by": "ANSWERED_BY_AUTOMATIC"}, "customer_service", "mailer", kind="AUTOMATION")
    for _ in range(1 + int(story.rng.random() * 3)):
        story.wait_for_day(5 * HOUR)
        sent = {**name, "sent_by": "ANSWERED_BY_HUMAN", "body": f"Bonjour, nous regardons la commande {story.order}."}
        story.tell("message_sent", sent, "customer_service", actor)
        if story.chance(0.3):
            break
        story.wait_for_day(9 * HOUR)
        received = {**name, "thread_id": f"t-{story.name}", "body": f"{story.words(reason)}."}
        story.tell("message_received", received, "customer_service", "switch", kind="AUTOMATION")
    if story.chance(0.8):
        story.wait_for_day(8 * HOUR)
        story.end(contact_id, actor, completeness="FULL", disposition="answered")


def approached(story: Story) -> None:
    """A question that shows an opportunity: it is followed up only where the customer consents."""
    contact_id = story.receive("quote")
    actor = story.answer(contact_id)
    name: Fields = {"opportunity_id": f"o-{story.name}"}
    about = {"contact_id": contact_id, "product": story.choose(("fitted_kitchen", "oak_table", "care_plan"))}
    kind = story.choose(("CROSS_SELL", "UP_SELL", "RETENTION"))
    if story.chance(0.5):
        story.now += SECOND
        story.tell("opportunity_suggested", {**name, **about, "kind": kind}, "sales", "crm", kind="AUTOMATION")
        if story.chance(0.2):
            story.wait(MINUTE)
            story.tell("opportunity_dismissed", {**name, "reason": "not_the_moment"}, "customer_service", actor)
            story.end(contact_id, actor, completeness="FULL", disposition="answered")
            return
    consent = story.chance(0.7)
    story.wait(MINUTE)
    noted = {**name, **about, "kind": kind, "consent": consent, "text": "Projet pour le printemps"}
    story.tell("opportunity_noted", noted, "customer_service", actor)
    story.end(contact_id, actor, completeness="FULL", disposition="answered")
    story.wait_for_day(2 * DAY)
    if not consent:
        story.tell("opportunity_dismissed", {**name, "reason": "no_consent"}, "sales")
        return
    story.channel = "phone"
    made = {"contact_id": story.next_contact_id(), "reached": "REACHED_YES", "in_reply_to": contact_id, "reason": "offer"}
    story.tell("contact_made", made, "sales")
    story.wait(5 * MINUTE)
    if story.chance(0.4):
        story.tell("opportunity_taken", {**name, "contact_id": made["contact_id"]}, "sales")
    elif story.chance(0.6):
        story.tell("opportunity_dismissed", {**name, "reason": "not_interested"}, "sales")


def ordered(story: Story) -> None:
    """An order that runs as it should: its steps, and what the customer thinks of it."""
    story.channel = story.choose(("app", "web_form", "counter"))
    steps = (("order_placed", "DURING", "sales"), ("shipped", "DURING", "shipping"), ("delivered", "AFTER", "shipping"))
    for step, phase, owner in steps:
        reached = {
            "step": step,
            "phase": phase,
            "process": "order",
            "system": "shop",
            "owner_department": owner,
            "manual": step == "shipped" and story.chance(0.2),
            "customer": story.person.email,
            "object": {"type": "order", "value": story.order},
        }
        story.tell("journey_step_reached", reached, owner, "shop", kind="AUTOMATION")
        if story.chance(0.1):
            return
        story.wait_for_day(2 * DAY)
    if story.chance(0.4):
        survey(story, customer=story.person.email)
