"""The payloads of a QUIC handshake's Initials -> its two hellos and their shapes, by a kernel."""

from typing import Any, Final, NamedTuple

import numpy as np

from wirecover.capture.flows.hellos import SHAPE_BYTES, hash_shape, shape_client_hello, shape_server_hello
from wirecover.capture.flows.transport_texts import Parameters, new_parameters, read_parameters
from wirecover.capture.flows.varints import varint
from wirecover.capture.kernels import kernel

MAX_PIECES: Final = 6
"""Initials of one handshake; one with more is left to the parsers."""
ATTEMPT: Final = np.dtype(
    [
        ("dcid", "i8"), ("client_scid", "i8"), ("server_scid", "i8"), ("sni", "i8"), ("ech", "i8"), ("token", "i8"),
        ("first", "u8"), ("second", "u8"), ("server_first", "u8"), ("server_second", "u8"),
        ("slot", "i4"), ("candidate", "i4"), ("piece", "i4", MAX_PIECES), ("sni_length", "i4"),
        ("client_packet", "i4"), ("server_packet", "i4"), ("hello", "i8"), ("hello_length", "i4"),
        ("answer", "i8"), ("answer_length", "i4"),
        ("half", "u1"), ("version", "u1"), ("state", "u1"), ("count", "u1"), ("early", "u1"), ("read", "u1"),
        ("taken", "u1"),
    ]
)  # fmt: skip
"""A handshake. dcid, client_scid, server_scid: where in the buffer the length byte of each connection id stands. half:
the client's. client_packet, server_packet: those that completed the hellos. hello, answer: where the bodies of both are
in `Streams.bodies`, as are sni and ech (0: none). first, second, server_first, server_second: hashes of the shapes.
read: both hellos are there and regular. taken: the loop has kept them."""
PIECE: Final = np.dtype(
    [("at", "i8"), ("plain", "i8"), ("attempt", "i4"), ("packet", "i4"), ("payload", "i4"), ("end", "i4"),
     ("size", "i4"), ("server", "u1")]
)  # fmt: skip
"""An Initial packet: where its datagram is in the buffer; where, counted from there, its packet number and its end are;
where in `plain` its payload is, and how long (-1: it was not opened)."""

_IRREGULAR: Final = 3
_CLIENT_HELLO, _SERVER_HELLO = 1, 2


class Streams(NamedTuple):
    """CRYPTO data put together."""

    bodies: Any
    filled: Any
    """1 for each byte of `bodies` that was sent."""
    parameters: Parameters


def new_streams(attempts: int, size: int) -> Streams:
    """Room for the hellos of so many attempts in payloads of so many bytes."""
    return Streams(np.zeros(size, np.uint8), np.zeros(size, np.uint8), new_parameters(attempts))


@kernel
def _behind_ack(plain: Any, at: int, end: int, counts: bool) -> int:
    """Where an ACK frame (RFC 9000 19.3) ends; -1 if it is irregular."""
    _, at = varint(plain, at, end)
    if at >= 0:
        _, at = varint(plain, at, end)
    ranges = np.int64(0)
    if at >= 0:
        ranges, at = varint(plain, at, end)
    if at < 0 or ranges * 2 > end - at:
        return -1
    for _ in range(1 + 2 * ranges + (3 if counts else 0)):
        _, at = varint(plain, at, end)
        if at < 0:
            return -1
    return at


@kernel
def _put_together(plain: Any, at: int, end: int, streams: Any, start: int, room: int, state: Any) -> bool:
    """Add the CRYPTO frames of a payload to the stream at `start`; False if anything is irregular.

    state: bytes there, end of the last one.
    """
    while at < end:
        kind = plain[at]
        at += 1
        if kind == 0 or kind == 1:  # PADDING, PING
            continue
        if kind == 2 or kind == 3:
            at = _behind_ack(plain, at, end, kind == 3)
            if at < 0:
                return False
            continue
        if kind != 6:
            return False
        offset, at = varint(plain, at, end)
        if at < 0:
            return False
        size, at = varint(plain, at, end)
        if at < 0 or size > end - at or offset > room or size > room - offset:
            return False
        for i in range(size):
            place = start + offset + i
            if streams.filled[place] == 0:
                streams.filled[place] = 1
                streams.bodies[place] = plain[at + i]
                state[0] += 1
            elif streams.bodies[place] != plain[at + i]:
                return False
        state[1] = max(state[1], offset + size)
        at += size
    return True


