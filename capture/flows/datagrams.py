"""DNS and STUN datagrams on the packet path: the regular ones are read by a kernel, into columns.

A regular message is one whose every length fits and whose texts need no escaping: nearly all there are. Anything
else (rare record types among the answers, odd names, IPv6 in STUN, unknown methods) is left to the parsers of
`protocols`, which alone decide what an irregular message is; for a regular one both give the same rows, and tests
hold them against each other.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.state import CANDIDATE, FLOW, IS_UDP, NOT_NAMED, POOLED, SERVICE_DNS
from wirecover.capture.flows.texts import (
    named,
    put_base64,
    put_endpoint,
    put_hex,
    put_ip4,
    put_ip6,
    put_number,
    text_array,
)
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import PACKET
from wirecover.capture.registries.dns_types import rcode_name, type_name
from wirecover.capture.registries.stun_attributes import CLASSES, attribute_name, method_name

LEFT: Final = 0
"""Status of a candidate: for the parsers."""
DNS: Final = 1
STUN: Final = 2
FIRST: Final = 4
"""Flag: the first message of its flow."""
ADDRESSES: Final = 8
"""Flag: a DNS response with addresses among its answers."""
INITIAL: Final = 16
"""The first Initial of a QUIC flow whose hellos were both read (see `initials`)."""

MAX_ANSWERS: Final = 64
MAX_ATTRIBUTES: Final = 40
_NAME_ROOM: Final = 264
_MAX_POINTERS: Final = 16
_MESSAGE_ROOM: Final = 2048
"""Free bytes of an arena, at least, for a message to be taken."""
_A, _NS, _CNAME, _PTR, _MX, _TXT, _AAAA, _SRV, _OPT, _SVCB, _HTTPS = 1, 2, 5, 12, 15, 16, 28, 33, 41, 64, 65


def _word(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8).copy()


_ALPN_WORD, _NO_DEFAULT_WORD, _PORT_WORD = _word(b'alpn="'), _word(b"no-default-alpn"), _word(b"port=")
_IP4_WORD, _ECH_WORD, _IP6_WORD = _word(b"ipv4hint="), _word(b'ech="'), _word(b"ipv6hint=")

_plain = np.zeros(256, np.bool_)
_plain[0x21:0x7F] = True
for _byte in b'.\\";()@$':
    _plain[_byte] = False
_PLAIN: Final = _plain
"""Bytes of a label that stand for themselves (see protocols/dns_name.py)."""


class Text(NamedTuple):
    """A text column that grows."""

    arena: Any
    offsets: Any
    present: Any


class Found(NamedTuple):
    """What the kernel fills. counts: DNS messages, answers, STUN messages, STUN attributes."""

    status: Any
    message: Any
    """Of each candidate taken: its row in the DNS or STUN columns."""
    counts: Any
    dns_packet: Any
    dns_code: Any
    """A row a message: id, is response, type, rcode, answers, first answer."""
    dns_name: Text
    answer_message: Any
    answer_type: Any
    answer_ttl: Any
    answer_hi: Any
    answer_lo: Any
    """The two halves of an A or AAAA record's address."""
    answer_name: Text
    answer_data: Text
    stun_packet: Any
    stun_code: Any
    """A row a message: method, class, error code (-1: none), end of its attributes."""
    stun_attributes: Any
    stun_source: Text
    stun_transaction: Text
    stun_username: Text
    stun_realm: Text
    stun_software: Text
    stun_mapped: Text
    stun_relayed: Text
    stun_peer: Text


@kernel
def _u16(buffer: Any, at: int) -> int:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _u64(buffer: Any, at: int) -> Any:
    value = np.uint64(0)
    for i in range(8):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + i])
    return value


@kernel
def _end_text(text: Any, row: int, end: int) -> None:
    """Text `row` of a column ends at `end`; an empty one that is not there is null."""
    text.offsets[row + 1] = end
    text.present[row] = True


@kernel
def _no_text(text: Any, row: int) -> None:
    text.offsets[row + 1] = text.offsets[row]
    text.present[row] = False


