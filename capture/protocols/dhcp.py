"""DHCP for IPv4 (RFC 2131), its options (RFC 2132) and the BOOTP message that carries them (RFC 951).

Of a message the facts that name the client or its software are read; boot files are not kept. Options that
are continued (RFC 3396) or moved into the `file` and `sname` fields (option 52, RFC 2132 section 9.3) are
joined first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import address_text, hex_text, host_text, mac_text, wire_name
from wirecover.capture.registries.host_numbers import DHCP_MESSAGES, ETHERNET_HARDWARE

MAGIC: Final = b"\x63\x82\x53\x63"
OPTIONS_AT: Final = 240
REQUEST, REPLY = 1, 2
_SNAME, _FILE = slice(44, 108), slice(108, 236)
_PAD, _END = 0, 255
_OVERLOAD: Final = 52
_WIRE_FORM: Final = 0x04  # E bit of option 81 (RFC 4702 section 2.1)


@dataclass(frozen=True, slots=True)
class DhcpMessage:
    """One message; addresses that are not set are None, and so is an option that breaks its format."""

    operation: int
    """1 from a client, 2 from a server."""
    type: int | None
    """Option 53; None: plain BOOTP."""
    transaction: int
    mac: str | None
    """`chaddr`, where it is an Ethernet address."""
    ciaddr: str | None
    """The address that the client has."""
    yiaddr: str | None
    """The address that the server gives."""
    giaddr: str | None
    """The relay."""
    requested: str | None
    """Option 50: the address that the client would like."""
    server_id: str | None
    """Option 54."""
    lease_seconds: int | None
    """Option 51."""
    host_name: str | None
    """Option 12."""
    fqdn: str | None
    """Option 81."""
    vendor_class: str | None
    """Option 60."""
    client_id: str | None
    """Option 61, type and identifier in hexadecimal."""
    parameters: tuple[int, ...]
    """Option 55: numbers of the options asked for, in the client's order, which tells its software."""
    options: tuple[tuple[int, bytes], ...]
    """Every option, in wire order, joined where it was continued."""
    problems: tuple[str, ...]
    """Options that break their format."""

    @property
    def type_name(self) -> str:
        if self.type is None:
            return "bootp"
        return DHCP_MESSAGES.get(self.type, f"unknown-0x{self.type:02x}")


def parse_dhcp(data: bytes) -> DhcpMessage | None:
    """One message. None when it is cut, which means: before its end option. Raises Malformed."""
    if data and data[0] not in (REQUEST, REPLY):
        raise Malformed(0, "BOOTP operation is neither request nor reply")
    if len(data) >= 3 and data[2] > 16:
        raise Malformed(2, "hardware address is longer than its field")
    if len(data) < OPTIONS_AT:
        return None
    if data[236:OPTIONS_AT] != MAGIC:
        raise Malformed(236, "no DHCP magic cookie")
    options = _joined(data)
    if options is None:
        return None
    problems: list[str] = []
    return DhcpMessage(
        operation=data[0],
        type=_number(options, 53, 1, problems),
        transaction=int.from_bytes(data[4:8], "big"),
        mac=mac_text(data[28:34]) if data[1] == ETHERNET_HARDWARE and data[2] == 6 else None,
        ciaddr=address_text(data[12:16]),
        yiaddr=address_text(data[16:20]),
        giaddr=address_text(data[24:28]),
        requested=_address(options, 50, problems),
        server_id=_address(options, 54, problems),
        lease_seconds=_number(options, 51, 4, problems),
        host_name=host_text(options.get(12, b"")),
        fqdn=_fqdn(options.get(81), problems),
        vendor_class=host_text(options.get(60, b"")),
        client_id=hex_text(options[61]) if options.get(61) else None,
        parameters=tuple(options.get(55, b"")),
        options=tuple(options.items()),
        problems=tuple(problems),
    )


def _joined(data: bytes) -> dict[int, bytes] | None:
    """Number -> data of all options, the parts of a continued one put together (RFC 3396 section 7)."""
    parts: dict[int, list[bytes]] = {}
    for number, value in _options(data[OPTIONS_AT:]):
        if number is None:
            return None
        parts.setdefault(number, []).append(value)
    overload = b"".join(parts.get(_OVERLOAD, ()))
    moved = overload[0] if len(overload) == 1 else 0
    for bit, field in ((1, _FILE), (2, _SNAME)):
        if moved & bit:
            for number, value in _options(data[field]):
                if number is None:
                    raise Malformed(field.start, "options in a field of the header do not end")
                if number != _OVERLOAD:
                    parts.setdefault(number, []).append(value)
    return {number: b"".join(values) for number, values in parts.items()}


def _options(area: bytes) -> Iterator[tuple[int | None, bytes]]:
    """(number, data) up to the end option; (None, b"") when the area stops before."""
    at = 0
    while at < len(area):
        number = area[at]
        if number == _END:
            return
        if number == _PAD:
            at += 1
            continue
        if at + 2 > len(area) or at + 2 + area[at + 1] > len(area):
            break
        yield number, area[at + 2 : at + 2 + area[at + 1]]
        at += 2 + area[at + 1]
    yield None, b""


def _number(options: dict[int, bytes], option: int, width: int, problems: list[str]) -> int | None:
    raw = options.get(option)
    if raw is None:
        return None
    if len(raw) != width:
        problems.append(f"DHCP option {option} is not {width} bytes long")
        return None
    return int.from_bytes(raw, "big")


def _address(options: dict[int, bytes], option: int, problems: list[str]) -> str | None:
    raw = options.get(option)
    if raw is not None and len(raw) != 4:
        problems.append(f"DHCP option {option} is not 4 bytes long")
    return address_text(raw) if raw is not None and len(raw) == 4 else None


def _fqdn(raw: bytes | None, problems: list[str]) -> str | None:
    """Option 81 (RFC 4702 section 2): flags, two result codes, the name in labels or (deprecated) as text."""
    if raw is None:
        return None
    if len(raw) < 3:
        problems.append("DHCP option 81 is shorter than its flags")
        return None
    if not raw[0] & _WIRE_FORM:
        return host_text(raw[3:])
    try:
        return wire_name(raw[3:], 0)
    except Malformed as problem:
        problems.append(f"DHCP option 81: {problem.reason}")
        return None
