"""Activity rhythm: the hours of the week in which an address is active on an application, or quiet."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import duckdb
import numpy as np

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import nanoseconds, rows, streamed
from wirecover.analysis.findings import app_text, counted, parameters_json, result
from wirecover.analysis.local_time import QUARTER_NS, LocalQuarters, day_span, local_quarters, zone
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.message_events import prepare
from wirecover.analysis.quiet_time import QUARTERS, quiet_time, regularity
from wirecover.analysis.sightings import Seen, prepare_sightings, seen_by_endpoint
from wirecover.analysis.spans import Spans, covers, merged

LONGEST_COVERAGE_DAYS = 1500
"""Captures whose clocks claim more are not laid out day by day (a wrong clock, or a crafted file)."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """`time_zone` is an IANA name. Gaps in seconds, caps in rows."""

    time_zone: str = "UTC"
    fewest_days: int = 7
    fewest_events: int = 50
    quiet_percent: int = 10
    shortest_quiet_hours: int = 3
    coverage_gap_s: float = 60.0
    most_frames: int = 200
    most_findings: int = 10_000
    events: EventParameters = field(default_factory=EventParameters)

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        zone(self.time_zone)
        if self.fewest_days < 2 or self.fewest_events < 1:
            raise AnalysisError("fewest_days must be 2 or more, fewest_events 1 or more")
        if not 0 <= self.quiet_percent < 50 or not 1 <= self.shortest_quiet_hours <= 24:
            raise AnalysisError("quiet_percent must lie in 0..49, shortest_quiet_hours in 1..24")
        if self.coverage_gap_s < 0 or min(self.most_frames, self.most_findings) < 1:
            raise AnalysisError(
                "coverage_gap_s must not be negative, most_frames and most_findings 1 or more"
            )


@dataclass(frozen=True, slots=True)
class _Quarter:
    """One quarter hour of an endpoint: the counts, and the first frame of its first message-like burst."""

    number: int
    human_up: int
    human_down: int
    connecting: int
    keepalive: int
    first_ns: int
    last_ns: int
    frame: FrameRef | None


@dataclass(frozen=True, slots=True)
class _Days:
    """Days of a set of captures, in one time zone."""

    full: tuple[int, ...]
    """Ordinals of the local days that lie wholly inside the captures."""
    observed_quarters: tuple[int, ...] | None
    """Quarter hours inside the captures for each hour of the week; None when they claim too long a time."""


_QUARTERS_QUERY = """
SELECT app, client_ip, ns // 900000000000 AS quarter,
       count(*) FILTER (up AND kind IN ('text-like', 'media-like')),
       count(*) FILTER (NOT up AND kind IN ('text-like', 'media-like')),
       count(*) FILTER (kind = 'connect-like'), count(*) FILTER (kind = 'keepalive'),
       min(first_ns), max(ns),
       list([capture_id, first_frame, flow_id] ORDER BY ns, flow_id, up, first_frame)
           FILTER (kind IN ('text-like', 'media-like'))[1]
