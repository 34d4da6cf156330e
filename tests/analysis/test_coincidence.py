"""The matcher: greedy equals the largest matching, the many-shift form equals the plain one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.analysis.coincidence import counts_over_shifts, match

LENGTH = 400
trains = st.lists(st.integers(0, LENGTH - 1), max_size=25).map(
    lambda times: np.array(sorted(times), dtype=np.int64)
)
deltas = st.integers(0, 40)


def largest_matching(left, right, delta):
    """Augmenting paths (Berge): slow, and nothing in common with the greedy form."""
    partner = {}

    def free(i, seen):
        for j in range(len(right)):
            if abs(int(left[i]) - int(right[j])) <= delta and j not in seen:
                seen.add(j)
                if j not in partner or free(partner[j], seen):
                    partner[j] = i
                    return True
        return False

    return sum(free(i, set()) for i in range(len(left)))


@given(trains, trains, deltas)
def test_greedy_is_the_largest_matching(left, right, delta):
    assert len(match(left, right, delta)) == largest_matching(left, right, delta)


@given(trains, trains, deltas)
def test_pairs_are_symmetric_bounded_and_used_once(left, right, delta):
    pairs = match(left, right, delta)
    assert [(j, i) for i, j in match(right, left, delta)] == pairs
    assert len(pairs) <= min(len(left), len(right))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(left[i] - right[j]) <= delta for i, j in pairs)


@settings(max_examples=200)
@given(trains, trains, deltas, st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=8))
def test_counts_over_shifts_equal_the_plain_matcher(fixed, moved, delta, shifts):
    counts = counts_over_shifts(fixed, moved, np.array(shifts, dtype=np.int64), LENGTH, delta)
    plain = [len(match(fixed, np.sort((moved + shift) % LENGTH), delta)) for shift in shifts]
    assert counts.tolist() == plain


def test_many_shifts_are_counted_in_pieces(monkeypatch):
    random = np.random.default_rng(5)
    fixed, moved = (np.sort(random.integers(0, 10_000, size)) for size in (70, 50))
    shifts = np.arange(0, 10_000, 13, dtype=np.int64)
    whole = counts_over_shifts(fixed, moved, shifts, 10_000, 20)
    monkeypatch.setattr("wirecover.analysis.coincidence._CELLS", 101)
    assert counts_over_shifts(fixed, moved, shifts, 10_000, 20).tolist() == whole.tolist()
    assert whole.max() > 0


@pytest.mark.parametrize("delta,pairs", [(2, []), (3, [(0, 0)])])
def test_the_edge_of_the_window_counts(delta, pairs):
    assert match(np.array([10]), np.array([13]), delta) == pairs


def test_one_answer_does_not_serve_two_messages():
    assert match(np.array([10, 11]), np.array([12]), 3) == [(0, 0)]
