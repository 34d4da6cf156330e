"""Well-known protocols that are no messengers, by the first payload of one side.

Strict: a wrong name here would take a flow from the analysis, so a protocol is named only when its own
grammar or fixed bytes are there, or fewer of them on its own port. TLS, QUIC, DTLS, STUN and unicast DNS
have their own modules and are not named here.
"""

from typing import Final

from wirecover.capture.protocols.service_binary import binary_service
from wirecover.capture.protocols.service_text import text_service

CLEARTEXT: Final[frozenset[str]] = frozenset({
    "amqp", "bitcoin", "bittorrent", "dhcp", "dhcpv6", "git", "gnutella", "gtp-c", "http", "http2", "irc", "kerberos",
    "llmnr", "mdns", "mqtt", "nats", "nbdgm", "nbns", "ntp", "radius", "redis", "rsync", "rtmp", "rtsp",
    "sip", "smb", "snmp", "ssdp", "syslog", "telnet", "tftp", "vnc", "whois",
})  # fmt: skip
"""Named protocols that stay readable, or belong to no conversation, to the end of the flow."""

MAY_TURN_SECRET: Final[frozenset[str]] = frozenset({
    "esp", "ftp", "http-connect", "ike", "imap", "ldap", "mysql", "opcua", "openvpn", "pop3", "postgresql", "rdp",
    "smtp", "socks", "ssh", "wireguard", "xmpp",
})  # fmt: skip
"""Named protocols that are encrypted, or may become so in mid-flow (STARTTLS, CONNECT)."""


def cleartext_service(
    first_payload: bytes, from_client: bool, server_port: int, transport: str
) -> str | None:
    """Name of the protocol that `first_payload` begins, a member of CLEARTEXT or MAY_TURN_SECRET, else None.

    `first_payload` is the first payload of either side (`from_client` says which; cut is allowed, but lengths
    are compared with what is there), `transport` is `tcp` or `udp`.
    """
    if not first_payload:
        return None
    return text_service(first_payload, from_client, server_port, transport) or binary_service(
        first_payload, server_port, transport
    )
