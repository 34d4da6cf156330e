"""The figures: bounded, cut at long silences, true to the first and last packet."""

import json

import fake_case
import pytest

from wirecover.report.document import build
from wirecover.report.figures import AXIS, axis, padded, place
from wirecover.report.timeline import LANES, PANELS, stretches

HOUR = fake_case.HOUR
DAY = 24 * HOUR


def test_one_stretch_without_long_silences() -> None:
    assert stretches([]) == []
    assert stretches([(0, HOUR)]) == [(0, HOUR)]
    assert stretches([(0, HOUR), (3 * HOUR, 4 * HOUR)]) == [(0, 4 * HOUR)]


def test_a_long_silence_starts_a_stretch() -> None:
    assert stretches([(0, HOUR), (300 * DAY, 300 * DAY + HOUR)]) == [(0, HOUR), (300 * DAY, 300 * DAY + HOUR)]


def test_never_more_than_some_stretches_and_nothing_left_out() -> None:
    active = [(n * 100 * DAY, n * 100 * DAY + HOUR) for n in range(20)]
    found = stretches(active)
    assert len(found) == PANELS
    assert all(any(first <= start and end <= last for first, last in found) for start, end in active)


def test_lanes_and_bars_of_a_case() -> None:
    case = fake_case.realistic()
    document = build(case, fake_case.METHODS)
    (panel,) = document.timeline
    labelled = [flow for flow in case.evidence["flows"] if flow["app"]]
    assert panel.first_ns == min(flow["first_ts"] for flow in labelled)
    assert panel.last_ns == max(flow["last_ts"] for flow in labelled)
    lanes = {(lane.endpoint, lane.app): lane for lane in panel.lanes}
    assert set(lanes) == {(flow["client_ip"], flow["app"]) for flow in labelled}
    for flow in labelled:
        bars = lanes[flow["client_ip"], flow["app"]].bars
        assert any(bar.first_ns <= flow["first_ts"] and flow["last_ts"] <= bar.last_ns for bar in bars)
    events = [event for event in case.own["events"] if event["kind"] != "keepalive"]
    assert sum(tick.events for lane in panel.lanes for tick in lane.ticks) == len(events)


def test_without_sessions_the_labelled_flows_are_drawn() -> None:
    case = fake_case.realistic()
    with_sessions = build(case, ()).timeline
    case.own["findings"] = [row for row in case.own["findings"] if row["pattern"] != "app_sessions"]
    assert build(case, ()).timeline == with_sessions


def test_lanes_are_bounded_and_the_rest_is_counted() -> None:
    case = fake_case.FakeCase()
    ids = case.add_exhibit("many.pcap")
    for number in range(60):
        case.add_flow(ids, fake_case.START + number, 5, f"10.9.0.{number}", app="signal", app_confidence=90)
    (panel,) = build(case, ()).timeline
    assert (len(panel.lanes), panel.lanes_total) == (LANES, 60)


def test_hours_of_the_week_are_counted_in_utc() -> None:
    case = fake_case.FakeCase()
    ids = case.add_exhibit("week.pcap")
    case.add_finding("activity_rhythm", [(ids[0], 1)], subject="10.0.0.5")
    for hours in (0, 0, 25, 6 * 24):  # START is a Monday, 07 h
        case.add_flow(ids, fake_case.START + hours * HOUR, 5, "10.0.0.5", app="signal", app_confidence=90)
    (table,) = build(case, ()).heat
    assert table.unit == "flows"
    assert {hour: count for hour, count in enumerate(table.counts) if count} == {
        7: 2,
        24 + 8: 1,
        6 * 24 + 7: 1,
    }


def test_hours_that_a_finding_counted_are_taken_from_it() -> None:
    case = fake_case.FakeCase()
    up, down = [0] * 168, [0] * 168
    up[30], down[30], down[31] = 2, 3, 1
    details = {"time_zone": "Europe/Brussels", "hour_of_week_up": up, "hour_of_week_down": down}
    case.add_finding("activity_rhythm", subject="10.0.0.5", app="signal", details=json.dumps(details))
    case.add_finding(
        "activity_rhythm", subject="10.0.0.6", details=json.dumps(details | {"hour_of_week_up": [1]})
    )
    (table,) = build(case, ()).heat
    assert (table.endpoint, table.unit, table.time_zone) == ("10.0.0.5", "events", "Europe/Brussels")
    assert {hour: count for hour, count in enumerate(table.counts) if count} == {30: 5, 31: 1}


@pytest.mark.parametrize("length", [0, 10**9, 90 * 10**9, HOUR, 9 * HOUR, DAY, 30 * DAY, 3_000 * DAY])
def test_axis_labels_are_few_and_inside(length: int) -> None:
    first, last = padded(fake_case.START, fake_case.START + length)
    labels = axis(first, last)
    assert 1 <= len(labels) <= 8
    assert all(0 <= label["at"] <= AXIS for label in labels)
    assert labels[0]["day"]
    assert place(fake_case.START, first, last) <= place(fake_case.START + length, first, last)
