"""Rows in, Parquet files out: one file a table, written in row groups so that memory stays bounded.

Small tables are given row by row (`add`), packet-rate tables column by column (`add_columns`); a second thread
encodes and writes. Row groups are cut by number of rows, so the same rows in the same order give the same bytes,
whatever pieces they came in.
"""

import hashlib
import queue
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.capture.tables import TABLES

ROWS_HELD: Final = 1 << 14
"""Rows given one by one that are gathered before they become columns."""
ROW_GROUP: Final = 1 << 17
_QUEUED: Final = 4
"""Row groups that may wait for the second thread."""
SORTED: Final = frozenset({"dns_messages", "dns_answers", "stun_messages"})
"""Tables whose rows come from a kernel and from parsers: `sort_new` puts each step's in order."""
_DELTA: Final = ("flow_no", "frame", "ts")


class EvidenceWriter:
    """Writes the tables of one exhibit into a folder. Use as a context manager; `close` seals every file."""

    own_words_only = False
    """What a message merely repeats of others (the known answers of a question in mDNS) is not wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = dict.fromkeys(TABLES, 0)
        self._held: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES}
        self._chunks: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
        self._gathered: dict[str, int] = dict.fromkeys(TABLES, 0)
        """Rows of each table in `_chunks`."""
        self._sorted: dict[str, int] = dict.fromkeys(TABLES, 0)
        """Of `_chunks`, how many `sort_new` has seen."""
        self._writers = {name: self._open(name, schema) for name, schema in TABLES.items()}
        self._queue: queue.Queue[tuple[str, pa.Table] | None] = queue.Queue(_QUEUED)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)
        self._thread.start()

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
            self._flush(table)
            self._gather(table, pa.Table.from_arrays(columns, schema=TABLES[table]))

    def sort_new(self, table: str, column: str) -> None:
        """Put the rows added since the last call, and not yet written, in the order of a column."""
        self._flush(table)
        chunks, seen = self._chunks[table], self._sorted[table]
        if len(chunks) > seen + 1:
            new = pa.concat_tables(chunks[seen:])
            chunks[seen:] = [new.take(pa.array(np.argsort(new[column].to_numpy(), kind="stable")))]
        self._sorted[table] = len(chunks)
        self._write_full(table)

    def _flush(self, table: str) -> None:
        held, schema = self._held[table], TABLES[table]
        if held:
            columns = [
                pa.array(values, field.type)
                for values, field in zip(zip(*held, strict=True), schema, strict=True)
            ]
            held.clear()
            self._gather(table, pa.Table.from_arrays(columns, schema=schema))

    def _gather(self, table: str, rows: pa.Table) -> None:
        self._chunks[table].append(rows)
        self._gathered[table] += rows.num_rows
        self.rows[table] += rows.num_rows
        if table not in SORTED:
            self._write_full(table)

    def _write_full(self, table: str) -> None:
        """Hand whole row groups to the second thread."""
        if self._gathered[table] < ROW_GROUP:
            return
        rows = pa.concat_tables(self._chunks[table])
        whole = rows.num_rows // ROW_GROUP * ROW_GROUP
        for start in range(0, whole, ROW_GROUP):
            self._put((table, rows.slice(start, ROW_GROUP)))
        rest = rows.slice(whole)
        self._chunks[table] = [rest] if rest.num_rows else []
        self._gathered[table] = rest.num_rows
        self._sorted[table] = len(self._chunks[table])

    # ---- the second thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if self._failure is None:
                table, rows = job
                try:
                    self._writers[table].write_table(rows, row_group_size=ROW_GROUP)
                except BaseException as error:  # noqa: BLE001 - handed to the first thread, which raises it
                    self._failure = error

    def _put(self, job: tuple[str, pa.Table] | None) -> None:
        self._queue.put(job)
        self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def close(self) -> None:
        """Write what is held and seal the files."""
        for table in TABLES:
            self._flush(table)
            if self._chunks[table]:
                self._write_full(table)
            if self._chunks[table]:
                self._put((table, pa.concat_tables(self._chunks[table])))
                self._chunks[table] = []
        self._stop()
        self._check()
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._stop()
            for writer in self._writers.values():  # harmless where it is closed; else the folder is abandoned
                try:
                    writer.close()
                except OSError:
                    continue
