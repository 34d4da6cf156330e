"""Heartbeats and record lengths of a flow that fit an application to which something else points already.

What a shape is stands in `capture/apps/shapes.py`.
"""

from collections.abc import Collection
from typing import Final, NamedTuple

import duckdb

from wirecover.capture.apps.matcher import RuleSet
from wirecover.capture.apps.rule import EvidenceRule
from wirecover.capture.apps.shapes import SHAPE_KINDS, Payload, parse_shape

MOST_PACKETS: Final = 100_000
"""Payload-carrying packets of a flow that are looked at, the first ones."""


class FlowShape(NamedTuple):
    """A rule whose shape the flow has."""

    rule: EvidenceRule
    kind: str
    value: str
    """What was found, in words."""
    frame: int


_PACKETS_QUERY: Final = """
SELECT epoch_ns(ts), frame, up, payload_bytes, record_bytes, record_types FROM packets
WHERE flow_id = $flow AND payload_bytes > 0 ORDER BY ts, frame LIMIT $most
"""


def flow_shapes(
    connection: duckdb.DuckDBPyConnection, flow_id: int, rules: RuleSet, apps: Collection[str], at_ns: int
) -> tuple[FlowShape, ...]:
    """The shapes that rules of `apps` name, hold at that time and are found in the flow."""
    wanted = [
        (row, kind, value)
        for app in sorted(apps) if app in rules.apps
        for row in rules.apps[app].evidence if row.valid_from <= at_ns < row.valid_to
        for kind in row.kinds if kind in SHAPE_KINDS
        for value in row.values
    ]  # fmt: skip
    if not wanted:
        return ()
    payloads = [
        Payload(ns, frame, up, size, tuple(zip(lengths or (), types or (), strict=False)))
        for ns, frame, up, size, lengths, types in connection.execute(
            _PACKETS_QUERY, {"flow": flow_id, "most": MOST_PACKETS}
        ).fetchall()
    ]
    found = []
    for row, kind, value in wanted:
        shape = parse_shape(kind, value)
        fit = shape.fit(payloads) if shape is not None else None
        if fit is not None:
            what = "intervals" if kind == "timing" else "records"
            found.append(FlowShape(row, kind, f"{value}: {fit.agreeing} of {fit.total} {what}", fit.frame))
    return tuple(found)
