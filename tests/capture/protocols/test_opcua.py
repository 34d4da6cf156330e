"""OPC UA: certificates of the asymmetric security header, in one piece and in many."""

import struct

from support.conversations import certificate
from support.parser_outcomes import check_outcomes, check_random, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.opcua import OpcUaReader, looks_like_opcua, parse_open_channel

POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"


def string(value: bytes | None) -> bytes:
    return struct.pack("<i", -1) if value is None else struct.pack("<i", len(value)) + value


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + b"F" + struct.pack("<I", 8 + len(body)) + body


def hello() -> bytes:
    return chunk(b"HEL", struct.pack("<5I", 0, 65536, 65536, 0, 0) + string(b"opc.tcp://plant.example:4840"))


def opening(certificate_of_sender: bytes | None, policy: bytes = POLICY) -> bytes:
    head = struct.pack("<I", 0) + string(policy) + string(certificate_of_sender) + string(bytes(20))
    return chunk(b"OPN", head + bytes(60))


def read(*pieces: bytes) -> list[tuple[str | None, tuple[bytes, ...]]]:
    reader = OpcUaReader()
    found = [(head.policy, head.certificates) for piece in pieces for head in reader.feed(piece)]
    assert reader.problem is None
    return found


def test_a_chain_in_any_pieces() -> None:
    chain = certificate("plc.example"), certificate("ca.example", 3)
    stream = hello() + opening(b"".join(chain))
    expected = [(POLICY.decode(), chain)]
    assert read(stream) == expected
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == expected
    assert read(stream, b"anything after it is not read") == expected


def test_without_security_there_is_no_certificate() -> None:
    assert read(hello() + opening(None, b"http://opcfoundation.org/UA/SecurityPolicy#None"))[0][1] == ()
    assert read(hello() + chunk(b"MSG", bytes(40))) == []
    assert read(hello() + opening(certificate("a.example")[:-1]))[0][1] == ()


def test_the_outcomes() -> None:
    check_outcomes(parse_open_channel, opening(certificate("plc.example")), examples=60)
    for broken in (
        b"HTTP/1.1 200 OK\r\n",
        chunk(b"OPN", bytes(4) + struct.pack("<i", 999)),
        b"HELF\xff\xff\xff\x7f",
    ):
        reader = OpcUaReader()
        assert reader.feed(broken) == []
        assert isinstance(reader.problem, Malformed)
        assert reader.feed(hello()) == []

    def parse(data: bytes) -> object:
        return OpcUaReader().feed(data)

    check_random(parse, [b"", hello(), opening(None)[:30]])
    assert not isinstance(outcome(parse, b""), Malformed)


def test_what_it_looks_like() -> None:
    assert looks_like_opcua(hello())
    for no in (b"", hello()[:7], b"HELO smtp.example.org\r\n", b"HELF\0\0\0\0", b"ACKF\xff\xff\xff\xff"):
        assert not looks_like_opcua(no)
