"""Exhibits and the counts over the whole case, read from the case's views."""

import hashlib
from collections import defaultdict
from typing import Final

import duckdb

from wirecover.report.model import Damage, Exhibit, Figures, Handshakes, Interface

DAMAGE_KEPT: Final = 200
"""Damage rows of one exhibit that enter the document; the rest are counted."""

_EXHIBITS: Final = """
    SELECT capture_id, name, sha256, bytes, format, compression, packets, epoch_ns(first_ts),
           epoch_ns(last_ts), snaplen, truncated_packets, malformed_packets, duplicate_packets,
           out_of_order_packets, out_of_scope_packets, undecoded_packets, complete, tool_version,
           rules_sha256 || coalesce(' (with rules of the analyst: ' || local_rules_sha256 || ')', '')
    FROM captures ORDER BY first_ts NULLS LAST, sha256"""
_INTERFACES: Final = """
    SELECT capture_id, interface_id, name, link_name, ts_resolution_ns, ts_offset_s, packets, reported_drops
    FROM interfaces ORDER BY capture_id, interface_id"""
_DAMAGE: Final = """
    SELECT capture_id, kind, frame, "offset", count, detail FROM damage
    QUALIFY row_number() OVER (PARTITION BY capture_id ORDER BY "offset", frame, kind, detail) <= ?
    ORDER BY capture_id, "offset", frame, kind, detail"""
_HANDSHAKES: Final = """
    SELECT carrier, version, count(*) FROM tls_handshakes JOIN flow_sightings USING (flow_id) WHERE counted
    GROUP BY ALL ORDER BY carrier, version NULLS LAST"""
_FIGURES: Final = """
    SELECT (SELECT coalesce(sum(packets), 0)::BIGINT FROM captures),
           count(*) FILTER (NOT continues), count(DISTINCT client_ip), coalesce(sum(bytes_up + bytes_down), 0)::BIGINT,
           count(*) FILTER (app IS NOT NULL AND NOT continues),
           coalesce(sum(bytes_up + bytes_down) FILTER (app IS NOT NULL), 0)::BIGINT,
           count(DISTINCT client_ip) FILTER (app IS NOT NULL),
           (SELECT count(*) FROM (SELECT client_ip FROM flows UNION SELECT server_ip FROM flows)),
           (SELECT count(*) FROM dns_messages), (SELECT count(*) FROM stun_messages),
           (SELECT count(*) FROM events)
    FROM flow_sightings WHERE counted"""


def read_exhibits(connection: duckdb.DuckDBPyConnection) -> tuple[Exhibit, ...]:
    """The exhibits, labelled E1, E2, ... in order of first packet: ingest order plays no part."""
    interfaces = _read_interfaces(connection)
    damage, damage_rows = _read_damage(connection)
    rows = connection.execute(_EXHIBITS).fetchall()
    return tuple(
        Exhibit(f"E{number}", *(*row, interfaces[row[0]], damage[row[0]], damage_rows.get(row[0], 0)))
        for number, row in enumerate(rows, 1)
    )


def _read_interfaces(connection: duckdb.DuckDBPyConnection) -> defaultdict[int, tuple[Interface, ...]]:
    found: defaultdict[int, tuple[Interface, ...]] = defaultdict(tuple)
    for capture, *columns in connection.execute(_INTERFACES).fetchall():
        found[capture] += (Interface(*columns),)
    return found


def _read_damage(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[defaultdict[int, tuple[Damage, ...]], dict[int, int]]:
    found: defaultdict[int, tuple[Damage, ...]] = defaultdict(tuple)
    for capture, *columns in connection.execute(_DAMAGE, [DAMAGE_KEPT]).fetchall():
        found[capture] += (Damage(*columns),)
    counted = connection.execute("SELECT capture_id, count(*) FROM damage GROUP BY ALL").fetchall()
    return found, dict(counted)


def read_figures(connection: duckdb.DuckDBPyConnection) -> Figures:
    """What the case holds, in numbers."""
    row = connection.execute(_FIGURES).fetchone()
    assert row is not None  # an aggregate always gives one row
    packets, flows, clients, size, labelled, labelled_bytes, with_app, addresses, dns, stun, events = row
    return Figures(
        packets=packets, flows=flows, clients=clients, addresses=addresses, bytes=size,
        labelled_flows=labelled,
        labelled_bytes=labelled_bytes, clients_with_app=with_app, dns_messages=dns, stun_messages=stun,
        events=events,
        handshakes=tuple(Handshakes(*found) for found in connection.execute(_HANDSHAKES).fetchall()),
    )  # fmt: skip


def evidence_digest(exhibits: tuple[Exhibit, ...]) -> str:
    """One digest for all exhibits, which `sort | sha256sum` over their SHA-256 texts gives too."""
    lines = "".join(f"{digest}\n" for digest in sorted(exhibit.sha256 for exhibit in exhibits))
    return hashlib.sha256(lines.encode("ascii")).hexdigest()
