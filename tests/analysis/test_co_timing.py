"""Co-timing: planted coupling is found, independent traffic is not, what was left out is said."""

from random import Random

import numpy as np
import pytest

from wirecover.analysis.co_timing import NO_RATIO, CoTiming, Parameters
from wirecover.analysis.endpoints import Endpoint
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.pair_test import compare
from wirecover.casefile.derived import FINDING_FRAMES, FINDINGS

SECOND = 1_000_000_000
HOUR = 3600.0
UP, DOWN = True, False
DEFAULT = Parameters()


def clusters(random, hours, per_hour):
    """Times in seconds of talk in clusters, at least a second apart."""
    times, at = [], 0.0
    while (at := at + random.expovariate(per_hour / HOUR)) < hours * HOUR:
        moment = at
        for _ in range(1 + int(random.expovariate(1 / 7))):
            moment += 1 + random.lognormvariate(2.8, 0.9)
            times.append(moment)
    return sorted(moment for moment in times if moment < hours * HOUR)


def talkers(traffic, names, hours=3.0, seed=1, **columns):
    """Independent endpoints: clusters going out, other clusters coming in, keepalives between."""
    for number, name in enumerate(names):
        random = Random(f"{seed} {number}")
        packets = [(moment, UP, random.randrange(160, 900)) for moment in clusters(random, hours, 3)]
        packets += [(moment, DOWN, random.randrange(160, 900)) for moment in clusters(random, hours, 3)]
        packets += [(60.0 * beat, UP, 170) for beat in range(int(hours * 60))]
        traffic.flow(name, packets, span=(0, hours * HOUR), **columns)


def couple(traffic, one, other, hours=3.0, seed=9, delay=(0.1, 1.2), per_hour=4, **columns):
    """Two endpoints that write to each other: what leaves one reaches the other a moment later."""
    random = Random(seed)
    sides = {one: [], other: []}
    for moment in clusters(random, hours, per_hour):
        sender, receiver = (one, other) if random.random() < 0.5 else (other, one)
        size = random.randrange(160, 900)
        sides[sender].append((moment, UP, size))
        sides[receiver].append((moment + random.uniform(*delay), DOWN, size))
    for name, packets in sides.items():
        traffic.flow(name, packets, span=(0, hours * HOUR), **columns)


@pytest.fixture
def run(plain):
    def detect(traffic, parameters=DEFAULT, **how):
        found = CoTiming().run(traffic.connect(**how), parameters)
        assert found.findings.schema == FINDINGS
        assert found.frames.schema == FINDING_FRAMES
        return found, plain(found.findings)

    return detect


def pairs(rows):
    return {(row["subject"], row["object"]): row for row in rows if row["kind"] == "assessment"}


def test_a_planted_pair_is_found_and_only_that_pair(traffic, run):
    talkers(traffic, [f"10.0.0.{n}" for n in range(1, 6)])
    couple(traffic, "10.0.1.1", "10.0.1.2")
    found, rows = run(traffic)
    tested = pairs(rows)
    assert len(tested) == 21
    beyond = {pair for pair, row in tested.items() if row["details"]["exceeds_chance"]}
    assert beyond == {("10.0.1.1", "10.0.1.2")}
    row = tested["10.0.1.1", "10.0.1.2"]
    assert row["score"] > 0.9
    assert row["details"]["null_p99"] < row["details"]["observed"] / 2
    assert row["details"]["p_value_holm"] == "0.000021"  # 21 pairs times the floor of 1e-6
    assert "10.0.1.1" in row["statement"] and "21 tested pairs" in row["statement"]
    assert "person" not in row["statement"]
    assert NO_RATIO in row["statement"]
    assert row["likelihood_ratio"] is None and row["lr_low"] is None and row["lr_high"] is None
    (summary,) = [row for row in rows if row["kind"] == "fact"]
    assert summary["details"]["beyond_chance"] == 1
    assert summary["details"]["pairs"] == summary["details"]["tested"] == 21
    flows = {ref["flow_id"] for ref in found.frames.to_pylist() if ref["finding_id"] == row["finding_id"]}
    assert flows == {flow["flow_id"] for flow in traffic.flows if flow["client_ip"].startswith("10.0.1.")}


