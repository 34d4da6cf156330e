"""RADIUS as far as it names a subscriber: RFC 2865 (access), RFC 2866 (accounting), 3GPP TS 29.061 section 16.4.

Kept are names, stations, addresses and session ids. Passwords, CHAP and EAP responses, keys and the state of an
authentication never leave the parser, and neither do attributes that are not named here.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import host_text

HEADER_BYTES: Final = 20
ACCESS_REQUEST, ACCESS_ACCEPT, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 2, 4, 5
CODES: Final = frozenset({1, 2, 3, 4, 5, 11, 12, 13, *range(40, 46)})
START, STOP, INTERIM = 1, 2, 3
"""Values of Acct-Status-Type (RFC 2866 section 5.1)."""

# https://www.iana.org/assignments/radius-types/radius-types.xhtml
_TEXTS: Final = {1: "user_name", 30: "called_station", 31: "calling_station", 32: "nas", 44: "session"}
_FRAMED_IP, _NAS_IP, _VENDOR, _STATUS, _NAS_IP6, _FRAMED_PREFIX, _FRAMED_IP6 = 8, 4, 26, 40, 95, 97, 168
_3GPP: Final = 10415
_3GPP_TEXTS: Final = {1: "imsi", 20: "imei"}
_NO_ADDRESSES: Final = frozenset(
    {0xFFFFFFFF, 0xFFFFFFFE, 0}
)  # chosen by the user or the server (RFC 2865 5.8)


@dataclass(frozen=True, slots=True)
class RadiusMessage:
    """What one message tells."""

    code: int
    identifier: int
    """Matches an answer to its request, together with the ports."""
    user_name: str | None = None
    calling_station: str | None = None
    """Of a mobile: the MSISDN; of a dial-in: the caller's number; of wireless: the station's hardware address."""
    called_station: str | None = None
    nas: str | None = None
    """The access server by its own name, else by its address."""
    session: str | None = None
    status: int | None = None
    """START, STOP, INTERIM or another Acct-Status-Type."""
    addresses: tuple[str, ...] = ()
    """Given to the subscriber; IPv6 prefixes as `prefix/length`."""
    imsi: str | None = None
    imei: str | None = None


def parse_radius(data: bytes) -> RadiusMessage | None:
    """The message that `data` holds; `None` where it is cut. Raises Malformed."""
    if len(data) < HEADER_BYTES:
        return None
    if data[0] not in CODES:
        raise Malformed(0, f"no RADIUS code {data[0]}")
    length = data[2] << 8 | data[3]
    if not HEADER_BYTES <= length <= 4096:
        raise Malformed(2, f"a RADIUS message of {length} bytes")
    if length > len(data):
        return None
    texts: dict[str, str] = {}
    addresses: list[str] = []
    status, nas_ip = None, None
    at = HEADER_BYTES
    while at < length:
        if at + 2 > length or data[at + 1] < 2 or at + data[at + 1] > length:
            raise Malformed(at, "an attribute passes the end of the message")
        kind, value = data[at], data[at + 2 : at + data[at + 1]]
        at += data[at + 1]
        if kind in _TEXTS:
            if (text := host_text(value)) is not None:
                texts.setdefault(_TEXTS[kind], text)
        elif kind == _VENDOR:
            _take_3gpp(value, texts)
        elif kind == _STATUS and len(value) == 4:
            status = int.from_bytes(value, "big")
        elif kind in (_NAS_IP, _NAS_IP6):
            nas_ip = nas_ip or _address(value)
        elif kind in (_FRAMED_IP, _FRAMED_IP6, _FRAMED_PREFIX):
            given = _prefix(value) if kind == _FRAMED_PREFIX else _address(value)
            if given is not None and given not in addresses:
                addresses.append(given)
    texts.setdefault("nas", nas_ip or "")
    return RadiusMessage(
        data[0], data[1], texts.get("user_name"), texts.get("calling_station"), texts.get("called_station"),
        texts["nas"] or None, texts.get("session"), status, tuple(addresses), texts.get("imsi"), texts.get("imei"),
    )  # fmt: skip


def _take_3gpp(value: bytes, texts: dict[str, str]) -> None:
    """Vendor-specific attributes of 3GPP: digits of IMSI and IMEI(SV) as text."""
    if len(value) < 6 or int.from_bytes(value[:4], "big") != _3GPP:
        return
    at = 4
    while at + 2 <= len(value) and 2 <= value[at + 1] <= len(value) - at:
        digits = value[at + 2 : at + value[at + 1]].rstrip(b"\0")
        name = _3GPP_TEXTS.get(value[at])
        if name is not None and digits.isdigit() and 5 <= len(digits) <= 16:
            texts.setdefault(name, digits.decode("ascii"))
        at += value[at + 1]


def _address(value: bytes) -> str | None:
    if len(value) == 4:
        number = int.from_bytes(value, "big")
        return None if number in _NO_ADDRESSES else str(IPv4Address(number))
    return str(IPv6Address(value)) if len(value) == 16 and any(value) else None


def _prefix(value: bytes) -> str | None:
    """Reserved byte, prefix length, as many bytes of the prefix as it needs (RFC 3162 section 2.3)."""
    if not 2 <= len(value) <= 18 or value[1] > 128 or not any(value[2:]):
        return None
    return f"{IPv6Address(value[2:].ljust(16, bytes(1)))}/{value[1]}"