@kernel
def _is_whole(streams: Any, start: int, state: Any, expected: int) -> int:
    """1: the stream is one message of this type, from end to end; 0: not yet; -1: it is something else."""
    if state[1] < 4 or state[0] != state[1]:
        return 0
    body = 0
    for i in range(1, 4):
        body = (body << 8) | np.int64(streams.bodies[start + i])
    if streams.bodies[start] != expected or 4 + body < state[1]:
        return -1
    return 1 if 4 + body == state[1] else 0


@kernel
def _take_side(
    attempt: Any, pieces: Any, plain: Any, streams: Any, start: int, room: int, server: int, state: Any
) -> int:
    """Put one side's hello together; the packet that completed it, -1 if it is irregular or not whole."""
    state[0] = state[1] = 0
    packet = -1
    for k in range(attempt.count):
        piece = pieces[attempt.piece[k]]
        if piece.server != server:
            continue
        if not _put_together(plain, piece.plain, piece.plain + piece.size, streams, start, room, state):
            return -1
        whole = _is_whole(streams, start, state, _SERVER_HELLO if server else _CLIENT_HELLO)
        if whole < 0 or (packet >= 0 and whole == 0):
            return -1
        if whole == 1 and packet < 0:
            packet = piece.packet
            if server:
                break  # the parser looks no further either
    return packet


@kernel
def _room_of(attempt: Any, pieces: Any, server: int) -> int:
    room = 0
    for k in range(attempt.count):
        piece = pieces[attempt.piece[k]]
        if piece.server == server:
            if piece.size < 0:
                return -1
            room += piece.size
    return room


@kernel
def _read(
    attempt: Any, number: int, pieces: Any, plain: Any, streams: Any, at: int, seed: Any, work: Any
) -> int:
    """Read an attempt's hellos; where the next one's may stand."""
    state, shape, found = work
    for server in (0, 1):
        room = _room_of(attempt, pieces, server)
        if room <= 0:
            return at
        packet = _take_side(attempt, pieces, plain, streams, at, room, server, state)
        start, end = at + 4, at + state[1]
        at += room
        if packet < 0:
            return at
        if server:
            size = shape_server_hello(streams.bodies, start, end, shape)
            attempt.server_packet, attempt.answer, attempt.answer_length = packet, start, end - start
        else:
            size = shape_client_hello(streams.bodies, start, end, shape, found)
            attempt.client_packet, attempt.hello, attempt.hello_length = packet, start, end - start
        if size < 0:
            return at
        first, second = hash_shape(shape, size, seed, 0), hash_shape(shape, size, seed, 1)
        if server:
            attempt.server_first, attempt.server_second = first, second
        else:
            attempt.first, attempt.second = first, second
            attempt.sni, attempt.sni_length, attempt.ech = found[0], found[1], found[2]
            if not read_parameters(streams.bodies, start, end, number, streams.parameters):
                return at
    attempt.read = 1
    return at


@kernel
def read_attempts(attempts: Any, pieces: Any, plain: Any, streams: Any, seed: int) -> None:
    """Read the hellos of all attempts whose packets were opened."""
    work = np.zeros(2, np.int64), np.zeros(SHAPE_BYTES, np.uint8), np.zeros(3, np.int64)
    at = 0
    for number in range(len(attempts)):
        parameters = streams.parameters
        parameters.ends[number + 1] = parameters.ends[number]
        parameters.version_ends[number + 1] = parameters.version_ends[number]
        if attempts[number].state != _IRREGULAR:
            at = _read(attempts[number], number, pieces, plain, streams, at, seed, work)
        if not attempts[number].read:
            parameters.ends[number + 1] = parameters.ends[number]
            parameters.version_ends[number + 1] = parameters.version_ends[number]
