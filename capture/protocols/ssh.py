"""SSH before it is encrypted (RFC 4253): who speaks which software, and which algorithms each side offers.

A side sends a line that names its software (section 4.2), then binary packets (section 6); the first of these
that matters, KEXINIT (section 7.1), lists its algorithms in order of preference. HASSH is the MD5 of four of
its lists (https://github.com/salesforce/hassh): it tells implementations apart, not machines or persons, and
whoever writes a client can choose it.

Rules of the file: sans-I/O; a reader holds at most one unfinished line or packet, and stops for good at
KEXINIT, since what follows is of no use here or encrypted.
"""

from dataclasses import dataclass
from hashlib import md5
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.wire_text import wire_text

PREFIX: Final = b"SSH-"
MAX_LINE: Final = 255
"""Bytes of an identification line with its end (RFC 4253 section 4.2)."""
MAX_GREETING: Final = 8192
"""Bytes of other lines that a server may send before it; the RFC gives no bound."""
MAX_PACKET: Final = 35_000
"""Bytes of a packet that every implementation must take (RFC 4253 section 6.1)."""
MAX_PACKETS: Final = 8
"""Packets before KEXINIT (RFC 4253 section 11 allows DISCONNECT, IGNORE, DEBUG, UNIMPLEMENTED at any time)."""
READ_BYTES: Final = MAX_GREETING + MAX_LINE + 2 * MAX_PACKET
"""How much of a direction is worth showing to a reader."""

KEXINIT: Final = 20
_COOKIE_BYTES: Final = 16
_LISTS: Final = 10
_BINARY_VERSIONS: Final = ("2.0", "1.99")
"""Protocol versions that speak RFC 4253 (section 5.1)."""


@dataclass(frozen=True, slots=True)
class Identification:
    """`SSH-<protocol>-<software> <comments>`."""

    protocol: str
    software: str
    """Escaped."""
    comments: str | None
    """Escaped; None: there are none."""

    @property
    def text(self) -> str:
        """Software and comments as one text."""
        return self.software if self.comments is None else f"{self.software} {self.comments}"


@dataclass(frozen=True, slots=True)
class KexInit:
    """The offers of one side."""

    lists: tuple[bytes, ...]
    """The ten name-lists as sent: key exchange, host key; encryption, MAC, compression and languages, each
    from client to server and then from server to client."""
    guess_follows: bool
    """The packet behind is a key exchange begun on a guess."""

    def names(self, number: int) -> tuple[str, ...]:
        """List `number` (0 to 9) as escaped names."""
        return tuple(wire_text(name) for name in self.lists[number].split(b",")) if self.lists[number] else ()

    @property
    def hassh(self) -> str:
        """The fingerprint, if a client sent this."""
        return self._digest(0, 2, 4, 6)

    @property
    def hassh_server(self) -> str:
        """The fingerprint, if a server sent this."""
        return self._digest(0, 3, 5, 7)

    def _digest(self, *numbers: int) -> str:
        text = b";".join([self.lists[number] for number in numbers])
        return md5(text, usedforsecurity=False).hexdigest()


def looks_like_ssh(data: bytes) -> bool:
    """Whether a stream that begins with `data` begins with an SSH identification."""
    return data.startswith((b"SSH-2.0-", b"SSH-1."))


def parse_identification(line: bytes) -> Identification | None:
    """The identification that `line` holds up to its line feed; None when that is missing. Raises Malformed."""
    if not line.startswith(PREFIX[: len(line)]):
        raise Malformed(0, "identification does not begin with SSH-")
    end = line.find(b"\n", 0, MAX_LINE)
    if end < 0:
        if len(line) >= MAX_LINE:
            raise Malformed(MAX_LINE, "identification is longer than 255 bytes")
        return None
    text = line[len(PREFIX) : end].removesuffix(b"\r")  # some old servers end with a line feed alone
    protocol, dash, rest = text.partition(b"-")
    if not dash or not protocol or b"\0" in text:
        raise Malformed(len(PREFIX), "identification has no version and software")
    software, space, comments = rest.partition(b" ")
    return Identification(wire_text(protocol), wire_text(software), wire_text(comments) if space else None)


def parse_kexinit(payload: bytes) -> KexInit | None:
    """The message of a packet's payload, message number included; None when it is cut. Raises Malformed."""
    if payload and payload[0] != KEXINIT:
        raise Malformed(0, "not a KEXINIT message")
    at = 1 + _COOKIE_BYTES
    lists = []
    for _ in range(_LISTS):
        if len(payload) < at + 4:
            return None
        size = int.from_bytes(payload[at : at + 4], "big")
        if size > MAX_PACKET:
            raise Malformed(at, "name-list is longer than a packet")
        if len(payload) < at + 4 + size:
            return None
        lists.append(payload[at + 4 : at + 4 + size])
        at += 4 + size
    if len(payload) < at + 5:  # the guess flag, and a reserved word
        return None
    return KexInit(tuple(lists), payload[at] != 0)


class SshReader:
    """One direction of a connection. `done`: nothing more can come out; `problem`: why, if not by KEXINIT."""

    __slots__ = ("_buffer", "_greeting", "_packets", "_protocol", "done", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeting = 0
        self._packets = 0
        self._protocol: str | None = None
        self.done = False
        self.problem: Malformed | None = None

    def feed(self, data: bytes) -> list[Identification | KexInit]:
        """What ends in the next bytes of the stream: the identification, then KEXINIT, at most once each."""
        if self.done:
            return []
        self._buffer += data
        found: list[Identification | KexInit] = []
        try:
            while not self.done:
                step = self._line() if self._protocol is None else self._packet()
                if step is None:
                    break
                found.extend(step)
        except Malformed as problem:
            self.problem = problem
            self.done = True
        if self.done:
            self._buffer.clear()
        return found

    def _line(self) -> list[Identification | KexInit] | None:
        """One line; None when it is not whole."""
        if self._buffer.startswith(PREFIX[: len(self._buffer)]):
            record = parse_identification(bytes(self._buffer[: MAX_LINE + 1]))
            if record is None:
                return None
            del self._buffer[: self._buffer.index(b"\n") + 1]
            self._protocol = record.protocol
            self.done = record.protocol not in _BINARY_VERSIONS
            return [record]
        end = self._buffer.find(b"\n")
        if self._greeting + (len(self._buffer) if end < 0 else end + 1) > MAX_GREETING:
            raise Malformed(0, "too much text before the identification")
        if end < 0:
            return None
        self._greeting += end + 1
        del self._buffer[: end + 1]
        return []

    def _packet(self) -> list[Identification | KexInit] | None:
        """One binary packet (RFC 4253 section 6), not yet encrypted and without a MAC; None when not whole."""
        if len(self._buffer) < 6:
            return None
        size, padding, message = int.from_bytes(self._buffer[:4], "big"), self._buffer[4], self._buffer[5]
        if not padding + 2 <= size <= MAX_PACKET:
            raise Malformed(0, "length of an SSH packet contradicts its padding or the limit")
        if message != KEXINIT and not 1 <= message <= 4:
            raise Malformed(5, "another message where KEXINIT should be")
        if len(self._buffer) < 4 + size:
            return None
        payload = bytes(self._buffer[5 : 4 + size - padding])
        del self._buffer[: 4 + size]
        self._packets += 1
        if message == KEXINIT:
            record = parse_kexinit(payload)
            if record is None:
                raise Malformed(5, "KEXINIT runs past its packet")
            self.done = True
            return [record]
        if self._packets >= MAX_PACKETS:
            raise Malformed(0, "too many packets before KEXINIT")
        return []
