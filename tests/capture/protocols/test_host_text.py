"""Values that name hosts: bounded, printable, unambiguous."""

import pytest

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import (
    CUT_MARK,
    MAX_VALUE,
    address_text,
    hex_text,
    host_text,
    mac_text,
    wire_name,
)


def test_padding_is_no_part_of_a_value() -> None:
    assert host_text(b"iPhone\0\0") == "iPhone"
    assert host_text(b" \0") is None and host_text(b"") is None


def test_control_characters_and_other_bytes_are_shown_as_such() -> None:
    assert host_text(b"a\x1b[2Jb") == "a\\u{1b}[2Jb"
    assert host_text("\u202egnp.exe".encode()) == "\\u{202e}gnp.exe"
    assert host_text(b"a\xffb\\") == "a\\xffb\\\\"


def test_a_long_value_is_cut_and_says_so() -> None:
    assert host_text(b"x" * MAX_VALUE) == "x" * MAX_VALUE
    assert host_text(b"x" * 70000) == "x" * MAX_VALUE + CUT_MARK
    assert host_text(b"x" * (MAX_VALUE - 4) + b"\\...") == "x" * (MAX_VALUE - 4) + "\\\\..."
    assert hex_text(bytes(300)).endswith(CUT_MARK) and hex_text(b"\x01\xab") == "01:ab"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("020000000001", "02:00:00:00:00:01"), ("00000c07ac01", "00:00:0c:07:ac:01"), ("000000000000", None),
        ("ffffffffffff", None), ("01005e000001", None), ("0200000000", None), ("02000000000102", None),
    ],
)  # fmt: skip
def test_addresses_of_one_interface(raw: str, text: str | None) -> None:
    assert mac_text(bytes.fromhex(raw)) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("c0000201", "192.0.2.1"), ("00000000", None), ("00" * 16, None), ("c00002", None),
        ("20010db8000000000000000000000001", "2001:db8::1"),
        ("00000000000000000000ffffc0000201", "::ffff:c000:201"),
    ],
)  # fmt: skip
def test_network_addresses(raw: str, text: str | None) -> None:
    assert address_text(bytes.fromhex(raw)) == text


def test_names_in_labels() -> None:
    assert wire_name(b"\x04host\x07example\x03org\0", 0) == "host.example.org"
    assert wire_name(b"\x04host", 0) == "host"
    assert wire_name(b"\x03a.b\x01\xff", 0) == "a\\.b.\\255"
    assert wire_name(b"\0", 0) is None and wire_name(b"", 0) is None


@pytest.mark.parametrize("raw", [b"\x05host", b"\xc0\x0c", b"\x3fa" * 200, b"\x01a" * 200])
def test_names_that_do_not_fit(raw: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        wire_name(raw, 7)
    assert 7 <= refused.value.offset <= 7 + len(raw)
