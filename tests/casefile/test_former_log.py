"""A case whose log was a table: its acts become the first lines of the file."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from wirecover.casefile.case import Case
from wirecover.casefile.custody import GENESIS, canonical
from wirecover.casefile.log_check import read_log
from wirecover.casefile.log_file import records

TABLE = (
    "CREATE TABLE custody_log (seq BIGINT PRIMARY KEY, ts TIMESTAMP_NS, actor VARCHAR, verb VARCHAR, "
    "arguments VARCHAR, tool_version VARCHAR, prev_sha256 VARCHAR, sha256 VARCHAR)"
)


def former(case: Path, *, broken: bool = False) -> None:
    """Make a case what the earlier version left: a table, and no log folder."""
    shutil.rmtree(case / "log")
    with duckdb.connect(str(case / "case.duckdb")) as connection:
        connection.execute("DROP VIEW custody_log")
        connection.execute(TABLE)
        previous = GENESIS
        for seq, (verb, facts) in enumerate([("init", {"training": True}), ("report", {"n": 1})], start=1):
            row = {"seq": seq, "ts": seq, "actor": "ana", "verb": verb, "arguments": canonical(facts),
                   "tool_version": "0", "prev_sha256": previous}  # fmt: skip
            digest = sha256(canonical(row).encode()).hexdigest()
            connection.execute(
                "INSERT INTO custody_log VALUES (?, make_timestamp_ns(?), ?, ?, ?, ?, ?, ?)",
                [seq, seq, "eve" if broken else "ana", verb, canonical(facts), "0", previous, digest],
            )
            previous = digest


@pytest.mark.parametrize("broken", [False, True])
def test_former_acts_are_kept_and_their_chain_is_checked(tmp_path: Path, broken: bool) -> None:
    case = Case.create(tmp_path / "case", training=True)
    former(case.path, broken=broken)
    case.connect(write=True).close()
    log = list(records(case.path))
    assert [(one.verb, one.ts) for one in log[:2]] == [("init", 1), ("report", 2)]
    assert log[0].arguments["training"] is True and len(log[1].arguments["former"]) == 64
    assert log[2].verb == "adopt" and log[2].arguments["broken"] == ([1, 2] if broken else [])
    assert read_log(case.path).problems == []
    with case.connect() as connection:
        assert connection.execute("SELECT count(*) FROM custody_log").fetchall() == [(3,)]
    case.connect(write=True).close()
    assert len(list(records(case.path))) == 3, "once"


def test_an_adoption_that_was_killed_goes_on(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True)
    former(case.path)
    shutil.copytree(case.path, tmp_path / "copy")
    case.connect(write=True).close()
    whole = (case.path / "log" / "custody.jsonl").read_bytes()
    other = Case.open(tmp_path / "copy")
    (other.path / "log").mkdir()
    (other.path / "log" / "custody.jsonl").write_bytes(whole.splitlines(keepends=True)[0])
    other.connect(write=True).close()
    lines = (other.path / "log" / "custody.jsonl").read_bytes().splitlines()
    assert lines[:2] == whole.splitlines()[:2] and json.loads(lines[2])["verb"] == "adopt"
