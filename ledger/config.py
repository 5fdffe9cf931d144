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
LAG_LIMIT_SECONDS: Final = 10.0

WORKERS: Final = 1
WORKERS_MAX: Final = 64

VARIABLES: Final = {
    "TELLONCE_DATA": "Data directory, when --data is not given.",
    "TELLONCE_LISTEN": "Address to listen on, when --listen is not given.",
    "TELLONCE_STORE": "Address of the PostgreSQL database of the log, when --store is not given.",
    "TELLONCE_VAULT": "Address of the PostgreSQL database of the vault, when --vault is not given.",
    "TELLONCE_VIEWS_FROM": "Node whose views a new node takes over, when --views-from is not given.",
    "TELLONCE_LAG_LIMIT": "Seconds a node's views may lag before another one serves in its place, when --lag-limit is not given.",
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
    views_from: str = ""
    """Host and port of a node whose views are taken over where there are none; empty: they are built from the log."""
    lag_limit_seconds: float = LAG_LIMIT_SECONDS
    """So far the views may lag before a node says that it does not serve, if another one does better."""
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
    views_from: str | None = None,
    lag_limit_seconds: float | None = None,
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
        recording_allowance_seconds = _seconds(environment, "TELLONCE_RECORDING_ALLOWANCE", RECORDING_ALLOWANCE_SECONDS)
    if lag_limit_seconds is None:
        lag_limit_seconds = _seconds(environment, "TELLONCE_LAG_LIMIT", LAG_LIMIT_SECONDS)
    if not lag_limit_seconds > 0:
        raise ConfigError(f"The lag limit is more than 0 seconds, not {lag_limit_seconds:g}.")
    views_from = views_from or environment.get("TELLONCE_VIEWS_FROM") or ""
    if views_from:
        _host_and_port(views_from)
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
        views_from=views_from,
        lag_limit_seconds=lag_limit_seconds,
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


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise ConfigError(f"{text!r} is not a number of seconds: give {name} such as {default:g}.") from None


def _host_and_port(address: str) -> tuple[str, int]:
    host, colon, port_text = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port_text.isascii() or not port_text.isdigit() or int(port_text) > 65_535:
        raise ConfigError(f"{address!r} is not an address: give host and port, such as {LISTEN}.")
    return host, int(port_text)


def _workers(text: str | None) -> int:
    try:
        return int(text) if text else WORKERS
    except ValueError:
        raise ConfigError(f"{text!r} is not a number of workers: give TELLONCE_WORKERS such as 2.") from None


def _parsed(listen: str) -> tuple[str, int]:
    host, port = _host_and_port(listen)
    if not _is_loopback(host):
        raise ConfigError(
            f"Refused to listen on {listen}: there is no access control yet, so only this machine may connect. "
            f"Use a loopback address such as {LISTEN}."
        )
    return host, port


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
