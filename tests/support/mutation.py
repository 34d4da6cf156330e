"""Captures changed at random but repeatably: bytes overwritten, frames cut, lost, doubled and moved."""

from collections.abc import Sequence
from random import Random

from support.traffic import Frame


def mutate(frames: Sequence[Frame], chance: Random) -> list[Frame]:
    rate = chance.choice((0.02, 0.2, 0.8))
    out: list[Frame] = []
    for frame in frames:
        if chance.random() < 0.03:
            continue
        data = bytearray(frame.data)
        if chance.random() < rate:
            first = min(chance.choice((14, 42, 54)), len(data) - 1)
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(first, len(data))] = chance.choice((0, 1, 255, chance.randrange(256)))
        kept = chance.randrange(len(data) + 1) if chance.random() < 0.1 else len(data)
        out += [Frame(bytes(data[:kept]), frame.ts, len(data))] * (2 if chance.random() < 0.03 else 1)
    for _ in range(chance.choice((0, 0, 6))):
        place = chance.randrange(len(out))
        out.insert(min(len(out), place + chance.randrange(7)), out.pop(place))
    return out
