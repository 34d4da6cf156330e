"""Messengers that frame their own stream: where each frame ends, and nothing of what it holds.

A `FramedTalk` follows both directions of one TCP stream from its first byte on. It keeps at most the first bytes of a
frame (its length field and what the protocol writes in clear behind it) and counts the rest. Layouts:

    whatsapp-noise  `WA` and a version, maybe behind routing data; then a 3-byte length (big-endian) before each message
                    https://github.com/tulir/whatsmeow/tree/33cfac5 socket/framesocket.go
    mtproto         https://core.telegram.org/mtproto/mtproto-transports (abridged, intermediate, padded intermediate)
    threema-csp     48 bytes up, 80 down, a login up, 32 down; then a 2-byte length (little-endian)
                    https://github.com/threema-ch/threema-android/tree/e2defbb
    kakaotalk-loco  key exchange of 268 bytes up; then a 4-byte length (little-endian)
                    https://github.com/storycraft/node-kakao
    wechat-mmtls    records like those of TLS with version 0xf103 or 0xf104
                    https://github.com/wanduow/libprotoident/tree/ba2c95d
    viber           a 2-byte length (little-endian) that counts itself
                    https://github.com/ntop/nDPI/tree/3b1286a

A length alone fits any bytes. So a talk is `sure` only once enough of the stream has agreed with the protocol: bytes
that each frame must begin with, or frames that end where packets end. Whoever writes rows waits for that.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Final, NamedTuple

from wirecover.capture.protocols.mtproto import TRANSPORTS

MAX_FRAME: Final = 1 << 24
ALIGNED: Final = 3
"""Packets that end where a frame ends, before a protocol without marks is believed."""


class Frame(NamedTuple):
    """One frame, at the piece in which it ended."""

    kind: str
    """`handshake`, `message`, `record` or `ack`."""
    length: int
    """Bytes of the body, without the length field."""


class _Body(NamedTuple):
    length: int
    head: bytes
    """Its first bytes, as many as the reader asked for."""


class _BrokenError(Exception):
    """The bytes are not framed as the protocol would."""


class _Chain(ABC):
    """One direction: frame after frame."""

    HEAD: ClassVar[int] = 0
    """Bytes of a body that are looked at."""

    def __init__(self) -> None:
        self._kept = b""
        self._skip = 0
        self._body: _Body | None = None

    @property
    def at_boundary(self) -> bool:
        """The last byte read was the last of a frame."""
        return not self._kept and self._body is None

    @abstractmethod
    def measure(self, data: bytes, at: int) -> tuple[int, int] | None:
        """(bytes of the length field, bytes of the body) of the frame at `at`; None: more bytes are needed."""

    def feed(self, data: bytes) -> list[_Body]:
        """Bodies that ended in `data`. Raises _BrokenError."""
        ended: list[_Body] = []
        at = 0
        if self._kept:
            data = self._kept + data
            self._kept = b""
        while True:
            if self._body is not None:
                step = min(self._skip, len(data) - at)
                at += step
                self._skip -= step
                if self._skip:
                    return ended
                ended.append(self._body)
                self._body = None
            if at >= len(data):
                return ended
            measured = self.measure(data, at)
            if measured is None or len(data) - at < measured[0] + min(self.HEAD, measured[1]):
                self._kept = data[at:]
                return ended
            header, length = measured
            if not 0 <= length <= MAX_FRAME:
                raise _BrokenError
            at += header
            self._body = _Body(length, data[at : at + min(self.HEAD, length)])
            self._skip = length


class _Lengths(_Chain):
    """A length of fixed size before each body."""

    def __init__(
        self, size: int, order: str, least: int, most: int = MAX_FRAME, *, own: bool = False
    ) -> None:
        super().__init__()
        self._size, self._little = size, order == "little"
        self._least, self._most, self._own = least, most, own

    def measure(self, data: bytes, at: int) -> tuple[int, int] | None:
        if len(data) - at < self._size:
            return None
        length = int.from_bytes(data[at : at + self._size], "little" if self._little else "big")
        length -= self._size if self._own else 0
        if not self._least <= length <= self._most:
            raise _BrokenError
        return self._size, length


class _MarkedLengths(_Lengths):
    """The same, and the first byte of each body is wanted."""

    HEAD = 1


class _Records(_Chain):
    """mmtls: kind, version, 2-byte length."""

    def measure(self, data: bytes, at: int) -> tuple[int, int] | None:
        head = data[at : at + 5]
        if head[0] not in (0x15, 0x16, 0x17, 0x19) or head[1:2] not in (b"", b"\xf1"):
            raise _BrokenError
        if len(head) < 5:
            return None
        if head[2] not in (3, 4):
            raise _BrokenError
        return 5, int.from_bytes(head[3:5], "big")


class _Abridged(_Chain):
    """MTProto abridged: the length in words, one byte or 0x7f and three."""

    HEAD = 8

    def __init__(self, *, answers: bool) -> None:
        super().__init__()
        self._answers = answers
        """The server's direction, where a set top bit means a receipt of four bytes in all."""

    def measure(self, data: bytes, at: int) -> tuple[int, int] | None:
        first = data[at]
        if first & 0x80 and self._answers:
            return 0, 4
        words = first & 0x7F
        if words == 0x7F:
            if len(data) - at < 4:
                return None
            return 4, 4 * int.from_bytes(data[at + 1 : at + 4], "little")
        if not words:
            raise _BrokenError
        return 1, 4 * words


