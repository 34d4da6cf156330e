"""A certificate's outer facts by a plain walk over its DER, for certificates that a strict library refuses.

Old, broken and crafted certificates (a negative serial, a bad string type, a cut end) are still evidence of
who was spoken to. The walk checks only that every element lies inside its parent, takes what it can name, and
lists what it could not read. No recursion, no search: the places of the fields are fixed by RFC 5280 section
4.1.
"""

from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from wirecover.capture.protocols import Malformed

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_MOST_ELEMENTS: Final = (
    4096  # in one parent; a crafted certificate could hold tens of thousands of empty ones
)
_LONGEST_OID: Final = 64
_SUBJECT_ALT_NAME: Final = "2.5.29.17"

# Short names of RFC 4514 section 3, and emailAddress (RFC 2985): too many subjects have it to show digits.
ATTRIBUTES: Final[dict[str, str]] = {
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_STRINGS: Final[dict[int, str]] = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
# https://www.rfc-editor.org/rfc/rfc3279#section-2.3, RFC 5480, RFC 8410
KEY_TYPES: Final[dict[str, str]] = {
    "1.2.840.113549.1.1.1": "rsa",
    "1.2.840.113549.1.1.10": "rsa",
    "1.2.840.10040.4.1": "dsa",
    "1.2.840.10046.2.1": "dh",
    "1.2.840.10045.2.1": "ec",
    "1.3.101.110": "x25519",
    "1.3.101.111": "x448",
    "1.3.101.112": "ed25519",
    "1.3.101.113": "ed448",
}
# Bits of the named curves of RFC 5480, RFC 5639 and SM2.
_CURVE_BITS: Final[dict[str, int]] = {
    "1.2.840.10045.3.1.1": 192,
    "1.2.840.10045.3.1.7": 256,
    "1.3.132.0.10": 256,
    "1.3.132.0.33": 224,
    "1.3.132.0.34": 384,
    "1.3.132.0.35": 521,
    "1.3.36.3.3.2.8.1.1.7": 256,
    "1.3.36.3.3.2.8.1.1.11": 384,
    "1.3.36.3.3.2.8.1.1.13": 512,
    "1.2.156.10197.1.301": 256,
}
_FIXED_BITS: Final[dict[str, int]] = {"x25519": 256, "ed25519": 256, "x448": 448, "ed448": 456}


@dataclass(frozen=True, slots=True)
class Element:
    """One DER element: its tag byte and the place of its content."""

    tag: int
    start: int
    end: int


@dataclass(slots=True)
class DerFacts:
    """What the walk could read; None where it could not."""

    serial: str | None = None
    issuer: str | None = None
    subject: str | None = None
    common_name: str | None = None
    not_before: int | None = None
    not_after: int | None = None
    key_type: str | None = None
    key_bits: int | None = None
    san: tuple[str, ...] = ()
    same_names: bool | None = None
    problems: list[str] = field(default_factory=list)


def element(der: bytes, position: int, end: int) -> Element:
    """The element at `position` in a parent that ends at `end`; definite lengths of up to four bytes only."""
    if position + 2 > end:
        raise Malformed(min(position, len(der)), "DER header passes the end of its parent")
    tag, length = der[position], der[position + 1]
    if tag & 0x1F == 0x1F:
        raise Malformed(position, "DER tag of more than one byte")
    start = position + 2
    if length & 0x80:
        width = length & 0x7F
        if not 1 <= width <= 4 or start + width > end:
            raise Malformed(position + 1, "DER length of no usable form")
        length = int.from_bytes(der[start : start + width], "big")
        start += width
    if start + length > end:
        raise Malformed(position + 1, "DER element passes the end of its parent")
    return Element(tag, start, start + length)


def children(der: bytes, parent: Element) -> list[Element]:
    """The elements inside a constructed one."""
    found: list[Element] = []
    position = parent.start
    while position < parent.end:
        if len(found) == _MOST_ELEMENTS:
            raise Malformed(position, "too many DER elements in one parent")
        child = element(der, position, parent.end)
        found.append(child)
        position = child.end
    return found


def _expect(der: bytes, position: int, end: int, tag: int) -> Element:
    found = element(der, position, end)
    if found.tag != tag:
        raise Malformed(position, f"DER tag 0x{found.tag:02x} in place of 0x{tag:02x}")
    return found


def oid_text(content: bytes) -> str:
    """An object identifier in dotted digits (X.690 section 8.19)."""
    if not content or len(content) > _LONGEST_OID or content[-1] & 0x80:
        raise Malformed(0, "not an object identifier")
    arcs: list[int] = []
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def escape_value(value: str) -> str:
    """An attribute value as RFC 4514 section 2.4 writes it."""
    escaped = "".join(
        "\\" + char if char in '"+,;<>\\' else "\\00" if char == "\0" else char for char in value
    )
    if escaped[:1] in ("#", " "):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def _value_text(der: bytes, value: Element, header: int) -> str:
    codec = _STRINGS.get(value.tag)
    if codec is not None:
        try:
            return escape_value(der[value.start : value.end].decode(codec))
        except UnicodeDecodeError:
            pass  # falls to the form below, which keeps every byte
    return "#" + der[header : value.end].hex()


def name_text(der: bytes, name: Element) -> tuple[str, str | None]:
    """A distinguished name as RFC 4514 text (most specific part first), and its last common name."""
    parts: list[str] = []
    common: str | None = None
    for relative in children(der, name):
        pairs = []
        for pair in children(der, relative):
            kind = _expect(der, pair.start, pair.end, OID)
            value = element(der, kind.end, pair.end)
            oid = oid_text(der[kind.start : kind.end])
            text = _value_text(der, value, kind.end)
            pairs.append(f"{ATTRIBUTES.get(oid, oid)}={text}")
            if oid == "2.5.4.3":
                common = text
        parts.append("+".join(pairs))
    return ",".join(reversed(parts)), common


def time_ns(der: bytes, moment: Element) -> int:
    """UTCTime or GeneralizedTime as nanoseconds since 1970 UTC (RFC 5280 section 4.1.2.5); zones are taken
    too.
    """
    digits = der[moment.start : moment.end]
    if moment.tag == UTC_TIME:
        year, rest = digits[:2], digits[2:]
    elif moment.tag == GENERALIZED_TIME:
        year, rest = digits[:4], digits[4:]
    else:
        raise Malformed(moment.start, "not a time")
    if len(rest) < 9 or not (year + rest[:8]).isdigit():
        raise Malformed(moment.start, "time is not made of digits")
    full_year = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 50 else 2000)
    month, day, hour, minute = (int(rest[at : at + 2]) for at in (0, 2, 4, 6))
    position = 10 if rest[8:10].isdigit() else 8
    second = int(rest[8:10]) if position == 10 else 0
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61 and full_year):
        raise Malformed(moment.start, "no such moment")
    seconds = timegm((full_year, month, day, hour, minute, second)) - _zone_seconds(
        rest[position:], moment.start
    )
    return seconds * 1_000_000_000


