"""Figures of contacts: how many came, what became of them, how long they waited, how long they were worked on."""

from __future__ import annotations

from typing import Final

from ledger.api.v1.figure_pb2 import FIGURE_COUNT, FIGURE_SECONDS, FIGURE_SHARE
from projections.figures.definition import (
    BUNDLE,
    SPREAD,
    Definition,
    Question,
    Result,
    Results,
    all_of,
    by_group,
    groups_of,
    seconds,
    share,
    spread,
    sum_of,
)
from projections.figures.members import FLAG, OUTCOMES, QUEUED, TARGETED, TRANSFERRED, Outcome, Series
from projections.figures.tally import Measured, Outcomes, Slice

SLICES: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)

_ANSWERED: Final = (Outcome.UNTARGETED, Outcome.IN_TIME, Outcome.LATE)
_UNHANDLED: Final = (Outcome.WAITING, Outcome.UNANSWERED)


def _counts(outcomes: Outcomes) -> tuple[tuple[str, float | None], ...]:
    return (
        ("received", sum_of(outcomes, *OUTCOMES)),
        ("answered", sum_of(outcomes, *_ANSWERED)),
        ("withdrawn", sum_of(outcomes, Outcome.WITHDRAWN)),
        ("no_answer_needed", sum_of(outcomes, Outcome.NOT_NEEDED)),
        ("unhandled", sum_of(outcomes, *_UNHANDLED)),
        ("waiting", sum_of(outcomes, Outcome.WAITING)),
        ("ended_unanswered", sum_of(outcomes, Outcome.UNANSWERED)),
    )


_COUNTS: Final = {
    "received": "Inbound contacts received.",
    "answered": "Of these, answered by a person, or by a bot where the policy says that a bot answers.",
    "withdrawn": "Given up by the customer before an answer that counts.",
    "no_answer_needed": "Ended without an answer as no_answer_needed or spam.",
    "unhandled": "Received - answered - withdrawn - needing no answer.",
    "waiting": "Of the unhandled ones, not ended yet.",
    "ended_unanswered": "Of the unhandled ones, ended without an answer.",
}


def _volume(outcomes: Outcomes) -> Result:
    received = sum_of(outcomes, *OUTCOMES)
    return Result(received, received, _counts(outcomes))


def _unhandled(outcomes: Outcomes) -> Result:
    return Result(sum_of(outcomes, *_UNHANDLED), sum_of(outcomes, *OUTCOMES), _counts(outcomes))


def _first_response(outcomes: Outcomes) -> Result:
    answered = all_of(outcomes, *_ANSWERED)
    in_time, late = sum_of(outcomes, Outcome.IN_TIME), sum_of(outcomes, Outcome.LATE)
    others = (Outcome.WAITING, Outcome.UNANSWERED, Outcome.WITHDRAWN, Outcome.NOT_NEEDED)
    targeted = in_time + late + sum_of(outcomes, *others, with_flag=TARGETED)
    return Result(
        seconds(answered.percentile(0.5)),
        answered.n,
        (
            *spread(answered),
            ("missing", sum_of(outcomes, *_UNHANDLED)),
            ("in_time", in_time),
            ("targeted", targeted),
            ("share_in_time", share(in_time, targeted)),
        ),
    )


def _transfer_rate(outcomes: Outcomes) -> Result:
    answered = sum_of(outcomes, *_ANSWERED)
    transferred = sum_of(outcomes, *_ANSWERED, with_flag=TRANSFERRED)
    return Result(share(transferred, answered), answered, (("transferred", transferred), ("answered", answered)))


