"""Long headers, and telling QUIC from what else runs over UDP."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.parser_outcomes import check_outcomes, outcome
from support.quic_packets import (
    DCID,
    DRAFT_29,
    V1,
    V2,
    initial,
    long_header,
    negotiation,
    opaque,
    varint,
    vector_bytes,
)

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_header import LongHeader, PacketType, looks_like_quic, parse_long_header

RFC_CLIENT = vector_bytes("rfc9001_a2_client_initial")


def header(data: bytes, start: int = 0) -> LongHeader:
    parsed = parse_long_header(data, start)
    assert parsed is not None
    return parsed


def test_rfc_client_initial() -> None:
    parsed = header(RFC_CLIENT)
    assert parsed == LongHeader(PacketType.INITIAL, V1, DCID, b"", 0, 18, 1200)


def test_rfc_retry() -> None:
    parsed = header(vector_bytes("rfc9001_a4_retry"))
    assert (parsed.type, parsed.token, parsed.dcid) == (PacketType.RETRY, b"token", b"")
    assert parsed.scid == bytes.fromhex("f067a5502a4262b5")


@pytest.mark.parametrize("version", [V1, V2, DRAFT_29, 0xFACEB002])
def test_packet_types_by_version(version: int) -> None:
    for kind in (PacketType.ZERO_RTT, PacketType.HANDSHAKE):
        bits = kind.value
        assert header(opaque(bits, version=version)).type is kind
    assert header(long_header(3, version, b"d", b"s") + bytes(20)).type is PacketType.RETRY
    assert (
        header(long_header(0, version, b"d", b"s") + b"\0" + varint(30) + bytes(30)).type
        is PacketType.INITIAL
    )


def test_token_and_place_within_a_datagram() -> None:
    first = opaque(2)
    second = initial(b"", scid=b"abc", token=b"T" * 70)
    parsed = header(first + second, len(first))
    assert (parsed.start, parsed.token, parsed.scid) == (len(first), b"T" * 70, b"abc")
    assert parsed.end == len(first) + len(second)


def test_payload_cut_by_the_capture_leaves_the_header() -> None:
    assert header(RFC_CLIENT[:40]).end == 1200


def test_outcomes_of_an_initial() -> None:
    check_outcomes(parse_long_header, initial(b"", scid=b"scid", token=b"tok"))


def test_outcomes_of_a_retry_and_a_negotiation() -> None:
    check_outcomes(parse_long_header, vector_bytes("rfc9369_a4_retry"))
    check_outcomes(parse_long_header, negotiation((V1, V2), dcid=b"", scid=DCID))


def test_negotiation_lists_versions() -> None:
    parsed = header(negotiation((V1, V2, 0x0A1A2A3A), dcid=bytes(200), scid=b""))
    assert parsed.type is PacketType.VERSION_NEGOTIATION
    assert parsed.versions == (V1, V2, 0x0A1A2A3A)
    with pytest.raises(Malformed, match="version list"):
        parse_long_header(negotiation((), dcid=b"", scid=b""))
    with pytest.raises(Malformed, match="version list"):
        parse_long_header(negotiation((V1,), dcid=b"", scid=b"") + b"x")


def test_refused() -> None:
    with pytest.raises(Malformed, match="connection id of 21"):
        parse_long_header(long_header(0, V1, bytes(21), b"") + bytes(30))
    with pytest.raises(Malformed, match="not a long header"):
        parse_long_header(b"\x40" + bytes(30))
    with pytest.raises(Malformed, match="protected packet of 19"):
        parse_long_header(long_header(0, V1, DCID, b"") + b"\0" + varint(19) + bytes(19))


def test_unknown_version_shows_the_invariants_only() -> None:
    parsed = header(long_header(0, 0x12345678, bytes(200), b"s") + b"rest")
    assert (parsed.type, parsed.version, len(parsed.dcid), parsed.scid) == (
        PacketType.UNKNOWN, 0x12345678, 200, b"s",
    )  # fmt: skip


# ---- looks_like_quic ----

GREASED = initial(b"", pad_to=1200, version=0x1A2A3A4A, salt="00")
QUIC_DATAGRAMS = {
    "v1 client": RFC_CLIENT,
    "v1 server": vector_bytes("rfc9001_a3_server_initial"),
    "v1 retry": vector_bytes("rfc9001_a4_retry"),
    "v2 client": vector_bytes("rfc9369_a2_client_initial"),
    "handshake": opaque(2),
    "0-RTT": opaque(1, version=DRAFT_29),
    "negotiation": negotiation((V1, 0x5A6A7A8A), dcid=b"", scid=DCID),
    "reserved version": GREASED,
    "fixed bit clear (RFC 9287)": initial(b"", pad_to=1200, fixed=False),
    "Q043": b"\x09" + DCID + b"Q043\x01" + bytes(12) + b"\xa0\x01\x04\x00CHLO",
    "Q046": b"\xc3Q046\x50" + DCID + bytes(4 + 12) + b"\xa0\x01\x04\x00CHLO",
}
OTHER_DATAGRAMS = {
    "STUN binding": struct.pack("!HHI12s", 1, 0, 0x2112A442, bytes(12)),
    "STUN answer": struct.pack("!HHI12s", 0x0101, 12, 0x2112A442, bytes(12)) + bytes(12),
    "TURN channel": b"\x40\x01\x00\x14" + bytes(20),
    "DTLS hello": b"\x16\xfe\xfd" + bytes(8) + b"\x00\x20" + b"\x01" + bytes(31),
    "DTLS 1.3 record": b"\x2f\x00\x01\x00\x20" + bytes(32),
    "DNS query": bytes.fromhex("c1a20100000100000000000003777777076578616d706c6503636f6d0000010001"),
    "DNS id 0xc000": bytes.fromhex("c0000100000100000000000003777777076578616d706c6503636f6d0000010001"),
    "RTP": b"\x80\x60" + struct.pack("!HII", 1, 160, 0x1234) + bytes(160),
    "RTP that spells version 1": b"\x80\x00\x00\x00\x01" + b"\x08" + bytes(8) + bytes(160),
    "RTP that spells version 0": b"\x80\x00\x00\x00\x00" + bytes(163),
    "RTCP": b"\x81\xc9\x00\x07" + bytes(28),
    "QUIC short header": b"\x45" + bytes(range(60)),
    "WireGuard": b"\x01\x00\x00\x00" + bytes(144),
    "NTP": b"\xe3\x00\x06\xec" + bytes(44),
    "zeroes": bytes(1200),
    "ones": b"\xff" * 1200,
    "long header bits over zeroes": b"\xc0" + bytes(1199),
    "unknown version": long_header(0, 0x12345678, DCID, b"") + bytes(1200),
    "reserved version, too short": GREASED[:400],
    "length over the end": RFC_CLIENT[:900],
    "connection id too long": long_header(0, V1, bytes(21), b"") + bytes(1200),
    "public header, no such version": b"\x09" + DCID + b"Q0x3\x01" + bytes(40),
    "nothing": b"",
    "six bytes": RFC_CLIENT[:6],
}


@pytest.mark.parametrize("name", QUIC_DATAGRAMS)
def test_quic_is_recognised(name: str) -> None:
    assert looks_like_quic(QUIC_DATAGRAMS[name])


@pytest.mark.parametrize("name", OTHER_DATAGRAMS)
def test_other_traffic_is_not_taken_for_quic(name: str) -> None:
    assert not looks_like_quic(OTHER_DATAGRAMS[name])


def test_cut_by_the_snapshot_length() -> None:
    assert looks_like_quic(RFC_CLIENT[:96], 1200)
    assert looks_like_quic(RFC_CLIENT[:10], 1200)
    assert not looks_like_quic(RFC_CLIENT[:96])
    assert not looks_like_quic(b"\xc0" + bytes(60), 1200)


@given(st.binary(max_size=1400))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_noise_is_never_quic(noise: bytes) -> None:
    assert not looks_like_quic(noise)
    outcome(parse_long_header, noise)


@given(
    st.sampled_from([V1, V2, DRAFT_29, 0, 0x1A2A3A4A, 0x51303436]),
    st.integers(0x80, 0xFF),
    st.binary(max_size=80),
)
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_crafted_headers_raise_nothing_else(version: int, first: int, tail: bytes) -> None:
    data = bytes([first]) + version.to_bytes(4, "big") + tail
    outcome(parse_long_header, data)
    looks_like_quic(data)
    looks_like_quic(data, 1400)
