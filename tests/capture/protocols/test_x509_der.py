"""The DER walk's parts: lengths, object identifiers, times, names."""

import pytest
from support.parser_outcomes import check_random
from support.tls_bytes import vector

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.x509_der import (
    GENERALIZED_TIME,
    UTC_TIME,
    Element,
    children,
    element,
    escape_value,
    name_text,
    oid_text,
    serial_text,
    time_ns,
    walk_certificate,
)


def der(tag: int, content: bytes) -> bytes:
    """A DER element of less than 128 bytes."""
    return bytes([tag]) + vector(content, 1)


def test_elements() -> None:
    assert element(b"\x04\x02ab", 0, 4) == Element(4, 2, 4)
    assert element(b"\x04\x81\x02ab", 0, 5) == Element(4, 3, 5)
    assert element(b"\x04\x84\x00\x00\x00\x01a", 0, 7) == Element(4, 6, 7)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04",
        b"\x04\x02a",
        b"\x04\x80a\x00\x00",
        b"\x04\x85\x00\x00\x00\x00\x01a",
        b"\x1f\x81\x01a",
        b"\x04\x82\x00",
    ],
)
def test_elements_that_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        element(data, 0, len(data))


def test_children_are_bounded() -> None:
    data = b"\x05\x00" * 5000
    with pytest.raises(Malformed, match="too many"):
        children(data, Element(0x30, 0, len(data)))
    check_random(lambda raw: children(raw, Element(0x30, 0, len(raw))))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("550403", "2.5.4.3"),
        ("2a864886f70d010101", "1.2.840.113549.1.1.1"),
        ("2b6570", "1.3.101.112"),
        ("883703", "2.999.3"),
        ("00", "0.0"),
    ],
)
def test_object_identifiers(content: str, text: str) -> None:
    assert oid_text(bytes.fromhex(content)) == text


@pytest.mark.parametrize("content", [b"", b"\x2a\x86", b"\x81" * 65 + b"\x01"])
def test_object_identifiers_that_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        oid_text(content)


@pytest.mark.parametrize(
    ("tag", "digits", "seconds"),
    [
        (UTC_TIME, b"700101000000Z", 0),
        (UTC_TIME, b"491231235959Z", 2524607999),
        (UTC_TIME, b"500101000000Z", -631152000),
        (UTC_TIME, b"7001010001Z", 60),
        (UTC_TIME, b"700101020000+0200", 0),
        (UTC_TIME, b"700101000000-0130", 5400),
        (GENERALIZED_TIME, b"20500101000000Z", 2524608000),
        (GENERALIZED_TIME, b"99991231235959Z", 253402300799),
    ],
)
def test_times(tag: int, digits: bytes, seconds: int) -> None:
    assert time_ns(digits, Element(tag, 0, len(digits))) == seconds * 10**9


@pytest.mark.parametrize(
    "digits",
    [
        b"",
        b"7001",
        b"70010100000xZ",
        b"701301000000Z",
        b"700132000000Z",
        b"700101250000Z",
        b"700101000000",
        b"7001010000\xff\xffZ",
    ],
)
def test_times_that_are_refused(digits: bytes) -> None:
    with pytest.raises(Malformed):
        time_ns(digits, Element(UTC_TIME, 0, len(digits)))


def test_time_of_another_tag_is_refused() -> None:
    with pytest.raises(Malformed):
        time_ns(b"700101000000Z", Element(4, 0, 13))
    check_random(
        lambda raw: time_ns(raw, Element(GENERALIZED_TIME, 0, len(raw))), [b"", b"2024", b"20240102030405"]
    )


def test_names_of_every_string_type() -> None:
    values = [
        (0x0C, "é".encode(), "é"),
        (0x13, b"plain", "plain"),
        (0x14, b"\xe9", "é"),
        (0x1E, "é✓".encode("utf-16-be"), "é✓"),
        (0x1C, "✓".encode("utf-32-be"), "✓"),
        (0x0C, b"\xff", "#0c01ff"),
        (0x04, b"\x01", "#040101"),
    ]
    for tag, raw, shown in values:
        data = der(0x30, der(0x31, der(0x30, der(6, b"\x55\x04\x03") + der(tag, raw))))
        assert name_text(data, element(data, 0, len(data))) == (f"CN={shown}", shown)
    check_random(
        lambda raw: name_text(raw, Element(0x30, 0, len(raw))), [b"", b"\x31\x10\x30\x0e\x06\x03\x55\x04\x03"]
    )


def test_escaping_of_rfc_4514() -> None:
    assert escape_value('a,b+c"d\\e<f>g;h') == 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h'
    assert escape_value("#x") == "\\#x"
    assert escape_value(" x ") == "\\ x\\ "
    assert escape_value(" ") == "\\ "
    assert escape_value("a\0b") == "a\\00b"
    assert escape_value("") == ""


def test_serials() -> None:
    assert [serial_text(value) for value in (0, 10, 255, 256, -1)] == ["00", "0a", "ff", "0100", "-01"]


def test_the_walk_never_raises() -> None:
    check_random(
        walk_certificate,
        [b"", b"\x30", b"\x30\x82", b"\x30\x80\x30\x80\x02\x01\x01\x30\x00\x30\x00", b"\x30\x04\x30\x02"],
    )
    empty = walk_certificate(b"")
    assert empty.subject is None
    assert empty.problems
