"""Captures in: what is said, which code is returned, and what is in the case afterwards."""

import errno
import gzip
import os
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from wirecover.casefile import ingest as casefile_ingest
from wirecover.casefile.case import Case
from wirecover.cli.ingest import MOST_WORKERS, WORTH_PROCESSES, _workers
from wirecover.cli.main import main


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, capture: Path) -> Path:
    path = tmp_path_factory.mktemp("plain") / "whole.pcap"
    path.write_bytes(gzip.decompress(capture.read_bytes()))
    return path


def frames_before(pcap: Path, end: int) -> tuple[int, int]:
    """(offset of the frame that is cut at `end`, number of whole frames before it), walked plainly."""
    data, at, frames = pcap.read_bytes(), 24, 0
    while (following := at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")) <= end:
        at, frames = following, frames + 1
    return at, frames


def names(case: Path) -> list[str]:
    return [exhibit.name for exhibit in Case.open(case).exhibits()]


def test_ingest_again_changes_nothing(run, case: Path, capture: Path) -> None:
    first = run("ingest", case, capture)
    assert (first.code, first.out) == (0, "")
    assert re.fullmatch(r"1 capture ingested \([0-9,]+ packets, [0-9]+ flows\)\.\n", first.err)
    evidence = {path: path.stat().st_mtime_ns for path in case.joinpath("evidence").rglob("*")}
    again = run("ingest", case, capture)
    assert (again.code, again.err) == (0, "0 captures ingested; 1 already there.\n")
    assert evidence == {path: path.stat().st_mtime_ns for path in case.joinpath("evidence").rglob("*")}


def test_a_folder_and_a_glob(run, case: Path, tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.pcap").write_bytes(whole.read_bytes())
    (folder / "notes.txt").write_text("nothing", encoding="utf-8")
    done = run("ingest", case, folder)
    assert done.code == 0
    assert "Left aside: 1 file" in done.lines[-1]
    again = run("ingest", case, folder / "*.pcap")
    assert (again.code, again.err) == (0, "0 captures ingested; 1 already there.\n")


@pytest.mark.parametrize(
    ("name", "length", "said"),
    [
        ("empty.pcap", 0, "is empty"),
        ("head.pcap", 12, "offset 12"),
    ],
)
def test_a_capture_of_which_nothing_can_be_read(
    run, case: Path, tmp_path: Path, whole: Path, name: str, length: int, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[:length])
    done = run("ingest", case, path)
    assert (done.code, done.out, len(done.lines)) == (3, "", 2)
    assert name in done.lines[0] and said in done.lines[0]
    assert done.lines[1] == "0 captures ingested; 1 failed."
    assert names(case) == [] and list(case.joinpath("evidence").iterdir()) == []


def test_text_is_no_capture_whatever_its_name(run, case: Path, tmp_path: Path) -> None:
    path = tmp_path / "notes\u202e.pcap"
    path.write_text("these are notes", encoding="utf-8")
    done = run("ingest", case, path)
    assert done.code == 3 and "notes\\u{202e}.pcap: is not a capture" in done.lines[0]
    assert "offset 0" in done.lines[0]


def test_a_cut_capture_is_kept_as_far_as_it_goes(run, case: Path, tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole.read_bytes()[:100_000])
    done = run("ingest", case, path, whole)
    assert done.code == 3
    assert "cut.pcap" in done.lines[0]
    told = re.search(r"\(offset (\d+), .*kept ([0-9,]+) packets", done.lines[0])
    assert told is not None
    assert (int(told[1]), int(told[2].replace(",", ""))) == frames_before(whole, 100_000)
    assert done.lines[1].startswith("2 captures ingested") and done.lines[1].endswith("; 1 of them damaged.")
    assert names(case) == ["cut.pcap", "whole.pcap"]


@pytest.mark.parametrize("wrong", ["no-such.pcap", "*.zip", "empty-folder"])
def test_a_path_that_names_nothing_stops_the_run_before_it_starts(
    run, case: Path, tmp_path: Path, whole: Path, wrong: str
) -> None:
    (tmp_path / "empty-folder").mkdir()
    alone = run("ingest", case, tmp_path / wrong)
    assert (alone.code, len(alone.lines)) == (2, 1)
    assert wrong in alone.lines[0]
    if wrong != "empty-folder":
        beside = run("ingest", case, whole, tmp_path / wrong)
        assert beside.code == 2 and names(case) == []


def test_an_empty_folder_among_others_is_said_and_passed_over(
    run, case: Path, tmp_path: Path, whole: Path
) -> None:
    (tmp_path / "empty-folder").mkdir()
    done = run("ingest", case, tmp_path / "empty-folder", whole)
    assert done.code == 3 and "no captures in this folder" in done.lines[0]
    assert names(case) == ["whole.pcap"]


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="there are no such rights, or all of them"
)
def test_an_unreadable_file_is_named(run, case: Path, tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "closed.pcap"
    path.write_bytes(whole.read_bytes())
    path.chmod(0)
    done = run("ingest", case, path)
    assert done.code == 3 and "closed.pcap: Permission denied" in done.lines[0]


def test_a_full_disk_leaves_the_case_as_it_was(run, case: Path, whole: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(casefile_ingest, "publish", full)
    done = run("ingest", case, whole)
    assert (done.code, len(done.lines)) == (1, 1)
    assert "whole.pcap: the disk is full" in done.lines[0]
    assert names(case) == [] and list(case.joinpath("evidence").iterdir()) == []
    monkeypatch.undo()
    assert main(["ingest", str(case), str(whole)]) == 0
    assert names(case) == ["whole.pcap"]


def test_a_folder_that_is_no_case(run, tmp_path: Path, whole: Path) -> None:
    done = run("ingest", tmp_path, whole)
    assert done.code == 1 and "not a case folder" in done.lines[0]


def test_workers_are_started_when_they_pay() -> None:
    assert _workers([1, 2, 3]) == 1
    assert _workers([WORTH_PROCESSES]) == 1
    assert _workers([WORTH_PROCESSES] * 100) == min(os.cpu_count() or 1, MOST_WORKERS)


def test_two_workers_give_the_rows_of_one(run, tmp_path: Path, capture: Path, whole: Path) -> None:
    rows = []
    for workers in (1, 2):
        path = tmp_path / f"case{workers}"
        assert run("init", path, "--training").code == 0
        assert run("ingest", path, capture, whole, "--workers", workers).code == 0
        with closing(Case.open(path).connect()) as connection:
            rows.append(connection.execute("SELECT * FROM flows ORDER BY flow_id").fetchall())
    assert rows[0] == rows[1] != []
