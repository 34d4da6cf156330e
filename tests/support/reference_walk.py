"""The scalar twin of the scan kernels: plain Python over the whole file at once, in unbounded integers.

It shares no code with wirecover: the rules are written down a second time, from the format drafts and from
what the readers' docstrings promise about damage.
"""

import struct
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar

MIB = 1 << 20
Row = tuple[bytes, int, int, int]
"""(captured bytes, original length, ns, interface)"""


@dataclass
class Walked:
    rows: list[Row] = field(default_factory=list)
    losses: list[tuple[str, int]] = field(default_factory=list)
    """(kind, offset) of cuts, gaps and stops, in file order."""
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, kind: str) -> None:
        self.left_out[kind] = self.left_out.get(kind, 0) + 1


def walk(data: bytes) -> Walked:
    return PcapngReference(data).walk() if data[:4] == b"\n\r\r\n" else PcapReference(data).walk()


class PcapReference:
    MAGICS: ClassVar = {  # magic: (ns of a unit, bytes of a record header, bytes after the file header)
        0xA1B2C3D4: (1000, 16, 0), 0xA1B23C4D: (1, 16, 0), 0xA1B2CD34: (1000, 24, 0),
        0x1C0001AC: (1, 16, 4), 0x1C0001AB: (1000, 16, 4),
    }  # fmt: skip

    def __init__(self, data: bytes, out: Walked | None = None, interfaces: int = 0) -> None:
        self.data = data
        self.out = Walked() if out is None else out
        self.interfaces = interfaces

    STARTS: ClassVar = (b"\xd4\xc3\xb2\xa1\2\0\4\0", b"\xa1\xb2\xc3\xd4\0\2\0\4", b"\x4d\x3c\xb2\xa1\2\0\4\0",
                        b"\xa1\xb2\x3c\x4d\0\2\0\4")  # fmt: skip

    @classmethod
    def begins(cls, head: bytes) -> bool:
        return head in cls.STARTS

    def words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.mark}{count}I", self.data, at)

    def file_header(self, at: int) -> int:
        self.mark = "<" if struct.unpack_from("<I", self.data, at)[0] in self.MAGICS else ">"
        magic, _, _, _, snaplen, _ = self.words(at, 6)
        self.unit, self.header, extra = self.MAGICS[magic]
        self.version = struct.unpack_from(self.mark + "HH", self.data, at + 4)
        self.usual = snaplen or 262144
        self.ceiling = max(snaplen, 262144)
        self.limit = min(16 * self.ceiling, 256 * MIB) if snaplen else 256 * MIB
        self.interfaces += 1
        return at + 24 + extra

    def lengths(self, at: int) -> tuple[int, int]:
        kept, wire = self.words(at + 8, 2)
        old = self.version[0] == 543 or (self.version[0] == 2 and self.version[1] < 3)
        if old or (tuple(self.version) == (2, 3) and kept > wire):
            return wire, kept
        return kept, wire

    def another(self, at: int) -> str | None:
        head = self.data[at : at + 12]
        if head[:4] == b"\n\r\r\n" and head[8:12] in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
            return "pcapng"
        return "pcap" if self.begins(head[:8]) else None

    def is_wrong(self, at: int) -> bool:
        kept, wire = self.lengths(at)
        if kept > self.limit:
            return True
        if kept <= self.usual and kept <= wire:
            return False
        after = at + self.header + kept
        if after > len(self.data):
            return True
        if after + self.header > len(self.data) or self.another(after):
            return False
        next_kept, next_wire = self.lengths(after)
        return next_kept > self.ceiling or next_wire >= 1 << 31

    def is_likely(self, at: int, around: int) -> bool:
        (kept, wire), (second, part) = self.lengths(at), self.words(at, 2)
        return (
            1 <= kept <= min(self.usual, 262144)
            and kept <= wire <= 262144
            and part * self.unit < 10**9
            and abs(second - around) <= 366 * 86400
        )

    def seek(self, start: int) -> int | None:
        for first in range(start, len(self.data) - self.header + 1):
            seen = self.out.rows and self.out.rows[-1][2] >= 0
            around = self.out.rows[-1][2] // 10**9 if seen else self.words(first, 1)[0]
            at, links = first, 0
            while links < 5 and at + self.header <= len(self.data) and self.is_likely(at, around):
                at, links = at + self.header + self.lengths(at)[0], links + 1
            if links == 5 or (links >= 2 and at + self.header > len(self.data)):
                return first
        return None

    def walk(self, at: int = 0) -> Walked:
        if len(self.data) - at < 24:
            self.out.losses.append(("cut", at))
            return self.out
        at = self.file_header(at)
        while at < len(self.data):
            left = len(self.data) - at
            if left < self.header:
                self.out.losses.append(("cut", at))
                break
            if self.another(at) == "pcapng":
                return PcapngReference(self.data, self.out, self.interfaces).walk(at)
            if self.another(at):
                if left < 24:
                    self.out.losses.append(("cut", at))
                    break
                at = self.file_header(at)
                continue
            if self.is_wrong(at):
                found = self.seek(at + 1)
                self.out.losses.append(("absurd-length" if found is None else "gap", at))
                if found is None:
                    break
                at = found
                continue
            kept, wire = self.lengths(at)
            if left < self.header + kept:
                self.out.losses.append(("cut", at))
                break
            second, part = self.words(at, 2)
            start = at + self.header
            ns = second * 10**9 + part * self.unit
            self.out.rows.append((self.data[start : start + kept], wire, ns, self.interfaces - 1))
            at = start + kept
        return self.out


