"""The plain twin of the header decoder: one frame, slices and `struct`, written from the RFCs.

It shares no code with wirecover. A `View` is what is left of a frame behind the headers read so far; each
layer is a function from a view to the next, so a tunnel is a call inside a call. Names of fields and numbers
of statuses, reasons and tunnels are those of `capture/packets/record.py`, which is the contract.
"""

import struct
from dataclasses import dataclass, field

OK, NOT_IP, UNKNOWN_LINK, MALFORMED, FRAGMENT, PROTECTED, PART = range(7)
(LINK, IP4, IP4_TOTAL, IP6, IP6_EXTENSION, TCP, UDP, VERSION, DEPTH, TUNNEL, FCS, WIFI_KEY, MACSEC_KEY,
 AGGREGATE, PORTS) = range(1, 16)  # fmt: skip
(NONE, GRE, IPIP, SIX_IN_FOUR, FOUR_IN_SIX, GTP, VXLAN, GENEVE, TEREDO, ERSPAN, PPPOE, MPLS, PBB, CAPWAP, TZSP, GPE,
 L2TP, NSH, VLAN, WIFI, DLCI) = range(21)  # fmt: skip
NETWORKS = (VXLAN, GENEVE, GPE, PBB)


class Broken(Exception):  # noqa: N818
    def __init__(self, reason: int, status: int = MALFORMED) -> None:
        self.reason = reason
        self.status = status


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


@dataclass(frozen=True)
class Layer:
    kind: int
    number: int
    sort: str
    source: bytes
    target: bytes
    src_port: int
    dst_port: int


@dataclass
class Row:
    status: int = NOT_IP
    reason: int = 0
    vlan: int = -1
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
    fragment: int = -1
    """Where the outermost IP header is that belongs to a fragment of several."""
    stack: list[Layer] = field(default_factory=list)
    carrier: tuple[str, bytes, bytes] = ("", b"", b"")
    """What carries the next header: sort of address, source, target."""
    resume: tuple[View, list[Layer], int] | None = None
    """Payload, layers and VLAN of the IP packet that the last tunnel stands in."""

    def enter(self, kind: int, number: int = -1) -> None:
        sort, source, target = self.carrier
        ports = (self.src_port, self.dst_port) if sort == "ip" and self.protocol == 17 else (-1, -1)
        self.stack.append(Layer(kind, number, sort, source, target, *ports))

    @property
    def layers(self) -> int:
        return len(self.stack)

    @property
    def outermost(self) -> Layer | None:
        return next((one for one in self.stack if one.kind <= NSH), None)

    @property
    def tunnel(self) -> int:
        return self.outermost.kind if self.outermost else NONE

    @property
    def tunnel_id(self) -> int:
        return max(0, self.outermost.number) if self.outermost else 0

    @property
    def segment(self) -> int:
        found = 0
        for one in self.stack:
            if one.kind in NETWORKS:
                tag = one.kind * 2**24 + one.number
                found = (found * 16777619 ^ tag) % 2**32 if found else tag
        return found


def dissect(data: bytes, wire: int, link: int) -> Row:
    """One frame of `data` captured bytes and `wire` bytes on the wire."""
    row = Row()
    try:
        _link(row, View(data, max(wire, len(data))), link)
    except Broken as broken:
        row.status, row.reason = broken.status, broken.reason
        if row.status == MALFORMED and row.fragment >= 0 and len(data) >= wire:
            row.status, row.reason, row.payload_bytes = FRAGMENT, 0, 0
    if row.status == NOT_IP and row.resume is not None:
        view, row.stack, row.vlan = row.resume
        row.status = OK
        _payload(row, view)
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
        device, kind = struct.unpack("!2xH10xH", view.need(16, LINK))
        _cooked(row, view.behind(16), device, kind)
    elif link == 276:
        kind, device = struct.unpack("!H6xH10x", view.need(20, LINK))
        _cooked(row, view.behind(20), device, kind)
    elif link in (9, 204):
        if link == 204:
            view = view.behind(1)
            address_and_control = view.data[:2] == b"\xff\x03"
        if view.data[:1] in (b"\x0f", b"\x8f") and len(view.data) >= 4:
            _hdlc(row, view, 104)
        else:
            _ppp(row, view.behind(2) if address_and_control else view)
    elif link in (50, 104, 205):
        _hdlc(row, view.behind(1) if link == 205 else view, link)
    elif link == 51:
        view.need(6, LINK)
        _ppp(row, view.behind(6))
    elif link == 166:
        view.need(2, LINK)
        _ppp(row, view.behind(2))
    elif link in _LINKS:
        _LINKS[link](row, view)
    elif row.resume is None and not row.stack:
        row.status = UNKNOWN_LINK


