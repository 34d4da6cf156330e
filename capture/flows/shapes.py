"""What the parser found in the first hello of each shape (see `hellos`), for all the others."""

from functools import lru_cache
from typing import Final

from wirecover.capture.flows.handshake import ClientFacts, ServerFacts
from wirecover.capture.protocols.tls import parse_client_hello, parse_server_hello

MAX_SHAPES: Final = 1 << 15
"""Shapes remembered; at the limit all are forgotten, so that crafted hellos cannot fill memory."""


class ShapeBook:
    """(hash of a shape) -> facts. The parser is asked once a shape and decides what is true."""

    def __init__(self) -> None:
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


@lru_cache(maxsize=1 << 14)
def plain_name(name: bytes) -> str:
    """A server name that the kernel found to be letters, digits, dots, hyphens and underscores only."""
    return name.decode("ascii")
