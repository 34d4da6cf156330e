"""The fragments of one IP datagram: where each one's bytes belong, and when all are there.

Overlaps (stated in docs/methods.md): an IPv6 datagram with any is given up, exact duplicates apart (RFC 8200 4.5, RFC
5722). In an IPv4 datagram the bytes that came first stand; where later ones contradict them the datagram says so.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

MAX_PIECES: Final = 1024
"""Fragments of one datagram. 64 KiB in the smallest MTU of IPv6 are 53."""
MAX_DATAGRAM: Final = 65535
_MOST_HEADERS: Final = 12

Key = tuple[bytes, int, int, int]
"""Both addresses, protocol (0: IPv6), identification, virtual network."""


class BadFragment(Exception):  # noqa: N818 - an outcome, as Malformed is
    """A fragment that cannot be one: `args[0]` says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One fragment as its IP header describes it."""

    key: Key
    start: int
    data: bytes
    last: bool
    header: bytes
    """The IP header up to the fragmented part, as it would be without fragmentation but for its length."""
    six: bool

    @property
    def end(self) -> int:
        """Behind its last byte."""
        return self.start + len(self.data)

    @property
    def mark(self) -> tuple[int, int, int]:
        """What tells it from another piece, without its bytes."""
        return self.start, len(self.data), crc32(self.data)


def read_piece(frame: bytes, at: int, network: int) -> Piece:
    """The fragment whose IP header is at `at` of a frame. Raises BadFragment."""
    piece = _read_four(frame, at, network) if frame[at] >> 4 == 4 else _read_six(frame, at, network)
    if not piece.data:
        raise BadFragment("a fragment without bytes")
    if not piece.last and len(piece.data) % 8:
        raise BadFragment("a fragment that is not the last, of a length that is no multiple of eight")
    if piece.end > MAX_DATAGRAM:
        raise BadFragment("a fragment that reaches beyond the largest datagram")
    return piece


def _cut(frame: bytes, start: int, end: int) -> bytes:
    if end > len(frame):
        raise BadFragment("a fragment that was not recorded whole")
    return frame[start:end]


def _read_four(frame: bytes, at: int, network: int) -> Piece:
    total, ident, flags = struct.unpack_from("!HHH", frame, at + 2)
    size = (frame[at] & 15) * 4
    header = bytearray(frame[at : at + size])
    header[6:8] = bytes(2)
    key = (frame[at + 12 : at + 20], frame[at + 9], ident, network)
    data = _cut(frame, at + size, at + max(size, total))
    return Piece(key, (flags & 0x1FFF) * 8, data, not flags & 0x2000, bytes(header), six=False)


def _read_six(frame: bytes, at: int, network: int) -> Piece:
    (length,) = struct.unpack_from("!H", frame, at + 4)
    kind_at, here = at + 6, at + 40
    for _ in range(_MOST_HEADERS):
        if here + 8 > len(frame):
            break
        if frame[kind_at] == 44:
            header = bytearray(frame[at:here])
            header[kind_at - at] = frame[here]
            (flags,) = struct.unpack_from("!H", frame, here + 2)
            (ident,) = struct.unpack_from("!I", frame, here + 4)
            data = _cut(frame, here + 8, at + 40 + length)
            key = (frame[at + 8 : at + 40], 0, ident, network)
            return Piece(key, flags & 0xFFF8, data, not flags & 1, bytes(header), six=True)
        size = 4 * (frame[here + 1] + 2) if frame[kind_at] == 51 else 8 + 8 * frame[here + 1]
        kind_at, here = here, here + size
    raise BadFragment("a fragment whose header is not found")


def whole_packet(header: bytes, data: bytes, *, six: bool) -> bytes | None:
    """The IP packet as it would be had it not been fragmented; None if it would be too long for its header."""
    size = len(header) - (40 if six else 0) + len(data)
    if size > MAX_DATAGRAM:
        return None
    made = bytearray(header)
    struct.pack_into("!H", made, 4 if six else 2, size)
    return bytes(made) + data


class Datagram:
    """What has come of one datagram."""

    __slots__ = (
        "around", "charged", "contradicts", "counted", "dead", "delivered", "done", "end", "first", "first_frame",
        "flow", "held", "marks", "parts", "six", "size", "ts",
    )  # fmt: skip

    def __init__(self, ts: int, frame: int, *, six: bool) -> None:
        self.ts, self.first_frame, self.six = ts, frame, six
        self.charged = 0
        """What its owner has counted of its `cost`."""
        self.parts: list[tuple[int, bytes]] = []
        """(start, bytes), in order and without overlap."""
        self.marks: set[tuple[int, int, int]] = set()
        self.end = -1
        """Length of the datagram once its last fragment was seen."""
        self.size = 0
        self.first: Piece | None = None
        self.around: Any = None
        """The layers around its IP header, as the frame of the first fragment shows them."""
        self.contradicts = False
        """Two fragments say different things of the same bytes."""
        self.dead = False
        """Given up."""
        self.done = False
        self.flow: dict[str, Any] | None = None
        """Addresses, ports and the like, once a row showed them; `frame`, `ts` and `payload` of that row."""
        self.held: list[tuple[int, int]] = []
        """(bytes on the wire, payload bytes) of frames that no row counts yet."""
        self.counted = 0
        """Payload bytes that rows have counted."""
        self.delivered = 0
        """Bytes of the TCP stream that the first fragment's row has given away."""

    def add(self, piece: Piece) -> None:
        """One more fragment. Afterwards the datagram may be `dead`, or `whole`."""
        if piece.mark in self.marks:
            return
        self.marks.add(piece.mark)
        gaps, overlaps, differs = self._compare(piece)
        wrong_end = (self.end >= 0 and (piece.end > self.end or (piece.last and piece.end != self.end))) or (
            piece.last and self.parts and self.parts[-1][0] + len(self.parts[-1][1]) > piece.end
        )
        if len(self.marks) > MAX_PIECES or (self.six and overlaps) or wrong_end:
            self.contradicts = self.contradicts or overlaps or bool(wrong_end)
            self.give_up()
            return
        self.contradicts = self.contradicts or differs
        for start, data in gaps:
            self.parts.insert(bisect_left(self.parts, (start, b"")), (start, data))
            self.size += len(data)
        if piece.last:
            self.end = piece.end
        if piece.start == 0 and self.first is None:
            self.first = piece

    def _compare(self, piece: Piece) -> tuple[list[tuple[int, bytes]], bool, bool]:
        """(what of the piece is new, does it overlap others, does it say otherwise)."""
        gaps, overlaps, differs, at = [], False, False, piece.start
        place = max(0, bisect_left(self.parts, (piece.start, b"")) - 1)
        for start, data in self.parts[place:]:
            if start >= piece.end:
                break
            end = start + len(data)
            if end <= piece.start:
                continue
            overlaps = True
            low, high = max(start, piece.start), min(end, piece.end)
            differs |= data[low - start : high - start] != piece.data[low - piece.start : high - piece.start]
            if at < low:
                gaps.append((at, piece.data[at - piece.start : low - piece.start]))
            at = max(at, high)
        if at < piece.end:
            gaps.append((at, piece.data[at - piece.start :]))
        return gaps, overlaps, differs

    @property
    def whole(self) -> bool:
        """All bytes are there."""
        return self.first is not None and self.size == self.end

    def take(self) -> bytes:
        """All bytes, which are then forgotten."""
        data = b"".join(data for _, data in self.parts)
        self.parts, self.size, self.done, self.first = [], 0, True, None
        return data

    def give_up(self) -> None:
        """Forget the bytes; what still comes is only counted."""
        self.parts, self.size, self.dead = [], 0, True

    @property
    def cost(self) -> int:
        """Bytes of memory, about."""
        held = len(self.first.data) + len(self.first.header) if self.first is not None else 0
        return 1024 + self.size + held + 200 * len(self.marks) + 100 * len(self.held)
