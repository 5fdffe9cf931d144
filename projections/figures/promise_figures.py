"""Figures of promises and targets: what was due, and what of it was kept."""

from __future__ import annotations

from typing import Final

from ledger.api.v1.figure_pb2 import FIGURE_SHARE
from projections.figures.definition import Definition, Question, Result, Results, groups_of, share, sum_of
from projections.figures.members import CLAIMED, MOVED, OUTCOMES, RENEGOTIATED, Outcome, Series
from projections.figures.tally import Slice

SLICES: Final = (Slice.CHANNEL, Slice.DEPARTMENT, Slice.KIND, Slice.TIER, Slice.HOUR, Slice.WEEKDAY)


def _kept_rate(question: Question) -> Results:
    last, first = question.tally(Series.PROMISE), question.tally(Series.FIRST_DATE)
    not_due, first_not_due = question.not_yet_due(Series.PROMISE), question.not_yet_due(Series.FIRST_DATE)
    results = {}
    for group in groups_of(last, first):
        outcomes, of_first = last.get(group, {}), first.get(group, {})
        kept, late = sum_of(outcomes, Outcome.KEPT), sum_of(outcomes, Outcome.KEPT_LATE)
        broken, waiting = sum_of(outcomes, Outcome.BROKEN), sum_of(outcomes, Outcome.WAITING)
        later = not_due.get(group, 0)
        first_kept = sum_of(of_first, Outcome.KEPT)
        first_missed = sum_of(of_first, Outcome.KEPT_LATE, Outcome.BROKEN)
        # A date that was moved and has passed was not kept; one that was not moved may be recorded as kept yet.
        first_moved = sum_of(of_first, Outcome.WAITING, with_flag=MOVED)
        first_moved -= min(first_moved, first_not_due.get(group, 0))
        first_dates = first_kept + first_missed + first_moved
        results[group] = Result(
            share(kept, kept + late + broken),
            kept + late + broken,
            (
                ("kept", kept),
                ("kept_late", late),
                ("broken", broken),
                ("undecided", waiting - later),
                ("not_yet_due", later),
                ("released", sum_of(outcomes, Outcome.RELEASED)),
                ("withdrawn", sum_of(outcomes, Outcome.WITHDRAWN)),
                ("renegotiated", sum_of(outcomes, *OUTCOMES, with_flag=RENEGOTIATED)),
                ("moved_by_us", sum_of(outcomes, *OUTCOMES, with_flag=MOVED)),
                ("claimed", sum_of(outcomes, Outcome.KEPT, with_flag=CLAIMED)),
                ("first_dates", first_dates),
                ("kept_by_first_date", first_kept),
                ("rate_by_first_date", share(first_kept, first_dates)),
            ),
        )
    return results


def _attainment(question: Question) -> Results:
    not_due = question.not_yet_due(Series.TARGET)
    results = {}
    for group, outcomes in question.tally(Series.TARGET).items():
        met, late = sum_of(outcomes, Outcome.KEPT), sum_of(outcomes, Outcome.KEPT_LATE)
        broken, waiting = sum_of(outcomes, Outcome.BROKEN), sum_of(outcomes, Outcome.WAITING)
        all_due = met + late + broken + waiting
        later = not_due.get(group, 0)
        results[group] = Result(
            share(met, all_due),
            all_due,
            (
                ("met", met),
                ("met_late", late),
                ("breached", broken),
                ("open_past_due", waiting - later),
                ("not_yet_due", later),
                ("void", sum_of(outcomes, Outcome.NOT_NEEDED)),
            ),
        )
    return results


DEFINITIONS: Final = (
    Definition(
        name="promise_kept_rate",
        version=1,
        title="Promise-kept rate",
        text="Kept ÷ (kept + kept late + broken), of the promises said (not made by a playbook) and told to the customer whose "
        "last due in force falls in the period. Released or withdrawn before the due stand beside, after it they count broken; "
        "replaced ones count broken; open with the due past is undecided, beside. Undated promises have no due and are in no "
        "rate. Derived targets are never mixed in. The second line is by the first date said: kept by it ÷ first dates in the "
        "period. Department is the owner at the due.",
        source="domain §4, definitions that bind: kept rate; domain rules 8.6, 9.4",
        unit=FIGURE_SHARE,
        member_time="due: last due in force",
        slices=SLICES,
        parts={
            "kept": "Kept in time.",
            "kept_late": "Kept after the due.",
            "broken": "Not kept when the due passed, and not since; also released, withdrawn or replaced after the due.",
            "undecided": "Open, the due is past: nobody has said yet.",
            "not_yet_due": "Open, the due is not past.",
            "released": "Released by the customer before the due.",
            "withdrawn": "Withdrawn by us before the due.",
            "renegotiated": "Of all of these, those whose date the customer asked for or agreed to.",
            "moved_by_us": "Of all of these, those whose date moved otherwise.",
            "claimed": "Of the kept ones, those recorded after the due on somebody's word.",
            "first_dates": "Promises whose first date said falls in the period and is decided.",
            "kept_by_first_date": "Of these, kept by that date.",
            "rate_by_first_date": "Kept by first date ÷ first dates.",
        },
        measure=_kept_rate,
        series=(Series.PROMISE,),
    ),
    Definition(
        name="target_attainment",
        version=1,
        title="Target attainment",
        text="Targets met ÷ targets whose due falls in the period, open and breached ones included. Void ones (needing no "
        "answer, or given up, before the due) are in no rate. Contacts without a target are not in it: never on time. "
        "Department is the one that ran the channel.",
        source="domain §4, SLA attainment",
        unit=FIGURE_SHARE,
        member_time="due",
        slices=SLICES,
        parts={
            "met": "Met by the due.",
            "met_late": "Answered after the due.",
            "breached": "Not met when the due passed, and not since.",
            "open_past_due": "Open, the due is past, the breach is not recorded yet.",
            "not_yet_due": "Open, the due is not past.",
            "void": "Not owed any more before the due: in no rate.",
        },
        measure=_attainment,
        series=(Series.TARGET,),
    ),
)
