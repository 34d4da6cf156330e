"""DNS and STUN messages that a parser reads -> rows, and what they teach of names."""

from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.dialogue import Dialogue
from wirecover.capture.flows.endpoints import endpoint_text
from wirecover.capture.flows.hosts import HostBook, NamedAddress
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.piece import Piece
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.dns import DnsMessage, parse_dns
from wirecover.capture.protocols.stun import parse_stun

MULTICAST_NAMES: Final = {5353: "mdns", 5355: "llmnr"}
_ADDRESSES: Final = frozenset((1, 28))


class Lookups:
    """Writes the messages of one capture that say which name or address belongs to which."""

    def __init__(self, evidence: EvidenceWriter, names: NameBook, ledger: Ledger, hosts: HostBook) -> None:
        self._evidence = evidence
        self._names = names
        self._ledger = ledger
        self._hosts = hosts

    def read_dns(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        """One DNS message."""
        try:
            message = parse_dns(data)
            if message is None:
                self._ledger.note("malformed-dns", "message is cut", piece.frame)
                if piece.length <= len(data):  # so it was sent, and its receiver could not read it either
                    return
                message = parse_dns(data, cut=True)
        except Malformed as problem:
            self._ledger.note("malformed-dns", problem.reason, piece.frame)
            return
        if message is None:
            return
        if dialogue.service is not None and dialogue.service in MULTICAST_NAMES.values():
            told = self._hosts.take_message(
                dialogue.service, piece.sender[0], message, data, piece.frame, piece.ts
            )
            self.name_all(dialogue, piece, told)
        question = message.questions[0] if message.questions else None
        asked = question.name if question else None
        self._evidence.add(
            "dns_messages",
            (dialogue.flow_no, piece.frame, piece.ts, message.id, message.is_response, asked,
             question.type_name if question else None, message.rcode_name if message.is_response else None,
             len(message.answers)),
        )  # fmt: skip
        # answers in a question repeat what others said (RFC 6762 section 7.1)
        kept = message.is_response or not self._evidence.own_words_only
        for record in message.answers if kept else ():
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
            if record.type not in _ADDRESSES or not record.fits or record.data.startswith("\\#"):
                continue
            name = asked if asked is not None and source == "dns" else record.name
            ip = record.data
            self.name(ip, name, source, dialogue.flow_no, piece)
            self._names.learn(piece.receiver[0], ip, name.lower(), piece.frame, piece.ts)

    def name_all(self, dialogue: Dialogue, piece: Piece, names: tuple[NamedAddress, ...]) -> None:
        """Names that a host or its server announced."""
        for ip, name, source in names:
            self.name(ip, name, source, dialogue.flow_no, piece)

    def name(self, ip: str, name: str, source: str, flow_no: int, piece: Piece) -> None:
        """By `source`, this address has this name."""
        self._names.note(ip, name.lower(), source, flow_no, piece.frame, piece.ts)

    def name_server(self, sni: str, flow_no: int, server: str, frame: int, ts: int) -> None:
        """The server name a client asked for is a name of the address that answered."""
        self._names.note(server, sni.lower(), "sni", flow_no, frame, ts)

    def read_stun(self, dialogue: Dialogue, piece: Piece, data: bytes) -> bytes | None:
        """One STUN message; the datagram that it carries to or from a relay, if it does (RFC 8656 section 11)."""
        try:
            message = parse_stun(data)
        except Malformed as problem:
            self._ledger.note("malformed-stun", problem.reason, piece.frame)
            return None
        if message is None:
            self._ledger.note("malformed-stun", "message is cut", piece.frame)
            return None
        self._evidence.add(
            "stun_messages",
            (dialogue.flow_no, piece.frame, piece.ts, endpoint_text(*piece.sender), message.method, message.class_,
             message.transaction_id, message.username, message.realm, message.software, message.mapped,
             message.relayed, message.peer, message.error_code, message.attribute_names),
        )  # fmt: skip
        dialogue.stun_realm = dialogue.stun_realm or message.realm
        dialogue.stun_username = dialogue.stun_username or message.username
        dialogue.stun_software = dialogue.stun_software or message.software
        if not message.attribute_numbers <= dialogue.stun_attributes:
            dialogue.stun_attributes |= message.attribute_numbers
        return message.indicated
