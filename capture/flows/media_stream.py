"""One media stream: what is kept of it, and what one more packet with its SSRC does to that.

Random and foreign datagrams look like RTP often enough, so nothing is claimed of a stream before a run of
`QUALIFY` packets in which

* the payload type stays, and the sequence number grows by 1 to `NEAR` each time,
* the timestamp runs no faster than any media clock (`CLOCK_LIMIT`), nor stands still while time passes (`STILL`).

A packet captured twice in a row is passed over; any other one begins a new run. A stream is counted from the
first packet of the run that qualified it. From then on its sequence numbers are followed as in RFC 3550 A.1.
"""

from typing import Any, Final

import numpy as np

from wirecover.capture.flows.media_kind import LARGE, SMALL
from wirecover.capture.kernels import kernel

QUALIFY: Final = 3
"""Packets of a run before a stream is claimed. nDPI asks for as many; RFC 3550 A.1 (MIN_SEQUENTIAL) for two."""
NEAR: Final = 16
"""Largest step of the sequence number inside a run: some loss at the very beginning, no random jump."""
CLOCK_LIMIT: Final = 200_000
"""Ticks a second. The fastest media clock in use is that of 192 kHz audio; video has 90 kHz (RFC 3551)."""
CLOCK_SLACK: Final = 1_000_000_000
"""Nanoseconds that a timestamp may be away from the time of the capture: jitter, bursts, reordering."""
STILL: Final = 2_000_000_000
"""Nanoseconds within a run after which an unchanged timestamp is no media clock."""
MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
"""RFC 3550 A.1: a jump forward that is loss, a step back that is a late packet; else the sender began anew."""

STREAM: Final = np.dtype(
    [
        ("flow_no", "i8"), ("first_ts", "i8"), ("last_ts", "i8"), ("first_frame", "i8"), ("last_frame", "i8"),
        ("packets", "i8"), ("bytes", "i8"), ("lost", "i8"), ("gaps", "i8"), ("ticks", "i8"), ("clock_ts", "i8"),
        ("tick_ts", "i8"), ("small", "i8"), ("large", "i8"), ("joint", "i8"), ("votes", "i8"), ("slot", "i4"),
        ("profile", "i4"), ("restart", "i4"), ("ssrc", "u4"), ("rtp_ts", "u4"), ("seq", "u2"), ("channel", "u2"),
        ("half", "u1"), ("run", "u1"), ("payload_type", "u1"), ("type", "u1"),
    ]
)  # fmt: skip
"""run: packets of the present run, QUALIFY once the stream is claimed. payload_type, votes: the type of most
packets (majority vote of Boyer and Moore). type: that of the newest packet. ticks: how far the timestamps went
between the captures at clock_ts and tick_ts. joint: packets with the timestamp of the one before. restart: the
sequence number that would prove a new beginning, -1: none is awaited. profile: of the first header extension,
-1: none. channel: see `media.py`."""

_HALF: Final = 1 << 31
_WHOLE: Final = 1 << 32


@kernel
def begin(one: Any, row: Any, sequence: Any, timestamp: Any, kind: Any) -> None:
    """A run begins with this packet, which is yet to be counted."""
    one.first_ts, one.first_frame, one.last_ts = row.ts, row.frame, row.ts
    one.packets = one.bytes = one.lost = one.gaps = one.small = one.large = one.joint = one.votes = (
        one.ticks
    ) = 0
    one.clock_ts = one.tick_ts = row.ts
    one.seq, one.rtp_ts, one.type, one.payload_type = sequence, timestamp, kind, kind
    one.profile = one.restart = -1
    one.run = 1


@kernel
def count(one: Any, row: Any, kind: Any, size: Any, profile: Any) -> None:
    """One more packet with `size` bytes behind its header; `profile` as in STREAM."""
    one.last_ts, one.last_frame = max(row.ts, one.last_ts), row.frame
    one.packets += 1
    one.bytes += size
    one.small += size <= SMALL
    one.large += size >= LARGE
    if one.votes == 0:
        one.payload_type = kind
    one.votes += 1 if one.payload_type == kind else -1
    if one.profile < 0:
        one.profile = profile


@kernel
def follow(one: Any, row: Any, sequence: Any, timestamp: Any, kind: Any, size: Any, profile: Any) -> None:
    """One more packet that carries the SSRC of this stream."""
    step = (sequence - np.int64(one.seq)) & 0xFFFF
    if one.run < QUALIFY:
        if step == 0 and timestamp == one.rtp_ts:
            return  # captured twice
        if 1 <= step <= NEAR and kind == one.type and _is_clock(one, row, timestamp):
            one.run += 1
            _advance(one, row, sequence, timestamp, kind, step)
        else:
            begin(one, row, sequence, timestamp, kind)
    elif step < MAX_DROPOUT:
        if step > 0:
            one.restart = -1
            _advance(one, row, sequence, timestamp, kind, step)
    elif step <= 0x10000 - MAX_MISORDER:
        if sequence == one.restart:  # the second packet of a new beginning
            one.restart = -1
            one.seq, one.rtp_ts, one.type = sequence, timestamp, kind
            one.ticks, one.clock_ts, one.tick_ts = 0, row.ts, row.ts
        else:
            one.restart = (sequence + 1) & 0xFFFF
    elif one.lost > 0:
        one.lost -= 1  # late, not lost
    count(one, row, kind, size, profile)


@kernel
def _moved(one: Any, timestamp: Any) -> Any:
    """How far `timestamp` is ahead of the newest one, across the wrap."""
    return (timestamp - np.int64(one.rtp_ts) + _HALF) % _WHOLE - _HALF


@kernel
def _advance(one: Any, row: Any, sequence: Any, timestamp: Any, kind: Any, step: Any) -> None:
    """The newest packet of the stream is now this one, `step` numbers behind the one before."""
    if step > 1:
        one.gaps += 1
        one.lost += step - 1
    moved = _moved(one, timestamp)
    one.joint += moved == 0
    one.ticks += moved
    one.tick_ts = row.ts
    one.seq, one.rtp_ts, one.type = sequence, timestamp, kind


@kernel
def _is_clock(one: Any, row: Any, timestamp: Any) -> Any:
    """Whether `timestamp` may follow the newest one of the run, given the time between the two captures."""
    moved = _moved(one, timestamp)
    passed = abs(row.ts - one.tick_ts)
    if moved == 0:
        return passed < STILL
    # 2**40 ns in which every clock wraps keep the products inside 63 bits
    allowed = CLOCK_LIMIT * (min(passed, np.int64(1) << 40) + CLOCK_SLACK)
    return abs(moved) * 1_000_000_000 <= allowed


def warm() -> None:
    """Nothing of its own: `media` calls these kernels, and compiles them with its types."""
