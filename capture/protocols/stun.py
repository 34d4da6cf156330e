"""STUN (RFC 8489, 5389; classic STUN of RFC 3489) and TURN (RFC 8656, and Microsoft's of [MS-TURN]).

A message is parsed whether or not its attributes are known: those without a name stay numbers. Only
addresses, names and codes are read; message integrity is not checked (its key is a secret), the
fingerprint, which needs none, is. The DATA attribute carries what a relay forwards: its bytes must not be
stored.
"""

import zlib
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.wire_text import wire_text
from wirecover.capture.registries.stun_attributes import ATTRIBUTES, CLASSES, attribute_name, method_name

MAGIC_COOKIE: Final = bytes.fromhex("2112a442")
HEADER_BYTES: Final = 20
CHANNEL_HEADER_BYTES: Final = 4
_MS_COOKIE: Final = bytes.fromhex("72c64bc6")  # [MS-TURN] 2.2.2.1, in the attribute 0x000F
_FINGERPRINT_XOR: Final = 0x5354554E
_INDICATIONS: Final = (0x0016, 0x0017)
_RETRY_METHODS: Final = frozenset(range(1, 10))  # methods that classic STUN and the TURN of its time knew


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One message."""

    type: int
    """The first 16 bits."""
    method: str
    """`binding`, `allocate`, ..., else `unknown-0x...`."""
    class_: str
    """`request`, `indication`, `success` or `error`."""
    classic: bool
    """No magic cookie: RFC 3489."""
    transaction_id: str
    """Hexadecimal: 12 bytes, or 16 without a magic cookie."""
    attributes: tuple[tuple[int, bytes], ...]
    """In wire order; unknown ones too."""
    username: str | None
    realm: str | None
    software: str | None
    origin: str | None
    mapped: str | None
    """The sender as the server sees it, `ip:port` or `[ip6]:port`."""
    relayed: str | None
    """The relay's address that was allocated."""
    peers: tuple[str, ...]
    """Whom the client lets through, sends to or hears from, by way of the relay."""
    error_code: int | None
    error_reason: str | None
    fingerprint_ok: bool | None
    """None: no FINGERPRINT."""
    size: int
    """Bytes that the message takes, header included."""

    @property
    def peer(self) -> str | None:
        """The first peer."""
        return self.peers[0] if self.peers else None

    @property
    def indicated(self) -> bytes | None:
        """The datagram of a Send or Data indication (RFC 8656 section 11); not to be stored."""
        if self.type not in _INDICATIONS:
            return None
        return next((value for number, value in self.attributes if number == 0x0013), None)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Names in wire order, `unknown-0x....` where there is none."""
        return tuple(attribute_name(number) for number, _ in self.attributes)

    @property
    def attribute_numbers(self) -> frozenset[int]:
        """The attributes that are there, as application rules want them."""
        return frozenset(number for number, _ in self.attributes)


@dataclass(frozen=True, slots=True)
class ChannelData:
    """Data through a bound channel of a TURN relay (RFC 8656 section 12.4)."""

    channel: int
    length: int
    """Bytes of application data."""
    size: int
    """Bytes with header and without padding."""


def parse_stun(data: bytes) -> StunMessage | None:
    """The message at the start of `data`; None when `data` ends inside it. Raises Malformed."""
    if data and data[0] & 0xC0:
        raise Malformed(0, "first two bits of a STUN message are not zero")
    if len(data) < HEADER_BYTES:
        return None
    kind, length = data[0] << 8 | data[1], data[2] << 8 | data[3]
    if length % 4:
        raise Malformed(2, "STUN length is not a multiple of four")
    size = HEADER_BYTES + length
    if len(data) < size:
        return None
    classic = data[4:8] != MAGIC_COOKIE
    attributes = _attributes(data, size)
    first: dict[int, bytes] = {}
    for number, value in attributes:
        first.setdefault(number, value)
    method, class_ = _method(kind), CLASSES[kind >> 7 & 2 | kind >> 4 & 1]
    mapped, relayed, peers = _addresses(data, first, attributes, classic, method == 3 and class_ == "success")
    code, reason = _error(first.get(0x0009))
    return StunMessage(
        type=kind,
        method=method_name(method),
        class_=class_,
        classic=classic,
        transaction_id=data[4 if classic else 8 : HEADER_BYTES].hex(),
        attributes=attributes,
        username=_text(first.get(0x0006)),
        realm=_text(first.get(0x0014)),
        software=_text(first.get(0x8022)),
        origin=_text(first.get(0x802F)),
        mapped=mapped,
        relayed=relayed,
        peers=peers,
        error_code=code,
        error_reason=reason,
        fingerprint_ok=_fingerprint_ok(data[:size], attributes),
        size=size,
    )


def _method(kind: int) -> int:
    """The method's 12 bits, between which the two bits of the class lie (RFC 8489 section 5)."""
    return kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2


