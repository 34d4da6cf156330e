"""Parsed messages -> attributes of hosts: which field is a fact, of whom, and what it is called in the table.

Attributes: `hostname`, `fqdn`, `device-name`, `model`, `manufacturer`, `os-version`, `system`, `mac`, `role`,
`vendor-class`, `user-agent`, `server`, `http-host`, `mdns-service`, `upnp-uuid`, `upnp-device`,
`upnp-location-host`, `netbios-<holder of the name>`, `nbdgm-source-ip`, `dhcp-client-id`, `dhcp-fingerprint`,
`dhcp-requested-ip`, `dhcp-lease` (of which server), `duid`, `duid-mac`, `dhcpv6-fingerprint`, `dhcpv6-lease`,
`delegated-prefix`.
"""

from typing import Final, NamedTuple

from wirecover.capture.protocols.dhcp import REPLY, DhcpMessage
from wirecover.capture.protocols.dhcp6 import Dhcp6Message
from wirecover.capture.protocols.http_head import HttpHead
from wirecover.capture.protocols.nbns import (
    MULTIHOMED,
    QUERY,
    REFRESH,
    REFRESH_ALSO,
    REGISTRATION,
    RELEASE,
    NbDatagram,
    NbnsMessage,
    NetbiosName,
)
from wirecover.capture.protocols.ssdp import SsdpMessage

Fact = tuple[str | None, str, str]
"""Address (None: the sender's), attribute, value."""
_OFFER, _ACK, _NAK = 2, 5, 6
_ADVERTISE6, _REPLY6 = 2, 7
_CLIENT6: Final = frozenset({1, 3, 4, 5, 6, 8, 9, 11})
_NODE_NAMES: Final = frozenset({0x00, 0x20})
_CLAIMS: Final = frozenset({REGISTRATION, RELEASE, REFRESH, REFRESH_ALSO, MULTIHOMED})


class Told(NamedTuple):
    """What one message tells."""

    facts: tuple[Fact, ...] = ()
    names: tuple[tuple[str | None, str], ...] = ()
    """(address or None for the sender's, name)."""
    mac: str | None = None
    """Hardware address of the sender."""


class Lease(NamedTuple):
    """What the message of a DHCP server tells."""

    addresses: tuple[str, ...]
    """Given to the client; empty unless the server's word is final."""
    client: Told
    server: tuple[Fact, ...]


def dhcp_client(message: DhcpMessage) -> Told | None:
    """What a client tells of itself; None when a server speaks."""
    if message.operation == REPLY:
        return None
    told = (
        ("hostname", message.host_name),
        ("fqdn", message.fqdn),
        ("vendor-class", message.vendor_class),
        ("dhcp-client-id", message.client_id),
        ("dhcp-fingerprint", ",".join(map(str, message.parameters)) or None),
        ("dhcp-requested-ip", message.requested),
    )
    return Told(_present(told), _names(message.fqdn, message.host_name))


def dhcp_lease(message: DhcpMessage, sender_ip: str) -> Lease:
    """What a server tells. Only an acknowledgement (or a BOOTP reply) gives the address."""
    server_ip = message.server_id or sender_ip
    roles: tuple[Fact, ...] = ()
    if message.type in (_OFFER, _ACK, _NAK):
        roles = ((server_ip, "role", "dhcp-server"),)
    ip = message.yiaddr or message.ciaddr
    if message.type not in (_ACK, None) or ip is None:
        return Lease((), Told(), roles)
    facts = _present((("hostname", message.host_name), ("fqdn", message.fqdn), ("dhcp-lease", server_ip)))
    return Lease((ip,), Told(facts, _names(message.fqdn, message.host_name)), roles)


def dhcp6_client(message: Dhcp6Message) -> Told | None:
    """What a client tells of itself; None when a server speaks."""
    if message.type not in _CLIENT6 or message.client is None:
        return None
    told = (
        ("duid", message.client.text),
        ("duid-mac", message.client.mac),
        ("fqdn", message.fqdn),
        ("vendor-class", message.vendor_class),
        ("dhcpv6-fingerprint", ",".join(map(str, message.parameters)) or None),
    )
    return Told(_present(told), _names(message.fqdn))


def dhcp6_lease(message: Dhcp6Message, sender_ip: str) -> Lease:
    """What a server tells. Only a reply gives addresses."""
    roles: tuple[Fact, ...] = ()
    if message.type in (_ADVERTISE6, _REPLY6) and message.peer is None:
        roles = ((sender_ip, "role", "dhcpv6-server"),)
    if message.type != _REPLY6:
        return Lease((), Told(), roles)
    server = message.server.text if message.server is not None else sender_ip
    facts = _present((
        ("fqdn", message.fqdn),
        ("dhcpv6-lease", server),
        *(("delegated-prefix", prefix) for prefix in message.prefixes),
    ))  # fmt: skip
    return Lease(message.addresses, Told(facts, _names(message.fqdn)), roles)


def nbns_told(message: NbnsMessage) -> Told:
    """Names that nodes claim or are confirmed to have; refused and asked ones say nothing."""
    claimed = message.opcode in _CLAIMS or (message.opcode == QUERY and message.is_response)
    if not claimed or (message.is_response and message.rcode):
        return Told()
    pairs: list[tuple[str | None, NetbiosName]] = [(None, name) for name in message.node_names]
    for binding in message.bindings:
        pairs += [(address, binding.name) for address in binding.addresses]
    return _netbios(pairs, message.node_mac)


def nbdgm_told(datagram: NbDatagram) -> Told:
    """The sender's name, and the address that it believes to have."""
    told = _netbios([(None, datagram.source)], None)
    if datagram.source_ip is None:
        return told
    return told._replace(facts=(*told.facts, (None, "nbdgm-source-ip", datagram.source_ip)))


def _netbios(pairs: list[tuple[str | None, NetbiosName]], mac: str | None) -> Told:
    facts: dict[Fact, None] = {}
    names: dict[tuple[str | None, str], None] = {}
    for ip, name in pairs:
        if not name.name:
            continue
        facts[ip, "netbios-" + name.holder, name.name] = None
        if not name.group and name.suffix in _NODE_NAMES:
            facts[ip, "hostname", name.name] = None
            names[ip, name.name] = None
    return Told(tuple(facts), tuple(names), mac)


def ssdp_told(message: SsdpMessage) -> Told:
    """Software of a control point that searches, or system and kind of a device."""
    uuid, _, _ = (message.usn or "").partition("::")
    target = message.target or ""
    told = (
        ("server", message.server),
        ("user-agent", message.user_agent),
        ("device-name", message.friendly_name),
        ("upnp-uuid", uuid.removeprefix("uuid:") if uuid.startswith("uuid:") else None),
        ("upnp-device", target if message.kind != "search" and ":device:" in target else None),
        ("upnp-location-host", message.location_host),
    )
    return Told(_present(told))


def http_told(head: HttpHead, receiver_ip: str | None) -> Told:
    """Software of both ends, and what the client calls the server."""
    facts = _present((("user-agent", head.user_agent), ("server", head.server)))
    if head.host is not None and receiver_ip is not None:
        facts += ((receiver_ip, "http-host", head.host),)
    return Told(facts)


def _present(told: tuple[tuple[str, str | None], ...]) -> tuple[Fact, ...]:
    return tuple((None, attribute, value) for attribute, value in told if value)


def _names(*names: str | None) -> tuple[tuple[str | None, str], ...]:
    return tuple((None, name) for name in dict.fromkeys(names) if name)
