"""JA4 against the examples of its specification and the corners it names.

https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
"""

import random

import pytest
from support import tls_bytes
from support.tls_bytes import client_hello, extension

from wirecover.capture.protocols.ja4 import ja4, ja4_raw
from wirecover.capture.protocols.tls import parse_client_hello

CIPHERS = bytes.fromhex("130113021303c02bc02fc02cc030cca9cca8c013c014009c009d002f0035")
EXTENSIONS = bytes.fromhex("001b00000033001044690017002d000d000500230012002bff01000b000a0015")
SCHEMES = bytes.fromhex("04030804040105030805050108060601")
SPECIFIED = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def _numbers(raw: bytes) -> list[int]:
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def _body(number: int) -> bytes:
    special = {
        0: tls_bytes.server_name(b"www.example"),
        16: tls_bytes.alpn(b"h2", b"http/1.1"),
        13: tls_bytes.signature_algorithms(*_numbers(SCHEMES)),
        43: tls_bytes.supported_versions(0x5A5A, 0x0304, 0x0303),
        10: tls_bytes.groups(0x2A2A, 29, 23),
        11: extension(11, b"\x01\x00"),
    }
    return special.get(number) or extension(number)


def _hello(extensions: list[int], ciphers: list[int]) -> bytes:
    return client_hello(b"".join(_body(number) for number in extensions), ciphers=ciphers)


def test_the_example_of_the_specification() -> None:
    hello = parse_client_hello(_hello(_numbers(EXTENSIONS), _numbers(CIPHERS)))
    assert ja4(hello, "t") == SPECIFIED
    assert ja4_raw(hello, "t") == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
        "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
        "0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_order_and_grease_change_nothing() -> None:
    shuffler = random.Random(4)
    for _ in range(20):
        extensions, ciphers = [*_numbers(EXTENSIONS), 0x1A1A, 0xFAFA], [0xEAEA, *_numbers(CIPHERS)]
        shuffler.shuffle(extensions)
        shuffler.shuffle(ciphers)
        assert ja4(parse_client_hello(_hello(extensions, ciphers)), "t") == SPECIFIED


def test_without_signature_algorithms() -> None:
    # The specification hashes the list without a trailing underscore: 6d807ffa2a79.
    block = b"".join(extension(13) if number == 13 else _body(number) for number in _numbers(EXTENSIONS))
    hello = parse_client_hello(client_hello(block, ciphers=_numbers(CIPHERS)))
    assert ja4(hello, "t").endswith("_6d807ffa2a79")


def test_carriers() -> None:
    hello = parse_client_hello(_hello(_numbers(EXTENSIONS), _numbers(CIPHERS)))
    assert ja4(hello, "q") == "q" + SPECIFIED[1:]
    with pytest.raises(ValueError, match="carrier"):
        ja4(hello, "tcp")


@pytest.mark.parametrize(
    ("version", "shown"),
    [(0x0300, "s3"), (0x0301, "10"), (0x0302, "11"), (0x0303, "12"), (0x0304, "13"), (0x0305, "00")],
)
def test_versions_of_tls(version: int, shown: str) -> None:
    assert ja4(parse_client_hello(client_hello(None, version=version)), "t")[1:3] == shown


@pytest.mark.parametrize(("version", "shown"), [(0xFEFF, "d1"), (0xFEFD, "d2"), (0xFEFC, "d3")])
def test_versions_of_dtls(version: int, shown: str) -> None:
    hello = parse_client_hello(client_hello(None, version=version, cookie=b""), dtls=True)
    assert ja4(hello, "d")[:3] == "d" + shown
    offered = client_hello(tls_bytes.supported_versions(0x7A7A, version), version=0xFEFD, cookie=b"")
    assert ja4(parse_client_hello(offered, dtls=True), "d")[:3] == "d" + shown


def test_ssl_2() -> None:
    hello = parse_client_hello(b"\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + b"c" * 16)
    assert ja4(hello, "t")[:8] == "ts2i0100"
    assert ja4(hello, "t").endswith("_000000000000")


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"spdy/3.1", "s1"),
        (b"Z", "ZZ"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\xab\xcd", "ad"),
        (b"\x30\xab", "3b"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
        (b"h2-", "6d"),
        (b"h\xff2", "h2"),
    ],
)
def test_first_protocol(first: bytes, shown: str) -> None:
    hello = parse_client_hello(client_hello(tls_bytes.alpn(first, b"other")))
    assert ja4(hello, "t")[8:10] == shown


def test_no_protocol() -> None:
    assert ja4(parse_client_hello(client_hello(b"")), "t")[8:10] == "00"
    assert ja4(parse_client_hello(client_hello(extension(16, b"\x00\x00"))), "t")[8:10] == "00"


def test_the_name_extension_counts_even_when_it_holds_an_address_or_nothing() -> None:
    for name in (b"192.0.2.1", b""):
        assert ja4(parse_client_hello(client_hello(tls_bytes.server_name(name))), "t")[3] == "d"
    assert ja4(parse_client_hello(client_hello(extension(0))), "t")[3] == "d"
    assert ja4(parse_client_hello(client_hello(b"")), "t")[3] == "i"


def test_empty_lists_are_zeros() -> None:
    assert (
        ja4(parse_client_hello(client_hello(None, ciphers=())), "t") == "t12i000000_000000000000_000000000000"
    )
    only = parse_client_hello(
        client_hello(tls_bytes.server_name(b"a.b") + tls_bytes.alpn(b"h2"), ciphers=(0x0A0A,))
    )
    assert ja4(only, "t") == "t12d0002h2_000000000000_000000000000"


def test_counts_stop_at_99() -> None:
    block = b"".join(extension(0x4000 + number) for number in range(300))
    hello = parse_client_hello(client_hello(block, ciphers=range(0x2000, 0x2000 + 300)))
    assert ja4(hello, "t")[4:8] == "9999"


def test_scsv_counts_as_a_cipher() -> None:
    assert ja4(parse_client_hello(client_hello(None, ciphers=(0x00FF, 0x5600, 0x1301))), "t")[4:6] == "03"
