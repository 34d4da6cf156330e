"""pcapng files: sections, interfaces and statistics in Python, packets in the scan kernel.

https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/

What the spec leaves open is settled here. Packets of an undescribed interface are left out and counted, for
their link type is unknown. A Simple Packet Block has no time: its packet's time is 0 and that is said.
Decryption Secrets Blocks are stepped over by their length, their bytes are never looked at. A block whose
two lengths differ is not used: the reading goes on at the next whole block of a standard type (kind 'gap'). A pcap
that is appended is read on, as another interface.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from wirecover.capture.files import damage as kinds
from wirecover.capture.files import options as opts
from wirecover.capture.files import scan
from wirecover.capture.files.batch import Comment, FrameBatch, Int64, Interface, ResolvedName
from wirecover.capture.files.pipe import Window
from wirecover.capture.files.walk import Findings, Walk

MAX_INTERFACES: Final = 65_536
MAX_COMMENTS: Final = 10_000
MAX_NAMES: Final = 65_536
MAX_LOOKED_AT: Final = 4 << 20
"""Bytes of a block that are looked at for its options or names."""
MAX_CUT: Final = 1 << 20
"""A block cut by the end of the file that claims to be longer than this may be damage: seek behind it."""
MAX_OFFSET_S: Final = 9_000_000_000
"""Greatest if_tsoffset, either way, that leaves times within 64-bit nanoseconds."""

PCAP_STARTS: Final = frozenset(
    bytes.fromhex(text)
    for text in ("d4c3b2a102000400", "a1b2c3d400020004", "4d3cb2a102000400", "a1b23c4d00020004")
)
"""How a pcap 2.4 begins, in microseconds and nanoseconds and both byte orders: no block of a pcapng does."""

TALLY_KINDS: Final = (
    (
        scan.T_UNKNOWN,
        kinds.UNKNOWN_BLOCK,
        "blocks of an unknown type were skipped, the first of type 0x{detail:08x}",
    ),
    (scan.T_CUSTOM, kinds.CUSTOM_BLOCK, "custom blocks were skipped"),
    (scan.T_SECRETS, kinds.SECRETS, "Decryption Secrets Blocks are present; none was read"),
    (
        scan.T_NO_INTERFACE,
        kinds.NO_INTERFACE,
        "packets of an interface that no block describes were left out",
    ),
    (scan.T_BAD_PACKET, kinds.BAD_PACKET, "packet blocks shorter than their packet were left out"),
    (
        scan.T_NO_TIME,
        kinds.NO_TIME,
        "packets have no time in the file (Simple Packet Block); it is shown as 0",
    ),
    (scan.T_TIME_RANGE, kinds.TIME_RANGE, "packets have a time that cannot be; it is shown as 0"),
    (scan.T_BAD_OPTION, kinds.BAD_OPTION, "packets have an option longer than their block"),
)


class PcapngWalk(Walk):
    """Blocks of a pcapng as batches of frames."""

    def __init__(self, window: Window, findings: Findings, frames: int = 0, last_ts: int = -1) -> None:
        super().__init__(window, findings, frames, last_ts)
        self._section: Int64 = np.zeros(3, np.int64)
        self._table: Int64 = np.zeros((16, 4), np.int64)
        self._tally: Int64 = np.zeros((scan.TALLIES, 4), np.int64)
        # Room for all that are kept at all: which ones are must not depend on the size of the buffer.
        self._comments: Int64 = np.zeros((MAX_COMMENTS, 3), np.int64)
        self._texts_left_out = 0

    def batches(self) -> Iterator[FrameBatch]:
        """Read to the end of the stream, or to damage that cannot be passed."""
        window = self.window
        self.need(12)
        going_on = True
        while going_on:
            status, detail = self._scan()
            if status == scan.BLOCK:
                going_on = self._block(detail)
                continue
            if self.row:
                yield self.take()
            if status == scan.NEED and not window.last:
                window.more(detail)
            elif status == scan.NEED and detail <= MAX_CUT:
                if window.left:
                    self.note_cut("a block", detail)
                going_on = False
            elif status != scan.FULL:
                going_on = self._pass_damage(detail)
        if self.row:
            yield self.take()
        self._settle_drops()
        self._note_tally()

    def _scan(self) -> tuple[int, int]:
        window, columns = self.window, self.columns
        status, window.pos, self.row, detail = scan.scan_pcapng(
            window.data, window.pos, window.end, self._section, self._table, self._tally, self._comments,
            window.base, self.frames + 1, columns.offset, columns.captured, columns.original, columns.ts,
            columns.interface, self.row,
        )  # fmt: skip
        self._keep_packet_comments()
        return status, detail

    def _keep_packet_comments(self) -> None:
        seen = int(self._tally[scan.T_COMMENTS, scan.COUNT])
        for row, at, length in self._comments[:seen].tolist():
            value = bytes(self.window.data[at : at + min(length, opts.MAX_TEXT)])
            self._keep_comment(self.frames + 1 + row, "packet", value)
        self._texts_left_out += max(seen - len(self._comments), 0)
        self._tally[scan.T_COMMENTS] = 0

    def _keep_comment(self, frame: int | None, kind: str, value: bytes) -> None:
        if len(self.findings.comments) < MAX_COMMENTS:
            self.findings.comments.append(Comment(frame, kind, opts.text(value)))
        else:
            self._texts_left_out += 1

    # --- blocks for Python -----------------------------------------------------------------------

    def _block(self, length: int) -> bool:
        """Take in the whole block of `length` bytes here. False when reading has to end."""
        window = self.window
        data = bytes(window.data[window.pos : window.pos + min(length, MAX_LOOKED_AT)])
        end = len(data) if length > MAX_LOOKED_AT else length - 4
        going_on = True
        try:
            if data[:4] == b"\n\r\r\n":
                self._section_header(data, end)
            else:
                kind = opts.number(data, 0, 4, self._order)
                if kind == scan.IDB:
                    going_on = self._interface(data, end)
                elif kind == scan.NRB:
                    self._names(data, end)
                else:
                    self._statistics(data, end)
        except opts.BadOptionError as error:
            self.note(kinds.BAD_OPTION, str(error))
        window.pos += length
        return going_on

    @property
    def _order(self) -> opts.Order:
        return "big" if self._section[scan.SECTION_BIG] else "little"

    def _section_header(self, data: bytes, end: int) -> None:
        self._settle_drops()
        big = data[8:12] == b"\x1a\x2b\x3c\x4d"
        self._section[:] = (big, len(self.findings.interfaces), 0)
        version = opts.number(data, 12, 2, self._order), opts.number(data, 14, 2, self._order)
        if version not in ((1, 0), (1, 2)):  # 1.2 is what some writers put for 1.0 (draft section 4.1)
            self.note(kinds.UNUSUAL_VERSION, f"pcapng version {version[0]}.{version[1]}, 1.0 is usual")
        what = {1: "section", 2: "hardware", 3: "os", 4: "application"}
        for code, value in opts.options(data, 24, end, self._order):
            if code in what:
                self._keep_comment(None, what[code], value)

    def _interface(self, data: bytes, end: int) -> bool:
        interfaces = self.findings.interfaces
        if len(interfaces) >= MAX_INTERFACES:
            self.note(kinds.TOO_MANY_INTERFACES, f"more than {MAX_INTERFACES} interfaces; reading stopped")
            return False
        local = int(self._section[scan.SECTION_COUNT])
        if local == len(self._table):
            self._table = np.concatenate((self._table, np.zeros_like(self._table)))
        snaplen = opts.number(data, 12, 4, self._order) if end >= 16 else 0
        link_type = opts.number(data, 8, 2, self._order) if end >= 16 else 0
        texts: dict[int, str] = {}
        resolution, offset, fcs = 6, 0, None
        try:
            for code, value in opts.options(data, 16, end, self._order):
                if code == 1:
                    self._keep_comment(None, "interface", value)
                elif code in (2, 3):
                    texts[code] = opts.text(value)
                elif code == 11 and value[:1] == b"\0":  # if_filter, as a libpcap filter string
                    texts[code] = opts.text(value[1:])
                elif code == 9 and len(value) == 1:
                    resolution = value[0]
                elif code == 13 and len(value) == 1:
                    fcs = value[0]
                elif code == 14 and len(value) == 8:
                    offset = opts.number(value, 0, 8, self._order, signed=True)
        except opts.BadOptionError as error:
            self.note(kinds.BAD_OPTION, str(error))
        if abs(offset) > MAX_OFFSET_S:
            self.note(
                kinds.BAD_OPTION,
                f"interface {len(interfaces)}: a time offset of {offset} s cannot be; not used",
            )
            offset = 0
        interfaces.append(
            Interface(
                len(interfaces), link_type, snaplen or None, opts.resolution_ns(resolution), offset,
                texts.get(2), texts.get(3), texts.get(11), None, fcs,
            )
        )  # fmt: skip
        self._table[local] = (resolution, offset * scan.GIGA, snaplen, -1)
        self._section[scan.SECTION_COUNT] += 1
        return True

    def _names(self, data: bytes, end: int) -> None:
        names = self.findings.resolved_names
        for ip, name in opts.resolved_names(data, 8, end, self._order):
            if len(names) < MAX_NAMES:
                names.append(ResolvedName(ip, name))
            else:
                self._texts_left_out += 1

    def _statistics(self, data: bytes, end: int) -> None:
        """Keep the newest drops: isb_ifdrop (5) and isb_osdrop (7) count from the capture's start."""
        local = opts.number(data, 8, 4, self._order)
        if end < 20 or local >= self._section[scan.SECTION_COUNT]:
            raise opts.BadOptionError("a statistics block is too short or of an unknown interface")
        dropped = [
            opts.number(value, 0, 8, self._order)
            for code, value in opts.options(data, 20, end, self._order)
            if code in (5, 7) and len(value) == 8
        ]
        if dropped:
            self._drops(int(self._section[scan.SECTION_BASE]) + local, min(sum(dropped), scan.INT64_MAX))

    def _drops(self, number: int, drops: int) -> None:
        self.findings.interfaces[number] = replace(self.findings.interfaces[number], reported_drops=drops)

    def _settle_drops(self) -> None:
        """At a section's end: drops told packet by packet count where no statistics block told them."""
        base = int(self._section[scan.SECTION_BASE])
        for local in range(int(self._section[scan.SECTION_COUNT])):
            drops = int(self._table[local, scan.IF_DROPS])
            if drops >= 0 and self.findings.interfaces[base + local].reported_drops is None:
                self._drops(base + local, drops)

    # --- damage ----------------------------------------------------------------------------------

    def _pass_damage(self, length: int) -> bool:
        """Go on at the next whole block of a standard type, if there is one; at a pcap the other walk goes on."""
        window, start = self.window, self.window.offset
        if bytes(window.data[window.pos : window.pos + 8]) in PCAP_STARTS:
            self.note(kinds.ANOTHER_HEADER, "a pcap is appended; its packets are read as another interface")
            self.other = True
            return False
        reason = f"a block gives a length of {length} bytes, which cannot be or is not repeated at its end"
        window.pos = min(window.pos + 1, window.end)
        while True:
            status, window.pos, _, need = scan.seek_pcapng(
                window.data, window.pos, window.end, int(window.last), self._section
            )
            if status == scan.NEED:
                window.more(need)
            elif status == scan.FOUND:
                self.note_gap(start, reason)
                return True
            else:
                self.note_stop(start, reason)
                return False

    def _note_tally(self) -> None:
        for what, kind, words in TALLY_KINDS:
            count, offset, frame, detail = self._tally[what].tolist()
            if count:
                line = f"{count} {words.format(detail=detail)}"
                self.findings.damage.add(kind, line, offset=offset, frame=frame, count=count)
        if self._texts_left_out:
            line = f"{self._texts_left_out} comments or names beyond the limits were not kept"
            self.findings.damage.add(kinds.TEXTS_LEFT_OUT, line, count=self._texts_left_out)
