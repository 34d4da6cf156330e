"""Signs that an address was not that of one device all the time: translation, sharing, an address that changed hands.

Each sign has innocent explanations, which stand in docs/methods.md; none of them is proof of two devices, and an
address without any sign may still be shared.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from wirecover.analysis.evidence import rows
from wirecover.analysis.inventory_rows import NAMES, SUBSCRIBER, Endpoint, Fact, Key, Place, parsed
from wirecover.analysis.systems import families, family

WARNINGS: Final[dict[str, str]] = {
    "hop-counts": "connections from it begin with different times to live",
    "hardware-together": "several hardware addresses were told of it at overlapping times",
    "hardware-changed": "its hardware address changed",
    "client-ids-together": "several DHCP clients had it at overlapping times",
    "client-ids-changed": "another DHCP client had it later",
    "names-together": "several device names were told of it at overlapping times",
    "names-changed": "its device name changed",
    "subscribers-together": "the network gave it to several subscribers at overlapping times",
    "subscribers-changed": "the network gave it to another subscriber later",
    "systems": "programs behind it name different operating systems",
    "user-agents": "many different programs name themselves behind it",
    "fingerprints": "many different lists of cipher suites were offered from it",
    "translated": "servers saw its traffic come from another address, which others may share",
    "router": "it is the address of a router or a DHCP server",
    "other-recording": "it is a private address, and stands in recordings that may be of different networks",
}
"""Warning -> its words, in the order in which they are listed."""
_HOPS: Final = """
SELECT subject, capture_id, "count", detail, epoch_ns(first_ts), first_frame, last_frame FROM quality
WHERE metric = 'hop-counts' AND subject IS NOT NULL AND first_frame IS NOT NULL
ORDER BY subject, capture_id, first_frame
"""
_TOGETHER: Final = """
WITH held AS (
    SELECT ip, network, conversation_id, list_sort(list(DISTINCT capture_id)) AS captures
    FROM sides GROUP BY ip, network, conversation_id
)
SELECT DISTINCT ip, network, captures FROM held ORDER BY ip, network NULLS FIRST, captures
"""
_ROUTERS: Final = frozenset({"ipv6-router", "dhcp-server", "dhcpv6-server"})
_DEVICE_NAMES: Final = frozenset({"dhcp", "dhcpv6", "mdns", "llmnr", "nbns", "nbdgm"})


@dataclass(frozen=True, slots=True)
class Warned:
    """One sign of one endpoint."""

    endpoint: Endpoint
    warning: str
    """A key of WARNINGS."""
    values: tuple[str, ...]
    """What was told, in text order."""
    first_ns: int | None
    places: tuple[Place, ...]
    """One frame for each of the first values."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From how many on a number is a sign."""

    user_agents: int = 6
    fingerprints: int = 12


def find_warnings(
    connection: duckdb.DuckDBPyConnection, endpoints: Iterable[Endpoint], apart: Mapping[Key, int], limits: Limits
) -> list[Warned]:  # fmt: skip
    """All signs, by endpoint and in the order of WARNINGS; `apart` as `recordings_apart` gives it."""
    hops: dict[str, list[Any]] = defaultdict(list)
    for subject, *row in rows(connection, _HOPS):
        hops[subject].append(row)
    found: list[Warned] = []
    for one in endpoints:
        signs = [*_of_hops(one, hops.get(one.ip, [])), *_of_facts(one, limits), *_of_recordings(one, apart)]
        found += sorted(signs, key=lambda sign: list(WARNINGS).index(sign.warning))
    return found


def _of_hops(one: Endpoint, lines: list[Any]) -> Iterator[Warned]:
    if one.network is None and lines:
        places = tuple(Place(capture, frame, None) for capture, _, _, _, frame, _ in lines)
        told = tuple(sorted({detail for _, _, detail, *_ in lines if detail}))
        yield Warned(
            one,
            "hop-counts",
            told,
            min((ns for *_, ns, _, _ in lines if ns is not None), default=None),
            places,
        )


