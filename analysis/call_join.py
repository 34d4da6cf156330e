"""Which parts of flows belong to one call: keys that tie them, and the groups that follow.

Everything here is arrays: a case may hold a million parts. Parts that share a key are tied while they overlap in
time, or follow each other closely (`islands`); what is tied directly or by way of others is one group (`groups`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ties:
    """Pairs of parts that belong together, and the number of the reason."""

    left: Column
    right: Column
    reason: Column

    def joined(self, other: "Ties") -> "Ties":
        """Both, one after the other."""
        return Ties(
            np.concatenate([self.left, other.left]),
            np.concatenate([self.right, other.right]),
            np.concatenate([self.reason, other.reason]),
        )


NO_TIES = Ties(*(np.zeros(0, np.int64) for _ in range(3)))


def islands(piece: Column, key: Column, start: Column, end: Column, gap: int) -> Column:
    """A number for each row: rows of one key whose spans overlap or lie at most `gap` apart share it.

    Spans that begin together are one island in any order, so the result does not depend on the order of rows.
    """
    if len(piece) == 0:
        return np.zeros(0, np.int64)
    order = np.lexsort((piece, end, start, key))
    keys, starts = key[order], start[order]
    reached = _running_maximum(keys, end[order])
    begins = np.ones(len(piece), np.bool_)
    # a difference of two times of a capture fits; the comparison is written so that no sum can overflow
    begins[1:] = (keys[1:] != keys[:-1]) | (starts[1:] - reached[:-1] > gap)
    numbers = np.empty(len(piece), np.int64)
    numbers[order] = np.cumsum(begins) - 1
    return numbers


def _running_maximum(keys: Column, ends: Column) -> Column:
    """The latest end so far inside each key; rows are sorted by key."""
    change = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    _, rank = np.unique(ends, return_inverse=True)
    block = np.repeat(np.arange(len(change)), np.diff(np.append(change, len(keys))))
    lifted = rank.astype(np.int64) + block * (len(ends) + 1)  # later keys stand above all of earlier ones
    best = np.maximum.accumulate(lifted) - block * (len(ends) + 1)
    result: Column = np.sort(np.unique(ends))[best]
    return result


def chained(piece: Column, island: Column, start: Column, reason: Column) -> Ties:
    """Ties that hold each island together: each part with the first one of its island."""
    if len(piece) == 0:
        return NO_TIES
    order = np.lexsort((piece, start, island))
    pieces, numbers = piece[order], island[order]
    first = np.concatenate([[True], numbers[1:] != numbers[:-1]])
    heads = pieces[np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))]
    keep = ~first & (heads != pieces)
    return Ties(heads[keep], pieces[keep], reason[order][keep])


def groups(number: int, ties: Ties) -> Column:
    """For each of `number` parts the smallest part of its group."""
    label = np.arange(number, dtype=np.int64)
    if len(ties.left) == 0:
        return label
    while True:
        left, right = label[ties.left], label[ties.right]
        least = np.minimum(left, right)
        grown = label.copy()
        np.minimum.at(grown, left, least)
        np.minimum.at(grown, right, least)
        while True:
            jumped = grown[grown]
            if np.array_equal(jumped, grown):
                break
            grown = jumped
        if np.array_equal(grown, label):
            return label
        label = grown
