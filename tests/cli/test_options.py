"""Where an answer goes."""

from pathlib import Path

import click
import pytest

from wirecover.cli import report
from wirecover.cli.options import FORMATS, check_output
from wirecover.queries import formats
from wirecover.report.messages import LANGUAGES


def test_the_light_copies_match_what_they_copy() -> None:
    assert formats.FORMATS == FORMATS
    assert set(report.LANGUAGES) == set(LANGUAGES)


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    check_output("parquet", tmp_path / "x.parquet")
    check_output(None, None)
    check_output(None, Path("x.csv"))
    with pytest.raises(click.UsageError, match="needs --out"):
        check_output("parquet", None)
    with pytest.raises(click.UsageError, match="no folder"):
        check_output(None, tmp_path / "none" / "x.csv")


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.csv", b"n\n1\n"),
        ("a.json", b'[\n {"n": 1}'),
        ("a.parquet", b"PAR1"),
        ("a.txt", b"n\n-\n1"),
        ("a", b"n\n-\n1"),
    ],
)
def test_the_ending_of_the_file_says_the_format(
    run, case: Path, tmp_path: Path, name: str, start: bytes
) -> None:
    out = tmp_path / name
    done = run("sql", case, "SELECT 1 AS n", "--out", out)
    assert (done.code, done.out) == (0, "")
    assert out.read_bytes().startswith(start)


def test_the_format_asked_for_wins(run, case: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert run("sql", case, "SELECT 1 AS n", "--out", out, "--format", "json").code == 0
    assert out.read_text(encoding="utf-8") == '[\n {"n": 1}\n]\n'