@kernel
def _dns_name(buffer: Any, start: int, at: int, end: int, out: Any, put: int) -> tuple[int, int]:
    """Write the name at `at` of the message at `start` as text; (offset behind it, end of the text) or (-1, 0)."""
    after, run, wire, jumps, begin = -1, at, 1, 0, put
    while True:
        if at >= end:
            return -1, 0
        length = np.int64(buffer[at])
        if length == 0:
            if put == begin:
                out[put] = 46
                put += 1
            return (at + 1 if after < 0 else after), put
        if length <= 63:
            wire += length + 1
            if wire > 255 or at + 1 + length > end:
                return -1, 0
            if put > begin:
                out[put] = 46
                put += 1
            for i in range(at + 1, at + 1 + length):
                if not _PLAIN[buffer[i]]:
                    return -1, 0
                out[put] = buffer[i]
                put += 1
            at += 1 + length
            continue
        if length < 0xC0 or at + 1 >= end:
            return -1, 0
        target = start + (((length & 0x3F) << 8) | np.int64(buffer[at + 1]))
        jumps += 1
        if target >= run or jumps > _MAX_POINTERS:
            return -1, 0
        if after < 0:
            after = at + 2
        at = run = target


@kernel
def _dns_options(buffer: Any, at: int, end: int) -> bool:
    """Are the options of an OPT record whole (RFC 6891 6.1.2)?"""
    while at < end:
        if at + 4 > end:
            return False
        at += 4 + _u16(buffer, at + 2)
    return at == end


@kernel
def _dns_answer(buffer: Any, start: int, at: int, end: int, found: Any, row: int) -> bool:
    """Data of the answer in [at, end), which the record's type must fit, into the text columns."""
    out = found.answer_data.arena
    put = np.int64(found.answer_data.offsets[row])
    kind = found.answer_type[row]
    if kind == _A:
        if end - at != 4:
            return False
        address = (_u16(buffer, at) << 16) | _u16(buffer, at + 2)
        found.answer_hi[row], found.answer_lo[row] = np.uint64(0), np.uint64(address)
        put = put_ip4(out, put, address)
        at = end
    elif kind == _AAAA:
        if end - at != 16:
            return False
        high, low = _u64(buffer, at), _u64(buffer, at + 8)
        if high == np.uint64(0):  # some of these are written with a dotted end
            return False
        found.answer_hi[row], found.answer_lo[row] = high, low
        put = put_ip6(out, put, high, low)
        at = end
    elif kind == _CNAME or kind == _NS or kind == _PTR:
        at, put = _dns_name(buffer, start, at, end, out, put)
    elif kind == _SRV or kind == _MX:
        for _ in range(3 if kind == _SRV else 1):
            if at + 2 > end:
                return False
            put = put_number(out, put, _u16(buffer, at))
            out[put] = 32
            put += 1
            at += 2
        at, put = _dns_name(buffer, start, at, end, out, put)
    elif kind == _HTTPS or kind == _SVCB:
        at, put = _dns_service(buffer, start, at, end, out, put)
    elif kind == _TXT:
        at, put = _dns_strings(buffer, at, end, out, put)
    else:
        return False
    if at != end:
        return False
    _end_text(found.answer_data, row, put)
    return True


@kernel
def _put_word(out: Any, put: int, word: Any) -> int:
    for byte in word:
        out[put] = byte
        put += 1
    return put


@kernel
def _dns_strings(buffer: Any, at: int, end: int, out: Any, put: int) -> tuple[int, int]:
    """Character-strings (RFC 1035 3.3.14) between quotes; -1 if one needs escaping."""
    if at >= end:
        return -1, 0
    begin = at
    while at < end:
        size = np.int64(buffer[at])
        if at + 1 + size > end:
            return -1, 0
        if at > begin:
            out[put] = 32
            put += 1
        out[put] = 34
        put += 1
        for i in range(at + 1, at + 1 + size):
            if buffer[i] < 0x20 or buffer[i] > 0x7E or buffer[i] == 0x22 or buffer[i] == 0x5C:
                return -1, 0
            out[put] = buffer[i]
            put += 1
        out[put] = 34
        put += 1
        at += 1 + size
    return at, put


@kernel
def _dns_service(buffer: Any, start: int, at: int, end: int, out: Any, put: int) -> tuple[int, int]:
    """A service binding (RFC 9460 2.2) with the usual parameters; -1 if it has others, or any is out of order."""
    if at + 2 > end:
        return -1, 0
    put = put_number(out, put, _u16(buffer, at))
    out[put] = 32
    at, put = _dns_name(buffer, start, at + 2, end, out, put + 1)
    last = -1
    while 0 <= at < end:
        if at + 4 > end:
            return -1, 0
        key, size = _u16(buffer, at), _u16(buffer, at + 2)
        at += 4
        if key <= last or at + size > end:
            return -1, 0
        last = key
        out[put] = 32
        put = _dns_parameter(buffer, key, at, at + size, out, put + 1)
        if put < 0:
            return -1, 0
        at += size
    return at, put


