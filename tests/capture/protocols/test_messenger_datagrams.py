"""What datagrams of calls say in clear. Their patterns are tested with those of test_messenger_bytes.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols.messenger_datagrams import REFLECTOR_HELLO, datagram_facts


def discovery(address: bytes, port: int, kind: bytes = b"\0\2") -> bytes:
    return kind + b"\0\x46" + b"\0\0\xac\xe3" + address.ljust(64, b"\0") + port.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("address", "port", "value"),
    [(b"203.0.113.9", 50123, "203.0.113.9:50123"), (b"2001:db8::7", 443, "[2001:db8::7]:443")],
)
def test_discord_tells_the_public_address(address, port, value):
    assert datagram_facts(discovery(address, port), 74) == (("discord", "public_address", value),)


@pytest.mark.parametrize(
    "data",
    [
        discovery(b"203.0.113.9", 50123, b"\0\1"),
        discovery(b"203.0.113.9", 0),
        discovery(b"203.0.113", 5),
        discovery(b"203.0.113.9\0x", 5),
        discovery(b"\xff\xfe", 5),
        discovery(b"a" * 64, 5),
        discovery(b"203.0.113.9", 50123)[:-1],
        discovery(b"203.0.113.9", 50123) + b"\0",
    ],
)
def test_near_misses(data):
    assert datagram_facts(data, len(data)) == ()


def test_a_cut_answer_tells_nothing():
    assert datagram_facts(discovery(b"203.0.113.9", 50123)[:40], 74) == ()


def test_telegram_reflector():
    tag = bytes(range(16))
    assert datagram_facts(tag + REFLECTOR_HELLO, 40) == (("telegram", "peer_tag_prefix", tag[:12].hex()),)
    assert datagram_facts(tag + REFLECTOR_HELLO[:-1] + b"\x7c", 40) == ()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=80), st.sampled_from([40, 74]))
def test_anything_may_come(data, length):
    for head in (b"", b"\0\2\0\x46"):
        for protocol, _, _ in datagram_facts(head + data, length):
            assert protocol in ("discord", "telegram")
