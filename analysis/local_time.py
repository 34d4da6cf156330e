"""Local time of quarter hours: weekday, hour and date in a named time zone.

A quarter hour is the number of 15-minute steps since 1970-01-01 00:00 UTC: every offset in use since 1972 is
a whole number of them. Zones are IANA names, from the system's database or the package `tzdata`.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from wirecover.analysis.errors import AnalysisError

Numbers = NDArray[np.int64]

QUARTER_NS = 900 * 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()


@dataclass(frozen=True, slots=True)
class LocalQuarters:
    """What the clock on the wall shows at given quarter hours."""

    day: Numbers
    """Ordinal of the local date (`date.toordinal`)."""
    quarter: Numbers
    """Quarter hour of the local day, 0..95."""

    @property
    def hour_of_week(self) -> Numbers:
        """Hour of the local week, 0..167; 0 is Monday 00:00."""
        hours: Numbers = (self.day - 1) % 7 * 24 + self.quarter // 4
        return hours


def zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None stands for UTC, which needs no database. AnalysisError when unknown."""
    if name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise AnalysisError(
            f"time zone {name!r} is not known here: use an IANA name such as Europe/Brussels; where the "
            "system has no time zone database (Windows), install the Python package tzdata"
        ) from error


def local_quarters(quarters: Numbers, where: ZoneInfo | None) -> LocalQuarters:
    """Local date and quarter of day of each UTC quarter hour."""
    if where is None:
        return LocalQuarters(day=quarters // 96 + _EPOCH_DAY, quarter=quarters % 96)
    distinct, back = np.unique(quarters, return_inverse=True)
    shown = [_shown(number, where) for number in distinct.tolist()]
    day = np.array([moment.toordinal() for moment in shown], dtype=np.int64)
    quarter = np.array([moment.hour * 4 + moment.minute // 15 for moment in shown], dtype=np.int64)
    return LocalQuarters(day=day[back], quarter=quarter[back])


def day_span(ordinal: int, where: ZoneInfo | None) -> tuple[int, int]:
    """Start and end of a local day in nanoseconds: 23, 24 or 25 hours long where clocks change."""
    return _midnight(ordinal, where), _midnight(ordinal + 1, where)


def _midnight(ordinal: int, where: ZoneInfo | None) -> int:
    moment = datetime.combine(date.fromordinal(ordinal), time(), tzinfo=where or UTC)
    return round((moment - _EPOCH).total_seconds()) * 1_000_000_000


def _shown(number: int, where: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(minutes=15 * number)).astimezone(where)
