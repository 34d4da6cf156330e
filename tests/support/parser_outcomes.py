"""What every parser must survive: whole, cut at every byte, one byte more, damaged, and random bytes.

A parser is any callable from bytes. Its outcomes are a record, `None` (more bytes needed) or `Malformed`;
whatever else it raises fails the test at once. Use it as

    check_outcomes(parse_thing, GOOD, cut=Malformed, longer=Malformed)

where `cut` and `longer` say what the format promises: `Malformed` (must be refused), `None` (must ask for
more), `RECORD` (must be parsed all the same), or `ANY` where the answer depends on where the cut falls.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirecover.capture.protocols import Malformed

Parser = Callable[[bytes], object]

RECORD: Final = "record"
ANY: Final = "any"


def outcome(parse: Parser, data: bytes) -> object:
    """The record, `None`, or the `Malformed` that was raised; its offset must lie inside the bytes given."""
    try:
        return parse(data)
    except Malformed as refused:
        assert 0 <= refused.offset <= len(data), f"offset {refused.offset} lies outside {len(data)} bytes"
        assert refused.reason
        return refused


def _kind(result: object) -> object:
    if isinstance(result, Malformed):
        return Malformed
    return None if result is None else RECORD


def check_cuts(parse: Parser, data: bytes, expected: object = ANY) -> None:
    """Every proper prefix of `data` has the promised outcome."""
    for length in range(len(data)):
        got = _kind(outcome(parse, data[:length]))
        assert expected == ANY or got == expected, (
            f"cut to {length} of {len(data)} bytes: {got}, not {expected}"
        )


def check_longer(parse: Parser, data: bytes, expected: object = ANY) -> None:
    """`data` and one byte more (of three different values) has the promised outcome."""
    for extra in (b"\x00", b"\x01", b"\xff"):
        got = _kind(outcome(parse, data + extra))
        assert expected == ANY or got == expected, f"with {extra!r} appended: {got}, not {expected}"


def check_damage(parse: Parser, data: bytes) -> None:
    """Any single byte set to 0x00, 0xff or its complement: nothing but the three outcomes."""
    for position in range(len(data)):
        for value in {0x00, 0xFF, data[position] ^ 0xFF, (data[position] + 1) & 0xFF}:
            outcome(parse, data[:position] + bytes([value]) + data[position + 1 :])


def check_random(
    parse: Parser, prefixes: Sequence[bytes] = (b"",), *, examples: int = 150, size: int = 600
) -> None:
    """Random bytes behind each prefix (give prefixes that carry the parser past its first checks)."""

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(prefix=st.sampled_from(list(prefixes)), tail=st.binary(max_size=size))
    def run(prefix: bytes, tail: bytes) -> None:
        outcome(parse, prefix + tail)

    run()


def check_outcomes(
    parse: Parser, whole: bytes, *, cut: object = ANY, longer: object = ANY, examples: int = 150
) -> object:
    """All of the above on one good example; returns its record, so that the test can look into it."""
    record = outcome(parse, whole)
    assert _kind(record) == RECORD, f"the whole example is not parsed: {record!r}"
    check_cuts(parse, whole, cut)
    check_longer(parse, whole, longer)
    check_damage(parse, whole)
    middles = sorted({0, len(whole) // 4, len(whole) // 2, max(0, len(whole) - 3)})
    check_random(parse, [whole[:middle] for middle in middles], examples=examples)
    return record
