"""Why a flow of the case has its label: what was stored with it, and every rule that fits what the case knows of it.

The reasons are those that the ingest wrote, with their frames. What the rules say besides (hints that did not suffice,
rules of another time) is found anew from handshake, names, certificate and STUN messages of the flow, by the rules
that are loaded now; whether these are the rules of the ingest is said.
"""

from dataclasses import dataclass
from typing import Any, Final

import duckdb

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.flow_shapes import flow_shapes
from wirecover.capture.apps.explanation import Considered, consider
from wirecover.capture.apps.matcher import FlowFacts, RuleSet
from wirecover.capture.apps.rule import EvidenceRule
from wirecover.capture.flows.names import FRESH_NS, STALE_NS
from wirecover.capture.registries.stun_attributes import attribute_number

INHERITED: Final = {
    "socket": "it shares a UDP socket with a labelled flow",
    "rtcp": "its ports are one below those of a labelled flow of reports (RTCP) between the same addresses",
    "ice": "its ICE checks carry the same pair of user fragments as those of a labelled flow",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of the explanation."""

    role: str
    """`reason`, `conflict`, `shape` (a heartbeat or record length that supports what is said), or as in `Considered`:
    `hint`, `outdated`."""
    app: str
    rule_id: str
    kind: str
    value: str | None
    frame: int | None
    confidence: int
    why: str
    source: str
    """Where the rule comes from; "" when it is not among the rules that are loaded."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one flow has its label, or none."""

    flow_id: int
    label: str | None
    confidence: int | None
    same_rules: bool
    """The rules that are loaded are those of the ingest."""
    reasons: tuple[Reason, ...]


def explain(connection: duckdb.DuckDBPyConnection, flow_id: int, rules: RuleSet) -> Explanation:
    """The explanation for a flow. AnalysisError when the case has no such flow."""
    found = connection.execute(
        "SELECT f.transport, f.client_ip, f.client_port, f.server_ip, f.server_port, f.service, f.app, "
        "f.app_confidence, f.first_frame, epoch_ns(f.first_ts), c.rules_sha256, f.capture_id "
        "FROM flows f JOIN captures c USING (capture_id) WHERE f.flow_id = ?",
        [flow_id],
    ).fetchone()
    if found is None:
        raise AnalysisError(f"no flow {flow_id} in this case")
    (
        transport,
        client,
        client_port,
        server,
        server_port,
        service,
        app,
        confidence,
        frame,
        at,
        digest,
        capture,
    ) = found
    stored = _stored(connection, flow_id, app, rules)
    facts = FlowFacts(
        transport=transport, server_ip=server or "", server_port=server_port or 0, client_ip=client or "",
        client_port=client_port or 0, frame=frame, service=service,
        **_handshake(connection, flow_id), **_stun(connection, flow_id),
        **_dns(connection, capture, client, server, at),
        signatures=frozenset(one.value for one in stored if one.kind == "signature" and one.value is not None),
        framing=_framing(connection, flow_id),
    )  # fmt: skip
    seen = {(one.rule_id, one.kind) for one in stored}
    more = [_further(one, rules) for one in consider(rules, facts, at) if (one.rule_id, one.kind) not in seen]
    pointed = {one.app for one in (*stored, *more)}
    shapes = [
        Reason("shape", one.rule.app, one.rule.id, one.kind, one.value, one.frame, one.rule.confidence, one.rule.title,
               one.rule.source)
        for one in flow_shapes(connection, flow_id, rules, pointed, at)
    ]  # fmt: skip
    return Explanation(flow_id, app, confidence, digest == rules.sha256, (*stored, *more, *shapes))


def _rows_by_id(rules: RuleSet) -> dict[str, EvidenceRule]:
    return {row.id: row for app in rules.apps.values() for row in app.evidence}


def _stored(
    connection: duckdb.DuckDBPyConnection, flow_id: int, label: str | None, rules: RuleSet
) -> tuple[Reason, ...]:
    known = _rows_by_id(rules)
    family = () if label is None or label not in rules.apps else (label, *rules.apps[label].part_of)
    rows = connection.execute(
        "SELECT app, rule_id, kind, value, frame, confidence FROM app_evidence WHERE flow_id = ? "
        "ORDER BY confidence DESC, rule_id, kind, value, frame",
        [flow_id],
    ).fetchall()
    reasons = []
    for app, rule_id, kind, value, frame, confidence in rows:
        rule = known.get(rule_id)
        role = "hint" if label is None else "reason" if app == label or app in family else "conflict"
        why = rule.title if rule else INHERITED.get(kind, "a rule that is not among those loaded")
        source = rule.source if rule else ""
        reasons.append(Reason(role, app, rule_id, kind, value, frame, confidence, why, source))
    return tuple(sorted(reasons, key=lambda one: ("reason", "conflict", "hint").index(one.role)))


def _further(one: Considered, rules: RuleSet) -> Reason:
    rule = _rows_by_id(rules)[one.rule_id]
    role = {"carries": "now a reason", "against": "now a conflict", "supports": "hint"}.get(
        one.role, one.role
    )
    return Reason(role, one.app, one.rule_id, one.kind, one.value, None, one.confidence, one.why, rule.source)


def _handshake(connection: duckdb.DuckDBPyConnection, flow_id: int) -> dict[str, Any]:
    found = connection.execute(
        "SELECT sni, alpn_offered, ja4, certificate_sha256s FROM tls_handshakes WHERE flow_id = ? "
        "ORDER BY client_frame LIMIT 1",
        [flow_id],
    ).fetchone()
    if found is None:
        return {}
    sni, alpn, ja4, chain = found
    return {
        "sni": sni, "alpn_offered": tuple(alpn or ()), "ja4": ja4,
        "certificate_names": _certificate(connection, chain[0]) if chain else (),
    }  # fmt: skip


def _certificate(connection: duckdb.DuckDBPyConnection, digest: str) -> tuple[str, ...]:
    """The names a certificate is for: its alternative names, else its common name."""
    found = connection.execute(
        "SELECT subject, san FROM certificates WHERE sha256 = ? ORDER BY flow_id, frame LIMIT 1", [digest]
    ).fetchone()
    if found is None:
        return ()
    subject, san = found
    names = tuple(name for name in san or () if ":" not in name and "@" not in name)
    common = [part[3:] for part in (subject or "").split(",") if part.startswith("CN=")]
    return names or tuple(common[:1])


def _stun(connection: duckdb.DuckDBPyConnection, flow_id: int) -> dict[str, Any]:
    rows = connection.execute(
        "SELECT realm, username, software, attributes FROM stun_messages WHERE flow_id = ? ORDER BY frame",
        [flow_id],
    ).fetchall()
    texts = [next((row[i] for row in rows if row[i] is not None), None) for i in range(3)]
    numbers = {attribute_number(name) for row in rows for name in row[3] or ()}
    return {
        "stun_realm": texts[0], "stun_username": texts[1], "stun_software": texts[2],
        "stun_attributes": frozenset(number for number in numbers if number is not None),
    }  # fmt: skip


def _dns(
    connection: duckdb.DuckDBPyConnection, capture: int, client: str | None, server: str | None, at: int
) -> dict[str, Any]:
    """Names that this client had asked for and was given this server, the latest last."""
    rows = connection.execute(
        "SELECT lower(coalesce(a.query_name, a.name)), max(a.frame), max(epoch_ns(a.ts)) FROM dns_answers a "
        "JOIN flows d USING (flow_id) WHERE a.capture_id = ? AND a.data = ? AND a.type IN ('A', 'AAAA') "
        "AND (d.client_ip = ? OR d.server_ip = ?) AND epoch_ns(a.ts) <= ? GROUP BY 1 ORDER BY 3, 1",
        [capture, server, client, client, at],
    ).fetchall()
    late = [(when, name) for name, _, when in rows]
    fresh = len(late) > 1 and at - late[-1][0] <= FRESH_NS and at - late[-2][0] >= STALE_NS
    return {
        "dns_names": tuple((name, frame) for name, frame, _ in rows),
        "dns_fresh": late[-1][1] if fresh else None,
    }


def _framing(connection: duckdb.DuckDBPyConnection, flow_id: int) -> str | None:
    found = connection.execute(
        "SELECT min(protocol) FROM messenger_frames WHERE flow_id = ?", [flow_id]
    ).fetchone()
    return None if found is None else found[0]
