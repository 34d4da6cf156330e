"""Hold wirecover against tshark on captures that nobody looked at while it was made; print a table of figures.

    python tests/validation/unseen.py FOLDER [--tshark COMMAND] [--misses FILE]

Every file below FOLDER that begins as a capture does is decoded here and dissected by tshark. Per capture the packets
are counted; per five-tuple of TCP or UDP, the innermost of a frame, what both say of it is compared as sets. A
capture that tshark refuses is decoded all the same and not compared. FILE gets each disagreement as a line of JSON.
"""

import argparse
import gzip
import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1, sha256
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from wirecover.capture.decode import decode
from wirecover.capture.errors import CaptureError
from wirecover.capture.registries.cipher_suites import CIPHER_SUITES

MAGICS = tuple(
    bytes.fromhex(text) for text in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "34cdb2a1", "0a0d0d0a")
)
SLOW_S = 10.0
Flow = tuple[str, tuple[str, int], tuple[str, int]]
FIELDS = (
    "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport",
    "udp.dstport", "ip.flags.mf", "ip.frag_offset", "ipv6.fraghdr.offset", "ipv6.fraghdr.more",
    *(f"{carrier}.handshake.{name}" for carrier in ("tls", "dtls") for name in (
        "type", "extensions_server_name", "extensions_alpn_str", "ja3", "ja3s", "ja4", "ciphersuite", "certificate")),
    "quic.version", "dns.qry.name", "stun.type", "ssh.protocol", "ssh.kex.hassh", "ssh.kex.hasshserver",
    "dhcp.option.hostname", "sip.Method", "communityid",
)  # fmt: skip
COMPARED = ("community_id", "sni", "alpn", "ja3", "ja3s", "ja4", "cipher", "certificate", "dns name", "quic", "stun",
            "ssh", "hassh", "sip method")  # fmt: skip
CARRIERS = {"ip", "ipv6", "tcp", "udp"}
HOLDERS = {"icmp", "icmpv6", "openflow", "openflow_v1", "openflow_v4", "openflow_v5", "wg"}
"""What stands behind these is quoted, carried as text, or was encrypted: it is no packet of the capture."""


class Said(NamedTuple):
    """What one side says of one capture."""

    packets: int
    flows: Counter[Flow]
    facts: dict[str, set[tuple[Flow, Any]]]
    hosts: set[str]
    fragments: set[frozenset[str]]
    """Pairs of addresses that exchanged fragments, which tshark counts to no five-tuple."""


def flow_of(transport: str, a: str, a_port: Any, b: str, b_port: Any) -> Flow:
    """The five-tuple, whichever end comes first."""
    one, other = sorted([(str(ip_address(a)), int(a_port)), (str(ip_address(b)), int(b_port))])
    return transport, one, other


def innermost(row: dict[str, list[str]]) -> Flow | None:
    """The five-tuple of the innermost packet of a frame; None where that is no TCP and no UDP."""
    ends = {
        "ip": list(zip(row["ip.src"], row["ip.dst"], strict=False)),
        "ipv6": list(zip(row["ipv6.src"], row["ipv6.dst"], strict=False)),
        "tcp": list(zip(row["tcp.srcport"], row["tcp.dstport"], strict=False)),
        "udp": list(zip(row["udp.srcport"], row["udp.dstport"], strict=False)),
    }
    addresses, found = None, None
    for layer in row["frame.protocols"][0].split(":"):
        if layer in HOLDERS:
            return None if layer.startswith("icmp") else found
        if layer in CARRIERS and ends[layer]:
            pair = ends[layer].pop(0)
            if layer in ("ip", "ipv6"):
                addresses, found = pair, None
            elif addresses is not None:
                found = flow_of(layer, addresses[0], pair[0], addresses[1], pair[1])
    return found


def facts_of(row: dict[str, list[str]]) -> list[tuple[str, Any]]:
    """What tshark says of the flow of one frame."""
    found: list[tuple[str, Any]] = []
    for carrier in ("tls", "dtls"):
        shown = {
            name.removeprefix(f"{carrier}.handshake."): row[name] for name in row if name.startswith(carrier)
        }
        kinds = shown["type"]
        found += [("sni", name.lower()) for name in shown["extensions_server_name"]]
        if kinds.count("1") == 1 and "2" not in kinds and shown["extensions_alpn_str"]:
            found.append(("alpn", tuple(shown["extensions_alpn_str"])))
        found += [(name, value) for name in ("ja3", "ja3s", "ja4") for value in shown[name]]
        if "2" in kinds and "1" not in kinds:
            found += [("cipher", int(value, 16)) for value in shown["ciphersuite"]]
        found += [("certificate", sha1(bytes.fromhex(one)).hexdigest()) for one in shown["certificate"]]
    found += [("quic", True) for version in row["quic.version"] if int(version, 16)]
    asked = (name.rstrip(".").lower() for name in row["dns.qry.name"][:1] if name[:1] != "<")
    found += [("dns name", name) for name in asked if name]
    found += [("stun", True)] if row["stun.type"] else []
    found += [("ssh", text.split("-", 2)[-1].split(" ")[0]) for text in row["ssh.protocol"]]
    found += [("hassh", text) for name in ("ssh.kex.hassh", "ssh.kex.hasshserver") for text in row[name]]
    found += [("sip method", text) for text in row["sip.Method"]]
    if len(row["ip.src"]) + len(row["ipv6.src"]) == 1:
        found += [("community_id", text) for text in row["communityid"]]
    return found


