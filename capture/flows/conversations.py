"""A step's hellos and candidate bytes -> dialogues: what is known of each flow alive.

Everything is shown in packet order. What the kernels can read (hellos by their shape, regular DNS and STUN messages)
becomes a KNOWN row; a dialogue begins with the first piece of a flow that only a parser can read.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.datagrams import DNS, STUN, DatagramReader
from wirecover.capture.flows.dialogue import Dialogue
from wirecover.capture.flows.dissector import PACKET_FIELDS, Dissector, PacketFacts, Piece
from wirecover.capture.flows.flights import MAX_CHAIN_NAMES, NO_CHAINS, FlightDeck
from wirecover.capture.flows.handshake import QUIC_VERSIONS, Chain, Handshake
from wirecover.capture.flows.handshakes import ech_of
from wirecover.capture.flows.hosts import HostBook
from wirecover.capture.flows.initials import InitialBook
from wirecover.capture.flows.known import (
    CANDIDATE_AT,
    CHAIN,
    DONE,
    FLIGHT_CODE,
    FLIGHT_SHAPE,
    HELLO_AT,
    KNOWN,
    LEFT,
    MAX_BITS,
    NO_SHAPES,
    NO_STRINGS,
    OF_QUIC,
    OF_STUN,
    OF_TLS,
    ROOM,
    SERVICES,
    SHAPE,
    converse,
    new_talk,
)
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.names import NameBook
from wirecover.capture.flows.shapes import ShapeBook, plain_name
from wirecover.capture.flows.state import IS_TLS, IS_UDP, OTHER, POOLED, TLS_START
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
_QUIET: Final = CLEARTEXT | {"dns"}


class Conversations:
    """What is known of one capture's flows, by slot."""

    def __init__(
        self, tracker: FlowTracker, evidence: EvidenceWriter, names: NameBook, ledger: Ledger, hosts: HostBook
    ) -> None:
        self._tracker = tracker
        self._evidence = evidence
        self.names = names
        self._ledger = ledger
        self.shapes = ShapeBook()
        self.dissector = Dissector(evidence, names, ledger, self.shapes, hosts)
        self._datagrams = DatagramReader()
        self._dialogues: dict[int, Dialogue] = {}
        self._known: NDArray[Any] = np.zeros(0, KNOWN)
        self._deck = FlightDeck(tracker.seed)
        self._initials = InitialBook(tracker.seed)
        shapes = self.shapes
        self._talk = new_talk(
            shapes.clients.shapes, shapes.servers.shapes, self._deck.flights, shapes.quic_clients.shapes
        )

    def get(self, slot: int) -> Dialogue | None:
        """What parsers know of a flow."""
        return self._dialogues.get(slot)

    def pop(self, slot: int) -> Dialogue:
        """What parsers knew of a spoken flow that is over."""
        dialogue = self._dialogues.pop(slot)
        if dialogue.readers is not None or dialogue.unanswered is not None:
            self.dissector.finish(dialogue)
        return dialogue

    def known(self, slots: NDArray[np.int32]) -> NDArray[Any]:
        """The KNOWN rows of these slots: a copy."""
        self._fit()
        return self._known[slots]

    def release(self, known: NDArray[Any]) -> None:
        """Flows with these KNOWN rows are over: what was gathered of their flights is not needed any more."""
        self._deck.close(known["flight"][known["flight"] >= 0])

    def chain(self, number: int) -> Chain:
        """The certificates of a KNOWN row's chain."""
        chain = self._deck.chains[number]
        assert chain is not None, "kernels leave it to the parsers"
        return chain

    def attributes(self, low: int, high: int) -> frozenset[int]:
        """The STUN attributes of a KNOWN row's bits."""
        bits = low | high << 64
        numbers = self._talk.attribute_of
        return frozenset(int(numbers[bit]) for bit in range(MAX_BITS) if bits >> bit & 1)

    # ---- one step ----------------------------------------------------------------------------------------

    def read(self, rows: NDArray[Any], buffer: NDArray[np.uint8], step: Step) -> None:
        """Take note of the step's hellos and candidate bytes, in packet order."""
        candidates, hellos = step.candidates, step.hellos
        status = self._datagrams.read(rows, buffer, candidates, self._tracker.flows)
        self._fit()
        initials = self._initials
        initials.read(
            rows, buffer, candidates, status, self._datagrams.found.message, self._tracker.flows, self._known
        )
        for key, body, server in initials.hellos():
            if server:
                self.shapes.meet_server(key, body)
            else:
                self.shapes.meet_quic(key, body)
        if len(self._talk.left) < 2 * (len(candidates) + len(hellos)):
            self._talk = self._talk._replace(left=np.zeros(2 * (len(candidates) + len(hellos)), np.int32))
        cursor = self._talk.cursor
        cursor[: LEFT + 1] = 0
        shown, pieces = (
            0,
            _Pieces(rows, buffer, step, status, self._datagrams.found.message, self._tracker.flows),
        )
        while True:
            why = converse(
                self._talk, rows, buffer, step.copies, candidates, hellos, self._datagrams.found, initials.attempts,
                initials.streams.bodies, self._tracker.flows, self._tracker.halves, self._known, self.names.arrays,
            )  # fmt: skip
            if why == SHAPE:
                self._meet(hellos[cursor[HELLO_AT]], pieces.plain)
            elif why == ROOM:
                self._make_room()
            elif why == FLIGHT_SHAPE:
                self._meet_server(int(self._known["flight"][candidates["slot"][cursor[CANDIDATE_AT]]]))
            else:
                self._show(pieces, self._talk.left[shown : cursor[LEFT]])
                shown = int(cursor[LEFT])
                if why == DONE:
                    break
                if why == CHAIN:
                    one = candidates[cursor[CANDIDATE_AT]]
                    self._meet_chain(int(one["slot"]), int(rows["frame"][one["packet"]]))
        self._write_datagrams(rows, candidates, status)
        self._evidence.add_columns(
            "quic_handshakes", initials.rows(rows, buffer, candidates, self._tracker.flows["flow_no"])
        )
        self._evidence.sort_new("quic_handshakes", "frame")

    def _fit(self) -> None:
        """A KNOWN row for every slot of the flow table."""
        missing = len(self._tracker.flows) - len(self._known)
        if missing:
            rows = np.zeros(missing, KNOWN)
            rows["flow_no"] = -1
            self._known = np.concatenate([self._known, rows])

    def _meet(self, hello: Any, buffer: memoryview) -> None:
        body = buffer[hello["at"] : hello["at"] + hello["length"]]
        key = (int(hello["first"]), int(hello["second"]))
        if not self.shapes.meet(key, body, server=bool(hello["server"])):
            self._talk.cursor[NO_SHAPES] = 1

    def _meet_server(self, block: int) -> None:
        body = self._deck.message(block)
        if not self.shapes.meet(self._deck.shape_hash(body), memoryview(body), server=True):
            self._talk.flights.count[NO_CHAINS] = 1

    def _meet_chain(self, slot: int, frame: int) -> None:
        """A chain of certificates that kernels do not know."""
        known = self._known[slot]
        body = self._deck.message(int(known["flight"]))
        chain: Chain | None = None
        try:
            found = self.dissector.chain(body, int(known["flow_no"]), frame)
        except Malformed:
            found = ()  # its flow is told so, each time, by the parser
        if found and len(found[0].host_names) <= MAX_CHAIN_NAMES:
            chain = Chain(tuple([(one.sha1, one.sha256) for one in found]), found[0].host_names)
        numbers = [self.names.number(name.lower()) for name in chain.names] if chain else []
        self._deck.meet(body, chain if min(numbers, default=0) >= 0 else None, numbers)
        self._talk = self._talk._replace(flights=self._deck.flights)

    def _make_room(self) -> None:
        held = np.where(self._known["flow_no"] == self._tracker.flows["flow_no"], self._known["names"], 0)
        if not self.names.make_room(held):
            self._talk.cursor[NO_STRINGS] = 1
        self._known["names"] = held

    def _show(self, pieces: "_Pieces", left: NDArray[np.int32]) -> None:
        """Show what only parsers can read to them."""
        if not len(left):
            return
        candidates = left[(left >= 0) & (left < FLIGHT_CODE)]
        hellos, shown = pieces.hellos(-1 - left[left < 0]), pieces.candidates(candidates)
        stun = self._stun_facts() if np.any(pieces.status[candidates] == STUN) else ()
        for code in left.tolist():
            if code < 0:
                hello, packet, flow_no = next(hellos)
                self._take_hello(hello, packet, flow_no, pieces.plain)
                continue
            if code >= FLIGHT_CODE:
                self._show_flight(code - FLIGHT_CODE)
                continue
            (slot, at, length, half, flags, _), packet, what, message, flow_no = next(shown)
            dialogue = self._dialogues.get(slot) or self._open(slot, flow_no)
            if what == STUN:
                self._take_stun(dialogue, stun, message, half, packet, pieces.plain, at, length)
                continue
            if dialogue.deaf and flags & IS_UDP and pieces.plain[at + 4 : at + 8] != MAGIC_COOKIE:
                continue
            piece = Piece(half, flags, packet)
            data = bytes((pieces.copied if flags & POOLED else pieces.plain)[at : at + length])
            if flags & IS_UDP:
                self._read_udp(dialogue, piece, data)
            else:
                self._read_tcp(dialogue, piece, data)

    def _show_flight(self, block: int) -> None:
        """Show the parsers what was gathered of a server's flight."""
        row = self._deck.flights.rows[block]
        slot, half = int(row["slot"]), int(row["half"])
        flow = self._tracker.flows[slot]
        dialogue = self._dialogues.get(slot) or self._open(slot, int(flow["flow_no"]))
        low, high = ([int(flow[f"{end}_{part}"]) for part in ("hi", "lo", "port")] for end in ("low", "high"))
        source, target = (high, low) if half else (low, high)
        flags = IS_TLS | TLS_START
        for data, frame, ts in self._deck.pieces(block):
            facts = (
                frame, ts, int(flow["ip_version"]), source[0], source[1], target[0], target[1], source[2], target[2],
                len(data),
            )  # fmt: skip
            self._read_tcp(dialogue, Piece(half, flags, facts), data)
            flags = IS_TLS

    def _open(self, slot: int, flow_no: int) -> Dialogue:
        """The dialogue of a flow that parsers have to read from here on: it begins with what kernels know."""
        known = self._known[slot]
        dialogue = self._dialogues[slot] = Dialogue(slot, flow_no)
        if known["names"]:
            dialogue.dns_names = self.names.names_at(int(known["names"]))
            dialogue.dns_fresh = self._text(known["fresh"])
        if not known["service"]:
            return dialogue
        dialogue.service = SERVICES[known["service"]]
        if known["service"] == OF_TLS:
            dialogue.handshake = self._handshake(known)
            dialogue.certificate_names = self.chain(int(known["chain"])).names if known["chain"] >= 0 else ()
            dialogue.client_half = int(known["client_half"]) if known["client_half"] >= 0 else None
        elif known["service"] == OF_STUN:
            self._restore_stun(dialogue, known)
        elif known["service"] == OF_QUIC:
            dialogue.handshake = self._handshake(known)
            dialogue.client_half = dialogue.client_told = int(known["client_half"])
            dialogue.deaf = True
            self.dissector.end_quic(dialogue)
        return dialogue

    def _handshake(self, known: Any) -> Handshake:
        of_quic = known["service"] == OF_QUIC
        handshake = Handshake("quic" if of_quic else "tcp")
        handshake.quic_version = QUIC_VERSIONS[known["quic"]]
        clients = self.shapes.quic_clients if of_quic else self.shapes.clients
        if known["client_frame"]:
            handshake.take_client(
                clients.facts[known["client"]], self._text(known["sni"]),
                int(known["client_frame"]), int(known["client_ts"]),
            )  # fmt: skip
        if known["ech"] >= 0:
            suite = int(known["ech_suite"]) & 0xFFFFFFFF
            handshake.ech = int(known["ech"]), suite >> 16, suite & 0xFFFF
        if known["server_frame"]:
            facts = self.shapes.servers.facts[known["server"]]
            assert facts is not None
            handshake.take_server(facts, int(known["server_frame"]), int(known["server_ts"]))
        if known["chain"] >= 0:
            handshake.certificates = self.chain(int(known["chain"])).digests
            handshake.certificate_frame = int(known["certificate_frame"])
        if known["abbreviated"] >= 0:
            handshake.abbreviated = bool(known["abbreviated"])
        return handshake

    def _text(self, number: int) -> str | None:
        return self.names.text(number) if number >= 0 else None

    def _restore_stun(self, dialogue: Dialogue, known: Any) -> None:
        dialogue.stun_username, dialogue.stun_realm, dialogue.stun_software = (
            self._text(known[field]) for field in ("username", "realm", "software")
        )
        dialogue.stun_attributes = self.attributes(int(known["low_bits"]), int(known["high_bits"]))
        for i in range(known["first_count"]):
            length = int(known["first_length"][i])
            head = struct.pack("!HH", known["first_kind"][i], max(0, length - 20)) + MAGIC_COOKIE
            dialogue.note_payload(int(known["first_half"]) >> i & 1, length, head, stun=True)

    # ---- what kernels have read --------------------------------------------------------------------------

    def _take_hello(
        self, hello: tuple[Any, ...], packet: PacketFacts, flow_no: int, buffer: memoryview
    ) -> None:
        """A regular hello of a spoken flow, or an odd one: the parser reads the first of each shape only."""
        slot, half, server, at, length, sni_at, sni_length, first, second, _ = hello
        frame, ts = packet[0], packet[1]
        dialogue = self._dialogues.get(slot) or self._open(slot, flow_no)
        handshake = dialogue.handshake
        if handshake is None:
            handshake = dialogue.handshake = Handshake("tcp")
        dialogue.begin_tls()
        try:
            if server:
                handshake.take_server(
                    self.shapes.server((first, second), buffer[at : at + length]), frame, ts
                )
                return
            facts = self.shapes.client((first, second), buffer[at : at + length])
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


