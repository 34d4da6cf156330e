"""Telephone calls whose signalling is in the clear: dialogs of SIP (RFC 3261), one for each Call-ID.

A dialog says itself who calls whom, when it rang, was answered, refused or ended, and where the media goes. Several
hops of one call on its way (proxies that keep the Call-ID) are one dialog; a back-to-back agent makes two.
"""

from dataclasses import dataclass
from typing import Any, Final

import duckdb

from wirecover.analysis.call_evidence import Group, Leg
from wirecover.analysis.detector import FrameRef
from wirecover.analysis.evidence import rows
from wirecover.analysis.sightings import Sightings

LONGEST_CALL: Final = 4 * 3600 * 1_000_000_000
"""A dialog whose end is not seen names its media for at most so long."""
MOST_DIALOGS: Final = 200_000
REFUSED: Final = (486, 600, 603, 607, 608)
"""Busy, declined, unwanted, rejected (RFC 3261 sections 21.4.24, 21.6; RFC 8197, RFC 8688)."""
GIVEN_UP: Final = (408, 480, 487)
"""Nobody answered in time, is not available now, or the caller cancelled."""


@dataclass(frozen=True, slots=True)
class Dialog:
    """One Call-ID with an INVITE. Times in nanoseconds, None where the message was not seen."""

    call_id: str
    invite_ns: int
    caller_ip: str
    callee_ip: str
    from_uri: str | None
    to_uri: str | None
    ring_ns: int | None
    answer_ns: int | None
    end_ns: int | None
    last_ns: int
    refusal: int | None
    """Final status of 300 or more on the INVITE, challenges apart; the highest seen last."""
    cancelled: bool
    capture_ids: tuple[int, ...]
    flow_ids: tuple[int, ...]
    frames: tuple[FrameRef, ...]

    @property
    def state(self) -> str:
        """What the messages say became of the call."""
        if self.answer_ns is not None:
            return "answered"
        if self.refusal in REFUSED:
            return "rejected"
        if self.cancelled or self.refusal in GIVEN_UP:
            return "unanswered"
        return "failed" if self.refusal is not None else "unknown"


_DIALOGS: Final = """
WITH invites AS (
    SELECT call_id, min(epoch_ns(ts)) AS invite_ns FROM sip_messages
    WHERE method = 'INVITE' AND status IS NULL AND call_id IS NOT NULL
    GROUP BY call_id ORDER BY invite_ns, call_id LIMIT $most
),
told AS (
    SELECT s.*, epoch_ns(s.ts) AS ns FROM sip_messages s JOIN invites i ON i.call_id = s.call_id
)
SELECT call_id, min(ns) FILTER (method = 'INVITE' AND status IS NULL),
       arg_min(source, (ns, frame)) FILTER (method = 'INVITE' AND status IS NULL),
       arg_max(target, (ns, frame)) FILTER (method = 'INVITE' AND status IS NULL),
       arg_min(from_uri, (ns, frame)) FILTER (method = 'INVITE' AND status IS NULL),
       arg_min(to_uri, (ns, frame)) FILTER (method = 'INVITE' AND status IS NULL),
       min(ns) FILTER (method = 'INVITE' AND status BETWEEN 180 AND 189),
       min(ns) FILTER (method = 'INVITE' AND status BETWEEN 200 AND 299),
       min(ns) FILTER (method = 'BYE' AND status IS NULL),
       max(ns),
       arg_max(status, (ns, frame)) FILTER (method = 'INVITE' AND status >= 300 AND status NOT IN (401, 407, 422)),
       coalesce(bool_or(method = 'CANCEL' AND status IS NULL), false),
       list_sort(list(DISTINCT capture_id)), list_sort(list(DISTINCT flow_id)),
       list([capture_id, frame, flow_id, CASE WHEN method = 'INVITE' AND status IS NULL THEN 1
             WHEN method = 'INVITE' AND status BETWEEN 180 AND 189 THEN 2
             WHEN method = 'INVITE' AND status BETWEEN 200 AND 299 THEN 3
             WHEN method = 'INVITE' AND status >= 300 THEN 4
             WHEN method = 'BYE' AND status IS NULL THEN 5
             WHEN method = 'CANCEL' AND status IS NULL THEN 6 END] ORDER BY ns, capture_id, frame)
           FILTER (method IN ('INVITE', 'BYE', 'CANCEL') AND (status IS NULL OR status >= 180))[1:12]
FROM told GROUP BY call_id ORDER BY 2, call_id
"""
_ROLES: Final = (
    "", "SIP INVITE", "SIP: ringing", "SIP: answered", "SIP: not accepted", "SIP BYE", "SIP CANCEL",
)  # fmt: skip


