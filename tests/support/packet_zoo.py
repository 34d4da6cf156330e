"""One frame of every kind the decoder knows, crafted by scapy: what is inside is known from the crafting."""

import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header, GTPPDUSessionContainer
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether, Loopback
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
        ("radiotap", bytes(60), 127, {"status": 2}),
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
        ("version 5", _ether(type=0x0800) / Raw(b"\x55" + bytes(40)), 1, {"status": 3, "reason": 8}),
    ]
    return tuple(
        Specimen(name, bytes(data), link, expected, name not in ("offloaded", "arp", "gre unknown"))
        for name, data, link, expected in made
    )


ZOO = _zoo()
