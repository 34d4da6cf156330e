"""GTP-C: who gets which address, in both versions (TS 29.060, TS 29.274)."""

import struct

import pytest
from support.gtpc_messages import IMEI, IMSI, MSISDN, bcd, create_1, create_2, created_1, created_2, message_2
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.gtpc import digits, looks_like_gtpc, parse_gtpc


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
