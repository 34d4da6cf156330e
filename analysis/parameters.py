"""Parameters of detectors from text: `pattern.parameter=value`, as the command line takes them.

The thresholds of the event extraction stand in a record of their own inside the parameters of the detectors that
use events: `co_timing.events.burst_gap_s=1`. What is said of message_events itself holds for those detectors as
well, unless it is said for them too: so the events in the case are the ones that their findings speak of.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, Final

from wirecover.analysis.detector import Detector
from wirecover.analysis.errors import AnalysisError

_TRUTH: Final = {"true": True, "false": False}
_WORDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def parse(
    texts: Sequence[str], detectors: Mapping[str, Detector], builds_on: Mapping[str, str]
) -> dict[str, Any]:
    """The parameter records of the patterns that are named, in the order in which detectors run.

    AnalysisError for text of another form, an unknown pattern or parameter, a parameter given twice, a value of
    another type or one that the detector refuses.
    """
    given: dict[str, dict[str, str]] = {}
    for text in texts:
        pattern, path, value = _parts(text, detectors)
        own = given.setdefault(pattern, {})
        if path in own:
            raise AnalysisError(f"{pattern}.{path} is given twice")
        own[path] = value
    for pattern, base in builds_on.items():
        if base in given:
            lent = {f"{base_field(detectors[pattern], detectors[base])}.{path}": value
                    for path, value in given[base].items()}  # fmt: skip
            given[pattern] = lent | given.get(pattern, {})
    made = {
        name: _record(name, detectors[name].parameters, given[name]) for name in detectors if name in given
    }
    for name, record in made.items():
        check(name, record)
    return made


def base_field(detector: Detector, base: Detector) -> str:
    """The field in which a detector keeps the parameters of the one it builds on."""
    return next(
        one.name
        for one in fields(detector.parameters)
        if type(getattr(detector.parameters, one.name)) is type(base.parameters)
    )


def check(name: str, record: Any) -> None:
    """Raises AnalysisError, naming the pattern, when the detector could not run with these parameters."""
    for one in fields(record):
        inner = getattr(record, one.name)
        if is_dataclass(inner):
            check(f"{name}.{one.name}", inner)
    try:
        record.check()
    except AnalysisError as error:
        raise AnalysisError(f"{name}: {error}") from error


def _parts(text: str, detectors: Mapping[str, Detector]) -> tuple[str, str, str]:
    key, equals, value = text.partition("=")
    pattern, dot, path = key.strip().partition(".")
    if not equals or not dot or not path:
        raise AnalysisError(f"{text!r} is not of the form pattern.parameter=value")
    if pattern not in detectors:
        raise AnalysisError(f"no such pattern: {pattern!r}{_near(pattern, list(detectors))}")
    return pattern, path, value.strip()


def _record(name: str, default: Any, given: Mapping[str, str]) -> Any:
    """The default with the given values in place; keys with a dot go into the record of that name."""
    known = {one.name: getattr(default, one.name) for one in fields(default)}
    values: dict[str, Any] = {}
    inner: dict[str, dict[str, str]] = {}
    for path, text in given.items():
        head, dot, rest = path.partition(".")
        if head not in known:
            raise AnalysisError(f"{name} has no parameter {head!r}{_near(head, list(known))}")
        if is_dataclass(known[head]) != bool(dot):
            kind = f"holds parameters of its own: {name}.{head}.<parameter>=..." if not dot else "holds none"
            raise AnalysisError(f"{name}.{head} {kind}")
        if dot:
            inner.setdefault(head, {})[rest] = text
        else:
            values[head] = _value(f"{name}.{head}", type(known[head]), text)
    for head, texts in inner.items():
        values[head] = _record(f"{name}.{head}", known[head], texts)
    return replace(default, **values)


def _value(name: str, kind: type, text: str) -> Any:
    """Text as a value of the type of the default."""
    try:
        if kind is bool:
            return _TRUTH[text.lower()]
        if kind is str:
            return text
        if kind in (int, float) and text.isascii() and "_" not in text:
            number = kind(text)
            if math.isfinite(number) and abs(number) < 1 << 62:
                return number
    except (KeyError, ValueError, OverflowError):
        pass
    raise AnalysisError(f"{name} must be {_WORDS[kind]}, not {text!r}")


def _near(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are: {', '.join(words)}"
