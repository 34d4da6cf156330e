"""IPv6 neighbour discovery (RFC 4861): link-layer addresses that hosts give of themselves.

A solicitation for a neighbour or a router gives the sender's own (source option), an advertisement of a
neighbour that of its target (target option), an advertisement of a router its own. Redirects speak of third
hosts and are not read.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import address_text, mac_text

ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = range(133, 137)
_FIXED_BYTES: Final = {
    ROUTER_SOLICITATION: 8, ROUTER_ADVERTISEMENT: 16, NEIGHBOUR_SOLICITATION: 24, NEIGHBOUR_ADVERTISEMENT: 24,
}  # fmt: skip
_SOURCE_OPTION, _TARGET_OPTION = 1, 2
HOP_LIMIT: Final = 255
"""Anything lower was forwarded by a router, so it is none of the link's (RFC 4861 section 7.1)."""
_MAX_OPTIONS: Final = 64


@dataclass(frozen=True, slots=True)
class NeighbourMessage:
    """One message."""

    type: int
    target: str | None
    """The address asked for or advertised; None in messages of and for routers."""
    source_mac: str | None
    """Link-layer address of the sender."""
    target_mac: str | None
    """Link-layer address of `target`."""
    from_router: bool
    """A router says that it is one."""


def parse_neighbour(data: bytes) -> NeighbourMessage | None:
    """One ICMPv6 message of types 133 to 136, from its type on. None when it is cut. Raises Malformed."""
    if not data:
        return None
    kind = data[0]
    fixed = _FIXED_BYTES.get(kind)
    if fixed is None:
        raise Malformed(0, "ICMPv6 type is not of neighbour discovery")
    if len(data) >= 2 and data[1]:
        raise Malformed(1, "code of neighbour discovery is not zero")
    if len(data) < fixed:
        return None
    macs = _link_addresses(data, fixed)
    if macs is None:
        return None
    advertised = kind in (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT)
    return NeighbourMessage(
        type=kind,
        target=address_text(data[8:24]) if advertised else None,
        source_mac=macs.get(_SOURCE_OPTION),
        target_mac=macs.get(_TARGET_OPTION),
        from_router=kind == ROUTER_ADVERTISEMENT or (kind == NEIGHBOUR_ADVERTISEMENT and data[4] >= 0x80),
    )


def _link_addresses(data: bytes, at: int) -> dict[int, str] | None:
    """Option type -> address, of the options from `at` on; the first of a type counts. None: one is cut."""
    found: dict[int, str] = {}
    for _ in range(_MAX_OPTIONS):
        if at == len(data):
            return found
        if at + 2 > len(data):
            return None
        kind, length = data[at], 8 * data[at + 1]
        if not length:
            raise Malformed(at + 1, "option of neighbour discovery has no length")
        if at + length > len(data):
            return None
        if kind in (_SOURCE_OPTION, _TARGET_OPTION) and length == 8:
            mac = mac_text(data[at + 2 : at + 8])
            if mac is not None:
                found.setdefault(kind, mac)
        at += length
    raise Malformed(at, "too many options of neighbour discovery")
