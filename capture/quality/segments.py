"""TCP directions as the recorder saw them: order, bytes acknowledged but never seen, clocks and counters of the sender.

`look` keeps for each direction how far its sender came (`top`), and judges by the other side's acknowledgements
(RFC 9293 3.4):

* An acknowledgement beyond `top` proves that bytes were sent, arrived, and are not in the capture. When they are found
  in the capture afterwards the two directions were recorded out of order, and they are taken off again.
* A segment that leaves a hole below it, which is filled within `LATE` by another one, was overtaken: out of order. One
  that fills it later was most likely sent again, after a loss that lies before the recorder.
* The TCP timestamp option is a clock of the sender (RFC 7323 5.4: a tick of 1 ms to 1 s; some are finer). Its rate is
  measured in the first intervals; after three that agree, each interval of a second or more is compared with the
  packet times. Both clocks measure the same time, so a difference of seconds means that one of them was wrong.
* Many senders count the IP identification up by one for each packet of a connection. First and last one are kept for
  the seams between files.

Memory is taken for a flow when more than its SYN is seen, so that a flood of SYNs takes none. Of a capture with
many flows a sample is followed (`sample.py`).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.quality.clock import since

LATE: Final = 3_000_000
"""Nanoseconds within which a segment that fills a hole counts as overtaken rather than sent again."""
WINDOW: Final = 1 << 26
"""No sequence gap is wider: beyond, numbers are garbage or of another connection."""
INTERVAL: Final = 1_000_000_000
"""Shortest stretch of time over which a sender's clock is compared with the recorder's."""
LONGEST_MEASURED: Final = 60_000_000_000
"""Longest stretch from which the rate of a sender's clock is measured."""
TICKS: Final = 10
"""Fewest ticks of the sender's clock in such a stretch."""
AGREE: Final = 3
"""Stretches that must agree on a rate before the clock is believed."""
CONTRADICTION: Final = 2_000_000_000
"""The two clocks contradict each other from this difference on, or a quarter of the stretch if that is more."""
SLOWEST, FASTEST = 500, 1_100_000_000
"""Ticks in 1000 s of a clock that is believed: 0.5 Hz to 1.1 MHz."""
FLOWS_KEPT: Final = 1 << 16
"""Flows that are followed at a time; what comes with more is counted as not followed."""

END: Final = np.dtype(
    [
        ("flow_no", "i8"), ("hole_ts", "i8"), ("clock_ts", "i8"), ("rate", "i8"), ("clock", "u4"),
        ("top", "u4"), ("hole_from", "u4"), ("hole_to", "u4"), ("gap_from", "u4"), ("gap_to", "u4"),
        ("gap_frame", "i8"), ("gap_ts", "i8"),
        ("ids", "u4"), ("steps", "u4"), ("first_id", "u2"), ("last_id", "u2"), ("known", "u1"), ("agreed", "u1"),
        ("ticking", "u1"), ("gaps", "u1"),
    ]
)  # fmt: skip
"""One direction. hole: what the newest early segment left out. gap: what was acknowledged
unseen last, and is counted when the next one comes or the flow ends. rate: ticks of
the sender's clock in 1000 s. ids, steps: packets with an IP identification, and those that counted it up by 1 to 8."""

SEGMENTS, LOST, ACKED, ACKED_BYTES, ACKED_FRAME, ACKED_TS, ACKED_LAST, ACKED_FLOWS, \
    OVERTAKEN, OVERTAKEN_FRAME, OVERTAKEN_TS, OVERTAKEN_LAST, OVERTAKEN_MOST, \
    REFILLED, CROSSED, CROSSED_FRAME, CROSSED_TS, CROSSED_LAST, \
    CLOCKS, COMPARED, AGAINST, AGAINST_FRAME, AGAINST_TS, AGAINST_MOST, AGAINST_MOST_FRAME, AGAINST_LAST, \
    AGAINST_CLOCKS, USED, REFILLED_FRAME, REFILLED_TS, REFILLED_LAST, FOLLOWED, FREED = range(33)  # fmt: skip
