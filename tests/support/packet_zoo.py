"""One frame of every kind the decoder knows, crafted by scapy: what is inside is known from the crafting."""

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6ND_RS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1AD, Dot1AH, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

A, B = "10.1.2.3", "192.0.2.77"
SIX_A, SIX_B = "2001:db8::1", "2001:db8:1::77"
TEXT = b"payload of the test"


@dataclass(frozen=True)
class Specimen:
    name: str
    data: bytes
    link: int
    expected: dict[str, Any]
    sized: bool = True
    """The headers say where the payload ends, so padding can be told from it."""


def _ether(**more: Any) -> Packet:
    """With both addresses given: scapy would ask the network for one that is missing."""
    return Ether(src="02:01:01:01:01:01", dst="02:02:02:02:02:02", **more)


def _udp(sport: int = 1111, dport: int = 2222) -> Packet:
    return UDP(sport=sport, dport=dport) / Raw(TEXT)


def _tcp() -> Packet:
    return TCP(sport=3333, dport=443, seq=7, ack=9, flags="PA", options=[("MSS", 1460), ("NOP", None)]) / Raw(
        TEXT
    )


_V4: dict[str, Any] = {"status": 0, "ip_version": 4, "src_lo": 0x0A010203, "dst_lo": 0xC000024D, "src_hi": 0}
_V6: dict[str, Any] = {
    "status": 0,
    "ip_version": 6,
    "src_hi": 0x20010DB800000000,
    "src_lo": 1,
    "dst_lo": 0x77,
}
_U: dict[str, Any] = {
    "protocol": 17,
    "src_port": 1111,
    "dst_port": 2222,
    "payload": TEXT,
    "payload_bytes": len(TEXT),
}
_T: dict[str, Any] = {
    "protocol": 6,
    "src_port": 3333,
    "dst_port": 443,
    "seq": 7,
    "ack": 9,
    "tcp_flags": 24,
    "payload": TEXT,
    "payload_bytes": len(TEXT),
}


def _four() -> Packet:
    return IP(src=A, dst=B, id=77)


def _six(**more: Any) -> Packet:
    return IPv6(src=SIX_A, dst=SIX_B, **more)


_Made = tuple[str, Packet | bytes, int, dict[str, Any]]
_SNAP = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800)
_STATION, _ACCESS, _OTHER = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def _wifi(**more: Any) -> Packet:
    """A data frame on its way up, unless said otherwise."""
    return Dot11(**({"type": 2, "subtype": 0, "FCfield": 1, "addr1": _ACCESS, "addr2": _STATION, "addr3": _OTHER}
                    | more))  # fmt: skip