def _attributes(data: bytes, size: int) -> tuple[tuple[int, bytes], ...]:
    attributes = []
    at = HEADER_BYTES
    while at < size:
        number, length = data[at] << 8 | data[at + 1], data[at + 2] << 8 | data[at + 3]
        if at + 4 + length > size:
            raise Malformed(at, "STUN attribute runs past its message")
        attributes.append((number, data[at + 4 : at + 4 + length]))
        at += 4 + length + -length % 4
    return tuple(attributes)


def _addresses(
    data: bytes,
    first: dict[int, bytes],
    attributes: tuple[tuple[int, bytes], ...],
    classic: bool,
    allocated: bool,
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Mapped, relayed, peers. Microsoft's TURN names the relay in MAPPED-ADDRESS and the peer without XOR."""
    xor = data[4:HEADER_BYTES]
    mapped = _address(first.get(0x0020), xor) or _address(first.get(0x8020), xor)
    if first.get(0x000F) == _MS_COOKIE and classic:
        plain = _address(first.get(0x0001))
        relayed = plain if allocated else None
        mapped = mapped or (None if allocated else plain)
    else:
        mapped = mapped or _address(first.get(0x0001))
        relayed = _address(first.get(0x0016), xor)
    peer_xor = None if classic else xor
    peers = [_address(value, peer_xor) for number, value in attributes if number == 0x0012]
    return mapped, relayed, tuple(peer for peer in peers if peer is not None)


def _address(value: bytes | None, xor: bytes | None = None) -> str | None:
    """`ip:port` of an address attribute (RFC 8489 sections 14.1, 14.2); None when absent or ill-formed."""
    if value is None or len(value) < 8:
        return None
    size = {1: 4, 2: 16}.get(value[1])
    if size is None or len(value) != 4 + size:
        return None
    if xor is not None:
        value = value[:2] + bytes(a ^ b for a, b in zip(value[2:], xor[:2] + xor, strict=False))
    port = value[2] << 8 | value[3]
    return f"{IPv4Address(value[4:])}:{port}" if size == 4 else f"[{IPv6Address(value[4:])}]:{port}"


def _text(value: bytes | None) -> str | None:
    """Text of an attribute; classic senders fill up with zero bytes inside the length."""
    return None if value is None else wire_text(value.rstrip(b"\0"))


def _error(value: bytes | None) -> tuple[int | None, str | None]:
    """Error code and reason (RFC 8489 section 14.8)."""
    if value is None or len(value) < 4:
        return None, None
    return (value[2] & 7) * 100 + value[3], wire_text(value[4:].rstrip(b"\0"))


def _fingerprint_ok(message: bytes, attributes: tuple[tuple[int, bytes], ...]) -> bool | None:
    """Does FINGERPRINT, which must stand last, agree with the bytes before it? (RFC 8489 section 14.7)"""
    if not attributes or attributes[-1][0] != 0x8028:
        return None
    value = attributes[-1][1]
    return len(value) == 4 and int.from_bytes(value, "big") == zlib.crc32(message[:-8]) ^ _FINGERPRINT_XOR


def looks_like_stun(data: bytes) -> bool:
    """Is this datagram exactly one STUN message?

    With the magic cookie: the lengths must fit to the byte and a fingerprint, if any, must be right.
    Without it (RFC 3489, Microsoft): moreover a method of that time and only attributes with a name,
    addresses well-formed.
    """
    if len(data) < HEADER_BYTES or data[0] & 0xC0 or HEADER_BYTES + (data[2] << 8 | data[3]) != len(data):
        return False
    try:
        message = parse_stun(data)
    except Malformed:
        return False
    if message is None or message.fingerprint_ok is False:
        return False
    return not message.classic or _is_classic(message)


def _is_classic(message: StunMessage) -> bool:
    if _method(message.type) not in _RETRY_METHODS or message.type >= 0x0200:
        return False
    if len(set(message.transaction_id)) < 4:  # 16 random bytes do not look like this; padding does
        return False
    if not message.attributes:
        return message.type == 0x0001
    addresses = (0x0001, 0x0002, 0x0004, 0x0005, 0x000B, 0x8020)
    return all(
        number in ATTRIBUTES and (number not in addresses or _address(value) is not None)
        for number, value in message.attributes
    )


def parse_channel_data(data: bytes) -> ChannelData | None:
    """The ChannelData message at the start of `data`; None when `data` ends inside it. Raises Malformed."""
    if data and not 0x40 <= data[0] <= 0x4F:
        raise Malformed(0, "not a TURN channel number")
    if len(data) < CHANNEL_HEADER_BYTES:
        return None
    length = data[2] << 8 | data[3]
    if len(data) < CHANNEL_HEADER_BYTES + length:
        return None
    return ChannelData(data[0] << 8 | data[1], length, CHANNEL_HEADER_BYTES + length)


def looks_like_channel_data(data: bytes) -> bool:
    """Is this datagram one ChannelData message, padded or not?

    Four bytes of header prove little: ask only in a flow where STUN messages were seen.
    """
    if len(data) < CHANNEL_HEADER_BYTES or not 0x40 <= data[0] <= 0x4F:
        return False
    size = CHANNEL_HEADER_BYTES + (data[2] << 8 | data[3])
    return len(data) in (size, size + -size % 4)
