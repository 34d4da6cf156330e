"""Candidate bytes -> records -> rows: which parser reads which piece, and what becomes of the result.

One `Dissector` reads one capture. It is the only place where the sans-I/O parsers meet frame numbers, the tables and
the ledger of what could not be read.
"""

import re
from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.dialogue import Dialogue, Readers
from wirecover.capture.flows.handshake import Handshake
from wirecover.capture.flows.handshakes import HandshakeBook
from wirecover.capture.flows.hosts import DATAGRAM_SERVICES, STREAM_SERVICES, HostBook
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.lookups import MULTICAST_NAMES, Lookups
from wirecover.capture.flows.messenger import STREAM_BYTES, note_datagram, open_stream
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.piece import PACKET_FIELDS, PacketFacts, Piece
from wirecover.capture.flows.quic_handshake import QuicFacts
from wirecover.capture.flows.relayed import inner_datagram, rtp_run
from wirecover.capture.flows.sessions import CallBook, SubscriberBook
from wirecover.capture.flows.shapes import ShapeBook
from wirecover.capture.flows.ssh_handshake import SshHandshake
from wirecover.capture.flows.state import AFTER_GAP, IS_TLS, TLS_START
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns import DnsTcpReader, looks_like_dns
from wirecover.capture.protocols.dtls import DtlsReader, looks_like_dtls
from wirecover.capture.protocols.exchanges import Recognised, Said, recognise_exchange
from wirecover.capture.protocols.isakmp import HEADER_BYTES, KEEPALIVE, MARKER, looks_like_ike, parse_isakmp
from wirecover.capture.protocols.messenger_datagrams import TELLING_LENGTHS
from wirecover.capture.protocols.opcua import OpcUaReader, looks_like_opcua
from wirecover.capture.protocols.quic import InitialReader, QuicHello, looks_like_quic, version_name
from wirecover.capture.protocols.services import CLEARTEXT, cleartext_service
from wirecover.capture.protocols.sip import SipStream
from wirecover.capture.protocols.ssh import READ_BYTES
from wirecover.capture.protocols.stun import MAGIC_COOKIE, looks_like_stun
from wirecover.capture.protocols.stun_tcp import StunTcpReader
from wirecover.capture.protocols.tls import HandshakeReader
from wirecover.capture.protocols.x509 import Certificate

__all__ = ["PACKET_FIELDS", "Dissector", "PacketFacts", "Piece"]

_DNS_PORTS: Final = frozenset((53, 5353, 5355))
_WHOLE_STREAM: Final = 1 << 20
"""A framed protocol over TCP (DNS, STUN) is read this far into the stream."""
_ENDLESS: Final = 1 << 40
"""SIP over TCP is read to the end: each message stands for itself."""
_FRAMED_SERVICES: Final = (None, "dns", "stun")
"""The other direction of a framed protocol has to be read too."""
_SHOWN_OTHER: Final = 4
"""Pieces of an unrecognised stream that are tried before it is left alone."""
_FINISHED_READER: Final = HandshakeReader(0)
"""Stands for the reader of a direction whose clear part is over."""
_FINISHED_QUIC: Final = InitialReader()
_FINISHED_QUIC_FLOW: Final = Readers()
"""Stands for the readers of a flow whose QUIC hellos are known; nothing is ever written to it."""
_FINISHED_QUIC_FLOW.quic = _FINISHED_QUIC
_PROXIES: Final = frozenset({"socks"})
_CONNECT: Final = re.compile(rb"CONNECT ([A-Za-z0-9.\-\[\]:]{1,300}) HTTP/1\.[01]\r?\n")


