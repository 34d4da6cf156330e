"""Message events: bursts of application data that may be messages, and those that are not.

`sql/message_bursts.sql` is the method; this module runs it once per connection and set of parameters, keeps
its answer in a temporary table of the connection (other detectors read it there), and makes the `events`.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import duckdb

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import ask, nanoseconds, rows
from wirecover.analysis.findings import app_text, counted, parameters_json, result, utc_text
from wirecover.analysis.sightings import Seen, check_tolerance, prepare_sightings, seen_by_endpoint
from wirecover.casefile.derived import EVENTS

KINDS = ("text-like", "media-like", "receipt-like", "connect-like", "keepalive", "small")
MESSAGE_KINDS = ("text-like", "media-like")
MOST_FINDINGS = 20_000
"""Addresses that get a finding, those with most bursts first. Events are written for all."""
GAPS_S = (0.25, 0.5, 1.0, 2.0)
"""Burst gaps for which the number of bursts is stated beside the one that was used."""
MOST_PACKETS = 1_000_000
"""Packets in bursts above which other gaps are not tried: each costs as much as the extraction itself."""
TOO_MANY_PACKETS = f"other burst gaps not tried: more than {MOST_PACKETS:,} packets in bursts"


@dataclass(frozen=True, slots=True)
class Parameters:
    """Thresholds of the event extraction. Times in seconds, sizes in bytes of transport payload."""

    burst_gap_s: float = 0.5
    floor_bytes: int = 150
    media_bytes: int = 10_000
    connect_s: float = 1.0
    handshake_s: float = 10.0
    keepalive_bytes: int = 512
    keepalive_members: int = 5
    keepalive_period_s: float = 5.0
    keepalive_percent: int = 80
    receipt_s: float = 1.0
    receipt_percent: int = 80
    unframed_percent: int = 10
    """Clear framing counts while at most this share of a flow's payload lies behind its last frame."""
    include_unlabelled: bool = False
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        if not 0 < self.burst_gap_s <= 60:
            raise AnalysisError("burst_gap_s must lie above 0 and not above 60 seconds")
        if not 0 <= self.floor_bytes <= self.media_bytes:
            raise AnalysisError("floor_bytes must not be negative nor exceed media_bytes")
        if not 0 < self.receipt_percent <= 100:
            raise AnalysisError("receipt_percent must lie between 1 and 100")
        if self.keepalive_members < 3 or not 0 < self.keepalive_percent <= 100:
            raise AnalysisError("keepalive_members must be 3 or more, keepalive_percent between 1 and 100")
        if not 0 <= self.unframed_percent <= 100:
            raise AnalysisError("unframed_percent must lie between 0 and 100")
        check_tolerance(self.clock_tolerance_s)
        times = (self.connect_s, self.handshake_s, self.keepalive_period_s, self.receipt_s)
        if min(times) < 0 or max(times) > 86_400:
            raise AnalysisError(
                "connect_s, handshake_s, keepalive_period_s and receipt_s must lie between 0 and 86,400 seconds"
            )
        if not 0 <= self.keepalive_bytes <= 1 << 40 or self.media_bytes > 1 << 40:
            raise AnalysisError("keepalive_bytes and media_bytes must lie between 0 and 2 to the power of 40")


