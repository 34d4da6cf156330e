"""RTP and RTCP (RFC 3550), and their secured forms as far as these are in clear (RFC 3711).

SRTP leaves the RTP header, its CSRC list and its extensions in clear and encrypts what follows, so an RTP
packet is read the same way whether or not it is secured; the padding count, which is its last byte, then is
not readable and is not looked at. SRTCP leaves the first eight bytes in clear: a type, a length, a sender.

The formats that may share a socket are told apart by their first byte (RFC 7983, with QUIC by RFC 9443), RTP
and RTCP by their second (RFC 5761 section 4). Beyond the version bits an RTP header has nothing fixed: one
packet that looks like RTP proves nothing. `flows/media.py` claims a stream only by a run of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.wire_text import wire_text

HEADER_BYTES: Final = 12
RTCP_HEADER_BYTES: Final = 4
ONE_BYTE_PROFILE: Final = 0xBEDE
"""Header extensions in elements with a one-byte header (RFC 8285 section 4.2)."""
TWO_BYTE_PROFILES: Final = range(0x1000, 0x1010)
"""With a two-byte header (RFC 8285 section 4.3); the last four bits are the application's."""
WARP_PROFILE: Final = 0xDEBE
"""WhatsApp's own extension: a number to compare with, its content is not read."""

RTCP_TYPES: Final = range(192, 224)
"""Second bytes that belong to RTCP where both share a port (RFC 5761 section 4)."""
SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
RTCP_NAMES: Final[dict[int, str]] = {
    # https://www.iana.org/assignments/rtp-parameters/rtp-parameters.xhtml#rtp-parameters-4
    192: "FIR", 193: "NACK", 194: "SMPTETC", 195: "IJ", 200: "SR", 201: "RR", 202: "SDES", 203: "BYE",
    204: "APP", 205: "RTPFB", 206: "PSFB", 207: "XR", 208: "AVB", 209: "RSI", 210: "TOKEN", 211: "IDMS",
    212: "RGRS", 213: "SNM",
}  # fmt: skip
AUDIO_TYPES: Final = frozenset((0, *range(3, 19)))
"""Static payload types of audio (RFC 3551 section 6, table 4)."""
VIDEO_TYPES: Final = frozenset((25, 26, 28, 31, 32, 34))
"""Static payload types of video (RFC 3551 section 6, table 5, and 34 of RFC 2190); 33 (MPEG-2 transport
stream) may hold either and is in neither set."""

