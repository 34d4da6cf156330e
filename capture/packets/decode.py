"""Frame batches -> packet columns: link, tunnel, IP and transport headers, read in one compiled pass.

`decode_headers` fills one `PACKET` row a frame. It walks layers in a loop, each layer naming the next, so a tunnel
is just one more turn; the innermost addresses make the flow (as Zeek, Suricata and nDPI do) and the outermost
tunnel is noted. Every offset is checked against the captured length before a byte is read.

Sources: IEEE 802.1Q; RFC 791, 8200, 9293, 768; RFC 2784/2890 (GRE); RFC 7348 (VXLAN); RFC 8926 (GENEVE); RFC 4380
(Teredo); 3GPP TS 29.281 (GTP-U); RFC 2516 (PPPoE); RFC 3032 (MPLS).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import (
    FRAGMENT,
    MALFORMED,
    NOT_IP,
    OK,
    PACKET,
    R_DEPTH,
    R_IP4,
    R_IP4_TOTAL,
    R_IP6,
    R_IP6_EXT,
    R_LINK,
    R_TCP,
    R_TUNNEL,
    R_UDP,
    R_VERSION,
    T_4IN6,
    T_6IN4,
    T_ERSPAN,
    T_GENEVE,
    T_GRE,
    T_GTP,
    T_IPIP,
    T_MPLS,
    T_PPPOE,
    T_TEREDO,
    T_VXLAN,
    UNKNOWN_LINK,
)

MAX_LAYERS: Final = 24
"""More headers than this in one frame are refused: real stacks stay below ten."""

# What the loop of `_walk` reads next.
_ETHERNET, _ETHERTYPE, _IP, _PPP, _GRE, _TRANSPORT, _DONE = range(7)


@kernel
def _u16(buffer: Any, at: int) -> int:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _u32(buffer: Any, at: int) -> int:
    return (
        (np.int64(buffer[at]) << 24)
        | (np.int64(buffer[at + 1]) << 16)
        | (np.int64(buffer[at + 2]) << 8)
        | np.int64(buffer[at + 3])
    )


@kernel
def _u64(buffer: Any, at: int) -> Any:
    value = np.uint64(0)
    for i in range(8):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + i])
    return value


@kernel
def _link_layer(buffer: Any, at: int, end: int, link: int) -> tuple[int, int, int]:
    """(what to read next, where, ethertype or protocol); -1 = cut, -2 = link type not decoded."""
    if link == 1:
        return _ETHERNET, at, 0
    if link in (12, 14, 101, 228, 229):
        return _IP, at, 0
    if link in (0, 108):  # NULL in the capturing host's byte order, LOOP in network order
        return (_IP, at + 4, 0) if at + 4 <= end else (-1, at, 0)
    if link == 113:  # LINUX_SLL
        return (_ETHERTYPE, at + 16, _u16(buffer, at + 14)) if at + 16 <= end else (-1, at, 0)
    if link == 276:  # LINUX_SLL2
        return (_ETHERTYPE, at + 20, _u16(buffer, at)) if at + 20 <= end else (-1, at, 0)
    if link == 104 or link == 50:  # Cisco HDLC, or PPP in HDLC-like framing
        if at + 4 > end:
            return -1, at, 0
        if buffer[at] == 0xFF and buffer[at + 1] == 0x03:
            return _PPP, at + 2, 0
        if buffer[at] == 0x0F or buffer[at] == 0x8F:
            return _ETHERTYPE, at + 4, _u16(buffer, at + 2)
        return (_PPP, at, 0) if link == 50 else (-2, at, 0)
    if link == 9:
        if at + 2 <= end and buffer[at] == 0xFF and buffer[at + 1] == 0x03:
            return _PPP, at + 2, 0
        return _PPP, at, 0
    if link == 51:  # PPPoE session without its Ethernet header
        return (_PPP, at + 6, 0) if at + 6 <= end else (-1, at, 0)
    return -2, at, 0


@kernel
def _udp_tunnel(
    buffer: Any, at: int, end: int, wire_end: int, src: int, dst: int
) -> tuple[int, int, int, int]:
    """(what to read next, where, tunnel, tunnel id) of a UDP payload that is a tunnel; (-1, ...) if it is none.

    A port alone does not make a tunnel: its header and the first inner nibble must fit too.
    """
    room = end - at
    if dst == 2152 or src == 2152:
        if room >= 9 and (buffer[at] & 0xF0) == 0x30 and buffer[at + 1] == 0xFF:
            inner = at + 8
            if buffer[at] & 0x07:  # sequence, N-PDU or extension field present: four more octets
                extension = buffer[at + 11] if room >= 12 else 0
                inner += 4
                while extension != 0 and (buffer[at] & 0x04):
                    if inner >= end or buffer[inner] == 0:
                        return -1, at, 0, 0
                    step = np.int64(buffer[inner]) * 4
                    if inner + step > end:
                        return -1, at, 0, 0
                    extension = buffer[inner + step - 1]
                    inner += step
            if inner < end and (buffer[inner] >> 4) in (4, 6):
                return _IP, inner, T_GTP, _u32(buffer, at + 4)
    elif dst in (4789, 8472):
        if room >= 22 and (buffer[at] & 0x7F) == 0x08:  # the VNI flag, with or without group policy
            return _ETHERNET, at + 8, T_VXLAN, _u32(buffer, at + 4) >> 8
    elif dst == 6081:
        if room >= 8 and (buffer[at] >> 6) == 0:
            inner = at + 8 + np.int64(buffer[at] & 0x3F) * 4
            kind = _u16(buffer, at + 2)
            vni = _u32(buffer, at + 4) >> 8
            if inner < end and kind == 0x6558:
                return _ETHERNET, inner, T_GENEVE, vni
            if inner < end and kind in (0x0800, 0x86DD):
                return _IP, inner, T_GENEVE, vni
    elif dst == 3544 or src == 3544:
        inner = at
        if room >= 4 and buffer[inner] == 0 and buffer[inner + 1] == 1:  # authentication
            inner += 13 + np.int64(buffer[at + 2]) + np.int64(buffer[at + 3])
        if inner + 8 <= end and buffer[inner] == 0 and buffer[inner + 1] == 0:  # origin indication
            inner += 8
        if (
            inner + 40 <= end
            and (buffer[inner] >> 4) == 6
            and 40 + _u16(buffer, inner + 4) <= wire_end - inner
        ):
            return _IP, inner, T_TEREDO, 0
    return -1, at, 0, 0


@kernel
def _gre(buffer: Any, at: int, end: int) -> tuple[int, int, int, int]:
    """(what to read next, where, ethertype, tunnel) behind a GRE header; -1 = cut, -2 = unknown payload."""
    if at + 4 > end:
        return -1, at, 0, 0
    flags = _u16(buffer, at)
    kind = _u16(buffer, at + 2)
    inner = at + 4
    if flags & 0x8000 or flags & 0x4000:  # checksum or (RFC 1701) routing: checksum and offset are there
        inner += 4
    if flags & 0x2000:
        inner += 4
    if flags & 0x1000:
        inner += 4
    if flags & 0x0007 == 1 and flags & 0x0080:  # version 1 (PPTP): acknowledgement
        inner += 4
    if inner > end:
        return -1, at, 0, 0
    if kind == 0x880B:
        if flags & 0x0007 == 1 and not flags & 0x1000:
            return -2, at, 0, 0  # no sequence number: an acknowledgement alone (RFC 2637 4.1)
        if inner + 2 <= end and buffer[inner] == 0xFF and buffer[inner + 1] == 0x03:
            inner += 2
        return _PPP, inner, 0, T_GRE
    if kind == 0x6558:
        return _ETHERNET, inner, 0, T_GRE
    if kind == 0x88BE:  # ERSPAN I has no header of its own and no GRE sequence number
        return _ETHERNET, inner + (8 if flags & 0x1000 else 0), 0, T_ERSPAN
    if kind == 0x22EB:
        if inner + 12 > end:
            return -1, at, 0, 0
        return _ETHERNET, inner + 12 + (8 if buffer[inner + 11] & 0x01 else 0), 0, T_ERSPAN
    if kind in (0x0800, 0x86DD, 0x8847, 0x8848, 0x8100):
        return _ETHERTYPE, inner, kind, T_GRE
    return -2, at, 0, 0


@kernel
def _ip6_extensions(buffer: Any, at: int, end: int, protocol: int) -> tuple[int, int, int, int]:
    """Walk IPv6 extension headers: (protocol, where its header is, fragment offset field or -1, identification).

    protocol -1: an extension header is cut.
    """
    fragment, identification = -1, 0
    for _ in range(12):
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
            fragment = _u16(buffer, at + 2)
            identification = _u32(buffer, at + 4) & 0xFFFF
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
def _walk(buffer: Any, at: int, end: int, wire_end: int, link: int, row: Any) -> None:
    """Read one frame's headers into `row`. `end` is where the captured bytes stop, `wire_end` where the frame did."""
    row.vlan = -1
    row.status = NOT_IP
    layer, at, kind = _link_layer(buffer, at, end, link)
    if layer < 0:
        row.status = MALFORMED if layer == -1 else UNKNOWN_LINK
        row.reason = R_LINK if layer == -1 else 0
        return
    for _ in range(MAX_LAYERS):
        if layer == _ETHERNET:
            if at + 14 > end:
                row.status, row.reason = MALFORMED, R_LINK
                return
            kind = _u16(buffer, at + 12)
            at += 14
            layer = _ETHERTYPE
        elif layer == _ETHERTYPE:
            if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
                if at + 4 > end:
                    row.status, row.reason = MALFORMED, R_LINK
                    return
                if row.vlan < 0:
                    row.vlan = _u16(buffer, at) & 0x0FFF
                kind = _u16(buffer, at + 2)
                at += 4
            elif kind in (0x0800, 0x86DD):
                layer = _IP
            elif kind in (0x8847, 0x8848):
                bottom = False
                for _label in range(16):
                    if at + 4 > end:
                        row.status, row.reason = MALFORMED, R_LINK
                        return
                    if row.tunnel == 0:
                        row.tunnel, row.tunnel_id = T_MPLS, _u32(buffer, at) >> 12
                    bottom = (buffer[at + 2] & 1) == 1
                    at += 4
                    if bottom:
                        break
                if not bottom or at >= end:
                    return
                if (buffer[at] >> 4) in (4, 6):
                    layer = _IP
                elif (buffer[at] >> 4) == 0 and at + 4 < end:  # pseudowire control word, then Ethernet
                    at += 4
                    layer = _ETHERNET
                else:
                    layer = _ETHERNET
            elif kind == 0x8864:
                if at + 6 > end:
                    row.status, row.reason = MALFORMED, R_LINK
                    return
                if row.tunnel == 0:
                    row.tunnel, row.tunnel_id = T_PPPOE, _u16(buffer, at + 2)
                at += 6
                layer = _PPP
            elif kind == 0x88E7:  # PBB (802.1ah): I-TAG, then the customer's frame
                at += 4
                layer = _ETHERNET
            else:
                return
        elif layer == _PPP:
            if at + 2 > end:
                row.status, row.reason = MALFORMED, R_LINK
                return
            if buffer[at] & 1:  # protocol field compression
                kind, at = np.int64(buffer[at]), at + 1
            else:
                kind, at = _u16(buffer, at), at + 2
            if kind in (0x0021, 0x0057):
                layer = _IP
            elif kind == 0x0281:
                layer, kind = _ETHERTYPE, 0x8847
            else:
                return
        elif layer == _IP:
            row.network, row.transport = at, -1
            if at >= end:
                row.status, row.reason = MALFORMED, R_IP4
                return
            version = buffer[at] >> 4
            if version == 4:
                if at + 20 > end:
                    row.status, row.reason = MALFORMED, R_IP4
                    return
                header = np.int64(buffer[at] & 0x0F) * 4
                if header < 20 or at + header > end:
                    row.status, row.reason = MALFORMED, R_IP4
                    return
                total = _u16(buffer, at + 2)
                if total == 0:  # segmentation offload on the capturing host: the frame says how long it was
                    total = wire_end - at
                if total < header:
                    row.status, row.reason = MALFORMED, R_IP4_TOTAL
                    return
                row.ip_version, row.src_hi, row.dst_hi = 4, np.uint64(0), np.uint64(0)
                row.src_lo, row.dst_lo = np.uint64(_u32(buffer, at + 12)), np.uint64(_u32(buffer, at + 16))
                row.ip_id = _u16(buffer, at + 4)
                row.ttl = buffer[at + 8]
                protocol = np.int64(buffer[at + 9])
                fragment = _u16(buffer, at + 6)
                row.more_fragments = (fragment >> 13) & 1
                wire_end = min(wire_end, at + total)
                at += header
                if fragment & 0x1FFF:
                    row.protocol, row.status = protocol, FRAGMENT
                    row.payload_bytes = min(max(0, wire_end - at), 0x7FFFFFFF)
                    return
            elif version == 6:
                if at + 40 > end:
                    row.status, row.reason = MALFORMED, R_IP6
                    return
                row.ip_version = 6
                row.src_hi, row.src_lo = _u64(buffer, at + 8), _u64(buffer, at + 16)
                row.dst_hi, row.dst_lo = _u64(buffer, at + 24), _u64(buffer, at + 32)
                row.ip_id = 0
                row.ttl = buffer[at + 7]
                row.more_fragments = 0
                length = _u16(buffer, at + 4)
                if length:  # 0: a jumbogram, or offload
                    wire_end = min(wire_end, at + 40 + length)
                protocol, at, fragment, identification = _ip6_extensions(
                    buffer, at + 40, min(end, wire_end), np.int64(buffer[at + 6])
                )
                if protocol < 0:
                    row.status, row.reason = MALFORMED, R_IP6_EXT
                    return
                if fragment >= 0:
                    row.ip_id = identification
                    row.more_fragments = fragment & 1
                    if fragment >> 3:
                        row.protocol, row.status = protocol, FRAGMENT
                        row.payload_bytes = min(max(0, wire_end - at), 0x7FFFFFFF)
                        return
            else:
                row.status, row.reason = MALFORMED, R_VERSION
                return
            end = min(end, wire_end)
            row.protocol = protocol
            row.status = OK
            row.src_port, row.dst_port = 0, 0
            if protocol == 4 or protocol == 41:
                inner = 4 if protocol == 4 else 6
                if at < end and (buffer[at] >> 4) == inner:
                    if row.tunnel == 0:
                        if inner == 4:
                            row.tunnel = T_IPIP if version == 4 else T_4IN6
                        else:
                            row.tunnel = T_6IN4 if version == 4 else T_IPIP
                    continue
                layer = _DONE
            elif protocol == 47:
                layer = _GRE
            elif protocol == 51 and at + 8 <= end:  # AH in IPv4: what it covers follows in clear
                row.protocol = np.int64(buffer[at])
                protocol = np.int64(buffer[at])
                at += (np.int64(buffer[at + 1]) + 2) * 4
                layer = _TRANSPORT if at <= end else _DONE
            else:
                layer = _TRANSPORT
        elif layer == _GRE:
            layer, at_inner, kind, tunnel = _gre(buffer, at, end)
            if layer == -1:
                row.status, row.reason = MALFORMED, R_TUNNEL
                return
            if layer == -2:
                layer = _DONE
            else:
                at = at_inner
                if row.tunnel == 0:
                    row.tunnel = tunnel
                row.status = NOT_IP
        elif layer == _TRANSPORT:
            layer = _DONE
            row.transport = at
            protocol = np.int64(row.protocol)
            if protocol == 6:
                if at + 14 > end:
                    row.status, row.reason = MALFORMED, R_TCP
                    return
                header = np.int64(buffer[at + 12] >> 4) * 4
                if header < 20:
                    row.status, row.reason = MALFORMED, R_TCP
                    return
                row.src_port, row.dst_port = _u16(buffer, at), _u16(buffer, at + 2)
                row.seq, row.ack = _u32(buffer, at + 4), _u32(buffer, at + 8)
                row.tcp_flags = buffer[at + 13]
                row.checksum = _u16(buffer, at + 16) if at + 18 <= end else 0
                if at + header > wire_end:
                    row.status, row.reason = MALFORMED, R_TCP
                    return
                at += header
            elif protocol == 17 or protocol == 136:
                if at + 8 > end:
                    row.status, row.reason = MALFORMED, R_UDP
                    return
                row.src_port, row.dst_port = _u16(buffer, at), _u16(buffer, at + 2)
                length = _u16(buffer, at + 4)
                row.checksum = _u16(buffer, at + 6)
                if 8 <= length <= wire_end - at:
                    wire_end = at + length
                    end = min(end, wire_end)
                elif 0 < length < 8:
                    row.status, row.reason = MALFORMED, R_UDP
                    return
                at += 8
                next_layer, inner_at, tunnel, tunnel_id = _udp_tunnel(
                    buffer, at, end, wire_end, np.int64(row.src_port), np.int64(row.dst_port)
                )
                if next_layer >= 0:
                    if row.tunnel == 0:
                        row.tunnel, row.tunnel_id = tunnel, tunnel_id
                    layer, at = next_layer, inner_at
                    row.status = NOT_IP
            elif protocol == 132:
                if at + 12 <= end:
                    row.src_port, row.dst_port = _u16(buffer, at), _u16(buffer, at + 2)
                    at += 12
            elif protocol == 1 or protocol == 58:
                if at + 2 <= end:
                    row.src_port, row.dst_port = _icmp_ports(
                        np.int64(buffer[at]), np.int64(buffer[at + 1]), protocol == 58
                    )
                at = min(at + 8, end)
        else:
            row.payload = min(at, end)
            row.payload_bytes = min(max(0, wire_end - at), 0x7FFFFFFF)
            row.payload_captured = max(0, end - at)
            return
    row.status, row.reason = MALFORMED, R_DEPTH


