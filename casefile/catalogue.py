"""Opening case.duckdb: one writer or many readers, and what DuckDB says when that is not possible.

DuckDB's own lock on the file is the lock of the case: a writer excludes every other process, and the system
lets it go when the writer dies.
"""

from pathlib import Path
from typing import Any, Final

import duckdb

from wirecover.casefile import schema
from wirecover.casefile.errors import CaseBusyError, CaseError
from wirecover.casefile.layout import CATALOGUE

_IN_USE: Final = (
    "could not set lock",
    "being used by another process",
    "different configuration",
    "conflicting lock",
)


def open_catalogue(
    case: Path, *, write: bool, threads: int = 1, name: str = CATALOGUE
) -> duckdb.DuckDBPyConnection:
    """A connection to the case, times in UTC; CaseBusyError when another one holds it.

    One thread unless asked otherwise: sums of DOUBLE differ from run to run with more.
    """
    path = case / name
    if not write and not path.is_file():
        raise CaseError(f"{path}: the catalogue is missing")
    config: dict[str, Any] = {
        "threads": threads, "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
    }  # fmt: skip
    try:
        connection = duckdb.connect(str(path), read_only=not write, config=config)
    except duckdb.Error as error:
        raise explain(error, case) from error
    try:
        connection.execute("SET TimeZone = 'UTC'")
        home = case.resolve()
        if "," not in str(home):  # which parts one search path from the next, and cannot be escaped
            place = str(home).replace("'", "''")
            connection.execute(f"SET file_search_path = '{place}'")
        elif not write:
            schema.bind_datasets(connection, schema.datasets(home, exhibit_keys(connection)), temporary=True)
    except duckdb.Error as error:
        connection.close()
        raise explain(error, case) from error
    return connection


def exhibit_keys(
    connection: duckdb.DuckDBPyConnection, table: str = "exhibits"
) -> list[tuple[str, int, int]]:
    """(sha256, capture_id, flow_base) of each exhibit in the catalogue, in order of the hash."""
    return connection.execute(f"SELECT sha256, capture_id, flow_base FROM {table} ORDER BY sha256").fetchall()  # noqa: S608


def explain(error: duckdb.Error, case: Path) -> CaseError:
    """A DuckDB error about the catalogue as one line."""
    text = str(error)
    lowered = text.lower()
    if any(sign in lowered for sign in _IN_USE):
        return CaseBusyError(f"{case}: the case is in use by another process")
    first = text.splitlines()[0] if text else type(error).__name__
    return CaseError(f"{case / CATALOGUE}: {first}")
