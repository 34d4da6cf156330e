"""Acts are logged before they are done, with their outcome after; unfinished ones are found."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wirecover.capture.errors import EXIT_REFUSED
from wirecover.casefile.case import Case
from wirecover.casefile.custody import (
    GENESIS,
    Act,
    Head,
    actor,
    canonical,
    head,
    holds_head,
    note,
    record,
    reference,
    start_log,
)
from wirecover.casefile.errors import AuthorityError, CaseError, IntegrityError
from wirecover.casefile.layout import Marker
from wirecover.casefile.log_check import read_log
from wirecover.casefile.log_file import Record, records

AT = 1_800_000_000_000_000_000


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return begun(tmp_path / "case", lambda: AT)


def begun(path: Path, clock: Callable[[], int]) -> Case:
    """A case of which only marker and log are there: quicker to make than a whole one."""
    path.mkdir()
    (path / "case.toml").write_text(Marker(1, training=True).to_toml(), encoding="utf-8", newline="\n")
    case = Case(path, training=True, clock=clock)
    start_log(case, {"training": True})
    return case


def log_of(case: Case) -> list[Record]:
    return list(records(case.path))


def test_acts_are_chained_and_numbered(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True, clock=lambda: AT)
    note(case, Act("report", {"out": "é\ud800", "n": 1}))
    lines = log_of(case)
    assert [(one.seq, one.ts, one.verb) for one in lines] == [(1, AT, "init"), (2, AT, "report")]
    assert (lines[0].prev_sha256, lines[1].prev_sha256) == (GENESIS, lines[0].sha256)
    with case.connect() as connection:
        [(text, act, phase)] = connection.execute(
            "SELECT arguments, act, phase FROM custody_log WHERE verb = 'report'"
        ).fetchall()
    assert (text, act, phase) == ('{"n":1,"out":"é\\\\ud800"}', 2, "done")
    assert read_log(case.path).problems == []


def test_an_act_is_logged_before_and_after(case: Case) -> None:
    with record(case, Act("query", {"name": "x"}, ("query:x",))) as entry:
        assert log_of(case)[-1].phase == "begun"
        entry.note("part", {"n": 1})
        entry.result("ab" * 32, rows=3)
    begun, part, done = log_of(case)[1:]
    assert (begun.act, part.act, done.act) == (2, 2, 2)
    assert (done.phase, done.result, done.arguments, done.subjects) == (
        "done",
        "ab" * 32,
        {"rows": 3},
        ("query:x",),
    )
    assert not list((case.path / "log").glob("act-*"))


class RefusedError(CaseError):
    exit_code = EXIT_REFUSED


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (CaseError("no"), "failed"),
        (RefusedError("no"), "refused"),
        (KeyboardInterrupt(), "stopped"),
        (ValueError(), "failed"),
    ],
)
def test_a_failure_is_logged_with_its_kind_and_not_its_words(
    case: Case, error: BaseException, phase: str
) -> None:
    with pytest.raises(type(error)), record(case, Act("query")):
        raise error
    last = log_of(case)[-1]
    assert (last.phase, last.arguments) == (phase, {"error": type(error).__name__})


KILLED = """
import os, sys
from pathlib import Path
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, record
with record(Case.open(Path(sys.argv[1])), Act("ingest")):
    os._exit(9)
