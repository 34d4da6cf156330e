"""Verify finds what was changed, and says nothing against what was not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from fake_decode import decode, write_capture

from wirecover.casefile.case import Case
from wirecover.casefile.verify import verify


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("model")
    case = Case.create(root / "case", training=True)
    for count in (2, 3):
        write_capture(root / "in" / f"{count}.pcap", f"packets={count}")
    case.ingest([root / "in"], decoder=decode)
    return case.path


@pytest.fixture
def case(model: Path, tmp_path: Path) -> Case:
    """A copy to tamper with."""
    return Case.open(Path(shutil.copytree(model, tmp_path / "case")))


def exhibit(case: Case) -> Path:
    return case.path / "evidence" / case.exhibits()[0].sha256


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def sql(text: str) -> Callable[[Case], None]:
    def act(case: Case) -> None:
        with duckdb.connect(str(case.path / "case.duckdb")) as connection:
            connection.execute(text)

    return act


def log(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Case], None]:
    def act(case: Case) -> None:
        path = case.path / "log" / "custody.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))

    return act


def cut_log(case: Case) -> None:
    """An older state of the log put back, its counter with it."""
    path = case.path / "log" / "custody.jsonl"
    first = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(first)
    facts = {"seq": 1, "sha256": json.loads(first)["sha256"]}
    (case.path / "log" / "head.json").write_text(json.dumps(facts), encoding="utf-8")


def drop_rows(case: Case) -> None:
    path = exhibit(case) / "flows.parquet"
    table = pq.read_table(path, partitioning=None).slice(0, 0)
    path.chmod(0o644)
    pq.write_table(table, path)


TAMPERING: dict[str, tuple[Callable[[Case], object], str]] = {
    "one bit": (
        lambda case: overwrite(exhibit(case) / "names.parquet", b"x"),
        "names.parquet: changed since",
    ),
    "rows dropped": (drop_rows, "flows.parquet: 0 rows, the manifest says 1"),
    "file missing": (lambda case: (exhibit(case) / "hosts.parquet").unlink(), "hosts.parquet: missing"),
    "file added": (lambda case: (exhibit(case) / "more").write_bytes(b""), "more: not in the manifest"),
    "folder missing": (lambda case: shutil.rmtree(exhibit(case)), "manifest.json: No such file"),
    "folder added": (lambda case: (case.path / "evidence" / "x").mkdir(), "in no catalogue"),
    "manifest rewritten": (
        lambda case: overwrite(exhibit(case) / "manifest.json", b"{}"),
        "not the one that",
    ),
    "manifest no text": (lambda case: overwrite(exhibit(case) / "manifest.json", b"\xff"), "cannot be read"),
    "catalogue row changed": (sql("UPDATE exhibits SET bytes = 1 WHERE name = '2.pcap'"), "by no logged act"),
    "catalogue row dropped": (sql("DELETE FROM exhibits WHERE name = '2.pcap'"), "not in the catalogue"),
    "ids changed": (sql("UPDATE exhibits SET flow_base = 7 WHERE name = '2.pcap'"), "do not follow from its"),
    "act changed": (
        log(lambda lines: [lines[0], lines[1].replace(b'"ingest"', b'"report"'), *lines[2:]]),
        "act 2",
    ),
    "act dropped": (log(lambda lines: [lines[0], *lines[2:]]), "act 2 is missing"),
    "act repeated": (
        log(lambda lines: [*lines[:2], *lines[1:]]),
        "act 3 is missing or out of place (found number 2)",
    ),
    "log emptied": (log(lambda lines: []), "the log is empty"),
    "log cut": (log(lambda lines: lines[:-1]), "head.json knows of act 5, the log ends at 4"),
    "log and its head cut": (cut_log, "entered by no logged act"),
    "acts swapped": (
        log(lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]]),
        "act 3 is missing or out of place",
    ),
    "space in an act": (log(lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]]), "is no record"),
    "line that is none": (log(lambda lines: [lines[0], b"[]", *lines[1:]]), "line 2 of the log is no record"),
    "last act changed": (
        log(lambda lines: [*lines[:-1], lines[-1].replace(b"done", b"fail")]),
        "act 5 (ingest) was changed",
    ),
    "log missing": (lambda case: (case.path / "log" / "custody.jsonl").unlink(), "No such file"),
    "counter missing": (lambda case: (case.path / "log" / "head.json").unlink(), "head.json is missing"),
    "counter no text": (lambda case: overwrite(case.path / "log" / "head.json", b"\xff"), "cannot be read"),
    "counter ahead": (
        lambda case: overwrite(case.path / "log" / "head.json", b'{"seq":9,"sha256":"00"}\n'),
        "acts are missing",
    ),
    "finding planted": (
        sql("INSERT INTO findings (finding_id, pattern) VALUES (1, 'x')"),
        "that no logged analysis",
    ),
    "training flag": (
        lambda case: (case.path / "case.toml").write_text("format_version = 1\ntraining = false\n"),
        "its log does not",
    ),
}


def test_an_untouched_case_holds(case: Case) -> None:
    result = verify(case)
    assert result.holds
    assert [check.subject.split(" (")[0] for check in result.checks] == [
        "custody log",
        "catalogue",
        "2.pcap",
        "3.pcap",
    ]


@pytest.mark.parametrize(("act", "says"), TAMPERING.values(), ids=list(TAMPERING))
def test_tampering_is_found(case: Case, act: Callable[[Case], object], says: str) -> None:
    act(case)
    result = verify(Case.open(case.path))
    assert not result.holds
    lines = [check.detail for check in result.checks if check.holds is False]
    assert any(says in line for line in lines), lines
    assert all(len(line.splitlines()) == 1 for line in lines)
    broken = {check.subject.split(" (")[0] for check in result.checks if check.holds is False}
    assert "3.pcap" not in broken, "the exhibit that nobody touched holds"


def test_a_manifest_cannot_lead_out_of_its_folder(case: Case) -> None:
    path = exhibit(case) / "manifest.json"
    overwrite(path, path.read_bytes().replace(b'"names.parquet"', b'"../../../x"'))
    assert any("not a file name" in check.detail for check in verify(case).checks)
