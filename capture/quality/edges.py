"""Ends of TCP connections that a capture cuts: where their sequence numbers stand, for the seam to the next file.

A connection whose SYN, or whose FIN or RST, is not in the capture may go on in another file of the same interception.
Sequence numbers tell whether it does, and how many bytes lie between the files. IP identifications tell the same of
packets, where the sender counts them up: at least `COUNTED_PERCENT` of the steps of at least `COUNTED` packets.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.quality.segments import Segments
from wirecover.capture.tables import FLOW_ENDS

COUNTED: Final = 10
COUNTED_PERCENT: Final = 90
NONE: Final = -1
"""Stands for a number that is not known."""


def edge_columns(
    slots: NDArray[np.int32], flows: NDArray[Any], halves: NDArray[Any], segments: Segments
) -> list[pa.Array] | None:
    """Columns of `tables.FLOW_ENDS` by flow_no, of the cut ones among these flows; None when none is cut."""
    whole = (flows["syn"][slots] != 0) & ((flows["fin"][slots] == 3) | (flows["rst"][slots] != 0))
    slots = slots[~whole]
    if not len(slots):
        return None
    flow_nos = flows["flow_no"][slots]
    high = (flows["client"][slots] == 1).astype(np.int64)
    pairs, known = segments.of(slots, flow_nos)
    columns = [flow_nos.astype(np.int64)]
    for way in (high, 1 - high):
        half, end = 2 * slots.astype(np.int64) + way, 2 * pairs + way
        seen = halves["seq_known"][half] != 0
        columns += [
            np.where(seen, halves[name][half].astype(np.int64), NONE) for name in ("first_seq", "next_seq")
        ]
        ids, steps = (segments.ends[name][end].astype(np.int64) for name in ("ids", "steps"))
        counts = known & (ids >= COUNTED) & (steps * 100 >= (ids - 1) * COUNTED_PERCENT)
        columns += [
            np.where(counts, segments.ends[name][end].astype(np.int64), NONE)
            for name in ("first_id", "last_id")
        ]
    order = np.argsort(columns[0], kind="stable")
    return [
        pa.array(column[order], field.type, mask=column[order] == NONE)
        for column, field in zip(columns, FLOW_ENDS, strict=True)
    ]
