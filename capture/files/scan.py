"""The record walks of pcap and pcapng as compiled kernels: a buffer in, columns of frames out.

The rules of this file. A kernel never reads a byte at or beyond `end`, never writes beyond the columns, and
keeps no state of its own: what it needs comes in, where it stopped and why goes out as `(status, position,
row, detail)`. The verdict about a record depends on the bytes of the stream alone, never on where the
buffer happens to end, so buffers of any size give the same rows. All arithmetic is in int64; a 64-bit time
is handled in two 32-bit halves. The plain-Python twin is tests/support/reference_walk.py.

pcap: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ pcapng:
https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/
"""

from typing import Any, Final

import numpy as np

from wirecover.capture.files.batch import Bytes, Columns, Int32, Int64
from wirecover.capture.kernels import kernel

Outcome = tuple[int, int, int, int]
"""(status, position, row, detail)"""

NEED: Final = 0
"""The record at `position` is not whole in the buffer; `detail` bytes from there are needed to go on."""
FULL: Final = 1
"""The columns are full."""
BAD: Final = 2
"""The record at `position` cannot be one; `detail` is the length it gives."""
HEADER: Final = 3
"""Another file header stands at `position`."""
BLOCK: Final = 4
"""A whole block for Python stands at `position`: `detail` bytes, of type SHB, IDB, NRB or ISB."""
FOUND: Final = 5
"""(seek) A believable record stands at `position`."""
NOTHING: Final = 6
"""(seek) None up to the end of the stream."""

MAX_FRAME: Final = 256 << 20
"""Longest frame, and longest pcapng block, that is believed."""
USUAL_SNAPLEN: Final = 262_144
"""What tcpdump and Wireshark use as "no limit"; longer frames must be followed by a believable record."""
MAX_SEEK_BLOCK: Final = 16 << 20
"""Longest pcapng block that is believed after damage."""
SEEK_CHAIN: Final = 5
"""Believable pcap records in a row, each where the one before ends, that make a place one to go on from."""
SEEK_SPAN_S: Final = 366 * 86_400
"""Seconds around the last good packet in which a record after damage must lie."""

# The layout of a pcap, as an int64 array, so that one compiled signature serves all variants.
BIG, HEADER_BYTES, UNIT_NS, SWAP, SNAPLEN, LIMIT, INTERFACE = range(7)
SWAP_NEVER, SWAP_ALWAYS, SWAP_IF_GREATER = range(3)

# The section of a pcapng, as an int64 array.
SECTION_BIG, SECTION_BASE, SECTION_COUNT = range(3)
# Columns of the interface table of a pcapng section.
IF_RESOLUTION, IF_OFFSET_NS, IF_SNAPLEN, IF_DROPS = range(4)
# Rows of the tally of a pcapng, and its columns.
(
    T_UNKNOWN,
    T_CUSTOM,
    T_SECRETS,
    T_NO_INTERFACE,
    T_BAD_PACKET,
    T_NO_TIME,
    T_TIME_RANGE,
    T_BAD_OPTION,
    T_COMMENTS,
) = range(9)
TALLIES: Final = 9
COUNT, FIRST_OFFSET, FIRST_FRAME, FIRST_DETAIL = range(4)

SHB: Final = 0x0A0D0D0A
IDB: Final = 1
PB: Final = 2
SPB: Final = 3
NRB: Final = 4
ISB: Final = 5
EPB: Final = 6
DSB: Final = 10
CUSTOM: Final = 0x00000BAD
CUSTOM_DO_NOT_COPY: Final = 0x40000BAD

GIGA: Final = 1_000_000_000
INT64_MAX: Final = (1 << 63) - 1


@kernel
def _u32(data: Bytes, at: int, big: int) -> int:
    a, b, c, d = np.int64(data[at]), np.int64(data[at + 1]), np.int64(data[at + 2]), np.int64(data[at + 3])
    if big:
        return a << 24 | b << 16 | c << 8 | d  # type: ignore[return-value]
    return d << 24 | c << 16 | b << 8 | a  # type: ignore[return-value]


@kernel
def _u16(data: Bytes, at: int, big: int) -> int:
    a, b = np.int64(data[at]), np.int64(data[at + 1])
    if big:
        return a << 8 | b  # type: ignore[return-value]
    return b << 8 | a  # type: ignore[return-value]


# --- pcap ---------------------------------------------------------------------------------------