def _links(inner4: Packet, inner6: Packet) -> list[_Made]:
    quality = _wifi(subtype=8) / Dot11QoS()
    wifi = _V4 | _U | {"layers": 1, "tunnel": None}
    raw4 = bytes(inner4)
    aggregate = bytes(_ether(type=len(raw4) + 8)) + bytes(_SNAP) + raw4
    return [
        ("802.3 snap", Dot3(src=_STATION, dst=_OTHER) / _SNAP / inner4, 1, _V4 | _U | {"layers": 0}),
        ("802.3 spanning tree", Dot3(src=_STATION, dst=_OTHER) / LLC(dsap=0x42, ssap=0x42, ctrl=3), 1, {"status": 1}),
        ("802.11", _wifi() / _SNAP / inner4, 105, wifi),
        ("802.11 quality", quality / _SNAP / inner4, 105, wifi),
        ("802.11 four addresses", _wifi(FCfield=3, addr4=_STATION) / _SNAP / inner4, 105, wifi),
        ("802.11 down", _wifi(FCfield=2) / _SNAP / inner4, 105, wifi),
        ("802.11 direct", _wifi(FCfield=0) / _SNAP / inner4, 105, wifi),
        ("802.11 beacon", _wifi(type=0, subtype=8) / Raw(bytes(40)), 105, {"status": 1}),
        ("802.11 null", _wifi(subtype=4), 105, {"status": 1}),
        ("802.11 protected", _wifi(FCfield=0x41) / Raw(bytes(range(90))), 105, {"status": 5, "reason": 12}),
        ("802.11 decrypted", _wifi(FCfield=0x41) / Raw(bytes(8)) / _SNAP / inner4, 105, wifi),
        ("802.11 aggregate", bytes(_wifi(subtype=8)) + b"\x80\0" + aggregate, 105, wifi),
        ("802.11 aggregate of two", bytes(_wifi(subtype=8)) + b"\x80\0" + aggregate + bytes(-len(aggregate) % 4)
         + aggregate, 105, wifi | {"reason": 14}),
        ("802.11 mesh", bytes(_wifi(FCfield=3, addr4=_STATION, subtype=8)) + b"\0\1" + b"\0\x20" + bytes(4)
         + bytes(_SNAP) + raw4, 105, wifi),
        ("802.11 mesh proxy", bytes(_wifi(FCfield=3, addr4=_STATION, subtype=8)) + b"\0\1" + b"\2\x20" + bytes(16)
         + bytes(_SNAP) + raw4, 105, wifi),
        ("802.11 mesh bit outside of a mesh", bytes(_wifi(subtype=8)) + b"\0\1" + bytes(_SNAP) + raw4, 105, wifi),
        ("radiotap", RadioTap(present="TSFT+Flags", mac_timestamp=5, Flags=0) / quality / _SNAP / inner4, 127, wifi),
        (
            "radiotap padding",
            RadioTap(present="Flags", Flags=0x20) / Raw(bytes(quality) + bytes(2)) / _SNAP / inner4,
            127,
            wifi,
        ),
        (
            "radiotap wrong checksum",
            RadioTap(present="Flags", Flags=0x40) / quality / _SNAP / inner4,
            127,
            {"status": 3, "reason": 11},
        ),
        ("prism", struct.pack("<II", 0x44, 144) + bytes(136) + bytes(_wifi() / _SNAP / inner4), 119, wifi),
        ("avs", struct.pack(">II", 0x80211001, 64) + bytes(56) + bytes(_wifi() / _SNAP / inner4), 163, wifi),
        ("ppi", struct.pack("<BBHI", 0, 0, 8, 105) + bytes(_wifi() / _SNAP / inner4), 192, wifi),
        ("ppi ethernet", struct.pack("<BBHI", 0, 0, 12, 1) + bytes(4) + bytes(_ether() / inner6), 192, _V6 | _U),
        ("pktap", struct.pack("<III", 108, 1, 1) + bytes(96) + bytes(_ether() / inner4), 258, _V4 | _U),
        (
            "nflog",
            struct.pack(">BBH", 2, 0, 5) + struct.pack("<HHI", 8, 1, 7) + struct.pack("<HH", 4 + len(raw4), 9) + raw4,
            239,
            _V4 | _U,
        ),
        (
            "nflog big",
            struct.pack(">BBH", 10, 0, 5) + struct.pack(">HH", 7, 10) + b"eth\0" + struct.pack(">HH", 64, 9)
            + bytes(inner6),
            239,
            _V6 | _U,
        ),
        ("frame relay", b"\x18\x41\x03\xcc" + raw4, 107, _V4 | _U | {"layers": 1, "tunnel": None}),
        ("frame relay snap", b"\x18\x41\x03\0\x80\0\0\0\x86\xdd" + bytes(inner6), 107, _V6 | _U),
        ("frame relay cisco", b"\x18\x41\x08\0" + raw4, 107, _V4 | _U),
        ("frame relay long", b"\x18\x40\x02\x05\x03\x8e" + bytes(inner6), 107, _V6 | _U),
        ("frame relay bridged", b"\x18\x41\x03\0\x80\0\x80\xc2\0\x07" + bytes(_ether() / inner4), 107, _V4 | _U),
        ("atm", b"\xaa\xaa\x03\0\0\0\x08\0" + raw4, 100, _V4 | _U),
        ("atm bridged", b"\xaa\xaa\x03\0\x80\xc2\0\x07\0\0" + bytes(_ether() / inner4), 100, _V4 | _U),
        ("sunatm", b"\x02\x01\0\x05\xaa\xaa\x03\0\0\0\x86\xdd" + bytes(inner6), 123, _V6 | _U),
        ("fddi", b"\x50" + bytes(12) + bytes(_SNAP) + raw4, 10, _V4 | _U),
        ("firewire", bytes(16) + b"\x08\0" + raw4, 138, _V4 | _U),
        ("enc", struct.pack("<III", 2, 7, 0) + raw4, 109, _V4 | _U),
        ("pflog", b"\x3d\x02" + bytes(62) + raw4, 117, _V4 | _U),
        ("pppd", b"\0\x03\0\x21" + raw4, 166, _V4 | _U),
        ("ppp direction", b"\x01\xff\x03\0\x57" + bytes(inner6), 204, _V6 | _U),
        ("cisco direction", b"\x01\x0f\0\x08\0" + raw4, 205, _V4 | _U),
        ("mpls link", MPLS(label=7, s=1) / inner4, 219, _V4 | _U | {"tunnel": "mpls", "tunnel_id": 7}),
        ("mpacket", b"\x55" * 7 + b"\xd5" + bytes(_ether() / inner4), 274, _V4 | _U),
        ("netanalyzer", bytes(4) + bytes(_ether() / inner4), 240, _V4 | _U),
        ("sll monitor", struct.pack("!HHH8sH", 0, 803, 6, bytes(8), 4)
         + bytes(RadioTap(present="Flags", Flags=0) / _wifi() / _SNAP / inner4), 113, wifi),
        ("sll llc", struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 4) + bytes(_SNAP) + raw4, 113, _V4 | _U),
    ]  # fmt: skip


