"""Packet columns -> flow ids, in-order TCP streams, TLS record lengths, and the bytes the parsers need.

`track` is the one loop over packets. It keeps these rules:

* A flow is a five-tuple in either direction. Two virtual networks (`segment` of the packets) seen in one direction
  make two of it; each direction may be in one of its own. It ends when the tuple is used again: by a SYN of
  another sequence number after both ends had spoken or closed, or after silence (`TCP_IDLE`, `CLOSED_IDLE`,
  `OTHER_IDLE`). Silence is measured between packets of the flow, so forgetting idle flows early changes no result.
* A TCP direction is delivered in order. A segment from the future is held (bounded); when what it waited for
  never comes (the hold is full, or the receiver has acknowledged beyond the gap) the gap is counted in `missing`
  and delivery goes on behind it.
* TLS records are walked through the whole stream; a record is counted at the packet that completed the stream up
  to its last byte, which is when the receiver could read it.
* A parser is given a stream's bytes up to `want`, never more.

`track` returns early when an output array is nearly full, or no slot is free; call it again from where it stopped.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from wirecover.capture.flows.hellos import hash_shape, shape_client_hello, shape_server_hello
from wirecover.capture.flows.state import (
    AFTER_GAP,
    IS_TLS,
    IS_UDP,
    LOST,
    NEW,
    OTHER,
    POOLED,
    SERVICE_FRAMED,
    TLS,
    TLS_START,
)
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import OK, PACKET, PART, WHOLE

SECOND: Final = 1_000_000_000
TCP_IDLE: Final = 7200 * SECOND
"""An open TCP connection may be silent this long: push channels ping every 15 to 30 minutes."""
CLOSED_IDLE: Final = 120 * SECOND
"""A closed TCP connection's tuple is free again after this (2 x MSL, RFC 9293 3.4.2, rounded to common practice)."""
OTHER_IDLE: Final = 300 * SECOND
"""A UDP or other exchange that is silent this long is over: as long as address translators are asked to keep a UDP
mapping (RFC 4787 REQ-5 c)."""

MAX_NETWORKS: Final = 64
"""Virtual networks in which one five-tuple is told apart at one time; those beyond are taken for the first."""
HEAD_BYTES: Final = 2048
"""How much of a stream that is not TLS is shown to the parsers at first."""
HANDSHAKE_BYTES: Final = 192 * 1024
"""How much of a TLS stream is shown to the parsers: certificate chains fit, nothing endless does."""
FRAMED_BYTES: Final = 1 << 20
"""How much of a stream of length-framed messages (DNS, STUN over TCP) is shown to the parsers."""
HEAD_DATAGRAMS: Final = 4
HOST_DATAGRAMS: Final = 4096
"""The same, on the ports of DHCP, NetBIOS and SSDP: one broadcast flow there is shared by all hosts."""
SESSION_PORTS: Final = (5060, 5061, 1812, 1813, 1645, 1646, 2123)
"""SIP, RADIUS and GTP-C: every datagram tells something of its own."""
_SESSION_PORTS: Final = np.array(SESSION_PORTS, np.int64)
ENDLESS: Final = 1 << 40
HANDSHAKE_DATAGRAMS: Final = 64
"""How many more are shown of a direction whose datagrams look like a QUIC handshake."""
BLOCK: Final = 2048
"""Bytes of one block of the pool of held segments."""
MAX_HELD: Final = 96
"""Blocks one direction may hold before its gap is given up."""

MAX_PAYLOAD: Final = 1 << 17
"""Payload bytes looked at of one packet: more than IP can carry, jumbograms apart. The room left in the output
arrays before a packet is followed is measured by it; what lies behind counts as not captured."""
MAX_RECORD: Final = 16384 + 2048
_RECORD_ROOM: Final = 1 << 17
_CANDIDATE_ROOM: Final = 256


class Stage(NamedTuple):
    """The arrays `track` works with besides the packets, the flows and the index."""

    held: Any
    """HELD rows, one a block of `pool`."""
    pool: Any
    free: Any
    """Stack of free blocks; its height is counters[POOL_FREE]."""
    candidates: Any
    records: Any
    copies: Any
    hellos: Any
    shape: Any
    """Scratch for one hello's shape."""
    found: Any
    counters: Any
    seed: Any
    """One secret of the process, against crafted collisions; no result depends on it."""


# indices into Stage.counters
FLOWS, FREE, FINISHED, RECORDS, CANDIDATES, POOL_FREE, POOL_COPIED, NO_SLOT, HELLOS = range(9)


@kernel
def _mix(value: Any) -> Any:
    value ^= value >> np.uint64(31)
    value *= np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(29)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    return value ^ (value >> np.uint64(32))