def _of_facts(one: Endpoint, limits: Limits) -> Iterator[Warned]:
    yield from _changing(one, "hardware", one.told("mac"))
    yield from _changing(
        one, "client-ids", [fact for fact in one.told("dhcp-client-id") if fact.source == "dhcp"]
    )
    named = [fact for fact in one.facts if fact.attribute in NAMES and fact.source in _DEVICE_NAMES]
    yield from _changing(one, "names", named)
    for attribute in sorted(SUBSCRIBER):
        yield from _changing(one, "subscribers", one.told(attribute))
    if len(families(one.facts)) > 1:
        telling = [fact for fact in one.facts if families([fact])]
        yield _sign(one, "systems", {family(fact.value) or "": fact for fact in reversed(_by_time(telling))})
    agents = one.told("user-agent")
    if len({fact.value for fact in agents}) >= limits.user_agents:
        yield _sign(one, "user-agents", _firsts(agents))
    hellos = {
        fact.value.split("_")[1]: fact for fact in reversed(_by_time(one.told("ja4"))) if "_" in fact.value
    }
    if len(hellos) >= limits.fingerprints:
        yield _sign(one, "fingerprints", hellos)
    if seen := one.told("public address"):
        yield _sign(one, "translated", _firsts(seen))
    if roles := [fact for fact in one.told("role") if fact.value in _ROUTERS]:
        yield _sign(one, "router", _firsts(roles))


def _changing(one: Endpoint, what: str, facts: list[Fact]) -> Iterator[Warned]:
    """More than one value: at overlapping times, or one after the other."""
    spans: dict[str, tuple[int, int]] = {}
    for fact in facts:
        name = _plain(fact)
        low, high = spans.get(name, (fact.first_ns, fact.last_ns))
        spans[name] = min(low, fact.first_ns), max(high, fact.last_ns)
    if len(spans) < 2:
        return
    ordered = sorted(spans.values())
    reach = ordered[0][1]
    together = False
    for first, last in ordered[1:]:
        together |= first <= reach
        reach = max(reach, last)
    firsts = {_plain(fact): fact for fact in reversed(_by_time(facts))}
    yield _sign(one, f"{what}-together" if together else f"{what}-changed", firsts)


def _plain(fact: Fact) -> str:
    """Names are the same when their first parts are: some sources add a domain."""
    return fact.value.casefold().partition(".")[0] if fact.attribute in NAMES else fact.value


def _by_time(facts: Iterable[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.first_ns, fact.place.capture, fact.place.frame, fact.value))


def _firsts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Each value with the fact that told it first."""
    return {fact.value: fact for fact in reversed(_by_time(facts))}


def _sign(one: Endpoint, warning: str, told: Mapping[str, Fact]) -> Warned:
    listed = _by_time(told.values())
    return Warned(one, warning, tuple(sorted(told)), listed[0].first_ns, tuple(fact.place for fact in listed))


def _of_recordings(one: Endpoint, apart: Mapping[Key, int]) -> Iterator[Warned]:
    """A private address in recordings that share none of its conversations: they may be of different networks."""
    address = parsed(one.ip)
    if address is not None and not address.is_global and apart.get(one.key, 1) > 1:
        yield Warned(one, "other-recording", (), one.first_ns, tuple(dict.fromkeys((one.first, one.last))))


def recordings_apart(
    connection: duckdb.DuckDBPyConnection, sides: str, series: Mapping[int, int]
) -> dict[Key, int]:
    """Endpoint -> in how many recordings it stands that no conversation of it, and no series, ties to each other."""
    groups: dict[Key, dict[int, int]] = {}

    def root(of: dict[int, int], capture: int) -> int:
        while of[capture] != capture:
            capture = of[capture]
        return capture

    for ip, network, captures in rows(connection, _TOGETHER.replace("FROM sides", f"FROM {sides}")):
        of = groups.setdefault((ip, network), {})
        ends = [series.get(capture, capture) for capture in captures]
        for end in ends:
            of.setdefault(end, end)
        for end in ends[1:]:
            of[root(of, end)] = root(of, ends[0])
    return {key: sum(capture == of[capture] for capture in of) for key, of in groups.items()}