def _tunnels(inner4: Packet, inner6: Packet, outer: Packet) -> list[_Made]:
    raw4 = bytes(inner4)
    nsh = struct.pack("!HBBI", 0x0FC6, 2, 1, 0x00012303) + bytes(16)

    def udp(dport: int) -> Packet:
        return _ether() / outer / UDP(sport=9, dport=dport)

    return [
        (
            "pbb",
            _ether(type=0x88A8) / Dot1Q(vlan=5, type=0x88E7) / Dot1AH(isid=0x1234) / _ether() / Dot1Q(vlan=9) / inner4,
            1,
            _V4 | _U | {"tunnel": "pbb", "tunnel_id": 0x1234, "vlan": 5, "layers": 3, "segment": 12 << 24 | 0x1234},
        ),
        ("fabricpath", _ether(type=0x8903) / Raw(b"\x40\x20") / _ether() / inner4, 1, _V4 | _U),
        ("vn-tag", _ether(type=0x8926) / Raw(bytes(4) + b"\x08\0") / inner4, 1, _V4 | _U),
        ("e-tag", _ether(type=0x893F) / Raw(bytes(6) + b"\x86\xdd") / inner6, 1, _V6 | _U),
        ("nsh", _ether(type=0x894F) / Raw(nsh + raw4), 1, _V4 | _U | {"tunnel": "nsh", "tunnel_id": 0x123}),
        ("macsec", _ether(type=0x88E5) / Raw(b"\x2c\0" + bytes(60)), 1, {"status": 5, "reason": 13}),
        ("macsec in clear", _ether(type=0x88E5) / Raw(b"\x20\0" + bytes(12) + b"\x08\0" + raw4), 1, _V4 | _U),
        ("gre key", _ether() / outer / GRE(key_present=1, key=77) / inner4, 1,
         _V4 | _U | {"tunnel": "gre", "tunnel_id": 77}),
        ("gre routes", _ether() / outer / GRE(routing_present=1) / inner4, 1, {"status": 0, "protocol": 47}),
        ("gre frame relay", _ether() / outer / GRE(proto=0x6559) / Raw(b"\x18\x41\x03\xcc" + raw4), 1,
         _V4 | _U | {"layers": 2}),
        ("gre wccp", _ether() / outer / GRE(proto=0x883E) / Raw(bytes(4) + raw4), 1, _V4 | _U),
        ("gre arp", _ether() / outer / GRE(proto=0x6558) / _ether() / ARP(psrc=A, pdst=B), 1,
         {"status": 0, "protocol": 47, "tunnel": None, "layers": 0, "src_lo": 0xAC100001}),
        ("erspan 2 session", _ether() / outer / GRE(proto=0x88BE, seqnum_present=1)
         / Raw(b"\x10\x05\xfd\x23" + bytes(4)) / _ether() / inner4, 1, _V4 | _U | {"tunnel_id": 0x123}),
        ("erspan 3 ip", _ether() / outer / GRE(proto=0x22EB, seqnum_present=1)
         / Raw(b"\x20\x05\xfd\x23" + bytes(6) + b"\x08\x01" + bytes(8)) / inner4, 1,
         _V4 | _U | {"tunnel": "erspan", "tunnel_id": 0x123}),
        ("gpe", udp(4790) / Raw(struct.pack("!BxxBI", 12, 1, 77 << 8)) / inner4, 1,
         _V4 | _U | {"tunnel": "vxlan-gpe", "tunnel_id": 77}),
        ("gpe nsh", udp(4790) / Raw(struct.pack("!BxxBI", 12, 4, 77 << 8) + nsh) / inner4, 1, _V4 | _U | {"layers": 2}),
        ("vxlan arp", udp(4789) / VXLAN(flags=8, vni=7) / _ether() / ARP(psrc=A, pdst=B), 1,
         {"status": 0, "protocol": 17, "src_port": 9, "tunnel": None, "segment": 0}),
        ("capwap", udp(5247) / Raw(b"\0\x10\x42\0" + bytes(4)) / _ether() / inner4, 1,
         _V4 | _U | {"tunnel": "capwap", "tunnel_id": 1}),
        ("capwap 802.11", udp(5247) / Raw(b"\0\x10\x43\0" + bytes(4)) / _wifi() / _SNAP / inner6, 1,
         _V6 | _U | {"layers": 2}),
        ("capwap swapped", udp(5247) / Raw(b"\0\x10\x43\0" + bytes(4) + b"\x01\x08" + bytes(_wifi())[2:]) / _SNAP
         / inner4, 1, _V4 | _U | {"layers": 2}),
        ("capwap keep-alive", udp(5247) / Raw(b"\0\x10\x42\x08" + bytes(30)), 1, {"status": 0, "dst_port": 5247}),
        ("tzsp", udp(37008) / Raw(b"\1\0\0\1\x0a\1\x55\0\1") / _ether() / inner4, 1, _V4 | _U | {"tunnel": "tzsp"}),
        ("tzsp 802.11", udp(37008) / Raw(b"\1\0\0\x12\1") / _wifi() / _SNAP / inner4, 1, _V4 | _U | {"layers": 2}),
        ("l2tp", udp(1701) / Raw(struct.pack("!HHHHH", 0x4202, 60, 3, 4, 2) + b"\0\0\xff\x03\0\x21" + raw4), 1,
         _V4 | _U | {"tunnel": "l2tp", "tunnel_id": 3 << 16 | 4}),
        ("l2tp signalling", udp(1701) / Raw(struct.pack("!HHHH", 2, 3, 4, 0xC021) + bytes(20)), 1,
         {"status": 0, "dst_port": 1701}),
        ("teredo bubble", udp(3544) / IPv6(src=SIX_A, dst=SIX_B, nh=59), 1, {"status": 0, "dst_port": 3544}),
        ("teredo solicitation", udp(3544) / IPv6(src=SIX_A, dst=SIX_B) / ICMPv6ND_RS(), 1,
         {"status": 0, "dst_port": 3544}),
        ("authenticated tunnel", _ether() / IP(src="172.16.0.1", dst="172.16.0.2", proto=51)
         / AH(nh=4, payloadlen=4, icv=bytes(12), padding=b"") / inner4, 1, _V4 | _U | {"tunnel": "ipip"}),
        ("fragment of a tunnel", _ether() / IP(src="172.16.0.1", dst="172.16.0.2", flags="MF", id=4)
         / UDP(sport=2152, dport=2152, len=900) / GTP_U_Header(teid=5) / inner4, 1,
         _V4 | {"src_port": 1111, "more_fragments": 1, "tunnel": "gtp-u"}),
        ("fragment too short", _ether() / IP(src=A, dst=B, flags="MF", id=4, proto=6) / Raw(bytes(8)), 1,
         {"status": 4, "more_fragments": 1}),
    ]  # fmt: skip


