"""Logged analyses run anew: for `wirecover rebuild`, which compares what they give with what is in the case."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.run import DETECTORS
from wirecover.casefile.case import Case
from wirecover.casefile.store import replace_analysis


def run_again(case: Case, pattern: str, parameters: Mapping[str, Any]) -> None:
    """Run one detector with the parameters that the custody log has of it, and store its rows, unlogged.

    AnalysisError when this version knows no such detector or parameters.
    """
    if pattern not in DETECTORS:
        raise AnalysisError(f"{pattern}: a logged analysis that this version cannot run")
    used = as_record(type(DETECTORS[pattern].parameters), parameters, pattern)
    with closing(case.connect()) as connection:
        found = DETECTORS[pattern].run(connection, used)
    replace_analysis(
        case, pattern, found.findings, found.frames, found.events, calls=found.calls, call_flows=found.call_flows,
        tables=found.tables, notes=found.notes, parameters=asdict(used), logged=False,
    )  # fmt: skip


def as_record(kind: type[Any], value: object, where: str) -> Any:
    """A frozen record, with the records inside it, from what `asdict` and JSON made of it."""
    if not isinstance(value, Mapping):
        raise AnalysisError(f"{where}: logged parameters that are no record")
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if odd := sorted(set(value) - names):
        raise AnalysisError(f"{where}: logged parameters that this version does not know: {', '.join(odd)}")
    return kind(**{name: _value(hints[name], one, f"{where}.{name}") for name, one in value.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        return as_record(cast(type, hint), value, where)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        if value is None:
            return None
        return _value(next(one for one in inner if one is not NoneType), value, where)
    if origin in (tuple, frozenset, list) and isinstance(value, list):
        kinds = inner if origin is tuple and Ellipsis not in inner else (inner[0],) * len(value)
        items = [_value(one, item, where) for one, item in zip(kinds, value, strict=True)]
        return origin(items)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    return value
