"""One pair of endpoints: events leaving one against events reaching the other, both ways, and by chance."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wirecover.analysis.coincidence import Train, counts_over_shifts, match
from wirecover.analysis.coincidence_grid import Block, counts_in_blocks
from wirecover.analysis.endpoints import Endpoint
from wirecover.analysis.null_models import Null, blocks, combined, grid_steps
from wirecover.analysis.spans import Span, Spans, intersection, length

Refusal = Literal["window too short", "too few events"]


@dataclass(frozen=True, slots=True)
class Design:
    """How a pair is tested; times in nanoseconds."""

    delta: int
    block: int
    shortest_block: int
    shortest_window: int
    fewest_events: int
    most_shifts: int

    def blocks_of(self, one: Endpoint, other: Endpoint) -> Spans:
        """The common time of two endpoints, cut into blocks."""
        return blocks(intersection(one.connected, other.connected), self.block, self.shortest_block)


@dataclass(frozen=True, slots=True)
class PairTest:
    """What was counted for a pair, and what chance gives."""

    one: Endpoint
    other: Endpoint
    blocks: Spans
    one_up: int
    one_down: int
    other_up: int
    other_down: int
    there: int
    """Coincidences of events leaving `one` with events reaching `other`."""
    back: int
    """Coincidences of events leaving `other` with events reaching `one`."""
    null: Null
    p_value: float
    smallest_p: float
    """The p-value if every block had as many coincidences as its best shift: what could be reached."""

    @property
    def names(self) -> tuple[str, str, str]:
        """Application and both addresses, to sort by."""
        return self.one.app, self.one.address, self.other.address

    @property
    def observed(self) -> int:
        """Coincidences of both ways."""
        return self.there + self.back

    @property
    def possible(self) -> int:
        """The most coincidences that the numbers of events allow."""
        return min(self.one_up, self.other_down) + min(self.other_up, self.one_down)

    @property
    def window_ns(self) -> int:
        """Common time that was compared."""
        return length(self.blocks)


def opportunity(one: Endpoint, other: Endpoint) -> int:
    """The most coincidences that the trains allow, over the whole case."""
    return min(len(one.up), len(other.down)) + min(len(other.up), len(one.down))


def compare(one: Endpoint, other: Endpoint, design: Design) -> PairTest | Refusal:
    """Count the coincidences of a pair block by block, and for every shift of `other` against `one`."""
    window = design.blocks_of(one, other)
    if length(window) < design.shortest_window:
        return "window too short"
    parts = list(
        zip(*(in_blocks(train, window) for train in (one.up, one.down, other.up, other.down)), strict=True)
    )
    one_up, one_down, other_up, other_down = (sum(len(part[side]) for part in parts) for side in range(4))
    if min(one_up, other_down) + min(other_up, one_down) < design.fewest_events:
        return "too few events"
    ways: list[Block] = []
    for block, (a_up, a_down, b_up, b_down) in zip(window, parts, strict=True):
        size = block[1] - block[0]
        steps = grid_steps(size, 2 * design.delta, design.most_shifts)
        ways += [Block(a_up, b_down, size, steps), Block(a_down, b_up, size, steps)]
    over = counts_in_blocks(ways, design.delta)
    forth, back_ = over[::2], over[1::2]
    there, back = sum(int(one[0]) for one in forth), sum(int(one[0]) for one in back_)
    counts = [one + other for one, other in zip(forth, back_, strict=True)]
    null = combined(counts)
    return PairTest(
        one=one, other=other, blocks=window, one_up=one_up, one_down=one_down, other_up=other_up,
        other_down=other_down, there=there, back=back, null=null, p_value=null.at_least(there + back),
        smallest_p=null.at_least(null.largest),
    )  # fmt: skip


def inside(train: Train, block: Span) -> Train:
    """The events of a block, counted from its start."""
    low, high = np.searchsorted(train, block)
    return train[low:high] - block[0]


def in_blocks(train: Train, window: Spans) -> list[Train]:
    """The events of each block, counted from its start."""
    edges = np.searchsorted(train, np.array(window, np.int64).ravel()).tolist()
    return [
        train[low:high] - block[0] for block, low, high in zip(window, edges[::2], edges[1::2], strict=True)
    ]


def matched(out: Train, into: Train, window: Spans, delta: int) -> tuple[list[int], list[int]]:
    """Times of the events that were paired: those going out, those coming in."""
    left: list[int] = []
    right: list[int] = []
    for block in window:
        one, two = inside(out, block), inside(into, block)
        for i, j in match(one, two, delta):
            left.append(int(one[i]) + block[0])
            right.append(int(two[j]) + block[0])
    return left, right


def correlogram(test: PairTest, delta: int, steps: int) -> list[tuple[int, int]]:
    """Coincidences with `other` moved by -steps..steps times twice the tolerance: (nanoseconds, count).

    A peak at zero alone speaks for single messages, a broad hill for sessions that overlap. For looking at:
    the p-value does not use it.
    """
    moves = np.arange(-steps, steps + 1, dtype=np.int64) * 2 * delta
    total = np.zeros(len(moves), dtype=np.int64)
    for block in test.blocks:
        size = block[1] - block[0]
        for fixed, moved in ((test.one.up, test.other.down), (test.one.down, test.other.up)):
            one, two = inside(fixed, block), inside(moved, block)
            total += counts_over_shifts(one, two, moves % size, size, delta)
    return list(zip(moves.tolist(), total.tolist(), strict=True))