"""Indices into the counters. ACKED: acknowledgements of bytes never seen. OVERTAKEN: segments recorded out of order.
REFILLED: holes filled later. CROSSED: data recorded after its acknowledgement. CLOCKS: directions whose clock is
believed; COMPARED: stretches compared; AGAINST: those that contradict, AGAINST_MOST: by how much at most, signed (above
0: the recorder's clock ran ahead). FOLLOWED: flows."""


@kernel
def _ahead(a: Any, b: Any) -> Any:
    """a - b in the arithmetic of sequence numbers (RFC 9293 3.4)."""
    return np.int64(np.int32(np.uint32(a) - np.uint32(b)))


@kernel
def _timestamp(buffer: Any, at: Any, end: Any) -> Any:
    """TSval of the timestamp option (RFC 7323 3.2) among these options, or -1."""
    while at < end:
        kind = buffer[at]
        if kind == 0:
            return -1
        if kind == 1:
            at += 1
            continue
        if at + 2 > end or buffer[at + 1] < 2:
            return -1
        if kind == 8 and buffer[at + 1] == 10 and at + 10 <= end:
            return (
                (np.int64(buffer[at + 2]) << 24)
                | (np.int64(buffer[at + 3]) << 16)
                | (np.int64(buffer[at + 4]) << 8)
                | np.int64(buffer[at + 5])
            )
        at += np.int64(buffer[at + 1])
    return -1


