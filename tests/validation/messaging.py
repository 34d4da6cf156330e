"""Measure calls and message events on captures whose truth is known; print docs/validation/messaging.md.

    python tests/validation/messaging.py [CORPUS] > docs/validation/messaging.md

Without CORPUS (a folder of captures that other projects publish, one folder a project) only the project's own captures
are measured. Nothing is tuned here: the parameters are those as delivered. Rates are counts with exact intervals
(Clopper and Pearson, 95 %), computed in whole numbers.
"""

import json
import sys
import tempfile
from collections import defaultdict
from contextlib import closing
from fractions import Fraction
from math import comb
from pathlib import Path

from wirecover.analysis.calls import Calls
from wirecover.analysis.message_events import MessageEvents, prepare
from wirecover.casefile.case import Case

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.framed_talks import TALKS, Planted, talk
from support.traffic import write_capture

OWN = Path(__file__).parents[1] / "captures"
TRUTH = OWN / "harbour-xmpp-turn-h3.truth.json"
CAPTURE = OWN / "harbour-xmpp-turn-h3.pcapng"
SECOND = 1_000_000_000
NEAR = SECOND
"""A message and a burst belong together when they lie no farther apart."""
CALL_NEAR = 2 * SECOND
MESSAGE_LIKE = ("text-like", "media-like")
STEPS = 10_000

CALLS_OF_OTHERS = {
    "nDPI/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap": 2,
    "nDPI/KakaoTalk_talk.pcap": 1,
    "nDPI/skype-conference-call.pcap": 1,
    "nDPI/snapchat_call_v1.pcapng": 1,
    "nDPI/stun_classic.pcap": 1,
    "nDPI/stun_dtls_rtp_unidir.pcapng": 1,
    "nDPI/stun_google_meet.pcapng": 2,
    "nDPI/stun_wa_call.pcapng": 2,
    "nDPI/telegram_videocall.pcapng": 1,
    "nDPI/wa_video.pcap": 1,
    "nDPI/wa_voice.pcap": 1,
}
"""Captures whose names and traffic say how many calls they hold. Two are put together from recordings made months apart
(Google Meet), one holds two sockets' calls one after the other (WhatsApp), one a call with its other SIP leg (fax)."""
NOT_COUNTED = {
    "nDPI/discord.pcap", "nDPI/lru_ipv6_caches.pcapng", "nDPI/stun.pcap", "nDPI/stun_dtls_rtp.pcapng", "nDPI/sip.pcap",
    "nDPI/sccp_hw_conf_register.pcapng", "nDPI/skinny.pcap", "nDPI/viber.pcap", "nDPI/zoom2.pcap", "nDPI/webex.pcap",
    "nDPI/h323.pcap", "nDPI/adult_content.pcap", "nDPI/teamspeak3.pcap", "Arkime/stun-ice-testcall.pcap",
}  # fmt: skip
"""Fragments of calls, put together or cut after a few packets: how many calls they hold cannot be said."""


def tail(n: int, least: int, p: Fraction) -> Fraction:
    """Probability of `least` or more successes of n."""
    q = 1 - p
    return sum((comb(n, k) * p**k * q ** (n - k) for k in range(least, n + 1)), Fraction(0))


def interval(k: int, n: int) -> tuple[int, int]:
    """Clopper-Pearson bounds in hundredths of a percent, outward to the next whole one; exact arithmetic."""
    low, high = 0, STEPS
    if k > 0:
        a, b = 0, STEPS  # the largest p with P(X >= k) <= 2.5 %
        while b - a > 1:
            middle = (a + b) // 2
            a, b = (middle, b) if tail(n, k, Fraction(middle, STEPS)) <= Fraction(1, 40) else (a, middle)
        low = a
    if k < n:
        a, b = 0, STEPS  # the smallest p with P(X <= k) <= 2.5 %
        while b - a > 1:
            middle = (a + b) // 2
            below = 1 - tail(n, k + 1, Fraction(middle, STEPS))
            a, b = (a, middle) if below <= Fraction(1, 40) else (middle, b)
        high = b
    return low, high


