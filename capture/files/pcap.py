"""pcap files: the variants of the file header, and the walk of the records.

https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ for the format; the variants are those that libpcap
and Wireshark read. What the spec leaves open is settled here: a damaged record does not end the reading
when a chain of believable records follows (kind 'gap'), a packet cut by the end of the file is no packet
('cut'), and a second capture appended to the first is read on, as another interface.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from wirecover.capture.files import damage as kinds
from wirecover.capture.files import scan
from wirecover.capture.files.batch import FrameBatch, Int64, Interface
from wirecover.capture.files.pipe import Window
from wirecover.capture.files.walk import Findings, Walk

FILE_HEADER: Final = 24
IXIA_EXTRA: Final = 4
"""Bytes that IXIA's lcap adds to the file header: the size of all records, ignored."""
MAX_APPENDED: Final = 65_536
"""Captures appended to each other that are still read."""
FCS_PRESENT: Final = 0x0400_0000
"""Bit of the network field: its top 4 bits are the length of the frame check sequence in 16-bit units."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One magic number and what follows from it."""

    name: str
    unit_ns: int = 1000
    record_header: int = 16
    extra: int = 0


VARIANTS: Final = {
    0xA1B2C3D4: Variant("microseconds"),
    0xA1B23C4D: Variant("nanoseconds", unit_ns=1),
    0xA1B2CD34: Variant("modified by Kuznetsov", record_header=24),
    0x1C0001AC: Variant("IXIA hardware", unit_ns=1, extra=IXIA_EXTRA),
    0x1C0001AB: Variant("IXIA software", extra=IXIA_EXTRA),
}
AIX: Final = Variant("AIX", unit_ns=1)
AIX_LINK_TYPES: Final = {6: 1, 9: 6, 15: 10, 24: 0}
"""AIX writes version 2.2, nanoseconds, and RFC 1573 interface types: Ethernet, Token Ring, FDDI, loopback."""


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The first 24 or 28 bytes of a pcap."""

    variant: Variant
    big: bool
    version: tuple[int, int]
    snaplen: int | None
    """None when the file gives 0, which writers use for "no limit"."""
    link_type: int
    fcs_bytes: int | None

    @property
    def size(self) -> int:
        return FILE_HEADER + self.variant.extra

    def layout(self, interface: int) -> Int64:
        """What the scan kernels need to know."""
        longest = 16 * max(self.snaplen, scan.USUAL_SNAPLEN) if self.snaplen else scan.MAX_FRAME
        return np.array(
            [self.big, self.variant.record_header, self.variant.unit_ns, self._swap, self.snaplen or 0,
             min(longest, scan.MAX_FRAME), interface], np.int64,
        )  # fmt: skip

    @property
    def _swap(self) -> int:
        """Before version 2.3, and in DG/UX's 543, the lengths stood the other way round; in 2.3 perhaps."""
        if self.version[0] == 543 or (self.version[0] == 2 and self.version[1] < 3):
            return scan.SWAP_ALWAYS
        return scan.SWAP_IF_GREATER if self.version == (2, 3) else scan.SWAP_NEVER

    def interface(self, number: int) -> Interface:
        return Interface(number, self.link_type, self.snaplen, self.variant.unit_ns, fcs_bytes=self.fcs_bytes)


def is_pcap(head: bytes) -> bool:
    return int.from_bytes(head[:4], "big") in VARIANTS or int.from_bytes(head[:4], "little") in VARIANTS


def parse_file_header(head: bytes) -> FileHeader | None:
    """The file header at the start of `head`; None when it is not whole. Call only when `is_pcap(head)`."""
    big = int.from_bytes(head[:4], "big") in VARIANTS
    order = "big" if big else "little"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)  # type: ignore[arg-type]

    variant = VARIANTS[number(0, 4)]
    if len(head) < FILE_HEADER + variant.extra:
        return None
    network = number(20, 4)
    fcs = 2 * (network >> 28) if network & FCS_PRESENT else None
    version, link_type = (number(4, 2), number(6, 2)), network & 0xFFFF
    if number(0, 4) == 0xA1B2C3D4 and version == (2, 2) and network in AIX_LINK_TYPES:
        variant, link_type = AIX, AIX_LINK_TYPES[network]
    return FileHeader(variant, big, version, number(16, 4) or None, link_type, fcs)


