"""Reassembly by offset against the plain way of doing it: a dict of bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols.fragments import MAX_FRAGMENTS, MAX_PIECES, FragmentBuffer


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=20)), max_size=30))
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
def test_against_a_dict_of_bytes(fragments: list[tuple[int, bytes]]) -> None:
    buffer = FragmentBuffer(80)
    held: dict[int, int] = {}
    conflicting = False
    for offset, data in fragments:
        assert buffer.add(offset, data)
        for index, byte in enumerate(data, offset):
            conflicting |= held.setdefault(index, byte) != byte
        length = next(index for index in range(100) if index not in held)
        assert bytes(buffer.head) == bytes(held[index] for index in range(length))
        assert buffer.conflicting == conflicting


def test_limits() -> None:
    buffer = FragmentBuffer(1000)
    assert not buffer.add(990, bytes(11))
    assert buffer.add(990, bytes(10))
    assert not buffer.add(1 << 60, b"x")
    assert buffer.head == b""


def test_too_many_pieces_are_refused_whole() -> None:
    buffer = FragmentBuffer(10_000)
    for index in range(MAX_PIECES):
        assert buffer.add(10 + 2 * index, b"x")
    assert not buffer.add(10 + 2 * MAX_PIECES, b"x")
    assert not buffer.add(11, b"\0x\0x\0x"), "one piece for each gap it covers"
    assert buffer.add(0, bytes(10)), "closes the first gap, so it is always welcome"
    assert buffer.head == bytes(10) + b"x"
    assert buffer.add(5, bytes(5) + b"x\0x\0x\0")
    assert buffer.head == bytes(10) + b"x\0x\0x\0x"
    assert not buffer.conflicting


def test_too_many_fragments() -> None:
    buffer = FragmentBuffer(1 << 16)
    for index in range(MAX_FRAGMENTS):
        assert buffer.add(index, b"x")
    assert not buffer.add(MAX_FRAGMENTS, b"x")
