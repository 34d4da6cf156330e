"""QUIC transport parameters (RFC 9000 section 18, RFC 9368), from the TLS extension 57 (0x39) or the
drafts' 0xffa5.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_varint import read_varint
from wirecover.capture.protocols.tls_extensions import text

EXTENSION: Final = 0x39
DRAFT_EXTENSION: Final = 0xFFA5

# https://www.iana.org/assignments/quic/quic.xhtml#quic-transport
ORIGINAL_DESTINATION_CONNECTION_ID: Final = 0x00
MAX_IDLE_TIMEOUT: Final = 0x01
INITIAL_SOURCE_CONNECTION_ID: Final = 0x0F
RETRY_SOURCE_CONNECTION_ID: Final = 0x10
VERSION_INFORMATION: Final = 0x11
GOOGLE_USER_AGENT: Final = 0x3129
DRAFT_VERSION_INFORMATION: Final = 0xFF73DB  # draft-ietf-quic-version-negotiation


@dataclass(frozen=True, slots=True)
class TransportParameters:
    """The parameters as sent: (number, value bytes) in wire order, the unknown kept."""

    parameters: tuple[tuple[int, bytes], ...]

    def value(self, number: int) -> bytes | None:
        return next((value for name, value in self.parameters if name == number), None)

    def integer(self, number: int) -> int | None:
        """An integer parameter; `None` if it is absent or not one whole variable-length integer."""
        value = self.value(number)
        if not value or len(value) != 1 << (value[0] >> 6):
            return None
        return read_varint(value, 0, len(value))[0]

    @property
    def user_agent(self) -> str | None:
        """What Google's clients say of themselves, such as `Chrome/86.0 Windows NT 10.0`; unprintables
        escaped.
        """
        value = self.value(GOOGLE_USER_AGENT)
        return text(value) if value else None

    @property
    def version_information(self) -> tuple[int, tuple[int, ...]] | None:
        """Chosen version and available versions (RFC 9368 section 3); `None` if absent or not of whole
        versions.
        """
        value = self.value(VERSION_INFORMATION) or self.value(DRAFT_VERSION_INFORMATION)
        if not value or len(value) % 4:
            return None
        chosen, *available = (int.from_bytes(value[at : at + 4], "big") for at in range(0, len(value), 4))
        return chosen, tuple(available)


def parse_transport_parameters(data: bytes) -> TransportParameters:
    """The parameters in the extension's body; raises Malformed.

    Drafts before 27 wrote a 16-bit total and 16-bit numbers and lengths. That form is recognised by its
    total: as integers of variable length the same bytes would be a first parameter 0 (a connection id, at
    most 20 bytes) that is as long as everything else.
    """
    if len(data) >= 6 and int.from_bytes(data[:2], "big") == len(data) - 2:
        return TransportParameters(tuple(_fixed_width(data)))
    parameters: list[tuple[int, bytes]] = []
    offset = 0
    while offset < len(data):
        number, offset = read_varint(data, offset, len(data))
        length, offset = read_varint(data, offset, len(data))
        if length > len(data) - offset:
            raise Malformed(offset, f"a transport parameter of {length} bytes runs over the end")
        parameters.append((number, data[offset : offset + length]))
        offset += length
    return TransportParameters(tuple(parameters))


def _fixed_width(data: bytes) -> list[tuple[int, bytes]]:
    parameters: list[tuple[int, bytes]] = []
    offset = 2
    while offset < len(data):
        if offset + 4 > len(data):
            raise Malformed(offset, "a transport parameter is cut short")
        number = int.from_bytes(data[offset : offset + 2], "big")
        length = int.from_bytes(data[offset + 2 : offset + 4], "big")
        offset += 4
        if length > len(data) - offset:
            raise Malformed(offset, f"a transport parameter of {length} bytes runs over the end")
        parameters.append((number, data[offset : offset + length]))
        offset += length
    return parameters
