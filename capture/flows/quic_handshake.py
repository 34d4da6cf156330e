"""What a QUIC connection shows besides its TLS hellos -> a row of `quic_handshakes`."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from wirecover.capture.protocols.gquic import parse_google_hello
from wirecover.capture.protocols.quic import InitialReader, QuicHello, TransportParameters, version_name
from wirecover.capture.protocols.quic_transport import (
    DRAFT_EXTENSION,
    EXTENSION,
    MAX_IDLE_TIMEOUT,
    parse_transport_parameters,
)
from wirecover.capture.protocols.quic_varint import read_varint

MAX_PARAMETERS = 64


def transport_parameters(body: bytes) -> TransportParameters | None:
    """The transport parameters in a ClientHello body; None without any. Raises Malformed."""
    at = 34
    for width in (1, 2, 1):  # session id, cipher suites, compression methods (RFC 8446 4.1.2)
        at += width + int.from_bytes(body[at : at + width], "big")
    at += 2
    while at + 4 <= len(body):
        kind, length = body[at] << 8 | body[at + 1], body[at + 2] << 8 | body[at + 3]
        if kind in (EXTENSION, DRAFT_EXTENSION):
            return parse_transport_parameters(body[at + 4 : at + 4 + length])
        at += 4 + length
    return None


class QuicFacts:
    """Gathers, beside the reader of a flow, what only the client's hello tells."""

    __slots__ = ("parameters", "user_agent")

    def __init__(self) -> None:
        self.parameters: TransportParameters | None = None
        self.user_agent: str | None = None

    def take(self, hello: QuicHello) -> None:
        """A hello of the client. Raises Malformed."""
        if hello.google:
            google = parse_google_hello(hello.body)
            self.user_agent = google.user_agent if google else None
        elif hello.kind == "client" and (self.parameters is None or hello.replaces):
            self.parameters = transport_parameters(hello.body)
            self.user_agent = self.parameters.user_agent if self.parameters else None

    def row(self, flow_no: int, frame: int, reader: InitialReader) -> tuple[Any, ...]:
        """Values in the order of `tables.QUIC_HANDSHAKES`."""
        parameters = self.parameters
        offered = parameters.version_information if parameters else None
        return (
            flow_no, frame, _version(reader.client_version), _version(reader.version), _hex(reader.original_dcid),
            _hex(reader.client_scid), _hex(reader.server_scid), _hex(reader.retry_scid), reader.retry_holds,
            reader.token_bytes, reader.early_data, _versions(reader.offered_versions), self.user_agent,
            _versions(offered[1]) if offered else None,
            parameters.integer(MAX_IDLE_TIMEOUT) if parameters else None,
            [_told(number, value) for number, value in parameters.parameters[:MAX_PARAMETERS]]
            if parameters else None,
        )  # fmt: skip


@lru_cache(maxsize=1 << 12)
def _told(number: int, value: bytes) -> str:
    """A parameter as `0x1=30000`; one that is no integer as `0xf:8` (number and length)."""
    if number in _NO_INTEGERS or not value or len(value) != 1 << (value[0] >> 6):
        return f"0x{number:x}:{len(value)}"
    return f"0x{number:x}={read_varint(value, 0, len(value))[0]}"


_NO_INTEGERS = frozenset({0x00, 0x02, 0x0D, 0x0F, 0x10, 0x11, 0x3129, 0xFF73DB})
"""Ids, tokens, addresses, lists and texts (RFC 9000 section 18.2), which may look like an integer."""


def _hex(raw: bytes | None) -> str | None:
    return None if raw is None else raw.hex()


def _version(number: int | None) -> str | None:
    return None if number is None else version_name(number)


def _versions(numbers: Iterable[int]) -> list[str] | None:
    return [version_name(number) for number in numbers] or None
