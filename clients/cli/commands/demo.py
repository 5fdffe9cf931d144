"""`tellonce demo`: a ledger for a minute, with a sample in it, and what it answers."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from rich.rule import Rule
from rich.text import Text

from clients.cli import options
from clients.cli.commands.answers import contradiction_table
from clients.cli.commands.card import card_text
from clients.cli.commands.complaints import complaint_table
from clients.cli.commands.handoffs import handoff_table
from clients.cli.commands.history import history_table
from clients.cli.commands.imports import import_file, mapping_path
from clients.cli.commands.progress import progress_bar
from clients.cli.commands.promises import promise_table
from clients.cli.commands.sample import SEED, SIZE, SeedOption, SizeOption, write_sample
from clients.cli.connection import connect
from clients.cli.failure import UNAVAILABLE, CommandError
from clients.cli.listing import Output, show_rows
from clients.cli.output import console, print_read_at, remark
from clients.cli.server_command import server_command
from clients.cli.words import identifier_text
from clients.python import Client
from ledger.api.v1.promise_service_pb2 import PROMISE_STATE_BROKEN

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
CLOCK_SECONDS: Final = 60.0
ALLOWANCE_SECONDS: Final = "5"
ROWS: Final = 8
CUSTOMERS_LOOKED_AT: Final = 20
EXAMPLES: Final = ("tellonce demo", "tellonce demo --size 20000 --seed 7")


def demo(size: SizeOption = SIZE, seed: SeedOption = SEED, utc: options.UtcOption = False) -> None:
    """Serve on a temporary folder, import an invented sample, and show what the ledger answers. Leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="tellonce-") as folder:
        file = Path(folder, "sample.jsonl")
        count = write_sample(file, size, seed, datetime.now(UTC).replace(second=0, microsecond=0))
        remark(f"A sample of {count:,} events, made with seed {seed}. Nobody in it exists.")
        with _server(Path(folder)) as target:
            summary = import_file(file, mapping_path("sample"), target, rejects=Path(folder, "rejects.jsonl"))
            remark(f"Imported {summary.tally.events_appended:,} events in {summary.seconds:.1f} s.")
            with connect(target) as client:
                _show(client, utc)


def _show(client: Client, utc: bool) -> None:
    output = Output(json=False, utc=utc, limit=ROWS)
    out = console()
    pending = client.handoffs(pending=True, page_size=500)
    # Somebody for whom one department waits for another, if there is anybody.
    who = _somebody(client, (row.subject for row in pending)) or _somebody(client, (row.subject for row in client.contacts()))
    if who:
        _title("A customer's history, over all channels and departments", f"tellonce history {who}")
        show_rows(client.history(who, page_size=output.page_size), "entries", history_table, "Nothing.", output)
        _title("The customer's card: what to know before the first word", f"tellonce card {who}")
        card = client.card(who)
        out.print(card_text(card.result, utc))
        print_read_at(card.read_at, utc=utc)
    _title("Pending handoffs: who waits for whom, and since when", "tellonce handoffs --state pending")
    show_rows(client.handoffs(pending=True, page_size=output.page_size), "handoffs", handoff_table, "None.", output)
    _title("Open complaints: at which stage, and who has to act", "tellonce complaints --open")
    show_rows(client.complaints(open=True, page_size=output.page_size), "complaints", complaint_table, "None.", output)
    _title("Who told customers different things about the same", "tellonce answers --contradictions")
    show_rows(client.contradictions(page_size=output.page_size), "contradictions", contradiction_table, "None.", output)
    _title("Broken promises, still owed", "tellonce promises --state broken")
    _wait_for_clock(client)
    broken = client.promises(states=[PROMISE_STATE_BROKEN], page_size=output.page_size)
    show_rows(broken, "promises", promise_table, "None.", output)


def _title(title: str, command: str) -> None:
    out = console()
    out.print()
    out.print(Rule(Text(title, style="bold"), align="left"))
    out.print(Text(f"$ {command}", style="dim"))


def _somebody(client: Client, subjects: Iterable[str]) -> str:
    """Return the customer who has most to tell, of the first few; empty where there are none."""
    best, most = "", 0
    for subject in islice(dict.fromkeys(subjects), CUSTOMERS_LOOKED_AT):
        found = client.card(subject).result
        told = found.contact_count + 3 * len(found.promises) + 3 * len(found.facts)
        if told > most:
            # Who called without a name is known by the id that the ledger made.
            named = [known.identifier for known in found.identifiers if known.identifier.value]
            best, most = identifier_text(named[0]) if named else found.customer_id, told
    return best


def _wait_for_clock(client: Client) -> None:
    """Wait until the clock has recorded what was broken: it begins when the import is over."""
    overdue = client.count_promises((), overdue=True).result.total
    if not overdue:
        return
    begun = time.monotonic()
    with progress_bar("The clock records what was broken", overdue, "promises") as update:
        left = overdue
        while left and time.monotonic() - begun < CLOCK_SECONDS:
            time.sleep(0.1)
            left = client.count_promises((), overdue=True).result.total
            update(overdue - left)


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Serve a new ledger on any free port, and stop it as an operator would.

    The clock hardly waits for late recordings here: nobody else records in a demonstration, and nobody wants to wait.
    """
    log = folder / "server.log"
    options = ["--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--recording-allowance", ALLOWANCE_SECONDS]
    command = server_command(["serve", *options])
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield _address(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return where the server listens, once it says so."""
    begun = time.monotonic()
    while time.monotonic() - begun < START_SECONDS:
        for line in log.read_text().splitlines():
            if line.startswith("Tellonce serves on "):
                return line.removeprefix("Tellonce serves on ").strip()
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise CommandError(f"The server did not start:\n{log.read_text()}", UNAVAILABLE)
