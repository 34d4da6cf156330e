"""Certificate and EncryptedExtensions messages."""

import hashlib

import pytest
from support import rfc8448
from support.parser_outcomes import check_outcomes, check_random
from support.tls_bytes import extension, vector

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.tls import parse_certificate_message, parse_encrypted_extensions


def _tls13(data: bytes) -> tuple[bytes, ...]:
    return parse_certificate_message(data, tls13=True)


def test_certificate_of_rfc_8448() -> None:
    found = check_outcomes(_tls13, rfc8448.CERTIFICATE[4:], cut=Malformed, longer=Malformed)
    assert isinstance(found, tuple)
    assert [len(der) for der in found] == [432]
    assert hashlib.sha1(found[0]).hexdigest() == "23e0f7b6a95ddfa96558494a9494fea0785ace45"


def test_certificates_before_tls_1_3_leaf_first() -> None:
    body = vector(vector(b"leaf", 3) + vector(b"issuer", 3), 3)
    assert check_outcomes(parse_certificate_message, body, cut=Malformed, longer=Malformed) == (
        b"leaf",
        b"issuer",
    )
    assert parse_certificate_message(vector(b"", 3)) == ()  # a client that has none
    check_random(parse_certificate_message, [b"", b"\x00\x00\x20", b"\x00\x00\x08\x00\x00"])


def test_certificates_of_tls_1_3_have_a_context_and_extensions() -> None:
    entries = vector(b"leaf", 3) + vector(extension(5, b"ocsp")) + vector(b"issuer", 3) + vector(b"")
    body = vector(b"context", 1) + vector(entries, 3)
    assert check_outcomes(_tls13, body, cut=Malformed, longer=Malformed) == (b"leaf", b"issuer")
    with pytest.raises(Malformed, match="extensions"):
        _tls13(b"\0" + vector(vector(b"leaf", 3), 3))


def test_certificate_message_of_nothing() -> None:
    for tls13 in (False, True):
        with pytest.raises(Malformed):
            parse_certificate_message(b"", tls13=tls13)
    with pytest.raises(Malformed, match="header"):
        parse_certificate_message(vector(b"ab", 3))


def test_encrypted_extensions_of_rfc_8448() -> None:
    found = check_outcomes(
        parse_encrypted_extensions, rfc8448.ENCRYPTED_EXTENSIONS[4:], cut=Malformed, longer=Malformed
    )
    assert isinstance(found, tuple)
    assert [number for number, _ in found] == [10, 28, 0]