@kernel
def _compare(one: Any, row: Any, value: Any, counters: Any) -> None:
    """A stretch of a second or more has passed since the sender's clock was last read: measure it, or compare."""
    passed = since(row.ts, one.clock_ts)
    ticks = _ahead(np.uint32(value), one.clock)
    if one.agreed < AGREE:
        if 0 <= passed <= LONGEST_MEASURED and 0 <= ticks < TICKS:
            return  # too few to measure by: wait for more
        rate = np.int64(0)
        if 0 < passed <= LONGEST_MEASURED and ticks > 0:
            rate = np.int64(np.float64(ticks) * 1e12 / np.float64(passed))
        if SLOWEST <= rate <= FASTEST:
            if one.agreed > 0 and abs(rate - one.rate) <= one.rate // 10:
                one.agreed += 1
            else:
                one.agreed = 1
                one.rate = rate
            if one.agreed == AGREE:
                counters[CLOCKS] += 1
        else:
            one.agreed = 0
    else:
        counters[COMPARED] += 1
        told = np.int64(np.float64(ticks) * 1e12 / np.float64(one.rate))
        error = since(passed, told)
        if abs(error) > max(CONTRADICTION, abs(passed) // 4):
            if counters[AGAINST] == 0:
                counters[AGAINST_FRAME], counters[AGAINST_TS] = row.frame, row.ts
            counters[AGAINST] += 1
            counters[AGAINST_LAST] = row.frame
            if abs(error) > abs(counters[AGAINST_MOST]):
                counters[AGAINST_MOST], counters[AGAINST_MOST_FRAME] = error, row.frame
            if one.agreed == AGREE:
                counters[AGAINST_CLOCKS] += 1
                one.agreed = AGREE + 1
    one.clock, one.clock_ts = np.uint32(value), row.ts


@kernel
def _clock(buffer: Any, row: Any, one: Any, counters: Any) -> None:
    """Read the sender's clock when it is time to."""
    if one.ticking == 2 or (one.ticking == 1 and abs(since(row.ts, one.clock_ts)) < INTERVAL):
        return
    end = min(row.payload, len(buffer))
    value = _timestamp(buffer, row.transport + 20, end) if row.transport >= 0 else -1
    if value < 0:
        if one.ticking == 0 and not row.tcp_flags & 0x02:
            one.ticking = 2  # no such option in the first segment behind the SYN: it was not agreed upon
        return
    if one.ticking == 0:
        one.ticking, one.clock, one.clock_ts = 1, np.uint32(value), row.ts
    else:
        _compare(one, row, value, counters)


@kernel
def _count_id(row: Any, one: Any) -> None:
    if row.ip_version != 4:
        return
    if one.ids == 0:
        one.first_id = row.ip_id
    else:
        step = (np.int64(row.ip_id) - np.int64(one.last_id)) & 0xFFFF
        if step == 0 and row.ip_id != 0:
            return  # a copy of the same packet
        if 1 <= step <= 8:
            one.steps += 1
    one.ids += 1
    one.last_id = row.ip_id


@kernel
def _settle(one: Any, counters: Any) -> None:
    """Count the gap that is still open: nothing has filled it."""
    size = _ahead(one.gap_to, one.gap_from)
    if size <= 0:
        return
    if counters[ACKED] == 0 or one.gap_frame < counters[ACKED_FRAME]:
        counters[ACKED_FRAME], counters[ACKED_TS] = one.gap_frame, one.gap_ts
    counters[ACKED] += 1
    counters[ACKED_BYTES] += size
    counters[ACKED_LAST] = max(counters[ACKED_LAST], one.gap_frame)
    if one.gaps == 0:
        counters[ACKED_FLOWS] += 1
        one.gaps = 1
    one.gap_from = one.gap_to


@kernel
def _acknowledged(row: Any, other: Any, counters: Any) -> None:
    """What this packet says of how far the other side came."""
    beyond = _ahead(row.ack, other.top)
    if not 0 < beyond < WINDOW:
        return
    if other.gap_from == other.gap_to or other.gap_to != other.top:
        _settle(other, counters)
        other.gap_from, other.gap_frame, other.gap_ts = other.top, row.frame, row.ts
    other.gap_to = other.top = np.uint32(row.ack)


@kernel
def _sent(row: Any, one: Any, counters: Any) -> None:
    """What this packet says of how far its sender came."""
    length = np.int64(max(0, row.payload_bytes))
    end = np.uint32(
        row.seq + np.uint32(length) + np.uint32(row.tcp_flags & 1) + np.uint32((row.tcp_flags >> 1) & 1)
    )
    if not one.known:
        one.top, one.known = end, 1
        return
    if _ahead(end, one.top) > 0:
        hole = _ahead(row.seq, one.top)
        if 0 < hole < WINDOW:
            one.hole_from, one.hole_to, one.hole_ts = one.top, np.uint32(row.seq), row.ts
        one.top = end
        return
    if length == 0:
        return
    if one.gap_from != one.gap_to:
        low = max(np.int64(0), _ahead(row.seq, one.gap_from))
        high = min(_ahead(end, one.gap_from), _ahead(one.gap_to, one.gap_from))
        if high > low:
            if counters[CROSSED] == 0:
                counters[CROSSED_FRAME], counters[CROSSED_TS] = row.frame, row.ts
            counters[CROSSED] += 1
            counters[CROSSED_LAST] = row.frame
            if low == 0:
                one.gap_from = np.uint32(one.gap_from + np.uint32(high))
            else:  # what lies behind it in the gap, if anything, is forgotten: no gap is claimed that may be filled
                one.gap_to = np.uint32(one.gap_from + np.uint32(low))
            return
    if _ahead(row.seq, one.hole_from) >= 0 and _ahead(one.hole_to, row.seq) > 0:
        late = since(row.ts, one.hole_ts)
        if 0 <= late <= LATE:
            if counters[OVERTAKEN] == 0:
                counters[OVERTAKEN_FRAME], counters[OVERTAKEN_TS] = row.frame, row.ts
            counters[OVERTAKEN] += 1
            counters[OVERTAKEN_LAST] = row.frame
            counters[OVERTAKEN_MOST] = max(counters[OVERTAKEN_MOST], late)
        else:
            if counters[REFILLED] == 0:
                counters[REFILLED_FRAME], counters[REFILLED_TS] = row.frame, row.ts
            counters[REFILLED] += 1
            counters[REFILLED_LAST] = row.frame
        if _ahead(row.seq, one.hole_from) == 0:
            one.hole_from = end if _ahead(one.hole_to, end) > 0 else one.hole_to
        elif _ahead(end, one.hole_to) >= 0:
            one.hole_to = np.uint32(row.seq)


@kernel
def _open(ends: Any, pair: Any, flow_no: Any, packet: Any, row: Any) -> None:
    """Begin to follow a flow at this packet; an answer to a SYN says how far the other side came."""
    for k in range(2):
        one = ends[2 * pair + k]
        one.flow_no = flow_no
        one.hole_ts = one.clock_ts = one.rate = one.gap_frame = one.gap_ts = 0
        one.clock = one.top = one.hole_from = one.hole_to = one.gap_from = one.gap_to = np.uint32(0)
        one.ids = one.steps = np.uint32(0)
        one.first_id = one.last_id = np.uint16(0)
        one.known = one.agreed = one.ticking = one.gaps = 0
    if (row.tcp_flags & 0x12) == 0x12:
        other = ends[2 * pair + 1 - packet]
        other.top, other.known = np.uint32(row.ack), 1


@kernel
def look(
    row: Any,
    buffer: Any,
    slot: Any,
    half: Any,
    flow_no: Any,
    pair_of: Any,
    ends: Any,
    free: Any,
    counters: Any,
) -> None:
    """One TCP packet, no reset, that the tracker put into a slot and half; pair_of[slot] is where the flow's two
    directions stand in `ends`, -1 where they have no place yet; `free` holds places that were given back."""
    pair = np.int64(pair_of[slot])
    if pair < 0 or ends[2 * pair].flow_no != flow_no:
        if (row.tcp_flags & 0x12) == 0x02 and row.payload_bytes <= 0:
            return
        if pair < 0:
            if counters[FREED] > 0:
                counters[FREED] -= 1
                pair = np.int64(free[counters[FREED]])
            elif 2 * counters[USED] + 2 > len(ends):
                counters[LOST] += 1
                return
            else:
                pair = counters[USED]
                counters[USED] += 1
            pair_of[slot] = pair
        counters[FOLLOWED] += 1
        _open(ends, pair, flow_no, half, row)
    one = ends[2 * pair + half]
    other = ends[2 * pair + 1 - half]
    counters[SEGMENTS] += 1
    if row.tcp_flags & 0x10 and other.known:
        _acknowledged(row, other, counters)
    _sent(row, one, counters)
    _count_id(row, one)
    _clock(buffer, row, one, counters)


@kernel
def close(slots: Any, flows: Any, pair_of: Any, ends: Any, free: Any, counters: Any) -> None:
    """Count what the flows in these slots leave open; they are over, and give their places back."""
    for slot in slots:
        if slot < len(pair_of) and pair_of[slot] >= 0:
            pair = np.int64(pair_of[slot])
            for k in range(2):
                if ends[2 * pair + k].flow_no == flows[slot].flow_no:
                    _settle(ends[2 * pair + k], counters)
            pair_of[slot] = -1
            free[counters[FREED]] = pair
            counters[FREED] += 1


class Segments:
    """The TCP directions of a capture."""

    def __init__(self) -> None:
        self.counters: NDArray[np.int64] = np.zeros(40, np.int64)
        self.pair_of: NDArray[np.int32] = np.zeros(0, np.int32)
        self.ends: NDArray[Any] = np.zeros(2 * FLOWS_KEPT, END)
        """Memory that is not used is not touched either."""
        self.free: NDArray[np.int32] = np.zeros(FLOWS_KEPT, np.int32)

    def make_room(self, slots: int) -> None:
        """Before packets are looked at, of flows in up to `slots` slots."""
        if len(self.pair_of) < slots:
            grown = np.full(slots, -1, np.int32)
            grown[: len(self.pair_of)] = self.pair_of
            self.pair_of = grown

    def close(self, slots: NDArray[np.int32], flows: NDArray[Any]) -> None:
        """The flows in these slots ended; ask for their ends before."""
        close(slots, flows, self.pair_of, self.ends, self.free, self.counters)

    def of(
        self, slots: NDArray[np.int32], flow_nos: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the flows in these slots have their pair of ends (0 where nowhere), and which of them have one."""
        pairs = np.full(len(slots), -1, np.int64)
        inside = slots < len(self.pair_of)
        pairs[inside] = self.pair_of[slots[inside]]
        known = pairs >= 0
        pairs = np.maximum(pairs, 0)
        return pairs, known & (self.ends["flow_no"][2 * pairs] == flow_nos)


def warm() -> None:
    """These kernels are compiled with `packets.observe`, which calls them."""
    from wirecover.capture.quality import packets

    packets.warm()