def read_dialogs(connection: duckdb.DuckDBPyConnection) -> dict[str, Dialog]:
    """All dialogs by Call-ID; empty where the case has no table of SIP messages."""
    if not has_sip(connection):
        return {}
    return {row[0]: _dialog(*row) for row in rows(connection, _DIALOGS, {"most": MOST_DIALOGS})}


def has_sip(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the case has SIP messages and what they say of media."""
    found = rows(
        connection,
        "SELECT count(DISTINCT table_name) FROM (SELECT view_name AS table_name FROM duckdb_views() UNION ALL "
        "SELECT table_name FROM duckdb_tables()) WHERE table_name IN ('sip_messages', 'sdp_media')",
    )
    return bool(found == [(2,)])


def _dialog(*row: Any) -> Dialog:
    (name, invite, source, target, from_uri, to_uri, ring, answer, end, last, refusal, cancelled, captures, flows,
     frames) = row  # fmt: skip
    refs = tuple(
        FrameRef(capture, frame, flow, _ROLES[kind or 0]) for capture, frame, flow, kind in frames or []
    )
    return Dialog(
        call_id=name, invite_ns=invite, caller_ip=_ip(source), callee_ip=_ip(target), from_uri=from_uri,
        to_uri=to_uri, ring_ns=ring, answer_ns=answer, end_ns=end, last_ns=last,
        refusal=None if answer is not None else refusal, cancelled=cancelled, capture_ids=tuple(captures),
        flow_ids=tuple(flows), frames=refs,
    )  # fmt: skip


def _ip(endpoint: str) -> str:
    return endpoint.rpartition(":")[0].strip("[]")


KEYS_QUERY: Final = """
SELECT DISTINCT p.piece, 'sip ' || d.call_id AS key, 'named in the signalling' AS reason
FROM call_dialogs d JOIN sdp_media m ON m.call_id = d.call_id
JOIN call_pieces p ON p.capture_id = m.capture_id
                  AND CASE WHEN contains(m.ip, ':') THEN '[' || m.ip || ']:' ELSE m.ip || ':' END || m.port
                      IN (p.client, p.server)
WHERE m.port > 0 AND p.start_ns BETWEEN d.from_ns AND d.to_ns
"""
"""Keys that tie to a dialog the media that it names; read with the tables `call_dialogs` and `call_pieces`."""
_OF_GROUPS: Final = """
SELECT DISTINCT g.call_no, substr(k.key, 5) FROM call_keys k JOIN {groups} g ON g.piece = k.piece
WHERE starts_with(k.key, 'sip ') ORDER BY ALL
"""
_FLOWS: Final = """
SELECT f.flow_id, f.capture_id, f.transport, f.client_ip || ':' || f.client_port, f.server_ip || ':' || f.server_port,
       f.client_ip, f.server_ip, f.app, coalesce(f.app_confidence, 0), f.service, f.counted, min(epoch_ns(s.ts)),
       max(epoch_ns(s.ts)), min(s.frame)
FROM sip_messages s JOIN {flows} f ON f.flow_id = s.flow_id WHERE s.call_id = $call_id GROUP BY ALL ORDER BY 12, 1
"""


_TOLD: Final = (
    "flow_id", "capture_id", "transport", "client", "server", "client_ip", "server_ip", "app", "app_confidence",
    "service", "counted", "start_ns", "end_ns", "first_frame",
)  # fmt: skip
_LEG: Final[dict[str, Any]] = {
    "checks": 0, "allocated": 0, "refused": 0, "permissions": 0, "vendor": 0, "stun": 0, "dtls": 0, "rest": 0,
    "one_way": False, "realm": None, "server_asks": False, "server_serves": False, "client_serves": False,
    "has_media": False, "reason": "SIP messages of one Call-ID",
}  # fmt: skip


def dialogs_of_groups(
    connection: duckdb.DuckDBPyConnection, groups: str, dialogs: dict[str, Dialog]
) -> dict[int, Dialog]:
    """The dialog of each group: where several name its media, the one that was answered first, else the first."""
    found: dict[int, Dialog] = {}
    if not dialogs:
        return found
    for number, name in rows(connection, _OF_GROUPS.format(groups=groups)):
        one, known = dialogs[name], found.get(number)
        if known is None or _order(one) < _order(known):
            found[number] = one
    return found


def _order(dialog: Dialog) -> tuple[bool, int, str]:
    return dialog.answer_ns is None, dialog.invite_ns, dialog.call_id


def group_of(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, dialog: Dialog, number: int
) -> Group:
    """A group of the signalling alone, for a dialog whose media is not in the case."""
    found = rows(connection, _FLOWS.format(flows=sightings.flows), {"call_id": dialog.call_id})
    return Group(number, [Leg(**_LEG | dict(zip(_TOLD, row, strict=True))) for row in found])
