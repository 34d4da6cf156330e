"""STUN and TURN over TCP: where the messages of one direction begin and end.

Two framings are seen: messages back to back, ChannelData padded to four bytes (RFC 8656 section 12.5), and
every packet behind a two-byte length (RFC 4571, which ICE over TCP uses, RFC 6544). The first bytes tell
which. Rules of the file: sans-I/O; at most one unfinished frame is held (64 KiB and a header).
"""

from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.stun import HEADER_BYTES, MAGIC_COOKIE

_LENGTH_BYTES: Final = 2
_ENOUGH_TO_TELL: Final = _LENGTH_BYTES + 8


class StunTcpReader:
    """One direction of a connection that begins with a STUN message.

    `problem` is set, and nothing more comes out, when the stream does not begin with one, or breaks its
    framing.
    """

    __slots__ = ("_buffer", "_lengths_first", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lengths_first: bool | None = None
        self.problem: Malformed | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The STUN and ChannelData messages, and with RFC 4571 any other packets, that end in `data`."""
        if self.problem is not None:
            return []
        self._buffer += data
        frames: list[bytes] = []
        at = 0
        try:
            if self._lengths_first is None:
                self._lengths_first = _has_lengths_first(self._buffer)
            while self._lengths_first is not None:
                bounds = (
                    _rfc4571_frame(self._buffer, at) if self._lengths_first else _turn_frame(self._buffer, at)
                )
                if bounds is None:
                    break
                start, end, at = bounds
                frames.append(bytes(self._buffer[start:end]))
        except Malformed as problem:
            self.problem = problem
            self._buffer.clear()
        else:
            del self._buffer[:at]
        return frames


def _has_lengths_first(head: bytearray) -> bool | None:
    """Which framing? None when more bytes are needed."""
    if len(head) >= 8 and head[4:8] == MAGIC_COOKIE and not head[0] & 0xC0:
        return False
    if len(head) < _ENOUGH_TO_TELL:
        return None
    if head[6:10] == MAGIC_COOKIE and not head[2] & 0xC0:
        return True
    raise Malformed(0, "stream does not begin with a STUN message")


def _turn_frame(buffer: bytearray, at: int) -> tuple[int, int, int] | None:
    """Start and end of the next message, and where the one after it begins; None when it is not whole."""
    if len(buffer) - at < 4:
        return None
    length = buffer[at + 2] << 8 | buffer[at + 3]
    if 0x40 <= buffer[at] <= 0x4F:
        end = at + 4 + length
        after = end + -length % 4
    elif not buffer[at] & 0xC0:
        end = after = at + HEADER_BYTES + length
    else:
        raise Malformed(at, "neither STUN nor ChannelData")
    return (at, end, after) if len(buffer) >= after else None


def _rfc4571_frame(buffer: bytearray, at: int) -> tuple[int, int, int] | None:
    if len(buffer) - at < _LENGTH_BYTES:
        return None
    end = at + _LENGTH_BYTES + (buffer[at] << 8 | buffer[at + 1])
    return (at + _LENGTH_BYTES, end, end) if len(buffer) >= end else None
