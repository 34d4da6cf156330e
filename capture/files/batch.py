"""What a capture reader hands on: columns of frames, and the small records about the file around them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]

MAX_ROWS: Final = 1 << 18
"""Frames in one batch at most, so that the columns stay small whatever the size of the frames."""


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Frames in file order, in columns of equal length; every row has `offset + captured <= len(buffer)`."""

    buffer: Bytes
    """The bytes that the offsets point into; valid until the next but one batch is asked for."""
    offset: Int64
    """Start of the frame's first captured byte in `buffer`."""
    captured: Int64
    """Bytes of the frame that the file holds."""
    original: Int64
    """Bytes of the frame on the wire, as the file says; a hostile file may say less than `captured`."""
    ts: Int64
    """Nanoseconds since 1970-01-01 UTC; 0 where the file gives no usable time (see the reader's damage)."""
    interface: Int32
    """Index into the reader's `interfaces`."""
    first_frame: int
    """Number of the first row's frame, counted from 1 over the whole file, as Wireshark does."""

    def __len__(self) -> int:
        return len(self.offset)


NO_FRAMES: Final = FrameBatch(
    np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64),
    np.zeros(0, np.int32), 0,
)  # fmt: skip
"""A batch of nothing."""


class Columns:
    """The arrays that a scan kernel fills; `batch` copies what was filled, so a batch owns its columns."""

    __slots__ = ("captured", "interface", "offset", "original", "ts")

    def __init__(self, rows: int = MAX_ROWS) -> None:
        self.offset: Int64 = np.empty(rows, np.int64)
        self.captured: Int64 = np.empty(rows, np.int64)
        self.original: Int64 = np.empty(rows, np.int64)
        self.ts: Int64 = np.empty(rows, np.int64)
        self.interface: Int32 = np.empty(rows, np.int32)

    def batch(self, buffer: Bytes, rows: int, first_frame: int) -> FrameBatch:
        return FrameBatch(
            buffer, self.offset[:rows].copy(), self.captured[:rows].copy(), self.original[:rows].copy(),
            self.ts[:rows].copy(), self.interface[:rows].copy(), first_frame,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interface:
    """One capture interface. A pcap has one; a pcapng has one for each Interface Description Block."""

    interface_id: int
    """Index in the reader's list: counted over all sections of the file, in file order."""
    link_type: int
    """LINKTYPE_* number (https://www.tcpdump.org/linktypes.html)."""
    snaplen: int | None
    """Longest captured length the writer promised; None when it promised none."""
    ts_resolution_ns: int
    """Nanoseconds of one unit of the file's clock, rounded, 1 at least."""
    ts_offset_s: int = 0
    """Seconds added to every time of the file (if_tsoffset)."""
    name: str | None = None
    description: str | None = None
    filter: str | None = None
    """The capture filter, when the writer says it: what it excluded cannot be in the file."""
    reported_drops: int | None = None
    """Packets the capturing machine says it lost; None when the file says nothing about it."""
    fcs_bytes: int | None = None
    """Length of the frame check sequence at the end of each frame, when the file says it."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in the file that could not be read, or was left unread, and where."""

    kind: str
    """One of the kinds in `wirecover.capture.files.damage`."""
    offset: int | None
    """Byte in the (decompressed) file where it first shows."""
    frame: int | None
    """First frame concerned; for a place between two frames, the frame that follows or would follow."""
    count: int
    """How many things, or bytes, of that kind (the detail says which)."""
    detail: str
    """One line for the reader of a report."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A text that the writer of the capture put into it, kept as it is (perhaps crafted: escape it)."""

    frame: int | None
    """The frame it belongs to; None for one about the section or an interface."""
    kind: str
    """'packet', 'section', 'interface', 'hardware', 'os', 'application'."""
    text: str


@dataclass(frozen=True, slots=True)
class ResolvedName:
    """An address and a name that the capturing machine gave it (Name Resolution Block)."""

    ip: str
    name: str
