"""GTP-C: who gets which address, in both versions (TS 29.060, TS 29.274)."""

import socket
import struct

import pytest
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.gtpc import digits, looks_like_gtpc, parse_gtpc

IMSI, MSISDN, IMEI = "206011234567890", "32470123456", "3512345678901201"


def bcd(text: str) -> bytes:
    padded = text + "f" * (len(text) % 2)
    return bytes(int(padded[at + 1] + padded[at], 16) for at in range(0, len(padded), 2))


def ip(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def label(name: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in name.split(b"."))


def element_2(kind: int, value: bytes) -> bytes:
    return struct.pack(">BHB", kind, len(value), 0) + value


def message_2(kind: int, teid: int, sequence: int, *elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack(">BBHI", 0x48, kind, 8 + len(body), teid) + sequence.to_bytes(3, "big") + b"\0" + body


def endpoint(interface: int, teid: int, address: str) -> bytes:
    return element_2(87, struct.pack(">BI", 0x80 | interface, teid) + ip(address))


def create_2() -> bytes:
    bearer = element_2(73, b"\5") + endpoint(4, 0x2222, "198.51.100.1")
    return message_2(
        32, 0, 77, element_2(1, bcd(IMSI)), element_2(76, bcd(MSISDN)), element_2(75, bcd(IMEI)),
        element_2(71, label(b"internet.example")), endpoint(6, 0x1111, "198.51.100.1"), element_2(79, b"\1" + bytes(4)),
        element_2(93, bearer),
    )  # fmt: skip


def created_2(cause: int = 16) -> bytes:
    address = b"\3\x40" + ip("2001:db8:5::1") + ip("10.64.0.9")
    return message_2(
        33, 0x1111, 77, element_2(2, bytes([cause, 0])), endpoint(7, 0x3333, "198.51.100.2"),
        element_2(79, address), element_2(93, endpoint(5, 0x4444, "198.51.100.2")),
    )  # fmt: skip


def create_1() -> bytes:
    body = (
        b"\x02" + bcd(IMSI) + b"\x0f\0" + b"\x10" + struct.pack(">I", 0x2222) + b"\x11" + struct.pack(">I", 0x1111)
        + b"\x14\5" + b"\x80\0\2\xf1\x21" + b"\x83" + struct.pack(">H", 17) + label(b"internet.example")
        + b"\x85\0\4" + ip("198.51.100.1") + b"\x85\0\4" + ip("198.51.100.3")
        + b"\x86" + struct.pack(">H", 1 + len(bcd(MSISDN))) + b"\x91" + bcd(MSISDN) + b"\x9a\0\x08" + bcd(IMEI)
    )  # fmt: skip
    return struct.pack(">BBHIHBB", 0x32, 16, 4 + len(body), 0, 5, 0, 0) + body


def created_1() -> bytes:
    body = (
        b"\1\x80" + b"\x10" + struct.pack(">I", 0x4444) + b"\x11" + struct.pack(">I", 0x3333)
        + b"\x80\0\6\xf1\x21" + ip("10.64.0.9")
    )  # fmt: skip
    return struct.pack(">BBHIHBB", 0x32, 17, 4 + len(body), 0x1111, 5, 0, 0) + body


def test_a_session_of_version_2() -> None:
    asked, given = parse_gtpc(create_2()), parse_gtpc(created_2())
    assert asked is not None
    assert given is not None
    assert (asked.act, asked.imsi, asked.msisdn, asked.imei, asked.apn) == (
        "create", IMSI, MSISDN, IMEI, "internet.example"
    )  # fmt: skip
    assert (asked.sequence, asked.addresses) == (77, ())
    assert asked.control == ((0x1111, "198.51.100.1"),)
    assert asked.data == ((0x2222, "198.51.100.1"),)
    assert (given.act, given.teid, given.accepted) == ("created", 0x1111, True)
    assert given.addresses == ("2001:db8:5::/64", "10.64.0.9")
    refused = parse_gtpc(created_2(73))
    assert refused is not None
    assert refused.accepted is False


def test_a_session_of_version_1() -> None:
    asked, given = parse_gtpc(create_1()), parse_gtpc(created_1())
    assert asked is not None
    assert given is not None
    assert (asked.imsi, asked.msisdn, asked.imei, asked.apn) == (IMSI, MSISDN, IMEI, "internet.example")
    assert (asked.control, asked.data) == (((0x1111, "198.51.100.1"),), ((0x2222, "198.51.100.3"),))
    assert (given.act, given.teid, given.sequence, given.accepted) == ("created", 0x1111, 5, True)
    assert given.addresses == ("10.64.0.9",)


@pytest.mark.parametrize("whole", [create_1(), created_1(), create_2(), created_2()])
def test_the_outcomes(whole: bytes) -> None:
    check_outcomes(parse_gtpc, whole, cut=None, examples=60)
    assert looks_like_gtpc(whole)
    assert not looks_like_gtpc(whole[:-1])


def test_what_breaks_and_what_is_of_no_interest() -> None:
    assert parse_gtpc(message_2(1, 0, 1)) is None  # an echo
    for broken in (
        b"\xff" * 12,
        struct.pack(">BBHI", 0x48, 32, 0, 0),
        message_2(32, 0, 1, b"\1\0\x20\0"),
        message_2(32, 0, 1, b"\1\0"),
        struct.pack(">BBHIHBB", 0x34, 16, 6, 0, 5, 0, 9) + b"\0\0",
        struct.pack(">BBHIHBB", 0x32, 16, 6, 0, 5, 0, 0) + b"\x02\0",
        struct.pack(">BBHIHBB", 0x32, 16, 6, 0, 5, 0, 0) + b"\x80\0",
        struct.pack(">BBHI", 0x32, 16, 0, 0),
    ):
        assert isinstance(outcome(parse_gtpc, broken), Malformed), broken.hex()


def test_digits() -> None:
    assert digits(bcd("12345")) == "12345"
    assert digits(b"\xab\xcd") is None
    assert digits(b"") is None
