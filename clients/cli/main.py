"""The command `tellonce`: one program for those who append, ask, import and audit.

Commands are modules of clients/cli/commands; commands of the server run in the server's own program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

import typer

from clients.cli.server_command import SERVER_COMMANDS, run_server_command

HELP: Final = "The customer tells once; every department gives the same answer."


def main() -> None:
    """Run a command. Expected errors end it with a sentence and an exit code, never with a traceback."""
    arguments = sys.argv[1:]
    if arguments and arguments[0] in SERVER_COMMANDS:
        run_server_command(arguments)
    # Loaded only now: the server does not wait for what its command line never needs.
    from clients.cli.failure import CommandError
    from clients.cli.output import complain

    try:
        try:
            build()(prog_name="tellonce")
        finally:
            sys.stdout.flush()
    except CommandError as error:
        complain(str(error))
        sys.exit(error.code)
    except SystemExit as ended:
        # Typer ends so, with 1, when nobody reads what is printed any more.
        if isinstance(ended.__context__, BrokenPipeError):
            _leave_quietly()
        raise
    except BrokenPipeError:
        _leave_quietly()


def _leave_quietly() -> NoReturn:
    """End well: the reader (`head`, a pager) has enough. Nothing more may be written at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def build() -> typer.Typer:
    """Return the whole command line."""
    from clients.cli.commands import (
        answers,
        append,
        card,
        complaints,
        contacts,
        demo,
        exceptions,
        experience,
        export,
        figures,
        handoffs,
        history,
        imports,
        improvements,
        journeys,
        link,
        move_department,
        notices,
        opportunities,
        playbooks,
        policy,
        promises,
        repeats,
        replay,
        requests,
        sample,
        statements,
        status,
    )
    from clients.cli.failure import MEANINGS

    codes = "\n\n".join(f"{code}: {meaning}." for code, meaning in MEANINGS.items())
    app = typer.Typer(
        help=HELP,
        epilog=f"Exit codes: 0: done.\n\n{codes}\n\nEvery command has examples: tellonce COMMAND --help.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for name, does in SERVER_COMMANDS.items():
        app.command(name, help=does, add_help_option=False, context_settings=_PASSED_ON)(_server_command(name))
    for name, command, module in (
        ("append", append.append, append),
        ("history", history.history, history),
        ("card", card.card, card),
        ("handoffs", handoffs.handoffs, handoffs),
        ("promises", promises.promises, promises),
        ("requests", requests.requests, requests),
        ("journeys", journeys.journeys, journeys),
        ("repeats", repeats.repeats, repeats),
        ("export", export.export, export),
        ("complaints", complaints.complaints, complaints),
        ("exceptions", exceptions.exceptions, exceptions),
        ("experience", experience.experience, experience),
        ("answers", answers.answers, answers),
        ("statements", statements.statements, statements),
        ("opportunities", opportunities.opportunities, opportunities),
        ("improvements", improvements.improvements, improvements),
        ("contacts", contacts.contacts, contacts),
        ("figures", figures.figures, figures),
        ("notices", notices.notices, notices),
        ("link", link.link, link),
        ("move-department", move_department.move_department, move_department),
        ("playbooks", playbooks.playbooks, playbooks),
        ("policy", policy.policy, policy),
        ("import", imports.import_, imports),
        ("replay", replay.replay, replay),
        ("status", status.status, status),
        ("sample", sample.sample, sample),
        ("demo", demo.demo, demo),
    ):
        app.command(name, epilog="\n\n".join(["Examples:", *module.EXAMPLES]))(command)
    return app


_PASSED_ON: Final[dict[str, Any]] = {"allow_extra_args": True, "ignore_unknown_options": True}


def _server_command(name: str) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        run_server_command([name, *context.args])

    return command


if __name__ == "__main__":
    main()
