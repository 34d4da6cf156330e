"""The catalogue made anew from the command line, with the real detectors."""

import shutil
from pathlib import Path

import duckdb


def test_a_real_case_comes_out_the_same_and_a_changed_one_does_not(
    run, analysed: Path, tmp_path: Path
) -> None:
    case = Path(shutil.copytree(analysed, tmp_path / "case"))
    done = run("rebuild", case)
    assert done.code == 0, done.out + done.err
    assert all(line.startswith("same ") for line in done.out.splitlines())
    assert run("verify", case).code == 0
    with duckdb.connect(str(case / "case.duckdb")) as connection:
        connection.execute("UPDATE findings SET statement = 'He did it.'")
    done = run("rebuild", case)
    assert done.code == 5 and "DIFFERS    findings" in done.out and "stays" in done.err
    (case / "case.duckdb").unlink()
    assert run("verify", case).code == 5
    done = run("rebuild", case)
    assert done.code == 0 and "made anew" in done.err
    assert run("verify", case).code == 0
