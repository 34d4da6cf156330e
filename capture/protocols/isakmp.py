"""IKE as far as it is in the clear: the ISAKMP header, the chain of payloads, certificates and identities.

IKEv1 is RFC 2408 and 2409, IKEv2 RFC 7296; both share one header. Payloads of an encrypted message (IKEv1: flag
bit 0; IKEv2: all behind an SK payload) are not looked into. On port 4500 IKE stands behind four bytes of zero, and
what does not is ESP (RFC 3948 section 2.2) or one byte 0xff that keeps a translator's mapping (section 2.3).
"""

from dataclasses import dataclass
from struct import unpack_from
from typing import Final

from wirecover.capture.protocols import Malformed

HEADER_BYTES: Final = 28
MARKER: Final = bytes(4)
"""The non-ESP marker."""
KEEPALIVE: Final = b"\xff"
MAX_PAYLOADS: Final = 64

# https://www.iana.org/assignments/ikev2-parameters and https://www.iana.org/assignments/ipsec-registry
_EXCHANGES: Final[dict[int, frozenset[int]]] = {
    1: frozenset({1, 2, 3, 4, 5, 6, 32, 33}),
    2: frozenset(range(34, 45)),
}
_CERTIFICATE: Final = {1: 6, 2: 37}
_IDENTITY: Final = {1: frozenset({5}), 2: frozenset({35, 36})}
_VENDOR: Final = {1: 13, 2: 43}
_ENCRYPTED: Final = frozenset({46, 53})  # SK, SKF
_X509: Final = frozenset({4, 5})
"""Encodings that are one DER certificate: X.509 for signature, for key exchange (RFC 2408 3.9, RFC 7296 3.6)."""
_TEXT_IDENTITIES: Final = {2: "fqdn", 3: "mail"}  # RFC 2407 4.6.2.1, RFC 7296 3.5


@dataclass(frozen=True, slots=True)
class IkeMessage:
    """One ISAKMP message."""

    initiator_spi: bytes
    responder_spi: bytes
    major: int
    """1 or 2."""
    exchange: int
    encrypted: bool
    """Nothing, or nothing more, of its payloads is in the clear."""
    message_id: int
    payloads: tuple[tuple[int, bytes], ...]
    """(type, body) of those in the clear, in order."""
    certificates: tuple[bytes, ...]
    """DER, in order."""
    identities: tuple[tuple[str, str], ...]
    """(kind, text) of identities given as a domain name or a mail address (IKEv1 aggressive mode shows them)."""

    @property
    def version_name(self) -> str:
        """`IKEv1` or `IKEv2`."""
        return f"IKEv{self.major}"


def looks_like_ike(data: bytes) -> bool:
    """Whether a whole ISAKMP message stands here: known version and exchange, and its own length."""
    if len(data) < HEADER_BYTES or not any(data[:8]):
        return False
    exchanges = _EXCHANGES.get(data[17] >> 4)
    return (
        exchanges is not None
        and data[18] in exchanges
        and data[17] & 0x0F == 0
        and int.from_bytes(data[24:28], "big") == len(data)
    )


def parse_isakmp(data: bytes) -> IkeMessage | None:
    """The message at the start of `data`; `None` where it is not whole. Raises Malformed."""
    if len(data) < HEADER_BYTES:
        return None
    following, version, exchange, flags = data[16:20]
    major = version >> 4
    if major not in _EXCHANGES:
        raise Malformed(17, f"no ISAKMP version {major}")
    message_id, length = unpack_from(">II", data, 20)
    if length < HEADER_BYTES:
        raise Malformed(24, "an ISAKMP message shorter than its header")
    if length > len(data):
        return None
    encrypted = major == 1 and bool(flags & 1)
    payloads: list[tuple[int, bytes]] = []
    at = HEADER_BYTES
    while following and not encrypted:
        if following in _ENCRYPTED and major == 2:
            encrypted = True
            break
        if at + 4 > length:
            raise Malformed(at, "the message ends before a payload that is announced")
        size = data[at + 2] << 8 | data[at + 3]
        if size < 4 or at + size > length:
            raise Malformed(at + 2, "a payload passes the end of the message")
        if len(payloads) >= MAX_PAYLOADS:
            raise Malformed(at, f"more than {MAX_PAYLOADS} payloads")
        payloads.append((following, data[at + 4 : at + size]))
        following, at = data[at], at + size
    return IkeMessage(
        data[:8], data[8:16], major, exchange, encrypted, message_id, tuple(payloads),
        tuple([
            body[1:] for kind, body in payloads
            if kind == _CERTIFICATE[major] and len(body) > 1 and body[0] in _X509
        ]),
        tuple([one for kind, body in payloads if kind in _IDENTITY[major] and (one := _identity(body))]),
    )  # fmt: skip


def _identity(body: bytes) -> tuple[str, str] | None:
    if len(body) < 5 or body[0] not in _TEXT_IDENTITIES or len(body) > 260:
        return None
    raw = body[4:]
    if not raw.isascii() or not raw.decode("ascii").isprintable():
        return None
    return _TEXT_IDENTITIES[body[0]], raw.decode("ascii")


@dataclass(frozen=True, slots=True)
class EspHead:
    """What an ESP packet shows (RFC 4303 section 2)."""

    spi: int
    sequence: int


def parse_esp_in_udp(data: bytes) -> EspHead | None:
    """The head of an ESP packet in UDP, or None where these bytes cannot be one.

    SPIs up to 255 are reserved (RFC 4303 section 2.1), the packet is a multiple of four bytes long (section 2.4),
    and the shortest holds a block and a check value.
    """
    if len(data) < 28 or len(data) % 4:
        return None
    spi, sequence = unpack_from(">II", data)
    return EspHead(spi, sequence) if spi > 255 and sequence > 0 else None
