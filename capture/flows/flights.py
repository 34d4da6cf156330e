"""A server's flight up to TLS 1.2: its hello and its certificates, followed by a kernel.

The flight comes in pieces and is gathered in a block of a pool. A ServerHello is known by its shape and a chain of
certificates by its bytes, each distinct one read once by the parsers. What is not the usual flight (a message over
several records, an alert, a flight longer than a block) is handed over, piece by piece as it came, to the parsers.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.flows.handshake import Chain
from wirecover.capture.flows.hellos import hash_shape
from wirecover.capture.flows.shapes import find_shape
from wirecover.capture.flows.strings import NO_ROOM, StringTable, find
from wirecover.capture.kernels import kernel

FLIGHT_BYTES: Final = 16384
FLIGHT_PIECES: Final = 32
FLIGHT_BLOCKS: Final = 512
"""Flights followed at one time; beyond, they are left to the parsers."""
MAX_CHAIN_BYTES: Final = 32 << 20
"""Of certificate chains remembered; later ones are left to the parsers."""
MAX_SERVER_HELLO: Final = 1024
MAX_CHAIN_NAMES: Final = 48  # at most NOTED_AT_ONCE of names.py
"""Names in a leaf; of one with more, the chain is left to the parsers."""

FLIGHT: Final = np.dtype(
    [("used", "i4"), ("read", "i4"), ("inside", "i4"), ("pieces", "i4"), ("end", "i4", FLIGHT_PIECES),
     ("frame", "i8", FLIGHT_PIECES), ("ts", "i8", FLIGHT_PIECES), ("slot", "i4"), ("half", "u1"), ("done", "u1")]
)  # fmt: skip
"""end[k], frame[k], ts[k]: where piece k ends in the block, and its packet. read: up to where records were read;
inside: and how much of the handshake messages in the record there.
done: ServerHelloDone was seen."""


class Flights(NamedTuple):
    """What the kernel works with."""

    rows: Any
    bytes: Any
    free: Any
    """Stack of free blocks; its height is count[0]."""
    count: Any
    """Free blocks; whether the piece at the cursor was gathered already; whether no more chains may be kept."""
    chains: Any
    """Strings: bodies of Certificate messages."""
    chain_names: Any
    """int64 for each chain: where its names stand in `name_lists`; -1: it is left to the parsers."""
    name_lists: Any
    """How many, then numbers of the names in a chain's leaf."""
    seed: Any


FREE, GATHERED, NO_CHAINS = range(3)

# what `follow` gave
FOLLOWED, OVER, LEAVE, NEW_SHAPE, NEW_CHAIN = range(5)


@kernel
def _u16(buffer: Any, at: int) -> int:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def begins_flight(buffer: Any, at: int, length: int) -> bool:
    """Do these first bytes of a stream begin a ServerHello?"""
    return length >= 6 and buffer[at] == 22 and buffer[at + 1] == 3 and buffer[at + 5] == 2


@kernel
def open_flight(flights: Any, slot: int, half: int) -> int:
    """A block for a new flight of this half; -1 when there is none."""
    if flights.count[0] == 0:
        return -1
    flights.count[0] -= 1
    block = np.int64(flights.free[flights.count[0]])
    row = flights.rows[block]
    row.used = row.read = row.inside = row.pieces = row.done = 0
    row.slot, row.half = slot, half
    return block


@kernel
def close_flight(flights: Any, block: int) -> None:
    """Give a block back."""
    flights.free[flights.count[0]] = block
    flights.count[0] += 1


@kernel
def _gather(flights: Any, block: int, buffer: Any, at: int, length: int, frame: int, ts: int) -> bool:
    """Add a piece; False if it does not fit."""
    row = flights.rows[block]
    if row.used + length > FLIGHT_BYTES or row.pieces == FLIGHT_PIECES:
        return False
    start = block * FLIGHT_BYTES + row.used
    for i in range(length):
        flights.bytes[start + i] = buffer[at + i]
    row.used += length
    row.end[row.pieces], row.frame[row.pieces], row.ts[row.pieces] = row.used, frame, ts
    row.pieces += 1
    return True


