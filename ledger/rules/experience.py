"""What customers and employees experience, each event for itself: satisfaction asked and said, irritants, referrals, steps.

Pure. Reads clear fields only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.api.v1.experience_pb2 import CES, CSAT, NPS, RESPONDENT_CUSTOMER
from ledger.event import Event
from ledger.rules.single import SingleRules

ASKED: Final = 1
SCORE: Final = 2
IRRITANT: Final = 3
REFERRAL: Final = 4
STEP: Final = 5
"""Kinds of experience. The numbers are in rows of the views, and are never given another meaning."""

SCALES: Final[dict[int, tuple[int, int]]] = {CSAT: (1, 5), NPS: (0, 10), CES: (1, 7)}
"""Lowest and highest score of a measure where the event names none."""


class ExperienceState(NamedTuple):
    """One experience. Times are microseconds UTC, unset strings empty, what another kind has 0."""

    state: int
    """Its kind."""
    occur_time: int
    subject: bytes
    department: str
    channel: str
    contact_id: str
    request_id: str
    respondent: int = RESPONDENT_CUSTOMER
    measure: int = 0
    score: int = 0
    scale_min: int = 0
    scale_max: int = 0
    survey_id: str = ""
    asked_event_id: str = ""
    causes: str = ""
    """Causes of an irritant, between spaces: ` long_delay not_informed `."""
    step: str = ""
    about_department: str = ""
    referral_id: str = ""
    to_department: str = ""
    to_organisation: str = ""
    reason: str = ""


def _asked(payload: Any) -> dict[str, Any]:
    return {"state": ASKED, "measure": payload.measure, "survey_id": payload.survey_id, **_respondent(payload)}


def _score(payload: Any) -> dict[str, Any]:
    low, high = SCALES.get(payload.measure, (0, 1))
    return {
        "state": SCORE,
        "measure": payload.measure,
        "score": payload.score,
        "scale_min": payload.scale_min if payload.HasField("scale_min") else low,
        "scale_max": payload.scale_max if payload.HasField("scale_max") else high,
        "survey_id": payload.survey_id,
        "asked_event_id": payload.asked_event_id,
        **_respondent(payload),
    }


def _irritant(payload: Any) -> dict[str, Any]:
    return {
        "state": IRRITANT,
        "causes": f" {' '.join(sorted(set(payload.causes)))} ",
        "step": payload.step,
        "about_department": payload.about_department,
        **_respondent(payload),
    }


def _referral(payload: Any) -> dict[str, Any]:
    return {
        "state": REFERRAL,
        "referral_id": payload.referral_id,
        "to_department": payload.to_department,
        "to_organisation": payload.to_organisation,
        "reason": payload.reason,
    }


def _step(payload: Any) -> dict[str, Any]:
    return {"state": STEP, "step": payload.step, "about_department": payload.owner_department}


def _respondent(payload: Any) -> dict[str, Any]:
    return {"respondent": payload.respondent or RESPONDENT_CUSTOMER}


_KINDS: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "satisfaction-asked": _asked,
    "satisfaction-recorded": _score,
    "irritant-reported": _irritant,
    "referral-made": _referral,
    "journey-step-reached": _step,
}


def recorded(event: Event) -> ExperienceState | None:
    """Return what an event says of an experience; None for an event of another kind."""
    kind = _KINDS.get(event.topic)
    if kind is None:
        return None
    payload, header = event.payload, event.header
    return ExperienceState(
        occur_time=event.occur,
        subject=event.subject,
        department=header.department,
        channel=header.channel,
        contact_id=payload.contact_id,
        request_id=payload.request_id,
        **kind(payload),
    )


RULES: Final = SingleRules("experience", recorded, ", ".join(_KINDS))
