"""A small case in memory: tables with the names and columns of the case's views, with planted traffic."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from wirecover.capture.tables import (
    CAPTURES,
    FLOWS,
    MEDIA_STREAMS,
    MESSENGER_FRAMES,
    PACKETS,
    SDP_MEDIA,
    SIP_MESSAGES,
    STUN_MESSAGES,
    TABLES,
    TLS_HANDSHAKES,
)
from wirecover.casefile import schema

SECOND = 1_000_000_000
START = 1_772_323_200 * SECOND
"""2026-03-01 00:00:00 UTC, a Sunday."""
_TIMES = {"ts", "first_ts", "last_ts", "client_ts", "server_ts"}


def _view_schema(table: pa.Schema) -> pa.Schema:
    fields = [pa.field("capture_id", pa.int64()), pa.field("flow_id", pa.int64())]
    fields += [
        pa.field(one.name, pa.timestamp("ns") if one.name in _TIMES else one.type)
        for one in table
        if one.name not in ("capture_id", "flow_no")
    ]
    if table is FLOWS:
        fields.append(pa.field("flow_no", pa.int64()))
    return pa.schema(fields)


@dataclass
class Traffic:
    """Builds the rows of a case. Times are seconds after START; frames are numbered by the builder."""

    flows: list[dict[str, Any]] = field(default_factory=list)
    packets: list[dict[str, Any]] = field(default_factory=list)
    handshakes: list[dict[str, Any]] = field(default_factory=list)
    captures: dict[int, dict[str, Any]] = field(default_factory=dict)
    stun: list[dict[str, Any]] = field(default_factory=list)
    media: list[dict[str, Any]] = field(default_factory=list)
    framed: list[dict[str, Any]] = field(default_factory=list)
    sip: list[dict[str, Any]] = field(default_factory=list)
    sdp: list[dict[str, Any]] = field(default_factory=list)
    frame: int = 0

    def flow(
        self,
        client: str,
        packets: Iterable[tuple[float, bool, int] | tuple[float, bool, int, list[int] | None]],
        *,
        app: str | None = "signal",
        span: tuple[float, float] | None = None,
        capture: int = 7,
        server: str = "198.51.100.1",
        **columns: Any,
    ) -> int:
        """One flow with payload packets (seconds, up, bytes[, record types]); returns its flow_id."""
        flow_id = len(self.flows) + 1000
        tuple_ = (columns.get("transport", "tcp"), client, columns.get("client_port", 40_000), server)
        rows = sorted(packets, key=lambda row: row[0])
        times = [row[0] for row in rows] or [0.0]
        start, end = span or (times[0], times[-1])
        frames: list[int] = []
        for seconds, up, size, *types in rows:
            self.frame += 1
            frames.append(self.frame)
            kinds = types[0] if types else None
            self.packets.append(
                {
                    "capture_id": capture, "flow_id": flow_id, "frame": self.frame, "ts": self.ns(seconds),
                    "up": up, "payload_bytes": size, "record_types": kinds,
                    "record_bytes": None if kinds is None else [max(size - 5, 1)] * len(kinds),
                }
            )  # fmt: skip
        if not frames:
            self.frame += 1
            frames = [self.frame]
        self.flows.append(
            {
                "capture_id": capture, "flow_id": flow_id, "transport": "tcp", "client_ip": client,
                "client_port": 40_000, "server_ip": server, "server_port": 443,
                "first_frame": frames[0], "last_frame": frames[-1],
                "first_ts": self.ns(start), "last_ts": self.ns(end), "service": "tls", "app": app,
                "community_id": "1:" + "|".join(map(str, tuple_)), "flow_no": flow_id - 1000,
                "app_confidence": 90, "syn_seen": False, "missing_bytes": 0,
                "packets_up": sum(row[1] for row in rows), "packets_down": sum(not row[1] for row in rows),
                "bytes_up": sum(row[2] + 66 for row in rows if row[1]),
                "bytes_down": sum(row[2] + 66 for row in rows if not row[1]), **columns,
            }
        )  # fmt: skip
        self.cover(capture, start, end)
        return flow_id

    def cover(self, capture: int, start: float, end: float) -> None:
        """The capture runs at least from start to end."""
        row = self.captures.setdefault(capture, {"capture_id": capture, "name": f"{capture}.pcap"})
        row["first_ts"] = min(row.get("first_ts", self.ns(start)), self.ns(start))
        row["last_ts"] = max(row.get("last_ts", self.ns(end)), self.ns(end))

    def hello(self, flow_id: int, client: float, server: float, version: str = "TLS 1.3") -> None:
        """Both hellos of a flow."""
        capture = next(row["capture_id"] for row in self.flows if row["flow_id"] == flow_id)
        self.handshakes.append(
            {"capture_id": capture, "flow_id": flow_id, "carrier": "tcp", "client_ts": self.ns(client),
             "server_ts": self.ns(server), "version": version}
        )  # fmt: skip

    def framing(
        self, flow_id: int, rows: Iterable[tuple[float, bool, int] | tuple[float, bool, int, str]],
        protocol: str = "whatsapp-noise",
    ) -> None:  # fmt: skip
        """Frames in clear (seconds, up, bytes[, kind]), each in the packet of that time and direction."""
        at = {(row["ts"], row["up"]): row["frame"] for row in self.packets if row["flow_id"] == flow_id}
        capture = next(row["capture_id"] for row in self.flows if row["flow_id"] == flow_id)
        for seconds, up, length, *kind in rows:
            ts = self.ns(seconds)
            self.framed.append(
                {"capture_id": capture, "flow_id": flow_id, "frame": at[ts, up], "ts": ts, "up": up,
                 "protocol": protocol, "kind": kind[0] if kind else "message", "length": length}
            )  # fmt: skip

    @staticmethod
    def ns(seconds: float) -> int:
        return START + round(seconds * SECOND)

    def connect(self, shuffle: int | None = None, without: str | None = None) -> duckdb.DuckDBPyConnection:
        """The case; `shuffle` seeds another order of rows, `without` leaves a column of packets out."""
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        tables = {
            "flows": (FLOWS, self.flows),
            "packets": (PACKETS, self.packets),
            "tls_handshakes": (TLS_HANDSHAKES, self.handshakes),
            "captures": (CAPTURES, list(self.captures.values())),
            "stun_messages": (STUN_MESSAGES, self.stun),
            "media_streams": (MEDIA_STREAMS, self.media),
            "messenger_frames": (MESSENGER_FRAMES, self.framed),
            "sip_messages": (SIP_MESSAGES, self.sip),
            "sdp_media": (SDP_MEDIA, self.sdp),
        }
        for name, columns in TABLES.items():
            tables.setdefault(name, (columns, []))
        for name, (columns, rows) in tables.items():
            rows = list(rows)
            if shuffle is not None:
                Random(shuffle).shuffle(rows)
            table = pa.Table.from_pylist(rows, schema=_view_schema(columns))
            if without in table.column_names and name == "packets":
                table = table.drop_columns([without])
            connection.register("incoming", table)
            connection.execute(f"CREATE TABLE {name} AS FROM incoming")
            connection.unregister("incoming")
        for statement in schema.table_statements():
            if statement.startswith("CREATE TABLE"):
                connection.execute(statement)
        for statement in schema.view_statements():
            if statement.startswith("CREATE OR REPLACE VIEW") and "evidence." not in statement:
                connection.execute(statement)  # those that stand on other views
        return connection


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def new_traffic() -> Callable[[], Traffic]:
    return Traffic


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows with times as whole nanoseconds, which Python's datetime cannot hold."""
    for number, one in enumerate(table.schema):
        if pa.types.is_timestamp(one.type):
            table = table.set_column(number, one.name, table[one.name].cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        if isinstance(row.get("details"), str):
            row["details"] = json.loads(row["details"])
    return rows


@pytest.fixture
def plain() -> Callable[[pa.Table], list[dict[str, Any]]]:
    return plain_rows
