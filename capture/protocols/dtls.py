"""DTLS as far as it is in the clear: records, and the handshake messages reassembled from their fragments.

RFC 6347 (1.2), RFC 4347 (1.0), RFC 9147 (1.3). Epoch 0 is plaintext in all of them; the first record of a
later epoch, a 1.3 unified header, or ChangeCipherSpec ends what a direction shows. The handshake bodies are
TLS's own (`tls.parse_client_hello(body, dtls=True)` for the cookie), except HelloVerifyRequest, which is
here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.fragments import FragmentBuffer
from wirecover.capture.protocols.tls import HandshakeMessage

DTLS_1_0: Final = 0xFEFF
DTLS_1_2: Final = 0xFEFD
DTLS_1_3: Final = 0xFEFC
DTLS_BAD: Final = 0x0100
"""What OpenSSL 0.9.8 and Cisco AnyConnect write for a draft of DTLS 1.0."""
VERSIONS: Final = frozenset((DTLS_1_0, DTLS_1_2, DTLS_1_3, DTLS_BAD))

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
HEARTBEAT: Final = 24
TLS12_CID: Final = 25  # RFC 9146
ACK: Final = 26  # RFC 9147 section 7

# https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-7, those sent
# unencrypted
_HANDSHAKE_TYPES: Final = frozenset((0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25))
HELLO_VERIFY_REQUEST: Final = 3

_HEADER: Final = 13
_FRAGMENT_HEADER: Final = 12
_MAX_RECORD: Final = (1 << 14) + 2048  # RFC 6347 section 4.1.1 by way of RFC 5246 section 6.2.3
MAX_MESSAGE: Final = 64 << 10
"""Longest handshake message put together."""
MAX_OPEN: Final = 8
"""Messages being put together at once."""
MAX_MESSAGES: Final = 32
"""Messages delivered per direction."""
MAX_DATAGRAMS: Final = 128
"""Datagrams examined per direction; a long chain on a small MTU with retransmissions stays below it."""


@dataclass(frozen=True, slots=True)
class DtlsRecord:
    """One record; offsets count from the start of the datagram."""

    type: int
    version: int
    epoch: int
    sequence: int
    start: int
    payload: int
    end: int


@dataclass(frozen=True, slots=True)
class HelloVerifyRequest:
    """RFC 6347 section 4.2.1: the server's demand that the client prove its address."""

    version: int
    cookie: bytes


def parse_record(data: bytes, start: int = 0) -> DtlsRecord | None:
    """The record with a full header at `start`; `None` where the bytes end inside it; Malformed if it is
    none.
    """
    if len(data) <= start:
        return None
    kind = data[start]
    if not CHANGE_CIPHER_SPEC <= kind <= ACK or kind == TLS12_CID:
        raise Malformed(start, f"no DTLS record of type {kind}")
    if len(data) < start + _HEADER:
        return None
    version = int.from_bytes(data[start + 1 : start + 3], "big")
    if version not in VERSIONS:
        raise Malformed(start + 1, f"no DTLS version 0x{version:04x}")
    length = int.from_bytes(data[start + 11 : start + 13], "big")
    if not 0 < length <= _MAX_RECORD:
        raise Malformed(start + 11, f"a DTLS record of {length} bytes")
    payload = start + _HEADER
    if payload + length > len(data):
        return None
    epoch = int.from_bytes(data[start + 3 : start + 5], "big")
    sequence = int.from_bytes(data[start + 5 : start + 11], "big")
    return DtlsRecord(kind, version, epoch, sequence, start, payload, payload + length)


def parse_hello_verify_request(body: bytes) -> HelloVerifyRequest | None:
    """A HelloVerifyRequest's body."""
    if len(body) < 3:
        return None
    version = int.from_bytes(body[:2], "big")
    if len(body) > 3 + body[2]:
        raise Malformed(3 + body[2], "bytes behind the cookie")
    return HelloVerifyRequest(version, body[3:]) if len(body) == 3 + body[2] else None


