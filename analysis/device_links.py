"""Addresses that the same identifier was told of: which may have been one device, and what speaks against it.

A link is a statement about an identifier, never a merger of two endpoints: hardware addresses are copied and made up,
identifiers are cloned with virtual machines, names are chosen freely. So each link says of which kind its identifier
is, where each side was told, and what the exhibits hold against it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wirecover.analysis.inventory_rows import NAMES, Endpoint, Fact, Place, parsed
from wirecover.analysis.systems import families
from wirecover.capture.scope_filter import PSEUDONYM_HIGH

MOST_ADDRESSES: Final = 16
"""An identifier that is told of more addresses is that of a router, a proxy or a template: no links are made of it."""
REASONS: Final[dict[str, tuple[str, str]]] = {
    "mac": ("hardware", "the same hardware address"),
    "eui64": ("hardware", "an address made of the same hardware address"),
    "imei": ("hardware", "the same equipment identity, as the network wrote it"),
    "duid": ("software", "the same DHCPv6 client identifier"),
    "dhcp-client-id": ("software", "the same DHCP client identifier"),
    "upnp-uuid": ("software", "the same UPnP device identifier"),
    "client-certificate": ("software", "the same client certificate"),
    "auth-key": ("software", "the same Telegram key id"),
    "imsi": ("subscription", "the same subscription (IMSI), as the network wrote it"),
    "msisdn": ("subscription", "the same telephone number, as the network wrote it"),
    "user-name": ("subscription", "the same user name, as the network wrote it"),
    "name": ("name", "the same name"),
}
"""Reason -> strength, and what is the same."""
STRENGTHS: Final[dict[str, str]] = {
    "hardware": "It may be one piece of hardware, unless the identifier was copied or made up",
    "software": "It may be one installation, unless it was copied",
    "subscription": "It may be one subscription; that may be used in several devices",
    "name": "It may be the same device; names are chosen freely",
}
COUNTER: Final[dict[str, str]] = {
    "several-addresses": "the identifier was told of more than four addresses",
    "made-up-hardware-address": "the hardware address is of the kind that devices make up and change",
    "router": "one of the addresses is that of a router or a DHCP server",
    "hardware-addresses-differ": "the hardware addresses told of the two differ",
    "client-ids-differ": "the DHCP client identifiers told of the two differ",
    "systems-differ": "different operating systems were told of the two",
    "names-differ": "the names told of the two differ",
    "fingerprints-differ": "no fingerprint of a ClientHello (JA4) was seen from both",
    "together": "both IPv4 addresses were in use at the same time",
}
"""What may speak against a link, in the order in which it is listed."""
_BY_ATTRIBUTE: Final = {
    "mac": "mac", "imei": "imei", "duid": "duid", "dhcp-client-id": "dhcp-client-id", "upnp-uuid": "upnp-uuid",
    "client-certificate": "client-certificate", "Telegram key id": "auth-key", "imsi": "imsi", "msisdn": "msisdn",
    "user-name": "user-name", **dict.fromkeys(NAMES, "name"),
}  # fmt: skip
_VIRTUAL_ROUTER: Final = ("00:00:5e:00:01:", "00:00:5e:00:02:")
"""Shared on purpose (RFC 9568 section 7.3)."""
_ROUTERS: Final = frozenset({"ipv6-router", "dhcp-server", "dhcpv6-server"})
_EUI64: Final = 0xFFFE << 24
_EUI64_MASK: Final = 0xFFFF << 24


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a link."""

    endpoint: Endpoint
    source: str
    first_ns: int
    place: Place


@dataclass(frozen=True, slots=True)
class Link:
    """One identifier told of two addresses, or of one address in two recordings."""

    reason: str
    value: str
    one: Side
    other: Side
    addresses: int
    """Addresses that the identifier was told of."""
    counter: tuple[str, ...]
    """Keys of COUNTER."""

    @property
    def strength(self) -> str:
        """A key of STRENGTHS."""
        return REASONS[self.reason][0]

    @property
    def same_address(self) -> bool:
        """One address, at two times."""
        return self.one.endpoint is self.other.endpoint


def made_of_hardware(ip: str) -> str | None:
    """The hardware address that an IPv6 address was made of (RFC 4291 appendix A); None of any other address.

    Of 65,536 interface identifiers drawn by chance one looks so, too: it only tells something where the hardware
    address is known of another address.
    """
    address = parsed(ip)
    if address is None or address.version == 4 or int(address) >> 64 == PSEUDONYM_HIGH:
        return None
    low = int(address) & (2**64 - 1)
    if low & _EUI64_MASK != _EUI64:
        return None
    octets = (low ^ 0x0200_0000_0000_0000).to_bytes(8, "big")
    return ":".join(f"{octet:02x}" for octet in octets[:3] + octets[5:])


def recordings(spans: Mapping[int, tuple[int, int]], series: Mapping[int, int]) -> dict[int, int]:
    """Exhibit -> its recording: exhibits of one series, or that overlap in time, are one. Numbers go by time."""
    found: dict[int, int] = {}
    of_series: dict[int, int] = {}
    end, last = None, -1
    for capture in sorted(spans, key=lambda one: (*spans[one], one)):
        first, until = spans[capture]
        known = of_series.get(series.get(capture, capture))
        if known is None and (end is None or first > end):
            last += 1
        number = last if known is None else known
        found[capture] = number
        of_series.setdefault(series.get(capture, capture), number)
        end = until if end is None else max(end, until)
    return found


