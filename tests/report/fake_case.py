"""Cases made row by row: the tables and views are those of casefile/schema.sql, no packet is ever decoded.

`realistic()` is a case as an examiner meets it; `empty()` has no exhibit; `with_names()` puts given text
wherever text from outside can stand; `crowded()` has many findings. Each is a file-less stand-in for
`wirecover.casefile.case.Case`: same path, training and connect.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.tables import TABLES
from wirecover.casefile import schema
from wirecover.casefile.derived import DERIVED

SECOND = 10**9
HOUR = 3600 * SECOND
START = 1_772_434_800 * SECOND  # 2026-03-02 07:00 UTC, a Monday
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Parameters:
    gap_s: float = 300.0
    least_packets: int = 4


@dataclass(frozen=True)
class FakeMethod:
    name: str
    version: str
    question: str
    method: str
    cannot_show: tuple[str, ...]
    parameters: Parameters


METHODS = (
    FakeMethod(
        "app_sessions", "1",
        "When did an address use an application, and for how long?",
        "Packets of labelled flows of one address and one application are joined to a session while no pause "
        "between them is longer than gap_s. A session needs least_packets packets with payload.",
        ("who used the device", "whether the application was on the screen"), Parameters(),
    ),
    FakeMethod(
        "co_timing", "2",
        "Do the message-like events of two addresses coincide more often than chance would have it?",
        "Events of one address are counted when an event of the other follows within delta_s. The count is "
        "compared with those of 999 circular shifts of one sequence against the other (add-one p, Holm).",
        ("that the two exchanged messages", "the direction of an exchange", "what was said"),
        Parameters(2.0, 8),
    ),
    FakeMethod(
        "activity_rhythm", "1", "At which hours of the week is an address active?",
        "Events are counted by hour of the week in UTC.", ("sleep or absence of a person",), Parameters(),
    ),
)  # fmt: skip


@dataclass
class FakeCase:
    """A stand-in for a case; `connect` builds a new in-memory catalogue each time."""

    path: Path = Path("/cases/training-2026-03")
    training: bool = True
    evidence: dict[str, list[Row]] = field(default_factory=dict)
    own: dict[str, list[Row]] = field(default_factory=dict)

    def connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE SCHEMA evidence")
        for statement in schema.table_statements():
            if not statement.startswith("COMMENT"):  # hundreds of them, and no report reads them
                connection.execute(statement)
        for table in (*TABLES, "custody_log"):
            self._fill(
                connection, f"evidence.{table}", schema.base_schema(table), self.evidence.get(table, [])
            )
        for statement in schema.view_statements():
            if not statement.startswith("COMMENT"):
                connection.execute(statement)
        for table, rows in self.own.items():
            if table in DERIVED:
                connection.execute(f"DROP TABLE {table}")
                self._fill(connection, table, DERIVED[table], rows)
            for row in rows if table not in DERIVED else ():
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
                )
        return connection

    @staticmethod
    def _fill(
        connection: duckdb.DuckDBPyConnection, table: str, columns: pa.Schema, rows: Sequence[Row]
    ) -> None:
        unknown = {name for row in rows for name in row} - set(columns.names)
        assert not unknown, f"{table} has no {unknown}"
        connection.register("incoming", pa.Table.from_pylist([dict(row) for row in rows], schema=columns))
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")
        connection.unregister("incoming")

    def add_exhibit(self, name: str, **columns: Any) -> tuple[int, int]:
        """An exhibit with ordinary values where none are given; returns capture_id and flow_base."""
        digest = columns.pop("sha256", hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())
        ids = capture_id(digest), flow_base(digest)
        row = {
            "capture_id": ids[0], "flow_base": ids[1], "name": name, "sha256": digest, "bytes": 48_211_734,
            "format": "pcapng", "compression": None, "packets": 181_204, "first_ts": START,
            "last_ts": START + HOUR,
            "snaplen": 262_144, "truncated_packets": 0, "malformed_packets": 0, "duplicate_packets": 0,
            "out_of_order_packets": 0, "out_of_scope_packets": 0, "undecoded_packets": 0,
            "fragment_packets": 0,
            "complete": True, "tool_version": "0.1.0", "rules_sha256": "ab" * 32,
        } | columns  # fmt: skip
        self.evidence.setdefault("captures", []).append(row)
        self.own.setdefault("exhibits", []).append(
            {"sha256": digest, "capture_id": ids[0], "flow_base": ids[1], "name": name, "bytes": row["bytes"],
             "complete": row["complete"], "damage": [], "manifest_sha256": "00" * 32,
             "ingested_at": "2026-03-09 12:00:00"}
        )  # fmt: skip
        return ids

    def add(self, table: str, ids: tuple[int, int], **columns: Any) -> None:
        """An evidence row of an exhibit."""
        head = {"capture_id": ids[0], "flow_base": ids[1]}
        self.evidence.setdefault(table, []).append(head | columns)

    def add_flow(self, ids: tuple[int, int], first: int, seconds: float, client: str, **columns: Any) -> int:
        """A flow with ordinary values where none are given; returns its flow_id."""
        flows = self.evidence.setdefault("flows", [])
        number = sum(flow["capture_id"] == ids[0] for flow in flows)
        self.add(
            "flows", ids,
            **{
                "flow_no": number, "transport": "tcp", "client_ip": client,
                "client_port": 49_152 + number % 16_000,
                "server_ip": "203.0.113.10", "server_port": 443, "client_by": "syn",
                "first_frame": 10 + number * 40,
                "last_frame": 49 + number * 40, "first_ts": first, "last_ts": first + int(seconds * SECOND),
                "packets_up": 18, "packets_down": 22, "bytes_up": 9_120, "bytes_down": 31_804,
                "payload_up": 7_900,
                "payload_down": 30_300, "syn_seen": True, "fin_seen": True, "rst_seen": False,
                "service": "tls",
                "app": None, "app_confidence": None,
            } | columns,
        )  # fmt: skip
        return ids[1] + number

    def add_finding(self, pattern: str, frames: Sequence[tuple[int, int]] = (), **columns: Any) -> None:
        """A finding on (capture_id, frame) pairs."""
        findings = self.own.setdefault("findings", [])
        number = len(findings) + 1_000_001
        findings.append(
            {
                "finding_id": number, "pattern": pattern, "kind": "fact", "analysis_version": "1",
                "parameters": '{"gap_s": 300.0, "least_packets": 4}', "statement": "A statement.",
                "details": "{}",
                "capture_ids": sorted({capture for capture, _ in frames}),
            } | columns
        )  # fmt: skip
        self.own.setdefault("finding_frames", []).extend(
            {"finding_id": number, "capture_id": capture, "frame": frame, "flow_id": None, "role": "packet"}
            for capture, frame in frames
        )

    def add_act(self, verb: str, arguments: object) -> None:
        """An act in the custody log, at a time that no report may show."""
        log = self.evidence.setdefault("custody_log", [])
        seq = len(log) + 1
        log.append(
            {"seq": seq, "ts": START + seq * 60 * 10**9, "actor": "examiner", "verb": verb, "phase": "done",
             "act": seq, "arguments": json.dumps(arguments), "tool_version": "0.1.0", "subjects": [],
             "clock_back_ns": 0, "signed_by": [], "prev_sha256": "0" * 64, "sha256": "0" * 64}
        )  # fmt: skip


APPS = {
    "whatsapp": ("sni", "g.whatsapp.net", 95), "signal": ("sni", "chat.signal.org", 95),
    "telegram": ("dns", "venus.web.telegram.org", 80), "threema": ("certificate", "*.0.threema.ch", 85),
}  # fmt: skip


def realistic() -> FakeCase:
    """Three exhibits over two days, five phones, four messengers, events, four kinds of findings, damage."""
    case = FakeCase()
    chance = random.Random(7)
    day = [
        case.add_exhibit("office-wifi-2026-03-02.pcapng", first_ts=START, last_ts=START + 9 * HOUR),
        case.add_exhibit(
            "office-wifi-2026-03-03.pcapng", first_ts=START + 24 * HOUR, last_ts=START + 33 * HOUR,
            packets=203_871,
            out_of_order_packets=12, truncated_packets=3, bytes=51_003_118,
        ),
        case.add_exhibit(
            "relevé opérateur (été).pcap.gz", format="pcap", compression="gz", complete=False, snaplen=96,
            first_ts=START + 2 * HOUR, last_ts=START + 7 * HOUR, truncated_packets=88_120,
            malformed_packets=4,
            bytes=7_310_400, packets=90_211,
        ),
    ]  # fmt: skip
    for place, ids in enumerate(day):
        case.add(
            "interfaces", ids, interface_id=0, name="wlan0" if place < 2 else None, link_type=1,
            link_name="ethernet" if place < 2 else "linux-sll", ts_resolution_ns=1 if place < 2 else 1000,
            ts_offset_s=0,
            packets=90_000, reported_drops=place * 14 if place < 2 else None,
        )  # fmt: skip
    case.add(
        "damage", day[2], kind="truncated-file", offset=7_310_388, frame=90_211, count=1,
        detail="the last packet ends after 40 of 96 bytes",
    )  # fmt: skip
    _traffic(case, day, chance)
    _findings(case, day, chance)
    for verb, facts in (("init", {"training": True}), ("report", {"out": "secret-path.pdf"})):
        case.add_act(verb, facts)
    for row in case.evidence["captures"]:
        case.add_act("exhibit", {"sha256": row["sha256"], "name": row["name"]})
    case.add_act(
        "ingest", {"files": [[row["name"], "done", row["sha256"]] for row in case.evidence["captures"]]}
    )
    for pattern in ("app_sessions", "co_timing", "activity_rhythm"):
        case.add_act("analyze", {"pattern": pattern, "rows": {}, "parameters": {}})
    return case


PHONES = ("10.20.0.11", "10.20.0.12", "10.20.0.17", "10.20.0.23", "2001:db8:20::4a:11")
USES = (
    ("whatsapp", "signal"),
    ("whatsapp",),
    ("telegram", "threema"),
    ("signal", "telegram"),
    ("whatsapp", "threema"),
)


def _traffic(case: FakeCase, day: list[tuple[int, int]], chance: random.Random) -> None:
    for ids, begin in zip(day[:2], (START, START + 24 * HOUR), strict=True):
        for phone, apps in zip(PHONES, USES, strict=True):
            for app in apps:
                for _ in range(chance.randint(4, 8)):
                    _labelled(case, ids, begin + chance.randrange(8 * HOUR), phone, app, chance)
        for _ in range(30):
            phone, first = chance.choice(PHONES), begin + chance.randrange(8 * HOUR)
            service, transport = chance.choice(
                (("tls", "tcp"), ("quic", "udp"), ("dns", "udp"), (None, "udp"), (None, "tcp"))
            )
            syn = chance.random() < 0.6
            flow = case.add_flow(ids, first, 40, phone, service=service, transport=transport, syn_seen=syn)
            if service in ("tls", "quic"):
                sni = chance.choice(("www.example.org", "cdn.example.net", None))
                case.add(
                    "tls_handshakes", ids, flow_no=flow - ids[1],
                    carrier="tcp" if service == "tls" else "quic",
                    client_frame=12, sni=sni, version="TLS 1.3",
                )  # fmt: skip
            if service == "dns":
                case.add(
                    "dns_messages", ids, flow_no=flow - ids[1], frame=12, ts=first, query_name="example.org"
                )


def _labelled(
    case: FakeCase, ids: tuple[int, int], first: int, phone: str, app: str, chance: random.Random
) -> None:
    kind, value, confidence = APPS[app]
    seconds = chance.randint(60, 2_400)
    flow = case.add_flow(
        ids, first, seconds, phone, app=app, app_confidence=confidence,
        payload_up=chance.randint(4_000, 90_000),
        payload_down=chance.randint(9_000, 900_000), bytes_up=120_000, bytes_down=930_000,
    )  # fmt: skip
    number = flow - ids[1]
    case.add(
        "app_evidence", ids, flow_no=number, app=app, rule_id=f"{app}.{kind}", kind=kind, value=value,
        frame=12 + 40 * number, confidence=confidence,
    )  # fmt: skip
    case.add(
        "tls_handshakes",
        ids,
        flow_no=number,
        carrier="tcp",
        client_frame=12 + 40 * number,
        sni=value,
        version="TLS 1.3",
    )
    for _ in range(chance.randint(3, 14)):
        at = first + chance.randrange(seconds * SECOND)
        events = case.own.setdefault("events", [])
        events.append(
            {"event_id": len(events), "pattern": "message_events", "flow_id": flow, "capture_id": ids[0],
             "ts": at, "up": True, "bytes": 412,
             "kind": chance.choice(("text-like", "text-like", "media-like", "keepalive")),
             "confidence": 60}
        )  # fmt: skip


def _findings(case: FakeCase, day: list[tuple[int, int]], chance: random.Random) -> None:
    for flow in case.evidence["flows"]:
        if flow["app"]:
            minutes = (flow["last_ts"] - flow["first_ts"]) // (60 * SECOND)
            frames = [
                (flow["capture_id"], frame) for frame in range(flow["first_frame"], flow["last_frame"] + 1)
            ]
            case.add_finding(
                "app_sessions", chance.sample(frames, 30), subject=flow["client_ip"], app=flow["app"],
                first_ts=flow["first_ts"], last_ts=flow["last_ts"],
                statement=f"Address {flow['client_ip']} used {flow['app']} for {minutes} minutes in 1 flow.",
            )  # fmt: skip
    for phone in PHONES[:2]:
        case.add_finding(
            "activity_rhythm", [(day[0][0], 12), (day[1][0], 52)], subject=phone, first_ts=START,
            last_ts=START + 33 * HOUR, score=0.412,
            statement=f"Message-like events of address {phone} lie between 07 h and 15 h UTC on 2 of 2 days.",
        )  # fmt: skip
    case.add_finding(
        "co_timing",
        [(day[0][0], frame) for frame in range(100, 900, 7)] + [(day[1][0], 2311), (day[1][0], 2312)],
        kind="assessment", subject=PHONES[0], object=PHONES[1], app="whatsapp", first_ts=START + HOUR,
        last_ts=START + 31 * HOUR, score=0.61, parameters='{"delta_s": 2.0, "shifts": 999}',
        analysis_version="2",
        statement=f"On whatsapp, 41 of at most 67 bursts of addresses {PHONES[0]} and {PHONES[1]} coincided "
        "within 2 s; shifted in time they give 9 in the median (p = 0.001).",
    )  # fmt: skip
    case.add_finding(
        "paired_calls", [(day[0][0], 4_411), (day[2][0], 3_902)], kind="assessment", subject=PHONES[2],
        object=PHONES[3], app="telegram", first_ts=START + 3 * HOUR, last_ts=START + 3 * HOUR + 700 * SECOND,
        score=0.93, likelihood_ratio=310.0, lr_low=140.0, lr_high=690.0, parameters='{"window_s": 5}',
        analysis_version="0.3",
        statement=f"Addresses {PHONES[2]} and {PHONES[3]} each carried media at the same times.",
    )  # fmt: skip


def empty(*, training: bool = False) -> FakeCase:
    """A case without an exhibit, without a legal basis."""
    return FakeCase(path=Path("/cases/nothing"), training=training)


def with_names(text: str, *, case_name: str = "names") -> FakeCase:
    """`text` wherever text from outside can stand."""
    case = FakeCase(path=Path("/cases") / case_name, training=False)
    ids = case.add_exhibit(text, format=text, tool_version=text, rules_sha256="cd" * 32, complete=False)
    case.add("interfaces", ids, interface_id=0, name=text, link_name=text, packets=1)
    case.add("damage", ids, kind=text, offset=1, frame=1, count=1, detail=text)
    flow = case.add_flow(ids, START, 60, text, app=text, app_confidence=50)
    case.add(
        "app_evidence", ids, flow_no=0, app=text, rule_id=text, kind=text, value=text, frame=3, confidence=50
    )
    case.add("tls_handshakes", ids, flow_no=0, carrier=text, version=text, sni=text, client_frame=3)
    case.add_flow(ids, START, 60, "10.0.0.1", service=text)
    for kind in ("fact", "assessment"):
        case.add_finding(
            "activity_rhythm" if kind == "fact" else text, [(ids[0], 3)], kind=kind, subject=text,
            object=text, app=text,
            statement=text, first_ts=START, last_ts=START + SECOND, analysis_version=text,
            parameters=json.dumps({text: text}),
        )  # fmt: skip
    case.own["events"] = [
        {"event_id": 1, "pattern": text, "flow_id": flow, "capture_id": ids[0], "ts": START, "up": True,
         "bytes": 1, "kind": text, "confidence": 1}
    ]  # fmt: skip
    case.own["authority"] = [{"authority_id": 1, "instrument": text, "reference": text, "status": "active"}]
    return case


def crowded(findings: int) -> FakeCase:
    """One exhibit and many findings of three methods, each on scattered frames."""
    case = FakeCase()
    ids = case.add_exhibit("crowd.pcap", packets=findings * 100)
    for number in range(findings):
        first = START + number * SECOND // 2
        case.add_finding(
            ("app_sessions", "co_timing", "bursts")[number % 3],
            [(ids[0], 1 + number * 20 + 2 * step) for step in range(12)],
            kind=("fact", "assessment", "fact")[number % 3],
            subject=f"10.1.{number // 250 % 250}.{number % 250}",
            app="whatsapp", first_ts=first, last_ts=first + 90 * SECOND,
            statement=f"Address 10.1.{number // 250 % 250}.{number % 250} did what is counted: {number}.",
        )  # fmt: skip
    return case


CASES: dict[str, Callable[[], FakeCase]] = {"realistic": realistic, "empty": empty}
