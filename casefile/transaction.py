"""All of a block's changes to the catalogue, or none."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


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
