"""Integers of variable length, as kernels read them."""

from typing import Any

import numpy as np

from wirecover.capture.kernels import kernel


@kernel
def varint(buffer: Any, at: int, end: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000 16) and the offset behind it; (0, -1) if it does not end before `end`."""
    if at >= end:
        return 0, -1
    size = 1 << (np.int64(buffer[at]) >> 6)
    if at + size > end:
        return 0, -1
    value = np.int64(buffer[at] & 0x3F)
    for i in range(at + 1, at + size):
        value = (value << 8) | np.int64(buffer[i])
    return value, at + size
