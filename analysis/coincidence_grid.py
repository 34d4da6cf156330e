"""Coincidences over all steps of a grid of shifts, for many blocks at once.

With the grid of a test (`shift_grid`: steps at least twice the tolerance) two events coincide at one or two steps at
most. So the few steps at which each pair of events meets are listed, and only these are matched, all blocks and steps
side by side: the work is that of the products of event numbers, not of events times steps. The counts are those of
`coincidence.counts_over_shifts`, to the last one; the tests hold the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirecover.analysis.coincidence import Train, counts_over_shifts

MOST_PAIRS = 2_000_000
"""Pairs of events listed at once; bounds memory at about 300 MB."""


@dataclass(frozen=True, slots=True)
class Block:
    """Two trains of one block, times in [0, length), and the number of equal steps of the grid."""

    fixed: Train
    moved: Train
    length: int
    steps: int

    @property
    def pairs(self) -> int:
        """Pairs of events."""
        return len(self.fixed) * len(self.moved)

    def shifts(self) -> Train:
        """All steps, as `null_models.shift_grid` makes them."""
        return np.arange(self.steps, dtype=np.int64) * self.length // self.steps


def counts_in_blocks(blocks: Sequence[Block], delta: int) -> list[Train]:
    """For each block the number of coincidences at each of its steps."""
    counts: list[Train] = [np.zeros(0, np.int64)] * len(blocks)
    waiting: list[int] = []
    room = MOST_PAIRS
    for place, block in enumerate(blocks):
        if block.pairs > MOST_PAIRS or block.length < 2 * delta * block.steps:
            shifts = block.shifts()
            counts[place] = counts_over_shifts(block.fixed, block.moved, shifts, block.length, delta)
            continue
        if block.pairs > room:
            _fill(counts, blocks, waiting, delta)
            waiting, room = [], MOST_PAIRS
        waiting.append(place)
        room -= block.pairs
    _fill(counts, blocks, waiting, delta)
    return counts


def _fill(counts: list[Train], blocks: Sequence[Block], places: list[int], delta: int) -> None:
    """The counts of these blocks, together."""
    if not places:
        return
    some = [blocks[place] for place in places]
    edges = np.cumsum([0, *(block.steps for block in some)])
    total = np.zeros(int(edges[-1]), np.int64)
    if any(block.pairs for block in some):
        _match(total, *_meetings(some, edges, delta))
    for number, place in enumerate(places):
        counts[place] = total[edges[number] : edges[number + 1]]


def _meetings(blocks: list[Block], edges: NDArray[np.int64], delta: int) -> tuple[Train, Train, Train, Train]:
    """Every step at which two events meet: (number of the step, time after the shift, moved event, fixed event)."""
    several = [one for one in blocks if one.pairs]
    sizes = np.array([one.pairs for one in several], np.int64)
    here = np.array([number for number, one in enumerate(blocks) if one.pairs], np.int64)
    wide = np.array([len(one.fixed) for one in several], np.int64)
    block = np.repeat(np.arange(len(several)), sizes)
    inside = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    moved_of, fixed_of = np.divmod(inside, wide[block])
    tall = np.array([len(one.moved) for one in several], np.int64)
    moved = np.concatenate([one.moved for one in several])[moved_of + (np.cumsum(tall) - tall)[block]]
    fixed = np.concatenate([one.fixed for one in several])[fixed_of + (np.cumsum(wide) - wide)[block]]
    length = np.array([one.length for one in several], np.int64)[block]
    steps = np.array([one.steps for one in several], np.int64)[block]
    base = edges[here][block]
    found = []
    for turned in (0, 1):  # shifts that do not carry the moved event over the seam, and those that do
        ahead = fixed - moved + turned * length
        least = np.maximum(ahead - delta, 0 if not turned else length - moved)
        most = np.minimum(ahead + delta, length - 1 - (0 if turned else moved))
        first = -(-least * steps // length)  # the first step whose shift is `least` or more
        last = -(-(most + 1) * steps // length) - 1
        number = np.maximum(last - first + 1, 0)
        rows = np.repeat(np.arange(len(number)), number)
        step = first[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(number) - number, number)
        time = moved[rows] + step * length[rows] // steps[rows] - turned * length[rows]
        found.append((base[rows] + step, time, moved_of[rows], fixed_of[rows]))
    one, two = found
    return tuple(np.concatenate(parts) for parts in zip(one, two, strict=True))  # type: ignore[return-value]


def _match(total: Train, step: Train, time: Train, moved: Train, fixed: Train) -> None:
    """Add to `total` the matches of each step: moved events in order of time, each takes the first free partner.

    The partners of an event are neighbours in order of time, so their first and last one say all.
    """
    if len(step) == 0:
        return
    order = np.lexsort((fixed, moved, time, step))
    step, time, moved, fixed = step[order], time[order], moved[order], fixed[order]
    starts = np.flatnonzero(
        np.concatenate(
            [[True], (step[1:] != step[:-1]) | (moved[1:] != moved[:-1]) | (time[1:] != time[:-1])]
        )
    )
    ends = np.append(starts[1:], len(step)) - 1
    step, low, high = step[starts], fixed[starts], fixed[ends] + 1
    begins = np.concatenate([[True], step[1:] != step[:-1]])
    row = np.arange(len(step))
    rank = row - np.maximum.accumulate(np.where(begins, row, 0))
    by_rank = np.argsort(rank, kind="stable")
    cuts = np.flatnonzero(np.diff(rank[by_rank], prepend=-1))
    free = np.zeros(len(total), np.int64)
    for start, end in zip(cuts.tolist(), [*cuts[1:].tolist(), len(row)], strict=True):
        some = by_rank[start:end]  # at most one event of each step
        at = step[some]
        place = np.maximum(free[at], low[some])
        taken = place < high[some]
        free[at] = place + taken
        total[at] += taken
