"""What the exhibits hold of each group that may be a call, as records: its legs, streams, ICE roles and addresses."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import duckdb

from wirecover.analysis.evidence import rows
from wirecover.analysis.spans import Span

MOST_ADDRESSES: Final = 40
"""Addresses of each kind that are kept for a call; a crafted set-up can name any number."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a flow that belongs to the group."""

    flow_id: int
    capture_id: int
    transport: str
    client: str
    server: str
    client_ip: str
    server_ip: str
    app: str | None
    app_confidence: int
    service: str | None
    counted: bool
    start_ns: int
    end_ns: int
    first_frame: int
    checks: int
    allocated: int
    refused: int
    permissions: int
    vendor: int
    stun: int
    dtls: int
    rest: int
    """Packets of the flow that are no STUN messages."""
    one_way: bool
    """The exhibit holds one direction of the flow alone."""
    realm: str | None
    server_asks: bool
    server_serves: bool
    client_serves: bool
    has_media: bool
    reason: str | None

    @property
    def devices(self) -> tuple[str, ...]:
        """Addresses of this leg that are no server's, as far as it shows."""
        sides = (
            (self.client_ip, not self.client_serves),
            (self.server_ip, self.server_asks and not self.server_serves),
        )
        return tuple(address for address, device in sides if device)

    @property
    def role(self) -> str:
        """Its part in the call."""
        if self.has_media:
            return "media"
        if self.service == "sip":
            return "signalling"
        return "relay" if self.allocated or self.permissions else "set-up"


@dataclass(frozen=True, slots=True)
class Stream:
    """Media of one direction of a leg: an RTP stream, or a run of packets without a known header."""

    flow_id: int
    capture_id: int
    opaque: bool
    sender: str
    """Address."""
    receiver: str
    start_ns: int
    end_ns: int
    frame: int
    last_frame: int
    packets: int
    bytes: int
    kind: str
    counted: bool
    relayed: bool | None
    """The leg goes to a relay or conference server (false: to a device; None: it does not show)."""


@dataclass(frozen=True, slots=True)
class IceRole:
    """What one socket said of itself in its connectivity checks."""

    source: str
    controlling: bool
    controlled: bool
    capture_id: int
    flow_id: int
    frame: int


@dataclass(frozen=True, slots=True)
class Told:
    """An address that a STUN message tells."""

    kind: str
    """mapped, relayed or peer."""
    address: str
    capture_id: int
    flow_id: int
    frame: int


@dataclass(slots=True)
class Group:
    """Everything of one group."""

    number: int
    legs: list[Leg]
    streams: list[Stream] = field(default_factory=list)
    roles: list[IceRole] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    @property
    def devices(self) -> list[str]:
        """Addresses of devices, those first that were first seen."""
        found: dict[str, None] = {}
        for leg in self.legs:
            found.update(dict.fromkeys(leg.devices))
        return list(found)

    @property
    def observed(self) -> list[str]:
        """Of these the ones on whose side the exhibits were recorded: clients of some leg."""
        clients = dict.fromkeys(leg.client_ip for leg in self.legs if not leg.client_serves)
        return list(clients)

    @property
    def span(self) -> Span:
        """First and last packet of set-up or media."""
        return min(leg.start_ns for leg in self.legs), max(leg.end_ns for leg in self.legs)


