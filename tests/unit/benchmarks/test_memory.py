"""How the memory of the ledger's processes is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.memory import PROC, memory_by_part, memory_of, parts_in

LOG = """\
2026-01-01 10:00:00,000 INFO tellonce.supervisor: server started, process 11
2026-01-01 10:00:01,000 INFO tellonce.supervisor: server is ready
2026-01-01 10:00:01,000 INFO tellonce.supervisor: projector started, process 12
2026-01-01 10:00:09,000 ERROR tellonce.supervisor: projector ended with exit code -9: starting it again in 0 s
2026-01-01 10:00:09,000 INFO tellonce.supervisor: projector started, process 15
"""


def test_the_parts_are_those_that_were_started_last() -> None:
    assert {"server": 11, "projector": 15} == parts_in(LOG)


def test_memory_of_its_own_is_what_is_neither_file_nor_cache() -> None:
    status = "Name:\tpython\nVmRSS:\t  300000 kB\nRssAnon:\t  100000 kB\nRssFile:\t  190000 kB\nRssShmem:\t   10000 kB\n"

    assert (112.64, 307.2) == (pytest.approx(memory_of(status).own), pytest.approx(memory_of(status).resident))


@pytest.mark.skipif(not PROC.exists(), reason="NEEDS /proc: memory of processes is read from there")
def test_memory_of_a_process_that_runs_is_found(tmp_path: Path) -> None:
    log = tmp_path / "data.log"
    log.write_text(f"2026-01-01 10:00:00,000 INFO tellonce.supervisor: server started, process {os.getpid()}\n")

    memory = memory_by_part(log)["server"]

    assert 5 < memory.own < memory.resident
