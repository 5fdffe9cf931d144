"""Where everything of one ledger lies: files, folders, sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.wake import SocketPathTooLongError, check_socket_path

SERVER: Final = "server"
"""Name of the one server process; of several, the names are `worker-1`, `worker-2`, …."""
APPENDER: Final = "appender"
"""Name of the process that appends for several workers."""


class ConfigError(Exception):
    """The server cannot start as told: the message says what to change."""


class DataDirectory:
    """Where everything of one ledger lies, and where its processes find each other."""

    def __init__(self, path: Path, log: str = "", vault: str = "", workers: int = 1) -> None:
        """`log`, `vault`: addresses of PostgreSQL databases; without them both are files here. `workers`: serving processes."""
        self.path = path
        self.log: Path | str = log or path / "log.db"
        self.vault: Path | str = vault or path / "vault.db"
        self.master_key = path / "keys" / "master.key"
        self.views = path / "views"
        self.playbooks = path / "playbooks.db"
        """How far the playbooks have looked, and what they could not do."""
        self.run = path / "run"
        """Sockets and the lock file: nothing in it outlives the processes."""
        self.supervisor_lock = self.run / "serve.lock"
        """Held by the supervisor: one for each data directory."""
        self.grpc_socket = self.run / "ledger.sock"
        """The door of the first server process for the ledger's own parts."""
        self.append_socket = self.run / "append.sock"
        """The appender's door for the workers."""
        self.servers = [SERVER] if workers == 1 else [f"worker-{number}" for number in range(1, workers + 1)]
        """Names of the processes that serve."""
        self.parts_file = self.run / "parts"
        """How the processes are, as the supervisor sees them."""
        self.projector_socket = self.run / "projector.sock"
        """Wakes the projector when the log has grown."""

    def wake_socket(self, name: str) -> Path:
        """Return what wakes a serving process when the views have moved."""
        return self.run / f"{name}.sock"

    def lock_of(self, name: str) -> Path:
        """Return what a process holds that serves or appends: it may outlive its supervisor by a moment."""
        return self.run / f"{name}.lock"

    def locks(self) -> list[Path]:
        """Return the locks of all processes that serve or append, or did."""
        return sorted(path for path in self.run.glob("*.lock") if path != self.supervisor_lock)

    def prepare(self) -> None:
        """Make the directory and its run directory, for the owner alone. Raises ConfigError where that cannot be."""
        try:
            for path in (self.path, self.run):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.run.chmod(0o700)
            for path in (self.projector_socket, *map(self.wake_socket, self.servers)):
                check_socket_path(path)
        except (OSError, SocketPathTooLongError) as error:
            raise ConfigError(f"The data directory {self.path} cannot be used: {error}") from error
