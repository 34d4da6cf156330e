"""Compressed captures: every kind, many members, cut, broken, bombs."""

import bz2
import gzip
import hashlib
import lzma
import random
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from support import captures as make

from wirecover.capture.errors import CaptureError
from wirecover.capture.files import decompress
from wirecover.capture.files.reader import CaptureReader

CAPTURE = make.pcap(make.frames(800))
COMPRESS = {
    "gz": lambda data: gzip.compress(data, 6),
    "zst": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "lz4": lambda data: lz4.frame.compress(
        data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, content_checksum=True
    ),
    "xz": lambda data: lzma.compress(data),
    "bz2": lambda data: bz2.compress(data, 1),
}
every_kind = pytest.mark.parametrize("kind", COMPRESS)


def noise(size: int) -> bytes:
    """A capture whose packets do not compress, so that every kind needs many blocks for it."""
    luck = random.Random(7)
    return make.pcap([make.Frame(luck.randbytes(1000)) for _ in range(size // 1016)])


def read(path: Path, data: bytes, buffer_bytes: int = 16 << 20) -> tuple[bytes, CaptureReader]:
    """The packets' bytes in one piece, and the exhausted reader."""
    path.write_bytes(data)
    out = []
    with CaptureReader(path, buffer_bytes=buffer_bytes) as reader:
        for batch in reader:
            for at, kept in zip(batch.offset.tolist(), batch.captured.tolist(), strict=True):
                out.append(batch.buffer[at : at + kept].tobytes())
    assert reader.sha256 == hashlib.sha256(data).hexdigest() and reader.size == len(data)
    return b"".join(out), reader


PACKETS = b"".join(frame.data for frame in make.frames(800))


@every_kind
@pytest.mark.parametrize("buffer_bytes", [100, 5000, 16 << 20])
def test_a_compressed_capture_reads_like_a_plain_one(kind: str, buffer_bytes: int, tmp_path: Path) -> None:
    packets, reader = read(tmp_path / "no name tells it", COMPRESS[kind](CAPTURE), buffer_bytes)
    assert packets == PACKETS
    assert (reader.compression, reader.format, reader.complete, reader.damage) == (kind, "pcap", True, [])


@every_kind
def test_members_one_after_the_other(kind: str, tmp_path: Path) -> None:
    pieces = [CAPTURE[at : at + 9000] for at in range(0, len(CAPTURE), 9000)]
    packets, reader = read(tmp_path / "capture", b"".join(map(COMPRESS[kind], pieces)))
    assert packets == PACKETS and reader.complete


@every_kind
def test_compressed_twice_is_opened_and_thrice_is_not(kind: str, tmp_path: Path) -> None:
    twice = COMPRESS["gz"](COMPRESS[kind](CAPTURE))
    packets, reader = read(tmp_path / "capture", twice)
    assert packets == PACKETS and reader.compression == f"gz+{kind}" and reader.complete
    with pytest.raises(CaptureError, match="compressed more than 2 times"):
        read(tmp_path / "capture", COMPRESS["xz"](twice))


@every_kind
def test_a_cut_stream_keeps_what_was_readable(kind: str, tmp_path: Path) -> None:
    capture = noise(3_000_000)
    plain, _ = read(tmp_path / "plain", capture)
    whole = COMPRESS[kind](capture)
    packets, reader = read(tmp_path / "capture", whole[: len(whole) * 2 // 3])
    assert plain.startswith(packets) and len(packets) > 1_000_000
    assert not reader.complete
    compression = next(damage for damage in reader.damage if damage.kind == "compression")
    assert compression.detail == f"the {kind} stream is cut; what came before is kept"


@every_kind
@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 7, 8, 9, 12])
def test_a_stream_without_its_last_bytes_is_said_to_be_cut(kind: str, missing: int, tmp_path: Path) -> None:
    _, reader = read(tmp_path / "capture", COMPRESS[kind](CAPTURE)[:-missing])
    assert "is cut" in reader.damage[-1].detail and not reader.complete


@every_kind
def test_a_broken_stream_keeps_what_was_readable(kind: str, tmp_path: Path) -> None:
    capture = noise(3_000_000)
    plain, _ = read(tmp_path / "plain", capture)
    data = bytearray(COMPRESS[kind](capture))
    data[len(data) * 3 // 4 : len(data) * 3 // 4 + 2000] = bytes(2000)
    packets, reader = read(tmp_path / "capture", bytes(data))
    assert not reader.complete and "compression" in {damage.kind for damage in reader.damage}
    if kind in (
        "zst",
        "lz4",
        "xz",
        "bz2",
    ):  # gzip notices only at the checksum; noise is stored, so data are data
        assert plain.startswith(packets[:1_000_000]) and len(packets) > 1_000_000


@every_kind
def test_bytes_behind_the_stream_are_reported(kind: str, tmp_path: Path) -> None:
    packets, reader = read(tmp_path / "capture", COMPRESS[kind](CAPTURE) + b"trailing rubbish")
    assert packets == PACKETS and reader.damage[0].kind == "compression" and not reader.complete


@pytest.mark.parametrize("kind", ["gz", "xz", "lz4", "bz2"])
def test_zero_padding_behind_the_stream_is_nothing(kind: str, tmp_path: Path) -> None:
    packets, reader = read(tmp_path / "capture", COMPRESS[kind](CAPTURE) + bytes(4096))
    assert packets == PACKETS and reader.complete


@every_kind
def test_not_a_capture_inside(kind: str, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=f"not a capture.*inside {kind}"):
        read(tmp_path / "capture", COMPRESS[kind](b"some text, no capture at all"))
    with pytest.raises(CaptureError, match="nothing in it"):
        read(tmp_path / "capture", COMPRESS[kind](b""))
    with pytest.raises(CaptureError):
        read(tmp_path / "capture", COMPRESS[kind](CAPTURE)[:9])


@every_kind
def test_a_bomb_is_stopped_by_the_ratio(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "EXPANSION_FLOOR", 1 << 20)
    monkeypatch.setattr(decompress, "MAX_EXPANSION", 20)
    bomb = make.pcap([make.Frame(bytes(1000))] * 8000)
    packets, reader = read(tmp_path / "capture", COMPRESS[kind](bomb))
    assert 900_000 < len(packets) < 2_000_000
    assert "expansion-limit" in {damage.kind for damage in reader.damage} and not reader.complete


def test_a_bomb_inside_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outer layer has the limit too: zero padding behind the inner stream must not be read for ever."""
    monkeypatch.setattr(decompress, "EXPANSION_FLOOR", 1 << 20)
    monkeypatch.setattr(decompress, "MAX_EXPANSION", 20)
    packets, reader = read(tmp_path / "capture", gzip.compress(lzma.compress(CAPTURE) + bytes(30_000_000)))
    assert packets == PACKETS and not reader.complete
    assert "expansion-limit" in {damage.kind for damage in reader.damage}


def test_the_absolute_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "MAX_EXPANDED", 100_000)
    _, reader = read(tmp_path / "capture", gzip.compress(noise(400_000)))
    assert "expansion-limit" in {damage.kind for damage in reader.damage}


def test_a_window_beyond_the_limit_is_refused_not_allocated(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    # No content size in the header, so the window of 256 MiB is what the decoder would allocate.
    whole = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = whole.compress(CAPTURE) + whole.flush()
    with pytest.raises(CaptureError, match="zst stream is broken"):
        read(tmp_path / "capture", data)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_zstd_frames_are_followed_in_pieces_of_any_size(step: int) -> None:
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(noise(300_000))
    skippable = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    data = frame + skippable + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(400_000))
    walker = decompress.ZstdFrames()
    ends = []
    for at in range(0, len(data), step):
        walker.feed(data[at : at + step])
        if walker.whole:
            ends.append(min(at + step, len(data)))
    assert ends[-1] == len(data)
    if step == 1:
        assert ends == [len(frame), len(frame + skippable), len(data)]


@every_kind
def test_random_damage_never_raises_anything_but_capture_error(kind: str, tmp_path: Path) -> None:
    luck = random.Random(kind)
    good = COMPRESS[kind](noise(400_000))
    outcomes = set()
    for _ in range(60):
        data = bytearray(good)
        for _ in range(luck.randint(1, 3)):
            data[luck.randrange(6, len(data))] = luck.randrange(256)
        try:
            _, reader = read(tmp_path / "capture", bytes(data[: luck.randint(20, len(data))]), 65536)
            outcomes.add(reader.complete)
        except CaptureError as error:
            outcomes.add(str(error)[:7])
    assert False in outcomes
