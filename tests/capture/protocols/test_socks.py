"""SOCKS: the target asked for, whatever stands before it, and no credentials."""

import struct

import pytest
from support.parser_outcomes import check_outcomes, outcome

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.socks import parse_socks_request

GREETING = b"\5\1\0"
NAME = b"chat.example.org"
BY_NAME = b"\5\1\0\3" + bytes([len(NAME)]) + NAME + struct.pack(">H", 443)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (GREETING + BY_NAME, (5, "connect", "chat.example.org", 443)),
        (GREETING + b"\5\1\0\1" + bytes((192, 0, 2, 9)) + b"\0\x35", (5, "connect", "192.0.2.9", 53)),
        (GREETING + b"\5\3\0\4" + bytes(15) + b"\1" + b"\x04\x38", (5, "udp-associate", "::1", 1080)),
        (b"\5\2\0\2" + b"\1\5alice\6SECRET" + BY_NAME, (5, "connect", "chat.example.org", 443)),
        (b"\4\1\0\x50" + bytes((192, 0, 2, 9)) + b"me\0", (4, "connect", "192.0.2.9", 80)),
        (b"\4\1\0\x50\0\0\0\1\0" + NAME + b"\0", (4, "connect", "chat.example.org", 80)),
        (b"\4\2\0\x50" + bytes((192, 0, 2, 9)) + b"\0", (4, "bind", "192.0.2.9", 80)),
    ],
)
def test_targets(stream: bytes, expected: tuple[int, str, str, int]) -> None:
    found = parse_socks_request(stream + b"and what follows")
    assert found is not None
    assert (found.version, found.command, found.host, found.port) == expected
    assert found.end == len(stream)
    assert "SECRET" not in repr(found)
    check_outcomes(parse_socks_request, stream, cut=None, examples=40)


def test_what_is_no_socks() -> None:
    for broken in (
        b"\6",
        b"\5\0\0",
        b"\5\x20" + bytes(40),
        GREETING + b"\4" + bytes(9),
        GREETING + b"\5\x09\0\1" + bytes(6),
        b"\4\7" + bytes(8),
        b"\4\1\0\x50\1\2\3\4" + b"u" * 600,
        b"\4\1\0\x50\0\0\0\1\0" + b"n" * 300,
    ):
        assert isinstance(outcome(parse_socks_request, broken), Malformed)