def _strange(row: Row) -> None:
    """A header that is not known: of the link itself only if nothing was passed yet."""
    if row.resume is None and not row.stack and not row.ip_version:
        row.status = UNKNOWN_LINK


def _hdlc(row: Row, view: View, link: int) -> None:
    data = view.need(4, LINK)
    if data[:2] == b"\xff\x03":
        _ppp(row, view.behind(2))
    elif data[0] in (0x0F, 0x8F):  # Cisco HDLC: unicast, broadcast
        _ethertype(row, view.behind(4), struct.unpack("!2xH", data[:4])[0])
    elif link == 50:
        _ppp(row, view)
    else:
        _strange(row)


def _cooked(row: Row, view: View, device: int, kind: int) -> None:
    """Device: ARPHRD_ of linux/if_arp.h; kind below 0x600: ETH_P_ of linux/if_ether.h"""
    if device in (801, 802, 803):
        {801: _wifi, 802: _prism, 803: _radiotap}[device](row, view)
    elif kind == 4:
        _llc(row, view)
    elif kind != 1:
        _ethertype(row, view, kind)


def _prism(row: Row, view: View) -> None:
    data = view.need(12, LINK)
    if int.from_bytes(data[:4], "big") >> 12 == 0x80211:
        _avs(row, view)
        return
    order = "little" if data[0] else "big"
    _behind_radio(row, view, int.from_bytes(data[4:8], order))


def _avs(row: Row, view: View) -> None:
    data = view.need(12, LINK)
    if int.from_bytes(data[:4], "big") >> 12 == 0x80211:
        _behind_radio(row, view, int.from_bytes(data[4:8], "big"))
    else:
        _strange(row)


def _behind_radio(row: Row, view: View, size: int) -> None:
    if size < 8:
        raise Broken(LINK)
    view.need(size, LINK)
    _wifi(row, view.behind(size))


def _radiotap(row: Row, view: View) -> None:
    """https://www.radiotap.org: presence words first, then the fields, each aligned to its size"""
    version, size, present = struct.unpack("<BxHI", view.need(8, LINK))
    if version:
        _strange(row)
        return
    if size < 8:
        raise Broken(LINK)
    header = view.need(size, LINK)
    at, more = 8, present
    while more & 1 << 31 and at + 4 <= size:
        (more,) = struct.unpack_from("<I", header, at)
        at += 4
    if present & 1:
        at += -at % 8 + 8
    flags = header[at] if present & 2 and at < size else 0
    if flags & 0x40:
        raise Broken(FCS)
    _wifi(row, view.behind(size), bool(flags & 0x20))


def _ppi(row: Row, view: View) -> None:
    size, link = struct.unpack("<2xHI", view.need(12, LINK)[:8])
    if size < 8:
        raise Broken(LINK)
    view.need(size, LINK)
    _link(row, view.behind(size), link)


def _pktap(row: Row, view: View) -> None:
    size, kind, link = struct.unpack("<III", view.need(12, LINK))
    if size < 12:
        raise Broken(LINK)
    view.need(size, LINK)
    if kind == 1:
        _link(row, view.behind(size), link)


def _nflog(row: Row, view: View) -> None:
    if view.need(4, LINK)[1]:
        _strange(row)
        return
    view = view.behind(4)
    for _ in range(64):
        if len(view.data) < 4:
            return
        order = ">" if view.data[2] == 0 and view.data[3] else "<"
        size, kind = struct.unpack(order + "HH", view.data[:4])
        if size < 4:
            raise Broken(LINK)
        if kind == 9:
            _ip(row, view.behind(4))
            return
        view = view.behind(size + -size % 4)


def _sunatm(row: Row, view: View) -> None:
    kind = view.need(4, LINK)[0] & 15
    if kind == 2:
        _llc(row, view.behind(4), 2)
    elif kind == 1:
        _ethernet(row, view.behind(6))