class PcapngReference:
    def __init__(self, data: bytes, out: Walked | None = None, base: int = 0) -> None:
        self.data = data
        self.out = Walked() if out is None else out
        self.mark = "<"
        self.base = base
        self.section: list[tuple[int, int, int]] = []  # (resolution, offset in s, snaplen)

    def u32(self, at: int) -> int:
        return int(struct.unpack_from(self.mark + "I", self.data, at)[0])

    def u16(self, at: int) -> int:
        return int(struct.unpack_from(self.mark + "H", self.data, at)[0])

    def block(self, at: int, longest: int) -> tuple[str, int]:
        """('whole' | 'short' | 'wrong', length)"""
        mark = self.mark
        least = 12
        if self.data[at : at + 4] == b"\n\r\r\n":
            order = self.data[at + 8 : at + 12]
            if order not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                return "wrong", self.u32(at + 4)
            mark, least = (">" if order[0] == 0x1A else "<"), 28
        length = struct.unpack_from(mark + "I", self.data, at + 4)[0]
        if length < least or length % 4 or length > longest:
            return "wrong", length
        if at + length > len(self.data):
            return "short", length
        if struct.unpack_from(mark + "I", self.data, at + length - 4)[0] != length:
            return "wrong", length
        return "whole", length

    def seek(self, start: int) -> int | None:
        for at in range(start, len(self.data) - 11):
            known = self.u32(at) in (0x0A0D0D0A, 1, 2, 3, 4, 5, 6, 10, 0xBAD)
            if known and self.block(at, 16 * MIB)[0] == "whole":
                return at
        return None

    def walk(self, at: int = 0) -> Walked:
        while at < len(self.data):
            left = len(self.data) - at
            state, length = self.block(at, 256 * MIB) if left >= 12 else ("short", 12)
            if state == "short" and length <= MIB:
                self.out.losses.append(("cut", at))
                break
            if state != "whole" and PcapReference.begins(self.data[at : at + 8]):
                return PcapReference(self.data, self.out, self.base + len(self.section)).walk(at)
            if state != "whole":
                found = self.seek(at + 1)
                self.out.losses.append(("absurd-length" if found is None else "gap", at))
                if found is None:
                    break
                at = found
                continue
            self.take(at, length)
            at += length
        return self.out

    def take(self, at: int, length: int) -> None:
        kind = self.u32(at)
        if kind == 0x0A0D0D0A:
            self.mark = ">" if self.data[at + 8] == 0x1A else "<"
            self.base += len(self.section)
            self.section = []
        elif kind == 1:
            self.section.append(self.interface(at, length))
        elif kind == 3:
            self.simple(at, length)
        elif kind in (2, 6):
            self.packet(at, length, self.u32(at + 8) if kind == 6 and length >= 32 else self.u16(at + 8))

    def interface(self, at: int, length: int) -> tuple[int, int, int]:
        if length < 20:
            return 6, 0, 0
        resolution, offset, here, end = 6, 0, at + 16, at + length - 4
        while here + 4 <= end:
            code, size = self.u16(here), self.u16(here + 2)
            value = self.data[here + 4 : here + 4 + size]
            if code == 0 or here + 4 + size > end:
                break
            if code == 9 and size == 1:
                resolution = value[0]
            elif code == 14 and size == 8:
                offset = struct.unpack(self.mark + "q", value)[0]
            here += 4 + size + -size % 4
        return resolution, offset if abs(offset) <= 9 * 10**9 else 0, self.u32(at + 12)

    def simple(self, at: int, length: int) -> None:
        if length < 16:
            self.out.leave_out("bad-packet-block")
        elif not self.section:
            self.out.leave_out("no-interface")
        else:
            wire, snaplen = self.u32(at + 8), self.section[0][2]
            kept = min(wire, length - 16, snaplen or wire)
            self.out.rows.append((self.data[at + 12 : at + 12 + kept], wire, 0, self.base))
            self.out.leave_out("no-timestamp")

    def packet(self, at: int, length: int, local: int) -> None:
        if length < 32:
            self.out.leave_out("bad-packet-block")
        elif local >= len(self.section):
            self.out.leave_out("no-interface")
        elif self.u32(at + 20) > length - 32:
            self.out.leave_out("bad-packet-block")
        else:
            resolution, offset, _ = self.section[local]
            units = self.u32(at + 12) << 32 | self.u32(at + 16)
            ns = nanoseconds(units, resolution)
            if ns >= 1 << 63 or ns + offset * 10**9 >= 1 << 63:
                ns, offset = 0, 0
                self.out.leave_out("timestamp-range")
            kept = self.u32(at + 20)
            data = self.data[at + 28 : at + 28 + kept]
            self.out.rows.append((data, self.u32(at + 24), ns + offset * 10**9, self.base + local))


def nanoseconds(units: int, resolution: int) -> int:
    """Exact, rounded down."""
    power = resolution & 0x7F
    unit = Fraction(1, 2**power if resolution & 0x80 else 10**power)
    return int(units * unit * 10**9 // 1)
