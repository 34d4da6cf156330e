"""Kernels that write text: addresses, numbers, hexadecimal, base64. And text columns that Arrow takes over as they are.

A text column is an arena of bytes and the offsets between which each text lies (Arrow's layout of a string array).
The kernels give back the position behind what they wrote; whoever calls them has made sure of the room.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel

ADDRESS_ROOM: Final = 48
"""The longest address is 39 characters."""
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8).copy()
_BASE64: Final = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8
).copy()


@kernel
def put_number(out: Any, at: int, value: int) -> int:
    """`value` (0 or more) in decimal."""
    size, rest = 1, value // 10
    while rest:
        size += 1
        rest //= 10
    for i in range(size):
        out[at + size - 1 - i] = 48 + value % 10
        value //= 10
    return at + size


@kernel
def put_hex(out: Any, at: int, buffer: Any, start: int, end: int) -> int:
    """The bytes in [start, end) as lower-case hexadecimal."""
    for i in range(start, end):
        out[at] = _HEX[buffer[i] >> 4]
        out[at + 1] = _HEX[buffer[i] & 15]
        at += 2
    return at


@kernel
def put_base64(out: Any, at: int, buffer: Any, start: int, end: int) -> int:
    """The bytes in [start, end) in base64 (RFC 4648 4), padded."""
    while start < end:
        left = min(3, end - start)
        three = np.int64(buffer[start]) << 16
        if left > 1:
            three |= np.int64(buffer[start + 1]) << 8
        if left > 2:
            three |= np.int64(buffer[start + 2])
        for k in range(4):
            out[at + k] = _BASE64[(three >> (18 - 6 * k)) & 63] if k <= left else 61
        at += 4
        start += 3
    return at


@kernel
def put_ip4(out: Any, at: int, low: Any) -> int:
    """Dotted decimal of an IPv4 address."""
    value = np.int64(low)
    at = put_number(out, at, (value >> 24) & 255)
    for shift in (16, 8, 0):
        out[at] = 46
        at = put_number(out, at + 1, (value >> shift) & 255)
    return at


@kernel
def put_ip6(out: Any, at: int, high: Any, low: Any) -> int:
    """RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`."""
    best_start, best_length, run = -1, 1, 0
    for i in range(8):
        half = high if i < 4 else low
        if (half >> np.uint64(48 - 16 * (i & 3))) & np.uint64(0xFFFF) == np.uint64(0):
            run += 1
            if run > best_length:
                best_start, best_length = i - run + 1, run
        else:
            run = 0
    i = 0
    while i < 8:
        if i == best_start:
            out[at] = out[at + 1] = 58
            at += 2
            i += best_length
            continue
        if i and i != best_start + best_length:
            out[at] = 58
            at += 1
        elif i and best_start < 0:
            out[at] = 58
            at += 1
        half = high if i < 4 else low
        group = np.int64((half >> np.uint64(48 - 16 * (i & 3))) & np.uint64(0xFFFF))
        started = False
        for shift in (12, 8, 4, 0):
            digit = (group >> shift) & 15
            if digit or started or shift == 0:
                out[at] = _HEX[digit]
                at += 1
                started = True
        i += 1
    return at


@kernel
def put_address(out: Any, at: int, version: int, high: Any, low: Any) -> int:
    """An address in canonical form."""
    return put_ip4(out, at, low) if version == 4 else put_ip6(out, at, high, low)


@kernel
def put_endpoint(out: Any, at: int, version: int, high: Any, low: Any, port: int) -> int:
    """`ip:port`, an IPv6 address in brackets (RFC 3986 3.2.2)."""
    if version == 4:
        at = put_ip4(out, at, low)
    else:
        out[at] = 91
        at = put_ip6(out, at + 1, high, low)
        out[at] = 93
        at += 1
    out[at] = 58
    return put_number(out, at + 1, port)


@kernel
def address_texts(version: Any, high: Any, low: Any, arena: Any, offsets: Any) -> None:
    """Fill a text column with addresses."""
    at = 0
    for i in range(len(version)):
        at = put_address(arena, at, np.int64(version[i]), high[i], low[i])
        offsets[i + 1] = at


@kernel
def _rotate(value: Any, count: int) -> Any:
    return ((value << np.uint64(count)) | (value >> np.uint64(32 - count))) & np.uint64(0xFFFFFFFF)


@kernel
def sha1_block(words: Any, state: Any) -> None:
    """One block of SHA-1 (RFC 3174): words[0:16] are the block, words[16:80] scratch; `state` is updated."""
    mask = np.uint64(0xFFFFFFFF)
    for i in range(16, 80):
        words[i] = _rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1)
    a, b, c, d, e = state[0], state[1], state[2], state[3], state[4]
    for i in range(80):
        if i < 20:
            f, k = (b & c) | ((b ^ mask) & d), np.uint64(0x5A827999)
        elif i < 40:
            f, k = b ^ c ^ d, np.uint64(0x6ED9EBA1)
        elif i < 60:
            f, k = (b & c) | (b & d) | (c & d), np.uint64(0x8F1BBCDC)
        else:
            f, k = b ^ c ^ d, np.uint64(0xCA62C1D6)
        following = (_rotate(a, 5) + f + e + k + words[i]) & mask
        e, d, c, b, a = d, c, _rotate(b, 30), a, following
    state[0] = (state[0] + a) & mask
    state[1] = (state[1] + b) & mask
    state[2] = (state[2] + c) & mask
    state[3] = (state[3] + d) & mask
    state[4] = (state[4] + e) & mask


@kernel
def _put64(message: Any, at: int, value: Any) -> int:
    for i in range(8):
        message[at + i] = np.uint8((value >> np.uint64(56 - 8 * i)) & np.uint64(0xFF))
    return at + 8


@kernel
def _one_way(protocol: int, low_port: int, high_port: int) -> bool:
    """An ICMP message without counterpart (Community ID specification 1.0): type and code do not swap."""
    if protocol == 1:
        for a, b in ((8, 0), (13, 14), (15, 16), (17, 18), (10, 9)):
            if (low_port == a and high_port == b) or (low_port == b and high_port == a):
                return False
        return True
    if protocol == 58:
        for a, b in ((128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)):
            if (low_port == a and high_port == b) or (low_port == b and high_port == a):
                return False
        return True
    return False


@kernel
def community_ids(flows: Any, arena: Any) -> None:
    """Community ID 1.0, seed 0, of each flow: 30 characters each (https://github.com/corelight/community-id-spec)."""
    message = np.zeros(64, np.uint8)
    words = np.zeros(80, np.uint64)
    state = np.zeros(5, np.uint64)
    digest = np.zeros(21, np.uint8)
    for i in range(len(flows)):
        flow = flows[i]
        # Endpoints are kept with the lower first. One-way ICMP goes by the sender of the first packet.
        swap = (
            _one_way(np.int64(flow.protocol), np.int64(flow.low_port), np.int64(flow.high_port))
            and flow.first_half != 0
        )
        a_hi, a_lo, a_port = flow.low_hi, flow.low_lo, np.int64(flow.low_port)
        b_hi, b_lo, b_port = flow.high_hi, flow.high_lo, np.int64(flow.high_port)
        if swap:
            a_hi, a_lo, a_port, b_hi, b_lo, b_port = b_hi, b_lo, b_port, a_hi, a_lo, a_port
        message[:] = 0
        at = 2
        if flow.ip_version == 6:
            at = _put64(message, at, a_hi)
            at = _put64(message, at, a_lo)
            at = _put64(message, at, b_hi)
            at = _put64(message, at, b_lo)
        else:
            at = _put64(message, at, (a_lo << np.uint64(32)) | b_lo)
        message[at] = flow.protocol
        at += 2
        if flow.protocol in (1, 6, 17, 58, 132):
            message[at], message[at + 1] = a_port >> 8, a_port & 255
            message[at + 2], message[at + 3] = b_port >> 8, b_port & 255
            at += 4
        message[at] = 0x80
        message[62], message[63] = (at * 8) >> 8, (at * 8) & 255
        for j in range(16):
            words[j] = (
                (np.uint64(message[4 * j]) << np.uint64(24)) | (np.uint64(message[4 * j + 1]) << np.uint64(16))
                | (np.uint64(message[4 * j + 2]) << np.uint64(8)) | np.uint64(message[4 * j + 3])
            )  # fmt: skip
        state[0], state[1], state[2] = np.uint64(0x67452301), np.uint64(0xEFCDAB89), np.uint64(0x98BADCFE)
        state[3], state[4] = np.uint64(0x10325476), np.uint64(0xC3D2E1F0)
        sha1_block(words, state)
        for j in range(5):
            for k in range(4):
                digest[4 * j + k] = np.uint8((state[j] >> np.uint64(24 - 8 * k)) & np.uint64(0xFF))
        out = 30 * i
        arena[out], arena[out + 1] = 49, 58
        out += 2
        for j in range(7):
            three = (
                (np.int64(digest[3 * j]) << 16)
                | (np.int64(digest[3 * j + 1]) << 8)
                | np.int64(digest[3 * j + 2])
            )
            for k in range(4):
                arena[out + 4 * j + k] = _BASE64[(three >> (18 - 6 * k)) & 63]
        arena[out + 27] = 61  # 20 bytes leave the last place empty


def text_array(
    arena: NDArray[np.uint8], offsets: NDArray[np.int32], present: NDArray[np.bool_] | None = None
) -> pa.Array:
    """A string array of these texts; the ones not `present` are null. Copies what it needs."""
    size = len(offsets) - 1
    bitmap, nulls = None, 0
    if present is not None and (nulls := size - int(np.count_nonzero(present))):
        bitmap = pa.py_buffer(np.packbits(present, bitorder="little").tobytes())
    used = int(offsets[-1])
    return pa.StringArray.from_buffers(
        size, pa.py_buffer(offsets.tobytes()), pa.py_buffer(arena[:used].tobytes()), bitmap, nulls
    )


def addresses(version: NDArray[np.uint8], high: NDArray[np.uint64], low: NDArray[np.uint64]) -> pa.Array:
    """Canonical texts of addresses given as two 64-bit halves."""
    size = len(version)
    arena, offsets = np.empty(size * ADDRESS_ROOM, np.uint8), np.zeros(size + 1, np.int32)
    address_texts(
        np.ascontiguousarray(version), np.ascontiguousarray(high), np.ascontiguousarray(low), arena, offsets
    )
    return text_array(arena, offsets)


def community_id_array(flows: NDArray[Any]) -> pa.Array:
    """Community ID of each row of `FLOW`."""
    arena = np.empty(30 * len(flows), np.uint8)
    community_ids(flows, arena)
    return text_array(arena, np.arange(0, 30 * len(flows) + 1, 30, dtype=np.int32))


def named(codes: NDArray[Any], names: Sequence[str | None]) -> pa.Array:
    """The name of each code."""
    return pa.array(names, pa.string()).take(pa.array(codes.astype(np.int32)))


def warm() -> None:
    """Compile the kernels of this module."""
    from wirecover.capture.flows.state import FLOW

    one = np.ones(1, np.uint64)
    addresses(np.ones(1, np.uint8), one, one)
    community_id_array(np.zeros(1, FLOW))