@kernel
def _find(
    flows: Any,
    halves: Any,
    index: Any,
    key: Any,
    a: int,
    b: int,
    c: int,
    d: int,
    p: int,
    q: int,
    protocol: int,
    version: int,
    segment: int,
    which: int,
) -> int:
    """Position in `index` of this tuple, or of the free place where it belongs.

    Of several flows in virtual networks: the one of this network in this direction, else the one that has it in the
    other direction and shows none in this one, else the first that nothing speaks against.
    """
    mask = len(index) - 1
    at = np.int64(key) & mask
    best, best_rank, best_number = np.int64(-1), 0, np.int64(0)
    lowest, lowest_number, same = np.int64(-1), np.int64(0), 0
    while index[at] >= 0:
        flow = flows[index[at]]
        if (
            flow.low_lo == a and flow.high_lo == b and flow.low_port == p and flow.high_port == q
            and flow.protocol == protocol and flow.low_hi == c and flow.high_hi == d and flow.ip_version == version
        ):  # fmt: skip
            if flow.segment == 0 and segment == 0:
                return at
            here, other = halves[2 * index[at] + which].segment, halves[2 * index[at] + 1 - which].segment
            rank = 0
            if here == segment and segment != 0:
                rank = 3
            elif here == 0 and other == segment:
                rank = 2
            elif here == 0 or segment == 0:
                rank = 1
            if rank > best_rank or (rank == best_rank and rank > 0 and flow.flow_no < best_number):
                best, best_rank, best_number = at, rank, np.int64(flow.flow_no)
            if same == 0 or flow.flow_no < lowest_number:
                lowest, lowest_number = at, np.int64(flow.flow_no)
            same += 1
        at = (at + 1) & mask
    if best < 0 and same >= MAX_NETWORKS:
        return lowest
    return best if best >= 0 else at


@kernel
def _emit(
    stage: Any, packet: int, slot: int, at: int, length: int, stream: int, half: int, flags: int
) -> None:
    row = stage.candidates[stage.counters[CANDIDATES]]
    row.packet = packet
    row.slot = slot
    row.at = at
    row.length = length
    row.stream = stream
    row.half = half
    row.flags = flags
    stage.counters[CANDIDATES] += 1


@kernel
def _is_record_header(buffer: Any, at: int, length: int) -> bool:
    """Could a TLS record start here? (RFC 8446 5.1; version 3.0 to 3.4, any content type in use)"""
    return (
        length >= 5
        and 20 <= buffer[at] <= 24
        and buffer[at + 1] == 3
        and buffer[at + 2] <= 4
        and (np.int64(buffer[at + 3]) << 8 | np.int64(buffer[at + 4])) <= MAX_RECORD
    )


@kernel
def _is_tlcp(buffer: Any, at: int, length: int) -> bool:
    """Does a hello of TLCP (GB/T 38636: version 0x0101 in record and hello, else as TLS 1.1) start here?"""
    return (
        length >= 11
        and buffer[at] == 22
        and buffer[at + 1] == 1
        and buffer[at + 2] == 1
        and 1 <= buffer[at + 5] <= 2
        and buffer[at + 6] == 0
        and buffer[at + 9] == 1
        and buffer[at + 10] == 1
        and (np.int64(buffer[at + 3]) << 8 | np.int64(buffer[at + 4])) <= MAX_RECORD
    )


@kernel
def _is_cookie(buffer: Any, at: int) -> bool:
    """STUN's magic cookie (RFC 8489 5)."""
    return buffer[at] == 0x21 and buffer[at + 1] == 0x12 and buffer[at + 2] == 0xA4 and buffer[at + 3] == 0x42


@kernel
def _opens_messenger(buffer: Any, at: int, length: int) -> bool:
    """May these first bytes open a stream that `protocols/messenger_frames.py` reads? It decides, this only lets it."""
    if length == 48:  # Threema's hello is nothing but random bytes
        return True
    if length < 12:
        return False
    a, b, c, d = buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]
    if a == 0x57 and b == 0x41:
        return c < 16
    if a == 0x45 and b == 0x44 and c == 0:
        return d == 1
    if b == 0xF1 and (a == 0x16 or a == 0x19):
        return c == 3 or c == 4
    if a == 0 and b == 1 and c == 0:
        return d == 0 and buffer[at + 4] == 12 and buffer[at + 8] == 2
    if buffer[at + 6] == 0xFC and buffer[at + 7] == 0xFF and buffer[at + 9] == 0x80:
        return a + 256 * b == length
    if a == 0xEF:
        return 5 <= b < 0x7F and length >= 2 + 4 * b
    return a == b and b == c and c == d and (a == 0xEE or a == 0xDD)


