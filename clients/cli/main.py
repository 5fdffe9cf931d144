"""The command `tellonce`: one program for those who append, ask, import and audit.

Commands are modules of clients/cli/commands; commands of the server run in the server's own program.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

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
        build()(prog_name="tellonce")
    except CommandError as error:
        complain(str(error))
        sys.exit(error.code)
    except BrokenPipeError:
        # The reader (`head`, a pager) has enough. Nothing more may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def build() -> typer.Typer:
    """Return the whole command line."""
    from clients.cli.commands import (
        append,
        card,
        contacts,
        demo,
        handoffs,
        history,
        imports,
        promises,
        replay,
        requests,
        sample,
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
        ("contacts", contacts.contacts, contacts),
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
