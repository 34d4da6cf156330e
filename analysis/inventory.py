"""The endpoint inventory: addresses, what is told of them, links between them, and signs that they are shared."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import duckdb
import pyarrow as pa

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.device_links import (
    COUNTER,
    MOST_ADDRESSES,
    REASONS,
    STRENGTHS,
    Link,
    Side,
    find_links,
    recordings,
)
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import rows
from wirecover.analysis.findings import canonical_json, counted, parameters_json, result, utc_text
from wirecover.analysis.inventory_rows import (
    Endpoint,
    Key,
    endpoint_id,
    in_words,
    prepare_sides,
    read_inventory,
)
from wirecover.analysis.shared_devices import WARNINGS, Limits, Warned, find_warnings, recordings_apart
from wirecover.analysis.sightings import check_tolerance, prepare_sightings
from wirecover.casefile.derived import DEVICE_LINKS, ENDPOINT_FACTS, ENDPOINT_WARNINGS, ENDPOINTS

LISTED: Final = 32
"""Values of one kind in a row of `endpoints`, and of one warning."""
NAMED: Final = 8
"""Values in a sentence."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Caps, and from how many on a number is a sign of several devices."""

    most_endpoints: int = 50_000
    most_findings: int = 20_000
    most_values: int = 500
    """Facts of one endpoint in endpoint_facts."""
    many_user_agents: int = 6
    many_fingerprints: int = 12
    clock_tolerance_s: float = 2.0
    """Clocks of exhibits that recorded the same conversation differ by at most so much."""

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        check_tolerance(self.clock_tolerance_s)
        for name in ("most_endpoints", "most_findings", "most_values"):
            if getattr(self, name) < 1:
                raise AnalysisError(f"{name} must be 1 or more")
        for name in ("many_user_agents", "many_fingerprints"):
            if getattr(self, name) < 2:
                raise AnalysisError(f"{name} must be 2 or more")


class Inventory:
    """Detector: what is known of each address, and which addresses may have been one device."""

    name: ClassVar[str] = "endpoints"
    version: ClassVar[str] = "1"
    question: ClassVar[str] = (
        "Which addresses are in the exhibits, what do the exhibits tell of the devices behind them, which may have "
        "been the same device, and which were shared?"
    )
    method: ClassVar[str] = (
        "An endpoint is an address in one virtual network. Listed are addresses that opened a flow, or of which "
        "ARP, neighbour discovery, DHCP, mDNS, NetBIOS, SSDP or an operator's records tell something: with first and "
        "last time, volume, hardware addresses, names, systems, programs, fingerprints of ClientHellos (JA4), "
        "applications and identities, each with exhibit and frame. Where one identifier was told of two addresses, or "
        "of one address in two recordings, that is a link: a hardware address, an address made of one, client "
        "identifiers of DHCP and UPnP, a client certificate in the clear, a Telegram key id, an identity that the "
        "network assigned, a name. Each link says what the identifier belongs to and what speaks against one device. "
        f"An identifier of more than {MOST_ADDRESSES} addresses makes no links. Signs that an address was shared "
        "or changed hands are listed apart. Nothing is merged."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        "Who used a device: an address is not a person, and a device is not a person.",
        (
            "That two addresses were one device: identifiers are copied with virtual machines and backups, hardware "
            "addresses are made up and changed, names are chosen freely."
        ),
        "That two addresses without a link were two devices, or that an address without a warning was one device.",
        (
            "Devices behind an address translation (router, carrier, VPN): they are one address here. Only some of "
            "them differ in what is compared."
        ),
        (
            "Links by TLS session tickets, pre-shared keys and QUIC tokens, and by clocks of TCP time stamps: these "
            "are not stored."
        ),
        "What an address did on another network, or what was told of it outside the recordings.",
    )  # fmt: skip
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """The tables of the inventory; an assessment for each link, a fact for each warning."""
        parameters.check()
        sightings = prepare_sightings(connection, parameters.clock_tolerance_s)
        endpoints, total = read_inventory(connection, sightings, parameters.most_endpoints)
        series = dict(rows(connection, "SELECT capture_id, series_id FROM series"))
        links, crowded = find_links(endpoints, recordings(_spans(connection), series))
        apart = recordings_apart(connection, prepare_sides(connection, sightings), series)
        limits = Limits(parameters.many_user_agents, parameters.many_fingerprints)
        signs = find_warnings(connection, endpoints, apart, limits)
        text = parameters_json(parameters)
        findings = [
            *(_link_finding(one, text) for one in links),
            *(_sign_finding(one, text) for one in signs),
        ]
        notes = _notes(endpoints, total, crowded, parameters)
        if (over := len(findings) - parameters.most_findings) > 0:
            notes.append(
                f"{counted(over, 'link or warning', 'links or warnings')} without a finding of its own."
            )
        return result(findings[: parameters.most_findings], notes=notes,
                      tables=_tables(endpoints, links, signs, parameters))  # fmt: skip


