"""Application sessions: what is joined, what is counted, and what is said about it."""

import pytest

from wirecover.analysis.app_sessions import AppSessions, Parameters
from wirecover.analysis.errors import AnalysisError
from wirecover.casefile.derived import FINDING_FRAMES, FINDINGS

UP, DOWN = True, False
A = "10.0.0.1"
DEFAULT = Parameters()


@pytest.fixture
def run(plain):
    def detect(traffic, parameters=DEFAULT, **how):
        found = AppSessions().run(traffic.connect(**how), parameters)
        assert found.findings.schema == FINDINGS
        assert found.frames.schema == FINDING_FRAMES
        assert found.events is None
        return found, plain(found.findings)

    return detect


def test_flows_within_the_gap_are_one_session(traffic, run):
    traffic.flow(A, [(0, UP, 100), (10, DOWN, 200)], server="198.51.100.1")
    traffic.flow(A, [(310, UP, 100)], server="198.51.100.2")  # exactly the gap
    traffic.flow(A, [(610.001, UP, 100)], server="198.51.100.2")  # a millisecond more
    found, rows = run(traffic)
    assert [row["details"]["flows"] for row in rows] == [2, 1]
    first = rows[0]
    assert (first["subject"], first["object"], first["app"], first["kind"]) == (A, None, "signal", "fact")
    assert (first["first_ts"], first["last_ts"]) == (traffic.ns(0), traffic.ns(310))
    details = first["details"]
    assert (details["packets_up"], details["packets_down"], details["servers"]) == (2, 1, 2)
    assert (details["bytes_up"], details["bytes_down"]) == (2 * 166, 266)
    assert details["sessions_by_gap_s"] == {"60": 3, "120": 3, "300": 2, "600": 1, "1800": 1}
    assert "2 flows with 2 server addresses" in first["statement"]
    assert "a gap of 60 s would give 3 sessions" in first["statement"]
    frames = [(ref["frame"], ref["role"]) for ref in found.frames.to_pylist()
              if ref["finding_id"] == first["finding_id"]]  # fmt: skip
    assert sorted(frames) == [
        (1, "first frame of flow"),
        (2, "last frame of flow"),
        (3, "first frame of flow"),
        (3, "last frame of flow"),
    ]


def test_a_long_flow_bridges_short_ones(traffic, run):
    traffic.flow(A, [(0, UP, 100), (5000, UP, 100)])
    traffic.flow(A, [(10, UP, 100), (20, UP, 100)])
    traffic.flow(A, [(5200, UP, 100)])
    _, rows = run(traffic)
    assert [row["details"]["flows"] for row in rows] == [3]


def test_sessions_run_over_midnight(traffic, run):
    day = 86_400
    traffic.flow(A, [(day - 100, UP, 100)])
    traffic.flow(A, [(day + 100, UP, 100)])
    _, rows = run(traffic)
    (row,) = rows
    assert "from 2026-03-01 23:58:20 UTC to 2026-03-02 00:01:40 UTC (3 min)" in row["statement"]


def test_applications_and_addresses_are_kept_apart_and_labels_needed(traffic, run):
    traffic.flow(A, [(0, UP, 100)], app="signal")
    traffic.flow(A, [(1, UP, 100)], app="whatsapp")
    traffic.flow("10.0.0.2", [(2, UP, 100)], app="signal")
    traffic.flow(A, [(3, UP, 100)], app=None)
    _, rows = run(traffic)
    assert sorted((row["subject"], row["app"]) for row in rows) == [
        (A, "signal"),
        (A, "whatsapp"),
        ("10.0.0.2", "signal"),
    ]


def test_what_two_exhibits_recorded_counts_once_and_is_mentioned(traffic, run):
    packets = [(second, UP, 100) for second in range(0, 90, 10)]
    traffic.flow(A, packets, capture=7)
    traffic.flow(A, [(second + 0.8, way, size) for second, way, size in packets[2:]], capture=8)
    traffic.flow(A, [(20, UP, 100)], capture=8, client_port=40_001)
    _, rows = run(traffic)
    (row,) = rows
    assert row["capture_ids"] == [7, 8]
    assert (
        "seen in 2 exhibits (1 flow that several of them recorded counts once): 2 flows" in row["statement"]
    )
    details = row["details"]
    assert (details["flows"], details["packets_up"], details["bytes_up"]) == (2, 10, 1660)
    assert (details["exhibits"], details["records_that_count_elsewhere"]) == (2, 1)


def test_times_are_those_of_all_records(traffic, run):
    long = [(second, UP, 100) for second in range(7200, 36_000, 10)]
    traffic.flow(A, [(0, UP, 100), (14_400, UP, 100)], capture=7)
    traffic.flow(A, long, capture=8)
    _, rows = run(traffic)
    (row,) = rows
    assert row["first_ts"] == traffic.ns(0)
    assert row["details"]["packets_up"] == len(long)


def test_caps_are_stated(traffic, run):
    for n in range(5):
        traffic.flow(A, [(n, UP, 100)])
    traffic.flow("10.0.0.2", [(0, UP, 100)])
    found, rows = run(traffic, Parameters(most_flows=2, most_sessions=1))
    (row,) = rows
    assert row["subject"] == A
    assert found.frames.num_rows == 4
    assert "Frames are listed for the first 2 flows." in row["statement"]
    assert found.notes == ("1 session with the fewest packets not listed.",)


def test_an_empty_case_says_so(traffic, run):
    found, rows = run(traffic)
    assert rows == []
    assert found.notes == ("No flow carries an application label: no sessions.",)


def test_the_order_of_rows_does_not_matter(traffic, run):
    for n in range(60):
        traffic.flow(f"10.0.0.{n % 3}", [(n * 137 % 4001, UP, 100), (n * 137 % 4001 + 5, DOWN, 90)])
    straight, _ = run(traffic)
    for seed in (1, 2):
        other, _ = run(traffic, shuffle=seed)
        assert other.findings.equals(straight.findings)
        assert other.frames.equals(straight.frames)


@pytest.mark.parametrize("wrong", [{"gap_s": -1}, {"gap_s": 1e9}, {"most_flows": 0}])
def test_parameters_that_make_no_sense_are_refused(traffic, wrong):
    with pytest.raises(AnalysisError):
        AppSessions().run(traffic.connect(), Parameters(**wrong))
