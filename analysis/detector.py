"""What a detector is, and what it hands back.

A detector asks the case (a DuckDB connection with the views of the case), changes nothing in it, and returns
records. The same evidence and parameters give the same bytes: no clock, no random number, no
dependence on the order in which rows arrive. Scores are made of integer counts and rounded to six digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import duckdb
import pyarrow as pa

FindingKind = Literal["fact", "assessment"]


@dataclass(frozen=True, slots=True)
class FrameRef:
    """One frame a finding rests on."""

    capture_id: int
    frame: int
    flow_id: int | None
    """None: a frame of no flow (ARP, neighbour discovery), or the source notes none."""
    role: str
    """Why the frame is listed, in plain words."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a detector, with the frames it rests on."""

    pattern: str
    version: str
    kind: FindingKind
    statement: str
    """One English sentence with its figures; speaks of addresses, never of persons."""
    parameters: str
    """Canonical JSON."""
    first_ns: int | None = None
    last_ns: int | None = None
    subject: str | None = None
    object: str | None = None
    app: str | None = None
    score: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    frames: tuple[FrameRef, ...] = ()
    capture_ids: tuple[int, ...] = ()
    key: str | None = None
    """Enters the id where two findings of a run may be alike in all else."""


@dataclass(frozen=True, slots=True)
class Result:
    """The derived tables of one run, in the shape of `wirecover.casefile.derived`."""

    findings: pa.Table
    frames: pa.Table
    events: pa.Table | None = None
    """None: this detector writes no events."""
    notes: tuple[str, ...] = ()
    """What the run left out, and why: kept in the case and printed with the results."""
    calls: pa.Table | None = None
    """None: this detector writes no calls."""
    call_flows: pa.Table | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    """Tables that this detector owns (`wirecover.casefile.derived.OWNED`), by name."""


class Detector(Protocol):
    """A pattern that can be looked for in a case. Implementations are modules' classes without state."""

    name: ClassVar[str]
    version: ClassVar[str]
    question: ClassVar[str]
    method: ClassVar[str]
    """One paragraph: what is counted, against what."""
    cannot_show: ClassVar[tuple[str, ...]]
    """What a reader must not conclude; printed with every report."""
    parameters: ClassVar[Any]
    """The default parameters, a frozen dataclass."""

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Any) -> Result:
        """Look for the pattern. Raises AnalysisError when `parameters` cannot be used."""
        ...
