"""Google QUIC: CHLO in the clear, by version."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.gquic import (
    GoogleHello,
    google_message_length,
    handshake_frames,
    parse_google_hello,
    parse_google_packet,
)
from wirecover.capture.protocols.quic import InitialReader, version_name

CID = bytes(range(8))


def chlo(**values: bytes) -> bytes:
    table, content = b"", b""
    for name, value in values.items():
        content += value
        table += name.encode().ljust(4, b"\0") + len(content).to_bytes(4, "little")
    return b"CHLO" + len(values).to_bytes(2, "little") + b"\0\0" + table + content


CHLO = chlo(PAD=b"-" * 900, SNI=b"www.example.org", VER=b"Q043", UAID=b"Chrome/67 \xff")


def stream(data: bytes, *, order: str = "big", stream_id: int = 1, offset: int | None = None) -> bytes:
    kind = 0x80 | 0x20 | (0x04 if offset is not None else 0)
    at = b"" if offset is None else offset.to_bytes(2, "big" if order == "big" else "little")
    return bytes([kind, stream_id]) + at + len(data).to_bytes(2, "big" if order == "big" else "little") + data


def public(version: bytes, frames: bytes, flags: int = 0x09, number: bytes = b"\x01") -> bytes:
    private = b"\x01" if version < b"Q034" else b""
    return bytes([flags]) + CID + version + number + bytes(12) + private + frames + bytes(40)


def test_hello() -> None:
    parsed = check_outcomes(parse_google_hello, CHLO)
    assert isinstance(parsed, GoogleHello)
    assert parsed.sni == "www.example.org"
    assert parsed.user_agent == "Chrome/67 \\xff"
    assert [tag for tag, _ in parsed.values] == [b"PAD\0", b"SNI\0", b"VER\0", b"UAID"]
    assert parsed.value(b"NONE") is None


def test_hello_without_values() -> None:
    parsed = parse_google_hello(chlo())
    assert parsed == GoogleHello(())
    assert (parsed.sni, parsed.user_agent) == (None, None)


@pytest.mark.parametrize(
    "bad",
    [
        b"REJ\0" + CHLO[4:],
        b"CHLO\x81\x00\x00\x00" + bytes(2000),
        b"CHLO\x02\x00\x00\x00SNI\0\x05\x00\x00\x00VER\0\x03\x00\x00\x00abcde",
    ],
)
def test_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        parse_google_hello(bad)


def test_message_length_of_a_prefix() -> None:
    assert google_message_length(CHLO[:7]) is None
    assert google_message_length(CHLO[:20]) is None
    assert google_message_length(CHLO[:40]) == len(CHLO)


@pytest.mark.parametrize(
    ("version", "order"), [(b"Q025", "little"), (b"Q035", "little"), (b"Q039", "big"), (b"Q043", "big")]
)
def test_public_header_versions(version: bytes, order: str) -> None:
    reader = InitialReader()
    (hello,) = reader.feed(public(version, stream(CHLO, order=order)), True)
    assert hello.google
    assert version_name(hello.version) == version.decode()
    parsed = parse_google_hello(hello.body)
    assert parsed is not None
    assert parsed.sni == "www.example.org"
    assert reader.done
    assert reader.sender == "client"
    assert reader.original_dcid == CID


@pytest.mark.parametrize(
    ("flags", "number"), [(0x0D, b"\1"), (0x19, b"\0\1"), (0x29, b"\0\0\0\1"), (0x39, bytes(6))]
)
def test_packet_number_lengths(flags: int, number: bytes) -> None:
    assert len(InitialReader().feed(public(b"Q043", stream(CHLO), flags, number))) == 1


def test_nibble_header() -> None:
    for lengths, ids in ((0x50, CID), (0x55, CID + CID)):
        packet = b"\xc3Q046" + bytes([lengths]) + ids + bytes(4 + 12) + stream(CHLO) + bytes(20)
        (hello,) = InitialReader().feed(packet)
        assert version_name(hello.version) == "Q046"


def test_hello_over_two_packets() -> None:
    reader = InitialReader()
    assert reader.feed(public(b"Q043", b"\x07" + stream(CHLO[500:], offset=500))) == []
    (hello,) = reader.feed(public(b"Q043", stream(CHLO[:500])))
    assert hello.body == CHLO
    assert (hello.first_datagram, hello.datagram) == (1, 2)


def test_other_streams_and_frames_show_nothing() -> None:
    reader = InitialReader()
    assert reader.feed(public(b"Q043", stream(CHLO, stream_id=3))) == []
    assert reader.feed(public(b"Q043", b"\x02\x01\x00\x00" + stream(CHLO))) == []
    assert reader.feed(public(b"Q035", b"\x06\x01" + stream(CHLO, order="little"))) == []
    assert reader.feed(public(b"Q043", stream(CHLO)[:3])[:-40]) == []
    assert reader.feed(public(b"Q043", stream(b"SHLO" + CHLO[4:]))) == []
    assert not reader.done


def test_hello_behind_ack_and_stop_waiting() -> None:
    frames = bytes.fromhex("40 01 0000 01 00  06 0001") + stream(CHLO)
    assert len(InitialReader().feed(public(b"Q043", frames, 0x19, b"\x00\x02"))) == 1


def test_broken_ack_is_noted() -> None:
    reader = InitialReader()
    assert reader.feed(public(b"Q043", b"\x60\x01\x00\x00\xff")) == []
    assert "ACK" in reader.problems[0].reason


def test_table_that_is_too_long_is_noted() -> None:
    reader = InitialReader()
    assert reader.feed(public(b"Q043", stream(b"CHLO\xff\x00\x00\x00" + bytes(50)))) == []
    assert "255 entries" in reader.problems[0].reason


def test_server_packets_are_left_alone() -> None:
    assert InitialReader().feed(public(b"Q043", stream(CHLO)), False) == []
    assert parse_google_packet(public(b"Q043", b"", flags=0x08)) is None
    assert parse_google_packet(public(b"Q043", b"", flags=0x0B)) is None, "public reset"
    assert parse_google_packet(public(b"Q999", b"")) is None
    assert parse_google_packet(b"\xc3\x00\x00\x00\x01" + bytes(40)) is None


@given(st.sampled_from([b"Q025", b"Q035", b"Q043"]), st.binary(max_size=120))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_noise_raises_nothing_else(version: bytes, tail: bytes) -> None:
    for datagram in (b"\x09" + CID + version + tail, b"\xc3Q046" + tail):
        packet = parse_google_packet(datagram)
        if packet is not None:
            outcome(lambda data, head=packet: list(handshake_frames(data, head)), datagram)  # type: ignore[misc]
        assert InitialReader().feed(datagram) == []
    outcome(parse_google_hello, b"CHLO" + tail)
