"""Quiet time and regularity over quarter hours."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from wirecover.analysis.quiet_time import QUARTERS, QuietTime, quiet_time, regularity

days = st.dictionaries(st.integers(1, 12), st.frozensets(st.integers(0, QUARTERS - 1)), min_size=1)


def test_the_quiet_run_goes_over_midnight():
    active = {day: frozenset(range(28, 92)) for day in range(5)}
    found = quiet_time(active, 0)
    assert found == QuietTime(92, 32)
    assert found.text() == "23:00 to 07:00"


def test_one_night_out_is_tolerated_only_when_allowed():
    active = {day: frozenset(range(28, 92)) for day in range(10)} | {99: frozenset({12})}
    assert quiet_time(active, 0).length < quiet_time(active, 1).length == 32


def test_no_activity_is_one_whole_quiet_day():
    assert quiet_time({1: frozenset(), 2: frozenset()}, 0) == QuietTime(0, QUARTERS)


def test_activity_everywhere_leaves_nothing():
    assert quiet_time({1: frozenset(range(QUARTERS))}, 0).length == 0


@given(days, st.integers(0, 4))
def test_the_run_is_quiet_and_none_is_longer(active, tolerated):
    busy = [sum(quarter in day for day in active.values()) > tolerated for quarter in range(QUARTERS)]
    found = quiet_time(active, tolerated)
    assert not any(busy[(found.start + step) % QUARTERS] for step in range(found.length))
    runs = "".join("x" if one else "." for one in busy * 2).split("x")
    assert found.length == min(QUARTERS, max(map(len, runs)))


def test_regularity_is_the_mean_overlap_of_neighbouring_days():
    active = {1: frozenset({0, 4}), 2: frozenset({1, 8}), 3: frozenset({8}), 7: frozenset({8})}
    # hours {0, 1} and {0, 2}: 1/3; {0, 2} and {2}: 1/2; day 7 has no neighbour
    assert regularity([1, 2, 3, 7], active) == (Fraction(1, 3) + Fraction(1, 2)) / 2


def test_days_without_activity_are_not_alike():
    assert regularity([1, 2, 3], {}) is None
    assert regularity([], {}) is None
    assert regularity([1, 2], {1: frozenset({4})}) == 0
