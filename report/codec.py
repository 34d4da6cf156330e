"""Records to canonical JSON and back, exactly.

Canonical: keys sorted, two-space indent, UTF-8 without a byte order mark, LF, one LF at the end. Reading is
strict: a missing, unknown or wrongly typed member raises `DocumentError`, so a document that was tampered
with is not half understood.
"""

import dataclasses
import json
import math
import types
import typing
from typing import Any, TypeVar

from wirecover.report.errors import DocumentError

Record = TypeVar("Record")


def canonical(value: object) -> bytes:
    """A record, or plain data, as canonical JSON. A float that is not a number cannot be written."""
    text = json.dumps(plain(value), ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return (text + "\n").encode("utf-8")


def plain(value: object) -> Any:
    """Records as dictionaries and tuples as lists, all the way down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def parse(data: bytes) -> Any:
    """JSON bytes as plain data; `DocumentError` for anything that is not one JSON text in UTF-8."""
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_no_repeats
        )
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DocumentError(f"not a JSON text: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names the same member twice")
    return members


def record(kind: type[Record], value: Any, path: str = "document") -> Record:
    """Plain data as a record of that kind; `path` names the place in errors."""
    if not isinstance(value, dict):
        raise DocumentError(f"{path} is not an object")
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if names != value.keys():
        odd = ", ".join(sorted(map(str, names ^ value.keys()))[:5])
        raise DocumentError(f"{path}: members missing or not known: {odd}")
    return kind(**{name: _value(hints[name], value[name], f"{path}.{name}") for name in sorted(names)})


def _value(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return record(typing.cast(type, hint), value, path)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _tuple(arguments, value, path)
    if origin in (types.UnionType, typing.Union):
        records = [one for one in arguments if dataclasses.is_dataclass(one)]
        if records and value is not None:
            return record(typing.cast(type, records[0]), value, path)
        return _scalar(arguments, value, path)
    return _scalar((hint,), value, path)


def _tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise DocumentError(f"{path} is not a list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_value(arguments[0], item, f"{path}[{n}]") for n, item in enumerate(value))
    if len(arguments) != len(value):
        raise DocumentError(f"{path} does not hold {len(arguments)} items")
    return tuple(_value(hint, item, path) for hint, item in zip(arguments, value, strict=True))


def _scalar(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    # `type(...) in` and not isinstance: True is an int to isinstance, and would not come back as it was
    if type(value) in kinds and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise DocumentError(f"{path}: a {type(value).__name__} where it does not belong")
