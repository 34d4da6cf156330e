"""Detectors from the command line."""

import json
import shutil
from pathlib import Path

from wirecover.analysis.run import DETECTORS


def test_what_was_run_and_what_it_wrote(run, analysed: Path) -> None:
    stored = json.loads(
        run("sql", analysed, "SELECT pattern, count(*) AS n FROM findings GROUP BY 1", "--format", "json").out
    )
    done = run("analyze", analysed, "--format", "json")
    assert done.code == 0
    rows = json.loads(done.out)
    assert [row["pattern"] for row in rows] == list(DETECTORS)
    written = {row["pattern"]: row["facts"] + row["assessments"] for row in rows}
    assert {row["pattern"]: row["n"] for row in stored} == {name: n for name, n in written.items() if n}
    assert sum(written.values()) > 0
    assert done.lines[-1] == (
        f"{len(rows)} detectors run, {sum(written.values())} findings written into the case."
    )


def test_one_pattern(run, case: Path) -> None:
    done = run("analyze", case, "app_sessions", "--format", "json")
    assert done.code == 0
    assert [row["pattern"] for row in json.loads(done.out)] == ["app_sessions"]


def test_an_unknown_pattern_is_wrong_use(run, case: Path) -> None:
    done = run("analyze", case, "nonsense")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "app_sessions" in done.err


def test_parameters_of_a_detector(run, analysed: Path, tmp_path: Path) -> None:
    case = shutil.copytree(analysed, tmp_path / "case")
    assert run("analyze", case, "app_sessions", "-p", "app_sessions.gap_s=61").code == 0
    stored = run(
        "sql",
        case,
        "SELECT DISTINCT parameters FROM findings WHERE pattern = 'app_sessions'",
        "--format",
        "json",
    )
    assert [json.loads(row["parameters"])["gap_s"] for row in json.loads(stored.out)] == [61.0]


def test_a_parameter_that_cannot_be_used_is_wrong_use(run, case: Path) -> None:
    done = run("analyze", case, "-p", "app_sessions.gap_s=-1")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "gap_s must lie between" in done.err
