"""The plain twin of the header decoder: one frame, slices and `struct`, written from the RFCs.

It shares no code with wirecover. A `View` is what is left of a frame behind the headers read so far; each
layer is a function from a view to the next, so a tunnel is a call inside a call. Names of fields and numbers
of statuses, reasons and tunnels are those of `capture/packets/record.py`, which is the contract.
"""

import struct
from dataclasses import dataclass, field

OK, NOT_IP, UNKNOWN_LINK, MALFORMED, FRAGMENT = range(5)
(LINK, IP4, IP4_TOTAL, IP6, IP6_EXTENSION, TCP, UDP, VERSION, DEPTH, TUNNEL) = range(1, 11)
(NONE, GRE, IPIP, SIX_IN_FOUR, FOUR_IN_SIX, GTP, VXLAN, GENEVE, TEREDO, ERSPAN, PPPOE, MPLS) = range(12)


class Broken(Exception):  # noqa: N818
    def __init__(self, reason: int) -> None:
        self.reason = reason


@dataclass(frozen=True)
class View:
    data: bytes
    """Captured bytes from here on."""
    wire: int
    """Bytes on the wire from here on: at least as many."""
    start: int = 0
    """Where in the frame this is."""

    def need(self, count: int, reason: int) -> bytes:
        if len(self.data) < count:
            raise Broken(reason)
        return self.data[:count]

    def behind(self, count: int) -> "View":
        return View(self.data[count:], self.wire - count, self.start + count)

    def limit(self, count: int) -> "View":
        """The first `count` bytes: what follows is padding, or belongs to somebody else."""
        return self if count >= self.wire else View(self.data[:count], count, self.start)


@dataclass
class Row:
    status: int = NOT_IP
    reason: int = 0
    vlan: int = -1
    tunnel: int = NONE
    tunnel_id: int = 0
    ip_version: int = 0
    source: bytes = b""
    target: bytes = b""
    protocol: int = 0
    src_port: int = 0
    dst_port: int = 0
    ip_id: int = 0
    more_fragments: int = 0
    seq: int = 0
    ack: int = 0
    tcp_flags: int = 0
    checksum: int = 0
    payload: int = 0
    payload_bytes: int = 0
    payload_captured: int = 0
    headers: list[str] = field(default_factory=list)
    """What was passed, outermost first."""

    def enter(self, tunnel: int, number: int = 0) -> None:
        if self.tunnel == NONE:
            self.tunnel, self.tunnel_id = tunnel, number


def dissect(data: bytes, wire: int, link: int) -> Row:
    """One frame of `data` captured bytes and `wire` bytes on the wire."""
    row = Row()
    try:
        _link(row, View(data, max(wire, len(data))), link)
    except Broken as broken:
        row.status, row.reason = MALFORMED, broken.reason
    return row


def _link(row: Row, view: View, link: int) -> None:
    """https://www.tcpdump.org/linktypes.html"""
    data = view.data
    address_and_control = data[:2] == b"\xff\x03"
    if link == 1:
        _ethernet(row, view)
    elif link in (12, 14, 101, 228, 229):
        _ip(row, view)
    elif link in (0, 108):
        view.need(4, LINK)
        _ip(row, view.behind(4))
    elif link == 113:
        _ethertype(row, view.behind(16), struct.unpack("!14xH", view.need(16, LINK))[0])
    elif link == 276:
        _ethertype(row, view.behind(20), struct.unpack("!H18x", view.need(20, LINK))[0])
    elif link == 9:
        _ppp(row, view.behind(2) if address_and_control else view)
    elif link in (50, 104):
        view.need(4, LINK)
        if address_and_control:
            _ppp(row, view.behind(2))
        elif data[0] in (0x0F, 0x8F):  # Cisco HDLC: unicast, broadcast
            _ethertype(row, view.behind(4), struct.unpack("!2xH", data[:4])[0])
        elif link == 50:
            _ppp(row, view)
        else:
            row.status = UNKNOWN_LINK
    elif link == 51:
        view.need(6, LINK)
        _ppp(row, view.behind(6))
    else:
        row.status = UNKNOWN_LINK


