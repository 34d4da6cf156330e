"""Logged analyses run anew: for `wirecover rebuild`, which compares what they give with what is in the case."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, fields
from typing import Any

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
    record = type(DETECTORS[pattern].parameters)
    kinds = {field.name: field for field in fields(record)}
    if odd := sorted(set(parameters) - set(kinds)):
        raise AnalysisError(f"{pattern}: logged parameters that this version does not know: {', '.join(odd)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    used = record(**values)
    with closing(case.connect()) as connection:
        found = DETECTORS[pattern].run(connection, used)
    replace_analysis(
        case, pattern, found.findings, found.frames, found.events, calls=found.calls, call_flows=found.call_flows,
        notes=found.notes, parameters=asdict(used), logged=False,
    )  # fmt: skip
