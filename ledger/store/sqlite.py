"""pyeventsourcing's persistence module on SQLite (`PERSISTENCE_MODULE=ledger.store.sqlite`), and how to open a log.

Everything goes through the one transaction of sqlite_log.py. Must not import another InfrastructureFactory: the library takes
the only one it finds here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Never

from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError, TrackingRecorder
from eventsourcing.utils import Environment, EnvType

from ledger.store.recorder import LogReader
from ledger.store.recorders import LogAggregateRecorder, LogApplicationRecorder
from ledger.store.sqlite_log import SqliteLogReader, SqliteLogRecorder


class SqliteApplicationRecorder(LogApplicationRecorder, SqliteLogRecorder):
    """The log file as pyeventsourcing's application recorder."""


def open_recorder(path: Path) -> SqliteApplicationRecorder:
    """Open a log for appending, made when it is missing. Its folder must exist. One process appends at a time."""
    return SqliteApplicationRecorder(path)


def open_reader(path: Path) -> LogReader:
    """Open an existing log for reading. Raises StoreUnavailableError when it is missing."""
    return SqliteLogReader(path)


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Opens the log named by `LOG_PATH`, once, and closes it. Views keep their own progress, so nothing tracks here."""

    LOG_PATH: Final = "LOG_PATH"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        path = self.env.get(self.LOG_PATH)
        if not path:
            raise InfrastructureFactoryError(f"{self.LOG_PATH} is not set: name the file of the log.")
        self._path = Path(path)
        self._recorder: SqliteApplicationRecorder | None = None

    def application_recorder(self) -> SqliteApplicationRecorder:
        """Return the recorder of the log, always the same one."""
        if self._recorder is None:
            self._recorder = open_recorder(self._path)
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> LogAggregateRecorder:
        """Return the log as an aggregate recorder. Raises NotImplementedError for snapshots: the views hold what they would."""
        if purpose != "events":
            raise NotImplementedError(f"The log keeps events, not {purpose}.")
        return LogAggregateRecorder(self.application_recorder())

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> Never:
        """Raise NotImplementedError: the views keep their own progress."""
        raise NotImplementedError("The log tracks nobody: the views keep their own progress.")

    def process_recorder(self) -> Never:
        """Raise NotImplementedError: the views keep their own progress."""
        raise NotImplementedError("The log tracks nobody: the views keep their own progress.")

    def close(self) -> None:
        """Close the log."""
        if self._recorder is not None:
            self._recorder.close()
