"""The figures: who used what when, on one time axis, and activity by hour of the week.

Bars are the sessions the session detector found, or the labelled flows when it has not run. Bars and marks
closer than a printed line is wide are joined, so the figure is bounded whatever the case holds; the joined
bar keeps its first and last packet. A silence much longer than all activity starts a new panel, or a case
of two evenings a year apart would be drawn as two dots.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeGuard

import duckdb

from wirecover.report.findings import json_object
from wirecover.report.model import Bar, Finding, HeatTable, Lane, Panel, Tick

SESSION_PATTERN: Final = "app_sessions"
LANES: Final = 18
"""Lanes of one panel; further ones are counted."""
PANELS: Final = 4
HEAT_TABLES: Final = 4
_STEPS: Final = 400
"""Parts of the axis: bars closer than one are joined, marks within one are one mark."""
_SILENCE: Final = 4
"""A silence longer than this many times all activity starts a new panel."""

# Each query below stands on `report_bars`, which is one of these two.
_SESSIONS: Final = """
    WITH report_bars AS (SELECT subject AS endpoint, app, epoch_ns(first_ts) AS first,
        epoch_ns(last_ts) AS last
    FROM findings WHERE pattern = 'app_sessions' AND app IS NOT NULL AND subject IS NOT NULL
      AND first_ts IS NOT NULL AND last_ts IS NOT NULL)"""
_LABELLED_FLOWS: Final = """
    WITH report_bars AS (SELECT client_ip AS endpoint, app, epoch_ns(first_ts) AS first,
        epoch_ns(last_ts) AS last
    FROM flow_sightings WHERE counted AND app IS NOT NULL AND first_ts IS NOT NULL AND last_ts IS NOT NULL)"""
_ACTIVE: Final = """
    , marked AS (
        SELECT first, last, first > max(last) OVER (
            ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS starts
        FROM report_bars
    ), numbered AS (
        SELECT first, last, sum(coalesce(starts, true)::INT) OVER (ORDER BY first, last) AS part FROM marked
    )
    SELECT min(first), max(last) FROM numbered GROUP BY part ORDER BY 1"""
_BARS: Final = """
    , chosen AS (
        SELECT endpoint, app FROM report_bars WHERE first >= $first AND last <= $last
        GROUP BY ALL ORDER BY count(*) DESC, endpoint, app LIMIT $lanes
    ), marked AS (
        SELECT endpoint, app, first, last, first - max(last) OVER (
            PARTITION BY endpoint, app ORDER BY first, last
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > $step AS starts
        FROM report_bars JOIN chosen USING (endpoint, app) WHERE first >= $first AND last <= $last
    ), numbered AS (
        SELECT *, sum(coalesce(starts, true)::INT) OVER (
            PARTITION BY endpoint, app ORDER BY first, last) AS part
        FROM marked
    )
    SELECT endpoint, app, min(first), max(last) FROM numbered GROUP BY endpoint, app, part ORDER BY ALL"""
_TICKS: Final = """
    SELECT f.client_ip, f.app, min(epoch_ns(e.ts)), count(*)
    FROM events e JOIN flows f USING (flow_id)
    WHERE f.app IS NOT NULL AND epoch_ns(e.ts) BETWEEN $first AND $last
      AND coalesce(e.kind, '') <> 'keepalive'
    GROUP BY f.client_ip, f.app, (epoch_ns(e.ts) - $first) // $step ORDER BY ALL"""
_LANES_TOTAL: Final = """
    SELECT count(*) FROM (
        SELECT DISTINCT endpoint, app FROM report_bars WHERE first >= $first AND last <= $last)"""
_RHYTHMS_READ: Final = 200
_RHYTHMS: Final = """
    SELECT subject, app, details FROM findings WHERE pattern = 'activity_rhythm' AND subject IS NOT NULL
    ORDER BY kind = 'assessment', first_ts NULLS LAST, subject, app, finding_id LIMIT ?"""
_HEAT: Final = """
    SELECT (isodow(moment::TIMESTAMP) - 1) * 24 + hour(moment::TIMESTAMP), count(*) FROM (
        SELECT e.ts AS moment FROM events e JOIN flows f USING (flow_id)
        WHERE $events AND f.client_ip = $endpoint AND ($app IS NULL OR f.app = $app)
          AND coalesce(e.kind, '') <> 'keepalive'
        UNION ALL
        SELECT first_ts AS moment FROM flow_sightings
        WHERE counted AND NOT continues AND NOT $events AND client_ip = $endpoint AND ($app IS NULL OR app = $app)
    ) GROUP BY ALL ORDER BY ALL"""


def read_timeline(connection: duckdb.DuckDBPyConnection, findings: Sequence[Finding]) -> tuple[Panel, ...]:
    """The panels of the timeline figure, at most `PANELS`, each with at most `LANES` lanes."""
    has_sessions = any(finding.pattern == SESSION_PATTERN and finding.app for finding in findings)
    bars = _SESSIONS if has_sessions else _LABELLED_FLOWS
    active = [(first, last) for first, last in connection.execute(bars + _ACTIVE).fetchall()]
    return tuple(_panel(connection, bars, first, last) for first, last in stretches(active))


def stretches(active: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ascending disjoint times of activity as at most `PANELS` stretches, cut at the longest silences."""
    if not active:
        return []
    busy = sum(last - first for first, last in active)
    gaps = (after[0] - before[1] for before, after in pairwise(active))
    silences = sorted(((gap, number) for number, gap in enumerate(gaps)), reverse=True)
    cuts = sorted(place for length, place in silences[: PANELS - 1] if length > _SILENCE * max(busy, 10**9))
    edges = [-1, *cuts, len(active) - 1]
    return [(active[before + 1][0], active[last][1]) for before, last in pairwise(edges)]


def _panel(connection: duckdb.DuckDBPyConnection, source: str, first: int, last: int) -> Panel:
    limits = {"first": first, "last": last}
    step = max((last - first) // _STEPS, 1)
    asked = {**limits, "step": step, "lanes": LANES}
    bars: dict[tuple[str, str], list[Bar]] = {}
    for endpoint, app, start, end in connection.execute(source + _BARS, asked).fetchall():
        bars.setdefault((endpoint, app), []).append(Bar(start, end))
    ticks: dict[tuple[str, str], list[Tick]] = {}
    for endpoint, app, at, events in connection.execute(_TICKS, {**limits, "step": step}).fetchall():
        ticks.setdefault((endpoint, app), []).append(Tick(at, events))
    total = connection.execute(source + _LANES_TOTAL, limits).fetchone()
    assert total is not None  # an aggregate always gives one row
    lanes = (Lane(*key, tuple(found), tuple(ticks.get(key, ()))) for key, found in sorted(bars.items()))
    return Panel(first, last, tuple(lanes), total[0])


def read_heat(connection: duckdb.DuckDBPyConnection) -> tuple[HeatTable, ...]:
    """Activity by hour of the week of the addresses that have a rhythm finding: the `HEAT_TABLES` busiest.

    The hours are those the finding itself counted, in its time zone; where it does not hold them, events (or
    else flows) are counted here, in UTC.
    """
    wanted: dict[tuple[str, str | None], HeatTable] = {}
    for endpoint, app, details in connection.execute(_RHYTHMS, [_RHYTHMS_READ]).fetchall():
        if (endpoint, app) not in wanted:
            wanted[endpoint, app] = _counted_hours(endpoint, app, details) or _heat(connection, endpoint, app)
    busiest = sorted(wanted.values(), key=lambda table: -sum(table.counts))
    return tuple(table for table in busiest[:HEAT_TABLES] if any(table.counts))


def _counted_hours(endpoint: str, app: str | None, details: str | None) -> HeatTable | None:
    """The hours of the week as the finding counted them; None when it holds none."""
    facts = json_object(details)
    up, down = facts.get("hour_of_week_up"), facts.get("hour_of_week_down")
    if not (_is_week(up) and _is_week(down)):
        return None
    counts = tuple(a + b for a, b in zip(up, down, strict=True))
    return HeatTable(endpoint, app, "events", str(facts.get("time_zone", "UTC")), counts)


def _is_week(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and len(value) == 168 and all(type(n) is int and n >= 0 for n in value)


def _heat(connection: duckdb.DuckDBPyConnection, endpoint: str, app: str | None) -> HeatTable:
    for unit in ("events", "flows"):
        named = {"endpoint": endpoint, "app": app, "events": unit == "events"}
        counted = dict(connection.execute(_HEAT, named).fetchall())
        if counted:
            break
    return HeatTable(endpoint, app, unit, "UTC", tuple(counted.get(hour, 0) for hour in range(168)))
