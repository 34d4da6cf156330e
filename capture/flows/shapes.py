"""What the parser found in the first hello of each shape (see `hellos`), for all the others."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from wirecover.capture.flows.handshake import ClientFacts, ServerFacts
from wirecover.capture.flows.hellos import SHAPE_BYTES, shape_client_hello, shape_server_hello
from wirecover.capture.kernels import kernel
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls import parse_client_hello, parse_server_hello

MAX_SHAPES: Final = 1 << 15
"""Shapes remembered; at the limit all are forgotten, so that crafted hellos cannot fill memory."""


Facts = TypeVar("Facts", ClientFacts, ServerFacts)


class Shapes(NamedTuple):
    """The shapes of one kind of hello, as kernels take them."""

    index: Any
    first: Any
    second: Any
    plain: Any
    """1: the facts say it all. 0: each such hello is left to the parser, which refuses it or finds it odd."""
    count: Any


@kernel
def find_shape(shapes: Any, first: Any, second: Any) -> int:
    """The number of the shape with this hash, -1 if it was never seen."""
    mask = len(shapes.index) - 1
    place = np.int64(first & np.uint64(mask))
    while shapes.index[place] >= 0:
        number = np.int64(shapes.index[place])
        if shapes.first[number] == first and shapes.second[number] == second:
            return number
        place = (place + 1) & mask
    return -1


class ShapeTable(Generic[Facts]):
    """Facts by the number of a shape. A number is never given up: flows alive hold it."""

    def __init__(self) -> None:
        self.facts: list[Facts | None] = []
        self.shapes = Shapes(
            np.full(2 * MAX_SHAPES, -1, np.int32), np.zeros(MAX_SHAPES, np.uint64), np.zeros(MAX_SHAPES, np.uint64),
            np.zeros(MAX_SHAPES, np.uint8), np.zeros(1, np.int64),
        )  # fmt: skip

    @property
    def is_full(self) -> bool:
        """Further shapes find no place."""
        return len(self.facts) >= MAX_SHAPES

    def add(self, first: int, second: int, facts: Facts | None) -> None:
        """A new shape; without facts, its hellos are left to the parser."""
        shapes, number = self.shapes, len(self.facts)
        place = first & (len(shapes.index) - 1)
        while shapes.index[place] >= 0:
            place = (place + 1) & (len(shapes.index) - 1)
        shapes.index[place] = number
        shapes.first[number], shapes.second[number] = first, second
        shapes.plain[number] = facts is not None
        self.facts.append(facts)
        shapes.count[0] = len(self.facts)


class ShapeBook:
    """(hash of a shape) -> facts. The parser is asked once a shape and decides what is true."""

    def __init__(self) -> None:
        self._quic_clients: dict[bytes, ClientFacts] = {}
        self._quic_servers: dict[bytes, ServerFacts] = {}
        self._body = np.zeros(SHAPE_BYTES, np.uint8)
        self._shape = np.zeros(SHAPE_BYTES, np.uint8)
        self._found = np.zeros(3, np.int64)
        self._clients: dict[tuple[int, int], ClientFacts] = {}
        self._servers: dict[tuple[int, int], ServerFacts] = {}
        self.clients: ShapeTable[ClientFacts] = ShapeTable()
        self.quic_clients: ShapeTable[ClientFacts] = ShapeTable()
        self.servers: ShapeTable[ServerFacts] = ShapeTable()

    def meet(self, key: tuple[int, int], body: memoryview, *, server: bool) -> bool:
        """A shape that kernels do not know: have the parser read this hello. False when no more shapes may be kept."""
        if server:
            if self.servers.is_full:
                return False
            self.servers.add(*key, _without_trouble(self.server, key, body))
            return True
        if self.clients.is_full:
            return False
        facts = _without_trouble(self.client, key, body)
        self.clients.add(*key, None if facts is None or facts.problems else facts)
        return True

    def meet_quic(self, key: tuple[int, int], body: memoryview) -> None:
        """The shape of a ClientHello over QUIC that kernels may not know."""
        shapes = self.quic_clients.shapes
        if not self.quic_clients.is_full and find_shape(shapes, np.uint64(key[0]), np.uint64(key[1])) < 0:
            try:
                facts = ClientFacts.of(parse_client_hello(bytes(body)), "quic")
            except Malformed:
                facts = None  # its flow is told so, each time, by the parser
            self.quic_clients.add(*key, facts)

    def meet_server(self, key: tuple[int, int], body: memoryview) -> None:
        """The shape of a ServerHello that kernels may not know."""
        shapes = self.servers.shapes
        if not self.servers.is_full and find_shape(shapes, np.uint64(key[0]), np.uint64(key[1])) < 0:
            self.meet(key, body, server=True)

    def client(self, key: tuple[int, int], body: memoryview) -> ClientFacts:
        """Facts of the ClientHello `body` (over TCP). Raises Malformed if the parser refuses it."""
        facts = self._clients.get(key)
        if facts is None:
            if len(self._clients) >= MAX_SHAPES:
                self._clients.clear()
            facts = self._clients[key] = ClientFacts.of(parse_client_hello(bytes(body)), "tcp")
        return facts

    def server(self, key: tuple[int, int], body: memoryview) -> ServerFacts:
        """Facts of the TLS 1.3 ServerHello `body`."""
        facts = self._servers.get(key)
        if facts is None:
            if len(self._servers) >= MAX_SHAPES:
                self._servers.clear()
            facts = self._servers[key] = ServerFacts.of(parse_server_hello(bytes(body)))
        return facts

    def quic_client(self, body: bytes) -> tuple[ClientFacts, str | None]:
        """Facts and server name of a ClientHello over QUIC. Raises Malformed."""
        size = -1
        if len(body) <= SHAPE_BYTES:
            self._body[: len(body)] = np.frombuffer(body, np.uint8)
            size = shape_client_hello(self._body, 0, len(body), self._shape, self._found)
        if size < 0:
            hello = parse_client_hello(body)
            return ClientFacts.of(hello, "quic"), hello.sni
        key = self._shape[:size].tobytes()
        facts = self._quic_clients.get(key)
        if facts is None:
            if len(self._quic_clients) >= MAX_SHAPES:
                self._quic_clients.clear()
            facts = self._quic_clients[key] = ClientFacts.of(parse_client_hello(body), "quic")
        at, length, _ = self._found.tolist()
        return facts, plain_name(body[at : at + length]) if length else None

    def quic_server(self, body: bytes) -> ServerFacts:
        """Facts of a ServerHello over QUIC. Raises Malformed."""
        size = -1
        if len(body) <= SHAPE_BYTES:
            self._body[: len(body)] = np.frombuffer(body, np.uint8)
            size = shape_server_hello(self._body, 0, len(body), self._shape)
        if size < 0:
            return ServerFacts.of(parse_server_hello(body))
        key = self._shape[:size].tobytes()
        facts = self._quic_servers.get(key)
        if facts is None:
            if len(self._quic_servers) >= MAX_SHAPES:
                self._quic_servers.clear()
            facts = self._quic_servers[key] = ServerFacts.of(parse_server_hello(body))
        return facts


def _without_trouble(
    read: Callable[[tuple[int, int], memoryview], Facts], key: tuple[int, int], body: memoryview
) -> Facts | None:
    try:
        return read(key, body)
    except Malformed:
        return None  # its flow is told so, each time, by the parser


@lru_cache(maxsize=1 << 14)
def plain_name(name: bytes) -> str:
    """A server name that the kernel found to be letters, digits, dots, hyphens and underscores only."""
    return name.decode("ascii")
