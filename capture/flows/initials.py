"""QUIC handshakes whose Initial packets all stand in one step: found and checked by a kernel, before the loop.

A regular connection opens with one to a few Initials of the client (version 1 or 2, one a datagram, perhaps with 0-RTT
or Handshake packets behind) and goes on with the server's. Its packets are listed here, opened with the keys of
`protocols.quic_keys`, and their hellos read by `initial_hellos`. Whatever is irregular (Retry, version negotiation,
another version, packets that do not authenticate, a handshake that goes on in the next step) is left to
`protocols.quic`, which alone decides what it means; for a regular one both give the same rows, and tests hold them
against each other.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.datagrams import INITIAL, STUN
from wirecover.capture.flows.initial_hellos import (
    ATTEMPT,
    MAX_PIECES,
    PIECE,
    new_streams,
    read_attempts,
)
from wirecover.capture.flows.known import KNOWN
from wirecover.capture.flows.state import CANDIDATE, FLOW, IS_UDP, POOLED
from wirecover.capture.flows.texts import named
from wirecover.capture.flows.transport_texts import parameter_columns
from wirecover.capture.flows.varints import varint
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import PACKET
from wirecover.capture.protocols.quic_keys import InitialKeyPair
from wirecover.capture.registries.quic_versions import V1, V2, find_version, version_name
from wirecover.capture.tables import QUIC_HANDSHAKES

VERSIONS: Final = (V1, V2)
"""The versions read here; their place, counted from 1, is the code of a version."""
_PROTECTIONS: Final = tuple(find_version(number).protections[0] for number in VERSIONS)  # type: ignore[union-attr]
_V2: Final = V2

MAX_COALESCED: Final = 8
_MAX_ID: Final = 20
_MIN_PROTECTED: Final = 20
_UNSEEN, _NOT_QUIC = -1, -2
_FROM_CLIENT, _FROM_SERVER, _CLOSED, _IRREGULAR = range(4)
_INITIAL_TYPE, _EARLY_TYPE, _HANDSHAKE_TYPE = range(3)
# places in `head`
_VERSION, _TYPE, _DCID, _SCID, _TOKEN, _PAYLOAD, _END = range(7)


@kernel
def _long_header(buffer: Any, at: int, end: int, head: Any) -> bool:
    """Read the long header at `at` into `head`; False if it, or its packet, is irregular (RFC 9000 17.2, 9369 3.2)."""
    if at + 7 > end or not buffer[at] & 0x80:
        return False
    number = np.int64(0)
    for i in range(4):
        number = (number << 8) | np.int64(buffer[at + 1 + i])
    if number == 1:
        head[_VERSION], head[_TYPE] = 1, np.int64(buffer[at] >> 4) & 3
    elif number == _V2:
        head[_VERSION], head[_TYPE] = 2, (np.int64(buffer[at] >> 4) - 1) & 3
    else:
        return False
    here = at + 5
    for which in (_DCID, _SCID):
        if here >= end:
            return False
        size = np.int64(buffer[here])
        if size > _MAX_ID or here + 1 + size > end:
            return False
        head[which] = here
        here += 1 + size
    head[_TOKEN] = 0
    if head[_TYPE] == _INITIAL_TYPE:
        size, here = varint(buffer, here, end)
        if here < 0 or size > end - here:
            return False
        head[_TOKEN] = size
        here += size
    elif head[_TYPE] != _EARLY_TYPE and head[_TYPE] != _HANDSHAKE_TYPE:
        return False
    size, here = varint(buffer, here, end)
    if here < 0 or size < _MIN_PROTECTED or size > end - here:
        return False
    head[_PAYLOAD], head[_END] = here, here + size
    return True


@kernel
def _initial_datagram(buffer: Any, at: int, end: int, head: Any, rest: Any) -> int:
    """Does a datagram begin with an Initial, and hold nothing irregular behind it? 1; 2 if 0-RTT follows; 0: no."""
    if not buffer[at] & 0x40 or not _long_header(buffer, at, end, head) or head[_TYPE] != _INITIAL_TYPE:
        return 0
    told, here = 1, head[_END]
    for _ in range(MAX_COALESCED):
        if here >= end or not buffer[here] & 0x80:
            return told
        if not _long_header(buffer, here, end, rest) or rest[_TYPE] == _INITIAL_TYPE:
            return 0
        if rest[_TYPE] == _EARLY_TYPE:
            told = 2
        here = rest[_END]
    return 0


@kernel
def _add_piece(
    attempts: Any, pieces: Any, number: int, count: int, candidate: Any, at: int, head: Any
) -> bool:
    """List one Initial of an attempt; False when it has too many."""
    attempt = attempts[number]
    if attempt.count == MAX_PIECES:
        return False
    attempt.piece[attempt.count] = count
    attempt.count += 1
    piece = pieces[count]
    piece.attempt, piece.packet, piece.at = number, candidate.packet, candidate.at
    piece.payload, piece.end = head[_PAYLOAD] - candidate.at, head[_END] - candidate.at
    piece.server = candidate.half != attempt.half
    return True


@kernel
def _begin(attempt: Any, candidate: Any, at: int, head: Any, early: bool) -> None:
    """An attempt opens with its client's first Initial."""
    attempt.slot, attempt.half, attempt.candidate = candidate.slot, candidate.half, at
    attempt.version, attempt.state, attempt.count = head[_VERSION], _FROM_CLIENT, 0
    attempt.dcid, attempt.client_scid, attempt.server_scid = head[_DCID], head[_SCID], 0
    attempt.token, attempt.early, attempt.taken, attempt.read = head[_TOKEN], early, 0, 0


