"""Handshake messages of TLS, DTLS and QUIC, and certificates that travel otherwise -> what is known of a handshake."""

from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.certificates import CertificateBook
from wirecover.capture.flows.dialogue import Dialogue, Readers
from wirecover.capture.flows.handshake import ClientFacts, Handshake, ServerFacts
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.lookups import Lookups
from wirecover.capture.flows.piece import Piece
from wirecover.capture.flows.shapes import ShapeBook
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.gquic import parse_google_hello
from wirecover.capture.protocols.quic import QuicHello
from wirecover.capture.protocols.ssl2 import parse_ssl2_server_hello
from wirecover.capture.protocols.tls import (
    ClientHello,
    HandshakeMessage,
    HandshakeReader,
    ServerHello,
    parse_client_hello,
    parse_cut_client_hello,
    parse_server_hello,
    version_name,
)
from wirecover.capture.protocols.tls_extensions import ENCRYPTED_CLIENT_HELLO, outer_ech
from wirecover.capture.protocols.x509 import Certificate

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
SERVERS_CACHED: Final = 4096
MAX_PLAIN_CERTIFICATES: Final = 32
"""Of IKE and OPC UA so many are listed a flow."""
SSL2_BYTES: Final = 1 << 15
_RETRY_RANDOM: Final = b"\xcf\x21\xad\x74"  # how the random of a HelloRetryRequest begins (RFC 8446 4.1.3)
_KEY_SHARE: Final = b"\0\x33"
_ECH: Final = ENCRYPTED_CLIENT_HELLO.to_bytes(2, "big")