@kernel
def _shape_of_hello(buffer: Any, at: int, end: int, shape: Any) -> int:
    """A ServerHello up to TLS 1.2 but for its random and session id; -1 if it is anything else."""
    if end - at < 38 or end - at > MAX_SERVER_HELLO or buffer[at] != 3 or buffer[at + 1] > 3:
        return -1
    if (
        buffer[at + 2] == 0xCF
        and buffer[at + 3] == 0x21
        and buffer[at + 4] == 0xAD
        and buffer[at + 5] == 0x74
    ):
        return -1  # may be a HelloRetryRequest
    session = np.int64(buffer[at + 34])
    rest = at + 35 + session
    if session > 32 or rest + 3 > end:
        return -1
    if rest + 3 < end:
        if rest + 5 > end or _u16(buffer, rest + 3) != end - rest - 5:
            return -1
        extension = rest + 5
        while extension < end:
            if extension + 4 > end:
                return -1
            kind = _u16(buffer, extension)
            if kind == 43 or kind == 51:  # TLS 1.3
                return -1
            extension += 4 + _u16(buffer, extension + 2)
        if extension != end:
            return -1
    shape[0], shape[1] = buffer[at], buffer[at + 1]
    for i in range(end - rest):
        shape[2 + i] = buffer[rest + i]
    return 2 + end - rest


@kernel
def _message(
    flights: Any, known: Any, servers: Any, kind: int, at: int, end: int, frame: int, ts: int
) -> int:
    """One whole message of the flight."""
    if kind == 2:
        if known.server >= 0:
            return LEAVE
        shape = np.empty(MAX_SERVER_HELLO, np.uint8)
        size = _shape_of_hello(flights.bytes, at, end, shape)
        if size < 0:
            return LEAVE
        number = find_shape(
            servers, hash_shape(shape, size, flights.seed, 2), hash_shape(shape, size, flights.seed, 3)
        )
        if number < 0:
            return LEAVE if flights.count[2] else NEW_SHAPE
        if not servers.plain[number]:
            return LEAVE
        known.server, known.server_frame, known.server_ts = number, frame, ts
    elif kind == 11:
        if known.server < 0 or known.chain >= 0:
            return LEAVE
        number = find(flights.chains, flights.bytes, at, end)
        if number < 0:
            return LEAVE if flights.count[2] else NEW_CHAIN
        if flights.chain_names[number] < 0:
            return LEAVE
        known.chain, known.certificate_frame = number, frame
    elif kind != 12 and kind != 13 and kind != 14 and kind != 22:
        return LEAVE
    return FOLLOWED


@kernel
def follow(
    flights: Any, known: Any, servers: Any, block: int, buffer: Any, at: int, length: int, frame: int, ts: int
) -> int:
    """Take the next piece of a flight and read the records it completes.

    NEW_SHAPE, NEW_CHAIN: the message at `read` of the row has to be met first; then call again, the piece is
    gathered. OVER: nothing of interest can follow.
    """
    if not flights.count[1]:
        if not _gather(flights, block, buffer, at, length, frame, ts):
            return LEAVE
        flights.count[1] = 1
    row = flights.rows[block]
    begin = block * FLIGHT_BYTES
    data = flights.bytes
    while row.used - row.read >= 5:
        record = begin + row.read
        kind, size = np.int64(data[record]), _u16(data, record + 3)
        if data[record + 1] != 3 or size > 16384 + 2048 or not (kind == 20 or kind == 22 or kind == 23):
            return LEAVE
        if row.used - row.read < 5 + size:
            break
        if kind != 22:
            if known.server < 0:
                return LEAVE
            if kind == 20:
                known.abbreviated = 0 if row.done else 1
            return OVER
        if size == 0:
            return LEAVE
        while row.inside < size:
            message, left = record + 5 + row.inside, size - row.inside
            body = (np.int64(data[message + 1]) << 16) | _u16(data, message + 2) if left >= 4 else left
            if 4 + body > left:
                return LEAVE
            kind = np.int64(data[message])
            told = _message(flights, known, servers, kind, message + 4, message + 4 + body, frame, ts)
            if told != FOLLOWED:
                return told
            if kind == 14:
                row.done = 1
            row.inside += 4 + body
        row.inside = 0
        row.read += 5 + size
        if row.done and known.chain >= 0:
            known.abbreviated = 0
            return OVER
    return FOLLOWED