@kernel
def _dns_parameter(buffer: Any, key: int, at: int, end: int, out: Any, put: int) -> int:
    """One service parameter as `key=value`; -1 if it is irregular."""
    size = end - at
    if key == 1:
        put = _put_word(out, put, _ALPN_WORD)
        begin = at
        while at < end:
            length = np.int64(buffer[at])
            if length == 0 or at + 1 + length > end:
                return -1
            if at > begin:
                out[put] = 44
                put += 1
            for i in range(at + 1, at + 1 + length):
                byte = buffer[i]
                if byte < 0x20 or byte > 0x7E or byte == 0x22 or byte == 0x5C or byte == 0x2C:
                    return -1
                out[put] = byte
                put += 1
            at += 1 + length
        out[put] = 34
        return put + 1
    if key == 2 and size == 0:
        return _put_word(out, put, _NO_DEFAULT_WORD)
    if key == 3 and size == 2:
        return put_number(out, _put_word(out, put, _PORT_WORD), _u16(buffer, at))
    if key == 4 and size and not size & 3:
        put = _put_word(out, put, _IP4_WORD)
        for i in range(at, end, 4):
            if i > at:
                out[put] = 44
                put += 1
            put = put_ip4(out, put, (_u16(buffer, i) << 16) | _u16(buffer, i + 2))
        return put
    if key == 5:
        put = put_base64(out, _put_word(out, put, _ECH_WORD), buffer, at, end)
        out[put] = 34
        return put + 1
    if key == 6 and size and not size & 15:
        put = _put_word(out, put, _IP6_WORD)
        for i in range(at, end, 16):
            if i > at:
                out[put] = 44
                put += 1
            high, low = _u64(buffer, i), _u64(buffer, i + 8)
            if high == np.uint64(0):
                return -1
            put = put_ip6(out, put, high, low)
        return put
    return -1


@kernel
def _take_dns(buffer: Any, start: int, length: int, found: Any) -> int:
    """Read a DNS message into the columns: DNS, perhaps with ADDRESSES; 0 if the parser has to."""
    if length < 17 or (20 <= buffer[start] <= 26 and (buffer[start + 1] == 0xFE or buffer[start + 1] == 1)):
        return LEFT  # DTLS begins so
    flags = _u16(buffer, start + 2)
    if flags & 0x7840 or (not flags & 0x8000 and flags & 0xF) or _u16(buffer, start + 4) != 1:
        return LEFT
    message, answer = found.counts[0], found.counts[1]
    answers = _u16(buffer, start + 6)
    if answers > MAX_ANSWERS or (answers and not flags & 0x8000) or answer + answers > len(found.answer_type):
        return LEFT
    for text, row in ((found.dns_name, message), (found.answer_name, answer), (found.answer_data, answer)):
        if len(text.arena) - text.offsets[row] < _MESSAGE_ROOM + _NAME_ROOM * (answers + 2) + 4 * length:
            return LEFT
    end = start + length
    at, put = _dns_name(
        buffer, start, start + 12, end, found.dns_name.arena, np.int64(found.dns_name.offsets[message])
    )
    if at < 0 or at + 4 > end:
        return LEFT
    query_type = _u16(buffer, at)
    _end_text(found.dns_name, message, put)
    at += 4
    status, extended, options = DNS, 0, 0
    rest = _u16(buffer, start + 8)
    others = rest + _u16(buffer, start + 10)
    for i in range(answers + others):
        row = answer + i
        kept = i < answers
        # names that are not kept are written behind those that are, and over one another
        last = answer + min(i, answers)
        at, put = _dns_name(
            buffer, start, at, end, found.answer_name.arena, np.int64(found.answer_name.offsets[last])
        )
        if at < 0 or at + 10 > end:
            return LEFT
        kind, data = _u16(buffer, at), at + 10
        after = data + _u16(buffer, at + 8)
        if after > end:
            return LEFT
        if kept:
            if (_u16(buffer, at + 2) & 0x7FFF) != 1:
                return LEFT
            found.answer_message[row], found.answer_type[row] = message, kind
            found.answer_ttl[row] = (_u16(buffer, at + 4) << 16) | _u16(buffer, at + 6)
            _end_text(found.answer_name, row, put)
            if not _dns_answer(buffer, start, data, after, found, row):
                return LEFT
            if flags & 0x8000 and (kind == _A or kind == _AAAA):
                status = DNS | ADDRESSES
        elif kind == _OPT and i >= answers + rest:
            options += 1
            extended = np.int64(buffer[at + 4])
            if options > 1 or not _dns_options(buffer, data, after):
                return LEFT
        at = after
    code = found.dns_code[message]
    code[0], code[1], code[2] = _u16(buffer, start), flags >> 15, query_type
    code[3], code[4], code[5] = extended << 4 | (flags & 0xF), answers, answer
    found.counts[0] += 1
    found.counts[1] += answers
    return status


