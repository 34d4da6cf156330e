"""The form for many blocks equals the plain one, whatever the trains, the blocks and the limits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.analysis import coincidence_grid
from wirecover.analysis.coincidence import counts_over_shifts
from wirecover.analysis.coincidence_grid import Block, counts_in_blocks
from wirecover.analysis.null_models import shift_grid

DELTA = 7


@st.composite
def blocks(draw):
    length = draw(st.integers(1, 700))
    steps = draw(st.integers(1, 60))
    trains = st.lists(st.integers(0, length - 1), max_size=14).map(
        lambda some: np.array(sorted(some), np.int64)
    )
    return Block(draw(trains), draw(trains), length, steps)


def plain(block, delta):
    return counts_over_shifts(block.fixed, block.moved, block.shifts(), block.length, delta).tolist()


@settings(max_examples=300)
@given(st.lists(blocks(), max_size=5), st.integers(0, 12), st.sampled_from([1, 20, 10**6]))
def test_all_blocks_at_once_equal_one_after_the_other(some, delta, limit):
    before, coincidence_grid.MOST_PAIRS = coincidence_grid.MOST_PAIRS, limit
    try:
        found = counts_in_blocks(some, delta)
    finally:
        coincidence_grid.MOST_PAIRS = before
    assert [one.tolist() for one in found] == [plain(block, delta) for block in some]


def test_the_steps_are_those_of_the_grid():
    for length, step in ((3_600_000, 6000), (61, 7), (5, 50)):
        grid = shift_grid(length, step, 1000)
        none = np.zeros(0, np.int64)
        assert Block(none, none, length, len(grid)).shifts().tolist() == grid.tolist()


def test_hours_of_clustered_traffic():
    random = np.random.default_rng(3)
    hour = 3_600_000_000_000
    some = []
    for _ in range(12):
        trains = [np.sort(np.repeat(random.integers(0, hour - 10**11, 5), 8) + random.integers(0, 10**11, 40))
                  for _ in range(2)]  # fmt: skip
        some.append(Block(*trains, hour, 600))
    found = counts_in_blocks(some, 3 * 10**9)
    assert [one.tolist() for one in found] == [plain(block, 3 * 10**9) for block in some]
    assert max(int(one.max()) for one in found) > 3
