"""Coincidences of two event trains: how many events of one can be paired with events of the other.

A train is a sorted int64 array of nanoseconds. Two events coincide when they lie at most `delta` apart;
each event is used once. Taking events in time order and giving each the earliest free partner yields the
largest possible number of pairs (all windows have one width, so no exchange can gain), and that number does
not depend on which train comes first. `match` is the plain form and names the pairs; `counts_over_shifts`
counts the same for many circular shifts at once.
"""

import numpy as np
from numpy.typing import NDArray

Train = NDArray[np.int64]

_CELLS = 4_000_000
"""Largest matrix of shifts times events held at once; bounds memory at about 100 MB."""


def match(left: Train, right: Train, delta: int) -> list[tuple[int, int]]:
    """Indices (left, right) of the pairs, in time order."""
    pairs: list[tuple[int, int]] = []
    one, two = left.tolist(), right.tolist()
    i = j = 0
    while i < len(one) and j < len(two):
        if one[i] - two[j] > delta:
            j += 1
        elif two[j] - one[i] > delta:
            i += 1
        else:
            pairs.append((i, j))
            i += 1
            j += 1
    return pairs


def counts_over_shifts(fixed: Train, moved: Train, shifts: Train, length: int, delta: int) -> Train:
    """Number of pairs for each shift: `moved` goes round a circle of `length`, `fixed` stays.

    Times lie in [0, length), shifts too. Pairs are not made across the seam of the circle.
    """
    counts = np.zeros(len(shifts), dtype=np.int64)
    if len(fixed) == 0 or len(moved) == 0:
        return counts
    by_moved = len(moved) <= len(fixed)
    step = max(1, _CELLS // min(len(moved), len(fixed)))
    for start in range(0, len(shifts), step):
        some = shifts[start : start + step, None]
        if by_moved:
            low, high = _reach_of_moved(fixed, moved, some, length, delta)
        else:
            low, high = _reach_of_fixed(fixed, moved, some, length, delta)
        counts[start : start + step] = _greedy(low, high)
    return counts


def _reach_of_moved(
    fixed: Train, moved: Train, shifts: Train, length: int, delta: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each shift and moved event, in time order after the shift: the range of partners in `fixed`."""
    turn = np.searchsorted(moved, length - shifts)
    order = (np.arange(len(moved)) + turn) % len(moved)
    times = (moved[order] + shifts) % length
    return np.searchsorted(fixed, times - delta, "left"), np.searchsorted(fixed, times + delta, "right")


def _reach_of_fixed(
    fixed: Train, moved: Train, shifts: Train, length: int, delta: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each shift and fixed event: the range of partners among the moved events after the shift."""
    low = _rank(moved, np.maximum(fixed - delta, 0), shifts, length)
    high = _rank(moved, np.minimum(fixed + delta + 1, length), shifts, length)
    return low, high


def _rank(moved: Train, times: Train, shifts: Train, length: int) -> NDArray[np.intp]:
    """How many moved events lie before each time (0..length), once they are shifted round the circle."""
    turn = np.searchsorted(moved, length - shifts)
    behind = times >= shifts  # before the shift nothing but wrapped events can lie
    place = np.searchsorted(moved, np.where(behind, times - shifts, times - shifts + length))
    return np.where(behind, place + (len(moved) - turn), place - turn)


def _greedy(low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many events of each row get a partner, each taking the first in [low, high) that is not taken."""
    free = np.zeros(len(low), dtype=np.intp)
    count = np.zeros(len(low), dtype=np.intp)
    for first, end in zip(np.ascontiguousarray(low.T), np.ascontiguousarray(high.T), strict=True):
        np.maximum(free, first, out=free)
        taken = free < end
        free += taken
        count += taken
    return count