def _fddi(row: Row, view: View) -> None:
    if view.need(13, LINK)[0] >> 4 == 5:
        _llc(row, view.behind(13))


def _firewire(row: Row, view: View) -> None:
    _ethertype(row, view.behind(18), struct.unpack("!16xH", view.need(18, LINK))[0])


def _token_ring(row: Row, view: View) -> None:
    """IEEE 802.5 3.2; 802.1D C.3.3.2 (the route's length counts its own two octets)"""
    head = view.need(14, LINK)
    if head[1] >> 6 != 1:
        return
    routed = head[8] & 0x80 and len(view.data) > 14
    _llc(row, view.behind(14 + (view.data[14] & 31 if routed else 0)))


def _infiniband(row: Row, view: View) -> None:
    """https://www.tcpdump.org/linktypes/LINKTYPE_IPOIB.html; RFC 4391 6"""
    _ethertype(row, view.behind(44), struct.unpack("!40xH2x", view.need(44, LINK))[0])


def _enc(row: Row, view: View) -> None:
    view.need(12, LINK)
    _ip(row, view.behind(12))


def _pflog(row: Row, view: View) -> None:
    size = view.need(1, LINK)[0]
    size += -size % 4
    view.need(size, LINK)
    if size:
        _ip(row, view.behind(size))
    else:
        _strange(row)


_LINKS = {
    10: lambda row, view: _fddi(row, view),
    100: lambda row, view: _llc(row, view, 2),
    105: lambda row, view: _wifi(row, view),
    107: lambda row, view: _frame_relay(row, view),
    109: lambda row, view: _enc(row, view),
    117: lambda row, view: _pflog(row, view),
    119: lambda row, view: _prism(row, view),
    123: lambda row, view: _sunatm(row, view),
    127: lambda row, view: _radiotap(row, view),
    138: lambda row, view: _firewire(row, view),
    163: lambda row, view: _avs(row, view),
    192: lambda row, view: _ppi(row, view),
    206: lambda row, view: _frame_relay(row, view.behind(1)),
    219: lambda row, view: _mpls(row, view),
    239: lambda row, view: _nflog(row, view),
    240: lambda row, view: _ethernet(row, view.behind(4)),
    242: _infiniband,
    6: _token_ring,
    241: lambda row, view: _ethernet(row, view.behind(12)),
    258: lambda row, view: _pktap(row, view),
    274: lambda row, view: _ethernet(row, view.behind(8)),
}


def _llc(row: Row, view: View, padding: int = 0) -> None:
    """802.2; RFC 2684 5.2 has padding before bridged Ethernet frames"""
    row.headers.append("llc")
    data = view.need(3, LINK)
    if data == b"\xaa\xaa\x03":
        _snap(row, view.behind(3), padding)
    elif data == b"\x06\x06\x03":
        _ip(row, view.behind(3))
    elif data == b"\xfe\xfe\x03":
        _nlpid(row, view.behind(3))


def _snap(row: Row, view: View, padding: int = 0) -> None:
    data = view.need(5, LINK)
    kind = int.from_bytes(data[3:], "big")
    if data[:3] in (b"\0\0\0", b"\0\0\xf8"):
        _ethertype(row, view.behind(5), kind)
    elif data[:3] == b"\0\x80\xc2" and kind in (1, 7):
        _ethernet(row, view.behind(5 + padding))


def _nlpid(row: Row, view: View) -> None:
    row.headers.append("nlpid")
    if view.data[:1] == b"\0":
        view = view.behind(1)
    kind = view.need(1, LINK)[0]
    if kind in (0xCC, 0x8E):
        _ip(row, view.behind(1))
    elif kind == 0x80:
        _snap(row, view.behind(1))
    elif kind == 0xCF:
        _ppp(row, view.behind(1))


def _frame_relay(row: Row, view: View) -> None:
    """Q.922 3.2: bit 1 of the last octet is set; the DLCI is spread over 6, 4, then 6 or 7 and 6 bits"""
    row.headers.append("frame relay")
    size = 1 + next((i for i, octet in enumerate(view.data[:4]) if octet & 1), min(len(view.data), 4))
    view.need(size + 2, LINK)
    if not 2 <= size <= 4:
        _strange(row)
        return
    bits = "".join(f"{octet:08b}" for octet in view.data[:size])
    dlci = bits[0:6] + bits[8:12]
    if size == 3:
        dlci += bits[16:22]
    elif size == 4:
        dlci += bits[16:23] + bits[24:30]
    row.carrier, kept = ("", b"", b""), row.carrier
    row.enter(DLCI, int(dlci, 2))
    row.carrier = kept
    view = view.behind(size)
    if view.data[0] == 3:
        _nlpid(row, view.behind(1))
    else:
        _ethertype(row, view.behind(2), int.from_bytes(view.data[:2], "big"))


