"""The schema: commented, as capture/tables.py says, usable without an exhibit and by a stock DuckDB."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from fake_decode import decode, write_capture

from wirecover.capture.tables import TABLES
from wirecover.casefile import foreign, schema
from wirecover.casefile.case import Case
from wirecover.casefile.derived import DERIVED

COLUMNS = (
    "SELECT column_name, data_type, comment FROM duckdb_columns() "
    "WHERE schema_name = 'main' AND table_name = ? "
    "AND database_name = current_database() ORDER BY column_index"
)
# Columns that scripts and the conformance check rely on, and that no Parquet column gives.
ADDED = {"captures": {"ingested_at"}}
VIEWS = ("flow_pairs", "flow_sightings", "series", "flow_parts", "joined_flows", "names_over_series")
"""Views over other views."""


@pytest.fixture(scope="module")
def catalogue() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    schema.apply(connection, empty=True)
    return connection


@pytest.mark.parametrize("table", TABLES)
def test_views_match_the_evidence_tables(catalogue: duckdb.DuckDBPyConnection, table: str) -> None:
    found = {name: kind for name, kind, _ in catalogue.execute(COLUMNS, [table]).fetchall()}
    want: dict[str, str] = {"capture_id": "BIGINT"}
    for field in TABLES[table]:
        is_time = field.name == "ts" or field.name.endswith("_ts") or field.name.startswith("not_")
        want[field.name] = "TIMESTAMP_NS" if is_time else schema.sql_type(field.type)
    if "flow_no" in want:
        want["flow_id"] = want["flow_no"]
        if table != "flows":
            del want["flow_no"]
    for name in ADDED.get(table, ()):
        want[name] = "TIMESTAMP_NS"
    assert found == want
    assert catalogue.execute(f"SELECT * FROM {table}").fetchall() == []


@pytest.mark.parametrize("table", DERIVED)
def test_derived_tables_match_their_schemas(catalogue: duckdb.DuckDBPyConnection, table: str) -> None:
    found = [(name, kind) for name, kind, _ in catalogue.execute(COLUMNS, [table]).fetchall()]
    assert found == [(field.name, schema.sql_type(field.type)) for field in DERIVED[table]]


def test_everything_has_a_comment(catalogue: duckdb.DuckDBPyConnection) -> None:
    for source in ("duckdb_views() WHERE NOT internal", "duckdb_tables() WHERE true"):
        bare = catalogue.execute(
            f"SELECT * FROM {source} AND schema_name = 'main' AND comment IS NULL"
        ).fetchall()
        assert bare == []
    rows = catalogue.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND comment IS NULL "
        "AND NOT internal"
    ).fetchall()
    assert rows == []


def test_the_names_of_the_design_are_there(catalogue: duckdb.DuckDBPyConnection) -> None:
    names = {row[0] for row in catalogue.execute("SHOW TABLES").fetchall()}
    assert names == {
        *TABLES,
        *DERIVED,
        *VIEWS,
        "exhibits",
        "authority",
        "custody_log",
        "declared_series",
        *foreign.tables(),
    }


def test_an_unknown_arrow_type_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        schema.sql_type(pa.uint64())


def test_an_older_catalogue_gains_new_columns_and_keeps_its_rows(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True)
    with case.connect(write=True) as connection:
        connection.execute(
            "INSERT INTO call_flows (call_id, flow_id, capture_id, role) VALUES (1, 2, 3, 'media')"
        )
        connection.execute("ALTER TABLE call_flows DROP COLUMN role")
        connection.execute("COMMENT ON VIEW evidence.captures IS 'older'")
    with case.connect(write=True) as connection:
        kept = connection.execute("SELECT call_id, flow_id, capture_id, role FROM call_flows").fetchall()
        assert kept == [(1, 2, 3, None)]


@pytest.mark.parametrize("name", ["plain", "a, b [1] 'c' é"])
def test_views_give_ids_and_times_wherever_the_case_lies(tmp_path: Path, name: str) -> None:
    write_capture(tmp_path / "in" / "x.pcap")
    case = Case.create(tmp_path / name, training=True)
    case.ingest([tmp_path / "in"], decoder=decode)
    with case.connect() as connection:
        rows = connection.execute(
            "SELECT f.flow_id = c.flow_base, epoch_ns(p.ts) % 1000, p.record_bytes, t.alpn_offered "
            "FROM packets p JOIN flows f USING (flow_id) JOIN captures c ON c.capture_id = f.capture_id "
            "JOIN tls_handshakes t USING (flow_id) WHERE p.frame = 1"
        ).fetchall()
    assert rows == [(True, 789, [30, 5], ["h2", "http/1.1"])]


def test_certificates_are_one_row_each_in_the_case(tmp_path: Path) -> None:
    for count in (1, 2):
        write_capture(tmp_path / "in" / f"{count}.pcap", f"packets={count}")
    case = Case.create(tmp_path / "case", training=True)
    case.ingest([tmp_path / "in"], decoder=decode)
    with case.connect() as connection:
        assert connection.execute("SELECT sha256 FROM certificates").fetchall() == [("ab" * 32,)]


def test_a_stock_duckdb_in_the_case_folder_can_read_it(tmp_path: Path) -> None:
    write_capture(tmp_path / "in" / "x.pcap")
    case = Case.create(tmp_path / "case", training=True)
    case.ingest([tmp_path / "in"], decoder=decode)
    script = (
        "import duckdb; print(duckdb.connect('case.duckdb', read_only=True)"
        ".sql('SELECT sum(payload_bytes) FROM packets'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=case.path,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "120" in done.stdout


def test_folders_that_no_ingest_catalogued_are_not_shown(tmp_path: Path) -> None:
    write_capture(tmp_path / "in" / "x.pcap")
    case = Case.create(tmp_path / "case", training=True)
    case.ingest([tmp_path / "in"], decoder=decode)
    [real] = (case.path / "evidence").iterdir()
    planted = real.with_name("f" * 64)
    planted.mkdir()
    for path in real.iterdir():
        (planted / path.name).write_bytes(path.read_bytes())
    partial = case.path / "evidence" / ".partial-1"
    partial.mkdir()
    (partial / "flows.parquet").write_bytes(b"half")
    with case.connect() as connection:
        assert connection.execute("SELECT count(*) FROM flows").fetchall() == [(1,)]
