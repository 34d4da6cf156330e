"""What kernels learn of each flow, and the one loop over a step's hellos and candidate bytes that learns it.

Most flows are regular from end to end: their hellos have a shape that was seen before, their DNS and STUN messages
need no escaping. Of such a flow nothing but a `KNOWN` row is kept, beside its row of the flow table. The first piece
of a flow that only a parser can read makes it a spoken one: that piece and all later ones go to the parsers, in packet
order, and its KNOWN row is what the flow's dialogue begins with.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from wirecover.capture.flows.datagrams import ADDRESSES, DNS, FIRST, INITIAL, STUN, DatagramReader
from wirecover.capture.flows.flights import (
    FOLLOWED,
    LEAVE,
    MAX_CHAIN_NAMES,
    NEW_CHAIN,
    NEW_SHAPE,
    OVER,
    FlightDeck,
    begins_flight,
    close_flight,
    follow,
    open_flight,
)
from wirecover.capture.flows.hellos import HELLO
from wirecover.capture.flows.initial_hellos import ATTEMPT
from wirecover.capture.flows.names import NameBook, asked, fresh, learn, note
from wirecover.capture.flows.shapes import ShapeTable, find_shape
from wirecover.capture.flows.state import AFTER_GAP, CANDIDATE, FLOW, HALF, IS_TLS, OTHER, POOLED, TLS_START
from wirecover.capture.flows.strings import AS_IT_IS, LOWER, intern
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import PACKET

FIRST_STUN: Final = 8
"""STUN messages at the start of a flow whose type and length are kept: as many as byte patterns look at."""
KNOWN: Final = np.dtype(
    [
        ("flow_no", "i8"), ("client_frame", "i8"), ("client_ts", "i8"), ("server_frame", "i8"), ("server_ts", "i8"),
        ("certificate_frame", "i8"), ("names", "i8"), ("low_bits", "u8"), ("high_bits", "u8"),
        ("sni", "i4"), ("client", "i4"), ("server", "i4"), ("username", "i4"), ("realm", "i4"), ("software", "i4"),
        ("chain", "i4"), ("flight", "i4"), ("fresh", "i4"), ("ech", "i4"), ("ech_suite", "i4"),
        ("first_kind", "u2", FIRST_STUN), ("first_length", "u2", FIRST_STUN), ("first_half", "u1"),
        ("first_count", "u1"),
        ("service", "u1"), ("spoken", "u1"), ("client_half", "i1"), ("abbreviated", "i1"), ("quic", "u1"),
    ]
)  # fmt: skip
"""Of the flow `flow_no` (another number: nothing is known of the flow in this slot). Frames are 0, numbers of
strings and shapes -1 where there are none. names: its place in `NameBook` lists. low_bits, high_bits: which STUN
attributes were seen, by the bits of `Talk.bit_of`. first_kind, first_length: type and datagram length of the first
STUN messages, bit k of first_half: which half sent message k. spoken: there is a dialogue. chain: its
number; flight: the block in which the server's flight is gathered, FLIGHT_OVER when it is read. fresh: that of its
names whose answer came right before the flow. ech, ech_suite: config id, and KDF << 16 | AEAD, of an outer Encrypted
ClientHello. abbreviated: 1 = up to
TLS 1.2 the server went on without certificates, -1 = not known. quic: code of the QUIC version (`initials`)."""
NO_FLIGHT: Final = -1
FLIGHT_OVER: Final = -2

# KNOWN.service
NOTHING: Final = 0
OF_DNS: Final = 1
OF_STUN: Final = 2
OF_TLS: Final = 3
OF_QUIC: Final = 4
SERVICES: Final = (None, "dns", "stun", "tls", "quic")

MAX_BITS: Final = 128
"""Different STUN attributes; a message with yet another one goes to the parser."""
_DNS_SOURCE, _CERTIFICATE_SOURCE = 0, 2
GONE: Final = -1
"""A flight is left to the parsers, and the piece at the cursor is in its block."""


class Talk(NamedTuple):
    """The state of the loop besides flows and names."""

    left: Any
    """What the parsers have to read, in packet order: k for candidate k, -1 - k for hello k, FLIGHT_CODE + k for the
    flight in block k."""
    cursor: Any
    """Next candidate, next hello, how many in `left`, no more strings may be kept, no more shapes may be kept."""
    bit_of: Any
    """int16 for each STUN attribute number: its bit, -1 while it has none."""
    attribute_of: Any
    """The number of each bit; the last place counts the bits in use."""
    clients: Any
    servers: Any
    flights: Any
    quic_clients: Any


FLIGHT_CODE: Final = 1 << 30
CANDIDATE_AT, HELLO_AT, LEFT, NO_STRINGS, NO_SHAPES = range(5)

# why `converse` came back
DONE, SHOW, SHAPE, ROOM, FLIGHT_SHAPE, CHAIN = range(6)
"""SHOW: the last one in `left` may teach names and has to be read before the loop goes on. SHAPE: the hello at the
cursor has a shape never seen. ROOM: a table is full. FLIGHT_SHAPE, CHAIN: the flight of the candidate at the cursor
came to a hello, or a chain, never seen."""


@kernel
def _begin(known: Any, flow_no: int) -> None:
    known.flow_no = flow_no
    known.client_frame = known.client_ts = known.server_frame = known.server_ts = known.names = 0
    known.certificate_frame = 0
    known.chain = known.flight = known.fresh = known.ech = known.abbreviated = -1
    known.low_bits = known.high_bits = np.uint64(0)
    known.sni = known.client = known.server = known.username = known.realm = known.software = -1
    known.first_half = known.first_count = known.service = known.spoken = known.quic = 0
    known.client_half = -1


@kernel
def _names_of(names: Any, packet: Any) -> int:
    """What one end of a packet had learnt from DNS of the other; see `asked`."""
    version = packet.ip_version
    at = asked(names, version, packet.src_hi, packet.src_lo, packet.dst_hi, packet.dst_lo)
    if at:
        return at
    return asked(names, version, packet.dst_hi, packet.dst_lo, packet.src_hi, packet.src_lo)


@kernel
def _fresh_of(names: Any, packet: Any) -> int:
    """The name of a packet's other end that was asked for right before it; see `fresh`."""
    version, ts = packet.ip_version, packet.ts
    name = fresh(names, version, packet.src_hi, packet.src_lo, packet.dst_hi, packet.dst_lo, ts)
    if name >= 0:
        return name
    return fresh(names, version, packet.dst_hi, packet.dst_lo, packet.src_hi, packet.src_lo, ts)