@kernel
def _is_hello(buffer: Any, at: int, length: int) -> int:
    """1 = a ClientHello record starts here, 2 = a ServerHello record, 3 = an SSLv2-style ClientHello, 0 = neither."""
    if length >= 11 and _is_record_header(buffer, at, length) and buffer[at] == 22:
        if (buffer[at + 5] == 1 or buffer[at + 5] == 2) and buffer[at + 9] == 3 and buffer[at + 6] == 0:
            return np.int64(buffer[at + 5])
    if _is_tlcp(buffer, at, length):
        return np.int64(buffer[at + 5])
    if length >= 11 and buffer[at] & 0x80 and buffer[at + 2] == 1:
        body = (np.int64(buffer[at] & 0x7F) << 8) | np.int64(buffer[at + 1])
        version = (np.int64(buffer[at + 3]) << 8) | np.int64(buffer[at + 4])
        ciphers = (np.int64(buffer[at + 5]) << 8) | np.int64(buffer[at + 6])
        session = (np.int64(buffer[at + 7]) << 8) | np.int64(buffer[at + 8])
        challenge = (np.int64(buffer[at + 9]) << 8) | np.int64(buffer[at + 10])
        if (version == 2 or 0x0300 <= version <= 0x0303) and ciphers % 3 == 0 and ciphers > 0:
            if 9 + ciphers + session + challenge == body and 8 <= challenge <= 32:
                return 3
    return 0


@kernel
def _walk_records(buffer: Any, at: int, length: int, half: Any, packet: int, stage: Any) -> None:
    """Follow TLS record boundaries through `length` bytes of a stream in order; note each record that ends."""
    end = at + length
    while at < end:
        if half.record_left == 0:
            half.header = (half.header << np.uint64(8)) | np.uint64(buffer[at])
            half.header_have += 1
            at += 1
            if half.header_have < 5:
                continue
            kind = np.int64(half.header >> np.uint64(32))
            version = np.int64((half.header >> np.uint64(16)) & np.uint64(0xFFFF))
            size = np.int64(half.header & np.uint64(0xFFFF))
            half.header, half.header_have = np.uint64(0), 0
            if kind < 20 or kind > 24 or (version >> 8 != 3 and version != 0x0101) or size > MAX_RECORD:
                half.mode, half.want = LOST, 0
                return
            if kind == 23:
                half.want = 0  # application data: nothing in clear can follow
            half.record_type, half.record_length, half.record_left = kind, size, size
        step = min(np.int64(half.record_left), end - at)
        half.record_left -= step
        at += step
        if half.record_left == 0:
            _end_record(half, packet, stage)


@kernel
def _end_record(half: Any, packet: int, stage: Any) -> None:
    row = stage.records[stage.counters[RECORDS]]
    row.packet = packet
    row.length = half.record_length
    row.kind = half.record_type
    stage.counters[RECORDS] += 1


@kernel
def _skip(half: Any, length: int, packet: int, stage: Any) -> None:
    """`length` bytes of the stream are missing: keep record alignment if they end inside or with their record."""
    half.stream += length
    half.gap = 1
    if half.mode == TLS:
        if half.header_have == 0 and half.record_left >= length:
            half.record_left -= length
            if half.record_left == 0:
                _end_record(half, packet, stage)
        else:
            half.mode, half.want = LOST, 0


@kernel
def _took_hello(
    buffer: Any,
    at: int,
    length: int,
    half: Any,
    which: int,
    slot: int,
    packet: int,
    pooled: int,
    flags: int,
    stage: Any,
) -> bool:
    """Whether these bytes need no parser: a regular hello, noted by its shape, or what follows one of no interest."""
    if half.shaped:
        certificate = length > 5 and buffer[at] == 22 and buffer[at + 5] == 11
        if not certificate:
            half.want = 0
        return not certificate
    if not flags & TLS_START or flags & AFTER_GAP or pooled or length < 9 or buffer[at] != 22:
        return False
    body = (np.int64(buffer[at + 6]) << 16) | (np.int64(buffer[at + 7]) << 8) | np.int64(buffer[at + 8])
    record = (np.int64(buffer[at + 3]) << 8) | np.int64(buffer[at + 4])
    if record != body + 4 or record + 5 > length or stage.counters[HELLOS] >= len(stage.hellos):
        return False
    start, end = at + 9, at + 9 + body
    server = buffer[at + 5] == 2
    stage.found[0] = stage.found[1] = stage.found[2] = 0
    if server:
        size = shape_server_hello(buffer, start, end, stage.shape)
    elif buffer[at + 5] == 1 and record + 5 == length:
        size = shape_client_hello(buffer, start, end, stage.shape, stage.found)
    else:
        size = -1
    if size < 0:
        return False
    row = stage.hellos[stage.counters[HELLOS]]
    row.packet, row.slot, row.half, row.server = packet, slot, which, server
    row.at, row.length = start, body
    row.sni_at, row.sni_length, row.ech_at = stage.found[0], stage.found[1], stage.found[2]
    row.first = hash_shape(stage.shape, size, stage.seed, 0)
    row.second = hash_shape(stage.shape, size, stage.seed, 1)
    stage.counters[HELLOS] += 1
    if server:
        half.want = 0  # TLS 1.3: behind the ServerHello everything is encrypted
    else:
        half.shaped = 1
    return True