def _wifi(row: Row, view: View, padded: bool = False, swapped: bool = False) -> None:
    """IEEE 802.11-2020 9.2.4.1 (frame control), 9.3.2 (data frames), 9.3.2.2 (A-MSDU)"""
    row.headers.append("802.11")
    control, flags = view.need(2, LINK)
    if swapped and control & 15 != 8 and flags & 15 == 8:
        control, flags = flags, control
    version, kind, subtype = control & 3, control >> 2 & 3, control >> 4
    if version or kind != 2 or subtype & 4:
        return
    size = 24 + 6 * (flags & 3 == 3)
    aggregate = mesh = False
    if subtype & 8:
        quality = view.need(size + 2, LINK)[size:]
        aggregate, mesh = bool(quality[0] & 0x80), bool(quality[1] & 1)
        size += 2 + 4 * (flags >> 7)
    header = view.need(size, LINK)
    if header[22] & 15:
        return
    first, second, third, fourth = header[4:10], header[10:16], header[16:22], header[24:30]
    target, source, bssid = {
        0: (first, second, third), 1: (third, second, first), 2: (first, third, second), 3: (third, fourth, b""),
    }[flags & 3]  # fmt: skip
    row.carrier = ("mac", source, target)
    row.enter(WIFI, int.from_bytes(bssid, "big") if bssid else -1)
    body = view.behind(size + (-size % 4 if padded else 0))

    def clear(skip: int) -> bool:
        return body.data[skip : skip + 6] == b"\xaa\xaa\x03\0\0\0" and len(body.data) >= skip + 8

    if mesh and body.data and body.data[0] <= 2 and clear(6 + 6 * body.data[0]):
        """9.2.4.8.3: flags, hop count, sequence number, and up to two more addresses"""
        if body.data[0] == 2:
            row.carrier = ("mac", body.data[12:18], body.data[6:12])
        body = body.behind(6 + 6 * body.data[0])
    if flags & 0x40:
        offset = next((skip for skip in (0, 8, 4) if clear(skip)), None)
        if offset is None:
            raise Broken(WIFI_KEY, PROTECTED)
        body = body.behind(offset)
    if aggregate and not clear(0):
        inner = body.need(14, LINK)
        row.carrier = ("mac", inner[6:12], inner[:6])
        taken = 14 + int.from_bytes(inner[12:], "big")
        if taken + -taken % 4 + 14 <= len(body.data):
            row.reason = AGGREGATE
        body = body.behind(14)
    _llc(row, body)


def _ethernet(row: Row, view: View) -> None:
    row.headers.append("ethernet")
    target, source, kind = struct.unpack("!6s6sH", view.need(14, LINK))
    row.carrier = ("mac", source, target)
    if kind < 0x600:
        _llc(row, view.behind(14))
    else:
        _ethertype(row, view.behind(14), kind)


def _ethertype(row: Row, view: View, kind: int) -> None:
    if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
        row.headers.append("vlan")
        tag, inner = struct.unpack("!HH", view.need(4, LINK))
        row.enter(VLAN, tag & 0xFFF)
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
        (tag,) = struct.unpack("!I", view.need(4, LINK))
        row.enter(PBB, tag & 0xFFFFFF)
        _ethernet(row, view.behind(4))
    elif kind == 0x894F:
        _nsh(row, view)
    elif kind == 0x8903:
        row.headers.append("fabricpath")
        view.need(2, LINK)
        _ethernet(row, view.behind(2))
    elif kind == 0x8870:
        _llc(row, view)
    elif kind in (0x8926, 0x893F):
        row.headers.append("tag")
        size = 6 if kind == 0x8926 else 8
        _ethertype(row, view.behind(size), int.from_bytes(view.need(size, LINK)[-2:], "big"))
    elif kind == 0x88E5:
        """IEEE 802.1AE 9.3: TCI, length, packet number, and an SCI where bit SC is set"""
        row.headers.append("macsec")
        control = view.need(1, LINK)[0]
        if control & 12:
            raise Broken(MACSEC_KEY, PROTECTED)
        size = 6 + 8 * (control >> 5 & 1) + 2
        _ethertype(row, view.behind(size), int.from_bytes(view.need(size, LINK)[-2:], "big"))


