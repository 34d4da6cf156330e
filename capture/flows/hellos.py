"""Hellos on the packet path: what tells two ClientHellos apart, gathered by a kernel.

Nearly all hellos of a capture are one of a few shapes: the same ciphers and extensions, other random bytes. A kernel
reduces a hello to its shape (random values left out, GREASE written as 0x0A0A) and hashes it with a secret of this
process; the Python parser reads the first hello of each shape, and what it finds (JA3, JA4, ALPN, versions: functions
of the shape alone) holds for the rest. Only hellos that are regular in every length go this way; anything else is
left to the parser, each one.
"""

from typing import Any, Final

import numpy as np

from wirecover.capture.flows.strings import sip_hash
from wirecover.capture.kernels import kernel

HELLO: Final = np.dtype(
    [("packet", "i4"), ("slot", "i4"), ("at", "i8"), ("length", "i4"), ("sni_at", "i8"), ("sni_length", "i4"),
     ("ech_at", "i8"),
     ("half", "u1"), ("server", "u1"), ("first", "u8"), ("second", "u8")]
)  # fmt: skip
"""A regular hello: where its body is in the buffer, its server name, its Encrypted ClientHello (0: none), and the two
halves of its shape's hash."""

SHAPE_BYTES: Final = 8192
"""Room for one shape; a longer hello goes to the parser."""

MAX_HIGH: Final = 24
"""Extensions of a number beyond 63 in a regular hello; real ones have up to four, GREASE among them."""

_SNI, _GROUPS, _POINTS, _ALGORITHMS, _ALPN, _VERSIONS, _SHARES, _ECH = 0, 10, 11, 13, 16, 43, 51, 0xFE0D


@kernel
def _u16(buffer: Any, at: int) -> int:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _is_grease(value: int) -> bool:
    """RFC 8701: 0x0A0A, 0x1A1A, ... 0xFAFA."""
    return (value & 0x0F0F) == 0x0A0A and (value >> 8) == (value & 0xFF)


@kernel
def _put16(shape: Any, size: int, value: int) -> int:
    """Append a 16-bit number as it is: a length, a version."""
    shape[size] = value >> 8
    shape[size + 1] = value & 0xFF
    return size + 2


@kernel
def _put_code(shape: Any, size: int, value: int) -> int:
    """Append a number of a registry, GREASE as 0x0A0A."""
    return _put16(shape, size, 0x0A0A if _is_grease(value) else value)


@kernel
def _is_version(buffer: Any, at: int) -> bool:
    """SSL 3.0 to TLS 1.2, what a hello says in its own version field."""
    return buffer[at] == 3 and buffer[at + 1] <= 3


@kernel
def _list16(buffer: Any, at: int, end: int, shape: Any, size: int) -> int:
    """A list of 16-bit numbers; -1 if its bytes are not even."""
    if (end - at) & 1:
        return -1
    while at < end:
        size = _put_code(shape, size, _u16(buffer, at))
        at += 2
    return size


@kernel
def _copy(buffer: Any, at: int, end: int, shape: Any, size: int) -> int:
    for i in range(at, end):
        shape[size + i - at] = buffer[i]
    return size + end - at


@kernel
def _shape_of_extension(buffer: Any, kind: int, at: int, end: int, shape: Any, size: int) -> int:
    """Append what of an extension belongs to the shape; -1 if its body is irregular."""
    length = end - at
    if kind == _GROUPS or kind == _ALGORITHMS:
        if length < 2 or _u16(buffer, at) != length - 2:
            return -1
        return _list16(buffer, at + 2, end, shape, size)
    if kind == _VERSIONS:
        if length < 1 or np.int64(buffer[at]) != length - 1:
            return -1
        return _list16(buffer, at + 1, end, shape, size)
    if kind == _POINTS:
        if length < 1 or np.int64(buffer[at]) != length - 1:
            return -1
        return _copy(buffer, at, end, shape, size)
    if kind == _ALPN:
        if length < 2 or _u16(buffer, at) != length - 2:
            return -1
        name = at + 2
        while name < end:
            if buffer[name] == 0:
                return -1
            name += 1 + np.int64(buffer[name])
        return _copy(buffer, at, end, shape, size) if name == end else -1
    if kind == _SHARES:
        if length < 2 or _u16(buffer, at) != length - 2:
            return -1
        share = at + 2
        while share < end:
            if share + 4 > end:
                return -1
            size = _put_code(shape, size, _u16(buffer, share))
            share += 4 + _u16(buffer, share + 2)
        return size if share == end else -1
    if kind == _ECH:
        if length < 10 or buffer[at] != 0:
            return -1
        encapsulated = _u16(buffer, at + 6)
        if 8 + encapsulated + 2 > length:
            return -1
        payload = _u16(buffer, at + 8 + encapsulated)
        if payload == 0 or 10 + encapsulated + payload != length:
            return -1
    shape[size] = 1 if length > 0 else 0
    return size + 1


