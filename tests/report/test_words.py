"""Numbers and times as each language writes them."""

import pytest

from wirecover.report.words import Words, instant

EN, DE = Words("en"), Words("de")


def test_numbers() -> None:
    assert EN.number(1234567) == "1\u202f234\u202f567"
    assert EN.number(None) == "not recorded"
    assert (EN.decimal(0.61), DE.decimal(0.61)) == ("0.61", "0,61")


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 9, "0 %"),
        (1, 3, "33.3 %"),
        (1, 100_000, "< 0.1 %"),
        (999, 1000, "99.9 %"),
        (5, 5, "100.0 %"),
        (1, 0, "0 %"),
    ],
)
def test_shares_are_never_rounded_up_or_to_nought(part: int, whole: int, shown: str) -> None:
    assert EN.share(part, whole).replace("\u202f", " ") == shown


def test_times_are_cut_not_rounded() -> None:
    assert EN.time(1_772_434_799_999_999_999) == "2026-03-02 06:59:59.999"
    assert EN.time(-1) == "1969-12-31 23:59:59.999"
    assert EN.time(None) == "not recorded"


@pytest.mark.parametrize("ns", [-(2**63), 2**63 - 1])
def test_every_time_a_column_can_hold_is_written(ns: int) -> None:
    assert instant(ns).year in (1677, 2262)
    assert EN.time(ns)
