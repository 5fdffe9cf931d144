"""Plots of the sample about trouble: complaints, a crisis with an official statement, waived rules, and what is learnt from it."""

from __future__ import annotations

from clients.connectors.sample_feedback import answered, irritant
from clients.connectors.sample_people import INTAKE, Person
from clients.connectors.sample_requests import open_request, resolve
from clients.connectors.sample_story import DAY, HOUR, MINUTE, SECOND, Fields, Story


def complained(story: Story) -> None:
    """A complaint, from its first expression to its end; some are contested, some are never answered."""
    about: Fields = {}
    if story.chance(0.5):
        reason, contact_id, request_id, actor = open_request(story)
        about["request_id"] = request_id
        story.end(contact_id, actor, completeness="NONE", incomplete_cause="no_news", request_ids=[request_id])
        story.wait_for_day(3 * DAY)
        story.channel = story.choose(("phone", "email", "web_form", "letter"))
    else:
        reason = story.choose(("delivery", "defect", "invoice"))
    to = INTAKE[reason]
    contact_id = story.receive(reason)
    actor = story.answer(contact_id)
    name: Fields = {"complaint_id": f"k-{story.name}"}
    received = {
        **name,
        **about,
        "contact_id": contact_id,
        "owner_department": "customer_service",
        "about_department": to,
        "reason": reason,
        "remedy_sought": story.choose(("Remboursement", "Remplacement", "Excuses")),
        "text": story.words(reason),
    }
    story.tell("complaint_received", received, "customer_service", actor)
    story.end(contact_id, actor, completeness="PARTIAL", incomplete_cause="complaint")
    if story.chance(0.85):
        story.wait_for_day(6 * HOUR)
        story.tell("complaint_acknowledged", name, "customer_service")
    if story.chance(0.10):
        story.wait_for_day(DAY)
        story.tell("complaint_withdrawn", {**name, "contact_id": contact_id}, "customer_service")
        return
    story.wait_for_day(8 * HOUR)
    safety = story.chance(0.04)
    assessed = {**name, "severity": story.choose(("minor", "minor", "serious")), "complexity": "simple", "safety": safety}
    if safety:
        assessed |= {"immediate_action": True, "action": "Ne plus utiliser l'appareil"}
    story.tell("complaint_assessed", assessed, "customer_service")
    story.wait_for_day(2 * DAY)
    if story.chance(0.15):
        return
    found = {
        **name,
        "root_cause": story.choose(("carrier", "stock", "typing")),
        "cause_department": to,
        "findings": "Erreur de tri",
    }
    story.tell("complaint_investigated", found, to)
    _respond(story, name, appeal_told=story.chance(0.7))
    if story.chance(0.3):
        story.wait_for_day(2 * DAY)
        story.tell("complaint_contested", {**name, "why": "Le remboursement est trop bas"}, "customer_service")
        _escalate(story, name)
    elif story.chance(0.8):
        story.wait_for_day(4 * DAY)
        story.tell("complaint_closed", {**name, "closing": "COMPLAINT_ACCEPTED"}, "customer_service")
        if story.chance(0.2):
            story.wait_for_day(5 * DAY)
            story.tell("complaint_reopened", {**name, "why": "Le remboursement n'est pas arrivé"}, "customer_service")


def _respond(story: Story, name: Fields, *, appeal_told: bool) -> None:
    story.wait_for_day(DAY)
    decision = story.choose(("UPHELD", "UPHELD", "PARTLY_UPHELD", "NOT_UPHELD"))
    responded = {**name, "decision": decision, "appeal_told": appeal_told, "text": "Nous avons vérifié votre dossier."}
    if decision != "NOT_UPHELD":
        responded["redress"] = "Bon de 30 euros"
    story.tell("complaint_responded", responded, "customer_service")


def _escalate(story: Story, name: Fields) -> None:
    """Somebody with more authority looks at it again."""
    if story.chance(0.3):
        return
    story.wait_for_day(4 * HOUR)
    outside = story.chance(0.2)
    escalated = {**name, "escalation": "ESCALATED_TO_MEDIATOR" if outside else "ESCALATED_INSIDE"}
    story.tell("complaint_escalated", escalated if outside else {**escalated, "to_department": "billing"}, "customer_service")
    _respond(story, name, appeal_told=True)
    story.wait_for_day(3 * DAY)
    closing = "COMPLAINT_ACCEPTED" if story.chance(0.7) else "COMPLAINT_NOT_ACCEPTED"
    story.tell("complaint_closed", {**name, "closing": closing}, "customer_service")