class HandshakeBook:
    """Takes the messages of one capture's handshakes."""

    def __init__(self, evidence: EvidenceWriter, ledger: Ledger, lookups: Lookups) -> None:
        self._ledger = ledger
        self._lookups = lookups
        self._certificates = CertificateBook(evidence, ledger)
        self._servers: dict[bytes, ServerFacts] = {}
        self.chain = self._certificates.chain

    def take(self, dialogue: Dialogue, carrier: str, piece: Piece, message: HandshakeMessage) -> None:
        """A TLS ('tcp') or DTLS ('dtls') handshake message."""
        handshake = dialogue.handshake
        if handshake is None:
            if message.type not in (CLIENT_HELLO, SERVER_HELLO):
                return
            handshake = dialogue.handshake = Handshake(carrier)
        try:
            if message.type == CLIENT_HELLO:
                hello = parse_client_hello(message.body, dtls=carrier == "dtls")
                self._take_client(dialogue, handshake, carrier, piece.half, hello, *piece.seen)
            elif message.type == SERVER_HELLO:
                server = self._server_facts(message.body)
                handshake.take_server(server, piece.frame, piece.ts)
                if dialogue.client_half is None and dialogue.service != "stun":
                    dialogue.client_half = 1 - piece.half
            elif message.type == CERTIFICATE:
                chain = self._certificates.chain(message.body, dialogue.flow_no, piece.frame)
                self._take_chain(dialogue, handshake, piece, chain)
        except Malformed as problem:
            kind = "malformed-tls" if carrier == "tcp" else "malformed-dtls"
            self._ledger.note(kind, problem.reason, piece.frame)

    def _take_client(
        self, dialogue: Dialogue, handshake: Handshake, carrier: str, half: int, hello: ClientHello, frame: int, ts: int
    ) -> None:  # fmt: skip
        if handshake.client_frame is None and hello.outer_ech is not None:
            handshake.ech = hello.outer_ech.config_id, hello.outer_ech.kdf, hello.outer_ech.aead
        handshake.take_client(ClientFacts.of(hello, carrier), hello.sni, frame, ts)
        if carrier == "dtls" and dialogue.service == "stun":
            handshake.client_half = half
        else:
            dialogue.client_half = half
        for problem in hello.problems:
            self._ledger.note("odd-" + carrier, problem, frame)

    def take_quic_client(
        self, handshake: Handshake, shapes: ShapeBook, hello: QuicHello, seen: tuple[int, int]
    ) -> None:
        """A client's hello over QUIC, or Google's CHLO. Raises Malformed.

        After version negotiation the client starts over (RFC 9000 section 6.2): then its new hello counts.
        """
        if hello.replaces:
            handshake.client_frame = handshake.ech = None
        if hello.google:
            google = parse_google_hello(hello.body)
            handshake.take_client(None, None if google is None else google.sni, *seen)
            return
        facts, sni = shapes.quic_client(hello.body)
        if facts.ech is not None and handshake.client_frame is None:
            handshake.ech = ech_of(hello.body)
        handshake.take_client(facts, sni, *seen)

    def take_cut(self, dialogue: Dialogue, half: int, reader: HandshakeReader, frame: int, ts: int) -> None:
        """The stream has a gap, or is over, in the middle of a ClientHello: what stands before the cut.

        Its names are evidence; a fingerprint of it would be wrong, and is not made.
        """
        pending = reader.unfinished
        if CLIENT_HELLO in reader.types or pending[:1] != b"\x01" or dialogue.handshake is not None:
            return
        try:
            hello = parse_cut_client_hello(pending[4:])
        except Malformed as problem:
            self._ledger.note("malformed-tls", problem.reason, frame)
            return
        if hello is None:
            return
        handshake = dialogue.handshake = Handshake("tcp")
        self._take_client(dialogue, handshake, "tcp", half, hello, frame, ts)

    def end(self, dialogue: Dialogue, reader: HandshakeReader) -> None:
        """Nothing more of this direction is in the clear."""
        if dialogue.handshake is not None and SERVER_HELLO in reader.types:
            dialogue.handshake.abbreviated = reader.abbreviated

    def take_ssl2(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int:
        """A piece of a server's stream that may be an SSL 2.0 ServerHello; how far to show the stream."""
        handshake = dialogue.handshake
        if handshake is None or handshake.client is None or handshake.server is not None:
            return 0
        taken = readers.rare.ssl2
        if not taken and (data[:1] < b"\x80" or (len(data) > 2 and data[2] != 4)):
            return 0
        taken += data
        try:
            hello = parse_ssl2_server_hello(bytes(taken))
        except Malformed as problem:
            self._ledger.note("malformed-tls", problem.reason, piece.frame)
            return 0
        if hello is None:
            return SSL2_BYTES if len(taken) < SSL2_BYTES else 0
        version = version_name(hello.version)
        empty = ServerHello(hello.version, b"", b"", 0, 0, (), hello.version, is_hello_retry=False)
        handshake.abbreviated = hello.resumed
        handshake.take_server(
            ServerFacts(None, version, None, None, is_hello_retry=False, resumed=hello.resumed, hello=empty),
            piece.frame,
            piece.ts,
        )
        if hello.certificate:
            chain = self._certificates.take((hello.certificate,), dialogue.flow_no, piece.frame)
            self._take_chain(dialogue, handshake, piece, chain)
        return 0

    def take_plain(self, dialogue: Dialogue, carrier: str, piece: Piece, ders: tuple[bytes, ...]) -> None:
        """Certificates that IKE or OPC UA show: of either end, in the order they were sent."""
        handshake = dialogue.handshake
        if handshake is None:
            handshake = dialogue.handshake = Handshake(carrier)
        chain = self._certificates.take(ders, dialogue.flow_no, piece.frame)
        known = handshake.certificates
        new = tuple([pair for one in chain if (pair := (one.sha1, one.sha256)) not in known])
        if handshake.carrier == carrier and chain and len(known) < MAX_PLAIN_CERTIFICATES:
            handshake.certificates = known + new
            handshake.certificate_frame = handshake.certificate_frame or piece.frame
            for name in chain[0].host_names:
                self._lookups.name(piece.sender[0], name, "certificate", dialogue.flow_no, piece)

    def _take_chain(
        self, dialogue: Dialogue, handshake: Handshake, piece: Piece, chain: tuple[Certificate, ...]
    ) -> None:
        if not chain:
            return
        client = dialogue.client_half if handshake.client_half is None else handshake.client_half
        if client == piece.half:
            handshake.client_certificates = handshake.client_certificates or tuple(
                [one.sha256 for one in chain]
            )
        elif not handshake.certificates:
            handshake.certificates = tuple([(one.sha1, one.sha256) for one in chain])
            handshake.certificate_frame = piece.frame
            dialogue.certificate_names = chain[0].host_names
            for name in chain[0].host_names:
                self._lookups.name(piece.sender[0], name, "certificate", dialogue.flow_no, piece)

    def _server_facts(self, body: bytes) -> ServerFacts:
        """Facts of a ServerHello; parsed once for all that differ in random and session id only.

        One with a key share has random bytes there too: it is not worth remembering.
        """
        if len(body) < 40 or body[34] > 32 or body[2:6] == _RETRY_RANDOM or _KEY_SHARE in body[38:]:
            return ServerFacts.of(parse_server_hello(body))
        key = body[:2] + body[35 + body[34] :]
        found = self._servers.get(key)
        if found is None:
            found = ServerFacts.of(parse_server_hello(body))
            if len(self._servers) >= SERVERS_CACHED:
                self._servers.clear()
            self._servers[key] = found
        return found


def ech_of(body: bytes) -> tuple[int, int, int] | None:
    """Config id, KDF and AEAD of the outer Encrypted ClientHello in a regular ClientHello body; None without one."""
    at = 34
    for width in (1, 2, 1):  # session id, cipher suites, compression methods (RFC 8446 4.1.2)
        at += width + int.from_bytes(body[at : at + width], "big")
    at += 2
    while at + 4 <= len(body):
        end = at + 4 + (body[at + 2] << 8 | body[at + 3])
        if body[at : at + 2] == _ECH:
            try:
                found = outer_ech(bytes(body[at + 4 : end]))
            except Malformed:
                return None  # the hello's parser notes what is odd
            return None if found is None else (found.config_id, found.kdf, found.aead)
        at = end
    return None