@kernel
def _may_be_dns(port: int) -> bool:
    """On these ports the parsers ask first whether a datagram is DNS, mDNS or LLMNR."""
    return port == 53 or port == 5353 or port == 5355


@kernel
def list_attempts(
    buffer: Any, candidates: Any, rows: Any, status: Any, flows: Any, knowns: Any, attempt_of: Any, attempts: Any,
    pieces: Any, counts: Any,
) -> None:  # fmt: skip
    """List the Initials of the flows that begin with one in this step. counts: attempts, pieces."""
    head, rest = np.zeros(7, np.int64), np.zeros(7, np.int64)
    for i in range(len(candidates)):
        one = candidates[i]
        if not one.flags & IS_UDP:
            continue
        number = attempt_of[one.slot]
        if number == _NOT_QUIC:
            continue
        end = one.at + one.length
        if number == _UNSEEN:
            attempt_of[one.slot] = _NOT_QUIC
            if one.flags & POOLED or status[i] or knowns[one.slot].flow_no == flows[one.slot].flow_no:
                continue
            if _may_be_dns(rows[one.packet].src_port) or _may_be_dns(rows[one.packet].dst_port):
                continue
            told = _initial_datagram(buffer, one.at, end, head, rest)
            if told == 0:
                continue
            number = counts[0]
            attempt_of[one.slot] = number
            counts[0] += 1
            _begin(attempts[number], one, i, head, told == 2)
            _add_piece(attempts, pieces, number, counts[1], one, i, head)
            counts[1] += 1
            continue
        attempt = attempts[number]
        if attempt.state >= _CLOSED:
            continue
        server = one.half != attempt.half
        if attempt.state == _FROM_SERVER and not server:
            attempt.state = _CLOSED  # the server's part is whole, or the parsers have to see it
            continue
        told = 0
        if not one.flags & POOLED and status[i] == 0:
            told = _initial_datagram(buffer, one.at, end, head, rest)
        if told == 0 and server and attempt.state == _FROM_SERVER and status[i] != STUN:
            attempt.state = _CLOSED
            continue
        if told == 0 or head[_VERSION] != attempt.version or (told == 2 and server):
            attempt.state = _IRREGULAR
            continue
        if server and attempt.state == _FROM_CLIENT:
            attempt.state, attempt.server_scid = _FROM_SERVER, head[_SCID]
        if not server:
            attempt.token = max(attempt.token, head[_TOKEN])
            attempt.early = attempt.early or told == 2
        if _add_piece(attempts, pieces, number, counts[1], one, i, head):
            counts[1] += 1
        else:
            attempt.state = _IRREGULAR
    for number in range(counts[0]):
        if attempts[number].state == _FROM_CLIENT:
            attempts[number].state = _IRREGULAR
    for i in range(len(candidates)):
        attempt_of[candidates[i].slot] = _UNSEEN


