"""The custody log as rows: for the view `custody_log` over the file, and for where no file may be opened."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from wirecover.casefile.log_file import LOG, LOG_FILE, MAX_LINE, Record, canonical, records

NAME: Final = "custody_log"
_text, _i64, _texts = pa.string(), pa.int64(), pa.list_(pa.field("item", pa.string()))
SCHEMA: Final = pa.schema([
    ("seq", _i64), ("ts", _i64), ("actor", _text), ("verb", _text), ("arguments", _text),
    ("tool_version", _text), ("prev_sha256", _text), ("sha256", _text), ("phase", _text), ("act", _i64),
    ("subjects", _texts), ("reason", _text), ("examiner", _text), ("role", _text), ("organisation", _text),
    ("result", _text), ("clock_back_ns", _i64), ("torn", _text), ("signed_by", _texts),
])  # fmt: skip
"""Columns of evidence.custody_log, in order; `ts` in nanoseconds since 1970."""
_JSON: Final = frozenset({"arguments", "torn"})


def file_view() -> str:
    """SELECT of these columns from the file, by its place in the case folder. Broken lines are left out."""
    kinds = {"seq": "BIGINT", "ts": "BIGINT", "act": "BIGINT", "clock_back_ns": "BIGINT"}
    columns: list[str] = []
    shown: list[str] = []
    for name in SCHEMA.names:
        if name == "signed_by":
            columns.append("'signatures': 'STRUCT(\"key\" VARCHAR)[]'")
            shown.append('list_transform(signatures, lambda one: one."key") AS signed_by')
            continue
        kind = kinds.get(name, "JSON" if name in _JSON else "VARCHAR[]" if name == "subjects" else "VARCHAR")
        columns.append(f"'{name}': '{kind}'")
        shown.append(f"{name}::VARCHAR AS {name}" if kind == "JSON" else name)
    return (
        f"SELECT {', '.join(shown)} FROM read_json('{LOG}/{LOG_FILE}', format='newline_delimited', "  # noqa: S608
        f"ignore_errors=true, maximum_object_size={MAX_LINE}, columns={{{', '.join(columns)}}}) "
        "WHERE seq IS NOT NULL"
    )


def log_table(case: Path) -> pa.Table:
    """The log's records as a table. CaseError when it cannot be read."""
    return pa.Table.from_pylist([_row(one) for one in records(case)], schema=SCHEMA)


def shown_table(case: Path) -> pa.Table:
    """The log for people: times as times, in the columns that say who did what, when, why and how it ended."""
    table = log_table(case)
    when = table.column("ts").cast(pa.timestamp("ns"))
    table = table.set_column(table.schema.get_field_index("ts"), "ts", when)
    return table.select([
        "seq", "ts", "actor", "examiner", "role", "verb", "phase", "act", "arguments", "subjects", "reason", "result",
        "clock_back_ns", "sha256", "signed_by",
    ])  # fmt: skip


def _row(record: Record) -> dict[str, object]:
    row: dict[str, object] = {
        name: getattr(record, name) for name in SCHEMA.names if name not in {*_JSON, "signed_by", "subjects"}
    }
    return row | {
        "arguments": canonical(record.arguments),
        "torn": None if record.torn is None else canonical(record.torn),
        "subjects": list(record.subjects),
        "signed_by": [str(one.get("key", "")) for one in record.signatures],
    }
