"""A result as a table for eyes, as CSV, JSON or Parquet.

Values come from captures, so any text may be crafted. In `table` and `csv` control and direction-changing
characters are shown as `\\u{202e}`; in `csv` a text that a spreadsheet would take for a formula is led by an
apostrophe. `json` and `parquet` give every value exactly.
"""

import csv
import json
import math
import os
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.queries.errors import QueryError, QueryUseError

FORMATS: Final = ("table", "csv", "json", "parquet")
ROWS: Final = 1 << 14
"""Rows turned into Python objects at a time."""
MAX_CELL: Final = 80
"""Widest cell of a `table`; longer text is cut, and the cut is shown."""
_FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_PER_SECOND: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def write(table: pa.Table, format: str, out: Path | TextIO) -> None:
    """Write a result to a file or to an open text stream (Parquet: to a file only)."""
    if format not in FORMATS:
        raise QueryUseError(f"unknown format {format!r} (one of {', '.join(FORMATS)})")
    if not isinstance(out, Path):
        if format == "parquet":
            raise QueryUseError("parquet needs --out FILE")
        _write_text(table, format, out)
        return
    partial = out.with_name(f".{out.name}.partial")
    try:
        if format == "parquet":
            pq.write_table(table, partial)
        else:
            with partial.open("w", encoding="utf-8", newline="") as file:
                _write_text(table, format, file)
        os.replace(partial, out)  # noqa: PTH105 - Path.replace is the same call
    except OSError as error:
        raise QueryError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_text(table: pa.Table, format: str, out: TextIO) -> None:
    {"json": _write_json, "csv": _write_csv, "table": _write_table}[format](table, out)


def _write_json(table: pa.Table, out: TextIO) -> None:
    """One array of objects, one object a line."""
    out.write("[")
    for number, row in enumerate(rows(table)):
        out.write(",\n " if number else "\n ")
        json.dump(dict(zip(_unique(table.column_names), row, strict=True)), out, allow_nan=False)
    out.write("\n]\n")


def _write_csv(table: pa.Table, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_guarded(visible(name)) for name in table.column_names])
    for row in rows(table):
        writer.writerow([_csv_cell(value) for value in row])


def _write_table(table: pa.Table, out: TextIO) -> None:
    head = [visible(name) for name in table.column_names]
    body = [[_cut(_cell(value)) for value in row] for row in rows(table)]
    widths = [max([width(name), *(width(row[place]) for row in body)]) for place, name in enumerate(head)]
    right = [_is_number(kind) for kind in table.schema.types]
    for line in [head, ["-" * size for size in widths], *body]:
        cells = [_pad(text, size, right=side) for text, size, side in zip(line, widths, right, strict=True)]
        out.write("  ".join(cells).rstrip() + "\n")
    out.write(f"({table.num_rows} row{'' if table.num_rows == 1 else 's'})\n")


def rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows of plain JSON values: times as ISO 8601 text, no NaN, bytes as hexadecimal."""
    for start in range(0, table.num_rows, ROWS):
        part = table.slice(start, ROWS)
        columns = [_plain_column(column) for column in part.columns]
        yield from zip(*columns, strict=True)


def _plain_column(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    counted = _counted(kind)
    values = (column if counted == kind else column.cast(counted)).to_pylist()
    return [_plain(value, kind) for value in values]


def _counted(kind: pa.DataType) -> pa.DataType:
    """The type with every time, however deep, as its count: Python's own stop at microseconds and the year 9999."""
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind) or pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return pa.int32()
    if pa.types.is_time64(kind):
        return pa.int64()
    if pa.types.is_map(kind):
        return pa.map_(_counted(kind.key_type), _counted(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(pa.field(kind.value_field.name, _counted(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _counted(field.type)) for field in kind])
    return kind


def _plain(value: Any, kind: pa.DataType) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if pa.types.is_timestamp(kind):
        return iso_time(value * _PER_SECOND[kind.unit])
    if pa.types.is_date(kind):
        return _iso_date(value if pa.types.is_date32(kind) else value // 86_400_000)
    if pa.types.is_time(kind):
        return iso_time(value * _PER_SECOND[kind.unit])[11:-1]
    if pa.types.is_duration(kind):
        return value * _PER_SECOND[kind.unit]
    if pa.types.is_map(kind):
        return [[_plain(key, kind.key_type), _plain(item, kind.item_type)] for key, item in value]
    if isinstance(value, list):
        return [_plain(item, kind.value_type) for item in value]
    if isinstance(value, dict):
        return (
            {field.name: _plain(value[field.name], field.type) for field in kind}
            if pa.types.is_struct(kind)
            else value
        )
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, int) else str(value)


def iso_time(nanoseconds: int) -> str:
    """ISO 8601, UTC, nine digits: 2023-11-14T22:13:20.123456789Z."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{rest:09}"
    return f"{year:04}-{month:02}-{day:02}T{clock}Z"


def _iso_date(days: int) -> str:
    year, month, day = _civil(days)
    return f"{year:04}-{month:02}-{day:02}"


def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970-01-01 as (year, month, day); also outside the years 1 to 9999 that datetime knows.

    The algorithm is the usual one over 400-year eras starting on 1 March 0000, in which every leap day is the
    last day of its year.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def visible(text: str) -> str:
    """Text in which nothing acts on a terminal or hides: control, format and unassigned characters are
    named.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


def width(text: str) -> int:
    """Terminal cells that a visible text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return visible(json.dumps(value, ensure_ascii=False))
    return visible(str(value))


def _csv_cell(value: Any) -> str:
    text = _cell(value)
    return _guarded(text, raw=value) if isinstance(value, str) else text


def _guarded(text: str, raw: str | None = None) -> str:
    """Text led by an apostrophe where a spreadsheet would run it, before or after its characters were
    named.
    """
    return "'" + text if {text[:1], (raw or "")[:1]} & _FORMULA else text


def _cut(text: str) -> str:
    if width(text) <= MAX_CELL:
        return text
    taken = 0
    for place, char in enumerate(text):
        taken += width(char)
        if taken >= MAX_CELL:
            return text[:place] + "…"
    return text


def _pad(text: str, size: int, *, right: bool) -> str:
    gap = " " * (size - width(text))
    return gap + text if right else text + gap


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _unique(names: Sequence[str]) -> list[str]:
    """Column names as JSON keys: a second `name` becomes `name_2`, so that no column is lost."""
    seen: dict[str, int] = {}
    keys: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        key = name if seen[name] == 1 else f"{name}_{seen[name]}"
        while key in keys:
            key += "_"
        keys.append(key)
    return keys