class PcapWalk(Walk):
    """Records of a pcap as batches of frames."""

    def __init__(self, window: Window, findings: Findings, frames: int = 0, last_ts: int = -1) -> None:
        super().__init__(window, findings, frames, last_ts)
        self._layout: Int64 = np.zeros(7, np.int64)

    def batches(self) -> Iterator[FrameBatch]:
        """Read to the end of the stream, or to damage that cannot be passed."""
        window = self.window
        self.need(FILE_HEADER + IXIA_EXTRA)
        going_on = self._file_header()
        while going_on:
            status, need = self._scan()
            if self.row and status != scan.HEADER:
                yield self.take()
            if status == scan.NEED and not window.last:
                window.more(need)
            elif status == scan.NEED:
                if window.left:
                    self.note_cut(
                        "a packet" if window.left >= self._layout[scan.HEADER_BYTES] else "a record header",
                        need,
                    )
                going_on = False
            elif status == scan.HEADER:
                if window.left < FILE_HEADER and not window.last:
                    if self.row:
                        yield self.take()
                    window.more(FILE_HEADER)
                else:
                    going_on = self._file_header()
            elif status == scan.BAD:
                going_on = self._pass_damage(need)
        if self.row:
            yield self.take()

    def _scan(self) -> tuple[int, int]:
        window, columns = self.window, self.columns
        status, window.pos, self.row, detail = scan.scan_pcap(
            window.data, window.pos, window.end, int(window.last), self._layout, columns.offset,
            columns.captured, columns.original, columns.ts, columns.interface, self.row,
        )  # fmt: skip
        return status, detail

    def _file_header(self) -> bool:
        """Read the file header here: the first, or that of an appended capture. False when reading ends."""
        window, interfaces = self.window, self.findings.interfaces
        head = bytes(window.data[window.pos : min(window.end, window.pos + FILE_HEADER + IXIA_EXTRA)])
        if not is_pcap(head):
            self.note(kinds.ANOTHER_HEADER, "a pcapng is appended; its packets are read as other interfaces")
            self.other = True
            return False
        header = parse_file_header(head)
        if header is None:
            self.note_cut("an appended file header", FILE_HEADER)
            return False
        if interfaces:
            self.note(
                kinds.ANOTHER_HEADER, "another pcap is appended; its packets are read as another interface"
            )
        if header.version != (2, 4):
            self.note(
                kinds.UNUSUAL_VERSION, f"pcap version {header.version[0]}.{header.version[1]}, 2.4 is usual"
            )
        if len(interfaces) >= MAX_APPENDED:
            self.note(kinds.TOO_MANY_INTERFACES, f"more than {MAX_APPENDED} captures appended to each other")
            return False
        self._layout = header.layout(len(interfaces))
        interfaces.append(header.interface(len(interfaces)))
        window.pos += header.size
        return True

    def _pass_damage(self, length: int) -> bool:
        """Go on at the next chain of believable records, if there is one."""
        window, start = self.window, self.window.offset
        reason = f"a record gives a length of {length} bytes, which cannot be"
        around = self.last_ts // scan.GIGA if self.last_ts >= 0 else -1
        window.pos += 1
        while True:
            status, window.pos, _, need = scan.seek_pcap(
                window.data, window.pos, window.end, int(window.last), self._layout, around
            )
            if status == scan.NEED:
                window.more(need)
            elif status == scan.FOUND:
                self.note_gap(start, reason)
                return True
            else:
                self.note_stop(start, reason)
                return False