def rate(k: int, n: int) -> str:
    """`k/n = 98.20 % [95.1, 99.6]`, from whole numbers."""
    if n == 0:
        return "none to measure"
    low, high = interval(k, n)
    share = k * STEPS // n
    return f"{k}/{n} = {hundredths(share)} % [{hundredths(low)}, {hundredths(high)}]"


def hundredths(value: int) -> str:
    return f"{value // 100}.{value % 100:02d}"


def people(truth: dict) -> dict[str, str]:
    """Address of a recorded client -> name."""
    return {
        address: one["name"]
        for one in truth["endpoints"] if one["side"] == "client"
        for address in (one["ipv4"], one["ipv6"]) if address
    }  # fmt: skip


def planted(truth: dict) -> dict[tuple[str, str, bool], list[tuple[int, int]]]:
    """(person, service, up) -> (time, application bytes) of each end of each message that was recorded."""
    recorded = set(people(truth).values())
    found = defaultdict(list)
    for one in truth["messages"]:
        for person, up, key in ((one["from"], True, "sent_ns"), (one["to"], False, "received_ns")):
            if one[key] is not None and person in recorded:
                found[person, one["service"], up].append((one[key], one["application_bytes"]))
    return found


def other_acts(truth: dict) -> list[int]:
    """Times of receipts, acknowledgements and the signalling of calls."""
    times = [one[key] for one in truth["messages"] for key in ("server_ack_ns", "receipt_ns") if one[key]]
    return times + [step["sent_ns"] for call in truth["calls"] for step in call["signalling"]]


