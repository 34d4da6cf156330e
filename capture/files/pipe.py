"""A file as a stream of blocks: one thread reads and decompresses, one hashes, the caller has a third block.

disk -> RawFile (every byte also to the Hasher) -> layers of decompression -> BlockPipe -> Window -> the
walkers

Memory is `DEPTH` blocks whatever the size of the file. The bytes given to the hasher are never copied: a
block is filled again only after the hasher has passed it and the caller has given it back.
"""

import hashlib
import os
import queue
import stat
import threading
from pathlib import Path
from typing import Final, cast

import numpy as np

from wirecover.capture.errors import CaptureError
from wirecover.capture.files.batch import Bytes
from wirecover.capture.files.decompress import Stream

DEPTH: Final = 5
"""Blocks in turn: one being read, one or two being hashed, two with frames that are still in use."""
DRAIN: Final = 1 << 20
"""Bytes read at once when only the digest is wanted."""
HEADROOM: Final = 1 << 20
"""Room before a block's bytes for the cut record that the block before ended with."""


class Hasher:
    """SHA-256 in its own thread; `feed` gives a ticket, and the bytes must not change until it has passed."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._queue: queue.Queue[memoryview | None] = queue.Queue(maxsize=64)
        self._passed = 0
        self._given = 0
        self._progress = threading.Condition()
        self._thread: threading.Thread | None = None

    def feed(self, data: memoryview) -> int:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="wirecover-hash", daemon=True)
            self._thread.start()
        self._queue.put(data)
        self._given += 1
        return self._given

    def wait(self, ticket: int) -> None:
        """Return once the bytes of this ticket have been hashed."""
        with self._progress:
            self._progress.wait_for(lambda: self._passed >= ticket)

    def finish(self) -> str:
        """Hash what is left, end the thread, and say the digest."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        return self._sha256.hexdigest()

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            self._sha256.update(data)
            with self._progress:
                self._passed += 1
                self._progress.notify_all()


class RawFile:
    """The exhibit as it lies on the disk: read once, forward, up to the size it had when it was opened."""

    problem: str | None = None
    expanded_too_far = False

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            if not stat.S_ISREG(path.stat().st_mode):  # before opening: a named pipe would block
                raise CaptureError(
                    self.name, "is a folder, not a file" if path.is_dir() else "is not a regular file"
                )
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise CaptureError(self.name, f"cannot be opened: {error.strerror or error}") from error
        except ValueError as error:  # a NUL in the path
            raise CaptureError(self.name, f"cannot be opened: {error}") from error
        self._opened = os.fstat(self._file.fileno())
        self.size = self._opened.st_size
        self.position = 0
        self.hasher = Hasher()
        self.ticket = 0

    def readinto(self, view: memoryview) -> int:
        """Read into `view`, which must not be written to before the hasher has passed `ticket`."""
        want = min(len(view), self.size - self.position)
        try:
            got = self._file.readinto(view[:want]) or 0
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise CaptureError(self.name, reason, self.position) from error
        if got:
            self.position += got
            self.ticket = self.hasher.feed(view[:got])
        return got

    def drain(self) -> None:
        """Hash the rest of the file."""
        while self.readinto(memoryview(bytearray(DRAIN))):
            continue

    @property
    def change(self) -> str | None:
        """How the file changed since it was opened; asked at the end."""
        now = os.fstat(self._file.fileno())
        if now.st_size != self.size or self.position != self.size:
            return f"the file had {self.size} bytes when it was opened and {now.st_size} at the end"
        if now.st_mtime_ns != self._opened.st_mtime_ns:
            return "the file was written to while it was read"
        return None

    def close(self) -> None:
        self.hasher.finish()
        self._file.close()


class Block:
    """A buffer of the pipe: `HEADROOM` or less, then up to a block of bytes."""

    __slots__ = ("data", "filled", "start", "ticket")

    def __init__(self, size: int, headroom: int) -> None:
        self.data: Bytes = np.empty(headroom + size, np.uint8)
        self.start = headroom
        self.filled = 0
        self.ticket = 0


