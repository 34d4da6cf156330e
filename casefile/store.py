"""What analyses write into the case: all rows of one pattern, replaced in one transaction."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import duckdb
import pyarrow as pa

from wirecover.casefile.case import Case
from wirecover.casefile.custody import append_act
from wirecover.casefile.derived import DERIVED
from wirecover.casefile.errors import CaseError
from wirecover.casefile.ingest import transaction
from wirecover.casefile.schema import quoted


def replace_analysis(
    case: Case,
    pattern: str,
    findings: pa.Table,
    finding_frames: pa.Table,
    events: pa.Table | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Put the rows of one detector in the place of its earlier ones, and the act into the custody log.

    The tables are as `derived.py` says; every finding and event must carry `pattern`, every frame a finding
    of this very call. CaseError otherwise, and the case is as it was.
    """
    tables = {"findings": findings, "finding_frames": finding_frames, "events": events}
    given = {name: _checked(name, table) for name, table in tables.items() if table is not None}
    for name in ("findings", "events"):
        if name in given and set(given[name]["pattern"].unique().to_pylist()) - {pattern}:
            raise CaseError(f"{pattern}: its {name} name another pattern")
    strangers = set(given["finding_frames"]["finding_id"].unique().to_pylist()) - set(
        given["findings"]["finding_id"].to_pylist()
    )
    if strangers:
        raise CaseError(f"{pattern}: {len(strangers)} findings of its frames are not among its findings")
    counts = {name: table.num_rows for name, table in given.items()}
    with closing(case.connect(write=True)) as connection, transaction(connection):
        _delete(connection, pattern)
        for name, table in given.items():
            _insert(connection, name, table)
        facts = {"pattern": pattern, "rows": counts, "parameters": dict(parameters or {})}
        append_act(connection, "analyze", facts, at=case.clock())


def _checked(name: str, table: pa.Table) -> pa.Table:
    """The table in the columns and types of its schema; CaseError when it has others."""
    schema = DERIVED[name]
    if sorted(table.column_names) != sorted(schema.names):
        odd = sorted(set(table.column_names) ^ set(schema.names))
        raise CaseError(f"{name}: not the columns of the schema: {', '.join(odd)}")
    try:
        return table.select(schema.names).cast(schema)
    except pa.ArrowInvalid as error:
        raise CaseError(f"{name}: {error}") from error


def _delete(connection: duckdb.DuckDBPyConnection, pattern: str) -> None:
    connection.execute(
        "DELETE FROM finding_frames WHERE finding_id IN (SELECT finding_id FROM findings WHERE pattern = ?)",
        [pattern],
    )
    connection.execute("DELETE FROM findings WHERE pattern = ?", [pattern])
    connection.execute("DELETE FROM events WHERE pattern = ?", [pattern])


def _insert(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    keys = DERIVED[name].names
    columns = ", ".join(quoted(key) for key in keys)
    order = ", ".join(quoted(key) for key in keys if not pa.types.is_list(DERIVED[name].field(key).type))
    connection.register("incoming", table)
    try:
        connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming ORDER BY {order}")  # noqa: S608
    finally:
        connection.unregister("incoming")