@kernel
def decode_headers(
    buffer: Any,
    offset: Any,
    captured: Any,
    original: Any,
    ts: Any,
    interface: Any,
    links: Any,
    first_frame: int,
    rows: Any,
) -> None:
    """Fill `rows[i]` for each frame i of a batch. `links[k]` is the link type of interface k."""
    for i in range(len(offset)):
        row = rows[i]
        row.ts = ts[i]
        row.frame = first_frame + i
        row.tunnel = 0
        row.tunnel_id = 0
        row.reason = 0
        row.tcp_flags = 0
        row.ttl = 0
        row.checksum = 0
        row.ip_version = 0
        row.protocol = 0
        row.ip_id = 0
        row.more_fragments = 0
        row.seq = 0
        row.ack = 0
        row.network = -1
        row.transport = -1
        row.payload = offset[i]
        row.payload_bytes = 0
        row.payload_captured = 0
        row.src_port = 0
        row.dst_port = 0
        row.wire_bytes = min(original[i], 0x7FFFFFFF)
        row.cut = captured[i] < original[i]
        end = offset[i] + captured[i]
        _walk(buffer, offset[i], end, max(end, offset[i] + original[i]), links[interface[i]], row)


def decode_batch(batch: Any, links: NDArray[np.int32]) -> NDArray[Any]:
    """Decode a `FrameBatch`: a `PACKET` array with one row a frame, in frame order."""
    rows = np.empty(len(batch.offset), dtype=PACKET)
    decode_headers(
        batch.buffer, batch.offset, batch.captured, batch.original, batch.ts, batch.interface, links,
        batch.first_frame, rows,
    )  # fmt: skip
    return rows


def warm() -> None:
    """Compile the decoder with the argument types it is used with."""
    one = np.zeros(1, np.int64)
    rows = np.empty(1, dtype=PACKET)
    decode_headers(
        np.zeros(64, np.uint8), one, one, one, one, np.zeros(1, np.int32), np.zeros(1, np.int32), 1, rows
    )
