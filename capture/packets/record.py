"""What is known of one packet after its headers were read: a row of `PACKET`, one structured array a batch.

Addresses are two big-endian 64-bit halves; an IPv4 address stands in the low half of `::ffff:0:0/96` form's last 32
bits (high half 0). `payload` is an offset into the batch's buffer. Lengths on the wire come from the IP header and
may exceed what was captured; `payload_captured` never does. `network` and `transport` are where the innermost IP
header and the transport header behind it begin in that buffer, -1 where there is none; `ttl` is the time to live, or
hop limit, of that IP header. `fragment` is where the outermost IP header begins that says it is one fragment of
several, -1 where none does.
"""

from typing import Final

import numpy as np

PACKET: Final = np.dtype(
    [
        ("ts", "i8"), ("frame", "i8"),
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"),
        ("payload", "i8"), ("tunnel_id", "i8"), ("network", "i8"), ("transport", "i8"),
        ("fragment", "i8"),
        ("wire_bytes", "i4"), ("payload_bytes", "i4"), ("payload_captured", "i4"), ("vlan", "i4"),
        ("seq", "u4"), ("ack", "u4"), ("segment", "u4"), ("fragment_in", "u4"),
        ("src_port", "u2"), ("dst_port", "u2"), ("ip_id", "u2"), ("checksum", "u2"),
        ("packets", "u2"),
        ("ip_version", "u1"), ("protocol", "u1"), ("tcp_flags", "u1"), ("ttl", "u1"), ("tunnel", "u1"),
        ("status", "u1"), ("reason", "u1"), ("cut", "u1"), ("more_fragments", "u1"),
        ("layers", "u1"), ("fragment_layers", "u1"),
    ]
)  # fmt: skip
"""segment: the virtual network the packet was in (VNI of VXLAN and GENEVE, I-SID of 802.1ah), 0 where there is none;
the same addresses in two of them are two hosts. fragment_in: the same of the IP header at `fragment`. layers: how many
layers `trace` tells of this frame; fragment_layers: how many of them stand before `fragment`. packets: frames the row
stands for, 1 unless `fragments` says otherwise. more_fragments: this or an outer IP header begins a datagram in
fragments."""

# status
OK: Final = 0
"""Belongs to a flow: addresses, protocol and (where the protocol has them) ports are known."""
NOT_IP: Final = 1
"""A frame of something else (ARP, LLDP, ...): counted, not followed."""
UNKNOWN_LINK: Final = 2
"""A link type that is not decoded: counted and named, not guessed."""
MALFORMED: Final = 3
"""Headers that contradict themselves or are cut: counted by `reason`."""
FRAGMENT: Final = 4
"""An IP fragment that does not show whose it is: a later one, or a first one too short for its headers."""
PROTECTED: Final = 5
"""Encrypted by the link (802.11, MACsec), `reason` says by which: counted and named; what is inside is unknown."""
PART: Final = 6
"""With the addresses and ports of its flow, which counts it, and nothing to follow: a FRAGMENT whose first was seen
before, or a packet of which the recorder kept no more (R_PORTS)."""
HELD: Final = 7
"""A FRAGMENT that no row has explained yet; the first that does counts it too."""
WHOLE: Final = 8
"""The row of the fragment that completed a datagram: addresses, ports and payload are those of the datagram, the
payload stands in the buffer that `fragments` gives. Of no packets: a first fragment whose datagram was given up."""

REASONS: Final[tuple[str, ...]] = (
    "",
    "link header is cut",
    "IPv4 header is cut or its length is below 20",
    "IPv4 total length is shorter than its header",
    "IPv6 header is cut",
    "IPv6 extension header is cut",
    "TCP header is cut or its length is below 20",
    "UDP header is cut or its length is below 8",
    "IP version is neither 4 nor 6",
    "headers are nested too deeply",
    "tunnel header is cut",
    "802.11 frame check sequence is wrong, as its receiver noted",
    "802.11 frame is encrypted",
    "MACsec frame is encrypted",
    "802.11 frame of several packets: only the first is read",
    "the recorder cut the transport header behind its ports",
)
R_LINK, R_IP4, R_IP4_TOTAL, R_IP6, R_IP6_EXT, R_TCP, R_UDP, R_VERSION, R_DEPTH, R_TUNNEL, R_FCS, \
    R_WIFI, R_MACSEC, R_AGGREGATE, R_PORTS = range(1, 16)  # fmt: skip

TUNNELS: Final[tuple[str | None, ...]] = (
    None, "gre", "ipip", "6in4", "4in6", "gtp-u", "vxlan", "geneve", "teredo", "erspan", "pppoe", "mpls", "pbb",
    "capwap", "tzsp", "vxlan-gpe", "l2tp", "nsh",
)  # fmt: skip
(T_NONE, T_GRE, T_IPIP, T_6IN4, T_4IN6, T_GTP, T_VXLAN, T_GENEVE, T_TEREDO, T_ERSPAN, T_PPPOE, T_MPLS, T_PBB,
 T_CAPWAP, T_TZSP, T_GPE, T_L2TP, T_NSH) = range(18)  # fmt: skip
LAYERS: Final[tuple[str | None, ...]] = (*TUNNELS, "vlan", "802.11", "frame-relay")
"""What `trace` tells of: tunnels, and behind them what a link has of the same kind."""
T_VLAN, T_WIFI, T_FRAME_RELAY = range(18, 21)

LAYER: Final = np.dtype(
    [
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"), ("identifier", "i8"),
        ("src_port", "i4"), ("dst_port", "i4"), ("kind", "u1"), ("carrier", "u1"),
    ]
)  # fmt: skip
"""One layer around a packet. The addresses are those of the header that carries it; `carrier` says of what sort they
are. identifier and ports: -1 where there is none."""
BY_NONE: Final = 0
BY_MAC: Final = 1
"""48-bit addresses in `src_lo` and `dst_lo`."""
BY_IP4: Final = 4
BY_IP6: Final = 6
