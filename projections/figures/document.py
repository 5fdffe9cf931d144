"""Writes docs/figures.md from the definitions: `python -m projections.figures.document`. What a figure means is said once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.api.v1.figure_pb2 import FigureSlice, FigureUnit
from projections.figures.definition import Definition
from projections.figures.definitions import ALL, SETS

PAGE: Final = Path(__file__).parents[2] / "docs" / "figures.md"

_HEAD: Final = """# Figures

What `tellonce figures` and `InsightService.GetFigures` say, and what it means. This page is written from the definitions:
`python -m projections.figures.document`. A definition keeps its name; its version goes up whenever the same facts would give
another value.

```
tellonce figures --from 2026-01-01 --to 2027-01-01                     # the state of play: the set `baseline`
tellonce figures promise_kept_rate --by department                     # one figure, cut
tellonce figures --set staffing --by weekday,hour --zone Europe/Paris  # for staffing
tellonce figures --set departments --by department,receiver            # department pairs
tellonce figures --set process --by reason                             # what it takes to know, to escalate, to tell
tellonce figures first_response --as-of 2026-03-01 --evidence 20       # as known then, with the events behind it
tellonce figures --definitions                                         # this page, at the command line
```

## How they are counted

- **Members are chosen by the definition's own time** (received, due, offered, …), half-open: from the first instant of `--from`
  to before the first instant of `--to`. Both are local in `--zone`, by default the ledger's home zone; the answer states it.
  Days and hours are cut by the rule of that date, so the two nights of the year are 23 and 25 hours long.
- **Late facts mend old figures.** `--as-of` gives the figure as it was known then, `--before` as it had happened before then.
- **Missing is not zero.** A value without members is left out. What is in no part of a fraction stands beside it.
- **Exact or within 1 %.** Counts, sums, means and shares of outcomes are exact. Percentiles, and counts within a time, come
  from buckets 2 % wide, so they are at most 1 % from the exact value; the answer says so. `--exact` reads every value.
  Durations below a millisecond count as zero.
- **Cells or rows.** Cells hold counts by quarter hour, channel, department and kind, with every change at its log position.
  They answer the present and any past position. Rows are read one by one, which is slower and always exact, for: `--exact`,
  `--before`, `--evidence`, slices by reason, skill and tier, periods that do not begin and end on a quarter hour, and the figures
  that say so below.
- **Evidence** names members by the event that opened them and the event by which they stand as they do, up to 500, with their
  number. A member that is one event is named by that alone.
- **Held against.** Where the policy in force says what a figure should be ([assessments](policy.md#assessments)), each row says so,
  with the version, and whether it is met.
- **Amounts** are reckoned by the prices of a policy (`costs`); the answer names currency and versions.
- **Nothing reads sealed content**: erasing a customer changes no figure.
- **Handle time is never alone**: who asks for it, or for a figure that it is a part of, gets first-contact resolution, repeat rate
  and satisfaction with it.
- What is imported from a source that does not record answers has no target; its contacts show as unhandled, because nobody said
  otherwise.

## Sets

| Set | For whom | Figures |
|---|---|---|
"""


def page() -> str:
    """Return the page."""
    sets = "".join(f"| `{one.name}` | {one.text} | {', '.join(f'`{name}`' for name in one.figures)} |\n" for one in SETS)
    return _HEAD + sets + "\n## Definitions\n" + "".join(map(_described, ALL))


def _described(one: Definition) -> str:
    unit = FigureUnit.Name(one.unit).removeprefix("FIGURE_").lower().replace("_", " ")
    slices = ", ".join(FigureSlice.Name(FigureSlice.ValueType(part)).removeprefix("FIGURE_BY_").lower() for part in one.slices)
    lines = [
        f"\n### {one.name}\n",
        f"**{one.title}**, version {one.version}, {unit}. {one.text}\n",
        f"- Member time: {one.member_time}.",
        f"- Cut by: {slices or 'nothing'}.",
        f"- Source: {one.source}.",
    ]
    if one.always_exact:
        lines.append("- Made of rows.")
    if one.bundle:
        lines.append(f"- Always served with {', '.join(f'`{name}`' for name in one.bundle)}.")
    return "\n".join(
        [*lines, "", "| Part | Meaning |", "|---|---|", *(f"| {name} | {text} |" for name, text in one.parts.items()), ""]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
