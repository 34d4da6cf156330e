"""What is known of one packet after its headers were read: a row of `PACKET`, one structured array a batch.

Addresses are two big-endian 64-bit halves; an IPv4 address stands in the low half of `::ffff:0:0/96` form's last 32
bits (high half 0). `payload` is an offset into the batch's buffer. Lengths on the wire come from the IP header and
may exceed what was captured; `payload_captured` never does. `network` and `transport` are where the innermost IP
header and the transport header behind it begin in that buffer, -1 where there is none; `ttl` is the time to live, or
hop limit, of that IP header.
"""

from typing import Final

import numpy as np

PACKET: Final = np.dtype(
    [
        ("ts", "i8"), ("frame", "i8"),
        ("src_hi", "u8"), ("src_lo", "u8"), ("dst_hi", "u8"), ("dst_lo", "u8"),
        ("payload", "i8"), ("tunnel_id", "i8"), ("network", "i8"), ("transport", "i8"),
        ("wire_bytes", "i4"), ("payload_bytes", "i4"), ("payload_captured", "i4"), ("vlan", "i4"),
        ("seq", "u4"), ("ack", "u4"),
        ("src_port", "u2"), ("dst_port", "u2"), ("ip_id", "u2"), ("checksum", "u2"),
        ("ip_version", "u1"), ("protocol", "u1"), ("tcp_flags", "u1"), ("ttl", "u1"), ("tunnel", "u1"),
        ("status", "u1"), ("reason", "u1"), ("cut", "u1"), ("more_fragments", "u1"),
    ]
)  # fmt: skip

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
"""A later IP fragment: no ports of its own; joins the flow of its first fragment where that was seen."""

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
)
R_LINK, R_IP4, R_IP4_TOTAL, R_IP6, R_IP6_EXT, R_TCP, R_UDP, R_VERSION, R_DEPTH, R_TUNNEL = range(1, 11)

TUNNELS: Final[tuple[str | None, ...]] = (
    None, "gre", "ipip", "6in4", "4in6", "gtp-u", "vxlan", "geneve", "teredo", "erspan", "pppoe", "mpls",
)  # fmt: skip
(T_NONE, T_GRE, T_IPIP, T_6IN4, T_4IN6, T_GTP, T_VXLAN, T_GENEVE, T_TEREDO, T_ERSPAN, T_PPPOE, T_MPLS) = (
    range(12)
)

LINK_NAMES: Final[dict[int, str]] = {
    # https://www.tcpdump.org/linktypes.html
    0: "NULL", 1: "EN10MB", 9: "PPP", 12: "RAW", 14: "RAW", 50: "PPP_HDLC", 51: "PPP_ETHER", 101: "RAW",
    104: "C_HDLC", 105: "IEEE802_11", 107: "FRELAY", 108: "LOOP", 113: "LINUX_SLL", 127: "IEEE802_11_RADIOTAP",
    192: "PPI", 228: "IPV4", 229: "IPV6", 239: "NFLOG", 276: "LINUX_SLL2",
}  # fmt: skip
DECODED_LINKS: Final = frozenset({0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276})


def link_name(link_type: int) -> str:
    """The LINKTYPE_ name, or `unknown-<number>`."""
    return LINK_NAMES.get(link_type, f"unknown-{link_type}")
