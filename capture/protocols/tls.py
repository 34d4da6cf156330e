"""TLS as far as it is in clear: hellos, certificates, and the reader that finds them in a TCP stream.

The parts live in `tls_hello`, `tls_extensions` and `tls_reader`; import them from here.
"""

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls_extensions import Extensions, OuterEch, split_extensions
from wirecover.capture.protocols.tls_hello import (
    ClientHello,
    ServerHello,
    highest_version,
    parse_client_hello,
    parse_cut_client_hello,
    parse_server_hello,
    resumed,
)
from wirecover.capture.protocols.tls_reader import HandshakeMessage, HandshakeReader, find_hello
from wirecover.capture.registries.tls_numbers import cipher_name, version_name

__all__ = [
    "ClientHello",
    "Extensions",
    "HandshakeMessage",
    "HandshakeReader",
    "OuterEch",
    "ServerHello",
    "cipher_name",
    "find_hello",
    "highest_version",
    "parse_certificate_message",
    "parse_client_hello",
    "parse_cut_client_hello",
    "parse_encrypted_extensions",
    "parse_server_hello",
    "resumed",
    "version_name",
]


def parse_encrypted_extensions(body: bytes) -> Extensions:
    """EncryptedExtensions (RFC 8446 section 4.3.1), for who holds it in clear: on the wire nobody does."""
    if len(body) < 2:
        raise Malformed(len(body), "no room for the length of the extension block")
    if 2 + (body[0] << 8 | body[1]) != len(body):
        raise Malformed(0, "extension block does not fill the body")
    return split_extensions(body, 2, len(body))


def parse_certificate_message(body: bytes, tls13: bool = False) -> tuple[bytes, ...]:
    """The certificates (DER, leaf first) of a Certificate message.

    Up to TLS 1.2: RFC 5246 section 7.4.2. `tls13`: RFC 8446 section 4.4.2, with a request context in front
    and extensions behind each certificate. Entries are not looked into, only framed.
    """
    position = 0
    if tls13:
        if not body:
            raise Malformed(0, "no room for the request context")
        position = 1 + body[0]
    if position + 3 > len(body):
        raise Malformed(len(body), "the body ends before the length of its list")
    end = position + 3 + int.from_bytes(body[position : position + 3], "big")
    if end != len(body):
        raise Malformed(position, "the list does not fill the body")
    position += 3
    found = []
    while position < end:
        if position + 3 > end:
            raise Malformed(position, "certificate header passes the end of the list")
        start = position + 3
        position = start + int.from_bytes(body[position:start], "big")
        if position > end:
            raise Malformed(start - 3, "certificate passes the end of the list")
        found.append(body[start:position])
        if tls13:
            if position + 2 > end:
                raise Malformed(position, "the list ends before a certificate's extensions")
            position += 2 + (body[position] << 8 | body[position + 1])
            if position > end:
                raise Malformed(end, "certificate extensions pass the end of the list")
    return tuple(found)
