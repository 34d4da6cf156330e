"""Days, quiet hours and regularity, out of quarter hours with activity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

QUARTERS = 96
"""Quarter hours of a day; those that a day of 23 hours does not have count as quiet."""


@dataclass(frozen=True, slots=True)
class QuietTime:
    """The longest run of quarter hours, round the clock, with activity on at most `tolerated` days each."""

    start: int
    """Quarter of the day in which it begins, 0..95."""
    length: int
    """Quarters; 96 when the whole day is quiet."""

    def text(self) -> str:
        """'23:15 to 06:30', local time."""
        return f"{_clock(self.start)} to {_clock((self.start + self.length) % QUARTERS)}"


def quiet_time(active: Mapping[int, frozenset[int]], tolerated: int) -> QuietTime:
    """Longest quiet run over the days of `active` (day -> active quarters); the earliest of equal ones."""
    busy = [0] * QUARTERS
    for quarters in active.values():
        for quarter in quarters:
            busy[quarter] += 1
    quiet = [number <= tolerated for number in busy]
    if all(quiet):
        return QuietTime(0, QUARTERS)
    best = QuietTime(0, 0)
    for start in range(QUARTERS):
        if quiet[start] and not quiet[start - 1]:
            length = 1
            while quiet[(start + length) % QUARTERS]:
                length += 1
            if length > best.length:
                best = QuietTime(start, length)
    return best


def regularity(days: Sequence[int], active: Mapping[int, frozenset[int]]) -> Fraction | None:
    """Mean overlap (Jaccard index) of the active hours of neighbouring days; None when none can be compared.

    1: the same hours each day. `days` are ordinals of observed days; a pair of days without any activity is
    left out, since nothing is not alike.
    """
    overlaps = []
    for day, following in pairwise(days):
        if following != day + 1:
            continue
        one, two = (
            {quarter // 4 for quarter in active.get(number, frozenset())} for number in (day, following)
        )
        if one | two:
            overlaps.append(Fraction(len(one & two), len(one | two)))
    return sum(overlaps, Fraction()) / len(overlaps) if overlaps else None


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"
