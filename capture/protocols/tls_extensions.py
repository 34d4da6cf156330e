"""Bodies of the TLS extensions this project reads, each as a function from bytes to plain values.

Every function raises `Malformed` with an offset inside the body it was given. The hello parsers catch that,
keep the extension raw and note the problem: one odd extension does not cost the whole hello.
"""

from dataclasses import dataclass
from struct import unpack, unpack_from
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.registries.tls_numbers import GREASE as GREASE

# Extension numbers: https://www.iana.org/assignments/tls-extensiontype-values/tls-extensiontype-values.xhtml
SERVER_NAME: Final = 0
SUPPORTED_GROUPS: Final = 10
EC_POINT_FORMATS: Final = 11
SIGNATURE_ALGORITHMS: Final = 13
ALPN: Final = 16
SESSION_TICKET: Final = 35
PRE_SHARED_KEY: Final = 41
EARLY_DATA: Final = 42
SUPPORTED_VERSIONS: Final = 43
KEY_SHARE: Final = 51
ENCRYPTED_CLIENT_HELLO: Final = 0xFE0D
NEXT_PROTOCOL_NEGOTIATION: Final = 13172

Extensions = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class OuterEch:
    """The outer form of encrypted_client_hello (RFC 9849 section 5).

    GREASE ECH (RFC 9849 section 6.2) has the same form on purpose: an observer cannot tell it from a real
    one.
    """

    kdf: int
    aead: int
    config_id: int
    key_bytes: int
    """Length of the encapsulated key; 0 in the second ClientHello after a HelloRetryRequest."""
    payload_bytes: int


def text(raw: bytes) -> str:
    """Bytes as text: printable ASCII as it is, whatever else (and the backslash) as \\xNN, so nothing is
    lost.
    """
    if raw.isascii():
        plain = raw.decode("ascii")
        if plain.isprintable() and "\\" not in plain:
            return plain
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in raw)


def split_extensions(data: bytes, start: int, end: int) -> Extensions:
    """The (number, body) pairs of the extension block `data[start:end]`, in wire order (RFC 8446 section
    4.2).
    """
    found = []
    position = start
    while position < end:
        if position + 4 > end:
            raise Malformed(position, "extension header passes the end of its block")
        number, length = unpack_from(">HH", data, position)
        position += 4
        following = position + length
        if following > end:
            raise Malformed(position - 2, "extension passes the end of its block")
        found.append((number, data[position:following]))
        position = following
    return tuple(found)


def leading_extensions(data: bytes, start: int) -> Extensions:
    """The whole extensions at the beginning of a block whose end is missing."""
    found = []
    position = start
    while position + 4 <= len(data):
        number, length = unpack_from(">HH", data, position)
        following = position + 4 + length
        if following > len(data):
            break
        found.append((number, data[position + 4 : following]))
        position = following
    return tuple(found)


def numbers16(body: bytes, start: int, length: int) -> tuple[int, ...]:
    """`length` bytes from `start` as 16-bit numbers; the caller has checked that they are there."""
    if length & 1:
        raise Malformed(start, "list of 16-bit numbers has an odd length")
    return unpack_from(f">{length >> 1}H", body, start)


def list16(body: bytes) -> tuple[int, ...]:
    """A vector of 16-bit numbers behind a 16-bit length that fills the body."""
    if len(body) < 2:
        raise Malformed(0, "no room for the list length")
    length = body[0] << 8 | body[1]
    if length + 2 != len(body):
        raise Malformed(0, "list length does not fill the extension")
    return numbers16(body, 2, length)


def server_name(body: bytes) -> str | None:
    """The first host_name of a server_name extension (RFC 6066 section 3); None for an empty list."""
    if len(body) < 2:
        raise Malformed(0, "no room for the list length")
    end = 2 + (body[0] << 8 | body[1])
    if end != len(body):
        raise Malformed(0, "name list does not fill the extension")
    position = 2
    while position < end:
        if position + 3 > end:
            raise Malformed(position, "name header passes the end of its list")
        kind, length = unpack_from(">BH", body, position)
        position += 3
        if position + length > end:
            raise Malformed(position - 2, "name passes the end of its list")
        if kind == 0:
            return text(body[position : position + length])
        position += length
    return None


def protocol_names(body: bytes) -> tuple[bytes, ...]:
    """The protocols of an ALPN extension (RFC 7301 section 3.1), raw."""
    if len(body) < 2:
        raise Malformed(0, "no room for the list length")
    end = 2 + (body[0] << 8 | body[1])
    if end != len(body):
        raise Malformed(0, "protocol list does not fill the extension")
    names = []
    position = 2
    while position < end:
        following = position + 1 + body[position]
        if following > end:
            raise Malformed(position, "protocol name passes the end of its list")
        names.append(body[position + 1 : following])
        position = following
    return tuple(names)


def point_formats(body: bytes) -> tuple[int, ...]:
    """ec_point_formats (RFC 8422 section 5.1.2)."""
    if not body or body[0] + 1 != len(body):
        raise Malformed(0, "list length does not fill the extension")
    return tuple(body[1:])


def client_versions(body: bytes) -> tuple[int, ...]:
    """supported_versions of a ClientHello (RFC 8446 section 4.2.1), GREASE included."""
    if not body or body[0] + 1 != len(body):
        raise Malformed(0, "list length does not fill the extension")
    return numbers16(body, 1, body[0])


def number16(body: bytes) -> int:
    """A body that is one 16-bit number (the server's supported_versions, pre_shared_key, HRR key_share)."""
    if len(body) != 2:
        raise Malformed(0, "not a 16-bit number")
    return body[0] << 8 | body[1]


def client_key_shares(body: bytes) -> tuple[int, ...]:
    """The groups of a ClientHello's key_share (RFC 8446 section 4.2.8), without the keys."""
    if len(body) < 2:
        raise Malformed(0, "no room for the list length")
    end = 2 + (body[0] << 8 | body[1])
    if end != len(body):
        raise Malformed(0, "share list does not fill the extension")
    groups = []
    position = 2
    while position < end:
        if position + 4 > end:
            raise Malformed(position, "share header passes the end of its list")
        group, length = unpack_from(">HH", body, position)
        position += 4 + length
        if position > end:
            raise Malformed(position - length - 2, "share passes the end of its list")
        groups.append(group)
    return tuple(groups)


def server_key_share(body: bytes) -> int:
    """The group of a ServerHello's or HelloRetryRequest's key_share."""
    if len(body) == 2:
        return body[0] << 8 | body[1]
    if len(body) < 4:
        raise Malformed(0, "no room for a key share")
    group, length = unpack_from(">HH", body)
    if length + 4 != len(body):
        raise Malformed(2, "key does not fill the extension")
    return int(group)


def outer_ech(body: bytes) -> OuterEch | None:
    """An encrypted_client_hello of a ClientHello; None for its inner form (a single byte 1)."""
    if body == b"\x01":
        return None
    if not body or body[0] != 0:
        raise Malformed(0, "unknown ECHClientHelloType")
    if len(body) < 8:
        raise Malformed(len(body), "outer ECH is cut short")
    kdf, aead, config_id, key_bytes = unpack(">HHBH", body[1:8])
    if 8 + key_bytes + 2 > len(body):
        raise Malformed(6, "encapsulated key passes the end of the extension")
    (payload_bytes,) = unpack_from(">H", body, 8 + key_bytes)
    if 10 + key_bytes + payload_bytes != len(body):
        raise Malformed(8 + key_bytes, "payload does not fill the extension")
    return OuterEch(kdf, aead, config_id, key_bytes, payload_bytes)