@kernel
def _is_file_header(data: Bytes, at: int) -> bool:
    """Whether the 12 bytes here begin a pcap 2.4 or a pcapng: as a record they are of 2055, 2083 or 1975."""
    word = _u32(data, at, 1)
    if word not in (0xA1B2C3D4, 0xD4C3B2A1, 0xA1B23C4D, 0x4D3CB2A1, SHB):
        return False
    if word == SHB:
        return _u32(data, at + 8, 1) in (0x1A2B3C4D, 0x4D3C2B1A)
    big = 1 if data[at] == 0xA1 else 0
    return _u16(data, at + 4, big) == 2 and _u16(data, at + 6, big) == 4


@kernel
def _lengths(data: Bytes, at: int, layout: Int64) -> tuple[int, int]:
    """(captured, original) of the record header here; old versions wrote them the other way round."""
    captured, original = _u32(data, at + 8, layout[BIG]), _u32(data, at + 12, layout[BIG])
    if layout[SWAP] == SWAP_ALWAYS or (layout[SWAP] == SWAP_IF_GREATER and captured > original):
        return original, captured
    return captured, original


@kernel
def _may_follow(data: Bytes, at: int, layout: Int64) -> bool:
    """Whether a record header could stand here. Asked only after a record that looks wrong."""
    captured, original = _lengths(data, at, layout)
    return captured <= max(layout[SNAPLEN], USUAL_SNAPLEN) and original < (1 << 31)


@kernel
def scan_pcap(
    data: Bytes, position: int, end: int, last: int, layout: Int64, offset: Int64, captured: Int64,
    original: Int64, ts: Int64, interface: Int32, row: int,
) -> Outcome:  # fmt: skip
    """Walk the records of a pcap from `position`; `last` is 1 when the stream ends at `end`."""
    big, header, limit = layout[BIG], layout[HEADER_BYTES], layout[LIMIT]
    usual = layout[SNAPLEN] if layout[SNAPLEN] > 0 else USUAL_SNAPLEN
    while True:
        if row >= len(offset):
            return FULL, position, row, 0
        if position + header > end:
            return NEED, position, row, header
        if _is_file_header(data, position):
            return HEADER, position, row, 0
        kept, length = _lengths(data, position, layout)
        if kept > limit:
            return BAD, position, row, kept
        after = position + header + kept
        if kept > usual or kept > length:  # odd, and either a careless writer or damage: look at what follows
            if last and after > end:
                return BAD, position, row, kept
            if not last and after + header > end:
                return NEED, position, row, header + kept + header
            if after + header <= end and not (
                _is_file_header(data, after) or _may_follow(data, after, layout)
            ):
                return BAD, position, row, kept
        if after > end:
            return NEED, position, row, header + kept
        offset[row] = position + header
        captured[row] = kept
        original[row] = length
        ts[row] = _u32(data, position, big) * GIGA + _u32(data, position + 4, big) * layout[UNIT_NS]
        interface[row] = layout[INTERFACE]
        row += 1
        position = after


@kernel
def _is_likely(data: Bytes, at: int, layout: Int64, around_s: int) -> bool:
    """Whether the bytes here are very probably a record header: sane lengths, a whole second, a near time."""
    kept, length = _lengths(data, at, layout)
    second, part = _u32(data, at, layout[BIG]), _u32(data, at + 4, layout[BIG])
    usual = layout[SNAPLEN] if layout[SNAPLEN] > 0 else USUAL_SNAPLEN
    if kept < 1 or kept > min(usual, USUAL_SNAPLEN) or length < kept or length > USUAL_SNAPLEN:
        return False
    return part * layout[UNIT_NS] < GIGA and abs(second - around_s) <= SEEK_SPAN_S


@kernel
def seek_pcap(data: Bytes, position: int, end: int, last: int, layout: Int64, around_s: int) -> Outcome:
    """Find the first place from `position` where a chain of likely records starts.

    `around_s` is the second of the last good packet, or -1 when there was none. The chain must be of
    `SEEK_CHAIN` records, or of two at least when the stream ends before.
    """
    header = layout[HEADER_BYTES]
    while position + header <= end:
        near = around_s if around_s >= 0 else _u32(data, position, layout[BIG])
        at, links = position, 0
        while links < SEEK_CHAIN and at + header <= end and _is_likely(data, at, layout, near):
            at += header + _lengths(data, at, layout)[0]
            links += 1
        if links == SEEK_CHAIN or (last and links >= 2 and at + header > end):
            return FOUND, position, 0, 0
        if not last and at + header > end:
            return NEED, position, 0, at + header - position
        position += 1
    if last:
        return NOTHING, position, 0, 0
    return NEED, position, 0, header


