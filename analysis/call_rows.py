"""From a verdict to rows and findings: the times, the addresses, the sentences."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from wirecover.analysis.call_judge import SUSTAINED, Verdict, at_stream
from wirecover.analysis.call_media import medium, relayed
from wirecover.analysis.detector import Finding, FrameRef
from wirecover.analysis.evidence import SECOND
from wirecover.analysis.findings import app_text, canonical_json, counted, duration_text, utc_text

LONGEST_SETUP: Final = 90 * SECOND
"""A set-up that began longer before its media was made in advance; the call's set-up is then what follows."""
MOST_FRAMES: Final = 60
_MS: Final = 1_000_000
CAVEAT: Final = "It does not show who held the devices, nor what was said."
_STATES: Final = {
    "answered": "media went both ways",
    "unanswered": "no media followed: it was not answered, declined or given up, which cannot be told apart",
    "failed": "no path could be set up",
    "rejected": "the other side declined",
    "unknown": "whether it was answered cannot be told",
}


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds; None where not known."""

    setup: int
    ring: int | None
    answer: int | None
    end: int


def times_of(verdict: Verdict) -> Times:
    """When the call was set up, rang, was answered and ended."""
    group, media = verdict.group, verdict.media
    first, last = group.span
    streams = group.streams
    if streams:
        begin = min(one.start_ns for one in streams)
        starts = [leg.start_ns for leg in group.legs if leg.start_ns >= begin - LONGEST_SETUP]
        first = min([begin, *starts])
        last = max(one.end_ns for one in streams)
    bursts = [one.ns for one in verdict.signalling.bursts if first - LONGEST_SETUP <= one.ns < first]
    arrival = verdict.signalling.arrival
    ring = arrival.ns if arrival is not None and verdict.callee == arrival.client else None
    dialog = verdict.dialog
    if dialog is not None:
        answer = dialog.answer_ns if verdict.state == "answered" else None
        if answer is None and media is not None and verdict.state == "answered":
            answer = media.answer_ns
        end = dialog.end_ns or max(last, dialog.last_ns if not streams else last)
        return Times(setup=dialog.invite_ns, ring=dialog.ring_ns, answer=answer, end=end)
    return Times(
        setup=min([first, *bursts]), ring=ring,
        answer=media.answer_ns if media is not None and verdict.state == "answered" else None, end=last,
    )  # fmt: skip


def parties(verdict: Verdict) -> list[str]:
    """Addresses of the devices, the one whose media is counted first."""
    devices = verdict.group.devices
    head = verdict.media.device if verdict.media is not None else None
    named = [one for one in (verdict.caller, verdict.callee) if one is not None and one not in devices]
    rest = [one for one in devices if one != head]
    return list(dict.fromkeys([*([] if head is None else [head]), *rest, *named]))


def peers(verdict: Verdict) -> list[str]:
    """Transport addresses that tell where the other side, a relay or a translator is."""
    found = {one.address for one in verdict.group.told}
    found |= {
        leg.server for leg in verdict.group.legs if leg.server_asks or (leg.checks and not leg.server_serves)
    }
    return sorted(found)


def call_id(verdict: Verdict) -> int:
    """63 bits of the SHA-256 over the parts of flows of the call."""
    text = canonical_json(sorted([leg.flow_id, leg.start_ns] for leg in verdict.group.legs))
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8]) >> 1


def captures(verdict: Verdict) -> list[int]:
    """Exhibits of its flows and of the bursts that speak for it."""
    some = {leg.capture_id for leg in verdict.group.legs}
    return sorted(some | {one.capture_id for one in verdict.signalling.bursts})


def views(verdict: Verdict) -> int:
    """From how many sides the call is seen: devices with exhibits on their side, or exhibits if these are more."""
    group = verdict.group
    return max(len(group.observed), len({leg.capture_id for leg in group.legs}), 1)


def _flows(verdict: Verdict) -> int:
    """Flows of the call; one that several exhibits recorded counts once."""
    return len({leg.flow_id for leg in verdict.group.legs if leg.counted})


def call_row(verdict: Verdict, number: int) -> dict[str, Any]:
    """The row of `calls`."""
    at, media = times_of(verdict), verdict.media
    some = parties(verdict)
    side = some[0] if some else None
    direction = "outgoing" if side is not None and side == verdict.caller else "incoming"
    if side is None or side not in (verdict.caller, verdict.callee):
        direction = "unknown"
    return {
        "call_id": number, "app": verdict.app, "caller_ip": verdict.caller, "callee_ip": verdict.callee,
        "setup_ts": at.setup, "ring_ts": at.ring, "answer_ts": at.answer, "end_ts": at.end,
        "state": verdict.state, "direction": direction, "media": medium(verdict.group.streams),
        "relayed": relayed(verdict.group.streams), "confidence": verdict.confidence, "party_ips": some,
        "peer_addresses": peers(verdict), "legs": _flows(verdict),
        "views": views(verdict), "packets_out": media.out if media else _alone(verdict, some, sent=True),
        "packets_in": media.into if media else _alone(verdict, some, sent=False),
        "media_ms": media.both_ns // _MS if media else 0, "statement": statement(verdict, at),
        "details": canonical_json(details(verdict)), "capture_ids": captures(verdict),
    }  # fmt: skip


def _alone(verdict: Verdict, some: list[str], *, sent: bool) -> int:
    """Packets of media of one direction only."""
    return sum(
        one.packets
        for one in verdict.group.streams
        if one.counted and some and (one.sender if sent else one.receiver) == some[0]
    )


def flow_rows(verdict: Verdict, number: int) -> list[dict[str, Any]]:
    """The rows of `call_flows`: one for each flow and role."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for leg in verdict.group.legs:
        row = {
            "call_id": number, "flow_id": leg.flow_id, "capture_id": leg.capture_id, "role": leg.role,
            "first_ts": leg.start_ns, "last_ts": leg.end_ns, "first_frame": leg.first_frame,
            "reason": leg.reason,
        }  # fmt: skip
        known = found.setdefault((leg.flow_id, leg.role), row)
        known["last_ts"] = max(known["last_ts"], leg.end_ns)
    for burst in verdict.signalling.bursts:
        row = {
            "call_id": number, "flow_id": burst.flow_id, "capture_id": burst.capture_id, "role": "signalling",
            "first_ts": burst.ns, "last_ts": burst.ns, "first_frame": burst.frame,
            "reason": "bursts at the moments of the call",
        }  # fmt: skip
        known = found.setdefault((burst.flow_id, "signalling"), row)
        known["last_ts"] = max(known["last_ts"], burst.ns)
    return [found[key] for key in sorted(found)]


