"""Candidate bytes -> records -> rows: which parser reads which piece, and what becomes of the result.

One `Dissector` reads one capture. It is the only place where the sans-I/O parsers meet frame numbers, the tables and
the ledger of what could not be read.
"""

from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.dialogue import Dialogue, Readers
from wirecover.capture.flows.endpoints import address_text, endpoint_text
from wirecover.capture.flows.handshake import ClientFacts, Handshake, ServerFacts
from wirecover.capture.flows.hosts import DATAGRAM_SERVICES, STREAM_SERVICES, HostBook, NamedAddress
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.shapes import ShapeBook
from wirecover.capture.flows.ssh_handshake import SshHandshake
from wirecover.capture.flows.state import AFTER_GAP, IS_TLS, TLS_START
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns import DnsMessage, DnsTcpReader, looks_like_dns, parse_dns
from wirecover.capture.protocols.dtls import DtlsReader, looks_like_dtls
from wirecover.capture.protocols.gquic import parse_google_hello
from wirecover.capture.protocols.quic import InitialReader, QuicHello, looks_like_quic, version_name
from wirecover.capture.protocols.services import CLEARTEXT, cleartext_service
from wirecover.capture.protocols.ssh import READ_BYTES
from wirecover.capture.protocols.stun import MAGIC_COOKIE, StunMessage, looks_like_stun, parse_stun
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import (
    HandshakeMessage,
    HandshakeReader,
    parse_certificate_message,
    parse_client_hello,
    parse_server_hello,
)
from wirecover.capture.protocols.x509 import Certificate, parse_certificate

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
_DNS_PORTS: Final = frozenset((53, 5353, 5355))
_DNS_NAMES: Final = {5353: "mdns", 5355: "llmnr"}
_WHOLE_STREAM: Final = 1 << 20
"""A framed protocol over TCP (DNS, STUN) is read this far into the stream."""
_FRAMED_SERVICES: Final = (None, "dns", "stun")
"""The other direction of a framed protocol has to be read too."""
_SHOWN_OTHER: Final = 4
"""Pieces of an unrecognised stream that are tried before it is left alone."""
CERTIFICATES_CACHED: Final = 4096
CHAINS_CACHED: Final = 1024
SERVERS_CACHED: Final = 4096
_FINISHED_READER: Final = HandshakeReader(0)
"""Stands for the reader of a direction whose clear part is over."""
_FINISHED_QUIC: Final = InitialReader()
_FINISHED_QUIC_FLOW: Final = Readers()
"""Stands for the readers of a flow whose QUIC hellos are known; nothing is ever written to it."""
_FINISHED_QUIC_FLOW.quic = _FINISHED_QUIC
_RETRY_RANDOM: Final = b"\xcf\x21\xad\x74"  # how the random of a HelloRetryRequest begins (RFC 8446 4.1.3)
_KEY_SHARE: Final = b"\0\x33"


PacketFacts = tuple[int, int, int, int, int, int, int, int, int, int]
PACKET_FIELDS: Final = (
    "frame", "ts", "ip_version", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "payload_bytes",
)  # fmt: skip
"""What a piece has to know of its packet, in the order of `PacketFacts`."""


class Piece:
    """Where a piece of payload comes from. Addresses are put into text only when a parser's finding needs them."""

    __slots__ = (
        "_source",
        "_target",
        "_version",
        "flags",
        "frame",
        "half",
        "length",
        "ports",
        "ts",
    )  # fmt: skip

    def __init__(self, half: int, flags: int, packet: "PacketFacts") -> None:
        self.half, self.flags = half, flags
        (
            self.frame,
            self.ts,
            self._version,
            source_hi,
            source_lo,
            target_hi,
            target_lo,
            source,
            target,
            self.length,
        ) = packet
        """`length`: payload bytes of the packet on the wire."""
        self._source, self._target = (source_hi, source_lo), (target_hi, target_lo)
        self.ports = (source, target)
        """Source and destination port."""

    @property
    def sender(self) -> tuple[str, int]:
        """Address and port."""
        return address_text(self._version, *self._source), self.ports[0]

    @property
    def receiver(self) -> tuple[str, int]:
        """Address and port."""
        return address_text(self._version, *self._target), self.ports[1]

    @property
    def seen(self) -> tuple[int, int]:
        """Frame and time."""
        return self.frame, self.ts