@kernel
def _deliver(
    buffer: Any,
    at: int,
    length: int,
    flow: Any,
    half: Any,
    which: int,
    slot: int,
    packet: int,
    pooled: int,
    stage: Any,
) -> None:
    """The next `length` bytes of a stream, in order: classify, show to the parsers, walk the records."""
    flags = AFTER_GAP if half.gap else 0
    if half.mode == NEW:
        # a hello may be cut anywhere, even after its first byte; the walk finds out if this was none
        half.mode = (
            TLS if _is_record_header(buffer, at, length) or (length < 5 and buffer[at] == 22) else OTHER
        )
        if half.mode == TLS:
            half.want = half.stream + HANDSHAKE_BYTES
            flags |= TLS_START
        elif length >= 10 and (_is_cookie(buffer, at + 4) or _is_cookie(buffer, at + 6)):
            half.want = half.stream + FRAMED_BYTES
        elif flow.service == SERVICE_FRAMED or (half.stream == 0 and _opens_messenger(buffer, at, length)):
            flow.service = SERVICE_FRAMED
            half.want = half.stream + FRAMED_BYTES
    elif half.mode == LOST and _is_record_header(buffer, at, length):
        half.mode, half.record_left, half.header_have, half.header = TLS, 0, 0, np.uint64(0)
    if half.mode == OTHER:
        hello = _is_hello(buffer, at, length)
        if hello:  # the stream's first bytes, or the end of STARTTLS, CONNECT or SOCKS
            half.mode, half.record_left, half.header_have, half.header = TLS, 0, 0, np.uint64(0)
            half.want = half.stream + HANDSHAKE_BYTES
            flags |= TLS_START
            if hello == 3:
                half.record_type = 22
                half.record_length = (np.int64(buffer[at] & 0x7F) << 8) | np.int64(buffer[at + 1])
                half.record_left = half.record_length + 2
    if half.mode == TLS:
        flags |= IS_TLS
        if flags & TLS_START and flow.hello_half < 0 and length > 5 and buffer[at] == 22:
            if buffer[at + 5] == 1:
                flow.hello_half = which
            elif buffer[at + 5] == 2:
                flow.hello_half = 1 - which
        elif flags & TLS_START and flow.hello_half < 0 and buffer[at] & 0x80:
            flow.hello_half = which
    if half.stream < half.want and not _took_hello(
        buffer, at, length, half, which, slot, packet, pooled, flags, stage
    ):
        if half.shaped:  # behind a hello taken by its shape: only a client's certificate is of interest
            flags |= TLS_START
            half.shaped = 0
        if pooled:  # its block may be used again before the parsers run
            start = stage.counters[POOL_COPIED]
            for i in range(length):
                stage.copies[start + i] = buffer[at + i]
            stage.counters[POOL_COPIED] += length
            _emit(stage, packet, slot, start, length, half.stream, which, flags | POOLED)
        else:
            _emit(stage, packet, slot, at, length, half.stream, which, flags)
        half.gap = 0
    if half.mode == TLS:
        _walk_records(buffer, at, length, half, packet, stage)
    half.stream += length


@kernel
def _release(half: Any, stage: Any) -> int:
    """Take the first held block off a direction's list; its number."""
    block = half.held
    half.held = stage.held[block].next
    half.held_count -= 1
    stage.free[stage.counters[POOL_FREE]] = block
    stage.counters[POOL_FREE] += 1
    return block


@kernel
def _drain(flow: Any, half: Any, which: int, slot: int, packet: int, stage: Any) -> None:
    """Deliver held segments whose turn has come."""
    held = stage.held
    while half.held >= 0:
        ahead = np.int64(np.int32(held[half.held].seq - half.next_seq))
        if ahead > 0:
            return
        block = _release(half, stage)
        length = np.int64(held[block].length)
        if -ahead < length:
            _deliver(
                stage.pool, block * BLOCK - ahead, length + ahead, flow, half, which, slot, packet, 1, stage
            )
            half.next_seq = np.uint32(held[block].seq + np.uint32(length))


@kernel
def _give_up_gap(half: Any, packet: int, stage: Any) -> None:
    """What the first held segment waited for will not come: count it and go on behind."""
    first = stage.held[half.held].seq
    gap = np.int64(np.int32(first - half.next_seq))
    if gap > 0:
        half.missing += gap
        _skip(half, gap, packet, stage)
        half.next_seq = first


