"""DHCP for IPv6 (RFC 8415): who asks, under which identifier, and which addresses it is given.

Messages inside relay messages are read through (section 9); nesting is bounded by the protocol's own hop
count limit. A DUID is an identifier and no address: where a hardware address is part of it, it is that of
some interface which the host had when the DUID was made (section 11), so it is a fact apart from a packet's
MAC.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import address_text, hex_text, host_text, mac_text, wire_name
from wirecover.capture.registries.host_numbers import DHCPV6_MESSAGES, ETHERNET_HARDWARE

RELAY_FORWARD, RELAY_REPLY = 12, 13
HOP_COUNT_LIMIT: Final = 8  # RFC 8415 section 7.6
_CLIENT_ID, _SERVER_ID, _IA_NA, _IA_TA, _IAADDR = 1, 2, 3, 4, 5
_ORO, _RELAY_MESSAGE, _VENDOR_CLASS, _IA_PD, _IAPREFIX, _FQDN = 6, 9, 16, 25, 26, 39
_MAX_ADDRESSES: Final = 64
"""Addresses and prefixes kept of one message."""


@dataclass(frozen=True, slots=True)
class Duid:
    """A DHCP unique identifier (RFC 8415 section 11, RFC 6355)."""

    kind: str
    """`llt`, `en`, `ll`, `uuid`, or `unknown-0x...`."""
    text: str
    """All octets in hexadecimal."""
    mac: str | None
    """Hardware address in it (`llt` and `ll`, Ethernet)."""
    enterprise: int | None
    """Private enterprise number of the vendor (`en`)."""


@dataclass(frozen=True, slots=True)
class Dhcp6Message:
    """One message of a client or server, out of its relay messages."""

    type: int
    transaction: int | None
    """None: a relay message without a message in it."""
    client: Duid | None
    server: Duid | None
    addresses: tuple[str, ...]
    """Of IA_NA and IA_TA, as asked for or given; those taken back (lifetime zero) are left out."""
    prefixes: tuple[str, ...]
    """Of IA_PD, `address/length`."""
    fqdn: str | None
    vendor_class: str | None
    """Enterprise number and the texts of option 16, separated by blanks."""
    parameters: tuple[int, ...]
    """Option 6: numbers of the options asked for, in the client's order."""
    peer: str | None
    """Address of the client as the innermost relay saw it."""
    options: tuple[tuple[int, bytes], ...]
    """Every option of the message, in wire order."""
    problems: tuple[str, ...]
    """Options that break their format."""

    @property
    def type_name(self) -> str:
        return DHCPV6_MESSAGES.get(self.type, f"unknown-0x{self.type:02x}")


def parse_duid(raw: bytes) -> Duid:
    """A DUID; raises Malformed when it is empty, or longer than 2 + 128 bytes."""
    if not 3 <= len(raw) <= 130:
        raise Malformed(0, "DUID is shorter than 3 or longer than 130 bytes")
    kind = int.from_bytes(raw[:2], "big")
    text = hex_text(raw)
    if kind in (1, 3):
        hardware = raw[8:] if kind == 1 else raw[4:]
        ethernet = int.from_bytes(raw[2:4], "big") == ETHERNET_HARDWARE
        return Duid("llt" if kind == 1 else "ll", text, mac_text(hardware) if ethernet else None, None)
    if kind == 2:
        return Duid("en", text, None, int.from_bytes(raw[2:6], "big") if len(raw) >= 6 else None)
    return Duid("uuid" if kind == 4 else f"unknown-0x{kind:04x}", text, None, None)


def parse_dhcp6(data: bytes) -> Dhcp6Message | None:
    """One message that fills a datagram. None when an option is cut. Raises Malformed."""
    peer: str | None = None
    start = 0
    for _ in range(HOP_COUNT_LIMIT + 2):
        if start >= len(data):
            return None
        kind = data[start]
        if kind not in (RELAY_FORWARD, RELAY_REPLY):
            message = _message(data, start, peer)
            if message is None and start:
                raise Malformed(start, "DHCPv6 message does not fill its relay message")
            return message
        if len(data) < start + 34:
            return None
        peer = address_text(data[start + 18 : start + 34])
        inner = _relayed(data, start + 34)
        if inner is None:
            return None
        if inner[1] < 0:
            return _empty(kind, peer)
        start, data = inner[0], data[: inner[1]]
    raise Malformed(start, "DHCPv6 relay messages are nested too deeply")


def _relayed(data: bytes, at: int) -> tuple[int, int] | None:
    """Start and end of the message in a relay message, (0, -1) when it has none; None when it is cut."""
    found = (0, -1)
    for number, start, end in _options(data, at):
        if number < 0:
            return None
        if number == _RELAY_MESSAGE and found[1] < 0:
            found = (start, end)
    return found


