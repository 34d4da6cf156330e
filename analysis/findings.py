"""From findings to rows: stable ids, canonical JSON, and the Arrow tables of the case."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.casefile.derived import FINDING_FRAMES, FINDINGS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no spaces, ASCII only: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def parameters_json(parameters: Any) -> str:
    """The parameters of a detector (a dataclass) as canonical JSON."""
    return canonical_json(asdict(parameters))


def finding_id(finding: Finding) -> int:
    """63 bits of the SHA-256 of what the finding is about; statement, score and details do not enter it."""
    about = [finding.pattern, finding.kind, finding.subject, finding.object, finding.app, finding.first_ns,
             finding.parameters]  # fmt: skip
    if finding.key is not None:
        about.append(finding.key)
    return int.from_bytes(hashlib.sha256(canonical_json(about).encode("ascii")).digest()[:8]) >> 1


def utc_text(ns: int) -> str:
    """A time for a sentence: '2026-03-01 10:00:00 UTC', whole seconds, cut and not rounded."""
    return (_EPOCH + timedelta(seconds=ns // 1_000_000_000)).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration_text(ns: int) -> str:
    """A length of time for a sentence: '45 s', '12 min', '3 h 5 min', '2 d 4 h'; cut, not rounded."""
    seconds = ns // 1_000_000_000
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if minutes == 0:
        return f"{seconds} s"
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """'1 flow', '2 flows', '1,234 flows'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def app_text(app: str | None) -> str:
    """How a sentence names an application."""
    return f"application {app}" if app else "unlabelled encrypted traffic"


def p_text(p_value: float) -> str:
    """A p-value for reading: fixed digits, and no claim below the floor."""
    return "at most 0.000001" if p_value <= 1e-6 else f"{p_value:.6f}".rstrip("0").rstrip(".")


def result(
    findings: Iterable[Finding],
    *,
    events: pa.Table | None = None,
    notes: Sequence[str] = (),
    calls: pa.Table | None = None,
    call_flows: pa.Table | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Result:
    """Findings as the tables of the case, sorted by time and id. Two findings with one id are an error."""
    numbered = sorted(
        ((finding_id(one), one) for one in findings),
        key=lambda pair: (pair[1].first_ns is None, pair[1].first_ns or 0, pair[0]),
    )
    if len({number for number, _ in numbered}) != len(numbered):
        raise ValueError("two findings of one run have the same id")
    rows = [_finding_row(number, one) for number, one in numbered]
    frames = [row for number, one in numbered for row in _frame_rows(number, one.frames)]
    return Result(
        findings=pa.Table.from_pylist(rows, schema=FINDINGS),
        frames=pa.Table.from_pylist(frames, schema=FINDING_FRAMES),
        events=events,
        notes=tuple(notes),
        calls=calls,
        call_flows=call_flows,
        tables=dict(tables or {}),
    )


def _finding_row(number: int, one: Finding) -> dict[str, Any]:
    return {
        "finding_id": number, "pattern": one.pattern, "subject": one.subject, "object": one.object,
        "app": one.app, "first_ts": one.first_ns, "last_ts": one.last_ns,
        "score": None if one.score is None else round(one.score, 6),
        # No detector has a validated error rate yet, so none may state a likelihood ratio.
        "likelihood_ratio": None, "lr_low": None, "lr_high": None,
        "parameters": one.parameters, "analysis_version": one.version, "kind": one.kind,
        "statement": one.statement, "details": canonical_json(one.details),
        "capture_ids": sorted(set(one.capture_ids) | {ref.capture_id for ref in one.frames}),
    }  # fmt: skip


def _place(ref: FrameRef) -> tuple[int, int, bool, int, str]:
    return ref.capture_id, ref.frame, ref.flow_id is not None, ref.flow_id or 0, ref.role


def _frame_rows(number: int, frames: tuple[FrameRef, ...]) -> list[dict[str, Any]]:
    unique = sorted(set(frames), key=_place)
    return [{"finding_id": number, **asdict(ref)} for ref in unique]
