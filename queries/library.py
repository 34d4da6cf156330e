"""The named queries: every file of queries/sql, its header parsed into a frozen `Query`.

A header is the block of `--` lines at the top of the file, one key a line, continued by lines indented by
four spaces or more after the dashes:

    -- name: flows_of_address
    -- question: Which flows has an address taken part in?
    -- reads: flows, captures
    -- param: ip ADDRESS                            -- the address
    -- param: since TIMESTAMP_NS = NULL             -- only flows that end at or after this time
    -- returns: flow_id BIGINT, first_ts TIMESTAMP_NS
    -- cannot show: what a capture does not hold

`cannot show` and `param` may stand several times, or not at all. A parameter without a default is required.
Anything else (unknown or repeated key, parameter undeclared or unused, file not named like the query) raises
QueryError with file and line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, Never

from wirecover.queries.errors import QueryError, QueryUseError
from wirecover.queries.parameters import KINDS, Parameter, Value

_ONCE: Final = ("name", "question", "reads", "returns")
_MANY: Final = ("param", "cannot show")
_KEY: Final = re.compile(r"-- ([a-z][a-z ]*):\s*(.*)", re.ASCII)
_MORE: Final = re.compile(r"-- {4,}(\S.*)")
_PARAM: Final = re.compile(
    r"([a-z][a-z0-9_]*)\s+([A-Z_]+)(?:\s*=\s*('(?:[^']|'')*'|\S+))?\s+--\s+(\S.*)", re.ASCII
)
_COLUMN: Final = re.compile(r"([a-z][a-z0-9_]*)\s+([A-Z_]+(?:\[\])?)", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
# What may hide a dollar sign that is no parameter: comments, quoted text, dollar-quoted text.
_OPAQUE: Final = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Query:
    """One named query."""

    name: str
    question: str
    """What it answers, as an analyst would ask."""
    reads: tuple[str, ...]
    """Tables and views it reads."""
    parameters: tuple[Parameter, ...]
    returns: tuple[tuple[str, str], ...]
    """(column, DuckDB type) of the result, in order."""
    cannot_show: tuple[str, ...]
    """What the answer does not cover."""
    sql: str
    location: str
    """File name, for messages."""

    def values(self, given: dict[str, object]) -> dict[str, Value]:
        """A value for every parameter, from those given and the defaults; QueryUseError when that fails."""
        known = {parameter.name for parameter in self.parameters}
        for name in given:
            if name not in known:
                takes = ", ".join(parameter.name for parameter in self.parameters) or "none"
                raise QueryUseError(f"{self.name} has no parameter {name!r} (it takes {takes})")
        values: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.name in given:
                values[parameter.name] = parameter.value(given[parameter.name])
            elif parameter.required:
                raise QueryUseError(f"{self.name} needs -p {parameter.name}=... ({parameter.doc})")
            else:
                values[parameter.name] = parameter.default
        return values


@cache
def load() -> dict[str, Query]:
    """Every named query, by name, in order of the names."""
    return load_folder(files("wirecover.queries") / "sql")


def load_folder(folder: Traversable) -> dict[str, Query]:
    """The queries of one folder; QueryError on the first file that breaks a rule."""
    found: dict[str, Query] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".sql"):
            query = parse(file.read_text(encoding="utf-8"), file.name)
            found[query.name] = query
    return found


def find(name: str) -> Query:
    """The query of that name; QueryUseError with the nearest names when there is none."""
    queries = load()
    if name not in queries:
        from difflib import get_close_matches

        near = get_close_matches(name, queries, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; see: wirecover queries"
        raise QueryUseError(f"no query named {name!r}{hint}")
    return queries[name]


def parse(text: str, location: str) -> Query:
    """One file's text into a query."""
    header, body_line = _header(text, location)
    once: dict[str, tuple[int, str]] = {}
    many: dict[str, list[tuple[int, str]]] = {key: [] for key in _MANY}
    for line, key, value in header:
        if key in many:
            many[key].append((line, value))
        elif key not in _ONCE:
            _fail(location, line, f"unknown header key {key!r}")
        elif key in once:
            _fail(location, line, f"{key!r} stands twice")
        else:
            once[key] = (line, value)
    for key in _ONCE:
        if key not in once:
            _fail(location, 1, f"the header has no {key!r}")
    name_line, name = once["name"]
    if not _NAME.fullmatch(name) or f"{name}.sql" != location:
        _fail(location, name_line, f"the file of query {name!r} must be named {name}.sql")
    sql = "\n".join(text.splitlines()[body_line - 1 :]).strip()
    if not sql:
        _fail(location, body_line, "there is no query below the header")
    parameters = tuple(_parameter(location, line, value) for line, value in many["param"])
    _check_parameters(location, sql, body_line, parameters, [line for line, _ in many["param"]])
    return Query(
        name, once["question"][1], _reads(location, *once["reads"]), parameters,
        _returns(location, *once["returns"]), tuple(value for _, value in many["cannot show"]), sql, location,
    )  # fmt: skip