class _Intermediate(_Chain):
    """MTProto intermediate and padded intermediate: 4-byte length, its top bit is a receipt or asks for one."""

    HEAD = 8

    def __init__(self, *, answers: bool) -> None:
        super().__init__()
        self._answers = answers

    def measure(self, data: bytes, at: int) -> tuple[int, int] | None:
        if len(data) - at < 4:
            return None
        length = int.from_bytes(data[at : at + 4], "little")
        if length & 0x80000000 and self._answers:
            return 0, 4
        length &= 0x7FFFFFFF
        if length < 4:
            raise _BrokenError
        return 4, length


class FramedTalk(ABC):
    """Both directions of one stream. After `broken` nothing more comes of it."""

    protocol: ClassVar[str]

    def __init__(self) -> None:
        self.broken = False
        self.facts: list[tuple[str, str]] = []
        """(attribute, value) of what stands in clear; the reader of this list empties it."""
        self._aligned = self._astray = 0
        self._frames = [0, 0]
        """Bodies so far: down, up."""

    @property
    def sure(self) -> bool:
        """Enough of the stream agreed with the protocol."""
        return not self.broken and self._aligned >= ALIGNED and self._aligned >= 4 * self._astray

    def feed(self, up: bool, data: bytes) -> list[Frame]:
        """Frames that ended in this piece of the stream of one direction. Pieces come in order, without gaps."""
        if self.broken:
            return []
        try:
            frames = self._read(up, data)
        except _BrokenError:
            self.broken = True
            return []
        self._frames[up] += len(frames)
        if frames and self._chain(up).at_boundary:
            self._aligned += 1
        elif frames:
            self._astray += 1
        return frames

    @abstractmethod
    def _chain(self, up: bool) -> _Chain:
        """The chain of one direction."""

    @abstractmethod
    def _read(self, up: bool, data: bytes) -> list[Frame]:
        """As `feed`. Raises _BrokenError."""


class _Plain(FramedTalk):
    """A talk whose frames are all messages once `_opening` bytes of each direction are over."""

    kind: ClassVar[str] = "message"

    def __init__(self, down: _Chain, up: _Chain, opening: int = 0) -> None:
        super().__init__()
        self._chains = (down, up)
        self._opening = opening

    def _chain(self, up: bool) -> _Chain:
        return self._chains[up]

    def _read(self, up: bool, data: bytes) -> list[Frame]:
        if up and self._opening:
            cut = min(self._opening, len(data))
            self._opening -= cut
            data = data[cut:]
        return [Frame(self.kind, body.length) for body in self._chains[up].feed(data)] if data else []


class LocoTalk(_Plain):
    """KakaoTalk: the opening was checked; each body is at least its 16-byte IV."""

    protocol = "kakaotalk-loco"

    def __init__(self) -> None:
        super().__init__(_Lengths(4, "little", 17), _Lengths(4, "little", 17), opening=268)


class MmtlsTalk(_Plain):
    """WeChat: three bytes of every record are fixed."""

    protocol = "wechat-mmtls"
    kind = "record"

    def __init__(self) -> None:
        super().__init__(_Records(), _Records())

    @property
    def sure(self) -> bool:
        return not self.broken and sum(self._frames) >= 2


class ViberTalk(_Plain):
    """Viber: the first frame was checked."""

    protocol = "viber"

    def __init__(self) -> None:
        super().__init__(
            _Lengths(2, "little", 6, 0xFFFF, own=True), _Lengths(2, "little", 6, 0xFFFF, own=True)
        )


class WhatsAppTalk(FramedTalk):
    """WhatsApp: routing data, `WA`, version; the first byte of the three messages of the handshake is known."""

    protocol = "whatsapp-noise"
    _MARKS: ClassVar = {(True, 0): 0x12, (False, 0): 0x1A, (True, 1): 0x22}

    def __init__(self) -> None:
        super().__init__()
        self._chains = (_MarkedLengths(3, "big", 1), _MarkedLengths(3, "big", 1))
        self._opening: bytes | None = b""

    def _chain(self, up: bool) -> _Chain:
        return self._chains[up]

    @property
    def sure(self) -> bool:
        return not self.broken and min(self._frames) >= 1

    def _read(self, up: bool, data: bytes) -> list[Frame]:
        if up and self._opening is not None:
            rest = self._open(self._opening + data)
            if rest is None:
                return []
            data = rest
        frames = []
        for number, body in enumerate(self._chains[up].feed(data), start=self._frames[up]):
            mark = self._MARKS.get((up, number))
            if mark is not None and body.head[:1] != bytes([mark]):
                raise _BrokenError
            frames.append(Frame("message" if mark is None else "handshake", body.length))
        return frames

    def _open(self, data: bytes) -> bytes | None:
        """What follows the header, None while it is not all there."""
        at = 0
        if data[:4] == b"ED\0\1":
            if len(data) < 7:
                self._opening = data
                return None
            at = 7 + int.from_bytes(data[4:7], "big")
            if at > 4096:
                raise _BrokenError
        if len(data) < at + 4:
            self._opening = data
            return None
        if data[at : at + 2] != b"WA" or data[at + 2] >= 16:
            raise _BrokenError
        self._opening = None
        self.facts.append(("version", f"{data[at + 2]}.{data[at + 3]}"))
        if at:
            self.facts.append(("routing_bytes", str(at - 7)))
        return data[at + 4 :]


