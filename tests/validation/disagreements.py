"""Turn the misses of the conformance check into the tables of docs/validation/conformance.md.

    python tests/validation/disagreements.py MISSES.jsonl SCORES.txt > docs/validation/conformance.md

A disagreement is put under a reason only where the rule of that reason can be checked from the two answers alone, so
that no row is explained away; what fits no rule is listed row by row as open.
"""

import json
import sys
from collections import Counter, defaultdict
from hashlib import md5
from itertools import permutations
from pathlib import Path

JA4 = "https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md"

REASONS = {
    "alpn-two-characters": (
        "ours", ("The source writes the first two characters of the first ALPN value; the specification says the "
        f"first and the last (`http/1.1` is `h1`, `h3-29` is `h9`). {JA4}, ALPN Extension Value.")
    ),
    "sni-letter": (
        "ours", ("The source writes `d` where the hello has no server_name extension, or `i` where its name is an "
        f"address; the specification asks only whether the extension is there. {JA4}, SNI.")
    ),
    "sni-letter-and-alpn": ("ours", "Both of the above in one fingerprint."),
    "alpn-zero": (
        "ours", "The source writes `0` for the last character of an ALPN value of two characters."
    ),
    "empty-hash": (
        "ours", ("The hello has no extensions: the source hashes nothing, the specification writes twelve zeros. "
        f"{JA4}, Extension hash.")
    ),
    "same-bytes": (
        "both", "The two files are byte for byte the same exhibit; it is in the case once, under the first name."
    ),
    "parts-of-one-connection": (
        "ours", ("The source counts one TCP connection in parts that add up to wirecover's count. Nothing in it ends "
        "the connection: no FIN, RST or new SYN stands between the parts, and silence alone ends none. RFC 9293 "
        "section 3.6.")
    ),
    "parts-of-one-exchange": (
        "ours", ("The source ends a UDP exchange that is silent for half a minute or so: its parts add up to "
        "wirecover's count. No text says when one ends, but network equipment must keep it for two minutes at least, "
        "and should for five or more (RFC 4787 section 4.3, REQ-5); wirecover takes five.")
    ),
    "by-transaction": (
        "ours", ("The source counts DHCP packets by transaction, those between other addresses too; of the five-tuple "
        "asked for there are as many as wirecover says. Community ID 1.0; RFC 8415 section 16.1 (DHCPv6 answers come "
        "from another address than was asked).")
    ),
    "fragments": (
        "ours", ("The connection is sent in IP fragments, which belong to it (RFC 791 section 3.2); tshark counts 72 "
        "frames as wirecover does.")
    ),
    "retry-hashed": (
        "ours", ("The source hashes the HelloRetryRequest, wirecover the ServerHello that follows it; JA3S is defined "
        "over the ServerHello, which a HelloRetryRequest is not (RFC 8446 section 4.1.4).")
    ),
    "dtls-version": (
        "ours", ("The source writes the version of the hello itself; the specification says the highest value of "
        f"supported_versions, which offers DTLS 1.3 alone, and `i` for a hello without server_name. {JA4}")
    ),
    "cut-hello": (
        "ours", ("The hello is malformed (its extensions pass its end): the source fingerprints what is there, "
        "wirecover makes no fingerprint of a hello it cannot read to its end.")
    ),
}  # fmt: skip


def same_tuple(truth: dict) -> tuple:
    """Capture, transport and the two ends, in either direction."""
    ends = sorted([(truth.get("src"), truth.get("sport")), (truth.get("dst"), truth.get("dport"))], key=str)
    return truth["source"], truth["capture"], truth.get("proto"), *ends


def add_up(miss: dict, misses: list[dict]) -> bool:
    """Do the source's counts of this five-tuple, all of them misses, add up to ours?"""
    parts = [
        one["want"] for one in misses
        if one["field"] == "packets" and same_tuple(one["truth"]) == same_tuple(miss["truth"])
    ]  # fmt: skip
    return len(parts) > 1 and [sum(parts)] == [row["packets"] for row in miss["have"]]


def ja3s_of_retry(want: str) -> bool:
    """Is this the JA3S of a HelloRetryRequest: a TLS 1.3 suite, versions, and a group or a cookie?"""
    texts = (
        f"{version},{cipher},{'-'.join(map(str, order))}"
        for version in (0x0303, 0xFEFD) for cipher in (0x1301, 0x1302, 0x1303)
        for count in (2, 3) for order in permutations((43, 51, 44), count)
    )  # fmt: skip
    return any(md5(text.encode(), usedforsecurity=False).hexdigest() == want for text in texts)


