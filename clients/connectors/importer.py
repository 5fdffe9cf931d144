"""Import a file by a mapping: the one entry point, for the command line and for programs.

The same file by the same mapping is the same run with the same event ids: importing again, or going on after a kill, adds nothing
twice, with or without the checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from clients.connectors.checkpoint import Checkpoint, checkpoint_path, read_checkpoint, write_checkpoint
from clients.connectors.correcting import Correcting
from clients.connectors.delivery import Delivery, DryRun, ImportInterruptedError, Sending
from clients.connectors.event_id import derived_id, derived_run_id
from clients.connectors.mapping import Mapping
from clients.connectors.mapping_parser import read_mapping
from clients.connectors.reader import read_table
from clients.connectors.reject_file import RejectFile
from clients.connectors.row_mapper import RowMapper
from clients.connectors.row_stream import RowOutcome, RowStream
from clients.connectors.source_file import SourceFile
from clients.connectors.tally import Progress, ProgressCallback, Summary, Tally
from clients.connectors.time_text import TimeReader
from clients.python.client import Client
from clients.python.errors import AlreadyExistsError, TellonceError
from ledger.api.v1.core_pb2 import AUTOMATION
from ledger.api.v1.event_pb2 import EventEnvelope, EventToAppend, Payload
from ledger.api.v1.governance_pb2 import ImportFinished, ImportStarted

ACTOR: Final = "tellonce-import"
EVENTS_A_CALL: Final = 400
CALLS_IN_FLIGHT: Final = 3
"""The bulk lane admits two at a time: one more is ready when a place comes free."""
TIMEOUT_SECONDS: Final = 300.0
"""How long a call is tried: longer than a restart of the server takes."""
PROGRESS_SECONDS: Final = 0.1
CORRECT: Final = b"correct"
"""Tells a run that corrects from one that does not."""


def shipped_mappings() -> dict[str, Path]:
    """Return the mappings that come with the package, by name."""
    folder = Path(str(files("clients.connectors"))) / "mappings"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def run_import(
    file: Path,
    mapping: Path,
    *,
    target: str = "127.0.0.1:50051",
    dry_run: bool = False,
    resume: bool = False,
    correct: bool = False,
    progress: ProgressCallback | None = None,
    reject_path: Path | None = None,
    run_id: str | None = None,
) -> Summary:
    """Import a file into the ledger at `target` (host and port) and return how it ended.

    `dry_run` maps and checks every row and sends nothing; no ledger is needed. `resume` goes on after the rows that the
    checkpoint beside the reject file says are done. `correct` records corrections of what an earlier import recorded with other
    content, instead of rejecting such rows; it asks the ledger for the events of each stream, so it is slower. `progress` is
    called about ten times a second. `reject_path` (default:
    `<file>.rejects.jsonl` in the current folder) gets the rows that were not imported. `run_id` (default: derived from source,
    file and mapping) names the run.

    Raises MappingError before the first row when the mapping has mistakes; ReadError when the file cannot be read as the mapping
    says; OSError; ImportInterruptedError when the ledger cannot be reached any more: run it again with `resume`.
    """
    began = time.monotonic()
    read, mistakes = read_mapping(mapping)
    source = SourceFile(file, read.reader.member)
    mistakes.end()
    # The run that rejected what is corrected now is over.
    how = read.digest + CORRECT if correct else read.digest
    run_id = run_id or derived_run_id(read.source, source.digest(), how)
    reject_path = reject_path or Path.cwd() / f"{file.name}.rejects.jsonl"
    with source.open() as stream:
        times = TimeReader(read.time_format, read.time_zone)
        table = read_table(stream, read, mistakes)
        mapper = RowMapper(read, table.columns, times, mistakes)
        mapper.join_run(run_id)
        rows = RowStream(table, read, mapper, times)
        run = _Run(read, run_id, source, rows, table.columns, reject_path, resume and not dry_run, progress, correct)
        imported_before = run.rehearse() if dry_run else run.send(target)
    return Summary(
        run_id=run_id,
        source=read.source,
        tally=run.tally,
        dry_run=dry_run,
        resumed_rows=run.resumed_rows,
        imported_before=imported_before,
        reject_path=reject_path if run.tally.rows_rejected else None,
        seconds=time.monotonic() - began,
    )


class _Run:
    """One attempt of an import run."""

    def __init__(
        self,
        mapping: Mapping,
        run_id: str,
        source: SourceFile,
        rows: RowStream,
        columns: list[str],
        reject_path: Path,
        resume: bool,
        progress: ProgressCallback | None,
        correct: bool,
    ) -> None:
        self._mapping = mapping
        self._corrects = correct
        self._run_id = run_id
        self._source = source
        self._rows = rows
        self._columns = columns
        self._progress = progress
        self._next_progress = 0.0
        self._checkpoint_path = checkpoint_path(reject_path)
        checkpoint = read_checkpoint(self._checkpoint_path, run_id) if resume else None
        self.resumed_rows = checkpoint.rows_done if checkpoint else 0
        self.tally = checkpoint.tally if checkpoint else Tally()
        self._rejects = RejectFile(reject_path, checkpoint.reject_bytes if checkpoint else 0)

    def rehearse(self) -> bool:
        """Map and check every row; send nothing."""
        with self._open_rejects():
            self._deliver(DryRun(self.tally, self._reject))
        return False

    def send(self, target: str) -> bool:
        """Import every row; True when the run was over before."""
        with Client(target) as client, self._open_rejects():
            self._append(client, "import-started", Payload(import_started=self._started()))
            batcher = client.batcher(
                lane="bulk", max_events=EVENTS_A_CALL, in_flight=CALLS_IN_FLIGHT, timeout_seconds=TIMEOUT_SECONDS
            )
            correcting = Correcting(lambda stream: client.read_events(stream=stream)) if self._corrects else None
            try:
                self._deliver(Sending(batcher, self.tally, self._reject, self.resumed_rows, self._checkpoint, correcting))
            finally:
                batcher.close(send=False)
            was_over = self._append(client, "import-finished", Payload(import_finished=self._finished()))
        self._checkpoint_path.unlink(missing_ok=True)
        return was_over

    def _deliver(self, delivery: Delivery) -> None:
        for outcome in self._rows.outcomes(self.resumed_rows, self._report_reading):
            delivery.take(outcome)
            self._report()
        delivery.close()
        self._report(last=True)

    @contextmanager
    def _open_rejects(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._rejects.close()

    def _reject(self, outcome: RowOutcome, reason: str, code: str) -> None:
        self.tally.rows_rejected += 1
        whole = len(outcome.cells) == len(self._columns)
        row = dict(zip(self._columns, outcome.cells, strict=True)) if whole else {"text": " | ".join(outcome.cells)}
        self._rejects.add(outcome.line, outcome.key, reason, row, rule=outcome.rule, place=outcome.place, code=code)

    def _checkpoint(self, rows_done: int) -> None:
        self._rejects.sync()
        write_checkpoint(self._checkpoint_path, Checkpoint(self._run_id, rows_done, self._rejects.size_bytes, self.tally))

    # The frame

    def _started(self) -> ImportStarted:
        return ImportStarted(
            run_id=self._run_id,
            from_source=self._mapping.source,
            mapping_digest=self._mapping.digest,
            answers_recorded=self._mapping.answers_recorded,
        )

    def _finished(self) -> ImportFinished:
        tally = self.tally
        return ImportFinished(
            run_id=self._run_id,
            row_count=tally.rows_read,
            appended_count=tally.events_appended,
            duplicate_count=tally.events_duplicate,
            rejected_count=tally.rows_rejected,
        )

    def _append(self, client: Client, topic: str, payload: Payload) -> bool:
        """Append an event of the frame; True when it is recorded already, perhaps with the counts of an earlier attempt."""
        envelope = EventEnvelope(
            event_id=derived_id(0, self._mapping.source, self._run_id, topic),
            source=self._mapping.source,
            actor=ACTOR,
            actor_kind=AUTOMATION,
        )
        try:
            return client.append(EventToAppend(envelope=envelope, payload=payload))[0].duplicate
        except AlreadyExistsError:
            return True
        except TellonceError as error:
            raise ImportInterruptedError(f"{error} Run the same import again with --resume.") from error

    # Progress

    def _report_reading(self) -> None:
        if self._due():
            self._call(Progress("reading", self._source.read_bytes, self._source.size_bytes, "bytes", self.tally))

    def _report(self, last: bool = False) -> None:
        if last or self._due():
            if self._rows.total:
                self._call(Progress("importing", self.tally.rows_read, self._rows.total, "rows", self.tally))
            else:
                done = self._source.size_bytes if last else self._source.read_bytes
                self._call(Progress("importing", done, self._source.size_bytes, "bytes", self.tally))

    def _due(self) -> bool:
        now = time.monotonic()
        if self._progress is None or now < self._next_progress:
            return False
        self._next_progress = now + PROGRESS_SECONDS
        return True

    def _call(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)