def _nsh(row: Row, view: View) -> None:
    """RFC 8300 2.2, 2.3"""
    row.headers.append("nsh")
    first, following, path = struct.unpack("!HxBI", view.need(8, LINK))
    size = 4 * (first & 63)
    if first >> 14 or size < 8:
        return
    row.enter(NSH, path >> 8)
    {1: _ip, 2: _ip, 3: _ethernet, 5: _mpls}.get(following, lambda row, view: None)(row, view.behind(size))


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
    row.ip_id = ident
    if fragment & 0x3FFF:
        row.more_fragments |= fragment >> 13 & 1
        row.fragment = view.start if row.fragment < 0 else row.fragment
    body = view.limit(total).behind(header)
    if fragment & 0x1FFF:
        _later_fragment(row, body, protocol)
    else:
        _upper(row, body, protocol)


def _ip6(row: Row, view: View) -> None:
    """RFC 8200"""
    length, following, source, target = struct.unpack("!4xHBx16s16s", view.need(40, IP6))
    row.ip_version, row.source, row.target, row.ip_id = 6, source, target, 0
    body = view.behind(40)
    if length:
        body = body.limit(length)
    for _ in range(256):
        if following in (0, 43, 60, 135, 139, 140):
            following, units = struct.unpack("!BB", body.need(8, IP6_EXTENSION)[:2])
            size = 8 + 8 * units
        elif following == 51:
            following, units = struct.unpack("!BB", body.need(8, IP6_EXTENSION)[:2])
            size = 8 + 4 * units
        elif following == 44:
            following, offset, row.ip_id = struct.unpack("!BxHxxH", body.need(8, IP6_EXTENSION))
            size = 8
            row.more_fragments |= offset & 1
            if row.fragment < 0 and (offset >> 3 or offset & 1):
                row.fragment = view.start
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
    row.carrier = ("ip", row.source, row.target)
    if protocol == 51 and row.ip_version == 4 and len(body.data) >= 8:
        # what an authentication header covers follows in clear (RFC 4302)
        protocol, size = body.data[0], 8 + 4 * body.data[1]
        if size > len(body.data):
            row.status, row.protocol = OK, protocol
            row.src_port = row.dst_port = 0
            _payload(row, body.behind(size))
            return
        body = body.behind(size)
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
    {6: _tcp, 17: _udp, 136: _udp, 132: _sctp, 1: _icmp, 58: _icmp}.get(protocol, _payload)(row, body)


def _gre(row: Row, view: View) -> None:
    """RFC 2784, 2890; version 1: RFC 2637"""
    row.headers.append("gre")
    flags, kind = struct.unpack("!HH", view.need(4, TUNNEL))
    if flags & 0x4000:  # RFC 2784 2.3: to be discarded by who does not do RFC 1701
        _payload(row, view)
        return
    at, key = 4 + 4 * bool(flags & 0x8000), -1
    if flags & 0x2000:
        key = int.from_bytes(view.need(at + 4, TUNNEL)[at:], "big")
        at += 4
    at += 4 * bool(flags & 0x1000)
    if flags & 7 == 1:
        key = key % 2**16 if key >= 0 else -1  # the call; before it stands the payload's length
        at += 4 * bool(flags & 0x80)
    view.need(at, TUNNEL)
    inner = view.behind(at)
    if kind == 0x880B and flags & 0x1007 != 1:
        _inside(row, view, GRE, key)
        _ppp(row, inner.behind(2) if inner.data[:2] == b"\xff\x03" else inner)
    elif kind == 0x6558:
        _inside(row, view, GRE, key)
        _ethernet(row, inner)
    elif kind == 0x6559:
        _inside(row, view, GRE, key)
        _frame_relay(row, inner)
    elif kind == 0x88BE and not flags & 0x1000:
        _inside(row, view, ERSPAN)
        _ethernet(row, inner)
    elif kind == 0x88BE:
        (session,) = struct.unpack("!2xH4x", inner.need(8, TUNNEL))
        _inside(row, view, ERSPAN, session % 1024)
        _ethernet(row, inner.behind(8))
    elif kind == 0x22EB:
        session, types, last = struct.unpack("!2xH6xBB", inner.need(12, TUNNEL))
        _inside(row, view, ERSPAN, session % 1024)
        inner = inner.behind(20 if last & 1 else 12)
        if types >> 2 & 31 == 2:
            _ip(row, inner)
        else:
            _ethernet(row, inner)
    elif kind == 0x883E:
        first = inner.need(1, TUNNEL)[0]
        _inside(row, view, GRE, key)
        _ip(row, inner if first >> 4 == 4 else inner.behind(4))
    elif kind == 0x894F:
        _inside(row, view, GRE, key)
        _nsh(row, inner)
    elif kind in (0x0800, 0x86DD, 0x8847, 0x8848, 0x8100, 0x88A8):
        _inside(row, view, GRE, key)
        _ethertype(row, inner, kind)
    else:
        _payload(row, view)


