"""The two kinds of rows that this floor writes: what a capture lacks, and what may speak against it.

A `Measure` is a count with its whole; an `Indicator` is a fact that can have an innocent reason as well as another
one, so it never comes without the keys of its explanations (`explanations.py`).
"""

from dataclasses import dataclass
from typing import Final

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was met: nowhere, by default."""

    first_frame: int | None = None
    first_ts: int | None = None
    last_frame: int | None = None


NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the capture-quality ledger."""

    metric: str
    """Key: `explanations.METRICS` says what is counted."""
    interface_id: int | None
    """None: over the whole file."""
    subject: str | None
    """Whom or what it is about: an address, a pair of interfaces; None when that is the interface or file."""
    count: int
    total: int | None
    """Of how many looked at; None where the count is no part of a whole."""
    value: int | None = None
    """A size that goes with the count, in `unit`."""
    unit: str | None = None
    """'ns' or 'bytes'."""
    place: Place = NOWHERE
    detail: str = ""
    """One English sentence with the figures."""

    def row(self) -> Row:
        """Values in the order of `tables.QUALITY`; a line that counts nothing has no size."""
        value, unit = (self.value, self.unit) if self.count else (None, None)
        return (
            self.metric, self.interface_id, self.subject, self.count, self.total, value, unit,
            self.place.first_frame, self.place.first_ts, self.place.last_frame, self.detail,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing about an exhibit that editing would explain, and innocent causes as well."""

    indicator: str
    interface_id: int | None
    subject: str | None
    count: int
    total: int | None
    value: int | None = None
    unit: str | None = None
    place: Place = NOWHERE
    detail: str = ""
    explanations: tuple[str, ...] = ()
    """Keys of `explanations.EXPLANATIONS`: innocent causes to be ruled out first."""

    def row(self) -> Row:
        """Values in the order of `tables.AUTHENTICITY`."""
        return (
            self.indicator, self.interface_id, self.subject, self.count, self.total, self.value, self.unit,
            self.place.first_frame, self.place.first_ts, self.place.last_frame, self.detail, list(self.explanations),
        )  # fmt: skip


def duration(ns: int) -> str:
    """Nanoseconds in the largest unit that keeps them readable: '3600 s', '1.5 ms', '250 ns'."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if abs(ns) >= size:
            sign, rest = ("-" if ns < 0 else ""), abs(ns)
            text = f"{rest // size}.{rest % size * 1000 // size:03d}".rstrip("0").rstrip(".")
            return f"{sign}{text} {unit}"
    return f"{ns} ns"
