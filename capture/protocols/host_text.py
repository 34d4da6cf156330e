"""Values that name a host, cut to a length and made fit to be stored: names, vendor texts, addresses.

Whoever crafts a packet chooses these bytes. A value is cut to `MAX_VALUE` bytes before it is escaped
(`wire_text.py`), and a cut one ends with a single backslash and three dots, which no escaped text holds.
"""

from ipaddress import IPv6Address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns_name import MAX_LABEL, label_text
from wirecover.capture.protocols.wire_text import wire_text

MAX_VALUE: Final = 255
"""Bytes of one value that are kept: the longest DHCP option and the longest domain name have no more."""
CUT_MARK: Final = "\\..."
_MAPPED: Final = bytes(10) + b"\xff\xff"


def host_text(raw: bytes) -> str | None:
    """`raw` without the NULs and spaces around it, printable and bounded; None when nothing is left.

    Senders pad with NUL against RFC 2132 section 2, and receivers must trim it.
    """
    trimmed = raw[: 4 * MAX_VALUE].strip(b"\0 \t\r\n")
    if not trimmed:
        return None
    if len(trimmed) > MAX_VALUE:
        return wire_text(trimmed[:MAX_VALUE]) + CUT_MARK
    return wire_text(trimmed)


def hex_text(raw: bytes) -> str:
    """Octets as `aa:bb:cc`, bounded like every value."""
    return raw[:MAX_VALUE].hex(":") + (CUT_MARK if len(raw) > MAX_VALUE else "")


def mac_text(raw: bytes) -> str | None:
    """The hardware address of one interface as `aa:bb:cc:dd:ee:ff`.

    None for anything else: other lengths, all zero, and addresses with the group bit (IEEE 802 section 8.2),
    which belong to no host. An address with the local bit is given: it may have been drawn at random.
    """
    if len(raw) != 6 or raw[0] & 1 or not any(raw):
        return None
    return raw.hex(":")


def address_text(raw: bytes) -> str | None:
    """Canonical text of an IPv4 or IPv6 address (RFC 5952); None if unspecified or of another length."""
    if len(raw) not in (4, 16) or not any(raw):
        return None
    if len(raw) == 4:
        return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}"
    if raw.startswith(_MAPPED):  # hexadecimal as the flows have it; Python 3.13 began to write dots here
        return f"::ffff:{int.from_bytes(raw[12:14], 'big'):x}:{int.from_bytes(raw[14:], 'big'):x}"
    return str(IPv6Address(raw))


def wire_name(raw: bytes, offset: int) -> str | None:
    """A domain name in labels without compression that fills `raw` (RFC 4702 2.3.1, RFC 4704 4.2).

    In presentation form as all names of DNS. A name that ends without the root is a partial one and is taken
    as it is. `offset` is where `raw` begins in the message, for Malformed.
    """
    labels: list[str] = []
    at = 0
    while at < len(raw) and raw[at]:
        length = raw[at]
        if length > MAX_LABEL or at + 1 + length > len(raw) or at + length > MAX_VALUE:
            raise Malformed(offset + at, "domain name does not fit its option")
        labels.append(label_text(raw[at + 1 : at + 1 + length]))
        at += 1 + length
    return ".".join(labels) or None
