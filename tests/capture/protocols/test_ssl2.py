"""The ServerHello of SSL 2.0."""

import struct

from support.conversations import certificate
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.ssl2 import parse_ssl2_server_hello


def server_hello(der: bytes, *, hit: int = 0, kind: int = 1, ciphers: bytes = b"\1\0\x80\7\0\xc0") -> bytes:
    body = struct.pack(">BBBHHHH", 4, hit, kind, 2, len(der), len(ciphers), 16) + der + ciphers + bytes(16)
    return struct.pack(">H", 0x8000 | len(body)) + body


def test_the_certificate_and_the_ciphers() -> None:
    der = certificate("old.example")
    found = parse_ssl2_server_hello(server_hello(der) + b"next message")
    assert found is not None
    assert (found.certificate, found.version, found.resumed) == (der, 2, False)
    assert found.ciphers == (0x010080, 0x0700C0)
    assert found.end == len(server_hello(der))
    again = parse_ssl2_server_hello(server_hello(b"", hit=1, kind=0, ciphers=b""))
    assert again is not None
    assert again.resumed


def test_the_outcomes() -> None:
    check_outcomes(parse_ssl2_server_hello, server_hello(bytes(120)), cut=None)
    for broken in (b"\x16\3\1" + bytes(20), server_hello(b"x", kind=9), server_hello(b"", ciphers=b"12"),
                   server_hello(b"", hit=2), b"\x80\x20" + server_hello(b"")[2:]):  # fmt: skip
        assert isinstance(outcome(parse_ssl2_server_hello, broken), Malformed)