def _ethernet(row: Row, view: View) -> None:
    row.headers.append("ethernet")
    _ethertype(row, view.behind(14), struct.unpack("!12xH", view.need(14, LINK))[0])


def _ethertype(row: Row, view: View, kind: int) -> None:
    if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
        row.headers.append("vlan")
        tag, inner = struct.unpack("!HH", view.need(4, LINK))
        if row.vlan < 0:
            row.vlan = tag & 0xFFF
        _ethertype(row, view.behind(4), inner)
    elif kind in (0x0800, 0x86DD):
        _ip(row, view)
    elif kind in (0x8847, 0x8848):
        _mpls(row, view)
    elif kind == 0x8864:
        _, _, session, _ = struct.unpack("!BBHH", view.need(6, LINK))
        row.enter(PPPOE, session)
        _ppp(row, view.behind(6))
    elif kind == 0x88E7:
        _ethernet(row, view.behind(4))


def _mpls(row: Row, view: View) -> None:
    """RFC 3032: a stack of labels, the last one marked; RFC 4385 for the control word."""
    row.headers.append("mpls")
    for _ in range(16):
        (entry,) = struct.unpack("!I", view.need(4, LINK))
        row.enter(MPLS, entry >> 12)
        view = view.behind(4)
        if entry & 0x100:
            break
    else:
        return
    if not view.data:
        return
    nibble = view.data[0] >> 4
    if nibble in (4, 6):
        _ip(row, view)
    elif nibble == 0 and len(view.data) > 4:
        _ethernet(row, view.behind(4))
    else:
        _ethernet(row, view)


def _ppp(row: Row, view: View) -> None:
    row.headers.append("ppp")
    data = view.need(2, LINK)
    compressed = data[0] & 1
    protocol = data[0] if compressed else int.from_bytes(data, "big")
    view = view.behind(1 if compressed else 2)
    if protocol in (0x21, 0x57):
        _ip(row, view)
    elif protocol == 0x281:
        _mpls(row, view)


def _ip(row: Row, view: View) -> None:
    row.headers.append("ip")
    version = view.need(1, IP4)[0] >> 4
    if version == 4:
        _ip4(row, view)
    elif version == 6:
        _ip6(row, view)
    else:
        raise Broken(VERSION)


def _ip4(row: Row, view: View) -> None:
    """RFC 791"""
    first, total, ident, fragment, protocol, source, target = struct.unpack(
        "!BxHHHxB2x4s4s", view.need(20, IP4)
    )
    header = (first & 15) * 4
    if header < 20:
        raise Broken(IP4)
    view.need(header, IP4)
    total = total or view.wire  # segmentation offload
    if total < header:
        raise Broken(IP4_TOTAL)
    row.ip_version, row.source, row.target = 4, source, target
    row.ip_id, row.more_fragments = ident, fragment >> 13 & 1
    body = view.limit(total).behind(header)
    if fragment & 0x1FFF:
        _later_fragment(row, body, protocol)
    else:
        _upper(row, body, protocol)


def _ip6(row: Row, view: View) -> None:
    """RFC 8200"""
    length, following, source, target = struct.unpack("!4xHBx16s16s", view.need(40, IP6))
    row.ip_version, row.source, row.target, row.ip_id, row.more_fragments = 6, source, target, 0, 0
    body = view.behind(40)
    if length:
        body = body.limit(length)
    for _ in range(12):
        if following in (0, 43, 60, 135, 139, 140):
            following, units = struct.unpack("!BB", body.need(8, IP6_EXTENSION)[:2])
            size = 8 + 8 * units
        elif following == 51:
            following, units = struct.unpack("!BB", body.need(8, IP6_EXTENSION)[:2])
            size = 8 + 4 * units
        elif following == 44:
            following, offset, row.ip_id = struct.unpack("!BxHxxH", body.need(8, IP6_EXTENSION))
            size = 8
            row.more_fragments = offset & 1
            if offset >> 3:
                _later_fragment(row, body.behind(8), following)
                return
        else:
            break
        body.need(size, IP6_EXTENSION)
        body = body.behind(size)
    _upper(row, body, following)