@kernel
def _hold(buffer: Any, at: int, length: int, seq: int, half: Any, stage: Any) -> None:
    """Keep a segment that came early, in sequence order, cut into blocks."""
    held, pool = stage.held, stage.pool
    done = 0
    while done < length:
        step = min(BLOCK, length - done)
        stage.counters[POOL_FREE] -= 1
        block = stage.free[stage.counters[POOL_FREE]]
        for i in range(step):
            pool[block * BLOCK + i] = buffer[at + done + i]
        place = np.uint32(seq + done)
        held[block].seq = place
        held[block].length = step
        before, after = -1, half.held
        while after >= 0 and np.int64(np.int32(held[after].seq - place)) < 0:
            before, after = after, held[after].next
        held[block].next = after
        if before < 0:
            half.held = block
        else:
            held[before].next = block
        half.held_count += 1
        done += step


@kernel
def _tcp(
    buffer: Any, row: Any, flow: Any, half: Any, other: Any, which: int, slot: int, packet: int, stage: Any
) -> None:
    """One TCP packet: sequence bookkeeping, then the stream (RFC 9293 3.4, 3.10)."""
    held, counters = stage.held, stage.counters
    seq, flags = np.uint32(row.seq), row.tcp_flags
    if flags & 0x02:
        flow.syn = 1
        if flags & 0x10:
            if flow.syn_half < 0:
                flow.syn_half = 1 - which
            if flow.synack_ts == 0:
                flow.synack_ts = row.ts
        else:
            flow.syn_half = which
            # a SYN sent twice cannot time its answer (Karn)
            flow.syn_ts = row.ts if half.packets == 1 else 0
        if not half.seq_known:
            half.first_seq = seq
            half.next_seq = np.uint32(seq + np.uint32(1))
            half.seq_known = 1
        seq = np.uint32(seq + np.uint32(1))
    elif (
        flags & 0x10 and flow.rtt_ns < 0 and flow.syn_ts > 0 and flow.synack_ts > 0 and which == flow.syn_half
    ):
        flow.rtt_ns = max(0, row.ts - flow.syn_ts)
    if flags & 0x01:
        flow.fin |= 1 << which
    if flags & 0x04:
        flow.rst = 1
    # The receiver has acknowledged what was never seen: the capture lost it. The sender's next segment settles it,
    # for a recording may show an acknowledgement before what it acknowledges.
    if flags & 0x10 and other.held >= 0 and np.int64(np.int32(np.uint32(row.ack) - held[other.held].seq)) > 0:
        other.overdue = 1
    # a whole datagram's payload is longer than what its last fragment counts for
    length = max(np.int64(row.payload_bytes), np.int64(row.payload_captured))
    if length <= 0 or flags & 0x04:  # a reset may carry text, which is no stream (RFC 9293 3.5.2)
        return
    captured = np.int64(row.payload_captured)
    if not half.seq_known:
        half.first_seq, half.next_seq, half.seq_known = seq, seq, 1
    ahead = np.int64(np.int32(seq - half.next_seq))
    if half.overdue:
        half.overdue = 0
        if ahead > 0 and half.held >= 0:
            _give_up_gap(half, packet, stage)
            _drain(flow, half, which, slot, packet, stage)
            ahead = np.int64(np.int32(seq - half.next_seq))
    if ahead > 0:
        blocks = (captured + BLOCK - 1) // BLOCK
        if ahead > (1 << 26) or captured < length:  # no window is that wide; a cut segment cannot be held
            while half.held >= 0:
                _release(half, stage)
            half.missing += ahead if ahead <= (1 << 26) else 0
            _skip(half, ahead if ahead <= (1 << 26) else 1 << 20, packet, stage)
            half.next_seq = seq
            ahead = 0
        else:
            while half.held >= 0 and (half.held_count + blocks > MAX_HELD or counters[POOL_FREE] < blocks):
                _give_up_gap(half, packet, stage)
                _drain(flow, half, which, slot, packet, stage)
            ahead = np.int64(np.int32(seq - half.next_seq))
            if ahead > 0 and counters[POOL_FREE] >= blocks:
                _hold(buffer, row.payload, captured, seq, half, stage)
                return
            if ahead > 0:  # the pool is exhausted by other flows
                half.missing += ahead
                _skip(half, ahead, packet, stage)
                half.next_seq = seq
                ahead = 0
    if ahead + length <= 0:
        half.retransmits += 1
        return
    if ahead < 0:
        half.retransmits += 1
    start = -ahead
    if start < captured:
        _deliver(buffer, row.payload + start, captured - start, flow, half, which, slot, packet, 0, stage)
    cut = length - max(captured, start)
    if cut > 0:
        _skip(half, cut, packet, stage)
    half.next_seq = np.uint32(seq + np.uint32(length))
    if half.held >= 0:
        _drain(flow, half, which, slot, packet, stage)


