"""Co-timing: do the traffic of two addresses on one application move together, more than chance explains?"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from typing import Any, ClassVar

import duckdb

from wirecover.analysis.detector import Finding, FrameRef, Result
from wirecover.analysis.endpoints import Endpoint, endpoints
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.evidence import SECOND, nanoseconds, rows
from wirecover.analysis.findings import app_text, counted, p_text, parameters_json, result
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.message_events import prepare
from wirecover.analysis.null_models import holm
from wirecover.analysis.pair_test import Design, PairTest, compare, correlogram, matched, opportunity
from wirecover.analysis.sensitivity import pair_sensitivity
from wirecover.analysis.sightings import Seen, prepare_sightings, seen_by_endpoint

OVER_THE_CAP = "over the cap on pairs or events"
NO_RATIO = "No likelihood ratio is stated: this project has no validated error rate for this detector yet."


@dataclass(frozen=True, slots=True)
class Parameters:
    """Times in seconds. `events` are the thresholds of the event extraction."""

    delta_s: float = 3.0
    block_s: float = 3600.0
    shortest_block_s: float = 60.0
    shortest_window_s: float = 120.0
    presence_gap_s: float = 300.0
    fewest_events: int = 10
    most_shifts: int = 1000
    alpha: float = 0.05
    most_endpoints: int = 2000
    most_pairs: int = 5000
    most_pair_events: int = 10_000_000
    """Sum over the tested pairs of the events compared: what bounds the time of a run."""
    most_findings: int = 500
    most_frames: int = 400
    events: EventParameters = field(default_factory=EventParameters)

    def check(self) -> None:
        """Raises AnalysisError for values that make no sense."""
        self.design()

    def design(self) -> Design:
        """The same in nanoseconds. Raises AnalysisError for values that make no sense."""
        if not 0 < self.delta_s <= 60 or not 0 < self.alpha < 1:
            raise AnalysisError("delta_s must lie above 0 and not above 60 seconds, alpha between 0 and 1")
        if not 20 * self.delta_s <= self.shortest_block_s <= self.block_s:
            raise AnalysisError("shortest_block_s must be 20 times delta_s or more, and not exceed block_s")
        if self.presence_gap_s < 0 or self.shortest_window_s < 0:
            raise AnalysisError("presence_gap_s and shortest_window_s must not be negative")
        if self.fewest_events < 5 or self.most_shifts < 100:
            raise AnalysisError("fewest_events must be 5 or more, most_shifts 100 or more")
        caps = (
            self.most_endpoints,
            self.most_pairs,
            self.most_pair_events,
            self.most_findings,
            self.most_frames,
        )
        if min(caps) < 1:
            raise AnalysisError("each of the caps (most_...) must be 1 or more")
        return Design(
            delta=nanoseconds(self.delta_s),
            block=nanoseconds(self.block_s),
            shortest_block=nanoseconds(self.shortest_block_s),
            shortest_window=nanoseconds(self.shortest_window_s),
            fewest_events=self.fewest_events,
            most_shifts=self.most_shifts,
        )


@dataclass(slots=True)
class _Tally:
    """What happened to the pairs of one application."""

    endpoints: int = 0
    pairs: int = 0
    tested: int = 0
    beyond_chance: int = 0
    untested: Counter[str] = field(default_factory=Counter)


class CoTiming:
    """Detector: co-timing of endpoint pairs."""

    name: ClassVar[str] = "co_timing"
    version: ClassVar[str] = "2"
    question: ClassVar[str] = (
        "Which addresses on the same application send and receive at the same moments, beyond chance?"
    )
    method: ClassVar[str] = (
        "For two addresses on one application the message-like bursts that leave one are paired with those "
        "that reach the other within 3 seconds either way, each burst at most once, and the same the other "
        "way round; the score is the share of pairs found among those possible. The same count is made "
        "with the traffic of one address turned in time inside blocks of at most one hour, by all steps of "
        "at least twice that tolerance, during the time in which both addresses were connected. The "
        "p-value is the share of shifts that give as many pairs or more (the shifts of different blocks "
        "combined in every way). No lag is searched. The p-values of all pairs tested in the run are "
        "corrected together by Holm's method; at 0.05 the count is said to exceed chance."
    )
    cannot_show: ClassVar[tuple[str, ...]] = (
        (
            "That two persons wrote to each other: an address is not a person, and several devices or "
            "persons may share one."
        ),
        (
            "That single messages correspond: addresses whose sessions overlap, because their users react to "
            "the same outside event, coincide more than chance too; the correlogram shows whether the peak "
            "is narrow."
        ),
        (
            "Who wrote to whom: members of one group or channel, or a third party that writes to both, "
            "move together too; a receipt that leaves an address answers what reached it, so two mere "
            "receivers can coincide."
        ),
        (
            "The absence of contact: with a locked screen, delayed push delivery, messages below the size "
            "floor or a second device elsewhere the traffic of real correspondents need not coincide."
        ),
        (
            "Coupling of addresses whose captures have clocks that differ by more than the tolerance; no "
            "lag is searched for."
        ),
        (
            "Anything about an address that was given to several customers: two captures may show the same "
            "private address for different devices."
        ),
        (
            "That the coincidences are messages: application-wide pushes, a change of network or a server "
            "that restarts make many addresses active at once, inside a block this looks like coupling."
        ),
        (
            "A probability that two addresses communicate: a p-value says how often chance alone does as "
            "well, and no error rate has been validated for this detector yet, so no likelihood ratio is "
            "stated."
        ),
    )
    parameters: ClassVar[Parameters] = Parameters()

    def run(self, connection: duckdb.DuckDBPyConnection, parameters: Parameters) -> Result:
        """Test every pair that can be tested; one fact for each application, one assessment for each pair."""
        design = parameters.design()
        table = prepare(connection, parameters.events)
        sightings = prepare_sightings(connection, parameters.events.clock_tolerance_s)
        gap = nanoseconds(parameters.presence_gap_s)
        found = endpoints(connection, table, sightings, parameters.events, presence_gap=gap)
        tallies: dict[str, _Tally] = defaultdict(_Tally)
        tests = _test_all(found, design, parameters, tallies)
        adjusted = holm([test.p_value for test in tests])
        for test, p_adjusted in zip(tests, adjusted, strict=True):
            tallies[test.one.app].beyond_chance += p_adjusted <= parameters.alpha
        ranked = sorted(
            zip(tests, adjusted, strict=True),
            key=lambda pair: (
                pair[1],
                pair[0].p_value,
                pair[0].one.app,
                pair[0].one.address,
                pair[0].other.address,
            ),
        )
        text = parameters_json(parameters)
        seen = seen_by_endpoint(
            connection, sightings, include_unlabelled=parameters.events.include_unlabelled
        )
        others = pair_sensitivity(connection, sightings, design, parameters.events, gap, tests)
        findings = [
            _pair_finding(
                connection,
                table,
                test,
                p,
                len(tests),
                parameters,
                text,
                seen[test.one.address, test.one.app].joined(seen[test.other.address, test.one.app]),
                others.details(test),
            )
            for test, p in ranked[: parameters.most_findings]
        ]
        findings += [_summary(app, tally, found, len(tests), text) for app, tally in sorted(tallies.items())]
        notes = _notes(tallies, len(ranked), parameters)
        return result(findings, notes=notes)


def _test_all(
    found: list[Endpoint], design: Design, parameters: Parameters, tallies: dict[str, _Tally]
) -> list[PairTest]:
    """Test the pairs with most events, up to the cap; what is not tested is counted with its reason."""
    tests: list[PairTest] = []
    for one, other in _chosen_pairs(found, parameters, tallies):
        outcome = compare(one, other, design)
        if isinstance(outcome, str):
            tallies[one.app].untested[outcome] += 1
        else:
            tallies[one.app].tested += 1
            tests.append(outcome)
    return tests


def _chosen_pairs(
    found: list[Endpoint], parameters: Parameters, tallies: dict[str, _Tally]
) -> list[tuple[Endpoint, Endpoint]]:
    """The pairs to test. Numbers of events decide and not their times: no coincidence is favoured."""
    by_app: dict[str, list[Endpoint]] = defaultdict(list)
    for one in found:
        by_app[one.app].append(one)
    for app, group in by_app.items():
        tally = tallies[app]
        tally.endpoints = len(group)
        tally.pairs = len(group) * (len(group) - 1) // 2
    candidates = heapq.nsmallest(
        parameters.most_pairs, _ranked_pairs(by_app, parameters, tallies), key=lambda pair: pair[0]
    )
    work = accumulate(-key[0] for key, _, _ in candidates)
    candidates = [
        pair for pair, total in zip(candidates, work, strict=True) if total <= parameters.most_pair_events
    ]
    considered = Counter(one.app for _, one, _ in candidates)
    for app, tally in tallies.items():
        left = tally.pairs - considered[app] - sum(tally.untested.values())
        if left:
            tally.untested[OVER_THE_CAP] += left
    return [(one, other) for _, one, other in candidates]


def _ranked_pairs(
    by_app: dict[str, list[Endpoint]], parameters: Parameters, tallies: dict[str, _Tally]
) -> Iterator[tuple[tuple[int, str, str, str], Endpoint, Endpoint]]:
    for app, group in sorted(by_app.items()):
        busiest = sorted(group, key=lambda one: (-one.events, one.address))[: parameters.most_endpoints]
        for one, other in combinations(sorted(busiest, key=lambda endpoint: endpoint.address), 2):
            chances = opportunity(one, other)
            if chances < parameters.fewest_events:
                tallies[app].untested["too few events"] += 1
            else:
                yield (-chances, app, one.address, other.address), one, other


def _pair_finding(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    test: PairTest,
    adjusted: float,
    tested: int,
    parameters: Parameters,
    text: str,
    seen: Seen,
    sensitivity: dict[str, Any],
) -> Finding:
    median, p95, p99 = (test.null.quantile(share) for share in (0.5, 0.95, 0.99))
    exceeds = adjusted <= parameters.alpha
    could_exceed = test.smallest_p * tested <= parameters.alpha
    frames, times, cut = _frames(connection, table, test, parameters)
    statement = (
        f"On {app_text(test.one.app or None)}, {test.observed:,} of at most {test.possible:,} message-like "
        f"bursts that left address {test.one.address} or {test.other.address} coincided within "
        f"{parameters.delta_s:g} s with a burst that reached the other ({seen.text(', ', '')}), during "
        f"{test.window_ns // (60 * SECOND):,} minutes in which both were connected; the same traffic "
        f"shifted in time gives {median:,} in the median and {p99:,} or fewer in 99 % of cases (p = "
        f"{p_text(test.p_value)}; {p_text(adjusted)} after Holm's correction for "
        f"{counted(tested, 'tested pair')}). "
        + _verdict(exceeds=exceeds, could_exceed=could_exceed)
        + NO_RATIO
    )
    details = {
        "exceeds_chance": exceeds, "could_exceed_chance": could_exceed, "observed": test.observed,
        "possible": test.possible,
        "observed_subject_to_object": test.there, "observed_object_to_subject": test.back,
        "events": {"subject_up": test.one_up, "subject_down": test.one_down,
                   "object_up": test.other_up, "object_down": test.other_down},
        "null_median": median, "null_p95": p95, "null_p99": p99,
        "p_value": p_text(test.p_value), "p_value_holm": p_text(adjusted), "pairs_tested": tested,
        "smallest_possible_p": p_text(test.smallest_p),
        "blocks": len(test.blocks), "window_s": test.window_ns // SECOND,
        "window": [[start, end] for start, end in test.blocks[:48]],
        "correlogram": [
            {"moved_s": move / SECOND, "count": count}
            for move, count in correlogram(test, nanoseconds(parameters.delta_s), 10)
        ],
        "frames_left_out": cut, "likelihood_ratio": NO_RATIO, "exhibits": len(seen.captures),
        "flows_in_several_exhibits": seen.shared_flows, **sensitivity,
    }  # fmt: skip
    return Finding(
        pattern=CoTiming.name, version=CoTiming.version, kind="assessment", statement=statement,
        parameters=text,
        first_ns=min(times, default=test.blocks[0][0]), last_ns=max(times, default=test.blocks[-1][1]),
        subject=test.one.address, object=test.other.address, app=test.one.app or None,
        score=test.observed / test.possible, details=details, frames=frames, capture_ids=seen.captures,
    )  # fmt: skip


def _verdict(*, exceeds: bool, could_exceed: bool) -> str:
    """What the p-value allows to be said, as a sentence with a space after it."""
    if exceeds:
        return (
            "This is more than chance explains under the stated model; it does not show that the two "
            "exchanged messages. "
        )
    if could_exceed:
        return "This is not more than chance explains under the stated model. "
    return (
        "The common time is too short, or the tested pairs too many, to tell this from chance whatever the "
        "traffic: the test is inconclusive. "
    )


def _frames(
    connection: duckdb.DuckDBPyConnection, table: str, test: PairTest, parameters: Parameters
) -> tuple[tuple[FrameRef, ...], list[int], int]:
    """Frames of the paired bursts up to the cap, the times of the bursts, and the number of frames cut."""
    delta = nanoseconds(parameters.delta_s)
    listed: list[tuple[int, FrameRef]] = []
    times: list[int] = []
    for out, into in ((test.one, test.other), (test.other, test.one)):
        left, right = matched(out.up, into.down, test.blocks, delta)
        for end, up, side in ((out, True, left), (into, False, right)):
            times += side
            listed += _bursts(connection, table, end, up, side)
    ordered = sorted(listed, key=lambda pair: (pair[0], pair[1].capture_id, pair[1].frame, pair[1].role))
    kept = tuple(ref for _, ref in ordered[: parameters.most_frames])
    return kept, times, len(ordered) - len(kept)


_BURSTS_QUERY = """
SELECT ns, capture_id, flow_id, first_frame, last_frame FROM {table}
WHERE app = $app AND client_ip = $address AND up = $up AND kind IN ('text-like', 'media-like')
  AND ns IN (SELECT unnest($times::BIGINT[]))
