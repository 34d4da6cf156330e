"""A case that was tampered with."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copied(analysed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(analysed, tmp_path / "copy"))


def test_a_case_that_holds(run, analysed: Path) -> None:
    done = run("verify", analysed)
    assert done.code == 0
    assert all(line.startswith("holds ") for line in done.out.splitlines())
    assert len(done.out.splitlines()) == 3


def test_a_changed_evidence_file_is_named(run, copied: Path) -> None:
    [file] = copied.glob("evidence/*/flows.parquet")
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    done = run("verify", copied)
    assert done.code == 5
    assert any(
        line.startswith("FAILS ") and "flows.parquet: changed" in line for line in done.out.splitlines()
    )
    assert done.lines[-1].endswith("1 check failed.")


def test_wrong_use(run, analysed: Path, tmp_path: Path) -> None:
    assert run("verify", tmp_path / "none").code == 2
    assert run("verify", analysed, "--case", analysed).code == 2
