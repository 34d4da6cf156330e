"""Calls with their sides, times and first frames, and what the detectors left out."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import duckdb

from wirecover.report.findings import label_of
from wirecover.report.model import Call, Exhibit, Frames

MOST_FRAMES: Final = 24
"""First frames of legs kept for one call in one exhibit; all legs are in the case's call_flows table."""
_CALLS: Final = """
    SELECT call_id, app, caller_ip, callee_ip, party_ips, epoch_ns(setup_ts), epoch_ns(ring_ts), epoch_ns(answer_ts),
           epoch_ns(end_ts), state, media, relayed, legs, views, packets_out, packets_in, confidence
    FROM calls ORDER BY setup_ts, call_id"""
_FRAMES: Final = """
    SELECT call_id, capture_id, list_sort(list(DISTINCT first_frame)) FROM call_flows
    WHERE first_frame IS NOT NULL GROUP BY call_id, capture_id ORDER BY ALL"""
_NOTES: Final = "SELECT pattern, note FROM analysis_notes ORDER BY pattern, seq"


def read_calls(connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]) -> tuple[Call, ...]:
    """All calls, in order of their set-up."""
    labels = {exhibit.capture_id: exhibit.label for exhibit in exhibits}
    order = {exhibit.label: place for place, exhibit in enumerate(exhibits)}
    frames = _read_frames(connection, labels, order)
    return tuple(
        Call(
            call_id=call, app=app, caller=caller, callee=callee, parties=tuple(parties or ()), setup_ns=setup,
            ring_ns=ring, answer_ns=answer, end_ns=end, state=state, media=media, relayed=relayed, legs=legs,
            views=views, packets_out=out, packets_in=into, confidence=confidence, frames=frames.get(call, ()),
        )
        for (call, app, caller, callee, parties, setup, ring, answer, end, state, media, relayed, legs, views, out,
             into, confidence) in connection.execute(_CALLS).fetchall()
    )  # fmt: skip


def _read_frames(
    connection: duckdb.DuckDBPyConnection, labels: Mapping[int, str], order: Mapping[str, int]
) -> dict[int, tuple[Frames, ...]]:
    found: dict[int, list[Frames]] = defaultdict(list)
    for call, capture, frames in connection.execute(_FRAMES).fetchall():
        ranges = tuple((frame, frame) for frame in frames[:MOST_FRAMES])
        found[call].append(Frames(label_of(labels, capture), len(frames), ranges))
    return {
        call: tuple(sorted(some, key=lambda one: (order.get(one.exhibit, len(order)), one.exhibit)))
        for call, some in found.items()
    }


def read_notes(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """What each detector said of its last run."""
    notes: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for pattern, note in connection.execute(_NOTES).fetchall():
        notes[pattern] += (note,)
    return dict(notes)
