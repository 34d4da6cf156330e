"""Honest absence: of each address, what share of its flows and bytes has no application label, and why.

Each flow has exactly one reason, the first in `REASONS` that holds, so that flows and bytes of all reasons add up to
those of the address. Labels that only name a tunnel or proxy are told apart: what is inside has no label.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import duckdb
import pyarrow as pa

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import rows, sql_text
from wirecover.analysis.findings import counted, parameters_json, result
from wirecover.analysis.inventory_rows import endpoint_id, parsed, prepare_sides
from wirecover.analysis.sightings import Sightings, check_tolerance, prepare_sightings
from wirecover.capture.apps.matcher import FlowFacts, load_rules
from wirecover.casefile.derived import UNEXPLAINED

LABELLED: Final[dict[str, str]] = {
    "application": "labelled as an application",
    "tunnel-app": "labelled as a VPN, Tor or a proxy: what is inside has no label",
}
REASONS: Final[dict[str, str]] = {
    "tunnel": "a VPN or proxy protocol was recognised: what is inside cannot be seen",
    "control": "messages of the network itself (ICMP and other protocols without ports)",
    "no-payload": "no payload was sent",
    "encrypted-dns": "encrypted DNS",
    "other-service": "another protocol was recognised, for which no rule has a label",
    "media": "set-up or media of a call or stream (STUN, TURN, RTP), application not told",
    "hint": "an address, port or byte pattern of an application, which does not suffice for a label",
    "ech": "handshake with Encrypted ClientHello or its imitation (GREASE): a readable name may be another's",
    "no-rule": "handshake with a server name that no rule knows",
    "no-name": "handshake without a server name, and no rule fits the rest",
    "quic-unread": "QUIC of which no first packet could be read",
    "before-capture": "the connection began before the recording: its handshake is not in it",
    "one-sided": "only one direction was recorded, and no handshake",
    "cut": "bytes are missing or frames were cut, and no handshake was read",
    "unread": "encryption was recognised, and no handshake was read",
    "unknown": "protocol not recognised",
}
"""Why a flow has no label, in the order in which the reasons are tried."""
_ORDER: Final = (*LABELLED, *REASONS)

TUNNEL_SERVICES: Final = ("wireguard", "openvpn", "ike", "esp", "socks", "http-connect")
TUNNEL_APPS: Final = (
    "cloudflare-warp", "expressvpn", "http-proxy", "ipsec", "mullvad", "nordvpn", "openvpn", "protonvpn", "psiphon",
    "socks", "surfshark", "tailscale", "tor", "wireguard",
)  # fmt: skip
RESOLVERS: Final = (
    # https://developers.google.com/speed/public-dns/docs/doh
    "dns.google", "dns.google.com", "dns64.dns.google",
    # https://developers.cloudflare.com/1.1.1.1/encryption/
    "cloudflare-dns.com", "one.one.one.one",
    # https://quad9.net/service/service-addresses-and-features/
    "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net",
    # https://adguard-dns.io/en/public-dns.html
    "dns.adguard-dns.com", "unfiltered.adguard-dns.com", "family.adguard-dns.com", "dns.adguard.com",
    # https://help.nextdns.io: a name of its own for each account
    "dns.nextdns.io",
    # https://support.opendns.com: DNS over HTTPS
    "doh.opendns.com", "doh.familyshield.opendns.com",
)  # fmt: skip
"""Names of public resolvers that speak encrypted DNS (RFC 7858, 8484, 9250); with one label in front they fit, too."""
WEB_PORTS: Final = frozenset({80, 443, 8080})
"""Ports that fit every application, and so hint at none."""
_SOCKETS: Final = """
SELECT transport, server_ip, server_port, epoch_ns(min(first_ts)), sum(bytes_up + bytes_down) AS bytes
FROM flow_sightings
WHERE counted AND app IS NULL AND transport IN ('tcp', 'udp') AND server_port IS NOT NULL
  AND (service IS NULL OR service IN ('tls', 'quic', 'dtls'))
GROUP BY ALL ORDER BY bytes DESC, transport, server_ip, server_port
"""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Caps."""

    most_endpoints: int = 50_000
    most_sockets: int = 200_000
    """Servers (address and port) that are looked up in the rules for hints, those with most bytes first."""
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        check_tolerance(self.clock_tolerance_s)
        if self.most_endpoints < 1:
            raise AnalysisError("most_endpoints must be 1 or more")
        if self.most_sockets < 0:
            raise AnalysisError("most_sockets must be 0 or more")


