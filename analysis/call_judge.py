"""Whether a group is a call, and what is said of it: a fixed rule over what was seen, with points and reasons.

The rule is that of docs/methods.md, section calls. Points are no probabilities.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.analysis.call_apps import CALL_APPS, SURE, call_app
from wirecover.analysis.call_evidence import Group, IceRole, Leg, Stream
from wirecover.analysis.call_media import BothWays, both_ways
from wirecover.analysis.call_signals import NOTHING, Burst, Signalling
from wirecover.analysis.call_sip import Dialog
from wirecover.analysis.detector import FrameRef
from wirecover.analysis.evidence import SECOND

ANSWERED: Final = 2 * SECOND
"""RTP both ways for so long is an answered call; less is said to be too short to tell."""
SUSTAINED: Final = 8 * SECOND
"""Packets without a known header have to go both ways for so long."""
SHORTEST_RING: Final = 2 * SECOND
UNKNOWN_PACKETS: Final = 20
"""Packets each way that media without any set-up and label has at least."""
MOST_CONFIDENCE: Final = 95
SURE_LABEL: Final = SURE
_RANK: Final = {"media": 0, "relay": 1, "set-up": 2, "signalling": 2}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for the call, with its points and a frame that shows it."""

    text: str
    points: int
    frame: FrameRef


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a group that is a call."""

    group: Group
    app: str | None
    app_confidence: int
    labels: tuple[str, ...]
    """All labels of its legs."""
    state: str
    media: BothWays | None
    signalling: Signalling
    caller: str | None
    callee: str | None
    dialog: Dialog | None
    """The SIP dialog that names its media, or that is all there is."""
    reasons: tuple[Reason, ...]
    doubts: tuple[str, ...]
    """Why the confidence or the state is not higher."""

    @property
    def confidence(self) -> int:
        """Percent."""
        return min(MOST_CONFIDENCE, sum(reason.points for reason in self.reasons))


def judge(
    group: Group, signalling: Signalling, ends: dict[int, int], dialog: Dialog | None = None
) -> Verdict | None:
    """The verdict on a group, None when it is no call. `ends` is the last time of each exhibit."""
    app, percent = call_app(
        (_RANK[leg.role], leg.app, leg.app_confidence) for leg in group.legs if leg.app is not None
    )
    media = both_ways(group)
    reasons = _media_reasons(group, media, app) or _setup_reasons(group, app, signalling)
    if dialog is not None:
        reasons += [Reason("the call's own signalling", 40, frame) for frame in dialog.frames[:1]]
    if not reasons:
        return None
    if app is None:
        app, percent = signalling.app, 0
    if signalling.app is not None and signalling.app != app and app is not None:
        signalling = NOTHING  # another messenger at the same moment
    reasons += _support(group, app, percent, signalling)
    state, doubts = _state(group, media, ends)
    caller, callee, why = _sides(group, signalling)
    if dialog is not None:
        state, doubts = _told(dialog, state, doubts, heard=bool(group.streams))
        one, two = dialog.caller_ip, dialog.callee_ip
        caller, callee, why = one, None if two == one else two, []  # a switch that calls through itself
    return Verdict(
        group=group, app=app, app_confidence=percent,
        labels=tuple(sorted({leg.app for leg in group.legs if leg.app is not None})), state=state, media=media,
        signalling=signalling, caller=caller, callee=callee, dialog=dialog, reasons=(*reasons, *why), doubts=doubts,
    )  # fmt: skip


def at_stream(stream: Stream, role: str, *, last: bool = False) -> FrameRef:
    """A frame of a stream."""
    return FrameRef(stream.capture_id, stream.last_frame if last else stream.frame, stream.flow_id, role)


def at_leg(leg: Leg, role: str) -> FrameRef:
    """The first frame of a leg."""
    return FrameRef(leg.capture_id, leg.first_frame, leg.flow_id, role)


def _at_burst(burst: Burst, role: str) -> FrameRef:
    return FrameRef(burst.capture_id, burst.frame, burst.flow_id, role)


def _media_reasons(group: Group, media: BothWays | None, app: str | None) -> list[Reason]:
    """Media that makes a call of the group; empty when there is none that does."""
    set_up = any(leg.stun for leg in group.legs)
    known = app in CALL_APPS
    if media is not None:
        ice = any(leg.checks or leg.vendor or leg.permissions for leg in group.legs)
        if media.opaque and not (
            known and (media.both_ns >= SUSTAINED or (ice and media.both_ns >= ANSWERED))
        ):
            return []
        if not set_up and (media.both_ns < ANSWERED or not (known or _stands_alone(group, media))):
            return []
        text = "packets both ways at the rate of a call" if media.opaque else "RTP media both ways"
        reasons = [Reason(text, 30 if media.opaque else 40, at_stream(media.first, text))]
        if media.both_ns >= SUSTAINED:
            reasons.append(
                Reason("media both ways for 8 s or more", 20, at_stream(media.first, text, last=True))
            )
        elif media.both_ns >= ANSWERED:
            reasons.append(
                Reason("media both ways for 2 s or more", 10, at_stream(media.first, text, last=True))
            )
        return reasons
    streams = [one for one in group.streams if not one.opaque]
    if streams and known and (set_up or any(leg.service in ("dtls", "quic") for leg in group.legs)):
        return [Reason("RTP media one way", 20, at_stream(streams[0], "RTP media one way"))]
    return []


def _stands_alone(group: Group, media: BothWays) -> bool:
    """Media without set-up and label: enough of it, and voice or picture by its headers."""
    kinds = {one.kind for one in group.streams}
    return min(media.out, media.into) >= UNKNOWN_PACKETS and bool(kinds & {"audio", "video", "screen"})


def _setup_reasons(group: Group, app: str | None, signalling: Signalling) -> list[Reason]:
    """A set-up without media that still is the attempt of a call."""
    for leg in group.legs:
        if leg.vendor and leg.app in CALL_APPS:
            text = "set-up messages that the application sends for calls alone"
            return [Reason(text, 25, at_leg(leg, text))]
    for leg in group.legs:
        sure = leg.app in CALL_APPS and leg.app_confidence >= SURE_LABEL
        if sure and leg.permissions and (leg.allocated or leg.permissions > 1):
            text = "a relay of the application opened for a far side"
            return [Reason(text, 20, at_leg(leg, text))]
    if signalling.offer is not None and signalling.end is not None:
        for leg in group.legs:
            if leg.allocated or leg.checks:
                text = "set-up of a relay or path between two bursts of the messenger"
                return [Reason(text, 15, at_leg(leg, text))]
    return []


def _support(group: Group, app: str | None, percent: int, signalling: Signalling) -> list[Reason]:
    """What speaks for the call besides."""
    found = []
    sought = next((leg for leg in group.legs if leg.checks or leg.allocated or leg.vendor), None)
    plain = next((leg for leg in group.legs if leg.stun), None)
    if sought is not None:
        found.append(Reason("set-up by ICE, TURN or the like", 15, at_leg(sought, "set-up of the path")))
    elif plain is not None:
        found.append(Reason("STUN messages", 5, at_leg(plain, "STUN message")))
    if secured := next((leg for leg in group.legs if leg.dtls), None):
        found.append(Reason("keys agreed by DTLS", 5, at_leg(secured, "flow with a DTLS handshake")))
    if labelled := next((leg for leg in group.legs if leg.app == app and app is not None), None):
        points = 10 if percent >= SURE_LABEL else 5
        found.append(Reason(f"flows labelled {app}", points, at_leg(labelled, f"flow labelled {app}")))
    if signalling.offer is not None:
        text = "a large burst left on the messenger's connection at the set-up"
        found.append(Reason(text, 10, _at_burst(signalling.offer, text)))
    if signalling.arrival is not None:
        text = "a large burst reached the other side on the messenger's connection"
        found.append(Reason(text, 10, _at_burst(signalling.arrival, text)))
    if signalling.end is not None:
        text = "a burst on the messenger's connection at the end"
        found.append(Reason(text, 5, _at_burst(signalling.end, text)))
    devices = group.observed
    if len(devices) > 1 or len({leg.capture_id for leg in group.legs}) > 1:
        other = next((leg for leg in group.legs if leg.client_ip != devices[0] or leg.capture_id
                      != group.legs[0].capture_id), group.legs[-1])  # fmt: skip
        found.append(Reason("seen from more than one side", 5, at_leg(other, "the call from another side")))
    return found


def _state(group: Group, media: BothWays | None, ends: dict[int, int]) -> tuple[str, tuple[str, ...]]:
    """answered, unanswered, failed or unknown; and why it is not more."""
    if media is not None:
        if media.both_ns >= (SUSTAINED if media.opaque else ANSWERED):
            return "answered", ()
        if media.opaque:
            return "unknown", ("packets without a known header for less than 8 s",)
        return "unknown", (f"media both ways for {media.both_ns // 1_000_000} ms only",)
    if group.streams:
        if len({one.sender for one in group.streams}) > 1:
            return "unknown", ("media of both directions, but not at one time",)
        return "unknown", ("media of one direction only",)
    if any(leg.refused for leg in group.legs) and not any(leg.allocated for leg in group.legs):
        return "failed", ("every relay refused",)
    others = sum(leg.rest for leg in group.legs)
    if others > sum(leg.stun for leg in group.legs) // 10 + 10:
        return "unknown", (f"{others} packets that are no STUN messages and no recognised media",)
    start, end = group.span
    if any(ends[leg.capture_id] < end + ANSWERED for leg in group.legs):
        return "unknown", ("the exhibit ends with the set-up",)
    if end - start < SHORTEST_RING:
        return "unknown", ("the set-up lasted less than 2 s",)
    return "unanswered", ()


def _told(dialog: Dialog, state: str, doubts: tuple[str, ...], *, heard: bool) -> tuple[str, tuple[str, ...]]:
    """What the dialog says of the state; media that flowed says more than a dialog whose answer was not seen."""
    if not heard and dialog.state == "unknown":
        return "unknown", ("the answer to the SIP INVITE is not in the exhibits",)
    if dialog.state == "unknown" or (state == "answered" and dialog.state != "answered"):
        return state, doubts
    return dialog.state, ()


def _sides(group: Group, signalling: Signalling) -> tuple[str | None, str | None, list[Reason]]:
    """Caller and callee as far as they are shown; (None, None) where signs disagree."""
    by_ice, why = _by_ice(group)
    caller, callee = signalling.caller, signalling.callee
    if by_ice is None:
        return caller, callee, []
    if caller not in (None, by_ice[0]) or callee not in (None, by_ice[1]):
        return None, None, []
    return by_ice[0], by_ice[1], [why] if why else []


def _by_ice(group: Group) -> tuple[tuple[str, str] | None, Reason | None]:
    """The agent that made the offer controls (RFC 8445 section 6.1.1), if both ends send checks.

    With only one role seen the far end may be a server that never checks (a lite agent), which is controlled
    whoever called. A socket that claimed both roles had a conflict: then nothing is said.
    """
    if any(role.controlling and role.controlled for role in group.roles):
        return None, None
    leads = [role for role in group.roles if role.controlling]
    follows = [role for role in group.roles if role.controlled]
    one, two = {_ip(role) for role in leads}, {_ip(role) for role in follows}
    if len(one) != 1 or len(two) != 1 or one == two:
        return None, None
    text = "the controlling side of ICE"
    first = leads[0]
    frame = FrameRef(first.capture_id, first.frame, first.flow_id, text)
    return (one.pop(), two.pop()), Reason(text, 5, frame)


def _ip(role: IceRole) -> str:
    return role.source.rpartition(":")[0].strip("[]")
