"""`tellonce policy`: the service policies: check a file, publish it, see which rules are in force, and write them back to YAML."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from clients.cli import options
from clients.cli.comparing import show_comparison
from clients.cli.connection import connect
from clients.cli.failure import USAGE, CommandError
from clients.cli.listing import Output, show_rows
from clients.cli.output import NUMBER, console, print_json, print_read_at, remark, table
from clients.cli.times import show_time
from clients.connectors.policy_text import PolicyText, PolicyTextError, read_policy
from clients.connectors.policy_writer import write_policy
from clients.python import Client, event
from ledger.api.v1.policy_pb2 import PolicyPublished, PolicyWithdrawn
from ledger.api.v1.policy_service_pb2 import GetPolicyResponse, PublishedPolicy

EXAMPLES: Final = (
    "tellonce policy check service.yaml",
    "tellonce policy publish service.yaml --from 2026-12-01",
    "tellonce policy show",
    "tellonce policy show --at 2026-12-24 --as-of 4711",
    "tellonce policy list",
    "tellonce policy export --id service --version 2",
    "tellonce policy withdraw --id service --version 2",
    "tellonce policy compare service.yaml --from 2026-01-01 --to 2026-04-01",
)

SHIPPED: Final = Path(__file__).parents[2] / "connectors" / "policies"
"""Policies that come with the program: the one every ledger is born with, and an example."""


class Action(StrEnum):
    """What to do."""

    CHECK = "check"
    PUBLISH = "publish"
    WITHDRAW = "withdraw"
    SHOW = "show"
    LIST = "list"
    EXPORT = "export"
    COMPARE = "compare"


def policy(
    action: Annotated[
        Action,
        typer.Argument(
            metavar="ACTION",
            help="check: list the mistakes of a file. publish: record it, to rule from a time on. withdraw: take a version back. "
            "show: the rules in force. list: all versions. export: a version as YAML. "
            "compare: what would have differed in a past period.",
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="With check, publish and compare: a YAML file, or the name of a shipped policy."),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="With publish: in force from then; default: as the file says, else now. With compare: begin of the period.",
        ),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="With compare: end of the period, exclusive.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="With show and export: in force then.")] = None,
    id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Id of the policy. With publish: instead of the file's.")
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, metavar="N", help="Its version. With publish, by default the next one.")
    ] = None,
    actor: Annotated[str | None, typer.Option("--actor", metavar="CODE", help="Staff code of who publishes or withdraws.")] = None,
    as_of: options.AsOfOption = None,
    before: options.BeforeOption = None,
    limit: options.LimitOption = None,
    all: options.AllOption = False,
    json: options.JsonOption = False,
    utc: options.UtcOption = False,
    target: options.TargetOption = options.DEFAULT_TARGET,
) -> None:
    """Rules as data: calendars, departments, targets, handoff types, promise kinds, playbooks; docs/policy.md explains them."""
    output = Output(json, utc, limit, all)
    asked = options.as_of(as_of, before, utc=utc)
    if (file is not None) != (action in (Action.CHECK, Action.PUBLISH, Action.COMPARE)):
        raise options.usage("FILE", "check, publish and compare take a file, the others none.")
    with connect(target) as client:
        match action:
            case Action.CHECK:
                assert file is not None
                checked = _checked(client, file)
                console().print("No mistakes.")
                _warn(client, checked)
            case Action.PUBLISH:
                assert file is not None
                checked = _checked(client, file)
                published = checked.published
                _warn(client, checked)
                _name(client, published, id, version)
                moment = options.moment("--from", from_, utc=utc)
                if moment is not None or not published.HasField("in_force_from"):
                    published.in_force_from.FromDatetime(moment or datetime.now(UTC))
                (appended,) = client.append(event(published, actor=actor))
                since = show_time(published.in_force_from, utc=utc)
                console().print(
                    f"Policy {published.policy_id} version {published.policy_version} is recorded at position "
                    f"{appended.position:,}, in force from {since}."
                )
            case Action.COMPARE:
                assert file is not None
                begin, end = options.moment("--from", from_, utc=utc), options.moment("--to", to, utc=utc)
                if begin is None or end is None:
                    raise options.usage("--from, --to", "Say which period to compare.")
                candidate = _checked(client, file).published.policy
                listed = min(output.row_limit or 500, 500)
                show_comparison(client.compare_with_policy(candidate, begin, end, as_of=asked, page_size=listed), output)
            case Action.WITHDRAW:
                if id is None or version is None:
                    raise options.usage("--id, --version", "Name the version to withdraw.")
                client.append(event(PolicyWithdrawn(policy_id=id, policy_version=version), actor=actor))
                console().print(f"Policy {id} version {version} rules nothing that is recorded from now on.")
            case Action.LIST:
                pages = client.policies(as_of=asked, page_size=output.page_size)
                show_rows(pages, "policies", policy_table, "No policies.", output)
            case Action.SHOW | Action.EXPORT:
                if (id is None) != (version is None):
                    raise options.usage("--id, --version", "One version of a policy has both.")
                moment = options.moment("--at", at, utc=utc)
                _show(client.policy(moment, policy_id=id, version=version, as_of=asked), action, output)


def _checked(client: Client, file: Path) -> PolicyText:
    """Return a policy without mistakes, or end the command with all of them, each with its line."""
    path = SHIPPED / f"{file}.yaml" if not file.exists() and (SHIPPED / f"{file}.yaml").exists() else file
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}.", USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is no text in UTF-8.", USAGE) from error
    try:
        found = read_policy(text, str(file))
        for mistake in client.check_policy(found.published.policy):
            found.add_found(mistake.path, mistake.message)
        found.end()
    except PolicyTextError as error:
        raise CommandError(f"The policy has mistakes; nothing was published.\n{error}", USAGE) from error
    return found


def _warn(client: Client, checked: PolicyText) -> None:
    """Print what in a policy cannot be had together, each with both its lines: it can be published all the same."""
    for one in client.policy_conflicts(checked.published.policy):
        place, other = checked.place_of(one.path), checked.place_of(one.other_path) if one.other_path else None
        key, where = f"{place.key}: " if place.key else "", f" (see line {other.line})" if other is not None else ""
        console().print(Text(f"Warning: {checked.name}:{place.line}: {key}{one.message}{where}."), soft_wrap=True)


def _name(client: Client, published: PolicyPublished, id: str | None, version: int | None) -> None:
    """Set id and version: those said, else those of the file; the version else the next one."""
    if id is not None:
        published.policy_id = id
    if not published.policy_id:
        raise options.usage("--id", "The file names no policy_id: give one.")
    if version is not None:
        published.policy_version = version
    if not published.policy_version:
        known = [one.policy_version for one in client.policies() if one.policy_id == published.policy_id]
        published.policy_version = max(known, default=0) + 1


def _show(response: GetPolicyResponse, action: Action, output: Output) -> None:
    if output.json:
        print_json(response)
        return
    found = response.result
    said = PolicyPublished(
        policy_id=found.policy_id, policy_version=found.policy_version, in_force_from=found.in_force_from, policy=found.policy
    )
    if action is Action.EXPORT:
        print(write_policy(said), end="")
        return
    console().print(policy_table([found], output.utc))
    console().print(write_policy(said))
    for calendar in found.policy.calendars:
        until = show_time(calendar.expanded.horizon_until, utc=output.utc)
        remark(f"The hours of {calendar.calendar} are known until {until}: publish another version before.")
    for one in found.conflicts:
        remark(f"Warning: {one.path}{f' and {one.other_path}' if one.other_path else ''}: {one.message}.")
    print_read_at(response.read_at, utc=output.utc)


def policy_table(rows: Iterable[PublishedPolicy], utc: bool) -> Table:
    """Return versions of policies."""
    made = table("policy", ("version", NUMBER), "in force from", ("position", NUMBER), "recorded", "by", "")
    for row in rows:
        gone = f"withdrawn at position {row.withdrawn_position:,}" if row.HasField("withdrawn_position") else ""
        made.add_row(
            row.policy_id,
            f"{row.policy_version:,}",
            show_time(row.in_force_from, utc=utc),
            f"{row.position:,}",
            show_time(row.record_time, utc=utc),
            row.actor,
            gone,
        )
    return made
