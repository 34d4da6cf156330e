"""Findings with their frames, and the methods that made them."""

import dataclasses
import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import duckdb

from wirecover.report.model import Exhibit, Finding, Frames, Method, Value

if TYPE_CHECKING:
    from wirecover.analysis.detector import Detector

_FINDINGS: Final = """
    SELECT finding_id, pattern, kind, subject, object, app, epoch_ns(first_ts), epoch_ns(last_ts),
           coalesce(statement, ''), score, likelihood_ratio, lr_low, lr_high, parameters, analysis_version,
           capture_ids
    FROM findings
    ORDER BY kind = 'assessment', pattern, first_ts NULLS LAST, subject, object, app, finding_id"""
_FRAMES: Final = """
    WITH placed AS (
        SELECT finding_id, capture_id, frame,
               frame - row_number() OVER (PARTITION BY finding_id, capture_id ORDER BY frame) AS island
        FROM (SELECT DISTINCT finding_id, capture_id, frame FROM finding_frames WHERE frame IS NOT NULL)
    )
    SELECT finding_id, capture_id, min(frame), max(frame) FROM placed
    GROUP BY finding_id, capture_id, island ORDER BY ALL"""


def read_findings(
    connection: duckdb.DuckDBPyConnection, exhibits: tuple[Exhibit, ...]
) -> tuple[Finding, ...]:
    """All findings, facts before assessments, numbered from 1, each with its exhibits and frames."""
    labels = {exhibit.capture_id: exhibit.label for exhibit in exhibits}
    order = {exhibit.label: place for place, exhibit in enumerate(exhibits)}
    frames = _read_frames(connection, labels)
    return tuple(
        _finding(number, row, labels, order, frames[row[0]])
        for number, row in enumerate(connection.execute(_FINDINGS).fetchall(), 1)
    )


def _finding(
    number: int,
    row: tuple[Any, ...],
    labels: Mapping[int, str],
    order: Mapping[str, int],
    frames: Mapping[str, list[tuple[int, int]]],
) -> Finding:
    *head, score, ratio, low, high, parameters, version, capture_ids = row
    finding_id, pattern, kind, subject, other, app, first, last, statement = head
    named = {label_of(labels, capture) for capture in capture_ids or ()} | frames.keys()
    return Finding(
        number=number, finding_id=finding_id, pattern=pattern, kind=kind, subject=subject, object=other,
        app=app, first_ns=first, last_ns=last, statement=statement, score=finite(score),
        likelihood_ratio=finite(ratio), lr_low=finite(low), lr_high=finite(high),
        parameters=pairs(json_object(parameters)), analysis_version=version,
        exhibits=tuple(sorted(named, key=lambda label: (order.get(label, len(order)), label))),
        frames=tuple(
            Frames(label, sum(end - start + 1 for start, end in ranges), tuple(ranges))
            for label, ranges in sorted(frames.items(), key=lambda item: order.get(item[0], len(order)))
        ),
    )  # fmt: skip


def _read_frames(
    connection: duckdb.DuckDBPyConnection, labels: Mapping[int, str]
) -> defaultdict[int, defaultdict[str, list[tuple[int, int]]]]:
    found: defaultdict[int, defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for finding_id, capture, first, last in connection.execute(_FRAMES).fetchall():
        found[finding_id][label_of(labels, capture)].append((first, last))
    return found


def label_of(labels: Mapping[int, str], capture_id: int) -> str:
    """E-number of a capture; a capture the case does not list is named by its id, never dropped."""
    return labels.get(capture_id, f"capture {capture_id}")


def finite(number: float | None) -> float | None:
    """The number, if it is one. An infinite ratio claims an error rate of nought, which nothing has."""
    return float(number) if number is not None and math.isfinite(number) else None


def json_object(text: str | None) -> Mapping[str, Any]:
    """A JSON object as written by a detector; text that is none comes back under the name `parameters`."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {"parameters": text}
    return value if isinstance(value, dict) else {"parameters": text}


def pairs(parameters: object) -> tuple[tuple[str, Value], ...]:
    """Parameters (a mapping or a record) as sorted pairs: `outer.inner` for nested ones, JSON for a list."""
    if dataclasses.is_dataclass(parameters) and not isinstance(parameters, type):
        parameters = dataclasses.asdict(parameters)
    if not isinstance(parameters, Mapping):
        return ()
    return tuple(sorted(_flat(parameters, "")))


def _flat(parameters: Mapping[Any, object], prefix: str) -> Iterator[tuple[str, Value]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _value(value)


def _value(value: object) -> Value:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def registered_methods() -> "tuple[Detector, ...]":
    """The detectors of this installation, which describe themselves."""
    # imported here: a report can be drawn again without what the detectors compute with
    from wirecover.analysis.run import DETECTORS

    return tuple(DETECTORS.values())


def describe_methods(
    registered: Iterable[Any],
    findings: tuple[Finding, ...],
    run: Collection[str],
    notes: Mapping[str, tuple[str, ...]],
) -> tuple[Method, ...]:
    """One description for each registered method and for each unregistered pattern that has findings."""
    counts = Counter(finding.pattern for finding in findings)
    described = [
        Method(
            name=str(entry.name), version=str(entry.version), known=True, question=str(entry.question),
            method=" ".join(str(entry.method).split()), cannot_show=tuple(map(str, entry.cannot_show)),
            parameters=pairs(entry.parameters), run=entry.name in run or entry.name in counts,
            findings=counts.pop(entry.name, 0), notes=notes.get(entry.name, ()),
        )
        for entry in registered
    ]  # fmt: skip
    versions = {finding.pattern: finding.analysis_version or "" for finding in findings}
    unknown = [
        _undescribed(name, versions[name], count, notes.get(name, ()))
        for name, count in sorted(counts.items())
    ]
    return tuple(sorted(described, key=lambda method: method.name)) + tuple(unknown)


def _undescribed(name: str, version: str, findings: int, notes: tuple[str, ...]) -> Method:
    return Method(
        name=name, version=version, known=False, question="", method="", cannot_show=(), parameters=(),
        findings=findings, run=True, notes=notes,
    )  # fmt: skip
