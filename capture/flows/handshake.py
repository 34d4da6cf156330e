"""One TLS, DTLS or QUIC handshake, gathered from both directions into a row of `tls_handshakes`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wirecover.capture.flows.texts import named
from wirecover.capture.protocols.ja3 import ja3, ja3s
from wirecover.capture.protocols.ja4 import ja4
from wirecover.capture.protocols.tls import ClientHello, ServerHello, cipher_name, resumed, version_name
from wirecover.capture.registries.quic_versions import V1, V2
from wirecover.capture.registries.quic_versions import version_name as quic_version_name
from wirecover.capture.tables import TLS_HANDSHAKES

QUIC_VERSIONS: Final = (None, *(quic_version_name(number) for number in (V1, V2)))
"""By the code of a KNOWN row."""
_JA4_LETTER: Final = {"tcp": "t", "dtls": "d", "quic": "q"}


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a ClientHello's shape says: the same for every hello that differs in random values and name only."""

    alpn: tuple[str, ...]
    version: str
    ja3: str | None
    """None, like `ja4`, of a hello whose end was not captured."""
    ja4: str | None
    ech: str | None
    problems: tuple[str, ...]
    psk: bool = False
    early_data: bool = False
    ticket: bool = False
    complete: bool = True

    @classmethod
    def of(cls, hello: ClientHello, carrier: str) -> "ClientFacts":
        """Fingerprints and offers of a hello sent over `carrier` ('tcp', 'dtls', 'quic')."""
        whole = hello.complete
        return cls(
            hello.alpn, version_name(hello.legacy_version), ja3(hello) if whole else None,
            ja4(hello, _JA4_LETTER[carrier]) if whole else None, hello.ech, hello.problems, hello.psk_offered,
            hello.early_data, hello.session_ticket, whole,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a ServerHello's shape says."""

    alpn: str | None
    version: str
    cipher: str | None
    """None of SSL 2.0, where the client chooses; and like `ja3s`, which is not defined for it."""
    ja3s: str | None
    is_hello_retry: bool
    resumed: bool | None
    """What the hello alone says of resumption."""
    hello: ServerHello

    @classmethod
    def of(cls, hello: ServerHello) -> "ServerFacts":
        """Choices of a hello."""
        return cls(
            hello.alpn, version_name(hello.version), cipher_name(hello.cipher), ja3s(hello), hello.is_hello_retry,
            resumed(None, hello), hello,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificates of one Certificate message."""

    digests: tuple[tuple[str, str], ...]
    """SHA-1 and SHA-256 of each, leaf first."""
    names: tuple[str, ...]
    """Host names of the leaf."""


class Handshake:
    """Fills as messages are read. The first ClientHello counts; a HelloRetryRequest gives way to the ServerHello."""

    __slots__ = (
        "abbreviated", "carrier", "certificate_frame", "certificates", "client", "client_certificates", "client_frame",
        "client_half", "client_ts", "ech", "quic_version", "retried", "server", "server_frame", "server_ts", "sni",
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
        self.client_half: int | None = None
        """Of DTLS inside a relay's flow: which half carries the client, who need not be the flow's client."""
        self.client_certificates: tuple[str, ...] = ()
        """SHA-256 of each certificate the client sent, leaf first."""
        self.ech: tuple[int, int, int] | None = None
        """Config id, KDF and AEAD of an outer Encrypted ClientHello."""
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

    @property
    def resumed(self) -> bool | None:
        """Whether an earlier session was taken up; None where that cannot be known."""
        server = self.server
        if server is None:
            return None
        if self.certificates:
            return False
        if self.abbreviated is None:
            return server.resumed
        return resumed(None, server.hello, abbreviated=self.abbreviated)


def handshake_columns(flow_no: Sequence[int], handshakes: Sequence[Handshake]) -> list[pa.Array]:
    """The handshakes of these flows, as columns in the order of `tables.TLS_HANDSHAKES`.

    What follows from the shape of a hello is put into text once, and taken for every flow that has the shape.
    """
    clients, client = _numbered([one.client for one in handshakes])
    servers, server = _numbered([one.server for one in handshakes])

    def of_client(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([None if facts is None else getattr(facts, name) for facts in clients], kind).take(
            client
        )

    def of_server(name: str) -> pa.Array:
        return pa.array(
            [None if facts is None else getattr(facts, name) for facts in servers], pa.string()
        ).take(server)

    text, flag = pa.string(), pa.bool_()
    columns: dict[str, Any] = {
        "flow_no": flow_no, "carrier": [one.carrier for one in handshakes],
        "client_frame": [one.client_frame for one in handshakes], "client_ts": [one.client_ts for one in handshakes],
        "server_frame": [one.server_frame for one in handshakes], "server_ts": [one.server_ts for one in handshakes],
        "sni": [one.sni for one in handshakes],
        "alpn_offered": of_client("alpn", TLS_HANDSHAKES.field("alpn_offered").type),
        "alpn_selected": of_server("alpn"), "version": of_server("version"),
        "client_version": of_client("version", text),
        "cipher": of_server("cipher"), "ja3": of_client("ja3", text), "ja3s": of_server("ja3s"),
        "ja4": of_client("ja4", text),
        "ech": of_client("ech", text), "resumed": [one.resumed for one in handshakes],
        "hello_retry": [None if one.server is None else one.retried for one in handshakes],
        "quic_version": [one.quic_version for one in handshakes],
        "certificate_sha1s": [[sha1 for sha1, _ in one.certificates] or None for one in handshakes],
        "certificate_sha256s": [[sha256 for _, sha256 in one.certificates] or None for one in handshakes],
        "sni_kind": [
            None if one.sni is None else "asked-or-outer" if one.client and one.client.ech else "asked"
            for one in handshakes
        ],
        "client_complete": of_client("complete", flag), "psk_offered": of_client("psk", flag),
        "early_data": of_client("early_data", flag), "ticket_offered": of_client("ticket", flag),
        "ech_config_id": [one.ech and one.ech[0] for one in handshakes],
        "ech_kdf": [one.ech and one.ech[1] for one in handshakes],
        "ech_aead": [one.ech and one.ech[2] for one in handshakes],
        "client_certificate_sha256s": [list(one.client_certificates) or None for one in handshakes],
    }  # fmt: skip
    return [
        values if isinstance(values, pa.Array) else pa.array(values, field.type)
        for field, values in ((field, columns[field.name]) for field in TLS_HANDSHAKES)
    ]


def known_handshakes(
    flow_no: NDArray[np.int64], known: NDArray[Any], clients: Sequence[ClientFacts | None],
    servers: Sequence[ServerFacts | None], names: pa.Array, chain_of: Callable[[int], Chain], carrier: str,
) -> list[pa.Array]:  # fmt: skip
    """The same of KNOWN rows. `names` are their server names, `chain_of` tells the certificates."""
    client, client_at = np.unique(known["client"], return_inverse=True)
    server, server_at = np.unique(known["server"], return_inverse=True)

    def taken(facts: Sequence[Any], numbers: Any, at: Any, name: str) -> pa.Array:
        field = _FIELDS.get(name, name)
        values = [None if number < 0 else getattr(facts[number], field) for number in numbers.tolist()]
        return pa.array(values, TLS_HANDSHAKES.field(name).type).take(pa.array(at))

    chain, chain_at = np.unique(known["chain"], return_inverse=True)
    digests = [chain_of(number).digests if number >= 0 else () for number in chain.tolist()]

    def certificates(which: int) -> pa.Array:
        lists = [[one[which] for one in chain] or None for chain in digests]
        return pa.array(lists, TLS_HANDSHAKES.field("certificate_sha1s").type).take(pa.array(chain_at))

    # A server that sent certificates took up no session; up to TLS 1.2 one that went on without them did.
    resumed = taken(servers, server, server_at, "resumed")
    told = (known["chain"] >= 0) | (known["abbreviated"] >= 0)
    abbreviated = pa.array((known["abbreviated"] == 1) & (known["chain"] < 0))
    ech = taken(clients, client, client_at, "ech")
    suite = known["ech_suite"].astype(np.int64) & 0xFFFFFFFF
    asked, answered = known["client_frame"] != 0, known["server_frame"] != 0
    size = len(known)
    columns: dict[str, pa.Array] = {
        "flow_no": pa.array(flow_no), "carrier": pa.repeat(carrier, size), "sni": names,
        "hello_retry": pa.array(np.zeros(size, np.bool_), mask=~answered),
        **{name: pa.array(known[name], mask=~asked) for name in ("client_frame", "client_ts")},
        **{name: pa.array(known[name], mask=~answered) for name in ("server_frame", "server_ts")},
        **{name: taken(clients, client, client_at, name) for name in _OF_CLIENT},
        **{name: taken(servers, server, server_at, name) for name in _OF_SERVER},
        "resumed": pc.if_else(pa.array(told), abbreviated, resumed),
        "sni_kind": pc.if_else(pc.is_valid(names), pc.if_else(pc.is_valid(ech), "asked-or-outer", "asked"), None),
        **{
            name: pa.array(values.astype(np.int32), mask=known["ech"] < 0)
            for name, values in (
                ("ech_config_id", known["ech"]), ("ech_kdf", suite >> 16), ("ech_aead", suite & 0xFFFF)
            )
        },
        "certificate_sha1s": certificates(0), "certificate_sha256s": certificates(1),
        "quic_version": named(known["quic"], QUIC_VERSIONS),
    }  # fmt: skip
    return [
        columns[field.name] if field.name in columns else pa.nulls(size, field.type)
        for field in TLS_HANDSHAKES
    ]


_OF_CLIENT: Final = (
    "alpn_offered", "client_version", "ja3", "ja4", "ech", "client_complete", "psk_offered", "early_data",
    "ticket_offered",
)  # fmt: skip
_OF_SERVER: Final = ("alpn_selected", "version", "cipher", "ja3s")
_FIELDS: Final = {
    "alpn_offered": "alpn", "client_version": "version", "alpn_selected": "alpn",
    "client_complete": "complete", "psk_offered": "psk", "ticket_offered": "ticket",
}  # fmt: skip
_Facts = TypeVar("_Facts", ClientFacts, ServerFacts)


def _numbered(facts: Sequence[_Facts | None]) -> tuple[list[_Facts | None], pa.Array]:
    """The distinct objects among `facts`, and for each place the number of its object."""
    numbers: dict[int, int] = {}
    distinct: list[_Facts | None] = []
    places = []
    for one in facts:
        number = numbers.get(id(one))
        if number is None:
            number = numbers[id(one)] = len(distinct)
            distinct.append(one)
        places.append(number)
    return distinct, pa.array(places, pa.int32())
