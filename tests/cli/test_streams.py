"""One line is one line, whatever is in a name."""

import io
import sys

import pytest

from wirecover.cli.streams import complain, count, plain, show, size, tell
from wirecover.queries.formats import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a.pcap", "a.pcap"),
        ("a\nb", "a\\u{a}b"),
        ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
        ("\u202egnp.exe", "\\u{202e}gnp.exe"),
        ("caf\udce9", "caf\\u{dce9}"),
        ("münchen 東京", "münchen 東京"),
        ("\x9b31m", "\\u{9b}31m"),
    ],
)
def test_nothing_acts_on_the_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown == visible(text)


def test_results_and_words_go_apart(capsys) -> None:
    show("a\rresult")
    tell("a\rword")
    complain("an error")
    out, err = capsys.readouterr()
    assert out == "a\\u{d}result\n"
    assert err == "a\\u{d}word\nwirecover: an error\n"


def test_a_closed_standard_error_is_no_failure(monkeypatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    tell("nobody reads this")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 captures"), (1, "1 capture"), (1234, "1,234 captures")],
)
def test_count(number: int, text: str) -> None:
    assert count(number, "capture") == text


def test_count_of_an_odd_plural() -> None:
    assert count(2, "query", "queries") == "2 queries"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (999_949, "999.9 kB"),
        (999_951, "1.0 MB"), (3_500_000_000, "3.5 GB"), (10**16, "10000.0 TB"),
    ],
)  # fmt: skip
def test_size(number: int, text: str) -> None:
    assert size(number) == text
