"""QUIC long headers (RFC 8999, RFC 9000 section 17.2, RFC 9369 section 3.2), and telling QUIC from other
UDP.

Header protection is not removed here: of the first byte only the unprotected bits are read, and the packet
number is left alone. `end` of a header may lie behind the bytes given: the header can be read where the
payload was cut.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_varint import read_varint
from wirecover.capture.registries import quic_versions
from wirecover.capture.registries.quic_versions import QuicVersion, find_version, is_reserved

MAX_CONNECTION_ID: Final = 20
RETRY_TAG_BYTES: Final = 16
MIN_PROTECTED: Final = 20
"""Packet number field (4 bytes are skipped before the sample) and the 16 bytes sampled (RFC 9001 5.4.2)."""


class PacketType(Enum):
    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    RETRY = 3
    VERSION_NEGOTIATION = 4
    UNKNOWN = 5
    """A version whose packet types are not known; only the invariants (RFC 8999) were read."""


@dataclass(frozen=True, slots=True)
class LongHeader:
    """One long header. Offsets count from the start of the datagram."""

    type: PacketType
    version: int
    dcid: bytes
    scid: bytes
    start: int
    payload: int
    """Where the (protected) packet number starts; for Retry the token, for version negotiation the list."""
    end: int
    """Where the packet ends as the header says, possibly behind what was captured."""
    token: bytes = b""
    """Initial: the address validation token. Retry: the token a client is to bring back."""
    versions: tuple[int, ...] = ()
    """Version negotiation: what the server speaks."""


def parse_long_header(data: bytes, start: int = 0) -> LongHeader | None:
    """The long header at `start`; `None` where the bytes end inside it, Malformed where it cannot be one.

    Versions with another header layout (Google up to Q046, drafts before 22) are read as far as RFC 8999
    goes, which for them means little: see gquic.py.
    """
    if len(data) <= start:
        return None
    if not data[start] & 0x80:
        raise Malformed(start, "not a long header")
    if len(data) < start + 7:
        return None
    number = int.from_bytes(data[start + 1 : start + 5], "big")
    known = find_version(number)
    limit = MAX_CONNECTION_ID if known and known.header == quic_versions.LONG else 255
    ids = _connection_ids(data, start + 5, limit)
    if ids is None:
        return None
    dcid, scid, offset = ids
    if number == quic_versions.VERSION_NEGOTIATION:
        return _version_negotiation(data, start, dcid, scid, offset)
    if known is None or known.header != quic_versions.LONG:
        return LongHeader(PacketType.UNKNOWN, number, dcid, scid, start, offset, len(data))
    return _typed_header(
        data, known, LongHeader(PacketType.UNKNOWN, number, dcid, scid, start, offset, len(data))
    )


def _connection_ids(data: bytes, offset: int, limit: int) -> tuple[bytes, bytes, int] | None:
    ids: list[bytes] = []
    for _ in range(2):
        if offset >= len(data):
            return None
        length = data[offset]
        if length > limit:
            raise Malformed(offset, f"a connection id of {length} bytes")
        if offset + 1 + length > len(data):
            return None
        ids.append(data[offset + 1 : offset + 1 + length])
        offset += 1 + length
    return ids[0], ids[1], offset


def _version_negotiation(data: bytes, start: int, dcid: bytes, scid: bytes, offset: int) -> LongHeader:
    """RFC 9000 section 17.2.1: the rest of the datagram is a list of versions."""
    listed = len(data) - offset
    if listed < 4 or listed % 4:
        raise Malformed(offset, "a version list that is empty or not of 4-byte numbers")
    versions = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(offset, len(data), 4))
    return LongHeader(
        PacketType.VERSION_NEGOTIATION, 0, dcid, scid, start, offset, len(data), versions=versions
    )


def _typed_header(data: bytes, version: QuicVersion, bare: LongHeader) -> LongHeader | None:
    kind = PacketType(((data[bare.start] >> 4) - version.type_shift) & 3)
    offset, size = bare.payload, len(data)
    if kind is PacketType.RETRY:
        if size - offset < RETRY_TAG_BYTES:
            return None
        token = data[offset : size - RETRY_TAG_BYTES]
        return LongHeader(kind, bare.version, bare.dcid, bare.scid, bare.start, offset, size, token)
    token = b""
    if kind is PacketType.INITIAL:
        length = _varint_or_none(data, offset)
        if length is None or length[1] + length[0] > size:
            return None
        token, offset = data[length[1] : length[1] + length[0]], length[1] + length[0]
    length = _varint_or_none(data, offset)
    if length is None:
        return None
    if length[0] < MIN_PROTECTED:
        raise Malformed(offset, f"a protected packet of {length[0]} bytes")
    return LongHeader(
        kind, bare.version, bare.dcid, bare.scid, bare.start, length[1], length[1] + length[0], token
    )


def _varint_or_none(data: bytes, offset: int) -> tuple[int, int] | None:
    """`read_varint`, but `None` where the bytes end inside the integer."""
    if offset >= len(data) or offset + (1 << (data[offset] >> 6)) > len(data):
        return None
    return read_varint(data, offset, len(data))


# ---- telling QUIC from other UDP -----------------------------------------------------------------

_MIN_FIRST_DATAGRAM: Final = 1200  # RFC 9000 section 14.1: a client's first datagram is at least this long
_MIN_CLIENT_DCID: Final = 8  # RFC 9000 section 7.2


def looks_like_quic(datagram: bytes, original_length: int | None = None) -> bool:
    """True if a UDP payload starts with a QUIC long header or a Google QUIC header of a known version.

    `original_length`: the payload's length on the wire, where the capture cut it. A datagram that starts
    with a short header is never taken for QUIC: nothing in it can be told from random bytes (RFC 8999
    section 5.2).
    """
    if len(datagram) < 7:
        return False
    wire_length = max(len(datagram), original_length or 0)
    first = datagram[0]
    if not first & 0x80:
        return _looks_like_public_header(datagram)
    number = int.from_bytes(datagram[1:5], "big")
    known = find_version(number)
    if known is not None and known.header == quic_versions.NIBBLES:
        return bool(first & 0x40) and wire_length > 30
    if known is None and number != quic_versions.VERSION_NEGOTIATION:
        return False
    try:
        header = parse_long_header(datagram)
    except Malformed:
        return False
    if header is None:
        return (
            wire_length > len(datagram)
            and bool(first & 0x40)
            and known is not None
            and not is_reserved(number)
        )
    if header.type is PacketType.VERSION_NEGOTIATION:
        return _plausible_negotiation(header)
    if is_reserved(number) or not first & 0x40:
        return _plausible_first_flight(header, wire_length)
    return header.end <= wire_length


def _plausible_first_flight(header: LongHeader, wire_length: int) -> bool:
    """For a reserved version, or a fixed bit left clear (RFC 9287): all an Initial's datagram must be."""
    return (
        header.type is PacketType.INITIAL
        and wire_length >= _MIN_FIRST_DATAGRAM
        and len(header.dcid) >= _MIN_CLIENT_DCID
        and header.end <= wire_length
    )


def _plausible_negotiation(header: LongHeader) -> bool:
    """A zero version is common in other protocols: every listed version must be one that is known or
    reserved.
    """
    return len(header.versions) <= 64 and all(find_version(number) is not None for number in header.versions)


def _looks_like_public_header(datagram: bytes) -> bool:
    """Google up to Q043: flags with the version bit (1) and 8-byte id bit (8), the id, `Qddd`, and a hash
    behind.
    """
    if len(datagram) < 13 or datagram[0] & 0x89 != 0x09 or datagram[0] & 0x02:
        return False
    known = find_version(int.from_bytes(datagram[9:13], "big"))
    return known is not None and known.header == quic_versions.PUBLIC and len(datagram) > 26
