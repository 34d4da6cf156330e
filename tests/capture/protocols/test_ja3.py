"""JA3 and JA3S against published values.

JA3 examples: https://github.com/salesforce/ja3 (README). JA3S: the values of TLS 1.3 servers that are listed
everywhere for "771,4866,43-51" and its reverse.
"""

from support import tls_bytes
from support.tls_bytes import client_hello, extension, server_hello, vector

from wirecover.capture.protocols.ja3 import ja3, ja3_text, ja3s, ja3s_text
from wirecover.capture.protocols.tls import parse_client_hello, parse_server_hello

README_CIPHERS = (47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4)


def _readme_extensions(*, grease: bool) -> bytes:
    extra = (0x3A3A,) if grease else ()
    block = (
        tls_bytes.server_name(b"a.example")
        + tls_bytes.groups(*extra, 23, 24, 25)
        + extension(11, b"\x01\x00")
    )
    return extension(0x0A0A) + block + extension(0xDADA, b"\0") if grease else block


def test_ja3_of_the_readme() -> None:
    hello = parse_client_hello(
        client_hello(_readme_extensions(grease=False), ciphers=README_CIPHERS, version=0x0301)
    )
    assert ja3_text(hello) == "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
    assert ja3(hello) == "ada70206e40642a3e4461f35503241d5"


def test_ja3_leaves_grease_out() -> None:
    ciphers = (0x8A8A, *README_CIPHERS)
    hello = parse_client_hello(client_hello(_readme_extensions(grease=True), ciphers=ciphers, version=0x0301))
    assert ja3(hello) == "ada70206e40642a3e4461f35503241d5"


def test_ja3_without_extensions() -> None:
    ciphers = (4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99)
    hello = parse_client_hello(client_hello(None, ciphers=ciphers, version=0x0301))
    assert ja3_text(hello) == "769,4-5-10-9-100-98-3-6-19-18-99,,,"
    assert ja3(hello) == "de350869b8c85de67a350c8d186f11e6"


def test_ja3_takes_the_version_of_the_hello_itself() -> None:
    hello = parse_client_hello(client_hello(tls_bytes.supported_versions(0x0304)))
    assert ja3_text(hello).startswith("771,")


def test_ja3_of_a_list_too_long_to_cache_is_the_same_text() -> None:
    ciphers = tuple(range(1000))
    hello = parse_client_hello(client_hello(None, ciphers=ciphers))
    assert ja3_text(hello) == "771," + "-".join(map(str, ciphers)) + ",,,"


def test_ja3s() -> None:
    version, share = extension(43, b"\x03\x04"), extension(51, b"\x00\x1d" + vector(b"k" * 32))
    first = parse_server_hello(server_hello(version + share, cipher=0x1302))
    second = parse_server_hello(server_hello(share + version, cipher=0x1302))
    assert ja3s_text(first) == "771,4866,43-51"
    assert ja3s(first) == "15af977ce25de452b96affa2addb1036"
    assert ja3s(second) == "907bf3ecef1c987c889946b737b43de8"
    assert ja3s_text(parse_server_hello(server_hello(None, cipher=47, version=0x0301))) == "769,47,"
