"""The servers that are measured: the ledger as it is served, its server part alone, and what it is compared with."""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import grpc

from benchmarks.figure import SkippedError
from benchmarks.process import ProcessFailedError, listening, running
from benchmarks.workload import import_started
from ledger.api.v1.admin_service_pb2 import GetStatusRequest, GetStatusResponse
from ledger.api.v1.admin_service_pb2_grpc import AdminServiceStub
from ledger.api.v1.ledger_service_pb2 import AppendRequest, AppendResponse, GetHeadRequest
from ledger.api.v1.ledger_service_pb2_grpc import LedgerServiceStub

APPEND: Final = "/ledger.api.v1.LedgerService/Append"
SETTLED_SECONDS: Final = 120.0


@contextmanager
def product(data: Path, seconds: float = 120.0, options: Sequence[str] = ()) -> Iterator[str]:
    """Serve a data directory with all its parts, as `tellonce serve` does, while the block lasts; yield the address."""
    command = [sys.executable, "-m", "ledger", "serve", "--data", str(data), "--listen", "127.0.0.1:0", *options]
    with running(command, "Tellonce serves on ", log_of(data), seconds) as address:
        yield address


def log_of(data: Path) -> Path:
    """Return the file that the processes of a served data directory log to."""
    return data.with_suffix(".log")


@contextmanager
def server_alone(data: Path, store: str = "", vault: str = "") -> Iterator[str]:
    """Serve a data directory without projector and clock, so that the views stand still; yield the address.

    `store`, `vault`: PostgreSQL databases of log and vault; by default they are files.
    """
    databases = (store, vault) if store else ()
    command = [sys.executable, "-m", "benchmarks.peers.server_alone", str(data), *databases]
    with running(command, "listening on ", log_of(data)) as address:
        yield address


@contextmanager
def noop(folder: Path) -> Iterator[str]:
    """Serve appends that do nothing; yield the address."""
    with running([sys.executable, "-m", "benchmarks.peers.noop"], "listening on ", folder / "noop.log") as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def umadb(folder: Path) -> Iterator[str]:
    """Serve an UmaDB; yield its address. Raises SkippedError when it is not installed."""
    program = Path(sys.executable).with_name("umadb")
    found = str(program) if program.exists() else shutil.which("umadb")
    if found is None or find_spec("umadb") is None:
        raise SkippedError("umadb is not installed: pip install umadb")
    port = _free_port()
    address = f"127.0.0.1:{port}"
    with listening([found, "--listen", address, "--db-path", str(folder / "uma.db")], folder / "umadb.log"):
        _wait_for_port(port)
        yield address


@contextmanager
def sealing_peer(folder: Path, umadb_address: str) -> Iterator[str]:
    """Serve appends that are validated and sealed as the ledger does, and stored in an UmaDB; yield the address."""
    command = [sys.executable, "-m", "benchmarks.peers.sealing", str(folder), umadb_address]
    with running(command, "listening on ", folder / "sealing.log") as port:
        yield f"127.0.0.1:{port}"


class Asking:
    """A connection to a ledger, for the few calls that a benchmark makes itself."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=(("grpc.max_receive_message_length", 64 << 20),))
        self._log = LedgerServiceStub(self._channel)
        self._admin = AdminServiceStub(self._channel)

    def head(self) -> int:
        """Return where the log ends."""
        return int(self._log.GetHead(GetHeadRequest()).position)

    def append(self, request: AppendRequest) -> AppendResponse:
        """Append. Raises ProcessFailedError when a group is refused."""
        response: AppendResponse = self._log.Append(request)
        for result in response.results:
            if result.HasField("error"):
                raise ProcessFailedError(f"refused: {result.error.message}")
        return response

    def open_run(self) -> None:
        """Open the import run of the sample."""
        self.append(AppendRequest(groups=[import_started()]))

    def status(self) -> GetStatusResponse:
        """Return how the ledger stands."""
        status: GetStatusResponse = self._admin.GetStatus(GetStatusRequest())
        return status

    def settle(self, seconds: float = SETTLED_SECONDS) -> int:
        """Wait until the views and the search stand at the head, and nothing more comes; return the position."""
        deadline = time.monotonic() + seconds
        quiet = -1
        while time.monotonic() < deadline:
            status = self.status()
            level = min(status.views_position, status.search_position) >= status.head_position
            if level and quiet == status.head_position:
                return quiet
            quiet = status.head_position if level else -1
            time.sleep(0.3 if level else 0.05)
        raise ProcessFailedError(f"the views did not reach the head in {seconds:g} s")

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._channel.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(port: int, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise ProcessFailedError(f"nothing listens on port {port}")