def test_frames_are_those_of_the_paired_bursts(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2")
    found, rows = run(traffic)
    (row,) = pairs(rows).values()
    listed = found.frames.to_pylist()
    assert {ref["frame"] for ref in listed} <= {packet["frame"] for packet in traffic.packets}
    # a paired burst gives its first and its last frame, a coincidence two bursts
    full = len(listed) + row["details"]["frames_left_out"]
    assert full == 4 * row["details"]["observed"]
    assert len(listed) == DEFAULT.most_frames
    assert row["capture_ids"] == [7]
    few = Parameters(most_frames=10)
    capped, rows = run(traffic, few)
    assert capped.frames.num_rows == 10
    assert pairs(rows)["10.0.1.1", "10.0.1.2"]["details"]["frames_left_out"] == full - 10


def test_a_window_that_is_too_short_to_tell_is_inconclusive(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2", hours=0.05, seed=3, per_hour=400)
    _, rows = run(traffic)
    (row,) = pairs(rows).values()
    # 180 s hold 30 shifts: the smallest p is a thirtieth, and two pairs would already be too many
    assert row["details"]["smallest_possible_p"] == "0.033333"
    assert row["details"]["could_exceed_chance"]
    couple(traffic, "10.0.2.1", "10.0.2.2", hours=0.05, seed=4, per_hour=400)
    _, rows = run(traffic)
    for row in pairs(rows).values():
        assert not row["details"]["could_exceed_chance"]
        assert not row["details"]["exceeds_chance"]
        assert "the test is inconclusive" in row["statement"]


def test_the_correlogram_shows_whether_messages_or_sessions_coincide(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2")
    couple(traffic, "10.0.2.1", "10.0.2.2", seed=5, delay=(20, 50))
    _, rows = run(traffic)
    tested = pairs(rows)
    for pair, narrow in ((("10.0.1.1", "10.0.1.2"), True), (("10.0.2.1", "10.0.2.2"), False)):
        details = tested[pair]["details"]
        hill = {one["moved_s"]: one["count"] for one in details["correlogram"]}
        assert sorted(hill) == [6.0 * step for step in range(-10, 11)]
        assert hill[0.0] == details["observed"]
        assert (hill[0.0] > 2 * max(hill[6.0], hill[-6.0])) is narrow


def test_a_delay_longer_than_a_session_is_not_found(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2", delay=(900, 1500))
    _, rows = run(traffic)
    (row,) = pairs(rows).values()
    assert not row["details"]["exceeds_chance"]
    assert "not more than chance explains" in row["statement"]


def test_common_heartbeats_couple_nobody(traffic, run):
    for n in range(1, 4):
        traffic.flow(
            f"10.0.0.{n}", [(30.0 * beat + 0.1 * n, bool(way), 300) for beat in range(240) for way in (0, 1)]
        )
    found, rows = run(traffic)
    assert rows == []
    assert found.notes == ("No address shows message-like bursts: no pair can be tested.",)


def stream(random, hours, per_hour, size, gap, daily):
    """A clustered train as an array; `daily` keeps clusters to the day, more of them at noon."""
    centres = random.uniform(0, hours * HOUR, random.poisson(per_hour * hours))
    if daily:
        phase = centres / HOUR % 24
        weight = np.where((phase > 8) & (phase < 22), np.sin((phase - 8) / 14 * np.pi), 0.0)
        centres = centres[random.uniform(size=len(centres)) < weight]
    parts = [
        centre + np.cumsum(random.lognormal(np.log(gap), 1, random.geometric(1 / size))) for centre in centres
    ]
    times = np.sort(np.concatenate([*parts, np.zeros(0)]))
    return (times[times < hours * HOUR] * SECOND).astype(np.int64)


def stranger(random, name, hours, **how):
    """An endpoint whose two directions belong together but that has nothing to do with any other."""
    up, down = stream(random, hours, **how), stream(random, hours, **how)
    answers = up + random.integers(SECOND, 30 * SECOND, len(up))
    down = np.sort(np.concatenate([down, answers[answers < hours * HOUR * SECOND]]))
    return Endpoint("x", name, up, down, ((0, round(hours * HOUR * SECOND)),))


@pytest.mark.parametrize(
    "hours,how",
    [
        (1, {"per_hour": 4, "size": 8, "gap": 20, "daily": False}),
        (4, {"per_hour": 2, "size": 8, "gap": 20, "daily": False}),
        (6, {"per_hour": 0.7, "size": 40, "gap": 30, "daily": False}),
        (48, {"per_hour": 1.5, "size": 8, "gap": 20, "daily": True}),
    ],
    ids=["an hour of clusters", "four hours of clusters", "few long sessions", "two days with nights"],
)
def test_false_alarms_of_independent_clustered_pairs_stay_at_the_level(hours, how):
    design, values = DEFAULT.design(), []
    for seed in range(300):
        random = np.random.default_rng([seed, 20261122])
        outcome = compare(stranger(random, "a", hours, **how), stranger(random, "b", hours, **how), design)
        if not isinstance(outcome, str):
            values.append(outcome.p_value)
    assert len(values) > 270
    for level in (0.01, 0.05, 0.1, 0.25, 0.5):
        expected, spread = level * len(values), (level * (1 - level) * len(values)) ** 0.5
        alarms = sum(value <= level for value in values)
        # a calibrated test exceeds 3.3 standard deviations once in a thousand; small counts get two more
        assert alarms <= expected + 3.3 * spread + 2, (level, alarms)
    # a test that never alarms would pass the above: half of the values must be about a half or less
    assert sum(value <= 0.5 for value in values) >= 0.35 * len(values)


def test_the_order_of_rows_does_not_matter(traffic, run):
    talkers(traffic, ["10.0.0.1", "10.0.0.2", "10.0.0.3"], hours=1.5)
    couple(traffic, "10.0.1.1", "10.0.1.2", hours=1.5)
    straight, _ = run(traffic)
    for seed in (1, 2):
        other, _ = run(traffic, shuffle=seed)
        assert other.findings.equals(straight.findings)
        assert other.frames.equals(straight.frames)
        assert other.notes == straight.notes


def test_empty_case_and_one_endpoint(traffic, run):
    found, rows = run(traffic)
    assert rows == [] and found.notes
    talkers(traffic, ["10.0.0.1"])
    found, rows = run(traffic)
    (summary,) = rows
    assert summary["kind"] == "fact" and "1 address with message-like bursts, 0 pairs" in summary["statement"]
    assert found.notes == ("No pair has enough events in common time to be tested.",)


def test_one_address_on_two_flows_is_not_a_pair(traffic, run):
    talkers(traffic, ["10.0.0.1", "10.0.0.1"])
    _, rows = run(traffic)
    assert pairs(rows) == {}


def test_different_applications_are_not_compared(traffic, run):
    talkers(traffic, ["10.0.0.1"], app="signal")
    talkers(traffic, ["10.0.0.2"], app="whatsapp", seed=2)
    _, rows = run(traffic)
    assert pairs(rows) == {}
    assert sorted(row["app"] for row in rows) == ["signal", "whatsapp"]


def test_untested_pairs_are_counted_with_the_reason(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2")
    traffic.flow("10.0.0.1", [(5 + 7 * n, UP, 200 + 13 * n) for n in range(4)], span=(0, 3 * HOUR))
    random = Random(4)
    late = [(5 * HOUR + moment, bool(random.getrandbits(1)), 400) for moment in clusters(random, 1, 20)]
    traffic.flow("10.0.0.2", late, span=(5 * HOUR, 6 * HOUR))
    _, rows = run(traffic)
    (summary,) = [row for row in rows if row["kind"] == "fact"]
    assert summary["details"]["untested"] == {"too few events": 3, "window too short": 2}
    assert summary["details"]["tested"] == 1
    assert "An untested pair is not a pair without contact." in summary["statement"]


def test_the_cap_on_pairs_is_stated(traffic, run):
    talkers(traffic, [f"10.0.0.{n}" for n in range(1, 5)])
    found, rows = run(traffic, Parameters(most_pairs=2))
    assert len(pairs(rows)) == 2
    assert found.notes == ("4 pairs not tested: over the cap of 2 pairs or 10,000,000 events compared.",)
    (summary,) = [row for row in rows if row["kind"] == "fact"]
    assert summary["details"]["untested"] == {"over the cap on pairs or events": 4}


def test_the_cap_on_events_is_stated(traffic, run):
    talkers(traffic, [f"10.0.0.{n}" for n in range(1, 5)])
    everything, _ = run(traffic)
    found, rows = run(traffic, Parameters(most_pair_events=400))
    assert 0 < len(pairs(rows)) < 6
    left = 6 - len(pairs(rows))
    assert found.notes == (f"{left} pairs not tested: over the cap of 5,000 pairs or 400 events compared.",)
    assert everything.notes == ()


def test_the_cap_on_endpoints_and_findings_is_stated(traffic, run):
    talkers(traffic, [f"10.0.0.{n}" for n in range(1, 5)])
    found, rows = run(traffic, Parameters(most_endpoints=3, most_findings=1))
    assert len(pairs(rows)) == 1
    assert "2 tested pairs with the largest p-values not listed one by one." in found.notes
    (summary,) = [row for row in rows if row["kind"] == "fact"]
    assert summary["details"]["untested"] == {"over the cap on pairs or events": 3}


def test_a_flow_recorded_twice_does_not_count_twice(traffic, new_traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2")
    twice = new_traffic()
    for capture in (7, 8):
        couple(twice, "10.0.1.1", "10.0.1.2", capture=capture)
    _, once = run(traffic)
    _, again = run(twice)
    (one,), (two,) = pairs(once).values(), pairs(again).values()
    assert (two["details"]["observed"], two["details"]["possible"]) == (
        one["details"]["observed"],
        one["details"]["possible"],
    )
    assert two["capture_ids"] == [7, 8]


def test_unlabelled_traffic_is_compared_only_when_asked(traffic, run):
    couple(traffic, "10.0.1.1", "10.0.1.2", app=None)
    assert run(traffic)[1] == []
    wanted = Parameters(events=type(DEFAULT.events)(include_unlabelled=True))
    _, rows = run(traffic, wanted)
    (row,) = pairs(rows).values()
    assert row["app"] is None and "unlabelled encrypted traffic" in row["statement"]
    assert row["details"]["exceeds_chance"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"delta_s": 0}, {"alpha": 1}, {"shortest_block_s": 10}, {"block_s": 30}, {"fewest_events": 1},
        {"most_pairs": 0}, {"presence_gap_s": -1}, {"most_shifts": 9},
    ],
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(traffic, wrong, run):
    with pytest.raises(AnalysisError):
        CoTiming().run(traffic.connect(), Parameters(**wrong))


def test_other_tolerances_and_gaps_are_shown_and_decide_nothing(traffic, run):
    talkers(traffic, ["10.0.0.1", "10.0.0.2"], hours=1.5)
    couple(traffic, "10.0.1.1", "10.0.1.2", hours=1.5, delay=(1.2, 2.8))
    _, rows = run(traffic)
    row = pairs(rows)["10.0.1.1", "10.0.1.2"]
    by_delta = {one["delta_s"]: one for one in row["details"]["by_delta_s"]}
    assert sorted(by_delta) == [1.0, 2.0, 3.0, 5.0]
    assert by_delta[3.0]["observed"] == row["details"]["observed"]
    assert by_delta[3.0]["p_value"] == row["details"]["p_value"]
    assert by_delta[1.0]["observed"] < by_delta[2.0]["observed"] < by_delta[3.0]["observed"]
    assert float(by_delta[1.0]["p_value"]) > 0.05
    by_gap = {one["burst_gap_s"]: one for one in row["details"]["by_burst_gap_s"]}
    assert sorted(by_gap) == [0.25, 0.5, 1.0, 2.0]
    assert by_gap[0.5]["observed"] == row["details"]["observed"]
    # each other choice is what a run with that choice finds
    for choice, shown in ((Parameters(delta_s=1.0), by_delta[1.0]), (Parameters(delta_s=2.0), by_delta[2.0]),
                          (Parameters(events=type(DEFAULT.events)(burst_gap_s=2.0)), by_gap[2.0])):  # fmt: skip
        details = pairs(run(traffic, choice)[1])["10.0.1.1", "10.0.1.2"]["details"]
        assert {name: details[name] for name in shown if name in details} == {
            name: value for name, value in shown.items() if name in details
        }


def test_other_choices_end_with_their_budget(traffic, run, monkeypatch):
    talkers(traffic, [f"10.0.0.{n}" for n in range(1, 5)], hours=1.5)
    monkeypatch.setattr("wirecover.analysis.sensitivity.FEWEST_PAIR_EVENTS", 100)
    _, rows = run(traffic)
    left = [row["details"]["by_delta_s"] is None for row in pairs(rows).values()]
    assert 0 < sum(left) < len(left)
    for row in pairs(rows).values():
        assert (row["details"]["by_delta_s"] is None) == ("used up the time" in row["details"]["sensitivity"])


def test_other_gaps_are_left_out_on_much_traffic(traffic, run, monkeypatch):
    couple(traffic, "10.0.1.1", "10.0.1.2", hours=1.5)
    monkeypatch.setattr("wirecover.analysis.message_events.MOST_PACKETS", 20)
    _, rows = run(traffic)
    (row,) = pairs(rows).values()
    assert row["details"]["by_burst_gap_s"] is None and row["details"]["by_delta_s"]
    assert "other burst gaps not tried" in row["details"]["sensitivity"]
