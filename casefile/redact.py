"""What of a question goes into the custody log: its shape, and references instead of values.

A log of consultations says which data were asked for without holding them: it is read by people who may not see
the case. So texts, numbers and comments in an SQL statement are left out, and what a user gave as a parameter is
kept only where it cannot name anybody (numbers, times, truth values); the rest is a keyed digest, by which
whoever has the case can confirm that a certain value was asked for (`custody.reference`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wirecover.casefile.custody import reference

MAX_SHAPE: Final = 20_000
_HARMLESS: Final = ("BIGINT", "INTEGER", "SMALLINT", "DOUBLE", "BOOLEAN", "TIMESTAMP")
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--[^\n]* | /\*.*?(?:\*/|\Z))
      | (?P<text>[eExXbB]?'(?:[^']|'')*(?:'|\Z) | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z) | "(?:[^"]|"")*(?:"|\Z))
      | (?P<number>\d[\w.]*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def sql_shape(statement: str) -> str:
    """The statement with every value as `?`: words and signs of plain ASCII stay, nothing else does."""
    parts: list[str] = []
    size = 0
    for match in _TOKEN.finditer(statement):
        kind = match.lastgroup if match.lastgroup != "tag" else "text"
        if kind in {"space", "comment"}:
            part = " "
            if not parts or parts[-1] == part:
                continue
        elif kind in {"text", "number"}:
            part = "?"
        else:
            part = match[0] if match[0].isascii() and match[0].isprintable() else "?"
        parts.append(part)
        size += len(part)
        if size > MAX_SHAPE:
            parts.append(" ...")
            break
    return "".join(parts).strip()


def statement_facts(case: Path, statement: str) -> dict[str, Any]:
    """A statement of a user, as the log keeps it."""
    return {"shape": sql_shape(statement), "statement": reference(case, statement)}


def parameter_facts(case: Path, bound: Mapping[str, tuple[str, object]]) -> dict[str, Any]:
    """Parameters by name as (SQL type, value), as the log keeps them."""
    return {
        name: value if value is None or isinstance(value, bool) else str(value) if kind.startswith(_HARMLESS)
        else reference(case, str(value))
        for name, (kind, value) in sorted(bound.items())
    }  # fmt: skip
