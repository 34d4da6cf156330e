"""Compressed captures as plain byte streams: recognised by magic, read piece by piece, bounded.

A stream here has `readinto(view) -> int`, 0 at its end. A broken or cut compressed stream is not an
exception: the stream ends after what could be read and `problem` says why. Each layer keeps to the same two
limits, so a decompression bomb costs no more memory than a capture and a bounded time:

* `MAX_EXPANSION` times the bytes read from disk, once more than `EXPANSION_FLOOR` came out (gzip cannot
  exceed 1032:1, real captures stay under 100:1; memory is flat, so the floor may be generous);
* `MAX_EXPANDED` bytes in all.
"""

import bz2
import lzma
import zlib
from typing import Any, Final, Protocol, cast

import lz4.frame
import zstandard

MAX_EXPANSION: Final = 1000
EXPANSION_FLOOR: Final = 256 << 20
MAX_EXPANDED: Final = 4 << 40
MAX_WINDOW: Final = 128 << 20
"""Memory that a zstd or xz stream may ask for its window (zstd's own default limit; xz -9 needs 65 MiB)."""
PIECE: Final = 128 << 10
"""Bytes asked of a decoder at once: what a broken block may cost of the good bytes just before it."""
CHUNK: Final = 64 << 10
"""Compressed bytes read at once. Small, since decoders copy the rest of a chunk at the end of a member."""

MAGICS: Final = {
    "gz": b"\x1f\x8b\x08",
    "zst": b"\x28\xb5\x2f\xfd",
    "lz4": b"\x04\x22\x4d\x18",
    "xz": b"\xfd7zXZ\x00",
    "bz2": b"BZh",
}
"""First bytes: RFC 1952 2.3.1, RFC 8878 3.1.1, lz4 frame format 1.6, xz format 1.2 section 2.1.1.1, bzip2."""
ERRORS: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError, RuntimeError)


class Stream(Protocol):
    """A byte stream read forward once."""

    @property
    def problem(self) -> str | None:
        """Why the stream ends where it ends, when that is not its proper end."""

    @property
    def expanded_too_far(self) -> bool:
        """Whether it was ended because it grew beyond the limits."""

    def readinto(self, view: memoryview) -> int:
        """Fill `view` from the front; the number of bytes, 0 at the end. They must not be changed soon."""


class Disk(Protocol):
    """What the layers ask of the file below them: how much of it was read."""

    position: int


def sniff(head: bytes) -> str | None:
    """The compression these first bytes begin, or None."""
    return next((kind for kind, magic in MAGICS.items() if head.startswith(magic)), None)


def open_layer(kind: str, source: Stream, disk: Disk) -> "Layer":
    """A decompressing stream over `source`; `disk` is the file below all, for the expansion limit."""
    return (ZstdLayer if kind == "zst" else MemberLayer)(kind, source, disk)


class Layer:
    """A decompressing stream: counts what comes out, keeps the limits, turns errors into `problem`."""

    def __init__(self, kind: str, source: Stream, disk: Disk) -> None:
        self.kind = kind
        self.problem: str | None = None
        self.expanded_too_far = False
        self._source = source
        self._disk = disk
        self._produced = 0

    def readinto(self, view: memoryview) -> int:
        if self.problem is not None or self.expanded_too_far or not len(view):
            return 0
        try:
            got = self._decode(view[:PIECE])
        except ERRORS as error:
            # bz2 raises OSError for bad data; one of the disk itself is a CaptureError (RawFile.readinto).
            self.problem = f"the {self.kind} stream is broken ({error})"
            return 0
        self._produced += got
        allowed = max(EXPANSION_FLOOR, MAX_EXPANSION * self._disk.position)
        if self._produced > min(allowed, MAX_EXPANDED):
            self.expanded_too_far = True
        return got

    def _decode(self, view: memoryview) -> int:
        raise NotImplementedError

    def _read(self) -> bytes:
        """The next compressed bytes; empty at the end of the source."""
        chunk = bytearray(CHUNK)
        got = self._source.readinto(memoryview(chunk))
        return bytes(memoryview(chunk)[:got])

    def _end(self, whole: bool) -> int:
        if self._source.problem is not None:
            self.problem = self._source.problem
        elif not whole:
            self.problem = f"the {self.kind} stream is cut"
        if self._source.expanded_too_far:
            self.expanded_too_far = True
        return 0


