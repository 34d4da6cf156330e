"""The recorder's clock, as the frames show it: order, silence, resolution and regularity of time stamps.

`observe` is one pass over the time column of a batch. Every interface has a clock of its own, since a file may hold
several recorders; the order over the whole file is counted beside it. Frames whose time is 0 have none (the reader
says so) and are left out. All of it depends on the order of the frames alone, never on the size of a batch.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel

SECOND: Final = 1_000_000_000
INT64_MAX: Final = (1 << 63) - 1
STEP: Final = SECOND
"""A time stamp that is earlier than the one before by this much or more is a clock set back, not a queue."""

CLOCK: Final = np.dtype(
    [
        ("frames", "i8"), ("timeless", "i8"), ("timeless_frame", "i8"), ("first_ts", "i8"), ("last_ts", "i8"),
        ("first_frame", "i8"), ("last_frame", "i8"),
        ("back", "i8"), ("back_frame", "i8"), ("back_ts", "i8"), ("back_most", "i8"), ("back_last", "i8"),
        ("step", "i8"), ("step_frame", "i8"), ("step_ts", "i8"), ("step_most", "i8"), ("step_last", "i8"),
        ("silence", "i8"), ("silence_frame", "i8"), ("silence_ts", "i8"),
        ("unit", "i8"), ("still", "i8"), ("still_frame", "i8"),
        ("interval", "i8"), ("run", "i8"), ("run_frame", "i8"),
        ("run_most", "i8"), ("run_interval", "i8"), ("run_most_frame", "i8"), ("alike", "i8"),
    ]
)  # fmt: skip
"""One clock. back: frames earlier than the frame before; step: those by `STEP` or more; most: by how much. unit: the
largest power of ten, in nanoseconds, that divides every time. still: frames with exactly the time of the one before.
run: how many intervals in a row were equal (and not 0); alike: intervals that equal the one before them."""


@kernel
def since(ts: Any, before: Any) -> Any:
    """Nanoseconds from `before` to `ts`; crafted times far apart give the largest number there is, not another one."""
    # asked before the subtraction: compiled code takes for granted that none overflows
    if ts >= 0 and before < 0 and ts > INT64_MAX + before:
        return INT64_MAX
    if ts < 0 and before >= 0 and ts < before - INT64_MAX:
        return -INT64_MAX
    return ts - before


@kernel
def _take(clock: Any, ts: Any, frame: Any, finest: Any) -> None:
    """One frame on one clock; `finest` is where the search for the unit may stop."""
    clock.frames += 1
    if ts == 0:
        if clock.timeless == 0:
            clock.timeless_frame = frame
        clock.timeless += 1
        return
    while clock.unit > finest and ts % clock.unit != 0:
        clock.unit //= 10
    clock.last_frame = frame
    if clock.first_frame == 0:
        clock.first_frame, clock.first_ts, clock.last_ts = frame, ts, ts
        return
    interval = since(ts, clock.last_ts)
    clock.last_ts = ts
    if interval < 0:
        if clock.back == 0:
            clock.back_frame, clock.back_ts = frame, ts
        clock.back += 1
        clock.back_last = frame
        clock.back_most = max(clock.back_most, -interval)
        if -interval >= STEP:
            if clock.step == 0:
                clock.step_frame, clock.step_ts = frame, ts
            clock.step += 1
            clock.step_last = frame
            clock.step_most = max(clock.step_most, -interval)
    elif interval == 0:
        if clock.still == 0:
            clock.still_frame = frame
        clock.still += 1
    elif interval > clock.silence:
        clock.silence, clock.silence_frame, clock.silence_ts = interval, frame, ts
    if interval == clock.interval and interval > 0:
        clock.run += 1
        clock.alike += 1
        if clock.run > clock.run_most:
            clock.run_most, clock.run_interval, clock.run_most_frame = clock.run, interval, clock.run_frame
    else:
        clock.run, clock.run_frame = 1, frame
    clock.interval = interval


@kernel
def observe(ts: Any, frames: Any, interface: Any, finest: Any, clocks: Any, several: Any) -> None:
    """Frames of one batch. clocks[k + 1] is interface k and finest[k] its claimed tick; clocks[0] is the whole file,
    which is kept where there are several interfaces."""
    for i in range(len(ts)):
        k = np.int64(interface[i])
        _take(clocks[k + 1], ts[i], frames[i], finest[k])
    if not several:
        return
    whole = clocks[0]
    for i in range(len(ts)):
        _take(whole, ts[i], frames[i], SECOND)


def new(count: int) -> NDArray[Any]:
    """`count` clocks that have seen nothing."""
    clocks = np.zeros(count, CLOCK)
    clocks["unit"] = SECOND
    return clocks


def warm() -> None:
    """Compile the kernel with the types it is used with."""
    one = np.ones(1, np.int64)
    observe(one, one, np.zeros(1, np.int32), one, new(2), 0)
