"""Captures into the case: each one whole or not at all, and once.

    decode into evidence/.partial-*  ->  flush, read-only  ->  rename to evidence/<sha256>  ->  catalogue +
    custody log
                                                                                                (one
                                                                                                transaction)

Killed before the transaction, a capture is not in the case: what was left behind is removed when it is
ingested again. The connection to the catalogue is held all the time; it is the lock that keeps a second
ingest out. Only paths, manifests and reasons pass between processes.
"""

import secrets
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import duckdb

from wirecover.capture.errors import EXIT_DAMAGED, EXIT_DONE, EXIT_OTHER
from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.capture.tables import TABLES
from wirecover.casefile import schema
from wirecover.casefile.catalogue import explain, open_catalogue
from wirecover.casefile.collect import collect
from wirecover.casefile.custody import append_act
from wirecover.casefile.durable import is_disk_full, publish, remove_tree
from wirecover.casefile.errors import CaseError
from wirecover.casefile.layout import EVIDENCE, MANIFEST, PARTIAL_PREFIX
from wirecover.casefile.pool import Decoder, JobResult, Pool

if TYPE_CHECKING:
    from wirecover.capture.scope import Scope

Status = Literal["done", "damaged", "already", "failed"]
EVIDENCE_FILES: Final = frozenset({f"{table}.parquet" for table in TABLES} | {MANIFEST})


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file."""

    path: Path
    status: Status
    """done: in the case, whole; damaged: in the case as far as it could be read; already: was there;
    failed.
    """
    sha256: str | None = None
    reason: str = ""
    """One line: why it failed, or under which other name it is in the case."""
    damage: tuple[str, ...] = ()
    """What could not be read, or was odd, one line each. A capture that was read to its end is not damaged by it."""


@dataclass(frozen=True, slots=True)
class IngestEvent:
    """Progress: a file is begun (`outcome` is None) or ended."""

    path: Path
    number: int
    """Place of the file, from 1."""
    total: int
    outcome: FileOutcome | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did."""

    outcomes: tuple[FileOutcome, ...]
    skipped: int
    """Files in named folders that are no captures."""
    leftovers: int
    """Unfinished folders of an earlier, killed ingest that were removed."""

    def with_status(self, *wanted: Status) -> tuple[FileOutcome, ...]:
        """The outcomes of these kinds, in order."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in wanted)

    @property
    def exit_code(self) -> int:
        """0 all whole; 3 something is damaged or was not kept; 1 nothing at all is in the case."""
        if not self.with_status("damaged", "failed"):
            return EXIT_DONE
        return EXIT_DAMAGED if self.with_status("done", "damaged", "already") else EXIT_OTHER


@dataclass(slots=True)
class Ingest:
    """One run over a case, which it holds for as long as it lasts."""

    case: Path
    scope: "Scope"
    decoder: Decoder
    workers: int
    progress: Callable[[IngestEvent], None] | None
    clock: Callable[[], int]
    token: str = field(default_factory=lambda: secrets.token_hex(6))
    """Part of every temporary name: a decoder that outlived a killed run must not write into this run's
    folders.
    """

    def run(self, paths: Sequence[Path]) -> IngestReport:
        """Take in what the paths stand for."""
        collected = collect(paths, self.case)
        outcomes = [
            FileOutcome(problem.path, "failed", reason=f"{problem.path}: {problem.reason}")
            for problem in collected.problems
        ]
        with closing(open_catalogue(self.case, write=True)) as connection:
            leftovers = self._remove_leftovers()
            try:
                with closing(self._take_all(connection, collected.files)) as taken:
                    outcomes.extend(taken)
            except (CaseError, KeyboardInterrupt):
                self._remove_leftovers()
                _note(connection, self.case, outcomes, collected.skipped, leftovers, self.clock, stopped=True)
                raise
            _note(connection, self.case, outcomes, collected.skipped, leftovers, self.clock, stopped=False)
        return IngestReport(tuple(outcomes), collected.skipped, leftovers)

    def _remove_leftovers(self) -> int:
        found = sorted(self.case.joinpath(EVIDENCE).glob(f"{PARTIAL_PREFIX}*"))
        for path in found:
            remove_tree(path)
        return len(found)

    def _take_all(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[Path]
    ) -> Generator[FileOutcome, None, None]:
        """Decode the files and keep the results, both in the order given whatever the number of workers."""
        jobs = deque(enumerate(files, start=1))
        with closing(Pool(min(self.workers, len(files)), self.decoder, self.scope)) as pool:
            running: deque[tuple[int, Path, Path | None, Future[JobResult] | FileOutcome]] = deque()
            while jobs or running:
                while jobs and len(running) < 2 * self.workers:
                    number, path = jobs.popleft()
                    self._tell(IngestEvent(path, number, len(files)))
                    running.append((number, path, *self._begin(connection, pool, number, path)))
                    if self.workers == 1:
                        break
                number, path, partial, job = running.popleft()
                outcome = job if isinstance(job, FileOutcome) else None
                if outcome is None:
                    assert isinstance(job, Future) and partial is not None
                    outcome = self._keep(connection, path, partial, pool.result(job, path, partial))
                self._tell(IngestEvent(path, number, len(files), outcome))
                yield outcome

    def _begin(
        self, connection: duckdb.DuckDBPyConnection, pool: Pool, number: int, path: Path
    ) -> tuple[Path | None, Future[JobResult] | FileOutcome]:
        """Start decoding a file, unless the case is seen to have it already."""
        try:
            size = path.stat().st_size
            known = connection.execute("SELECT sha256 FROM exhibits WHERE bytes = ?", [size]).fetchall()
            if known:  # only then is it worth reading the file once more
                with path.open("rb") as file:
                    digest = file_digest(file, "sha256").hexdigest()
                if (digest,) in known:
                    return None, self._already(connection, path, digest)
        except OSError as error:
            return None, FileOutcome(path, "failed", reason=f"{path.name}: {error.strerror}")
        partial = self.case / EVIDENCE / f"{PARTIAL_PREFIX}{self.token}-{number}"
        return partial, pool.submit(path, partial)

    def _already(self, connection: duckdb.DuckDBPyConnection, path: Path, digest: str) -> FileOutcome:
        [(name,)] = connection.execute("SELECT name FROM exhibits WHERE sha256 = ?", [digest]).fetchall()
        reason = "" if name == path.name else f"{path.name}: same content as {name}, which is in the case"
        return FileOutcome(path, "already", digest, reason)

    def _keep(
        self, connection: duckdb.DuckDBPyConnection, path: Path, partial: Path, result: JobResult
    ) -> FileOutcome:
        """Publish a decoded capture and enter it in the catalogue, or leave no trace of it."""
        if result.manifest is None:
            if partial.exists():
                remove_tree(partial)
            if result.disk_full:
                raise _nothing_kept(path, "the disk is full")
            return FileOutcome(path, "failed", reason=result.failure)
        manifest = Manifest.from_json(result.manifest)
        digest = manifest.sha256
        refusal = _refusal(connection, manifest, partial)
        if refusal is not None:
            remove_tree(partial)
            if refusal == "":
                return self._already(connection, path, digest)
            return FileOutcome(path, "failed", digest, f"{path.name}: {refusal}")
        try:
            self._publish(connection, manifest, partial)
        except (OSError, duckdb.Error) as error:
            reason = "the disk is full" if is_disk_full(error) else str(error).splitlines()[0]
            raise _nothing_kept(path, reason) from error
        status: Status = "done" if manifest.complete else "damaged"
        return FileOutcome(path, status, digest, damage=tuple(manifest.damage))

    def _publish(self, connection: duckdb.DuckDBPyConnection, manifest: Manifest, partial: Path) -> None:
        """Rename, then one transaction: a folder without its row is no evidence, the reverse is a loss."""
        digest = manifest.sha256
        noted = sha256(partial.joinpath(MANIFEST).read_bytes()).hexdigest()
        final = self.case / EVIDENCE / digest
        if final.exists():  # renamed by a run that was killed before the transaction; or put there by someone
            remove_tree(final)
        publish(partial, final)
        try:
            _enter(connection, manifest, noted, self.clock())
        except BaseException:
            remove_tree(final)
            raise

    def _tell(self, event: IngestEvent) -> None:
        if self.progress is not None:
            self.progress(event)


def _nothing_kept(path: Path, reason: str) -> CaseError:
    """The error that ends a run: what was taken in before it stays."""
    return CaseError(f"{path}: {reason}; nothing of this capture was kept, the case is as before it")


def _refusal(connection: duckdb.DuckDBPyConnection, manifest: Manifest, partial: Path) -> str | None:
    """Why a decoded capture cannot enter: "" when it is there already, None when it can."""
    digest = manifest.sha256
    same = connection.execute(
        "SELECT sha256, name FROM exhibits WHERE sha256 = ? OR flow_base = ? OR capture_id = ?",
        [digest, flow_base(digest), capture_id(digest)],
    ).fetchall()
    if (digest,) in [(row[0],) for row in same]:
        return ""
    if same:
        return (
            f"its hash begins with the same 36 bits as that of {same[0][1]}, so that their flows would have "
            "the same ids; put it in another case"
        )
    there = {path.name for path in partial.iterdir()}
    if there != EVIDENCE_FILES or set(manifest.files) != EVIDENCE_FILES - {MANIFEST}:
        return "the decoder did not write the files that its manifest lists"
    return None


def _enter(connection: duckdb.DuckDBPyConnection, manifest: Manifest, manifest_sha256: str, at: int) -> None:
    """The exhibit's row, its act in the custody log, and the views over files: one transaction."""
    with transaction(connection):
        if not schema.is_current(connection, empty=False):
            schema.apply(connection, empty=False)
        digest = manifest.sha256
        connection.execute(
            "INSERT INTO exhibits VALUES (?, ?, ?, ?, ?, ?, ?, ?, make_timestamp_ns(?))",
            [digest, capture_id(digest), flow_base(digest), manifest.name, manifest.bytes, manifest.complete,
             list(manifest.damage), manifest_sha256, at],
        )  # fmt: skip
        facts = {
            "sha256": digest,
            "name": manifest.name,
            "bytes": manifest.bytes,
            "manifest_sha256": manifest_sha256,
        }
        append_act(connection, "exhibit", facts, at=at)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block's changes, or none."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(
            duckdb.Error
        ):  # a COMMIT that fails has rolled back by itself; its error is the one to see
            connection.execute("ROLLBACK")
        raise


def _note(
    connection: duckdb.DuckDBPyConnection,
    case: Path,
    outcomes: Sequence[FileOutcome],
    skipped: int,
    leftovers: int,
    clock: Callable[[], int],
    *,
    stopped: bool,
) -> None:
    """One act for the whole run: also what was refused, and under which names content came again."""
    facts = {
        "files": [[one.path.name, one.status, one.sha256 or one.reason] for one in outcomes],
        "skipped": skipped, "leftovers_removed": leftovers, "stopped": stopped,
    }  # fmt: skip
    try:
        append_act(connection, "ingest", facts, at=clock())
    except duckdb.Error as error:
        if not stopped:  # else the caller is already telling why the run stops, most likely a full disk
            raise explain(error, case) from error