def _spans(connection: duckdb.DuckDBPyConnection) -> dict[int, tuple[int, int]]:
    query = (
        "SELECT capture_id, epoch_ns(first_ts), epoch_ns(last_ts) FROM captures "
        "WHERE first_ts IS NOT NULL AND last_ts IS NOT NULL"
    )
    return {capture: (first, last) for capture, first, last in rows(connection, query)}


def _notes(endpoints: list[Endpoint], total: int, crowded: int, parameters: Parameters) -> list[str]:
    notes = []
    if not endpoints:
        notes.append("No address opened a flow or told anything: the inventory is empty.")
    if total > len(endpoints):
        notes.append(
            f"{counted(total - len(endpoints), 'address', 'addresses')} with fewest flows not listed."
        )
    if crowded:
        notes.append(
            f"{counted(crowded, 'identifier')} told of more than {MOST_ADDRESSES} addresses (routers, proxies, "
            "templates): no links were made of them."
        )
    left = sum(max(len(one.facts) - parameters.most_values, 0) for one in endpoints)
    if left:
        notes.append(
            f"{counted(left, 'fact')} beyond the first {parameters.most_values} of an address not listed."
        )
    return notes


# ---- tables ------------------------------------------------------------------------------------------------------


def _tables(
    endpoints: list[Endpoint], links: list[Link], signs: list[Warned], parameters: Parameters
) -> dict[str, pa.Table]:
    linked = Counter(key for link in links for key in {link.one.endpoint.key, link.other.endpoint.key})
    warned: dict[Key, list[str]] = defaultdict(list)
    for sign in signs:
        if sign.warning not in warned[sign.endpoint.key]:
            warned[sign.endpoint.key].append(sign.warning)
    made = {
        "endpoints": (ENDPOINTS, [_endpoint_row(one, linked[one.key], warned[one.key]) for one in endpoints]),
        "endpoint_facts": (
            ENDPOINT_FACTS, [row for one in endpoints for row in _fact_rows(one, parameters.most_values)],
        ),
        "device_links": (DEVICE_LINKS, [_link_row(one) for one in links]),
        "endpoint_warnings": (ENDPOINT_WARNINGS, [_sign_row(one) for one in signs]),
    }  # fmt: skip
    return {name: pa.Table.from_pylist(some, schema=schema) for name, (schema, some) in made.items()}


def _head(one: Endpoint) -> dict[str, Any]:
    return {"endpoint_id": endpoint_id(*one.key), "ip": one.ip, "network": one.network}


def _endpoint_row(one: Endpoint, links: int, warnings: list[str]) -> dict[str, Any]:
    identities = sorted({f"{fact.attribute}: {fact.value}" for fact in one.facts if fact.kind == "identity"})
    return _head(one) | {
        "first_ts": one.first_ns, "last_ts": one.last_ns, "capture_id": one.first.capture,
        "first_frame": one.first.frame, "last_capture_id": one.last.capture, "last_frame": one.last.frame,
        "flows": one.flows, "flows_opened": one.opened, "peers": one.peers, "bytes_sent": one.sent,
        "bytes_received": one.received, "macs": one.values("mac")[:LISTED], "names": one.values("name")[:LISTED],
        "systems": one.values("system")[:LISTED], "software": one.values("software")[:LISTED],
        "ja4s": one.values("ja4")[:LISTED], "apps": one.values("app")[:LISTED], "identities": identities[:LISTED],
        "vlans": list(one.vlans), "links": links, "warnings": warnings, "capture_ids": sorted(one.captures),
    }  # fmt: skip


def _fact_rows(one: Endpoint, most: int) -> list[dict[str, Any]]:
    return [
        _head(one) | {
            "kind": fact.kind, "attribute": fact.attribute, "value": fact.value, "source": fact.source,
            "first_ts": fact.first_ns, "last_ts": fact.last_ns, "times": fact.times,
            "capture_id": fact.place.capture, "frame": fact.place.frame, "flow_id": fact.place.flow,
        }
        for fact in one.facts[:most]
    ]  # fmt: skip


