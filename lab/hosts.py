"""Who is in the lab: every host with its addresses, and the names the lab's resolver answers.

All addresses are private and live only in namespaces that `network.py` makes and removes.
"""

from dataclasses import dataclass

LAN4, LAN6 = "10.77.1.", "fd77:77:1::"
WAN4, WAN6 = "10.77.2.", "fd77:77:2::"
ROUTER = "router"
SERVER_SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    number: int
    """Last part of its addresses."""
    client: bool
    ipv6: bool
    role: str

    @property
    def ipv4_address(self) -> str:
        return f"{LAN4 if self.client else WAN4}{self.number}"

    @property
    def ipv6_address(self) -> str | None:
        if not self.ipv6:
            return None
        return f"{LAN6 if self.client else WAN6}{self.number}"

    @property
    def mac(self) -> str:
        """A locally administered address that tells the host."""
        return f"02:00:0a:4d:{1 if self.client else 2:02x}:{self.number:02x}"


CLIENTS = (
    Host("ada", 11, client=True, ipv6=False, role="xmpp; calls ben; https visit"),
    Host(
        "ben",
        12,
        client=True,
        ipv6=False,
        role="xmpp; called by ada and cleo; missed call to ada; http/3 visit",
    ),
    Host(
        "cleo", 13, client=True, ipv6=True, role="xmpp on her own; calls ben; stand-in for whatsapp with fay"
    ),
    Host("dora", 14, client=True, ipv6=False, role="stand-in for signal with egon"),
    Host("egon", 15, client=True, ipv6=True, role="stand-in for signal with dora"),
    Host("fay", 16, client=True, ipv6=False, role="stand-in for signal on her own; stand-in for whatsapp"),
    Host("gil", 17, client=True, ipv6=False, role="web visits and a TURN test, no messenger and no call"),
    Host(
        "ivo",
        18,
        client=True,
        ipv6=False,
        role="stand-in for signal with jule, who is not recorded; stand-in for whatsapp on his own",
    ),
)
OUTSIDE = (
    Host("jule", 70, client=False, ipv6=False, role="stand-in for signal with ivo, beyond the recorded line"),
)
"""Persons on the servers' side of the router: their traffic is in no capture."""
SERVERS = (
    Host("resolver", 53, client=False, ipv6=False, role="DNS resolver (unbound)"),
    Host("xmpp", 20, client=False, ipv6=True, role="XMPP server (prosody)"),
    Host("turn", 30, client=False, ipv6=False, role="STUN and TURN server (coturn)"),
    Host("web", 40, client=False, ipv6=False, role="HTTPS (Python http.server) and HTTP/3 (aioquic) server"),
    Host("signal", 50, client=False, ipv6=True, role="stand-in for a Signal server (websockets)"),
    Host("whatsapp", 60, client=False, ipv6=False, role="stand-in for a WhatsApp server (websockets)"),
)
HOSTS = {host.name: host for host in CLIENTS + OUTSIDE + SERVERS}

XMPP_DOMAIN = "harbour.example"
XMPP_NAME = "xmpp.harbour.example"
TURN_NAME = "turn.harbour.example"
TURN_REALM = "harbour.example"
WEB_NAME = "www.harbour.example"
FILES_NAME = "files.harbour.example"
SIGNAL_NAME = "chat.signal.org"
WHATSAPP_NAME = "g.whatsapp.net"

NAMES = {
    XMPP_NAME: "xmpp",
    TURN_NAME: "turn",
    WEB_NAME: "web",
    FILES_NAME: "web",
    SIGNAL_NAME: "signal",
    WHATSAPP_NAME: "whatsapp",
}
"""DNS name -> host. The last two are real host names, answered here only by the lab's own resolver."""

STAND_INS = {SIGNAL_NAME: "signal", WHATSAPP_NAME: "whatsapp"}


def zone() -> list[str]:
    """The resolver's records, one per line in zone-file form."""
    records = []
    for name, host_name in NAMES.items():
        host = HOSTS[host_name]
        records.append(f"{name}. 300 IN A {host.ipv4_address}")
        if host.ipv6_address:
            records.append(f"{name}. 300 IN AAAA {host.ipv6_address}")
    records.append(f"_xmpp-client._tcp.{XMPP_DOMAIN}. 300 IN SRV 10 0 5222 {XMPP_NAME}.")
    records.append(f"_xmpps-client._tcp.{XMPP_DOMAIN}. 300 IN SRV 5 0 5223 {XMPP_NAME}.")
    records.append(f'{FILES_NAME}. 300 IN HTTPS 1 . alpn="h3,http/1.1"')
    return records
