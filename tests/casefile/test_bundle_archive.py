"""The archive: what is written any tar program reads, and nothing else than that is read."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.casefile.bundle_archive import (
    ArchiveError,
    ArchiveReader,
    Entry,
    header,
    parse_header,
    written,
)

FILES = {
    "a.txt": b"hello",
    "b/empty": b"",
    "b/" + "n" * 120 + "/" + "m" * 90: bytes(range(256)) * 5,
    "é": b"x" * 512,
}


class Kept:
    """Members as they come."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self.whole: set[str] = set()

    def begin(self, name: str, size: int) -> None:
        self.files[name] = bytearray()

    def data(self, piece: bytes) -> None:
        list(self.files.values())[-1].extend(piece)

    def end(self) -> None:
        self.whole.add(list(self.files)[-1])


def archive(files: dict[str, bytes] = FILES) -> bytes:
    return b"".join(written(Entry(name, len(data), [data]) for name, data in files.items()))


def read(data: bytes, step: int = 1 << 20) -> dict[str, bytes]:
    kept = Kept()
    reader = ArchiveReader(kept)
    for place in range(0, len(data), step):
        reader.feed(data[place : place + step])
    reader.close()
    assert kept.whole == set(kept.files)
    return {name: bytes(body) for name, body in kept.files.items()}


def test_another_tar_program_reads_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive())) as tar:
        found = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
        assert {info.mode for info in tar} == {0o600} and {info.mtime for info in tar} == {0}
    assert found == FILES


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 1 << 20])
def test_it_is_read_in_pieces_of_any_size(step: int) -> None:
    assert read(archive(), step) == FILES


NAMES = st.text("abcdef/", min_size=1, max_size=12).filter(
    lambda text: "//" not in text and text.strip("/") == text
)


@given(st.dictionaries(NAMES, st.binary(max_size=1100), max_size=5))
def test_what_is_written_is_read(files: dict[str, bytes]) -> None:
    assert read(archive(files)) == files


def test_the_same_files_give_the_same_bytes() -> None:
    assert archive() == archive()


def test_a_cut_archive_is_refused_at_every_byte() -> None:
    data = archive({"a": b"12345", "b": b""})
    for end in range(len(data)):
        with pytest.raises(ArchiveError):
            read(data[:end])


def test_bytes_behind_the_end_are_refused() -> None:
    for more in (b"\1", b"\0", bytes(512), header("z", 0)):
        with pytest.raises(ArchiveError):
            read(archive() + more)


def test_a_changed_bit_is_refused_or_is_in_a_body() -> None:
    data = archive({"a": b"12345"})
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        try:
            found = read(bytes(changed))
        except ArchiveError:
            continue
        assert 512 <= place < 517 and found["a"] != b"12345"


def special(**facts: object) -> bytes:
    info = tarfile.TarInfo("a")
    info.mode = 0o600
    for key, value in facts.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    "data",
    [
        special(type=tarfile.SYMTYPE, linkname="/etc/passwd"), special(type=tarfile.LNKTYPE, linkname="b"),
        special(type=tarfile.CHRTYPE), special(type=tarfile.BLKTYPE), special(type=tarfile.FIFOTYPE),
        special(type=tarfile.DIRTYPE), special(type=tarfile.CONTTYPE), special(type=tarfile.AREGTYPE),
        special(mode=0o4755), special(mtime=1), special(uid=1), special(uname="root"), special(name="../a"),
        special(name="/a"), special(name="a/../../b"), special(name="CON"), special(name="a."), special(name="a\nb"),
    ],
)  # fmt: skip
def test_links_devices_owners_and_odd_names_are_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read(data)


def test_extended_headers_are_refused() -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        info = tarfile.TarInfo("é" * 150)
        with pytest.raises(ArchiveError):
            read(info.tobuf(form) + bytes(1024))


@pytest.mark.parametrize("size", [0, 5, (8 << 30) - 1, 8 << 30, 1 << 42])
def test_sizes_are_read_as_written(size: int) -> None:
    block = header("a", size)
    assert parse_header(block) == ("a", size)
    assert tarfile.TarInfo.frombuf(block, "utf-8", "strict").size == size


def test_a_claim_beyond_the_limit_is_refused_and_costs_nothing() -> None:
    for size in ((1 << 42) + 1, (1 << 88) - 1):
        with pytest.raises(ArchiveError):
            read(header("a", size))


def test_too_many_members_are_refused() -> None:
    reader = ArchiveReader(Kept(), max_members=2)
    with pytest.raises(ArchiveError, match="more than 2"):
        reader.feed(archive({"a": b"", "b": b"", "c": b""}))


def test_a_member_of_another_length_than_announced_is_not_written() -> None:
    with pytest.raises(ArchiveError):
        list(written([Entry("a", 3, [b"12"])]))


@settings(max_examples=200)
@given(st.binary(max_size=1600))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read(data)
    except ArchiveError:
        return
    assert not any(data) and len(data) == 1024
