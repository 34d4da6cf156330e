"""Record data of DNS as text, by type.

What a type's own format does not fit, and every type without one here, is kept in the generic form of RFC
3597 section 5: `\\# length hex`. Nothing is dropped, and no text holds a byte outside printable ASCII.
"""

from base64 import b64encode
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns_name import read_name
from wirecover.capture.registries.dns_types import SERVICE_PARAMETERS, type_name


class _Reader:
    """A cursor over `message[offset:end]`; running past the end is Malformed."""

    __slots__ = ("end", "message", "offset")

    def __init__(self, message: bytes, offset: int, end: int) -> None:
        self.message = message
        self.offset = offset
        self.end = end

    def take(self, count: int) -> bytes:
        start = self.offset
        if start + count > self.end:
            raise Malformed(start, "record data too short")
        self.offset = start + count
        return self.message[start : start + count]

    def rest(self) -> bytes:
        return self.take(self.end - self.offset)

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def name(self) -> str:
        """A name; the bytes after the record's end are hidden from it, those a pointer leads to are not."""
        found = read_name(self.message, self.offset, self.end)
        if found is None:
            raise Malformed(self.offset, "name runs past its record")
        name, self.offset = found
        return name

    def string(self) -> str:
        return quoted(self.take(self.number(1)))


def quoted(raw: bytes) -> str:
    """A character-string between quotes, `\\DDD` for what is not printable ASCII (RFC 1035 section 5.1)."""
    return '"' + "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 0x20 <= byte <= 0x7E else f"\\{byte:03d}"
        for byte in raw
    ) + '"'  # fmt: skip


def generic(raw: bytes) -> str:
    """The form for data of any type (RFC 3597 section 5)."""
    return f"\\# {len(raw)} {raw.hex()}" if raw else "\\# 0"


def _a(reader: _Reader) -> str:
    return str(IPv4Address(reader.take(4)))


def _aaaa(reader: _Reader) -> str:
    return str(IPv6Address(reader.take(16)))


def _name(reader: _Reader) -> str:
    return reader.name()


def _mx(reader: _Reader) -> str:
    return f"{reader.number(2)} {reader.name()}"


def _strings(reader: _Reader) -> str:
    parts = [reader.string()]
    while reader.offset < reader.end:
        parts.append(reader.string())
    return " ".join(parts)


def _hinfo(reader: _Reader) -> str:
    return f"{reader.string()} {reader.string()}"


def _soa(reader: _Reader) -> str:
    names = f"{reader.name()} {reader.name()}"
    return " ".join([names, *(str(reader.number(4)) for _ in range(5))])


def _srv(reader: _Reader) -> str:
    return f"{reader.number(2)} {reader.number(2)} {reader.number(2)} {reader.name()}"


def _naptr(reader: _Reader) -> str:
    order, preference = reader.number(2), reader.number(2)
    return f"{order} {preference} {reader.string()} {reader.string()} {reader.string()} {reader.name()}"


def _caa(reader: _Reader) -> str:
    flags, tag = reader.number(1), reader.take(reader.number(1))
    if not tag.isalnum():
        raise Malformed(reader.offset, "CAA tag is not alphanumeric")
    return f"{flags} {tag.decode('ascii')} {quoted(reader.rest())}"


def _ds(reader: _Reader) -> str:
    return f"{reader.number(2)} {reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


def _dnskey(reader: _Reader) -> str:
    return f"{reader.number(2)} {reader.number(1)} {reader.number(1)} {b64encode(reader.rest()).decode()}"


def _rrsig(reader: _Reader) -> str:
    covered, algorithm, labels = type_name(reader.number(2)), reader.number(1), reader.number(1)
    times = [reader.number(4) for _ in range(3)]
    tag, signer = reader.number(2), reader.name()
    signature = b64encode(reader.rest()).decode()
    return f"{covered} {algorithm} {labels} {times[0]} {times[1]} {times[2]} {tag} {signer} {signature}"


