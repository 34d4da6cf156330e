"""Ingest: each capture whole or not at all, once, and the same from one worker or many."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from fake_decode import decode, sha256_of, write_capture

from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import Scope
from wirecover.casefile.case import Case
from wirecover.casefile.catalogue import open_catalogue
from wirecover.casefile.errors import CaseBusyError, CaseError
from wirecover.casefile.ingest import IngestEvent, IngestReport
from wirecover.casefile.verify import verify

AT = 1_800_000_000_000_000_000


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case.create(tmp_path / "case", training=True, clock=lambda: AT)


def statuses(report: IngestReport) -> list[tuple[str, str]]:
    return [(one.path.name, one.status) for one in report.outcomes]


def evidence(case: Case) -> dict[str, str]:
    folder = case.path / "evidence"
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def contents(case: Case) -> tuple[object, ...]:
    """All that an ingest decides, without the clock and the log of how it went."""
    rows = [
        (one.sha256, one.flow_base, one.name, one.bytes, one.damage, one.manifest_sha256)
        for one in case.exhibits()
    ]
    with case.connect() as connection:
        flows = connection.execute("SELECT * FROM flows ORDER BY flow_id").fetchall()
        acts = connection.execute(
            "SELECT arguments FROM custody_log WHERE verb = 'exhibit' AND phase = 'noted' ORDER BY ALL"
        ).fetchall()
    return rows, flows, acts, evidence(case)


def test_a_folder_is_taken_in_whole_and_a_repeat_changes_nothing(case: Case, tmp_path: Path) -> None:
    for count in (1, 2):
        write_capture(tmp_path / "in" / "deep" / f"{count}.pcap", f"packets={count}")
    (tmp_path / "in" / "notes.txt").write_text("no capture")
    first = case.ingest([tmp_path / "in"], decoder=decode)
    assert statuses(first) == [("1.pcap", "done"), ("2.pcap", "done")]
    assert (first.skipped, first.exit_code) == (1, 0)
    before = contents(case)
    again = case.ingest([tmp_path / "in", tmp_path / "in" / "deep" / "1.pcap"], decoder=decode)
    assert statuses(again) == [("1.pcap", "already"), ("2.pcap", "already")]
    assert again.exit_code == 0
    assert contents(case) == before
    assert verify(case).holds


def test_evidence_is_read_only(case: Case, tmp_path: Path) -> None:
    case.ingest([write_capture(tmp_path / "a.pcap")], decoder=decode)
    modes = {path.stat().st_mode & 0o222 for path in (case.path / "evidence").glob("*/*")}
    assert modes == {0}


def test_the_same_content_under_another_name_is_noted(case: Case, tmp_path: Path) -> None:
    paths = [write_capture(tmp_path / "a.pcap"), write_capture(tmp_path / "b.pcap")]
    for workers in (1, 2):  # two at once: neither is known when the other begins
        report = case.ingest(paths, decoder=decode, workers=workers)
        assert [one.status for one in report.outcomes][1] == "already"
        assert report.outcomes[1].reason == "b.pcap: same content as a.pcap, which is in the case"
    with case.connect() as connection:
        [(text,)] = connection.execute(
            "SELECT arguments FROM custody_log ORDER BY seq DESC LIMIT 1"
        ).fetchall()
    assert [entry[:2] for entry in json.loads(text)["files"]] == [
        ["a.pcap", "already"],
        ["b.pcap", "already"],
    ]


def test_workers_do_not_change_the_case(tmp_path: Path) -> None:
    for number in range(3):
        write_capture(tmp_path / "in" / f"{number}.pcap", f"packets={number + 1}")
    write_capture(tmp_path / "in" / "bad.pcap", "bug")
    cases = [Case.create(tmp_path / f"case{workers}", training=True, clock=lambda: AT) for workers in (1, 3)]
    reports = [
        case.ingest([tmp_path / "in"], decoder=decode, workers=n)
        for case, n in zip(cases, (1, 3), strict=True)
    ]
    assert statuses(reports[0]) == statuses(reports[1])
    assert contents(cases[0]) == contents(cases[1])
    logs = []
    for one in cases:
        with one.connect() as connection:
            logs.append(connection.execute(
                "SELECT seq, ts, actor, verb, phase, arguments, result FROM custody_log WHERE seq > 1 ORDER BY seq"
            ).fetchall())  # fmt: skip
    assert logs[0] == logs[1]


def test_progress_tells_beginning_and_end_of_each_file(case: Case, tmp_path: Path) -> None:
    events: list[IngestEvent] = []
    case.ingest([write_capture(tmp_path / "a.pcap")], decoder=decode, progress=events.append)
    assert [(one.number, one.total, one.outcome and one.outcome.status) for one in events] == [
        (1, 1, None), (1, 1, "done"),
    ]  # fmt: skip


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_capture_does_not_stop_the_others(case: Case, tmp_path: Path, workers: int) -> None:
    named = tmp_path / "text.pcap"
    named.write_text("hello")
    crafted = {"bug": "bug", "damaged": "damaged", "good": "packets=3", "x": "extra file"}
    paths = [write_capture(tmp_path / f"{name}.pcap", text) for name, text in crafted.items()]
    paths = [named, *paths, tmp_path / "missing.pcap"]
    report = case.ingest(paths, decoder=decode, workers=workers)
    found = {one.path.name: one for one in report.outcomes}
    assert {name: one.status for name, one in found.items()} == {
        "text.pcap": "failed", "bug.pcap": "failed", "damaged.pcap": "damaged", "good.pcap": "done",
        "missing.pcap": "failed", "x.pcap": "failed",
    }  # fmt: skip
    assert found["text.pcap"].reason == "text.pcap: not a capture (offset 0)"
    assert "ValueError: unexpected" in found["bug.pcap"].reason
    assert "no such file" in found["missing.pcap"].reason
    assert found["damaged.pcap"].damage == ("truncated at offset 7",)
    assert all(len(one.reason.splitlines()) <= 1 for one in report.outcomes)
    assert report.exit_code == 3
    assert [one.name for one in case.exhibits()] == ["damaged.pcap", "good.pcap"]
    assert not list((case.path / "evidence").glob(".partial-*"))
    assert verify(case).holds


def test_nothing_to_take_in_is_one_clear_failure(case: Case, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    report = case.ingest([tmp_path / "empty", tmp_path / "*.pcap"], decoder=decode)
    assert [one.reason.rsplit(": ", 1)[1] for one in report.outcomes] == [
        "no captures in this folder",
        "matches nothing",
    ]
    assert report.exit_code == 1


def test_a_worker_that_dies_costs_only_its_own_capture(case: Case, tmp_path: Path) -> None:
    for number in range(3):
        write_capture(tmp_path / "in" / f"{number}.pcap", "die" if number == 1 else f"packets={number + 1}")
    report = case.ingest([tmp_path / "in"], decoder=decode, workers=2)
    assert statuses(report) == [
        ("0.pcap", "done"),
        ("1.pcap", "failed"),
        ("2.pcap", "done"),
    ]
    assert "died" in report.outcomes[1].reason
    assert verify(case).holds


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_run_in_one_line_and_keeps_what_was_whole(
    case: Case, tmp_path: Path, workers: int
) -> None:
    paths = [write_capture(tmp_path / "a.pcap"), write_capture(tmp_path / "b.pcap", "disk full")]
    with pytest.raises(CaseError, match=r"b\.pcap: the disk is full; nothing of this capture was kept"):
        case.ingest(paths, decoder=decode, workers=workers)
    assert [one.name for one in case.exhibits()] == ["a.pcap"]
    assert len(list((case.path / "evidence").iterdir())) == 1
    assert verify(case).holds


def test_exhibits_whose_ids_would_collide_are_refused(case: Case, tmp_path: Path) -> None:
    head = "ab" * 4 + "c"  # 36 bits
    for name, tail in (("a", "0"), ("b", "1")):
        write_capture(tmp_path / "in" / f"{name}.pcap", "sha256=" + head + tail * 55)
    report = case.ingest([tmp_path / "in"], decoder=decode)
    assert statuses(report) == [("a.pcap", "done"), ("b.pcap", "failed")]
    assert "same 36 bits as that of a.pcap" in report.outcomes[1].reason
    assert len(list((case.path / "evidence").iterdir())) == 1


def test_two_processes_do_not_write_one_case(case: Case, tmp_path: Path) -> None:
    write_capture(tmp_path / "a.pcap")
    script = (
        "import sys; from pathlib import Path; from wirecover.casefile.catalogue import open_catalogue\n"
        "held = open_catalogue(Path(sys.argv[1]), write=True); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(case.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        for act in (lambda: case.ingest([tmp_path / "a.pcap"], decoder=decode), case.exhibits):
            with pytest.raises(CaseBusyError, match="the case is in use by another process") as refused:
                act()
            assert len(str(refused.value).splitlines()) == 1
        holder.communicate()
    assert case.ingest([tmp_path / "a.pcap"], decoder=decode).exit_code == 0


# Where a run is killed: before and after each step of the write path, by replacing the step's function.
KILLS = {
    "while decoding": ("fake_decode", "misbehave", "instead"),
    "decoded, before it is flushed": ("wirecover.casefile.pool", "seal_folder", "instead"),
    "flushed, before the rename": ("wirecover.casefile.ingest", "publish", "instead"),
    "renamed, before the transaction": ("wirecover.casefile.ingest", "publish", "after"),
    "renamed, not logged": ("wirecover.casefile.ingest", "enter", "instead"),
    "logged, not listed": ("wirecover.casefile.entering", "list_exhibit", "instead"),
    "before the commit": ("wirecover.casefile.entering", "list_exhibit", "after"),
    "after the commit": ("wirecover.casefile.ingest", "enter", "after"),
}
KILLER = """
import importlib, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import fake_decode
from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import Scope
from wirecover.casefile.case import Case
module, name, when = sys.argv[4:7]
target = importlib.import_module(module)
step = getattr(target, name)
calls = [0]
def killed(*given, **named):
    calls[0] += 1
    if calls[0] < 2:  # the first capture gets through
        return step(*given, **named)
    if when == "after":
        step(*given, **named)
    os._exit(9)
