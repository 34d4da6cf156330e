"""Rule, authority and scope files with absurd content: one line of refusal, no crash, no hang, no other file read."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sharing import SCOPE, write_scope

from wirecover.capture.apps.loader import load_rules
from wirecover.capture.errors import WirecoverError
from wirecover.casefile.authority_file import parse_authority, read_authority
from wirecover.casefile.share_scope import ShareError, read_order

ABSURD = {
    "nothing": b"", "null": b"\0", "not text": b"\xff\xfe", "no toml": b"{]", "an array": b"[[x]]\n" * 10_000,
    "deep": b"a = " + b"[" * 100_000 + b"]" * 100_000, "deep table": b"[" + b"a." * 50_000 + b"a]\n",
    "deep inline": b"a = " + b"{a=" * 5_000 + b"1" + b"}" * 5_000, "long key": b"a" * 900_000 + b" = 1",
    "huge number": b"edition = " + b"9" * 100_000, "not a number": b"edition = nan\nscope = inf",
    "dates": b"from = 9999-99-99T99:99:99Z", "far dates": b"[scope]\nfrom = 0001-01-01T00:00:00Z",
    "too large": b"#" * (2 << 20), "bidi": "x = '\u202e'\n".encode(), "escape": b'x = "\\u001b[2J"\n',
    "numbers with many digits": b"x = 1" + b"_0" * 100_000,
}  # fmt: skip


def refuses(read: Callable[[Path], object], path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(WirecoverError) as refused:
        read(path)
    assert time.monotonic() - start < 20
    text = str(refused.value)
    assert len(text) < 5_000 and "\x1b" not in text.replace(str(path), "")


@pytest.mark.parametrize("name", ABSURD)
def test_scope_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "scope.toml").write_bytes(ABSURD[name])
    refuses(read_order, tmp_path / "scope.toml")


@pytest.mark.parametrize("name", ABSURD)
def test_authority_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "authority.toml").write_bytes(ABSURD[name])
    refuses(read_authority, tmp_path / "authority.toml")


@pytest.mark.parametrize("name", ABSURD)
def test_rule_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "rule.toml").write_bytes(ABSURD[name])
    refuses(load_rules, tmp_path)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_refused_in_one_error(data: bytes) -> None:
    with pytest.raises(WirecoverError):
        parse_authority(data, "x")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("addresses", "[]"), ("addresses", '["0.0.0.0/0/0"]'), ("addresses", '["192.0.2.1/24"]'),
        ("addresses", '["x"]'),
        ("addresses", '["192.0.2.1", "192.0.2.1"]'), ("addresses", "[1]"), ("addresses", '"192.0.2.1"'),
        ("applications", "[]"), ("exhibits", '["../../etc"]'), ("exhibits", f'["{"A" * 64}"]'), ("findings", "[1.5]"),
        ("findings", "[true]"), ("findings", f"[{1 << 70}]"), ("tables", "[]"), ("tables", '["comments"]'),
        ("tables", '["flows; DROP TABLE x"]'), ("tables", None), ("edition", "0"), ("edition", "true"), ("to", '"now"'),
        ("to", "2023-01-01"), ("to", "2023-01-01T00:00:00"), ("from", "2030-01-01T00:00:00Z"), ("onward", "1"),
        ("reference", None), ("reference", '""'), ("reference", '"a\\nb"'), ("purpose", '" x"'), ("partner", None),
        ("unknown", "1"), ("use", '"x"'), ("destroy_by", "2027-01-01"),
    ],
)  # fmt: skip
def test_a_scope_that_says_something_else_than_it_should(key: str, value: str | None, tmp_path: Path) -> None:
    """An empty list, above all, must never be read as 'everything'."""
    with pytest.raises(ShareError) as refused:
        read_order(write_scope(tmp_path / "scope.toml", SCOPE, **{key: value}))
    assert len(str(refused.value).splitlines()) == 1


def test_a_right_scope_is_read(tmp_path: Path) -> None:
    assert read_order(write_scope(tmp_path / "scope.toml", SCOPE)).scope.addresses == ("192.0.2.1/32",)
