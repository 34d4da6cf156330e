"""A case: the folder, its exhibits, and the way in."""

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import duckdb

from wirecover.capture.scope import Scope
from wirecover.casefile import schema
from wirecover.casefile.authority_file import AuthorityFile
from wirecover.casefile.authority_store import (
    admit,
    authority_of,
    enter_record,
    finish_amendment,
    permit,
    put_record,
    record_facts,
)
from wirecover.casefile.catalogue import open_catalogue
from wirecover.casefile.custody import Act, Signer, note, record, start_log
from wirecover.casefile.durable import remove_tree
from wirecover.casefile.entering import finish_entering
from wirecover.casefile.errors import CaseError
from wirecover.casefile.former_log import adopt_former_log
from wirecover.casefile.ingest import Ingest, IngestEvent, IngestReport
from wirecover.casefile.layout import (
    CATALOGUE,
    EVIDENCE,
    EXPORTS,
    FORMAT_VERSION,
    MARKER,
    REPORTS,
    Marker,
    read_marker,
)
from wirecover.casefile.pool import Decoder
from wirecover.casefile.transaction import transaction


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One capture of the case, as the catalogue lists it."""

    sha256: str
    capture_id: int
    flow_base: int
    name: str
    bytes: int
    complete: bool
    damage: tuple[str, ...]
    manifest_sha256: str
    ingested_at: int
    """Nanoseconds since 1970, UTC, by the clock of the machine."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case folder that exists. Nothing is held open between calls."""

    path: Path
    training: bool
    clock: Callable[[], int] = time.time_ns
    """Nanoseconds since 1970, UTC; what the custody log and `ingested_at` take their times from."""
    by: Signer | None = None
    """The examiner who acts and signs in the custody log; without one, a login name is all there is."""
    second: Signer | None = None
    """The examiner who signs too, where the authority asks for two."""
    reason: str | None = None
    """Why; goes into the custody log with every act."""
    catalogue: str = CATALOGUE
    """File name of the catalogue that is used; another one while it is being made anew (rebuild.py)."""

    @classmethod
    def create(
        cls,
        path: Path,
        training: bool,
        *,
        clock: Callable[[], int] = time.time_ns,
        by: Signer | None = None,
        authority: AuthorityFile | None = None,
    ) -> Self:
        """Make a case folder; CaseError when something is there already, AuthorityError (exit code 4) when no
        case can be made under the authority.

        It is built beside its place and renamed, so that a killed `init` leaves no half of a case.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise CaseError(f"{path}: exists and is not an empty folder")
        if authority is not None:
            admit(authority, authority.name, clock())
        home = path.resolve()
        building = home.with_name(f".{home.name}.{secrets.token_hex(6)}")
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            for name in (EVIDENCE, REPORTS, EXPORTS):
                (building / name).mkdir(parents=True)
            text = Marker(FORMAT_VERSION, training).to_toml()
            (building / MARKER).write_text(text, encoding="utf-8", newline="\n")
            made = cls(building, training, clock, by)
            facts: dict[str, Any] = {"training": training, "format_version": FORMAT_VERSION}
            if authority is not None:
                put_record(building, authority)
                noted = record_facts(building, authority)
                facts["authority"] = noted
            start_log(made, facts)
            with closing(open_catalogue(building, write=True)) as connection, transaction(connection):
                schema.apply(connection, empty=True, logged=True)
                if authority is not None:
                    enter_record(connection, authority, noted["scope_sha256"])
            if home.exists():
                home.rmdir()
            building.rename(home)
        except OSError as error:
            raise CaseError(f"{path}: cannot be made: {error.strerror or error}") from error
        finally:
            if building.exists():
                remove_tree(building)
        return cls(path, training, clock, by)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], int] = time.time_ns,
        by: Signer | None = None,
        second: Signer | None = None,
        reason: str | None = None,
    ) -> Self:
        """The case in that folder; CaseError when there is none."""
        return cls(path, read_marker(path).training, clock, by, second, reason)

    def connect(self, *, write: bool = False, threads: int = 1) -> duckdb.DuckDBPyConnection:
        """A connection to catalogue and views, to be closed by the caller; read-only unless asked otherwise.

        CaseBusyError when it cannot be had now: a writer excludes all others.
        """
        connection = open_catalogue(self.path, write=write, threads=threads, name=self.catalogue)
        if write:
            try:
                self._make_current(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def exhibits(self) -> list[Exhibit]:
        """What the catalogue lists, by name, then hash."""
        with closing(open_catalogue(self.path, write=False, name=self.catalogue)) as connection:
            rows = connection.execute(
                "SELECT sha256, capture_id, flow_base, name, bytes, complete, damage, manifest_sha256, "
                "epoch_ns(ingested_at) FROM exhibits ORDER BY name, sha256"
            ).fetchall()
        return [
            Exhibit(digest, capture, base, name, size, complete, tuple(damage), manifest, at)
            for digest, capture, base, name, size, complete, damage, manifest, at in rows
        ]

    def ingest(
        self,
        paths: Sequence[Path],
        *,
        workers: int = 1,
        progress: Callable[[IngestEvent], None] | None = None,
        scope: Scope | None = None,
        rules: Path | None = None,
        decoder: Decoder | None = None,
    ) -> IngestReport:
        """Take in captures, folders of captures, globs. Safe to repeat: what is there already stays as it is.

        A file that fails is in the report; CaseError is for what concerns the case itself (in use, disk
        full). `workers` processes decode at once; the result does not depend on their number. `scope` is
        a stand-in for what the authority lets be kept, `decoder` for wirecover.capture.decode; `rules` are
        application rules of the analyst beside those of this version. AuthorityError when the authority does
        not allow it now.
        """
        if decoder is None:
            from wirecover.capture.decode import decode  # numba and its kernels: only when packets are read

            decoder = decode if rules is None else partial(decode, rules=rules)
        given = [Path(os.fspath(path)) for path in paths]
        facts = {"paths": [path.name for path in given]} | ({} if rules is None else {"rules": rules.name})
        act = Act("ingest", facts)
        with record(self, act) as entry:
            allowed = permit(self, "ingest")
            job = Ingest(
                self.path, lambda: self.connect(write=True), scope or allowed, decoder, max(1, workers),
                progress, entry,
            )  # fmt: skip
            return job.run(given)

    def authority(self) -> AuthorityFile | None:
        """The record of the legal basis, None for a training case; AuthorityError when it was tampered with."""
        return authority_of(self)

    def log(self, verb: str, arguments: Mapping[str, Any]) -> None:
        """Append one line to the custody log."""
        note(self, Act(verb, arguments))

    def _make_current(self, connection: duckdb.DuckDBPyConnection) -> None:
        """This version's schema, and all that the custody log says was entered."""
        adopted = adopt_former_log(self, connection)
        empty = connection.execute("SELECT count(*) FROM exhibits").fetchall() == [(0,)]
        if adopted or not schema.is_current(connection, empty=empty):
            with transaction(connection):
                schema.apply(connection, empty=empty, logged=True)
        finish_entering(self, connection)
        if not self.training:
            finish_amendment(self.path, connection)
