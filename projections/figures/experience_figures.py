"""Figures of satisfaction, of answers, and of what is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from ledger.api.v1.figure_pb2 import FIGURE_COUNT, FIGURE_SCORE, FIGURE_SECONDS, FIGURE_SHARE, FigureUnit
from ledger.api.v1.history_service_pb2 import CONTACT_STATE_RECEIVED
from ledger.api.v1.request_service_pb2 import REQUEST_STATE_OPEN, REQUEST_STATE_WAITING
from projections import contradictions
from projections.figures.definition import (
    SPREAD,
    Definition,
    Evidence,
    Question,
    Result,
    Results,
    all_of,
    seconds,
    share,
    spread,
    sum_of,
)
from projections.figures.first_contact import bounds
from projections.figures.members import ANSWERS, MEASURES, Outcome, Series
from projections.figures.tally import Group, Measured, Outcomes, Slice, members_of

SLICES: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)
_SCORES: Final = (Outcome.HIGH, Outcome.MIDDLE, Outcome.LOW)
_EASE: Final = 6
"""Steps of the ease scale, 1 to 7."""

DAY: Final = 86_400_000_000
AGES: Final = (("under_1_day", 0), ("1_to_3_days", 1), ("3_to_7_days", 3), ("7_to_30_days", 7), ("over_30_days", 30))
"""Classes of age: name, and days from which they begin."""


def _satisfaction(question: Question, *, measure: str) -> Results:
    asked = question.asked
    inner = question.asked._replace(slices=(*asked.slices, Slice.KIND))
    found = replace(question, asked=inner).tally(Series.SATISFACTION)
    return {group[:-1]: _of_measure(outcomes, measure) for group, outcomes in found.items() if group[-1] == measure}


def _of_measure(outcomes: Outcomes, measure: str) -> Result:
    scores = all_of(outcomes, *_SCORES)
    high, low = sum_of(outcomes, Outcome.HIGH), sum_of(outcomes, Outcome.LOW)
    asked = sum_of(outcomes, Outcome.ASKED)
    answers = sum_of(outcomes, *_SCORES, with_flag=ANSWERS)
    value: float | None
    if measure == "nps":
        value = 100 * (high - low) / scores.n if scores.n else None
    elif measure == "ces":
        value = 1 + _EASE * scores.total / 1000 / scores.n if scores.n else None
    else:
        value = share(high, scores.n)
    return Result(
        value,
        scores.n,
        (
            ("scores", scores.n),
            ("high", high),
            ("low", low),
            ("share_high", share(high, scores.n)),
            ("asked", asked),
            ("answers", answers),
            ("response_rate", share(answers, asked)),
        ),
    )


def _next_response(question: Question) -> Results:
    results = {}
    for group, outcomes in question.tally(Series.NEXT).items():
        answered = all_of(outcomes, Outcome.KEPT, Outcome.KEPT_LATE, Outcome.UNTARGETED)
        in_time = sum_of(outcomes, Outcome.KEPT)
        targeted = sum_of(outcomes, Outcome.KEPT, Outcome.KEPT_LATE, Outcome.WAITING)
        missing = sum_of(outcomes, Outcome.WAITING, Outcome.UNANSWERED)
        results[group] = Result(
            seconds(answered.percentile(0.5)),
            answered.n,
            (
                *spread(answered),
                ("missing", missing),
                ("targeted", targeted),
                ("in_time", in_time),
                ("share_in_time", share(in_time, targeted)),
            ),
        )
    return results


def _consistency(question: Question) -> Results:
    found = _consistent(question)
    asked, contradicted = len(found.asked_keys), len(found.contradicted_keys)
    return {(): Result(found.value, asked, (("asked_twice", asked), ("contradicted", contradicted)))} if asked else {}


def _behind_consistency(question: Question) -> Iterator[Evidence]:
    # An answer is an event of its own: nothing changes how it stands.
    return (Evidence(position, position, "contradicted") for position in _consistent(question).event_positions)


def _consistent(question: Question) -> contradictions.Consistency:
    return question.once(
        "consistency", lambda: contradictions.consistency(question.read, *bounds(question.asked.start, question.asked.end))
    )


def _backlog(question: Question, *, series: int, states: tuple[int, ...]) -> Results:
    now = question.read.evaluated
    ages: dict[Group, Measured] = {}
    for found in members_of(question.read, series, question.asked, states):
        age = max(0, now - found.time)
        ages.setdefault(found.group, Measured()).add(1, age, age)
    return {group: _aged(measured) for group, measured in ages.items()}


def _aged(measured: Measured) -> Result:
    classes = []
    for number, (name, first) in enumerate(AGES):
        last = AGES[number + 1][1] * DAY if number + 1 < len(AGES) else None
        classes.append(
            (name, float(sum(n for age, n in measured.values.items() if age >= first * DAY and (last is None or age < last))))
        )
    return Result(measured.n, measured.n, (*classes, *spread(measured)))


def _of_satisfaction(name: str, title: str, unit: FigureUnit.ValueType, formula: str) -> Definition:
    measure = name.removeprefix("satisfaction_")
    return Definition(
        name=name,
        version=1,
        title=title,
        text=f"{formula}, of the scores that customers gave in the period. Who answers is no sample: the number of scores and "
        "the response rate always stand beside it. The response rate needs satisfaction-asked.",
        source="domain §4, CSAT / NPS / CES; S2-4",
        unit=unit,
        member_time="said (scores), asked (questions)",
        slices=SLICES,
        parts={
            "scores": "Scores given.",
            "high": "Of these, high ones: 4 to 5 of 5, 9 to 10 of 10, 5 to 7 of 7; other scales in proportion.",
            "low": "Of these, low ones: 1 to 2 of 5, 0 to 6 of 10, 1 to 3 of 7.",
            "share_high": "High ÷ scores.",
            "asked": "Questions asked in the period.",
            "answers": "Scores that name the question they answer.",
            "response_rate": "Answers ÷ asked.",
        },
        measure=partial(_satisfaction, measure=measure),
        series=(Series.SATISFACTION,),
    )


_AGED: Final = {
    **{name: f"Members of this age: {name.replace('_', ' ')}." for name, _ in AGES},
    "mean_seconds": "Mean age, seconds.",
    "median_seconds": "Median age, seconds.",
    "p90_seconds": "90th percentile of age, seconds.",
}

assert set(MEASURES.values()) == {"csat", "nps", "ces"}

DEFINITIONS: Final = (
    Definition(
        name="next_response",
        version=1,
        title="Next response time",
        text="Median time from a later message of a contact, received in the period, to the answer that counts for it, clock "
        "time. Messages are counted, not contacts. No answer is missing, not zero; what needed none is left out. A share within "
        "target is of messages that a policy sets one for.",
        source="domain §4, next response time; domain rules 9.1, 9.2",
        unit=FIGURE_SECONDS,
        member_time="received",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.TIER, Slice.HOUR, Slice.WEEKDAY),
        parts={
            **SPREAD,
            "missing": "Messages without an answer.",
            "targeted": "Messages with a target.",
            "in_time": "Answered by the target.",
            "share_in_time": "In time ÷ messages with a target.",
        },
        measure=_next_response,
        series=(Series.NEXT,),
        buckets=True,
    ),
    _of_satisfaction("satisfaction_csat", "Satisfaction (CSAT)", FIGURE_SHARE, "Scores of 4 to 5 of 5 ÷ scores"),
    _of_satisfaction("satisfaction_nps", "Recommendation (NPS)", FIGURE_SCORE, "100 * (9 to 10 - 0 to 6) ÷ scores, -100 to 100"),
    _of_satisfaction("satisfaction_ces", "Ease (CES)", FIGURE_SCORE, "Mean on 1 to 7, 7 being easy; other scales in proportion"),
    Definition(
        name="answer_consistency",
        version=1,
        title="Answer consistency",
        text="1 - question keys with two incompatible answers of the period that were valid at the same time ÷ question keys "
        "asked at least twice in the period. An answer that a new policy replaced contradicts nothing: validity decides. Evidence "
        "names the answers that contradict one another.",
        source="domain §4, answer-consistency; domain rule 9.8",
        unit=FIGURE_SHARE,
        member_time="answered",
        slices=(),
        parts={"asked_twice": "Question keys asked at least twice.", "contradicted": "Of these, those contradicted."},
        measure=_consistency,
        evidence=_behind_consistency,
        always_exact=True,
    ),
    Definition(
        name="backlog_requests",
        version=1,
        title="Open requests by age",
        text="Requests open or waiting at the evaluated time, by age since they were opened; of those opened in the period. A "
        "snapshot: ask as of the past for others.",
        source="domain §4, backlog ageing",
        unit=FIGURE_COUNT,
        member_time="opened",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER),
        parts=_AGED,
        measure=partial(_backlog, series=Series.REQUEST, states=(REQUEST_STATE_OPEN, REQUEST_STATE_WAITING)),
        always_exact=True,
    ),
    Definition(
        name="backlog_contacts",
        version=1,
        title="Unanswered contacts by age",
        text="Inbound contacts not answered and not ended at the evaluated time, by age since they were received; of those "
        "received in the period. A snapshot: ask as of the past for others.",
        source="domain §4, backlog ageing; unhandled demands",
        unit=FIGURE_COUNT,
        member_time="received",
        slices=(Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER),
        parts=_AGED,
        measure=partial(_backlog, series=Series.CONTACT, states=(CONTACT_STATE_RECEIVED,)),
        always_exact=True,
    ),
)