def _ports_at_least(row: Row, view: View, wanted: int, size: int) -> None:
    """Of a header that was whole on the wire the recorder kept the ports, not all that is wanted."""
    if 4 <= len(view.data) < wanted and view.wire >= size and row.fragment < 0:
        row.src_port, row.dst_port = struct.unpack("!HH", view.data[:4])
        raise Broken(PORTS, PART)


def _tcp(row: Row, view: View) -> None:
    """RFC 9293 3.1; of a cut segment the first 14 bytes say all that is used."""
    row.headers.append("tcp")
    _ports_at_least(row, view, 14, 20)
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
    _ports_at_least(row, view, 8, 8)
    row.src_port, row.dst_port, length, row.checksum = struct.unpack("!HHHH", view.need(8, UDP))
    if 0 < length < 8:
        raise Broken(UDP)
    if 8 <= length <= view.wire:
        view = view.limit(length)
    body = view.behind(8)
    if 2152 in (row.src_port, row.dst_port):
        done = _gtp(row, body)
    elif row.dst_port in (4789, 8472):
        done = _vxlan(row, body)
    elif row.dst_port == 4790:
        done = _gpe(row, body)
    elif row.dst_port == 6081:
        done = _geneve(row, body)
    elif 3544 in (row.src_port, row.dst_port):
        done = _teredo(row, body)
    elif 5247 in (row.src_port, row.dst_port):
        done = _capwap(row, body)
    elif row.dst_port == 37008:
        done = _tzsp(row, body)
    elif 1701 in (row.src_port, row.dst_port):
        done = _l2tp(row, body)
    else:
        done = False
    if not done:
        _payload(row, body)


def _inside(row: Row, view: View, tunnel: int, number: int = -1) -> None:
    """A tunnel begins in `view`, which is a payload as well."""
    row.headers.append("tunnel")
    row.resume = (view, list(row.stack), row.vlan)
    row.enter(tunnel, number)
    row.status = NOT_IP


def _gtp(row: Row, view: View) -> bool:
    """3GPP TS 29.281 5.1: version 1, GTP (not GTP'), G-PDU; extension headers in units of four octets"""
    if len(view.data) < 9:
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
    _inside(row, view, GTP, teid)
    _ip(row, inner)
    return True


def _vxlan(row: Row, view: View) -> bool:
    """RFC 7348 5: only the I flag is set; an Ethernet frame follows"""
    if len(view.data) < 22 or view.data[0] != 8:
        return False
    _inside(row, view, VXLAN, int.from_bytes(view.data[4:7], "big"))
    _ethernet(row, view.behind(8))
    return True


def _geneve(row: Row, view: View) -> bool:
    """RFC 8926 3.4"""
    if len(view.data) < 8:
        return False
    first, kind, vni = struct.unpack("!BxHI", view.data[:8])
    if first >> 6:
        return False
    inner = view.behind(8 + 4 * (first & 63))
    if not inner.data or kind not in (0x6558, 0x0800, 0x86DD):
        return False
    _inside(row, view, GENEVE, vni >> 8)
    if kind == 0x6558:
        _ethernet(row, inner)
    else:
        _ip(row, inner)
    return True


