"""What a frame says of its ends outside the columns of `PACKET`: hardware addresses, outermost IP header, ARP.

Read only for scopes that ask for it, from the link layers that are decoded most (Ethernet, Linux cooked, raw IP,
PPP), behind VLAN tags, PPPoE and MPLS. What cannot be read stays unknown: it then holds against no selector, so a
packet is rather left out for want of a target than kept.

Sources: IEEE 802.3, 802.1Q; https://www.tcpdump.org/linktypes.html; RFC 826, 791, 8200, 2516, 3032.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel

ENDS: Final = np.dtype(
    [
        ("mac_src", "u8"), ("mac_dst", "u8"), ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"),
        ("dst_lo", "u8"), ("version", "u1"), ("arp", "u1"), ("has_mac_src", "u1"), ("has_mac_dst", "u1"),
        ("unused", "u4"),
    ]
)  # fmt: skip
"""`version`: 4 or 6 when the addresses are those of an IP header (or, with `arp`, of an ARP packet); else 0."""


@kernel
def _number(buffer: Any, at: int, width: int) -> Any:
    value = np.uint64(0)
    for i in range(width):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + i])
    return value


@kernel
def _u16(buffer: Any, at: int) -> Any:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _network(buffer: Any, at: int, end: int, link: int, row: Any) -> tuple[int, int]:
    """(ethertype, offset) of the network layer: 0 = IP of either version, -1 = unknown. Fills hardware addresses."""
    if link == 1:
        if at + 14 > end:
            return -1, at
        row.mac_dst, row.mac_src = _number(buffer, at, 6), _number(buffer, at + 6, 6)
        row.has_mac_dst, row.has_mac_src = 1, 1
        return _u16(buffer, at + 12), at + 14
    if link == 113:  # hardware type Ethernet with an address of six octets: that of the sender
        if at + 16 > end:
            return -1, at
        if buffer[at + 2] == 0 and buffer[at + 3] == 1 and buffer[at + 4] == 0 and buffer[at + 5] == 6:
            row.mac_src, row.has_mac_src = _number(buffer, at + 6, 6), 1
        return _u16(buffer, at + 14), at + 16
    if link == 276:
        if at + 20 > end:
            return -1, at
        if buffer[at + 8] == 0 and buffer[at + 9] == 1 and buffer[at + 11] == 6:
            row.mac_src, row.has_mac_src = _number(buffer, at + 12, 6), 1
        return _u16(buffer, at), at + 20
    if link == 12 or link == 14 or link == 101 or link == 228 or link == 229:
        return 0, at
    if link == 0 or link == 108:
        return 0, at + 4
    if link == 9 or link == 50 or link == 104 or link == 51:
        if link == 51:
            at += 6
        if at + 4 > end:
            return -1, at
        if buffer[at] == 0x0F or buffer[at] == 0x8F:  # Cisco HDLC
            return _u16(buffer, at + 2), at + 4
        if buffer[at] == 0xFF and buffer[at + 1] == 0x03:
            at += 2
        return 0x8864, at - 6  # where the PPP protocol field is what it is behind a PPPoE header
    return -1, at


@kernel
def _descend(buffer: Any, at: int, end: int, kind: int) -> tuple[int, int]:
    """Through tags and labels to (0, offset of an IP header), (0x0806, offset of ARP), or (-1, ...)."""
    for _ in range(16):
        if kind == 0 or kind == 0x0806:
            return kind, at
        if kind == 0x0800 or kind == 0x86DD:
            return 0, at
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100 or kind == 0x9200:
            if at + 4 > end:
                return -1, at
            kind, at = _u16(buffer, at + 2), at + 4
        elif kind == 0x8864:
            if at + 8 > end:
                return -1, at
            at += 6
            protocol = _u16(buffer, at)
            at += 2
            if protocol & 0x100:  # the protocol field is compressed to one octet
                protocol, at = protocol >> 8, at - 1
            if protocol == 0x0021 or protocol == 0x0057:
                kind = 0
            elif protocol == 0x0281:
                kind = 0x8847
            else:
                return -1, at
        elif kind == 0x8847 or kind == 0x8848:
            bottom = False
            while not bottom:
                if at + 4 > end:
                    return -1, at
                bottom = (buffer[at + 2] & 1) == 1
                at += 4
            if at >= end:
                return -1, at
            if buffer[at] >> 4 == 4 or buffer[at] >> 4 == 6:
                kind = 0
            else:  # a pseudowire, with or without a control word
                if buffer[at] >> 4 == 0 and at + 4 < end:
                    at += 4
                if at + 14 > end:
                    return -1, at
                kind, at = _u16(buffer, at + 12), at + 14
        else:
            return -1, at
    return -1, at


@kernel
def read_ends(
    buffer: Any, offset: Any, captured: Any, interface: Any, links: Any, index: Any, rows: Any
) -> None:
    """Fill `rows[i]` for the frame `index[i]` of a batch. `links[k]` is the link type of interface k."""
    for i in range(len(index)):
        row, frame = rows[i], index[i]
        row.mac_src, row.mac_dst = np.uint64(0), np.uint64(0)
        row.src_hi, row.src_lo, row.dst_hi, row.dst_lo = (
            np.uint64(0),
            np.uint64(0),
            np.uint64(0),
            np.uint64(0),
        )
        row.version, row.arp, row.has_mac_src, row.has_mac_dst, row.unused = 0, 0, 0, 0, 0
        at, end = offset[frame], offset[frame] + captured[frame]
        kind, at = _network(buffer, at, end, links[interface[frame]], row)
        if kind < 0:
            continue
        kind, at = _descend(buffer, at, end, kind)
        if kind == 0x0806:
            if at + 28 <= end and _number(buffer, at, 6) == np.uint64(0x000108000604):
                row.version, row.arp = 4, 1
                row.src_lo, row.dst_lo = _number(buffer, at + 14, 4), _number(buffer, at + 24, 4)
        elif kind == 0:
            if at + 20 <= end and buffer[at] >> 4 == 4:
                row.version = 4
                row.src_lo, row.dst_lo = _number(buffer, at + 12, 4), _number(buffer, at + 16, 4)
            elif at + 40 <= end and buffer[at] >> 4 == 6:
                row.version = 6
                row.src_hi, row.src_lo = _number(buffer, at + 8, 8), _number(buffer, at + 16, 8)
                row.dst_hi, row.dst_lo = _number(buffer, at + 24, 8), _number(buffer, at + 32, 8)


def frame_ends(batch: Any, frames: NDArray[np.int64], links: NDArray[np.int32]) -> NDArray[Any]:
    """An `ENDS` row for each of these frames (1-based numbers of the capture); of those not in the batch, nothing."""
    rows = np.zeros(len(frames), ENDS)
    there = (frames >= batch.first_frame) & (frames < batch.first_frame + len(batch.offset))
    index = np.ascontiguousarray((frames - batch.first_frame)[there])
    if len(index):
        found = np.empty(len(index), ENDS)
        read_ends(batch.buffer, batch.offset, batch.captured, batch.interface, links, index, found)
        rows[there] = found
    return rows


def warm() -> None:
    """Compile the reader with the argument types it is used with."""
    one = np.zeros(1, np.int64)
    read_ends(
        np.zeros(64, np.uint8), one, one, np.zeros(1, np.int32), np.zeros(1, np.int32), one, np.empty(1, ENDS)
    )
