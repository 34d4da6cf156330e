"""The sections on addresses and devices, and on what has no label by address, as the page template wants them."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from wirecover.report.escape import bounded
from wirecover.report.model import DeviceLink, Endpoint, EndpointWarning, ResultDocument, Unexplained
from wirecover.report.words import NOTHING, Words

ROWS: Final = 200
"""Addresses, links and signs that are printed, of each."""
ABSENT: Final = 60
"""Addresses of which what has no label is printed."""
VALUES: Final = 3
"""Values of one kind in a cell."""
LONGEST: Final = 100
REASONS: Final = (
    "mac", "eui64", "imei", "duid", "dhcp-client-id", "upnp-uuid", "client-certificate", "auth-key", "imsi", "msisdn",
    "user-name", "name",
)  # fmt: skip
STRENGTHS: Final = ("hardware", "software", "subscription", "name")
COUNTER: Final = (
    "several-addresses", "made-up-hardware-address", "router", "hardware-addresses-differ", "client-ids-differ",
    "systems-differ", "names-differ", "fingerprints-differ", "together",
)  # fmt: skip
SIGNS: Final = (
    "hop-counts", "hardware-together", "hardware-changed", "client-ids-together", "client-ids-changed",
    "names-together", "names-changed", "subscribers-together", "subscribers-changed", "systems", "user-agents",
    "fingerprints", "translated", "router", "other-recording",
)  # fmt: skip
ABSENCES: Final = (
    "application", "tunnel-app", "tunnel", "control", "no-payload", "encrypted-dns", "other-service", "media", "hint",
    "ech", "no-rule", "no-name", "quic-unread", "before-capture", "one-sided", "cut", "unread", "unknown",
)  # fmt: skip
KNOWN: Final = {
    "link": {*REASONS}, "link_strength": {*STRENGTHS}, "link_counter": {*COUNTER}, "sign": {*SIGNS},
    "absence": {*ABSENCES},
}  # fmt: skip
"""Keys of the case that the catalogues have words for."""
_TOLD: Final = ("macs", "names", "systems", "software", "ja4s", "identities")

View = dict[str, Any]


def endpoints_view(document: ResultDocument, words: Words) -> View:
    """Addresses with what is told of them, links between them, and signs that they are shared."""
    return {
        "rows": [_endpoint(one, words) for one in document.endpoints[:ROWS]],
        "cut": _cut(len(document.endpoints), "endpoints.csv", words),
        "links": [_link(one, words) for one in document.device_links[:ROWS]],
        "links_cut": _cut(len(document.device_links), "device_links.csv", words),
        "signs": [_sign(one, words) for one in document.endpoint_warnings[:ROWS]],
        "signs_cut": _cut(len(document.endpoint_warnings), "endpoint_warnings.csv", words),
    }


def unexplained_view(document: ResultDocument, words: Words) -> View:
    """What has no label, by address and reason; shares are of the address's own flows and bytes."""
    groups = [list(rows) for _, rows in groupby(document.unexplained, lambda row: (row.ip, row.network))]
    shown = groups[:ABSENT]
    return {
        "rows": [cells for rows in shown for cells in _absences(rows, words)],
        "cut": words.say(
            "format.rows_cut", shown=words.number(len(shown)), total=words.number(len(groups)),
            file="unexplained.csv",
        ) if len(groups) > len(shown) else "",
    }  # fmt: skip


def _cut(total: int, file: str, words: Words) -> str:
    if total <= ROWS:
        return ""
    return words.say("format.rows_cut", shown=words.number(ROWS), total=words.number(total), file=file)


def _named(table: str, key: str, words: Words) -> str:
    """The catalogue's words for a key of the case; one that this version does not know stands as it is."""
    return words.say(f"{table}.{key}") if key in KNOWN[table] else bounded(key, LONGEST)


def _address(ip: str, network: str | None) -> str:
    return bounded(ip) if network is None else f"{bounded(ip)}\n{bounded(network, LONGEST)}"


def _some(values: Sequence[str], words: Words) -> str:
    shown = ", ".join(bounded(value, LONGEST) for value in values[:VALUES])
    more = len(values) - VALUES
    return f"{shown} {words.say('endpoint.more', count=words.number(more))}" if more > 0 else shown


def _endpoint(one: Endpoint, words: Words) -> View:
    told = [
        words.say(f"endpoint.{name}", values=_some(values, words))
        for name in _TOLD
        if (values := getattr(one, name))
    ]
    if one.links:
        told.append(words.say("endpoint.links", count=words.number(one.links)))
    if one.warnings:
        told.append(
            words.say("endpoint.warnings", list="; ".join(_named("sign", key, words) for key in one.warnings))
        )
    return {
        "address": _address(one.ip, one.network), "period": f"{words.time(one.first_ns)}\n{words.time(one.last_ns)}",
        "told": told or [words.say("endpoint.nothing")], "apps": _some(one.apps, words) or NOTHING,
        "flows": words.number(one.flows), "bytes": words.number(one.bytes_sent + one.bytes_received),
        "frame": f"{one.exhibit} {words.number(one.frame)}",
    }  # fmt: skip


def _link(one: DeviceLink, words: Words) -> list[str]:
    same = (one.ip, one.network) == (one.other_ip, one.other_network)
    worth = [_named("link_strength", one.strength, words)]
    if one.counter:
        against = "; ".join(_named("link_counter", key, words) for key in one.counter)
        worth.append(words.say("link.against", list=against))
    return [
        _address(one.ip, one.network),
        words.say("link.same_address") if same else _address(one.other_ip, one.other_network),
        f"{_named('link', one.reason, words)}: {bounded(one.value, LONGEST)}",
        "\n".join(worth),
        f"{one.exhibit} {one.frame}\n{one.other_exhibit} {one.other_frame}",
    ]  # fmt: skip


def _sign(one: EndpointWarning, words: Words) -> list[str]:
    frames = [f"{one.exhibit} {one.frame}"]
    if one.other_exhibit is not None:
        frames.append(f"{one.other_exhibit} {one.other_frame}")
    return [
        _address(one.ip, one.network), _named("sign", one.warning, words), _some(one.told, words) or NOTHING,
        "\n".join(frames),
    ]  # fmt: skip


def _absences(rows: Sequence[Unexplained], words: Words) -> list[list[str]]:
    flows, size = sum(row.flows for row in rows), sum(row.bytes for row in rows)
    cells = []
    for place, row in enumerate(rows):
        told = ", ".join(bounded(value, LONGEST) for value in (row.apps or row.services)[:VALUES])
        cells.append([
            _address(row.ip, row.network) if place == 0 else "",
            _named("absence", row.reason, words) + (f" ({told})" if told else ""),
            f"{words.number(row.flows)} ({words.share(row.flows, flows)})",
            f"{words.number(row.bytes)} ({words.share(row.bytes, size)})",
            f"{row.exhibit} {row.first_frame}",
        ])  # fmt: skip
    return cells
