"""The fixed text of a report, in each language: one TOML catalogue a language, the same keys in all.

A key is `table.name`. Text may hold `{name}` fields; a key with `.one` and `.other` beside each other is
chosen by a count.
"""

import functools
import string
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from wirecover.report.errors import ReportError

LANGUAGES: Final = ("en", "fr", "nl", "de")


@functools.cache
def catalogue(lang: str) -> Mapping[str, str]:
    """All texts of a language by key; `ReportError` for a language there is no catalogue of."""
    if lang not in LANGUAGES:
        raise ReportError(f"no report in language {lang!r}: choose one of {', '.join(LANGUAGES)}")
    text = (
        resources.files("wirecover.report").joinpath("messages", f"{lang}.toml").read_text(encoding="utf-8")
    )
    return dict(_flat(tomllib.loads(text), ""))


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        found += _flat(value, f"{key}.") if isinstance(value, Mapping) else [(key, " ".join(value.split()))]
    return found


def fields(text: str) -> frozenset[str]:
    """Names of the `{fields}` of a text."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


def say(lang: str, key: str, **values: object) -> str:
    """The text of a key, filled. A missing key or value is a programming error and stays a KeyError."""
    return catalogue(lang)[key].format(**values)


def count_key(lang: str, key: str, count: int) -> str:
    """`key.one` or `key.other`: French says one for none as well."""
    one = count in (0, 1) if lang == "fr" else count == 1
    return f"{key}.{'one' if one else 'other'}"
