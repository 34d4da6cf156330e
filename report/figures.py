"""Figures as the page template draws them: positions on an axis, and the text beside them."""

from typing import Any, Final

from wirecover.report.escape import bounded, clipped
from wirecover.report.model import HeatTable, Lane, Panel, ResultDocument
from wirecover.report.words import Words, instant

AXIS: Final = 10_000
"""Positions run from 0 to this."""
_SECOND: Final = 1_000_000_000
_STEPS: Final = tuple(
    seconds * _SECOND
    for seconds in (
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400,
        7 * 86400, 14 * 86400, 28 * 86400, 91 * 86400, 182 * 86400, 364 * 86400, 1820 * 86400, 18200 * 86400,
    )
)  # fmt: skip
"""Distances between axis labels; they divide days and weeks, so that labels are round."""
_LABELS: Final = 7
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

View = dict[str, Any]


def timeline_view(document: ResultDocument, words: Words) -> View:
    """The panels, and the applications in the order of their fills."""
    apps = sorted({lane.app for panel in document.timeline for lane in panel.lanes})
    return {
        "apps": [clipped(app, 24) for app in apps],
        "panels": [_panel(panel, apps, words) for panel in document.timeline],
    }


def _panel(panel: Panel, apps: list[str], words: Words) -> View:
    first, last = padded(panel.first_ns, panel.last_ns)
    lanes = []
    before = None
    for lane in panel.lanes:
        endpoint = "" if lane.endpoint == before else clipped(lane.endpoint, 40)
        lanes.append(_lane(lane, endpoint, apps.index(lane.app), first, last))
        before = lane.endpoint
    begin, end = words.utc(panel.first_ns), words.utc(panel.last_ns)
    more = panel.lanes_total - len(panel.lanes)
    return {
        "title": words.say("timeline.panel", first=begin, last=end),
        "alternative": words.say("timeline.alternative", lanes=len(lanes), first=begin, last=end),
        "lanes": lanes,
        "more": words.say("timeline.more_lanes", count=words.number(more)) if more else "",
        "axis": axis(first, last),
    }


def padded(first: int, last: int) -> tuple[int, int]:
    """The axis: a fiftieth of room on both sides, and at least one second in all."""
    room = max((last - first) // 50, _SECOND // 2)
    return first - room, last + room


def place(ns: int, first: int, last: int) -> int:
    """Position of a time on the axis."""
    return min(max((ns - first) * AXIS // (last - first), 0), AXIS)


def _lane(lane: Lane, endpoint: str, style: int, first: int, last: int) -> View:
    most = max((tick.events for tick in lane.ticks), default=1)
    return {
        "endpoint": endpoint,
        "app": clipped(lane.app, 12),
        "style": style,
        "bars": [[place(bar.first_ns, first, last), place(bar.last_ns, first, last)] for bar in lane.bars],
        # a single event is drawn at two fifths of the height, so that it is seen beside a dense one
        "ticks": [[place(tick.ns, first, last), 40 + 60 * tick.events // most] for tick in lane.ticks],
    }


def axis(first: int, last: int) -> list[View]:
    """Axis labels at round times: the day is written at the first label and wherever it changes."""
    step = next((step for step in _STEPS if (last - first) // step <= _LABELS), _STEPS[-1])
    labels: list[View] = []
    day = ""
    for ns in range(-(-first // step) * step, last + 1, step):
        at = instant(ns)
        today = f"{at:%Y-%m-%d}"
        clock = (
            "" if step >= 86_400 * _SECOND else f"{at:%H:%M}" if step >= 60 * _SECOND else f"{at:%H:%M:%S}"
        )
        labels.append({"at": place(ns, first, last), "clock": clock, "day": today if today != day else ""})
        day = today
    return labels


def heat_view(document: ResultDocument, words: Words) -> View:
    """Activity by hour of the week: for each cell its count and its shade in percent of the largest."""
    return {
        "days": [words.say(f"rhythm.{day}") for day in DAYS],
        "tables": [_heat(table, words) for table in document.heat],
    }


def _heat(table: HeatTable, words: Words) -> View:
    most = max(table.counts)
    app = f", {bounded(table.app, 40)}" if table.app else ""
    endpoint = bounded(table.endpoint, 60)
    return {
        "caption": words.say(
            f"rhythm.caption_{table.unit}", endpoint=endpoint, app=app, zone=bounded(table.time_zone, 40),
            most=words.number(most),
            total=words.number(sum(table.counts)),
        ),
        "alternative": words.say("rhythm.alternative", endpoint=endpoint),
        "cells": [
            [
                {"text": _short(count), "shade": count * 100 // most}
                for count in table.counts[start : start + 24]
            ]
            for start in range(0, 168, 24)
        ],
    }  # fmt: skip


def _short(count: int) -> str:
    """A count in at most three characters, so that it fits its cell; nothing for nought."""
    if count < 1000:
        return str(count) if count else ""
    thousands = count // 1000
    return f"{thousands}k" if thousands < 100 else ">99k"
