"""Running one statement with bound parameters on an open connection, as Arrow."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from wirecover.queries.parameters import Value

Bound = Mapping[str, tuple[str, Value]]
"""Parameter name -> (DuckDB type, value)."""


def reader(connection: duckdb.DuckDBPyConnection, sql: str, bound: Bound, rows: int) -> pa.RecordBatchReader:
    """The result in batches of at most `rows` rows."""
    values = {name: duckdb.Value(value, duckdb.type(kind)) for name, (kind, value) in bound.items()}
    relation = connection.sql(sql, params=values) if values else connection.sql(sql)
    if relation is None:  # a statement without a result
        return pa.table({}).to_reader()
    return relation.to_arrow_reader(rows)