ORDER BY ns, capture_id, flow_id, first_frame
"""


def _bursts(
    connection: duckdb.DuckDBPyConnection, table: str, end: Endpoint, up: bool, times: list[int]
) -> list[tuple[int, FrameRef]]:
    if not times:
        return []
    values = {"app": end.app, "address": end.address, "up": up, "times": times}
    way = f"{'leaving' if up else 'reaching'} {end.address}"
    listed = []
    for ns, capture, flow, first, last in rows(connection, _BURSTS_QUERY.format(table=table), values):
        listed.append((ns, FrameRef(capture, first, flow, f"first frame of a paired burst {way}")))
        listed.append((ns, FrameRef(capture, last, flow, f"last frame of a paired burst {way}")))
    return listed


def _summary(app: str, tally: _Tally, found: list[Endpoint], tested: int, text: str) -> Finding:
    untested = sum(tally.untested.values())
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(tally.untested.items()))
    group = [one for one in found if one.app == app]
    statement = (
        f"On {app_text(app or None)}, {counted(tally.endpoints, 'address', 'addresses')} with message-like "
        f"bursts, {counted(tally.pairs, 'pair')}: {tally.tested:,} tested, {untested:,} not "
        f"tested{f' ({reasons})' if reasons else ''}; {tally.beyond_chance:,} of the tested pairs coincide "
        "more than chance explains. An untested pair is not a pair without contact."
    )
    return Finding(
        pattern=CoTiming.name, version=CoTiming.version, kind="fact", statement=statement,
        parameters=text, first_ns=min(one.connected[0][0] for one in group),
        last_ns=max(one.connected[-1][1] - 1 for one in group),
        app=app or None,
        details={"endpoints": tally.endpoints, "pairs": tally.pairs, "tested": tally.tested,
                 "beyond_chance": tally.beyond_chance, "untested": dict(sorted(tally.untested.items())),
                 "tested_in_the_run": tested},
    )  # fmt: skip


def _notes(tallies: dict[str, _Tally], tested: int, parameters: Parameters) -> list[str]:
    if not tallies:
        return ["No address shows message-like bursts: no pair can be tested."]
    notes = []
    if over := sum(tally.untested[OVER_THE_CAP] for tally in tallies.values()):
        notes.append(
            f"{counted(over, 'pair')} not tested: over the cap of {parameters.most_pairs:,} pairs "
            f"or {parameters.most_pair_events:,} events compared."
        )
    if tested > parameters.most_findings:
        left = tested - parameters.most_findings
        notes.append(f"{counted(left, 'tested pair')} with the largest p-values not listed one by one.")
    if not tested:
        notes.append("No pair has enough events in common time to be tested.")
    return notes