class Unexplained:
    """Detector: what has no application label, by address and reason."""

    name: ClassVar[str] = "unexplained"
    version: ClassVar[str] = "1"
    question: ClassVar[str] = "Which share of the traffic of each address has no application label, and why?"
    method: ClassVar[str] = (
        "Flows of each address that opened a flow are counted by one reason each, the first that holds: "
        + "; ".join(REASONS.values())
        + ". Labels that name a VPN, Tor or a proxy are counted apart from other labels. A handshake that another "
        "exhibit or an earlier file of the series holds counts as seen. Hints are looked up in the rules of this "
        "installation, by server address and port (not ports of the web), at the time of the first flow. "
        "Flows and bytes of all reasons add up to those of the address; what several exhibits recorded counts once."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        "What the traffic without a label is: absence of a label is not absence of use.",
        "Use inside a VPN, Tor or a proxy, and on other networks.",
        (
            "That a hello has Encrypted ClientHello: most programs imitate it, and nobody on the path can tell "
            "(RFC 9849 section 6.2)."
        ),
        "That a flow with a hint is of that application: addresses and ports are shared.",
        "Encrypted DNS to resolvers that are not among the public ones listed, over port 443.",
        "Two ends of one flow that are both listed: it counts for each, so that addresses do not add up.",
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """The table `unexplained`, and one fact for the case."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        sockets, unasked = _hinted_sockets(connection, sightings, parameters.most_sockets)
        sides = prepare_sides(connection, sightings)
        query = sightings.into(sql_text("unexplained").replace("JOIN sides", f"JOIN {sides}"))
        values = {
            "sockets": list(sockets), "socket_apps": list(sockets.values()), "tunnels": list(TUNNEL_SERVICES),
            "tunnel_apps": list(TUNNEL_APPS), "resolvers": list(RESOLVERS),
        }  # fmt: skip
        clients = _clients(connection, sides)
        by_endpoint: dict[tuple[str, str | None], list[Any]] = defaultdict(list)
        for ip, network, *rest in rows(connection, query, values):
            if (ip, network) in clients and parsed(ip) is not None:
                by_endpoint[ip, network].append(rest)
        kept = sorted(by_endpoint, key=lambda key: (-_missing(by_endpoint[key]), key[0], key[1] or ""))
        notes = []
        if (left := len(kept) - parameters.most_endpoints) > 0:
            notes.append(
                f"{counted(left, 'address', 'addresses')} with fewest bytes without a label not listed."
            )
        if unasked:
            notes.append(f"{counted(unasked, 'server')} with fewest bytes not looked up for hints.")
        if not kept:
            notes.append("No address opened a flow: nothing to explain.")
        made = [row for key in kept[: parameters.most_endpoints] for row in _rows(*key, by_endpoint[key])]
        found = _finding(connection, sightings, made, parameters_json(parameters))
        table = pa.Table.from_pylist(made, schema=UNEXPLAINED)
        return result([found] if found else [], notes=notes, tables={"unexplained": table})


def _hinted_sockets(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, most: int
) -> tuple[dict[str, list[str]], int]:
    """Servers without a label that fit an address or port of a rule, with the applications; and how many were left."""
    rules = load_rules()
    asked = rows(connection, sightings.into(_SOCKETS))
    found: dict[str, list[str]] = {}
    for transport, ip, port, ns, _ in asked[:most]:
        facts = FlowFacts(transport, ip, port, "", 0)
        apps = {
            hit.row.app for hit in rules.hits(facts, ns) if hit.kind == "address" or port not in WEB_PORTS
        }
        if apps:
            found[f"{transport}|{ip}|{port}"] = sorted(apps)
    return found, max(len(asked) - most, 0)


def _clients(connection: duckdb.DuckDBPyConnection, sides: str) -> set[tuple[str, str | None]]:
    query = f"SELECT DISTINCT ip, network FROM {sides} WHERE counted AND client"  # noqa: S608 - a name of our own
    return set(rows(connection, query))


def _missing(some: list[Any]) -> int:
    """Bytes without a label."""
    return sum(size for reason, _, size, *_ in some if reason in REASONS)


def _rows(ip: str, network: str | None, some: list[Any]) -> list[dict[str, Any]]:
    return [
        {
            "endpoint_id": endpoint_id(ip, network), "ip": ip, "network": network,
            "place": _ORDER.index(reason) + 1, "reason": reason, "labelled": reason in LABELLED, "flows": flows,
            "bytes": size, "services": services, "apps": sorted({*(labels or ()), *(hints or ())}),
            "first_ts": seen["ns"], "capture_id": seen["capture"], "first_frame": seen["frame"],
            "flow_id": seen["flow"],
        }
        for reason, flows, size, services, labels, hints, seen in sorted(some, key=lambda one: _ORDER.index(one[0]))
    ]  # fmt: skip


_TOTALS: Final = """
SELECT count(*) FILTER (NOT continues), coalesce(sum(bytes_up + bytes_down), 0)::BIGINT,
       count(*) FILTER (NOT continues AND app IS NULL),
       coalesce(sum(bytes_up + bytes_down) FILTER (app IS NULL), 0)::BIGINT,
       epoch_ns(min(first_ts)), epoch_ns(max(last_ts))
FROM flow_sightings WHERE counted
"""


def _finding(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, made: list[dict[str, Any]], parameters: str
) -> Finding | None:
    """One fact for the whole case, with a frame for each reason."""
    ((flows, size, unlabelled, unlabelled_bytes, first, last),) = rows(connection, sightings.into(_TOTALS))
    if not flows:
        return None
    firsts: dict[str, dict[str, Any]] = {}
    for row in sorted(
        made, key=lambda row: (row["first_ts"], row["capture_id"], row["first_frame"], row["flow_id"])
    ):
        firsts.setdefault(row["reason"], row)
    statement = (
        f"Of {counted(flows, 'flow')} with {counted(size, 'byte')}, {unlabelled:,} with {unlabelled_bytes:,} bytes "
        "have no application label. Absence of a label is not absence of use: these flows may hold use of messengers."
    )
    return Finding(
        pattern=Unexplained.name, version=Unexplained.version, kind="fact", statement=statement, parameters=parameters,
        first_ns=first, last_ns=last,
        details={"flows": flows, "bytes": size, "unlabelled_flows": unlabelled, "unlabelled_bytes": unlabelled_bytes},
        frames=tuple(
            FrameRef(row["capture_id"], row["first_frame"], row["flow_id"], f"first flow: {REASONS[reason]}")
            for reason, row in firsts.items() if reason in REASONS
        ),
        capture_ids=tuple(sorted({row["capture_id"] for row in made})),
    )  # fmt: skip
