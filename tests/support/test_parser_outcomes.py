"""The helper itself must be able to fail."""

import pytest
from support.parser_outcomes import (
    ANY,
    RECORD,
    check_cuts,
    check_longer,
    check_outcomes,
    check_random,
    outcome,
)

from wirecover.capture.protocols import Malformed


def parse_counted(data: bytes) -> bytes | None:
    """A toy format: one length byte (below 200), then that many bytes."""
    if not data:
        return None
    if data[0] >= 200:
        raise Malformed(0, "length too large")
    if len(data) < 1 + data[0]:
        return None
    if len(data) > 1 + data[0]:
        raise Malformed(1 + data[0], "bytes left over")
    return data[1:]


def test_a_good_parser_passes() -> None:
    assert check_outcomes(parse_counted, b"\x03abc", cut=None, longer=Malformed) == b"abc"


def test_a_wrong_promise_is_seen() -> None:
    with pytest.raises(AssertionError, match="cut to 0"):
        check_cuts(parse_counted, b"\x03abc", Malformed)
    with pytest.raises(AssertionError, match="appended"):
        check_longer(parse_counted, b"\x03abc", RECORD)
    check_cuts(parse_counted, b"\x03abc", ANY)


def test_any_other_exception_is_a_failure() -> None:
    with pytest.raises(IndexError):
        check_random(lambda data: data[0])


def test_an_offset_outside_the_bytes_is_a_failure() -> None:
    def parse(data: bytes) -> None:
        raise Malformed(len(data) + 1, "too far")

    with pytest.raises(AssertionError, match="lies outside"):
        outcome(parse, b"ab")
