"""Bytes changed at random but repeatably, for where no coverage-guided engine is installed."""

from collections.abc import Sequence
from random import Random
from typing import Final

from fuzz.targets import MAX_INPUT

_EDGES: Final = (0, 1, 2, 3, 4, 7, 8, 0x0F, 0x10, 0x20, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFE, 0xFF)
_WIDE: Final = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x3FFF,
    0x4000,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0xFFFFFFFF,
)


def mutated(seeds: Sequence[bytes], chance: Random) -> bytes:
    """One of the seeds, changed in one to eight places, cut, grown, or crossed with another."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(9):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[at % len(data)] = chance.choice(_EDGES)
            case 2 if data:
                data[at % len(data)] = (data[at % len(data)] + chance.choice((-1, 1))) & 0xFF
            case 3:
                width = chance.choice((2, 3, 4))
                number = chance.choice(_WIDE) & ((1 << 8 * width) - 1)
                data[at : at + width] = number.to_bytes(width, chance.choice(("big", "little")))
            case 4:
                del data[at : at + chance.randrange(1, 9)]
            case 5:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 6:
                size = chance.randrange(1, 65)
                data[at:at] = data[at : at + size] * chance.choice((1, 2, 30))
            case 7:
                other = chance.choice(seeds)
                data[at:] = other[chance.randrange(len(other) + 1) :]
            case _:
                del data[at:]
    return bytes(data[:MAX_INPUT])