class FlightDeck:
    """Owns the blocks and the chains."""

    def __init__(self, seed: int) -> None:
        self._chains = StringTable(seed, MAX_CHAIN_BYTES)
        self.chains: list[Chain | None] = []
        """What the parsers found in each chain, by its number."""
        self._listed = 0
        self.flights = Flights(
            np.zeros(FLIGHT_BLOCKS, FLIGHT), np.zeros(FLIGHT_BLOCKS * FLIGHT_BYTES, np.uint8),
            np.arange(FLIGHT_BLOCKS, dtype=np.int32)[::-1].copy(), np.array([FLIGHT_BLOCKS, 0, 0], np.int64),
            self._chains.strings, np.zeros(64, np.int64), np.zeros(256, np.int64), seed,
        )  # fmt: skip

    def pieces(self, block: int) -> list[tuple[bytes, int, int]]:
        """Bytes, frame and time of each piece in a block, which is given back."""
        row = self.flights.rows[block]
        data = self.flights.bytes[block * FLIGHT_BYTES :][: row["used"]].tobytes()
        count = int(row["pieces"])
        ends = [0, *row["end"][:count].tolist()]
        found = [
            (data[start:end], frame, ts)
            for start, end, frame, ts in zip(
                ends, ends[1:], row["frame"][:count].tolist(), row["ts"][:count].tolist(), strict=False
            )
        ]
        close_flight(self.flights, block)
        return found

    def close(self, blocks: NDArray[np.int32]) -> None:
        """Give blocks back whose flows are over."""
        for block in blocks.tolist():
            close_flight(self.flights, block)

    def message(self, block: int) -> bytes:
        """Body of the message that the kernel came to."""
        row = self.flights.rows[block]
        at = block * FLIGHT_BYTES + int(row["read"]) + 5 + int(row["inside"])
        head = self.flights.bytes[at : at + 4].tobytes()
        return self.flights.bytes[at + 4 : at + 4 + int.from_bytes(head[1:], "big")].tobytes()

    def shape_hash(self, body: bytes) -> tuple[int, int]:
        """The hash of a ServerHello's shape."""
        shape = np.zeros(MAX_SERVER_HELLO, np.uint8)
        size = _shape_of_hello(np.frombuffer(body, np.uint8).copy(), 0, len(body), shape)
        first, second = (hash_shape(shape, size, self.flights.seed, half) for half in (2, 3))
        return int(first), int(second)

    def meet(self, body: bytes, chain: Chain | None, names: list[int]) -> None:
        """Remember a chain by its Certificate message, and the numbers of its names; None: it is left to the parsers.

        When no more chains may be kept, they all are from now on.
        """
        number = NO_ROOM if len(names) > MAX_CHAIN_NAMES else self._chains.number(body)
        if number == NO_ROOM:
            self.flights.count[NO_CHAINS] = 1
            return
        self.chains.append(chain)
        flights = self.flights
        lists, chain_names = flights.name_lists, flights.chain_names
        if len(lists) < self._listed + 1 + MAX_CHAIN_NAMES:
            lists = np.concatenate([lists, np.zeros_like(lists)])
        if len(chain_names) <= number:
            chain_names = np.concatenate([chain_names, np.zeros_like(chain_names)])
        chain_names[number] = -1 if chain is None else self._listed
        lists[self._listed : self._listed + 1 + len(names)] = [len(names), *names]
        self._listed += 1 + len(names)
        self.flights = flights._replace(
            chains=self._chains.strings, chain_names=chain_names, name_lists=lists
        )


def warm() -> None:
    """Compile the kernels that are called from here; the others are part of `known`."""
    deck = FlightDeck(1)
    deck.shape_hash(bytes(64))
    deck.close(np.zeros(1, np.int32))
