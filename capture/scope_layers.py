"""What a frame says of its ends outside the columns of `PACKET`: hardware addresses, outermost IP header, ARP, and
every layer between the outermost and the innermost IP header.

Read only for scopes that ask for it. Ends of targets are read from the link layers that are decoded most (Ethernet,
Linux cooked, raw IP, PPP), behind VLAN tags, PPPoE and MPLS. What cannot be read stays unknown: it then holds against
no target, so a packet is rather left out for want of one than kept. What is excluded is looked for on every link type
and at every depth: networks in each IP header that the packet decoder passes, hardware addresses in every octet before
the innermost IP header.

Sources: IEEE 802.3, 802.1Q; https://www.tcpdump.org/linktypes.html; RFC 826, 791, 8200, 2516, 3032.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.decode import MAX_LAYERS, trace
from wirecover.capture.packets.record import LAYER

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


def layers_around(
    batch: Any, links: NDArray[np.int32], rows: NDArray[Any], made: dict[int, NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(the layers of each row, outermost first, kind 0 where there are no more; whether that is not all of them).

    `made`: frame -> the layers of datagrams put together from fragments.
    """
    stacks = np.zeros((len(rows), MAX_LAYERS), LAYER)
    known = np.zeros(len(rows), np.int64)
    frames = rows["frame"]
    there = (frames >= batch.first_frame) & (frames < batch.first_frame + len(batch.offset))
    if np.any(there):
        known[there], stacks[there] = trace(batch, links, (frames - batch.first_frame)[there], MAX_LAYERS)
    for i, frame in enumerate(frames.tolist() if made else ()):
        layers = made.get(frame)
        if layers is not None:
            known[i], stacks[i] = len(layers), 0
            stacks[i, : len(layers)] = layers
    return stacks, known < rows["layers"]


@kernel
def spell(buffer: Any, start: Any, stop: Any, numbers: Any, found: Any) -> None:
    """Raise `found[i]` where the octets from start[i] to stop[i] spell one of these hardware addresses anywhere."""
    for i in range(len(start)):
        value = np.uint64(0)
        for at in range(start[i], stop[i]):
            value = ((value << np.uint64(8)) | np.uint64(buffer[at])) & np.uint64(0xFFFFFFFFFFFF)
            if at - start[i] >= 5:
                for k in range(len(numbers)):
                    if value == numbers[k]:
                        found[i] = 1


def spells_mac(
    batch: Any, rows: NDArray[Any], numbers: NDArray[np.uint64], heads: dict[int, bytes]
) -> NDArray[np.uint8]:
    """1 for each row whose frame spells one of these hardware addresses before its innermost IP header.

    A frame without such a header is looked through as a whole. `heads`: frame -> what datagrams put together from
    fragments hold before that header.
    """
    found = np.zeros(len(rows), np.uint8)
    frames = rows["frame"]
    there = np.flatnonzero((frames >= batch.first_frame) & (frames < batch.first_frame + len(batch.offset)))
    if len(there):
        index = frames[there] - batch.first_frame
        start = batch.offset[index].astype(np.int64)
        stop = start + batch.captured[index]
        network = rows["network"][there]
        stop = np.where((network >= start) & (network < stop), network, stop)
        spelled = np.zeros(len(there), np.uint8)
        spell(batch.buffer, start, stop, numbers, spelled)
        found[there] = spelled
    needles = [int(number).to_bytes(6, "big") for number in numbers]
    for i, frame in enumerate(frames.tolist() if heads else ()):
        if any(needle in heads.get(frame, b"") for needle in needles):
            found[i] = 1
    return found


def warm() -> None:
    """Compile the reader with the argument types it is used with."""
    one = np.zeros(1, np.int64)
    read_ends(
        np.zeros(64, np.uint8), one, one, np.zeros(1, np.int32), np.zeros(1, np.int32), one, np.empty(1, ENDS)
    )
    spell(np.zeros(64, np.uint8), one, one, np.zeros(1, np.uint64), np.zeros(1, np.uint8))
