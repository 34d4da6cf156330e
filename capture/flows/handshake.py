"""One TLS, DTLS or QUIC handshake, gathered from both directions into a row of `tls_handshakes`."""

from dataclasses import dataclass
from typing import Any, Final

from wirecover.capture.protocols.ja3 import ja3, ja3s
from wirecover.capture.protocols.ja4 import ja4
from wirecover.capture.protocols.tls import ClientHello, ServerHello, cipher_name, resumed, version_name

_JA4_LETTER: Final = {"tcp": "t", "dtls": "d", "quic": "q"}


@dataclass(frozen=True, slots=True)
class Seen:
    """Where and when something was read."""

    frame: int
    ts: int


@dataclass(slots=True)
class Handshake:
    """Fills as messages are read. The first ClientHello counts; a HelloRetryRequest gives way to the ServerHello."""

    carrier: str
    """'tcp', 'dtls' or 'quic'."""
    client: ClientHello | None = None
    client_seen: Seen | None = None
    server: ServerHello | None = None
    server_seen: Seen | None = None
    retried: bool = False
    quic_version: str | None = None
    google_sni: str | None = None
    """Of Google QUIC's own CHLO, which is no TLS: a name and nothing that JA3 or JA4 are defined for."""
    certificates: tuple[tuple[str, str], ...] = ()
    """(SHA-1, SHA-256) of each certificate the server sent, leaf first."""
    certificate_frame: int | None = None
    abbreviated: bool | None = None
    """Up to TLS 1.2: the server went on without certificates; None = not known."""

    def take_client(self, hello: ClientHello, seen: Seen) -> None:
        """A ClientHello."""
        if self.client is None:
            self.client, self.client_seen = hello, seen

    def take_server(self, hello: ServerHello, seen: Seen) -> None:
        """A ServerHello or HelloRetryRequest."""
        if self.server is None or self.server.is_hello_retry:
            self.retried = self.retried or hello.is_hello_retry
            self.server, self.server_seen = hello, seen

    @property
    def sni(self) -> str | None:
        """The server name the client asked for."""
        return self.google_sni if self.client is None else self.client.sni

    def ja4(self) -> str | None:
        """JA4 of the client."""
        return None if self.client is None else ja4(self.client, _JA4_LETTER[self.carrier])

    def row(self, flow_no: int) -> tuple[Any, ...]:
        """Values in the order of `tables.TLS_HANDSHAKES`."""
        client, server = self.client, self.server
        client_part: tuple[Any, ...] = (self.google_sni, *(None,) * 5)
        if client is not None:
            client_part = (
                client.sni, client.alpn, version_name(client.legacy_version), ja3(client), self.ja4(), client.ech
            )
        server_part: tuple[Any, ...] = (None,) * 6
        if server is not None:
            known = False if self.certificates else resumed(client, server, abbreviated=self.abbreviated)
            server_part = (
                server.alpn, version_name(server.version), cipher_name(server.cipher), ja3s(server), known, self.retried
            )
        sni, alpn, client_version, ja3_hash, ja4_text, ech = client_part
        selected, version, cipher, ja3s_hash, was_resumed, retried = server_part
        return (
            flow_no, self.carrier, *_where(self.client_seen), *_where(self.server_seen), sni, alpn, selected, version,
            client_version, cipher, ja3_hash, ja3s_hash, ja4_text, ech, was_resumed, retried, self.quic_version,
            [sha1 for sha1, _ in self.certificates] or None, [sha256 for _, sha256 in self.certificates] or None,
        )  # fmt: skip


def _where(seen: Seen | None) -> tuple[int | None, int | None]:
    return (None, None) if seen is None else (seen.frame, seen.ts)
