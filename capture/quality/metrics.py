"""The capture-quality ledger: from what was counted to its lines.

A line with the count 0 says that something was looked for and not found; it stands there on purpose. Lines of single
senders or pairs of interfaces (`subject`) are parts of the line without a subject.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from wirecover.capture.files.batch import Interface
from wirecover.capture.flows.texts import addresses
from wirecover.capture.quality import copies, segments, senders
from wirecover.capture.quality.copies import Copies
from wirecover.capture.quality.measure import NOWHERE, Measure, Place, duration
from wirecover.capture.quality.segments import Segments
from wirecover.capture.quality.senders import Senders, ttls_of

SUBJECTS: Final = 50
"""Senders or pairs told apart in one metric, those with the largest counts."""
INTERFACES: Final = 64
"""Interfaces that get lines of their own although nothing was found on them."""
SIDE_PERCENT: Final = 95
SIDE_LEAST: Final = 10
"""A sender of which at least so many checksums were verified, and so many percent are wrong, has them wrong by its own
making: a recorder that damages packets damages all senders'."""


def of_interfaces(interfaces: Sequence[Interface], counts: Any, clocks: Any) -> Iterator[Measure]:
    """Lines of each interface, from `lengths` and `clock`; clocks[0] is the whole file."""
    for one in interfaces:
        k = one.interface_id
        size, clock = counts[k], clocks[k + 1]
        lines = [*_drops(one), *_lengths(k, size), *_clock(k, clock)]
        yield from (line for line in lines if line.count or (clock["frames"] and k < INTERFACES))
    untold = sum(one.reported_drops is None for one in interfaces)
    yield Measure("drops-not-told", None, None, untold, len(interfaces))
    if len(interfaces) > 1:
        yield _backwards("file-order", None, clocks[0], "back")


def _place(row: Any, name: str) -> Place:
    """Where something was met, from a row of counts."""
    if not row[name]:
        return NOWHERE
    return Place(int(row[f"{name}_frame"]), int(row[f"{name}_ts"]), int(row[f"{name}_last"]))


def _drops(one: Interface) -> Iterator[Measure]:
    if one.reported_drops is not None:
        yield Measure("drops", one.interface_id, None, one.reported_drops, None)


def _lengths(k: int, size: Any) -> Iterator[Measure]:
    frames, lost, most = (int(size[name]) for name in ("frames", "cut_bytes", "joined_most"))
    told = f"{lost} bytes of them were not kept" if lost else ""
    yield Measure("cut", k, None, int(size["cut"]), frames, lost, "bytes", _place(size, "cut"), told)
    told = f"of up to {most} bytes" if most else ""
    yield Measure("joined", k, None, int(size["joined"]), frames, most, "bytes", _place(size, "joined"), told)


def _clock(k: int, clock: Any) -> Iterator[Measure]:
    timeless, frame = int(clock["timeless"]), int(clock["timeless_frame"])
    place = Place(frame) if timeless else NOWHERE
    yield Measure("no-time", k, None, timeless, int(clock["frames"]), place=place)
    yield _backwards("earlier", k, clock, "back")
    yield _backwards("clock-back", k, clock, "step")
    silence, frame = int(clock["silence"]), int(clock["silence_frame"])
    if silence:
        place = Place(frame, int(clock["silence_ts"]), frame)
        told = f"{duration(silence)}, ended by frame {frame}"
        yield Measure("silence", k, None, 1, None, silence, "ns", place, told)


def _backwards(metric: str, interface: int | None, clock: Any, name: str) -> Measure:
    most = int(clock[f"{name}_most"])
    told = f"by up to {duration(most)}" if most else ""
    count, frames = int(clock[name]), int(clock["frames"])
    return Measure(metric, interface, None, count, frames, most, "ns", _place(clock, name), told)