def _empty(kind: int, peer: str | None) -> Dhcp6Message:
    return Dhcp6Message(kind, None, None, None, (), (), None, None, (), peer, (), ())


def _message(data: bytes, at: int, peer: str | None) -> Dhcp6Message | None:
    if not data[at]:
        raise Malformed(at, "DHCPv6 message type is zero")
    if at + 4 > len(data):
        return None
    found: list[tuple[int, bytes]] = []
    for number, start, end in _options(data, at + 4):
        if number < 0:
            return None
        found.append((number, data[start:end]))
    problems: list[str] = []
    first = dict(reversed(found))
    addresses, prefixes = _leases(found, problems)
    return Dhcp6Message(
        type=data[at],
        transaction=int.from_bytes(data[at + 1 : at + 4], "big"),
        client=_duid(first.get(_CLIENT_ID), problems),
        server=_duid(first.get(_SERVER_ID), problems),
        addresses=addresses,
        prefixes=prefixes,
        fqdn=_fqdn(first.get(_FQDN), problems),
        vendor_class=_vendor_class(first.get(_VENDOR_CLASS), problems),
        parameters=_numbers(first.get(_ORO, b"")),
        peer=peer,
        options=tuple(found),
        problems=tuple(dict.fromkeys(problems)),
    )


def _options(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each option up to the end of `data`; number -1 when the last one is cut."""
    while at < len(data):
        if at + 4 > len(data):
            yield -1, at, at
            return
        end = at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            yield -1, at, at
            return
        yield int.from_bytes(data[at : at + 2], "big"), at + 4, end
        at = end


def _duid(raw: bytes | None, problems: list[str]) -> Duid | None:
    if raw is None:
        return None
    try:
        return parse_duid(raw)
    except Malformed as problem:
        problems.append(problem.reason)
        return None


def _leases(options: list[tuple[int, bytes]], problems: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Addresses and prefixes of all identity associations (sections 21.4 to 21.6, 21.21 and 21.22)."""
    addresses: dict[str, None] = {}
    prefixes: dict[str, None] = {}
    for number, raw in options:
        if number not in (_IA_NA, _IA_TA, _IA_PD):
            continue
        fixed = 4 if number == _IA_TA else 12
        if len(raw) < fixed:
            problems.append("DHCPv6 identity association is cut")
            continue
        for inner, start, end in _options(raw, fixed):
            if inner < 0:
                problems.append("DHCPv6 identity association is cut")
            elif len(addresses) + len(prefixes) >= _MAX_ADDRESSES:
                problems.append(f"more than {_MAX_ADDRESSES} addresses in a DHCPv6 message")
            elif inner == _IAADDR and number != _IA_PD:
                _note_lease(addresses, _leased(raw[start:end]), problems)
            elif inner == _IAPREFIX and number == _IA_PD:
                _note_lease(prefixes, _delegated(raw[start:end]), problems)
    return tuple(addresses), tuple(prefixes)


def _note_lease(kept: dict[str, None], lease: str | None, problems: list[str]) -> None:
    if lease is None:
        problems.append("DHCPv6 lease is cut")
    elif lease:
        kept[lease] = None


def _leased(raw: bytes) -> str | None:
    """The address of an IAADDR option; empty when unspecified or its valid lifetime is zero; None: cut."""
    if len(raw) < 24:
        return None
    return (address_text(raw[:16]) or "") if any(raw[20:24]) else ""


def _delegated(raw: bytes) -> str | None:
    """The prefix of an IAPREFIX option, like `_leased`."""
    if len(raw) < 25:
        return None
    address = address_text(raw[9:25])
    return f"{address}/{raw[8]}" if address is not None and any(raw[4:8]) else ""


def _fqdn(raw: bytes | None, problems: list[str]) -> str | None:
    """Option 39 (RFC 4704 section 4): flags, the name in labels."""
    if raw is None:
        return None
    try:
        return wire_name(raw[1:], 0)
    except Malformed as problem:
        problems.append(f"DHCPv6 option {_FQDN}: {problem.reason}")
        return None


def _vendor_class(raw: bytes | None, problems: list[str]) -> str | None:
    """Option 16 (section 21.16): enterprise number, then texts behind two bytes of length."""
    if raw is None:
        return None
    if len(raw) < 4:
        problems.append("DHCPv6 vendor class is cut")
        return None
    texts, at = [], 4
    while at < len(raw):
        end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
        if at + 2 > len(raw) or end > len(raw):
            problems.append("DHCPv6 vendor class is cut")
            break
        texts.append(raw[at + 2 : end])
        at = end
    return " ".join([str(int.from_bytes(raw[:4], "big")), host_text(b" ".join(texts)) or ""]).rstrip()


def _numbers(raw: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw) - 1, 2))