def _header(text: str, location: str) -> tuple[list[tuple[int, str, str]], int]:
    """((line, key, value) of each header entry, line where the body starts)."""
    entries: list[tuple[int, str, str]] = []
    lines = text.splitlines()
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip()
        if not line.startswith("--"):
            if not entries:
                _fail(location, number, "the file does not start with a header")
            return entries, number
        if match := _MORE.fullmatch(line):
            if not entries:
                _fail(location, number, "a continued line with nothing before it")
            start, key, value = entries[-1]
            entries[-1] = (start, key, f"{value} {match[1]}".strip())
        elif match := _KEY.fullmatch(line):
            entries.append((number, match[1], match[2].strip()))
        else:
            _fail(location, number, "not a header line (-- key: value)")
    if not entries:
        _fail(location, 1, "the file does not start with a header")
    return entries, len(lines) + 1


def _parameter(location: str, line: int, text: str) -> Parameter:
    match = _PARAM.fullmatch(text)
    if match is None:
        _fail(location, line, "not a parameter (name TYPE [= default]  -- what it means)")
    name, kind, default, doc = match.groups()
    if kind not in KINDS:
        _fail(location, line, f"parameter {name}: unknown type {kind} (one of {', '.join(KINDS)})")
    if default is None or default == "NULL":
        return Parameter(name, kind, default is None, None, doc)
    plain = default[1:-1].replace("''", "'") if default.startswith("'") else default
    try:
        return Parameter(name, kind, False, KINDS[kind].read(plain), doc)  # noqa: FBT003 - a record's field
    except ValueError as error:
        _fail(location, line, f"parameter {name}: default {default} is no {kind}: {error}")


def _check_parameters(
    location: str, sql: str, body_line: int, parameters: tuple[Parameter, ...], lines: list[int]
) -> None:
    used = dict(_used(sql))
    names = [parameter.name for parameter in parameters]
    for place, (line, name) in enumerate(zip(lines, names, strict=True)):
        if name in names[:place]:
            _fail(location, line, f"parameter {name} is declared twice")
        if name not in used:
            _fail(location, line, f"parameter {name} is declared and not used")
    for name, line in used.items():
        if name not in names:
            _fail(location, body_line + line, f"parameter {name} is used and not declared")


def _used(sql: str) -> Iterator[tuple[str, int]]:
    """(parameter, line from 0) for each $name outside comments and quoted text."""
    bare = _OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), sql)
    for match in re.finditer(r"\$(\w+)", bare, re.ASCII):
        yield match[1], bare.count("\n", 0, match.start())


def _reads(location: str, line: int, text: str) -> tuple[str, ...]:
    tables = tuple(part.strip() for part in text.split(","))
    for table in tables:
        if not _NAME.fullmatch(table):
            _fail(location, line, f"reads: {table!r} is no table name")
    return tables


def _returns(location: str, line: int, text: str) -> tuple[tuple[str, str], ...]:
    columns: list[tuple[str, str]] = []
    for part in text.split(","):
        match = _COLUMN.fullmatch(part.strip())
        if match is None:
            _fail(location, line, f"returns: {part.strip()!r} is no column (name TYPE)")
        columns.append((match[1], match[2]))
    return tuple(columns)


def _fail(location: str, line: int, reason: str) -> Never:
    raise QueryError(f"{location}:{line}: {reason}")
