"""Foreign SQL: what it may see, and that it can change nothing, reach nothing and not run for ever."""

import contextlib
import hashlib
import importlib.util
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from wirecover.casefile import schema
from wirecover.casefile.case import Case
from wirecover.queries import formats, sandbox, sandbox_worker
from wirecover.queries.errors import QueryError, QueryUseError
from wirecover.queries.runner import run
from wirecover.queries.sandbox import bytes_of, run_sql

CONFORMANCE = """
SELECT c.name AS capture, f.transport, f.client_ip, f.client_port, f.server_ip, f.server_port,
       f.service, f.app, f.packets_up + f.packets_down AS packets, f.community_id,
       t.sni, t.alpn_offered, t.ja3, t.ja3s, t.ja4, t.cipher, t.certificate_sha1s, t.quic_version
FROM flows f JOIN captures c USING (capture_id) LEFT JOIN tls_handshakes t USING (flow_id)
"""


def fake_decoder() -> ModuleType:
    """The tests' decoder, from the folder of the tests of casefile/."""
    spec = importlib.util.spec_from_file_location(
        "fake_decode", Path(__file__).parent.parent / "casefile" / "fake_decode.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Two exhibits, in a folder whose name has to be quoted."""
    fake = fake_decoder()
    root = tmp_path_factory.mktemp("it's, [a] case")
    for count in (3, 5):
        fake.write_capture(root / "in" / f"c{count}.pcap", f"packets={count}")
    case = Case.create(root / "case", training=True)
    assert case.ingest([root / "in"], decoder=fake.decode).exit_code == 0
    return case


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_nanoseconds_and_lists_survive(case: Case) -> None:
    table = run_sql(
        case.path, "SELECT ts, record_bytes FROM packets WHERE frame = 1 ORDER BY flow_id LIMIT 1"
    )
    assert list(formats.rows(table)) == [("2023-11-14T22:13:20.123456789Z", [30, 5])]


def test_the_conformance_question_is_answered(case: Case) -> None:
    table = run_sql(case.path, CONFORMANCE)
    assert table.num_rows == 2
    rows = sorted(table.to_pylist(), key=lambda row: row["packets"])
    assert [(row["capture"], row["packets"], row["alpn_offered"]) for row in rows] == [
        ("c3.pcap", 3, ["h2", "http/1.1"]), ("c5.pcap", 5, ["h2", "http/1.1"]),
    ]  # fmt: skip


def test_names_and_comments_are_those_of_the_catalogue(case: Case) -> None:
    table = run_sql(
        case.path,
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal "
        "AND table_name NOT LIKE 'evidence\\_%' ESCAPE '\\' ORDER BY ALL",
    )
    with case.connect() as connection:
        want = connection.execute(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal "
            "AND NOT contains(table_name, 'evidence_') ORDER BY ALL"
        ).fetchall()
    assert [tuple(row.values()) for row in table.to_pylist()] == want
    assert {row[0] for row in want} >= {*schema.own_tables(), *schema.TABLES}
    assert all(row[3] for row in want)


def test_pivot_describe_and_explain_are_questions_too(case: Case) -> None:
    assert run_sql(case.path, "PIVOT flows ON app USING sum(packets_up)")["signal"].to_pylist()
    assert run_sql(case.path, "EXPLAIN SELECT * FROM flows").num_rows == 1


# {evidence} is a real Parquet file of the case, {new} a file that does not exist.
ATTACKS = {
    "copy in a CTE over evidence": "WITH x AS (COPY (SELECT 1) TO '{evidence}' (USE_TMP_FILE false)) FROM x",
    "copy in a CTE to a new file": "WITH x AS (COPY (SELECT 1 AS a) TO '{new}') SELECT * FROM x",
    "copy": "COPY (SELECT 1) TO '{new}'",
    "explain analyze copy": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{new}'",
    "insert in a CTE": "WITH x AS (INSERT INTO catalogue.exhibits FROM exhibits RETURNING *) FROM x",
    "delete in a CTE": "WITH x AS (DELETE FROM catalogue.custody_log RETURNING *) SELECT * FROM x",
    "read a text file": "SELECT * FROM read_text('/etc/passwd')",
    "read a csv file": "SELECT * FROM read_csv('/etc/passwd')",
    "read evidence by path": "SELECT * FROM '{evidence}'",
    "read through a stored view": "SELECT * FROM catalogue.main.flows",
    "list files": "SELECT * FROM glob('/*')",
    "attach": "ATTACH '{new}' AS other",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "set": "SET enable_external_access = true",
    "pragma": "PRAGMA enable_profiling",
    "export": "EXPORT DATABASE '{new}'",
    "checkpoint": "CHECKPOINT catalogue",
    "detach": "DETACH catalogue",
    "environment": "SELECT getenv('HOME')",
    "a Python variable": "SELECT * FROM request",
    "two statements": "SELECT 1; SELECT 2",
    "nothing": "-- nothing",
    "network": "SELECT * FROM read_parquet('https://192.0.2.1/x.parquet')",
}


# These also go through a process of their own, start to end; a start costs most of a second.
TELLING = ("copy in a CTE over evidence", "copy in a CTE to a new file", "read a text file", "attach")


@pytest.fixture(scope="module")
def inside(case: Case) -> Iterator[duckdb.DuckDBPyConnection]:
    """The connection that the worker would have."""
    with sandbox_worker.connect(case.path, 1 << 30, 1) as connection:
        yield connection


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_change_nothing_and_get_one_line(
    case: Case, inside: duckdb.DuckDBPyConnection, name: str, tmp_path: Path
) -> None:
    before = digests(case.path)
    new = tmp_path / "new.parquet"
    evidence = next(case.path.glob("evidence/*/flows.parquet"))
    places = {"evidence": str(evidence).replace("'", "''"), "new": str(new).replace("'", "''")}
    sql = ATTACKS[name].format(**places)
    with pytest.raises(QueryError) as refused:
        if name in TELLING:
            run_sql(case.path, sql, timeout_s=20)
        else:
            request = {"sql": sql, "timeout_s": 20, "bound": {}, "max_bytes": 1 << 20}
            sandbox_worker.answer(inside, request, io.BytesIO())
    assert len(str(refused.value).splitlines()) == 1
    assert "unexpectedly" not in str(refused.value)
    assert digests(case.path) == before
    assert not new.exists()


@pytest.mark.parametrize("name", [name for name in ATTACKS if "SELECT" not in ATTACKS[name].split()[0]])
def test_attacks_fail_even_where_the_kind_of_statement_is_not_looked_at(
    case: Case, inside: duckdb.DuckDBPyConnection, name: str, tmp_path: Path
) -> None:
    before = digests(case.path)
    new = tmp_path / "new.parquet"
    sql = ATTACKS[name].format(
        evidence=str(next(case.path.glob("evidence/*/flows.parquet"))).replace("'", "''"), new=new
    )
    with contextlib.suppress(duckdb.Error), inside.cursor() as cursor:
        cursor.execute(sql)  # some of these do nothing here: that they change nothing is what counts
    assert digests(case.path) == before
    assert not new.exists()


def test_a_runaway_query_is_stopped(case: Case) -> None:
    start = time.monotonic()
    with pytest.raises(QueryError, match=r"stopped: the query ran longer than 0\.5 s"):
        run_sql(
            case.path,
            "SELECT sum(a.range + b.range) FROM range(10000000) a, range(10000000) b",
            timeout_s=0.5,
        )
    assert time.monotonic() - start < 10


def test_memory_is_limited(case: Case) -> None:
    with pytest.raises(QueryError, match=r"(?i)memory"):
        run_sql(case.path, "SELECT list(i::VARCHAR || 'padding') FROM range(30000000) t(i)", memory="64MB")


def test_the_size_of_an_answer_is_limited(case: Case) -> None:
    with pytest.raises(QueryError, match=r"larger than 1 MiB"):
        run_sql(case.path, "SELECT i FROM range(1000000) t(i)", max_bytes=1 << 20)


def test_a_module_in_the_current_folder_is_not_imported(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert run_sql(case.path, "SELECT 1 AS one").to_pylist() == [{"one": 1}]
    assert not (tmp_path / "ran").exists()


def test_a_worker_that_dies_is_reported(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.stdin.read(); sys.stderr.write('first\\nlast words\\n'); sys.exit(7)"
    real = sandbox.subprocess.Popen
    monkeypatch.setattr(
        sandbox.subprocess, "Popen", lambda command, **pipes: real([sys.executable, "-c", script], **pipes)
    )
    with pytest.raises(QueryError, match=r"ended unexpectedly \(exit code 7\): last words"):
        run_sql(case.path, "SELECT 1")


def test_a_missing_case_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(QueryError) as refused:
        run_sql(tmp_path / "none", "SELECT 1")
    assert len(str(refused.value).splitlines()) == 1
    assert str(tmp_path / "none") in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_named_queries_run_in_the_sandbox_with_bound_values(case: Case) -> None:
    assert run(case, "exhibits").column("name").to_pylist() == ["c3.pcap", "c5.pcap"]
    found = run(case, "flows_of_address", {"ip": "192.0.2.1", "since": "2023-11-14T22:13:20.123456793Z"})
    assert found.column("capture").to_pylist() == ["c5.pcap"]
    assert run(case, "addresses_of_name", {"name": "x' OR 'a'='a"}).num_rows == 0
    with pytest.raises(QueryUseError, match="needs -p ip="):
        run(case, "flows_of_address")


@pytest.mark.parametrize(
    ("size", "bytes_"), [("512B", 512), ("64MB", 64_000_000), ("2GiB", 2 << 30), ("1.5kb", 1500)]
)
def test_sizes_are_read(size: str, bytes_: int) -> None:
    assert bytes_of(size) == bytes_


def test_a_size_that_is_none_is_wrong_use() -> None:
    with pytest.raises(QueryUseError):
        bytes_of(json.dumps({"a": 1}))