def details(verdict: Verdict) -> dict[str, Any]:
    """The figures and reasons."""
    group, media = verdict.group, verdict.media
    told = {kind: sorted({one.address for one in group.told if one.kind == kind})
            for kind in ("mapped", "relayed", "peer")}  # fmt: skip
    return {
        "reasons": [{"text": one.text, "points": one.points, "capture_id": one.frame.capture_id,
                     "frame": one.frame.frame} for one in verdict.reasons],
        "doubts": list(verdict.doubts), "labels_of_the_flows": list(verdict.labels), "addresses": told,
        "app_confidence": verdict.app_confidence,
        "media": None if media is None else {
            "device": media.device, "packets_out": media.out, "packets_in": media.into,
            "bytes_out": media.bytes_out, "bytes_in": media.bytes_in, "both_ways_ms": media.both_ns // _MS,
            "packets_out_per_10_s": _rate(media.out, media.both_ns),
            "packets_in_per_10_s": _rate(media.into, media.both_ns),
            "rtp": not media.opaque, "sustained": media.both_ns >= SUSTAINED,
        },
        "streams": len(group.streams), "flows": _flows(verdict),
        "signalling": None if verdict.dialog is None else {
            "protocol": "sip", "call_id": verdict.dialog.call_id, "from": verdict.dialog.from_uri,
            "to": verdict.dialog.to_uri, "refusal": verdict.dialog.refusal,
        },
        "stun_messages": sum(leg.stun for leg in group.legs if leg.counted),
        "relays": sorted({leg.server for leg in group.legs if leg.server_serves}),
    }  # fmt: skip


