"""What a server is told at start. The only place that reads the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from ledger.data_directory import ConfigError, DataDirectory

DATA_DIR: Final = "./data"
LISTEN: Final = "127.0.0.1:50051"
HOME_ZONE: Final = "UTC"
DEFAULT_REGION: Final = "FR"
ALLOWANCE_SECONDS_MAX: Final = 86_400
RECORDING_ALLOWANCE_SECONDS: Final = 120.0

WORKERS: Final = 1
WORKERS_MAX: Final = 64

VARIABLES: Final = {
    "TELLONCE_DATA": "Data directory, when --data is not given.",
    "TELLONCE_LISTEN": "Address to listen on, when --listen is not given.",
    "TELLONCE_STORE": "Address of the PostgreSQL database of the log, when --store is not given.",
    "TELLONCE_VAULT": "Address of the PostgreSQL database of the vault, when --vault is not given.",
    "TELLONCE_WORKERS": "Processes that answer calls, when --workers is not given.",
    "TELLONCE_HOME_ZONE": "Home time zone of a new ledger, when --home-zone is not given.",
    "TELLONCE_DEFAULT_REGION": "Region of phone numbers without a prefix in a new ledger, when --default-region is not given.",
    "TELLONCE_RECORDING_ALLOWANCE": "Recording allowance of a new ledger in seconds, when --recording-allowance is not given.",
}
"""Every environment variable the server knows, and what it does."""

_REGION: Final = re.compile(r"[A-Z]{2}")
_POSTGRES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class Config:
    """What a server is told. Passed as it is to every part."""

    data_dir: Path
    host: str
    port: int
    """0: any free one."""
    reflection: bool
    home_zone: str
    default_region: str
    recording_allowance_seconds: float = RECORDING_ALLOWANCE_SECONDS
    store: str = ""
    """Address of the PostgreSQL database of the log; empty: a file in the data directory."""
    vault: str = ""
    """Address of the one of the vault; empty together with `store`."""
    workers: int = 1
    """Processes that answer calls."""

    @property
    def address(self) -> str:
        """Host and port, as gRPC writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def data(self) -> DataDirectory:
        """Where everything lies."""
        return DataDirectory(self.data_dir, self.store, self.vault, self.workers)


def load_config(
    *,
    data_dir: Path | None = None,
    listen: str | None = None,
    reflection: bool = False,
    home_zone: str | None = None,
    default_region: str | None = None,
    recording_allowance_seconds: float | None = None,
    store: str | None = None,
    vault: str | None = None,
    workers: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return what is told by arguments, else by the environment, else by default. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    host, port = _parsed(listen or environment.get("TELLONCE_LISTEN") or LISTEN)
    home_zone = home_zone or environment.get("TELLONCE_HOME_ZONE") or HOME_ZONE
    default_region = default_region or environment.get("TELLONCE_DEFAULT_REGION") or DEFAULT_REGION
    try:
        ZoneInfo(home_zone)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"{home_zone!r} is not a time zone: give an IANA name such as Europe/Paris.") from error
    if not _REGION.fullmatch(default_region):
        raise ConfigError(f"{default_region!r} is not a region: give two capital letters such as FR.")
    if recording_allowance_seconds is None:
        recording_allowance_seconds = _seconds(environment.get("TELLONCE_RECORDING_ALLOWANCE"))
    if not 0 <= recording_allowance_seconds <= ALLOWANCE_SECONDS_MAX:
        raise ConfigError(f"The recording allowance is 0 to {ALLOWANCE_SECONDS_MAX} seconds, not {recording_allowance_seconds:g}.")
    store, vault = _databases(store or environment.get("TELLONCE_STORE"), vault or environment.get("TELLONCE_VAULT"))
    if workers is None:
        workers = _workers(environment.get("TELLONCE_WORKERS"))
    if not 1 <= workers <= WORKERS_MAX:
        raise ConfigError(f"There are 1 to {WORKERS_MAX} workers, not {workers}: give at most one a processor.")
    return Config(
        data_dir=(data_dir or Path(environment.get("TELLONCE_DATA") or DATA_DIR)).expanduser().absolute(),
        host=host,
        port=port,
        reflection=reflection,
        home_zone=home_zone,
        default_region=default_region,
        recording_allowance_seconds=recording_allowance_seconds,
        store=store,
        vault=vault,
        workers=workers,
    )


def places(ledger: str, vault: str | None) -> DataDirectory:
    """Return where a ledger lies that is named by its data directory, or by the address of its log's database."""
    if not ledger.startswith(_POSTGRES):
        if vault:
            raise ConfigError("The vault of a data directory is in it: name no database for it.")
        return DataDirectory(Path(ledger.removeprefix("sqlite://")).expanduser().absolute())
    return DataDirectory(Path(), *_databases(ledger, vault))


def _databases(store: str | None, vault: str | None) -> tuple[str, str]:
    """Return the addresses of log and vault; both empty: files. The vault is by default the database `<log's>_vault` beside it."""
    for name, address in (("--store", store), ("--vault", vault)):
        if address and not address.startswith(_POSTGRES):
            raise ConfigError(f"{name} takes the address of a PostgreSQL database, such as postgresql://user@host/tellonce.")
    if not store:
        if vault:
            raise ConfigError("--vault names the database of the vault of a log in PostgreSQL: name that with --store.")
        return "", ""
    if vault == store:
        raise ConfigError("The vault needs a database of its own: who destroys one must not touch the other. Name it with --vault.")
    return store, vault or _vault_beside(store)


def _vault_beside(store: str) -> str:
    parts = urlsplit(store)
    database = parts.path.strip("/")
    if not database:
        raise ConfigError("--store names no database, so name the vault's with --vault.")
    return urlunsplit(parts._replace(path=f"/{database}_vault"))


def _seconds(text: str | None) -> float:
    try:
        return float(text) if text else RECORDING_ALLOWANCE_SECONDS
    except ValueError:
        raise ConfigError(f"{text!r} is not a number of seconds: give TELLONCE_RECORDING_ALLOWANCE such as 120.") from None


def _workers(text: str | None) -> int:
    try:
        return int(text) if text else WORKERS
    except ValueError:
        raise ConfigError(f"{text!r} is not a number of workers: give TELLONCE_WORKERS such as 2.") from None


def _parsed(listen: str) -> tuple[str, int]:
    host, colon, port_text = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port_text.isascii() or not port_text.isdigit() or int(port_text) > 65_535:
        raise ConfigError(f"{listen!r} is not an address: give host and port, such as {LISTEN}.")
    if not _is_loopback(host):
        raise ConfigError(
            f"Refused to listen on {listen}: there is no access control yet, so only this machine may connect. "
            f"Use a loopback address such as {LISTEN}."
        )
    return host, int(port_text)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
