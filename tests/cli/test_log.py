"""The custody log from the command line: who, why, and time stamps over its head."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest


def acts(run, case: Path) -> list[dict[str, object]]:
    return json.loads(run("log", case, "--format", "json").out)  # type: ignore[no-any-return]


def test_questions_are_logged_with_their_reason_and_without_values(run, case: Path) -> None:
    assert run("sql", case, "SELECT '192.0.2.1' AS x", "--reason", "request 12").code == 0
    assert run("query", case, "custody", "--reason", "request 13").code == 0
    assert run("sql", case, "SELECT nonsense").code == 1
    found = [(one["verb"], one["phase"], one["reason"]) for one in acts(run, case)]
    assert found == [
        ("init", "done", None), ("sql", "begun", "request 12"), ("sql", "done", "request 12"),
        ("query", "begun", "request 13"), ("query", "done", "request 13"), ("sql", "begun", None),
        ("sql", "failed", None), ("log", "begun", None),
    ]  # fmt: skip
    text = (case / "log" / "custody.jsonl").read_text(encoding="utf-8")
    assert "192.0.2.1" not in text and '"shape":"SELECT ? AS x"' in text


def test_an_export_is_noted_with_the_digest_of_its_file(run, case: Path, tmp_path: Path) -> None:
    out = case / "exports" / "x.csv"
    assert run("sql", case, "SELECT 1 AS x", "--out", out).code == 0
    assert run("sql", case, "SELECT 1 AS x", "--out", tmp_path / "y.csv").code == 0
    files = [
        json.loads(str(one["arguments"])).get("files") for one in acts(run, case) if one["phase"] == "done"
    ]
    assert [pair[0][0] for pair in files if pair] == ["exports/x.csv", "y.csv"]
    assert run("verify", case).code == 0
    out.write_text("x\n2\n", encoding="utf-8")
    done = run("verify", case)
    assert done.code == 5 and "FAILS        exports/x.csv: changed since it was written" in done.out


def test_a_head_that_was_noted_finds_a_log_that_was_cut(run, case: Path) -> None:
    run("sql", case, "SELECT 1")
    head = run("log", case, "--head").out.strip()
    assert run("verify", case, "--head", head).code == 0
    log = case / "log" / "custody.jsonl"
    first = log.read_bytes().splitlines(keepends=True)[0]
    log.write_bytes(first)
    facts = {"seq": 1, "sha256": json.loads(first)["sha256"]}
    (log.parent / "head.json").write_text(
        json.dumps(facts, separators=(",", ":")) + "\n", encoding="utf-8", newline="\n"
    )
    assert run("verify", case).code == 0, "nothing inside the case knows: that is why a head is to be noted"
    done = run("verify", case, "--head", head)
    assert done.code == 5 and "acts are missing" in done.out


def test_wrong_use(run, case: Path, tmp_path: Path) -> None:
    for words in (["--head", "5"], ["--head", "x:" + "0" * 64]):
        assert run("verify", case, *words).code == 2
    assert run("log", case, "--head", "--out", tmp_path / "x.csv").code == 2
    assert run("verify", Path(__file__), "--head", "1:" + "0" * 64).code == 2


def test_what_was_left_unfinished_is_told(run, case: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from wirecover.casefile.case import Case\n"
        "from wirecover.casefile.custody import Act, record\n"
        "with record(Case.open(Path(sys.argv[1])), Act('analyze')): os._exit(9)"
    )
    import sys

    assert subprocess.run([sys.executable, "-c", code, str(case)], check=False).returncode == 9
    done = run("log", case)
    assert "found: act 2 (analyze, by" in done.err


def test_the_authority_asks_for_a_reason(run, case: Path) -> None:
    (case / "authority.toml").write_text("[custody]\nreason_required = true\n", encoding="utf-8")
    done = run("sql", case, "SELECT 1")
    assert (done.code, done.out) == (4, "") and "--reason" in done.err
    assert run("sql", case, "SELECT 1", "--reason", "x").code == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_a_time_stamp_is_asked_for_attached_and_checked(run, case: Path, tmp_path: Path) -> None:
    from support.stamping import Authority

    authority = Authority(tmp_path / "tsa")
    asked = tmp_path / "q.tsq"
    assert run("log", case, "--request", asked).code == 0
    (tmp_path / "r.tsr").write_bytes(authority.stamp(asked.read_bytes()))
    done = run("log", case, "--attach", tmp_path / "r.tsr", "--tsa", authority.home / "ca.crt")
    assert done.code == 0 and "Kept the time stamp of act 2 by CN=Stamper." in done.err
    known = done.out.strip()
    done = run("verify", case, "--tsa", authority.home / "ca.crt")
    assert (
        done.code == 0
        and "holds        custody log: time stamp 2.tsr: the log up to act 2 existed" in done.out
    )
    assert "note         custody log: time stamp 2.tsr" in run("verify", case).out
    (tmp_path / "head.txt").write_text(known + "\n", encoding="utf-8", newline="\n")
    shutil.copy(case / "log" / "anchors" / "2.tsr", authority.home / "kept.tsr")
    told = authority.run(
        "ts", "-verify", "-data", str(tmp_path / "head.txt"), "-in", "kept.tsr", "-CAfile", "ca.crt"
    )
    assert b"OK" in told
    assert run("log", case, "--attach", tmp_path / "r.tsr").code == 1, "it is there already"
    (tmp_path / "x.tsr").write_bytes(b"x")
    assert run("log", case, "--attach", tmp_path / "x.tsr").code == 5
    stamp = case / "log" / "anchors" / "2.tsr"
    stamp.chmod(0o600)
    data = bytearray(stamp.read_bytes())
    data[-5] ^= 1
    stamp.write_bytes(data)
    assert run("verify", case, "--tsa", authority.home / "ca.crt").code == 5
    stamp.unlink()
    assert "logged, and missing" in run("verify", case).out