def tshark_says(command: list[str], known: list[str], path: Path) -> Said | None:
    """None where it refuses the file."""
    options = [
        "-n",
        "-r",
        str(path),
        "--enable-protocol",
        "communityid",
        "-o",
        "tcp.reassemble_out_of_order:TRUE",
    ]
    options += ["-T", "fields", "-E", "occurrence=a", "-E", "separator=/t", "-E", "aggregator=\x1f"]
    options += [part for name in known for part in ("-e", name)]
    done = subprocess.run([*command, *options], capture_output=True, check=False, timeout=300)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    if (done.returncode and not lines) or b"TShark doesn't support" in done.stderr:
        return None
    flows: Counter[Flow] = Counter()
    facts: dict[str, set[tuple[Flow, Any]]] = defaultdict(set)
    hosts, fragments = set(), set()
    for line in lines:
        row: dict[str, list[str]] = {name: [] for name in FIELDS}
        row |= {
            name: text.split("\x1f") if text else []
            for name, text in zip(known, line.split("\t"), strict=False)
        }
        row["frame.protocols"] = row["frame.protocols"] or [""]
        flow = innermost(row)
        told = (
            *row["ip.flags.mf"],
            *row["ip.frag_offset"],
            *row["ipv6.fraghdr.offset"],
            *row["ipv6.fraghdr.more"],
        )
        if any(text not in ("0", "False") for text in told):
            pairs = zip((*row["ip.src"], *row["ipv6.src"]), (*row["ip.dst"], *row["ipv6.dst"]), strict=False)
            fragments |= {frozenset((str(ip_address(a)), str(ip_address(b)))) for a, b in pairs}
        hosts.update(row["dhcp.option.hostname"])
        if flow is not None:
            flows[flow] += 1
            for name, value in facts_of(row):
                facts[name].add((flow, value))
    return Said(len(lines), flows, facts, hosts, fragments)


def plain(name: str) -> str:
    """A name without the escapes of RFC 1035 5.1, as tshark prints it."""
    octets = re.sub(
        rb"\\(\d{3}|.)", lambda one: bytes([int(one[1])]) if len(one[1]) > 1 else one[1], name.encode()
    )
    return octets.decode("utf-8", "surrogateescape")


def wirecover_says(path: Path) -> Said:
    """Raises CaptureError where it is no capture."""
    with tempfile.TemporaryDirectory() as folder:
        decode(path, Path(folder))
        tables = {one.stem: pq.read_table(one).to_pylist() for one in Path(folder).glob("*.parquet")}
    known: dict[int, Flow] = {}
    flows: Counter[Flow] = Counter()
    facts: dict[str, set[tuple[Flow, Any]]] = defaultdict(set)
    for row in tables["flows"]:
        if row["transport"] in ("tcp", "udp"):
            flow = flow_of(
                row["transport"], row["client_ip"], row["client_port"], row["server_ip"], row["server_port"]
            )
            known[row["flow_no"]] = flow
            flows[flow] += row["packets_up"] + row["packets_down"]
            facts["community_id"].add((flow, row["community_id"]))
            if row["service"] in ("quic", "stun"):
                facts[row["service"]].add((flow, True))

    def take(name: str, row: dict[str, Any], *values: Any) -> None:
        facts[name].update(
            (known[row["flow_no"]], value) for value in values if value and row["flow_no"] in known
        )

    numbers = {name: number for number, name in CIPHER_SUITES.items()}
    sha1_of = {row["sha256"]: row["sha1"] for row in tables["certificates"]}
    for row in tables["tls_handshakes"]:
        for name in ("ja3", "ja3s", "ja4"):
            take(name, row, row[name])
        take("sni", row, (row["sni"] or "").lower())
        take("alpn", row, tuple(row["alpn_offered"] or ()))
        take("cipher", row, numbers.get(row["cipher"], row["cipher"]))
        shown = (*(row["certificate_sha256s"] or ()), *(row["client_certificate_sha256s"] or ()))
        take("certificate", row, *(sha1_of.get(one) for one in shown))
        take("quic", row, row["quic_version"] is not None)
    for row in tables["dns_messages"]:
        take("dns name", row, plain(row["query_name"] or "").rstrip(".").lower())
    for row in tables["stun_messages"]:
        take("stun", row, True)
    for row in tables["ssh_handshakes"]:
        take(
            "ssh", row, *((row[side] or "").split(" ")[0] for side in ("client_software", "server_software"))
        )
        take("hassh", row, row["hassh"], row["hassh_server"])
    for row in tables["sip_messages"]:
        take("sip method", row, row["method"])
    hosts = {row["value"] for row in tables["hosts"]}
    return Said(tables["captures"][0]["packets"], flows, facts, hosts, set())