@kernel
def _is_sip(buffer: Any, at: int) -> bool:
    """`SIP/2.0 `, or a method of capitals, a space, and the scheme of a URI (RFC 3261 7.1)."""
    if buffer[at] == 83 and buffer[at + 1] == 73 and buffer[at + 2] == 80 and buffer[at + 3] == 47:
        return True
    end = at + 1
    while end < at + 10 and 65 <= buffer[end] <= 90:
        end += 1
    return end >= at + 3 and buffer[end] == 32 and (buffer[end + 1] == 115 or buffer[end + 1] == 116)


@kernel
def _udp_shown(buffer: Any, row: Any, half: Any) -> bool:
    """Is this datagram for the parsers? The first of each direction, and whatever announces a handshake."""
    at, length = row.payload, row.payload_captured
    if length <= 0:
        return False
    if row.src_port in (53, 5353, 5355) or row.dst_port in (53, 5353, 5355):
        return True
    if half.want > 0:
        half.want -= 1
        return True
    first = buffer[at]
    if first < 0x40 and length >= 20:  # STUN with its magic cookie (RFC 8489 5)
        if (
            buffer[at + 4] == 0x21
            and buffer[at + 5] == 0x12
            and buffer[at + 6] == 0xA4
            and buffer[at + 7] == 0x42
        ):
            return True
    if 0x41 <= first <= 0x55 and length >= 64 and _is_sip(buffer, at):
        return True
    if 0x40 <= first <= 0x4F and length >= 17 and 20 <= buffer[at + 4] <= 22 and buffer[at + 5] == 0xFE:
        # the same in a TURN channel (RFC 8656 12.4)
        return half.mode != OTHER and buffer[at + 7] == 0 and buffer[at + 8] == 0
    if 20 <= first <= 22 and length >= 13 and buffer[at + 1] == 0xFE:  # DTLS in clear
        return half.mode != OTHER and buffer[at + 3] == 0 and buffer[at + 4] == 0
    if first >= 0xC0 and length >= 16 and half.mode != OTHER and half.stream < HANDSHAKE_DATAGRAMS:
        half.stream += 1  # QUIC long header (RFC 9000 17.2)
        return True
    return False


@kernel
def _reset_half(half: Any) -> None:
    half.packets = half.bytes = half.payload = half.stream = half.want = 0
    half.retransmits = half.missing = 0
    half.header = np.uint64(0)
    half.next_seq = half.first_seq = half.segment = np.uint32(0)
    half.record_left = half.record_length = half.held_count = 0
    half.held = -1
    half.seq_known = half.mode = half.record_type = half.header_have = half.gap = half.shaped = (
        half.overdue
    ) = half.told = 0


@kernel
def _is_new(flow: Any, halves: Any, slot: int, row: Any, which: int) -> bool:
    """Does this packet start another flow on the tuple of `flow`?"""
    silence = row.ts - flow.last_ts
    if flow.protocol != 6:
        return silence > OTHER_IDLE
    closed = flow.fin == 3 or flow.rst
    if silence > (CLOSED_IDLE if closed else TCP_IDLE):
        return True
    half = halves[2 * slot + which]
    late = half.first_seq == np.uint32(
        np.uint32(row.seq) + np.uint32(1)
    )  # the SYN of the stream that is known
    if (
        (row.tcp_flags & 0x12) == 0x02
        and half.seq_known
        and half.first_seq != np.uint32(row.seq)
        and not late
    ):
        spoke = halves[2 * slot].payload > 0 or halves[2 * slot + 1].payload > 0
        return spoke or flow.fin != 0 or flow.rst != 0
    return False


