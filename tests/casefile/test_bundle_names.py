"""Names that mean one file everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.casefile.bundle_names import clash, fault

BAD = [
    "", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "C:/x", "a\\b", "\\\\host\\share", "a:stream", "CON",
    "con.txt", "reports/NUL", "aux.parquet", "com1", "LPT9.log", "COM¹", "conin$", "x.", "x ", " x", "a\x00b", "a\nb",
    "a\x1b[31m", "a\u202eb", "a\u200bb", "a\ud800", "e\u0301.pdf", "a|b", "a?b", "a*b", 'a"b', "a<b", "x" * 201,
    "/".join("abcdefghi"), "é" * 101, "/".join(["x" * 62] * 5), "\u2028",
]  # fmt: skip
GOOD = [
    "case.toml",
    "evidence/" + "a" * 64 + "/tls_handshakes.parquet",
    "reports/Rapport élève (2).pdf",
    "console",
    "comet1",
]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_is_not_portable_has_a_reason(name: str) -> None:
    assert fault(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_portable_name_has_none(name: str) -> None:
    assert fault(name) is None


@pytest.mark.parametrize(
    "pair", [("A", "a"), ("x/É", "x/é"), ("a", "a/b"), ("b/c", "b"), ("straße", "STRASSE"), ("a/b/c", "A/B")]
)
def test_two_names_of_one_file_are_found(pair: tuple[str, str]) -> None:
    assert clash(["first", *pair, "last"]) is not None


def test_names_of_different_files_do_not_clash() -> None:
    assert clash(["a/b", "a/c", "ab", "b/a", "B/b"]) is None


@given(st.text(max_size=40))
def test_a_portable_name_stays_inside_its_folder(name: str) -> None:
    if fault(name) is None:
        parts = name.split("/")
        assert ".." not in parts and "" not in parts and "." not in parts
        assert name.isprintable() and not set(name) & set('<>:"\\|?*')