@kernel
def _sni(buffer: Any, at: int, end: int) -> int:
    """Length of the one host name in a server_name extension; -1 if it is anything but plain text."""
    if end - at < 6 or _u16(buffer, at) != end - at - 2 or buffer[at + 2] != 0:
        return -1
    length = _u16(buffer, at + 3)
    if length != end - at - 5 or length == 0 or length > 255:
        return -1
    for i in range(at + 5, end):
        c = buffer[i]
        if not (97 <= c <= 122 or 65 <= c <= 90 or 48 <= c <= 57 or c == 45 or c == 46 or c == 95):
            return -1
    return length


@kernel
def _has_extension(buffer: Any, at: int, end: int, wanted: int) -> bool:
    """Is there an extension of this type in [at, end), whose framing holds?"""
    while at < end:
        if _u16(buffer, at) == wanted:
            return True
        at += 4 + _u16(buffer, at + 2)
    return False


@kernel
def shape_client_hello(buffer: Any, at: int, end: int, shape: Any, found: Any) -> int:
    """The shape of a ClientHello body in [at, end): its length in `shape`, or -1 if the parser has to read it.

    found[0], found[1]: where the server name is and how long; 0, 0 without one. found[2]: where the outer
    Encrypted ClientHello is, 0 without one.
    """
    found[0] = found[1] = found[2] = 0
    if end - at < 38 or end - at > SHAPE_BYTES - 256 or not _is_version(buffer, at):
        return -1
    size = _put16(shape, 0, _u16(buffer, at))
    at += 34
    session = np.int64(buffer[at])
    at += 1 + session
    if session > 32 or at + 2 > end:
        return -1
    ciphers = _u16(buffer, at)
    if ciphers < 2 or at + 2 + ciphers + 1 > end:
        return -1
    size = _put16(shape, size, ciphers)
    size = _list16(buffer, at + 2, at + 2 + ciphers, shape, size)
    if size < 0:
        return -1
    at += 2 + ciphers
    methods = np.int64(buffer[at])
    if methods < 1 or at + 1 + methods > end:
        return -1
    size = _copy(buffer, at, at + 1 + methods, shape, size)
    at += 1 + methods
    if at == end:
        shape[size] = 0
        return size + 1
    if at + 2 > end or _u16(buffer, at) != end - at - 2:
        return -1
    shape[size] = 1
    size += 1
    at += 2
    seen, high, first = np.uint64(0), 0, at
    while at < end:
        if at + 4 > end:
            return -1
        kind, length = _u16(buffer, at), _u16(buffer, at + 2)
        body = at + 4
        if body + length > end:
            return -1
        if kind < 64:
            bit = np.uint64(1) << np.uint64(kind)
            if seen & bit:
                return -1
            seen |= bit
        else:
            high += 1
            if high > MAX_HIGH or _has_extension(buffer, first, at, kind):
                return -1
        before = _put_code(shape, size, kind)
        if kind == _SNI:
            name = _sni(buffer, body, body + length)
            if name < 0:
                return -1
            found[0], found[1] = body + 5, name
            size = before
        else:
            size = _shape_of_extension(buffer, kind, body, body + length, shape, before + 2)
            if size < 0:
                return -1
            if kind == _ECH:
                found[2] = body
            _put16(shape, before, size - before - 2)  # lengths keep neighbours apart
        at = body + length
    return size


@kernel
def shape_server_hello(buffer: Any, at: int, end: int, shape: Any) -> int:
    """The shape of a TLS 1.3 ServerHello body in [at, end); -1 for any other: the parser has to read it."""
    if end - at < 44 or end - at > 1024 or not _is_version(buffer, at):
        return -1
    if (
        buffer[at + 2] == 0xCF
        and buffer[at + 3] == 0x21
        and buffer[at + 4] == 0xAD
        and buffer[at + 5] == 0x74
    ):
        return -1  # may be a HelloRetryRequest
    size = _put16(shape, 0, _u16(buffer, at))
    at += 34
    session = np.int64(buffer[at])
    at += 1 + session
    if session > 32 or at + 5 > end:
        return -1
    size = _copy(buffer, at, at + 3, shape, size)
    at += 3
    if _u16(buffer, at) != end - at - 2:
        return -1
    at += 2
    is_13 = False
    seen = 0
    while at < end:
        if at + 4 > end:
            return -1
        kind, length = _u16(buffer, at), _u16(buffer, at + 2)
        body = at + 4
        if body + length > end:
            return -1
        size = _put_code(shape, size, kind)
        if kind < 63:
            if seen >> kind & 1:
                return -1
            seen |= 1 << kind
        if kind == _VERSIONS:
            if length != 2 or buffer[body] != 3 or buffer[body + 1] != 4:
                return -1
            is_13 = True
        elif kind == _SHARES:
            if length < 4 or _u16(buffer, body + 2) != length - 4:
                return -1
            size = _put_code(shape, size, _u16(buffer, body))
        elif kind != 41:
            return -1
        at = body + length
    return size if is_13 else -1


@kernel
def hash_shape(shape: Any, size: int, seed: int, half: int) -> Any:
    """One 64-bit half of the shape's keyed hash, each half under its own key.

    A shape decides what is said of a hello, so nobody who does not know `seed` may be able to make two that collide.
    """
    return sip_hash(shape, 0, size, seed, half)
