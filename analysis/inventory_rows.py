"""Addresses of the case and what is told of each: read once, for the inventory, its links and its warnings.

An endpoint is an address in one virtual network, as flows are told apart. What is told without a network (ARP, DHCP,
names, the operator's records) belongs to the endpoint of that address when there is one only, else to the endpoint in
no virtual network; endpoints are never joined.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import duckdb

from wirecover.analysis.evidence import rows, sql_text
from wirecover.analysis.findings import canonical_json
from wirecover.analysis.identity_facts import told_of_addresses
from wirecover.analysis.sightings import Sightings

Key = tuple[str, str | None]
"""Address, virtual network."""

NAMES: Final = frozenset({"hostname", "fqdn", "device-name"})
SYSTEMS: Final = frozenset({"os-version", "system", "model", "manufacturer", "vendor-class"})
HARDWARE: Final = frozenset({"mac", "duid-mac"})
SUBSCRIBER: Final = frozenset({"imsi", "msisdn", "imei", "user-name", "calling-station"})
_CLIENT_SOFTWARE: Final = frozenset({"user-agent", "ssh-software", "sip-software", "stun-software"})
_BROADCAST: Final = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was seen."""

    capture: int
    frame: int
    flow: int | None


@dataclass(frozen=True, slots=True)
class Fact:
    """One value told of an address by one source in one exhibit."""

    attribute: str
    value: str
    source: str
    first_ns: int
    last_ns: int
    times: int
    """Conversations or rows that told it."""
    place: Place
    """Where it was told first."""

    @property
    def kind(self) -> str:
        """Under what the inventory lists it."""
        if self.attribute in HARDWARE:
            return "mac"
        if self.attribute in NAMES or self.attribute.startswith("netbios-"):
            return "name"
        if self.attribute in SYSTEMS:
            return "system"
        if self.attribute in _CLIENT_SOFTWARE:
            return "software"
        if self.attribute in SUBSCRIBER or self.attribute in ("sip-from", "mail"):
            return "identity"
        if (
            self.attribute == "client-certificate" and self.source != "dtls"
        ):  # of DTLS made anew for each call
            return "identity"
        if self.source.startswith(IDENTITY):
            return "identity"
        return self.attribute if self.attribute in ("ja4", "app") else "other"


IDENTITY: Final = "identity: "
"""Beginning of the source of what the detector identity_facts tells."""


@dataclass(slots=True)
class Endpoint:
    """One address in one network."""

    ip: str
    network: str | None
    first_ns: int
    last_ns: int
    first: Place
    last: Place
    """Last frame of its last flow; without flows, where it was told of first."""
    flows: int = 0
    opened: int = 0
    """Of them, those in which it is the client."""
    peers: int = 0
    sent: int = 0
    received: int = 0
    vlans: tuple[int, ...] = ()
    captures: set[int] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.ip, self.network

    def told(self, *attributes: str) -> list[Fact]:
        """Its facts of these attributes."""
        return [fact for fact in self.facts if fact.attribute in attributes]

    def values(self, kind: str) -> list[str]:
        """Distinct values listed under `kind`, in order of their text."""
        return sorted({fact.value for fact in self.facts if fact.kind == kind})


def endpoint_id(ip: str, network: str | None) -> int:
    """63 bits of the SHA-256 of address and network: the same in every run and case."""
    text = canonical_json(["endpoint", ip, network])
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8]) >> 1


def in_words(ip: str, network: str | None) -> str:
    """'address 10.0.0.1' or 'address 10.0.0.1 in virtual network vxlan 5'."""
    return f"address {ip}" if network is None else f"address {ip} in virtual network {network}"


def parsed(ip: str) -> IPv4Address | IPv6Address | None:
    """The address; None for text that is none, and for addresses that are of no single device."""
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return None
    return address


def prepare_sides(connection: duckdb.DuckDBPyConnection, sightings: Sightings) -> str:
    """A temporary table with both ends of each flow (sql/endpoint_sides.sql); its name."""
    name = f"{sightings.flows}_sides"
    known = "SELECT 1 FROM duckdb_tables() WHERE table_name = $name AND temporary"
    if not rows(connection, known, {"name": name}):
        connection.execute(f"CREATE TEMP TABLE {name} AS {sightings.query('endpoint_sides')}")
    return name


