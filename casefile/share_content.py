"""What is inside a partner's Parquet files, before a row of them is entered.

A signature says who sent it, not that it is harmless: columns must be known ones of the right type, an exhibit's row
must be that exhibit's, and a file may not be a bomb. Limits: so many rows for a file's size, so many bytes unpacked
for each byte packed, so many bytes in one text.
"""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.tables import TABLES
from wirecover.casefile.bundle_manifest import BundleManifest
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.errors import IntegrityError
from wirecover.casefile.foreign import EXHIBITS, SHARED_DERIVED
from wirecover.casefile.share_rules import RULES

FREE_ROWS: Final = 100_000
ROWS_PER_BYTE: Final = 16
"""Rows that one byte of a file may stand for, beyond the free ones: packets of one flow take half a byte each."""
FREE_BYTES: Final = 16 << 20
RATIO: Final = 250
"""Bytes unpacked for one packed, beyond the free ones."""
LONGEST_TEXT: Final = 1 << 16
_BATCH: Final = 1 << 12
MAX_FOOTER_BYTES: Final = 32 << 20


def check_content(folder: Path, manifest: BundleManifest) -> None:
    """IntegrityError on the first file that is not what a share may hold."""
    for one in manifest.members:
        if one.path.endswith(".parquet"):
            try:
                _check(folder / one.path)
            except IntegrityError as error:
                raise IntegrityError(f"{one.path}: {error}") from None
            except (pa.ArrowException, OSError, MemoryError, OverflowError) as error:
                raise IntegrityError(f"{one.path}: no Parquet that can be read: {_line(error)}") from None


def _line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def _check(path: Path) -> None:
    table, size = path.stem, path.stat().st_size
    allowed = _columns(table)
    _footer(path, size)
    with pq.ParquetFile(path, thrift_string_size_limit=1 << 20, thrift_container_size_limit=1 << 20) as file:
        meta = file.metadata
        if meta.num_rows > FREE_ROWS + ROWS_PER_BYTE * size:
            raise IntegrityError(f"{meta.num_rows} rows in {size} bytes")
        unpacked = sum(meta.row_group(place).total_byte_size for place in range(meta.num_row_groups))
        if unpacked > FREE_BYTES + RATIO * size or unpacked < 0:
            raise IntegrityError(f"{unpacked} bytes packed into {size}")
        _schema(file.schema_arrow, allowed)
        texts = [field.name for field in allowed if _has_text(field.type)]
        leaves = [file.schema.column(place).path for place in range(len(file.schema))]
    packed = [leaf for leaf in leaves if leaf.partition(".")[0] in texts]
    with pq.ParquetFile(path, read_dictionary=packed) as file:
        for batch in file.iter_batches(_BATCH, columns=texts, use_threads=False):
            for column in batch.columns:
                _texts(column)
    if table == "captures":
        _exhibit(path)


def _footer(path: Path, size: int) -> None:
    """The footer's own claim of its length, before a library believes it."""
    if size < 12:
        raise IntegrityError("too short for Parquet")
    with path.open("rb") as file:
        file.seek(size - 8)
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
    if magic != b"PAR1" or not 0 < length <= min(size - 12, MAX_FOOTER_BYTES):
        raise IntegrityError("no Parquet, or its footer is of an impossible size")


def _columns(table: str) -> pa.Schema:
    if table in RULES:
        return TABLES[table]
    return pa.schema([DERIVED[table].field(name) for name in SHARED_DERIVED[table]])


def _schema(found: pa.Schema, allowed: pa.Schema) -> None:
    """The very columns of this version: others would be read as something that they are not."""
    if found.names != allowed.names:
        odd = sorted(set(found.names) ^ set(allowed.names))
        raise IntegrityError(f"other columns than this version's: {', '.join(odd[:5]) or 'in another order'}")
    for field in allowed:
        if _plain(found.field(field.name).type) != field.type:
            raise IntegrityError(f"the column {field.name} is of the type {found.field(field.name).type}")


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(pa.field("item", kind.value_type))
    return kind


def _has_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or (pa.types.is_list(kind) and pa.types.is_string(kind.value_type)))


def _texts(column: pa.Array) -> None:
    """No text longer than any that a decoder writes; a dictionary's are looked at once."""
    if pa.types.is_list(column.type):
        column = column.flatten()
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    longest = pc.max(pc.binary_length(values)).as_py()
    if longest is not None and longest > LONGEST_TEXT:
        raise IntegrityError(f"a text of {longest} bytes")
    values.validate(full=True)  # also that it is UTF-8


def _exhibit(path: Path) -> None:
    digest = path.parent.name
    assert path.parent.parent.name == EXHIBITS
    rows = pq.read_table(path, columns=["sha256", "capture_id", "flow_base"], partitioning=None).to_pylist()
    if rows != [{"sha256": digest, "capture_id": capture_id(digest), "flow_base": flow_base(digest)}]:
        raise IntegrityError("its row is not that of the exhibit whose folder it lies in")
