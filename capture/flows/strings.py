"""Byte strings as numbers: each distinct one is kept once, and kernels pass its number around.

A table is open-addressed over a keyed hash (SipHash-2-4 with a secret of this process), and every hit is compared
byte for byte: two strings never share a number, whatever an adversary sends. Numbers count from 0 in order of first
appearance, so they do not depend on the secret.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.texts import text_array
from wirecover.capture.kernels import kernel

AS_IT_IS, LOWER = 0, 1
"""How `intern` takes letters."""
NO_ROOM: Final = -1
"""`intern` could not keep a string: the owner has to make room, or to do without."""


class Strings(NamedTuple):
    """The arrays of a table, as kernels take them."""

    index: Any
    """int32, a power of two long: number of the string that hashed here, -1 where none did."""
    hashes: Any
    ends: Any
    """int64: string k lies in arena[ends[k]:ends[k + 1]]."""
    arena: Any
    count: Any
    """count[0]: strings kept."""
    seed: Any


@kernel
def _rotated(value: Any, count: int) -> Any:
    return (value << np.uint64(count)) | (value >> np.uint64(64 - count))


@kernel
def _sip_round(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any, Any, Any]:
    a += b
    b = _rotated(b, 13) ^ a
    a = _rotated(a, 32)
    c += d
    d = _rotated(d, 16) ^ c
    a += d
    d = _rotated(d, 21) ^ a
    c += b
    b = _rotated(b, 17) ^ c
    c = _rotated(c, 32)
    return a, b, c, d


@kernel
def sip_hash(buffer: Any, at: int, end: int, seed: int, which: int) -> Any:
    """SipHash-2-4 (Aumasson, Bernstein 2012) of buffer[at:end] under key `which` of this seed.

    Nobody who does not know `seed` may be able to make two inputs that collide.
    """
    key = np.uint64(seed)
    other = ~key ^ (np.uint64(which + 1) * np.uint64(0x9E3779B97F4A7C15))
    a, b = key ^ np.uint64(0x736F6D6570736575), other ^ np.uint64(0x646F72616E646F6D)
    c, d = key ^ np.uint64(0x6C7967656E657261), other ^ np.uint64(0x7465646279746573)
    size = end - at
    done = 0
    while done <= size:  # the last word holds what is left and the length; there is always one
        word = np.uint64(0)
        left = min(8, size - done)
        for i in range(left):
            word |= np.uint64(buffer[at + done + i]) << np.uint64(8 * i)
        if left < 8:
            word |= np.uint64(size & 0xFF) << np.uint64(56)
        d ^= word
        a, b, c, d = _sip_round(a, b, c, d)
        a, b, c, d = _sip_round(a, b, c, d)
        a ^= word
        done += 8
    c ^= np.uint64(0xFF)
    for _ in range(4):
        a, b, c, d = _sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


@kernel
def _same(arena: Any, one: int, other: int, size: int) -> bool:
    i = 0
    while i < size and arena[one + i] == arena[other + i]:
        i += 1
    return i == size


@kernel
def intern(strings: Any, buffer: Any, at: int, end: int, lower: int) -> int:
    """The number of buffer[at:end], as it is or in lower case (ASCII); NO_ROOM when it cannot be kept."""
    number = strings.count[0]
    start, size = strings.ends[number], end - at
    if number + 1 >= len(strings.ends) or start + size > len(strings.arena):
        return -1
    arena = strings.arena
    for i in range(size):
        byte = buffer[at + i]
        if lower and 65 <= byte <= 90:
            byte += np.uint8(32)
        arena[start + i] = byte
    code = sip_hash(arena, start, start + size, strings.seed, 0)
    mask = len(strings.index) - 1
    place = np.int64(code & np.uint64(mask))
    while strings.index[place] >= 0:
        other = np.int64(strings.index[place])
        begin = strings.ends[other]
        if (
            strings.hashes[other] == code
            and strings.ends[other + 1] - begin == size
            and _same(arena, begin, start, size)
        ):
            return other
        place = (place + 1) & mask
    strings.index[place] = number
    strings.hashes[number] = code
    strings.ends[number + 1] = start + size
    strings.count[0] += 1
    return number


@kernel
def find(strings: Any, buffer: Any, at: int, end: int) -> int:
    """The number of buffer[at:end], -1 if it is not kept."""
    code = sip_hash(buffer, at, end, strings.seed, 0)
    mask = len(strings.index) - 1
    place = np.int64(code & np.uint64(mask))
    while strings.index[place] >= 0:
        number = np.int64(strings.index[place])
        begin = strings.ends[number]
        if strings.hashes[number] == code and strings.ends[number + 1] - begin == end - at:
            same = True
            for i in range(end - at):
                if strings.arena[begin + i] != buffer[at + i]:
                    same = False
                    break
            if same:
                return number
        place = (place + 1) & mask
    return -1


@kernel
def _index_all(strings: Any) -> None:
    strings.index[:] = -1
    mask = len(strings.index) - 1
    for number in range(strings.count[0]):
        place = np.int64(strings.hashes[number] & np.uint64(mask))
        while strings.index[place] >= 0:
            place = (place + 1) & mask
        strings.index[place] = number


@kernel
def _lengths(strings: Any, numbers: Any, offsets: Any) -> None:
    for i in range(len(numbers)):
        number = np.int64(numbers[i])
        size = strings.ends[number + 1] - strings.ends[number] if number >= 0 else 0
        offsets[i + 1] = offsets[i] + size


@kernel
def _gather(strings: Any, numbers: Any, offsets: Any, out: Any) -> None:
    for i in range(len(numbers)):
        number = np.int64(numbers[i])
        if number >= 0:
            begin = strings.ends[number]
            for j in range(strings.ends[number + 1] - begin):
                out[offsets[i] + j] = strings.arena[begin + j]


class StringTable:
    """Owns a table, and grows it up to `limit` bytes of strings."""

    def __init__(self, seed: int, limit: int, strings: int = 1 << 12, room: int = 1 << 16) -> None:
        self._limit = limit
        self.strings = Strings(
            np.full(2 * strings, -1, np.int32), np.zeros(strings, np.uint64), np.zeros(strings + 1, np.int64),
            np.zeros(room, np.uint8), np.zeros(1, np.int64), seed,
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.strings.count[0])

    def make_room(self, strings: int, room: int) -> bool:
        """Room for so many more strings and bytes, if the limit allows; whether there is that room now."""
        old, count = self.strings, len(self)
        used = int(old.ends[count])
        arena, slots = len(old.arena), len(old.hashes)
        while arena < used + room:
            arena *= 2
        while slots < count + strings + 1:
            slots *= 2
        if used + room > self._limit:
            return False
        if arena > len(old.arena) or slots > len(old.hashes):
            self.strings = old._replace(
                index=np.full(2 * slots, -1, np.int32), hashes=_grown(old.hashes, slots),
                ends=_grown(old.ends, slots + 1), arena=_grown(old.arena, arena),
            )  # fmt: skip
            _index_all(self.strings)
        return True

    def number(self, data: bytes) -> int:
        """The number of a string; NO_ROOM beyond the limit."""
        if not self.make_room(1, len(data)):
            return NO_ROOM
        return int(
            intern(self.strings, np.frombuffer(data or b"\0", np.uint8).copy(), 0, len(data), AS_IT_IS)
        )

    def data(self, number: int) -> bytes:
        """The string of a number."""
        ends = self.strings.ends
        return self.strings.arena[ends[number] : ends[number + 1]].tobytes()

    def texts(self, numbers: NDArray[np.int32]) -> pa.Array:
        """The strings of these numbers, which are UTF-8, as an Arrow array; null where a number is negative."""
        offsets = np.zeros(len(numbers) + 1, np.int32)
        _lengths(self.strings, numbers, offsets)
        out = np.empty(int(offsets[-1]), np.uint8)
        _gather(self.strings, numbers, offsets, out)
        return text_array(out, offsets, numbers >= 0)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    if size <= len(array):
        return array
    grown = np.zeros(size, array.dtype)
    grown[: len(array)] = array
    return grown


def warm() -> None:
    """Compile the kernels of this module."""
    table = StringTable(1, 1 << 20)
    table.number(b"a")
    table.make_room(1 << 13, 1)
    table.texts(np.zeros(1, np.int32))
    find(table.strings, np.zeros(1, np.uint8), 0, 1)
