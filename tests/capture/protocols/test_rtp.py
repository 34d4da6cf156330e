"""RTP and RTCP: the layouts of RFC 3550, what SRTP leaves in clear, header extensions, demultiplexing.

RFC 3550 has no test vectors; the packets here are built field by field from its figures.
"""

import struct

import pytest
from support.parser_outcomes import check_outcomes, check_random, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.rtp import (
    AUDIO_TYPES,
    HEADER_BYTES,
    ONE_BYTE_PROFILE,
    RTCP_NAMES,
    VIDEO_TYPES,
    WARP_PROFILE,
    SenderInfo,
    datagram_family,
    looks_like_rtcp,
    looks_like_rtp,
    parse_rtcp,
    parse_rtp,
)


def rtp(
    sequence: int = 1000,
    timestamp: int = 160,
    ssrc: int = 0x01020304,
    *,
    payload_type: int = 111,
    marker: bool = False,
    csrcs: tuple[int, ...] = (),
    profile: int | None = None,
    extension: bytes = b"",
    payload: bytes = b"media",
    flags: int = 0,
) -> bytes:
    """A packet of RFC 3550 section 5.1; `extension` is a multiple of four bytes."""
    first = 0x80 | flags | len(csrcs) | (0x10 if profile is not None else 0)
    head = struct.pack("!BBHII", first, marker << 7 | payload_type, sequence, timestamp, ssrc)
    head += b"".join(one.to_bytes(4, "big") for one in csrcs)
    if profile is not None:
        head += struct.pack("!HH", profile, len(extension) // 4) + extension
    return head + payload


def rtcp(kind: int, body: bytes, count: int = 0, padding: int = 0) -> bytes:
    body += bytes(padding - 1) + bytes([padding]) if padding else b""
    return struct.pack("!BBH", 0x80 | (0x20 if padding else 0) | count, kind, len(body) // 4) + body


SSRC = b"\x01\x02\x03\x04"
REPORT = rtcp(200, SSRC + struct.pack("!QIII", 0xE0000000_80000000, 160, 7, 1120) + bytes(24), count=1)
DESCRIPTION = rtcp(202, SSRC + b"\x01\x09me@home\\\x1b" + bytes(1), count=1)
BYE = rtcp(203, SSRC + b"\x05\x06\x07\x08", count=2)


def test_header_without_anything():
    data = rtp(65535, 2**32 - 1, 2**32 - 1, payload_type=0, marker=True, payload=b"\xd5" * 160)
    record = check_outcomes(parse_rtp, data, longer="record")
    assert (record.marker, record.payload_type, record.sequence) == (True, 0, 65535)
    assert (record.timestamp, record.ssrc) == (2**32 - 1, 2**32 - 1)
    assert (record.header_bytes, record.payload_bytes) == (12, 160)
    assert (record.csrcs, record.extension_profile, record.extensions) == ((), None, ())
    assert [outcome(parse_rtp, data[:size]) for size in range(HEADER_BYTES)] == [None] * HEADER_BYTES


def test_sources_and_one_byte_extension():
    """RFC 8285 section 4.2: elements, padding between them, and the length that is one less."""
    block = bytes([0x10, 0xAA, 0x00, 0x22, 1, 2, 3, 0x00])
    data = rtp(csrcs=(5, 6), profile=ONE_BYTE_PROFILE, extension=block, flags=0x20)
    record = check_outcomes(parse_rtp, data, longer="record")
    assert record.csrcs == (5, 6)
    assert record.padded
    assert record.extension_profile == 0xBEDE
    assert record.extensions == ((1, b"\xaa"), (2, b"\x01\x02\x03"))
    assert (record.header_bytes, record.payload_bytes) == (12 + 8 + 4 + 8, 5)


def test_two_byte_extension():
    block = bytes([7, 0, 200, 2, 9, 9, 0, 0])
    record = check_outcomes(parse_rtp, rtp(profile=0x1003, extension=block), longer="record")
    assert record.extensions == ((7, b""), (200, b"\x09\x09"))


@pytest.mark.parametrize("stop", [0xF0, 0xF5, 0x03])
def test_one_byte_extension_ends_at_a_reserved_element(stop: int):
    block = bytes([0x10, 0xAA, stop, 0x30])
    record = parse_rtp(rtp(profile=ONE_BYTE_PROFILE, extension=block))
    assert record is not None
    assert record.extensions == ((1, b"\xaa"),)


@pytest.mark.parametrize(
    ("profile", "block"),
    [(ONE_BYTE_PROFILE, b"\x00\x00\x13\x00"), (0x1000, b"\x00\x00\x00\x09"), (0x100F, b"\x01\x03\x00\x00")],
)
def test_extension_element_that_leaves_its_block(profile: int, block: bytes):
    with pytest.raises(Malformed, match="runs past its block"):
        parse_rtp(rtp(profile=profile, extension=block))


def test_unknown_extension_is_a_number():
    record = check_outcomes(
        parse_rtp, rtp(profile=WARP_PROFILE, extension=b"\xff" * 8, payload_type=120), longer="record"
    )
    assert (record.extension_profile, record.extensions) == (0xDEBE, ())
    assert rtp(profile=WARP_PROFILE)[0] == 0x90


@pytest.mark.parametrize("first", [0x00, 0x40, 0xC0])
def test_other_versions_are_refused(first: int):
    for parse in (parse_rtp, parse_rtcp):
        with pytest.raises(Malformed) as refused:
            parse(bytes([first]) + rtp()[1:])
        assert refused.value.offset == 0
    assert not looks_like_rtp(bytes([first]) + rtp()[1:])
    assert not looks_like_rtcp(bytes([first]) + REPORT[1:])


def test_types_of_rtp_and_rtcp_exclude_one_another():
    """RFC 5761 section 4: no second byte is both."""
    for second in range(256):
        data = bytes([0x80, second]) + rtp()[2:]
        as_rtp, as_rtcp = outcome(parse_rtp, data), outcome(parse_rtcp, data)
        assert isinstance(as_rtp, Malformed) == (192 <= second <= 223 or 64 <= second <= 95)
        assert isinstance(as_rtcp, Malformed) == (not 192 <= second <= 223)
        assert looks_like_rtp(data) == (not isinstance(as_rtp, Malformed))


def test_looks_like_rtp_needs_payload_and_a_readable_extension():
    assert looks_like_rtp(rtp())
    assert not looks_like_rtp(rtp(payload=b""))
    assert not looks_like_rtp(rtp()[:11], 100)
    assert looks_like_rtp(rtp()[:12], 100)
    assert looks_like_rtp(rtp(csrcs=(1,) * 15)[:12], 100), "the CSRC list may be cut off"
    assert not looks_like_rtp(rtp(csrcs=(1,) * 15)[:12], 72)
    extended = rtp(profile=5, extension=bytes(40))
    assert looks_like_rtp(extended[:16], len(extended))
    assert not looks_like_rtp(extended[:15], len(extended))
    assert not looks_like_rtp(extended[:16], len(extended) - 5)
    check_random(looks_like_rtp, [b"", b"\x80", b"\x9f\x00", rtp()])


def test_compound():
    record = check_outcomes(parse_rtcp, REPORT + DESCRIPTION + BYE, longer="record")
    assert not record.secured
    report, description, bye = record.packets
    assert [one.name for one in record.packets] == ["SR", "SDES", "BYE"]
    assert report.ssrc == 0x01020304
    assert report.sender == SenderInfo(ntp=0xE0000000_80000000, timestamp=160, packets=7, octets=1120)
    assert description.items == ((0x01020304, 1, "me@home\\\\\\u{1b}"),)
    assert bye.sources == (0x01020304, 0x05060708)
    assert sum(one.size for one in record.packets) == len(REPORT + DESCRIPTION + BYE)


def test_receiver_report_padding_and_unknown_types():
    empty = parse_rtcp(rtcp(201, SSRC, padding=4))
    assert empty is not None
    assert not empty.secured
    assert (empty.packets[0].ssrc, empty.packets[0].sender, empty.packets[0].count) == (0x01020304, None, 0)
    unknown = parse_rtcp(rtcp(223, b""))
    assert unknown is not None
    assert (unknown.packets[0].name, unknown.packets[0].ssrc) == ("unknown-223", None)
    assert set(RTCP_NAMES) <= set(range(192, 224))


def test_several_description_chunks():
    first = SSRC + b"\x01\x02ab\x02\x00\x00\x00"  # 4 + (2+2) + 2 + end: padded to 12
    second = b"\x00\x00\x00\x09" + bytes(4)
    record = parse_rtcp(rtcp(202, first + second, count=2))
    assert record is not None
    assert not record.secured
    assert record.packets[0].items == ((0x01020304, 1, "ab"), (0x01020304, 2, ""))


@pytest.mark.parametrize(
    "data",
    [
        REPORT + b"\x11" * 14,  # RFC 3711 section 3.4: index and tag
        rtcp(200, SSRC),
        rtcp(201, SSRC, count=1),
        rtcp(202, SSRC, count=1),
        rtcp(202, SSRC + b"\x01\xff\0\0", count=1),
        rtcp(202, SSRC, count=2),
        rtcp(203, SSRC, count=2),
        rtcp(201, SSRC) + b"\x80\xc8",
        rtcp(201, SSRC) + b"\x80\xc8\0\x09" + SSRC,
        b"\xa0\xc9\0\x01\x01\x02\x03\x09",
        b"\xa0\xc9\0\x01\x01\x02\x03\x00",
        b"\xa0\xdf\0\0",
    ],
)
def test_what_does_not_add_up_is_taken_for_encrypted(data: bytes):
    record = check_outcomes(parse_rtcp, data)
    assert record.secured
    assert len(record.packets) == 1
    assert record.packets[0].items == ()


def test_rtcp_is_cut():
    assert parse_rtcp(b"") is None
    assert [parse_rtcp(REPORT[:size]) for size in range(len(REPORT))] == [None] * len(REPORT)
    assert looks_like_rtcp(REPORT)
    assert looks_like_rtcp(REPORT[:8], len(REPORT))
    assert not looks_like_rtcp(REPORT[:8])
    assert not looks_like_rtcp(REPORT[:7], len(REPORT))
    assert not looks_like_rtcp(rtcp(210, SSRC)), "not one of the types in common use"
    assert not looks_like_rtcp(rtcp(201, b"") + SSRC), "names no sender"


def test_first_byte_tells_the_protocol():
    """The ranges of RFC 7983 section 7 and RFC 9443 section 3, borders included."""
    names = {
        0: "stun", 3: "stun", 4: "unknown", 15: "unknown", 16: "zrtp", 19: "zrtp", 20: "dtls", 63: "dtls",
        64: "channel", 79: "channel", 80: "quic", 127: "quic", 128: "rtp", 191: "rtp", 192: "quic",
        255: "quic",
    }  # fmt: skip
    assert {byte: datagram_family(byte) for byte in names} == names
    with pytest.raises(ValueError, match="not a byte"):
        datagram_family(256)


def test_static_types_do_not_overlap():
    assert not AUDIO_TYPES & VIDEO_TYPES
    assert {0, 3, 8, 9, 13, 18} <= AUDIO_TYPES
    assert 33 not in AUDIO_TYPES | VIDEO_TYPES