def reason_of(miss: dict, misses: list[dict]) -> str | None:
    """The reason of a miss, where its two answers show it."""
    field, truth, have = miss["field"], miss["truth"], miss["have"]
    if field == "ja4" and have and have[0].get("ja4"):
        want, ours = truth["ja4"], have[0]["ja4"]
        alpn = (have[0].get("alpn_offered") or [""])[0]
        rest_agrees = want[:3] == ours[:3] and want[4:8] == ours[4:8] and want[10:] == ours[10:]
        letter, sni = want[3] != ours[3], have[0].get("sni")
        letter_ours = ours[3] == ("i" if sni is None else "d")
        name = want[8:10] != ours[8:10]
        two = name and alpn[:2] == want[8:10] and ours[8:10] == alpn[0] + alpn[-1]
        if rest_agrees and letter and letter_ours and two:
            return "sni-letter-and-alpn"
        if rest_agrees and two and not letter:
            return "alpn-two-characters"
        if rest_agrees and letter and letter_ours and not name:
            return "sni-letter"
        if rest_agrees and name and not letter and len(alpn) == 2 and ours[8:10] == alpn and want[9] == "0":
            return "alpn-zero"
        empty = ours.endswith("_000000000000") and want.endswith("_e3b0c44298fc")
        if empty and want[4:8] == ours[4:8] and want[11:23] == ours[11:23]:
            return "empty-hash"
    if field in ("capture packets", "flow") and Path(truth["capture"]).name == "tls-alpn-h2.pcap":
        return "same-bytes"
    if field == "packets":
        if add_up(miss, misses):
            return "parts-of-one-connection" if truth["proto"] == "tcp" else "parts-of-one-exchange"
        if {"dhcp", "dhcpv6"} & set(truth.get("protocols", ())):
            return "by-transaction"
        if truth["capture"] == "socks5-http-302-frag.pcap":
            return "fragments"
    if field == "ja3s" and ja3s_of_retry(truth["ja3s"]):
        return "retry-hashed"
    if field == "ja4" and have:
        want, ours = truth["ja4"], have[0].get("ja4")
        if ours is None:
            return "cut-hello"
        if want[:3] == "dd2" and ours[:3] == "dd3" and want[4:] == ours[4:]:
            return "dtls-version"
    return None


def main() -> None:
    misses = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    grouped: dict[tuple[str, str], Counter] = defaultdict(Counter)
    open_rows = []
    for miss in misses:
        reason = reason_of(miss, misses)
        if reason is None:
            open_rows.append(miss)
        else:
            grouped[reason, miss["field"]][Path(miss["truth"]["capture"]).name] += 1
    print(Path(__file__).with_name("conformance_head.md").read_text(encoding="utf-8"))
    scores = Path(sys.argv[2]).read_text(encoding="utf-8").strip()
    print("```\n" + scores + "\n```\n")
    print("Left once the rows that a text decides for wirecover are out:\n\n```")
    for line in scores.splitlines():
        field, matched, total = " ".join(line.split()[:-2]), *map(int, line.split()[-2].split("/"))
        ours = sum(
            sum(n.values()) for (why, of), n in grouped.items() if of == field and REASONS[why][0] == "ours"
        )
        if ours:
            print(f"{field:16} {matched:5}/{total - ours:<5} {matched / (total - ours):.4f}")
    print("```\n")
    print("## Disagreements with a reason\n")
    print("| field | rows | right | reason | captures (rows) |\n|---|---|---|---|---|")
    for (reason, field), captures in sorted(grouped.items()):
        right, text = REASONS[reason]
        listed = ", ".join(f"{name} ({n})" for name, n in sorted(captures.items()))
        print(f"| {field} | {sum(captures.values())} | {right} | {text} | {listed} |")
    print("\n## Open: not decided, or wirecover is wrong\n")
    print("| field | capture | five-tuple | the source says | wirecover says |\n|---|---|---|---|---|")
    for miss in sorted(open_rows, key=lambda m: (m["field"], m["truth"]["capture"], str(m["truth"]))):
        truth, field = miss["truth"], miss["field"]
        ends = f"{truth.get('src')}:{truth.get('sport')} {truth.get('dst')}:{truth.get('dport')} {truth.get('proto')}"
        source = truth.get("app") if field in ("app", "not a messenger") else miss["want"]
        column = {"certs_sha1": "certificate_sha1s"}.get(field, field)
        ours = [row.get(column) for row in miss["have"]] if isinstance(miss["have"], list) else miss["have"]
        print(f"| {field} | {truth['capture']} | {ends} | {source or 'a flow'} | {ours or 'no such flow'} |")


if __name__ == "__main__":
    main()