@kernel
def _stun_text(buffer: Any, at: int, length: int, text: Any, row: int) -> bool:
    """A text attribute, less the zero bytes that fill it up; False if it needs escaping."""
    while length > 0 and buffer[at + length - 1] == 0:
        length -= 1
    put = np.int64(text.offsets[row])
    if len(text.arena) - put < length + ADDRESS:
        return False
    for i in range(at, at + length):
        if buffer[i] < 0x20 or buffer[i] > 0x7E or buffer[i] == 0x5C:
            return False
        text.arena[put] = buffer[i]
        put += 1
    _end_text(text, row, put)
    return True


ADDRESS: Final = 64
"""Room for an endpoint's text."""


@kernel
def _stun_address(buffer: Any, at: int, length: int, xored: bool, text: Any, row: int) -> bool:
    """An IPv4 address attribute (RFC 8489 14.1, 14.2) as `ip:port`; False if it is anything else."""
    put = np.int64(text.offsets[row])
    if length != 8 or buffer[at + 1] != 1 or len(text.arena) - put < ADDRESS:
        return False
    port = _u16(buffer, at + 2)
    address = (_u16(buffer, at + 4) << 16) | _u16(buffer, at + 6)
    if xored:
        port ^= 0x2112
        address ^= 0x2112A442
    _end_text(text, row, put_endpoint(text.arena, put, 4, np.uint64(0), np.uint64(address), port))
    return True


@kernel
def _take_stun(buffer: Any, start: int, length: int, packet: Any, found: Any) -> int:
    """Read a STUN message that has the magic cookie: STUN, or 0 if the parser has to."""
    kind, body = _u16(buffer, start), _u16(buffer, start + 2)
    if body & 3 or 20 + body > length:
        return LEFT
    method = (kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2)
    message, attribute = found.counts[2], found.counts[3]
    if not 1 <= method <= 12 or attribute + MAX_ATTRIBUTES > len(found.stun_attributes):
        return LEFT
    if len(found.stun_source.arena) - found.stun_source.offsets[message] < ADDRESS:
        return LEFT
    for text in (
        found.stun_username,
        found.stun_realm,
        found.stun_software,
        found.stun_mapped,
        found.stun_relayed,
        found.stun_peer,
    ):
        _no_text(text, message)
    mapped_by, error = 0, -1
    seen = np.uint64(0)
    at, end, count = start + 20, start + 20 + body, 0
    while at < end:
        number, size = _u16(buffer, at), _u16(buffer, at + 2)
        value = at + 4
        if value + size > end or count >= MAX_ATTRIBUTES:
            return LEFT
        found.stun_attributes[attribute + count] = number
        count += 1
        bit = np.uint64(1) << np.uint64(number & 63)
        first = not (number < 64 and seen & bit)
        if number < 64:
            seen |= bit
        fine = True
        if number == 0x0006 and first:
            fine = _stun_text(buffer, value, size, found.stun_username, message)
        elif number == 0x0014 and first:
            fine = _stun_text(buffer, value, size, found.stun_realm, message)
        elif number == 0x8022:
            fine = not found.stun_software.present[message] and _stun_text(
                buffer, value, size, found.stun_software, message
            )
        elif number == 0x0009 and first:
            fine = size >= 4
            if fine:
                error = np.int64(buffer[value + 2] & 7) * 100 + np.int64(buffer[value + 3])
        elif number == 0x0020 and first:  # goes before MAPPED-ADDRESS, wherever it stands
            _no_text(found.stun_mapped, message)
            fine, mapped_by = _stun_address(buffer, value, size, True, found.stun_mapped, message), 0x0020
        elif number == 0x0001 and first:
            if mapped_by == 0:
                fine = _stun_address(buffer, value, size, False, found.stun_mapped, message)
        elif number == 0x8020:
            fine = False
        elif number == 0x0016 and first:
            fine = _stun_address(buffer, value, size, True, found.stun_relayed, message)
        elif number == 0x0012 and first:
            fine = _stun_address(buffer, value, size, True, found.stun_peer, message)
        elif number == 0x0013:  # what a relay forwards: a handshake in it is for the parsers
            fine = (
                size < 13
                or not 20 <= buffer[value] <= 22
                or buffer[value + 1] != 0xFE
                or _u16(buffer, value + 3) != 0
            )
        if not fine:
            return LEFT
        at = value + size + (-size & 3)
    put = put_endpoint(
        found.stun_source.arena, np.int64(found.stun_source.offsets[message]), np.int64(packet.ip_version),
        packet.src_hi, packet.src_lo, np.int64(packet.src_port),
    )  # fmt: skip
    _end_text(found.stun_source, message, put)
    begin = np.int64(found.stun_transaction.offsets[message])
    _end_text(
        found.stun_transaction,
        message,
        put_hex(found.stun_transaction.arena, begin, buffer, start + 8, start + 20),
    )
    code = found.stun_code[message]
    code[0], code[1], code[2], code[3] = method, (kind >> 7 & 2) | (kind >> 4 & 1), error, attribute + count
    found.counts[2] += 1
    found.counts[3] += count
    return STUN


