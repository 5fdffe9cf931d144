"""How `tellonce policy compare` shows what would differ: sums over the pieces of the log, and the differences one by one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from rich.table import Table

from clients.cli.listing import Output
from clients.cli.output import NUMBER, SHORT, WIDE, console, print_json, print_read_at, print_table, remark, table
from clients.cli.times import show_time
from clients.cli.words import word
from clients.python.pages import Pages
from ledger.api.v1.whatif_pb2 import (
    COMPARED_DEPARTMENT,
    COMPARED_INTAKE_FACTS,
    COMPARED_PLAYBOOK,
    COMPARED_REQUIRED_FACTS,
    ComparedCount,
    ComparedKind,
    ComparedOutcome,
    ComparedSide,
    ComparedValue,
    CompareWithPolicyResponse,
    PolicyComparison,
    PolicyDifference,
)

KINDS: Final = ComparedKind.DESCRIPTOR
OUTCOMES: Final = ComparedOutcome.DESCRIPTOR


def show_comparison(pages: Pages[CompareWithPolicyResponse, PolicyComparison], output: Output) -> None:
    """Print the whole comparison, every piece of it summed up; it tells how far it is as it goes."""
    whole = PolicyComparison()
    differences: list[PolicyDifference] = []
    most = output.row_limit
    for piece in pages:
        add(whole, piece)
        room = None if most is None else max(0, most - len(differences))
        taken = list(islice(piece.differences, room))
        whole.not_listed_count += len(piece.differences) - len(taken)
        differences.extend(taken)
        if piece.position < piece.until_position:
            remark(f"Looked at {piece.position:,} of {piece.until_position:,} positions.")
    whole.differences.extend(differences)
    if output.json:
        print_json(CompareWithPolicyResponse(result=whole, read_at=pages.read_at))
        return
    print_table(_counts(whole.counts), "Nothing of the period is ruled by a policy.")
    print_table(_differences(differences, output.utc), "Nothing would differ.")
    if whole.not_listed_count:
        remark(f"{whole.not_listed_count:,} more would differ: --all lists them.")
    if whole.left_out_count:
        remark(f"{whole.left_out_count:,} were left out, because an event of theirs was corrected.")
    console().print(f"{whole.event_count:,} events of the period were looked at; nothing was recorded.")
    print_read_at(pages.read_at, utc=output.utc)


def add(whole: PolicyComparison, piece: PolicyComparison) -> None:
    """Add the counts of a piece to the whole."""
    rows = {count.kind: count for count in whole.counts}
    for count in piece.counts:
        if count.kind not in rows:
            rows[count.kind] = ComparedCount(kind=count.kind)
        _add(rows[count.kind], count)
    del whole.counts[:]
    whole.counts.extend(rows[kind] for kind in sorted(rows))
    for name in ("not_listed_count", "event_count", "left_out_count"):
        setattr(whole, name, getattr(whole, name) + getattr(piece, name))
    whole.position, whole.until_position = piece.position, piece.until_position


def _add(whole: Any, piece: Any) -> None:
    for field in whole.DESCRIPTOR.fields:
        if field.message_type is not None:
            _add(getattr(whole, field.name), getattr(piece, field.name))
        elif field.name.endswith("_count"):
            setattr(whole, field.name, getattr(whole, field.name) + getattr(piece, field.name))


def _counts(counts: Iterable[ComparedCount]) -> Table:
    made = table("what", ("looked at", NUMBER), ("would differ", NUMBER), ("as it was", WIDE), ("as it would be", WIDE))
    for count in counts:
        made.add_row(
            word(KINDS, count.kind),
            f"{count.looked_count:,}",
            f"{count.changed_count:,}",
            _side(count.kind, count.recorded),
            _side(count.kind, count.candidate),
        )
    return made


def _side(kind: int, side: ComparedSide) -> str:
    if kind == COMPARED_PLAYBOOK:
        return f"{side.fired_count:,} set off"
    if kind in (COMPARED_REQUIRED_FACTS, COMPARED_INTAKE_FACTS, COMPARED_DEPARTMENT):
        return f"{side.marked_count:,} marked, {side.refused_count:,} refused"
    parts = {
        "met": side.met_count,
        "broken": side.broken_count,
        "open": side.open_count,
        "void": side.void_count,
        "without": side.without_count,
    }
    return ", ".join(f"{count:,} {name}" for name, count in parts.items() if count) or "-"


def _differences(rows: Iterable[PolicyDifference], utc: bool) -> Table:
    made = table(("position", NUMBER), ("when", SHORT), "what", ("about", SHORT), ("as it was", WIDE), ("as it would be", WIDE))
    for row in rows:
        made.add_row(
            f"{row.position:,}",
            show_time(row.occur_time, utc=utc),
            word(KINDS, row.kind),
            row.about or row.stream,
            _value(row, row.recorded, utc),
            _value(row, row.candidate, utc),
        )
    return made


def _value(row: PolicyDifference, value: ComparedValue, utc: bool) -> str:
    codes = ", ".join(code.replace("_", " ") for code in value.codes)
    if row.kind == COMPARED_PLAYBOOK:
        return f"set off: {codes}" if value.fired else "not set off"
    if row.kind in (COMPARED_REQUIRED_FACTS, COMPARED_INTAKE_FACTS, COMPARED_DEPARTMENT):
        return f"refused: {codes}" if value.refused else codes or "-"
    due = f"due {show_time(value.due_time, utc=utc)}" if value.HasField("due_time") else "no due"
    return f"{due}, {word(OUTCOMES, value.outcome)}" if value.outcome else due
