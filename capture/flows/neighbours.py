"""Frames in which hosts of the link give their hardware addresses: ARP and IPv6 neighbour discovery.

Neither belongs to a flow. The same few statements are repeated all day, so of a batch only the first and
the last frame of each distinct statement are shown to the parsers; the choice is made on columns, without a
Python step a frame. What is irregular is shown every time, so that its count is right. Inside tunnels
nothing is looked for: a tunnel's inner link is another one.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.packets.record import NOT_IP, OK
from wirecover.capture.protocols.arp import ARP_BYTES
from wirecover.capture.protocols.ndp import (
    HOP_LIMIT,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    ROUTER_SOLICITATION,
)

FRAME_BYTES: Final = 1024
"""Of a frame so much is shown; routers' advertisements have a few hundred bytes of options."""
ARP, IPV6 = 0x0806, 0x86DD
_TAGS: Final = (0x8100, 0x88A8, 0x9100, 0x9200)
_MAX_TAGS: Final = 2
_TYPE_AT: Final = {1: 12, 113: 14, 276: 0}
_HEADER: Final = {1: 14, 113: 16, 276: 20}
"""Link type -> where its ethertype is, and how long it is (Ethernet, Linux cooked v1 and v2)."""
_REGULAR_ARP: Final = 0x0001_0800_0604
_ICMP6: Final = 58
_FLAGS: Final = np.array([0, (1 << 64) - 1, 0, 0x8000_0000], np.uint64)
"""Type of message - 133 -> bits of its first eight octets that a statement depends on: of an advertisement of a
router all (the checksum tells one from another), of a neighbour the router flag."""
_IP6_HEADER: Final = 40


class Found(NamedTuple):
    """The network layer of a frame."""

    ethertype: int
    start: int


class Icmp6(NamedTuple):
    """An ICMPv6 message that came over the link itself."""

    source: bytes
    message: bytes


def network_layer(link_type: int, frame: bytes) -> Found | None:
    """Where the network layer begins, behind VLAN tags; None when the frame is cut or its link has no
    addresses."""
    if link_type not in _TYPE_AT:
        return None
    at, start = _TYPE_AT[link_type], _HEADER[link_type]
    if len(frame) < start:
        return None
    kind = int.from_bytes(frame[at : at + 2], "big")
    for _ in range(_MAX_TAGS):
        if kind not in _TAGS:
            break
        if len(frame) < start + 4:
            return None
        kind, start = int.from_bytes(frame[start + 2 : start + 4], "big"), start + 4
    return Found(kind, start)


def link_icmp6(frame: bytes, start: int) -> Icmp6 | None:
    """The ICMPv6 message of an IPv6 packet with no extension headers and the hop limit of neighbour
    discovery."""
    if len(frame) < start + _IP6_HEADER or frame[start] >> 4 != 6:
        return None
    if frame[start + 6] != _ICMP6 or frame[start + 7] != HOP_LIMIT:
        return None
    end = start + _IP6_HEADER + int.from_bytes(frame[start + 4 : start + 6], "big")
    return Icmp6(frame[start + 8 : start + 24], frame[start + _IP6_HEADER : end])


