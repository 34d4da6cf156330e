"""Output formats: exact where they promise it, harmless where text is crafted."""

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.queries import formats
from wirecover.queries.errors import QueryError, QueryUseError

NS = 1_700_000_000_123_456_789
TABLE = pa.table({
    "ts": pa.array([NS, None], pa.timestamp("ns")),
    "names": pa.array([["a", "b"], None], pa.list_(pa.string())),
    "times": pa.array([[NS, NS + 1], []], pa.list_(pa.timestamp("ns"))),
    "share": pa.array([0.5, float("nan")]),
    "total": pa.array([Decimal(3), None], pa.decimal128(38, 0)),
    "up": pa.array([True, False]),
    "raw": pa.array([b"\x00\xff", None]),
    "port": pa.array([-443, 0], pa.int32()),
})  # fmt: skip


def text(table: pa.Table, kind: str) -> str:
    out = io.StringIO()
    formats.write(table, kind, out)
    return out.getvalue()


def test_json_is_one_array_with_nanoseconds_lists_and_no_nan() -> None:
    assert json.loads(text(TABLE, "json")) == [
        {
            "ts": "2023-11-14T22:13:20.123456789Z", "names": ["a", "b"],
            "times": ["2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456790Z"], "share": 0.5,
            "total": 3, "up": True, "raw": "00ff", "port": -443,
        },
        {"ts": None, "names": None, "times": [], "share": None, "total": None, "up": False, "raw": None,
        "port": 0},
    ]  # fmt: skip


def test_json_of_nothing_is_an_empty_array() -> None:
    assert json.loads(text(TABLE.slice(0, 0), "json")) == []


def test_json_loses_no_column_when_two_have_one_name() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "a", "a_2"])
    assert sorted(json.loads(text(table, "json"))[0].values()) == [1, 2, 3]


def test_json_escapes_what_could_act_on_a_terminal() -> None:
    written = text(pa.table({"sni": ["\x1b[31m\u202eevil\x9b"]}), "json")
    assert written.isascii()
    assert "\x1b" not in written
    assert json.loads(written)[0]["sni"] == "\x1b[31m\u202eevil\x9b"


@pytest.mark.parametrize("start", [*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"])
def test_csv_disarms_text_that_a_spreadsheet_would_run(start: str) -> None:
    [head, row] = csv.reader(io.StringIO(text(pa.table({"=name": [start + "cmd()"]}), "csv")))
    assert head == ["'=name"]
    assert row[0].startswith("'")


def test_csv_leaves_numbers_and_harmless_text_alone() -> None:
    table = pa.table({"n": [-1, 2], "x": [-0.5, 1e300], "t": ["a=b", "x-y"]})
    assert text(table, "csv") == "n,x,t\n-1,-0.5,a=b\n2,1e+300,x-y\n"


def test_csv_keeps_cells_apart() -> None:
    table = pa.table(
        {"a": ['say "hi", you', "semi;colon"], "b": pa.array([["x,y"], []], pa.list_(pa.string()))}
    )
    assert list(csv.reader(io.StringIO(text(table, "csv")))) == [
        ["a", "b"], ['say "hi", you', '["x,y"]'], ["semi;colon", "[]"],
    ]  # fmt: skip


@given(st.text())
def test_no_text_breaks_out_of_a_table_or_csv(value: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    for kind in ("table", "csv"):
        written = text(pa.table({"v": [value]}), kind)
        assert all(char == "\n" or char.isprintable() for char in written)
    assert len(text(pa.table({"v": [value]}), "table").splitlines()) == 4


def test_table_is_aligned_and_counts_its_rows() -> None:
    table = pa.table({"name": ["a", "漢字"], "n": [5, 1000]})
    assert text(table, "table") == "name     n\n----  ----\na        5\n漢字  1000\n(2 rows)\n"


def test_table_shows_that_it_cut_a_long_cell() -> None:
    assert "…" in text(pa.table({"v": ["x" * 500]}), "table")
    assert "…" not in text(pa.table({"v": ["x" * formats.MAX_CELL]}), "table")


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_iso_time_agrees_with_datetime(moment: datetime) -> None:
    micro = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert formats.iso_time(micro * 1000 + 7) == moment.isoformat(timespec="microseconds") + "007Z"


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    for kind in formats.FORMATS:
        formats.write(TABLE, kind, tmp_path / f"out.{kind}")
    back = pq.read_table(tmp_path / "out.parquet")
    assert str(list(formats.rows(back))) == str(list(formats.rows(TABLE)))
    assert back.schema.field("ts").type == pa.timestamp("ns")
    assert (tmp_path / "out.json").read_text(encoding="utf-8") == text(TABLE, "json")
    with pytest.raises(QueryError, match="cannot be written"):
        formats.write(TABLE, "json", tmp_path / "no" / "such" / "folder.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"out.{kind}" for kind in sorted(formats.FORMATS)
    ]


def test_wrong_use_is_said() -> None:
    with pytest.raises(QueryUseError, match="parquet needs --out FILE"):
        formats.write(TABLE, "parquet", io.StringIO())
    with pytest.raises(QueryUseError, match="unknown format 'xml'"):
        formats.write(TABLE, "xml", io.StringIO())