@kernel
def take_datagrams(rows: Any, buffer: Any, candidates: Any, flows: Any, found: Any) -> None:
    """Read the regular DNS and STUN datagrams among the candidates; `found.status` says which those were."""
    for i in range(len(candidates)):
        one = candidates[i]
        found.status[i] = LEFT
        flow = flows[one.slot]
        if not one.flags & IS_UDP:
            continue
        packet = rows[one.packet]
        status = LEFT
        at = one.at
        if one.flags & POOLED:
            status = LEFT
        elif (
            one.length >= 20 and buffer[at] < 0x40 and buffer[at + 4] == 0x21 and buffer[at + 5] == 0x12
            and buffer[at + 6] == 0xA4 and buffer[at + 7] == 0x42
        ):  # fmt: skip
            found.message[i] = found.counts[2]
            status = _take_stun(buffer, at, np.int64(one.length), packet, found)
            if status:
                found.stun_packet[found.message[i]] = one.packet
        elif flow.service >= 0 and (packet.src_port == 53 or packet.dst_port == 53):
            other = packet.dst_port if packet.src_port == 53 else packet.src_port
            if other != 5353 and other != 5355:
                found.message[i] = found.counts[0]
                status = _take_dns(buffer, at, np.int64(one.length), found)
                if status:
                    found.dns_packet[found.message[i]] = one.packet
        if flow.service == 0:
            if status & DNS:
                status |= FIRST
                flow.quiet = 1
            flow.service = SERVICE_DNS if status & DNS else NOT_NAMED
        found.status[i] = status


def _text_column(rows: int, size: int) -> Text:
    return Text(
        np.empty(size + _MESSAGE_ROOM, np.uint8), np.zeros(rows + 1, np.int32), np.zeros(rows, np.bool_)
    )