setattr(target, name, killed)
case = Case.open(Path(sys.argv[2]), clock=lambda: int(sys.argv[7]))
case.ingest([Path(sys.argv[3])], decoder=fake_decode.decode)
"""


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """What the case of the kill tests holds when nobody kills."""
    root = tmp_path_factory.mktemp("untouched")
    case = Case.create(root / "case", training=True, clock=lambda: AT)
    case.ingest(three_captures(root), decoder=decode)
    return contents(case)


def three_captures(root: Path) -> list[Path]:
    return [write_capture(root / "in" / f"{number}.pcap", f"packets={number + 1}") for number in range(3)]


@pytest.mark.parametrize("kill", KILLS.values(), ids=list(KILLS))
def test_killed_anywhere_and_repeated_gives_the_same_case(
    case: Case, tmp_path: Path, kill: tuple[str, ...], untouched: tuple[object, ...]
) -> None:
    three_captures(tmp_path)
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", KILLER, here, str(case.path), str(tmp_path / "in"), *kill, str(AT)]
    assert subprocess.run(command, check=False).returncode == 9
    kept = {one.name for one in case.exhibits()}
    assert "0.pcap" in kept
    with case.connect() as connection:  # readable at once, and showing nothing that is not whole
        assert connection.execute("SELECT count(*) FROM flows").fetchall() == [(len(kept),)]
    report = case.ingest([tmp_path / "in"], decoder=decode)
    assert report.exit_code == 0
    already = {one.path.name for one in report.with_status("already")}
    logged = already - kept  # what was logged, and not yet listed, is finished by the next run, which says so
    assert kept <= already and [f"{name}: entered" in " ".join(report.found) for name in logged] == [
        True
    ] * len(logged)
    assert contents(case) == untouched
    assert verify(case).holds


def test_leftovers_of_a_killed_run_are_removed_and_reported(case: Case, tmp_path: Path) -> None:
    leftover = case.path / "evidence" / ".partial-dead-1"
    leftover.mkdir()
    (leftover / "flows.parquet").write_bytes(b"half")
    (leftover / "flows.parquet").chmod(0o444)
    assert not verify(case).holds
    assert case.ingest([write_capture(tmp_path / "a.pcap")], decoder=decode).leftovers == 1
    assert not leftover.exists()
    assert verify(case).holds


def test_opening_a_case_of_300_exhibits_is_quick(tmp_path: Path) -> None:
    case = Case.create(tmp_path / "case", training=True)
    case.ingest([write_capture(tmp_path / "a.pcap")], decoder=decode)
    [model] = (case.path / "evidence").iterdir()
    names = sorted(path.name for path in model.iterdir())
    with open_catalogue(case.path, write=True) as connection:
        for number in range(1, 300):
            digest = f"{number:09x}" + "0" * 55
            (case.path / "evidence" / digest).mkdir()
            for name in names:
                os.link(model / name, case.path / "evidence" / digest / name)
            connection.execute(
                "INSERT INTO exhibits SELECT ?, ?, ?, * EXCLUDE (sha256, capture_id, flow_base) "
                "FROM exhibits WHERE name = 'a.pcap' LIMIT 1", [digest, number << 27, number << 27],
            )  # fmt: skip
    start = time.monotonic()
    with case.connect() as connection:
        assert connection.execute(
            "SELECT count(*) FROM flows f LEFT JOIN tls_handshakes t USING (flow_id)"
        ).fetchall() == [(300,)]
    assert time.monotonic() - start < 3


def test_a_catalogue_that_cannot_be_written_leaves_no_evidence(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise duckdb.IOException("IO Error: could not write: No space left on device")

    monkeypatch.setattr("wirecover.casefile.entering.list_exhibit", full)
    with pytest.raises(CaseError, match=r"a\.pcap: the disk is full; nothing of this capture was kept"):
        case.ingest([write_capture(tmp_path / "a.pcap")], decoder=decode)
    assert list((case.path / "evidence").iterdir()) == []
    assert case.exhibits() == []
    assert verify(case).holds


def test_an_interrupted_run_cleans_up_and_is_logged(case: Case, tmp_path: Path) -> None:
    def interrupted(path: Path, out: Path, scope: Scope) -> Manifest:
        if path.name == "b.pcap":
            (out / "flows.parquet").write_bytes(b"half")
            raise KeyboardInterrupt
        return decode(path, out, scope)

    paths = [write_capture(tmp_path / "a.pcap"), write_capture(tmp_path / "b.pcap", "packets=9")]
    with pytest.raises(KeyboardInterrupt):
        case.ingest(paths, decoder=interrupted)
    assert [one.name for one in case.exhibits()] == ["a.pcap"]
    assert len(list((case.path / "evidence").iterdir())) == 1
    with case.connect() as connection:
        [(text, phase)] = connection.execute(
            "SELECT arguments, phase FROM custody_log ORDER BY seq DESC LIMIT 1"
        ).fetchall()
    assert json.loads(text)["files"][0][:2] == ["a.pcap", "done"]
    assert phase == "stopped"
