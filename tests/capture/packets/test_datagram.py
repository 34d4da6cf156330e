"""One datagram's fragments, against a twin that knows nothing but a map of bytes."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.traffic import ethernet, ipv4, ipv6

from wirecover.capture.packets.datagram import (
    MAX_PIECES,
    BadFragment,
    Datagram,
    Piece,
    read_piece,
    whole_packet,
)

KEY = (b"", 17, 1, 0)


def piece(start: int, data: bytes, *, last: bool = False) -> Piece:
    return Piece(KEY, start, data, last, b"", six=False)


def put_together(pieces: list[Piece], *, six: bool = False) -> tuple[Datagram, bytes | None]:
    datagram = Datagram(0, 1, six=six)
    for one in pieces:
        if not datagram.dead:
            datagram.add(one)
    return datagram, datagram.take() if datagram.whole else None


def test_in_any_order() -> None:
    parts = [piece(0, b"a" * 16), piece(16, b"b" * 8), piece(24, b"c" * 5, last=True)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]):
        assert put_together([parts[i] for i in order])[1] == b"a" * 16 + b"b" * 8 + b"c" * 5


def test_of_contradicting_bytes_the_first_stand_and_the_datagram_says_so() -> None:
    found, data = put_together([piece(0, b"a" * 16), piece(8, b"x" * 16), piece(24, b"c", last=True)])
    assert (data, found.contradicts) == (b"a" * 16 + b"x" * 8 + b"c", True)


def test_an_overlap_that_agrees_contradicts_nothing() -> None:
    found, data = put_together([piece(0, b"a" * 16), piece(8, b"a" * 16), piece(24, b"c", last=True)])
    assert (data, found.contradicts) == (b"a" * 24 + b"c", False)


def test_in_ipv6_any_overlap_ends_it_but_a_copy_does_not() -> None:
    parts = [piece(0, b"a" * 16), piece(0, b"a" * 16), piece(16, b"c", last=True)]
    assert put_together(parts, six=True)[1] == b"a" * 16 + b"c"
    found, data = put_together(
        [piece(0, b"a" * 16), piece(8, b"a" * 16), piece(24, b"c", last=True)], six=True
    )
    assert (found.dead, data) == (True, None)


@pytest.mark.parametrize(
    "parts",
    [
        [piece(0, b"a" * 8), piece(8, b"b", last=True), piece(8, b"b" * 9, last=True)],
        [piece(0, b"a" * 8), piece(24, b"b" * 8), piece(8, b"b", last=True)],
        [piece(8, b"b", last=True), piece(8, b"b" * 16)],
    ],
)
def test_two_ends_are_none(parts: list[Piece]) -> None:
    found, data = put_together(parts[1:] if len(parts) == 3 else parts)
    assert found.dead and data is None


def test_a_datagram_of_endless_pieces_is_given_up() -> None:
    found = Datagram(0, 1, six=False)
    for k in range(MAX_PIECES + 1):
        found.add(piece(8 * k, k.to_bytes(8, "big")))
    assert found.dead and found.parts == []


cuts = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.booleans()), max_size=24)


@settings(max_examples=200, deadline=None)
@given(cuts)
def test_as_a_map_of_bytes_says(cut: list[tuple[int, int, bool]]) -> None:
    """Fragments of one text, any of them, some changed: first come, first kept."""
    text = bytes(range(100, 200)) + bytes(156)
    found, twin, end, seen = Datagram(0, 1, six=False), dict[int, int](), -1, set[tuple[int, bytes]]()
    for start, units, changed in cut:
        data = text[8 * start : 8 * (start + units)]
        data = bytes(octet ^ changed for octet in data)
        found.add(piece(8 * start, data))
        if (start, data) not in seen:
            seen.add((start, data))
            for at, octet in enumerate(data, 8 * start):
                twin.setdefault(at, octet)
    assert b"".join(data for _, data in found.parts) == bytes(twin[at] for at in sorted(twin))
    assert (found.size, end) == (len(twin), -1)
    starts = [start for start, _ in found.parts]
    assert starts == sorted(starts)


def test_fragments_of_both_versions_are_read() -> None:
    four = ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 16, ident=7, fragment=0x2000 | 3))
    found = read_piece(four, 14, 5)
    assert (found.start, found.data, found.last, found.key[1:]) == (24, b"x" * 16, False, (17, 7, 5))
    hop = bytes([44, 0, 1, 4, 0, 0, 0, 0])
    part = struct.pack("!BBHI", 17, 0, 16, 0x12345678)
    six = ethernet(ipv6("::1", "::2", 0, hop + part + b"tail"), 0x86DD)
    found = read_piece(six, 14, 0)
    assert (found.start, found.data, found.last, found.key[1:]) == (16, b"tail", True, (0, 0x12345678, 0))
    assert found.header == six[14:54] + b"\x11" + hop[1:]


def test_a_packet_as_it_was_before_fragmentation() -> None:
    plain = ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 40, ident=7))
    first = read_piece(ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 16, ident=7, fragment=0x2000)), 14, 0)
    assert whole_packet(first.header, b"x" * 40, six=False) == plain[14:]
    assert whole_packet(first.header, bytes(65516), six=False) is None


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 15, fragment=0x2000), "multiple of eight"),
        (ipv4("10.0.0.1", "10.0.0.2", 17, b"", fragment=0x2000), "without bytes"),
        (ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 16, fragment=0x1FFF), "largest"),
        (ipv4("10.0.0.1", "10.0.0.2", 17, b"x" * 16, fragment=0x2000)[:-1], "not recorded whole"),
        (ipv6("::1", "::2", 17, b"x" * 16), "not found"),
    ],
)
def test_what_is_no_fragment(frame: bytes, reason: str) -> None:
    with pytest.raises(BadFragment, match=reason):
        read_piece(frame, 0, 0)