def _nsec(reader: _Reader) -> str:
    """The next name, then the types that are there, in blocks of 256 (RFC 4034 section 4.1.2)."""
    parts = [reader.name()]
    last = -1
    while reader.offset < reader.end:
        window, length = reader.number(1), reader.number(1)
        if window <= last or not 1 <= length <= 32:
            raise Malformed(reader.offset - 2, "type bitmap")
        last = window
        for position, byte in enumerate(reader.take(length)):
            parts += [type_name(window << 8 | position << 3 | bit) for bit in range(8) if byte & 0x80 >> bit]
    return " ".join(parts)


def _sshfp(reader: _Reader) -> str:
    return f"{reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


def _tlsa(reader: _Reader) -> str:
    return f"{reader.number(1)} {reader.number(1)} {reader.number(1)} {reader.rest().hex()}"


def _uri(reader: _Reader) -> str:
    return f"{reader.number(2)} {reader.number(2)} {quoted(reader.rest())}"


def _svcb(reader: _Reader) -> str:
    """Service binding (RFC 9460 section 2.2): `priority target key=value ...`, keys rising."""
    parts = [str(reader.number(2)), reader.name()]
    last = -1
    while reader.offset < reader.end:
        key, length = reader.number(2), reader.number(2)
        if key <= last:
            raise Malformed(reader.offset - 4, "service parameters out of order")
        last = key
        start = reader.offset
        reader.take(length)
        parts.append(_service_parameter(key, _Reader(reader.message, start, start + length)))
    return " ".join(parts)


def _service_parameter(key: int, value: _Reader) -> str:
    name = _key_name(key)
    size = value.end - value.offset
    if key == 1:
        protocols = []
        while value.offset < value.end:
            protocol = value.take(value.number(1))
            if not protocol:
                raise Malformed(value.offset, "empty protocol name")
            protocols.append(quoted(protocol.replace(b"\\", b"\\\\").replace(b",", b"\\,"))[1:-1])
        text = '"' + ",".join(protocols) + '"'
    elif key == 2 and not size:
        return name
    elif key == 3 and size == 2:
        text = str(value.number(2))
    elif key == 4 and size and not size % 4:
        text = ",".join(_a(value) for _ in range(size // 4))
    elif key == 6 and size and not size % 16:
        text = ",".join(_aaaa(value) for _ in range(size // 16))
    elif key == 5:
        text = '"' + b64encode(value.rest()).decode() + '"'
    elif key == 0 and size and not size % 2:
        text = ",".join(_key_name(value.number(2)) for _ in range(size // 2))
    elif key in (2, 3, 4, 6, 0):
        raise Malformed(value.offset, f"length of service parameter {name}")
    else:
        return f"{name}={quoted(value.rest())}" if size else name
    return f"{name}={text}"


def _key_name(key: int) -> str:
    return SERVICE_PARAMETERS.get(key) or f"key{key}"


_FORMATS: Final[dict[int, Callable[[_Reader], str]]] = {
    1: _a, 2: _name, 5: _name, 6: _soa, 12: _name, 13: _hinfo, 15: _mx, 16: _strings, 28: _aaaa, 33: _srv,
    35: _naptr, 39: _name, 43: _ds, 44: _sshfp, 46: _rrsig, 47: _nsec, 48: _dnskey, 52: _tlsa, 53: _tlsa,
    59: _ds, 60: _dnskey, 64: _svcb, 65: _svcb, 99: _strings, 256: _uri, 257: _caa,
}  # fmt: skip


def rdata_text(type_: int, class_: int, message: bytes, offset: int, end: int) -> tuple[str, bool]:
    """Record data as text, and whether it fits its type; what does not fit is in the generic form.

    Formats are those of class IN and, for the types that are class independent, of every class; an update's
    deletion (class NONE or ANY, RFC 2136 section 2.5) and empty data have no format to fit.
    """
    raw = message[offset:end]
    format_ = _FORMATS.get(type_)
    if format_ is None or not raw or (type_ in (1, 28, 33) and class_ not in (1, 254)):
        return generic(raw), True
    reader = _Reader(message, offset, end)
    try:
        text = format_(reader)
    except Malformed:
        return generic(raw), False
    return (text, True) if reader.offset == end else (generic(raw), False)