def _rate(packets: int, span: int) -> int | None:
    """Packets in ten seconds, a whole number."""
    return None if span < SECOND else packets * 10 * SECOND // span


def statement(verdict: Verdict, at: Times) -> str:
    """The call as one English sentence."""
    some = parties(verdict)
    who = " and ".join(some[:2]) if some else "an address"
    if len(some) > 2:
        who = f"{', '.join(some[:-1])} and {some[-1]}"
    lasted = f", {duration_text(max(at.end - at.answer, 0))} of media" if at.answer is not None else ""
    way = relayed(verdict.group.streams)
    path = "" if way is None else " through a relay or server" if way else " directly"
    caller = f"; the signs name {verdict.caller} as the calling side" if verdict.caller else ""
    known = f" on {app_text(verdict.app)}" if verdict.app else " of an application that is not known"
    doubts = f" ({'; '.join(verdict.doubts)})" if verdict.doubts else ""
    return (
        f"A call{known} with {who}, set up at {utc_text(at.setup)}{path}{lasted}: {_STATES[verdict.state]}"
        f"{doubts}{caller}; {counted(_flows(verdict), 'flow')} joined."
    )


def findings_of(
    verdict: Verdict, number: int, pattern: str, version: str, parameters: str
) -> tuple[Finding, Finding]:
    """What was measured, as a fact; that it is a call, as an assessment."""
    group, at = verdict.group, times_of(verdict)
    some = parties(verdict)
    other = some[1] if len(some) > 1 else None
    common: dict[str, Any] = {
        "pattern": pattern, "version": version, "parameters": parameters, "first_ns": at.setup, "last_ns": at.end,
        "subject": some[0] if some else None, "object": other, "app": verdict.app, "key": str(number),
        "capture_ids": tuple(captures(verdict)),
    }  # fmt: skip
    flows = counted(_flows(verdict), "flow")
    seen = counted(sum(leg.stun for leg in group.legs if leg.counted), "STUN message")
    if verdict.media is not None:
        media = verdict.media
        what = (
            f"sent {media.out:,} and received {media.into:,} "
            f"{'packets without a known header' if media.opaque else 'RTP packets'}, both ways for "
            f"{media.both_ns // _MS:,} ms,"
        )
    elif group.streams:
        what = f"has {counted(sum(one.packets for one in group.streams if one.counted), 'RTP packet')} of one direction"
    else:
        what = "has no recognised media"
    fact = Finding(
        kind="fact",
        statement=f"Between {utc_text(at.setup)} and {utc_text(at.end)} {some[0] if some else 'an address'} "
        f"{what} on {flows} that common addresses, sessions or times tie, with {seen}.",
        details=details(verdict), frames=_measured(verdict), **common,
    )  # fmt: skip
    assessment = Finding(
        kind="assessment", statement=f"{statement(verdict, at)} {CAVEAT}", score=verdict.confidence / 100,
        details={"confidence": verdict.confidence, "call_id": str(number), "state": verdict.state,
                 "reasons": details(verdict)["reasons"], "doubts": list(verdict.doubts),
                 "note": "points of a fixed rule, no probability"},
        frames=tuple(one.frame for one in verdict.reasons) + _dialog_frames(verdict), **common,
    )  # fmt: skip
    return fact, assessment


def _dialog_frames(verdict: Verdict) -> tuple[FrameRef, ...]:
    return verdict.dialog.frames if verdict.dialog is not None else ()


def _measured(verdict: Verdict) -> tuple[FrameRef, ...]:
    """First frames of the legs, first and last frames of the streams, up to the cap."""
    found: list[FrameRef] = []
    for one in verdict.group.streams:
        found += [at_stream(one, "first packet of a media stream"),
                  at_stream(one, "last packet of a media stream", last=True)]  # fmt: skip
    for leg in verdict.group.legs:
        found.append(FrameRef(leg.capture_id, leg.first_frame, leg.flow_id, f"{leg.role}: first packet"))
    return tuple(found[:MOST_FRAMES])
