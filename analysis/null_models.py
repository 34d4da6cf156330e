"""What chance would give: circular shifts inside blocks of time, and the correction for many tests.

Messages come in clusters and people sleep at night, so a Poisson model finds coupling everywhere. Here one
train is turned round a circle against the other instead: its clusters, its gaps and its number of events
stay as they are, only the fine timing between the two trains is broken. The circle is short (a block of
about an hour), so that rhythms slower than that, such as day and night, are the same in the evidence and in
the null.

Within a block of length L every shift k*L/K, k = 0..K-1, is taken; k = 0 is the evidence. If the two trains
are independent and one of them is stationary inside the block, every shift is as likely as the one that was
seen, so the share of shifts with at least as many coincidences is an exact p-value: with one block it is (1
+ number of shifted counts >= observed) / (1 + number of shifts). Blocks are shifted independently of each
other; the distribution of the sum is then the convolution of the blocks' distributions, computed and not
sampled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wirecover.analysis.spans import Span, Spans

P_FLOOR = 1e-6
"""No smaller p-value is stated: the assumptions of the model would not carry it."""


@dataclass(frozen=True, slots=True)
class Null:
    """The distribution of a count under chance: `probability[n]` is that of exactly n."""

    probability: NDArray[np.float64]

    @property
    def largest(self) -> int:
        """The largest count that any choice of shifts gives."""
        return len(self.probability) - 1

    def at_least(self, observed: int) -> float:
        """Probability of `observed` or more, not below P_FLOOR, rounded to six digits."""
        tail = float(_ordered_sum(self.probability[observed:][::-1])) if observed > 0 else 1.0
        return round(min(1.0, max(tail, P_FLOOR)), 6)

    def quantile(self, share: float) -> int:
        """The smallest count that is reached or undercut with at least this probability."""
        total = 0.0
        for count, probability in enumerate(self.probability.tolist()):
            total += probability
            if total >= share - 1e-12:
                return count
        return self.largest


def blocks(window: Spans, block: int, shortest: int) -> Spans:
    """Cut each span into equal blocks no longer than `block`; spans below `shortest` are left out."""
    cut: list[Span] = []
    for start, end in window:
        if end - start < shortest:
            continue
        parts = -(-(end - start) // block)
        edges = [start + (end - start) * part // parts for part in range(parts + 1)]
        cut.extend(pairwise(edges))
    return tuple(cut)


def shift_grid(length: int, step: int, most: int) -> NDArray[np.int64]:
    """All shifts of a block: at least `step` apart, at most `most` of them, the first one zero."""
    number = grid_steps(length, step, most)
    return np.arange(number, dtype=np.int64) * length // number


def grid_steps(length: int, step: int, most: int) -> int:
    """How many shifts the grid of a block has."""
    return max(1, min(most, length // step))


def combined(counts: Iterable[NDArray[np.int64]]) -> Null:
    """The null of the sum over blocks, from the counts of each block at all its shifts."""
    total = np.ones(1, dtype=np.float64)
    for one in counts:
        heights = np.bincount(one)
        grown = np.zeros(len(total) + len(heights) - 1, dtype=np.float64)
        # products and sums one after the other: the same result on every machine, unlike a BLAS convolution
        for height, number in enumerate(heights.tolist()):
            if number:
                grown[height : height + len(total)] += total * (number / len(one))
        total = grown
    return Null(total)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979, p. 65), in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = round(highest, 6)
    return adjusted


def _ordered_sum(values: NDArray[np.float64]) -> float:
    """Sum from the first to the last value (NumPy's own order of summation depends on the build)."""
    total = 0.0
    for value in values.tolist():
        total += value
    return total
