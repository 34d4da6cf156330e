"""Questions with a name."""

import json
from pathlib import Path

import pytest

from wirecover.cli.query import named_values


def test_a_named_query_as_json(run, analysed: Path) -> None:
    done = run("query", analysed, "exhibits", "--format", "json")
    assert (done.code, done.err) == (0, "")
    [row] = json.loads(done.out)
    assert row["name"].endswith("client1.pcap.gz") and len(row["sha256"]) == 64


def test_a_parameter_reaches_the_query(run, analysed: Path) -> None:
    all_rows = json.loads(run("query", analysed, "first_last_use", "--format", "json").out)
    address = all_rows[0]["client_ip"]
    done = run("query", analysed, "flows_of_address", "-p", f"ip={address}", "--format", "json")
    found = json.loads(done.out)
    assert done.code == 0 and found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no query named"),
        (["flows_of_address"], "needs -p ip="),
        (["flows_of_address", "-p", "ip=300.1.1.1"], "no ADDRESS"),
        (["flows_of_address", "-p", "ip"], "not name=value"),
        (["flows_of_address", "-p", "ip=::1", "-p", "ip=::2"], "given twice"),
        (["exhibits", "-p", "colour=red"], "no parameter 'colour'"),
        (["exhibits", "--format", "parquet"], "needs --out"),
        (["exhibits", "--memory", "lots"], "is no size"),
    ],
)
def test_a_question_asked_wrongly(run, analysed: Path, words: list[str], said: str) -> None:
    done = run("query", analysed, *words)
    assert (done.code, done.out, len(done.lines)) == (2, "", 1)
    assert said in done.lines[0]


def test_only_the_first_equals_sign_divides() -> None:
    assert named_values(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
