"""A step's hellos and candidate bytes -> dialogues: what is known of each flow alive.

Everything is shown in packet order. What the kernels have read (hellos by their shape, regular DNS and STUN
messages) costs no parser and, for DNS, no dialogue.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.datagrams import ADDRESSES, DNS, FIRST, STUN, DatagramReader
from wirecover.capture.flows.dialogue import Dialogue
from wirecover.capture.flows.dissector import PACKET_FIELDS, Dissector, PacketFacts, Piece
from wirecover.capture.flows.endpoints import address_text
from wirecover.capture.flows.handshake import Handshake
from wirecover.capture.flows.handshakes import ech_of
from wirecover.capture.flows.hosts import HostBook
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.shapes import ShapeBook, plain_name
from wirecover.capture.flows.state import IS_UDP, OTHER, POOLED, SERVICE_DNS
from wirecover.capture.flows.tracker import FlowTracker, Step
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.services import CLEARTEXT
from wirecover.capture.protocols.stun import MAGIC_COOKIE

_HELLO_FIELDS: Final = (
    "slot",
    "half",
    "server",
    "at",
    "length",
    "sni_at",
    "sni_length",
    "first",
    "second",
    "packet",
)
_PIECE_FIELDS: Final = ("slot", "at", "length", "half", "flags", "packet")
STUN_BYTES: Final = 40
"""Of a STUN message so much is kept for the byte patterns: they tell it from others by its first bytes."""
_NO_NAMES: Final[tuple[tuple[str, int], ...]] = ()
_ADDRESS_TYPES: Final = (1, 28)
_QUIET: Final = CLEARTEXT | {"dns"}


class Conversations:
    """The dialogues of one capture's flows, by slot."""

    def __init__(
        self, tracker: FlowTracker, evidence: EvidenceWriter, names: NameBook, ledger: Ledger, hosts: HostBook
    ) -> None:
        self._tracker = tracker
        self._evidence = evidence
        self._names = names
        self._ledger = ledger
        self._shapes = ShapeBook()
        self.dissector = Dissector(evidence, names, ledger, self._shapes, hosts)
        self._datagrams = DatagramReader()
        self._dialogues: dict[int, Dialogue] = {}
        self._names_of_dns: dict[int, tuple[tuple[str, int], ...]] = {}
        """Slot -> dns_names, of the few flows without a dialogue that have any."""

    def get(self, slot: int) -> Dialogue | None:
        """What is known of a flow."""
        return self._dialogues.get(slot)

    def pop(self, slot: int) -> Dialogue | None:
        """What was known of a flow that is over."""
        dialogue = self._dialogues.pop(slot, None)
        if dialogue is not None and (dialogue.readers is not None or dialogue.unanswered is not None):
            self.dissector.finish(dialogue)
        return dialogue

    def pop_names(self, slot: int) -> tuple[tuple[str, int], ...]:
        """The `dns_names` of a flow that has no dialogue."""
        return self._names_of_dns.pop(slot, _NO_NAMES)

    # ---- one step ----------------------------------------------------------------------------------------

    def read(self, rows: NDArray[Any], buffer: NDArray[np.uint8], step: Step) -> None:
        """Show the step's hellos and candidate bytes to the parsers, in packet order."""
        candidates = step.candidates
        status = self._datagrams.read(rows, buffer, candidates, self._tracker.flows)
        shown = np.flatnonzero(status != DNS)
        hellos, hello_packets = _tuples(step.hellos, _HELLO_FIELDS), _packets(rows, step.hellos["packet"])
        flow_numbers = self._tracker.flows["flow_no"]
        hello_flows = iter(flow_numbers[step.hellos["slot"]].tolist())
        pieces = candidates[shown]
        plain, copied = memoryview(buffer), memoryview(step.copies)  # type: ignore[arg-type]
        stun = self._stun_facts()
        answers = self._answers(status)
        waiting = next(hellos, None)
        for (slot, at, length, half, flags, number), packet, what, message, flow_no in zip(
            _tuples(pieces, _PIECE_FIELDS), _packets(rows, pieces["packet"]), status[shown].tolist(),
            self._datagrams.found.message[shown].tolist(), flow_numbers[pieces["slot"]].tolist(), strict=True,
        ):  # fmt: skip
            while waiting is not None and waiting[-1] <= number:
                self._take_hello(waiting, next(hello_packets), next(hello_flows), plain)
                waiting = next(hellos, None)
            if what & DNS:
                self._take_dns(slot, flow_no, packet, what, answers, message)
                continue
            dialogue = self._dialogues.get(slot) or self._open(slot, packet, flow_no)
            if what == STUN:
                self._take_stun(dialogue, stun, message, half, packet, plain, at, length)
                continue
            if dialogue.deaf and flags & IS_UDP and plain[at + 4 : at + 8] != MAGIC_COOKIE:
                continue
            piece = Piece(half, flags, packet)
            data = bytes((copied if flags & POOLED else plain)[at : at + length])
            if flags & IS_UDP:
                self._read_udp(dialogue, piece, data)
            else:
                self._read_tcp(dialogue, piece, data)
        while waiting is not None:
            self._take_hello(waiting, next(hello_packets), next(hello_flows), plain)
            waiting = next(hellos, None)
        self._write_datagrams(rows, candidates, status)

    def _open(self, slot: int, packet: PacketFacts, flow_no: int) -> Dialogue:
        """The dialogue of a flow that has its first bytes for the parsers in `packet`."""
        dialogue = self._dialogues[slot] = Dialogue(slot, flow_no)
        if (
            _may_be_dns(packet) and self._tracker.flows[slot]["service"] == SERVICE_DNS
        ):  # its first messages needed no parser
            dialogue.service = "dns"
            dialogue.dns_names = self.pop_names(slot)
        elif self._names.any_learnt and (names := self._asked(packet)):
            dialogue.dns_names = names
            if len(names) > 1:
                dialogue.dns_fresh = self._fresh(packet)
        return dialogue

    def _asked(self, packet: PacketFacts) -> tuple[tuple[str, int], ...]:
        """What one end of a packet had learnt from DNS of the other."""
        _, _, version, source_hi, source_lo, target_hi, target_lo, *_ = packet
        source, target = (
            address_text(version, source_hi, source_lo),
            address_text(version, target_hi, target_lo),
        )
        return self._names.asked(source, target) or self._names.asked(target, source)

    def _fresh(self, packet: PacketFacts) -> str | None:
        """The name of a packet's other end that was asked for right before it."""
        _, ts, version, source_hi, source_lo, target_hi, target_lo, *_ = packet
        source, target = (
            address_text(version, source_hi, source_lo),
            address_text(version, target_hi, target_lo),
        )
        return self._names.fresh(source, target, ts) or self._names.fresh(target, source, ts)

    # ---- what kernels have read --------------------------------------------------------------------------

    def _take_hello(
        self, hello: tuple[Any, ...], packet: PacketFacts, flow_no: int, buffer: memoryview
    ) -> None:
        """A regular hello: the parser reads the first of each shape only."""
        slot, half, server, at, length, sni_at, sni_length, first, second, _ = hello
        frame, ts = packet[0], packet[1]
        dialogue = self._dialogues.get(slot) or self._open(slot, packet, flow_no)
        handshake = dialogue.handshake
        if handshake is None:
            handshake = dialogue.handshake = Handshake("tcp")
        dialogue.begin_tls()
        try:
            if server:
                handshake.take_server(
                    self._shapes.server((first, second), buffer[at : at + length]), frame, ts
                )
                return
            facts = self._shapes.client((first, second), buffer[at : at + length])
        except Malformed as problem:
            self._ledger.note("malformed-tls", problem.reason, frame)
            return
        sni = plain_name(bytes(buffer[sni_at : sni_at + sni_length])) if sni_length else None
        if facts.ech is not None and handshake.client_frame is None:
            handshake.ech = ech_of(bytes(buffer[at : at + length]))
        handshake.take_client(facts, sni, frame, ts)
        dialogue.client_half = half
        for oddity in facts.problems:
            self._ledger.note("odd-tls", oddity, frame)

    def _answers(self, status: NDArray[np.uint8]) -> "_Answers | None":
        """The addresses among the step's DNS answers, if there are any."""
        if not np.any(status & ADDRESSES):
            return None
        found, count = self._datagrams.found, int(self._datagrams.found.counts[1])
        return _Answers(
            self._datagrams.dns_names().to_pylist(), found.dns_code[: found.counts[0], 4:6].tolist(),
            found.answer_type[:count].tolist(), self._datagrams.answer_data().to_pylist(),
        )  # fmt: skip

    def _take_dns(
        self,
        slot: int,
        flow_no: int,
        packet: PacketFacts,
        what: int,
        answers: "_Answers | None",
        message: int,
    ) -> None:
        """The first message of a flow, or one with addresses: who learns which name for which address."""
        if what & FIRST and self._names.any_learnt:
            version, at = (
                packet[2],
                5 if packet[8] == 53 else 3,
            )  # most resolvers' own addresses nobody asks for
            if self._names.is_learnt(address_text(version, packet[at], packet[at + 1])) and (
                names := self._asked(packet)
            ):
                self._names_of_dns[slot] = names
        if what & ADDRESSES and answers is not None:
            frame, ts, version, _, _, target_hi, target_lo, *_ = packet
            client, name = address_text(version, target_hi, target_lo), answers.names[message].lower()
            count, first = answers.spans[message]
            for row in range(first, first + count):
                if answers.types[row] in _ADDRESS_TYPES:
                    self.dissector.learn_address(flow_no, frame, ts, client, name, answers.data[row])

    def _stun_facts(self) -> tuple[list[Any], ...]:
        """Username, realm, software of each STUN message of the step, and the numbers of its attributes."""
        found, count = self._datagrams.found, int(self._datagrams.found.counts[2])
        if not count:
            return ()
        ends = [0, *found.stun_code[:count, 3].tolist()]
        numbers = found.stun_attributes[: ends[-1]].tobytes()
        texts = (found.stun_username, found.stun_realm, found.stun_software)
        return (
            *(self._datagrams.text(text, count).to_pylist() for text in texts),
            [numbers[4 * a : 4 * b] for a, b in pairwise(ends)],
        )

    def _take_stun(
        self, dialogue: Dialogue, facts: tuple[list[Any], ...], message: int, half: int, packet: PacketFacts,
        buffer: memoryview,
        at: int, length: int,
    ) -> None:  # fmt: skip
        if dialogue.service is None or dialogue.service == "stun":
            if dialogue.may_note_payload:
                seen = bytes(buffer[at : at + min(length, STUN_BYTES)])
                dialogue.note_payload(half, packet[9], seen, stun=True)
            dialogue.service = "stun"
        username, realm, software, attributes = (column[message] for column in facts)
        dialogue.stun_realm = dialogue.stun_realm or realm
        dialogue.stun_username = dialogue.stun_username or username
        dialogue.stun_software = dialogue.stun_software or software
        numbers = _attribute_set(attributes)
        if not numbers <= dialogue.stun_attributes:
            dialogue.stun_attributes |= numbers

    def _write_datagrams(
        self, rows: NDArray[Any], candidates: NDArray[Any], status: NDArray[np.uint8]
    ) -> None:
        """Rows of the messages that the kernel has read, among those that parsers have."""
        datagrams, flow_no = self._datagrams, self._tracker.flows["flow_no"]
        if np.any(status & DNS):
            of_dns = flow_no[candidates["slot"][status & DNS != 0]]
            self._evidence.add_columns("dns_messages", datagrams.dns_messages(rows, of_dns))
            self._evidence.add_columns("dns_answers", datagrams.dns_answers(rows, of_dns))
        if np.any(status == STUN):
            of_stun = flow_no[candidates["slot"][status == STUN]]
            self._evidence.add_columns("stun_messages", datagrams.stun_messages(rows, of_stun))
        for table in ("dns_messages", "dns_answers", "stun_messages"):
            self._evidence.sort_new(table, "frame")

    # ---- what parsers read -------------------------------------------------------------------------------

    def _read_tcp(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        want = self.dissector.read_tcp(dialogue, piece, data)
        if want is not None:
            self._tracker.halves[2 * dialogue.slot + piece.half]["want"] = want
        self._hush(dialogue)

    def _read_udp(self, dialogue: Dialogue, piece: Piece, data: bytes) -> None:
        if self.dissector.read_udp(dialogue, piece, data) is False:
            self._tracker.halves["mode"][2 * dialogue.slot : 2 * dialogue.slot + 2] = OTHER
            dialogue.deaf = dialogue.service == "quic"
        if dialogue.client_half != dialogue.client_told:
            dialogue.client_told = dialogue.client_half
            self._tracker.flows["hello_half"][dialogue.slot] = dialogue.client_half
        self._hush(dialogue)

    def _hush(self, dialogue: Dialogue) -> None:
        """Of a recognised cleartext service no payload rows are kept, and no more bytes shown than it needs."""
        if dialogue.service in _QUIET:
            self._tracker.flows["quiet"][dialogue.slot] = 1


class _Answers:
    """What the step's DNS messages tell of addresses."""

    __slots__ = ("data", "names", "spans", "types")

    def __init__(self, names: list[str], spans: list[list[int]], types: list[int], data: list[str]) -> None:
        self.names, self.spans, self.types, self.data = names, spans, types, data


_sets: dict[bytes, frozenset[int]] = {}


def _attribute_set(numbers: bytes) -> frozenset[int]:
    """The distinct numbers of a message's attributes (32 bits each, native order)."""
    found = _sets.get(numbers)
    if found is None:
        if len(_sets) >= 4096:
            _sets.clear()
        found = _sets[numbers] = frozenset(np.frombuffer(numbers, np.int32).tolist())
    return found


def _may_be_dns(packet: PacketFacts) -> bool:
    return packet[7] == 53 or packet[8] == 53


def _tuples(rows: NDArray[Any], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """The named fields of each row as a tuple of Python values: one conversion a column, none a row."""
    return zip(*(rows[name].tolist() for name in names), strict=True)


def _packets(rows: NDArray[Any], numbers: NDArray[np.int32]) -> Iterator[PacketFacts]:
    """What pieces have to know of these packets."""
    return _tuples(rows[numbers], PACKET_FIELDS)