def of_copies(found: Copies) -> Iterator[Measure]:
    """Packets recorded more than once: all, then by pair of interfaces and VLANs."""
    counters, groups = found.counters, found.groups[: int(found.counters[copies.USED])]
    compared = int(counters[copies.COMPARED])
    if len(groups):
        first, main = int(np.argmin(groups["first_frame"])), int(np.argmax(groups["count"]))
        delay = found.typical_delay(main)
        place = Place(
            int(groups[first]["first_frame"]), int(groups[first]["first_ts"]), int(groups["last_frame"].max())
        )
        told = f"typically {duration(delay)} after the first record"
        yield Measure("duplicates", None, None, found.duplicates, compared, delay, "ns", place, told)
    else:
        yield Measure("duplicates", None, None, 0, compared)
    for k in sorted(range(len(groups)), key=lambda k: (-int(groups[k]["count"]), k))[:SUBJECTS]:
        yield _copies_of_pair(found, k, compared)
    again = int(counters[copies.REPEATED])
    place = _met(counters, again, copies.REPEATED_FRAME, copies.REPEATED_TS, copies.REPEATED_LAST)
    yield Measure("repeated", None, None, again, compared, place=place)


def _copies_of_pair(found: Copies, k: int, compared: int) -> Measure:
    one, delay = found.groups[k], found.typical_delay(k)
    frame = int(one["first_frame"])
    told = (
        f"{duration(int(one['least']))} to {duration(int(one['most']))} later, typically {duration(delay)}; "
        f"frame {frame} repeats frame {int(one['first_of'])}"
    )
    place = Place(frame, int(one["first_ts"]), int(one["last_frame"]))
    pair = "other pairs" if k == copies.GROUPS - 1 else _pair(one)
    return Measure("duplicates", None, pair, int(one["count"]), compared, delay, "ns", place, told)


def _pair(one: Any) -> str:
    """'interface 0 and 1, VLAN 10 and 20, 1 hop later'."""
    parts = []
    a, b = int(one["interface"]), int(one["other_interface"])
    parts.append(f"interface {a}" if a == b else f"interfaces {a} and {b}")
    a, b = int(one["vlan"]), int(one["other_vlan"])
    if a >= 0 or b >= 0:
        names = ["no VLAN" if vlan < 0 else f"VLAN {vlan}" for vlan in (a, b)]
        parts.append(names[0] if a == b else f"{names[0]} and {names[1]}")
    hops = int(one["hops"])
    if hops:
        parts.append(f"{abs(hops)} hop{'' if abs(hops) == 1 else 's'} {'later' if hops > 0 else 'earlier'}")
    return ", ".join(parts)


def _met(counters: Any, count: int, frame: int, ts: int, last: int) -> Place:
    """Where something was met, from counters."""
    return Place(int(counters[frame]), int(counters[ts]), int(counters[last])) if count else NOWHERE


def of_segments(found: Segments) -> Iterator[Measure]:
    """Order and completeness of TCP."""
    s, counters = segments, found.counters
    looked, flows = int(counters[s.SEGMENTS]), int(counters[s.FOLLOWED])
    late, most = int(counters[s.OVERTAKEN]), int(counters[s.OVERTAKEN_MOST])
    place = _met(counters, late, s.OVERTAKEN_FRAME, s.OVERTAKEN_TS, s.OVERTAKEN_LAST)
    told = f"up to {duration(most)} after a later one" if late else ""
    yield Measure("overtaken", None, None, late, looked, most, "ns", place, told)
    for metric, count, first, ts, last in (
        ("crossed", s.CROSSED, s.CROSSED_FRAME, s.CROSSED_TS, s.CROSSED_LAST),
        ("sent-again", s.REFILLED, s.REFILLED_FRAME, s.REFILLED_TS, s.REFILLED_LAST),
    ):
        number = int(counters[count])
        yield Measure(metric, None, None, number, looked, place=_met(counters, number, first, ts, last))
    unseen, size, ways = (int(counters[k]) for k in (s.ACKED, s.ACKED_BYTES, s.ACKED_FLOWS))
    place = _met(counters, unseen, s.ACKED_FRAME, s.ACKED_TS, s.ACKED_LAST)
    told = f"{size} bytes in {ways} of {2 * flows} directions of {flows} connections followed"
    yield Measure("unseen", None, None, unseen, None, size, "bytes", place, told)


