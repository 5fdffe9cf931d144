"""What plots of the sample tell in passing: answers to questions, what customers think, and whom they are referred to."""

from __future__ import annotations

from typing import Any, Final

from clients.connectors.sample_story import DAY, HOUR, MINUTE, Fields, Story

SCORES: Final[dict[str, tuple[int, ...]]] = {
    "CSAT": (1, 2, 3, 4, 4, 4, 5, 5, 5),
    "NPS": (2, 5, 6, 7, 8, 8, 9, 9, 10),
    "CES": (2, 3, 4, 5, 5, 6, 6, 7),
}
"""Scores that customers give, by measure: mostly good ones."""

_PRODUCTS: Final = 200


def answered(
    story: Story, question: str, answer: str, department: str = "customer_service", object_key: str = "", **about: Any
) -> None:
    """Somebody answers: about a thing of ours by its code, or about the customer's order. Without an answer: it is not known."""
    said: Fields = {"question_key": question, "stance": "STATED", **about}
    if answer:
        said["answer_key"] = answer
        said["answer_source"] = "stock_system"
    else:
        said["obstacle"] = story.choose(("NO_ACCESS", "NO_KNOWLEDGE", "NO_AUTHORITY"))
    if object_key:
        said["object_key"] = object_key
    else:
        said["object"] = {"type": "order", "value": story.order}
    story.tell("answer_given", said, department)


def stock_asked(story: Story, contact_id: str, actor: str) -> None:
    """The customer asks about a product: most are told, some are referred to somebody else."""
    lot = story.rng.random()
    if lot < 0.07:
        referred = {"contact_id": contact_id, "referral_id": f"f-{story.name}", "reason": "not_ours"}
        outside = story.chance(0.5)
        referred |= {"to_organisation": "manufacturer"} if outside else {"to_department": "sales"}
        story.tell("referral_made", referred, "customer_service", actor)
    elif lot < 0.25:
        product = int(story.rng.random() * _PRODUCTS)
        answer = "" if lot < 0.09 else ("in_stock", "in_two_weeks")[product % 2]
        answered(story, "stock", answer, object_key=f"product_{product}", contact_id=contact_id)


def survey(story: Story, **about: Any) -> None:
    """The customer is asked how satisfied they are, and often says so."""
    measure = story.choose(("CSAT", "CSAT", "NPS", "CES"))
    asked: Fields = {"measure": measure, "survey_id": f"{measure.lower()}-2026", **about}
    story.wait(HOUR)
    asked_id = story.tell("satisfaction_asked", asked, "customer_service", "mailer", kind="AUTOMATION")
    if story.chance(0.5):
        story.wait_for_day(DAY)
        scores = SCORES[measure]
        recorded = {**asked, "score": scores[int(story.rng.random() * len(scores))], "asked_event_id": asked_id}
        if story.chance(0.3):
            recorded["comment"] = "Réponse rapide, merci."
        story.tell("satisfaction_recorded", recorded)


def irritant(story: Story, step: str, department: str, *, employee: bool = False, **about: str) -> str:
    """Something in our way of working annoys the customer, or one of us. Returns the event's id."""
    cause = story.choose(("heavy_process", "manual_rework") if employee else ("long_delay", "not_informed", "missing_information"))
    reported: Fields = {
        "causes": [cause],
        "respondent": "RESPONDENT_EMPLOYEE" if employee else "RESPONDENT_CUSTOMER",
        "step": step,
        "about_department": department,
        **about,
    }
    story.now += MINUTE
    return story.tell("irritant_reported", reported, "customer_service")
