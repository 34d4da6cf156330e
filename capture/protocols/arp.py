"""ARP (RFC 826): which hardware address a host says it has.

Only what a sender says of itself is a fact. A probe (RFC 5227 section 2.1.1) has no sender address yet, and
the target fields of any packet are a question.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import address_text, mac_text
from wirecover.capture.registries.host_numbers import ETHERNET_HARDWARE

ARP_BYTES: Final = 28
_HEADER_BYTES: Final = 8
_IP4: Final = 0x0800
_IEEE_802: Final = 6
"""Token ring and other IEEE 802 networks: the addresses are of the same kind."""


@dataclass(frozen=True, slots=True)
class ArpPacket:
    """One packet for Ethernet and IPv4."""

    operation: int
    """1 request, 2 reply; others (RARP) are kept as they are."""
    sender_mac: str | None
    """None: no address of one interface."""
    sender_ip: str | None
    """None: a probe."""
    target_ip: str | None


def parse_arp(data: bytes) -> ArpPacket | None:
    """The packet behind the link header, with or without padding. None when it is cut. Raises Malformed."""
    if len(data) < _HEADER_BYTES:
        return None
    hardware, protocol = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    if hardware not in (ETHERNET_HARDWARE, _IEEE_802) or data[4] != 6:
        raise Malformed(0, "ARP for hardware other than Ethernet")
    if protocol != _IP4 or data[5] != 4:
        raise Malformed(2, "ARP for a protocol other than IPv4")
    if len(data) < ARP_BYTES:
        return None
    return ArpPacket(
        operation=int.from_bytes(data[6:8], "big"),
        sender_mac=mac_text(data[8:14]),
        sender_ip=address_text(data[14:18]),
        target_ip=address_text(data[24:28]),
    )
