"""Strings as numbers: the same for the same bytes, never for others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wirecover.capture.flows.strings import AS_IT_IS, LOWER, NO_ROOM, StringTable, find, intern


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data or b"\0", np.uint8).copy()


@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(0, (1 << 56) - 1))
def test_a_number_stands_for_one_string(strings: list[bytes], seed: int) -> None:
    table = StringTable(seed, 1 << 20, strings=4, room=16)
    numbers = [table.number(one) for one in strings]
    first: dict[bytes, int] = {}
    for one in strings:
        first.setdefault(one, len(first))
    assert numbers == [first[one] for one in strings]
    assert [table.data(number) for number in numbers] == strings
    assert len(table) == len(first)


def test_letters_are_made_small_when_asked() -> None:
    table = StringTable(1, 1 << 20)
    data = array(b"Mail.EXAMPLE[@Z`{")
    number = intern(table.strings, data, 0, len(data), LOWER)
    assert table.data(number) == b"mail.example[@z`{"
    assert intern(table.strings, data, 0, len(data), AS_IT_IS) != number


def test_without_room_nothing_changes() -> None:
    table = StringTable(1, 40, strings=4, room=16)
    kept = table.number(b"0123456789")
    assert table.number(b"x" * 100) == NO_ROOM
    assert intern(table.strings, array(b"y" * 30), 0, 30, AS_IT_IS) == NO_ROOM
    assert (len(table), table.number(b"0123456789")) == (1, kept)


def test_finding_keeps_nothing() -> None:
    table = StringTable(1, 1 << 20)
    number = table.number(b"known")
    assert find(table.strings, array(b"..known"), 2, 7) == number
    assert find(table.strings, array(b"other"), 0, 5) == -1
    assert len(table) == 1


def test_texts_of_numbers_are_null_where_there_is_none() -> None:
    table = StringTable(1, 1 << 20)
    a, empty, c = (table.number(one) for one in (b"a", b"", "ccé".encode()))
    assert table.texts(np.array([c, -1, empty, a, c], np.int32)).to_pylist() == ["ccé", None, "", "a", "ccé"]