def _later_fragment(row: Row, body: View, protocol: int) -> None:
    row.status, row.protocol, row.payload_bytes = FRAGMENT, protocol, max(0, body.wire)


def _upper(row: Row, body: View, protocol: int) -> None:
    row.status, row.protocol = OK, protocol
    row.src_port = row.dst_port = 0
    outer = row.ip_version
    if protocol in (4, 41):
        inner = 4 if protocol == 4 else 6
        if body.data and body.data[0] >> 4 == inner:
            row.enter({(4, 4): IPIP, (6, 6): IPIP, (4, 6): SIX_IN_FOUR, (6, 4): FOUR_IN_SIX}[outer, inner])
            _ip(row, body)
            return
    elif protocol == 47:
        _gre(row, body)
        return
    elif protocol == 51 and len(body.data) >= 8:  # IPv4: what AH covers follows in clear (RFC 4302)
        row.protocol = body.data[0]
        size = 8 + 4 * body.data[1]
        if size > len(body.data):
            _payload(row, body.behind(size))
            return
        body = body.behind(size)
        protocol = row.protocol
    {6: _tcp, 17: _udp, 136: _udp, 132: _sctp, 1: _icmp, 58: _icmp}.get(protocol, _payload)(row, body)


def _gre(row: Row, view: View) -> None:
    """RFC 2784, 2890; version 1: RFC 2637"""
    row.headers.append("gre")
    flags, kind = struct.unpack("!HH", view.need(4, TUNNEL))
    size = 4
    if flags & 0xC000:
        size += 4
    size += 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000)
    if flags & 7 == 1:
        size += 4 * bool(flags & 0x80)
    view.need(size, TUNNEL)
    inner = view.behind(size)
    if kind == 0x880B:
        row.enter(GRE)
        row.status = NOT_IP
        _ppp(row, inner.behind(2) if inner.data[:2] == b"\xff\x03" else inner)
    elif kind == 0x6558:
        row.enter(GRE)
        row.status = NOT_IP
        _ethernet(row, inner)
    elif kind == 0x88BE:
        row.enter(ERSPAN)
        row.status = NOT_IP
        _ethernet(row, inner.behind(8 if flags & 0x1000 else 0))
    elif kind == 0x22EB:
        more = inner.need(12, TUNNEL)[11] & 1
        row.enter(ERSPAN)
        row.status = NOT_IP
        _ethernet(row, inner.behind(20 if more else 12))
    elif kind in (0x0800, 0x86DD, 0x8847, 0x8848, 0x8100):
        row.enter(GRE)
        row.status = NOT_IP
        _ethertype(row, inner, kind)
    else:
        _payload(row, view)


def _tcp(row: Row, view: View) -> None:
    """RFC 9293 3.1; of a cut segment the first 14 bytes say all that is used."""
    row.headers.append("tcp")
    ports_to_flags = view.need(14, TCP)
    source, target, seq, ack, offset, flags = struct.unpack("!HHIIBB", ports_to_flags)
    size = (offset >> 4) * 4
    if size < 20 or size > view.wire:
        raise Broken(TCP)
    row.src_port, row.dst_port, row.seq, row.ack, row.tcp_flags = source, target, seq, ack, flags
    if len(view.data) >= 18:
        (row.checksum,) = struct.unpack("!16xH", view.data[:18])
    _payload(row, view.behind(size))


def _udp(row: Row, view: View) -> None:
    """RFC 768; a length of 0 is an IPv6 jumbogram's (RFC 2675 4) or segmentation offload."""
    row.headers.append("udp")
    row.src_port, row.dst_port, length, row.checksum = struct.unpack("!HHHH", view.need(8, UDP))
    if 0 < length < 8:
        raise Broken(UDP)
    if 8 <= length <= view.wire:
        view = view.limit(length)
    body = view.behind(8)
    if not (_gtp(row, body) or _vxlan(row, body) or _geneve(row, body) or _teredo(row, body)):
        _payload(row, body)


def _inside(row: Row, tunnel: int, number: int = 0) -> None:
    row.headers.append("udp tunnel")
    row.enter(tunnel, number)
    row.status = NOT_IP


