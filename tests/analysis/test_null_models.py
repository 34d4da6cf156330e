"""The null model: exact where it can be enumerated, honest on clustered trains, Holm's correction."""

import itertools

import numpy as np
import pytest

from wirecover.analysis.null_models import P_FLOOR, blocks, combined, holm, shift_grid


def test_one_block_is_the_share_of_shifts():
    counts = np.array([3, 0, 1, 3, 2, 0, 0, 4, 0, 0])
    null = combined([counts])
    assert null.at_least(3) == pytest.approx((1 + 2) / (1 + 9))
    assert null.at_least(0) == 1.0
    assert null.at_least(5) == P_FLOOR
    assert [null.quantile(q) for q in (0.5, 0.7, 0.9, 1.0)] == [0, 2, 3, 4]


def test_blocks_combine_as_if_all_pairs_of_shifts_were_listed():
    parts = [np.array([2, 0, 1]), np.array([1, 1, 0, 3]), np.array([0, 2])]
    sums = [sum(choice) for choice in itertools.product(*(part.tolist() for part in parts))]
    null = combined(parts)
    for observed in range(8):
        share = sum(total >= observed for total in sums) / len(sums)
        assert null.at_least(observed) == pytest.approx(max(share, P_FLOOR), abs=1e-6)
    assert null.quantile(0.5) == sorted(sums)[len(sums) // 2 - 1]


def test_no_block_leaves_nothing_to_find():
    assert combined([]).at_least(0) == 1.0
    assert combined([]).quantile(0.99) == 0


def test_windows_are_cut_into_equal_blocks_and_short_ones_left_out():
    assert blocks(((0, 250), (300, 330), (400, 500)), 100, 50) == ((0, 83), (83, 166), (166, 250), (400, 500))
    assert blocks((), 100, 50) == ()


def test_the_grid_starts_at_the_evidence_and_keeps_its_distance():
    grid = shift_grid(1000, 30, 999)
    assert grid[0] == 0
    assert len(grid) == 33
    assert np.diff(grid).min() >= 30
    assert 1000 - grid[-1] >= 30
    assert len(shift_grid(10**6, 1, 999)) == 999
    assert shift_grid(5, 30, 999).tolist() == [0]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
