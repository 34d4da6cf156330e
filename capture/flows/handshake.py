"""One TLS, DTLS or QUIC handshake, gathered from both directions into a row of `tls_handshakes`."""

from dataclasses import dataclass
from typing import Any, Final

from wirecover.capture.protocols.ja3 import ja3, ja3s
from wirecover.capture.protocols.ja4 import ja4
from wirecover.capture.protocols.tls import ClientHello, ServerHello, cipher_name, resumed, version_name

_JA4_LETTER: Final = {"tcp": "t", "dtls": "d", "quic": "q"}


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a ClientHello's shape says: the same for every hello that differs in random values and name only."""

    alpn: tuple[str, ...]
    version: str
    ja3: str
    ja4: str
    ech: str | None
    problems: tuple[str, ...]

    @classmethod
    def of(cls, hello: ClientHello, carrier: str) -> "ClientFacts":
        """Fingerprints and offers of a hello sent over `carrier` ('tcp', 'dtls', 'quic')."""
        return cls(
            hello.alpn, version_name(hello.legacy_version), ja3(hello), ja4(hello, _JA4_LETTER[carrier]), hello.ech,
            hello.problems,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a ServerHello's shape says."""

    alpn: str | None
    version: str
    cipher: str
    ja3s: str
    is_hello_retry: bool
    hello: ServerHello

    @classmethod
    def of(cls, hello: ServerHello) -> "ServerFacts":
        """Choices of a hello."""
        return cls(
            hello.alpn, version_name(hello.version), cipher_name(hello.cipher), ja3s(hello), hello.is_hello_retry, hello
        )


class Handshake:
    """Fills as messages are read. The first ClientHello counts; a HelloRetryRequest gives way to the ServerHello."""

    __slots__ = (
        "abbreviated", "carrier", "certificate_frame", "certificates", "client", "client_frame", "client_ts",
        "quic_version", "retried", "server", "server_frame", "server_ts", "sni",
    )  # fmt: skip

    def __init__(self, carrier: str) -> None:
        self.carrier = carrier
        self.client: ClientFacts | None = None
        self.sni: str | None = None
        self.client_frame: int | None = None
        self.client_ts: int | None = None
        self.server: ServerFacts | None = None
        self.server_frame: int | None = None
        self.server_ts: int | None = None
        self.retried = False
        self.quic_version: str | None = None
        self.certificates: tuple[tuple[str, str], ...] = ()
        """(SHA-1, SHA-256) of each certificate the server sent, leaf first."""
        self.certificate_frame: int | None = None
        self.abbreviated: bool | None = None
        """Up to TLS 1.2: the server went on without certificates; None = not known."""

    def take_client(self, facts: ClientFacts | None, sni: str | None, frame: int, ts: int) -> None:
        """A ClientHello; without facts it is Google QUIC's own CHLO, for which JA3 and JA4 are not defined."""
        if self.client_frame is None:
            self.client, self.sni, self.client_frame, self.client_ts = facts, sni, frame, ts

    def take_server(self, facts: ServerFacts, frame: int, ts: int) -> None:
        """A ServerHello or HelloRetryRequest."""
        if self.server is None or self.server.is_hello_retry:
            self.retried = self.retried or facts.is_hello_retry
            self.server, self.server_frame, self.server_ts = facts, frame, ts

    @property
    def is_answered(self) -> bool:
        """The server's own hello was seen, not only a retry request."""
        return self.server is not None and not self.server.is_hello_retry

    def row(self, flow_no: int) -> tuple[Any, ...]:
        """Values in the order of `tables.TLS_HANDSHAKES`."""
        client, server = self.client, self.server
        alpn, client_version, ja3_hash, ja4_text, ech = (
            (None,) * 5 if client is None else (client.alpn, client.version, client.ja3, client.ja4, client.ech)
        )
        selected, version, cipher, ja3s_hash, taken_up, retried = (
            (None,) * 6
            if server is None
            else (server.alpn, server.version, server.cipher, server.ja3s, self._resumed(server), self.retried)
        )
        return (
            flow_no, self.carrier, self.client_frame, self.client_ts, self.server_frame, self.server_ts, self.sni, alpn,
            selected, version, client_version, cipher, ja3_hash, ja3s_hash, ja4_text, ech, taken_up, retried,
            self.quic_version, [sha1 for sha1, _ in self.certificates] or None,
            [sha256 for _, sha256 in self.certificates] or None,
        )  # fmt: skip

    def _resumed(self, server: ServerFacts) -> bool | None:
        if self.certificates:
            return False
        return resumed(None, server.hello, abbreviated=self.abbreviated)