@kernel
def _open(known: Any, flow: Any, names: Any, packet: Any) -> bool:
    """Make the KNOWN row that of this flow, if it is another's; False without room."""
    if known.flow_no != flow.flow_no:
        at = _names_of(names, packet)
        if at < 0:
            return False
        _begin(known, flow.flow_no)
        known.names = at
        if at and names.lists[at] > 1:
            known.fresh = _fresh_of(names, packet)
    return True


@kernel
def _teach(talk: Any, names: Any, found: Any, message: int, packet: Any, flow_no: int) -> bool:
    """The addresses in a DNS response are known by the name asked for; False without room."""
    name = intern(
        names.strings, found.dns_name.arena, np.int64(found.dns_name.offsets[message]),
        np.int64(found.dns_name.offsets[message + 1]), LOWER,
    )  # fmt: skip
    if name < 0:
        if not talk.cursor[3]:
            return False
        names.counts[4] += 1
        return True
    code = found.dns_code[message]
    for row in range(code[5], code[5] + code[4]):
        kind = found.answer_type[row]
        if kind != 1 and kind != 28:
            continue
        version = 4 if kind == 1 else 6
        hi, lo = found.answer_hi[row], found.answer_lo[row]
        if not note(names, version, hi, lo, name, _DNS_SOURCE, flow_no, packet.frame, packet.ts):
            return False
        if version == packet.ip_version and not learn(
            names, version, packet.dst_hi, packet.dst_lo, hi, lo, name, packet.frame, packet.ts
        ):
            return False
    return True


