"""STUN and TURN: the RFC 5769 vectors, built messages, and what must be refused.

Vectors: https://www.rfc-editor.org/rfc/rfc5769 sections 2.1 to 2.4.
"""

import hashlib
import hmac
import zlib

import pytest
from support.parser_outcomes import check_outcomes, check_random

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.stun import (
    MAGIC_COOKIE,
    looks_like_channel_data,
    looks_like_stun,
    parse_channel_data,
    parse_stun,
)

REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)
RESPONSE_4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c"
    "662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014"
    "f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
TRANSACTION = bytes(range(1, 13))
CLASSIC_ID = bytes.fromhex("00112233445566778899aabbccddeeff")


def attribute(number: int, value: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(kind: int, *attributes: bytes, head: bytes = MAGIC_COOKIE + TRANSACTION) -> bytes:
    body = b"".join(attributes)
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + head + body


def xored(ip: bytes, port: int, key: bytes = MAGIC_COOKIE + TRANSACTION) -> bytes:
    plain = port.to_bytes(2, "big") + ip
    mask = key[:2] + key
    return bytes([0, 1 if len(ip) == 4 else 2]) + bytes(a ^ b for a, b in zip(plain, mask, strict=False))


def parsed(data: bytes):
    record = parse_stun(data)
    assert record is not None
    return record


def test_rfc5769_request():
    record = check_outcomes(parse_stun, REQUEST, cut=None, longer="record")
    assert (record.method, record.class_, record.classic) == ("binding", "request", False)
    assert record.transaction_id == "b7e7a701bc34d686fa87dfae"
    assert (record.username, record.software) == ("evtj:h6vY", "STUN test client")
    assert record.fingerprint_ok is True
    assert record.attribute_names == (
        "SOFTWARE", "PRIORITY", "ICE-CONTROLLED", "USERNAME", "MESSAGE-INTEGRITY", "FINGERPRINT",
    )  # fmt: skip
    assert looks_like_stun(REQUEST)


@pytest.mark.parametrize(
    ("data", "mapped"),
    [(RESPONSE_4, "192.0.2.1:32853"), (RESPONSE_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")],
)
def test_rfc5769_responses(data, mapped):
    record = check_outcomes(parse_stun, data, cut=None, longer="record")
    assert (record.class_, record.mapped, record.software) == ("success", mapped, "test vector")
    assert record.fingerprint_ok is True
    assert looks_like_stun(data)


def test_rfc5769_long_term_request():
    username = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
    # the vector is the RFC's own: its message integrity holds under the password that the RFC states
    key = hashlib.md5(f"{username}:example.org:TheMatrIX".encode()).digest()
    assert hmac.digest(key, LONG_TERM[:-24], "sha1") == LONG_TERM[-20:]
    record = check_outcomes(parse_stun, LONG_TERM, cut=None, longer="record")
    assert (record.username, record.realm) == (username, "example.org")
    assert record.fingerprint_ok is None


def test_turn_allocation_and_peers():
    allocated = message(
        0x0103,
        attribute(0x0016, xored(bytes([192, 0, 2, 15]), 9000)),
        attribute(0x0020, xored(bytes([198, 51, 100, 7]), 5)),
    )
    record = parsed(allocated)
    assert (record.method, record.class_) == ("allocate", "success")
    assert (record.relayed, record.mapped) == ("192.0.2.15:9000", "198.51.100.7:5")
    v6 = bytes.fromhex("20010db8000000000000000000000001")
    permission = parsed(
        message(
            0x0008,
            attribute(0x0012, xored(bytes([203, 0, 113, 9]), 1)),
            attribute(0x0012, xored(v6, 65535)),
        )
    )
    assert permission.method == "create-permission"
    assert permission.peers == ("203.0.113.9:1", "[2001:db8::1]:65535")
    assert permission.peer == "203.0.113.9:1"


@pytest.mark.parametrize(
    ("kind", "method", "class_"),
    [
        (0x0001, "binding", "request"), (0x0011, "binding", "indication"), (0x0101, "binding", "success"),
        (0x0111, "binding", "error"), (0x0004, "refresh", "request"), (0x0016, "send", "indication"),
        (0x0017, "data", "indication"), (0x0119, "channel-bind", "error"), (0x0200, "goog-ping", "request"),
        (0x0800, "unknown-0x200", "request"), (0x0801, "unknown-0x201", "request"),
        (0x3EEF, "unknown-0xfff", "request"), (0x3FFF, "unknown-0xfff", "error"),
    ],
)  # fmt: skip
def test_methods_and_classes(kind, method, class_):
    record = parsed(message(kind))
    assert (record.type, record.method, record.class_) == (kind, method, class_)


def test_error_code_and_reason():
    record = parsed(message(0x0113, attribute(0x0009, b"\0\0\x04\x01Unauthorized\x1b[31m")))
    assert record.error_code == 401
    assert record.error_reason == "Unauthorized\\u{1b}[31m"
    assert parsed(message(0x0113, attribute(0x0009, b"\0\0"))).error_code is None


def test_unknown_attributes_are_kept_as_numbers():
    record = parsed(message(0x0801, attribute(0x4000, b"abc"), attribute(0xFF03, b"")))
    assert record.attributes == ((0x4000, b"abc"), (0xFF03, b""))
    assert record.attribute_names == ("unknown-0x4000", "unknown-0xff03")
    assert record.attribute_numbers == {0x4000, 0xFF03}


def test_hostile_text_is_escaped():
    record = parsed(
        message(
            1,
            attribute(0x0006, "a\u202eb".encode()),
            attribute(0x0014, b"\xff\\r"),
            attribute(0x802F, b"https://example.org"),
            attribute(0x8022, b"soft\0\0"),
        )
    )
    assert record.username == "a\\u{202e}b"
    assert record.realm == "\\xff\\\\r"
    assert record.origin == "https://example.org"
    assert record.software == "soft"


@pytest.mark.parametrize("value", [b"", b"\0\1\0\1\1\2\3", b"\0\3\0\1\1\2\3\4", b"\0\2\0\1\1\2\3\4"])
def test_ill_formed_address_is_no_address(value):
    record = parsed(message(0x0101, attribute(0x0001, value), attribute(0x0020, value)))
    assert record.mapped is None
    assert len(record.attributes) == 2


def test_classic_binding():
    request = message(0x0001, head=CLASSIC_ID)
    answer = message(
        0x0101,
        attribute(0x0001, bytes.fromhex("0001138a c6336401")),
        attribute(0x0004, bytes.fromhex("00010d96 c0000201")),
        head=CLASSIC_ID,
    )
    assert looks_like_stun(request)
    assert looks_like_stun(answer)
    record = check_outcomes(parse_stun, answer, cut=None, longer="record")
    assert record.classic
    assert record.transaction_id == CLASSIC_ID.hex()
    assert record.mapped == "198.51.100.1:5002"


def test_microsoft_turn_names_the_relay_in_mapped_address():
    record = parsed(
        message(
            0x0103,
            attribute(0x000F, bytes.fromhex("72c64bc6")),
            attribute(0x0001, bytes.fromhex("0001c350 c0000263")),
            attribute(0x8020, xored(bytes([198, 51, 100, 3]), 4321, CLASSIC_ID)),
            attribute(0x0012, bytes.fromhex("00010050 cb007105")),
            head=CLASSIC_ID,
        )
    )
    assert record.relayed == "192.0.2.99:50000"
    assert record.mapped == "198.51.100.3:4321"
    assert record.peers == ("203.0.113.5:80",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REQUEST[:-1],
        REQUEST + b"\0",
        REQUEST[:-1] + b"\0",  # a wrong fingerprint
        b"\x80" + REQUEST[1:],
        message(0x0001, head=bytes(16)),  # zeros are no random id
        message(0x0001, attribute(0x4000, b""), head=CLASSIC_ID),  # classic STUN has no such attribute
        message(0x0101, head=CLASSIC_ID),  # an answer that answers nothing
        message(0x0101, attribute(0x0001, b"\0\1"), head=CLASSIC_ID),
        message(0x3FFF, head=CLASSIC_ID),
        b"\x16\xfe\xfd" + bytes(40),
        bytes(20),
    ],
)
def test_does_not_look_like_stun(data):
    assert not looks_like_stun(data)


@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"\x40", 0), (b"\x00\x01\x00\x02" + bytes(18), 2), (message(1, b"\x00\x06\x00\x09abcd"), 20)],
)
def test_refused_with_the_offset(data, offset):
    with pytest.raises(Malformed) as refused:
        parse_stun(data)
    assert refused.value.offset == offset


def test_fingerprint_is_checked():
    body = message(0x0001, attribute(0x8022, b"abcd"), attribute(0x8028, bytes(4)))
    right = body[:-4] + (zlib.crc32(body[:-8]) ^ 0x5354554E).to_bytes(4, "big")
    assert parsed(right).fingerprint_ok is True
    assert parsed(body).fingerprint_ok is False


def test_channel_data():
    data = b"\x40\x01\x00\x05hello\0\0\0"
    record = check_outcomes(parse_channel_data, data[:9], cut=None, longer="record")
    assert (record.channel, record.length, record.size) == (0x4001, 5, 9)
    assert looks_like_channel_data(data[:9])
    assert looks_like_channel_data(data)
    assert not looks_like_channel_data(data[:10])
    assert not looks_like_channel_data(b"\x50" + data[1:9])
    with pytest.raises(Malformed):
        parse_channel_data(b"\x00\x01\x00\x00")


def test_random_bytes_behind_a_header():
    check_random(parse_stun, [message(0x0101)[:3] + b"\x40" + MAGIC_COOKIE + TRANSACTION], examples=300)
