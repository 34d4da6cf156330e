"""Numbers and names of the protocols by which hosts configure and announce themselves.

Sources:
https://www.iana.org/assignments/bootp-dhcp-parameters (DHCP message types: RFC 2132, 3203, 4388, 6926, 7724)
https://www.iana.org/assignments/dhcpv6-parameters (DHCPv6 message types: RFC 8415, 5007, 5460, 6977, 7341)
https://www.iana.org/assignments/arp-parameters (hardware types)
https://learn.microsoft.com/openspecs/windows_protocols/ms-nbte (NetBIOS suffixes)
https://www.iana.org/assignments/service-names-port-numbers (service types of DNS-SD)
"""

from typing import Final

ETHERNET_HARDWARE: Final = 1

DHCP_MESSAGES: Final[dict[int, str]] = {
    1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform",
    9: "forcerenew", 10: "lease-query", 11: "lease-unassigned", 12: "lease-unknown", 13: "lease-active",
    14: "bulk-lease-query", 15: "lease-query-done", 16: "active-lease-query", 17: "lease-query-status",
    18: "tls",
}  # fmt: skip

DHCPV6_MESSAGES: Final[dict[int, str]] = {
    1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply",
    8: "release", 9: "decline", 10: "reconfigure", 11: "information-request", 12: "relay-forward",
    13: "relay-reply", 14: "lease-query", 15: "lease-query-reply", 16: "lease-query-done",
    17: "lease-query-data", 18: "reconfigure-request", 19: "reconfigure-reply", 20: "dhcpv4-query",
    21: "dhcpv4-response",
}  # fmt: skip

NETBIOS_UNIQUE: Final[dict[int, str]] = {
    0x00: "workstation", 0x03: "messenger", 0x06: "ras-server", 0x1B: "domain-master-browser",
    0x1D: "master-browser", 0x1F: "netdde", 0x20: "file-server", 0x21: "ras-client", 0x43: "sms-control",
    0xBE: "monitor-agent", 0xBF: "monitor-application",
}  # fmt: skip
"""Sixteenth byte of a name that one node holds."""
NETBIOS_GROUP: Final[dict[int, str]] = {
    0x00: "workgroup", 0x01: "browsers", 0x1C: "domain-controllers", 0x1E: "browser-elections",
}  # fmt: skip
"""Sixteenth byte of a name that a group shares."""

NAMING_SERVICES: Final[frozenset[str]] = frozenset({
    "_adb._tcp", "_adisk._tcp", "_afpovertcp._tcp", "_airplay._tcp", "_airport._tcp", "_amzn-wplay._tcp",
    "_androidtvremote2._tcp", "_apple-mobdev2._tcp", "_companion-link._tcp", "_daap._tcp",
    "_device-info._tcp", "_googlecast._tcp", "_hap._tcp", "_hap._udp", "_homekit._tcp", "_http._tcp",
    "_ipp._tcp", "_ipps._tcp", "_matter._tcp", "_matterc._udp", "_meshcop._udp", "_nvstream._tcp",
    "_pdl-datastream._tcp", "_presence._tcp", "_printer._tcp", "_raop._tcp", "_rdlink._tcp",
    "_remotepairing._tcp", "_rfb._tcp", "_scanner._tcp", "_sftp-ssh._tcp", "_sleep-proxy._udp",
    "_smb._tcp", "_sonos._tcp", "_spotify-connect._tcp", "_ssh._tcp", "_touch-able._tcp", "_uscan._tcp",
    "_workstation._tcp", "_xmpp-client._tcp",
})  # fmt: skip
"""Services whose instance is called after the device or its user (RFC 6763 4.1.1; `_presence`: XEP-0174).

Of any other service the type alone is a fact about the host: what its instances are called may be anything.
"""

TXT_FACTS: Final[dict[str, dict[str, str]]] = {
    "_device-info._tcp": {"model": "model", "osxvers": "os-version"},
    "_airplay._tcp": {"model": "model", "osvers": "os-version", "manufacturer": "manufacturer"},
    "_raop._tcp": {"am": "model"},
    "_companion-link._tcp": {"rpmd": "model"},
    "_googlecast._tcp": {"md": "model", "fn": "device-name"},
    "_ipp._tcp": {"ty": "model"},
    "_ipps._tcp": {"ty": "model"},
    "_printer._tcp": {"ty": "model"},
    "_pdl-datastream._tcp": {"ty": "model"},
}
"""Service type -> key of its TXT record, lower case (RFC 6763 6.4) -> attribute that the value is."""
