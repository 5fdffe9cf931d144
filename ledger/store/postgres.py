"""pyeventsourcing's persistence module on PostgreSQL (`PERSISTENCE_MODULE=ledger.store.postgres`), and how to open a log.

Everything goes through the one transaction of postgres_log.py. Must not import another InfrastructureFactory: the library takes
the only one it finds here.
"""

from __future__ import annotations

from typing import Final, Never

from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError, TrackingRecorder
from eventsourcing.utils import Environment, EnvType

from ledger.store.postgres_log import PostgresLogReader, PostgresLogRecorder
from ledger.store.recorder import LogReader
from ledger.store.recorders import LogAggregateRecorder, LogApplicationRecorder


class PostgresApplicationRecorder(LogApplicationRecorder, PostgresLogRecorder):
    """The log as pyeventsourcing's application recorder."""


def open_recorder(dsn: str) -> PostgresApplicationRecorder:
    """Open a log for appending, made where there is none. Any number of processes append.

    `dsn`: an address as libpq takes it, such as `postgresql://host1,host2/ledger`.
    """
    return PostgresApplicationRecorder(dsn)


def open_reader(dsn: str) -> LogReader:
    """Open an existing log for reading. Raises StoreUnavailableError when it is missing."""
    return PostgresLogReader(dsn)


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Opens the log named by `LOG_DSN`, once, and closes it. Views keep their own progress, so nothing tracks here."""

    LOG_DSN: Final = "LOG_DSN"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        dsn = self.env.get(self.LOG_DSN)
        if not dsn:
            raise InfrastructureFactoryError(f"{self.LOG_DSN} is not set: say where the log's database is.")
        self._dsn = dsn
        self._recorder: PostgresApplicationRecorder | None = None

    def application_recorder(self) -> PostgresApplicationRecorder:
        """Return the recorder of the log, always the same one."""
        if self._recorder is None:
            self._recorder = open_recorder(self._dsn)
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
