"""Running detectors on a case: the registry, and `analyze`."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

from wirecover.analysis.activity_rhythm import ActivityRhythm
from wirecover.analysis.app_sessions import AppSessions
from wirecover.analysis.calls import Calls
from wirecover.analysis.co_timing import CoTiming
from wirecover.analysis.detector import Detector, Result
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.fake_tls import FakeTls
from wirecover.analysis.identity_facts import IdentityFacts
from wirecover.analysis.inventory import Inventory
from wirecover.analysis.message_events import MessageEvents
from wirecover.analysis.parameters import parse
from wirecover.analysis.unexplained import Unexplained
from wirecover.casefile.authority_store import permit
from wirecover.casefile.case import Case
from wirecover.casefile.custody import Act, record
from wirecover.casefile.store import replace_analysis

DETECTORS: Final[dict[str, Detector]] = {
    detector.name: detector
    for detector in (
        AppSessions(), MessageEvents(), Calls(), ActivityRhythm(), CoTiming(), IdentityFacts(), FakeTls(), Inventory(),
        Unexplained(),
    )
}  # fmt: skip
"""All detectors by name, in the order in which they run."""

BUILDS_ON: Final = {
    "activity_rhythm": "message_events", "calls": "message_events", "co_timing": "message_events",
}  # fmt: skip
"""Detectors whose findings speak of events: these are written too, so that a reader can look them up."""


@dataclass(frozen=True, slots=True)
class PatternSummary:
    """What one detector wrote."""

    pattern: str
    facts: int
    assessments: int
    frames: int
    events: int
    notes: tuple[str, ...]
    """What was left out, and why."""


def parse_parameters(texts: Sequence[str], patterns: Sequence[str] | None = None) -> Mapping[str, Any]:
    """Parameter records for `analyze` from texts `pattern.parameter=value`.

    AnalysisError says what is wrong; a parameter of a pattern that will not run with `patterns` is, too.
    """
    running = chosen(patterns)
    idle = sorted({text.partition(".")[0].strip() for text in texts} & set(DETECTORS) - set(running))
    if idle:
        raise AnalysisError(f"parameters for a pattern that is not run: {', '.join(idle)}")
    found = parse(texts, DETECTORS, BUILDS_ON)
    return {name: values for name, values in found.items() if name in running}


def analyze(
    case: Case, patterns: Sequence[str] | None = None, parameters: Mapping[str, Any] | None = None
) -> tuple[PatternSummary, ...]:
    """Run detectors (all, when none is named) and put their findings in the place of their earlier ones.

    `parameters` gives the parameter record of a detector by its name. AnalysisError for an unknown pattern or
    a parameter that cannot be used; then nothing was written.
    """
    names = chosen(patterns)
    given = dict(parameters or {})
    if unknown := sorted(set(given) - set(DETECTORS)):
        raise AnalysisError(f"parameters for an unknown pattern: {', '.join(unknown)}")
    used = {name: given.get(name, DETECTORS[name].parameters) for name in names}
    for name, value in used.items():
        if type(value) is not type(DETECTORS[name].parameters):
            raise AnalysisError(f"{name}: its parameters must be a record of its own module")
    with record(case, Act("analyze", {"patterns": list(names)})) as entry:
        permit(case, "analyze")
        with closing(case.connect()) as connection:
            results = {name: DETECTORS[name].run(connection, used[name]) for name in names}
        for name, found in results.items():
            replace_analysis(
                case, name, found.findings, found.frames, found.events, calls=found.calls,
                call_flows=found.call_flows, tables=found.tables, notes=found.notes,
                parameters=asdict(used[name]), entry=entry,
            )  # fmt: skip
    return tuple(_summary(name, found) for name, found in results.items())


def chosen(patterns: Sequence[str] | None) -> tuple[str, ...]:
    """The detectors to run for the names that were given, in running order, with those they build on."""
    asked = set(patterns or DETECTORS)
    if unknown := sorted(asked - set(DETECTORS)):
        raise AnalysisError(f"no such pattern: {', '.join(unknown)}; there are: {', '.join(DETECTORS)}")
    asked |= {BUILDS_ON[name] for name in asked if name in BUILDS_ON}
    return tuple(name for name in DETECTORS if name in asked)


def _summary(name: str, found: Result) -> PatternSummary:
    kinds = found.findings["kind"].to_pylist()
    return PatternSummary(
        pattern=name,
        facts=kinds.count("fact"),
        assessments=kinds.count("assessment"),
        frames=found.frames.num_rows,
        events=0 if found.events is None else found.events.num_rows,
        notes=found.notes,
    )
