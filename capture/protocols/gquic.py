"""Google QUIC's own handshake: the CHLO message, in the clear up to Q046, in an Initial packet's CRYPTO in
Q050.

Layouts: "QUIC Wire Layout Specification" and "QUIC Crypto" (Langley, Chang 2013-2016), and as Chromium's
net/quic had them: before Q034 a byte of private flags follows the hash; from Q039 on integers are
big-endian; Q044 to Q046 have a long header with both connection id lengths in one byte. Message tables are
little-endian in every version. Only a client's packet is read: it alone carries the version, and names the
server.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_frames import google_ack_end
from wirecover.capture.protocols.tls_extensions import text
from wirecover.capture.registries import quic_versions
from wirecover.capture.registries.quic_versions import QuicVersion, find_version

CHLO: Final = b"CHLO"
MAX_ENTRIES: Final = 128  # Chromium refuses more
_HASH_BYTES: Final = 12
_PUBLIC_NUMBER_BYTES: Final = (1, 2, 4, 6)
_PADDING_OR_PING: Final = re.compile(rb"[\x00\x07]+")
_STREAM: Final = 0x80
_CRYPTO_STREAM: Final = 1
_STOP_WAITING: Final = 0x06


@dataclass(frozen=True, slots=True)
class GooglePacket:
    """A client's packet whose handshake payload is in the clear."""

    version: int
    connection_id: bytes
    payload: int
    """Where the frames start."""
    number_bytes: int
    """Length of the packet number, which is that of a STOP_WAITING frame's field too."""


@dataclass(frozen=True, slots=True)
class GoogleHello:
    """A CHLO: tags and values in wire order, the unknown kept."""

    values: tuple[tuple[bytes, bytes], ...]

    def value(self, tag: bytes) -> bytes | None:
        return next((value for name, value in self.values if name == tag), None)

    @property
    def sni(self) -> str | None:
        value = self.value(b"SNI\x00")
        return text(value) if value else None

    @property
    def user_agent(self) -> str | None:
        value = self.value(b"UAID")
        return text(value) if value else None


def parse_google_packet(datagram: bytes) -> GooglePacket | None:
    """The head of a Google QUIC packet (Q001 to Q046) from a client; `None` for any other datagram."""
    if len(datagram) < 7:
        return None
    if datagram[0] & 0x80:
        known = find_version(int.from_bytes(datagram[1:5], "big"))
        if known is None or known.header != quic_versions.NIBBLES:
            return None
        return _nibble_packet(datagram, known)
    if datagram[0] & 0x8B != 0x09 or len(datagram) < 13:  # version and 8-byte id present, no reset
        return None
    known = find_version(int.from_bytes(datagram[9:13], "big"))
    if known is None or known.header != quic_versions.PUBLIC:
        return None
    number_bytes = _PUBLIC_NUMBER_BYTES[(datagram[0] >> 4) & 3]
    payload = 13 + number_bytes + _HASH_BYTES
    if known.number < _version("Q034"):
        payload += 1
    return GooglePacket(known.number, datagram[1:9], payload, number_bytes)


def _version(name: str) -> int:
    return int.from_bytes(name.encode("ascii"), "big")


def _nibble_packet(datagram: bytes, version: QuicVersion) -> GooglePacket:
    lengths = [nibble + 3 if nibble else 0 for nibble in (datagram[5] >> 4, datagram[5] & 0x0F)]
    number_bytes = (datagram[0] & 0x03) + 1
    payload = 6 + sum(lengths) + number_bytes + _HASH_BYTES
    return GooglePacket(version.number, datagram[6 : 6 + lengths[0]], payload, number_bytes)


def handshake_frames(datagram: bytes, packet: GooglePacket) -> Iterator[tuple[int, bytes]]:
    """Offset and data of the crypto stream's frames; ends at the first frame that is not understood.

    ACK and STOP_WAITING are stepped over from Q039 on: a CHLO that answers a rejection stands behind them.
    Raises Malformed at an ACK that does not fit; what came before it has been yielded by then.
    """
    modern = packet.version >= _version("Q039")
    offset, end = packet.payload, len(datagram)
    while offset < end:
        blank = _PADDING_OR_PING.match(datagram, offset)
        if blank:
            offset = blank.end()
        elif datagram[offset] & _STREAM:
            frame = _stream_frame(datagram, offset, end, "big" if modern else "little")
            if frame is None:
                return
            stream, position, data, offset = frame
            if stream == _CRYPTO_STREAM:
                yield position, data
        elif modern and datagram[offset] & 0xC0 == 0x40:
            offset = google_ack_end(datagram, offset)
        elif modern and datagram[offset] == _STOP_WAITING:
            offset += 1 + packet.number_bytes
        else:
            return


def _stream_frame(
    datagram: bytes, offset: int, end: int, order: Literal["big", "little"]
) -> tuple[int, int, bytes, int] | None:
    """Stream id, stream offset, data, next frame's place (frame type: 1fdoooss in bits); None if cut."""
    kind = datagram[offset]
    id_bytes = (kind & 0x03) + 1
    offset_bits = (kind >> 2) & 0x07
    offset_bytes = offset_bits + 1 if offset_bits else 0
    length_bytes = 2 if kind & 0x20 else 0
    start = offset + 1 + id_bytes + offset_bytes + length_bytes
    if start > end:
        return None
    fields: list[int] = []
    at = offset + 1
    for size in (id_bytes, offset_bytes, length_bytes):
        field = datagram[at : at + size]
        fields.append(int.from_bytes(field, order))
        at += size
    stream, position, length = fields
    stop = start + length if length_bytes else end
    if stop > end:
        return None
    return stream, position, datagram[start:stop], stop


def google_message_length(head: bytes | bytearray) -> int | None:
    """How long the handshake message at the start of `head` is in all; `None` while its table is
    incomplete.
    """
    if len(head) < 8:
        return None
    entries = int.from_bytes(head[4:6], "little")
    if entries > MAX_ENTRIES:
        raise Malformed(4, f"a handshake message of {entries} entries")
    table = 8 + 8 * entries
    if len(head) < table:
        return None
    return table + (int.from_bytes(head[table - 4 : table], "little") if entries else 0)


def parse_google_hello(message: bytes) -> GoogleHello | None:
    """The CHLO in `message`: tag, count, table of tags and end offsets, values; `None` if cut short."""
    if len(message) >= 4 and message[:4] != CHLO:
        raise Malformed(0, "not a CHLO")
    length = google_message_length(message)
    if length is None or len(message) < length:
        return None
    entries = int.from_bytes(message[4:6], "little")
    base = 8 + 8 * entries
    values: list[tuple[bytes, bytes]] = []
    start = 0
    for index in range(entries):
        at = 8 + 8 * index
        stop = int.from_bytes(message[at + 4 : at + 8], "little")
        if stop < start or base + stop > length:
            raise Malformed(at + 4, "a value's end offset goes backwards or over the message's end")
        values.append((message[at : at + 4], message[base + start : base + stop]))
        start = stop
    return GoogleHello(tuple(values))
