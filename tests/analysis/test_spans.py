"""Spans: union and intersection against sets of whole numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wirecover.analysis.spans import covers, intersection, length, merged

spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 15)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=8,
)


def points(some):
    return {point for start, end in some for point in range(start, end)}


@given(spans)
def test_merging_keeps_every_point_and_sorts(some):
    joined = merged(some)
    assert points(joined) == points(some)
    assert length(joined) == len(points(some))
    assert all(one[1] < other[0] for one, other in pairwise(joined))


@given(spans, spans)
def test_intersection_is_what_both_hold(left, right):
    common = intersection(merged(left), merged(right))
    assert points(common) == points(left) & points(right)
    assert common == intersection(merged(right), merged(left))


def test_gaps_are_closed_up_to_the_given_length():
    assert merged([(0, 10), (15, 20), (26, 30)], 5) == ((0, 20), (26, 30))


def test_a_span_covers_only_from_end_to_end():
    assert covers(((0, 10),), 0, 10)
    assert not covers(((0, 10), (10, 20)), 5, 15)  # not merged: two records, not one
    assert not covers((), 0, 1)
