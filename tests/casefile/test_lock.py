"""Locks: one holder, in whatever process; a dead one holds nothing."""

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from wirecover.casefile import lock as module
from wirecover.casefile.lock import FileLock, held

HOLD = """
import sys, time
from pathlib import Path
from wirecover.casefile.lock import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.try_acquire("test")
print("held", flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.try_acquire("a") and not two.try_acquire("b")
    assert two.holder() == f"process {os.getpid()} on {platform.node()} (a)"
    one.release()
    one.release()
    assert two.try_acquire("b")
    two.release()
    assert two.holder() == ""


def test_waiting_ends(tmp_path: Path) -> None:
    with held(tmp_path / "lock", 0) as first, held(tmp_path / "lock", 0.02) as second:
        assert (first, second) == (True, False)


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        mine = FileLock(path)
        assert not mine.try_acquire()
        assert mine.holder().startswith(f"process {other.pid} on ")
        other.kill()
        other.wait()
        assert mine.acquire(5)
        mine.release()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(handle: int) -> bool:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(module, "_system_lock", none)


@pytest.mark.usefixtures("without_locks")
def test_without_the_systems_locks_a_file_stands_in(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.try_acquire() and not two.try_acquire()
    one.release()
    assert not list(tmp_path.glob("*.held"))
    assert two.try_acquire()
    two.release()


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize(
    ("facts", "taken"),
    [
        ({"pid": 2**22 + 1, "host": platform.node()}, True),  # no such process
        ({"pid": 2**22 + 1, "host": "elsewhere"}, False),  # cannot be told from here
        (
            {"pid": os.getpid(), "host": platform.node(), "born": "1"},
            bool(module._born(os.getpid())),
        ),  # number reused
        ({"pid": os.getpid(), "host": platform.node(), "born": module._born(os.getpid())}, False),
        ({"pid": -1, "host": platform.node()}, False),
        ({}, False),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has locks on every file system, and no signal 0")
def test_a_stale_stand_in_is_taken_over(tmp_path: Path, facts: dict[str, object], taken: bool) -> None:
    (tmp_path / "lock.held").write_text(json.dumps(facts), encoding="utf-8")
    mine = FileLock(tmp_path / "lock")
    assert mine.try_acquire() is taken
    mine.release()
    assert (tmp_path / "lock.held").exists() is not taken


def test_another_error_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> bool:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(module, "_system_lock", broken)
    with pytest.raises(OSError, match="broken"):
        FileLock(tmp_path / "lock").try_acquire()
