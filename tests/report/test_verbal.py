"""Words for likelihood ratios: never stronger than the interval allows, never above the cap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.report.verbal import BANDS, CAP, band

RATIOS = st.floats(min_value=1e-12, max_value=1e12)
ORDER = ["none", *(name for _, name in BANDS)]


@pytest.mark.parametrize(
    ("ratio", "low", "high", "words", "supports"),
    [
        (1.0, None, None, "none", True), (1.9, None, None, "none", True), (2.0, None, None, "weak", True),
        (10.0, None, None, "moderate", True), (99.9, None, None, "moderate", True),
        (100.0, None, None, "moderately_strong", True), (1e9, None, None, "moderately_strong", True),
        (310.0, 140.0, 690.0, "moderately_strong", True), (310.0, 40.0, 690.0, "moderate", True),
        (5.0, 0.5, 50.0, "none", True), (0.01, 0.005, 0.05, "moderate", False), (0.0, None, None, CAP, False),
    ],
)  # fmt: skip
def test_examples(ratio: float, low: float | None, high: float | None, words: str, supports: bool) -> None:
    assert band(ratio, low, high) == (words, supports)


@given(RATIOS, RATIOS, RATIOS)
def test_never_above_the_cap_nor_beyond_the_interval(ratio: float, low: float, high: float) -> None:
    words, _ = band(ratio, low, high)
    assert ORDER.index(words) <= ORDER.index(CAP)
    alone, _ = band(ratio, None, None)
    assert ORDER.index(words) <= ORDER.index(alone)
