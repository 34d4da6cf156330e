"""Asking the case: the SQL files of this package, and a few helpers around the connection.

Query texts live in `analysis/sql/*.sql`; values only ever enter them as parameters.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

SECOND = 1_000_000_000
"""Nanoseconds."""


def sql_text(name: str) -> str:
    """The text of `analysis/sql/<name>.sql`."""
    return files("wirecover.analysis").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def ask(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None
) -> pa.Table:
    """The answer to a query as an Arrow table; the query says the order of its rows."""
    relation = connection.sql(query, params=dict(values)) if values else connection.sql(query)
    table: pa.Table = relation.to_arrow_table()
    return table


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, Any] | None = None
) -> list[Any]:
    """The answer to a small query as a list of tuples."""
    relation = connection.sql(query, params=dict(values)) if values else connection.sql(query)
    return relation.fetchall()


def streamed(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    """The answer to a large query, row by row; the connection takes no other query until it is exhausted."""
    answer = connection.execute(query)
    while some := answer.fetchmany(10_000):
        yield from some


def nanoseconds(seconds: float) -> int:
    """Seconds of a parameter as whole nanoseconds (rounded at the ninth decimal)."""
    return round(seconds * SECOND)
