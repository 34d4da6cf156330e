"""Applications by address with the reasons for each label, and what could not be identified."""

from collections import defaultdict
from typing import Final

import duckdb

from wirecover.report.model import Application, Reason, Unidentified

REASONS_KEPT: Final = 3
"""Reasons kept for each row: the strongest; all of them are in the case's app_evidence table."""

_APPLICATIONS: Final = """
    SELECT client_ip, app, count(*) FILTER (NOT continues), sum(payload_up)::BIGINT, sum(payload_down)::BIGINT,
           epoch_ns(min(first_ts)), epoch_ns(max(last_ts)), coalesce(max(app_confidence), 0)
    FROM flow_sightings WHERE counted AND app IS NOT NULL GROUP BY client_ip, app
    ORDER BY sum(payload_up + payload_down) DESC, client_ip, app"""
# The first frame in capture order: exhibits are ordered as they are labelled.
_REASONS: Final = """
    WITH ordered AS (
        SELECT capture_id, row_number() OVER (ORDER BY first_ts NULLS LAST, sha256) AS place FROM captures
    ), grouped AS (
        SELECT f.client_ip, f.app, e.rule_id, e.kind, e.value, max(e.confidence) AS confidence,
               count(DISTINCT f.flow_id) AS flows, min(row(o.place, e.frame)) AS seen
        FROM app_evidence e JOIN flows f USING (flow_id) JOIN ordered o ON o.capture_id = f.capture_id
        WHERE e.app = f.app GROUP BY ALL
    )
    SELECT client_ip, app, rule_id, kind, coalesce(value, ''), coalesce(confidence, 0), flows, seen,
           count(*) OVER (PARTITION BY client_ip, app)
    FROM grouped
    QUALIFY row_number() OVER (
        PARTITION BY client_ip, app ORDER BY confidence DESC, flows DESC, kind, value, rule_id) <= ?
    ORDER BY client_ip, app, confidence DESC, flows DESC, kind, value, rule_id"""
_UNIDENTIFIED: Final = """
    WITH named AS (
        SELECT flow_id, max(sni) AS sni, bool_or(ech IS NOT NULL) AS ech FROM tls_handshakes GROUP BY flow_id
    ), sorted AS (
        SELECT f.service, f.continues, f.bytes_up + f.bytes_down AS size, CASE
            WHEN n.flow_id IS NOT NULL AND n.sni IS NOT NULL THEN 'named'
            WHEN n.flow_id IS NOT NULL OR f.service IN ('tls', 'quic', 'dtls') THEN 'unnamed'
            WHEN f.service IS NOT NULL THEN 'service'
            WHEN f.transport = 'tcp' AND NOT coalesce(f.syn_seen, false) THEN 'no-start'
            WHEN f.payload_up + f.payload_down = 0 THEN 'no-payload'
            ELSE 'unknown' END AS reason
        FROM flow_sightings f LEFT JOIN named n ON n.flow_id = f.flow_id WHERE f.counted AND f.app IS NULL
    )
    SELECT reason, coalesce(list_sort(list(DISTINCT service) FILTER (service IS NOT NULL)), []),
           count(*) FILTER (NOT continues), coalesce(sum(size), 0)::BIGINT AS bytes
    FROM sorted GROUP BY reason ORDER BY bytes DESC, reason"""


def read_applications(connection: duckdb.DuckDBPyConnection) -> tuple[Application, ...]:
    """Applications by address, most payload first."""
    reasons, counted = _read_reasons(connection)
    rows = connection.execute(_APPLICATIONS).fetchall()
    return tuple(Application(*(*row, reasons[row[:2]], counted.get(row[:2], 0))) for row in rows)


def _read_reasons(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[defaultdict[tuple[str, str], tuple[Reason, ...]], dict[tuple[str, str], int]]:
    reasons: defaultdict[tuple[str, str], tuple[Reason, ...]] = defaultdict(tuple)
    counted: dict[tuple[str, str], int] = {}
    for endpoint, app, rule, kind, value, confidence, flows, seen, total in connection.execute(
        _REASONS, [REASONS_KEPT]
    ).fetchall():
        place, frame = seen.values() if isinstance(seen, dict) else seen
        reasons[endpoint, app] += (Reason(rule, kind, value, confidence, flows, f"E{place}", frame),)
        counted[endpoint, app] = total
    return reasons, counted


def read_unidentified(connection: duckdb.DuckDBPyConnection) -> tuple[Unidentified, ...]:
    """Flows without a label, by the reason why they have none, most bytes first."""
    return tuple(
        Unidentified(reason, tuple(services), flows, size)
        for reason, services, flows, size in connection.execute(_UNIDENTIFIED).fetchall()
    )
