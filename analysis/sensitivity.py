"""What other choices of the burst gap and of the tolerance would have given.

Shown beside a result and never in its place: the chosen parameters decide. The cost is bounded; what the bound
leaves out is said in the details of the finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from wirecover.analysis.endpoints import Endpoint, endpoints
from wirecover.analysis.evidence import nanoseconds
from wirecover.analysis.findings import p_text
from wirecover.analysis.message_events import TOO_MANY_PACKETS, gap_tables
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.pair_test import Design, PairTest, compare, opportunity
from wirecover.analysis.sightings import Sightings

DELTAS_S = (1.0, 2.0, 3.0, 5.0)
FEWEST_PAIR_EVENTS = 50_000
"""Events that are compared again in any case; see `pair_budget`."""
OVER_BUDGET = "other choices not tried: pairs with smaller p-values used up the time for it"


def pair_sensitivity(
    connection: duckdb.DuckDBPyConnection, sightings: Sightings, design: Design, events: EventParameters,
    presence_gap: int, tests: list[PairTest],
) -> "PairSensitivity":  # fmt: skip
    """What tests the pairs of a run again."""
    by_gap = {}
    for gap, table in (gap_tables(connection, events) if tests else {}).items():
        changed = replace(events, burst_gap_s=gap)
        found = endpoints(connection, table, sightings, changed, presence_gap=presence_gap)
        by_gap[gap] = {(one.app, one.address): one for one in found}
    return PairSensitivity(design, events.burst_gap_s, by_gap, pair_budget(tests))


def pair_budget(tests: list[PairTest]) -> int:
    """Events to compare again: with at most seven other choices the time of a large run grows by half or so."""
    return max(FEWEST_PAIR_EVENTS, sum(opportunity(test.one, test.other) for test in tests) // 16)


@dataclass(slots=True)
class PairSensitivity:
    """Tests pairs again under other choices, as long as the budget lasts."""

    design: Design
    chosen_gap_s: float
    endpoints: Mapping[float, Mapping[tuple[str, str], Endpoint]]
    """By gap, then by application and address; empty when other gaps are not tried."""
    budget: int
    _used: int = field(default=0, init=False)

    def details(self, test: PairTest) -> dict[str, Any]:
        """What goes into the details of a pair's finding. p-values are those of the one test, uncorrected."""
        self._used += opportunity(test.one, test.other)
        if self._used > self.budget:
            return {"by_delta_s": None, "by_burst_gap_s": None, "sensitivity": OVER_BUDGET}
        found: dict[str, Any] = {
            "by_delta_s": [self._with_delta(test, delta) for delta in self._deltas()],
            "by_burst_gap_s": [self._with_gap(test, gap) for gap in sorted(self.endpoints)] or None,
            "sensitivity": "the chosen parameters decide; p-values here are not corrected for many pairs",
        }
        if not self.endpoints:
            found["sensitivity"] += f"; {TOO_MANY_PACKETS}"
        return found

    def _deltas(self) -> list[float]:
        return sorted({*DELTAS_S, self.design.delta / 1_000_000_000})

    def _with_delta(self, test: PairTest, delta: float) -> dict[str, Any]:
        changed = replace(self.design, delta=nanoseconds(delta))
        same = changed == self.design
        return {"delta_s": delta, **_outcome(test if same else compare(test.one, test.other, changed))}

    def _with_gap(self, test: PairTest, gap: float) -> dict[str, Any]:
        if gap == self.chosen_gap_s:
            return {"burst_gap_s": gap, **_outcome(test)}
        ends = [self.endpoints[gap].get((end.app, end.address)) for end in (test.one, test.other)]
        if ends[0] is None or ends[1] is None:
            return {"burst_gap_s": gap, **_outcome("too few events")}
        return {"burst_gap_s": gap, **_outcome(compare(ends[0], ends[1], self.design))}


def _outcome(test: PairTest | str) -> dict[str, Any]:
    if isinstance(test, str):
        return {"untested": test}
    return {
        "observed": test.observed, "possible": test.possible, "null_median": test.null.quantile(0.5),
        "p_value": p_text(test.p_value),
    }  # fmt: skip
