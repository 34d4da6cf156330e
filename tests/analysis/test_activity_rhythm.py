"""Activity rhythm: hours of the week, days that change length, quiet time, and when to say nothing."""

from random import Random

import pytest

from wirecover.analysis import local_time
from wirecover.analysis.activity_rhythm import ActivityRhythm, Parameters
from wirecover.analysis.errors import AnalysisError
from wirecover.casefile.derived import FINDING_FRAMES, FINDINGS

UP, DOWN = True, False
A = "10.0.0.1"
DAY, HOUR = 86_400, 3_600
DEFAULT = Parameters()


@pytest.fixture
def run(plain):
    def detect(traffic, parameters=DEFAULT, **how):
        found = ActivityRhythm().run(traffic.connect(**how), parameters)
        assert found.findings.schema == FINDINGS
        assert found.frames.schema == FINDING_FRAMES
        rows = plain(found.findings)
        return found, {row["kind"]: row for row in rows}

    return detect


def daily(traffic, days, hours=(7, 12, 20, 22), *, start=0.0, seed=1, span=None, **columns):
    """Talk around the same hours of each day, and a keepalive every ten minutes, night and day."""
    random = Random(seed)
    packets = [(start + day * DAY + hour * HOUR + random.uniform(60, 3000), UP, random.randrange(200, 3000))
               for day in range(days) for hour in hours for _ in range(3)]  # fmt: skip
    packets += [(start + 600.0 * beat, UP, 180) for beat in range(days * 144)]
    traffic.flow(A, packets, **columns)
    low, high = span or (start, start + days * DAY)
    traffic.cover(columns.get("capture", 7), low, high)


def test_bursts_are_counted_by_hour_of_the_week_and_keepalives_apart(traffic, run):
    # 2026-03-01 is a Sunday
    traffic.flow(A, [(9 * HOUR + 30, UP, 500), (DAY + 8 * HOUR, DOWN, 700), (8 * DAY + 8 * HOUR, DOWN, 800)])
    traffic.flow(A, [(600.0 * beat, UP, 180) for beat in range(30)])
    _, rows = run(traffic)
    details = rows["fact"]["details"]
    assert [hour for hour, count in enumerate(details["hour_of_week_up"]) if count] == [6 * 24 + 9]
    assert {hour: count for hour, count in enumerate(details["hour_of_week_down"]) if count} == {8: 2}
    assert sum(details["hour_of_week_keepalive"]) == 30
    assert details["active_days"] == 3
    assert "3 message-like bursts (1 going out, 2 coming in)" in rows["fact"]["statement"]
    assert "30 keepalives" in rows["fact"]["statement"]


def test_the_hour_and_the_day_follow_the_time_zone(traffic, run):
    traffic.flow(A, [(23 * HOUR + 1800, UP, 500), (DAY + 1800, UP, 600)])
    _, utc = run(traffic)
    _, local = run(traffic, Parameters(time_zone="Europe/Brussels"))
    assert utc["fact"]["details"]["active_days"] == 2
    assert local["fact"]["details"]["active_days"] == 1
    hours = local["fact"]["details"]["hour_of_week_up"]
    assert [hour for hour, count in enumerate(hours) if count] == [0, 1]
    assert local["fact"]["details"]["time_zone"] == "Europe/Brussels"


def test_a_quiet_night_is_found_over_enough_days(traffic, run):
    daily(traffic, 10)
    _, rows = run(traffic)
    assessment = rows["assessment"]
    # the last talk of a day begins at 22:01 and ends by 22:50, the first one at 07:01
    assert assessment["details"]["quiet_from"] in ("22:45", "23:00")
    assert 32 <= assessment["details"]["quiet_quarters"] <= 36
    assert assessment["details"]["tolerated_days"] == 1
    assert assessment["score"] == 1.0
    assert rows["fact"]["details"]["full_days"] == 10
    assert rows["fact"]["details"]["too_short"] is None
    assert "Over 10 full days" in assessment["statement"]
    assert assessment["likelihood_ratio"] is None


def test_too_few_days_are_said_to_be_too_few(traffic, run):
    daily(traffic, 6)
    _, rows = run(traffic)
    assert set(rows) == {"fact"}
    assert "Too short to state a daily rhythm: 6 full days observed, 7 needed." in rows["fact"]["statement"]