def find_links(endpoints: Iterable[Endpoint], recording: Mapping[int, int]) -> tuple[list[Link], int]:
    """The links, in order of time; and the identifiers that too many addresses have."""
    told: dict[tuple[str, str], dict[tuple[int, int], Side]] = defaultdict(dict)
    listed = list(endpoints)
    for number, endpoint in enumerate(listed):
        for reason, value, fact in _identifiers(endpoint):
            key = number, recording.get(fact.place.capture, -1)
            side = Side(endpoint, fact.source, fact.first_ns, fact.place)
            known = told[reason, value].get(key)
            if known is None or _when(side) < _when(known):
                told[reason, value][key] = side
    links: list[Link] = []
    crowded = 0
    for (reason, value), sides in sorted(told.items()):
        if reason == "eui64" and not any(side.source == "address" for side in sides.values()):
            continue
        numbers = {number for number, _ in sides}
        if len(numbers) > MOST_ADDRESSES:
            crowded += 1
            continue
        links += (
            Link(
                reason,
                value,
                one,
                other,
                len(numbers),
                _counter(reason, value, one, other, len(numbers), recording),
            )
            for one, other in _pairs(reason, sides)
        )
    links.sort(key=lambda link: (_when(link.one), _when(link.other), link.reason, link.value))
    return links, crowded


def _identifiers(endpoint: Endpoint) -> Iterator[tuple[str, str, Fact]]:
    for fact in endpoint.facts:
        reason = _BY_ATTRIBUTE.get(fact.attribute)
        if reason == "name":
            yield reason, fact.value.rstrip(".").casefold(), fact
        elif reason == "mac":
            if int(fact.value[:2], 16) & 1 == 0 and not fact.value.startswith(_VIRTUAL_ROUTER):
                yield reason, fact.value, fact
        elif reason is not None:
            yield reason, fact.value, fact
    made_of = made_of_hardware(endpoint.ip)
    own = {fact.value for fact in endpoint.told("mac")}
    if made_of is not None and endpoint.flows and made_of not in own:
        shown = Fact("eui64", made_of, "address", endpoint.first_ns, endpoint.last_ns, 1, endpoint.first)
        yield "eui64", made_of, shown
    for fact in endpoint.told("mac"):
        yield "eui64", fact.value, fact


def _pairs(reason: str, sides: Mapping[tuple[int, int], Side]) -> Iterator[tuple[Side, Side]]:
    """Each address with the one that was told of before it; then each with itself in the recording before."""
    by_endpoint: dict[int, list[Side]] = defaultdict(list)
    for (number, _), side in sides.items():
        by_endpoint[number].append(side)
    for some in by_endpoint.values():
        some.sort(key=_when)
    firsts = sorted((some[0] for some in by_endpoint.values()), key=_when)
    if reason == "eui64":
        firsts = [side for side in firsts if side.source != "address"] + [
            side for side in firsts if side.source == "address"
        ]
        for one, other in pairwise(firsts):
            if other.source == "address":
                yield one, other
        return
    yield from pairwise(firsts)
    for some in by_endpoint.values():
        yield from pairwise(some)


def _when(side: Side) -> tuple[int, int, int, str, str]:
    return side.first_ns, side.place.capture, side.place.frame, side.endpoint.ip, side.endpoint.network or ""


def _counter(
    reason: str, value: str, one: Side, other: Side, addresses: int, recording: Mapping[int, int]
) -> tuple[str, ...]:
    left, right = one.endpoint.facts, other.endpoint.facts
    same = one.endpoint is other.endpoint
    if same:  # what was told in the one recording, and in the other
        left, right = (
            [fact for fact in one.endpoint.facts if recording.get(fact.place.capture) == of]
            for of in (recording.get(one.place.capture), recording.get(other.place.capture))
        )
    against = {
        "several-addresses": addresses > 4,
        "made-up-hardware-address": reason in ("mac", "eui64") and bool(int(value[:2], 16) & 2),
        "router": any(fact.attribute == "role" and fact.value in _ROUTERS for fact in (*left, *right)),
        "hardware-addresses-differ": reason not in ("mac", "eui64") and _apart(left, right, ("mac",)),
        "client-ids-differ": reason != "dhcp-client-id" and _apart(left, right, ("dhcp-client-id",)),
        "systems-differ": _apart_sets(families(left), families(right)),
        "names-differ": reason != "name" and _apart(left, right, tuple(NAMES)),
        "fingerprints-differ": _apart(left, right, ("ja4",)),
        "together": not same and _together(one.endpoint, other.endpoint),
    }
    return tuple(key for key in COUNTER if against[key])


def _apart(left: list[Fact], right: list[Fact], attributes: tuple[str, ...]) -> bool:
    """Both sides tell such a value, and none in common."""
    return _apart_sets(
        *({_plain(fact) for fact in some if fact.attribute in attributes} for some in (left, right))
    )


def _apart_sets(left: set[str], right: set[str]) -> bool:
    return bool(left) and bool(right) and not left & right


def _plain(fact: Fact) -> str:
    """A value to compare; of a name its first part, since some sources add a domain."""
    return fact.value.casefold().partition(".")[0] if fact.attribute in NAMES else fact.value


def _together(one: Endpoint, other: Endpoint) -> bool:
    """Two IPv4 addresses had traffic at one time; of IPv6 a device has several, and one of each version."""
    if ":" in one.ip or ":" in other.ip or not (one.flows and other.flows):
        return False
    return max(one.first_ns, other.first_ns) <= min(one.last_ns, other.last_ns)
