"""What the parsers learnt of one flow, and no more than is needed until the flow is written."""

from typing import Any, Final

from wirecover.capture.flows.handshake import Handshake
from wirecover.capture.protocols.dns import DnsTcpReader
from wirecover.capture.protocols.dtls import DtlsReader
from wirecover.capture.protocols.messenger_bytes import FIRST_PAYLOADS, FirstPayload, messenger_signatures
from wirecover.capture.protocols.quic import InitialReader
from wirecover.capture.protocols.services import MAY_TURN_SECRET
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import HandshakeReader

PATTERN_BYTES: Final = 288
"""Of each first payload so much is kept: the longest pattern (KakaoTalk's key exchange) looks at 268 bytes."""


class Dialogue:
    """The mutable state of one flow between its first shown bytes and its row."""

    __slots__ = (
        "certificate_names", "client_half", "dns_names", "dtls", "first_payloads", "flow_no", "framed", "handshake", "quic", "quic_seen",
        "service", "shown", "slot", "stun_attributes", "stun_frame", "stun_realm", "stun_software", "stun_username", "tls",
    )  # fmt: skip

    def __init__(self, slot: int, flow_no: int) -> None:
        self.slot = slot
        self.flow_no = flow_no
        self.dns_names: tuple[tuple[str, int], ...] = ()
        """(name, frame) the client had learnt for the server from DNS when the flow began."""
        self.service: str | None = None
        self.shown = [0, 0]
        """Pieces shown to the parsers, a half."""
        self.handshake: Handshake | None = None
        self.tls: list[HandshakeReader | None] = [None, None]
        self.dtls: list[DtlsReader | None] = [None, None]
        self.first_payloads: list[tuple[int, int, bytes]] = []
        """(half, length, first bytes) of the first payloads of a flow whose service is not known."""
        self.quic: InitialReader | None = None
        self.quic_seen: list[tuple[int, int]] = []
        """Frame and time of each datagram fed to `quic`."""
        self.client_half: int | None = None
        """Which half sent the ClientHello."""
        self.framed: list[DnsTcpReader | StunTcpReader | None] = [None, None]
        self.certificate_names: tuple[str, ...] = ()
        self.stun_realm: str | None = None
        self.stun_username: str | None = None
        self.stun_software: str | None = None
        self.stun_attributes: frozenset[int] = frozenset()
        self.stun_frame: int | None = None

    def begin_tls(self) -> None:
        """TLS begins; a protocol that announced it (STARTTLS, CONNECT) stays the service."""
        if self.service not in MAY_TURN_SECRET:
            self.service = "tls"

    def note_payload(self, half: int, length: int, data: bytes) -> None:
        """Keep the beginning of one of the first payloads, for the byte patterns of messengers."""
        if len(self.first_payloads) < FIRST_PAYLOADS:
            self.first_payloads.append((half, length, data[:PATTERN_BYTES]))

    def signatures(self, client_half: int, transport: str) -> frozenset[str]:
        """Names of the byte patterns found in the first payloads."""
        payloads = [FirstPayload(half == client_half, length, data) for half, length, data in self.first_payloads]
        return messenger_signatures(payloads, transport)

    def facts(self, client_half: int, transport: str) -> dict[str, Any]:
        """What the application rules ask about beside the addresses, by their names."""
        handshake = self.handshake
        client = handshake.client if handshake else None
        return {
            "sni": handshake.sni if handshake else None,
            "sni_frame": handshake.client_frame if handshake else None,
            "alpn_offered": client.alpn if client else (), "ja4": client.ja4 if client else None,
            "certificate_names": self.certificate_names,
            "certificate_frame": handshake.certificate_frame if handshake else None,
            "stun_realm": self.stun_realm, "stun_username": self.stun_username, "stun_software": self.stun_software,
            "stun_attributes": self.stun_attributes, "dns_names": self.dns_names, "service": self.service,
            "signatures": self.signatures(client_half, transport),
        }  # fmt: skip
