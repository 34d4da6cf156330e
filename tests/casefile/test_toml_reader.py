"""The strict reader by itself: lines are found, values keep their types, and what nobody asked for is an error."""

import pytest

from wirecover.casefile.toml_reader import MAX_BYTES, Section, TomlError, parse_toml, read_toml

TEXT = b"""
first = 1
[table]
word = "x"
[[many]]
value = 2
[[many]]
value = "two"
["quoted name"]
a = true
"""


def section() -> Section:
    return parse_toml(TEXT, "f.toml")


def test_lines_are_those_of_the_file() -> None:
    top = section()
    assert top.where("first") == "line 2, first"
    with pytest.raises(TomlError, match=r"f.toml: line 8, many\[2\].value: must be a whole number"):
        top.tables("many", lambda one: one.whole_or_none("value", 0, 9))


def test_every_key_must_be_asked_for() -> None:
    top = section()
    top.whole_or_none("first", 0, 9)
    with pytest.raises(TomlError, match="line 3, table: unknown key"):
        top.finish()
    with pytest.raises(TomlError, match=r"line 4, table\.word: unknown key"):
        top.table("table", lambda one: None)


def test_values_have_their_types() -> None:
    top = section()
    for wrong in (
        lambda: top.text("first"), lambda: top.flag("first"), lambda: top.time("first"), lambda: top.texts("first"),
        lambda: top.table("first", lambda one: one), lambda: top.tables("first", lambda one: one),
        lambda: top.text("none"), lambda: top.whole_or_none("first", 2, 9), lambda: top.number_or_none("first", 2, 9),
    ):  # fmt: skip
        with pytest.raises(TomlError, match=r"f\.toml: "):
            wrong()
    assert top.text_or_none("none") is None and top.tables("none", lambda one: one) == ()


def test_times_keep_nanoseconds_of_microseconds() -> None:
    top = parse_toml(b"t = 1970-01-01T01:00:00.000001+01:00", "f")
    assert top.time("t") == 1000


def test_files_are_bounded(tmp_path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(TomlError, match="larger than"):
        read_toml(path)
    with pytest.raises(TomlError, match="No such file"):
        read_toml(tmp_path / "none")
