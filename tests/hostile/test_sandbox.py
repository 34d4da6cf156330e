"""SQL of a hostile analyst: memory, time, files, extensions, other processes, and what comes out."""

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from sealing import small_case

from wirecover.casefile.case import Case
from wirecover.cli.main import main
from wirecover.queries import sandbox_worker
from wirecover.queries.errors import QueryError
from wirecover.queries.sandbox import run_sql

LIMITS = {"timeout_s": 5.0, "memory": "256MB", "max_bytes": 16 << 20}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return small_case(tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="module")
def inside(case: Case) -> Iterator[duckdb.DuckDBPyConnection]:
    with sandbox_worker.connect(case.path, 1 << 28, 1) as connection:
        yield connection


BOMBS = {
    "spill to disk": "SELECT count(*) FROM (SELECT DISTINCT i || repeat('x', 200) s FROM range(20000000) t(i))",
    "one huge cell": "SELECT repeat('x', 1900000000)",
    "many large cells": "SELECT repeat('x', 1000000) FROM range(5000)",
    "a list": "SELECT range(3000000000)",
    "a sum of texts": "SELECT length(string_agg(repeat('x', 1000000), '')) FROM range(3000)",
    "nesting": "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
    "rows without end": "SELECT * FROM repeat_row(1, num_rows = 100000000000)",
    "recursion": "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
    "sleep": "SELECT sleep_ms(100000)",
    "a product": "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range < 0",
}
SLOW = {"recursion", "sleep", "a product"}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_end_in_one_line(case: Case, name: str) -> None:
    start = time.monotonic()
    limits = {**LIMITS, "timeout_s": 1.0} if name in SLOW else LIMITS
    with pytest.raises(QueryError) as refused:
        run_sql(case.path, BOMBS[name], **limits)  # type: ignore[arg-type]
    assert time.monotonic() - start < 30
    assert len(str(refused.value).splitlines()) == 1 and "unexpectedly" not in str(refused.value)
    assert not list(case.path.glob("*.tmp")) and not list(case.path.glob(".tmp"))


OUTSIDE = [
    "SELECT * FROM read_text('{secret}')", "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_json('{secret}')", "SELECT * FROM sniff_csv('{secret}')", "SELECT * FROM '{secret}'",
    "SELECT * FROM parquet_metadata('{secret}')", "SELECT * FROM parquet_scan('{secret}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''{new}''')", "SELECT * FROM query('ATTACH ''{new}''')",
    "SELECT * FROM duckdb_extensions()", "SELECT * FROM duckdb_secrets()", "LOAD '{secret}'", "INSTALL inet",
    "ATTACH '{new}' AS x", "COPY flows TO '{new}'", "EXPORT DATABASE '{new}'", "IMPORT DATABASE '{folder}'",
    "PRAGMA database_list", "PRAGMA enable_profiling = 'json'", "SET temp_directory = '{folder}'",
    "SET memory_limit = '90GB'",
    "RESET lock_configuration", "CALL enable_logging()", "CREATE TEMP TABLE x AS SELECT 1", "PREPARE v AS SELECT 1",
    "CREATE PERSISTENT SECRET s (TYPE s3)", "SELECT getenv('HOME')", "SELECT * FROM sqlite_scan('{secret}', 'x')",
    "CREATE MACRO m() AS 1", "DROP VIEW flows", "USE catalogue", "VACUUM", "FORCE CHECKPOINT catalogue",
    "SELECT * FROM query_table('{secret}')", "COMMENT ON VIEW flows IS 'x'", "SET VARIABLE x = 1",
]  # fmt: skip


@pytest.mark.parametrize("sql", OUTSIDE)
def test_nothing_outside_is_read_written_or_loaded(
    inside: duckdb.DuckDBPyConnection, case: Case, sql: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret content")
    places = {"secret": tmp_path / "secret", "folder": tmp_path, "new": tmp_path / "new"}
    request = {"sql": sql.format(**places), "timeout_s": 20, "bound": {}, "max_bytes": 1 << 20}
    with pytest.raises(QueryError) as refused:
        sandbox_worker.answer(inside, request, io.BytesIO())
    assert "secret content" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_the_catalogue_and_the_views_are_as_before(inside: duckdb.DuckDBPyConnection, case: Case) -> None:
    """After all of the above on one connection."""
    assert inside.execute("SELECT count(*) FROM flows").fetchall() == [(1,)]
    assert inside.execute(
        "SELECT current_setting('enable_external_access'), current_setting('temp_directory')"
    ).fetchall() == [(False, "")]


def test_every_type_that_sql_knows_is_written_or_refused(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dates beyond Python's, intervals, unions, bits: an answer or one line, and no broken file."""
    for form in ("table", "csv", "json"):
        capsys.readouterr()
        code = main(["sql", str(case.path), "SELECT * FROM test_all_types()", "--format", form])
        out, err = capsys.readouterr()
        assert "unexpected" not in err, err
        assert code == 0 and out
        if form == "json":
            json.loads(out)


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_the_worker_can_make_no_file_even_if_the_database_would(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "from wirecover.queries.sandbox_worker import _limit_process\n"
        "_limit_process(1 << 28)\n"
        "import os\n"
        "try:\n    os.write(os.open({!r}, os.O_WRONLY | os.O_CREAT), b'x' * 10)\n"
        "except OSError as error:\n    print(error.errno)\n"
    ).format(str(tmp_path / "x"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "27" or done.returncode < 0, done.stderr
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0
