"""Where everything of one ledger lies: files, folders, sockets."""

from __future__ import annotations

from pathlib import Path

from ledger.wake import SocketPathTooLongError, check_socket_path


class ConfigError(Exception):
    """The server cannot start as told: the message says what to change."""


class DataDirectory:
    """Where everything of one ledger lies, and where its processes find each other."""

    def __init__(self, path: Path, log: str = "", vault: str = "") -> None:
        """`log`, `vault`: addresses of PostgreSQL databases; without them both are files here."""
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
        self.server_lock = self.run / "append.lock"
        """Held by the process that appends: it may outlive its supervisor by a moment."""
        self.grpc_socket = self.run / "ledger.sock"
        """The server's door for the ledger's own parts."""
        self.server_socket = self.run / "server.sock"
        """Wakes the server when the views have moved."""
        self.projector_socket = self.run / "projector.sock"
        """Wakes the projector when the log has grown."""

    def prepare(self) -> None:
        """Make the directory and its run directory, for the owner alone. Raises ConfigError where that cannot be."""
        try:
            for path in (self.path, self.run):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.run.chmod(0o700)
            for path in (self.grpc_socket, self.server_socket, self.projector_socket):
                check_socket_path(path)
        except (OSError, SocketPathTooLongError) as error:
            raise ConfigError(f"The data directory {self.path} cannot be used: {error}") from error
