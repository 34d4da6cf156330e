"""What the parsers learnt of one flow, and no more than is needed until the flow is written."""

from typing import Any

from wirecover.capture.flows.handshake import Handshake, Seen
from wirecover.capture.protocols.dns import DnsTcpReader
from wirecover.capture.protocols.dtls import DtlsReader
from wirecover.capture.protocols.quic import InitialReader
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import HandshakeReader


class Dialogue:
    """The mutable state of one flow between its first shown bytes and its row."""

    __slots__ = (
        "alpn", "certificate_frame", "certificate_names", "client_half", "dns_names", "dtls", "flow_no", "framed", "handshake",
        "ja4", "quic", "quic_seen", "service", "shown", "slot", "sni", "sni_frame", "stun_attributes", "stun_frame", "stun_realm",
        "stun_software", "stun_username", "tls", "written",
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
        self.written = False
        """The handshake's row is out; the handshake is let go of."""
        self.tls: list[HandshakeReader | None] = [None, None]
        self.dtls: list[DtlsReader | None] = [None, None]
        self.quic: InitialReader | None = None
        self.quic_seen: list[Seen] = []
        """Where each datagram fed to `quic` comes from."""
        self.client_half: int | None = None
        """Which half sent the ClientHello."""
        self.framed: list[DnsTcpReader | StunTcpReader | None] = [None, None]
        self.sni: str | None = None
        self.sni_frame: int | None = None
        self.alpn: tuple[str, ...] = ()
        self.ja4: str | None = None
        self.certificate_names: tuple[str, ...] = ()
        self.certificate_frame: int | None = None
        self.stun_realm: str | None = None
        self.stun_username: str | None = None
        self.stun_software: str | None = None
        self.stun_attributes: frozenset[int] = frozenset()
        self.stun_frame: int | None = None

    def settle(self) -> tuple[Any, ...] | None:
        """The handshake's row, once; what the label needs stays, the rest is let go of."""
        handshake = self.handshake
        if handshake is None or self.written:
            return None
        self.written = True
        row = handshake.row(self.flow_no)
        self.sni = handshake.sni
        if handshake.client_seen is not None:
            self.sni_frame = handshake.client_seen.frame
        if handshake.client is not None:
            self.alpn = handshake.client.alpn
            self.ja4 = handshake.ja4()
        self.certificate_frame = handshake.certificate_frame
        self.handshake = None
        self.tls = [None, None]
        return row

    def facts(self) -> dict[str, Any]:
        """What the application rules ask about, by their names."""
        return {
            "sni": self.sni, "sni_frame": self.sni_frame, "alpn_offered": self.alpn, "ja4": self.ja4,
            "certificate_names": self.certificate_names, "certificate_frame": self.certificate_frame,
            "stun_realm": self.stun_realm, "stun_username": self.stun_username, "stun_software": self.stun_software,
            "stun_attributes": self.stun_attributes, "dns_names": self.dns_names, "service": self.service,
        }  # fmt: skip
