"""The cleartext handshake of one direction of TLS over TCP, from the bytes of its stream in order.

Theory: the stream is records of (type, version, length, fragment). Handshake messages run over the fragments
of the handshake records, several in one or one over many (RFC 8446 section 5.1). Reading ends where
encryption begins:

* up to TLS 1.2 at ChangeCipherSpec;
* in TLS 1.3 behind the ServerHello; its ChangeCipherSpec means nothing, and a client may send it between two
  ClientHellos (RFC 8446 appendix D.4), so behind a ClientHello only a second ClientHello is still read;
* at the first application data, close_notify or fatal alert.

The reader holds at most one record and one message, gives up after `limit` bytes of records, and never
searches for a new beginning once the framing broke: `problem` then says where.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls_hello import TLS_1_3, is_tls_1_3_draft, parse_server_hello

CHANGE_CIPHER_SPEC: Final = 20
ALERT: Final = 21
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
HEARTBEAT: Final = 24

# Handshake types: https://www.iana.org/assignments/tls-parameters/tls-parameters.xhtml#tls-parameters-7
HELLO_REQUEST: Final = 0
CLIENT_HELLO: Final = 1
SERVER_HELLO: Final = 2
NEW_SESSION_TICKET: Final = 4
HELLO_RETRY_REQUEST: Final = 6  # drafts of TLS 1.3 up to 21
ENCRYPTED_EXTENSIONS: Final = 8
CERTIFICATE: Final = 11
SERVER_KEY_EXCHANGE: Final = 12
CERTIFICATE_REQUEST: Final = 13
SERVER_HELLO_DONE: Final = 14
CERTIFICATE_VERIFY: Final = 15
CLIENT_KEY_EXCHANGE: Final = 16
FINISHED: Final = 20
CERTIFICATE_STATUS: Final = 22

LIMIT: Final = 128 * 1024
"""Bytes of records read of one direction; real certificate chains stay below a quarter of it."""
_LONGEST_RECORD: Final = (1 << 14) + 2048  # RFC 5246 section 6.2.3


@dataclass(frozen=True, slots=True)
class HandshakeMessage:
    """One handshake message in clear."""

    type: int
    body: bytes
    """Without the 4-byte header; an SSL 2.0 ClientHello has type 1 and keeps its own message type in front.
    """
    offset: int
    """Stream offset of the header of the record that holds its last byte."""
    end: int = 0
    """Stream offset just behind its last byte: where it became complete."""


class HandshakeReader:
    """Feed the stream of one direction in order, in pieces of any size."""

    def __init__(self, limit: int = LIMIT, start: int = 0) -> None:
        """`start` is the stream offset of the first byte that will be fed (see `find_hello`)."""
        self.done = False
        """No more cleartext handshake can follow, or the framing broke."""
        self.problem: Malformed | None = None
        """What broke; its offset is a stream offset."""
        self.alerts: list[tuple[int, int]] = []
        """Cleartext alerts: (level, description)."""
        self.change_cipher_spec = False
        self.types: list[int] = []
        """The handshake types seen, in order."""
        self._limit = limit
        self._taken = 0
        self._first = start
        self._position = start  # stream offset of self._bytes[0]
        self._bytes = bytearray()
        self._message = bytearray()
        self._last_hello_retry = False

    @property
    def abbreviated(self) -> bool | None:
        """For the server's direction up to TLS 1.2: no ServerHelloDone came before its ChangeCipherSpec."""
        if not self.change_cipher_spec or SERVER_HELLO not in self.types:
            return None
        return SERVER_HELLO_DONE not in self.types

    @property
    def unfinished(self) -> bytes:
        """The beginning of a message whose end has not come (4-byte header included).

        Behind the header it is what `parse_cut_client_hello` takes, where the stream has a gap or ends.
        """
        pending = bytes(self._message)
        if self._bytes[:1] == b"\x16":
            pending += self._bytes[5:]
        return pending

    def feed(self, data: bytes) -> list[HandshakeMessage]:
        """The messages that these bytes complete."""
        messages: list[HandshakeMessage] = []
        if self.done:
            return messages
        self._bytes += data
        used = 0
        try:
            if self._position == self._first and not self.types and self._bytes and self._bytes[0] & 0x80:
                used = self._ssl2_hello(messages)
            else:
                used = self._records(messages)
        except Malformed as problem:
            self.problem = problem
            self.done = True
        if self.done:
            self._bytes.clear()
            if self.problem is not None:
                self._message.clear()
        elif used:
            del self._bytes[:used]
            self._position += used
        return messages

    def _records(self, messages: list[HandshakeMessage], start: int = 0) -> int:
        """Take every whole record of the buffer from `start`; how many bytes of it are used up."""
        buffer = self._bytes
        position = start
        while not self.done and len(buffer) >= position + 5:
            kind, major, length = buffer[position], buffer[position + 1], buffer[position + 3] << 8
            length |= buffer[position + 4]
            known = major == 3 or (major == 1 and buffer[position + 2] == 1)  # TLCP: GB/T 38636
            if not CHANGE_CIPHER_SPEC <= kind <= HEARTBEAT or not known or length > _LONGEST_RECORD:
                raise Malformed(self._position + position, "not a TLS record")
            end = position + 5 + length
            if len(buffer) < end:
                break
            self._record(kind, bytes(buffer[position + 5 : end]), self._position + position, messages)
            position = end
        return position

    def _record(self, kind: int, fragment: bytes, offset: int, messages: list[HandshakeMessage]) -> None:
        # Every record counts, headers too, so that a flood of empty ones ends as well.
        self._taken += 5 + len(fragment)
        if self._taken > self._limit and kind != APPLICATION_DATA:
            raise Malformed(offset, f"more than {self._limit} bytes of handshake")
        if kind == HANDSHAKE:
            self._handshake(fragment, offset, messages)
        elif kind == ALERT:
            self._alert(fragment)
        elif kind == APPLICATION_DATA:
            self._end(offset)
        elif kind == CHANGE_CIPHER_SPEC:
            self.change_cipher_spec = True
            if not (self.types and self.types[-1] == CLIENT_HELLO) and not self._last_hello_retry:
                self._end(offset)

    def _end(self, offset: int) -> None:
        self.done = True
        if self._message:
            raise Malformed(offset, "a handshake message is cut off by encrypted records")

    def _alert(self, fragment: bytes) -> None:
        if len(fragment) != 2 or self.change_cipher_spec:
            self.done = True
            return
        level, description = fragment
        self.alerts.append((level, description))
        self.done = level == 2 or description == 0 or len(self.alerts) > 16

    def _handshake(self, fragment: bytes, offset: int, messages: list[HandshakeMessage]) -> None:
        if self.change_cipher_spec and not self._message and not self._again(fragment):
            self.done = True
            return
        before = len(self._message)
        self._message += fragment
        pending = self._message
        position = 0
        while not self.done and len(pending) >= position + 4:
            end = position + 4 + int.from_bytes(pending[position + 1 : position + 4], "big")
            if end - position > self._limit:
                raise Malformed(offset, "handshake message longer than a handshake may be")
            if len(pending) < end:
                break
            body = bytes(pending[position + 4 : end])
            message = HandshakeMessage(pending[position], body, offset, offset + 5 + end - before)
            messages.append(message)
            self._note(message)
            position = end
        del pending[:position]

    def _again(self, fragment: bytes) -> bool:
        """Whether a record behind ChangeCipherSpec is a hello in clear and not an encrypted Finished."""
        expected = SERVER_HELLO if self._last_hello_retry else CLIENT_HELLO
        return (
            len(fragment) >= 6
            and fragment[0] == expected
            and fragment[1] == 0
            and fragment[4:6] == b"\x03\x03"
        )

    def _note(self, message: HandshakeMessage) -> None:
        self.types.append(message.type)
        self._last_hello_retry = message.type == HELLO_RETRY_REQUEST
        if message.type == SERVER_HELLO:
            try:
                hello = parse_server_hello(message.body)
            except Malformed:
                return  # the caller parses it too and counts it; framing goes on
            self._last_hello_retry = hello.is_hello_retry
            if not hello.is_hello_retry and (hello.version == TLS_1_3 or is_tls_1_3_draft(hello.version)):
                self.done = True
        elif message.type == FINISHED:
            self.done = True

    def _ssl2_hello(self, messages: list[HandshakeMessage]) -> int:
        """The first message in SSL 2.0 framing: two bytes of length with the top bit set (RFC 5246 appendix
        E.2).
        """
        buffer = self._bytes
        if len(buffer) < 5:
            return 0
        length = (buffer[0] & 0x7F) << 8 | buffer[1]
        version = buffer[3] << 8 | buffer[4]
        if length < 9 or buffer[2] not in (1, 4) or not (buffer[3] == 3 or version == 2 or buffer[2] == 4):
            raise Malformed(self._first, "neither a TLS record nor an SSL 2.0 hello")
        if buffer[2] == 4:
            self.done = (
                True  # SERVER-HELLO: the connection is SSL 2.0, and no client has spoken that for decades
            )
            return 0
        if len(buffer) < 2 + length:
            return 0
        self.types.append(CLIENT_HELLO)
        body = bytes(buffer[2 : 2 + length])
        messages.append(HandshakeMessage(CLIENT_HELLO, body, self._first, self._first + 2 + length))
        self.done = version == 2
        return 2 + length if self.done else self._records(messages, 2 + length)


def find_hello(data: bytes, kind: int = CLIENT_HELLO, start: int = 0) -> int | None:
    """Where, from `start` on, a record begins that holds the first bytes of a ClientHello (or ServerHello).

    For streams that turn into TLS (STARTTLS, SOCKS, HTTP CONNECT, RDP). Record and message header, version
    and the length of the session id must agree, so that other bytes pass once in about 2**50; None when
    nothing does.
    """
    position = data.find(b"\x16\x03", start)
    while position >= 0:
        if position + 44 > len(data):
            return None
        if _begins_hello(data[position : position + 44], kind):
            return position
        position = data.find(b"\x16\x03", position + 1)
    return None


def _begins_hello(head: bytes, kind: int) -> bool:
    record, message = int.from_bytes(head[3:5], "big"), int.from_bytes(head[6:9], "big")
    return (
        head[2] <= 4
        and 39 <= record <= _LONGEST_RECORD
        and head[5] == kind
        and 38 <= message <= LIMIT
        and head[9] == 3
        and head[10] <= 4
        and head[43] <= 32
    )
