"""The server's part of the command `tellonce`, run as `python -m ledger`: serve a ledger."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.config import (
    DATA_DIR,
    DEFAULT_REGION,
    HOME_ZONE,
    LAG_LIMIT_SECONDS,
    LISTEN,
    RECORDING_ALLOWANCE_SECONDS,
    WORKERS,
    Config,
    load_config,
    places,
)
from ledger.data_directory import ConfigError

app = typer.Typer(
    name="ledger",
    help="The customer-interaction ledger: the customer tells once, every department gives the same answer.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """The customer-interaction ledger: the customer tells once, every department gives the same answer."""


@app.command(
    epilog="Examples:\n\n"
    "`tellonce serve`\n\n"
    "`tellonce serve --data /srv/tellonce --listen 127.0.0.1:50052`\n\n"
    "`tellonce serve --home-zone Europe/Paris --default-region FR`\n\n"
    "`tellonce serve --workers 2`\n\n"
    "`tellonce serve --data /srv/node1 --store postgresql://ledger@db1,db2/tellonce`\n\n"
    "`tellonce serve --data /srv/node2 --store postgresql://ledger@db1,db2/tellonce --views-from 127.0.0.1:50051`"
)
def serve(
    data: Annotated[
        Path | None, typer.Option(help=f"Data directory; made when it is missing. Default: $TELLONCE_DATA, else {DATA_DIR}.")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(help=f"Loopback address to listen on; port 0 takes any free one. Default: $TELLONCE_LISTEN, else {LISTEN}."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Address of the PostgreSQL database of the log, for several nodes of one ledger, such as "
            "postgresql://user@host1,host2/tellonce. Default: $TELLONCE_STORE, else files in the data directory."
        ),
    ] = None,
    vault: Annotated[
        str | None,
        typer.Option(
            help="Address of the PostgreSQL database of the vault: another one than the log's. "
            "Default: $TELLONCE_VAULT, else the database of the same server whose name ends in _vault."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that answer calls, on one port. With several, appends to a file go through one more process. "
            f"Default: $TELLONCE_WORKERS, else {WORKERS}.",
            metavar="N",
        ),
    ] = None,
    home_zone: Annotated[
        str | None,
        typer.Option(
            help="Zone in which local times are read. Counts only when the ledger is made. "
            f"Default: $TELLONCE_HOME_ZONE, else {HOME_ZONE}."
        ),
    ] = None,
    default_region: Annotated[
        str | None,
        typer.Option(
            help="Region in which phone numbers without a prefix are read. Counts only when the ledger is made. "
            f"Default: $TELLONCE_DEFAULT_REGION, else {DEFAULT_REGION}."
        ),
    ] = None,
    recording_allowance: Annotated[
        float | None,
        typer.Option(
            help="Seconds by which recording may follow what happened: the clock waits so long after a due. "
            f"Counts only when the ledger is made. Default: $TELLONCE_RECORDING_ALLOWANCE, else {RECORDING_ALLOWANCE_SECONDS:g}."
        ),
    ] = None,
    views_from: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Node of the same ledger whose views are taken over when there are none here, instead of building them from "
            "the log. Default: $TELLONCE_VIEWS_FROM.",
        ),
    ] = None,
    lag_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="When the views lag by more than this, and another node's do not, health says that this one does not serve. "
            f"Default: $TELLONCE_LAG_LIMIT, else {LAG_LIMIT_SECONDS:g}.",
        ),
    ] = None,
    reflection: Annotated[
        bool, typer.Option("--reflection", help="Let tools such as grpcurl ask which services there are.")
    ] = False,
) -> None:
    """Serve a ledger over gRPC until Ctrl-C or SIGTERM. What is under way is finished, and everything acknowledged is stored."""
    try:
        config = load_config(
            data_dir=data,
            listen=listen,
            reflection=reflection,
            home_zone=home_zone,
            default_region=default_region,
            recording_allowance_seconds=recording_allowance,
            store=store,
            vault=vault,
            views_from=views_from,
            lag_limit_seconds=lag_limit,
            workers=workers,
        )
        supervise(config)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


@app.command(
    "copy",
    epilog="Examples:\n\n"
    "`tellonce copy --from ./data --to postgresql://ledger@db1/tellonce`\n\n"
    "`tellonce copy --from postgresql://ledger@db1/tellonce --to /srv/tellonce`",
)
def copy_ledger(
    source: Annotated[str, typer.Option("--from", help="Data directory, or address of a PostgreSQL database.")],
    target: Annotated[str, typer.Option("--to", help="Data directory, or address of a PostgreSQL database; made when missing.")],
    from_vault: Annotated[str | None, typer.Option(help="Database of the source's vault. Default: <the log's>_vault.")] = None,
    to_vault: Annotated[str | None, typer.Option(help="Database of the target's vault. Default: <the log's>_vault.")] = None,
) -> None:
    """Copy a ledger to another store: same positions, events and keys, compared while copied. Run again, it goes on.

    The master key is not copied: take `keys/master.key` of the data directory along yourself.
    """
    from ledger.copy_command import run_copy

    try:
        run_copy(places(source, from_vault), places(target, to_vault))
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def supervise(config: Config) -> None:
    """Run all parts of a ledger until told to stop. Raises ConfigError when they cannot be started as told."""
    # Not at the top: --help must not load a server.
    from ledger import processes
    from ledger.server.lock import FileLock
    from ledger.server.part import log_plainly
    from ledger.server.supervisor import StartFailedError

    log_plainly()
    config.data.prepare()
    lock = FileLock(config.data.supervisor_lock)
    if not lock.acquire():
        raise ConfigError(
            f"The data directory {config.data_dir} is served already, by process {lock.holder()}: "
            "stop that one first, or give another directory with --data."
        )
    processes.wait_for_predecessors(config)
    config, port = processes.with_port(config)
    with port:
        try:
            processes.supervisor(config).run(lambda recovery_copy: _tell(config, recovery_copy))
        except StartFailedError:
            raise typer.Exit(1) from None
    logging.getLogger("tellonce").info("stopped")


def _tell(config: Config, recovery_copy: str | None) -> None:
    typer.echo(f"Tellonce serves on {config.address}")
    typer.echo(f"  Data directory: {config.data_dir}")
    if config.store:
        typer.echo("  Log and vault: PostgreSQL. Every other node needs a copy of the master key of this data directory.")
    typer.echo(f"  To stop: Ctrl-C, or `kill {os.getpid()}`; what is under way is finished first.")
    if recovery_copy is not None:
        typer.echo("")
        typer.echo("A new master key was made. This is its recovery copy, shown this once:")
        typer.echo("")
        typer.echo(f"    {recovery_copy}")
        typer.echo("")
        typer.echo("Keep it on paper or in a password safe, away from this machine and from the backups of its data.")
        typer.echo("Without the key file or this copy nothing that is sealed can ever be read again.")
    sys.stdout.flush()


if __name__ == "__main__":
    # The command of that name runs this program for what is the server's.
    app(prog_name="tellonce")