def read_inventory(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, most: int
) -> tuple[list[Endpoint], int]:
    """Endpoints by number of flows (most first), then by address, at most `most`; and how many there are."""
    sides = prepare_sides(connection, sightings)
    book = _Book(_read_totals(connection, sides))
    query = sql_text("endpoint_facts").replace("JOIN sides", f"JOIN {sides}").replace(
        "FROM sides", f"FROM {sides}"
    )  # fmt: skip
    for ip, network, attribute, value, source, capture, first, last, times, seen, makes in rows(
        connection, query
    ):
        place = Place(capture, seen["frame"], seen["flow"])
        book.add(ip, network, Fact(attribute, value, source, first, last, times, place), makes=makes)
    for (ip, told), sights in told_of_addresses(connection, sightings).items():
        by_capture: dict[int, list[Any]] = defaultdict(list)
        for sight in sorted(set(sights)):
            by_capture[sight.capture].append(sight)
        for capture, some in sorted(by_capture.items()):
            place = Place(capture, some[0].frame, some[0].flow)
            fact = Fact(
                told.attribute, told.value, IDENTITY + told.source, some[0].ts, some[-1].ts, len(some), place
            )
            book.add(ip, None, fact, makes=False)
    found = sorted(book.endpoints.values(), key=_order)
    for one in found:
        one.facts.sort(
            key=lambda fact: (fact.attribute, fact.value, fact.source, fact.first_ns, fact.place.capture)
        )
    return found[:most], len(found)


def _order(one: Endpoint) -> tuple[int, str, bool, str]:
    return -one.flows, one.ip, one.network is not None, one.network or ""


def _read_totals(connection: duckdb.DuckDBPyConnection, sides: str) -> dict[Key, Endpoint]:
    query = sql_text("endpoint_totals").replace("FROM sides", f"FROM {sides}")
    return {
        (ip, network): Endpoint(
            ip, network, first_ns, last_ns, _place(first), _place(last), flows, opened, peers, sent, received,
            tuple(vlans), set(captures),
        )
        for (ip, network, first_ns, last_ns, first, last, flows, opened, peers, sent, received, vlans,
             captures) in rows(connection, query)
        if parsed(ip) is not None
    }  # fmt: skip


def _place(seen: dict[str, int]) -> Place:
    return Place(seen["capture"], seen["frame"], seen["flow"])


class _Book:
    """Endpoints, and to which of them something that is told of an address belongs."""

    def __init__(self, endpoints: dict[Key, Endpoint]) -> None:
        self.endpoints = endpoints
        self._of_ip: dict[str, list[Key]] = defaultdict(list)
        self._of_prefix: dict[int, list[Key]] = defaultdict(list)
        for key in endpoints:
            self._index(key)

    def _index(self, key: Key) -> None:
        self._of_ip[key[0]].append(key)
        address = parsed(key[0])
        if isinstance(address, IPv6Address):
            self._of_prefix[int(address) >> 64].append(key)

    def add(self, ip: str, network: str | None, fact: Fact, *, makes: bool) -> None:
        if "/" in ip:
            for key in self._in_prefix(ip):
                self._note(self.endpoints[key], fact)
            return
        key = self._key(ip, network)
        if key not in self.endpoints:
            if not makes or parsed(ip) is None:
                return
            self.endpoints[key] = Endpoint(*key, fact.first_ns, fact.last_ns, fact.place, fact.place)
            self._index(key)
        self._note(self.endpoints[key], fact)

    def _key(self, ip: str, network: str | None) -> Key:
        if (ip, network) in self.endpoints:
            return ip, network
        own = self._of_ip.get(ip, [])
        return own[0] if len(own) == 1 else (ip, None)

    def _in_prefix(self, text: str) -> list[Key]:
        """Endpoints inside a prefix that the network gave to a subscriber."""
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            return []
        if not isinstance(network, IPv6Network) or network.prefixlen < 64:
            return []  # the network of many subscribers, not of one
        near = self._of_prefix.get(int(network.network_address) >> 64, [])
        return [key for key in near if (address := parsed(key[0])) is not None and address in network]

    @staticmethod
    def _note(one: Endpoint, fact: Fact) -> None:
        if fact.first_ns < one.first_ns:
            one.first_ns, one.first = fact.first_ns, fact.place
        one.last_ns = max(one.last_ns, fact.last_ns)
        one.captures.add(fact.place.capture)
        one.facts.append(fact)
