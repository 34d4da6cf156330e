"""The SERVER-HELLO of SSL 2.0 (https://datatracker.ietf.org/doc/html/draft-hickman-netscape-ssl-00), in the clear.

It carries the server's certificate. The client's hello of the same framing is in `tls_hello`, since clients of
later versions sent it too.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed

_FIXED: Final = 11
_X509: Final = 1


@dataclass(frozen=True, slots=True)
class Ssl2ServerHello:
    """What the server says; the client picks the cipher, so there is no agreed one here."""

    resumed: bool
    """The server knows the session that the client named."""
    version: int
    certificate: bytes
    """DER; empty for a session that is resumed."""
    ciphers: tuple[int, ...]
    end: int


def parse_ssl2_server_hello(data: bytes) -> Ssl2ServerHello | None:
    """The hello at the start of a server's stream, two bytes of length first; None where it is not whole.

    Raises Malformed.
    """
    if len(data) < 2 + _FIXED:
        return None
    if not data[0] & 0x80 or data[2] != 4:
        raise Malformed(0, "not an SSL 2.0 ServerHello")
    end = 2 + ((data[0] & 0x7F) << 8 | data[1])
    hit, kind = data[3], data[4]
    version, certificate, ciphers, connection = (
        int.from_bytes(data[at : at + 2], "big") for at in (5, 7, 9, 11)
    )
    if hit > 1 or version != 2 or ciphers % 3 or (certificate and kind != _X509):
        raise Malformed(3, "not the fields of an SSL 2.0 ServerHello")
    if 2 + _FIXED + certificate + ciphers + connection != end:
        raise Malformed(0, "the parts do not fill the hello")
    if len(data) < end:
        return None
    start = 2 + _FIXED
    listed = data[start + certificate : start + certificate + ciphers]
    return Ssl2ServerHello(
        bool(hit), version, data[start : start + certificate],
        tuple([int.from_bytes(listed[at : at + 3], "big") for at in range(0, len(listed), 3)]), end,
    )  # fmt: skip