class InitialBook:
    """Owns the arrays; what `read` found is valid until it is called again."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._attempt_of = np.zeros(0, np.int32)
        self._room = 1 << 10
        self._make()
        self.attempts: NDArray[Any] = self._attempts[:0]
        """The handshakes of the step; those with `read` have both hellos."""
        self.streams = new_streams(0, 0)
        """Bodies of their hellos and what stands in them."""

    def _make(self) -> None:
        self._attempts = np.zeros(self._room, ATTEMPT)
        self._pieces = np.zeros(self._room, PIECE)

    def read(
        self, rows: NDArray[Any], buffer: NDArray[np.uint8], candidates: NDArray[Any], status: NDArray[np.uint8],
        message: NDArray[np.int32], flows: NDArray[Any], knowns: NDArray[Any],
    ) -> None:  # fmt: skip
        """Read the regular handshakes of a step.

        Each is marked at its first candidate: status INITIAL, and its number among `attempts` as the message.
        """
        if len(self._attempt_of) < len(flows):
            self._attempt_of = np.full(len(flows), _UNSEEN, np.int32)
        while self._room < len(candidates):
            self._room *= 2
        if len(self._pieces) < self._room:
            self._make()
        counts = np.zeros(2, np.int64)
        list_attempts(
            buffer,
            candidates,
            rows,
            status,
            flows,
            knowns,
            self._attempt_of,
            self._attempts,
            self._pieces,
            counts,
        )
        self.attempts = self._attempts[: counts[0]]
        if not len(self.attempts):
            return
        plain = self._open(buffer, self._pieces[: counts[1]])
        self.streams = new_streams(len(self.attempts), len(plain))
        read_attempts(self.attempts, self._pieces, plain, self.streams, self._seed)
        found = np.flatnonzero(self.attempts["read"])
        first = self.attempts["candidate"][found]
        status[first], message[first] = INITIAL, found

    def _open(self, buffer: NDArray[np.uint8], pieces: NDArray[Any]) -> NDArray[np.uint8]:
        """The payloads of the Initials, one behind the other; of an attempt none more once one does not open."""
        attempts = self.attempts
        plain: list[bytes] = []
        keys: list[InitialKeyPair | None] = [None] * len(attempts)
        lost = (attempts["state"] == _IRREGULAR).tolist()
        data, where = memoryview(buffer), 0
        places = attempts["dcid"].tolist()
        versions = attempts["version"].tolist()
        at_of, size_of = np.zeros(len(pieces), np.int64), np.full(len(pieces), -1, np.int32)
        columns: Sequence[list[Any]] = [
            pieces[name].tolist() for name in ("attempt", "at", "payload", "end", "server")
        ]
        for i, (number, at, payload, end, server) in enumerate(zip(*columns, strict=True)):
            if lost[number]:
                continue
            pair = keys[number]
            if pair is None:
                place = places[number]
                dcid = bytes(data[place + 1 : place + 1 + data[place]])
                pair = keys[number] = InitialKeyPair(_PROTECTIONS[versions[number] - 1], dcid)
            opened = pair.side("server" if server else "client").open(
                bytes(data[at : at + end]), 0, payload, end
            )
            if opened is None:
                lost[number] = True
                continue
            plain.append(opened.payload)
            at_of[i], size_of[i] = where, len(opened.payload)
            where += len(opened.payload)
        pieces["plain"], pieces["size"] = at_of, size_of
        attempts["state"][lost] = _IRREGULAR
        return np.frombuffer(b"".join(plain) or b"\0", np.uint8)

    def hellos(self) -> Iterator[tuple[tuple[int, int], memoryview, bool]]:
        """One hello of each shape among those read: the hash of its shape, its body, whether it is the server's."""
        bodies = memoryview(self.streams.bodies)
        read = self.attempts[self.attempts["read"] != 0]
        for server, (first, second, at, length) in ((False, _HELLO), (True, _ANSWER)):
            _, which = np.unique(read[first], return_index=True)
            for row in read[which]:
                body = bodies[row[at] : row[at] + row[length]]
                yield (int(row[first]), int(row[second])), body, server

    def rows(
        self,
        rows: NDArray[Any],
        buffer: NDArray[np.uint8],
        candidates: NDArray[Any],
        flow_no: NDArray[np.int64],
    ) -> list[pa.Array]:
        """Columns in the order of `tables.QUIC_HANDSHAKES`, of the handshakes that the loop has kept."""
        taken = np.flatnonzero(self.attempts["taken"])
        of, size = self.attempts[taken], len(taken)
        version = named(of["version"] - 1, [version_name(number) for number in VERSIONS])
        texts = parameter_columns(self.streams.parameters, taken)
        columns = {
            "flow_no": pa.array(flow_no[of["slot"]]),
            "frame": pa.array(rows["frame"][candidates["packet"][of["candidate"]]]),
            "client_version": version, "version": version,
            **{
                name: _ids(buffer, of[place])
                for name, place in (
                    ("original_dcid", "dcid"), ("client_scid", "client_scid"), ("server_scid", "server_scid")
                )
            },
            "token_bytes": pa.array(of["token"].astype(np.int32)), "early_data": pa.array(of["early"] != 0), **texts,
        }  # fmt: skip
        return [
            columns[field.name] if field.name in columns else pa.nulls(size, field.type)
            for field in QUIC_HANDSHAKES
        ]


_HELLO: Final = ("first", "second", "hello", "hello_length")
_ANSWER: Final = ("server_first", "server_second", "answer", "answer_length")


def _ids(buffer: NDArray[np.uint8], places: NDArray[np.int64]) -> pa.Array:
    """Connection ids, whose length bytes stand at these places, in hexadecimal."""
    data = memoryview(buffer)
    return pa.array([data[at + 1 : at + 1 + data[at]].hex() for at in places.tolist()], pa.string())


def warm() -> None:
    """Compile the kernels of this module by reading one datagram that is nothing."""
    book = InitialBook(1)
    candidates = np.zeros(1, CANDIDATE)
    book.read(
        np.zeros(1, PACKET), np.zeros(64, np.uint8), candidates, np.zeros(1, np.uint8), np.zeros(1, np.int32),
        np.zeros(1, FLOW), np.zeros(1, KNOWN),
    )  # fmt: skip
    plain = np.frombuffer(b"\0", np.uint8)
    read_attempts(np.zeros(1, ATTEMPT)[:0], np.zeros(1, PIECE), plain, new_streams(0, 0), 1)
