"""The same packet more than once: copies by a mirror port, and copies that stand far apart.

Two TCP or UDP packets are the same when addresses, ports, IP identification, sequence and acknowledgement numbers,
flags, length and transport checksum are the same. Not compared are packets of which that says little: without a
checksum; bare acknowledgements and multicast without an IP identification (IPv6 has none, and RFC 6864 lets IPv4
leave it 0), which hosts do send twice. Of a large capture a sample is compared (`sample.py`).

Up to `WITHIN` apart they are copies of one packet that passed the recorder twice. From `FAR` on, a data segment of TCP
with an identification of its own is a copy that a mirror does not explain. What lies between is counted as repeated.

The memory is a table of `PLACES` packets in which a newer one takes the place of an older one. A copy is found as
long as that did not happen; a capture crafted against the table hides copies, it cannot make one up.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.quality.clock import since

WITHIN: Final = 10_000_000
"""Nanoseconds. A mirror port shows both sides of a switch or router within microseconds to a few milliseconds."""
FAR: Final = 1_000_000_000
PLACES: Final = 1 << 16
GROUPS: Final = 64
"""Pairs of interfaces and VLANs that are told apart; the last one stands for all others."""
DELAYS: Final = 1024
"""Delays of each pair that are kept, the first ones: their median is the typical delay."""

PLACE: Final = np.dtype([("ts", "i8"), ("frame", "i8"), ("interface", "i4"), ("vlan", "i4"), ("ttl", "u1")])
GROUP: Final = np.dtype(
    [
        ("count", "i8"), ("least", "i8"), ("most", "i8"), ("first_frame", "i8"), ("first_ts", "i8"),
        ("first_of", "i8"), ("last_frame", "i8"), ("interface", "i4"), ("other_interface", "i4"), ("vlan", "i4"),
        ("other_vlan", "i4"), ("hops", "i4"),
    ]
)  # fmt: skip
"""Copies of one kind: interface and VLAN (-1: none) of the first and of the second, and by how much the TTL fell."""

COMPARED, REPEATED, REPEATED_FRAME, REPEATED_TS, APART, APART_FRAME, APART_TS, APART_OF, APART_MOST, APART_LAST, \
    USED, REPEATED_LAST, DATA = range(13)  # fmt: skip
"""Indices into the counters. REPEATED: between `WITHIN` and `FAR` apart. APART: TCP data from `FAR` on; DATA: TCP data
segments that could have been found so. USED: groups in use."""


@kernel
def _mix(value: Any) -> Any:
    value ^= value >> np.uint64(32)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    return value ^ (value >> np.uint64(29))


@kernel
def _trace(row: Any) -> Any:
    """64 bits of what makes a packet the same; never 0."""
    numbers = (np.uint64(row.seq) << np.uint64(32)) | np.uint64(row.ack)
    marks = (
        (np.uint64(row.ip_id) << np.uint64(48))
        | (np.uint64(row.checksum) << np.uint64(32))
        | (np.uint64(row.src_port) << np.uint64(16))
        | np.uint64(row.dst_port)
    )
    kind = (
        (np.uint64(row.payload_bytes) << np.uint64(16))
        | (np.uint64(row.protocol) << np.uint64(8))
        | np.uint64(row.tcp_flags)
    )
    value = _mix(row.src_lo * np.uint64(0x9E3779B97F4A7C15) ^ row.dst_lo ^ (row.src_hi << np.uint64(1)))
    value = _mix(value + row.dst_hi * np.uint64(0x94D049BB133111EB) + marks)
    value = _mix((value ^ numbers) * np.uint64(0x9E3779B97F4A7C15) + kind)
    return value | np.uint64(1)


@kernel
def _is_multicast(row: Any) -> Any:
    if row.ip_version == 4:
        return (row.dst_lo >> np.uint64(28)) == np.uint64(14) or row.dst_lo == np.uint64(0xFFFFFFFF)
    return (row.dst_hi >> np.uint64(56)) == np.uint64(0xFF)


@kernel
def _group(groups: Any, counters: Any, place: Any, interface: Any, vlan: Any, hops: Any) -> Any:
    """The group of this kind of copy; the last one when all others are taken."""
    used = counters[USED]
    for k in range(used):
        one = groups[k]
        if (
            one.interface == place.interface
            and one.other_interface == interface
            and one.vlan == place.vlan
            and one.other_vlan == vlan
            and one.hops == hops
        ):
            return k
    if used == GROUPS:
        return GROUPS - 1
    one = groups[used]
    one.interface, one.other_interface = place.interface, interface
    one.vlan, one.other_vlan, one.hops = place.vlan, vlan, hops
    counters[USED] += 1
    return used


@kernel
def _copy(one: Any, delays: Any, row: Any, place: Any, apart: Any) -> None:
    """Count a copy of the packet in `place`."""
    if one.count == 0:
        one.first_frame, one.first_ts, one.first_of = row.frame, row.ts, place.frame
        one.least = apart
    if one.count < len(delays):
        delays[one.count] = apart
    one.count += 1
    one.least, one.most = min(one.least, apart), max(one.most, apart)
    one.last_frame = row.frame


@kernel
def look(row: Any, where: Any, traces: Any, places: Any, groups: Any, delays: Any, counters: Any) -> None:
    """One TCP or UDP packet with a checksum, in file order, recorded on interface `where`. traces[k] is the trace of
    the packet in places[k], 0 where there is none."""
    tcp = row.protocol == 6
    if row.ip_id == 0 and ((tcp and row.payload_bytes <= 0) or (not tcp and _is_multicast(row))):
        return
    counters[COMPARED] += 1
    data = tcp and row.payload_bytes > 0 and row.ip_id != 0
    if data:
        counters[DATA] += 1
    trace = _trace(row)
    at = np.int64((trace >> np.uint64(1)) & np.uint64(len(traces) - 1))
    place = places[at]
    if traces[at] == trace and row.ts >= place.ts:
        apart = since(row.ts, place.ts)
        if apart <= WITHIN:
            hops = np.int64(place.ttl) - np.int64(row.ttl)
            k = _group(groups, counters, place, where, row.vlan, hops)
            _copy(groups[k], delays[k], row, place, apart)
            return  # the first of them stays: a third copy is measured from it too
        if apart < FAR:
            if counters[REPEATED] == 0:
                counters[REPEATED_FRAME], counters[REPEATED_TS] = row.frame, row.ts
            counters[REPEATED] += 1
            counters[REPEATED_LAST] = row.frame
        elif data:
            if counters[APART] == 0:
                counters[APART_FRAME], counters[APART_TS], counters[APART_OF] = row.frame, row.ts, place.frame
            counters[APART] += 1
            counters[APART_MOST] = max(counters[APART_MOST], apart)
            counters[APART_LAST] = row.frame
    traces[at] = trace
    place.ts, place.frame = row.ts, row.frame
    place.interface, place.vlan, place.ttl = where, row.vlan, row.ttl


class Copies:
    """What was seen more than once in a capture."""

    def __init__(self) -> None:
        self.traces: NDArray[np.uint64] = np.zeros(PLACES, np.uint64)
        self.places: NDArray[Any] = np.zeros(PLACES, PLACE)
        self.groups: NDArray[Any] = np.zeros(GROUPS, GROUP)
        self.delays: NDArray[np.int64] = np.zeros((GROUPS, DELAYS), np.int64)
        self.counters: NDArray[np.int64] = np.zeros(16, np.int64)

    @property
    def duplicates(self) -> int:
        """Packets that are copies of one shortly before."""
        return int(self.groups["count"].sum())

    def typical_delay(self, group: int) -> int:
        """Median of the delays that were kept of a group (the lower one of two)."""
        kept = np.sort(self.delays[group, : min(DELAYS, int(self.groups[group]["count"]))])
        return int(kept[(len(kept) - 1) // 2]) if len(kept) else 0


def warm() -> None:
    """These kernels are compiled with `packets.observe`, which calls them."""
    from wirecover.capture.quality import packets

    packets.warm()
