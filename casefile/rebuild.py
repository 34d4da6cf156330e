"""The catalogue and all derived rows made anew, from evidence, log and detectors; and what differs from what is there.

    evidence/*/manifest.json + log  ->  exhibits, views        (entering.py)
    authority*.toml + log           ->  authority              (authority_store.py)
    logged analyses, in order       ->  findings, events, ...  (the detectors, by `rerun`)

It is done beside the catalogue (case.rebuild.duckdb) and compared with it, table by table, by canonical digest
(digest.py); DuckDB files themselves differ from run to run. Evidence is read only. The new catalogue takes the
place of the old one by one rename: always when the old one cannot be read or nothing differs, else when asked.
Rows of partners (foreign/) and declared series do not follow from the case's own evidence: they are taken along
from the old catalogue; where that cannot be read, bundles are to be received again.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import duckdb

from wirecover.capture.version import tool_version
from wirecover.casefile import schema
from wirecover.casefile.authority_store import enter_record, record_files
from wirecover.casefile.case import Case
from wirecover.casefile.catalogue import explain, open_catalogue
from wirecover.casefile.custody import Act, record
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.derived_check import analyses, logged_digests
from wirecover.casefile.digest import stored_digest
from wirecover.casefile.durable import sync_folder
from wirecover.casefile.entering import list_exhibit, logged_exhibits, logged_manifest
from wirecover.casefile.errors import CaseBusyError, CaseError
from wirecover.casefile.layout import CATALOGUE
from wirecover.casefile.log_file import Record, records
from wirecover.casefile.transaction import transaction

REBUILT: Final = "case.rebuild.duckdb"
COMPARED: Final = ("authority", "exhibits", *DERIVED)
Rerun = Callable[[Case, str, dict[str, Any]], None]
"""Run one detector on a case with logged parameters and store its rows, logging nothing."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One table, before and after."""

    table: str
    before: str | None
    """Digest in the catalogue that was there; None when that could not be read."""
    after: str
    logged: str | None
    """Digest that the last logged analysis gave, if it gave one."""

    @property
    def same(self) -> bool:
        """Whether nothing differs, as far as there is something to compare with."""
        return self.after == (self.before or self.after) and self.after == (self.logged or self.after)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild gave."""

    tables: tuple[Compared, ...]
    replaced: bool
    """Whether the new catalogue is now the case's."""
    unreadable: str
    """Why the old catalogue could not be read; empty when it could."""
    other_versions: tuple[str, ...]
    """Logged analyses by another version of this program: their rows may differ for that alone."""

    @property
    def same(self) -> bool:
        """Whether all tables are the same."""
        return all(one.same for one in self.tables)


def rebuild(case: Case, rerun: Rerun, *, put_in_place: bool = False) -> Rebuilt:
    """Make catalogue and derived rows anew and compare; see the head of this module."""
    with record(case, Act("rebuild", {"replace": put_in_place})) as entry:
        log = list(records(case.path))
        before, unreadable = _before(case)
        _clear(case.path)
        beside = replace(case, catalogue=REBUILT)
        try:
            done = _make(beside, log, rerun)
            if not unreadable:
                _carry_over(beside)
            with closing(open_catalogue(case.path, write=False, name=REBUILT)) as connection:
                after = {table: stored_digest(connection, table) for table in COMPARED}
            want = logged_digests(done[-1]) if done else {}
            tables = tuple(
                Compared(table, before.get(table), after[table], want.get(table)) for table in COMPARED
            )
            found = Rebuilt(tables, replaced=False, unreadable=unreadable, other_versions=_others(done))
            if found.same or put_in_place or unreadable:
                _put_in_place(case.path)
                found = replace(found, replaced=True)
        finally:
            _clear(case.path)
        entry.result(
            None, tables=after, same=found.same, differ=[one.table for one in tables if not one.same],
            replaced=found.replaced,
        )  # fmt: skip
    return found


def _before(case: Case) -> tuple[dict[str, str], str]:
    """(digest of each table that is there, why it cannot be read)."""
    if not case.path.joinpath(CATALOGUE).is_file():
        return {}, "the catalogue is missing"
    try:
        with closing(open_catalogue(case.path, write=False)) as connection:
            return {table: stored_digest(connection, table) for table in COMPARED}, ""
    except CaseBusyError:
        raise
    except (CaseError, duckdb.Error) as error:
        return {}, str(explain(error, case.path) if isinstance(error, duckdb.Error) else error)


def _make(case: Case, log: list[Record], rerun: Rerun) -> list[Record]:
    """Fill the new catalogue; the analyses that were run."""
    listed = logged_exhibits(log)
    with (
        closing(open_catalogue(case.path, write=True, name=case.catalogue)) as connection,
        transaction(connection),
    ):
        schema.apply(connection, empty=not listed, logged=True)
        for basis in record_files(case.path, log):
            enter_record(connection, basis.file, basis.scope_sha256)
        for line in listed.values():
            manifest = logged_manifest(case.path, line)
            list_exhibit(connection, manifest, str(line.arguments["manifest_sha256"]), line.ts)
    done = analyses(log)
    last = {str(one.arguments.get("pattern")): one for one in done}
    for one in sorted(last.values(), key=lambda each: each.seq):
        parameters = one.arguments.get("parameters")
        rerun(case, str(one.arguments["pattern"]), parameters if isinstance(parameters, dict) else {})
    return done


def _carry_over(case: Case) -> None:
    """Take along what does not follow from this case's own evidence: rows that partners sent, declared series."""
    old = str((case.path / CATALOGUE).resolve()).replace("'", "''")
    with closing(open_catalogue(case.path, write=True, name=case.catalogue)) as connection:
        connection.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
        there = {name for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' AND schema_name = 'main'"
        ).fetchall()}  # fmt: skip
        with transaction(connection):
            for table in (name for name in schema.own_tables() if name in there and name not in COMPARED):
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM old.main.{table}")  # noqa: S608
        connection.execute("DETACH old")


def _others(done: list[Record]) -> tuple[str, ...]:
    return tuple(
        sorted({f"{one.arguments.get('pattern')} ({one.tool_version})" for one in done
                if one.tool_version != tool_version()})
    )  # fmt: skip


def _put_in_place(case: Path) -> None:
    """One rename; DuckDB's write-ahead file of the old catalogue goes with it."""
    with suppress(FileNotFoundError):
        case.joinpath(CATALOGUE + ".wal").unlink()
    case.joinpath(REBUILT).replace(case / CATALOGUE)
    sync_folder(case)


def _clear(case: Path) -> None:
    for name in (REBUILT, REBUILT + ".wal"):
        case.joinpath(name).unlink(missing_ok=True)
