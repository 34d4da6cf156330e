"""DHCP (RFC 2131, 2132, 3396, 4702), against messages of another encoder."""

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from support.parser_outcomes import RECORD, check_outcomes, check_random

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dhcp import MAGIC, DhcpMessage, parse_dhcp

MAC = bytes.fromhex("02005e100001")


def message(*options: object, **header: object) -> bytes:
    """A message with options in order; the end option last."""
    return bytes(BOOTP(chaddr=MAC, xid=0x1234, **header) / DHCP(options=[*options, "end"]))


def parsed(data: bytes) -> DhcpMessage:
    found = parse_dhcp(data)
    assert found is not None
    return found


DISCOVER = message(
    ("message-type", 1),
    ("client_id", b"\x01" + MAC),
    ("hostname", b"Annas-iPhone"),
    ("vendor_class_id", b"android-dhcp-13"),
    ("param_req_list", [1, 121, 3, 6, 15, 108, 114]),
    ("requested_addr", "192.0.2.7"),
)


def test_a_client_names_itself() -> None:
    found = check_outcomes(parse_dhcp, DISCOVER, cut=None, longer=RECORD)
    assert (found.operation, found.type, found.type_name, found.transaction) == (1, 1, "discover", 0x1234)
    assert found.mac == "02:00:5e:10:00:01"
    assert (found.host_name, found.vendor_class) == ("Annas-iPhone", "android-dhcp-13")
    assert found.client_id == "01:02:00:5e:10:00:01"
    assert found.parameters == (1, 121, 3, 6, 15, 108, 114)
    assert (found.requested, found.ciaddr, found.yiaddr, found.problems) == ("192.0.2.7", None, None, ())
    assert [number for number, _ in found.options] == [53, 61, 12, 60, 55, 50]
    check_random(parse_dhcp, [DISCOVER[:240], DISCOVER[:236] + MAGIC + b"\x34\x01\x03"])


def test_a_server_gives_an_address() -> None:
    found = parsed(message(
        ("message-type", 5), ("server_id", "192.0.2.1"), ("lease_time", 3600), op=2, yiaddr="192.0.2.7",
        giaddr="198.51.100.1",
    ))  # fmt: skip
    assert (found.operation, found.type_name, found.yiaddr) == (2, "ack", "192.0.2.7")
    assert (found.server_id, found.lease_seconds, found.giaddr) == ("192.0.2.1", 3600, "198.51.100.1")


def test_plain_bootp_has_no_type() -> None:
    assert parsed(message(("hostname", b"printer"))).type_name == "bootp"
    assert parsed(message((53, b"\xee"))).type_name == "unknown-0xee"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"\x04\0\0\x04host\x07example\x03org\0", "host.example.org"),
        (b"\x05\0\0\x06myhost", "myhost"),  # a partial name
        (b"\x00\0\0host.example.org", "host.example.org"),  # deprecated text form
        (b"\x04\0\0", None),
    ],
)
def test_fully_qualified_names(raw: bytes, name: str | None) -> None:
    found = parsed(message(("message-type", 3), (81, raw)))
    assert (found.fqdn, found.problems) == (name, ())


def test_a_continued_option_is_one() -> None:
    halves = b"\x0c\x05Annas" + b"\x35\x01\x03" + b"\x0c\x07-iPhone"
    found = parsed(DISCOVER[:240] + halves + b"\xff")
    assert (found.host_name, found.type) == ("Annas-iPhone", 3)


def test_options_in_the_fields_of_the_header() -> None:
    data = bytearray(DISCOVER[:240] + b"\x35\x01\x03\x34\x01\x03\xff")
    data[108:114] = b"\x0c\x03one\xff"
    data[44:51] = b"\x3c\x03two\0\xff"
    found = parsed(bytes(data))
    assert (found.host_name, found.vendor_class) == ("one", "two")
    data[108:236] = b"\x0c\xff" + b"x" * 126
    with pytest.raises(Malformed, match="do not end"):
        parse_dhcp(bytes(data))


def test_options_that_break_their_format_are_told() -> None:
    found = parsed(message((53, b"\1\2"), (50, b"abc"), (81, b"\4"), (51, b"")))
    assert (found.type, found.requested, found.fqdn, found.lease_seconds) == (None, None, None, None)
    assert len(found.problems) == 4
    assert parsed(message((81, b"\4\0\0\x3fshort"))).problems == (
        "DHCP option 81: domain name does not fit its option",
    )


def test_other_hardware_has_no_mac() -> None:
    data = bytearray(DISCOVER)
    data[1] = 32
    assert parsed(bytes(data)).mac is None


@pytest.mark.parametrize(("at", "value"), [(0, 3), (2, 17), (236, 0)])
def test_what_is_refused(at: int, value: int) -> None:
    data = bytearray(DISCOVER)
    data[at] = value
    with pytest.raises(Malformed):
        parse_dhcp(bytes(data))


def test_a_name_cannot_carry_a_terminal_sequence() -> None:
    assert parsed(message(("hostname", b"a\x1b]0;x\x07\0"))).host_name == "a\\u{1b}]0;x\\u{7}"
