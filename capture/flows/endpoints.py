"""Endpoints as people write them: address text, protocol names, community ids."""

import base64
import hashlib
import struct
from functools import lru_cache
from typing import Final

# https://www.iana.org/assignments/protocol-numbers
PROTOCOLS: Final[dict[int, str]] = {
    1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "icmp6", 88: "eigrp",
    89: "ospf", 103: "pim", 112: "vrrp", 115: "l2tp", 132: "sctp", 136: "udplite",
}  # fmt: skip


def protocol_name(number: int) -> str:
    """Lower-case name of an IP protocol, or `ip-<number>`."""
    return PROTOCOLS.get(number) or f"ip-{number}"


@lru_cache(maxsize=1 << 17)
def address_text(version: int, high: int, low: int) -> str:
    """Canonical text of an address given as two 64-bit halves (IPv6: RFC 5952)."""
    if version == 4:
        return f"{low >> 24 & 255}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}"
    groups = [half >> shift & 0xFFFF for half in (high, low) for shift in (48, 32, 16, 0)]
    start, length = _longest_zeros(groups)
    if length < 2:
        return ":".join(f"{group:x}" for group in groups)
    before = ":".join(f"{group:x}" for group in groups[:start])
    after = ":".join(f"{group:x}" for group in groups[start + length :])
    return f"{before}::{after}"


def endpoint_text(ip: str, port: int) -> str:
    """`ip:port`, an IPv6 address in brackets (RFC 3986 3.2.2)."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    """Where the first longest run of zero groups starts, and its length."""
    best, start = (0, 0), 0
    for at, group in enumerate([*groups, 1]):
        if group:
            if at - start > best[1]:
                best = (start, at - start)
            start = at + 1
    return best


def community_id(
    version: int, protocol: int, low: tuple[int, int, int], high: tuple[int, int, int], first_is_low: bool
) -> str:
    """Community ID 1.0, seed 0 (https://github.com/corelight/community-id-spec).

    `low` and `high` are (high half, low half, port) of the endpoints. ICMP types stand in the place of ports; where
    an ICMP message has no counterpart, type and code belong to the sender and do not swap, so the order of the first
    packet counts.
    """
    wide = version == 6
    ends = [
        (struct.pack("!QQ", end[0], end[1]) if wide else struct.pack("!I", end[1]), end[2])
        for end in (low, high)
    ]
    one_way = protocol in (1, 58) and not _has_counterpart(protocol, low[2], high[2])
    if not one_way:
        ends.sort()
    elif not first_is_low:
        ends.reverse()
    (a, a_port), (b, b_port) = ends
    data = b"\0\0" + a + b + bytes((protocol, 0))
    if protocol in (1, 6, 17, 58, 132):
        data += struct.pack("!HH", a_port, b_port)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


_COUNTERPARTS: Final = {
    1: {0: 8, 8: 0, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
    58: {128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140, 140: 139,
         144: 145, 145: 144},
}  # fmt: skip


def _has_counterpart(protocol: int, one: int, other: int) -> bool:
    return _COUNTERPARTS[protocol].get(one) == other