class DtlsReader:
    """One direction of a DTLS association: the plaintext handshake messages, each once, as they become
    whole.

    A message is known by its sequence number, type and length together: after a HelloVerifyRequest some
    servers start counting at 0 again, and two messages of one number must not be mixed. In a
    `HandshakeMessage`, `offset` and `end` count from the start of the datagram that completed the message,
    not of a stream.
    """

    def __init__(self) -> None:
        self.done = False
        """Nothing more in the clear can follow, or the limits are reached."""
        self.problems: list[Malformed] = []
        """What broke the protocol; offsets are the datagram's."""
        self._datagrams = 0
        self._encrypted = False
        self._partials: dict[tuple[int, int, int], FragmentBuffer] = {}
        self._delivered: set[tuple[int, int, int]] = set()

    def feed(self, datagram: bytes) -> list[HandshakeMessage]:
        """Take this direction's next UDP payload; the messages it completed. Never raises on bytes."""
        if self.done:
            return []
        self._datagrams += 1
        messages: list[HandshakeMessage] = []
        try:
            for message in self._take_datagram(datagram):
                messages.append(message)
        except Malformed as error:
            if len(self.problems) < 16:
                self.problems.append(error)
        self.done = (
            (self._encrypted and not self._partials)
            or self._datagrams >= MAX_DATAGRAMS
            or len(self._delivered) >= MAX_MESSAGES
        )
        return messages

    def _take_datagram(self, datagram: bytes) -> Iterator[HandshakeMessage]:
        offset = 0
        while offset < len(datagram):
            if _is_unified_header(datagram[offset]) or datagram[offset] == TLS12_CID:
                self._encrypted = True
                return
            record = parse_record(datagram, offset)
            if record is None:
                raise Malformed(offset, "the datagram ends inside a DTLS record")
            if record.epoch or record.type in (CHANGE_CIPHER_SPEC, APPLICATION_DATA):
                self._encrypted = True
            elif record.type == HANDSHAKE:
                yield from self._take_fragments(datagram, record)
            offset = record.end

    def _take_fragments(self, datagram: bytes, record: DtlsRecord) -> Iterator[HandshakeMessage]:
        """The handshake fragments of one record (RFC 6347 section 4.2.2)."""
        offset = record.payload
        while offset < record.end:
            start = offset + _FRAGMENT_HEADER
            if start > record.end:
                raise Malformed(offset, "a handshake header is cut by its record")
            kind = datagram[offset]
            length = int.from_bytes(datagram[offset + 1 : offset + 4], "big")
            number = int.from_bytes(datagram[offset + 4 : offset + 6], "big")
            at = int.from_bytes(datagram[offset + 6 : offset + 9], "big")
            size = int.from_bytes(datagram[offset + 9 : offset + 12], "big")
            if at + size > length or start + size > record.end or length > MAX_MESSAGE:
                raise Malformed(offset + 6, f"bytes {at} to {at + size} of a handshake message of {length}")
            key = (number, kind, length)
            body = self._add(key, at, datagram[start : start + size], offset)
            offset = start + size
            if body is not None:
                yield HandshakeMessage(kind, body, record.start, offset)

    def _add(self, key: tuple[int, int, int], at: int, data: bytes, offset: int) -> bytes | None:
        """Add a fragment; the whole body once it is complete and was not delivered before."""
        if key in self._delivered:
            return None
        length = key[2]
        if len(data) == length:
            body = data
        else:
            partial = self._partials.get(key)
            if partial is None:
                if len(self._partials) >= MAX_OPEN:
                    raise Malformed(offset, "too many handshake messages in pieces")
                partial = self._partials[key] = FragmentBuffer(length)
            if not partial.add(at, data):
                raise Malformed(offset, "too many pieces of a handshake message")
            if len(partial.head) < length:
                return None
            body = bytes(partial.head)
        self._partials.pop(key, None)
        self._delivered.add(key)
        return body


def _is_unified_header(first: int) -> bool:
    """001CSLEE of RFC 9147 section 4: an encrypted DTLS 1.3 record."""
    return first & 0xE0 == 0x20


# ---- telling DTLS from other UDP ----


def looks_like_dtls(datagram: bytes, original_length: int | None = None) -> bool:
    """True if a UDP payload is DTLS records from its first byte to its last.

    `original_length`: the payload's length on the wire, where the capture cut it; the record that was cut
    must then end inside it. Encrypted 1.3 records (unified header) are accepted behind a plain one, never
    alone: nothing in them can be told from random bytes.
    """
    wire_length = max(len(datagram), original_length or 0)
    if len(datagram) < _HEADER + 1:
        return False
    offset = 0
    while offset < len(datagram):
        if offset and _is_unified_header(datagram[offset]):
            return True
        end = _plausible_record(datagram, offset, wire_length)
        if end is None:
            return False
        offset = end
    return True


def _plausible_record(datagram: bytes, start: int, wire_length: int) -> int | None:
    """Where the record at `start` ends, if it is one this detector accepts."""
    header = datagram[start : start + _HEADER]
    if len(header) < _HEADER:
        return wire_length if start and wire_length > len(datagram) else None
    kind, version = header[0], int.from_bytes(header[1:3], "big")
    epoch = int.from_bytes(header[3:5], "big")
    if version not in VERSIONS or not CHANGE_CIPHER_SPEC <= kind <= ACK:
        return None
    if kind == TLS12_CID:
        return wire_length if epoch and version == DTLS_1_2 else None
    length = int.from_bytes(header[11:13], "big")
    end = start + _HEADER + length
    if not 0 < length <= _MAX_RECORD or end > wire_length:
        return None
    if epoch == 0:
        return end if _plausible_plaintext(datagram, start + _HEADER, kind, length) else None
    return end if epoch < 0x100 else None


def _plausible_plaintext(datagram: bytes, payload: int, kind: int, length: int) -> bool:
    if kind == HANDSHAKE:
        head = datagram[payload : payload + _FRAGMENT_HEADER]
        if length < _FRAGMENT_HEADER or len(head) < _FRAGMENT_HEADER:
            return length >= _FRAGMENT_HEADER
        whole, at, size = (int.from_bytes(head[a:b], "big") for a, b in ((1, 4), (6, 9), (9, 12)))
        return head[0] in _HANDSHAKE_TYPES and at + size <= whole and size <= length - _FRAGMENT_HEADER
    if kind == ALERT:
        return length == 2
    if kind == CHANGE_CIPHER_SPEC:
        return length in (1, 3)  # 3 in OpenSSL's 0x0100
    return kind == ACK
