"""Signalling of calls in the clear shape of its bursts: an offer leaves one device and reaches another.

The content is encrypted. What is seen is that a burst as large as a description of a call (SDP and candidates, RFC
8866, RFC 8839) leaves a device on a messenger's connection just when the device sets up its media, and that one as
large reaches another device at that moment. So everything here is a coincidence of time, direction and size.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from wirecover.analysis.call_evidence import Group
from wirecover.analysis.evidence import SECOND, rows

OFFER_BYTES: Final = 600
"""Transport payload of a burst that may hold a description of a call."""
END_BYTES: Final = 100
"""Of one that may end it."""
LONGEST_RING: Final = 60 * SECOND
NEAR_START: Final = 1_500_000_000
"""A burst so close to the first packet of the set-up belongs to it; likewise at the end."""
NEAR_MEDIA: Final = 3 * SECOND
EARLY: Final = 500_000_000
ON_THE_WAY: Final = 2 * SECOND
"""An offer reaches the other side at most so long after it left, and (clocks) so much before it."""


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst on a messenger's connection."""

    client: str
    app: str
    flow_id: int
    capture_id: int
    up: bool
    ns: int
    bytes: int
    frame: int


@dataclass(frozen=True, slots=True)
class Signalling:
    """What the bursts around a group say."""

    app: str | None = None
    offer: Burst | None = None
    """The burst that left the caller."""
    arrival: Burst | None = None
    """The burst that reached the called side."""
    end: Burst | None = None
    """A burst on the same connection when the set-up ended."""
    caller: str | None = None
    callee: str | None = None

    @property
    def bursts(self) -> tuple[Burst, ...]:
        """Those that were found, in order of time."""
        some = {one for one in (self.offer, self.arrival, self.end) if one is not None}
        return tuple(sorted(some, key=lambda one: (one.ns, one.flow_id, one.up)))


NOTHING: Final = Signalling()

_NEAR: Final = """
SELECT w.call_no, b.client_ip, b.app, b.flow_id, b.capture_id, b.up, b.first_ns, b.bytes, b.first_frame
FROM call_windows w JOIN {table} b ON b.client_ip = w.client_ip AND b.first_ns BETWEEN w.from_ns AND w.to_ns
WHERE b.bytes >= w.bytes AND b.kind <> 'keepalive' AND b.app <> ''
ORDER BY ALL
"""
_ARRIVALS: Final = """
SELECT o.call_no, b.client_ip, b.app, b.flow_id, b.capture_id, b.up, b.first_ns, b.bytes, b.first_frame
FROM call_offers o
JOIN {table} b ON b.app = o.app AND NOT b.up AND b.client_ip <> o.client_ip
              AND b.first_ns BETWEEN o.ns - {early} AND o.ns + {late}
WHERE b.bytes >= {bytes} AND abs(b.bytes - o.bytes) <= greatest(200, greatest(b.bytes, o.bytes) // 5)
ORDER BY ALL
"""


def find_signalling(
    connection: duckdb.DuckDBPyConnection, table: str, groups: list[Group]
) -> dict[int, Signalling]:
    """The signalling of each group that has any; `table` holds the bursts of message_events."""
    if not groups:
        return {}
    near = _near(connection, table, groups)
    found: dict[int, Signalling] = {}
    alone: dict[int, Burst] = {}
    for group in groups:
        own = {leg.flow_id for leg in group.legs}  # media over QUIC is no signalling
        bursts = [one for one in near.get(group.number, []) if one.flow_id not in own]
        if len(group.observed) > 1 and (pair := _pair(group, bursts)):
            found[group.number] = pair
        elif one := _one_sided(group, bursts):
            found[group.number] = one
            if one.offer is not None and one.arrival is None:
                alone[group.number] = one.offer
    for number, arrival in _arrivals(connection, table, alone).items():
        told = found[number]
        found[number] = Signalling(told.app, told.offer, arrival, told.end, told.caller, arrival.client)
    return found


def _near(connection: duckdb.DuckDBPyConnection, table: str, groups: list[Group]) -> dict[int, list[Burst]]:
    """The bursts of the devices of each group around its set-up, its first media and its end."""
    windows = []
    for group in groups:
        start, end = group.span
        media = min((one.start_ns for one in group.streams), default=start + NEAR_START)
        for device in group.observed:
            windows.append((group.number, device, start - LONGEST_RING, media + NEAR_MEDIA, OFFER_BYTES))
            windows.append((group.number, device, end - NEAR_START, end + NEAR_START, END_BYTES))
    names = ("call_no", "client_ip", "from_ns", "to_ns", "bytes")
    columns = dict(zip(names, map(list, zip(*windows, strict=True)), strict=True)) if windows else {}
    if not columns:
        return {}
    near: dict[int, dict[Burst, None]] = defaultdict(dict)
    connection.register("call_windows", pa.table(columns))
    try:
        for number, *row in rows(connection, _NEAR.format(table=table)):
            near[number][Burst(*row)] = None
    finally:
        connection.unregister("call_windows")
    return {number: list(bursts) for number, bursts in near.items()}


