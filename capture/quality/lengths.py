"""Lengths in the records of a file: what a snaplen cut off, and lengths that no recorder writes.

One pass over the length columns of a batch. A recorder keeps at most the snaplen that the file states, and never
more bytes of a frame than the frame had.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel

LONGEST_USUAL: Final = 1522
"""Bytes of the longest Ethernet frame with a VLAN tag and its check sequence (IEEE 802.3 3.2.7): a longer one is a
jumbo frame, or several segments that a network card or its driver joined."""

LENGTHS: Final = np.dtype(
    [
        ("frames", "i8"), ("cut", "i8"), ("cut_bytes", "i8"), ("cut_frame", "i8"), ("cut_ts", "i8"), ("cut_last", "i8"),
        ("longest", "i8"), ("beyond", "i8"), ("beyond_frame", "i8"), ("beyond_ts", "i8"), ("beyond_last", "i8"),
        ("inverted", "i8"), ("inverted_frame", "i8"), ("inverted_ts", "i8"), ("inverted_last", "i8"),
        ("joined", "i8"), ("joined_frame", "i8"), ("joined_ts", "i8"), ("joined_last", "i8"), ("joined_most", "i8"),
    ]
)  # fmt: skip
"""Of one interface. cut: fewer bytes kept than the frame had. beyond: more kept than the stated snaplen. inverted: more
kept than the frame had. joined: longer than `LONGEST_USUAL`."""


@kernel
def observe(
    captured: Any, original: Any, ts: Any, frames: Any, interface: Any, snaplens: Any, lengths: Any
) -> None:
    """Frames of one batch. snaplens[k] is what interface k promised, 0 where it promised nothing."""
    for i in range(len(captured)):
        one = lengths[interface[i]]
        one.frames += 1
        kept, wire = captured[i], original[i]
        one.longest = max(one.longest, kept)
        if kept < wire:
            if one.cut == 0:
                one.cut_frame, one.cut_ts = frames[i], ts[i]
            one.cut += 1
            one.cut_bytes += wire - kept
            one.cut_last = frames[i]
        elif kept > wire:
            if one.inverted == 0:
                one.inverted_frame, one.inverted_ts = frames[i], ts[i]
            one.inverted += 1
            one.inverted_last = frames[i]
        if wire > LONGEST_USUAL:
            if one.joined == 0:
                one.joined_frame, one.joined_ts = frames[i], ts[i]
            one.joined += 1
            one.joined_last = frames[i]
            one.joined_most = max(one.joined_most, wire)
        if snaplens[interface[i]] > 0 and kept > snaplens[interface[i]]:
            if one.beyond == 0:
                one.beyond_frame, one.beyond_ts = frames[i], ts[i]
            one.beyond += 1
            one.beyond_last = frames[i]


def new(count: int) -> NDArray[Any]:
    """Empty counts of `count` interfaces."""
    return np.zeros(count, LENGTHS)


def warm() -> None:
    """Compile the kernel with the types it is used with."""
    one = np.ones(1, np.int64)
    observe(one, one, one, one, np.zeros(1, np.int32), one, new(1))
