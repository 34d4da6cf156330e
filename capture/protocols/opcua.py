"""OPC UA over TCP up to its first secure channel: the certificates of both ends.

OPC 10000-6 (https://reference.opcfoundation.org/Core/Part6/v105/docs/7.1): a connection begins with HEL and ACK;
an OPN message has an asymmetric security header in the clear: policy URI, the sender's certificate (or a chain of
them, one DER behind the other), a thumbprint of the receiver's.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.wire_text import wire_text

MAX_MESSAGE: Final = 1 << 16
"""Longest message put together; an OPN with a chain stays far below."""
_HEADER: Final = 8
_KINDS: Final = frozenset({b"HEL", b"ACK", b"ERR", b"RHE", b"OPN", b"CLO", b"MSG"})
MAX_CHAIN: Final = 8


@dataclass(frozen=True, slots=True)
class SecureChannelHead:
    """The asymmetric security header of an OPN message."""

    policy: str | None
    certificates: tuple[bytes, ...]
    """The sender's, DER, its own first; empty with the policy None."""


def looks_like_opcua(head: bytes) -> bool:
    """Whether a stream begins with HEL, RHE, ACK or OPN in a final chunk, of a length that such a message has."""
    return (
        len(head) >= _HEADER
        and head[:4] in (b"HELF", b"RHEF", b"ACKF", b"OPNF")
        and 16 <= int.from_bytes(head[4:8], "little") <= MAX_MESSAGE
    )


class OpcUaReader:
    """One direction of a connection, up to its first OPN message."""

    __slots__ = ("_buffer", "done", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.done = False
        self.problem: Malformed | None = None

    def feed(self, data: bytes) -> list[SecureChannelHead]:
        """The OPN heads that end in `data`: one at most."""
        if self.done:
            return []
        self._buffer += data
        try:
            return self._take()
        except Malformed as problem:
            self.problem = problem
            self.done = True
            self._buffer.clear()
        return []

    def _take(self) -> list[SecureChannelHead]:
        buffer = self._buffer
        while len(buffer) >= _HEADER:
            kind = bytes(buffer[:3])
            size = int.from_bytes(buffer[4:8], "little")
            if kind not in _KINDS or not _HEADER <= size <= MAX_MESSAGE:
                raise Malformed(0, "not an OPC UA message")
            if kind in (b"MSG", b"CLO", b"ERR"):
                self.done = True
                buffer.clear()
                return []
            if len(buffer) < size:
                return []
            if kind == b"OPN":
                self.done = True
                found = parse_open_channel(bytes(buffer[:size]))
                buffer.clear()
                return [found]
            del buffer[:size]
        return []


def parse_open_channel(message: bytes) -> SecureChannelHead:
    """The asymmetric security header of an OPN message, header included. Raises Malformed."""
    if message[:3] != b"OPN":
        raise Malformed(0, "not an OPN message")
    policy, at = _byte_string(message, 12)
    certificate, _ = _byte_string(message, at)
    return SecureChannelHead(
        None if policy is None else wire_text(policy[:255]), tuple(_split_der(certificate or b""))
    )


def _byte_string(data: bytes, at: int) -> tuple[bytes | None, int]:
    """A length of 32 bits, little-endian, -1 for none, then the bytes (OPC 10000-6 section 5.2.2.7)."""
    if at + 4 > len(data):
        raise Malformed(len(data), "the message ends before the length of a string")
    length = int.from_bytes(data[at : at + 4], "little", signed=True)
    if length < 0:
        return None, at + 4
    if at + 4 + length > len(data):
        raise Malformed(at, "a string passes the end of the message")
    return data[at + 4 : at + 4 + length], at + 4 + length


def _split_der(chain: bytes) -> list[bytes]:
    """The DER sequences that stand one behind the other; what is left over is part of none."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(chain) and chain[at] == 0x30 and len(found) < MAX_CHAIN:
        length, start = chain[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 3:
                break
            length = int.from_bytes(chain[start : start + count], "big")
            start += count
        if start + length > len(chain):
            break
        found.append(chain[at : start + length])
        at = start + length
    return found
