"""PostgreSQL alone: one connection that inserts the rows of a log into an empty one, many rows a statement and transaction.

Prints {"events", "seconds", "bytes_an_event"}. The same table with the same indexes; nothing is checked, decided or sealed.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import chain
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from ledger.store.log_rows import COLUMNS
from ledger.store.postgres_schema import SCHEMA


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="database of the log that the rows are read from")
    parser.add_argument("--target", required=True, help="database to insert them into")
    parser.add_argument("--rows", type=int, default=100, help="rows a statement, and a transaction")
    parser.add_argument("--events", type=int, default=20_000, help="at most so many events")
    parser.add_argument("--seconds", type=float, required=True)
    arguments = parser.parse_args()
    with psycopg.connect(arguments.log) as source:
        read = f"SELECT {COLUMNS} FROM event ORDER BY position LIMIT %s"
        rows: list[tuple[Any, ...]] = source.cursor(binary=True).execute(read, (arguments.events,)).fetchall()
        (size, last) = source.execute("SELECT pg_total_relation_size('event'), max(position) FROM event").fetchone() or (0, 1)
    with psycopg.connect(arguments.target, autocommit=True) as target:
        # What an earlier round left, whatever tables the log has by now.
        tables = target.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        for (table,) in tables:
            target.execute(SQL("DROP TABLE {}").format(Identifier(table)))
        for statement in SCHEMA:
            target.execute(statement)
        one = "(%s, %s, %s, %s, %s, %s, %s, %s)"
        insert = f"INSERT INTO event ({COLUMNS}) VALUES {', '.join([one] * arguments.rows)}".encode()
        cursor = target.cursor(binary=True)
        begin = now = time.perf_counter()
        count = 0
        for start in range(0, len(rows) - arguments.rows + 1, arguments.rows):
            cursor.execute(insert, list(chain.from_iterable(rows[start : start + arguments.rows])), prepare=True)
            count += arguments.rows
            now = time.perf_counter()
            if now - begin >= arguments.seconds:
                break
    print(json.dumps({"events": count, "seconds": now - begin, "bytes_an_event": size / last}))


if __name__ == "__main__":
    main()