_sets: dict[bytes, frozenset[int]] = {}


def _attribute_set(numbers: bytes) -> frozenset[int]:
    """The distinct numbers of a message's attributes (32 bits each, native order)."""
    found = _sets.get(numbers)
    if found is None:
        if len(_sets) >= 4096:
            _sets.clear()
        found = _sets[numbers] = frozenset(np.frombuffer(numbers, np.int32).tolist())
    return found


def _tuples(rows: NDArray[Any], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """The named fields of each row as a tuple of Python values: one conversion a column, none a row."""
    return zip(*(rows[name].tolist() for name in names), strict=True)


def _packets(rows: NDArray[Any], numbers: NDArray[np.int32]) -> Iterator[PacketFacts]:
    """What pieces have to know of these packets."""
    return _tuples(rows[numbers], PACKET_FIELDS)


class _Pieces:
    """A step's hellos and candidates, put into Python values when they are shown."""

    def __init__(
        self, rows: NDArray[Any], buffer: NDArray[np.uint8], step: Step, status: NDArray[np.uint8],
        message: NDArray[np.int32], flows: NDArray[Any],
    ) -> None:  # fmt: skip
        self._rows, self._step, self._message, self._flows = rows, step, message, flows
        self.status = status
        self.plain, self.copied = memoryview(buffer), memoryview(step.copies)  # type: ignore[arg-type]

    def hellos(self, numbers: NDArray[np.int32]) -> Iterator[tuple[Any, ...]]:
        """Fields, packet and flow number of each hello."""
        hellos = self._step.hellos[numbers]
        return zip(
            _tuples(hellos, _HELLO_FIELDS), _packets(self._rows, hellos["packet"]),
            self._flows["flow_no"][hellos["slot"]].tolist(), strict=True,
        )  # fmt: skip

    def candidates(self, numbers: NDArray[np.int32]) -> Iterator[tuple[Any, ...]]:
        """Fields, packet, status, message and flow number of each candidate."""
        pieces = self._step.candidates[numbers]
        return zip(
            _tuples(pieces, _PIECE_FIELDS), _packets(self._rows, pieces["packet"]), self.status[numbers].tolist(),
            self._message[numbers].tolist(), self._flows["flow_no"][pieces["slot"]].tolist(), strict=True,
        )  # fmt: skip
