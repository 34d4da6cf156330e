"""Parameters from text: what is taken, what is lent to the detectors that build on others, what is refused."""

from dataclasses import replace

import pytest

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.message_events import Parameters as EventParameters
from wirecover.analysis.run import BUILDS_ON, DETECTORS, parse_parameters


def test_values_take_the_type_of_the_parameter():
    found = parse_parameters(
        ["app_sessions.gap_s=60", "activity_rhythm.time_zone=Europe/Brussels", "co_timing.most_pairs = 12",
         "co_timing.alpha=1e-3", "activity_rhythm.events.include_unlabelled=True"]
    )  # fmt: skip
    assert list(found) == ["app_sessions", "activity_rhythm", "co_timing"]
    assert found["app_sessions"] == replace(DETECTORS["app_sessions"].parameters, gap_s=60.0)
    assert type(found["app_sessions"].gap_s) is float
    assert (found["co_timing"].most_pairs, found["co_timing"].alpha) == (12, 0.001)
    assert found["activity_rhythm"].time_zone == "Europe/Brussels"
    assert found["activity_rhythm"].events.include_unlabelled is True
    assert parse_parameters([]) == {}


def test_what_is_said_of_events_holds_for_those_who_use_them():
    found = parse_parameters(
        ["message_events.burst_gap_s=1", "co_timing.events.burst_gap_s=2", "message_events.floor_bytes=100"]
    )
    assert found["message_events"] == EventParameters(burst_gap_s=1.0, floor_bytes=100)
    assert found["activity_rhythm"].events == found["message_events"]
    assert found["co_timing"].events == EventParameters(burst_gap_s=2.0, floor_bytes=100)
    assert set(found) == {"message_events", *BUILDS_ON}


def test_only_the_patterns_that_run_get_parameters():
    assert list(parse_parameters(["message_events.burst_gap_s=1"], ["message_events"])) == ["message_events"]
    # what co_timing builds on runs with it
    assert set(parse_parameters(["message_events.burst_gap_s=1"], ["co_timing"])) == {
        "message_events", "co_timing",
    }  # fmt: skip
    with pytest.raises(AnalysisError, match="a pattern that is not run: app_sessions"):
        parse_parameters(["app_sessions.gap_s=1"], ["co_timing"])


@pytest.mark.parametrize(
    "text,message",
    [
        ("gap_s=3", "not of the form pattern.parameter=value"),
        ("app_sessions.gap_s", "not of the form"),
        ("app_sessions=3", "not of the form"),
        ("app_sessions.=3", "not of the form"),
        ("", "not of the form"),
        ("ap_sessions.gap_s=3", "no such pattern: 'ap_sessions'; did you mean app_sessions?"),
        ("nonsense.gap_s=3", "no such pattern: 'nonsense'; there are: app_sessions, "),
        ("app_sessions.gaps=3", "app_sessions has no parameter 'gaps'; did you mean gap_s?"),
        ("co_timing.events.delta_s=3", "co_timing.events has no parameter 'delta_s'"),
        ("co_timing.events=3", "co_timing.events holds parameters of its own: co_timing.events.<parameter>="),
        ("co_timing.delta_s.x=3", "co_timing.delta_s holds none"),
        ("app_sessions.gap_s=five", "app_sessions.gap_s must be a number, not 'five'"),
        ("app_sessions.gap_s=nan", "must be a number"),
        ("app_sessions.gap_s=inf", "must be a number"),
        ("app_sessions.gap_s=", "must be a number"),
        ("app_sessions.most_flows=1.5", "must be a whole number, not '1.5'"),
        ("app_sessions.most_flows=1_0", "must be a whole number"),
        ("app_sessions.most_flows=\u0665", "must be a whole number"),
        ("app_sessions.most_flows=" + "9" * 30, "must be a whole number"),
        ("app_sessions.most_flows=" + "9" * 5000, "must be a whole number"),
        ("message_events.include_unlabelled=1", "must be true or false, not '1'"),
        ("app_sessions.gap_s=-1", "app_sessions: gap_s must lie between 0 and 86,400 seconds"),
        ("co_timing.delta_s=61", "co_timing: delta_s must lie above 0"),
        ("co_timing.events.burst_gap_s=0", "co_timing.events: burst_gap_s must lie above 0"),
        ("message_events.connect_s=1e17", "connect_s, handshake_s"),
        ("message_events.media_bytes=4000000000000000000", "media_bytes must lie"),
        ("message_events.clock_tolerance_s=-1", "clock_tolerance_s must lie"),
        ("activity_rhythm.time_zone=Mars/Olympus", "activity_rhythm: .*tzdata"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, message):
    with pytest.raises(AnalysisError, match=message):
        parse_parameters([text])


def test_a_parameter_given_twice_is_refused():
    with pytest.raises(AnalysisError, match=r"app_sessions\.gap_s is given twice"):
        parse_parameters(["app_sessions.gap_s=1", "app_sessions.gap_s=2"])


def test_every_parameter_of_every_detector_can_be_given_as_it_prints():
    from dataclasses import fields, is_dataclass

    for name, detector in DETECTORS.items():
        for one in fields(detector.parameters):
            value = getattr(detector.parameters, one.name)
            if is_dataclass(value):
                for inner in fields(value):
                    text = f"{name}.{one.name}.{inner.name}={getattr(value, inner.name)}"
                    assert parse_parameters([text])[name] == detector.parameters
            else:
                assert parse_parameters([f"{name}.{one.name}={value}"])[name] == detector.parameters
