"""The section on calls, as the page template wants it."""

from typing import Any, Final

from wirecover.report.escape import bounded
from wirecover.report.model import Call, Frames, ResultDocument
from wirecover.report.words import NOTHING, Words

ROWS: Final = 400
FRAMES: Final = 8
PARTIES: Final = 6
STATES: Final = ("answered", "unanswered", "rejected", "failed", "unknown")
MEDIA: Final = ("audio", "video", "screen", "unknown")

View = dict[str, Any]


def calls_view(document: ResultDocument, words: Words) -> View:
    """The calls, each with its sides, times, outcome and frames."""
    total = len(document.calls)
    counts = {"shown": words.number(ROWS), "total": words.number(total)}
    return {
        "rows": [_call(one, words) for one in document.calls[:ROWS]],
        "cut": words.say("format.rows_cut", **counts, file="calls.csv") if total > ROWS else "",
    }


def _call(one: Call, words: Words) -> list[str]:
    times = [("call.setup", one.setup_ns), ("call.ring", one.ring_ns), ("call.answer", one.answer_ns),
             ("call.end", one.end_ns)]  # fmt: skip
    way = "call.way_unknown" if one.relayed is None else "call.relayed" if one.relayed else "call.direct"
    parts = [words.say(f"call.state_{one.state if one.state in STATES else 'unknown'}"),
             words.say(f"call.media_{one.media if one.media in MEDIA else 'unknown'}"), words.say(way)]  # fmt: skip
    return [
        "\n".join(f"{words.say(key)}: {words.time(ns)}" for key, ns in times if ns is not None),
        _sides(one, words),
        bounded(one.app) if one.app is not None else NOTHING,
        "; ".join(parts),
        words.say("call.packets", out=words.number(one.packets_out), into=words.number(one.packets_in)),
        f"{one.confidence}",
        "\n".join(_frames(some, words) for some in one.frames) or NOTHING,
    ]


def _sides(one: Call, words: Words) -> str:
    lines = []
    if one.caller is not None:
        lines.append(words.say("call.caller", address=bounded(one.caller)))
    if one.callee is not None:
        lines.append(words.say("call.callee", address=bounded(one.callee)))
    others = [party for party in one.parties if party not in (one.caller, one.callee)]
    lines += [bounded(party) for party in others[:PARTIES]]
    if len(others) > PARTIES:
        lines.append("…")
    return "\n".join(lines) or NOTHING


def _frames(some: Frames, words: Words) -> str:
    shown = [str(first) for first, _ in some.ranges[:FRAMES]]
    rest = some.count - len(shown)
    if rest > 0:
        shown.append(words.say("format.more_frames", count=words.number(rest)))
    return f"{some.exhibit} {', '.join(shown)}"
