"""DNS messages (RFC 1035), with EDNS (RFC 6891); mDNS (RFC 6762) and LLMNR (RFC 4795) share the format.

Names and record data come out as text (`dns_name.py`, `dns_rdata.py`), numbers stay numbers with a property
for their IANA name. Work is bounded by the size of the message: a record takes at least 11 bytes, a name at
most 255 bytes and 126 jumps.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns_name import canonical_name, read_name
from wirecover.capture.protocols.dns_rdata import rdata_text
from wirecover.capture.registries.dns_types import (
    CLASSES,
    OPCODES,
    RCODES,
    TYPES,
    class_name,
    opcode_name,
    rcode_name,
    type_name,
)

__all__ = [
    "DnsMessage",
    "DnsQuestion",
    "DnsRecord",
    "DnsTcpReader",
    "Edns",
    "canonical_name",
    "looks_like_dns",
    "parse_dns",
]

HEADER_BYTES: Final = 12
_OPT: Final = 41
_MIN_QUESTION: Final = 5
_MIN_RECORD: Final = 11
_USUAL_UDP: Final = 4096  # the largest UDP payload that senders commonly take: a cut message was no longer
_CLASS_BITS: Final = 0x7FFF  # mDNS: the top bit is no part of the class (RFC 6762 sections 5.4, 10.2)
_NETBIOS_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOP")
_PLAUSIBLE_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*/ ")


@dataclass(frozen=True, slots=True)
class DnsQuestion:
    """What is asked."""

    name: str
    """As on the wire (case kept), in presentation form."""
    type: int
    class_: int
    """With mDNS the top bit asks for a unicast answer."""

    @property
    def type_name(self) -> str:
        return type_name(self.type)

    @property
    def class_name(self) -> str:
        return class_name(self.class_)


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """One resource record."""

    name: str
    type: int
    class_: int
    """With mDNS the top bit flushes caches."""
    ttl: int
    """Seconds, unsigned as on the wire."""
    data: str
    """Text form of the type, else `\\# length hex`."""
    fits: bool
    """False: the data breaks the format of its type, and is given in hexadecimal."""

    @property
    def type_name(self) -> str:
        return type_name(self.type)

    @property
    def class_name(self) -> str:
        return class_name(self.class_)


@dataclass(frozen=True, slots=True)
class Edns:
    """The OPT pseudo-record (RFC 6891 section 6.1)."""

    version: int
    udp_payload: int
    """Largest UDP payload in bytes that the sender takes."""
    dnssec_ok: bool
    options: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class DnsMessage:
    """One message; sections in wire order, the OPT record apart from the additional ones."""

    id: int
    is_response: bool
    opcode: int
    rcode: int
    """Response code, 12 bits where EDNS extends it."""
    authoritative: bool
    truncated: bool
    recursion_desired: bool
    recursion_available: bool
    questions: tuple[DnsQuestion, ...]
    answers: tuple[DnsRecord, ...]
    authority: tuple[DnsRecord, ...]
    additional: tuple[DnsRecord, ...]
    edns: Edns | None
    size: int
    """Bytes that the message takes; less than given when something follows it."""

    @property
    def opcode_name(self) -> str:
        return opcode_name(self.opcode)

    @property
    def rcode_name(self) -> str:
        return rcode_name(self.rcode)


@dataclass(frozen=True, slots=True)
class _RawRecord:
    """Framing of a record: what must be known before its data is read."""

    name: str
    type: int
    class_: int
    ttl: int
    start: int
    end: int


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def parse_dns(data: bytes, *, cut: bool = False) -> DnsMessage | None:
    """One message from the start of `data`; None when `data` ends inside it. Raises Malformed.

    Record data that breaks the format of its type does not fail the message: it is kept in hexadecimal. `cut`: the
    recorder kept no more of the message. What is whole is given then, if that is one question at least.
    """
    if len(data) < HEADER_BYTES:
        return None
    identifier, flags, *counts = (_u16(data, at) for at in range(0, HEADER_BYTES, 2))
    questions, offset = _questions(data, counts[0])
    if len(questions) < counts[0] and not (cut and questions):
        return None
    sections: list[list[DnsRecord]] = [[], [], []]
    edns: Edns | None = None
    extended = 0
    wanted = (section for section, count in zip(sections, counts[1:], strict=True) for _ in range(count))
    for section in wanted if len(questions) == counts[0] else ():
        raw = _raw_record(data, offset)
        if raw is None and cut and questions:
            break
        if raw is None:
            return None
        offset = raw.end
        if raw.type == _OPT and section is sections[2]:
            if edns is not None:
                raise Malformed(raw.start, "more than one OPT record")
            edns, extended = _edns(data, raw), raw.ttl >> 24
            continue
        section.append(_record(data, raw))
    return DnsMessage(
        id=identifier,
        is_response=bool(flags & 0x8000),
        opcode=flags >> 11 & 0xF,
        rcode=extended << 4 | flags & 0xF,
        authoritative=bool(flags & 0x0400),
        truncated=bool(flags & 0x0200),
        recursion_desired=bool(flags & 0x0100),
        recursion_available=bool(flags & 0x0080),
        questions=tuple(questions),
        answers=tuple(sections[0]),
        authority=tuple(sections[1]),
        additional=tuple(sections[2]),
        edns=edns,
        size=offset,
    )


def _questions(data: bytes, count: int) -> tuple[list[DnsQuestion], int]:
    """As many of them as are whole, and the offset after those."""
    questions, offset = [], HEADER_BYTES
    for _ in range(count):
        question = _question(data, offset)
        if question is None:
            break
        questions.append(question[0])
        offset = question[1]
    return questions, offset


def _question(data: bytes, offset: int) -> tuple[DnsQuestion, int] | None:
    named = read_name(data, offset)
    if named is None or named[1] + 4 > len(data):
        return None
    name, at = named
    type_, class_ = _u16(data, at), _u16(data, at + 2)
    return DnsQuestion(name, type_, class_), at + 4


def _raw_record(data: bytes, offset: int) -> _RawRecord | None:
    named = read_name(data, offset)
    if named is None or named[1] + 10 > len(data):
        return None
    name, at = named
    type_, class_ = _u16(data, at), _u16(data, at + 2)
    ttl, length = _u16(data, at + 4) << 16 | _u16(data, at + 6), _u16(data, at + 8)
    if at + 10 + length > len(data):
        return None
    return _RawRecord(name, type_, class_, ttl, at + 10, at + 10 + length)


def _record(data: bytes, raw: _RawRecord) -> DnsRecord:
    text, fits = rdata_text(raw.type, raw.class_ & _CLASS_BITS, data, raw.start, raw.end)
    return DnsRecord(raw.name, raw.type, raw.class_, raw.ttl, text, fits)


def _edns(data: bytes, raw: _RawRecord) -> Edns:
    options: list[tuple[int, bytes]] = []
    at = raw.start
    while at < raw.end:
        if at + 4 > raw.end or at + 4 + _u16(data, at + 2) > raw.end:
            raise Malformed(at, "EDNS option runs past its record")
        length = _u16(data, at + 2)
        options.append((_u16(data, at), data[at + 4 : at + 4 + length]))
        at += 4 + length
    return Edns(raw.ttl >> 16 & 0xFF, raw.class_, bool(raw.ttl & 0x8000), tuple(options))


def looks_like_dns(data: bytes, *, known_port: bool = False) -> bool:
    """Is this datagram a DNS message?

    On a port of DNS, mDNS or LLMNR (`known_port`) it may be cut (snap length) and hold unknown types: a sound
    header and a sound first question or record are enough. Elsewhere every part must be what is seen in
    practice: one question (or an unsolicited answer of mDNS), known opcode, class and types, names of
    host-name characters, sound record data, and not a byte left over.
    """
    if not _sound_header(data, max(len(data), _USUAL_UDP)):
        return False
    try:
        message = parse_dns(data)
        if message is None:
            return known_port and _starts_soundly(data)
    except Malformed:
        return False
    return known_port or (message.size == len(data) and _plausible(message))


def _starts_soundly(data: bytes) -> bool:
    """Of a cut message: is its first question there, of a known type and class?"""
    first = _question(data, HEADER_BYTES) if _u16(data, 4) else None
    return first is not None and first[0].type in TYPES and first[0].class_ & _CLASS_BITS in CLASSES


def _sound_header(data: bytes, room: int) -> bool:
    """A header that a real sender writes, with counts that a message of `room` bytes can hold."""
    if len(data) < HEADER_BYTES:
        return False
    flags = data[2] << 8 | data[3]
    asked, *counted = (_u16(data, at) for at in range(4, HEADER_BYTES, 2))
    if flags >> 11 & 0xF not in OPCODES or flags & 0x0040:  # the Z bit must be zero (RFC 1035 section 4.1.1)
        return False
    if not flags & 0x8000 and flags & 0xF and flags >> 11 & 0xF != 5:  # no response code in a query
        return False
    needed = asked * _MIN_QUESTION + sum(counted) * _MIN_RECORD
    return needed <= room


def _plausible(message: DnsMessage) -> bool:
    records = (*message.answers, *message.authority, *message.additional)
    if len(message.questions) != 1 and not (message.id == 0 and (records or message.questions)):
        return False
    if message.rcode not in RCODES:
        return False
    if not message.is_response and message.answers and message.opcode not in (4, 5) and message.id != 0:
        return False
    if any(_is_netbios(question.name) for question in message.questions):
        return False
    names_and_kinds = [(q.name, q.type, q.class_) for q in message.questions]
    names_and_kinds += [(r.name, r.type, r.class_) for r in records]
    return all(record.fits for record in records) and all(
        type_ in TYPES and class_ & _CLASS_BITS in CLASSES and _host_like(name)
        for name, type_, class_ in names_and_kinds
    )


def _is_netbios(name: str) -> bool:
    """A NetBIOS name: two letters from A to P a byte (RFC 1001 section 14.1)? It shares the format."""
    first = name.partition(".")[0]
    return len(first) == 32 and _NETBIOS_LETTERS.issuperset(first)


def _host_like(name: str) -> bool:
    return _PLAUSIBLE_NAME.issuperset(name)


class DnsTcpReader:
    """One direction of DNS over TCP: messages behind a two-byte length (RFC 1035 section 4.2.2).

    Holds less than one message (64 KiB + 1 byte) between calls. `problem` is set, and nothing more is
    returned, when the stream cannot be DNS: a frame too short for a header, or a first frame that has no
    sound one.
    """

    __slots__ = ("_buffer", "_messages", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._messages = 0
        self.problem: Malformed | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that end in `data`, each without its length."""
        if self.problem is not None:
            return []
        self._buffer += data
        messages: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= 2:
            length = int.from_bytes(self._buffer[at : at + 2], "big")
            if length < HEADER_BYTES:
                self.problem = Malformed(at, "DNS frame shorter than a header")
                break
            if not self._messages and not _sound_start(self._buffer[at + 2 : at + 2 + HEADER_BYTES], length):
                self.problem = Malformed(at + 2, "no DNS header in the first frame")
                break
            if len(self._buffer) - at - 2 < length:
                break
            messages.append(bytes(self._buffer[at + 2 : at + 2 + length]))
            self._messages += 1
            at += 2 + length
        if self.problem is not None:
            self._buffer.clear()
        else:
            del self._buffer[:at]
        return messages


def _sound_start(header: bytearray, length: int) -> bool:
    """May a message of `length` bytes begin so? Looked at only when the header is there whole."""
    return len(header) < HEADER_BYTES or _sound_header(bytes(header), length - HEADER_BYTES)