def _alike(one: Burst, other: Burst) -> bool:
    return abs(one.bytes - other.bytes) <= max(200, max(one.bytes, other.bytes) // 5)


def _pair(group: Group, bursts: list[Burst]) -> Signalling | None:
    """An offer that left one observed device and reached another one of the group: the earliest such pair."""
    start, _ = group.span
    media = min((one.start_ns for one in group.streams), default=start + NEAR_START)
    offers = [one for one in bursts if one.up and one.bytes >= OFFER_BYTES
              and start - NEAR_MEDIA <= one.ns <= media + NEAR_MEDIA]  # fmt: skip
    downs = [one for one in bursts if not one.up and one.bytes >= OFFER_BYTES]
    for offer in sorted(offers, key=lambda one: (one.ns, one.client)):
        for down in sorted(downs, key=lambda one: (one.ns, one.client)):
            one_way = down.client != offer.client and down.app == offer.app
            if one_way and _alike(offer, down) and -EARLY <= down.ns - offer.ns <= ON_THE_WAY:
                end = _end(group, bursts, {offer.flow_id, down.flow_id})
                return Signalling(offer.app, offer, down, end, offer.client, down.client)
    return None


def _end(group: Group, bursts: list[Burst], flows: set[int]) -> Burst | None:
    """A burst on one of these connections when the group ended."""
    _, end = group.span
    near = [one for one in bursts if one.flow_id in flows and abs(one.ns - end) <= NEAR_START]
    return min(near, key=lambda one: (abs(one.ns - end), one.ns, one.flow_id, one.up), default=None)


def _one_sided(group: Group, bursts: list[Burst]) -> Signalling | None:
    """One device is seen. Its large bursts before the media, on one connection, are offer and answer.

    Only one of each is taken for that: with more, which is which cannot be told.
    """
    start, _ = group.span
    media = min((one.start_ns for one in group.streams), default=None)
    until = start + NEAR_START if media is None else media + EARLY
    large = [one for one in bursts if one.bytes >= OFFER_BYTES and one.ns <= until]
    by_flow: dict[int, list[Burst]] = defaultdict(list)
    for one in large:
        if not one.up or one.ns >= start - NEAR_MEDIA:
            by_flow[one.flow_id].append(one)
    for flow in sorted(by_flow, key=lambda number: (by_flow[number][0].ns, number)):
        some = sorted(by_flow[flow], key=lambda one: (one.ns, one.up))
        ups, downs = [one for one in some if one.up], [one for one in some if not one.up]
        end = _end(group, bursts, {flow})
        if len(ups) != 1 or abs(ups[0].ns - start) > NEAR_MEDIA:
            continue
        up = ups[0]
        after = [one for one in downs if one.ns > up.ns]
        before = [one for one in downs if one.ns < up.ns]
        if media is None:
            if end is not None and end != up and not before and abs(up.ns - start) <= NEAR_START:
                return Signalling(up.app, up, None, end, up.client, None)
        elif len(after) == 1 and not before:
            return Signalling(up.app, up, None, end, up.client, None)
        elif len(before) == 1 and not after:
            return Signalling(up.app, None, before[0], end, None, up.client)
    return None


def _arrivals(
    connection: duckdb.DuckDBPyConnection, table: str, offers: dict[int, Burst]
) -> dict[int, Burst]:
    """For offers without a seen other side: the one address that such a burst reached at that moment, if one only."""
    if not offers:
        return {}
    connection.register("call_offers", pa.table({
        "call_no": list(offers), "app": [one.app for one in offers.values()],
        "client_ip": [one.client for one in offers.values()], "ns": [one.ns for one in offers.values()],
        "bytes": [one.bytes for one in offers.values()],
    }))  # fmt: skip
    query = _ARRIVALS.format(table=table, early=EARLY, late=ON_THE_WAY, bytes=OFFER_BYTES)
    reached: dict[int, list[Burst]] = defaultdict(list)
    try:
        for number, *row in rows(connection, query):
            reached[number].append(Burst(*row))
    finally:
        connection.unregister("call_offers")
    return {
        number: min(some, key=lambda one: (one.ns, one.flow_id))
        for number, some in sorted(reached.items())
        if len({one.client for one in some}) == 1
    }