def of_senders(found: Senders) -> Iterator[Measure]:
    """Checksums, trailers and hop counts."""
    rows = np.append(found.known(), found.others)
    headers, sums = int(rows["ip"].sum()), int(rows["sums"].sum())
    yield from _checksums("wrong-ip-sum", rows, "ip_wrong", "ip", headers)
    yield from _checksums("wrong-sum", rows, "wrong", "sums", sums)
    yield from _unfilled(rows, headers, sums)
    counters, s = found.counters, senders
    behind, most = int(counters[s.TRAILERS]), int(counters[s.TRAILER_MOST])
    told = f"{int(counters[s.TRAILER_LEAST])} to {most} bytes" if behind else ""
    place = _met(counters, behind, s.TRAILER_FRAME, s.TRAILER_TS, s.TRAILER_LAST)
    looked = int(counters[s.SAMPLED])
    yield Measure("behind-packet", None, None, behind, looked, most, "bytes", place, told)
    yield from _hop_counts(rows[:-1])


def _named(rows: Any, order: Any) -> Iterator[tuple[str, Any]]:
    """The first `SUBJECTS` senders that `order` puts in front, with their addresses; `found.others` has none."""
    chosen = rows[order[:SUBJECTS]]
    names = addresses(chosen["version"], chosen["hi"], chosen["lo"]).to_pylist()
    for name, one in zip(names, chosen, strict=True):
        yield (name if one["used"] else "other senders"), one


def _checksums(metric: str, rows: Any, column: str, whole: str, total: int) -> Iterator[Measure]:
    """The line of all senders, then those with wrong checksums."""
    stem = "ip" if whole == "ip" else column
    bad = rows[rows[column] > 0]
    yield Measure(metric, None, None, int(bad[column].sum()), total, place=_first_of(bad, stem))
    for name, one in _named(bad, np.argsort(-bad[column], kind="stable")):
        mine, looked = int(one[column]), int(one[whole])
        own_side = looked >= SIDE_LEAST and mine * 100 >= looked * SIDE_PERCENT
        told = (
            "all or nearly all of this sender's: left to its network card, not damaged on the way"
            if own_side
            else "among right ones of the same sender: damaged on the way or by the recorder"
        )
        place = Place(int(one[f"{stem}_frame"]), int(one[f"{stem}_ts"]), int(one[f"{stem}_last"]))
        yield Measure(metric, None, name, mine, looked, place=place, detail=told)


def _first_of(rows: Any, stem: str) -> Place:
    if not len(rows):
        return NOWHERE
    first = rows[int(np.argmin(rows[f"{stem}_frame"]))]
    return Place(int(first[f"{stem}_frame"]), int(first[f"{stem}_ts"]), int(rows[f"{stem}_last"].max()))


def _unfilled(rows: Any, headers: int, sums: int) -> Iterator[Measure]:
    counts = rows["unfilled"] + rows["ip_unfilled"]
    bad, counts = rows[counts > 0], counts[counts > 0]
    yield Measure("unfilled-sum", None, None, int(counts.sum()), headers + sums)
    for name, one in _named(bad, np.argsort(-counts, kind="stable")):
        stem = "unfilled" if one["unfilled"] else "ip"
        place = Place(int(one[f"{stem}_frame"]), int(one[f"{stem}_ts"]), int(one[f"{stem}_last"]))
        mine, looked = int(one["unfilled"]) + int(one["ip_unfilled"]), int(one["ip"]) + int(one["sums"])
        told = "recorded on the sending machine, before its network card"
        yield Measure("unfilled-sum", None, name, mine, looked, place=place, detail=told)


def _hop_counts(rows: Any) -> Iterator[Measure]:
    opening = rows[rows["syns"] > 0]
    bits = opening["ttls"]
    # one bit alone in one of the four words: a single time to live
    single = ((bits & (bits - np.uint64(1))) == 0).all(axis=1) & ((bits != 0).sum(axis=1) == 1)
    varied = opening[~single]
    yield Measure("hop-counts", None, None, len(varied), len(opening))
    spread = np.array([len(ttls_of(one)) for one in varied], np.int64)
    for name, one in _named(varied, np.argsort(-spread, kind="stable")):
        ttls = ttls_of(one)
        place = Place(int(one["syn_frame"]), int(one["syn_ts"]), int(one["syn_last"]))
        more = " ..." if len(ttls) > 12 else ""
        told = f"times to live of its {int(one['syns'])} SYNs: {', '.join(map(str, ttls[:12]))}{more}"
        yield Measure("hop-counts", None, name, len(ttls), None, place=place, detail=told)