class Dissector:
    """Reads the pieces of one capture into tables. `flows` and `halves` are the tracker's arrays."""

    def __init__(
        self, evidence: EvidenceWriter, names: NameBook, ledger: Ledger, shapes: ShapeBook, hosts: HostBook
    ) -> None:
        self._evidence = evidence
        self._hosts = hosts
        self._ledger = ledger
        self._shapes = shapes
        self._lookups = Lookups(evidence, names, ledger, hosts)
        self._handshakes = HandshakeBook(evidence, ledger, self._lookups)
        self._calls = CallBook(evidence, ledger)
        self.subscribers = SubscriberBook(evidence, ledger)

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
        if readers.messenger is not None and self._read_messenger(dialogue, readers, piece, data):
            return STREAM_BYTES
        if dialogue.service in _OWN_STREAMS:
            return _OWN_STREAMS[dialogue.service](self, dialogue, readers, piece, data)
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
        return self._name_stream(dialogue, readers, piece, data)

    def _name_stream(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int | None:
        """A piece of a stream that nobody has claimed yet."""
        dialogue.note_payload(piece.half, piece.length, data)
        dialogue.service = self._name_service(piece, data, "tcp")
        if dialogue.service is None and sum(readers.shown) == 1:
            readers.messenger = open_stream(dialogue.flow_no, piece, data, self._evidence)
            if readers.messenger is not None:
                return STREAM_BYTES
        if dialogue.service is None:
            if looks_like_opcua(data):
                dialogue.service = "opcua"
            else:
                self._recognise(dialogue, piece, "tcp")
        if dialogue.service in STREAM_SERVICES:
            self._read_head(dialogue, readers, piece, data)
        if dialogue.service == "http-connect" and (target := _CONNECT.match(data)):
            found = Recognised("http-connect", "CONNECT request", target[1].decode("ascii"))
            self._note_recognised(dialogue, piece.frame, "http-connect", found)
        if dialogue.service == "ssh":
            dialogue.ssh = SshHandshake()
            return self._read_ssh(dialogue.ssh, piece, data)
        if dialogue.service in _OWN_STREAMS and dialogue.service not in _PROXIES:
            return _OWN_STREAMS[dialogue.service](self, dialogue, readers, piece, data)
        return 0 if readers.shown[piece.half] >= _SHOWN_OTHER else None

    def _read_framed(
        self, dialogue: Dialogue, piece: Piece, reader: DnsTcpReader | StunTcpReader, data: bytes
    ) -> int | None:
        """Messages of a length-framed protocol. 0 when the framing broke, else how far to show the stream."""
        for message in reader.feed(data):
            if isinstance(reader, DnsTcpReader):
                self._lookups.read_dns(dialogue, piece, message)
            elif message[4:8] == MAGIC_COOKIE:
                self._read_stun(dialogue, piece, message)
            else:
                self._read_relayed(dialogue, piece, message)
        if reader.problem is not None:
            if dialogue.service is not None:
                self._note("malformed-" + dialogue.service, reader.problem, piece)
            return 0
        dialogue.service = dialogue.service or ("dns" if isinstance(reader, DnsTcpReader) else "stun")
        return _WHOLE_STREAM

    def _read_messenger(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> bool:
        """Frames of a messenger. False: they ended, and the piece is for whoever else wants it."""
        stream = readers.messenger
        assert stream is not None
        gap = bool(piece.flags & AFTER_GAP)
        if not gap and stream.feed(piece, data, self._evidence):
            dialogue.framing = stream.framing
            dialogue.note_payload(piece.half, piece.length, data)
            return True
        readers.messenger = None
        if stream.framing is not None:
            self._ledger.note(
                "messenger-frames-ended",
                "bytes are missing in a framed messenger stream" if gap else "a messenger's framing broke",
                piece.frame,
            )
            dialogue.framing = stream.framing if gap else None
        return False

    def _read_relayed(self, dialogue: Dialogue, piece: Piece, message: bytes) -> None:
        """What stands between STUN messages of a TCP connection: ChannelData, or packets of media (RFC 4571)."""
        inner = inner_datagram(message)
        if looks_like_dtls(inner):
            self._read_dtls(dialogue, piece, inner, relayed=True)
        elif inner is message and (run := rtp_run(dialogue.reading().rare.rtp[piece.half], message)):
            dialogue.reading().rare.rtp[piece.half] = run
            if run[2] == 3:
                self._note_recognised(
                    dialogue, piece.frame, "rtp",
                    Recognised("rtp", "three packets in order behind lengths of RFC 4571", f"ssrc 0x{run[0]:08x}"),
                )  # fmt: skip

    def _read_tls(self, dialogue: Dialogue, piece: Piece, data: bytes) -> int | None:
        half = piece.half
        dialogue.begin_tls()
        readers = dialogue.reading()
        reader = readers.tls[half]
        if piece.flags & TLS_START or reader is None:
            if not piece.flags & TLS_START:
                return 0  # its beginning was not seen
            reader = readers.tls[half] = HandshakeReader()
        elif reader is _FINISHED_READER:
            return 0
        elif piece.flags & AFTER_GAP:
            self._handshakes.take_cut(dialogue, half, reader, *readers.tls_seen[half])
            self._ledger.note("gap-in-handshake", "bytes of a TLS handshake are missing", piece.frame)
            readers.tls[half] = _FINISHED_READER
            return 0
        readers.tls_seen[half] = piece.seen
        for message in reader.feed(data):
            self._handshakes.take(dialogue, "tcp", piece, message)
        if reader.problem is not None:
            self._note("malformed-tls", reader.problem, piece)
        if not reader.done:
            return None
        self._handshakes.end(dialogue, reader)
        readers.tls[half] = _FINISHED_READER
        return 0

    def _read_ssl2(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int | None:
        """The other half of a flow whose client spoke TLS: an SSL 2.0 ServerHello, or nothing that is read."""
        if dialogue.client_half is None or piece.half == dialogue.client_half or piece.flags & AFTER_GAP:
            return None
        return self._handshakes.take_ssl2(dialogue, readers, piece, data)

    def _read_head(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> None:
        """What a host says of itself at the beginning of a stream (HTTP)."""
        if dialogue.service is not None and readers.shown[piece.half] == 1 and not piece.flags & AFTER_GAP:
            self._hosts.take_stream_head(
                dialogue.service, piece.sender[0], data, piece.frame, piece.ts, piece.receiver[0]
            )

    def _read_ssh(self, handshake: SshHandshake, piece: Piece, data: bytes) -> int:
        """Identification and algorithm lists; then nothing is in clear."""
        reader = handshake.readers[piece.half]
        if reader.done or piece.flags & AFTER_GAP:
            return 0
        handshake.feed(piece.half, piece.frame, data)
        if reader.problem is not None:
            self._note("malformed-ssh", reader.problem, piece)
        return 0 if reader.done else READ_BYTES

    def _read_sip_stream(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int:
        reader = readers.rare.sip[piece.half]
        if reader is None or piece.flags & AFTER_GAP:
            reader = readers.rare.sip[piece.half] = SipStream()
        if reader.problem is not None:
            return 0
        for message in reader.feed(data):
            self._calls.take_sip(dialogue.flow_no, piece, message)
        if reader.problem is not None:
            self._note("malformed-sip", reader.problem, piece)
            return 0
        return _ENDLESS

    def _read_opcua(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int:
        reader = readers.rare.opcua[piece.half]
        if reader is None:
            reader = readers.rare.opcua[piece.half] = OpcUaReader()
        if reader.done or piece.flags & AFTER_GAP:
            return 0
        for head in reader.feed(data):
            self._handshakes.take_plain(dialogue, "opcua", piece, head.certificates)
        if reader.problem is not None:
            self._note("malformed-opcua", reader.problem, piece)
        return 0 if reader.done else _WHOLE_STREAM

    def _read_proxy(self, dialogue: Dialogue, readers: Readers, piece: Piece, data: bytes) -> int | None:
        """The target that a proxy was asked for, in the first payloads of both sides."""
        dialogue.note_payload(piece.half, piece.length, data)
        if not dialogue.recognised:
            self._recognise(dialogue, piece, "tcp")
        return None

    # ---- UDP ---------------------------------------------------------------------------------------------

    def read_udp(self, dialogue: Dialogue, piece: Piece, data: bytes) -> bool | None:
        """Read a datagram. False: no more handshake datagrams of this flow are wanted; True: they are; None: as
        before.
        """
        if dialogue.service is None or dialogue.service == "stun":
            dialogue.note_payload(piece.half, piece.length, data)
            if piece.length in TELLING_LENGTHS:
                note_datagram(dialogue.flow_no, piece, data, self._evidence)
        if data[4:8] == MAGIC_COOKIE and data[0] < 0x40:
            dialogue.service = dialogue.service or "stun"
            return self._read_stun(dialogue, piece, data)
        if dialogue.readers is not None and dialogue.readers.quic is not None:
            return self._read_quic(dialogue, dialogue.readers, piece, data)
        if data[0] < 64 and looks_like_dtls(data):
            return self._read_dtls(dialogue, piece, data)
        service = dialogue.service
        if service == "stun" and looks_like_dtls(inner := inner_datagram(data)):
            return self._read_dtls(dialogue, piece, inner, relayed=True)
        if service is None or service in ("dns", "mdns", "llmnr"):
            source, target = piece.ports
            known = source in _DNS_PORTS or target in _DNS_PORTS
            if service is not None or looks_like_dns(data, known_port=known):
                dialogue.service = service or MULTICAST_NAMES.get(target, MULTICAST_NAMES.get(source, "dns"))
                self._lookups.read_dns(dialogue, piece, data)
                return None
        if service is None and looks_like_quic(data):
            readers = dialogue.reading()
            readers.quic = InitialReader()
            return self._read_quic(dialogue, readers, piece, data)
        if service is None and looks_like_stun(data):  # RFC 3489, without the cookie
            self._lookups.read_stun(dialogue, piece, data)
            dialogue.service = "stun"
        elif service is None:
            self._name_datagram(dialogue, piece, data)
        self._read_service(dialogue, piece, data)
        return None

    def _name_datagram(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        dialogue.service = self._name_service(piece, data, "udp")
        if dialogue.service is None:
            self._recognise(dialogue, piece, "udp")

    def _read_service(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        """A datagram of a named service that has something to tell."""
        service = dialogue.service
        if service in DATAGRAM_SERVICES:
            told = self._hosts.take_datagram(
                service, piece.sender[0], piece.receiver[0], data, piece.frame, piece.ts
            )
            self._lookups.name_all(dialogue, piece, told)
        elif service == "sip":
            if data.strip(b"\r\n\0"):  # else it keeps a translator's mapping (RFC 5626 3.5.1)
                self._calls.take_sip(dialogue.flow_no, piece, data)
        elif service == "radius":
            self.subscribers.take_radius(dialogue.flow_no, piece, data)
        elif service == "gtp-c":
            self.subscribers.take_gtp(dialogue.flow_no, piece, data)
        elif service == "ike":
            self._read_ike(dialogue, piece, data)

    def _read_ike(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        """Certificates and names that IKE shows in the clear; ESP of the same flow shows nothing."""
        if data[:4] == MARKER and 4500 in piece.ports:
            data = data[4:]
        if data == KEEPALIVE or not looks_like_ike(data):
            if 500 in piece.ports and len(data) < HEADER_BYTES:
                self._ledger.note("malformed-ike", "message is cut", piece.frame)
            return
        try:
            message = parse_isakmp(data)
        except Malformed as problem:
            self._note("malformed-ike", problem, piece)
            return
        if message is None:
            return
        if not dialogue.recognised:
            found = Recognised("ike", f"ISAKMP header, exchange {message.exchange}", message.version_name)
            self._note_recognised(dialogue, piece.frame, "ike", found)
        for kind, text in message.identities:
            self._hosts.note(piece.sender[0], None, f"ike-{kind}", text, "ike", piece.frame, piece.ts)
        if message.certificates:
            self._handshakes.take_plain(dialogue, "ike", piece, message.certificates)

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
            self._end_quic(dialogue, readers, reader)
        return not reader.done

    def _take_quic(self, dialogue: Dialogue, readers: Readers, piece: Piece, hello: QuicHello) -> None:
        handshake = dialogue.handshake or Handshake("quic")
        dialogue.handshake = handshake
        seen = readers.quic_seen[min(hello.datagram, len(readers.quic_seen)) - 1]
        handshake.quic_version = version_name(hello.version)
        try:
            if hello.kind == "client":
                facts = readers.quic_facts = readers.quic_facts or QuicFacts()
                self._handshakes.take_quic_client(handshake, self._shapes, hello, seen)
                facts.take(hello)
            else:
                handshake.take_server(self._shapes.quic_server(hello.body), *seen)
        except Malformed as problem:
            self._note("malformed-quic", problem, piece)

    def _end_quic(self, dialogue: Dialogue, readers: Readers, reader: InitialReader) -> None:
        """What else the handshake showed, once it is over."""
        facts = readers.quic_facts or QuicFacts()
        self._evidence.add("quic_handshakes", facts.row(dialogue.flow_no, readers.quic_seen[0][0], reader))
        self.end_quic(dialogue)

    @staticmethod
    def end_quic(dialogue: Dialogue) -> None:
        """The hellos of a QUIC flow are known: kernels have read them."""
        dialogue.readers = _FINISHED_QUIC_FLOW

    def _read_dtls(
        self, dialogue: Dialogue, piece: Piece, data: bytes, *, relayed: bool = False
    ) -> bool | None:
        if not relayed and dialogue.service in (None, "stun"):
            dialogue.service = "dtls"
        readers = dialogue.reading().dtls
        reader = readers[piece.half]
        if reader is None:
            reader = readers[piece.half] = DtlsReader()
        problems = len(reader.problems)
        for message in reader.feed(data):
            self._handshakes.take(dialogue, "dtls", piece, message)
        for problem in reader.problems[problems:]:
            self._note("malformed-dtls", problem, piece)
        return not all(one is not None and one.done for one in readers)

    def _read_stun(self, dialogue: Dialogue, piece: Piece, data: bytes) -> bool | None:
        """A STUN message, and the handshake that it may carry through a relay."""
        indicated = self._lookups.read_stun(dialogue, piece, data)
        if indicated is None or not looks_like_dtls(indicated):
            return None
        return self._read_dtls(dialogue, piece, indicated, relayed=True)

    @staticmethod
    def _from_client(dialogue: Dialogue, piece: Piece) -> bool | None:
        return None if dialogue.client_half is None else dialogue.client_half == piece.half

    # ---- the rest ----------------------------------------------------------------------------------------

    def finish(self, dialogue: Dialogue) -> None:
        """A flow is over while parsers still waited for more: what they have is all there will be."""
        if dialogue.unanswered is not None and dialogue.service is None:
            found, frame = dialogue.unanswered
            self._note_recognised(dialogue, frame, found.service, found)
        readers = dialogue.readers
        if readers is None or readers is _FINISHED_QUIC_FLOW:
            return
        for half, reader in enumerate(readers.tls):
            if reader is not None and reader is not _FINISHED_READER:
                self._handshakes.take_cut(dialogue, half, reader, *readers.tls_seen[half])
        if readers.quic is not None and readers.quic.version is not None:
            self._end_quic(dialogue, readers, readers.quic)

    def _recognise(self, dialogue: Dialogue, piece: Piece, transport: str) -> None:
        """Does what both sides have said so far prove a protocol?"""
        payloads = dialogue.first_payloads
        if not payloads:
            return
        first = payloads[0][0]
        said = [Said(half == first, length, data) for half, length, data in payloads]
        found = recognise_exchange(said, transport, min(piece.ports))
        if found is not None and found.answered:
            self._note_recognised(dialogue, piece.frame, found.service, found)
        elif found is not None:
            frame = dialogue.unanswered[1] if dialogue.unanswered else piece.frame
            dialogue.unanswered = found, frame

    def _note_recognised(self, dialogue: Dialogue, frame: int, service: str, found: Recognised) -> None:
        dialogue.service = dialogue.service or service
        dialogue.recognised = True
        self._evidence.add(
            "recognitions", (dialogue.flow_no, found.service, found.reason, found.value, frame)
        )

    def _name_service(self, piece: Piece, data: bytes, transport: str) -> str | None:
        source, target = piece.ports
        return cleartext_service(data, target <= source, min(source, target), transport)

    def chain(self, body: bytes, flow_no: int, frame: int) -> tuple[Certificate, ...]:
        """The certificates of a Certificate message; those not seen before are written. Raises Malformed."""
        return self._handshakes.chain(body, flow_no, frame)

    def name_server(self, handshake: Handshake, flow_no: int, server: str, ts: int) -> None:
        """The server name a client asked for is a name of the address that answered."""
        if handshake.sni and handshake.client_frame is not None:
            self._lookups.name_server(handshake.sni, flow_no, server, handshake.client_frame, ts)

    def _note(self, kind: str, problem: Malformed, piece: Piece) -> None:
        self._ledger.note(kind, problem.reason, piece.frame)


_OWN_STREAMS: Final = {
    "sip": Dissector._read_sip_stream,
    "opcua": Dissector._read_opcua,
    "socks": Dissector._read_proxy,
    "tls": Dissector._read_ssl2,
}
"""Services over TCP that have a reader of their own once they are named."""
