"""Behind the IP header: extension headers of IPv6, and the headers of TCP, UDP, SCTP and ICMP.

Sources: RFC 8200 4, 4302, 9293 3.1, 768, 3828, 2675, 9260 3; Community ID specification 1.0 (ICMP).
"""

from typing import Any, Final

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import MALFORMED, PACKET, PART, R_PORTS, R_TCP, R_UDP
from wirecover.capture.packets.steps import u16, u32

MOST_EXTENSIONS: Final = 256
"""More than a packet of 1500 octets holds; no text bounds their number or order (RFC 8200 4.1)."""


@kernel
def ip6_extensions(buffer: Any, at: int, end: int, protocol: int) -> tuple[int, int, int, int]:
    """Walk IPv6 extension headers: (protocol, where its header is, fragment offset field or -1, identification).

    protocol -1: an extension header is cut.
    """
    fragment, identification = -1, 0
    for _ in range(MOST_EXTENSIONS):
        if protocol in (0, 43, 60, 135, 139, 140):
            if at + 8 > end:
                return -1, at, fragment, identification
            following = np.int64(buffer[at])
            at += 8 + np.int64(buffer[at + 1]) * 8
            protocol = following
        elif protocol == 44:
            if at + 8 > end:
                return -1, at, fragment, identification
            following = np.int64(buffer[at])
            fragment = u16(buffer, at + 2)
            identification = u32(buffer, at + 4) & 0xFFFF
            at += 8
            protocol = following
            if fragment >> 3:
                return protocol, at, fragment, identification
        elif protocol == 51:
            if at + 8 > end:
                return -1, at, fragment, identification
            following = np.int64(buffer[at])
            at += (np.int64(buffer[at + 1]) + 2) * 4
            protocol = following
        else:
            break
        if at > end:
            return -1, at, fragment, identification
    return protocol, at, fragment, identification


@kernel
def _icmp_ports(kind: int, code: int, six: bool) -> tuple[int, int]:
    """Type and code as ports, so that request and reply meet in one flow (Community ID specification 1.0)."""
    if six:
        if kind == 128:
            return 128, 129
        if kind == 129:
            return 129, 128
        if 130 <= kind <= 131:
            return kind, 261 - kind
        if 133 <= kind <= 134:
            return kind, 267 - kind
        if 135 <= kind <= 136:
            return kind, 271 - kind
        if 139 <= kind <= 140:
            return kind, 279 - kind
        if kind == 144 or kind == 145:
            return kind, 289 - kind
        return kind, code
    if kind == 8:
        return 8, 0
    if kind == 0:
        return 0, 8
    if kind == 13 or kind == 14:
        return kind, 27 - kind
    if kind == 15 or kind == 16:
        return kind, 31 - kind
    if kind == 17 or kind == 18:
        return kind, 35 - kind
    if kind == 10:
        return 10, 9
    if kind == 9:
        return 9, 10
    return kind, code


@kernel
def _cut_header(buffer: Any, at: int, end: int, was_whole: bool, reason: int, row: Any) -> None:
    """A header too short to read. The recorder's cut leaves the packet in its flow if it left the ports."""
    row.status, row.reason = MALFORMED, reason
    if was_whole and at + 4 <= end and row.fragment < 0:
        row.status, row.reason = PART, R_PORTS
        row.src_port, row.dst_port = u16(buffer, at), u16(buffer, at + 2)


@kernel
def transport_layer(buffer: Any, at: int, end: int, wire_end: int, row: Any) -> tuple[int, int, int]:
    """(where the payload is, where its captured bytes end, where it ended on the wire); -1: it is malformed."""
    protocol = np.int64(row.protocol)
    if protocol == 6:
        if at + 14 > end:
            _cut_header(buffer, at, end, at + 20 <= wire_end, R_TCP, row)
            return -1, end, wire_end
        header = np.int64(buffer[at + 12] >> 4) * 4
        if header < 20:
            row.status, row.reason = MALFORMED, R_TCP
            return -1, end, wire_end
        row.src_port, row.dst_port = u16(buffer, at), u16(buffer, at + 2)
        row.seq, row.ack = u32(buffer, at + 4), u32(buffer, at + 8)
        row.tcp_flags = buffer[at + 13]
        row.checksum = u16(buffer, at + 16) if at + 18 <= end else 0
        if at + header > wire_end:
            row.status, row.reason = MALFORMED, R_TCP
            return -1, end, wire_end
        return at + header, end, wire_end
    if protocol == 17 or protocol == 136:
        if at + 8 > end:
            _cut_header(buffer, at, end, at + 8 <= wire_end, R_UDP, row)
            return -1, end, wire_end
        row.src_port, row.dst_port = u16(buffer, at), u16(buffer, at + 2)
        length = u16(buffer, at + 4)
        row.checksum = u16(buffer, at + 6)
        if 8 <= length <= wire_end - at:
            wire_end = at + length
            end = min(end, wire_end)
        elif 0 < length < 8:
            row.status, row.reason = MALFORMED, R_UDP
            return -1, end, wire_end
        return at + 8, end, wire_end
    if protocol == 132:
        if at + 12 <= end:
            row.src_port, row.dst_port = u16(buffer, at), u16(buffer, at + 2)
            at += 12
    elif protocol == 1 or protocol == 58:
        if at + 2 <= end:
            row.src_port, row.dst_port = _icmp_ports(
                np.int64(buffer[at]), np.int64(buffer[at + 1]), protocol == 58
            )
        at = min(at + 8, end)
    return at, end, wire_end


def warm() -> None:
    """Compile the kernels of this module with the types they are used with."""
    buffer, row = np.zeros(64, np.uint8), np.zeros(1, PACKET)[0]
    ip6_extensions(buffer, 0, 64, 0)
    transport_layer(buffer, 0, 64, 64, row)