class _Zlib:
    """zlib's decompressor with the interface that lzma, bz2 and lz4 share."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _decoder(kind: str) -> Any:
    if kind == "gz":
        return _Zlib()
    if kind == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW)
    if kind == "bz2":
        return bz2.BZ2Decompressor()
    return lz4.frame.LZ4FrameDecompressor()


class MemberLayer(Layer):
    """gz, xz, bz2 and lz4: members one after the other, zero padding between them allowed."""

    def __init__(self, kind: str, source: Stream, disk: Disk) -> None:
        super().__init__(kind, source, disk)
        self._decoder: Any = None
        self._pending = b""

    def _decode(self, view: memoryview) -> int:
        while self._decoder is not None or self._start():
            # Without new input first: zlib may hold back output although it has taken all of the input.
            out = self._decoder.decompress(self._pending, len(view))
            self._pending = b""
            if self._decoder.eof:
                self._pending, self._decoder = self._decoder.unused_data or b"", None
            elif not out and self._decoder.needs_input:
                self._pending = self._read()
                if not self._pending:
                    return self._end(whole=False)
            if out:
                view[: len(out)] = out
                return len(out)
        return 0

    def _start(self) -> bool:
        """Begin the next member; False at the end of the stream."""
        while True:
            self._pending = self._pending.lstrip(b"\0")
            if len(self._pending) >= 6:
                break
            more = self._read()
            if not more:
                break
            self._pending += more
        if not self._pending:
            self._end(whole=True)
            return False
        if not self._pending.startswith(MAGICS[self.kind]):
            self.problem = f"bytes that are not {self.kind} follow the {self.kind} stream"
            return False
        self._decoder = _decoder(self.kind)
        return True


class ZstdLayer(Layer):
    """zstd: the library's pull reader, and a walk of the frame structure, since the reader hides a cut."""

    def __init__(self, kind: str, source: Stream, disk: Disk) -> None:
        super().__init__(kind, source, disk)
        self._frames = ZstdFrames()
        context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._reader = context.stream_reader(
            cast(Any, self), read_size=CHUNK, read_across_frames=True, closefd=False
        )

    def read(self, size: int = -1) -> bytes:
        """What the zstd reader pulls its input with."""
        chunk = self._read()
        self._frames.feed(chunk)
        return chunk

    def _decode(self, view: memoryview) -> int:
        got = self._reader.readinto1(view)
        return got if got else self._end(self._frames.whole)


class ZstdFrames:
    """Follows frame and block headers (RFC 8878 3.1.1) to tell whether a stream ends with a frame's end."""

    def __init__(self) -> None:
        self._pending = b""
        self._skip = 0
        self._in_frame = False
        self._checksum = 0

    @property
    def whole(self) -> bool:
        return not self._in_frame and not self._pending and not self._skip

    def feed(self, data: bytes) -> None:
        data, at = self._pending + data, 0
        while True:
            step = min(self._skip, len(data) - at)
            self._skip, at = self._skip - step, at + step
            used = 0 if self._skip else (self._block(data, at) if self._in_frame else self._frame(data, at))
            if not used:
                break
            at += used
        self._pending = data[at:]

    def _frame(self, data: bytes, at: int) -> int:
        """Bytes of the frame header here, 0 when it is not whole. A skippable frame is skipped."""
        if len(data) < at + 8:
            return 0
        if data[at + 1 : at + 4] == b"\x2a\x4d\x18":
            self._skip = int.from_bytes(data[at + 4 : at + 8], "little")
            return 8
        flags = data[at + 4]
        single = flags >> 5 & 1
        self._checksum = 4 if flags & 4 else 0
        self._in_frame = True
        self._skip = (single, 2, 4, 8)[flags >> 6] + (0, 1, 2, 4)[flags & 3] + 1 - single
        return 5

    def _block(self, data: bytes, at: int) -> int:
        """Bytes of the block header here, 0 when it is not whole."""
        if len(data) < at + 3:
            return 0
        header = int.from_bytes(data[at : at + 3], "little")
        self._skip = 1 if header >> 1 & 3 == 1 else header >> 3
        if header & 1:
            self._in_frame = False
            self._skip += self._checksum
        return 3
