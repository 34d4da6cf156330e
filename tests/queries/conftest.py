"""A database in memory with the case's tables as plain tables, for queries to be run on made-up rows."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from wirecover.capture.tables import TABLES
from wirecover.casefile import schema

Fill = Callable[[Path], duckdb.DuckDBPyConnection]


def plain_tables() -> duckdb.DuckDBPyConnection:
    """Every table of a case, and every view over evidence, as an empty table of the same columns.

    Views over those views stay what they are: they show what is put into the tables.
    """
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    schema.apply(connection, empty=True)
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY view_name"
    ).fetchall()
    for name in sorted({name for (name,) in views} & {*TABLES, "custody_log"}):
        connection.execute(f"CREATE TABLE copy_of AS SELECT * FROM {name}")
        connection.execute(f"DROP VIEW {name}")
        connection.execute(f"ALTER TABLE copy_of RENAME TO {name}")
    return connection


def load_csv(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Rows of <table>.csv into that table: columns that are not given, and empty cells, are NULL."""
    table = path.stem
    types = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall())
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            columns = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join(f"CAST(? AS {types[name]})" for name in row)
            values = [value or None for value in row.values()]
            connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)


@pytest.fixture(scope="session")
def shared_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Made once: it is the slow part."""
    with plain_tables() as connection:
        yield connection


@pytest.fixture
def empty_tables(shared_tables: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A case without a row; what a test puts in is taken out after it."""
    shared_tables.execute("BEGIN TRANSACTION")
    yield shared_tables
    shared_tables.execute("ROLLBACK")


@pytest.fixture
def filled(empty_tables: duckdb.DuckDBPyConnection) -> Fill:
    """Fill the tables from the CSV files of a folder; `expect.csv` is none of them."""

    def fill(folder: Path) -> duckdb.DuckDBPyConnection:
        for path in sorted(folder.glob("*.csv")):
            if path.name != "expect.csv":
                load_csv(empty_tables, path)
        return empty_tables

    return fill
