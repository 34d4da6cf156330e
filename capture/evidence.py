"""Rows in, Parquet files out: one file a table, written in row groups so that memory stays bounded.

Small tables are given row by row (`add`), packet-rate tables column by column (`add_columns`). The same rows in the
same order give the same bytes.
"""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.capture.tables import TABLES

ROWS_HELD: Final = 1 << 15
"""Rows of a table gathered before they are written."""
_DELTA: Final = ("flow_no", "frame", "ts")


class EvidenceWriter:
    """Writes the tables of one exhibit into a folder. Use as a context manager; `close` seals every file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = dict.fromkeys(TABLES, 0)
        self._held: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
        self._writers = {name: self._open(name, schema) for name, schema in TABLES.items()}

    def _open(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        packets = name == "packets"
        return pq.ParquetWriter(
            self.folder / f"{name}.parquet", schema, compression="zstd", compression_level=1,
            use_dictionary=[f.name for f in schema if f.name not in _DELTA] if packets else True,
            column_encoding=dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED") if packets else None,
            write_page_index=True,
        )  # fmt: skip

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """One row, its values in the order of the table's schema."""
        held = self._held[table]
        held.append(row)
        if len(held) >= ROWS_HELD:
            self._flush(table)

    def add_columns(self, table: str, columns: list[pa.Array]) -> None:
        """A batch of rows as arrays in the order of the table's schema."""
        if len(columns[0]):
            self._write(table, pa.Table.from_arrays(columns, schema=TABLES[table]))

    def _flush(self, table: str) -> None:
        held, schema = self._held[table], TABLES[table]
        if held:
            columns = [pa.array(values, field.type) for values, field in zip(zip(*held, strict=True), schema, strict=True)]
            held.clear()
            self._write(table, pa.Table.from_arrays(columns, schema=schema))

    def _write(self, table: str, rows: pa.Table) -> None:
        self.rows[table] += rows.num_rows
        self._writers[table].write_table(rows)

    def close(self) -> None:
        """Write what is held and seal the files."""
        for table in TABLES:
            self._flush(table)
        for writer in self._writers.values():
            writer.close()

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by file name; after `close`."""
        found = {}
        for table in TABLES:
            with (self.folder / f"{table}.parquet").open("rb") as file:
                found[f"{table}.parquet"] = hashlib.file_digest(file, "sha256").hexdigest()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:  # the folder is abandoned, its files only have to be let go of
            for writer in self._writers.values():
                try:
                    writer.close()
                except OSError:
                    continue