# --- pcapng -------------------------------------------------------------------------------------


@kernel
def nanoseconds(high: int, low: int, resolution: int) -> int:
    """The 64-bit time `high * 2**32 + low` in nanoseconds, rounded down; -1 when that is beyond int64.

    `resolution` is the byte of if_tsresol: 10**-n, or 2**-n with the top bit set. Every product below stays
    under 2**63 because each half is under 2**32 and is multiplied by 10**9 (under 2**30) at most.
    """
    power = resolution & 0x7F
    if resolution & 0x80:
        top = high * GIGA + (low * GIGA >> 32)  # floor(units * 10**9 / 2**32)
        if power >= 32:
            return top >> min(power - 32, 63)
        if top > INT64_MAX >> (32 - power):
            return -1
        return top << (32 - power) | (low * GIGA & 0xFFFFFFFF) >> power
    if power <= 9:
        factor: int = 10 ** (9 - power)
        top = high * factor + (low * factor >> 32)
        if top >= 1 << 31:
            return -1
        return top << 32 | (low * factor & 0xFFFFFFFF)
    if power > 28:  # 2**64 units of 10**-29 s are less than a nanosecond
        return 0
    # Long division by 10**(power - 9), in two steps where the divisor would not fit 31 bits.
    divisor = 10 ** min(power - 9, 9)
    units = (high // divisor) << 32 | ((high % divisor) << 32 | low) // divisor
    return units // 10 ** max(power - 18, 0)  # type: ignore[no-any-return]


@kernel
def _note(tally: Int64, what: int, at: int, frame: int, detail: int) -> None:
    if tally[what, COUNT] == 0:
        tally[what, FIRST_OFFSET] = at
        tally[what, FIRST_FRAME] = frame
        tally[what, FIRST_DETAIL] = detail
    tally[what, COUNT] += 1


@kernel
def _block_length(data: Bytes, at: int, end: int, big: int, longest: int) -> tuple[int, int]:
    """(status, length) of the block here, whose first 12 bytes are in the buffer: BLOCK, NEED or BAD.

    A block begins and ends with its length, a multiple of 4 and 12 at least (draft-ietf-opsawg-pcapng 3.1).
    A section header says its own byte order.
    """
    if _u32(data, at, 1) == SHB:
        order = _u32(data, at + 8, 1)
        if order != 0x1A2B3C4D and order != 0x4D3C2B1A:
            return BAD, _u32(data, at + 4, big)
        big = 1 if order == 0x1A2B3C4D else 0
        if _u32(data, at + 4, big) < 28:
            return BAD, _u32(data, at + 4, big)
    length = _u32(data, at + 4, big)
    if length < 12 or length & 3 or length > longest:
        return BAD, length
    if at + length > end:
        return NEED, length
    if _u32(data, at + length - 4, big) != length:
        return BAD, length
    return BLOCK, length


@kernel
def _packet_options(
    data: Bytes, at: int, stop: int, big: int, kind: int, local: int, table: Int64, comments: Int64,
    tally: Int64, row: int, place: int, frame: int,
) -> None:  # fmt: skip
    """Note the comments and drop counts among a packet's options, without leaving the kernel."""
    while at + 4 <= stop:
        code, length = _u16(data, at, big), _u16(data, at + 2, big)
        if code == 0:
            return
        if at + 4 + length > stop:
            _note(tally, T_BAD_OPTION, place, frame, length)
            return
        if code == 1:
            slot = tally[T_COMMENTS, COUNT]
            if slot < len(comments):
                comments[slot, 0] = row
                comments[slot, 1] = at + 4
                comments[slot, 2] = length
            _note(tally, T_COMMENTS, place, frame, length)
        elif code == 4 and kind == EPB and length == 8:  # epb_dropcount; a sum beyond 2**32 is no count
            low = _u32(data, at + (8 if big else 4), big)
            table[local, IF_DROPS] = min(max(table[local, IF_DROPS], 0) + low, 1 << 62)
        at += 4 + (length + 3) // 4 * 4


@kernel
def scan_pcapng(
    data: Bytes, position: int, end: int, section: Int64, table: Int64, tally: Int64,
    comments: Int64, base: int, frame: int, offset: Int64, captured: Int64, original: Int64,
    ts: Int64, interface: Int32, row: int,
) -> Outcome:  # fmt: skip
    """Walk the blocks of a pcapng; `base` is the stream offset of data[0], `frame` the number of row 0.

    Packet blocks fill the columns; custom, secrets and unknown blocks are stepped over and tallied; section,
    interface, name and statistics blocks are returned to the caller.
    """
    big = section[SECTION_BIG]
    while True:
        if row >= len(offset):
            return FULL, position, row, 0
        if position + 12 > end:
            return NEED, position, row, 12
        status, length = _block_length(data, position, end, big, MAX_FRAME)
        if status != BLOCK:
            return status, position, row, length
        kind = _u32(data, position, big)
        place, number = base + position, frame + row
        if kind in (SHB, IDB, NRB, ISB):
            return BLOCK, position, row, length
        after = position + length
        if kind != EPB and kind != PB and kind != SPB:
            what = T_UNKNOWN
            if kind in (CUSTOM, CUSTOM_DO_NOT_COPY):
                what = T_CUSTOM
            elif kind == DSB:
                what = T_SECRETS
            _note(tally, what, place, number, kind)
            position = after
            continue
        fixed = 16 if kind == SPB else 32  # bytes of the block that are neither packet nor options
        if length < fixed:
            _note(tally, T_BAD_PACKET, place, number, length)
            position = after
            continue
        local = 0
        if kind == EPB:
            local = _u32(data, position + 8, big)
        elif kind == PB:
            local = _u16(data, position + 8, big)
        if local >= section[SECTION_COUNT]:
            _note(tally, T_NO_INTERFACE, place, number, local)
            position = after
            continue
        if kind == SPB:
            wire = _u32(data, position + 8, big)
            kept = min(wire, length - 16)
            if table[local, IF_SNAPLEN] > 0:
                kept = min(kept, table[local, IF_SNAPLEN])
            start, time = position + 12, 0
            _note(tally, T_NO_TIME, place, number, 0)
        else:
            kept, wire = _u32(data, position + 20, big), _u32(data, position + 24, big)
            start = position + 28
            if kept > length - 32:
                _note(tally, T_BAD_PACKET, place, number, kept)
                position = after
                continue
            time = nanoseconds(
                _u32(data, position + 12, big), _u32(data, position + 16, big), table[local, IF_RESOLUTION]
            )
            shift = table[local, IF_OFFSET_NS]
            if time < 0 or (shift > 0 and time > INT64_MAX - shift):
                _note(tally, T_TIME_RANGE, place, number, 0)
                time = 0
            else:
                time += shift
            if kind == PB and _u16(data, position + 10, big) != 0xFFFF:  # 0xFFFF: not known
                drops = _u16(data, position + 10, big)
                table[local, IF_DROPS] = min(max(table[local, IF_DROPS], 0) + drops, 1 << 62)
            options = start + (kept + 3) // 4 * 4
            if options + 4 <= after - 4:
                _packet_options(
                    data, options, after - 4, big, kind, local, table, comments, tally, row, place, number
                )
        offset[row] = start
        captured[row] = kept
        original[row] = wire
        ts[row] = time
        interface[row] = section[SECTION_BASE] + local
        row += 1
        position = after


@kernel
def seek_pcapng(data: Bytes, position: int, end: int, last: int, section: Int64) -> Outcome:
    """Find the first place from `position` where a whole block of a standard type stands."""
    big = section[SECTION_BIG]
    while position + 12 <= end:
        kind = _u32(data, position, big)
        if IDB <= kind <= EPB or kind in (SHB, DSB, CUSTOM):
            status, length = _block_length(data, position, end, big, MAX_SEEK_BLOCK)
            if status == BLOCK:
                return FOUND, position, 0, 0
            if status == NEED and not last:
                return NEED, position, 0, length
        position += 1
    if last:
        return NOTHING, position, 0, 0
    return NEED, position, 0, 12


def warm() -> None:
    """Compile every kernel here with the types that the readers use."""
    data = np.zeros(64, np.uint8)
    layout = np.array([0, 16, 1000, 0, 65535, MAX_FRAME, 0], np.int64)
    columns: Any = Columns(1)
    arrays = (columns.offset, columns.captured, columns.original, columns.ts, columns.interface)
    scan_pcap(data, 0, 8, 0, layout, *arrays, 0)
    seek_pcap(data, 0, 64, 1, layout, -1)
    section, table = np.zeros(3, np.int64), np.zeros((1, 4), np.int64)
    tally, comments = np.zeros((TALLIES, 4), np.int64), np.zeros((1, 3), np.int64)
    scan_pcapng(data, 0, 8, section, table, tally, comments, 0, 1, *arrays, 0)
    seek_pcapng(data, 0, 64, 1, section)
    nanoseconds(0, 0, 6)
