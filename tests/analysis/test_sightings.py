"""What several exhibits recorded counts once: in every detector, whatever the clocks, losses and order of rows."""

import json
from random import Random

import pytest

from wirecover.analysis.activity_rhythm import ActivityRhythm
from wirecover.analysis.app_sessions import AppSessions
from wirecover.analysis.co_timing import CoTiming
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.message_events import MessageEvents, Parameters
from wirecover.analysis.run import DETECTORS
from wirecover.analysis.sightings import Seen, check_tolerance, prepare_sightings

UP, DOWN = True, False
A, B = "10.0.0.1", "10.0.0.2"


def talk(seed=1, messages=60, start=30.0):
    """Messages well apart, each a burst of a few packets."""
    random, packets, at = Random(seed), [], start
    for _ in range(messages):
        at += round(4 + random.lognormvariate(2, 1), 3)
        way = random.random() < 0.5
        packets += [(at + 0.05 * n, way, random.randrange(200, 1200)) for n in range(random.randrange(1, 4))]
    return packets


def seen_again(packets, shift=0.8, every=None):
    """The same packets by another clock, with every n-th lost."""
    return [
        (at + shift, way, size) for n, (at, way, size) in enumerate(packets) if not every or (n + 1) % every
    ]


def bursts(traffic, parameters=MessageEvents.parameters, **how):
    found = MessageEvents().run(traffic.connect(**how), parameters)
    return [(row["first_frame"], row["up"], row["bytes"]) for row in found.events.to_pylist()], found


def test_a_capture_seen_twice_gives_the_events_of_its_better_record(traffic, new_traffic):
    packets = talk()
    traffic.flow(A, packets)
    once, _ = bursts(traffic)
    twice = new_traffic()
    twice.flow(A, packets, capture=7)
    twice.flow(A, seen_again(packets, every=9), capture=8)
    again, found = bursts(twice)
    assert again == once
    (row,) = found.findings.to_pylist()
    assert row["capture_ids"] == [7, 8]
    assert "seen in 2 exhibits (1 flow that several of them recorded counts once)" in row["statement"]


def test_the_better_record_may_come_second(traffic, new_traffic):
    packets = talk()
    traffic.flow(A, seen_again(packets), capture=8)
    alone, _ = bursts(traffic)
    twice = new_traffic()
    lost = seen_again(packets, 0, every=5)
    twice.flow(A, lost, capture=7)
    twice.flow(A, seen_again(packets), capture=8)
    again, _ = bursts(twice)
    assert [(frame - len(lost), *rest) for frame, *rest in again] == alone


def test_three_vantage_points_count_once(traffic, new_traffic):
    packets = talk()
    traffic.flow(A, packets)
    once, _ = bursts(traffic)
    thrice = new_traffic()
    for capture, every in ((7, None), (8, 4), (9, 7)):
        thrice.flow(A, seen_again(packets, 0.6 * (capture - 7), every), capture=capture)
    again, found = bursts(thrice)
    assert again == once
    assert "seen in 3 exhibits" in found.findings["statement"].to_pylist()[0]


def test_parts_of_a_rotated_series_both_count(traffic, new_traffic):
    packets = talk()
    middle = len(packets) // 2
    while packets[middle][0] - packets[middle - 1][0] < 1:
        middle += 1
    traffic.flow(A, packets)
    whole, _ = bursts(traffic)
    cut = new_traffic()
    cut.flow(A, packets[:middle], capture=7)
    cut.flow(A, packets[middle:], capture=8)
    parts, found = bursts(cut)
    assert parts == whole
    assert found.findings["statement"].to_pylist()[0].count("seen in 2 exhibits;") == 1


