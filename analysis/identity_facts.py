"""Identity facts: what a server name, a relay or a messenger's clear framing says of who uses it.

A name that a client asks for may hold more than a server: the department of an account, the home server, the operator
of the SIM, a prefix of a group's id. Each such fact is stated with the name it was read from, the reason, and frames.
Nothing is inferred beyond what stands there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import duckdb

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import rows
from wirecover.analysis.findings import counted, parameters_json, result, utc_text
from wirecover.analysis.identity_names import HINT, Told, read_name
from wirecover.analysis.sightings import Sightings, check_tolerance, prepare_sightings

SESSION_USER = "session202111"
_LISTED = 10
"""Frames listed for one fact: the earliest."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Cap in findings."""

    most_findings: int = 20_000
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        check_tolerance(self.clock_tolerance_s)
        if self.most_findings < 1:
            raise AnalysisError("most_findings must be 1 or more")


class Sight(NamedTuple):
    """Where a fact was seen."""

    ts: int
    capture: int
    frame: int
    flow: int
    role: str


Key = tuple[str, Told]
"""Address, and what is told of it."""

_NAMES_QUERY = """
SELECT f.client_ip, lower(t.sni), 'ClientHello', f.app, f.server_port, epoch_ns(t.client_ts), f.capture_id,
       t.client_frame, f.flow_id
FROM tls_handshakes t JOIN flow_sightings f USING (flow_id)
WHERE f.counted AND t.sni IS NOT NULL AND t.client_frame IS NOT NULL AND f.client_ip IS NOT NULL
  AND (regexp_matches(lower(t.sni), $hint) OR f.app IN ('matrix', 'xmpp') OR f.server_port = 8448)
UNION ALL
SELECT f.client_ip, lower(d.query_name), 'DNS question', NULL, f.server_port, epoch_ns(d.ts), f.capture_id, d.frame,
       f.flow_id
FROM dns_messages d JOIN flow_sightings f USING (flow_id)
WHERE f.counted AND NOT d.is_response AND d.query_name IS NOT NULL AND f.client_ip IS NOT NULL
  AND regexp_matches(lower(d.query_name), $hint)
ORDER BY 6, 7, 8, 2
"""
_STUN_QUERY = """
SELECT f.client_ip, s.mapped, s.username, f.app, f.server_ip, epoch_ns(s.ts), f.capture_id, s.frame, f.flow_id
FROM stun_messages s JOIN flow_sightings f USING (flow_id)
WHERE f.counted AND f.client_ip IS NOT NULL AND (s.username = $user OR (
    s.mapped IS NOT NULL AND s.class = 'success' AND s.realm IS NULL
    AND starts_with(s.source, CASE WHEN f.server_ip LIKE '%:%' THEN '[' || f.server_ip || ']:'
                                   ELSE f.server_ip || ':' END)))
ORDER BY 6, 7, 8
"""
_FACTS_QUERY = """
SELECT f.client_ip, m.protocol, m.attribute, m.value, epoch_ns(m.ts), f.capture_id, m.frame, f.flow_id
FROM messenger_facts m JOIN flow_sightings f USING (flow_id)
WHERE f.counted AND f.client_ip IS NOT NULL
ORDER BY 5, 6, 7, 3
"""
_CLEAR = {
    ("discord", "public_address"): (
        "public address", "discord", "answer of the IP discovery before a voice connection",
        "as the voice server sees it; others behind the same translation have it too",
    ),
    ("mtproto", "auth_key_id"): (
        "Telegram key id", "telegram", "first 8 bytes of the messages, in clear",
        "one key is one log-in of one device, or a temporary key of about a day",
    ),
    ("telegram", "peer_tag_prefix"): (
        "Telegram call tag", "telegram", "first 12 bytes of the tag in the hello of a call reflector",
        "the same for both parties of a call, if the reflector forwards it unchanged: not tested on traffic",
    ),
    ("whatsapp-noise", "version"): (
        "WhatsApp protocol version", "whatsapp", "two bytes behind WA at the opening of the chat connection",
        "of the protocol, not of the application",
    ),
}  # fmt: skip


