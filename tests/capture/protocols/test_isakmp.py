"""IKE: header, payload chain, certificates and identities in the clear; ESP beside it."""

import struct

import pytest
from support.conversations import certificate
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.isakmp import looks_like_ike, parse_esp_in_udp, parse_isakmp

SPIS = bytes(range(1, 17))


def payloads(*chain: tuple[int, bytes]) -> bytes:
    following = [*[kind for kind, _ in chain[1:]], 0][: len(chain)]
    return b"".join(
        struct.pack(">BBH", after, 0, 4 + len(body)) + body
        for after, (_, body) in zip(following, chain, strict=True)
    )


def message(version: int, exchange: int, *chain: tuple[int, bytes], flags: int = 8, number: int = 1) -> bytes:
    body = payloads(*chain)
    first = chain[0][0] if chain else 0
    return SPIS + struct.pack(">BBBBII", first, version, exchange, flags, number, 28 + len(body)) + body


def test_certificates_of_both_versions() -> None:
    der = certificate("peer.example")
    for version, exchange, kind in ((0x10, 2, 6), (0x20, 35, 37)):
        data = message(version, exchange, (33, b"\0" * 8), (kind, b"\4" + der), (kind, b"\x0c" + b"hash"))
        found = parse_isakmp(data)
        assert found is not None
        assert found.certificates == (der,)
        assert found.major == version >> 4
        assert found.version_name == f"IKEv{version >> 4}"
        assert [one for one, _ in found.payloads] == [33, kind, kind]
        assert not found.encrypted


def test_what_is_encrypted_is_not_looked_into() -> None:
    der = certificate("peer.example")
    first = parse_isakmp(message(0x10, 2, (6, b"\4" + der), flags=1))
    assert first is not None
    assert (first.encrypted, first.payloads, first.certificates) == (True, (), ())
    second = parse_isakmp(message(0x20, 35, (41, b"\0\0\0\0"), (46, b"\4" + der)))
    assert second is not None
    assert (second.encrypted, len(second.payloads), second.certificates) == (True, 1, ())


def test_identities_of_aggressive_mode() -> None:
    names = (
        (5, b"\3\x11\x01\xf4" + b"alice@example.org"),
        (5, b"\2\0\0\0" + b"gw.example.org"),
        (5, b"\1\0\0\0abcd"),
    )
    found = parse_isakmp(message(0x10, 4, *names))
    assert found is not None
    assert found.identities == (("mail", "alice@example.org"), ("fqdn", "gw.example.org"))
    hostile = parse_isakmp(message(0x10, 4, (5, b"\3\0\0\0\xff\x1b[2J")))
    assert hostile is not None
    assert hostile.identities == ()


def test_the_outcomes() -> None:
    check_outcomes(
        parse_isakmp, message(0x20, 34, (33, bytes(40)), (34, bytes(60)), (40, bytes(32))), cut=None
    )
    for broken in (
        message(0x30, 34),
        SPIS + struct.pack(">BBBBII", 33, 0x20, 34, 8, 0, 20),
        SPIS + struct.pack(">BBBBII", 33, 0x20, 34, 8, 0, 28),
        SPIS + struct.pack(">BBBBII", 33, 0x20, 34, 8, 0, 32) + b"\0\0\0\3",
        SPIS + struct.pack(">BBBBII", 33, 0x20, 34, 8, 0, 28 + 4 * 70) + b"\x21\0\0\4" * 70,
    ):
        assert isinstance(outcome(parse_isakmp, broken), Malformed)


@pytest.mark.parametrize("cut", range(28))
def test_only_whole_messages_look_like_ike(cut: int) -> None:
    whole = message(0x20, 34, (33, bytes(40)))
    assert looks_like_ike(whole)
    assert not looks_like_ike(whole[:cut])
    assert not looks_like_ike(whole + b"\0")
    assert not looks_like_ike(bytes(8) + whole[8:])


def test_esp_in_udp() -> None:
    head = parse_esp_in_udp(struct.pack(">II", 0xC0FFEE01, 7) + bytes(40))
    assert head is not None
    assert (head.spi, head.sequence) == (0xC0FFEE01, 7)
    for no in (b"\xff", struct.pack(">II", 255, 7) + bytes(40), struct.pack(">II", 999, 0) + bytes(40),
               struct.pack(">II", 999, 1) + bytes(41), struct.pack(">II", 999, 1) + bytes(8)):  # fmt: skip
        assert parse_esp_in_udp(no) is None
