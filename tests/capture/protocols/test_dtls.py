"""DTLS: records, reassembly, what ends a direction, and telling it from other UDP."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.parser_outcomes import check_outcomes, outcome
from support.quic_packets import vector_bytes
from support.tls_bytes import client_hello, server_name

from wirecover.capture.protocols import Malformed, tls
from wirecover.capture.protocols.dtls import (
    DTLS_1_0,
    DTLS_1_2,
    DTLS_BAD,
    MAX_DATAGRAMS,
    MAX_OPEN,
    DtlsReader,
    DtlsRecord,
    HelloVerifyRequest,
    looks_like_dtls,
    parse_hello_verify_request,
    parse_record,
)

HELLO = client_hello(server_name(b"call.example.org"), version=DTLS_1_2, cookie=b"")
HELLO_WITH_COOKIE = client_hello(server_name(b"call.example.org"), version=DTLS_1_2, cookie=b"c" * 20)
VERIFY = b"\xfe\xff\x04abcd"
CERTIFICATE = b"\x00\x0b\xb8\x00\x0b\xb5" + bytes(index & 0xFF for index in range(2997))


def record(
    payload: bytes, *, kind: int = 22, version: int = DTLS_1_2, epoch: int = 0, number: int = 0
) -> bytes:
    return (
        struct.pack("!BHH", kind, version, epoch)
        + number.to_bytes(6, "big")
        + len(payload).to_bytes(2, "big")
        + payload
    )


def fragment(kind: int, body: bytes, sequence: int = 0, start: int = 0, stop: int | None = None) -> bytes:
    part = body[start:stop]
    head = bytes([kind]) + len(body).to_bytes(3, "big") + sequence.to_bytes(2, "big")
    return head + start.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part


ENCRYPTED = record(bytes(40), epoch=1)
CHANGE = record(b"\x01", kind=20)


def feed(*datagrams: bytes) -> list[tuple[int, bytes]]:
    reader = DtlsReader()
    return [(message.type, message.body) for datagram in datagrams for message in reader.feed(datagram)]


def test_client_hello_with_and_without_cookie() -> None:
    reader = DtlsReader()
    (first,) = reader.feed(record(fragment(1, HELLO)))
    (second,) = reader.feed(record(fragment(1, HELLO_WITH_COOKIE, 1), number=1))
    for message in (first, second):
        parsed = tls.parse_client_hello(message.body, dtls=True)
        assert parsed.sni == "call.example.org"
    assert not reader.done
    assert reader.feed(CHANGE + ENCRYPTED) == []
    assert reader.done


def test_hello_verify_request() -> None:
    ((kind, body),) = feed(record(fragment(3, VERIFY), version=DTLS_1_0))
    assert kind == 3
    parsed = check_outcomes(parse_hello_verify_request, body, cut=None, longer=Malformed)
    assert parsed == HelloVerifyRequest(DTLS_1_0, b"abcd")


def test_server_that_starts_again_at_zero_after_hello_verify() -> None:
    hello = b"\xfe\xfd" + bytes(38)
    assert [kind for kind, _ in feed(record(fragment(3, VERIFY)), record(fragment(2, hello)))] == [3, 2]


def test_several_messages_in_a_record_and_records_in_a_datagram() -> None:
    body = b"\xfe\xfd" + bytes(38)
    datagram = record(fragment(2, body, 1) + fragment(11, CERTIFICATE[:500], 2)) + record(
        fragment(14, b"", 3)
    )
    messages = DtlsReader().feed(datagram)
    assert [message.type for message in messages] == [2, 11, 14]
    assert messages[0].offset == 0
    assert messages[2].offset == len(datagram) - 25
    assert messages[2].end == len(datagram)


def test_fragments_in_any_order_overlapping_and_twice() -> None:
    cuts = [(0, 1000), (900, 1500), (1500, 2200), (2100, 2999), (2999, len(CERTIFICATE))]
    datagrams = [record(fragment(11, CERTIFICATE, 2, a, b), number=n) for n, (a, b) in enumerate(cuts)]
    shuffle = random.Random(6347)
    for _ in range(20):
        order = datagrams + datagrams[:2]
        shuffle.shuffle(order)
        assert feed(*order) == [(11, CERTIFICATE)]


def test_retransmission_is_delivered_once() -> None:
    assert len(feed(record(fragment(1, HELLO)), record(fragment(1, HELLO), number=7))) == 1


def test_encrypted_record_that_overtook_a_fragment_does_not_end_the_reading() -> None:
    reader = DtlsReader()
    reader.feed(record(fragment(11, CERTIFICATE, 2, 0, 1500)))
    reader.feed(CHANGE + ENCRYPTED)
    assert not reader.done
    assert len(reader.feed(record(fragment(11, CERTIFICATE, 2, 1500)))) == 1
    assert reader.done


@pytest.mark.parametrize(
    "last", [ENCRYPTED, b"\x2f\x01\x02" + bytes(30), b"\x19\xfe\xfd\x00\x01" + bytes(30), CHANGE]
)
def test_encryption_ends_a_direction(last: bytes) -> None:
    reader = DtlsReader()
    assert len(reader.feed(record(fragment(2, bytes(40))) + last)) == 1
    assert reader.done
    assert reader.feed(record(fragment(2, bytes(41), 1))) == []
    assert not reader.problems


def test_encrypted_handshake_is_not_read_as_plain() -> None:
    assert feed(record(fragment(1, HELLO), epoch=1)) == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b"\x01" * 11), "cut by its record"),
        (record(fragment(1, HELLO)[:-1]), "bytes 0 to"),
        (record(fragment(1, HELLO)[:3] + b"\x01" + fragment(1, HELLO)[4:]), "bytes 0 to"),
        (record(b"\x0b\x02\x00\x00" + bytes(8)), "of 131072"),
        (record(fragment(1, HELLO))[:-1], "inside a DTLS record"),
        (record(b""), "of 0 bytes"),
        (b"\x16\x03\x03" + bytes(20), "no DTLS version"),
        (b"\x80" * 40, "no DTLS record"),
    ],
)
def test_problems_are_noted(bad: bytes, reason: str) -> None:
    reader = DtlsReader()
    assert reader.feed(bad) == []
    assert reason in reader.problems[0].reason
    assert len(reader.feed(record(fragment(1, HELLO)))) == 1, "the next datagram is read all the same"


def test_bounds() -> None:
    reader = DtlsReader()
    for sequence in range(3 * MAX_OPEN):
        reader.feed(record(fragment(11, CERTIFICATE, sequence, 0, 10)))
    assert len(reader._partials) == MAX_OPEN
    assert len(reader.problems) == 16
    for _ in range(MAX_DATAGRAMS - 3 * MAX_OPEN):
        assert not reader.done
        reader.feed(b"\x00")
    assert reader.done


def test_record_outcomes() -> None:
    whole = record(b"payload", number=0x010203040506)
    parsed = check_outcomes(parse_record, whole, cut=None)
    assert parsed == DtlsRecord(22, DTLS_1_2, 0, 0x010203040506, 0, 13, 20)


# ---- looks_like_dtls ----

DTLS_DATAGRAMS = {
    "client hello": record(fragment(1, HELLO), version=DTLS_1_0),
    "OpenSSL's early version": record(fragment(1, HELLO), version=DTLS_BAD),
    "fragment": record(fragment(11, CERTIFICATE, 2, 100, 300)),
    "flight": record(fragment(16, bytes(66))) + CHANGE + ENCRYPTED,
    "1.3 flight": record(fragment(2, bytes(90))) + b"\x2e\x00\x01" + bytes(60),
    "application data": record(bytes(60), kind=23, epoch=1, number=77),
    "alert": record(b"\x02\x28", kind=21),
    "connection id (RFC 9146)": b"\x19\xfe\xfd\x00\x01" + bytes(6) + b"cid" + b"\x00\x20" + bytes(32),
}
OTHER_DATAGRAMS = {
    "QUIC": vector_bytes("rfc9001_a2_client_initial"),
    "STUN": struct.pack("!HHI12s", 1, 0, 0x2112A442, bytes(12)),
    "RTP": b"\x80\x60" + bytes(170),
    "DNS with a DTLS type's id": b"\x16\xfe\x01\x00\x00\x01"
    + bytes(6)
    + b"\x07example\x03org\x00\x00\x01\x00\x01",
    "TLS record": b"\x16\x03\x01\x00\x20" + bytes(32),
    "no such message": record(fragment(77, HELLO)),
    "fragment over its message": record(b"\x01\x00\x00\x05\x00\x00\x00\x00\x03\x00\x00\x05" + bytes(5)),
    "plain application data": record(bytes(60), kind=23),
    "bytes behind the last record": record(fragment(1, HELLO)) + b"\x00",
    "length over the end": record(fragment(1, HELLO))[:-1],
    "1.3 record alone": b"\x2e\x00\x01" + bytes(60),
    "header alone": record(bytes(60))[:13],
    "zeroes": bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("name", DTLS_DATAGRAMS)
def test_dtls_is_recognised(name: str) -> None:
    assert looks_like_dtls(DTLS_DATAGRAMS[name])


@pytest.mark.parametrize("name", OTHER_DATAGRAMS)
def test_other_traffic_is_not_taken_for_dtls(name: str) -> None:
    assert not looks_like_dtls(OTHER_DATAGRAMS[name])


def test_cut_by_the_snapshot_length() -> None:
    flight = record(fragment(2, bytes(70))) + record(fragment(11, CERTIFICATE[:900], 1))
    for length in range(14, len(flight)):
        assert looks_like_dtls(flight[:length], len(flight)), length
    assert not looks_like_dtls(flight[:200])
    assert not looks_like_dtls(flight[:200], 300)


PIECES = [
    record(fragment(1, HELLO)),
    record(fragment(11, CERTIFICATE, 1, 0, 900)),
    CHANGE,
    ENCRYPTED,
    record(VERIFY),
]


@given(st.lists(st.tuples(st.sampled_from(PIECES), st.integers(0, 200), st.binary(max_size=30)), max_size=8))
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_feed_raises_nothing(fed: list[tuple[bytes, int, bytes]]) -> None:
    reader = DtlsReader()
    for piece, cut, noise in fed:
        crafted = piece[:cut] + noise + piece[cut + len(noise) :]
        for datagram in (crafted, piece + noise):
            reader.feed(datagram)
            looks_like_dtls(datagram)
            looks_like_dtls(datagram, 1500)
            outcome(parse_record, datagram)
    assert len(reader.problems) <= 16
    assert len(reader._partials) <= MAX_OPEN
