"""What the parser found in the first hello of each shape (see `hellos`), for all the others."""

from functools import lru_cache
from typing import Final

import numpy as np

from wirecover.capture.flows.handshake import ClientFacts, ServerFacts
from wirecover.capture.flows.hellos import SHAPE_BYTES, shape_client_hello, shape_server_hello
from wirecover.capture.protocols.tls import parse_client_hello, parse_server_hello

MAX_SHAPES: Final = 1 << 15
"""Shapes remembered; at the limit all are forgotten, so that crafted hellos cannot fill memory."""


class ShapeBook:
    """(hash of a shape) -> facts. The parser is asked once a shape and decides what is true."""

    def __init__(self) -> None:
        self._quic_clients: dict[bytes, ClientFacts] = {}
        self._quic_servers: dict[bytes, ServerFacts] = {}
        self._body = np.zeros(SHAPE_BYTES, np.uint8)
        self._shape = np.zeros(SHAPE_BYTES, np.uint8)
        self._found = np.zeros(2, np.int64)
        self._clients: dict[tuple[int, int], ClientFacts] = {}
        self._servers: dict[tuple[int, int], ServerFacts] = {}

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
        at, length = self._found.tolist()
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


@lru_cache(maxsize=1 << 14)
def plain_name(name: bytes) -> str:
    """A server name that the kernel found to be letters, digits, dots, hyphens and underscores only."""
    return name.decode("ascii")
