"""RADIUS: the example of RFC 2865 section 7.1, accounting of a mobile subscriber, and no password anywhere."""

import struct
from dataclasses import astuple

from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.radius import START, STOP, parse_radius

RFC_REQUEST = bytes.fromhex(
    "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110"
    "050600000003"
)
RFC_ACCEPT = bytes.fromhex("0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103")


def attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, 2 + len(value)]) + value


def vendor(kind: int, value: bytes, number: int = 10415) -> bytes:
    return attribute(26, struct.pack(">I", number) + attribute(kind, value))


def message(code: int, *attributes: bytes, identifier: int = 9) -> bytes:
    body = b"".join(attributes)
    return struct.pack(">BBH", code, identifier, 20 + len(body)) + bytes(16) + body


def accounting(status: int, ip: bytes = bytes((10, 64, 0, 7))) -> bytes:
    return message(
        4, attribute(1, b"alice@apn.example"), attribute(2, b"SECRET-SECRET-16"), attribute(3, b"\1CHAPCHAPCHAPCHAP"),
        attribute(8, ip), attribute(30, b"internet.example"), attribute(31, b"32470123456"), attribute(32, b"ggsn-1"),
        attribute(40, struct.pack(">I", status)), attribute(44, b"0a1b2c3d"), attribute(79, b"EAPSECRET"),
        vendor(1, b"206011234567890"), vendor(20, b"3512345678901234"), vendor(9, b"foreign", 9),
        attribute(97, b"\0\x40" + bytes.fromhex("20010db800010002")),
    )  # fmt: skip


def test_the_example_of_the_rfc() -> None:
    asked, given = parse_radius(RFC_REQUEST), parse_radius(RFC_ACCEPT)
    assert asked is not None
    assert given is not None
    assert (asked.code, asked.identifier, asked.user_name, asked.nas) == (1, 0, "nemo", "192.168.1.16")
    assert (given.code, given.identifier, given.addresses) == (2, 0, ())


def test_a_mobile_subscriber() -> None:
    found = parse_radius(accounting(START))
    assert found is not None
    assert (found.user_name, found.calling_station, found.imsi, found.imei) == (
        "alice@apn.example", "32470123456", "206011234567890", "3512345678901234"
    )  # fmt: skip
    assert (found.addresses, found.session, found.nas, found.status) == (
        ("10.64.0.7", "2001:db8:1:2::/64"), "0a1b2c3d", "ggsn-1", START
    )  # fmt: skip


def test_secrets_do_not_leave_the_parser() -> None:
    told = repr(astuple(parse_radius(accounting(STOP))))  # type: ignore[arg-type]
    assert "SECRET" not in told
    assert "CHAP" not in told


def test_addresses_that_are_none() -> None:
    for ip in (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe", bytes(4), b"\1\2\3"):
        found = parse_radius(
            message(4, attribute(8, ip), attribute(97, b"\0\x40"), attribute(168, bytes(16)))
        )
        assert found is not None
        assert found.addresses == ()


def test_the_outcomes() -> None:
    check_outcomes(parse_radius, accounting(START), cut=None)
    for broken in (
        message(99),
        struct.pack(">BBH", 1, 0, 19) + bytes(16),
        message(1, b"\1\1"),
        message(1, b"\1\x09a"),
    ):
        assert isinstance(outcome(parse_radius, broken), Malformed)
