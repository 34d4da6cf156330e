"""The SQL schema of a case: schema.sql, the base views it stands on, and the derived tables.

Three layers, each under its own names:

evidence.<table>   one view for each Parquet table over the files of all catalogued exhibits, with
`capture_id` and
                   `flow_base` in front; typed and empty before the first exhibit. Made here from
                   capture/tables.py.
evidence.custody_log   the same over the custody log's file (log_view.py).
<table>            what users ask: schema.sql section 1.
own tables         what the case keeps itself: schema.sql section 2 and derived.py.

The same schema.sql is bound a second way, over Arrow datasets instead of file paths (`bind_datasets`): so the
sandbox can read evidence while DuckDB may touch no file at all.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from wirecover.capture.tables import TABLES
from wirecover.casefile import foreign, log_view
from wirecover.casefile.derived import COLUMN_COMMENTS, DERIVED
from wirecover.casefile.layout import EVIDENCE
from wirecover.casefile.log_file import LOG, LOG_FILE

SECTION_2: Final = "\n-- section 2:"
TABLE_COMMENTS: Final = {
    "findings": "One statement of an analysis",
    "finding_frames": "One frame that a finding rests on",
    "events": "One inferred message event",
    "calls": "One call",
    "call_flows": "One flow of a call",
    "endpoints": "One address in one network: what the exhibits tell of the device or devices behind it",
    "endpoint_facts": "One value that one source told of an endpoint in one capture",
    "device_links": "One identifier told of two addresses, or of one at two times: a reason to look closer, no proof",
    "endpoint_warnings": "One sign that an address was not that of one device all the time",
    "unexplained": "Flows of one endpoint for one reason why they have no label, or with one sort of label",
    "analysis_notes": "One thing that a detector left out, and why",
}
_SCALARS: Final[dict[pa.DataType, str]] = {
    pa.int64(): "BIGINT", pa.int32(): "INTEGER", pa.int16(): "SMALLINT", pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN", pa.float64(): "DOUBLE", pa.timestamp("ns"): "TIMESTAMP_NS",
}  # fmt: skip
_PREFIX: Final = (pa.field("capture_id", pa.int64()), pa.field("flow_base", pa.int64()))


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type that the schemas of this project use."""
    if pa.types.is_list(kind):
        return sql_type(kind.value_type) + "[]"
    return _SCALARS[kind]


def base_schema(table: str) -> pa.Schema:
    """Columns of evidence.<table>: those of the Parquet file, led by the ids of its exhibit."""
    if table == log_view.NAME:
        return log_view.SCHEMA
    own = TABLES[table]
    return pa.schema([field for field in _PREFIX if field.name not in own.names] + list(own))