class _Queue:
    """Contacts offered to be answered, each counted once: from when it was queued, else from when it was received."""

    def __init__(self, received: Outcomes, queued: Outcomes) -> None:
        own = {outcome: measured for outcome, measured in received.items() if not outcome & QUEUED}
        self.outcomes: Outcomes = {}
        for outcomes in (own, queued):
            for outcome, measured in outcomes.items():
                self.outcomes.setdefault(outcome % FLAG, Measured()).merge(measured)

    @property
    def answered(self) -> Measured:
        """Those answered, with their waits."""
        return all_of(self.outcomes, *_ANSWERED)

    @property
    def abandoned(self) -> Measured:
        """Those given up, with how long they had waited."""
        return all_of(self.outcomes, Outcome.WITHDRAWN)

    @property
    def offered(self) -> int:
        """All that wanted an answer."""
        return sum_of(self.outcomes, *OUTCOMES) - sum_of(self.outcomes, Outcome.NOT_NEEDED)


def _queues(question: Question) -> dict[tuple[str, ...], _Queue]:
    received, queued = question.tally(Series.CONTACT), question.tally(Series.QUEUE)
    return {group: _Queue(received.get(group, {}), queued.get(group, {})) for group in groups_of(received, queued)}


def _service_level(question: Question) -> Results:
    within = question.answered_within
    results = {}
    for group, queue in _queues(question).items():
        offered, answered, abandoned = queue.offered, queue.answered, queue.abandoned
        if not offered:
            continue
        if within is None:
            # A wait from the queue cannot be compared with a target that began earlier, so the target decides itself.
            met = sum_of(queue.outcomes, Outcome.IN_TIME)
            given_up_within = None
        else:
            met = answered.within(within)
            given_up_within = abandoned.within(within)
        results[group] = Result(
            share(met, offered),
            offered,
            (
                ("answered_within", met),
                ("offered", offered),
                ("answered", answered.n),
                ("abandoned", abandoned.n),
                ("abandoned_within", given_up_within),
                ("of_answered_and_abandoned", share(met, answered.n + abandoned.n)),
                ("of_answered", share(met, answered.n)),
                (
                    "of_offered_less_abandoned_within",
                    None if given_up_within is None else share(met, offered - given_up_within),
                ),
            ),
        )
    return results


def _speed_of_answer(question: Question) -> Results:
    results = {}
    for group, queue in _queues(question).items():
        answered = queue.answered
        mean, *rest = spread(answered)
        results[group] = Result(mean[1], answered.n, (mean, *rest))
    return results


def _abandonment(question: Question) -> Results:
    return {
        group: Result(
            share(queue.abandoned.n, queue.offered),
            queue.offered,
            (
                ("abandoned", queue.abandoned.n),
                ("offered", queue.offered),
                ("median_seconds_until_given_up", seconds(queue.abandoned.percentile(0.5))),
            ),
        )
        for group, queue in _queues(question).items()
    }


def _handle_time(outcomes: Outcomes) -> Result:
    handled = all_of(outcomes)
    parts = spread(handled)
    return Result(parts[0][1], handled.n, parts)