class ThreemaTalk(FramedTalk):
    """Threema: sizes of the handshake, then boxes of at least 20 bytes."""

    protocol = "threema-csp"
    HELLO, SERVER_HELLO, ACK, LOGIN = 48, 80, 32, 144

    def __init__(self) -> None:
        super().__init__()
        self._chains = (_Lengths(2, "little", 20, 0xFFFF), _Lengths(2, "little", 20, 0xFFFF))
        self._down_left = self.SERVER_HELLO + self.ACK
        self._up_bytes = 0

    def _chain(self, up: bool) -> _Chain:
        return self._chains[up]

    def _read(self, up: bool, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        if self._down_left and up:
            if self._down_left > self.ACK and self._up_bytes >= self.HELLO:
                raise _BrokenError  # a client logs in after the server's hello
            self._up_bytes += len(data)
            return [Frame("handshake", len(data))]
        if self._down_left:
            cut = min(self._down_left, len(data))
            if cut == self._down_left and self._up_bytes < self.HELLO + self.LOGIN:
                raise _BrokenError
            self._down_left -= cut
            frames.append(Frame("handshake", cut))
            data = data[cut:]
        if data:
            frames += [Frame("message", body.length) for body in self._chains[up].feed(data)]
        return frames

    @property
    def sure(self) -> bool:
        return super().sure and not self._down_left and sum(self._frames) >= 4 + ALIGNED


class MtprotoTalk(FramedTalk):
    """Telegram without obfuscation: every message begins with the id of the key, 0 for a key exchange."""

    protocol = "mtproto"

    def __init__(self, transport: str) -> None:
        super().__init__()
        chain = _Abridged if transport == "abridged" else _Intermediate
        self._chains = (chain(answers=True), chain(answers=False))
        self._opening = 1 if transport == "abridged" else 4
        self._keys: tuple[set[bytes], set[bytes]] = (set(), set())
        self.facts.append(("transport", transport))

    def _chain(self, up: bool) -> _Chain:
        return self._chains[up]

    @property
    def sure(self) -> bool:
        """Both sides wrote one and the same key id, which is 64 bits."""
        return not self.broken and bool(self._keys[0] & self._keys[1])

    def _read(self, up: bool, data: bytes) -> list[Frame]:
        if up and self._opening:
            cut = min(self._opening, len(data))
            self._opening -= cut
            data = data[cut:]
        return [self._frame(up, body) for body in self._chains[up].feed(data)] if data else []

    def _frame(self, up: bool, body: _Body) -> Frame:
        if body.length < 20:  # a receipt, or an error number
            return Frame("ack", body.length)
        if body.head not in self._keys[up] and len(self._keys[up]) < 8:
            self._keys[up].add(body.head)
            if body.head in self._keys[not up]:
                value = body.head.hex() if any(body.head) else "none: key exchange"
                self.facts.append(("auth_key_id", value))
        return Frame("message" if any(body.head) else "handshake", body.length)


def open_talk(data: bytes, length: int) -> FramedTalk | None:
    """The talk that a first payload of a TCP stream (`length` bytes on the wire) may open, else None.

    Give it that payload, too.
    """
    if data[:2] == b"WA" or data[:4] == b"ED\0\1":
        return WhatsAppTalk()
    if data[:12] == _LOCO_START:
        return LocoTalk()
    if data[1:2] == b"\xf1" and data[2:3] in (b"\3", b"\4") and data[0] in (0x16, 0x19):
        return MmtlsTalk()
    if data[6:8] == b"\xfc\xff" and data[9:10] == b"\x80" and int.from_bytes(data[:2], "little") == length:
        return ViberTalk()
    if data[:4] in TRANSPORTS:
        return MtprotoTalk(TRANSPORTS[data[:4]])
    if data[:1] == b"\xef" and len(data) > 9 and 5 <= data[1] & 0x7F < 0x7F:
        return MtprotoTalk("abridged")
    return ThreemaTalk() if length == ThreemaTalk.HELLO else None


_LOCO_START: Final = b"\x00\x01\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x00"