class DatagramReader:
    """Owns the columns; what `read` found is valid until it is called again."""

    def __init__(self, rows: int = 1 << 15) -> None:
        self.found = self._make(rows)

    @staticmethod
    def _make(rows: int) -> Found:
        answers, attributes = 2 * rows, 8 * rows
        return Found(
            np.zeros(rows, np.uint8), np.zeros(rows, np.int32), np.zeros(4, np.int64),
            np.zeros(rows, np.int32), np.zeros((rows, 6), np.int64), _text_column(rows, 48 * rows),
            np.zeros(answers, np.int32), np.zeros(answers, np.int32), np.zeros(answers, np.int64),
            np.zeros(answers, np.uint64), np.zeros(answers, np.uint64),
            _text_column(answers, 64 * rows), _text_column(answers, 64 * rows),
            np.zeros(rows, np.int32), np.zeros((rows, 4), np.int64), np.zeros(attributes, np.int32),
            *(_text_column(rows, 24 * rows) for _ in range(8)),
        )  # fmt: skip

    def read(
        self, rows: NDArray[Any], buffer: NDArray[np.uint8], candidates: NDArray[Any], flows: NDArray[Any]
    ) -> NDArray[np.uint8]:
        """Read the candidates of a step; the status of each."""
        if len(candidates) > len(self.found.status):
            self.found = self._make(1 << (len(candidates) - 1).bit_length())
        self.found.counts[:] = 0
        take_datagrams(rows, buffer, candidates, flows, self.found)
        return self.found.status[: len(candidates)]

    def dns_names(self) -> pa.Array:
        """Names asked for, a message."""
        return self.text(self.found.dns_name, int(self.found.counts[0]))

    def answer_data(self) -> pa.Array:
        """Data of the answers."""
        return self.text(self.found.answer_data, int(self.found.counts[1]))

    def dns_messages(self, rows: NDArray[Any], flow_no: NDArray[np.int64]) -> list[pa.Array]:
        """Columns in the order of `tables.DNS_MESSAGES`; `flow_no` is that of each candidate taken as DNS."""
        found, count = self.found, int(self.found.counts[0])
        packets = found.dns_packet[:count]
        code = found.dns_code[:count]
        kinds, which = np.unique(code[:, 2], return_inverse=True)
        rcodes, rcode = np.unique(code[:, 3], return_inverse=True)
        response = code[:, 1] != 0
        return [
            pa.array(flow_no), pa.array(rows["frame"][packets]), pa.array(rows["ts"][packets]),
            pa.array(code[:, 0].astype(np.int32)), pa.array(response), self.dns_names(),
            named(which, [type_name(one) for one in kinds.tolist()]),
            named(np.where(response, rcode, len(rcodes)), [*(rcode_name(one) for one in rcodes.tolist()), None]),
            pa.array(code[:, 4].astype(np.int32)),
        ]  # fmt: skip

    def dns_answers(self, rows: NDArray[Any], flow_no: NDArray[np.int64]) -> list[pa.Array]:
        """Columns in the order of `tables.DNS_ANSWERS`; `flow_no` as for `dns_messages`."""
        found, count = self.found, int(self.found.counts[1])
        message = found.answer_message[:count]
        packets = found.dns_packet[message]
        kinds, which = np.unique(found.answer_type[:count], return_inverse=True)
        return [
            pa.array(flow_no[message]), pa.array(rows["frame"][packets]), pa.array(rows["ts"][packets]),
            self.dns_names().take(pa.array(message)), self.text(found.answer_name, count),
            named(which, [type_name(one) for one in kinds.tolist()]), self.answer_data(),
            pa.array(found.answer_ttl[:count].copy()),
        ]  # fmt: skip

    def stun_messages(self, rows: NDArray[Any], flow_no: NDArray[np.int64]) -> list[pa.Array]:
        """Columns in the order of `tables.STUN_MESSAGES`; `flow_no` is that of each candidate taken as STUN."""
        found, count = self.found, int(self.found.counts[2])
        packets = found.stun_packet[:count]
        code = found.stun_code[:count]
        methods, method = np.unique(code[:, 0], return_inverse=True)
        ends = np.zeros(count + 1, np.int32)
        ends[1:] = code[:, 3]
        numbers, number = np.unique(found.stun_attributes[: found.counts[3]], return_inverse=True)
        texts = [
            self.text(text, count)
            for text in (
                found.stun_source, found.stun_transaction, found.stun_username, found.stun_realm, found.stun_software,
                found.stun_mapped, found.stun_relayed, found.stun_peer,
            )
        ]  # fmt: skip
        return [
            pa.array(flow_no), pa.array(rows["frame"][packets]), pa.array(rows["ts"][packets]), texts[0],
            named(method, [method_name(one) for one in methods.tolist()]), named(code[:, 1], list(CLASSES)), *texts[1:],
            pa.array(code[:, 2].astype(np.int32), mask=code[:, 2] < 0),
            pa.ListArray.from_arrays(pa.array(ends), named(number, [attribute_name(one) for one in numbers.tolist()])),
        ]  # fmt: skip

    @staticmethod
    def text(text: Text, count: int) -> pa.Array:
        """The first `count` texts of a column."""
        return text_array(text.arena, text.offsets[: count + 1], text.present[:count])


def warm() -> None:
    """Compile the kernels of this module by reading one datagram that is nothing."""
    rows = np.zeros(1, PACKET)
    DatagramReader(1).read(rows, np.zeros(64, np.uint8), np.zeros(1, CANDIDATE), np.zeros(1, FLOW))
