"""Captures into the case: each one whole or not at all, and once.

    decode into evidence/.partial-*  ->  flush, read-only  ->  rename to evidence/<sha256>  ->  custody log
    ->  catalogue

Killed before its line in the custody log, a capture is not in the case: what was left behind is removed when it
is ingested again. Killed after it, it is, and the next run lists it (entering.py). The connection to the
catalogue is held all the time; it is the lock that keeps a second ingest out. Only paths, manifests and reasons
pass between processes.
"""

import secrets
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final, Literal

import duckdb

from wirecover.capture.errors import EXIT_DAMAGED, EXIT_DONE, EXIT_OTHER
from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import EVERYTHING, Scope
from wirecover.capture.tables import TABLES
from wirecover.casefile.collect import collect
from wirecover.casefile.custody import Entry
from wirecover.casefile.durable import is_disk_full, publish, remove_tree
from wirecover.casefile.entering import ONLY, StillEntered, enter
from wirecover.casefile.errors import CaseError
from wirecover.casefile.layout import EVIDENCE, MANIFEST, PARTIAL_PREFIX
from wirecover.casefile.log_file import records
from wirecover.casefile.pool import Decoder, JobResult, Pool

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
    found: tuple[str, ...] = ()
    """What else earlier runs left behind and this one settled, one line each."""

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
    connect: Callable[[], duckdb.DuckDBPyConnection]
    """Opens the case for writing."""
    scope: Scope
    decoder: Decoder
    workers: int
    progress: Callable[[IngestEvent], None] | None
    entry: Entry
    """The act in the custody log that this run is."""
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
        leftovers = 0
        try:
            with closing(self.connect()) as connection:
                recovered = self._recovered()
                leftovers = self._remove_leftovers()
                try:
                    with closing(self._take_all(connection, collected.files)) as taken:
                        outcomes.extend(taken)
                except (CaseError, KeyboardInterrupt):
                    self._remove_leftovers()
                    raise
        finally:
            self._tell_log(outcomes, collected.skipped, leftovers)
        return IngestReport(tuple(outcomes), collected.skipped, leftovers, (*self.entry.found, *recovered))

    def _recovered(self) -> list[str]:
        """Exhibits that opening the case has just listed: a killed run had logged them."""
        return [
            f"{line.arguments.get('name')}: entered by a run that was killed; now listed"
            for line in records(self.case, ONLY)
            if line.seq > self.entry.begun.seq and line.phase == "recovered"
        ]

    def _tell_log(self, outcomes: Sequence[FileOutcome], skipped: int, leftovers: int) -> None:
        """For the act's last line: also what was refused, and under which names content came again."""
        self.entry.facts.update(
            files=[[one.path.name, one.status, one.sha256 or one.reason] for one in outcomes],
            skipped=skipped, leftovers_removed=leftovers,
        )  # fmt: skip

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
        if not self._under_this_scope(digest):
            reason = (
                f"{path.name}: was taken in under another scope of the authority, and evidence is not changed; to "
                "read it under the present one, make another case"
            )
            return FileOutcome(path, "failed", digest, reason)
        reason = "" if name == path.name else f"{path.name}: same content as {name}, which is in the case"
        return FileOutcome(path, "already", digest, reason)

    def _under_this_scope(self, digest: str) -> bool:
        """Whether an exhibit of the case was read under the scope of this run."""
        try:
            manifest = Manifest.read(self.case / EVIDENCE / digest)
        except (OSError, ValueError, TypeError):  # `verify` tells what is wrong with it
            return True
        return (manifest.scope_sha256 or EVERYTHING.digest()) == self.scope.digest()

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
        except StillEntered as error:
            raise CaseError(
                f"{path}: entered in the custody log but not in the catalogue, and the log cannot be written any "
                "more; the next run on this case lists it"
            ) from error
        except (OSError, duckdb.Error, CaseError) as error:
            reason = "the disk is full" if is_disk_full(error) else str(error).splitlines()[0]
            raise _nothing_kept(path, reason) from error
        status: Status = "done" if manifest.complete else "damaged"
        return FileOutcome(path, status, digest, damage=tuple(manifest.damage))

    def _publish(self, connection: duckdb.DuckDBPyConnection, manifest: Manifest, partial: Path) -> None:
        """Rename, then log and list: a folder that is not logged is no evidence, the reverse is a loss."""
        digest = manifest.sha256
        noted = sha256(partial.joinpath(MANIFEST).read_bytes()).hexdigest()
        final = self.case / EVIDENCE / digest
        if final.exists():  # renamed by a run that was killed before it was logged; or put there by someone
            remove_tree(final)
        publish(partial, final)
        try:
            enter(connection, manifest, noted, self.entry)
        except StillEntered:
            raise
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