def _zone_seconds(zone: bytes, offset: int) -> int:
    if zone == b"Z":
        return 0
    if len(zone) == 5 and zone[:1] in b"+-" and zone[1:].isdigit():
        ahead = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
        return -ahead if zone[:1] == b"-" else ahead
    raise Malformed(offset, "time has no zone")


def _general_name(der: bytes, name: Element) -> str:
    """One GeneralName (RFC 5280 section 4.2.1.6) as text; forms that are not names keep a word in front."""
    content = der[name.start : name.end]
    kind = name.tag & 0x1F
    if kind in (1, 2, 6):
        return content.decode("ascii", "backslashreplace")
    if kind == 7 and len(content) in (4, 16):
        return str(ip_address(content))
    if kind == 4:
        return "dirName:" + name_text(der, _expect(der, name.start, name.end, SEQUENCE))[0]
    if kind == 8:
        return "registeredID:" + oid_text(content)
    if kind == 0:
        oid = _expect(der, name.start, name.end, OID)
        return "otherName:" + oid_text(der[oid.start : oid.end])
    return f"generalName{kind}:{content.hex()}"


def _alt_names(der: bytes, extensions: Element) -> tuple[str, ...]:
    for extension in children(der, _expect(der, extensions.start, extensions.end, SEQUENCE)):
        parts = children(der, extension)
        if len(parts) < 2 or oid_text(der[parts[0].start : parts[0].end]) != _SUBJECT_ALT_NAME:
            continue
        value = parts[-1]
        names = _expect(der, value.start, value.end, SEQUENCE)
        return tuple(_general_name(der, name) for name in children(der, names))
    return ()


def _integer_bits(der: bytes, number: Element) -> int:
    return int.from_bytes(der[number.start : number.end], "big").bit_length()


def _key(der: bytes, info: Element) -> tuple[str, int | None]:
    """Type and size of a SubjectPublicKeyInfo."""
    algorithm = _expect(der, info.start, info.end, SEQUENCE)
    oid = _expect(der, algorithm.start, algorithm.end, OID)
    dotted = oid_text(der[oid.start : oid.end])
    kind = KEY_TYPES.get(dotted, dotted)
    if kind == "rsa":
        bits = _expect(der, algorithm.end, info.end, BIT_STRING)
        pair = _expect(der, bits.start + 1, bits.end, SEQUENCE)
        return kind, _integer_bits(der, _expect(der, pair.start, pair.end, INTEGER))
    if kind == "ec":
        return kind, _curve_bits(der, element(der, oid.end, algorithm.end))
    if kind in ("dsa", "dh"):
        numbers = _expect(der, oid.end, algorithm.end, SEQUENCE)
        return kind, _integer_bits(der, _expect(der, numbers.start, numbers.end, INTEGER))
    return kind, _FIXED_BITS.get(kind)


