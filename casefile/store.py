"""What analyses write into the case: all rows of one pattern, replaced in one transaction."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import duckdb
import pyarrow as pa

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, Entry, note
from wirecover.casefile.derived import DERIVED, OWNED
from wirecover.casefile.digest import stored_digest
from wirecover.casefile.errors import CaseError
from wirecover.casefile.schema import quoted
from wirecover.casefile.transaction import transaction


def replace_analysis(
    case: Case,
    pattern: str,
    findings: pa.Table,
    finding_frames: pa.Table,
    events: pa.Table | None = None,
    *,
    calls: pa.Table | None = None,
    call_flows: pa.Table | None = None,
    tables: Mapping[str, pa.Table] | None = None,
    notes: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    entry: Entry | None = None,
    logged: bool = True,
) -> None:
    """Put the rows of one detector in the place of its earlier ones, and the act into the custody log.

    The tables are as `derived.py` says; every finding and event must carry `pattern`, every frame a finding
    of this very call, every flow of a call one of `calls`. CaseError otherwise, and the case is as it was.
    One detector owns the calls: where `calls` is None, those in the case stay. `tables` are others that this
    detector owns (`derived.OWNED`); their rows replace all earlier ones.
    """
    if odd := sorted(set(tables or {}) - OWNED):
        raise CaseError(f"{pattern}: not tables that a detector owns: {', '.join(odd)}")
    handed = {
        "findings": findings, "finding_frames": finding_frames, "events": events, "calls": calls,
        "call_flows": call_flows, **(tables or {}),
    }  # fmt: skip
    given = {name: _checked(name, table) for name, table in handed.items() if table is not None}
    for name in ("findings", "events"):
        if name in given and set(given[name]["pattern"].unique().to_pylist()) - {pattern}:
            raise CaseError(f"{pattern}: its {name} name another pattern")
    strangers = set(given["finding_frames"]["finding_id"].unique().to_pylist()) - set(
        given["findings"]["finding_id"].to_pylist()
    )
    if strangers:
        raise CaseError(f"{pattern}: {len(strangers)} findings of its frames are not among its findings")
    _check_calls(pattern, given)
    given["analysis_notes"] = _notes_table(pattern, notes)
    facts: dict[str, Any] = {
        "pattern": pattern,
        "rows": {name: table.num_rows for name, table in given.items()},
        "parameters": dict(parameters or {}),
    }
    subjects = (f"pattern:{pattern}",)
    noted = False

    def log(phase: str) -> None:
        if not logged:
            return
        if entry is not None:
            entry.note("analyze", facts, subjects, phase=phase)
        else:
            note(case, Act("analyze", facts, subjects), phase=phase)

    with closing(case.connect(write=True)) as connection:
        try:
            with transaction(connection):
                _delete(connection, pattern, calls="calls" in given)
                for name in sorted(OWNED & given.keys()):
                    connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name of our own schema
                for name, table in given.items():
                    _insert(connection, name, table)
                facts["tables"] = {name: stored_digest(connection, name) for name in sorted(DERIVED)}
                log("noted")
                noted = True
        except BaseException:
            if noted:
                log("withdrawn")
            raise


def _check_calls(pattern: str, given: Mapping[str, pa.Table]) -> None:
    """Calls and their flows come together, and every flow is of a call of this very run."""
    if ("calls" in given) != ("call_flows" in given):
        raise CaseError(f"{pattern}: calls and call_flows are given together or not at all")
    if "calls" not in given:
        return
    strangers = set(given["call_flows"]["call_id"].unique().to_pylist()) - set(
        given["calls"]["call_id"].to_pylist()
    )
    if strangers:
        raise CaseError(f"{pattern}: {len(strangers)} calls of its flows are not among its calls")


def _notes_table(pattern: str, notes: Sequence[str]) -> pa.Table:
    """What the detector says it left out, numbered from 1."""
    rows = [{"pattern": pattern, "seq": seq, "note": text} for seq, text in enumerate(notes, start=1)]
    return pa.Table.from_pylist(rows, schema=DERIVED["analysis_notes"])


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


def _delete(connection: duckdb.DuckDBPyConnection, pattern: str, *, calls: bool) -> None:
    connection.execute(
        "DELETE FROM finding_frames WHERE finding_id IN (SELECT finding_id FROM findings WHERE pattern = ?)",
        [pattern],
    )
    connection.execute("DELETE FROM findings WHERE pattern = ?", [pattern])
    connection.execute("DELETE FROM events WHERE pattern = ?", [pattern])
    connection.execute("DELETE FROM analysis_notes WHERE pattern = ?", [pattern])
    if calls:
        connection.execute("DELETE FROM calls")
        connection.execute("DELETE FROM call_flows")


def _insert(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    keys = DERIVED[name].names
    columns = ", ".join(quoted(key) for key in keys)
    order = ", ".join(quoted(key) for key in keys if not pa.types.is_list(DERIVED[name].field(key).type))
    connection.register("incoming", table)
    try:
        connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming ORDER BY {order}")  # noqa: S608
    finally:
        connection.unregister("incoming")
