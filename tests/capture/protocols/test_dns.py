"""DNS messages: a query, its answer, EDNS, mDNS; what is DNS and what is not; TCP framing."""

import struct

import pytest
from support.parser_outcomes import check_outcomes

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns import DnsTcpReader, looks_like_dns, parse_dns

NAME = b"\1g\x08WhatsApp\3net\0"


def header(flags: int, *counts: int, id_: int = 0x1234) -> bytes:
    return struct.pack(">6H", id_, flags, *counts, *[0] * (4 - len(counts)))


def record(name: bytes, type_: int, data: bytes, class_: int = 1, ttl: int = 300) -> bytes:
    return name + struct.pack(">HHIH", type_, class_, ttl, len(data)) + data


QUERY = header(0x0100, 1) + NAME + b"\0\1\0\1"
ANSWER = (
    header(0x8180, 1, 2, 1, 1)
    + NAME + b"\0\1\0\1"
    + record(b"\xc0\x0c", 5, b"\4chat\3cdn\xc0\x0e")
    + record(b"\xc0\x2c", 1, bytes([192, 0, 2, 60]), ttl=60)
    + record(b"\xc0\x0e", 2, b"\1a\2ns\xc0\x0e")
    + record(b"\0", 41, b"\0\x0a\0\x08cookie88", class_=1232, ttl=0x00008000)
)  # fmt: skip
MDNS = header(0x8400, 0, 1, id_=0) + record(b"\5phone\5local\0", 1, bytes([192, 0, 2, 7]), class_=0x8001)


def test_query():
    message = check_outcomes(parse_dns, QUERY, cut=None, longer="record")
    assert not message.is_response
    assert message.recursion_desired
    assert (message.id, message.opcode_name, message.rcode_name) == (0x1234, "QUERY", "NOERROR")
    (question,) = message.questions
    assert (question.name, question.type_name, question.class_name) == ("g.WhatsApp.net", "A", "IN")
    assert message.edns is None


def test_answer_with_edns():
    message = check_outcomes(parse_dns, ANSWER, cut=None, longer="record", examples=300)
    assert message.is_response and message.recursion_available and not message.authoritative
    assert [(r.name, r.type_name, r.data, r.ttl) for r in message.answers] == [
        ("g.WhatsApp.net", "CNAME", "chat.cdn.WhatsApp.net", 300),
        ("chat.cdn.WhatsApp.net", "A", "192.0.2.60", 60),
    ]
    assert [(r.name, r.data) for r in message.authority] == [("WhatsApp.net", "a.ns.WhatsApp.net")]
    assert message.additional == ()
    assert message.edns is not None
    assert (message.edns.version, message.edns.udp_payload, message.edns.dnssec_ok) == (0, 1232, True)
    assert message.edns.options == ((10, b"cookie88"),)
    assert message.size == len(ANSWER)


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_of_a_message_that_the_recorder_cut_what_is_whole(end):
    whole = parse_dns(ANSWER)
    message = parse_dns(ANSWER[:end], cut=True)
    assert parse_dns(ANSWER[:end]) is None
    if end < len(QUERY):
        assert message is None
        return
    assert message.questions == whole.questions
    assert message.answers == whole.answers[: len(message.answers)]
    assert message.authority == whole.authority[: len(message.authority)]
    assert message.edns is None
    assert len(QUERY) <= message.size <= end


def test_a_cut_message_without_a_question_is_nothing():
    assert parse_dns(MDNS[:-1], cut=True) is None
    assert parse_dns(header(0x0100, 2) + NAME + b"\0\1\0\1", cut=True).questions[0].name == "g.WhatsApp.net"


def test_extended_response_code():
    data = header(0x8180, 0, 0, 0, 1) + record(b"\0", 41, b"", class_=512, ttl=0x01000000)
    message = parse_dns(data)
    assert message is not None
    assert (message.rcode, message.rcode_name) == (16, "BADVERS")


def test_unknown_numbers_are_kept():
    data = header(0x9807, 1, 1) + NAME + b"\xff\x00\x00\x20" + record(b"\xc0\x0c", 0xFF00, b"\xab", class_=32)
    message = parse_dns(data)
    assert message is not None
    assert (message.opcode_name, message.rcode_name) == ("unknown-0x3", "YXRRSET")
    assert (message.questions[0].type_name, message.questions[0].class_name) == ("TYPE65280", "CLASS32")
    assert message.answers[0].data == "\\# 1 ab"