DEFINITIONS: Final = (
    Definition(
        name="volume",
        version=1,
        title="Contacts received",
        text="Inbound contacts received in the period, and what became of them. Contacts are counted, not messages (domain "
        "rule 9.1).",
        source="domain §4, unhandled demands; S2-1",
        unit=FIGURE_COUNT,
        member_time="received",
        slices=SLICES,
        parts=_COUNTS,
        measure=by_group(_volume, Series.CONTACT),
        series=(Series.CONTACT,),
    ),
    Definition(
        name="unhandled",
        version=1,
        title="Unhandled demands",
        text="Received - answered - withdrawn - needing no answer, of the contacts received in the period. What was given up or "
        "never read is in it or beside it, never left out. An automatic acknowledgement is no answer.",
        source="domain §4, unhandled demands; S2-1",
        unit=FIGURE_COUNT,
        member_time="received",
        slices=SLICES,
        parts=_COUNTS,
        measure=by_group(_unhandled, Series.CONTACT),
        series=(Series.CONTACT,),
    ),
    Definition(
        name="first_response",
        version=1,
        title="First response time",
        text="Median time from a contact received in the period to its first answer that counts (domain rule 9.2), clock time. "
        "An automatic acknowledgement is no answer; a bot answers only where the policy says so. No answer is missing, not "
        "zero: it is counted beside. Share in time = answered by the target ÷ those with a target, unanswered ones included "
        "(needing none, or given up, before the target: left out); contacts without a target are never on time.",
        source="domain §4, first response time; S2-2, S2-5",
        unit=FIGURE_SECONDS,
        member_time="received",
        slices=SLICES,
        parts={
            **SPREAD,
            "missing": "Contacts without an answer: not in the times.",
            "in_time": "Answered by their target.",
            "targeted": "Contacts that had a target and still needed an answer when it passed, or were answered before.",
            "share_in_time": "In time ÷ targeted.",
        },
        measure=by_group(_first_response, Series.CONTACT),
        series=(Series.CONTACT,),
        buckets=True,
    ),
    Definition(
        name="service_level",
        version=1,
        title="Service level",
        text="Answered within the time asked for (without one: within each contact's own target) ÷ contacts offered, of those "
        "queued in the period (never queued: received). Offered are all but those that needed no answer. The wait begins at "
        "contact-queued, else at contact-received. The other three ways to divide stand beside, because leaving out those who "
        "gave up flatters.",
        source="domain §4, service level",
        unit=FIGURE_SHARE,
        member_time="queued, else received",
        slices=SLICES,
        parts={
            "answered_within": "Answered in time.",
            "offered": "All that wanted an answer.",
            "answered": "Answered at all.",
            "abandoned": "Given up.",
            "abandoned_within": "Given up within the time asked for; only where one was asked for.",
            "of_answered_and_abandoned": "Answered within ÷ (answered + abandoned).",
            "of_answered": "Answered within ÷ answered: flatters.",
            "of_offered_less_abandoned_within": "Answered within ÷ (offered - abandoned within).",
        },
        measure=_service_level,
        series=(Series.CONTACT,),
        buckets=True,
    ),
    Definition(
        name="speed_of_answer",
        version=1,
        title="Average speed of answer",
        text="Mean wait of the contacts answered, from contact-queued, else from contact-received, of those queued (received) "
        "in the period.",
        source="domain §4, ASA",
        unit=FIGURE_SECONDS,
        member_time="queued, else received",
        slices=SLICES,
        parts=SPREAD,
        measure=_speed_of_answer,
        series=(Series.CONTACT,),
        buckets=True,
    ),
    Definition(
        name="abandonment",
        version=1,
        title="Abandonment rate",
        text="Given up ÷ offered, of the contacts queued (never queued: received) in the period. Short ones are not left out: "
        "there is no standard for what is short.",
        source="domain §4, abandonment",
        unit=FIGURE_SHARE,
        member_time="queued, else received",
        slices=SLICES,
        parts={
            "abandoned": "Given up.",
            "offered": "All that wanted an answer.",
            "median_seconds_until_given_up": "Median time until they gave up, seconds.",
        },
        measure=_abandonment,
        series=(Series.CONTACT,),
        buckets=True,
    ),
    Definition(
        name="transfer_rate",
        version=1,
        title="Transfer rate",
        text="Contacts transferred at least once while live ÷ contacts answered, of those received in the period. A colleague "
        "consulted is no transfer, and a handoff of the request is none.",
        source="domain §4, transfer rate",
        unit=FIGURE_SHARE,
        member_time="received",
        slices=SLICES,
        parts={"transferred": "Transferred at least once.", "answered": "Answered."},
        measure=by_group(_transfer_rate, Series.CONTACT),
        series=(Series.CONTACT,),
    ),
    Definition(
        name="handle_time",
        version=1,
        title="Handle time",
        text="Mean of talk + hold (over all legs) + wrap-up, of inbound contacts that were answered and ended in the period "
        "and say any of these. Never served alone: as a target it cuts answers short. Who asks for it gets its bundle.",
        source="domain §4, AHT = DMT; S2-6, S2-10, S0-4",
        unit=FIGURE_SECONDS,
        member_time="ended",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON),
        parts=SPREAD,
        measure=by_group(_handle_time, Series.HANDLED),
        series=(Series.HANDLED,),
        bundle=BUNDLE,
        buckets=True,
    ),
)
