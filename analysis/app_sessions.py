"""Application sessions: when an address had connections of an application, and how much they carried."""

from dataclasses import dataclass
from typing import Any, ClassVar

import duckdb

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import SECOND, nanoseconds, rows
from wirecover.analysis.findings import app_text, counted, duration_text, parameters_json, result, utc_text
from wirecover.analysis.sightings import Seen, check_tolerance, prepare_sightings

SENSITIVITY_S = (60, 120, 300, 600, 1800)
"""Gaps for which the number of sessions is stated beside the one that was used."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Gap in seconds; caps in rows."""

    gap_s: float = 300.0
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""
    most_flows: int = 100
    most_sessions: int = 20_000

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        if not 0 <= self.gap_s <= 86_400:
            raise AnalysisError("gap_s must lie between 0 and 86,400 seconds")
        check_tolerance(self.clock_tolerance_s)
        if min(self.most_flows, self.most_sessions) < 1:
            raise AnalysisError("most_flows and most_sessions must be 1 or more")


_SENSITIVITY_QUERY = """
WITH reached AS (
    SELECT client_ip, app, epoch_ns(first_ts) - max(epoch_ns(last_ts)) OVER (
               PARTITION BY client_ip, app ORDER BY first_ts, last_ts, flow_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS pause
    FROM flow_sightings WHERE app IS NOT NULL AND client_ip IS NOT NULL
)
SELECT client_ip, app, gap, count(*) FILTER (pause IS NULL OR pause > gap * 1000000000)
FROM reached, (SELECT unnest($gaps::BIGINT[]) AS gap)
GROUP BY ALL ORDER BY ALL
"""


class AppSessions:
    """Detector: application sessions of each endpoint."""

    name: ClassVar[str] = "app_sessions"
    version: ClassVar[str] = "2"
    question: ClassVar[str] = (
        "When did each address have connections of which application, and how much did they carry?"
    )
    method: ClassVar[str] = (
        "Flows of one address that carry the same application label are one session as long as the next "
        "one begins no later than five minutes after the last packet of those before. Counted are flows, "
        "packets, bytes on the wire and distinct server addresses; a conversation that several exhibits "
        "recorded counts once, by the record with most packets. How many sessions other gaps would give is "
        "stated beside each."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        (
            "Use of an application by a person: applications connect, poll and wait for pushed messages by "
            "themselves, for days."
        ),
        "Sessions while the device was on another network, or outside the time of the captures.",
        (
            "Which person or which of several devices behind one address it was (shared devices, address "
            "translation, VPN)."
        ),
        "Traffic whose application could not be told; a session may have further flows without a label.",
        (
            "How much was really sent: what the capture missed is not counted, nor what only the smaller of "
            "two records of one conversation shows. Records with translated addresses (NAT) are not known to "
            "be one conversation and count each."
        ),
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """One fact for each session."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        values = {"gap_ns": nanoseconds(parameters.gap_s), "most_flows": parameters.most_flows}
        sessions = rows(connection, sightings.query("app_sessions"), values)
        if not sessions:
            return result((), notes=("No flow carries an application label: no sessions.",))
        sensitivity: dict[tuple[str, str], dict[int, int]] = {}
        gaps = {"gaps": list(SENSITIVITY_S)}
        for client, app, gap, number in rows(connection, sightings.into(_SENSITIVITY_QUERY), gaps):
            sensitivity.setdefault((client, app), {})[gap] = number
        # over the cap the largest stay: the order is by packets, then by what makes it unique
        kept = sorted(sessions, key=lambda row: (-(row[5] + row[6]), row[2], row[0], row[1]))
        text = parameters_json(parameters)
        findings = [
            _finding(row, sensitivity[row[0], row[1]], parameters, text)
            for row in kept[: parameters.most_sessions]
        ]
        left = len(kept) - len(findings)
        notes = (f"{counted(left, 'session')} with the fewest packets not listed.",) if left else ()
        return result(findings, notes=notes)


def _finding(row: Any, sensitivity: dict[int, int], parameters: Parameters, text: str) -> Finding:
    (
        client,
        app,
        first,
        last,
        flows,
        packets_up,
        packets_down,
        bytes_up,
        bytes_down,
        servers,
        captures,
        refs,
        records,
        shared,
    ) = row
    frames = [
        FrameRef(capture, frame, flow, f"{which} frame of flow{'' if counts else ', which counts elsewhere'}")
        for capture, flow, first_frame, last_frame, counts in refs
        for which, frame in (("first", first_frame), ("last", last_frame))
    ]
    statement = (
        f"Address {client} had connections of {app_text(app)} from {utc_text(first)} to {utc_text(last)} "
        f"({duration_text(last - first)}), {Seen(tuple(captures), shared).text()}: "
        f"{counted(flows, 'flow')} with "
        f"{counted(servers, 'server address', 'server addresses')}, {packets_up:,} packets and "
        f"{bytes_up:,} bytes going out, {packets_down:,} packets and {bytes_down:,} bytes coming in. Flows "
        f"at most {parameters.gap_s:g} s apart are one session; a gap of {SENSITIVITY_S[0]} s would give "
        f"{counted(sensitivity[SENSITIVITY_S[0]], 'session')} of this address and application in the case, "
        f"a gap of {SENSITIVITY_S[-1]:,} s {sensitivity[SENSITIVITY_S[-1]]:,}."
    )
    if records > len(refs):
        what = "flows" if records == flows else "records of flows"
        statement += f" Frames are listed for the first {len(refs):,} {what}."
    details = {
        "flows": flows, "packets_up": packets_up, "packets_down": packets_down, "bytes_up": bytes_up,
        "bytes_down": bytes_down, "servers": servers, "duration_s": (last - first) // SECOND,
        "sessions_by_gap_s": {str(gap): number for gap, number in sensitivity.items()},
        "flows_with_frames": len(refs), "exhibits": len(captures), "flows_in_several_exhibits": shared,
        "records_that_count_elsewhere": records - flows,
    }  # fmt: skip
    return Finding(
        pattern=AppSessions.name, version=AppSessions.version, kind="fact", statement=statement,
        parameters=text, first_ns=first, last_ns=last, subject=client, app=app, details=details,
        frames=tuple(frames), capture_ids=tuple(captures),
    )  # fmt: skip
