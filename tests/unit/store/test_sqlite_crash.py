"""The log survives the death of its writer. Run as a program, this file is the writer that is killed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from ledger.store.recorder import StoredEventRow
from ledger.store.sqlite import open_reader, open_recorder

KILLS = 10


def row_at(position: int) -> StoredEventRow:
    digest = sha256(position.to_bytes(8, "big")).digest()
    return StoredEventRow(position, digest[:16], f"contact-{position // 3}", position % 3, "topic", position, digest * 8, digest)


def append_for_ever(path: Path, seed: str) -> None:
    """Append batches, and say after each commit how far it got."""
    recorder = open_recorder(path)
    order = random.Random(seed)
    while True:
        with recorder.transaction() as transaction:
            first = transaction.head.position + 1
            rows = [row_at(position) for position in range(first, first + order.randrange(1, 200))]
            transaction.insert(rows)
        print(rows[-1].position, flush=True)


def write_and_kill(path: Path, seed: str, after_seconds: float) -> int:
    """Start a writer, kill it some time after its first commit, and return the last position it acknowledged."""
    with subprocess.Popen([sys.executable, __file__, str(path), seed], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(after_seconds)
        child.kill()
        # The last line may be cut short: only whole ones were said.
        lines = [first, *child.stdout]
    return max(int(line) for line in lines if line.endswith("\n"))


def test_a_writer_killed_again_and_again_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    order = random.Random(7)

    for kill in range(KILLS):
        acknowledged = write_and_kill(path, str(kill), order.uniform(0.0, 0.15))

        reader = open_reader(path)
        head = reader.head().position
        found = reader.read(0, head + 1_000)
        reader.close()
        assert head >= acknowledged
        assert [row_at(position) for position in range(1, head + 1)] == found

    open_recorder(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


if __name__ == "__main__":
    append_for_ever(Path(sys.argv[1]), sys.argv[2])
