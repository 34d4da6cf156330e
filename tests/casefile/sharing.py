"""What tests of shares share: cases whose every flow carries marks of its own, and scope files."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fake_decode import rows_of, sha256_of, write_capture

from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import Scope as CaptureScope
from wirecover.capture.tables import TABLES
from wirecover.casefile.case import Case
from wirecover.casefile.share_scope import Conditions, Scope, ShareOrder

FAR = "stays-in-every-share"
"""In every place that no share may let out."""
SCOPE = """
format = "wirecover-share/1"
reference = "2026/114-3"
edition = 1
purpose = "Identify the relay"
partner = "FR/OFAC"

[scope]
to = 2023-11-14T22:14:00Z
addresses = ["192.0.2.1"]
applications = ["signal"]
tables = ["flows", "packets", "tls_handshakes", "names", "app_evidence"]

[conditions]
use = ["Ask before use in court"]
onward = false
destroy_by = 2027-03-01T00:00:00Z
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One flow of a made-up recording."""

    client: str
    server: str
    first: int
    last: int
    app: str | None

    @property
    def mark(self) -> str:
        """A name that only this flow has."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12] + ".example"


def write_scope(path: Path, text: str = SCOPE, **changes: str | None) -> Path:
    """A scope file with some keys set, or taken out (None)."""
    places = {"from": "scope", "to": "scope", "addresses": "scope", "applications": "scope", "exhibits": "scope",
              "findings": "scope", "tables": "scope", "use": "conditions", "onward": "conditions"}  # fmt: skip
    lines = [line for line in text.splitlines() if line.split(" ")[0] not in changes]
    for key, value in changes.items():
        if value is not None:
            place = f"[{places[key]}]" if key in places else 'format = "wirecover-share/1"'
            lines.insert(lines.index(place) + 1, f"{key} = {value}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def order(scope: Scope) -> ShareOrder:
    return ShareOrder("ref", 1, "purpose", "partner", scope, Conditions((), onward=False, destroy_by=None))


def case_of(path: Path, recordings: list[list[Line]]) -> Case:
    """A case with one exhibit a recording."""
    case = Case.create(path, training=True)
    for number, lines in enumerate(recordings):
        capture = write_capture(
            path.with_name(f"{path.name}-in") / f"secret-name-{number}.pcap", f"packets={number}"
        )
        assert case.ingest([capture], decoder=partial(decode, lines)).exit_code == 0
    return case


def decode(lines: list[Line], path: Path, out: Path, scope: CaptureScope) -> Manifest:
    """Stands in for the decoder: each flow in every table, with its mark where a text fits."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = rows_of(digest, path.name, path.stat().st_size, 1) | {
        "packets": [],
        "flows": [],
        "tls_handshakes": [],
    }
    rows |= {"certificates": [], "names": []}
    for number, line in enumerate(lines):
        for table, found in _flow(number, line).items():
            rows.setdefault(table, []).extend(dict.fromkeys(TABLES[table].names) | one for one in found)
    rows["comments"] = [{"frame": 1, "kind": "packet", "text": FAR}]
    rows["interfaces"] = [dict.fromkeys(TABLES["interfaces"].names) | {"interface_id": 0, "name": FAR}]
    for table, schema in TABLES.items():
        pq.write_table(pa.Table.from_pylist(rows.get(table, []), schema=schema), out / f"{table}.parquet")
    manifest = Manifest(
        name=path.name, sha256=digest, bytes=path.stat().st_size, tool_version="0", rules_sha256="0" * 64,
        tables={table: len(rows.get(table, [])) for table in TABLES},
        files={f"{table}.parquet": sha256_of(out / f"{table}.parquet") for table in TABLES}, damage=(), complete=True,
    )  # fmt: skip
    manifest.write(out)
    return manifest


def _flow(number: int, line: Line) -> dict[str, list[dict[str, Any]]]:
    first, last, mark = 10 * number + 1, 10 * number + 9, line.mark
    own = {"flow_no": number, "frame": first}
    odd = line.first + 7
    return {
        "flows": [{
            "flow_no": number, "transport": "tcp", "client_ip": line.client, "client_port": 40_000,
            "server_ip": line.server, "server_port": 443, "client_by": "syn", "first_frame": first, "last_frame": last,
            "first_ts": line.first, "last_ts": line.last, "packets_up": 1, "service": "tls", "app": line.app,
        }],
        "packets": [{**own, "ts": time, "up": True, "payload_bytes": 40} for time in (line.first, line.last)],
        "tls_handshakes": [{"flow_no": number, "carrier": "tcp", "client_frame": first, "client_ts": line.first,
                            "sni": mark, "certificate_sha256s": [mark]}],
        "certificates": [{**own, "sha256": mark, "subject": mark}],
        "dns_messages": [{**own, "ts": line.first, "query_name": mark}],
        "dns_answers": [{**own, "ts": line.first, "name": mark, "data": line.server}],
        "names": [{**own, "ip": line.server, "name": mark, "first_ts": line.first, "last_ts": odd, "source": "sni"}],
        "stun_messages": [{**own, "ts": line.first, "username": mark, "peer": f"{line.server}:1"}],
        "media_streams": [{"flow_no": number, "first_ts": line.first, "last_ts": line.last, "kind": mark}],
        "ssh_handshakes": [{"flow_no": number, "client_frame": first, "client_software": mark}],
        "app_evidence": [
            {**own, "app": "signal", "kind": "sni", "value": mark},
            {"flow_no": number, "frame": first + 10, "app": "signal", "kind": "dns", "value": FAR},
        ],
        "hosts": [{"ip": line.client, "attribute": "name", "value": "host", "source": "dhcp", "frame": first,
                   "first_ts": line.first, "last_ts": line.last}],
        "messenger_frames": [{**own, "ts": line.first, "protocol": mark}],
    }  # fmt: skip