def _teredo(row: Row, view: View) -> bool:
    """RFC 4380 5.1.1: authentication and origin indication may stand before the IPv6 packet"""
    inner = view
    if len(inner.data) >= 4 and inner.data[:2] == b"\0\1":
        inner = inner.behind(4 + inner.data[2] + inner.data[3] + 9)
    if len(inner.data) >= 8 and inner.data[:2] == b"\0\0":
        inner = inner.behind(8)
    if len(inner.data) < 40 or inner.data[0] >> 4 != 6:
        return False
    if 40 + int.from_bytes(inner.data[4:6], "big") > inner.wire:
        return False
    if inner.data[6] == 59:  # 2.8: a bubble
        return False
    if inner.data[6] == 58 and inner.data[40:41] in (
        b"\x85",
        b"\x86",
    ):  # 5.2.1: qualification, with the server
        return False
    _inside(row, view, TEREDO)
    _ip(row, inner)
    return True


def _gpe(row: Row, view: View) -> bool:
    """draft-ietf-nvo3-vxlan-gpe 3.1: version 0, I and P set, B allowed, O not"""
    if len(view.data) < 9:
        return False
    flags, following, vni = struct.unpack("!BxxBI", view.data[:8])
    if flags & 0b00111101 != 0b00001100:
        return False
    readers = {1: _ip, 2: _ip, 3: _ethernet, 4: _nsh}
    if following not in readers or view.data[8] >> 4 != {1: 4, 2: 6}.get(following, view.data[8] >> 4):
        return False
    _inside(row, view, GPE, vni >> 8)
    readers[following](row, view.behind(8))
    return True


def _capwap(row: Row, view: View) -> bool:
    """RFC 5415 4.2, 4.3: preamble, then HLEN(5) RID(5) WBID(5) T F L W M K Flags(3)"""
    if len(view.data) < 9 or view.data[0]:
        return False
    bits = f"{int.from_bytes(view.data[1:4], 'big'):024b}"
    size, radio, binding = 4 * int(bits[:5], 2), int(bits[5:10], 2), int(bits[10:15], 2)
    native, fragment, keep_alive = bits[15] == "1", bits[16] == "1", bits[20] == "1"
    if size < 8 or size >= len(view.data) or fragment or keep_alive or (native and binding != 1):
        return False
    _inside(row, view, CAPWAP, radio)
    if native:
        _wifi(row, view.behind(size), swapped=True)
    else:
        _ethernet(row, view.behind(size))
    return True


def _tzsp(row: Row, view: View) -> bool:
    if len(view.data) < 5 or view.data[0] != 1 or view.data[1] > 1:
        return False
    kind, at = int.from_bytes(view.data[2:4], "big"), 4
    for _ in range(64):
        tag = view.data[at : at + 2]
        if not tag or (tag[0] > 1 and len(tag) < 2):
            return False
        at += 2 + tag[1] if tag[0] > 1 else 1
        if tag[0] == 1:
            break
    else:
        return False
    inner = view.behind(at)
    if not inner.data or kind not in (1, 18, 119, 127):
        return False
    _inside(row, view, TZSP)
    {1: _ethernet, 18: _wifi, 119: _prism, 127: _avs}[kind](row, inner)
    return True


def _l2tp(row: Row, view: View) -> bool:
    """RFC 2661 3.1, and of PPP only IP: T Lxx SxOP xxxx Ver"""
    if len(view.data) < 6:
        return False
    bits = f"{int.from_bytes(view.data[:2], 'big'):016b}"
    if bits[0] == "1" or "1" in bits[2:4] + bits[5] + bits[8:12] or bits[12:] != "0010":
        return False
    inner = view.behind(4 if bits[1] == "1" else 2)
    if len(inner.data) < 4:
        return False
    session = int.from_bytes(inner.data[:4], "big")
    inner = inner.behind(4 + 4 * int(bits[4]))
    if bits[6] == "1":
        if len(inner.data) < 2:
            return False
        inner = inner.behind(2 + int.from_bytes(inner.data[:2], "big"))
    if inner.data[:2] == b"\xff\x03":
        inner = inner.behind(2)
    if len(inner.data) < 3:
        return False
    compressed = inner.data[0] & 1
    protocol = inner.data[0] if compressed else int.from_bytes(inner.data[:2], "big")
    version = inner.data[1 if compressed else 2] >> 4
    if (protocol, version) not in ((0x21, 4), (0x57, 6)):
        return False
    _inside(row, view, L2TP, session)
    _ppp(row, inner)
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
