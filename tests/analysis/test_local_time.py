"""Local time of quarter hours, across the change of clocks."""

from datetime import date
from itertools import pairwise

import numpy as np

from wirecover.analysis.local_time import day_span, local_quarters, zone

QUARTER = 900
HOUR_NS = 3_600_000_000_000


def quarters(*seconds):
    return np.array([second // QUARTER for second in seconds], dtype=np.int64)


def test_utc_by_arithmetic():
    shown = local_quarters(quarters(0, 86_399, 86_400), None)
    assert shown.day.tolist() == [date(1970, 1, 1).toordinal()] * 2 + [date(1970, 1, 2).toordinal()]
    assert shown.quarter.tolist() == [0, 95, 0]
    assert shown.hour_of_week.tolist() == [72, 95, 96]  # a Thursday


def test_spring_hour_is_skipped_in_brussels():
    # 2026-03-29 01:00 UTC: clocks go from 02:00 to 03:00
    change = 1_774_746_000
    shown = local_quarters(quarters(change - QUARTER, change), zone("Europe/Brussels"))
    assert shown.quarter.tolist() == [7, 12]
    assert shown.hour_of_week.tolist() == [6 * 24 + 1, 6 * 24 + 3]


def test_autumn_hour_comes_twice():
    # 2026-10-25 01:00 UTC: clocks go from 03:00 back to 02:00
    change = 1_792_890_000
    shown = local_quarters(quarters(change - 3600, change), zone("Europe/Brussels"))
    assert shown.quarter.tolist() == [8, 8]


def test_days_have_23_24_or_25_hours():
    brussels = zone("Europe/Brussels")
    hours = {}
    for day in (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)):
        start, end = day_span(day.toordinal(), brussels)
        hours[day.month, day.day] = (end - start) // HOUR_NS
    assert hours == {(3, 28): 24, (3, 29): 23, (10, 25): 25}


def test_days_follow_each_other_without_a_hole_where_midnight_does_not_exist():
    beirut = zone("Asia/Beirut")  # clocks change at midnight
    first = date(2026, 3, 27).toordinal()
    spans = [day_span(first + n, beirut) for n in range(4)]
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    assert sum(end - start for start, end in spans) == 95 * HOUR_NS


def test_a_zone_off_by_a_quarter_hour():
    shown = local_quarters(quarters(0), zone("Asia/Kathmandu"))
    assert shown.quarter.tolist() == [22]  # 05:30 in 1970
    shown = local_quarters(quarters(1_774_746_000), zone("Asia/Kathmandu"))
    assert shown.quarter.tolist() == [(6 * 60 + 45) // 15]