def test_ill_formed_data_costs_only_its_record():
    data = header(0x8180, 1, 2) + NAME + b"\0\1\0\1"
    data += record(b"\xc0\x0c", 1, b"\1\2\3") + record(b"\xc0\x0c", 1, bytes([192, 0, 2, 1]))
    message = parse_dns(data)
    assert message is not None
    assert [(r.data, r.fits) for r in message.answers] == [("\\# 3 010203", False), ("192.0.2.1", True)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(0x0100, 1) + b"\xc0\x0c\0\1\0\1", "backwards"),
        (header(0x0100, 1) + b"\xc0\xff\0\1\0\1", "backwards"),
        (header(0x0100, 1) + b"\x80", "reserved"),
        (header(0x8180, 0, 0, 0, 2) + record(b"\0", 41, b"") * 2, "more than one OPT"),
        (header(0x8180, 0, 0, 0, 1) + record(b"\0", 41, b"\0\1\0\2\0"), "EDNS option"),
        (header(0x8180, 0, 0, 0, 1) + record(b"\0", 41, b"\0\1\0"), "EDNS option"),
    ],
)
def test_refused(data, reason):
    with pytest.raises(Malformed, match=reason):
        parse_dns(data)


def test_many_records_behind_one_pointer_stay_cheap():
    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"
    one = record(b"\xc0\x0c", 5, b"\xc0\x0c")
    count = (65535 - 12 - len(longest) - 4) // len(one)
    message = parse_dns(header(0x8180, 1, count) + longest + b"\0\1\0\1" + one * count)
    assert message is not None
    assert len(message.answers) == count


@pytest.mark.parametrize("data", [QUERY, ANSWER, MDNS])
def test_looks_like_dns(data):
    assert looks_like_dns(data)
    assert looks_like_dns(data, known_port=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(12),
        bytes(64),
        QUERY[:11],
        QUERY + b"\0",
        QUERY[:-1],
        b"\0\0\x01\x40" + QUERY[4:],  # the reserved bit
        b"\0\0\x18\0" + QUERY[4:],  # opcode 3
        QUERY[:2] + b"\x01\x03" + QUERY[4:],  # a query with a response code
        header(0x0100, 0, 1) + record(NAME, 1, bytes(4)),  # records in a query without a question
        header(0x0100, 1) + b"\3\x00\x01\x02\0\0\1\0\1",
        header(0x0100, 1) + NAME + b"\0\1\0\7",
        header(0x0100, 1) + NAME + b"\xfe\xfe\0\1",
        header(0x8180, 1, 1) + NAME + b"\0\1\0\1" + record(b"\xc0\x0c", 1, b"\1\2\3"),
        header(0x0100, 0xFFFF) + NAME + b"\0\1\0\1",
        b"\x16\x03\x01\x00\x20" + bytes(60),
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_does_not_look_like_dns(data):
    assert not looks_like_dns(data)


def test_on_a_known_port_a_cut_message_is_recognised():
    assert looks_like_dns(ANSWER[:60], known_port=True)
    assert not looks_like_dns(ANSWER[:20], known_port=True)
    assert not looks_like_dns(ANSWER[:60])
    assert looks_like_dns(header(0x0100, 1) + NAME + b"\xfe\xfe\0\1", known_port=True)
    assert not looks_like_dns(header(0x0100, 1) + b"\xc0\x0c\0\1\0\1", known_port=True)


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_tcp_frames_in_pieces(step):
    stream = b"".join(len(m).to_bytes(2, "big") + m for m in (QUERY, ANSWER, QUERY))
    reader = DnsTcpReader()
    messages = []
    for at in range(0, len(stream), step):
        messages += reader.feed(stream[at : at + step])
    assert messages == [QUERY, ANSWER, QUERY]
    assert reader.problem is None


@pytest.mark.parametrize(
    "stream",
    [
        b"\0\5hello",
        bytes.fromhex("160301020001 0001fc0303112233"),
        b"GET / HTTP/1.1\r\n",
        b"\0\x0c" + bytes(2) + b"\1\0\0\1" + bytes(6),
    ],
)
def test_tcp_of_another_protocol_is_a_problem(stream):
    reader = DnsTcpReader()
    assert reader.feed(stream) == []
    assert reader.problem is not None
    assert reader.feed(len(QUERY).to_bytes(2, "big") + QUERY) == []


def test_tcp_reader_holds_less_than_one_message():
    reader = DnsTcpReader()
    reader.feed(b"\xff\xff" + QUERY)
    for _ in range(200):
        reader.feed(bytes(1000))
    assert len(reader._buffer) <= 0x10000 + 1000
