"""A decoder for tests: a text file of `packets=...` lines stands for a capture; deterministic, no packet is
read.

It writes the whole set of evidence files through the schemas of capture/tables.py, like the real decoder
does. Special first lines make it misbehave the way a decoder can.
"""

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wirecover.capture.errors import CaptureError
from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.capture.scope import Scope
from wirecover.capture.tables import TABLES

START = 1_700_000_000_123_456_789


def write_capture(path: Path, text: str = "packets=3") -> Path:
    """A file that this decoder reads, with the first bytes of a pcap so that folders find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + text.encode())
    return path


def decode(path: Path, out: Path, scope: Scope) -> Manifest:
    """Write evidence for one file."""
    data = path.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1":
        raise CaptureError(path.name, "not a capture", 0)
    text = data[4:].decode()
    digest = text.removeprefix("sha256=") if text.startswith("sha256=") else hashlib.sha256(data).hexdigest()
    rows = rows_of(
        digest, path.name, len(data), int(text.removeprefix("packets=")) if "packets=" in text else 3
    )
    damaged = text.startswith("damaged")
    if damaged:
        rows["captures"][0]["complete"] = False
    for number, (table, schema) in enumerate(TABLES.items()):
        pq.write_table(pa.Table.from_pylist(rows.get(table, []), schema=schema), out / f"{table}.parquet")
        if number == 3:
            misbehave(text)
    files = {f"{table}.parquet": sha256_of(out / f"{table}.parquet") for table in TABLES}
    manifest = Manifest(
        name=path.name, sha256=digest, bytes=len(data), tool_version="0", rules_sha256="0" * 64,
        tables={table: len(rows.get(table, [])) for table in TABLES}, files=files,
        damage=("truncated at offset 7",) if damaged else (), complete=not damaged,
    )  # fmt: skip
    manifest.write(out)
    if text == "extra file":
        (out / "extra.bin").write_bytes(b"x")
    return manifest


def misbehave(text: str) -> None:
    """Fail in the middle of writing, when the text asks for it."""
    if text == "disk full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if text == "bug":
        raise ValueError("unexpected")
    if text == "die":
        os._exit(9)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows_of(digest: str, name: str, size: int, packets: int) -> dict[str, list[dict[str, Any]]]:
    """One TLS flow with `packets` packets and a handshake."""
    capture: dict[str, Any] = dict.fromkeys(TABLES["captures"].names, 0)
    capture.update(
        capture_id=capture_id(digest), flow_base=flow_base(digest), name=name, sha256=digest, bytes=size,
        format="pcap", compression=None, packets=packets,
        first_ts=START, last_ts=START + packets - 1, complete=True,
        tool_version="0", rules_sha256="0" * 64, local_rules_sha256=None,
    )  # fmt: skip
    flow: dict[str, Any] = dict.fromkeys(TABLES["flows"].names)
    flow.update(
        flow_no=0, transport="tcp", client_ip="192.0.2.1", client_port=40000, server_ip="198.51.100.7",
        server_port=443, client_by="syn", first_frame=1,
        last_frame=packets, first_ts=START, last_ts=START + packets - 1,
        packets_up=packets, packets_down=0, bytes_up=100 * packets, bytes_down=0, payload_up=40 * packets,
        payload_down=0, service="tls", app="signal", app_confidence=90,
    )  # fmt: skip
    hello = dict.fromkeys(TABLES["tls_handshakes"].names) | {
        "flow_no": 0, "carrier": "tcp", "client_frame": 1, "client_ts": START, "sni": "chat.example",
        "alpn_offered": ["h2", "http/1.1"], "certificate_sha256s": ["ab" * 32],
    }  # fmt: skip
    return {
        "captures": [capture],
        "flows": [flow],
        "packets": [
            {"flow_no": 0, "frame": number + 1, "ts": START + number, "up": True, "payload_bytes": 40,
             "record_bytes": [30, 5] if number == 0 else None, "record_types": [22, 23] if number == 0 else
             None}
            for number in range(packets)
        ],
        "tls_handshakes": [hello],
        "certificates": [
            dict.fromkeys(TABLES["certificates"].names)
            | {"sha256": "ab" * 32, "sha1": "cd" * 20, "san": ["chat.example"], "flow_no": 0, "frame": 2}
        ],
        "names": [
            {"ip": "198.51.100.7", "name": "chat.example", "first_ts": START, "last_ts": START, "source":
            "sni",
             "flow_no": None, "frame": 1}
        ],
    }  # fmt: skip
