"""Extension bodies, each function by itself against good, cut and random bytes."""

from collections.abc import Callable

import pytest
from support.parser_outcomes import check_outcomes, check_random
from support.tls_bytes import extension, vector

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols import tls_extensions as ext

ECH = b"\x00\x00\x01\x00\x01\x07" + vector(b"k" * 4) + vector(b"p" * 6)

GOOD: list[tuple[Callable[[bytes], object], bytes, object]] = [
    (ext.server_name, vector(b"\0" + vector(b"a.example")), "a.example"),
    (ext.protocol_names, vector(b"\x02h2\x08http/1.1"), (b"h2", b"http/1.1")),
    (ext.list16, b"\x00\x04\x00\x1d\x00\x17", (29, 23)),
    (ext.point_formats, b"\x03\x00\x01\x02", (0, 1, 2)),
    (ext.client_versions, b"\x04\x03\x04\x03\x03", (0x0304, 0x0303)),
    (ext.client_key_shares, vector(b"\x00\x1d" + vector(b"abc") + b"\x00\x17" + vector(b"")), (29, 23)),
    (ext.server_key_share, b"\x00\x1d" + vector(b"abc"), 29),
    (ext.number16, b"\x03\x04", 0x0304),
    (ext.outer_ech, ECH, ext.OuterEch(1, 1, 7, 4, 6)),
]


@pytest.mark.parametrize(
    ("parse", "body", "expected"), GOOD, ids=lambda value: getattr(value, "__name__", "")
)
def test_bodies(parse: Callable[[bytes], object], body: bytes, expected: object) -> None:
    # A key share cut to two bytes is the form of a HelloRetryRequest.
    cut = Malformed if parse is not ext.server_key_share else "any"
    assert check_outcomes(parse, body, cut=cut, longer=Malformed) == expected


def test_split_extensions() -> None:
    block = extension(1, b"ab") + extension(2) + extension(1, b"c")

    def parse(data: bytes) -> ext.Extensions:
        return ext.split_extensions(data, 0, len(data))

    assert check_outcomes(parse, block) == ((1, b"ab"), (2, b""), (1, b"c"))
    assert ext.split_extensions(b"xx" + block + b"yy", 2, 2 + len(block)) == parse(block)


def test_leading_extensions_never_refuse() -> None:
    block = extension(1, b"ab") + extension(2, b"c")
    assert ext.leading_extensions(block, 0) == ((1, b"ab"), (2, b"c"))
    assert ext.leading_extensions(block[:-1], 0) == ((1, b"ab"),)
    assert ext.leading_extensions(block, len(block) + 9) == ()
    check_random(lambda data: ext.leading_extensions(data, 0))


def test_grease_is_the_sixteen_numbers_of_rfc_8701() -> None:
    assert len(ext.GREASE) == 16
    assert {0x0A0A, 0x1A1A, 0xFAFA} <= ext.GREASE
    assert 0x0A1A not in ext.GREASE
