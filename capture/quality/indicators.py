"""Authenticity indicators: from what was counted to facts that editing would explain, as other causes would."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wirecover.capture.files.batch import Interface
from wirecover.capture.quality import copies, segments, senders
from wirecover.capture.quality.copies import Copies
from wirecover.capture.quality.measure import Indicator, Place, duration
from wirecover.capture.quality.segments import Segments
from wirecover.capture.quality.senders import Senders

FRAMES: Final = 100
"""With fewer frames nothing is said of times: a hundred times that all end in a nought by chance are one in 10^100."""
RUN: Final = 50
"""Equal intervals in a row that are worth a word, ..."""
FINE: Final = 100
"""... if the interval is this many units long; shorter ones do come equal in a burst at line rate, ..."""
ALIKE_PERCENT: Final = 95
"""... so that of them nearly all of the file must be."""
STILL_PERCENT: Final = 50


def of_interfaces(interfaces: Sequence[Interface], counts: Any, clocks: Any) -> Iterator[Indicator]:
    """Times and lengths of each interface; clocks[0] is the whole file."""
    for one in interfaces:
        yield from _times(one, clocks[one.interface_id + 1])
        yield from _lengths(one.interface_id, counts[one.interface_id])


def _times(one: Interface, clock: Any) -> Iterator[Indicator]:
    k, unit = one.interface_id, int(clock["unit"])
    timed = int(clock["frames"] - clock["timeless"])
    first, last = int(clock["first_frame"]), int(clock["last_frame"])
    if clock["step"]:
        most = int(clock["step_most"])
        yield Indicator(
            "clock-back", k, None, int(clock["step"]), timed, most, "ns",
            Place(int(clock["step_frame"]), int(clock["step_ts"]), int(clock["step_last"])),
            f"by up to {duration(most)}",
            ("clock-set", "several-machines", "overlap"),
        )  # fmt: skip
    if timed < FRAMES:
        return
    if unit > one.ts_resolution_ns:
        yield Indicator(
            "coarse-time", k, None, timed, timed, unit, "ns", Place(first, int(clock["first_ts"]), last),
            f"all are multiples of {duration(unit)}; the file claims {duration(one.ts_resolution_ns)}",
            ("coarse-clock", "converted", "rounded"),
        )  # fmt: skip
    run, interval = int(clock["run_most"]), int(clock["run_interval"])
    alike, intervals = int(clock["alike"]), timed - 1
    if alike * 100 >= intervals * ALIKE_PERCENT or (run >= RUN and interval >= FINE * unit):
        start = int(clock["run_most_frame"])
        yield Indicator(
            "even-intervals", k, None, alike, intervals, interval, "ns", Place(start),
            f"{run} intervals of exactly {duration(interval)} in a row, from frame {start} on",
            ("generator", "coarse-clock", "batched"),
        )  # fmt: skip
    still = int(clock["still"])
    if still * 100 >= intervals * STILL_PERCENT:
        yield Indicator(
            "same-times", k, None, still, intervals, None, None, Place(int(clock["still_frame"])),
            f"{still} of {intervals} frames", ("coarse-clock", "batched", "rounded"),
        )  # fmt: skip


def _lengths(k: int, size: Any) -> Iterator[Indicator]:
    frames = int(size["frames"])
    for indicator, name, causes in (
        ("beyond-snaplen", "beyond", ("joined-files", "writer-fault")),
        ("longer-than-frame", "inverted", ("writer-fault",)),
    ):
        if size[name]:
            yield Indicator(
                indicator, k, None, int(size[name]), frames, int(size["longest"]), "bytes",
                Place(int(size[f"{name}_frame"]), int(size[f"{name}_ts"]), int(size[f"{name}_last"])),
                f"the longest record holds {int(size['longest'])} bytes", causes,
            )  # fmt: skip


def of_packets(copied: Copies, followed: Segments, sent: Senders) -> Iterator[Indicator]:
    """What packets and connections show over the whole file."""
    c, found = copies, copied.counters
    if found[c.APART]:
        most = int(found[c.APART_MOST])
        yield Indicator(
            "copied-data", None, None, int(found[c.APART]), int(found[c.DATA]), most, "ns",
            Place(int(found[c.APART_FRAME]), int(found[c.APART_TS]), int(found[c.APART_LAST])),
            f"frame {int(found[c.APART_FRAME])} repeats frame {int(found[c.APART_OF])}; up to {duration(most)} apart",
            ("resent", "loop", "overlap"),
        )  # fmt: skip
    s, found = senders, sent.counters
    if found[s.SHORT]:
        yield Indicator(
            "packet-beyond-frame", None, None, int(found[s.SHORT]), int(found[s.SAMPLED]), int(found[s.SHORT_MOST]),
            "bytes", Place(int(found[s.SHORT_FRAME]), int(found[s.SHORT_TS]), int(found[s.SHORT_LAST])),
            f"by up to {int(found[s.SHORT_MOST])} bytes", ("tap-cut", "offload", "writer-fault"),
        )  # fmt: skip
    yield from _sender_clocks(followed.counters)


def _sender_clocks(found: Any) -> Iterator[Indicator]:
    s = segments
    if not found[s.AGAINST]:
        return
    most, frame = int(found[s.AGAINST_MOST]), int(found[s.AGAINST_MOST_FRAME])
    way = "more" if most > 0 else "less"
    yield Indicator(
        "sender-clocks", None, None, int(found[s.AGAINST]), int(found[s.COMPARED]), most, "ns",
        Place(int(found[s.AGAINST_FRAME]), int(found[s.AGAINST_TS]), int(found[s.AGAINST_LAST])),
        f"on {int(found[s.AGAINST_CLOCKS])} of {int(found[s.CLOCKS])} clocks; at frame {frame} the packet times passed "
        f"{duration(abs(most))} {way} than the sender's clock",
        ("clock-set", "sleep", "proxy", "several-machines"),
    )  # fmt: skip
