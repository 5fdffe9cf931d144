"""Where the nodes of a ledger stand, as each of them writes it beside the log: a node can see whether others are ahead of it."""

from __future__ import annotations

from typing import Final, LiteralString

from ledger.postgres_server import WAIT_SECONDS, PgConnection, connect_to
from ledger.store.postgres_schema import store_errors
from ledger.store.recorder import NodePlace

FRESH_MICROS: Final = 10_000_000
"""A node that wrote nothing for so long is gone."""

KEPT_MICROS: Final = 86_400_000_000

_NOW: Final[LiteralString] = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class PostgresNodes:
    """Keeps the promises of Nodes. Used by one thread."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: PgConnection | None = None

    def stand_at(self, name: str, position: int) -> list[NodePlace]:
        """Write where a node's views stand, and return where all nodes do, this one too. Raises StoreError."""
        with store_errors():
            connection = self._open()
            lag: LiteralString = (
                f"greatest(0, coalesce((SELECT {_NOW} - record_time FROM event WHERE position = %(position)s + 1), 0))"
            )
            connection.execute(
                f"INSERT INTO node (name, position, lag_micros, seen) VALUES (%(name)s, %(position)s, {lag}, {_NOW}) "
                "ON CONFLICT (name) DO UPDATE "
                "SET position = excluded.position, lag_micros = excluded.lag_micros, seen = excluded.seen",
                {"name": name, "position": position},
            )
            connection.execute(f"DELETE FROM node WHERE seen < {_NOW} - %s", (KEPT_MICROS,))
            found = connection.execute(
                f"SELECT name, position, lag_micros, seen FROM node WHERE seen > {_NOW} - %s ORDER BY name", (FRESH_MICROS,)
            )
            return [NodePlace._make(row) for row in found]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> PgConnection:
        if self._connection is None or self._connection.closed:
            self._connection = connect_to(self._dsn)
            # Nothing is lost with it, and it must not wait for a standby.
            self._connection.execute("SELECT set_config('synchronous_commit', 'off', false)")
            self._connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{WAIT_SECONDS:g}s",))
        return self._connection
