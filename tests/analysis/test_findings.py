"""Findings as rows: ids, canonical JSON, order."""

import json
from hashlib import sha256

import pyarrow as pa
import pytest

from wirecover.analysis.detector import Finding, FrameRef
from wirecover.analysis.findings import (
    canonical_json,
    counted,
    duration_text,
    finding_id,
    result,
    utc_text,
)


def finding(**changes):
    facts = {"pattern": "p", "version": "1", "kind": "fact", "statement": "s", "parameters": "{}",
             "first_ns": 5, "subject": "10.0.0.1"}  # fmt: skip
    return Finding(**(facts | changes))


def test_the_id_is_63_bits_and_the_same_in_every_run():
    about = b'["p","fact","10.0.0.1",null,null,5,"{}"]'
    assert finding_id(finding()) == int(sha256(about).hexdigest()[:16], 16) >> 1
    assert finding_id(finding()) == finding_id(finding(statement="other", score=0.5, details={"a": 1}))
    assert all(0 <= finding_id(finding(first_ns=n)) < 2**63 for n in range(50))


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": "q"}, {"subject": "10.0.0.2"}, {"object": "10.0.0.2"}, {"first_ns": 6},
        {"parameters": "[]"}, {"app": "signal"}, {"kind": "assessment"}, {"first_ns": None},
    ],
)  # fmt: skip
def test_the_id_changes_with_what_the_finding_is_about(change):
    assert finding_id(finding(**change)) != finding_id(finding())


def test_parts_cannot_run_into_each_other():
    assert finding_id(finding(subject="a|b", object="c")) != finding_id(finding(subject="a", object="b|c"))


def test_rows_are_sorted_and_frames_unique():
    twice = (FrameRef(8, 3, 1, "r"), FrameRef(7, 9, 1, "r"), FrameRef(8, 3, 1, "r"))
    found = result([finding(first_ns=9, frames=twice), finding(first_ns=None), finding(first_ns=2)])
    assert found.findings["first_ts"].cast(pa.int64()).to_pylist() == [2, 9, None]
    assert [(row["capture_id"], row["frame"]) for row in found.frames.to_pylist()] == [(7, 9), (8, 3)]
    assert found.findings["capture_ids"].to_pylist() == [[], [7, 8], []]


def test_scores_are_rounded_and_ratios_stay_empty():
    row = result([finding(score=1 / 3)]).findings.select(["score", "likelihood_ratio", "lr_low", "lr_high"])
    assert row.to_pylist() == [{"score": 0.333333, "likelihood_ratio": None, "lr_low": None, "lr_high": None}]


def test_two_findings_with_one_id_are_an_error():
    with pytest.raises(ValueError, match="same id"):
        result([finding(), finding(statement="other")])


def test_canonical_json_is_ascii_sorted_and_refuses_nan():
    text = canonical_json({"b": "é\u202e", "a": [1, None]})
    assert text == '{"a":[1,null],"b":"\\u00e9\\u202e"}'
    assert json.loads(text) == {"b": "é\u202e", "a": [1, None]}
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_texts_for_sentences():
    assert utc_text(1_772_323_200_999_999_999) == "2026-03-01 00:00:00 UTC"
    assert utc_text(-1) == "1969-12-31 23:59:59 UTC"
    assert [counted(n, "flow") for n in (0, 1, 1234)] == ["0 flows", "1 flow", "1,234 flows"]
    assert [duration_text(n * 10**9) for n in (59, 60, 7_260, 90_000)] == [
        "59 s",
        "1 min",
        "2 h 1 min",
        "1 d 1 h",
    ]