@kernel
def _kept_text(talk: Any, names: Any, text: Any, message: int, before: int) -> int:
    """The number of a STUN text, if none was kept before; -1: still none; -2: no room."""
    if before >= 0 or not text.present[message]:
        return before
    start, end = np.int64(text.offsets[message]), np.int64(text.offsets[message + 1])
    if start == end:
        return before
    number = intern(names.strings, text.arena, start, end, AS_IT_IS)
    return number if number >= 0 else -2


@kernel
def _take_stun(
    talk: Any, known: Any, names: Any, found: Any, message: int, packet: Any, kind: int, half: int
) -> int:
    """Keep what a STUN message says: 1; 0: only the parser can; -1: no room."""
    start = found.stun_code[message - 1, 3] if message else 0
    low, high = known.low_bits, known.high_bits
    for i in range(start, found.stun_code[message, 3]):
        number = found.stun_attributes[i]
        bit = np.int64(talk.bit_of[number])
        if bit < 0:
            bit = np.int64(talk.attribute_of[MAX_BITS])
            if bit >= MAX_BITS:
                return 0
            talk.bit_of[number] = bit
            talk.attribute_of[bit] = number
            talk.attribute_of[MAX_BITS] += 1
        if bit < 64:
            low |= np.uint64(1) << np.uint64(bit)
        else:
            high |= np.uint64(1) << np.uint64(bit - 64)
    username = _kept_text(talk, names, found.stun_username, message, np.int64(known.username))
    realm = _kept_text(talk, names, found.stun_realm, message, np.int64(known.realm))
    software = _kept_text(talk, names, found.stun_software, message, np.int64(known.software))
    if username < -1 or realm < -1 or software < -1:
        return 0 if talk.cursor[3] else -1
    known.low_bits, known.high_bits = low, high
    known.username, known.realm, known.software = username, realm, software
    known.service = OF_STUN
    count = np.int64(known.first_count)
    if count < FIRST_STUN:
        known.first_kind[count], known.first_length[count] = kind, packet.payload_bytes
        known.first_half |= half << count
        known.first_count += 1
    return 1


@kernel
def _keep_ech(known: Any, body: Any, at: int) -> None:
    """RFC 9849 5: KDF, AEAD and config id stand behind the type of the outer hello, at `at`."""
    known.ech = np.int64(body[at + 5])
    known.ech_suite = (
        (np.int64(body[at + 1]) << 24) | (np.int64(body[at + 2]) << 16)
        | (np.int64(body[at + 3]) << 8) | np.int64(body[at + 4])
    )  # fmt: skip


@kernel
def _take_hello(talk: Any, known: Any, names: Any, hello: Any, packet: Any, buffer: Any) -> int:
    """Keep what a hello says: 1; 0: only the parser can; -1: no room; -2: its shape was never seen."""
    shape = find_shape(talk.servers if hello.server else talk.clients, hello.first, hello.second)
    if shape < 0:
        return 0 if talk.cursor[4] else -2
    if not (talk.servers if hello.server else talk.clients).plain[shape]:
        return 0
    if hello.server:
        if known.server < 0:
            known.server, known.server_frame, known.server_ts = shape, packet.frame, packet.ts
    else:
        if known.client_frame == 0:
            name = -1
            if hello.sni_length:
                name = intern(names.strings, buffer, hello.sni_at, hello.sni_at + hello.sni_length, AS_IT_IS)
                if name < 0:
                    return 0 if talk.cursor[3] else -1
            known.sni, known.client = name, shape
            known.client_frame, known.client_ts = packet.frame, packet.ts
            if hello.ech_at:
                _keep_ech(known, buffer, np.int64(hello.ech_at))
        known.client_half = hello.half
    known.service = OF_TLS
    return 1


