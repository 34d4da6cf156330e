"""What a rule says of the shape of a whole flow: a heartbeat (`timing`) or sizes of TLS records (`records`).

    timing      "up 60000ms +-2000ms 34-34B"   payload of 34 bytes goes up every 60 s, give or take 2 s
    records     "16401B"                       application data in both directions comes in records of this length

Neither ever makes a label: many services beat at the same rate, and any large transfer fills records. They are looked
at where a flow is explained, not at ingest. Pure functions of times and sizes; integers only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

SHAPE_KINDS: Final = frozenset({"timing", "records"})
MOST_CONFIDENCE: Final = 20
"""Percent: a shape counts no more than any other support."""
BEATS: Final = 6
"""Payloads of a heartbeat at least."""
AGREEMENT: Final = 80
"""Percent of the intervals between payloads of that size and direction that must agree."""
RECORDS: Final = 8
"""Records of the length at least, in each direction."""
RECORD_PERCENT: Final = 90
"""Of the application-data records of each direction that must have it; a handshake's end has another."""
APPLICATION_DATA: Final = 23

_TIMING: Final = re.compile(r"(up|down) (\d{1,8})ms \+-(\d{1,7})ms (\d{1,5})-(\d{1,5})B")
_RECORDS: Final = re.compile(r"(\d{1,5})B")
_MS: Final = 1_000_000


class Payload(NamedTuple):
    """One payload-carrying packet of a flow."""

    ns: int
    frame: int
    up: bool
    size: int
    records: tuple[tuple[int, int], ...] = ()
    """(length, type) of the TLS records that end in it."""


class Fit(NamedTuple):
    """A shape that was found."""

    agreeing: int
    """Intervals, or records, that agree ..."""
    total: int
    """... of so many that were looked at."""
    frame: int
    """The first frame of it."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A `timing` value. Nanoseconds and bytes."""

    up: bool
    period: int
    tolerance: int
    least: int
    most: int

    def fit(self, payloads: Sequence[Payload]) -> Fit | None:
        """Whether payloads of that size and direction return at that interval; None when they do not."""
        beats = [one for one in payloads if one.up == self.up and self.least <= one.size <= self.most]
        if len(beats) < BEATS:
            return None
        agreeing = sum(
            abs(later.ns - one.ns - self.period) <= self.tolerance for one, later in pairwise(beats)
        )
        enough = agreeing >= BEATS - 1 and agreeing * 100 >= AGREEMENT * (len(beats) - 1)
        return Fit(agreeing, len(beats) - 1, beats[0].frame) if enough else None


@dataclass(frozen=True, slots=True)
class RecordLength:
    """A `records` value."""

    length: int

    def fit(self, payloads: Sequence[Payload]) -> Fit | None:
        """Whether application data of both directions comes in records of that length."""
        counts = {up: [0, 0] for up in (True, False)}
        frame = None
        for one in payloads:
            for length, kind in one.records:
                if kind == APPLICATION_DATA:
                    counts[one.up][0] += length == self.length
                    counts[one.up][1] += 1
                    if frame is None and length == self.length:
                        frame = one.frame
        fits = all(
            some >= RECORDS and some * 100 >= RECORD_PERCENT * every for some, every in counts.values()
        )
        total = [sum(pair) for pair in zip(*counts.values(), strict=True)]
        return Fit(total[0], total[1], frame) if fits and frame is not None else None


def parse_shape(kind: str, value: str) -> Heartbeat | RecordLength | None:
    """What a value of one of SHAPE_KINDS says; None when it is not well-formed."""
    if kind == "records":
        found = _RECORDS.fullmatch(value)
        return RecordLength(int(found[1])) if found and int(found[1]) else None
    found = _TIMING.fullmatch(value)
    if found is None:
        return None
    period, tolerance, least, most = (int(found[place]) for place in range(2, 6))
    if not (period > 0 and tolerance * 4 <= period and 0 < least <= most):
        return None  # a tolerance beyond a quarter would let anything fit
    return Heartbeat(found[1] == "up", period * _MS, tolerance * _MS, least, most)