_CHOSEN: Final = """
CREATE OR REPLACE TEMP TABLE call_chosen AS
SELECT g.call_no FROM {groups} g JOIN call_pieces p ON p.piece = g.piece GROUP BY g.call_no
HAVING sum(p.rtp_up + p.rtp_down + p.run_up + p.vendor + p.permissions + p.allocated + p.checks) > 0
"""
_LEGS: Final = """
SELECT g.call_no, p.flow_id, p.capture_id, p.transport, p.client, p.server, p.client_ip, p.server_ip, p.app,
       p.app_confidence, p.service, p.counted, p.start_ns, p.end_ns, p.first_frame, p.checks, p.allocated, p.refused,
       p.permissions, p.vendor, p.stun, p.dtls, p.rest, p.one_way, p.realm, p.server_asks, p.server_serves,
       p.client_serves, p.media_ns IS NOT NULL, g.reason
FROM {groups} g JOIN call_pieces p ON p.piece = g.piece JOIN call_chosen c ON c.call_no = g.call_no
ORDER BY g.call_no, p.start_ns, p.piece
"""
_STREAMS: Final = """
SELECT g.call_no, m.flow_id, p.capture_id, m.mark = 'run', CASE WHEN m.up THEN p.client_ip ELSE p.server_ip END,
       CASE WHEN m.up THEN p.server_ip ELSE p.client_ip END, m.start_ns, m.end_ns, m.frame, m.last_frame, m.packets,
       m.bytes, coalesce(m.media, 'unknown'), p.counted,
       CASE WHEN p.server_serves OR p.client_serves THEN true WHEN p.server_asks THEN false END
FROM {groups} g JOIN call_pieces p ON p.piece = g.piece
JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part
WHERE m.mark IN ('rtp', 'run')
ORDER BY g.call_no, m.start_ns, m.frame, m.flow_id, m.up
"""
_ROLES: Final = """
SELECT g.call_no, m.source, bool_or(list_contains(m.attributes, 'ICE-CONTROLLING')),
       bool_or(list_contains(m.attributes, 'ICE-CONTROLLED')), arg_min(p.capture_id, (m.start_ns, p.piece)),
       arg_min(m.flow_id, (m.start_ns, p.piece)), arg_min(m.frame, (m.start_ns, p.piece))
FROM {groups} g JOIN call_pieces p ON p.piece = g.piece JOIN call_chosen c ON c.call_no = g.call_no
JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part
WHERE m.method = 'binding' AND m."class" = 'request'
  AND list_has_any(m.attributes, ['ICE-CONTROLLING', 'ICE-CONTROLLED'])
GROUP BY g.call_no, m.source ORDER BY ALL
"""
_TOLD: Final = """
WITH told AS (
    SELECT g.call_no, 'mapped' AS kind, m.mapped AS address, p.capture_id, m.flow_id, m.frame, m.start_ns, p.piece
    FROM {groups} g JOIN call_pieces p ON p.piece = g.piece JOIN call_chosen c ON c.call_no = g.call_no
    JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part WHERE m.mapped IS NOT NULL
    UNION ALL
    SELECT g.call_no, 'relayed', m.relayed, p.capture_id, m.flow_id, m.frame, m.start_ns, p.piece
    FROM {groups} g JOIN call_pieces p ON p.piece = g.piece JOIN call_chosen c ON c.call_no = g.call_no
    JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part
    WHERE m.relayed IS NOT NULL AND m."class" = 'success'
    UNION ALL
    SELECT g.call_no, 'peer', m.peer, p.capture_id, m.flow_id, m.frame, m.start_ns, p.piece
    FROM {groups} g JOIN call_pieces p ON p.piece = g.piece JOIN call_chosen c ON c.call_no = g.call_no
    JOIN call_marks m ON m.flow_id = p.flow_id AND m.part = p.part WHERE m.peer IS NOT NULL
),
first_told AS (
    SELECT call_no, kind, address, arg_min(capture_id, (start_ns, piece)) AS capture_id,
           arg_min(flow_id, (start_ns, piece)) AS flow_id, arg_min(frame, (start_ns, piece)) AS frame
    FROM told GROUP BY call_no, kind, address
)
SELECT * FROM first_told
QUALIFY row_number() OVER (PARTITION BY call_no, kind ORDER BY address) <= {most}
ORDER BY call_no, kind, address
"""


def read_groups(connection: duckdb.DuckDBPyConnection, groups: str) -> list[Group]:
    """The groups that show more than plain keepalives, in order of their first packet."""
    connection.execute(_CHOSEN.format(groups=groups)).fetchall()
    found: dict[int, Group] = {}
    for number, legs in groupby(rows(connection, _LEGS.format(groups=groups)), key=itemgetter(0)):
        found[number] = Group(number, [Leg(*row[1:]) for row in legs])
    kinds: dict[str, Any] = {"streams": (Stream, _STREAMS), "roles": (IceRole, _ROLES), "told": (Told, _TOLD)}
    for name, (record, query) in kinds.items():
        listed: dict[int, list[Any]] = defaultdict(list)
        for number, *row in rows(connection, query.format(groups=groups, most=MOST_ADDRESSES)):
            listed[number].append(record(*row))
        for number, some in listed.items():
            if number in found:
                setattr(found[number], name, some)
    return sorted(found.values(), key=lambda group: (group.span, group.number))