def _link_row(link: Link) -> dict[str, Any]:
    one, other = link.one, link.other
    about = [link.reason, link.value, *one.endpoint.key, one.first_ns, *other.endpoint.key, other.first_ns]
    digest = hashlib.sha256(canonical_json(about).encode("ascii")).digest()
    return {
        "link_id": int.from_bytes(digest[:8]) >> 1, "ip": one.endpoint.ip, "network": one.endpoint.network,
        "other_ip": other.endpoint.ip, "other_network": other.endpoint.network, "reason": link.reason,
        "strength": link.strength, "value": link.value, "source": one.source, "ts": one.first_ns,
        "capture_id": one.place.capture, "frame": one.place.frame, "other_source": other.source,
        "other_ts": other.first_ns, "other_capture_id": other.place.capture, "other_frame": other.place.frame,
        "addresses": link.addresses, "counter": list(link.counter), "statement": _link_text(link),
    }  # fmt: skip


def _sign_row(sign: Warned) -> dict[str, Any]:
    first, *more = sign.places
    return _head(sign.endpoint) | {
        "warning": sign.warning, "told": list(sign.values[:LISTED]), "first_ts": sign.first_ns,
        "capture_id": first.capture, "frame": first.frame, "other_capture_id": more[0].capture if more else None,
        "other_frame": more[0].frame if more else None, "statement": _sign_text(sign),
    }  # fmt: skip


# ---- sentences ---------------------------------------------------------------------------------------------------


def _told(side: Side) -> str:
    return f"by {side.source} at {utc_text(side.first_ns)}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _link_text(link: Link) -> str:
    same, strength = REASONS[link.reason][1], STRENGTHS[link.strength]
    if link.same_address:
        text = (
            f"{_capital(in_words(*link.one.endpoint.key))}: {same} ({link.value}) was told of it in two recordings, "
            f"{_told(link.one)} and {_told(link.other)}. "
        )
    else:
        text = (
            f"{_capital(in_words(*link.one.endpoint.key))} and {in_words(*link.other.endpoint.key)}: {same} "
            f"({link.value}), told of the first {_told(link.one)} and of the second {_told(link.other)}. "
        )
    against = "; ".join(COUNTER[key] for key in link.counter)
    return f"{text}{strength}." + (f" Against one device: {against}." if against else "")


def _sign_text(sign: Warned) -> str:
    told = ", ".join(sign.values[:NAMED]) + (", ..." if len(sign.values) > NAMED else "")
    what = (
        f"{_capital(in_words(*sign.endpoint.key))}: {WARNINGS[sign.warning]}{f' ({told})' if told else ''}."
    )
    # the address that is shared is the one outside the translation
    return what if sign.warning == "translated" else f"{what} It may not stand for one device alone."


def _link_finding(link: Link, parameters: str) -> Finding:
    one, other = link.one, link.other
    keys: Mapping[str, Any] = {
        "networks": [one.endpoint.network, other.endpoint.network],
        "value": link.value,
    }
    return Finding(
        pattern=Inventory.name, version=Inventory.version, kind="assessment", statement=_link_text(link),
        parameters=parameters, first_ns=min(one.first_ns, other.first_ns), last_ns=max(one.first_ns, other.first_ns),
        subject=one.endpoint.ip, object=None if link.same_address else other.endpoint.ip,
        key=canonical_json([link.reason, keys, other.first_ns]),
        details={"reason": link.reason, "strength": link.strength, "counter": list(link.counter),
                 "addresses": link.addresses, **keys},
        frames=tuple(
            FrameRef(side.place.capture, side.place.frame, side.place.flow, f"{link.reason} of {side.endpoint.ip}")
            for side in (one, other)
        ),
    )  # fmt: skip


def _sign_finding(sign: Warned, parameters: str) -> Finding:
    return Finding(
        pattern=Inventory.name, version=Inventory.version, kind="fact", statement=_sign_text(sign),
        parameters=parameters, first_ns=sign.first_ns, last_ns=sign.first_ns, subject=sign.endpoint.ip,
        key=canonical_json([sign.warning, sign.endpoint.network, list(sign.values)]),
        details={"warning": sign.warning, "network": sign.endpoint.network, "values": list(sign.values[:LISTED])},
        frames=tuple(
            FrameRef(place.capture, place.frame, place.flow, sign.warning) for place in sign.places[:LISTED]
        ),
    )  # fmt: skip