@cache
def _zoo() -> tuple[Specimen, ...]:
    inner4, inner6 = _four() / _udp(), _six() / _udp()
    outer = IP(src="172.16.0.1", dst="172.16.0.2", id=5)
    outer6 = IPv6(src="fd00::1", dst="fd00::2")
    made: list[tuple[str, Packet | bytes, int, dict[str, Any]]] = [
        (
            "ethernet tcp",
            _ether() / _four() / _tcp(),
            1,
            _V4 | _T | {"vlan": -1, "ip_id": 77, "tunnel": None},
        ),
        ("ethernet udp", _ether() / _four() / _udp(), 1, _V4 | _U),
        (
            "ip options",
            _ether() / IP(src=A, dst=B, options=[IPOption_RR(routers=["1.2.3.4"])]) / _udp(),
            1,
            _V4 | _U,
        ),
        ("vlan", _ether() / Dot1Q(vlan=42) / _four() / _tcp(), 1, _V4 | _T | {"vlan": 42}),
        ("qinq", _ether() / Dot1AD(vlan=7) / Dot1Q(vlan=42) / _six() / _tcp(), 1, _V6 | _T | {"vlan": 7}),
        (
            "mpls",
            _ether(type=0x8847) / MPLS(label=5, s=0) / MPLS(label=6, s=1) / inner4,
            1,
            _V4 | _U | {"tunnel": "mpls", "tunnel_id": 5},
        ),
        (
            "mpls pseudowire",
            _ether(type=0x8847) / MPLS(label=9, s=1) / Raw(bytes(4)) / _ether() / inner4,
            1,
            _V4 | _U,
        ),
        (
            "pppoe",
            _ether() / PPPoE(sessionid=300) / PPP() / inner4,
            1,
            _V4 | _U | {"tunnel": "pppoe", "tunnel_id": 300},
        ),
        ("pppoe six", _ether() / PPPoE(sessionid=1) / PPP() / inner6, 1, _V6 | _U),
        ("arp", _ether() / ARP(psrc=A, pdst=B), 1, {"status": 1}),
        ("ppp", b"\xff\x03\x00\x21" + bytes(inner4), 9, _V4 | _U),
        ("ppp without address", b"\x00\x57" + bytes(inner6), 9, _V6 | _U),
        ("ppp compressed", b"\x21" + bytes(inner4), 9, _V4 | _U),
        ("token ring", b"\x10\x40" + bytes(12) + bytes(_SNAP) + bytes(inner4), 6, _V4 | _U),
        (
            "token ring with a route",
            b"\x10\x40" + bytes(6) + b"\x80" + bytes(5) + b"\6\0\0\x11\0\x20" + bytes(_SNAP) + bytes(inner4),
            6,
            _V4 | _U,
        ),
        ("token ring management", b"\x10\x00" + bytes(30), 6, {"status": 1}),
        ("infiniband", bytes(40) + b"\x86\xdd\0\0" + bytes(inner6), 242, _V6 | _U),
        ("cisco hdlc as ppp", b"\x0f\x00\x08\x00" + bytes(inner4), 9, _V4 | _U),
        ("cisco hdlc broadcast as ppp", b"\x8f\x00\x86\xdd" + bytes(inner6), 9, _V6 | _U),
        ("ppp hdlc", b"\xff\x03\x00\x21" + bytes(inner4), 50, _V4 | _U),
        ("cisco hdlc", b"\x0f\x00\x08\x00" + bytes(inner4), 104, _V4 | _U),
        (
            "pppoe link",
            struct.pack("!BBHHH", 0x11, 0, 3, len(inner4) + 2, 0x21) + bytes(inner4),
            51,
            _V4 | _U,
        ),
        ("sll", struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x0800) + bytes(inner4), 113, _V4 | _U),
        (
            "sll vlan",
            struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x8100) + b"\x00\x2a\x86\xdd" + bytes(inner6),
            113,
            _V6 | _U | {"vlan": 42},
        ),
        ("sll2", struct.pack("!HHIHBB8s", 0x86DD, 0, 2, 1, 0, 6, bytes(8)) + bytes(inner6), 276, _V6 | _U),
        ("null little", struct.pack("<I", 2) + bytes(inner4), 0, _V4 | _U),
        ("null big", struct.pack(">I", 30) + bytes(inner6), 0, _V6 | _U),
        ("loop", Loopback(type=2) / inner4, 108, _V4 | _U),
        ("raw four", inner4, 101, _V4 | _U),
        ("raw six", inner6, 101, _V6 | _U),
        ("link ipv4", inner4, 228, _V4 | _U),
        ("link ipv6", inner6, 229, _V6 | _U),
        ("an unknown link", bytes(60), 147, {"status": 2}),
        (
            "six of thirty extensions",
            _ether() / _six(nh=60) / Raw(b"\x3c\0\1\4\0\0\0\0" * 29 + b"\x11\0\1\4\0\0\0\0") / _udp(),
            1,
            _V6 | _U,
        ),
        (
            "six extensions",
            _ether()
            / _six()
            / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 12)])
            / IPv6ExtHdrRouting(addresses=["::1"])
            / IPv6ExtHdrDestOpt()
            / _tcp(),
            1,
            _V6 | _T,
        ),
        (
            "six first fragment",
            _ether() / _six() / IPv6ExtHdrFragment(m=1, id=0x12345, nh=17) / _udp(),
            1,
            _V6 | {"protocol": 17, "src_port": 1111, "dst_port": 2222, "more_fragments": 1, "ip_id": 0x2345},
        ),
        (
            "six later fragment",
            _ether() / _six() / IPv6ExtHdrFragment(m=0, offset=4, id=0x12345, nh=17) / Raw(TEXT),
            1,
            {
                "status": 4,
                "ip_version": 6,
                "protocol": 17,
                "ip_id": 0x2345,
                "payload_bytes": len(TEXT),
                "more_fragments": 0,
            },
        ),
        (
            "six authentication",
            _ether() / _six(nh=51) / AH(nh=17, payloadlen=4, icv=bytes(12), padding=b"") / _udp(),
            1,
            _V6 | _U,
        ),
        (
            "four authentication",
            _ether()
            / IP(src=A, dst=B, proto=51)
            / AH(nh=6, payloadlen=4, icv=bytes(12), padding=b"")
            / _tcp(),
            1,
            _V4 | _T,
        ),
        (
            "first fragment",
            _ether() / IP(src=A, dst=B, flags="MF", id=4) / _udp(),
            1,
            _V4 | {"protocol": 17, "src_port": 1111, "more_fragments": 1, "ip_id": 4},
        ),
        (
            "later fragment",
            _ether() / IP(src=A, dst=B, frag=10, id=4, proto=17) / Raw(TEXT),
            1,
            {"status": 4, "protocol": 17, "ip_id": 4, "payload_bytes": len(TEXT)},
        ),
        (
            "icmp echo",
            _ether() / _four() / ICMP(type=8, id=3, seq=4) / Raw(TEXT),
            1,
            _V4 | {"protocol": 1, "src_port": 8, "dst_port": 0, "payload_bytes": len(TEXT)},
        ),
        (
            "icmp unreachable",
            _ether() / _four() / ICMP(type=3, code=13) / Raw(bytes(28)),
            1,
            _V4 | {"src_port": 3, "dst_port": 13},
        ),
        (
            "icmp6 reply",
            _ether() / _six() / ICMPv6EchoReply(data=TEXT),
            1,
            _V6 | {"protocol": 58, "src_port": 129, "dst_port": 128},
        ),
        (
            "sctp",
            _ether() / _four() / SCTP(sport=5, dport=6) / Raw(TEXT),
            1,
            _V4 | {"protocol": 132, "src_port": 5, "dst_port": 6, "payload": TEXT},
        ),
        (
            "esp",
            _ether() / IP(src=A, dst=B, proto=50) / Raw(TEXT),
            1,
            _V4 | {"protocol": 50, "src_port": 0, "payload": TEXT},
        ),
        ("gre", _ether() / outer / GRE() / inner4, 1, _V4 | _U | {"tunnel": "gre"}),
        (
            "gre key and all",
            _ether()
            / outer
            / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=9, proto=0x86DD)
            / inner6,
            1,
            _V6 | _U | {"tunnel": "gre"},
        ),
        (
            "gre ethernet",
            _ether() / outer / GRE(proto=0x6558) / _ether() / Dot1Q(vlan=3) / inner4,
            1,
            _V4 | _U | {"vlan": 3},
        ),
        ("gre unknown", _ether() / outer / GRE(proto=0x4242) / Raw(TEXT), 1, {"status": 0, "protocol": 47}),
        (
            "pptp",
            _ether()
            / IP(src="172.16.0.1", dst="172.16.0.2", proto=47)
            / Raw(
                struct.pack("!HHHHII", 0x3081, 0x880B, len(inner4) + 4, 7, 1, 2)
                + b"\xff\x03\x00\x21"
                + bytes(inner4)
            ),
            1,
            _V4 | _U | {"tunnel": "gre"},
        ),
        (
            "erspan 1",
            _ether() / outer / GRE(proto=0x88BE) / _ether() / inner4,
            1,
            _V4 | _U | {"tunnel": "erspan"},
        ),
        (
            "erspan 2",
            _ether() / outer / GRE(proto=0x88BE, seqnum_present=1) / Raw(bytes(8)) / _ether() / inner4,
            1,
            _V4 | _U,
        ),
        (
            "erspan 3",
            _ether() / outer / GRE(proto=0x22EB, seqnum_present=1) / Raw(bytes(12)) / _ether() / inner4,
            1,
            _V4 | _U,
        ),
        ("ipip", _ether() / outer / inner4, 1, _V4 | _U | {"tunnel": "ipip"}),
        ("6in4", _ether() / outer / inner6, 1, _V6 | _U | {"tunnel": "6in4"}),
        ("4in6", _ether() / outer6 / inner4, 1, _V4 | _U | {"tunnel": "4in6"}),
        ("6in6", _ether() / outer6 / inner6, 1, _V6 | _U | {"tunnel": "ipip"}),
        (
            "gtp",
            _ether() / outer / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=77) / inner4,
            1,
            _V4 | _U | {"tunnel": "gtp-u", "tunnel_id": 77},
        ),
        (
            "gtp extension",
            _ether()
            / outer
            / UDP(sport=2152, dport=2152)
            / GTP_U_Header(teid=78, E=1, next_ex=0x85)
            / GTPPDUSessionContainer(ExtHdrLen=1, type=1, QFI=1, NextExtHdr=0)
            / inner6,
            1,
            _V6 | _U | {"tunnel": "gtp-u", "tunnel_id": 78},
        ),
        (
            "vxlan",
            _ether() / outer / UDP(sport=9, dport=4789) / VXLAN(flags=8, vni=4242) / _ether() / inner4,
            1,
            _V4 | _U | {"tunnel": "vxlan", "tunnel_id": 4242},
        ),
        (
            "geneve",
            _ether() / outer / UDP(sport=9, dport=6081) / GENEVE(vni=88, proto=0x6558) / _ether() / inner6,
            1,
            _V6 | _U | {"tunnel": "geneve", "tunnel_id": 88},
        ),
        (
            "teredo",
            _ether() / outer / UDP(sport=50000, dport=3544) / inner6,
            1,
            _V6 | _U | {"tunnel": "teredo"},
        ),
        (
            "teredo headers",
            _ether()
            / outer
            / UDP(sport=3544, dport=50000)
            / Raw(b"\0\1\2\3" + bytes(14) + b"\0\0" + bytes(6))
            / inner6,
            1,
            _V6 | _U | {"tunnel": "teredo"},
        ),
        (
            "gre in gtp in vlan",
            _ether()
            / Dot1Q(vlan=8)
            / outer
            / UDP(sport=2152, dport=2152)
            / GTP_U_Header(teid=1)
            / IP(src="1.1.1.1", dst="2.2.2.2")
            / GRE()
            / inner4,
            1,
            _V4 | _U | {"tunnel": "gtp-u", "vlan": 8},
        ),
        (
            "short udp length",
            _ether() / _four() / UDP(sport=1111, dport=2222, len=4) / Raw(TEXT),
            1,
            {"status": 3, "reason": 7},
        ),
        (
            "udp length beyond",
            _ether() / _four() / UDP(sport=1111, dport=2222, len=900) / Raw(TEXT),
            1,
            _V4 | {"src_port": 1111, "payload": TEXT},
        ),
        ("short ip total", _ether() / IP(src=A, dst=B, len=19) / _udp(), 1, {"status": 3, "reason": 3}),
        ("offloaded", _ether() / IP(src=A, dst=B, len=0) / _tcp(), 1, _V4 | _T),
        ("short tcp header", _ether() / _four() / TCP(dataofs=4) / Raw(TEXT), 1, {"status": 3, "reason": 6}),
        *_links(inner4, inner6),
        *_tunnels(inner4, inner6, outer),
        ("version 5", _ether(type=0x0800) / Raw(b"\x55" + bytes(40)), 1, {"status": 3, "reason": 8}),
    ]
    return tuple(
        Specimen(name, bytes(data), link, expected, name not in _UNSIZED)
        for name, data, link, expected in made
    )


_UNSIZED = ("offloaded", "arp", "gre unknown")

ZOO = _zoo()
