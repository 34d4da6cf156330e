"""pcapng options and names, as lists of bounded length out of any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.captures import option

from wirecover.capture.files import options as opts


@pytest.mark.parametrize("order", ["little", "big"])
def test_options_in_both_byte_orders(order: opts.Order) -> None:
    data = (
        b"skip"
        + option(2, b"eth0", order)
        + option(9, b"\6", order)
        + option(0, b"", order)
        + option(3, b"x", order)
    )
    assert list(opts.options(data, 4, len(data), order)) == [(2, b"eth0"), (9, b"\6")]


def test_a_list_without_an_end_and_a_value_cut_at_the_limit() -> None:
    data = option(1, b"z" * 60_000)
    assert list(opts.options(data, 0, len(data), "little")) == [(1, b"z" * opts.MAX_TEXT)]


def test_the_good_ones_come_before_the_error() -> None:
    data = option(2, b"eth0") + b"\3\0\xff\xff"
    seen = []
    with pytest.raises(opts.BadOptionError, match="option 3 is 65535 bytes long"):
        for code, _ in opts.options(data, 0, len(data), "little"):
            seen.append(code)
    assert seen == [2]


def test_too_many_options_are_an_error_and_just_enough_are_not() -> None:
    enough = option(5, b"") * opts.MAX_OPTIONS
    assert len(list(opts.options(enough, 0, len(enough), "little"))) == opts.MAX_OPTIONS
    more = enough + option(5, b"")
    with pytest.raises(opts.BadOptionError, match="more than"):
        list(opts.options(more, 0, len(more), "little"))


@given(st.binary(max_size=300), st.sampled_from(["little", "big"]))
def test_any_bytes(data: bytes, order: opts.Order) -> None:
    for parse in (opts.options, opts.resolved_names):
        try:
            for _ in parse(data, 0, len(data), order):
                pass
        except opts.BadOptionError:
            continue


def test_a_name_record_too_short_for_its_address_is_skipped() -> None:
    data = option(1, b"\1\2\3") + option(1, b"\1\2\3\4name\0") + option(1, b"\1\2\3\4")
    assert list(opts.resolved_names(data, 0, len(data), "little")) == [("1.2.3.4", "name")]
    with pytest.raises(opts.BadOptionError, match="name record"):
        list(opts.resolved_names(data[:-4], 0, len(data) - 4, "little"))


def test_text_is_utf8_up_to_a_nul() -> None:
    assert opts.text("naïve\0rest".encode()) == "naïve"
    assert opts.text(b"\xffok") == "\ufffdok"


@pytest.mark.parametrize(
    ("byte", "ns"),
    [(0, 10**9), (6, 1000), (9, 1), (12, 1), (127, 1), (0x80, 10**9), (0x8A, 976_562), (0xFF, 1)],
)
def test_resolutions_in_nanoseconds(byte: int, ns: int) -> None:
    assert opts.resolution_ns(byte) == ns