class Dissector:
    """Reads the pieces of one capture into tables. `flows` and `halves` are the tracker's arrays."""

    def __init__(
        self, evidence: EvidenceWriter, names: NameBook, ledger: Ledger, shapes: ShapeBook, hosts: HostBook
    ) -> None:
        self._evidence = evidence
        self._hosts = hosts
        self._names = names
        self._ledger = ledger
        self._certificates: dict[bytes, Certificate] = {}
        self._chains: dict[bytes, tuple[Certificate, ...]] = {}
        self._servers: dict[bytes, ServerFacts] = {}
        self._shapes = shapes
        self._certificates_written: set[str] = set()

    # ---- TCP ---------------------------------------------------------------------------------------------

    def read_tcp(self, dialogue: Dialogue, piece: Piece, data: bytes) -> int | None:
        """Read a piece of a TCP stream. Returns up to which stream position to show more; None = as before."""
        if piece.flags & IS_TLS:
            return self._read_tls(dialogue, piece, data)
        if dialogue.ssh is not None:
            return self._read_ssh(dialogue.ssh, piece, data)
        readers = dialogue.reading()
        readers.shown[piece.half] += 1
        reader = readers.framed[piece.half]
        if reader is not None:
            return self._read_framed(dialogue, piece, reader, data)
        if dialogue.service in STREAM_SERVICES:
            self._read_head(dialogue, readers, piece, data)
        if dialogue.service not in _FRAMED_SERVICES or piece.flags & AFTER_GAP:
            return 0 if dialogue.service in CLEARTEXT else None
        if not _DNS_PORTS.isdisjoint(piece.ports):
            readers.framed[piece.half] = DnsTcpReader()
        elif data[4:8] == MAGIC_COOKIE or data[6:10] == MAGIC_COOKIE:
            readers.framed[piece.half] = StunTcpReader()
        opened = readers.framed[piece.half]
        if opened is not None and self._read_framed(dialogue, piece, opened, data):
            return _WHOLE_STREAM
        readers.framed[piece.half] = None
        dialogue.note_payload(piece.half, piece.length, data)
        dialogue.service = self._name_service(piece, data, "tcp")
        if dialogue.service in STREAM_SERVICES:
            self._read_head(dialogue, readers, piece, data)
        if dialogue.service == "ssh":
            dialogue.ssh = SshHandshake()
            return self._read_ssh(dialogue.ssh, piece, data)
        return 0 if readers.shown[piece.half] >= _SHOWN_OTHER else None

    def _read_framed(
        self, dialogue: Dialogue, piece: Piece, reader: DnsTcpReader | StunTcpReader, data: bytes
    ) -> int | None:
        """Messages of a length-framed protocol. 0 when the framing broke, else how far to show the stream."""
        for message in reader.feed(data):
            if isinstance(reader, DnsTcpReader):
                self._read_dns(dialogue, piece, message)
            elif message[4:8] == MAGIC_COOKIE:
                self._read_stun(dialogue, piece, message)
        if reader.problem is not None:
            if dialogue.service is not None:
                self._note("malformed-" + dialogue.service, reader.problem, piece)
            return 0
        dialogue.service = dialogue.service or ("dns" if isinstance(reader, DnsTcpReader) else "stun")
        return _WHOLE_STREAM

    def _read_tls(self, dialogue: Dialogue, piece: Piece, data: bytes) -> int | None:
        half = piece.half
        dialogue.begin_tls()
        readers = dialogue.reading().tls
        reader = readers[half]
        if piece.flags & TLS_START or reader is None:
            if not piece.flags & TLS_START:
                return 0  # its beginning was not seen
            reader = readers[half] = HandshakeReader()
        elif reader is _FINISHED_READER:
            return 0
        elif piece.flags & AFTER_GAP:
            self._ledger.note("gap-in-handshake", "bytes of a TLS handshake are missing", piece.frame)
            return 0
        for message in reader.feed(data):
            self._take_message(dialogue, "tcp", piece, message)
        if reader.problem is not None:
            self._note("malformed-tls", reader.problem, piece)
        if not reader.done:
            return None
        if dialogue.handshake is not None and SERVER_HELLO in reader.types:
            dialogue.handshake.abbreviated = reader.abbreviated
        readers[half] = _FINISHED_READER
        return 0

    def _read_head(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> None:
        """What a host says of itself at the beginning of a stream (HTTP)."""
        if dialogue.service is not None and readers.shown[piece.half] == 1 and not piece.flags & AFTER_GAP:
            self._hosts.take_stream_head(
                dialogue.service, piece.sender[0], data, piece.frame, piece.ts, piece.receiver[0]
            )

    def _name_all(self, dialogue: Dialogue, piece: Piece, names: tuple[NamedAddress, ...]) -> None:
        for ip, name, source in names:
            self._name(ip, name, source, dialogue, piece)

    def _read_ssh(self, handshake: SshHandshake, piece: Piece, data: bytes) -> int:
        """Identification and algorithm lists; then nothing is in clear."""
        reader = handshake.readers[piece.half]
        if reader.done or piece.flags & AFTER_GAP:
            return 0
        handshake.feed(piece.half, piece.frame, data)
        if reader.problem is not None:
            self._note("malformed-ssh", reader.problem, piece)
        return 0 if reader.done else READ_BYTES

    # ---- UDP ---------------------------------------------------------------------------------------------

    def read_udp(self, dialogue: Dialogue, piece: Piece, data: bytes) -> bool | None:
        """Read a datagram. False: no more handshake datagrams of this flow are wanted; True: they are; None: as
        before.
        """
        if dialogue.service is None or dialogue.service == "stun":
            dialogue.note_payload(piece.half, piece.length, data)
        if data[4:8] == MAGIC_COOKIE and data[0] < 0x40:
            self._read_stun(dialogue, piece, data)
            dialogue.service = dialogue.service or "stun"
            return None
        if dialogue.readers is not None and dialogue.readers.quic is not None:
            return self._read_quic(dialogue, dialogue.readers, piece, data)
        if data[0] < 64 and looks_like_dtls(data):
            return self._read_dtls(dialogue, piece, data)
        service = dialogue.service
        if service is None or service in ("dns", "mdns", "llmnr"):
            source, target = piece.ports
            known = source in _DNS_PORTS or target in _DNS_PORTS
            if service is not None or looks_like_dns(data, known_port=known):
                dialogue.service = service or _DNS_NAMES.get(target, _DNS_NAMES.get(source, "dns"))
                self._read_dns(dialogue, piece, data)
                return None
        if service is None and looks_like_quic(data):
            readers = dialogue.reading()
            readers.quic = InitialReader()
            return self._read_quic(dialogue, readers, piece, data)
        if service is None and looks_like_stun(data):  # RFC 3489, without the cookie
            self._read_stun(dialogue, piece, data)
            dialogue.service = "stun"
        elif service is None:
            dialogue.service = self._name_service(piece, data, "udp")
        if dialogue.service in DATAGRAM_SERVICES:
            told = self._hosts.take_datagram(
                dialogue.service, piece.sender[0], piece.receiver[0], data, piece.frame, piece.ts
            )
            self._name_all(dialogue, piece, told)
        return None

    def _read_quic(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> bool | None:
        reader = readers.quic
        assert reader is not None
        if reader is _FINISHED_QUIC:
            return False
        dialogue.service = "quic"
        readers.quic_seen.append(piece.seen)
        problems = len(reader.problems)
        for hello in reader.feed(data, self._from_client(dialogue, piece)):
            self._take_quic(dialogue, readers, piece, hello)
        for problem in reader.problems[problems:]:
            self._ledger.note("malformed-quic", problem.reason, piece.frame)
        if reader.sender is not None and dialogue.client_half is None:
            dialogue.client_half = piece.half if reader.sender == "client" else 1 - piece.half
        if dialogue.handshake is not None and reader.version is not None:
            dialogue.handshake.quic_version = version_name(reader.version)
        if reader.done:
            dialogue.readers = _FINISHED_QUIC_FLOW
        return not reader.done

    def _take_quic(self, dialogue: Dialogue, readers: Readers, piece: Piece, hello: QuicHello) -> None:
        handshake = dialogue.handshake or Handshake("quic")
        dialogue.handshake = handshake
        seen = readers.quic_seen[min(hello.datagram, len(readers.quic_seen)) - 1]
        handshake.quic_version = version_name(hello.version)
        try:
            if hello.google:
                handshake.take_client(None, _google_name(hello.body), *seen)
            elif hello.kind == "client":
                facts, sni = self._shapes.quic_client(hello.body)
                handshake.take_client(facts, sni, *seen)
            else:
                handshake.take_server(self._shapes.quic_server(hello.body), *seen)
        except Malformed as problem:
            self._note("malformed-quic", problem, piece)

    def _read_dtls(self, dialogue: Dialogue, piece: Piece, data: bytes) -> bool | None:
        dialogue.service = "dtls" if dialogue.service in (None, "stun") else dialogue.service
        readers = dialogue.reading().dtls
        reader = readers[piece.half]
        if reader is None:
            reader = readers[piece.half] = DtlsReader()
        problems = len(reader.problems)
        for message in reader.feed(data):
            self._take_message(dialogue, "dtls", piece, message)
        for problem in reader.problems[problems:]:
            self._note("malformed-dtls", problem, piece)
        return not all(one is not None and one.done for one in readers)

    @staticmethod
    def _from_client(dialogue: Dialogue, piece: Piece) -> bool | None:
        return None if dialogue.client_half is None else dialogue.client_half == piece.half

    # ---- messages ----------------------------------------------------------------------------------------

    def _take_message(
        self, dialogue: Dialogue, carrier: str, piece: Piece, message: HandshakeMessage
    ) -> None:
        """A TLS or DTLS handshake message."""
        handshake = dialogue.handshake
        if handshake is None:
            if message.type not in (CLIENT_HELLO, SERVER_HELLO):
                return
            handshake = dialogue.handshake = Handshake(carrier)
        try:
            if message.type == CLIENT_HELLO:
                hello = parse_client_hello(message.body, dtls=carrier == "dtls")
                handshake.take_client(ClientFacts.of(hello, carrier), hello.sni, piece.frame, piece.ts)
                dialogue.client_half = piece.half
                for problem in hello.problems:
                    self._ledger.note("odd-" + carrier, problem, piece.frame)
            elif message.type == SERVER_HELLO:
                server = self._server_facts(message.body)
                handshake.take_server(server, piece.frame, piece.ts)
                if dialogue.client_half is None:
                    dialogue.client_half = 1 - piece.half
            elif message.type == CERTIFICATE:
                self._take_certificates(dialogue, handshake, piece, message.body)
        except Malformed as problem:
            self._note("malformed-tls" if carrier == "tcp" else "malformed-dtls", problem, piece)

    def _take_certificates(self, dialogue: Dialogue, handshake: Handshake, piece: Piece, body: bytes) -> None:
        chain = self.chain(body, dialogue.flow_no, piece.frame)
        if chain and not handshake.certificates and dialogue.client_half != piece.half:
            handshake.certificates = tuple((one.sha1, one.sha256) for one in chain)
            handshake.certificate_frame = piece.frame
            dialogue.certificate_names = chain[0].host_names
            for name in chain[0].host_names:
                self._name(piece.sender[0], name, "certificate", dialogue, piece)

    def chain(self, body: bytes, flow_no: int, frame: int) -> tuple[Certificate, ...]:
        """The certificates of a Certificate message; those not seen before are written. Raises Malformed."""
        chain = self._chains.get(body)
        if chain is None:
            chain = tuple([self._certificate(der) for der in parse_certificate_message(body)])
            if len(self._chains) >= CHAINS_CACHED:
                self._chains.clear()
            self._chains[body] = chain
            for certificate in chain:
                self._write_certificate(certificate, flow_no, frame)
        return chain

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

    def _certificate(self, der: bytes) -> Certificate:
        found = self._certificates.get(der)
        if found is None:
            if len(self._certificates) >= CERTIFICATES_CACHED:
                self._certificates.clear()
            found = self._certificates[der] = parse_certificate(der)
        return found

    def _write_certificate(self, one: Certificate, flow_no: int, frame: int) -> None:
        if one.sha256 in self._certificates_written:
            return
        self._certificates_written.add(one.sha256)
        for problem in one.problems:
            self._ledger.note("odd-certificate", problem, frame)
        self._evidence.add(
            "certificates",
            (one.sha256, one.sha1, one.subject, one.issuer, one.serial, one.not_before, one.not_after, one.san,
             one.public_key_type, one.public_key_bits, one.self_signed, flow_no, frame),
        )  # fmt: skip

    def _read_dns(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        try:
            message = parse_dns(data)
        except Malformed as problem:
            self._note("malformed-dns", problem, piece)
            return
        if message is None:
            self._ledger.note("malformed-dns", "message is cut", piece.frame)
            return
        if dialogue.service is not None and dialogue.service in _DNS_NAMES.values():
            told = self._hosts.take_message(
                dialogue.service, piece.sender[0], message, data, piece.frame, piece.ts
            )
            self._name_all(dialogue, piece, told)
        question = message.questions[0] if message.questions else None
        asked = question.name if question else None
        self._evidence.add(
            "dns_messages",
            (dialogue.flow_no, piece.frame, piece.ts, message.id, message.is_response, asked,
             question.type_name if question else None, message.rcode_name if message.is_response else None,
             len(message.answers)),
        )  # fmt: skip
        for record in message.answers:
            self._evidence.add(
                "dns_answers",
                (dialogue.flow_no, piece.frame, piece.ts, asked, record.name, record.type_name, record.data,
                 record.ttl),
            )  # fmt: skip
        if message.is_response:
            self._learn(dialogue, piece, message, asked)

    def _learn(self, dialogue: Dialogue, piece: Piece, message: DnsMessage, asked: str | None) -> None:
        """Addresses in an answer are known by the name asked for, whatever aliases lie between (RFC 1034 3.6.2)."""
        source = dialogue.service if dialogue.service in ("mdns", "llmnr") else "dns"
        for record in message.answers:
            if record.type not in (1, 28) or not record.fits:
                continue
            name = asked if asked is not None and source == "dns" else record.name
            ip = record.data
            self._name(ip, name, source, dialogue, piece)
            self._names.learn(piece.receiver[0], ip, name.lower(), piece.frame)

    def _name(self, ip: str, name: str, source: str, dialogue: Dialogue, piece: Piece) -> None:
        self._names.note(ip, name.lower(), source, dialogue.flow_no, piece.frame, piece.ts)

    def _read_stun(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        try:
            message = parse_stun(data)
        except Malformed as problem:
            self._note("malformed-stun", problem, piece)
            return
        if message is None:
            self._ledger.note("malformed-stun", "message is cut", piece.frame)
            return
        self._write_stun(dialogue, piece, message)
        dialogue.stun_realm = dialogue.stun_realm or message.realm
        dialogue.stun_username = dialogue.stun_username or message.username
        dialogue.stun_software = dialogue.stun_software or message.software
        if not message.attribute_numbers <= dialogue.stun_attributes:
            dialogue.stun_attributes |= message.attribute_numbers

    def _write_stun(self, dialogue: Dialogue, piece: Piece, message: StunMessage) -> None:
        self._evidence.add(
            "stun_messages",
            (dialogue.flow_no, piece.frame, piece.ts, endpoint_text(*piece.sender), message.method, message.class_,
             message.transaction_id, message.username, message.realm, message.software, message.mapped,
             message.relayed, message.peer, message.error_code, message.attribute_names),
        )  # fmt: skip

    # ---- the rest ----------------------------------------------------------------------------------------

    def _name_service(self, piece: Piece, data: bytes, transport: str) -> str | None:
        source, target = piece.ports
        return cleartext_service(data, target <= source, min(source, target), transport)

    def name_server(self, handshake: Handshake, flow_no: int, server: str, ts: int) -> None:
        """The server name a client asked for is a name of the address that answered."""
        if handshake.sni and handshake.client_frame is not None:
            self._names.note(server, handshake.sni.lower(), "sni", flow_no, handshake.client_frame, ts)

    def _note(self, kind: str, problem: Malformed, piece: Piece) -> None:
        self._ledger.note(kind, problem.reason, piece.frame)


def _google_name(chlo: bytes) -> str | None:
    hello = parse_google_hello(chlo)
    return None if hello is None else hello.sni