def test_days_that_are_partly_captured_are_not_full(traffic, run):
    # ten days of talk; the captures begin at noon of the first day and stop at noon of the last
    daily(traffic, 10, start=12 * HOUR, span=(12 * HOUR, 10 * DAY))
    _, rows = run(traffic)
    assert rows["fact"]["details"]["full_days"] == 9
    assert (
        rows["fact"]["details"]["observed_quarter_hours"][6 * 24] == 4
    )  # one Sunday of two has its midnight


def test_a_hole_between_captures_breaks_a_day(traffic, run):
    daily(traffic, 4, capture=7)
    daily(traffic, 4, capture=8, start=4 * DAY + 300, span=(4 * DAY + 300, 8 * DAY))
    assert run(traffic)[1]["fact"]["details"]["full_days"] == 7
    closed = run(traffic, Parameters(coverage_gap_s=300))[1]
    assert closed["fact"]["details"]["full_days"] == 8


def test_few_bursts_make_no_rhythm(traffic, run):
    daily(traffic, 8, hours=(9,))
    _, rows = run(traffic)
    assert set(rows) == {"fact"}
    assert "Too few bursts to state a daily rhythm: 24 going out, 50 needed." in rows["fact"]["statement"]


def test_activity_round_the_clock_has_no_quiet_time(traffic, run):
    daily(traffic, 8, hours=range(24))
    _, rows = run(traffic)
    assert "there is no quiet time of 3 hours or more" in rows["assessment"]["statement"]


def test_frames_are_the_first_burst_of_each_active_day(traffic, run):
    daily(traffic, 8)
    found, rows = run(traffic)
    frames = [ref["frame"] for ref in found.frames.to_pylist()
              if ref["finding_id"] == rows["fact"]["finding_id"]]  # fmt: skip
    assert len(frames) == 8
    first = {}
    for packet in traffic.packets:
        if packet["payload_bytes"] != 180:
            first.setdefault((packet["ts"] - traffic.ns(0)) // (DAY * 10**9), packet["frame"])
    assert frames == sorted(first.values())


def test_an_unknown_time_zone_fails_clearly(traffic, monkeypatch):
    for name in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(AnalysisError, match="tzdata"):
            ActivityRhythm().run(traffic.connect(), Parameters(time_zone=name))

    def missing(name):
        raise local_time.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(local_time, "ZoneInfo", missing)
    with pytest.raises(AnalysisError, match="tzdata"):
        ActivityRhythm().run(traffic.connect(), Parameters(time_zone="Europe/Brussels"))
    assert ActivityRhythm().run(traffic.connect(), DEFAULT).notes  # UTC needs no database


def test_captures_with_impossible_clocks_are_not_laid_out(traffic, run):
    daily(traffic, 8, span=(-40 * 365 * DAY, 8 * DAY))
    _, rows = run(traffic)
    assert rows["fact"]["details"]["observed_quarter_hours"] is None
    assert rows["fact"]["details"]["full_days"] == 0


def test_the_cap_on_findings_is_stated(traffic, run):
    traffic.flow(A, [(1, UP, 500), (9, DOWN, 500)])
    traffic.flow("10.0.0.2", [(1, UP, 500)])
    found, _ = run(traffic, Parameters(most_findings=1))
    assert found.findings["subject"].to_pylist() == [A]
    assert found.notes == ("1 address with the fewest bursts not listed.",)


def test_the_order_of_rows_does_not_matter(traffic, run):
    daily(traffic, 8)
    traffic.flow("10.0.0.2", [(n * 977.0, bool(n % 2), 400 + n) for n in range(90)])
    straight, _ = run(traffic)
    other, _ = run(traffic, shuffle=1)
    assert other.findings.equals(straight.findings)
    assert other.frames.equals(straight.frames)


@pytest.mark.parametrize(
    "wrong", [{"fewest_days": 1}, {"quiet_percent": 50}, {"shortest_quiet_hours": 0}, {"most_frames": 0}]
)
def test_parameters_that_make_no_sense_are_refused(traffic, wrong):
    with pytest.raises(AnalysisError):
        ActivityRhythm().run(traffic.connect(), Parameters(**wrong))