def compare(theirs: Said, ours: Said, score: dict[str, Counter[str]]) -> list[dict[str, Any]]:
    """Add to the score (both, tshark, wirecover: how many both say, and only one of them); the disagreements."""
    misses: list[dict[str, Any]] = []

    def tally(field: str, a: set[Any], b: set[Any]) -> None:
        score[field].update(both=len(a & b), tshark=len(a - b), wirecover=len(b - a))
        misses.extend({"field": field, "tshark": one} for one in sorted(a - b, key=repr))
        misses.extend({"field": field, "wirecover": one} for one in sorted(b - a, key=repr))

    tally("packets of a capture", {theirs.packets}, {ours.packets})
    tally("flow", set(theirs.flows), set(ours.flows))
    shared = [
        flow
        for flow in theirs.flows
        if flow in ours.flows and frozenset((flow[1][0], flow[2][0])) not in theirs.fragments
    ]
    tally("packets of a flow", {(f, theirs.flows[f]) for f in shared}, {(f, ours.flows[f]) for f in shared})
    for field in COMPARED:
        a, b = theirs.facts[field], ours.facts[field]
        if field == "community_id":
            a, b = {x for x in a if x[0] in ours.flows}, {x for x in b if any(x[0] == y[0] for y in a)}
        if field != "ja4" or a:
            tally(field, a, b)
    tally("dhcp host name", theirs.hosts, ours.hosts & theirs.hosts)
    return misses


def captures_below(folder: Path) -> list[Path]:
    """Files that begin as a capture does, gzip opened; of those with the same content the first."""
    found, seen = [], set()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        head = path.open("rb").read(4)
        if head[:2] == b"\x1f\x8b":
            try:
                with gzip.open(path) as opened:
                    head = opened.read(4)
            except (OSError, EOFError):
                continue
        if head in MAGICS and (digest := sha256(path.read_bytes()).digest()) not in seen:
            seen.add(digest)
            found.append(path)
    return found


def main(arguments: list[str] | None = None) -> int:
    """0 when every file was decoded or refused, in time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tshark", default="tshark")
    parser.add_argument("--misses", type=Path)
    given = parser.parse_args(arguments)
    command = shlex.split(given.tshark)
    listed = subprocess.run([*command, "-G", "fields"], capture_output=True, check=True, text=True).stdout
    there = {line.split("\t")[2] for line in listed.splitlines() if line[:2] in ("F\t", "P\t")}
    known = [name for name in FIELDS if name in there]
    score: dict[str, Counter[str]] = defaultdict(Counter)
    paths, misses, ends = captures_below(given.folder), [], Counter[str]()
    with ThreadPoolExecutor(2) as pool:
        for path, theirs in zip(
            paths, pool.map(lambda one: tshark_says(command, known, one), paths), strict=True
        ):
            began = monotonic()
            try:
                ours = wirecover_says(path)
            except CaptureError:
                ends["refused by wirecover"] += 1
                continue
            except Exception as problem:  # noqa: BLE001 - that is what is looked for
                ends["traceback"] += 1
                print(f"{path.name}: {problem!r}", file=sys.stderr)
                continue
            ends["slow"] += monotonic() - began > SLOW_S
            ends["refused by tshark" if theirs is None else "compared"] += 1
            if theirs is not None:
                misses += [{"capture": path.name} | one for one in compare(theirs, ours, score)]
    print(f"{len(paths)} captures:", ", ".join(f"{ends[name]} {name}" for name in sorted(ends)))
    print("\n| field | both | tshark alone | wirecover alone | of tshark's |\n|---|---|---|---|---|")
    for field, counts in score.items():
        of = counts["both"] + counts["tshark"]
        share = f"{counts['both'] / of:.4f}" if of else "-"
        print(f"| {field} | {counts['both']} | {counts['tshark']} | {counts['wirecover']} | {share} |")
    if given.misses:
        given.misses.write_text("".join(json.dumps(one) + "\n" for one in misses), encoding="utf-8")
    return int(bool(ends["traceback"] or ends["slow"]))


if __name__ == "__main__":
    sys.exit(main())
