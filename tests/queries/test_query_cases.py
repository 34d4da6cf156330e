"""Named queries on made-up rows: a case is a folder, adding one needs no Python.

tests/queries/<query>/<case>/
    <table>.csv     rows of a table, columns by name; empty cells are NULL, lists are written [a, b]
    params.toml     parameters by name (optional); `expect_empty = true` where no row is the right answer
    expect.csv      the answer, byte for byte as `--format csv` prints it
"""

import io
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wirecover.capture.tables import TABLES
from wirecover.casefile import schema
from wirecover.queries import formats
from wirecover.queries.binding import reader
from wirecover.queries.library import Query, load
from wirecover.queries.runner import bound_values

HERE = Path(__file__).parent
OVER_OTHERS = {
    "flow_pairs", "flow_sightings", "custody_log", "series", "flow_parts", "joined_flows", "names_over_series",
}  # fmt: skip
"""Views over other views, and the one over the custody log's file."""
CASES = sorted(path.parent for path in HERE.glob("*/*/expect.csv"))
SAMPLE = {
    "ADDRESS": "192.0.2.1",
    "BIGINT": 1,
    "VARCHAR": "x",
    "TIMESTAMP_NS": "2026-01-01",
    "DOUBLE": 1,
    "BOOLEAN": "true",
}


@pytest.mark.parametrize("folder", CASES, ids=[f"{path.parent.name}/{path.name}" for path in CASES])
def test_query_answers_as_the_case_expects(folder: Path, filled: Any) -> None:
    query = load()[folder.parent.name]
    given = (
        tomllib.loads((folder / "params.toml").read_text(encoding="utf-8"))
        if (folder / "params.toml").exists()
        else {}
    )
    empty = given.pop("expect_empty", False)
    connection = filled(folder)
    table = reader(connection, query.sql, bound_values(query, given), 1000).read_all()
    out = io.StringIO()
    formats.write(table, "csv", out)
    assert out.getvalue() == (folder / "expect.csv").read_text(encoding="utf-8")
    assert (table.num_rows == 0) == empty, "an empty answer must be declared (expect_empty = true)"


def test_every_query_has_a_case_and_every_folder_a_query() -> None:
    assert {path.parent.name for path in CASES} == set(load())


@pytest.mark.parametrize("query", load().values(), ids=list(load()))
def test_columns_are_those_that_the_header_promises(
    query: Query, empty_tables: duckdb.DuckDBPyConnection
) -> None:
    sample = {one.name: SAMPLE[one.kind] for one in query.parameters}
    bound = bound_values(query, sample)
    values = {name: duckdb.Value(value, duckdb.type(kind)) for name, (kind, value) in bound.items()}
    relation = empty_tables.sql(query.sql, params=values) if values else empty_tables.sql(query.sql)
    assert tuple(zip(relation.columns, map(str, relation.types), strict=True)) == query.returns


@pytest.mark.parametrize("query", load().values(), ids=list(load()))
def test_header_lists_the_tables_that_are_read(query: Query, empty_tables: duckdb.DuckDBPyConnection) -> None:
    [(text,)] = empty_tables.execute("SELECT json_serialize_sql(?::VARCHAR)", [query.sql]).fetchall()
    tree = json.loads(text)
    assert not tree["error"]
    assert set(_tables(tree)) - set(_common_tables(tree)) == set(query.reads)
    assert set(query.reads) <= {*TABLES, *schema.own_tables(), *OVER_OTHERS}


@pytest.mark.parametrize("query", load().values(), ids=list(load()))
def test_order_is_total_and_the_parser_agrees_on_parameters(
    query: Query, empty_tables: duckdb.DuckDBPyConnection
) -> None:
    assert "ORDER BY" in query.sql.rsplit(")", 1)[-1] or "\nORDER BY" in query.sql
    [statement] = empty_tables.extract_statements(query.sql)
    assert statement.named_parameters == {one.name for one in query.parameters}
    assert statement.type.name == "SELECT"
    assert query.question.endswith("?")


def _tables(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield node["table_name"]
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def _common_tables(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (entry["key"] for entry in node.get("cte_map", {}).get("map", []))
        for value in node.values():
            yield from _common_tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _common_tables(value)
