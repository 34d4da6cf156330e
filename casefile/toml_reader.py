"""Strict reading of a TOML file: every key is known, every value of its type, and each complaint names file and line.

`Section` hands out values once; `finish` complains of the keys that nobody asked for. tomllib tells no lines, so
they are found again in the text: good for files as people write them, and left away where they are not found.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from wirecover.capture.errors import WirecoverError

MAX_BYTES: Final = 1 << 20
MAX_TEXT: Final = 4000
MAX_ITEMS: Final = 1000
_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_\-]+|\"[^\"]+\"|'[^']+')\s*=")
Found = TypeVar("Found")


class TomlError(WirecoverError):
    """The file is not what it should be; one line with file, line and key."""


def read_toml(path: Path, error: type[WirecoverError] = TomlError) -> "Section":
    """The top section of a TOML file. `error` is raised, with one line, for anything that is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"{path}: {problem.strerror or problem}") from problem
    return parse_toml(data, str(path), error)


def parse_toml(data: bytes, name: str, error: type[WirecoverError] = TomlError) -> "Section":
    """As `read_toml`, of bytes; `name` is what complaints call them."""
    if len(data) > MAX_BYTES:
        raise error(f"{name}: larger than {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as problem:
        raise error(f"{name}: not UTF-8 text (byte {problem.start})") from problem
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{name}: {problem}") from problem
    except (RecursionError, ValueError) as problem:  # brackets without end; a date that is none
        raise error(f"{name}: cannot be read: {problem}") from problem
    return Section(values, name, (), _lines(text), error)


def _lines(text: str) -> dict[str, int]:
    """`table[2].key` -> line, from 1."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            name = header.group(2)
            if header.group(1) == "[[":
                counts[name] = counts.get(name, 0) + 1
                name = f"{name}[{counts[name]}]"
            found.setdefault(name, number)
            prefix = name + "."
        elif key := _KEY.match(line):
            found.setdefault(prefix + key.group(1).strip("\"'"), number)
    return found


class Section:
    """One table of the file."""

    def __init__(
        self, values: Mapping[str, Any], name: str, place: tuple[str, ...], lines: Mapping[str, int],
        error: type[WirecoverError],
    ) -> None:  # fmt: skip
        self._values = values
        self._name = name
        self._place = place
        self._lines = lines
        self._error = error
        self._asked: set[str] = set()

    # ---- complaints ----------------------------------------------------------------------------------------

    def where(self, key: str = "") -> str:
        """`line 12, targets[2].value`, as far as the line is known."""
        path = ".".join([*self._place, *([key] if key else [])])
        line = self._lines.get(path)
        if line is None and "." in path:
            line = self._lines.get(path.rpartition(".")[0])
        return f"line {line}, {path}" if line else path or "the file"

    def fail(self, key: str, problem: str) -> WirecoverError:
        """The error to raise about a key."""
        return self._error(f"{self._name}: {self.where(key)}: {problem}")

    def finish(self) -> None:
        """Complain of the first key that nobody asked for."""
        unknown = [key for key in self._values if key not in self._asked]
        if unknown:
            known = ", ".join(sorted(self._asked)) or "none"
            raise self.fail(unknown[0], f"unknown key (known here: {known})")

    # ---- values --------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._asked.add(key)
        return key in self._values

    def _get(self, key: str, kinds: tuple[type, ...], called: str) -> Any:
        if not self.has(key):
            raise self.fail(key, f"is missing ({called})")
        value = self._values[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.fail(key, f"must be {called}")
        return value

    def text(self, key: str, among: tuple[str, ...] = ()) -> str:
        """A line of text, one of `among` if given."""
        return self._checked_text(key, self._get(key, (str,), "text"), among)

    def text_or_none(self, key: str, among: tuple[str, ...] = ()) -> str | None:
        """As `text`; None when the key is not there."""
        return self.text(key, among) if self.has(key) else None

    def texts(self, key: str, among: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of lines of text; empty when the key is not there."""
        if not self.has(key):
            return ()
        values = self._get(key, (list,), "a list of texts")
        if len(values) > MAX_ITEMS:
            raise self.fail(key, f"more than {MAX_ITEMS} entries")
        for value in values:
            if not isinstance(value, str):
                raise self.fail(key, "must be a list of texts")
        found = tuple(self._checked_text(key, value, among) for value in values)
        if len(set(found)) != len(found):
            raise self.fail(key, "an entry stands twice")
        return found

    def _checked_text(self, key: str, value: str, among: tuple[str, ...]) -> str:
        if not value.strip() or value != value.strip() or len(value) > MAX_TEXT or not value.isprintable():
            raise self.fail(
                key, f"must be one line of 1 to {MAX_TEXT} visible characters, without spaces around it"
            )
        if among and value not in among:
            raise self.fail(key, f"{value!r} is none of: {', '.join(among)}")
        return value

    def flag(self, key: str) -> bool:
        """true or false; false when the key is not there."""
        return bool(self._get(key, (bool,), "true or false")) if self.has(key) else False

    def number_or_none(self, key: str, least: float, most: float) -> float | None:
        """A number between two others."""
        if not self.has(key):
            return None
        value = float(self._get(key, (int, float), "a number"))
        if not least <= value <= most:
            raise self.fail(key, f"must be between {least:g} and {most:g}")
        return value

    def whole_or_none(self, key: str, least: int, most: int) -> int | None:
        """A whole number between two others."""
        if not self.has(key):
            return None
        value: int = self._get(key, (int,), "a whole number")
        if not least <= value <= most:
            raise self.fail(key, f"must be between {least} and {most}")
        return value

    def wholes(self, key: str, least: int, most: int) -> tuple[int, ...]:
        """A list of whole numbers between two others; empty when the key is not there."""
        if not self.has(key):
            return ()
        values = self._get(key, (list,), "a list of whole numbers")
        if len(values) > MAX_ITEMS:
            raise self.fail(key, f"more than {MAX_ITEMS} entries")
        for value in values:
            if type(value) is not int or not least <= value <= most:
                raise self.fail(key, f"must be a list of whole numbers between {least} and {most}")
        if len(set(values)) != len(values):
            raise self.fail(key, "an entry stands twice")
        return tuple(values)

    def time(self, key: str) -> int:
        """A date and time with its offset from UTC, as nanoseconds since 1970."""
        value = self._get(key, (datetime,), "a date and time with an offset, as 2026-03-01T08:00:00+01:00")
        assert isinstance(value, datetime)
        if value.tzinfo is None:
            raise self.fail(key, "must say its offset from UTC, as 2026-03-01T08:00:00+01:00 or ...Z")
        offset = value.utcoffset()
        assert offset is not None
        since = value.replace(tzinfo=None) - datetime(1970, 1, 1) - offset  # astimezone() fails near year 1
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000

    def time_or_none(self, key: str) -> int | None:
        """As `time`; None when the key is not there."""
        return self.time(key) if self.has(key) else None

    def sha256_or_none(self, key: str) -> str | None:
        """A SHA-256 in 64 hexadecimal digits, in lower case."""
        value = self.text_or_none(key)
        if value is not None and re.fullmatch(r"[0-9a-fA-F]{64}", value) is None:
            raise self.fail(key, "must be a SHA-256 in 64 hexadecimal digits")
        return None if value is None else value.lower()

    # ---- tables --------------------------------------------------------------------------------------------

    def table(self, key: str, read: Callable[["Section"], Found]) -> Found:
        """A table, read and finished."""
        value = self._get(key, (dict,), "a table")
        return self._read(value, (*self._place, key), read)

    def table_or_none(self, key: str, read: Callable[["Section"], Found]) -> Found | None:
        """As `table`; None when the key is not there."""
        return self.table(key, read) if self.has(key) else None

    def tables(self, key: str, read: Callable[["Section"], Found]) -> tuple[Found, ...]:
        """A list of tables; empty when the key is not there."""
        if not self.has(key):
            return ()
        values = self._get(key, (list,), f"a list of tables ([[{key}]])")
        if len(values) > MAX_ITEMS:
            raise self.fail(key, f"more than {MAX_ITEMS} entries")
        found = []
        for number, value in enumerate(values, start=1):
            if not isinstance(value, dict):
                raise self.fail(key, f"must be a list of tables ([[{key}]])")
            found.append(self._read(value, (*self._place, f"{key}[{number}]"), read))
        return tuple(found)

    def _read(
        self, value: Mapping[str, Any], place: tuple[str, ...], read: Callable[["Section"], Found]
    ) -> Found:
        section = Section(value, self._name, place, self._lines, self._error)
        found = read(section)
        section.finish()
        return found
