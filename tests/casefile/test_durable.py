"""The steps that make evidence whole or absent."""

import errno
from pathlib import Path

import pytest

from wirecover.casefile.durable import is_disk_full, publish, remove_tree, seal_folder


def test_a_full_disk_is_known_by_number_text_and_cause() -> None:
    assert is_disk_full(OSError(errno.ENOSPC, "x"))
    assert is_disk_full(RuntimeError("IO Error: Could not write: No space left on device"))
    outer = RuntimeError("outer")
    outer.__cause__ = OSError(errno.ENOSPC, "x")
    assert is_disk_full(outer)
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))


def test_a_folder_is_sealed_published_and_still_removable(tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    (partial / "a").write_bytes(b"1")
    seal_folder(partial)
    assert (partial / "a").stat().st_mode & 0o222 == 0
    publish(partial, tmp_path / "final")
    assert (tmp_path / "final" / "a").read_bytes() == b"1"
    remove_tree(tmp_path / "final")
    assert list(tmp_path.iterdir()) == []


def test_removing_follows_no_link_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"kept")
    outside.chmod(0o444)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(outside)
    remove_tree(tmp_path / "tree")
    assert outside.read_bytes() == b"kept"
    assert outside.stat().st_mode & 0o222 == 0


def test_publishing_over_something_fails(tmp_path: Path) -> None:
    for name in ("partial", "final"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"1")
    with pytest.raises(OSError):
        publish(tmp_path / "partial", tmp_path / "final")