FROM {table} WHERE kind <> 'small'
GROUP BY app, client_ip, quarter ORDER BY app, client_ip, quarter
"""

_BUSIEST_QUERY = """
SELECT app, client_ip FROM {table} WHERE kind <> 'small' GROUP BY app, client_ip
ORDER BY count(*) FILTER (kind IN ('text-like', 'media-like')) DESC, app, client_ip
"""

_COVERAGE_QUERY = """
SELECT DISTINCT f.client_ip, c.capture_id, epoch_ns(c.first_ts), epoch_ns(c.last_ts)
FROM flows f JOIN captures c ON c.capture_id = f.capture_id
WHERE c.first_ts IS NOT NULL AND c.last_ts IS NOT NULL ORDER BY ALL
"""


class ActivityRhythm:
    """Detector: the rhythm of each endpoint and application."""

    name: ClassVar[str] = "activity_rhythm"
    version: ClassVar[str] = "2"
    question: ClassVar[str] = (
        "At which hours of the week is each address active on each application, and when is it quiet?"
    )
    method: ClassVar[str] = (
        "Message-like bursts (as the detector message_events extracts them; keepalives and bursts while "
        "connecting are counted apart) are counted by hour of the week in the stated time zone, beside the "
        "time that the captures of the address cover. From seven days that lie wholly inside the captures "
        "and fifty outgoing bursts on, the longest run of quarter hours is stated in which outgoing bursts "
        "occur on at most ten percent of these days, and the regularity: the mean overlap of the active "
        "hours of one day with those of the next (Jaccard index). With less, the observation is said to be "
        "too short."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        (
            "That a person slept, woke or was at work: quiet hours are hours without outgoing traffic of "
            "this application from this address."
        ),
        (
            "Which person was active: an address is not a person; several users of one device or address "
            "add up, several devices or networks of one user split."
        ),
        (
            "That activity was human: receipts, backups and scheduled or automatic messages that do not "
            "keep a constant interval and size count as activity."
        ),
        (
            "Activity with the screen locked or through pushed notifications that travel over another "
            "provider's connection."
        ),
        "The time zone in which a user lives: the zone is a choice made for the report.",
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """A fact with the counts of each endpoint; an assessment of its quiet time where that can be made."""
        parameters.check()
        where = zone(parameters.time_zone)
        table = prepare(connection, parameters.events)
        kept, left = _busiest(connection, table, parameters.most_findings)
        coverage: dict[str, list[tuple[int, int]]] = defaultdict(list)
        captures: dict[str, list[int]] = defaultdict(list)
        for client, capture, start, end in rows(connection, _COVERAGE_QUERY):
            coverage[client].append((start, end + 1))
            captures[client].append(capture)
        gap = nanoseconds(parameters.coverage_gap_s)
        known: dict[Spans, _Days] = {}
        findings: list[Finding] = []
        text = parameters_json(parameters)
        sightings = prepare_sightings(connection, parameters.events.clock_tolerance_s)
        seen = seen_by_endpoint(
            connection, sightings, include_unlabelled=parameters.events.include_unlabelled
        )
        stream = streamed(connection, _QUARTERS_QUERY.format(table=table))
        for (app, client), group in groupby(stream, key=lambda row: (row[0], row[1])):
            if (app, client) not in kept:
                continue
            spans = merged(coverage[client], gap)
            if spans not in known:
                known[spans] = _days(spans, where)
            quarters = [_quarter(row[2:]) for row in group]
            view = _View(
                app,
                client,
                quarters,
                known[spans],
                tuple(captures[client]),
                seen[client, app],
                where,
                parameters,
            )
            findings += view.findings(text)
        notes = [] if kept else ["No bursts of a known application: no rhythm."]
        if left:
            notes.append(f"{counted(left, 'address', 'addresses')} with the fewest bursts not listed.")
        return result(findings, notes=notes)


@dataclass(frozen=True, slots=True)
class _View:
    """One endpoint, ready to be described."""

    app: str
    client: str
    quarters: list[_Quarter]
    days: _Days
    captures: tuple[int, ...]
    """Exhibits that show the address at all: their time is the time in which it was observed."""
    seen: Seen
    where: ZoneInfo | None
    parameters: Parameters

    def findings(self, text: str) -> list[Finding]:
        local = local_quarters(np.array([one.number for one in self.quarters], dtype=np.int64), self.where)
        found = [self._counts(local, text)]
        if assessment := self._quiet(local, text):
            found.append(assessment)
        return found

    def _counts(self, local: LocalQuarters, text: str) -> Finding:
        week = {name: [0] * 168 for name in ("up", "down", "keepalive")}
        active = set()
        for one, hour, day in zip(
            self.quarters, local.hour_of_week.tolist(), local.day.tolist(), strict=True
        ):
            week["up"][hour] += one.human_up
            week["down"][hour] += one.human_down
            week["keepalive"][hour] += one.keepalive
            if one.human_up or one.human_down:
                active.add(day)
        up, down, beats = (sum(week[name]) for name in ("up", "down", "keepalive"))
        connecting = sum(one.connecting for one in self.quarters)
        shortage = self._shortage(up)
        statement = (
            f"Address {self.client} shows {counted(up + down, 'message-like burst')} ({up:,} going out, "
            f"{down:,} coming in) on {app_text(self.app)}, {self.seen.text()}, on "
            f"{counted(len(active), 'day')} ({self.parameters.time_zone}); {len(self.days.full):,} "
            f"{'day lies' if len(self.days.full) == 1 else 'days lie'} wholly inside the captures, "
            f"{len(active & set(self.days.full)):,} of them active. Apart from these: "
            f"{counted(beats, 'keepalive')}, {counted(connecting, 'burst')} while connecting."
        )
        if shortage:
            statement += f" {shortage}"
        details = {
            "time_zone": self.parameters.time_zone, "first_hour": "Monday 00:00",
            "hour_of_week_up": week["up"],
            "hour_of_week_down": week["down"], "hour_of_week_keepalive": week["keepalive"],
            "observed_quarter_hours": self.days.observed_quarters and list(self.days.observed_quarters),
            "active_days": len(active), "full_days": len(self.days.full),
            "active_full_days": len(active & set(self.days.full)), "bursts_while_connecting": connecting,
            "too_short": shortage, "exhibits": len(self.seen.captures),
            "flows_in_several_exhibits": self.seen.shared_flows,
        }  # fmt: skip
        return self._finding("fact", statement, details, self._frames(local), text)

    def _shortage(self, up: int) -> str | None:
        """Why no daily rhythm can be stated, or None."""
        if len(self.days.full) < self.parameters.fewest_days:
            return (
                f"Too short to state a daily rhythm: {counted(len(self.days.full), 'full day')} observed, "
                f"{self.parameters.fewest_days} needed."
            )
        if up < self.parameters.fewest_events:
            return (
                f"Too few bursts to state a daily rhythm: {up:,} going out, "
                f"{self.parameters.fewest_events} needed."
            )
        return None

    def _quiet(self, local: LocalQuarters, text: str) -> Finding | None:
        """The assessment: quiet time and regularity over the full days."""
        if self._shortage(sum(one.human_up for one in self.quarters)):
            return None
        hours: dict[int, set[int]] = {day: set() for day in self.days.full}
        for one, day, quarter in zip(self.quarters, local.day.tolist(), local.quarter.tolist(), strict=True):
            if one.human_up and day in hours:
                hours[day].add(quarter)
        active = {day: frozenset(quarters) for day, quarters in hours.items()}
        tolerated = len(active) * self.parameters.quiet_percent // 100
        quiet, likeness = quiet_time(active, tolerated), regularity(self.days.full, active)
        clock = self.parameters.time_zone
        bursts = "has outgoing message-like bursts on more than"
        if quiet.length == QUARTERS:
            sentence = f"no quarter hour of the day {bursts} {tolerated} of them"
        elif quiet.length < 4 * self.parameters.shortest_quiet_hours:
            sentence = f"there is no quiet time of {self.parameters.shortest_quiet_hours} hours or more"
        else:
            sentence = f"from {quiet.text()} ({clock}) no quarter hour {bursts} {tolerated} of them"
        if likeness is not None:
            sentence += (
                f"; the active hours of neighbouring days overlap by {float(likeness):.2f} on average "
                "(1: the same hours each day)"
            )
        statement = (
            f"Over {len(active)} full days, address {self.client} on {app_text(self.app)}: {sentence}. "
            "Quiet hours are not proof of rest or absence of any person."
        )
        details = {
            "time_zone": clock, "full_days": len(active), "tolerated_days": tolerated,
            "quiet_quarters": quiet.length,
            "quiet_from": quiet.text().split(" ")[0] if 0 < quiet.length < QUARTERS else None,
            "active_days_by_quarter": [sum(one in day for day in active.values()) for one in range(QUARTERS)],
            "regularity": None if likeness is None else round(float(likeness), 6),
        }  # fmt: skip
        score = None if likeness is None else float(likeness)
        return self._finding("assessment", statement, details, self._frames(local), text, score)

    def _frames(self, local: LocalQuarters) -> tuple[FrameRef, ...]:
        """The first message-like burst of each active day, up to the cap."""
        first: dict[int, FrameRef] = {}
        for one, day in zip(self.quarters, local.day.tolist(), strict=True):
            if one.frame is not None and day not in first:
                first[day] = one.frame
        return tuple(list(first.values())[: self.parameters.most_frames])

    def _finding(
        self, kind: Any, statement: str, details: dict[str, Any], frames: tuple[FrameRef, ...], text: str,
        score: float | None = None,
    ) -> Finding:  # fmt: skip
        return Finding(
            pattern=ActivityRhythm.name, version=ActivityRhythm.version, kind=kind, statement=statement,
            parameters=text, first_ns=min(one.first_ns for one in self.quarters),
            last_ns=max(one.last_ns for one in self.quarters), subject=self.client, app=self.app or None,
            score=score, details=details, frames=frames, capture_ids=self.captures,
        )  # fmt: skip


def _busiest(
    connection: duckdb.DuckDBPyConnection, table: str, most: int
) -> tuple[set[tuple[str, str]], int]:
    """The endpoints (application, address) with most message-like bursts, and how many are left out."""
    ranked = rows(connection, _BUSIEST_QUERY.format(table=table))
    return {(app, client) for app, client in ranked[:most]}, max(0, len(ranked) - most)


def _quarter(row: tuple[Any, ...]) -> _Quarter:
    number, up, down, connecting, keepalive, first_ns, last_ns, first = row
    frame = FrameRef(first[0], first[1], first[2], "first message-like burst of a day") if first else None
    return _Quarter(number, up, down, connecting, keepalive, first_ns, last_ns, frame)


def _days(spans: Spans, where: ZoneInfo | None) -> _Days:
    """The full days and the observed time of a set of captures."""
    whole_days = sum(end - start for start, end in spans) // (96 * QUARTER_NS)
    if not spans or whole_days > LONGEST_COVERAGE_DAYS:
        return _Days((), None)
    inside = np.concatenate(
        [np.arange(-(-start // QUARTER_NS), end // QUARTER_NS, dtype=np.int64) for start, end in spans]
    )
    local = local_quarters(inside, where)
    candidates = sorted(set(local.day.tolist()))
    full = tuple(day for day in candidates if covers(spans, *day_span(day, where)))
    return _Days(full, tuple(np.bincount(local.hour_of_week, minlength=168).tolist()))