def quoted(name: str) -> str:
    """A column or table name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _base_view(table: str, *, empty: bool) -> str:
    """CREATE VIEW of one base view, its columns listed: a file with others cannot change it."""
    columns = base_schema(table)
    if empty:
        body = ", ".join(f"NULL::{sql_type(field.type)} AS {quoted(field.name)}" for field in columns)
        return f"CREATE OR REPLACE VIEW evidence.{table} AS SELECT {body} WHERE false"
    if table == log_view.NAME:
        return f"CREATE OR REPLACE VIEW evidence.{table} AS {log_view.file_view()}"
    own = TABLES[table].names
    body = ", ".join(f"{'p' if field.name in own else 'e'}.{quoted(field.name)}" for field in columns)
    # Only folders named like a hash are read, and of those only the catalogued ones: a folder that a killed
    # ingest left, or that someone put there, is not evidence.
    return (
        f"CREATE OR REPLACE VIEW evidence.{table} AS SELECT {body} "  # noqa: S608 - names of our own schema
        f"FROM read_parquet('{EVIDENCE}/[0-9a-f]*/{table}.parquet', filename=true) p "
        "JOIN main.exhibits e ON e.sha256 = parse_path(p.filename)[-2]"
    )


@cache
def schema_sql() -> str:
    """The text of schema.sql."""
    return (files("wirecover.casefile") / "schema.sql").read_text(encoding="utf-8")


def _statements(text: str) -> list[str]:
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [part.strip() for part in re.split(r";\n", bare + "\n") if part.strip()]


def view_statements() -> list[str]:
    """Section 1 of schema.sql: views over evidence, and their comments."""
    return _statements(schema_sql().split(SECTION_2)[0])


def table_statements() -> list[str]:
    """Section 2 of schema.sql, the derived tables and those of partners: what the case keeps itself."""
    return [
        *_statements("--" + schema_sql().split(SECTION_2)[1]), *_derived_statements(), *foreign.statements(),
    ]  # fmt: skip


def own_tables() -> list[str]:
    """Names of the tables that the case keeps itself, in the order of their definition."""
    found = (re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", text) for text in table_statements())
    return [match.group(1) for match in found if match]


def _derived_statements() -> Iterator[str]:
    for table, schema in DERIVED.items():
        columns = ", ".join(f"{quoted(field.name)} {sql_type(field.type)}" for field in schema)
        yield f"CREATE TABLE IF NOT EXISTS {table} ({columns})"
        yield f"COMMENT ON TABLE {table} IS {_literal(TABLE_COMMENTS[table])}"
        for column in schema.names:
            text = _literal(COLUMN_COMMENTS[table][column])
            yield f"COMMENT ON COLUMN {table}.{quoted(column)} IS {text}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _state(*, empty: bool) -> str:
    """What the catalogue notes of its own views, on the view evidence.captures."""
    return f"over {'nothing' if empty else 'files'}; schema {fingerprint()}"


@cache
def fingerprint() -> str:
    """Changes when any part of the schema does; the catalogue keeps it to know when to make its views
    anew.
    """
    parts = (
        [_base_view(table, empty=False) for table in (*TABLES, log_view.NAME)]
        + view_statements()
        + table_statements()
    )
    return sha256("\n".join(parts).encode()).hexdigest()


def apply(connection: duckdb.DuckDBPyConnection, *, empty: bool, logged: bool = False) -> None:
    """Make or renew every view and table of the catalogue, inside the transaction of the caller.

    `empty`: there is no exhibit yet; `logged`: there is a case folder with its custody log around it.
    """
    tables = table_statements()
    for statement in (text for text in tables if text.startswith("CREATE")):
        connection.execute(statement)
    _add_new_columns(connection)
    for statement in (text for text in tables if text.startswith("COMMENT")):
        connection.execute(statement)
    connection.execute("CREATE SCHEMA IF NOT EXISTS evidence")
    with _bindable(connection, empty=empty and not logged):
        for table in TABLES:
            connection.execute(_base_view(table, empty=empty))
        connection.execute(_base_view(log_view.NAME, empty=not logged))
        for statement in view_statements():
            connection.execute(statement)
    connection.execute(f"COMMENT ON VIEW evidence.captures IS {_literal(_state(empty=empty))}")


@contextmanager
def _bindable(connection: duckdb.DuckDBPyConnection, *, empty: bool) -> Iterator[None]:
    """Let views over files be made: DuckDB looks for a file when it makes one, if only for its columns.

    Where the case's own folder cannot be the search path, empty files in a temporary folder serve as well,
    since the views hold no folder.
    """
    if empty or connection.execute("SELECT current_setting('file_search_path')").fetchall() != [("",)]:
        yield
        return
    with TemporaryDirectory(prefix="wirecover-") as name:
        folder = Path(name) / EVIDENCE / "0"
        folder.mkdir(parents=True)
        for table, columns in TABLES.items():
            pq.write_table(columns.empty_table(), folder / f"{table}.parquet")
        Path(name, LOG).mkdir()
        Path(name, LOG, LOG_FILE).touch()
        connection.execute(f"SET file_search_path = {_literal(name)}")
        try:
            yield
        finally:
            connection.execute("RESET file_search_path")


def is_current(connection: duckdb.DuckDBPyConnection, *, empty: bool) -> bool:
    """Whether the catalogue was made by this very schema, for a case with or without exhibits."""
    rows = connection.execute(
        "SELECT comment FROM duckdb_views() WHERE schema_name = 'evidence' AND view_name = 'captures' "
        "AND database_name = current_database()"
    ).fetchall()
    return rows == [(_state(empty=empty),)]


def _add_new_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a case made by an earlier version the columns that derived tables have gained since."""
    for table, schema in DERIVED.items():
        rows = connection.execute(
            "SELECT column_name FROM duckdb_columns() "
            "WHERE schema_name = 'main' AND database_name = current_database() AND table_name = ?", [table],
        ).fetchall()  # fmt: skip
        have = {name for (name,) in rows}
        for field in schema:
            if field.name not in have:
                column = f"{quoted(field.name)} {sql_type(field.type)}"
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    _add_to_authority(connection)


def _add_to_authority(connection: duckdb.DuckDBPyConnection) -> None:
    """The same for `authority`, whose columns stand in schema.sql; none of the later ones has a constraint."""
    [made] = [text for text in table_statements() if text.startswith("CREATE TABLE IF NOT EXISTS authority ")]
    for column, kind in re.findall(r"(\w+) (BIGINT|TIMESTAMP_NS|VARCHAR(?:\[\])?)", made):
        connection.execute(f"ALTER TABLE authority ADD COLUMN IF NOT EXISTS {column} {kind}")


def datasets(case: Path, exhibits: Sequence[tuple[str, int, int]]) -> dict[str, pads.Dataset]:
    """Each evidence table as one Arrow dataset over the exhibits (sha256, capture_id, flow_base), and the log.

    The ids are partition values of each file, so a filter on capture_id opens only the files it needs.
    """
    layout, disk = pads.ParquetFileFormat(), pafs.LocalFileSystem()
    found: dict[str, pads.Dataset] = {}
    for table in TABLES:
        fragments = [
            layout.make_fragment(
                (case / EVIDENCE / digest / f"{table}.parquet").as_posix(),
                filesystem=disk,
                partition_expression=(pads.field("capture_id") == capture)
                & (pads.field("flow_base") == base),
            )
            for digest, capture, base in exhibits
        ]
        found[table] = pads.FileSystemDataset(fragments, base_schema(table), layout, disk)
    found[log_view.NAME] = pads.dataset(log_view.log_table(case))
    return found


def bind_datasets(
    connection: duckdb.DuckDBPyConnection, tables: dict[str, pads.Dataset], *, temporary: bool
) -> None:
    """Make the views of section 1 over Arrow datasets; with comments unless they are temporary."""
    for table, dataset in tables.items():
        connection.register(f"evidence_{table}", dataset)
    for statement in view_statements():
        text = re.sub(r"\bevidence\.(\w+)", r"evidence_\1", statement)
        if not temporary:
            connection.execute(text)
        elif text.startswith("CREATE"):
            connection.execute(text.replace("CREATE OR REPLACE VIEW", "CREATE OR REPLACE TEMP VIEW", 1))


def bind_own_tables(connection: duckdb.DuckDBPyConnection, catalogue: str) -> None:
    """Make a commented view of every table the case keeps itself, over an attached catalogue."""
    for table in own_tables():
        source = f"{quoted(catalogue)}.main.{table}"
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {source}")  # noqa: S608 - our own names
    for statement in table_statements():
        if statement.startswith("COMMENT"):
            connection.execute(statement.replace("COMMENT ON TABLE", "COMMENT ON VIEW", 1))