def test_what_only_the_smaller_record_saw_before_the_other_began_counts(traffic):
    packets = talk(messages=90)
    third = len(packets) // 3
    traffic.flow(A, packets[: third + third // 2], capture=7)
    better = [one for one in seen_again(packets, 0.8) if one[0] > packets[third][0] + 5]
    traffic.flow(A, better, capture=8)
    frames = {packet["frame"]: packet for packet in traffic.packets}
    rows, _ = bursts(traffic)
    times = [
        (frames[frame]["capture_id"], (frames[frame]["ts"] - traffic.ns(0)) / 1e9) for frame, _, _ in rows
    ]
    early = [at for capture, at in times if capture == 7]
    late = [at for capture, at in times if capture == 8]
    assert early and max(early) < better[0][0] - 2
    assert min(late) == pytest.approx(better[0][0])
    # nothing before the seam is missing, and nothing stands twice
    expected = {at for at, _, _ in packets if at < better[0][0] - 2}
    starts = {at for at in expected if not any(0 < at - other < 0.2 for other in expected)}
    assert {round(at, 6) for at in early} == {round(at, 6) for at in starts}


def test_translated_addresses_are_not_known_to_be_one_conversation(traffic):
    packets = talk()
    traffic.flow(A, packets, capture=7)
    traffic.flow("192.0.2.77", seen_again(packets), capture=8)
    _, found = bursts(traffic)
    assert found.findings.num_rows == 2
    assert all("seen in 1 exhibit;" in text for text in found.findings["statement"].to_pylist())


def test_clocks_that_differ_by_more_need_the_parameter(traffic):
    short = [(100.0, UP, 500), (100.2, DOWN, 500)]
    traffic.flow(A, short, capture=7)
    traffic.flow(A, seen_again(short, 4.0), capture=8)
    traffic.cover(7, 0, 500)
    traffic.cover(8, 4, 504)
    assert len(bursts(traffic)[0]) == 4
    assert len(bursts(traffic, Parameters(clock_tolerance_s=5.0))[0]) == 2
    # sightings of another tolerance on the same connection are their own
    connection = traffic.connect()
    counts = [MessageEvents().run(connection, Parameters(clock_tolerance_s=value)).events.num_rows
              for value in (5.0, 2.0, 5.0)]  # fmt: skip
    assert counts == [2, 4, 2]


def test_a_label_that_only_the_smaller_record_has_is_not_lost(traffic):
    packets = talk()
    traffic.flow(A, packets, capture=7, app=None, app_confidence=None, service=None)
    traffic.flow(A, seen_again(packets, every=3), capture=8)
    rows, found = bursts(traffic)
    assert {frame <= len(packets) for frame, _, _ in rows} == {True}
    assert found.findings["app"].to_pylist() == ["signal"]
    assert AppSessions().run(traffic.connect(), AppSessions.parameters).findings.num_rows == 1


def test_every_detector_says_the_same_whatever_the_order(traffic):
    for number, client in enumerate((A, B)):
        packets = talk(seed=number)
        for capture, every in ((7, 6), (8, None), (9, 5)):
            traffic.flow(client, seen_again(packets, 0.4 * (capture - 7), every), capture=capture)
    own_tests = {"calls", "identity_facts", "fake_tls", "endpoints"}
    for detector in (one for name, one in DETECTORS.items() if name not in own_tests):
        straight = detector.run(traffic.connect(), detector.parameters)
        assert straight.findings.num_rows > 0
        assert all("seen in 3 exhibits" in row["statement"] for row in straight.findings.to_pylist()
                   if row["subject"])  # fmt: skip
        for seed in (1, 2):
            other = detector.run(traffic.connect(shuffle=seed), detector.parameters)
            assert other.findings.equals(straight.findings)
            assert other.frames.equals(straight.frames)
            assert other.notes == straight.notes


def test_rhythm_and_coincidences_count_once(traffic, new_traffic):
    one, other = talk(1), talk(2)
    twice = new_traffic()
    for client, packets in ((A, one), (B, other)):
        traffic.flow(client, packets)
        twice.flow(client, packets, capture=7)
        twice.flow(client, seen_again(packets), capture=8)
    for detector, keys in (
        (ActivityRhythm(), ("hour_of_week_up", "hour_of_week_down")),
        (CoTiming(), ("observed", "possible", "p_value")),
    ):
        answers = []
        for case in (traffic, twice):
            rows = detector.run(case.connect(), detector.parameters).findings.to_pylist()
            answers.append([[_value(row, key) for key in keys] for row in rows if row["subject"]])
        assert answers[0] == answers[1]


def _value(row, key):
    return json.loads(row["details"])[key]


def test_words_and_bounds():
    assert Seen((7,)).text() == "seen in 1 exhibit"
    assert (
        Seen((7, 8), 1).text(", ", "")
        == "seen in 2 exhibits, 1 flow that several of them recorded counts once"
    )
    assert Seen((7, 9), 1).joined(Seen((7, 8), 2)) == Seen((7, 8, 9), 3)
    for wrong in (-1, 3601):
        with pytest.raises(AnalysisError, match="clock_tolerance_s"):
            check_tolerance(wrong)


def test_the_variable_of_the_views_is_put_back(traffic):
    connection = traffic.connect()
    prepare_sightings(connection, 7.0)
    assert connection.sql("SELECT getvariable('clock_tolerance_ns')").fetchall() == [(None,)]


def test_time_that_two_smaller_records_share_counts_once(traffic, new_traffic):
    packets = talk(messages=120)
    quarter = len(packets) // 4
    early = packets[: 2 * quarter]
    better = [one for one in packets if one[0] > packets[quarter][0] + 5]
    for case, captures in ((traffic, (7,)), (one_more := new_traffic(), (7, 9))):
        for capture in captures:
            case.flow(A, early if capture == 7 else early[:-1], capture=capture)
        case.flow(A, better, capture=8)
    rows, _ = bursts(traffic)
    more, found = bursts(one_more)
    assert len(more) == len(rows)
    assert set(found.events["capture_id"].to_pylist()) == {7, 8}


def test_a_record_that_took_the_server_for_the_client_adds_nothing(traffic):
    packets = talk()
    flow = traffic.flow(A, packets, capture=7)
    other = traffic.flow(
        "198.51.100.1", [(at, not way, size) for at, way, size in packets[3:]], capture=8, server=A
    )
    tuples = {row["flow_id"]: row for row in traffic.flows}
    tuples[other]["community_id"] = tuples[flow]["community_id"]
    for detector in DETECTORS.values():
        found = detector.run(traffic.connect(), detector.parameters)
        assert {one for one in found.findings["subject"].to_pylist() if one} <= {A}
    assert set(bursts(traffic)[1].events["flow_id"].to_pylist()) == {flow}
