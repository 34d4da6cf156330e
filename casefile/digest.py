"""The canonical digest of a table: the same for the same columns and rows, whatever file they are stored in.

SHA-256 over a first line (canonical JSON: [[name, type], ...] and the number of rows) and then, column by
column in that order:

    validity   one byte a row, 1 for a value, 0 for NULL
    numbers    booleans as one byte, integers, floats and times as stored, little-endian; 0 where NULL
    text       length in bytes of each row as 64-bit integers, then all bytes
    lists      length of each row as 64-bit integers, then the column of all items, by these same rules
    structs    each field in turn, by these same rules
    others     as text: what Python's str() says of the value

A DuckDB file holds the same rows in other bytes from run to run; by this digest two of them can be compared.
"""

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import duckdb


_NONE: Final = np.zeros(1, dtype=np.int64)


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


def table_digest(table: pa.Table) -> str:
    """The digest of a table in the order of its rows."""
    digest = sha256()
    kinds = [[field.name, str(field.type)] for field in table.schema]
    digest.update(json.dumps([kinds, table.num_rows], separators=(",", ":"), ensure_ascii=False).encode())
    digest.update(b"\n")
    for column in table.columns:
        _column(digest, pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type))
    return digest.hexdigest()


def stored_digest(connection: "duckdb.DuckDBPyConnection", table: str) -> str:
    """The digest of a table of the catalogue, its rows ordered by all columns from left to right."""
    rows = connection.sql(f"SELECT * FROM {table} ORDER BY ALL")  # noqa: S608 - a name of our own schema
    return table_digest(rows.to_arrow_table())


def _column(digest: _Hash, column: pa.Array) -> None:
    digest.update(np.asarray(column.is_valid(), dtype=np.uint8).tobytes())
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        digest.update(_bytes(lengths.cast(pa.int64())))
        _column(digest, column.flatten())  # which leaves out the items of NULL rows
    elif pa.types.is_boolean(kind):
        digest.update(_bytes(pc.fill_null(column, pa.scalar(value=False)).cast(pa.uint8())))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        digest.update(_bytes(pc.fill_null(column, pa.scalar(0, kind))))
    elif pa.types.is_date32(kind) or pa.types.is_time32(kind):
        digest.update(_bytes(pc.fill_null(column.cast(pa.int32()), 0)))
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        digest.update(_bytes(pc.fill_null(column.cast(pa.int64()), 0)))
    elif pa.types.is_struct(kind):
        for field in column.flatten():
            _column(digest, field)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        _binary(digest, column.cast(pa.large_string()).cast(pa.large_binary()))
    else:
        texts = [
            None if one is None else str(one).encode("utf-8", "backslashreplace")
            for one in column.to_pylist()
        ]
        _binary(digest, pa.array(texts, pa.large_binary()))


def _binary(digest: _Hash, column: pa.Array) -> None:
    column = pc.fill_null(column, b"")
    _, offsets, data = column.buffers()
    ends = (
        np.frombuffer(offsets, dtype="<i8")[column.offset : column.offset + len(column) + 1]
        if len(column)
        else _NONE
    )
    digest.update(np.diff(ends).astype("<i8").tobytes())
    if len(column) and data is not None:
        digest.update(memoryview(data)[int(ends[0]) : int(ends[-1])])


def _bytes(column: pa.Array) -> bytes:
    values = column.to_numpy(zero_copy_only=False)
    return bytes(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
