"""The command `tellonce copy`: copies a ledger, and shows how far it is."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.copying import CopyError, Places, copy
from ledger.data_directory import ConfigError, DataDirectory
from ledger.durable_file import ServerSettingError, make_folder
from ledger.privacy.vault_store import VaultUnavailableError
from ledger.server.lock import FileLock
from ledger.sqlite_file import SchemaTooNewError
from ledger.store.recorder import StoreError


def run_copy(source: DataDirectory, target: DataDirectory) -> None:
    """Copy, and end the process with what to do when it cannot be. Raises ConfigError."""
    if isinstance(target.log, str):
        lock = None
    else:
        make_folder(target.path)
        target.prepare()
        lock = FileLock(target.supervisor_lock)
        if not lock.acquire():
            raise ConfigError(f"{target.path} is being served by process {lock.holder()}: stop it first.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            tasks = {what: shown.add_task(what, total=None) for what in ("events", "keys")}
            copied = copy(
                Places(source.log, source.vault),
                Places(target.log, target.vault),
                lambda what, done, total: shown.update(tasks[what], completed=done, total=total),
            )
    except (CopyError, StoreError, VaultUnavailableError, SchemaTooNewError, ServerSettingError) as error:
        sys.exit(f"{error} What was copied stays: run the same command again to go on.")
    finally:
        if lock is not None:
            lock.release()
    print(f"{copied.events:,} events copied. Both logs end at {copied.position:,} with the digest {copied.digest.hex()}.")
    print(f"Both vaults have {copied.subjects:,} keys.")
    print("The master key was not copied: put keys/master.key into the new data directory.")
