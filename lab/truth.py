"""The truth file: the plan and the journals of all persons, joined into one JSON document.

It says lengths, times, addresses and handshake facts; it holds no text that was sent.
"""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.hosts import HOSTS, OUTSIDE, STAND_INS, TURN_REALM
from lab.plan import Call, Plan
from lab.services import Server

Row = dict[str, Any]
STATEMENT = (
    "Real TLS, QUIC, DTLS, STUN, DNS and XMPP traffic between real programs on one machine. "
    "chat.signal.org and g.whatsapp.net are LAB STAND-INS: these names were answered only by the lab's own "
    "resolver, with lab addresses, and served by a WebSocket relay with a lab certificate. Nothing of the "
    "named services took part, and what is inside the TLS is not their protocol."
)


def read_journals(folder: Path) -> list[Row]:
    rows = []
    for path in sorted(folder.glob("journal-*.jsonl")):
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return rows


def build(plan: Plan, rows: list[Row], servers: Iterable[Server], queries: Path) -> Row:
    served = list(servers)
    return {
        "format": "wirecover-lab-truth/1",
        "statement": STATEMENT,
        "clock": "one machine's clock for clients, servers and captures; *_ns are nanoseconds since 1970 UTC",
        "seed": plan.seed,
        "endpoints": [_endpoint(name) for name in HOSTS],
        "servers": [_server(server) for server in served],
        "sessions": [dataclasses.asdict(account) for account in plan.accounts],
        "handshakes": _handshakes(rows, served),
        "messages": _messages(plan, rows),
        "calls": [_call(call, rows) for call in plan.calls],
        "requests": sorted(_only(rows, "request"), key=lambda row: row["asked_ns"]),
        "dns": _dns(queries),
    }


def _endpoint(name: str) -> Row:
    host = HOSTS[name]
    side = "outside" if host in OUTSIDE else "client" if host.client else "server"
    return {
        "name": name,
        "side": side,
        "ipv4": host.ipv4_address,
        "ipv6": host.ipv6_address,
        "mac": host.mac,
        "role": host.role,
    }


def _server(server: Server) -> Row:
    host = HOSTS[server.host]
    return {**dataclasses.asdict(server), "ipv4": host.ipv4_address, "ipv6": host.ipv6_address}


def _only(rows: list[Row], what: str) -> list[Row]:
    return [
        {key: value for key, value in row.items() if key != "what"} for row in rows if row["what"] == what
    ]


def _index(rows: list[Row], what: str, key: str) -> dict[str, Row]:
    return {row[key]: row for row in _only(rows, what)}


def _handshakes(rows: list[Row], servers: list[Server]) -> list[Row]:
    certificates = {name: server.certificate_sha256 for server in servers for name in server.names}
    return [
        {**row, "certificate_sha256": certificates[row["sni"]], "stand_in_for": STAND_INS.get(row["sni"])}
        for row in sorted(_only(rows, "handshake"), key=lambda row: row["begun_ns"])
    ]


def _messages(plan: Plan, rows: list[Row]) -> list[Row]:
    sent, received = _index(rows, "sent", "id"), _index(rows, "received", "id")
    receipts, acks = _index(rows, "receipt", "id"), _index(rows, "ack", "id")
    messages = []
    for planned in plan.messages:
        row = {
            "id": planned.id,
            "service": planned.service,
            "kind": planned.kind,
            "from": planned.sender,
            "to": planned.recipient,
            "body_bytes": planned.body_bytes,
            "application_bytes": sent[planned.id]["application_bytes"],
            "sent_ns": sent[planned.id]["sent_ns"],
            "server_ack_ns": acks[planned.id]["at_ns"] if planned.id in acks else None,
            "received_ns": received[planned.id]["received_ns"] if planned.id in received else None,
            "receipt_ns": receipts[planned.id]["at_ns"] if planned.id in receipts else None,
        }
        messages.append(row)
    return sorted(messages, key=lambda row: (row["sent_ns"], row["id"]))


def _call(call: Call, rows: list[Row]) -> Row:
    mine = [row for row in rows if row.get("call") == call.id]
    steps = {row["what"]: row["at_ns"] for row in mine if row["what"].startswith("call-")}
    legs = []
    for person in (call.caller, call.callee):
        facts = {row["what"]: row for row in mine if row["person"] == person}
        if "leg-closed" in facts:
            legs.append(_leg(facts))
    return {
        "id": call.id,
        "signalled_by": "xmpp",
        "caller": call.caller,
        "callee": call.callee,
        "caller_ip": HOSTS[call.caller].ipv4_address,
        "callee_ip": HOSTS[call.callee].ipv4_address,
        "state": "answered" if call.talk_s else "not answered",
        "media": "audio" if call.talk_s else None,
        "relayed": call.relayed,
        "setup_ns": steps["call-setup"],
        "offered_ns": steps["call-offered"],
        "answered_ns": steps.get("call-answered"),
        "ended_ns": steps["call-ended"],
        "signalling": sorted(_only(mine, "signal"), key=lambda row: row["sent_ns"]),
        "legs": legs,
    }


def _leg(facts: dict[str, Row]) -> Row:
    """One side of a call: its TURN allocation, the pair of addresses the media took, and what it counted."""
    allocation = facts.get("allocation")
    connected = facts.get("leg-connected", {})
    return {
        "person": facts["leg-closed"]["person"],
        "turn": allocation
        and {
            **{key: value for key, value in allocation.items() if key not in ("what", "call", "person")},
            "realm": TURN_REALM,
            "server_ip": HOSTS["turn"].ipv4_address,
        },
        "path": facts["leg-closed"]["path"],
        "connected_ns": connected.get("at_ns"),
        "ended_ns": facts["leg-closed"]["ended_ns"],
        "media": facts["leg-closed"]["media"],
    }


def _dns(queries: Path) -> list[Row]:
    """The resolver's own log: '[1763822000] unbound[123:0] info: 10.77.1.11 name. A IN'."""
    asked = []
    for line in queries.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) == 7 and words[2] == "info:" and words[6] == "IN" and words[3].startswith("10.77.1."):
            second, name = int(words[0].strip("[]")), words[4].rstrip(".")
            asked.append({"second": second, "client_ip": words[3], "name": name, "type": words[5]})
    return sorted(asked, key=lambda row: (row["second"], row["client_ip"], row["name"], row["type"]))
