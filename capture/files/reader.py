"""A capture file as batches of frames, whatever its format, compression or damage.

with CaptureReader(path) as reader: for batch in reader: ... reader.sha256, reader.damage, reader.complete

One pass, forward, in bounded memory: a thread reads and decompresses, a second one hashes the bytes as they
lie on the disk, the caller gets columns. Whatever the bytes are, the only exception is CaptureError.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from wirecover.capture.errors import CaptureError
from wirecover.capture.files import damage as kinds
from wirecover.capture.files import pcap
from wirecover.capture.files.batch import Comment, Damage, FrameBatch, Interface, ResolvedName
from wirecover.capture.files.decompress import Stream, open_layer, sniff
from wirecover.capture.files.pcap import PcapWalk
from wirecover.capture.files.pcapng import PcapngWalk
from wirecover.capture.files.pipe import BlockPipe, RawFile, Window
from wirecover.capture.files.walk import Findings

PEEK: Final = 512
"""Bytes looked at to tell what a file is."""
MAX_LAYERS: Final = 2
"""Compressions around a capture that are opened."""
MAX_FORMATS: Final = 64
"""How often a capture of the other format may be appended and is still read."""
MIN_BUFFER: Final = 64
SECTION_MAGIC: Final = b"\n\r\r\n"
NOT_CAPTURES: Final = (
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
    (b"snoop\0\0\0", "a snoop capture, which is not supported: convert it with editcap"),
    (b"\x42\xd2\x00\x41", "a NetMon capture, which is not supported: convert it with editcap"),
)


class CaptureReader:
    """Iterates the frames of one capture, once. `sha256` is valid when the iteration is exhausted.

    `damage` says what could not be read, or was left unread, and where; `complete` is False when packets may
    be missing because of it (the reading stopped, something was skipped, the last packet is cut).
    """

    def __init__(self, path: Path, *, buffer_bytes: int = 16 << 20) -> None:
        """Open and recognise the file. Raises CaptureError when it is no capture, empty or unreadable."""
        self.path = path
        self.compression: str | None = None
        """'gz', 'zst', 'lz4', 'xz' or 'bz2'; two as 'gz+zst', the outer first; None for a plain file."""
        self._findings = Findings()
        self._sha256: str | None = None
        self._pipe: BlockPipe | None = None
        self._started = False
        self._raw = RawFile(path)
        try:
            self._stream, self._head = self._recognise()
        except CaptureError:
            self._raw.close()
            raise
        size = max(buffer_bytes, MIN_BUFFER, len(self._head))
        self._buffer_bytes = size if self.compression else min(size, max(self._raw.size, MIN_BUFFER))

    @property
    def format(self) -> str:
        """'pcap' or 'pcapng'."""
        return "pcapng" if self._head.startswith(SECTION_MAGIC) else "pcap"

    @property
    def snaplen(self) -> int | None:
        """The greatest of the interfaces' snaplens; None when there is none or one has no limit."""
        if self.format == "pcap" and not self.interfaces:
            header = pcap.parse_file_header(self._head)
            return header.snaplen if header else None
        lengths = [interface.snaplen for interface in self.interfaces]
        limited = [length for length in lengths if length is not None]
        return max(limited) if limited and len(limited) == len(lengths) else None

    @property
    def interfaces(self) -> list[Interface]:
        """Grows while a pcapng is read."""
        return self._findings.interfaces

    @property
    def damage(self) -> list[Damage]:
        return self._findings.damage.entries

    @property
    def comments(self) -> list[Comment]:
        return self._findings.comments

    @property
    def resolved_names(self) -> list[ResolvedName]:
        return self._findings.resolved_names

    @property
    def complete(self) -> bool:
        return self._findings.damage.lossless

    @property
    def sha256(self) -> str:
        """Digest of the file as it lies on the disk, in hex."""
        if self._sha256 is None:
            raise RuntimeError("the digest is known only when the last batch has been read")
        return self._sha256

    @property
    def size(self) -> int:
        """Bytes of the file as it lies on the disk."""
        return self._raw.size

    def __enter__(self) -> "CaptureReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and close the file; harmless to repeat."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        self._raw.close()

    def __iter__(self) -> Iterator[FrameBatch]:
        if self._started:
            raise RuntimeError("a capture is read once; open it again")
        self._started = True
        self._pipe = BlockPipe(self._stream, self._raw, self._head, self._buffer_bytes)
        try:
            window = Window(self._pipe)
            pcapng = self.format == "pcapng"
            walk = (PcapngWalk if pcapng else PcapWalk)(window, self._findings)
            yield from walk.batches()
            for _ in range(MAX_FORMATS):
                if not walk.other:
                    break
                pcapng = not pcapng
                walk = (PcapngWalk if pcapng else PcapWalk)(window, self._findings, walk.frames, walk.last_ts)
                yield from walk.batches()
            if walk.other:
                walk.note(
                    kinds.ANOTHER_FORMAT,
                    f"more than {MAX_FORMATS} captures in turn of both formats; reading stopped",
                )
            self._pipe.finish()
            self._sha256 = self._raw.hasher.finish()
            self._note_stream(walk.next_frame)
        finally:
            self.close()

    def _note_stream(self, frame: int) -> None:
        """Damage of the file as a whole: a broken compressed stream, a file that changed."""
        log = self._findings.damage
        if self._stream.problem is not None:
            log.add(kinds.COMPRESSION, f"{self._stream.problem}; what came before is kept", frame=frame)
        if self._stream.expanded_too_far:
            log.add(
                kinds.EXPANSION,
                "the compressed stream expands beyond the limits; the rest is not read",
                frame=frame,
            )
        if self._raw.change is not None:
            log.add(
                kinds.CHANGED,
                f"{self._raw.change}; the digest is of the {self._raw.position} bytes read",
                frame=frame,
            )

    def _recognise(self) -> tuple[Stream, bytes]:
        """The stream of capture bytes, and its first bytes, already read."""
        if self._raw.size == 0:
            raise CaptureError(self._raw.name, "is empty")
        stream: Stream = self._raw
        head = peek(stream)
        layers: list[str] = []
        while (kind := sniff(head)) is not None:
            if len(layers) == MAX_LAYERS:
                raise CaptureError(self._raw.name, f"is compressed more than {MAX_LAYERS} times")
            layers.append(kind)
            stream = open_layer(kind, Unread(stream, head), self._raw)
            head = peek(stream)
            self.compression = "+".join(layers)
            if not head:
                raise CaptureError(self._raw.name, stream.problem or f"is a {kind} file with nothing in it")
        self._check(head, stream.problem)
        return stream, head

    def _check(self, head: bytes, problem: str | None) -> None:
        """Raise CaptureError unless `head` begins a capture whose file header is whole."""
        name, inside = self._raw.name, f" (inside {self.compression})" if self.compression else ""
        if problem is not None:
            inside += f"; {problem}"
        if pcap.is_pcap(head):
            if pcap.parse_file_header(head) is None:
                raise CaptureError(name, f"is cut in the pcap file header{inside}", len(head))
            return
        if head.startswith(SECTION_MAGIC):
            if len(head) < 28:
                raise CaptureError(name, f"is cut in the pcapng section header{inside}", len(head))
            if head[8:12] not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                raise CaptureError(name, f"has a pcapng section header without a byte-order magic{inside}", 8)
            return
        for magic, reason in NOT_CAPTURES:
            if head.startswith(magic):
                raise CaptureError(name, f"is {reason}{inside}")
        raise CaptureError(name, f"is not a capture: it begins with {head[:8].hex(' ')}{inside}", 0)


def peek(stream: Stream) -> bytes:
    """The first `PEEK` bytes, fewer when the stream is shorter."""
    buffer = bytearray(PEEK)
    view, got = memoryview(buffer), 0
    while got < PEEK and (more := stream.readinto(view[got:])):
        got += more
    return bytes(view[:got])


class Unread:
    """A stream with bytes put back in front of it."""

    def __init__(self, stream: Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head

    @property
    def problem(self) -> str | None:
        return self._stream.problem

    @property
    def expanded_too_far(self) -> bool:
        return self._stream.expanded_too_far

    def readinto(self, view: memoryview) -> int:
        if not self._head:
            return self._stream.readinto(view)
        part, self._head = self._head[: len(view)], self._head[len(view) :]
        view[: len(part)] = part
        return len(part)
