"""The report, made and checked."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def made(analysed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from wirecover.cli.main import main

    out = tmp_path_factory.mktemp("report") / "r.pdf"
    assert main(["report", str(analysed), "--out", str(out)]) == 0
    return out


def test_a_pdf_and_its_data(made: Path) -> None:
    assert made.read_bytes().startswith(b"%PDF-")
    assert json.loads(made.with_suffix(".json").read_bytes())["lang"] == "en"


def test_the_same_case_gives_the_same_bytes_and_each_report_is_logged(
    run, analysed: Path, made: Path, tmp_path: Path
) -> None:
    for name in ("once.pdf", "again.pdf"):
        done = run("report", analysed, "--out", tmp_path / name, "--reproducible")
        assert (done.code, done.out) == (0, "")
    assert (tmp_path / "again.pdf").read_bytes() == (tmp_path / "once.pdf").read_bytes() != made.read_bytes()
    numbers = {json.loads(path.with_suffix(".json").read_bytes())["document"]["report_id"]
               for path in (made, tmp_path / "again.pdf")}  # fmt: skip
    assert len(numbers) == 1
    acts = json.loads(
        run(
            "sql",
            analysed,
            "SELECT arguments FROM custody_log WHERE verb = 'report' AND phase = 'done'",
            "--format",
            "json",
        ).out
    )
    assert "again.pdf" in [json.loads(act["arguments"])["name"] for act in acts]
    assert run("verify", analysed).code == 0


def test_another_language(run, analysed: Path, made: Path, tmp_path: Path) -> None:
    assert run("report", analysed, "--out", tmp_path / "nl.pdf", "--lang", "nl").code == 0
    assert (tmp_path / "nl.pdf").read_bytes() != made.read_bytes()
    assert run("report", analysed, "--out", tmp_path / "x.pdf", "--lang", "xx").code == 2


def test_a_place_that_is_not_there_is_wrong_use(run, analysed: Path, tmp_path: Path) -> None:
    done = run("report", analysed, "--out", tmp_path / "none" / "r.pdf")
    assert done.code == 2 and "no folder" in done.err


def test_a_report_is_verified(run, made: Path, analysed: Path) -> None:
    done = run("verify", made, "--case", analysed)
    assert done.code == 0, done.out
    assert "FAILS" not in done.out and done.out.count("holds") >= 5


def test_a_changed_report_fails(run, made: Path, tmp_path: Path) -> None:
    data = bytearray(made.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "r.pdf").write_bytes(data)
    (tmp_path / "r.json").write_bytes(made.with_suffix(".json").read_bytes())
    done = run("verify", tmp_path / "r.pdf")
    assert done.code == 5 and "FAILS        digest of the PDF" in done.out
    assert "failed." in done.lines[-1]
