"""An attempt's keys and CRYPTO streams."""

import pytest
from support.quic_packets import DCID, V1, V2

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_attempt import MAX_VERSIONS, Attempt, CryptoStream

HELLO = b"\x01\x00\x00\x05hello"


def test_messages_in_turn() -> None:
    stream = CryptoStream()
    stream.add(len(HELLO), HELLO[:6], 1)
    assert list(stream.take_messages(1)) == []
    stream.add(0, HELLO, 2)
    assert list(stream.take_messages(1)) == [(0, b"hello", 1)]
    assert list(stream.take_messages(1)) == []
    stream.add(len(HELLO) + 6, HELLO[6:], 3)
    assert list(stream.take_messages(1)) == [(1, b"hello", 3)]


def test_broken_by_another_type() -> None:
    stream = CryptoStream()
    stream.add(0, HELLO, 1)
    with pytest.raises(Malformed, match="type 1"):
        list(stream.take_messages(2))
    assert stream.broken
    assert list(stream.take_messages(2)) == []


def test_keys_are_derived_once_and_for_few_versions() -> None:
    attempt = Attempt(DCID)
    assert attempt.keys_for(V1) is attempt.keys_for(V1)
    assert attempt.keys_for(0x12345678) == ()
    reserved = attempt.keys_for(0x1A2A3A4A)
    assert len(reserved) == 2
    for number in range(2 * MAX_VERSIONS):
        attempt.keys_for(0x0A0A0A0A | number << 4)
    assert attempt.keys_for(V2) == ()
    assert attempt.keys_for(V1) != ()
