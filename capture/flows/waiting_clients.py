"""Clients of DHCP that have told who they are and have no address yet.

A client speaks first, a server answers with the address: only then it is known whose the facts are. A
client is known by its hardware address (DHCPv6: by its DUID and address), not by the transaction, which
many clients change between the discovery and the request.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from wirecover.capture.flows.host_facts import Told

MAX_CLIENTS: Final = 1 << 12
"""Clients that wait; beyond, the one that was silent longest is let go without an address."""
MAX_FACTS: Final = 64
"""Facts and names of one client."""
ANSWERED_WITHIN: Final = 64_000_000_000
"""Nanoseconds after which an answer is to something else: the longest pause of RFC 2131 section 4.1."""


class Said(NamedTuple):
    """A fact of a client, and when it was told."""

    ip: str | None
    """The address that it had already."""
    mac: str | None
    attribute: str
    value: str
    frame: int
    first_ts: int
    last_ts: int


class _Client:
    __slots__ = ("facts", "ip", "last_ts", "mac", "names")

    def __init__(self, mac: str | None) -> None:
        self.ip: str | None = None
        self.mac = mac
        self.last_ts = 0
        self.facts: dict[tuple[str, str], list[int]] = {}
        self.names: dict[str, None] = {}

    def said(self) -> list[Said]:
        return [
            Said(self.ip, self.mac, attribute, value, *when)
            for (attribute, value), when in self.facts.items()
        ]


class WaitingClients:
    """The clients of one version of DHCP."""

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self.unkept = 0
        """Facts beyond MAX_FACTS of a client."""

    def wait(self, key: str, ip: str | None, mac: str | None, told: Told, frame: int, ts: int) -> list[Said]:
        """A client told something. Returns what clients said that are no longer waited for."""
        gone: list[Said] = []
        client = self._clients.get(key)
        if client is not None and ts - client.last_ts > ANSWERED_WITHIN:
            gone += self._clients.pop(key).said()
            client = None
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                gone += self._clients.popitem(last=False)[1].said()
            client = self._clients[key] = _Client(mac)
        self._clients.move_to_end(key)
        client.ip = ip if ip is not None else client.ip
        client.last_ts = max(client.last_ts, ts)
        for _, attribute, value in told.facts:
            when = client.facts.get((attribute, value))
            if when is not None:
                when[2] = max(when[2], ts)
            elif len(client.facts) < MAX_FACTS:
                client.facts[attribute, value] = [frame, ts, ts]
            else:
                self.unkept += 1
        client.names.update((name, None) for _, name in told.names[: MAX_FACTS - len(client.names)])
        return gone

    def answer(self, key: str, ts: int) -> tuple[list[Said], tuple[str, ...], bool]:
        """A client was given an address: what it said, its names, and whether that was in time to go with
        it."""
        client = self._clients.pop(key, None)
        if client is None:
            return [], (), False
        return client.said(), tuple(client.names), ts - client.last_ts <= ANSWERED_WITHIN

    def rest(self) -> Iterator[Said]:
        """What those said that no answer came for."""
        while self._clients:
            yield from self._clients.popitem(last=False)[1].said()
