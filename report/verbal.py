"""Words for a likelihood ratio: the bands of the ENFSI guideline for evaluative reporting (STEOFRAE, 2015).

The end of the interval nearer to 1 chooses the words, and nothing above `CAP` is ever said: with a thousand
negatives in a validation set at most, no higher ratio can have been measured.
"""

from typing import Final

BANDS: Final = (
    (2.0, "weak"),
    (10.0, "moderate"),
    (100.0, "moderately_strong"),
    (1_000.0, "strong"),
    (10_000.0, "very_strong"),
    (1_000_000.0, "extremely_strong"),
)
"""Lower edge of each band, and its key in the catalogues' [scale] table. Below the first: no support."""
CAP: Final = "moderately_strong"


def band(ratio: float, low: float | None, high: float | None) -> tuple[str, bool]:
    """Key of the band, and whether it speaks for the proposition (True) or its alternative."""
    nearest = _nearest_to_one(ratio, low, high)
    if nearest >= 1:
        return _capped(nearest), True
    return _capped(1 / nearest if nearest > 0 else float("inf")), False


def _nearest_to_one(ratio: float, low: float | None, high: float | None) -> float:
    ends = (ratio, ratio if low is None else low, ratio if high is None else high)
    if min(ends) <= 1 <= max(ends):
        return 1.0
    return min(ends) if min(ends) > 1 else max(ends)


def _capped(ratio: float) -> str:
    words = "none"
    for edge, name in BANDS:
        if ratio < edge:
            break
        words = name
        if name == CAP:
            break
    return words
