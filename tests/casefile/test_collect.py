"""What paths stand for."""

from pathlib import Path

import pytest
from fake_decode import write_capture

from wirecover.casefile.collect import collect, looks_like_capture


def names(*paths: Path, case: Path) -> list[str]:
    return [path.name for path in collect(paths, case).files]


def test_files_folders_and_globs_each_once_and_sorted(tmp_path: Path) -> None:
    for name in ("b.pcap", "a.pcap", "sub/c.pcapng", "sub/d"):
        write_capture(tmp_path / "in" / name)
    found = collect(
        [tmp_path / "in" / "*.pcap", tmp_path / "in", tmp_path / "in" / "b.pcap"], tmp_path / "case"
    )
    assert [path.name for path in found.files] == ["a.pcap", "b.pcap", "c.pcapng", "d"]
    assert found.problems == ()


def test_a_file_with_glob_characters_in_its_name_is_itself(tmp_path: Path) -> None:
    write_capture(tmp_path / "a[1].pcap")
    write_capture(tmp_path / "a1.pcap")
    assert names(tmp_path / "a[1].pcap", case=tmp_path / "case") == ["a[1].pcap"]


def test_the_case_is_not_searched(tmp_path: Path) -> None:
    write_capture(tmp_path / "a.pcap")
    write_capture(tmp_path / "case" / "exports" / "b.pcap")
    assert names(tmp_path, case=tmp_path / "case") == ["a.pcap"]
    assert collect([tmp_path / "case"], tmp_path / "case").files == ()


def test_a_named_file_is_always_tried(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert names(tmp_path / "notes.txt", case=tmp_path / "case") == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "data", "is_capture"),
    [
        ("x.pcap", b"", True), ("X.PCAPNG", b"zzzz", True), ("x.pcap.gz", b"", True), ("x.cap", b"", True),
        ("x.pcap1", b"zzzz", False), ("x.tar.gz", b"\x1f\x8b", False), ("notes.txt", b"hello", False),
        ("trace", bytes.fromhex("0a0d0d0a"), True), ("trace", b"\xa1\xb2\xc3", False),
    ],
)  # fmt: skip
def test_captures_are_known_by_name_or_first_bytes(
    tmp_path: Path, name: str, data: bytes, is_capture: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert looks_like_capture(path) is is_capture
