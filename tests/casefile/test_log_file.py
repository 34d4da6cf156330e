"""The log as a file: one form a line, nothing half, nothing taken out."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, note, start_log
from wirecover.casefile.errors import CaseBusyError, CaseError, IntegrityError
from wirecover.casefile.lock import FileLock
from wirecover.casefile.log_check import read_log
from wirecover.casefile.log_file import MAX_LINE, Record, last_record, locked_log, records

LINE = Record(
    1, 5, "ana", "init", "done", 1, {"a": "é"}, ("x:y",), torn={"bytes": 1, "sha256": "0"},
    signatures=({"key": "k", "algorithm": "ed25519", "value": "AA=="},),
).line()[:-1]  # fmt: skip


def begun(path: Path) -> Case:
    """A case of which only the log is there."""
    path.mkdir()
    case = Case(path, training=True, clock=lambda: 5)
    start_log(case, {"training": True})
    return case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return begun(tmp_path / "case")


def log_path(case: Case) -> Path:
    return case.path / "log" / "custody.jsonl"


def test_a_record_comes_back_from_its_line() -> None:
    assert Record.from_line(LINE).line() == LINE + b"\n"


@pytest.mark.parametrize("at", range(len(LINE)))
def test_a_line_that_is_cut_is_none(at: int) -> None:
    with pytest.raises(ValueError):
        Record.from_line(LINE[:at])
    with pytest.raises(ValueError):
        Record.from_line(LINE + b"x")


@given(st.binary(max_size=400))
def test_other_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        record = Record.from_line(data)
    except (ValueError, TypeError, RecursionError):
        return
    assert record.line() == data + b"\n"


@given(st.integers(0, len(LINE) - 1), st.integers(1, 255))
def test_a_line_with_a_changed_byte_is_refused_or_another_record(at: int, mask: int) -> None:
    changed = LINE[:at] + bytes([LINE[at] ^ mask]) + LINE[at + 1 :]
    try:
        record = Record.from_line(changed)
    except (ValueError, TypeError, RecursionError):
        return
    assert (
        record.digest() != Record.from_line(LINE).digest() or record.sha256 != Record.from_line(LINE).sha256
    )


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 200), min_size=1, max_size=3))
def test_lines_cut_by_crashes_stay_and_are_told(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    case = begun(tmp_path_factory.mktemp("torn") / "case")
    whole = log_path(case).read_bytes()
    for cut in cuts:
        before = log_path(case).read_bytes()
        with log_path(case).open("ab") as file:  # what a power cut leaves of a line
            file.write(whole[:cut])
        line = note(case, Act("x"))
        assert line.torn is not None and line.torn["bytes"] == cut + 2
        assert log_path(case).read_bytes().startswith(before + whole[:cut]), "nothing is taken out"
    state = read_log(case.path)
    assert state.problems == []
    assert sum("cut short" in one for one in state.remarks) == len(cuts)
    assert [one.verb for one in records(case.path)] == ["init", *["x"] * len(cuts)]


def test_a_cut_within_what_marks_a_cut(case: Case) -> None:
    for left in (b'{"a', b"\x18", b"\x18\n", b"\x18\n{"):
        with log_path(case).open("ab") as file:
            file.write(left)
    note(case, Act("x"))
    assert read_log(case.path).problems == []


def test_nothing_is_added_to_a_log_whose_last_line_was_changed(case: Case) -> None:
    data = log_path(case).read_bytes()
    log_path(case).write_bytes(data[:-2] + b"x\n")
    with pytest.raises(IntegrityError, match="nothing is added to a broken log"):
        note(case, Act("x"))
    assert log_path(case).read_bytes() == data[:-2] + b"x\n"


@pytest.mark.parametrize("taken", [0, 1, 40])
def test_a_full_disk_leaves_the_log_as_it_was(
    case: Case, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = log_path(case).read_bytes()
    write, calls = os.write, [0]

    def full(handle: int, data: bytes) -> int:
        if not data.startswith((b'{"act', b"\x18")) and calls[0] == 0:
            return write(handle, data)  # the lock's own text
        calls[0] += 1
        if calls[0] == 1 and taken:
            return write(handle, data[:taken])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("wirecover.casefile.log_file.os.write", full)
    with pytest.raises(CaseError, match="cannot be written: the disk is full"):
        note(case, Act("x"))
    monkeypatch.undo()
    assert log_path(case).read_bytes() == before
    note(case, Act("y"))
    assert read_log(case.path).problems == []


def test_a_folder_that_cannot_be_written(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def read_only(path: object, flags: int, *more: int, **named: object) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(path, flags, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("wirecover.casefile.lock.os.open", read_only)
    with pytest.raises(
        CaseError, match=r"cannot be written \(Read-only file system\), and nothing is done unlogged"
    ):
        note(case, Act("x"))


def test_a_log_that_another_holds_is_waited_for_and_then_given_up(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wirecover.casefile.log_file.WAIT_S", 0.05)
    other = FileLock(case.path / "log" / "lock")
    assert other.try_acquire("ingest")
    with pytest.raises(CaseBusyError, match=r"held by process \d+ on .*\(ingest\)"):
        note(case, Act("x"))
    other.release()
    note(case, Act("x"))


def test_the_log_may_be_held_twice_in_one_thread(case: Case) -> None:
    with locked_log(case.path), locked_log(case.path) as log:
        assert log.head.seq == 1
        note(case, Act("x"))
        assert log.head.seq == 2


def test_the_last_record_is_found_from_the_end(case: Case) -> None:
    note(case, Act("x", {"long": "y" * 200_000}))
    last = last_record(case.path)
    assert last is not None and last.verb == "x"
    log_path(case).write_bytes(b"")
    assert last_record(case.path) is None
    log_path(case).write_bytes(b"x" * (4 * MAX_LINE))
    with pytest.raises(IntegrityError, match="no record can be"):
        last_record(case.path)