def crisis(story: Story) -> None:
    """A depot stands still. The organisation says officially how it is; its desks do not all say the same."""
    front = story.person
    depot = f"depot_{story.name}"
    first, second = f"d-{story.name}-1", f"d-{story.name}-2"
    end = story.now + 12 * DAY
    published: Fields = {"question_key": "delivery_delay", "object_key": depot, "valid_until": {"seconds": end // SECOND}}
    words = "Le dépôt est fermé, les livraisons sont retardées."
    to = {"departments": ["customer_service", "sales", "shipping"]}
    story.tell(
        "statement_published", {**published, **to, "statement_id": first, "answer_key": "one_week", "text": words}, "shipping"
    )
    granted = {
        "exception_id": f"x-{story.name}-all",
        "rule": "first_response",
        "reason": "crisis",
        "from_time": {"seconds": story.now // SECOND},
        "until_time": {"seconds": (story.now + 2 * DAY) // SECOND},
        "scope": {"department": "customer_service", "channel": "phone"},
        "effect": "EXCLUDED",
        "approver": story.clerk("customer_service"),
    }
    story.tell("exception_granted", granted, "customer_service")
    _read(story, first, "customer_service", "sales")
    story.channel = "email"
    story.wait(HOUR)
    audience = {"audience": "customers_of_the_depot", "recipient_count": 50 + int(story.rng.random() * 400)}
    story.tell("statement_announced", {"statement_id": first, **audience}, "shipping", "mailer", kind="AUTOMATION")
    for number, (desk, answer) in enumerate((("customer_service", "one_week"), ("sales", "tomorrow"), ("customer_service", ""))):
        story.person = Person(front.number + number)
        story.channel = story.choose(("phone", "chat"))
        story.wait_for_day(5 * HOUR)
        contact_id = story.receive("delivery")
        actor = story.answer(contact_id, desk)
        answered(story, "delivery_delay", answer, desk, depot, contact_id=contact_id)
        story.end(contact_id, actor, desk, completeness="FULL", disposition="answered")
    story.person = front
    last = first
    story.wait_for_day(DAY)
    if story.chance(0.5) and story.now < end:
        last = second
        replaced = {"statement_id": last, "replaces_statement_id": first, "answer_key": "two_weeks", "text": words}
        story.tell("statement_published", {**published, **to, **replaced}, "shipping")
        _read(story, last, "customer_service")
        story.wait_for_day(2 * DAY)
    if story.chance(0.6) and story.now < end:
        story.tell("statement_withdrawn", {"statement_id": last, "why": "Le dépôt travaille de nouveau."}, "shipping")


def _read(story: Story, statement_id: str, *desks: str) -> None:
    """Desks say that they have read a statement."""
    for desk in desks:
        story.wait(20 * MINUTE)
        story.tell("statement_acknowledged", {"statement_id": statement_id}, desk)


def waived(story: Story) -> None:
    """A rule that does not suit the case: an approved departure from it, or somebody who simply does otherwise."""
    _, contact_id, request_id, actor = open_request(story)
    if story.chance(0.3):
        overridden = {"rule": "return_period", "reason": "goodwill", "request_id": request_id, "done_instead": "Retour accepté"}
        story.tell("rule_overridden", overridden, "customer_service", actor)
        resolve(story, request_id, "customer_service", contact_id=contact_id)
        story.end(contact_id, actor, completeness="FULL", request_ids=[request_id], disposition="settled")
        return
    what = f"Réponse sur la commande {story.order}"
    promise_id, due = story.promise(
        "delivery", "shipping", 3 + story.rng.random() * 6, contact_id=contact_id, request_id=request_id, what=what
    )
    story.end(contact_id, actor, completeness="PARTIAL", incomplete_cause="other_department", request_ids=[request_id])
    story.wait_for_day(5 * HOUR)
    name: Fields = {"exception_id": f"x-{story.name}"}
    asked = {
        "rule": "promised_delivery",
        "reason": "carrier_strike",
        "from_time": {"seconds": story.now // SECOND},
        "until_time": {"seconds": (max(due, story.now) + DAY) // SECOND},
        "scope": {"promise_ids": [promise_id]},
    }
    story.tell("exception_requested", {**name, **asked, "why": "Grève du transporteur"}, "shipping")
    story.wait_for_day(4 * HOUR)
    approver = story.clerk("customer_service")
    if story.chance(0.25):
        story.tell(
            "exception_denied", {**name, "approver": approver, "why": "Un autre transporteur livre"}, "customer_service", approver
        )
    else:
        granted = {**name, **asked, "effect": "EXCLUDED", "approver": approver}
        if story.chance(0.6):
            granted |= {"effect": "EXTENDED", "extended_to": {"seconds": (due + 5 * DAY) // SECOND}}
        story.tell("exception_granted", granted, "customer_service", approver)
        if story.chance(0.3):
            story.wait_for_day(DAY)
            story.tell("exception_ended", {**name, "reason": "strike_over"}, "shipping")
    story.settle(promise_id, "shipping", due, contact_id)


def improved(story: Story) -> None:
    """What annoys customers and staff becomes an improvement that departments answer for together, and is looked at afterwards."""
    contact_id = story.receive("delivery")
    actor = story.answer(contact_id)
    story.end(contact_id, actor, completeness="PARTIAL", incomplete_cause="no_news")
    seen = [irritant(story, "delivery", "shipping", contact_id=contact_id)]
    story.wait(HOUR)
    seen.append(irritant(story, "delivery", "shipping", employee=True, contact_id=contact_id))
    story.wait_for_day(2 * DAY)
    improvement_id = f"i-{story.name}"
    proposed = {
        "improvement_id": improvement_id,
        "problem": "no_word_of_delays",
        "evidence_event_ids": seen,
        "owner_departments": ["customer_service", "shipping"],
        "step": "delivery",
        "figure": "repeat_rate",
        "text": "Prévenir le client dès que la date bouge",
    }
    story.tell("improvement_proposed", proposed, "customer_service")
    if story.chance(0.6):
        story.wait_for_day(20 * DAY)
        effect = story.choose(("EFFECT_BETTER", "EFFECT_BETTER", "EFFECT_NONE", "EFFECT_WORSE", "EFFECT_NOT_DONE"))
        closed = {"improvement_id": improvement_id, "effect": effect, "text": "Bilan fait avec les deux services"}
        story.tell("improvement_closed", closed, "customer_service")
