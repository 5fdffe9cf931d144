"""P3b: a hundred events a call, against pyeventsourcing's stock Application.save(), on SQLite and PostgreSQL, with like content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import count
from typing import Any, Final

from benchmarks.figure import Bench, Figure, Goal, Result, SkippedError
from benchmarks.figures.append_many import EVENTS_PER_CALL, EVENTS_PER_SECOND_MAX, Load, ready_calls
from benchmarks.harness import compared, in_turn
from benchmarks.peers.postgres import Postgres, postgres
from benchmarks.process import measured_by
from benchmarks.servers import Asking, server_alone

GOAL: Final = Goal(ratio_min=5.0)
NAME: Final = "Append, 100 a call, vs pyeventsourcing's stock Application.save()"
ON_SQLITE: Final = "on SQLite"
ON_POSTGRES: Final = "on PostgreSQL"
DETAIL: Final = "theirs in one process, without gRPC, rules and duplicates; encrypted by its own cipher"


def run(bench: Bench) -> Sequence[Result]:
    """Measure P3b."""
    if find_spec("Crypto") is None:
        raise SkippedError("the cipher of pyeventsourcing is not installed: pip install 'eventsourcing[crypto]'")
    folder = bench.folder("append-stock")
    requests = ready_calls(bench)
    load = Load(bench, requests, bench.ready_for(EVENTS_PER_SECOND_MAX) // EVENTS_PER_CALL)
    numbers = count()

    def stock(settings: Callable[[str], dict[str, str]]) -> dict[str, Any]:
        given = {name: value for name, value in settings(f"stock{next(numbers)}").items() if value}
        measured: dict[str, Any] = measured_by(
            "stock",
            *("--requests", requests, "--seconds", bench.seconds),
            *(argument for name, value in given.items() for argument in ("--setting", f"{name}={value}")),
        )
        return measured

    def on_sqlite(name: str) -> dict[str, str]:
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / f"{name}.db")}

    with ExitStack() as stack:
        address = stack.enter_context(server_alone(folder / "data"))
        with Asking(address) as asking:
            asking.open_run()
        contenders: dict[str, Callable[[], dict[str, Any]]] = {
            "ours": lambda: load.on(address),
            ON_SQLITE: lambda: stock(on_sqlite),
        }
        missing = ""
        try:
            server = stack.enter_context(postgres(folder))
        except SkippedError as error:
            missing = str(error)
        else:
            contenders[ON_POSTGRES] = lambda: stock(lambda name: _on_postgres(server, name))
        measured = in_turn(bench, contenders)
    rates = {name: [one["events"] / one["seconds"] for one in rounds] for name, rounds in measured.items()}
    lines = [
        compared("P3b", f"{NAME} {where}", "events/s", GOAL, rates["ours"], rates[where], DETAIL)
        for where in (ON_SQLITE, ON_POSTGRES)
        if where in rates
    ]
    if missing:
        lines.append(lines[0]._replace(name=f"{NAME} {ON_POSTGRES}", limit=None, ratio=None, met=None, skipped=missing))
    return lines


def _on_postgres(server: Postgres, name: str) -> dict[str, str]:
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(server.new_database(name))
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": name,
        "POSTGRES_HOST": str(parts.get("host") or ""),
        "POSTGRES_PORT": str(parts.get("port") or ""),
        "POSTGRES_USER": str(parts.get("user") or ""),
        # It insists on one; a server of our own asks for none.
        "POSTGRES_PASSWORD": str(parts.get("password") or "none"),
    }


FIGURE: Final = Figure("P3b", NAME, GOAL, run)
