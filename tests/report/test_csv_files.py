"""The CSV tables: all rows, no formula, and the same bytes each time."""

import csv
import io

import fake_case
import pytest

from wirecover.report.csv_files import TABLES, guarded, iso, tables
from wirecover.report.document import build


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1"])
def test_formulas_are_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\t=1", " =1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_trims_is_escaped(text: str) -> None:
    assert guarded(text).startswith("\\u{")


def test_ordinary_text_stays() -> None:
    assert guarded("10.0.0.1") == "10.0.0.1"
    assert guarded("") == ""


def test_times_keep_their_nanoseconds() -> None:
    assert iso(1_772_434_800_000_000_001) == "2026-03-02T07:00:00.000000001Z"
    assert iso(None) is None


def test_all_rows_are_there() -> None:
    document = build(fake_case.realistic(), fake_case.METHODS)
    written = tables(document)
    assert tuple(written) == TABLES
    rows = {name: list(csv.reader(io.StringIO(data.decode()))) for name, (data, _) in written.items()}
    assert {name: len(found) - 1 for name, found in rows.items()} == {
        name: n for name, (_, n) in written.items()
    }
    assert len(rows["findings"]) == len(document.findings) + 1
    assert len(rows["exhibits"]) == 4
    assert all(len(row) == len(found[0]) for found in rows.values() for row in found)
    frames = sum(int(row[3]) - int(row[2]) + 1 for row in rows["frames"][1:])
    assert frames == sum(part.count for finding in document.findings for part in finding.frames) > 3_000


def test_hostile_names_are_escaped_in_full() -> None:
    document = build(fake_case.with_names("=cmd|' /C calc'!A0\u202e"), ())
    data = tables(document)["exhibits"][0].decode()
    assert "'=cmd|' /C calc'!A0\\u{202e}" in data
    assert "\u202e" not in data