def neighbour_frames(batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> NDArray[np.int64]:
    """Indices in `batch` of the frames to show, ascending.

    `rows` are the decoded packets of the batch, or those within the scope; `links[k]` is the link type of
    interface k.
    """
    other = rows[np.flatnonzero(rows["status"] == NOT_IP)]  # one pass over all rows each; the rest on few
    icmp6 = rows[np.flatnonzero(rows["protocol"] == _ICMP6)]
    other = other[other["tunnel"] == 0]
    kind = icmp6["src_port"]
    discovery = (kind >= ROUTER_SOLICITATION) & (kind <= NEIGHBOUR_ADVERTISEMENT)
    of_link = icmp6[discovery & (icmp6["status"] == OK) & (icmp6["tunnel"] == 0)]
    shown = np.concatenate([_arp(batch, other, links), _discovery(batch, of_link)])
    shown.sort()
    return shown


def _arp(batch: Any, rows: NDArray[Any], links: NDArray[np.int32]) -> NDArray[np.int64]:
    index = rows["frame"] - batch.first_frame
    if not len(index):
        return np.zeros(0, np.int64)
    buffer = batch.buffer
    link = links[batch.interface[index]]
    offset, captured = batch.offset[index], batch.captured[index].astype(np.int64)
    picked = []
    for link_type, header in _HEADER.items():
        there = (link == link_type) & (captured >= header)
        at = index[there]
        start = np.full(len(at), header, np.int64)
        kind = _number(buffer, offset[there] + _TYPE_AT[link_type], 2)
        for _ in range(_MAX_TAGS):
            tagged = np.isin(kind, _TAGS) & (captured[there] >= start + 4)
            kind[tagged] = _number(buffer, offset[there][tagged] + start[tagged] + 2, 2)
            start[tagged] += 4
        is_arp = kind == ARP
        begin, room = (offset[there] + start)[is_arp], (captured[there] - start)[is_arp]
        picked.append(_arp_statements(buffer, at[is_arp], begin, room, batch.ts))
    return np.concatenate(picked)


def _arp_statements(
    buffer: NDArray[np.uint8],
    index: NDArray[np.int64],
    begin: NDArray[np.int64],
    room: NDArray[np.int64],
    ts: NDArray[np.int64],
) -> NDArray[np.int64]:
    whole = room >= ARP_BYTES
    regular = whole.copy()
    regular[whole] = _number(buffer, begin[whole], 6) == _REGULAR_ARP
    kept, start = index[regular], begin[regular]
    statement = (_number(buffer, start + 8, 6), _number(buffer, start + 14, 4))
    return np.concatenate([index[~regular], _ends(kept, ts[kept], statement)])


def _discovery(batch: Any, rows: NDArray[Any]) -> NDArray[np.int64]:
    """A statement is who speaks of which address with which first option; of a router, its checksum too."""
    if not len(rows):
        return np.zeros(0, np.int64)
    index = rows["frame"] - batch.first_frame
    buffer, kind = batch.buffer, rows["src_port"].astype(np.int64)
    start = rows["payload"] - 8  # of the ICMP header, which the decoder steps over
    option_at = start + np.where(kind >= NEIGHBOUR_SOLICITATION, 24, 8)
    sent = np.minimum(start + 8 + rows["payload_bytes"], option_at + 8)
    end = batch.offset[index] + batch.captured[index]
    whole = (start >= batch.offset[index] + _IP6_HEADER) & (option_at <= sent) & (sent <= end)
    irregular, index, rows, kind = index[~whole], index[whole], rows[whole], kind[whole]
    start, option_at, sent = start[whole], option_at[whole], sent[whole]

    def numbers(of: NDArray[np.bool_], at: NDArray[np.int64], otherwise: NDArray[Any]) -> NDArray[np.uint64]:
        column = otherwise.astype(np.uint64)
        column[of] = _number(buffer, at[of], 8)
        return column

    advertised = kind == NEIGHBOUR_ADVERTISEMENT
    none = np.zeros(len(index), np.uint64)
    statement = (
        kind,
        numbers(kind != NEIGHBOUR_SOLICITATION, start, none) & _FLAGS[kind - ROUTER_SOLICITATION],
        numbers(advertised, start + 8, rows["src_hi"]),
        numbers(advertised, start + 16, rows["src_lo"]),
        numbers(sent == option_at + 8, option_at, none),
    )
    return np.concatenate([irregular, _ends(index, batch.ts[index], statement)])


def _number(buffer: NDArray[np.uint8], at: NDArray[np.int64], width: int) -> NDArray[np.uint64]:
    """The big-endian numbers of `width` bytes at `at`, which lie inside the buffer."""
    value = np.zeros(len(at), np.uint64)
    for i in range(width):
        value = value << np.uint64(8) | buffer[at + i]
    return value


def _ends(
    index: NDArray[np.int64], ts: NDArray[np.int64], statement: tuple[NDArray[Any], ...]
) -> NDArray[np.int64]:
    """Of each distinct statement the earliest and the latest frame."""
    if not len(index):
        return index
    order = np.lexsort((index, ts, *statement))
    changed = np.zeros(len(order) - 1, np.bool_)
    for column in statement:
        sorted_column = column[order]
        changed |= sorted_column[1:] != sorted_column[:-1]
    first = np.append(True, changed)
    last = np.append(changed, True)
    ends: NDArray[np.int64] = index[order[first | last]]
    return ends