"""


def test_the_next_act_finds_one_that_was_killed_and_only_that(case: Case) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(case.path)], check=False).returncode == 9
    assert any("is running, or was killed" in one for one in read_log(case.path).remarks)
    with record(case, Act("query")) as entry:
        assert entry.found == (f"act 2 (ingest, by {actor()}) was begun and never ended",)
        with record(case, Act("sql")) as inner:
            assert inner.found == (), "an act that is running was not killed"
    assert [(one.verb, one.phase, one.act) for one in log_of(case)[2:]] == [
        ("ingest", "abandoned", 2), ("query", "begun", 4), ("sql", "begun", 5), ("sql", "done", 5),
        ("query", "done", 4),
    ]  # fmt: skip
    assert read_log(case.path).problems == []


def test_a_clock_that_goes_back_is_told_and_nothing_is_reordered(tmp_path: Path) -> None:
    times = iter([1000, 2000, 500, 1500, 2500])
    case = begun(tmp_path / "case", lambda: next(times))
    for _ in range(4):
        note(case, Act("x"))
    assert [(one.ts, one.clock_back_ns) for one in log_of(case)] == [
        (1000, 0), (2000, 0), (500, 1500), (1500, 500), (2500, 0),
    ]  # fmt: skip
    state = read_log(case.path)
    assert state.problems == []
    assert sum("the clock stood" in one for one in state.remarks) == 2


def test_what_the_authority_asks_for(case: Case) -> None:
    (case.path / "authority.toml").write_text("[custody]\nreason_required = true\n", encoding="utf-8")
    with pytest.raises(AuthorityError, match="asks for a reason"), record(case, Act("query")):
        raise AssertionError
    assert len(log_of(case)) == 1
    asked = Case.open(case.path, reason="request 12 of the magistrate")
    with record(asked, Act("query")):
        pass
    assert log_of(case)[-1].reason == "request 12 of the magistrate"
    (case.path / "authority.toml").write_text('two_person = ["export"]\n', encoding="utf-8")
    with record(asked, Act("query")):
        pass
    with pytest.raises(AuthorityError, match="two examiners"), record(asked, Act("query", export=True)):
        raise AssertionError
    (case.path / "authority.toml").write_text("[", encoding="utf-8")
    with pytest.raises(AuthorityError, match="cannot be read, so nothing is done"):
        note(asked, Act("query"))


def test_heads_witness_the_log(case: Case) -> None:
    first = head(case.path)
    note(case, Act("x"))
    assert holds_head(case.path, first) == "" == holds_head(case.path, head(case.path))
    assert "is not the one" in holds_head(case.path, Head(1, "0" * 64))
    assert "acts were taken away" in holds_head(case.path, Head(3, "0" * 64))


def test_references_are_keyed_by_the_case(case: Case, tmp_path: Path) -> None:
    other = begun(tmp_path / "other", lambda: AT)
    made = reference(case.path, "192.0.2.1")
    assert made == reference(case.path, "192.0.2.1") != reference(other.path, "192.0.2.1")
    assert made.startswith("hmac:") and len(made) == 69
    assert reference(case.path, "\ud800") == reference(case.path, "\\ud800")
    (case.path / "log" / "reference.key").unlink()
    with pytest.raises(CaseError, match="cannot be read"):
        reference(case.path, "x")


def test_arguments_too_large_for_a_line_are_kept_by_digest(case: Case) -> None:
    line = note(case, Act("x", {"a": "y" * (5 << 20)}))
    assert set(line.arguments) == {"omitted_bytes", "sha256"}


def test_a_missing_log_stops_everything(case: Case) -> None:
    (case.path / "log" / "custody.jsonl").unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        note(case, Act("x"))
    with pytest.raises(IntegrityError):
        head(case.path)
    assert not (case.path / "log" / "custody.jsonl").exists()


def test_canonical_json_knows_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert canonical({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))

    def nobody() -> str:
        raise KeyError("no such uid")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert actor() == "unknown"


def test_the_log_is_one_json_object_a_line(case: Case) -> None:
    lines = (case.path / "log" / "custody.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["verb"] for line in lines] == ["init"]
    assert json.loads((case.path / "log" / "head.json").read_bytes()) == {
        "seq": 1, "sha256": json.loads(lines[0])["sha256"],
    }  # fmt: skip


MANY = """
import sys
from pathlib import Path
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, note, record
case = Case.open(Path(sys.argv[1]))
for number in range(15):
    with record(case, Act("query", {"by": sys.argv[2], "n": number})):
        note(case, Act("part"))
"""


def test_two_processes_write_one_log(case: Case) -> None:
    running = [subprocess.Popen([sys.executable, "-c", MANY, str(case.path), name]) for name in ("a", "b")]
    assert [one.wait() for one in running] == [0, 0]
    state = read_log(case.path)
    assert state.problems == [] and len(state.acts) == 1 + 2 * 15 * 3
    asked = [(one.arguments["by"], one.arguments["n"]) for one in state.acts if one.phase == "begun"]
    assert sorted(asked) == [(name, number) for name in ("a", "b") for number in range(15)]
    assert not any(one.phase == "abandoned" for one in state.acts), "an act that another runs was not killed"


def test_a_counter_that_a_kill_left_unfinished_is_cleared_and_told(case: Case) -> None:
    left = case.path / "log" / ".head.json.new"
    left.write_bytes(b'{"seq":')
    with record(case, Act("x")) as entry:
        assert any("counter" in one and "removed" in one for one in entry.found)
        assert not left.exists()
    with record(case, Act("x")) as entry:
        assert entry.found == ()
    assert not read_log(case.path).problems
