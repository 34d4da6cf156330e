"""The threads: everything hashed, nothing reused too early, errors carried over, threads ended."""

import hashlib
import random
import threading
from pathlib import Path

import numpy as np
import pytest

from wirecover.capture.errors import CaptureError
from wirecover.capture.files import pipe
from wirecover.capture.files.pipe import BlockPipe, Hasher, RawFile, Window

DATA = random.Random(3).randbytes(100_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "bytes"
    file.write_bytes(DATA)
    return file


def test_the_hasher_hashes_in_order_and_tells_when() -> None:
    hasher = Hasher()
    pieces = [DATA[at : at + 777] for at in range(0, len(DATA), 777)]
    for piece in pieces:
        ticket = hasher.feed(memoryview(piece))
    hasher.wait(ticket)
    assert hasher.finish() == hashlib.sha256(DATA).hexdigest()
    assert Hasher().finish() == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("size", [64, 1000, 4096, 100_000, 200_000])
def test_blocks_are_full_and_in_order(path: Path, size: int) -> None:
    raw = RawFile(path)
    blocks = BlockPipe(raw, raw, b"", size)
    seen = []
    while (block := blocks.next()) is not None:
        seen.append(block.data[block.start : block.start + block.filled].tobytes())
        blocks.give_back(block)
    assert b"".join(seen) == DATA
    assert {len(piece) for piece in seen[:-1]} <= {size}
    assert blocks.next() is None
    assert raw.hasher.finish() == hashlib.sha256(DATA).hexdigest()
    blocks.close()
    raw.close()


def test_memory_is_a_fixed_number_of_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = pipe.Block.__init__

    def counted(self: pipe.Block, size: int, headroom: int) -> None:
        made.append(size + headroom)
        original(self, size, headroom)

    monkeypatch.setattr(pipe.Block, "__init__", counted)
    raw = RawFile(path)
    blocks = BlockPipe(raw, raw, b"", 512)
    window = Window(blocks)
    while not window.last:
        window.pos = window.end
        window.more(1)
    assert made == [1024] * pipe.DEPTH
    blocks.close()
    raw.close()


@pytest.mark.parametrize("size", [64, 1000, 30_000])
def test_the_window_keeps_what_was_not_used_and_grows_for_what_is_needed(path: Path, size: int) -> None:
    raw = RawFile(path)
    blocks = BlockPipe(raw, raw, b"", size)
    window, luck, at = Window(blocks), random.Random(size), 0
    while True:
        need = luck.choice([1, 10, 500, 5000])
        while window.left < need and not window.last:
            window.more(need)
        take = min(need, window.left)
        assert window.offset == at
        assert window.data[window.pos : window.pos + take].tobytes() == DATA[at : at + take]
        if not take:
            break
        window.pos += take
        at += take
    assert at == len(DATA)
    blocks.close()
    raw.close()


def test_a_disk_that_fails_is_a_capture_error_in_the_callers_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = RawFile(path)

    class Failing:
        def readinto(self, view: memoryview) -> int:
            raise OSError(5, "Input/output error")

    blocks = None
    with monkeypatch.context() as patch:
        patch.setattr(raw, "_file", Failing())
        blocks = BlockPipe(raw, raw, b"", 1000)
        with pytest.raises(CaptureError, match="cannot be read: Input/output error"):
            blocks.next()
        assert blocks.next() is None
    blocks.close()
    raw.close()


def test_closing_early_ends_the_threads(path: Path) -> None:
    before = threading.active_count()
    raw = RawFile(path)
    blocks = BlockPipe(raw, raw, b"", 100)
    assert blocks.next() is not None
    blocks.close()
    raw.close()
    assert threading.active_count() == before


def test_a_block_is_not_filled_again_before_it_is_hashed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow hasher must still see the bytes that were read, though the blocks go round."""
    gate = threading.Event()
    run = Hasher._run

    def late(self: Hasher) -> None:
        gate.wait(5)
        run(self)

    monkeypatch.setattr(Hasher, "_run", late)
    raw = RawFile(path)
    blocks = BlockPipe(raw, raw, b"", 4000)
    for _ in range(pipe.DEPTH):
        block = blocks.next()
        assert block is not None
        blocks.give_back(block)
    gate.set()
    blocks.finish()
    assert raw.hasher.finish() == hashlib.sha256(DATA).hexdigest()
    blocks.close()
    raw.close()


def test_numpy_blocks_are_writable_and_contiguous() -> None:
    block = pipe.Block(100, 50)
    assert block.data.flags.c_contiguous and block.data.flags.writeable and block.data.dtype == np.uint8
