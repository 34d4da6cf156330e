"""The section on calls: read from the case, shown in four languages, whole in the CSV file."""

import csv
import io

import fake_case
import pytest

from wirecover.report.csv_files import tables
from wirecover.report.document import build, from_json, to_json
from wirecover.report.messages import LANGUAGES
from wirecover.report.view_calls import calls_view
from wirecover.report.view_findings import methods_view
from wirecover.report.words import Words

SECOND, START = fake_case.SECOND, fake_case.START
HOSTILE = "10.0.0.1\u202e=cmd()"


def call(number, **columns):
    return {
        "call_id": number, "app": "signal", "caller_ip": "192.0.2.1", "callee_ip": None, "party_ips": ["192.0.2.1"],
        "setup_ts": START + number * SECOND, "end_ts": START + (number + 60) * SECOND, "state": "answered",
        "media": "audio", "relayed": True, "legs": 3, "views": 1, "packets_out": 1500, "packets_in": 1400,
        "confidence": 85,
    } | columns  # fmt: skip


def case(*calls, flows=()):
    made = fake_case.FakeCase()
    ids = [made.add_exhibit("one.pcap"), made.add_exhibit("two.pcap", first_ts=START + 1)]
    made.own["calls"] = list(calls)
    made.own["call_flows"] = [
        {"call_id": number, "flow_id": 1, "capture_id": ids[place][0], "role": "media", "first_frame": frame}
        for number, place, frame in flows
    ]
    made.own["analysis_notes"] = [{"pattern": "co_timing", "seq": 1, "note": "7 pairs not tested."}]
    return made


def shown(made, lang="en"):
    document = build(made, fake_case.METHODS)
    assert from_json(to_json(document)) == document
    return calls_view(document, Words(lang))


def test_a_call_is_shown_with_its_sides_times_outcome_and_frames():
    flows = [(1, 1, 9), (1, 0, 70), (1, 0, 5), *((1, 0, 100 + number) for number in range(30))]
    made = case(call(1, callee_ip="192.0.2.2", answer_ts=START + 5 * SECOND,
                     party_ips=["192.0.2.1", "192.0.2.2", "192.0.2.3"]), flows=flows)  # fmt: skip
    ((times, sides, app, outcome, packets, points, frames),) = shown(made)["rows"]
    assert [line.split(":")[0] for line in times.splitlines()] == ["set up", "media", "end"]
    assert sides.splitlines() == ["calling: 192.0.2.1", "called: 192.0.2.2", "192.0.2.3"]
    assert (app, points) == ("signal", "85")
    assert outcome == "media went both ways; voice; through a relay or server"
    assert packets.startswith("1") and "out" in packets
    first, second = frames.splitlines()
    assert first.startswith("E1 5, 70, 100") and "24" in first
    assert second == "E2 9"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "state", ["answered", "unanswered", "rejected", "failed", "unknown", "of a later version"]
)
@pytest.mark.parametrize("relayed", [True, False, None])
def test_every_outcome_has_words(lang, state, relayed):
    made = case(call(1, state=state, relayed=relayed, media="unknown", caller_ip=None, app=None))
    ((_, sides, _, outcome, *_),) = shown(made, lang)["rows"]
    assert sides == "192.0.2.1" and outcome.count(";") == 2 and "{" not in outcome


def test_what_a_detector_left_out_stands_with_its_method():
    methods = {
        one["name"]: one["notes"] for one in methods_view(build(case(), fake_case.METHODS), Words("en"))
    }
    assert methods["co_timing"] == ["7 pairs not tested."]
    assert methods["app_sessions"] == []


def test_more_calls_than_are_printed_are_in_the_file():
    document = build(case(*(call(number) for number in range(1, 451))), fake_case.METHODS)
    part = calls_view(document, Words("en"))
    assert len(part["rows"]) == 400 and "calls.csv" in part["cut"]
    rows = list(csv.reader(io.StringIO(tables(document)["calls"][0].decode("utf-8"))))
    assert len(rows) == 451 and rows[1][0] == "1"


def test_text_from_evidence_is_made_safe():
    made = case(call(1, app=HOSTILE, caller_ip=HOSTILE, party_ips=[HOSTILE]))
    assert "\u202e" not in str(shown(made))
    text = tables(build(made, fake_case.METHODS))["calls"][0].decode("utf-8")
    assert "\u202e" not in text