def _gtp(row: Row, view: View) -> bool:
    """3GPP TS 29.281 5.1: version 1, GTP (not GTP'), G-PDU; extension headers in units of four octets"""
    if 2152 not in (row.src_port, row.dst_port) or len(view.data) < 9:
        return False
    flags, kind, _, teid = struct.unpack("!BBHI", view.data[:8])
    if flags & 0xF0 != 0x30 or kind != 255:
        return False
    inner = view.behind(8)
    if flags & 7:
        following = inner.data[3] if len(inner.data) > 3 and flags & 4 else 0
        inner = inner.behind(4)
        while following:
            size = 4 * inner.data[0] if inner.data else 0
            if size == 0 or size > len(inner.data):
                return False
            following = inner.data[size - 1]
            inner = inner.behind(size)
    if not inner.data or inner.data[0] >> 4 not in (4, 6):
        return False
    _inside(row, GTP, teid)
    _ip(row, inner)
    return True


def _vxlan(row: Row, view: View) -> bool:
    """RFC 7348 5: only the I flag is set; an Ethernet frame follows"""
    if 2152 in (row.src_port, row.dst_port) or row.dst_port not in (4789, 8472):
        return False
    if len(view.data) < 22 or view.data[0] != 8:
        return False
    _inside(row, VXLAN, int.from_bytes(view.data[4:7], "big"))
    _ethernet(row, view.behind(8))
    return True


def _geneve(row: Row, view: View) -> bool:
    """RFC 8926 3.4"""
    if 2152 in (row.src_port, row.dst_port) or row.dst_port != 6081 or len(view.data) < 8:
        return False
    first, kind, vni = struct.unpack("!BxHI", view.data[:8])
    if first >> 6:
        return False
    inner = view.behind(8 + 4 * (first & 63))
    if not inner.data or kind not in (0x6558, 0x0800, 0x86DD):
        return False
    _inside(row, GENEVE, vni >> 8)
    if kind == 0x6558:
        _ethernet(row, inner)
    else:
        _ip(row, inner)
    return True


def _teredo(row: Row, view: View) -> bool:
    """RFC 4380 5.1.1: authentication and origin indication may stand before the IPv6 packet"""
    if 2152 in (row.src_port, row.dst_port) or row.dst_port in (4789, 8472, 6081):
        return False
    if 3544 not in (row.src_port, row.dst_port):
        return False
    inner = view
    if len(inner.data) >= 4 and inner.data[:2] == b"\0\1":
        inner = inner.behind(4 + inner.data[2] + inner.data[3] + 9)
    if len(inner.data) >= 8 and inner.data[:2] == b"\0\0":
        inner = inner.behind(8)
    if len(inner.data) < 40 or inner.data[0] >> 4 != 6:
        return False
    if 40 + int.from_bytes(inner.data[4:6], "big") > inner.wire:
        return False
    _inside(row, TEREDO)
    _ip(row, inner)
    return True


def _sctp(row: Row, view: View) -> None:
    if len(view.data) >= 12:
        row.src_port, row.dst_port = struct.unpack("!HH", view.data[:4])
        view = view.behind(12)
    _payload(row, view)


# Types that have a counterpart: https://github.com/corelight/community-id-spec (ICMP)
PAIRS_4 = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10}
PAIRS_6 = {
    128: 129,
    129: 128,
    130: 131,
    131: 130,
    133: 134,
    134: 133,
    135: 136,
    136: 135,
    139: 140,
    140: 139,
    144: 145,
    145: 144,
}


def _icmp(row: Row, view: View) -> None:
    pairs = PAIRS_6 if row.protocol == 58 else PAIRS_4
    if len(view.data) >= 2:
        kind, code = view.data[0], view.data[1]
        row.src_port, row.dst_port = kind, pairs.get(kind, code)
    _payload(row, view.behind(min(8, len(view.data))))


def _payload(row: Row, view: View) -> None:
    row.payload_bytes = max(0, view.wire)
    row.payload_captured = len(view.data)
    row.payload = view.start