def message_tables(truth: dict, connection) -> list[str]:
    """The tables on message events."""
    table = prepare(connection, MessageEvents.parameters)
    floor = MessageEvents.parameters.floor_bytes
    names, messages, acts = people(truth), planted(truth), other_acts(truth)
    events = defaultdict(list)
    for address, app, up, ns, kind in connection.sql(
        f"SELECT client_ip, app, up, ns, kind FROM {table} ORDER BY ns"
    ).fetchall():
        if address in names:
            events[names[address], app, up].append((ns, kind))
    apps = sorted({app for _, app, _ in messages})
    lines = [
        f"| application | direction | messages of {floor} bytes or more found (recall) | smaller messages found |",
        "|---|---|---|---|",
    ]
    for app in apps:
        for up in (True, False):
            large = small = found_large = found_small = 0
            for (_person, service, way), ends in messages.items():
                if (service, way) != (app, up):
                    continue
                for at, size in ends:
                    hit = any(
                        abs(ns - at) <= NEAR and kind in MESSAGE_LIKE for ns, kind in events[_person, app, up]
                    )
                    if size >= floor:
                        large, found_large = large + 1, found_large + hit
                    else:
                        small, found_small = small + 1, found_small + hit
            way = "sent" if up else "received"
            lines.append(f"| {app} | {way} | {rate(found_large, large)} | {rate(found_small, small)} |")
    lines += [
        "",
        (
            "| application | kind | events | of these within 1 s of a message of that person and direction "
            "(precision) | of the rest within 1 s of a receipt, acknowledgement or call signalling of anybody | "
            "neither |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for app in apps:
        counts = defaultdict(lambda: [0, 0, 0])
        for (person, service, up), some in events.items():
            if service != app:
                continue
            own = [at for at, _ in messages[person, app, up]]
            for ns, kind in some:
                place = 0 if near(ns, own) else 1 if near(ns, acts) else 2
                counts[kind][place] += 1
        for kind in (*MESSAGE_LIKE, "receipt-like", "keepalive", "connect-like", "small"):
            if kind in counts:
                hit, act, rest = counts[kind]
                total = hit + act + rest
                lines.append(f"| {app} | {kind} | {total} | {rate(hit, total)} | {act} | {rest} |")
    return lines


def near(ns: int, times: list[int]) -> bool:
    return any(abs(ns - at) <= NEAR for at in times)


def call_rows(connection) -> list[dict]:
    """The calls that the detector finds, times in nanoseconds."""
    connection.register("measured_calls", Calls().run(connection, Calls.parameters).calls)
    try:
        answer = connection.sql(
            "SELECT app, state, caller_ip, callee_ip, relayed, epoch_ns(setup_ts) AS setup_ns, epoch_ns(answer_ts) AS "
            "answer_ns, epoch_ns(end_ts) AS end_ns FROM measured_calls ORDER BY setup_ts, call_id"
        )
        names = answer.columns
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    finally:
        connection.unregister("measured_calls")


def own_calls(truth: dict, connection) -> list[str]:
    """The table on the calls of the project's own capture."""
    found, told = call_rows(connection), truth["calls"]
    hits = [
        (call, next((one for one in found if abs(one["setup_ns"] - call["setup_ns"]) <= CALL_NEAR), None))
        for call in told
    ]
    seen = [(call, one) for call, one in hits if one is not None]
    sides = sum(
        (one["caller_ip"], one["callee_ip"]) == (call["caller_ip"], call["callee_ip"]) for call, one in seen
    )
    states = sum((one["state"] == "answered") == (call["state"] == "answered") for call, one in seen)
    answers = [abs(one["answer_ns"] - call["answered_ns"]) for call, one in seen if one["answer_ns"]]
    ends = [abs(one["end_ns"] - call["ended_ns"]) for call, one in seen]
    return [
        "| question | result |", "|---|---|",
        f"| planted calls found (set-up within 2 s) | {rate(len(seen), len(told))} |",
        f"| found calls that were planted | {rate(len(seen), len(found))} |",
        f"| caller and callee right | {rate(sides, len(seen))} |",
        f"| answered or not right | {rate(states, len(seen))} |",
        f"| largest error of the answer time | {max(answers, default=0) // 1_000_000} ms |",
        f"| largest error of the end | {max(ends, default=0) // 1_000_000} ms |",
    ]  # fmt: skip


def framed_messages() -> list[str]:
    """The table on crafted streams that frame themselves."""
    frames, planted = [], {}
    for number, protocol in enumerate(TALKS):
        client = f"10.0.0.{number + 2}"
        some, planted[protocol, client] = talk(protocol, client=client)
        frames += some
    with tempfile.TemporaryDirectory(prefix="wirecover-") as folder:
        capture = write_capture(Path(folder) / "a.pcap", sorted(frames, key=lambda one: one.ts))
        case = Case.create(Path(folder) / "case", training=True)
        case.ingest([capture])
        with closing(case.connect()) as connection:
            exact = sized_events(connection)
        with closing(case.connect()) as connection:
            connection.execute(
                "CREATE TEMP TABLE messenger_frames AS SELECT * FROM messenger_frames WHERE false"
            )
            bursts = sized_events(connection)
    lines = [
        (
            "| protocol | planted messages found, with their size (recall) | message-like events that were planted "
            "(precision) | found with their size by bursts alone |"
        ),
        "|---|---|---|---|",
    ]
    for (protocol, client), told in planted.items():
        hit, events = matched(told, exact[client]), len(exact[client])
        alone = matched(told, bursts[client], over=5)
        lines.append(
            f"| {protocol} | {rate(hit, len(told))} | {rate(hit, events)} | {rate(alone, len(told))} |"
        )
    return lines


def sized_events(connection) -> dict[str, list[tuple[int, bool, int]]]:
    """Address -> (time, direction, bytes) of each message-like event."""
    table = prepare(connection, MessageEvents.parameters)
    found = defaultdict(list)
    for client, ns, up, size in connection.sql(
        f"SELECT client_ip, ns, up, bytes FROM {table} WHERE kind IN {MESSAGE_LIKE} ORDER BY ALL"
    ).fetchall():
        found[client].append((ns, up, size))
    return found


def matched(told: list[Planted], events: list[tuple[int, bool, int]], over: int = 0) -> int:
    """Messages with an event of that size (`over` bytes more at most) and direction within 1 s, each event once."""
    left, hits = list(events), 0
    for one in told:
        fits = [
            (ns, up, size) for ns, up, size in left
            if up == one.up and 0 <= size - one.length <= over and abs(ns - one.ts) <= NEAR
        ]  # fmt: skip
        if fits:
            left.remove(fits[0])
            hits += 1
    return hits


def other_calls(corpus: Path) -> list[str]:
    """The tables on other projects' captures."""
    framed: list[str] = []
    kinds: list[str] = []
    lines = ["| capture | calls it holds | call rows | application and state of each |", "|---|---|---|---|"]
    right = named = silent = false = 0
    wrong: list[str] = []
    for path in sorted(
        one for folder in sorted(corpus.iterdir()) if folder.is_dir() for one in folder.iterdir()
    ):
        name = f"{path.parent.name}/{path.name}"
        if not path.is_file():
            continue
        read = read_capture(path)
        if read is None:
            continue
        found, some, media = read
        framed += [f"| {name} | {' | '.join(map(str, row))} |" for row in some]
        kinds += [f"| {name} | {' | '.join(map(str, row))} |" for row in media]
        if name in NOT_COUNTED:
            continue
        if name in CALLS_OF_OTHERS:
            named, right = named + 1, right + (len(found) == CALLS_OF_OTHERS[name])
            said = "; ".join(f"{one['app'] or 'no label'}: {one['state']}" for one in found)
            lines.append(f"| {name} | {CALLS_OF_OTHERS[name]} | {len(found)} | {said} |")
        else:
            silent += 1
            false += bool(found)
            wrong += [name] * bool(found)
    return [
        *lines, "", f"Captures with known calls and as many rows: {rate(right, named)}.", "",
        f"Captures without a call and without a call row: {rate(silent - false, silent)}.",
        *([f"With a row all the same: {', '.join(wrong)}."] if wrong else []), "",
        "### Frames in clear, and kinds of media that Zoom's headers name, on the same captures", "",
        "Every capture with such rows is listed: all others have none.", "",
        "| capture | framing | label | flows | frames | message-like events | receipts and keepalives |",
        "|---|---|---|---|---|---|---|", *framed, "",
        "| capture | headers | label | kind | streams |", "|---|---|---|---|---|", *kinds,
    ]  # fmt: skip


FRAMED = """
SELECT m.protocol, coalesce(f.app, 'no label'), count(DISTINCT m.flow_id), count(*),
       (SELECT count(*) FROM {table} e WHERE e.source = 'framing' AND e.kind IN ('text-like', 'media-like')),
       (SELECT count(*) FROM {table} e WHERE e.source = 'framing' AND e.kind IN ('receipt-like', 'keepalive'))
FROM messenger_frames m JOIN flows f USING (flow_id) GROUP BY ALL ORDER BY ALL
"""
WRAPPED = """
SELECT m.encapsulation, coalesce(f.app, 'no label'), m.kind, count(*) FROM media_streams m JOIN flows f USING (flow_id)
WHERE m.encapsulation IS NOT NULL GROUP BY ALL ORDER BY ALL
"""


def read_capture(path: Path) -> tuple[list[dict], list[tuple], list[tuple]] | None:
    """Calls, frames in clear and media with headers of Zoom's of one capture; None when it cannot be read."""
    with tempfile.TemporaryDirectory(prefix="wirecover-") as folder:
        case = Case.create(Path(folder) / "case", training=True)
        if case.ingest([path]).with_status("failed"):
            return None
        with closing(case.connect()) as connection:
            table = prepare(connection, MessageEvents.parameters)
            framed = connection.sql(FRAMED.format(table=table)).fetchall()
            return call_rows(connection), framed, connection.sql(WRAPPED).fetchall()


def page(corpus: Path | None) -> str:
    """The whole document."""
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="wirecover-") as folder:
        case = Case.create(Path(folder) / "case", training=True)
        case.ingest([CAPTURE])
        with closing(case.connect()) as connection:
            calls, messages = own_calls(truth, connection), message_tables(truth, connection)
    head = Path(__file__).with_name("messaging_head.md").read_text(encoding="utf-8")
    tail_ = other_calls(corpus) if corpus else ["Not measured in this run."]
    return head.format(
        own=CAPTURE.name,
        calls="\n".join(calls),
        messages="\n".join(messages),
        others="\n".join(tail_),
        framed="\n".join(framed_messages()),
    )


if __name__ == "__main__":
    sys.stdout.write(page(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