def _curve_bits(der: bytes, curve: Element) -> int | None:
    if curve.tag == OID:
        return _CURVE_BITS.get(oid_text(der[curve.start : curve.end]))
    # Explicit parameters (RFC 3279 section 2.3.5): version, then the field with its prime.
    parts = children(der, curve)
    if len(parts) > 1 and parts[1].tag == SEQUENCE:
        fields = children(der, parts[1])
        if len(fields) == 2 and fields[1].tag == INTEGER:
            return _integer_bits(der, fields[1])
    return None


def _body(der: bytes) -> list[Element]:
    """The fields of the TBSCertificate, from the serial number on; as far as they are whole."""
    outer = element(der, 0, len(der)) if _is_whole(der) else Element(SEQUENCE, _header_end(der, 0), len(der))
    inner_end = outer.end
    inner = outer.start
    start = _header_end(der, inner)
    whole = _is_whole(der[inner:inner_end])
    end = element(der, inner, inner_end).end if whole else inner_end
    fields: list[Element] = []
    position = start
    while position < end and len(fields) < 16:
        try:
            found = element(der, position, end)
        except Malformed:
            break  # cut here; what came before is used
        fields.append(found)
        position = found.end
    return fields[1:] if fields and fields[0].tag == 0xA0 else fields


def _is_whole(der: bytes) -> bool:
    try:
        return element(der, 0, len(der)).tag == SEQUENCE
    except Malformed:
        return False


def _header_end(der: bytes, position: int) -> int:
    """Where the content of the SEQUENCE at `position` begins, its length not looked at."""
    if position + 2 > len(der) or der[position] != SEQUENCE:
        raise Malformed(min(position, len(der)), "no DER sequence")
    return position + 2 + (der[position + 1] & 0x7F if der[position + 1] & 0x80 else 0)


def walk_certificate(der: bytes) -> DerFacts:
    """What can be read of a certificate, whole or cut; never raises."""
    facts = DerFacts()
    try:
        fields = _body(der)
    except Malformed as refused:
        facts.problems.append(str(refused))
        return facts
    steps: tuple[tuple[str, int, Callable[[], None]], ...] = (
        ("serial", 0, lambda: _set_serial(facts, der, fields[0])),
        ("issuer", 2, lambda: _set_issuer(facts, der, fields[2])),
        ("validity", 3, lambda: _set_validity(facts, der, fields[3])),
        ("subject", 4, lambda: _set_subject(facts, der, fields[4], fields[2])),
        ("public key", 5, lambda: _set_key(facts, der, fields[5])),
        ("extensions", 6, lambda: _set_extensions(facts, der, fields[6:])),
    )
    for what, needed, step in steps:
        if needed >= len(fields) and what != "extensions":
            facts.problems.append(f"{what}: missing")
            continue
        try:
            step()
        except Malformed as refused:
            facts.problems.append(f"{what}: {refused}")
    return facts


def _set_serial(facts: DerFacts, der: bytes, serial: Element) -> None:
    if serial.tag != INTEGER:
        raise Malformed(serial.start, "not an integer")
    facts.serial = serial_text(int.from_bytes(der[serial.start : serial.end], "big", signed=True))


def serial_text(serial: int) -> str:
    """A serial number as lower-case hex digits, two a byte, with a minus sign where it is negative."""
    digits = f"{abs(serial):x}"
    return ("-" if serial < 0 else "") + ("0" + digits if len(digits) % 2 else digits)


def _set_issuer(facts: DerFacts, der: bytes, issuer: Element) -> None:
    facts.issuer = name_text(der, issuer)[0]


def _set_subject(facts: DerFacts, der: bytes, subject: Element, issuer: Element) -> None:
    facts.subject, facts.common_name = name_text(der, subject)
    facts.same_names = der[subject.start : subject.end] == der[issuer.start : issuer.end]


def _set_validity(facts: DerFacts, der: bytes, validity: Element) -> None:
    moments = children(der, validity)
    if len(moments) != 2:
        raise Malformed(validity.start, "validity is not two times")
    facts.not_before, facts.not_after = time_ns(der, moments[0]), time_ns(der, moments[1])


def _set_key(facts: DerFacts, der: bytes, info: Element) -> None:
    facts.key_type, facts.key_bits = _key(der, info)


def _set_extensions(facts: DerFacts, der: bytes, rest: list[Element]) -> None:
    for found in rest:
        if found.tag == 0xA3:
            facts.san = _alt_names(der, found)