def prepare(connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> str:
    """Name of a temporary table of all bursts; times in ns, `app` is empty when unlabelled."""
    parameters.check()
    digest = hashlib.sha256(parameters_json(parameters).encode("ascii")).hexdigest()[:16]
    name = f"wirecover_bursts_{digest}"
    if rows(
        connection, "SELECT 1 FROM duckdb_tables() WHERE table_name = $name AND temporary", {"name": name}
    ):
        return name
    columns = {row[0] for row in rows(connection, "SELECT column_name FROM (DESCRIBE packets)")}
    sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
    text = sightings.query("message_bursts")
    if "record_types" not in columns:
        text = text.replace("p.record_types", "NULL::SMALLINT[]")
    values = {
        "include_unlabelled": parameters.include_unlabelled,
        "handshake_ns": nanoseconds(parameters.handshake_s),
        "gap_ns": nanoseconds(parameters.burst_gap_s),
        "connect_ns": nanoseconds(parameters.connect_s),
        "floor_bytes": parameters.floor_bytes,
        "media_bytes": parameters.media_bytes,
        "keepalive_bytes": parameters.keepalive_bytes,
        "keepalive_members": parameters.keepalive_members,
        "keepalive_period_ns": nanoseconds(parameters.keepalive_period_s),
        "keepalive_percent": parameters.keepalive_percent,
        "receipt_ns": nanoseconds(parameters.receipt_s),
        "receipt_percent": parameters.receipt_percent,
        "unframed_percent": parameters.unframed_percent,
    }
    connection.execute(f"CREATE TEMP TABLE {name} AS {text}", values).fetchall()
    return name


def gap_tables(connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> dict[float, str]:
    """Tables of bursts by burst gap in seconds, the chosen gap among them; empty when that costs too much."""
    chosen = prepare(connection, parameters)
    ((packets,),) = rows(connection, _PACKETS_QUERY.format(table=chosen))
    if packets > MOST_PACKETS:
        return {}
    gaps = sorted({*GAPS_S, parameters.burst_gap_s})
    return {gap: prepare(connection, replace(parameters, burst_gap_s=gap)) for gap in gaps}


_PACKETS_QUERY = "SELECT coalesce(sum(packets), 0)::BIGINT FROM {table}"

_MESSAGES_QUERY = """
SELECT client_ip, app, count(*) FILTER (up), count(*) FILTER (NOT up) FROM {table}
WHERE kind IN ('text-like', 'media-like') GROUP BY ALL ORDER BY ALL
"""

_EVENTS_QUERY = """
SELECT event_id, 'message_events' AS pattern, flow_id, capture_id, make_timestamp_ns(ns) AS ts, up, bytes,
       kind, confidence, first_frame, last_frame, make_timestamp_ns(first_ns) AS first_ts, packets, source
FROM {table} WHERE kind <> 'small' ORDER BY ns, flow_id, up, first_frame, event_id
"""

_COUNTS_QUERY = """
SELECT client_ip, app, kind, up, count(*), sum(bytes)::BIGINT, min(first_ns), max(ns)
FROM {table} GROUP BY ALL ORDER BY ALL
"""

_SOURCES_QUERY = """
SELECT client_ip, app, source, count(*), count(DISTINCT flow_id) FROM {table} GROUP BY ALL ORDER BY ALL
"""

_ENDS_QUERY = """
SELECT client_ip, app, flow_id, capture_id, first_frame, last_frame,
       row_number() OVER (PARTITION BY client_ip, app ORDER BY ns, flow_id, up, first_frame, event_id) AS nth,
       count(*) OVER (PARTITION BY client_ip, app) AS total
FROM {table} QUALIFY nth = 1 OR nth = total ORDER BY client_ip, app, nth
"""


class MessageEvents:
    """Detector: message events of each endpoint and application."""

    name: ClassVar[str] = "message_events"
    version: ClassVar[str] = "4"
    question: ClassVar[str] = "When did traffic of each address look like messages going out or coming in?"
    method: ClassVar[str] = (
        "Payload-carrying packets of one direction of a TCP or QUIC flow of a known application that "
        "follow each other within 0.5 s are one burst; its time is that of its last packet, its size the "
        "sum of transport payload (of the TLS records that end in it, where segments were sent again). A "
        "conversation that several exhibits recorded counts once. Where a messenger frames its stream in "
        "clear (MTProto, WhatsApp, Threema, KakaoTalk, WeChat, Viber) each frame counts by itself with its "
        "exact size, and that flow has no bursts. Where TLS record types are "
        "known only records of type 23 (application "
        "data) count; handshakes are left out, and bursts within one second after a handshake are named "
        "connect-like. Small bursts of one size that return at a constant interval are named keepalive, with "
        "something as small beside them too. Bursts of one size that nearly always come right after one of the "
        "other direction are named receipt-like. "
        "Bursts below 150 bytes are counted but are no events. What is left is text-like below 10,000 "
        "bytes and media-like from there on."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        (
            "That a burst was a message: read and delivery receipts, typing signals, synchronisation, "
            "presence and pushed settings can be as large."
        ),
        "What a message said, its kind, or for whom it was; the kinds name a size, not a content.",
        (
            "How many messages there were: messages sent within half a second are one event, one large "
            "file may be many."
        ),
        (
            "That a frame was one message: a container of MTProto and a record of WeChat can hold several "
            "things, and a frame may be a request of the application."
        ),
        (
            "Messages that were sent while a connection was being made, that are smaller than the floor, "
            "or that a machine sends at a constant interval and size."
        ),
        (
            "Messages that only the smaller of two records of one conversation holds; nor are records with "
            "translated addresses (NAT) known to be one conversation: they count each."
        ),
        (
            "Who used the device: an address is not a person, and behind one address there may be several "
            "devices."
        ),
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """Extract the events; one fact for each endpoint and application."""
        table = prepare(connection, parameters)
        events = ask(connection, _EVENTS_QUERY.format(table=table)).cast(EVENTS)
        findings, left = self._findings(connection, table, parameters)
        notes = [] if findings else ["No flow of a known application carries payload: no message events."]
        if left:
            notes.append(f"{counted(left, 'address', 'addresses')} with the fewest bursts not listed.")
        return result(findings, events=events, notes=notes)

    def _findings(
        self, connection: duckdb.DuckDBPyConnection, table: str, parameters: Parameters
    ) -> tuple[list[Finding], int]:
        counts: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        seen = seen_by_endpoint(connection, sightings, include_unlabelled=parameters.include_unlabelled)
        for client, app, *row in rows(connection, _COUNTS_QUERY.format(table=table)):
            counts[client, app].append(tuple(row))
        frames: dict[tuple[str, str], list[FrameRef]] = defaultdict(list)
        for client, app, flow, capture, first, last, nth, _ in rows(
            connection, _ENDS_QUERY.format(table=table)
        ):
            which = "first burst" if nth == 1 else "last burst"
            frames[client, app] += [
                FrameRef(capture, first, flow, f"first frame of the {which}"),
                FrameRef(capture, last, flow, f"last frame of the {which}"),
            ]
        sources: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(dict)
        for client, app, source, number, flows in rows(connection, _SOURCES_QUERY.format(table=table)):
            sources[client, app][source] = {"bursts_or_frames": number, "flows": flows}
        by_gap = _by_gap(connection, parameters)
        busiest = sorted(counts, key=lambda key: (-sum(row[2] for row in counts[key]), key))
        text = parameters_json(parameters)
        return [
            self._finding(
                client,
                app,
                counts[client, app],
                seen[client, app],
                {gap: found.get((client, app), (0, 0)) for gap, found in by_gap.items()},
                tuple(frames[client, app]),
                sources[client, app],
                text,
            )
            for client, app in busiest[:MOST_FINDINGS]
        ], max(0, len(busiest) - MOST_FINDINGS)

    def _finding(
        self,
        client: str,
        app: str,
        counts: list[tuple[Any, ...]],
        seen: Seen,
        by_gap: dict[float, tuple[int, int]],
        frames: tuple[FrameRef, ...],
        sources: dict[str, dict[str, int]],
        parameters: str,
    ) -> Finding:
        table = {kind: {"up": 0, "down": 0, "bytes_up": 0, "bytes_down": 0} for kind in KINDS}
        for kind, up, number, size, _, _ in counts:
            side = "up" if up else "down"
            table[kind][side] += number
            table[kind][f"bytes_{side}"] += size
        up = sum(table[kind]["up"] for kind in MESSAGE_KINDS)
        down = sum(table[kind]["down"] for kind in MESSAGE_KINDS)
        other = {kind: table[kind]["up"] + table[kind]["down"] for kind in KINDS}
        first, last = min(row[4] for row in counts), max(row[5] for row in counts)
        statement = (
            f"Address {client} shows {counted(up, 'message-like burst')} going out and {down:,} coming in "
            f"on {app_text(app)} between {utc_text(first)} and {utc_text(last)}, {seen.text()}; not counted "
            f"among them: "
            f"{counted(other['keepalive'], 'keepalive')}, {counted(other['receipt-like'], 'receipt-like burst')}, "
            f"{counted(other['connect-like'], 'burst')} while connecting and "
            f"{counted(other['small'], 'burst')} below the size floor. A message-like burst need not be a message."
        )
        return Finding(
            pattern=self.name, version=self.version, kind="fact", statement=statement, parameters=parameters,
            first_ns=first, last_ns=last, subject=client, app=app or None,
            details={
                "counts": table, "frames_listed": "first and last burst; all events: table events",
                "by_burst_gap_s": [
                    {"burst_gap_s": gap, "up": gap_up, "down": gap_down}
                    for gap, (gap_up, gap_down) in by_gap.items()
                ] or TOO_MANY_PACKETS,
                "sources": sources, "exhibits": len(seen.captures), "flows_in_several_exhibits": seen.shared_flows,
            },
            frames=frames, capture_ids=seen.captures,
        )  # fmt: skip


def _by_gap(
    connection: duckdb.DuckDBPyConnection, parameters: Parameters
) -> dict[float, dict[tuple[str, str], tuple[int, int]]]:
    """For each burst gap the message-like bursts, going out and coming in, by address and application."""
    return {
        gap: {
            (client, app): (up, down)
            for client, app, up, down in rows(connection, _MESSAGES_QUERY.format(table=table))
        }
        for gap, table in gap_tables(connection, parameters).items()
    }
