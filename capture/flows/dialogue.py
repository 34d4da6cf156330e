"""What the parsers learnt of one flow, and no more than is needed until the flow is written."""

from typing import Final

from wirecover.capture.flows.handshake import Handshake
from wirecover.capture.flows.messenger import MessengerStream
from wirecover.capture.flows.quic_handshake import QuicFacts
from wirecover.capture.flows.relayed import Run
from wirecover.capture.flows.ssh_handshake import SshHandshake
from wirecover.capture.protocols.dns import DnsTcpReader
from wirecover.capture.protocols.dtls import DtlsReader
from wirecover.capture.protocols.exchanges import Recognised
from wirecover.capture.protocols.messenger_bytes import FIRST_PAYLOADS, FirstPayload, messenger_signatures
from wirecover.capture.protocols.opcua import OpcUaReader
from wirecover.capture.protocols.quic import InitialReader
from wirecover.capture.protocols.services import MAY_TURN_SECRET
from wirecover.capture.protocols.sip import SipStream
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import HandshakeReader

PATTERN_BYTES: Final = 288
"""Of each first payload so much is kept: the longest pattern (KakaoTalk's key exchange) looks at 268 bytes."""


class RareReaders:
    """The parsers of a flow that few flows need."""

    __slots__ = ("opcua", "rtp", "sip", "ssl2")

    def __init__(self) -> None:
        self.sip: list[SipStream | None] = [None, None]
        self.opcua: list[OpcUaReader | None] = [None, None]
        self.rtp: list[Run | None] = [None, None]
        """Media packets in order between the STUN messages of a TCP connection."""
        self.ssl2 = bytearray()
        """The beginning of a server's stream whose client spoke SSL 2.0 framing."""


class Readers:
    """The parsers of one flow."""

    __slots__ = (
        "_rare", "dtls", "framed", "messenger", "quic", "quic_facts", "quic_seen", "shown", "tls", "tls_seen",
    )  # fmt: skip

    def __init__(self) -> None:
        self.shown = [0, 0]
        """Pieces of TCP that were shown to the parsers, a half."""
        self.tls: list[HandshakeReader | None] = [None, None]
        self.tls_seen: list[tuple[int, int]] = [(0, 0), (0, 0)]
        """Frame and time of the last piece fed to each of `tls`."""
        self.dtls: list[DtlsReader | None] = [None, None]
        self.quic: InitialReader | None = None
        self.quic_seen: list[tuple[int, int]] = []
        """Frame and time of each datagram fed to `quic`."""
        self.quic_facts: QuicFacts | None = None
        self.framed: list[DnsTcpReader | StunTcpReader | None] = [None, None]
        self._rare: RareReaders | None = None
        self.messenger: MessengerStream | None = None

    @property
    def rare(self) -> RareReaders:
        """Made when first asked for."""
        if self._rare is None:
            self._rare = RareReaders()
        return self._rare


class Dialogue:
    """The mutable state of one flow between its first shown bytes and its row."""

    # Defaults stand in the class: most flows change few of them, and there is a dialogue for nearly every flow.
    dns_names: tuple[tuple[str, int], ...] = ()
    """(name, frame) the client had learnt for the server from DNS when the flow began."""
    dns_fresh: str | None = None
    """That of `dns_names` whose answer came right before the flow (`NameBook.fresh`)."""
    framing: str | None = None
    """The messenger protocol whose frames were read from the opening on."""
    service: str | None = None
    handshake: Handshake | None = None
    client_half: int | None = None
    """Which half sent the ClientHello."""
    certificate_names: tuple[str, ...] = ()
    ssh: SshHandshake | None = None
    readers: "Readers | None" = None
    """The parsers at work, while there are any."""
    first_payloads: tuple[tuple[int, int, bytes], ...] = ()
    """(half, length, first bytes) of the first payloads of a flow whose service is not known."""
    only_stun = True
    """All of `first_payloads` are STUN messages, which no pattern fits."""
    client_told: int | None = None
    """The `client_half` that the flow table knows."""
    recognised = False
    """A row of `recognitions` was written."""
    unanswered: tuple[Recognised, int] | None = None
    """What one side alone said, and the frame: it counts at the end, if nothing has answered it by then."""
    deaf = False
    """A QUIC flow whose hellos are known: nothing more is read of it, STUN apart."""
    stun_realm: str | None = None
    stun_username: str | None = None
    stun_software: str | None = None
    stun_attributes: frozenset[int] = frozenset()

    def __init__(self, slot: int, flow_no: int) -> None:
        self.slot = slot
        self.flow_no = flow_no

    def reading(self) -> "Readers":
        """The parsers at work; made when first asked for."""
        if self.readers is None:
            self.readers = Readers()
        return self.readers

    def begin_tls(self) -> None:
        """TLS begins; a protocol that announced it (STARTTLS, CONNECT) stays the service."""
        if self.service not in MAY_TURN_SECRET:
            self.service = "tls"

    @property
    def may_note_payload(self) -> bool:
        """Fewer first payloads are kept than patterns look at."""
        return len(self.first_payloads) < FIRST_PAYLOADS

    def note_payload(self, half: int, length: int, data: bytes, *, stun: bool = False) -> None:
        """Keep the beginning of one of the first payloads, for the byte patterns of messengers."""
        if len(self.first_payloads) < FIRST_PAYLOADS:
            self.first_payloads += ((half, length, data[:PATTERN_BYTES]),)
            self.only_stun = self.only_stun and stun

    def signatures(self, client_half: int, transport: str) -> frozenset[str]:
        """Names of the byte patterns found in the first payloads."""
        if self.only_stun:
            return frozenset()
        payloads = [
            FirstPayload(half == client_half, length, data) for half, length, data in self.first_payloads
        ]
        return messenger_signatures(payloads, transport)