@kernel
def track(
    start: int,
    rows: Any,
    buffer: Any,
    flows: Any,
    halves: Any,
    index: Any,
    slots_free: Any,
    finished: Any,
    slot_of: Any,
    half_of: Any,
    stage: Any,
) -> int:
    """Follow packets `start`.. of a batch. Returns the next packet to follow; len(rows) when the batch is done.

    slot_of[i] is the flow's slot (-1: none) and half_of[i] the half of packet i.
    """
    counters = stage.counters
    index_mask = np.uint64(0xFFFFFFFF)
    for i in range(start, len(rows)):
        if (
            counters[RECORDS] > len(stage.records) - _RECORD_ROOM
            or counters[CANDIDATES] > len(stage.candidates) - _CANDIDATE_ROOM
            or counters[POOL_COPIED] > len(stage.copies) - (MAX_HELD + 1) * BLOCK * 2
            or counters[HELLOS] >= len(stage.hellos) - 1
            or counters[FINISHED] >= len(finished) - 1
        ):
            return i
        if counters[FREE] == 0:
            counters[NO_SLOT] = 1
            return i
        row = rows[i]
        if row.payload_captured > MAX_PAYLOAD:
            row.payload_captured = MAX_PAYLOAD
        slot_of[i] = -1
        half_of[i] = 0
        if row.status != OK and row.status != PART and row.status != WHOLE:
            continue
        forward = row.src_hi < row.dst_hi or (
            row.src_hi == row.dst_hi
            and (row.src_lo < row.dst_lo or (row.src_lo == row.dst_lo and row.src_port <= row.dst_port))
        )
        which = 0 if forward else 1
        if forward:
            a_hi, a_lo, b_hi, b_lo = row.src_hi, row.src_lo, row.dst_hi, row.dst_lo
            a_port, b_port = row.src_port, row.dst_port
        else:
            a_hi, a_lo, b_hi, b_lo = row.dst_hi, row.dst_lo, row.src_hi, row.src_lo
            a_port, b_port = row.dst_port, row.src_port
        key = (
            _mix(
                a_lo
                ^ _mix(
                    b_lo
                    ^ np.uint64(stage.seed)
                    ^ _mix(
                        a_hi
                        ^ (b_hi << np.uint64(1))
                        ^ (np.uint64(a_port) << np.uint64(40))
                        ^ (np.uint64(b_port) << np.uint64(20))
                        ^ np.uint64(row.protocol)
                    )
                )
            )
            & index_mask
        )
        place = _find(
            flows,
            halves,
            index,
            key,
            a_lo,
            b_lo,
            a_hi,
            b_hi,
            a_port,
            b_port,
            row.protocol,
            row.ip_version,
            row.segment,
            which,
        )
        slot = np.int64(index[place])
        if slot >= 0 and row.packets and _is_new(flows[slot], halves, slot, row, which):
            flows[slot].live = 0
            finished[counters[FINISHED]] = slot
            counters[FINISHED] += 1
            slot = -1
        if slot < 0 and row.packets == 0:
            continue
        if slot < 0:
            counters[FREE] -= 1
            slot = np.int64(slots_free[counters[FREE]])
            index[place] = slot
            flow = flows[slot]
            flow.low_hi, flow.low_lo, flow.high_hi, flow.high_lo = a_hi, a_lo, b_hi, b_lo
            flow.low_port, flow.high_port = a_port, b_port
            flow.ip_version, flow.protocol, flow.hash = row.ip_version, row.protocol, np.uint32(key)
            flow.segment = 0
            flow.flow_no = counters[FLOWS]
            counters[FLOWS] += 1
            flow.first_ts = flow.last_ts = row.ts
            flow.first_frame = flow.last_frame = row.frame
            flow.syn_ts = flow.synack_ts = 0
            flow.rtt_ns = -1
            flow.vlan, flow.tunnel, flow.tunnel_id = row.vlan, row.tunnel, row.tunnel_id
            flow.first_half = which
            flow.syn_half = flow.hello_half = flow.client = -1
            flow.client_by = flow.syn = flow.fin = flow.rst = flow.quiet = flow.handshakes = 0
            flow.live = 1
            flow.service = 0
            _reset_half(halves[2 * slot])
            _reset_half(halves[2 * slot + 1])
            want = HEAD_BYTES if row.protocol == 6 else HEAD_DATAGRAMS
            if row.protocol == 17 and (
                row.dst_port in (67, 68, 137, 138, 546, 547, 1900) or row.src_port in (67, 137, 547, 1900)
            ):
                want = HOST_DATAGRAMS
            if row.protocol == 17:
                for port in _SESSION_PORTS:
                    if row.dst_port == port or row.src_port == port:
                        want = ENDLESS
            if row.protocol == 6 and (a_port == 53 or b_port == 53):
                want = FRAMED_BYTES
            halves[2 * slot].want = want
            halves[2 * slot + 1].want = want
        flow = flows[slot]
        half = halves[2 * slot + which]
        slot_of[i] = slot
        half_of[i] = which
        flow.last_ts = max(flow.last_ts, row.ts)
        flow.last_frame = max(flow.last_frame, row.frame)
        if row.segment and half.segment == 0:
            half.segment = flow.segment = row.segment
        half.packets += row.packets
        half.bytes += row.wire_bytes
        half.payload += row.payload_bytes
        if row.status == PART:
            continue
        if row.protocol == 6:
            _tcp(buffer, row, flow, half, halves[2 * slot + 1 - which], which, slot, i, stage)
        elif row.protocol == 17 and _udp_shown(buffer, row, half):
            _emit(stage, i, slot, row.payload, row.payload_captured, half.packets, which, IS_UDP)
    return len(rows)


@kernel
def _expire(now: int, flows: Any, used: int, finished: Any, counters: Any) -> None:
    """Put every flow that has been silent too long on the `finished` list."""
    for slot in range(used):
        flow = flows[slot]
        if not flow.live:
            continue
        silence = now - flow.last_ts
        limit = OTHER_IDLE
        if flow.protocol == 6:
            limit = CLOSED_IDLE if flow.fin == 3 or flow.rst else TCP_IDLE
        if silence > limit and counters[FINISHED] < len(finished):
            flow.live = 0
            finished[counters[FINISHED]] = slot
            counters[FINISHED] += 1


