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
    """A DER element."""
    if len(content) < 0x80:
        return bytes([tag]) + vector(content, 1)
    return bytes([tag, 0x82]) + vector(content)


def certificate(key_info: bytes, extensions: bytes = b"", serial: bytes = b"\x02\x01\x05") -> bytes:
    """A certificate with empty names around this SubjectPublicKeyInfo, without a signature."""
    version = der(0xA0, b"\x02\x01\x02")
    validity = der(0x30, der(UTC_TIME, b"200101000000Z") + der(UTC_TIME, b"300101000000Z"))
    tbs = (
        version + serial + der(0x30, b"") + der(0x30, b"") + validity + der(0x30, b"") + key_info + extensions
    )
    return der(0x30, der(0x30, tbs))


def key_info(oid: str, parameters: bytes = b"", key: bytes = b"\0") -> bytes:
    """A SubjectPublicKeyInfo."""
    return der(0x30, der(0x30, der(6, bytes.fromhex(oid)) + parameters) + der(3, key))


EC, RSA, DSA = "2a8648ce3d0201", "2a864886f70d010101", "2a8648ce380401"
PRIME = der(2, b"\0" + b"\xff" * 24)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (key_info(EC, der(6, bytes.fromhex("2a811ccf5501822d"))), ("ec", 256)),  # SM2
        (key_info(EC, der(6, b"\x2a\x03")), ("ec", None)),
        (key_info(EC, der(0x30, b"\x02\x01\x01" + der(0x30, der(6, b"\x2a") + PRIME))), ("ec", 192)),
        (key_info(EC, der(0x30, b"\x02\x01\x01")), ("ec", None)),
        (key_info(RSA, b"\x05\x00", b"\0" + der(0x30, PRIME + b"\x02\x01\x03")), ("rsa", 192)),
        (key_info(DSA, der(0x30, PRIME + PRIME + PRIME)), ("dsa", 192)),
        (key_info("2b6571"), ("ed448", 456)),
        (key_info("2a030405"), ("1.2.3.4.5", None)),
    ],
)
def test_keys_by_the_walk(info: bytes, expected: tuple[str, int | None]) -> None:
    facts = walk_certificate(certificate(info))
    assert (facts.key_type, facts.key_bits) == expected
    assert facts.problems == []
    assert facts.serial == "05"
    assert facts.same_names is True


def test_each_field_that_cannot_be_read_is_named() -> None:
    facts = walk_certificate(certificate(key_info(RSA, b"", b"\0\x04\x00"), serial=b"\x04\x01\x05"))
    assert facts.serial is None
    assert facts.not_before == 1577836800 * 10**9
    assert [problem.split(":")[0] for problem in facts.problems] == ["serial", "public key"]


@pytest.mark.parametrize("oid", [EC, RSA, DSA, "2a8648ce3e0201"])
@pytest.mark.parametrize("parameters", [b"", b"\x05\x00", b"\x30\x00", b"\x30\x02\x05\x00", b"\x02\x00"])
def test_keys_without_sound_parameters_raise_nothing(oid: str, parameters: bytes) -> None:
    facts = walk_certificate(certificate(key_info(oid, parameters, b"")))
    assert facts.key_bits is None
    assert facts.not_after == 1893456000 * 10**9


def test_alternative_names_by_the_walk() -> None:
    names = der(0x82, b"a.example") + der(0x87, b"\x01\x02\x03") + der(0xA5, b"\x01") + der(0x82, b"\xff")
    other = der(0x30, der(6, b"\x55\x1d\x0f") + der(4, b"\x03\x01\x00"))
    wanted = der(0x30, der(6, b"\x55\x1d\x11") + b"\x01\x01\xff" + der(4, der(0x30, names)))
    block = der(0xA3, der(0x30, other + wanted))
    facts = walk_certificate(certificate(key_info("2b6570"), block))
    assert facts.san == ("a.example", "generalName7:010203", "generalName5:01", "\\xff")
    without = walk_certificate(certificate(key_info("2b6570"), der(0xA3, der(0x30, other))))
    assert without.san == ()


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
