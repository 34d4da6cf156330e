"""Untrusted text: printable, lossless, one text one look."""

import hashlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.report.escape import KEPT, LONGEST, bounded, original, printable

ANY_TEXT = st.text(st.characters())
TRICKY = st.text(st.sampled_from("a \\u{20}e9é0\u202e\x00"), max_size=12)


@given(ANY_TEXT | TRICKY)
def test_nothing_is_lost(text: str) -> None:
    assert original(printable(text)) == text


@given(ANY_TEXT | TRICKY, ANY_TEXT | TRICKY)
def test_different_texts_look_different(one: str, other: str) -> None:
    assert (printable(one) == printable(other)) == (one == other)


@given(ANY_TEXT)
def test_only_known_characters_come_out(text: str) -> None:
    assert set(printable(text)) <= KEPT | {" ", "\\"}


def test_kept_characters_are_letters_digits_and_marks() -> None:
    assert {unicodedata.category(char)[0] for char in KEPT} <= set("LNPS")
    assert all(ord(char) < 256 for char in KEPT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", r"\u{}"),
        ("chat.signal.org", "chat.signal.org"),
        ("relevé été.pcap", "relevé été.pcap"),
        ("gpj.\u202eexe", r"gpj.\u{202e}exe"),
        ("\u0430pple.com", r"\u{430}pple.com"),
        ("a\u200bb", r"a\u{200b}b"),
        ("nul\x00line\nend", r"nul\u{0}line\u{a}end"),
        ("😀漢", r"\u{1f600}\u{6f22}"),
        (r"\u{41}", r"\\u{41}"),
        (" a  b ", r"\u{20}a \u{20}b\u{20}"),
        ("\udc80", r"\u{dc80}"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_name_is_cut_with_its_length_and_digest() -> None:
    name = "a" * 10_000
    shown = bounded(name)
    assert len(shown) < 2 * LONGEST
    assert shown.startswith("a" * 90)
    assert shown.endswith(f"… [10000 characters, SHA-256 {hashlib.sha256(name.encode()).hexdigest()}]")
    assert bounded(name[:LONGEST]) == name[:LONGEST]


def test_a_name_cannot_pretend_to_be_cut() -> None:
    pretence = bounded("a" * 10_000)[:LONGEST]
    assert "…" in pretence
    assert "…" not in bounded(pretence)