@kernel
def _rebuild(flows: Any, used: int, index: Any) -> None:
    """Fill an empty index with the live flows."""
    mask = len(index) - 1
    index[:] = -1
    for slot in range(used):
        if flows[slot].live:
            at = np.int64(flows[slot].hash) & mask
            while index[at] >= 0:
                at = (at + 1) & mask
            index[at] = slot


@kernel
def _free_held(slots: Any, halves: Any, stage: Any) -> None:
    """Give back the blocks of finished flows; what their streams still waited for is missing.

    Records in what was held are not counted: no later packet of the direction showed that the stream went on there.
    """
    for slot in slots:
        for which in range(2):
            half = halves[2 * slot + which]
            while half.held >= 0:
                block = _release(half, stage)
                ahead = np.int64(np.int32(stage.held[block].seq - half.next_seq))
                if ahead > 0:
                    half.missing += ahead
                if ahead + stage.held[block].length > 0:
                    half.next_seq = np.uint32(stage.held[block].seq + np.uint32(stage.held[block].length))


@kernel
def _orient(rows: Any, start: int, stop: int, slot_of: Any, flows: Any) -> None:
    """Decide who the client is in every flow that has payload and is not yet decided; the decision stays.

    The sender of the SYN or of the ClientHello; else the higher, ephemeral port; else who spoke first.
    """
    for i in range(start, stop):
        slot = slot_of[i]
        if slot < 0 or rows[i].payload_bytes <= 0 or flows[slot].client >= 0:
            continue
        _orient_one(flows[slot])


@kernel
def _orient_one(flow: Any) -> None:
    low_service, high_service = flow.low_port < 1024, flow.high_port < 1024
    low_ephemeral, high_ephemeral = flow.low_port >= 32768, flow.high_port >= 32768
    if flow.syn_half >= 0:
        flow.client, flow.client_by = flow.syn_half, 3
    elif flow.hello_half >= 0:
        flow.client, flow.client_by = flow.hello_half, 2
    elif flow.protocol in (6, 17, 132) and low_service != high_service:
        flow.client, flow.client_by = (1 if low_service else 0), 1
    elif flow.protocol in (6, 17, 132) and low_ephemeral != high_ephemeral:
        flow.client, flow.client_by = (0 if low_ephemeral else 1), 1
    else:
        flow.client, flow.client_by = flow.first_half, 0


@kernel
def _orient_slots(slots: Any, flows: Any) -> None:
    for slot in slots:
        if flows[slot].client < 0:
            _orient_one(flows[slot])


@kernel
def _payload_rows(
    rows: Any,
    start: int,
    stop: int,
    slot_of: Any,
    half_of: Any,
    flows: Any,
    records: Any,
    record_count: int,
    flow_no: Any,
    frame: Any,
    ts: Any,
    up: Any,
    payload: Any,
    ends: Any,
) -> int:
    """Columns of the payload-carrying packets of flows whose payload rows are kept; how many there are.

    ends[k] is how many of `records` ended in rows 0..k: the offsets of an Arrow list, less their leading 0.
    Records of packets that are not kept cannot occur: a quiet flow is no TLS.
    """
    count, record = 0, 0
    for i in range(start, stop):
        slot = slot_of[i]
        if slot < 0 or rows[i].payload_bytes <= 0:
            while record < record_count and records[record].packet <= i:
                record += 1
                ends[max(0, count - 1)] = record
            continue
        flow = flows[slot]
        if flow.quiet or (flow.protocol != 6 and flow.protocol != 17):
            continue
        flow_no[count] = flow.flow_no
        frame[count] = rows[i].frame
        ts[count] = rows[i].ts
        up[count] = half_of[i] == flow.client
        payload[count] = rows[i].payload_bytes
        while record < record_count and records[record].packet <= i:
            record += 1
        ends[count] = record
        count += 1
    return count


def warm() -> None:
    """Compile the kernels of the flow table by following a few packets of one flow."""
    from wirecover.capture.flows.tracker import FlowTracker

    rows = np.zeros(3, PACKET)
    rows["ip_version"], rows["protocol"], rows["src_lo"], rows["dst_lo"] = 4, 6, 1, 2
    rows["src_port"], rows["dst_port"], rows["tcp_flags"] = 40000, 443, (2, 16, 24)
    rows["frame"], rows["ts"], rows["seq"] = (1, 2, 3), (1, 2, 3), (10, 11, 11)
    rows["payload_bytes"] = rows["payload_captured"] = (0, 0, 6)
    rows["packets"] = 1
    tracker = FlowTracker()
    for step in tracker.follow(rows, np.array([22, 3, 1, 0, 1, 1], np.uint8)):
        tracker.orient(rows, step)
        tracker.payload_columns(rows, step)
        tracker.settle(step.finished)
        tracker.release(step.finished)
    last = tracker.finish().finished
    tracker.settle(last)
    tracker.release(last)
