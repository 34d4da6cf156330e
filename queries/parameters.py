"""Typed parameters of a query: what its header declares, and values from text.

Values are bound by DuckDB under their type (`duckdb.Value`), never put into the SQL text.
"""

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wirecover.queries.errors import QueryUseError

Value = str | int | float | bool | None

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?Z?", re.ASCII)


def _big(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError("out of the range of a 64-bit integer")
    return value


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _flag(text: str) -> bool:
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError("neither true nor false") from None


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _time(text: str) -> str:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not a UTC time like 2026-11-22T14:30:00")
    return f"{match[1]} {match[2] or '00:00:00'}"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type that a header may name."""

    sql: str
    """DuckDB type the value is bound under."""
    read: Callable[[str], Value]
    """Text to value; ValueError with the reason."""


KINDS: Final[dict[str, Kind]] = {
    "VARCHAR": Kind("VARCHAR", str),
    "ADDRESS": Kind("VARCHAR", _address),  # canonical text, as addresses stand in the case
    "BIGINT": Kind("BIGINT", _big),
    "DOUBLE": Kind("DOUBLE", _real),
    "BOOLEAN": Kind("BOOLEAN", _flag),
    "TIMESTAMP_NS": Kind("TIMESTAMP_NS", _time),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter."""

    name: str
    kind: str
    """A key of KINDS."""
    required: bool
    default: Value
    doc: str

    @property
    def sql_type(self) -> str:
        """DuckDB type the value is bound under."""
        return KINDS[self.kind].sql

    def value(self, given: object) -> Value:
        """A given value (text from a command line, or already of the type) as what is bound; None stays
        NULL.
        """
        if given is None:
            return None
        text = str(given).lower() if isinstance(given, bool) else str(given)
        try:
            return KINDS[self.kind].read(text)
        except ValueError as error:
            raise QueryUseError(f"parameter {self.name}: {text!r} is no {self.kind}: {error}") from None
