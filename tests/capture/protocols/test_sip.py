"""SIP: the call of RFC 3261 section 24.2, odd forms, framing over TCP, and no content."""

import time
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.parser_outcomes import check_outcomes, check_random, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.sip import SipStream, looks_like_sip, parse_sip

SDP = (
    b"v=0\r\no=alice 1 1 IN IP4 192.0.2.101\r\ns=SECRET\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n"
    b"m=audio 49172 RTP/AVP 0\r\n"
)
INVITE = (
    b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8\r\nMax-Forwards: 70\r\n"
    b"To: Bob <sip:bob@biloxi.example.com>\r\n"
    b"From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\nCall-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\n"
    b"Contact: <sip:alice:SECRET@pc33.atlanta.example.com;transport=udp?x=SECRET>\r\nSubject: SECRET\r\n"
    b'P-Asserted-Identity: "Alice ""Smith" <sip:+32470123456@ims.example;user=phone>\r\n'
    b'Authorization: Digest username="alice", response="SECRET"\r\nUser-Agent: phone/1.0\r\n'
    b"Content-Type: application/sdp\r\nContent-Length: " + str(len(SDP)).encode() + b"\r\n\r\n" + SDP
)  # fmt: skip
OK = (
    b'SIP/2.0 200 OK\r\nv: SIP/2.0/UDP x\r\nf: "Alice" <sip:alice@atlanta.example.com>;tag=1\r\n'
    b"t: <sip:bob@biloxi.example.com>;tag=2\r\ni: a84b4c76e66710\r\nCSeq: 314159\r\n INVITE\r\n"
    b"m: <sip:bob@192.0.2.4>\r\nServer: pbx\r\nc: application/sdp\r\nl: "
    + str(len(SDP)).encode()
    + b"\r\n\r\n"
    + SDP
)
TEXT = (
    b"MESSAGE sip:bob@example.com SIP/2.0\r\nFrom: sip:alice@example.com;tag=1\r\nTo: sip:bob@example.com\r\n"
    b"Call-ID: m1\r\nCSeq: 1 MESSAGE\r\nContent-Type: application/sdp\r\nContent-Length: 36\r\n\r\n"
    b"m=SECRET 1 SECRET SECRET\r\nSECRET\r\n\r\n"
)


def test_the_call_of_the_rfc() -> None:
    asked, answered = parse_sip(INVITE), parse_sip(OK)
    assert asked is not None
    assert answered is not None
    assert (asked.method, asked.status, asked.uri) == ("INVITE", None, "sip:bob@biloxi.example.com")
    assert (asked.from_uri, asked.from_name) == ("sip:alice@atlanta.example.com", "Alice")
    assert (asked.to_uri, asked.to_name) == ("sip:bob@biloxi.example.com", "Bob")
    assert (asked.call_id, asked.cseq, asked.software) == ("a84b4c76e66710", 314159, "phone/1.0")
    assert asked.contact == "sip:alice@pc33.atlanta.example.com"
    assert [(one.ip, one.port) for one in asked.media] == [("192.0.2.101", 49172)]
    assert (answered.method, answered.status, answered.from_name) == ("INVITE", 200, "Alice")
    assert (answered.contact, answered.software, len(answered.media)) == ("sip:bob@192.0.2.4", "pbx", 1)


def test_the_asserted_identity() -> None:
    plain = INVITE.replace(b'"Alice ""Smith" <sip:+32470123456@ims.example;user=phone>', b"tel:+32470123456")
    for data, uri in (
        (plain, "tel:+32470123456"),
        (plain.replace(b"Asserted", b"Preferred"), "tel:+32470123456"),
    ):
        found = parse_sip(data)
        assert found is not None
        assert found.asserted == uri


def test_content_and_secrets_do_not_leave_the_parser() -> None:
    for data in (INVITE, OK, TEXT):
        found = parse_sip(data)
        assert found is not None
        assert "SECRET" not in repr(astuple(found))
    message = parse_sip(TEXT)
    assert message is not None
    assert (message.method, message.media) == ("MESSAGE", ())


def test_a_description_in_a_body_of_many_parts() -> None:
    body = b"--b1\r\nContent-Type: text/plain\r\n\r\nm=audio 1 SECRET 1\r\n"
    body += b"--b1\r\nContent-Type: application/sdp\r\n\r\n"
    body += SDP + b"\r\n--b1--\r\n"
    found = parse_sip(
        INVITE.replace(SDP, body).replace(
            b"application/sdp\r\nContent-L", b'multipart/mixed;boundary="b1"\r\nContent-L', 1
        )
    )
    assert found is not None
    assert [one.port for one in found.media] == [49172]


def test_the_outcomes() -> None:
    head = INVITE[: INVITE.index(b"\r\n\r\n") + 4]
    check_outcomes(parse_sip, head, examples=60)
    check_outcomes(parse_sip, OK, examples=60)
    for length in range(len(head) - 1):
        assert outcome(parse_sip, head[:length]) is None
        outcome(lambda data: parse_sip(data, cut=True), head[:length])
    for broken in (b"INVITE http://x SIP/2.0\r\n\r\n", b"HELLO\r\n\r\n", b"A" * 20000):
        assert isinstance(outcome(parse_sip, broken), Malformed)


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_messages_of_a_stream(size: int) -> None:
    stream = b"\r\n\r\n" + INVITE + b"\r\n\r\n" + TEXT + OK
    reader = SipStream()
    found = [one for at in range(0, len(stream), size) for one in reader.feed(stream[at : at + size])]
    assert found == [INVITE, TEXT, OK]
    assert reader.problem is None


def test_a_stream_that_breaks() -> None:
    for broken in (b"GET / HTTP/1.1\r\n\r\n", INVITE.replace(b"Content-Length: ", b"Content-Length: x"),
                   OK.replace(b"l: ", b"l: 999"), b"INVITE sip:" + b"a" * 20000):  # fmt: skip
        reader = SipStream()
        assert reader.feed(broken) == []
        assert reader.problem is not None
        assert reader.feed(INVITE) == []


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_stream_may_hold_anything(pieces: list[bytes]) -> None:
    reader = SipStream()
    for piece in pieces:
        reader.feed(piece)


def test_what_it_looks_like() -> None:
    assert looks_like_sip(INVITE)
    assert looks_like_sip(OK)
    assert not looks_like_sip(b"HTTP/1.1 200 OK\r\n")
    check_random(lambda data: parse_sip(data, cut=True), [b"SIP/2.0 200 OK\r\n", INVITE[:300]])


def test_hostile_fields_do_not_take_long() -> None:
    fields = (
        b"From: " + b" " * 15000,
        b"From: " + b"a" * 15000,
        b'From: "' + b"\\" * 15000,
        b"To: " + b"<" * 15000,
    )
    started = time.perf_counter()
    for field in fields:
        for _ in range(20):
            outcome(lambda data: parse_sip(data, cut=True), b"SIP/2.0 200 OK\r\n" + field + b"\r\n\r\n")
    assert time.perf_counter() - started < 2