@kernel
def _take_initials(talk: Any, known: Any, names: Any, attempt: Any, bodies: Any, rows: Any) -> int:
    """Keep what both hellos of a QUIC connection say: 1; 0: only the parser can; -1: no room."""
    client = find_shape(talk.quic_clients, attempt.first, attempt.second)
    server = find_shape(talk.servers, attempt.server_first, attempt.server_second)
    if client < 0 or server < 0 or not talk.quic_clients.plain[client] or not talk.servers.plain[server]:
        return 0
    name = -1
    if attempt.sni_length:
        name = intern(names.strings, bodies, attempt.sni, attempt.sni + attempt.sni_length, AS_IT_IS)
        if name < 0:
            return 0 if talk.cursor[3] else -1
    asked, answered = rows[attempt.client_packet], rows[attempt.server_packet]
    known.sni, known.client, known.server = name, client, server
    known.client_frame, known.client_ts = asked.frame, asked.ts
    known.server_frame, known.server_ts = answered.frame, answered.ts
    if attempt.ech:
        _keep_ech(known, bodies, np.int64(attempt.ech))
    known.client_half, known.quic, known.service = attempt.half, attempt.version, OF_QUIC
    attempt.taken = 1
    return 1


@kernel
def _leave_flight(talk: Any, known: Any) -> None:
    """Leave to the parsers what was gathered of a flight."""
    known.spoken = 1
    talk.left[talk.cursor[2]] = FLIGHT_CODE + known.flight
    talk.cursor[2] += 1
    known.flight = NO_FLIGHT


@kernel
def _leave(talk: Any, known: Any, code: int) -> None:
    """Leave a piece to the parsers; what was gathered of a flight goes before it."""
    if known.flight >= 0:
        _leave_flight(talk, known)
    known.spoken = 1
    talk.left[talk.cursor[2]] = code
    talk.cursor[2] += 1


@kernel
def _take_flight(
    talk: Any, known: Any, names: Any, one: Any, packet: Any, buffer: Any, copies: Any, wants: Any
) -> int:
    """A piece of what the server says behind a known ClientHello; see `follow`."""
    flights = talk.flights
    if known.flight == FLIGHT_OVER:
        return FOLLOWED
    source = copies if one.flags & POOLED else buffer
    if known.flight == NO_FLIGHT:
        starts = one.flags & TLS_START and not one.flags & AFTER_GAP
        if not starts or not begins_flight(source, one.at, one.length):
            return LEAVE
        known.flight = open_flight(flights, one.slot, one.half)
        if known.flight < 0:
            return LEAVE
    elif one.flags & (AFTER_GAP | TLS_START) and not flights.count[1]:
        return LEAVE
    before = known.chain
    told = follow(
        flights, known, talk.servers, np.int64(known.flight), source, one.at, np.int64(one.length), packet.frame,
        packet.ts,
    )  # fmt: skip
    if told in (NEW_SHAPE, NEW_CHAIN):
        return told
    if before < 0 and known.chain >= 0:
        at = flights.chain_names[known.chain]
        for k in range(flights.name_lists[at]):
            note(
                names, packet.ip_version, packet.src_hi, packet.src_lo, flights.name_lists[at + 1 + k],
                _CERTIFICATE_SOURCE, known.flow_no, packet.frame, packet.ts,
            )  # fmt: skip
    if told == OVER:
        close_flight(flights, np.int64(known.flight))
        known.flight = FLIGHT_OVER
        wants[2 * one.slot + one.half].want = 0
    elif told == LEAVE and flights.count[1]:  # the piece is in the block already
        told = GONE
    flights.count[1] = 0
    return told


@kernel
def _may_be_stun(buffer: Any, one: Any) -> bool:
    """Does the magic cookie (RFC 8489 5) stand in this datagram? Nothing else is read of a QUIC flow any more."""
    at = one.at
    return bool(
        one.flags & POOLED or one.length < 8
        or (buffer[at + 4] == 0x21 and buffer[at + 5] == 0x12 and buffer[at + 6] == 0xA4 and buffer[at + 7] == 0x42)
    )  # fmt: skip


