"""Questions without a name."""

import io
import sys
from pathlib import Path

import pytest


def test_sql_from_the_command_line_and_from_standard_input(run, analysed: Path, monkeypatch) -> None:
    asked = "SELECT count(*) AS n FROM captures"
    done = run("sql", analysed, asked, "--format", "csv")
    assert (done.code, done.out, done.err) == (0, "n\n1\n", "")
    monkeypatch.setattr(sys, "stdin", io.StringIO(asked))
    assert run("sql", analysed, "-", "--format", "csv").out == "n\n1\n"


def state_of(case: Path) -> dict[Path, bytes]:
    """Every file but the custody log, into which also a question goes that was refused."""
    return {
        path: path.read_bytes() for path in case.rglob("*") if path.is_file() and path.parent.name != "log"
    }


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE findings",
        "COPY (SELECT 1) TO 'x.csv'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT nonsense",
        "",
    ],
)
def test_sql_that_fails_or_would_do_more_than_read(run, analysed: Path, statement: str) -> None:
    before = state_of(analysed)
    done = run("sql", analysed, statement)
    assert (done.code, done.out, len(done.lines)) == (1, "", 1)
    assert before == state_of(analysed)
