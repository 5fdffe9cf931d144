"""Figures of requests and of what passes between departments."""

from __future__ import annotations

from typing import Final

from ledger.api.v1.figure_pb2 import FIGURE_PER_MEMBER, FIGURE_SECONDS, FIGURE_SHARE
from projections.figures.definition import SPREAD, Definition, Result, all_of, by_group, seconds, share, spread, sum_of
from projections.figures.members import OUTCOMES, REOPENED, RETURNED, Outcome, Series
from projections.figures.tally import Outcomes, Slice

PAIRS: Final = (Slice.DEPARTMENT, Slice.RECEIVER, Slice.KIND, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)
REQUESTS: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.REASON, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)


def _acceptance(outcomes: Outcomes) -> Result:
    accepted = all_of(outcomes, Outcome.ACCEPTED)
    return Result(
        seconds(accepted.percentile(0.5)),
        accepted.n,
        (
            *spread(accepted),
            ("offered", sum_of(outcomes, *OUTCOMES)),
            ("pending", sum_of(outcomes, Outcome.WAITING)),
            ("rejected", sum_of(outcomes, Outcome.REJECTED)),
            ("withdrawn", sum_of(outcomes, Outcome.WITHDRAWN)),
        ),
    )


def _return_rate(outcomes: Outcomes) -> Result:
    offered = sum_of(outcomes, *OUTCOMES)
    returned = sum_of(outcomes, *OUTCOMES, with_flag=RETURNED)
    return Result(share(returned, offered), offered, (("returned", returned), ("offered", offered)))


def _fact_loss(outcomes: Outcomes) -> Result:
    absent, passed = all_of(outcomes, Outcome.ABSENT), all_of(outcomes, Outcome.PASSED)
    required = absent.total + passed.total
    parts = (("absent", absent.total), ("required", required), ("accepted_without", absent.n))
    return Result(share(absent.total, required), required, parts)


def _reopen_rate(outcomes: Outcomes) -> Result:
    resolved = sum_of(outcomes, *OUTCOMES)
    reopened = sum_of(outcomes, *OUTCOMES, with_flag=REOPENED)
    return Result(share(reopened, resolved), resolved, (("reopened", reopened), ("resolved", resolved)))


def _time_to_resolution(outcomes: Outcomes) -> Result:
    resolved = all_of(outcomes)
    return Result(seconds(resolved.percentile(0.5)), resolved.n, spread(resolved))


def _handoffs_per_request(outcomes: Outcomes) -> Result:
    requests = all_of(outcomes)
    return Result(share(requests.total, requests.n), requests.n, (("handoffs", requests.total), ("requests", requests.n)))


DEFINITIONS: Final = (
    Definition(
        name="handoff_acceptance",
        version=1,
        title="Handoff acceptance time",
        text="Median time from the offer of a handoff, offered in the period, to its first acceptance. Those not accepted are "
        "counted beside, not as zero. Department is the sender; cut by both departments it is the table of pairs.",
        source="domain §4, handoff acceptance time; S1-5, S1-17",
        unit=FIGURE_SECONDS,
        member_time="offered",
        slices=PAIRS,
        parts={
            **SPREAD,
            "offered": "Handoffs offered.",
            "pending": "Not accepted, rejected or withdrawn so far.",
            "rejected": "Rejected without ever being accepted.",
            "withdrawn": "Withdrawn without ever being accepted.",
        },
        measure=by_group(_acceptance, Series.HANDOFF),
        series=(Series.HANDOFF,),
        buckets=True,
    ),
    Definition(
        name="handoff_return_rate",
        version=1,
        title="Handoff return rate",
        text="Handoffs returned at least once ÷ handoffs offered in the period. A return is not a new handoff.",
        source="domain §4, return rate; S1-16",
        unit=FIGURE_SHARE,
        member_time="offered",
        slices=PAIRS,
        parts={"returned": "Returned at least once.", "offered": "Offered."},
        measure=by_group(_return_rate, Series.HANDOFF),
        series=(Series.HANDOFF,),
    ),
    Definition(
        name="handoff_fact_loss",
        version=2,
        title="Required facts lost at handoffs",
        text="Required facts absent at the first acceptance ÷ facts required, of the accepted handoffs offered in the period. A "
        "fact is required by the policy for the type, and absent when neither the offer nor a supply passed it. Cut by department: "
        "what each sender lost. Handoffs of types that require nothing, and imports that are not measured, have no part in it.",
        source="domain §4, fact-loss rate; S1-11, S1-16",
        unit=FIGURE_SHARE,
        member_time="offered",
        slices=PAIRS,
        parts={
            "absent": "Required facts absent at the first acceptance.",
            "required": "Required facts.",
            "accepted_without": "Handoffs accepted without a required fact.",
        },
        measure=by_group(_fact_loss, Series.FACTS),
        series=(Series.FACTS,),
    ),
    Definition(
        name="handoffs_per_request",
        version=1,
        title="Handoffs per request",
        text="Handoffs ever offered ÷ requests, of the requests opened in the period. Department is the present owner; "
        "transfers of a live contact and consultations are not handoffs.",
        source="domain §4, handoff rate; S4-10",
        unit=FIGURE_PER_MEMBER,
        member_time="opened",
        slices=REQUESTS,
        parts={"handoffs": "Handoffs offered.", "requests": "Requests opened."},
        measure=by_group(_handoffs_per_request, Series.REQUEST),
        series=(Series.REQUEST,),
    ),
    Definition(
        name="reopen_rate",
        version=1,
        title="Reopen rate",
        text="Requests reopened at least once ÷ requests, of those first resolved in the period. A follow-up opened as a new "
        "request is none: it shows as a repeat.",
        source="domain §4, reopen rate",
        unit=FIGURE_SHARE,
        member_time="first resolved",
        slices=REQUESTS,
        parts={"reopened": "Reopened at least once.", "resolved": "First resolved in the period."},
        measure=by_group(_reopen_rate, Series.RESOLVED),
        series=(Series.RESOLVED,),
    ),
    Definition(
        name="time_to_resolution",
        version=1,
        title="Time to first resolution",
        text="Median time from a request's opening to its *first* resolution, of those first resolved in the period, clock "
        "time; waiting for the customer is in it.",
        source="domain §4, time to resolution (plain)",
        unit=FIGURE_SECONDS,
        member_time="first resolved",
        slices=REQUESTS,
        parts=SPREAD,
        measure=by_group(_time_to_resolution, Series.RESOLVED),
        series=(Series.RESOLVED,),
        buckets=True,
    ),
)
