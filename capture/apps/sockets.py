"""Labels for flows that share a UDP socket, an ICE session or a pair of RTP ports with a labelled one: legs of a call.

An application that makes a call opens one UDP socket, asks the relays of its operator over it (those flows
get a label) and then speaks over the very same socket with the other party, in flows that carry ICE without
any name. One socket belongs to one process as long as it is open; so a flow from the same address and port,
within a short time of a labelled one, is of the same application.

A call may also try the other party from a second socket (another interface, another component). The STUN messages of
all its checks then carry the same pair of user fragments, which both sides drew at random for this session
(RFC 8445 section 5.3: 24 bits each at least). So a flow with the same pair as a labelled one, at the same time, is of
the same session; that label may itself come by the socket, once.

RTP without ICE has two flows: media between even ports, their reports (RTCP) between the next higher odd ones of the
same two addresses (RFC 3550 section 11). Where the reports tell the application by their bytes, the media beside them
are its too: the flow must carry RTP and have no label, and both of its ports must be one below those of the reports.

Only UDP; only labels that rest on what was seen in the flow's own packets (STUN or a byte pattern), since
the socket of a browser's QUIC carries pages too; only where every labelled flow of the socket agrees.
Nothing is passed on twice.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wirecover.capture.apps.matcher import LABEL_MINIMUM, Evidence, Label

SOCKET_COST: Final = 15
"""Percent points: a socket may be reused by another process after it was closed."""
SESSION_COST: Final = 10
"""Percent points: the pair of fragments was chosen by the parties."""
PAIR_COST: Final = 15
"""Percent points: the ports of a pair are a convention."""
MAX_GAP_NS: Final = 60 * 1_000_000_000
"""Between a labelled flow of the socket and the one that inherits."""
MAX_SOCKET_FLOWS: Final = 256
"""A socket with more flows is a server, a resolver or a peer-to-peer node, and passes nothing on."""
_CALL_KINDS: Final = frozenset(
    {"stun_realm", "stun_username", "stun_software", "stun_attribute", "signature", "address"}
)

RULE_ID: Final = "same-socket"
SESSION_RULE_ID: Final = "same-ice-session"
PAIR_RULE_ID: Final = "media-beside-reports"
_FRAGMENT: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")


def ice_session(username: str) -> frozenset[str] | None:
    """The two user fragments of an ICE check (`theirs:mine`), in no order; None for any other user name."""
    theirs, colon, mine = username.partition(":")
    if not colon or theirs == mine or not _FRAGMENT.fullmatch(theirs) or not _FRAGMENT.fullmatch(mine):
        return None
    return frozenset((theirs, mine))


@dataclass(frozen=True, slots=True)
class SocketFlow:
    """A UDP flow as far as this module must know it."""

    flow_no: int
    client_ip: str
    client_port: int
    server_ip: str
    server_port: int
    first_ts: int
    """Nanoseconds since the epoch."""
    last_ts: int
    frame: int
    """First frame."""
    label: Label | None
    may_inherit: bool
    """STUN, DTLS, RTP or nothing known; False for whatever was named otherwise (dns, quic, ssdp, ...)."""
    session: frozenset[str] | None = None
    """The pair of fragments of its ICE checks."""
    media: bool = False
    """RTP streams were found in it."""


def labels_by_socket(
    flows: Iterable[SocketFlow], part_of: Mapping[str, tuple[str, ...]] | None = None
) -> dict[int, Label]:
    """Flow number to inherited label, for flows that have none of their own.

    `part_of` (`RuleSet.part_of`) tells which broader labels do not disagree with a narrower one.
    """
    broader = part_of or {}
    flows = list(flows)
    sockets: dict[tuple[str, int], list[SocketFlow]] = {}
    for flow in flows:
        for socket in {(flow.client_ip, flow.client_port), (flow.server_ip, flow.server_port)}:
            sockets.setdefault(socket, []).append(flow)
    inherited: dict[int, Label] = {}
    for (ip, port), members in sorted(sockets.items()):
        if not 2 <= len(members) <= MAX_SOCKET_FLOWS:
            continue
        givers = [flow for flow in members if _gives(flow, ip, port)]
        if not givers or not _agree([flow.label for flow in members], broader):
            continue
        for flow in members:
            label = _inherit(flow, givers, f"{ip}:{port}" if ":" not in ip else f"[{ip}]:{port}")
            if label is not None and _better(label, inherited.get(flow.flow_no)):
                inherited[flow.flow_no] = label
    inherited |= _by_session(flows, inherited, broader)
    return inherited | _by_ports(flows, inherited)


def _agree(labels: Iterable[Label | None], broader: Mapping[str, tuple[str, ...]]) -> bool:
    """Do those that there are name one application, broader ones of it apart?"""
    apps = {label.app for label in labels if label is not None}
    return len(apps - {broad for app in apps for broad in broader.get(app, ())}) == 1


def _by_session(
    flows: list[SocketFlow], inherited: Mapping[int, Label], broader: Mapping[str, tuple[str, ...]]
) -> dict[int, Label]:
    """Flow number to label, for flows of the ICE session of a labelled one."""
    sessions: dict[frozenset[str], list[SocketFlow]] = {}
    for flow in flows:
        if flow.session is not None:
            sessions.setdefault(flow.session, []).append(flow)
    found: dict[int, Label] = {}
    for pair, members in sessions.items():
        labels = [flow.label or inherited.get(flow.flow_no) for flow in members]
        if not 2 <= len(members) <= MAX_SOCKET_FLOWS or not _agree(labels, broader):
            continue
        for flow, own in zip(members, labels, strict=True):
            near = [
                (-label.confidence, giver.frame, label.app)
                for giver, label in zip(members, labels, strict=True)
                if label is not None and own is None and flow.may_inherit and _at_one_time(flow, giver)
            ]
            if near:
                minus_confidence, frame, app = min(near)
                confidence = -minus_confidence - SESSION_COST
                reason = Evidence(
                    app, f"{app}-{SESSION_RULE_ID}", "ice", ":".join(sorted(pair)), frame, confidence
                )
                if confidence >= LABEL_MINIMUM:
                    found[flow.flow_no] = Label(app, confidence, (reason,), ())
    return found


def _by_ports(flows: list[SocketFlow], inherited: Mapping[int, Label]) -> dict[int, Label]:
    """Flow number to label, for media without a label whose reports have one."""
    found: dict[int, Label] = {}
    media = {
        (one.client_ip, one.client_port, one.server_ip, one.server_port): one
        for one in flows
        if one.media and one.label is None and one.flow_no not in inherited
    }
    for giver in flows if media else ():
        if (
            giver.label is None
            or not _own_packets(giver.label)
            or not giver.client_port & giver.server_port & 1
        ):
            continue
        flow = media.get((giver.client_ip, giver.client_port - 1, giver.server_ip, giver.server_port - 1))
        confidence = giver.label.confidence - PAIR_COST
        if flow is None or confidence < LABEL_MINIMUM or not _at_one_time(flow, giver):
            continue
        app, ports = giver.label.app, f"{giver.client_port} {giver.server_port}"
        reason = Evidence(app, f"{app}-{PAIR_RULE_ID}", "rtcp", ports, giver.frame, confidence)
        label = Label(app, confidence, (reason,), ())
        if _better(label, found.get(flow.flow_no)):
            found[flow.flow_no] = label
    return found


def _at_one_time(flow: SocketFlow, giver: SocketFlow) -> bool:
    return giver.first_ts - MAX_GAP_NS <= flow.last_ts and flow.first_ts <= giver.last_ts + MAX_GAP_NS


def _gives(flow: SocketFlow, ip: str, port: int) -> bool:
    """May this flow's label be passed on by the socket? Not by the server's: a relay serves everybody."""
    if flow.label is None or (flow.client_ip, flow.client_port) != (ip, port):
        return False
    return _own_packets(flow.label)


def _own_packets(label: Label) -> bool:
    """Does the label rest on what was seen in the flow's own packets?"""
    strongest = max(reason.confidence for reason in label.evidence)
    return any(r.kind in _CALL_KINDS and r.confidence == strongest for r in label.evidence)


def _inherit(flow: SocketFlow, givers: list[SocketFlow], socket: str) -> Label | None:
    if flow.label is not None or not flow.may_inherit:
        return None
    near = [
        (-giver.label.confidence, giver.frame, giver.label.app)
        for giver in givers
        if giver.label is not None and _at_one_time(flow, giver)
    ]
    if not near:
        return None
    minus_confidence, frame, app = min(near)
    confidence = -minus_confidence - SOCKET_COST
    if confidence < LABEL_MINIMUM:
        return None
    return Label(
        app, confidence, (Evidence(app, f"{app}-{RULE_ID}", "socket", socket, frame, confidence),), ()
    )


def _better(label: Label, other: Label | None) -> bool:
    """Of two sockets (both ends may be known) the surer one counts; at a tie the first by address stays."""
    return other is None or label.confidence > other.confidence