class IdentityFacts:
    """Detector: what names, relays and clear framing tell of who uses an application."""

    name: ClassVar[str] = "identity_facts"
    version: ClassVar[str] = "1"
    question: ClassVar[str] = (
        "What do server names, relays and the clear part of messengers tell of accounts, home servers, operators "
        "and public addresses?"
    )
    method: ClassVar[str] = (
        "Server names of ClientHellos and names asked of DNS are read by fixed patterns: the department in a name of "
        "Tchap, the home server in a name of Matrix or XMPP, country and network of the SIM in a name of RCS or of the "
        "3GPP, the prefix in a name of Threema. Of STUN, the address that a server says it sees, and the one user name "
        "that Session uses for all; of Discord, the address in the answer of its discovery; of Telegram and WhatsApp "
        "what stands in clear at the opening. Each fact is stated once for an address and value, with the number of "
        "times it was seen, the first and last time, and the first frames. What several exhibits recorded counts once."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        "Who the person is: an address is not a person, and a device may be used by several.",
        (
            "That the account is of the department, server or operator that a name speaks of: whoever writes to a "
            "user of another server may ask for its names too."
        ),
        "That a name was used: a browser may ask for names of links that nobody opened.",
        (
            "That the public address belongs to this device alone: translation (NAT, carrier-grade NAT) and VPN "
            "share one among many."
        ),
        "What a device does whose names are hidden (encrypted DNS, ECH, VPN).",
    )  # fmt: skip
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """One fact for each address and value."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        seen = told_of_addresses(connection, sightings)
        text = parameters_json(parameters)
        kept = sorted(seen, key=lambda key: (-len(seen[key]), key))[: parameters.most_findings]
        left = len(seen) - len(kept)
        notes = [f"{counted(left, 'identity fact')} seen least often not listed."] if left else []
        if not seen:
            notes.append("No name, relay or clear framing tells anything: no identity facts.")
        return result([_finding(*key, seen[key], text) for key in kept], notes=notes)


def told_of_addresses(connection: duckdb.DuckDBPyConnection, sightings: Sightings) -> dict[Key, list[Sight]]:
    """What names, relays and clear framing tell of each address, and where it was seen."""
    seen: dict[Key, list[Sight]] = defaultdict(list)
    for source in (
        _from_names(rows(connection, sightings.into(_NAMES_QUERY), {"hint": HINT})),
        _from_stun(rows(connection, sightings.into(_STUN_QUERY), {"user": SESSION_USER})),
        _from_framing(rows(connection, sightings.into(_FACTS_QUERY))),
    ):
        for client, told, sight in source:
            seen[client, told].append(sight)
    return seen


def _from_names(found: list[Any]) -> Iterator[tuple[str, Told, Sight]]:
    for client, name, source, app, port, ts, capture, frame, flow in found:
        for told in read_name(name, app, port):
            yield client, told, Sight(ts, capture, frame, flow, f"{source} with the name")


def _from_stun(found: list[Any]) -> Iterator[tuple[str, Told, Sight]]:
    for client, mapped, username, app, server, ts, capture, frame, flow in found:
        if username == SESSION_USER:
            told = Told(
                "relay user of Session", SESSION_USER, "session", SESSION_USER,
                "the user name of a TURN message", "all users of the application have the same",
            )  # fmt: skip
            yield client, told, Sight(ts, capture, frame, flow, "TURN message with the user name")
        if mapped is None:
            continue
        address = mapped.rpartition(":")[0].strip("[]")
        if address != client:
            told = Told(
                "public address", address, app, server, "address that a STUN server says it sees (XOR-MAPPED-ADDRESS)",
                "as this server sees it; others behind the same translation have it too",
            )  # fmt: skip
            yield client, told, Sight(ts, capture, frame, flow, "STUN answer with the address")


def _from_framing(found: list[Any]) -> Iterator[tuple[str, Told, Sight]]:
    for client, protocol, attribute, value, ts, capture, frame, flow in found:
        known = _CLEAR.get((protocol, attribute))
        if known is None or (attribute == "auth_key_id" and (value == "present" or value.startswith("none"))):
            continue
        fact, app, reason, caveat = known
        if attribute == "public_address":
            value = value.rpartition(":")[0].strip("[]")
        told = Told(fact, value, app, protocol, reason, caveat)
        yield client, told, Sight(ts, capture, frame, flow, f"{protocol}: {attribute}")


def _finding(client: str, told: Told, sights: list[Sight], parameters: str) -> Finding:
    ordered = sorted(set(sights))
    first, last = ordered[0].ts, ordered[-1].ts
    times = "once" if len(ordered) == 1 else f"{len(ordered):,} times"
    statement = (
        f"Address {client}: {told.attribute} {told.value}, read from {told.source}, seen {times} between "
        f"{utc_text(first)} and {utc_text(last)}. Reason: {told.reason}. It is to be read with care: {told.caveat}."
    )
    return Finding(
        pattern=IdentityFacts.name, version=IdentityFacts.version, kind="fact", statement=statement,
        parameters=parameters, first_ns=first, last_ns=last, subject=client, app=told.app,
        key=f"{told.attribute}={told.value} from {told.source}",
        details={
            "attribute": told.attribute, "value": told.value, "source": told.source, "reason": told.reason,
            "caveat": told.caveat, "times": len(ordered), "frames_listed": min(len(ordered), _LISTED),
        },
        frames=tuple(FrameRef(one.capture, one.frame, one.flow, one.role) for one in ordered[:_LISTED]),
        capture_ids=tuple(sorted({one.capture for one in ordered})),
    )  # fmt: skip
