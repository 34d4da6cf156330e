"""Private files, and one writer a target."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wirecover.casefile.errors import CaseBusyError, CaseError
from wirecover.casefile.private_files import (
    clear_partial,
    only_writer,
    partial_of,
    private_file,
    private_folder,
    publish_file,
    write_private,
)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        private_folder(tmp_path / "folder")
        write_private(tmp_path / "file", b"x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_nothing_that_is_there_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    for name in ("mine", "link", "dangling"):
        with pytest.raises(OSError):
            private_file(tmp_path / name)
    assert (tmp_path / "mine").read_text() == "mine" and not (tmp_path / "none").exists()


def test_a_taken_name_is_not_overwritten(tmp_path: Path) -> None:
    write_private(tmp_path / "new", b"new")
    write_private(tmp_path / "old", b"old")
    with pytest.raises(CaseError):
        publish_file(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"old"
    publish_file(tmp_path / "new", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b"new" and not (tmp_path / "new").exists()


def test_publishing_works_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    test_a_taken_name_is_not_overwritten(tmp_path)


def test_what_was_left_is_removed_whatever_it_is(tmp_path: Path) -> None:
    target = tmp_path / "t"
    assert not clear_partial(target)
    partial_of(target).write_text("x")
    assert clear_partial(target)
    private_folder(partial_of(target))
    (partial_of(target) / "evidence").write_text("x")
    (partial_of(target) / "evidence").chmod(0o400)
    assert clear_partial(target)
    (tmp_path / "mine").write_text("mine")
    partial_of(target).symlink_to(tmp_path / "mine")
    assert clear_partial(target)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_lock_is_let_go_by_death_and_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "t"
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from wirecover.casefile.private_files import only_writer\n"
        f"with only_writer(Path({str(target)!r})):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(CaseBusyError), only_writer(target):
            raise AssertionError("two writers")
        other.kill()
        other.wait()
        with only_writer(target):
            assert not target.exists()
    assert not list(tmp_path.iterdir())


def test_without_the_posix_calls_files_are_still_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: no flock, no links, no O_NOFOLLOW; the lock is msvcrt's."""
    taken: set[int] = set()

    def locking(handle: int, mode: int, size: int) -> None:
        inode = os.fstat(handle).st_ino
        if inode in taken:
            raise OSError(13, "Permission denied")
        taken.add(inode)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.delattr(os, "link")
    target = tmp_path / "out"
    with only_writer(target):
        with pytest.raises(CaseBusyError), only_writer(target):
            pass
        write_private(partial_of(target), b"whole")
        publish_file(partial_of(target), target)
        write_private(partial_of(target), b"other")
        with pytest.raises(CaseError, match="exists already"):
            publish_file(partial_of(target), target)
    assert target.read_bytes() == b"whole"