class BlockPipe:
    """Blocks of a stream, each filled to the brim but the last, read ahead by a thread."""

    def __init__(self, stream: Stream, raw: RawFile, prefix: bytes, block_bytes: int) -> None:
        self._stream = stream
        self._raw = raw
        self._prefix = prefix
        self.block_bytes = block_bytes
        self._free: queue.SimpleQueue[Block | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[Block | BaseException | None] = queue.SimpleQueue()
        for _ in range(DEPTH):  # untouched memory costs nothing, so a small file pays for one block
            self._free.put(Block(block_bytes, min(block_bytes, HEADROOM)))
        self._only_hash = False
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="wirecover-read", daemon=True)
        self._thread.start()

    def next(self) -> Block | None:
        """The next block, None at the end of the stream. Raises CaptureError when the disk cannot be read."""
        item = None if self._ended else self._ready.get()
        if isinstance(item, BaseException):
            self._ended = True
            raise item
        self._ended = item is None
        return item

    def give_back(self, block: Block) -> None:
        self._free.put(block)

    def finish(self) -> None:
        """Read and hash what is left, without looking at it."""
        self._only_hash = True
        while (block := self.next()) is not None:
            self.give_back(block)

    def close(self) -> None:
        self._closing = True
        self._free.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing and not self._only_hash and (block := self._free.get()) is not None:
                self._raw.hasher.wait(block.ticket)
                self._fill(block)
                if block.filled:
                    self._ready.put(block)
                if block.filled < self.block_bytes:
                    break
            if not self._closing:
                self._raw.drain()
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread, by next)
            self._ready.put(error)

    def _fill(self, block: Block) -> None:
        view = memoryview(cast(bytearray, block.data))[block.start :]  # numpy's types do not say: a Buffer
        filled = len(self._prefix)
        view[:filled] = self._prefix
        self._prefix = b""
        while filled < len(view) and not self._closing and (got := self._stream.readinto(view[filled:])):
            filled += got
        block.filled, block.ticket = filled, self._raw.ticket


class Window:
    """The part of the stream in memory: `data[pos:end]`, whose first byte is at `offset` in the stream."""

    def __init__(self, pipe: BlockPipe) -> None:
        self._pipe = pipe
        self._block: Block | None = None
        self.data: Bytes = np.empty(0, np.uint8)
        self.pos = 0
        self.end = 0
        self.base = 0
        """Stream offset of `data[0]`; below 0 in the first block, because of its headroom."""
        self._handed_on = False
        """Whether frames of the block were handed on."""
        self._retired: list[Block] = []
        self._in_use: list[Block] = []
        """Blocks left behind since the frames handed on last, and before: their frames may still be looked at."""
        self.last = False
        """Whether the stream ends at `end`; known only once more was asked for."""

    @property
    def offset(self) -> int:
        return self.base + self.pos

    @property
    def left(self) -> int:
        return self.end - self.pos

    def hand_on(self) -> None:
        """Frames of the present block are handed on. Those of the batch before may be in use until the next time."""
        for block in self._in_use:
            self._pipe.give_back(block)
        self._in_use, self._retired = self._retired, []
        self._handed_on = True

    def _leave(self, block: Block | None) -> None:
        if block is None:
            return
        if self._handed_on:
            self._retired.append(block)
        else:
            self._pipe.give_back(block)
        self._handed_on = False

    def more(self, need: int) -> None:
        """Bring in blocks until `need` bytes stand from `pos` on, or the stream ends. Moves the bytes."""
        block = self._pipe.next()
        if block is None:
            self.last = True
            return
        offset, left = self.offset, self.left
        rest = self.data[self.pos : self.end]
        if left <= block.start:
            self.pos, self.end = block.start - left, block.start + block.filled
            block.data[self.pos : block.start] = rest
            old, self._block, self.data = self._block, block, block.data
            self._leave(old)
        else:
            self._gather(rest, block, need)
        self.base = offset - self.pos

    def _gather(self, rest: Bytes, block: Block | None, need: int) -> None:
        """A record larger than the headroom: a buffer of its own, filled from as many blocks as it takes."""
        grown = np.empty(max(need, len(rest)) + 2 * self._pipe.block_bytes, np.uint8)
        filled = len(rest)
        grown[:filled] = rest
        self._leave(self._block)
        self._block = None
        while block is not None:
            grown[filled : filled + block.filled] = block.data[block.start : block.start + block.filled]
            filled += block.filled
            self._pipe.give_back(block)
            if filled >= need:
                break
            block = self._pipe.next()
        self.last = block is None
        self.data, self.pos, self.end = grown, 0, filled
