"""The ServerHello of SSL 2.0."""

from support.conversations import certificate
from support.parser_outcomes import check_outcomes, outcome
from support.ssl2_messages import server_hello

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.ssl2 import parse_ssl2_server_hello


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
