"""One look at each packet, for all that is asked of packets: rows of a batch are read from memory only once."""

from typing import Any

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import OK
from wirecover.capture.quality import copies, segments, senders
from wirecover.capture.quality.sample import (
    BELOW,
    COMPARED,
    FLOWS,
    FRAMES,
    ONE_CHECKSUM_IN,
    ONE_FLOW_IN,
    SPREAD,
)

_look_for_copy, _look_at_sender, _look_at_segment = copies.look, senders.look, segments.look


@kernel
def observe(
    rows: Any,
    start: Any,
    stop: Any,
    buffer: Any,
    offset: Any,
    original: Any,
    interface: Any,
    first_frame: Any,
    traces: Any,
    places: Any,
    groups: Any,
    delays: Any,
    copied: Any,
    sender_table: Any,
    sent: Any,
    slot_of: Any,
    half_of: Any,
    flows: Any,
    pair_of: Any,
    ends: Any,
    free: Any,
    followed: Any,
) -> None:
    """Packets start..stop of a batch, after the tracker followed them. copied, sent and followed are the counters of
    `copies`, `senders` and `segments`; offset, original and interface are columns of the frames of the batch."""
    for i in range(start, stop):
        row = rows[i]
        if row.status != OK:
            continue
        protocol, frame = row.protocol, row.frame
        tcp = protocol == 6
        compared = frame <= COMPARED or row.checksum & (ONE_CHECKSUM_IN - 1) == 0
        if (tcp or protocol == 17) and row.checksum != 0 and compared:
            _look_for_copy(row, interface[frame - first_frame], traces, places, groups, delays, copied)
        close = frame <= FRAMES or (frame * SPREAD) & 0xFFFFFFFF < BELOW
        if row.network >= 0 and (close or (compared and tcp and (row.tcp_flags & 0x12) == 0x02)):
            k = frame - first_frame
            _look_at_sender(row, buffer, offset[k], original[k], close, sender_table, sent)
        if tcp and slot_of[i] >= 0 and not row.tcp_flags & 0x04:
            slot = slot_of[i]
            flow_no = flows[slot].flow_no
            if flow_no < FLOWS or flow_no & (ONE_FLOW_IN - 1) == 0:
                _look_at_segment(
                    row, buffer, slot, np.int64(half_of[i]), flow_no, pair_of, ends, free, followed
                )


def warm() -> None:
    """Compile the kernel, and those it calls, with the types they are used with."""
    from wirecover.capture.flows.state import FLOW
    from wirecover.capture.packets.record import PACKET

    one, flows, found = np.zeros(1, np.int64), np.zeros(1, FLOW), segments.Segments()
    found.make_room(1)
    seen, known = copies.Copies(), senders.Senders()
    observe(
        np.zeros(1, PACKET), 0, 1, np.zeros(64, np.uint8), one, one, np.zeros(1, np.int32), 0, seen.traces,
        seen.places, seen.groups, seen.delays, seen.counters, known.table, known.counters, np.full(1, -1, np.int32),
        np.zeros(1, np.uint8), flows, found.pair_of, found.ends, found.free, found.counters,
    )  # fmt: skip
    found.close(np.zeros(1, np.int32), flows)