_FAMILIES: Final = (
    (3, "stun"), (15, "unknown"), (19, "zrtp"), (63, "dtls"), (79, "channel"), (127, "quic"), (191, "rtp"),
    (255, "quic"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """The header of one packet."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    csrcs: tuple[int, ...]
    padded: bool
    """Ends in padding; how much is not read, since SRTP encrypts the count."""
    extension_profile: int | None
    """The number in front of the header extension; None: there is none."""
    extensions: tuple[tuple[int, bytes], ...]
    """Elements in wire order where the profile is one of RFC 8285, else empty."""
    header_bytes: int
    payload_bytes: int
    """What follows the header: with SRTP the authentication tag is part of it."""


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """Of a sender report (RFC 3550 section 6.4.1)."""

    ntp: int
    """64-bit NTP time of the sender's own clock."""
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class RtcpPacket:
    """One packet of a compound."""

    type: int
    count: int
    """Report count, source count, feedback type or subtype: the five bits behind version and padding."""
    ssrc: int | None
    """The sender; None where the packet names none (an empty SDES or BYE)."""
    size: int
    """Bytes, header and padding included."""
    sender: SenderInfo | None = None
    items: tuple[tuple[int, int, str], ...] = ()
    """SDES: (source, item type, text), text escaped. Item 1 is CNAME (RFC 3550 section 6.5)."""
    sources: tuple[int, ...] = ()
    """BYE: the sources that leave."""

    @property
    def name(self) -> str:
        """As IANA has it, else `unknown-<number>`."""
        return RTCP_NAMES.get(self.type, f"unknown-{self.type}")


@dataclass(frozen=True, slots=True)
class Rtcp:
    """One RTCP datagram."""

    packets: tuple[RtcpPacket, ...]
    secured: bool
    """The length of the first packet does not lead through the datagram: SRTCP. Only its header was read."""


def datagram_family(first_byte: int) -> str:
    """Which protocol of a shared socket a datagram belongs to, by its first byte.

    RFC 7983 section 7, with QUIC as RFC 9443 section 3 has it; 64..79 are TURN channels, and QUIC where no
    TURN was spoken.
    """
    for last, name in _FAMILIES:
        if first_byte <= last:
            return name
    raise ValueError(f"{first_byte} is not a byte")


def looks_like_rtp(data: bytes, length: int | None = None) -> bool:
    """Whether `data`, of a datagram of `length` bytes, may be an RTP packet with some payload.

    True of one in six random datagrams: a reason to look on, never a proof.
    """
    length = len(data) if length is None else length
    if len(data) < HEADER_BYTES or data[0] >> 6 != 2 or not _is_rtp_type(data[1] & 0x7F):
        return False
    end = HEADER_BYTES + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:
        if len(data) < end + 4:
            return False
        end += 4 + 4 * int.from_bytes(data[end + 2 : end + 4], "big")
    return end < length


def looks_like_rtcp(data: bytes, length: int | None = None) -> bool:
    """Whether `data`, of a datagram of `length` bytes, may be RTCP or SRTCP: type and length fit."""
    length = len(data) if length is None else length
    if len(data) < 8 or data[0] >> 6 != 2 or not SENDER_REPORT <= data[1] <= 207:
        return False
    return 8 <= 4 + 4 * int.from_bytes(data[2:4], "big") <= length


def _is_rtp_type(payload_type: int) -> bool:
    return payload_type not in range(64, 96)  # with the marker bit they would be RTCP's 192..223


def parse_rtp(data: bytes) -> RtpPacket | None:
    """The header of the packet that fills `data`; None when `data` ends inside it. Raises Malformed."""
    if data and data[0] >> 6 != 2:
        raise Malformed(0, "RTP version is not 2")
    if len(data) > 1 and not _is_rtp_type(data[1] & 0x7F):
        raise Malformed(1, "payload type lies in the range of RTCP")
    if len(data) < HEADER_BYTES:
        return None
    end = HEADER_BYTES + 4 * (data[0] & 0x0F)
    if len(data) < end:
        return None
    csrcs = tuple(_u32(data, at) for at in range(HEADER_BYTES, end, 4))
    profile: int | None = None
    elements: tuple[tuple[int, bytes], ...] = ()
    if data[0] & 0x10:
        if len(data) < end + 4:
            return None
        profile, size = _u16(data, end), 4 * _u16(data, end + 2)
        start, end = end + 4, end + 4 + size
        if len(data) < end:
            return None
        elements = _elements(profile, data, start, end)
    return RtpPacket(
        marker=bool(data[1] & 0x80), payload_type=data[1] & 0x7F, sequence=_u16(data, 2),
        timestamp=_u32(data, 4), ssrc=_u32(data, 8), csrcs=csrcs, padded=bool(data[0] & 0x20),
        extension_profile=profile, extensions=elements, header_bytes=end, payload_bytes=len(data) - end,
    )  # fmt: skip


def _elements(profile: int, data: bytes, start: int, end: int) -> tuple[tuple[int, bytes], ...]:
    if profile == ONE_BYTE_PROFILE:
        return tuple(_one_byte_elements(data, start, end))
    return tuple(_two_byte_elements(data, start, end)) if profile in TWO_BYTE_PROFILES else ()


def _one_byte_elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    while at < end:
        number, size = data[at] >> 4, (data[at] & 0x0F) + 1
        if data[at] == 0:  # padding
            at += 1
            continue
        if number in (0, 15):  # RFC 8285 4.2: what follows is not looked at
            return
        if at + 1 + size > end:
            raise Malformed(at, "header extension element runs past its block")
        yield number, data[at + 1 : at + 1 + size]
        at += 1 + size


def _two_byte_elements(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    while at < end:
        if data[at] == 0:  # padding
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            raise Malformed(at, "header extension element runs past its block")
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def parse_rtcp(data: bytes) -> Rtcp | None:
    """The packets of the compound that fills `data`; None when `data` ends inside its first.

    Raises Malformed for what is not RTCP at all. Where the lengths do not lead exactly to the end the rest is
    taken for encrypted (`secured`): SRTCP keeps the first packet's header as it was, and appends an index and
    a tag. A compound of one packet whose own parts contradict its length is secured too; which of the two
    cannot be known.
    """
    if data and data[0] >> 6 != 2:
        raise Malformed(0, "RTCP version is not 2")
    if len(data) > 1 and data[1] not in RTCP_TYPES:
        raise Malformed(1, "not an RTCP packet type")
    if len(data) < RTCP_HEADER_BYTES:
        return None
    first = RTCP_HEADER_BYTES + 4 * _u16(data, 2)
    if len(data) < first:
        return None
    try:
        return Rtcp(tuple(_compound(data)), secured=False)
    except Malformed:
        ssrc = _u32(data, 4) if first >= 8 else None
        return Rtcp((RtcpPacket(data[1], data[0] & 0x1F, ssrc, first),), secured=True)


def _compound(data: bytes) -> Iterator[RtcpPacket]:
    at = 0
    while at < len(data):
        if len(data) - at < RTCP_HEADER_BYTES or data[at] >> 6 != 2 or data[at + 1] not in RTCP_TYPES:
            raise Malformed(at, "no RTCP packet where one should begin")
        end = at + RTCP_HEADER_BYTES + 4 * _u16(data, at + 2)
        if end > len(data):
            raise Malformed(at + 2, "RTCP length runs past its datagram")
        yield _rtcp_packet(data, at, end)
        at = end


def _rtcp_packet(data: bytes, at: int, end: int) -> RtcpPacket:
    kind, count = data[at + 1], data[at] & 0x1F
    body = at + RTCP_HEADER_BYTES
    stop = end
    if data[at] & 0x20:
        if end == body or not 0 < data[end - 1] <= end - body:
            raise Malformed(end - 1, "RTCP padding is longer than its packet")
        stop = end - data[end - 1]
    ssrc = _u32(data, body) if stop - body >= 4 else None
    sender: SenderInfo | None = None
    items: tuple[tuple[int, int, str], ...] = ()
    sources: tuple[int, ...] = ()
    if kind in (SENDER_REPORT, RECEIVER_REPORT):
        size = (24 if kind == SENDER_REPORT else 4) + 24 * count
        if stop - body < size:
            raise Malformed(at + 2, "RTCP report is shorter than its blocks")
        if kind == SENDER_REPORT:
            ntp = _u32(data, body + 4) << 32 | _u32(data, body + 8)
            sender = SenderInfo(ntp, _u32(data, body + 12), _u32(data, body + 16), _u32(data, body + 20))
    elif kind == SOURCE_DESCRIPTION:
        items = tuple(_description(data, body, stop, count))
    elif kind == GOODBYE:
        if stop - body < 4 * count:
            raise Malformed(at + 2, "BYE is shorter than its sources")
        sources = tuple(_u32(data, place) for place in range(body, body + 4 * count, 4))
    return RtcpPacket(kind, count, ssrc, end - at, sender, items, sources)


def _description(data: bytes, at: int, end: int, chunks: int) -> Iterator[tuple[int, int, str]]:
    """SDES: chunks of a source and its items, each padded to four bytes (RFC 3550 section 6.5)."""
    for _ in range(chunks):
        start = at
        if end - at < 4:
            raise Malformed(at, "SDES chunk is cut")
        source = _u32(data, at)
        at += 4
        while True:
            if at >= end:
                raise Malformed(at, "SDES chunk does not end")
            if data[at] == 0:
                break
            if at + 2 > end or at + 2 + data[at + 1] > end:
                raise Malformed(at, "SDES item runs past its packet")
            yield source, data[at], wire_text(data[at + 2 : at + 2 + data[at + 1]])
            at += 2 + data[at + 1]
        at = start + ((at - start) // 4 + 1) * 4


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