@kernel
def converse(
    talk: Any, rows: Any, buffer: Any, copies: Any, candidates: Any, hellos: Any, found: Any, attempts: Any,
    bodies: Any, flows: Any, halves: Any, knowns: Any, names: Any,
) -> int:  # fmt: skip
    """Go on with a step's hellos and candidates, in packet order, from the cursor; why it came back."""
    cursor = talk.cursor
    while True:
        at, hello_at = cursor[0], cursor[1]
        if hello_at < len(hellos) and (
            at >= len(candidates) or hellos[hello_at].packet <= candidates[at].packet
        ):
            hello = hellos[hello_at]
            packet, flow, known = rows[hello.packet], flows[hello.slot], knowns[hello.slot]
            if not _open(known, flow, names, packet):
                return ROOM
            told = 0
            if not known.spoken:
                told = _take_hello(talk, known, names, hello, packet, buffer)
                if told < 0:
                    return ROOM if told == -1 else SHAPE
            if told == 0:
                _leave(talk, known, -1 - hello_at)
            cursor[1] += 1
            continue
        if at >= len(candidates):
            return DONE
        one = candidates[at]
        packet, flow, known = rows[one.packet], flows[one.slot], knowns[one.slot]
        status = found.status[at]
        if not _open(known, flow, names, packet):
            return ROOM
        if status & DNS:
            if status & FIRST:
                known.service = OF_DNS
            if status & ADDRESSES and not _teach(talk, names, found, found.message[at], packet, flow.flow_no):
                return ROOM
            cursor[0] += 1
            continue
        if known.spoken:
            _leave(talk, known, at)
        elif status == INITIAL:
            told = _take_initials(talk, known, names, attempts[found.message[at]], bodies, rows)
            if told < 0:
                return ROOM
            if told == 0:
                _leave(talk, known, at)
            else:
                flow.hello_half = known.client_half
                halves[2 * one.slot].mode = halves[2 * one.slot + 1].mode = OTHER
        elif known.service == OF_QUIC:
            if _may_be_stun(buffer, one):
                _leave(talk, known, at)
        elif status == STUN:
            kind = (np.int64(buffer[one.at]) << 8) | np.int64(buffer[one.at + 1])
            told = _take_stun(talk, known, names, found, found.message[at], packet, kind, np.int64(one.half))
            if told < 0:
                return ROOM
            if told == 0:
                _leave(talk, known, at)
        elif one.flags & IS_TLS and known.client_frame and one.half != known.client_half:
            if names.counts[0] + MAX_CHAIN_NAMES > len(names.seen):
                return ROOM
            told = _take_flight(talk, known, names, one, packet, buffer, copies, halves)
            if told == NEW_SHAPE:
                return FLIGHT_SHAPE
            if told == NEW_CHAIN:
                return CHAIN
            if told == LEAVE:
                _leave(talk, known, at)
            elif told == GONE:
                _leave_flight(talk, known)
        else:
            _leave(talk, known, at)
        cursor[0] += 1
        if known.spoken and (
            packet.src_port == 53 or packet.dst_port == 53 or packet.src_port == 5353
            or packet.dst_port == 5353 or packet.src_port == 5355 or packet.dst_port == 5355
        ):  # fmt: skip
            return SHOW


def new_talk(clients: Any, servers: Any, flights: Any, quic_clients: Any) -> Talk:
    """The loop's state for a new capture, with the shapes of `shapes.ShapeTable`."""
    return Talk(
        np.zeros(1 << 10, np.int32), np.zeros(5, np.int64), np.full(1 << 16, -1, np.int16),
        np.zeros(MAX_BITS + 1, np.int32), clients, servers, flights, quic_clients,
    )  # fmt: skip


def warm() -> None:
    """Compile the kernels of this module by conversing about nothing."""
    book: ShapeTable[Any] = ShapeTable()
    talk = new_talk(book.shapes, book.shapes, FlightDeck(1).flights, book.shapes)
    converse(
        talk, np.zeros(1, PACKET), np.zeros(64, np.uint8), np.zeros(64, np.uint8), np.zeros(0, CANDIDATE),
        np.zeros(0, HELLO), DatagramReader(1).found, np.zeros(0, ATTEMPT), np.zeros(0, np.uint8), np.zeros(1, FLOW),
        np.zeros(2, HALF), np.zeros(1, KNOWN), NameBook().arrays,
    )  # fmt: skip
