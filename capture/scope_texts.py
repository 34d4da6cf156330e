"""Whether a text speaks of someone who is excluded: an address in it, a hardware address, a name, a reverse name.

A kept message may still name them: the answer of a resolver, a known neighbour, a relayed address. Texts are
compared without regard to case. A name is found anywhere in a text, so that `example.org` also finds
`mail.example.org` and `examples.org`: rather too much is left out than too little.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from wirecover.capture.scope import Scope

MAX_REMEMBERED: Final = 1 << 15
"""Texts whose verdict is remembered."""
_ADDRESSES: Final = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*")
_REVERSE: Final = re.compile(r"((?:[0-9a-f]{1,3}\.)+)(in-addr|ip6)\.arpa", re.IGNORECASE)
_MACS: Final = re.compile(r"(?<![0-9a-f:])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![0-9a-f:])", re.IGNORECASE)
Network = IPv4Network | IPv6Network


class Forbidden:
    """Texts that must not be written. False (`bool(...)`) when there is nothing to look for."""

    def __init__(self, networks: Iterable[Network], macs: Iterable[str], names: Iterable[str]) -> None:
        self._networks = tuple(networks)
        self._macs = frozenset(mac.lower().replace("-", ":") for mac in macs)
        self._names = tuple(name.lower() for name in names)
        self._known: dict[str, bool] = {}

    @classmethod
    def of(cls, scope: Scope) -> "Forbidden":
        """What a scope excludes."""
        return cls(
            [ip_network(one.value, strict=False) for one in scope.excluded if one.kind == "network"],
            [one.value for one in scope.excluded if one.kind == "mac"],
            scope.excluded_names,
        )

    def __bool__(self) -> bool:
        return bool(self._networks or self._macs or self._names)

    def finds(self, text: str) -> bool:
        """Whether the text speaks of someone who is excluded."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            found = self._known[text] = self._look(text)
        return found

    def finds_name(self, text: str) -> bool:
        """Whether an excluded name stands in the text."""
        lowered = text.lower()
        return any(name in lowered for name in self._names)

    def _look(self, text: str) -> bool:
        if self.finds_name(text):
            return True
        if self._macs and any(mac.lower().replace("-", ":") in self._macs for mac in _MACS.findall(text)):
            return True
        if not self._networks:
            return False
        return any(
            any(network.version == one.version and network.overlaps(one) for network in self._networks)
            for one in _networks_in(text)
        )


def _networks_in(text: str) -> Iterable[Network]:
    """Addresses that stand in a text as such, with or without a port, and those of reverse names."""
    for token in _ADDRESSES.findall(text):
        for candidate in {token, token.strip(".:"), token.rpartition(":")[0], token.strip(".").rstrip(":")}:
            try:
                one = ip_address(candidate)
            except ValueError:
                continue
            yield ip_network(one)
            if one.version == 6 and one.ipv4_mapped is not None:
                yield ip_network(one.ipv4_mapped)
    for labels, zone in _REVERSE.findall(text):
        parts = labels.rstrip(".").split(".")[::-1]
        try:
            if zone.lower() == "in-addr":
                parts = parts[:4]
                yield ip_network((".".join([*parts, *["0"] * (4 - len(parts))]), 8 * len(parts)))
            else:
                nibbles = "".join(parts)[:32]
                whole = nibbles.ljust(32, "0")
                groups = ":".join(whole[at : at + 4] for at in range(0, 32, 4))
                yield ip_network((groups, 4 * len(nibbles)))
        except ValueError:
            continue
