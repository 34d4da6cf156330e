"""The result document: what a case says, and nothing that differs between two looks at it."""

import dataclasses
import random

import duckdb
import fake_case
import pytest

from wirecover.casefile.case import Case
from wirecover.report.document import CaseSource, build, has_own_id, to_json
from wirecover.report.findings import finite, pairs
from wirecover.report.model import ResultDocument

HOUR, START = fake_case.HOUR, fake_case.START


@pytest.fixture(scope="module")
def document() -> ResultDocument:
    return build(fake_case.realistic(), fake_case.METHODS)


def test_exhibits_are_named_by_first_packet(document: ResultDocument) -> None:
    assert [(one.label, one.name) for one in document.exhibits] == [
        ("E1", "office-wifi-2026-03-02.pcapng"),
        ("E2", "relevé opérateur (été).pcap.gz"),
        ("E3", "office-wifi-2026-03-03.pcapng"),
    ]
    second = document.exhibits[1]
    assert (second.format, second.compression, second.complete, second.damage_rows) == (
        "pcap",
        "gz",
        False,
        1,
    )
    assert document.latest_ns == START + 33 * HOUR


def test_the_order_of_rows_plays_no_part(document: ResultDocument) -> None:
    case = fake_case.realistic()
    for rows in (
        *case.evidence.values(),
        *(case.own[name] for name in ("findings", "finding_frames", "events")),
    ):
        random.Random(3).shuffle(rows)
    assert to_json(build(case, reversed(fake_case.METHODS))) == to_json(document)


def test_reading_the_case_again_changes_nothing(document: ResultDocument) -> None:
    case = fake_case.realistic()
    for verb in ("report", "query", "verify", "analyze"):
        case.add_act(
            verb, {"pattern": "app_sessions"} if verb == "analyze" else {"out": "/home/someone/r.pdf"}
        )
    for row in case.own["exhibits"]:
        row["ingested_at"] = "2031-01-01 00:00:00"
    assert to_json(build(case, fake_case.METHODS)) == to_json(document)


def test_no_path_person_or_time_of_the_work_is_in_it(document: ResultDocument) -> None:
    text = to_json(document).decode()
    assert (
        "/cases" not in text and "examiner" not in text and "2026-03-09" not in text and "secret" not in text
    )


def test_findings_name_all_their_frames(document: ResultDocument) -> None:
    case = fake_case.realistic()
    labels = {one.capture_id: one.label for one in document.exhibits}
    for finding in document.findings:
        wanted = {
            (labels[row["capture_id"]], row["frame"])
            for row in case.own["finding_frames"]
            if row["finding_id"] == finding.finding_id
        }
        found = {
            (part.exhibit, frame)
            for part in finding.frames
            for first, last in part.ranges
            for frame in range(first, last + 1)
        }
        assert found == wanted
        assert sum(part.count for part in finding.frames) == len(wanted)
        for part in finding.frames:  # ascending, and no two ranges that touch
            assert all(a[1] + 1 < b[0] for a, b in zip(part.ranges, part.ranges[1:], strict=False))


def test_facts_come_before_assessments(document: ResultDocument) -> None:
    kinds = [finding.kind for finding in document.findings]
    assert kinds == ["fact"] * 113 + ["assessment"] * 2
    assert [finding.number for finding in document.findings] == list(range(1, 116))


def test_methods_are_described_or_said_to_be_unknown(document: ResultDocument) -> None:
    assert [(one.name, one.known, one.run, one.findings) for one in document.methods] == [
        ("activity_rhythm", True, True, 2), ("app_sessions", True, True, 111), ("co_timing", True, True, 1),
        ("paired_calls", False, True, 1),
    ]  # fmt: skip
    assert document.methods[1].parameters == (("gap_s", 300.0), ("least_packets", 4))


def test_a_method_that_was_not_run_is_told_from_one_without_findings() -> None:
    case = fake_case.FakeCase()
    case.add_act("analyze", {"pattern": "co_timing"})
    assert {one.name: one.run for one in build(case, fake_case.METHODS).methods} == {
        "activity_rhythm": False, "app_sessions": False, "co_timing": True,
    }  # fmt: skip


def test_the_detectors_of_this_installation_describe_themselves() -> None:
    methods = build(fake_case.empty()).methods
    assert {"app_sessions", "activity_rhythm", "co_timing"} <= {one.name for one in methods}
    assert all(one.question and one.method and one.cannot_show and one.parameters for one in methods)


def test_numbers_that_are_none_are_not_ratios() -> None:
    assert [finite(n) for n in (None, float("inf"), float("nan"), 2.5)] == [None, None, None, 2.5]
    case = fake_case.FakeCase()
    case.add_finding("x", likelihood_ratio=float("inf"), score=float("nan"), parameters="not JSON")
    (finding,) = build(case, ()).findings
    assert (finding.likelihood_ratio, finding.score) == (None, None)
    assert finding.parameters == (("parameters", "not JSON"),)


def test_nested_parameters_are_flat_and_sorted() -> None:
    nested = {"z": [1, 2], "a": {"y": None, "b": {"c": True}}, "inf": float("inf")}
    assert pairs(nested) == (("a.b.c", True), ("a.y", None), ("inf", "Infinity"), ("z", "[1, 2]"))
    assert pairs(fake_case.Parameters()) == (("gap_s", 300.0), ("least_packets", 4))
    assert pairs(None) == ()


def test_applications_give_their_reasons(document: ResultDocument) -> None:
    assert len(document.applications) == 9
    assert all(one.reasons and one.confidence >= 80 for one in document.applications)
    first = next(one for one in document.applications if one.app == "signal")
    assert (first.reasons[0].value, first.reasons[0].exhibit) == ("chat.signal.org", "E1")


def test_unlabelled_traffic_is_counted_by_reason(document: ResultDocument) -> None:
    figures = document.figures
    assert sum(one.flows for one in document.unidentified) == figures.flows - figures.labelled_flows == 60
    assert sum(one.bytes for one in document.unidentified) == figures.bytes - figures.labelled_bytes
    assert {one.reason for one in document.unidentified} == {
        "named",
        "unnamed",
        "service",
        "no-start",
        "unknown",
    }


def test_limits_of_these_exhibits_are_said(document: ResultDocument) -> None:
    said = {one.key: dict(one.values) for one in document.limitations}
    assert said["limit.incomplete"] == {"exhibits": "E2"}
    assert said["limit.truncated"] == {"exhibits": "E2, E3"}
    assert said["limit.drops_unknown"] == {"exhibits": "E2"}
    assert said["limit.dropped"] == {"exhibits": "E3"}
    assert "limit.rates" not in said and "limit.empty" not in said
    assert "limit.empty" in {one.key for one in build(fake_case.empty(), ()).limitations}


def test_the_id_is_that_of_the_content(document: ResultDocument) -> None:
    assert has_own_id(document)
    assert not has_own_id(dataclasses.replace(document, case_name="other"))
    assert build(fake_case.empty(), ()).report_id != document.report_id


def test_custody_names_exhibits_and_analyses(document: ResultDocument) -> None:
    assert {act.act: act.subjects for act in document.custody} == {
        "init": (), "exhibit": ("E1", "E2", "E3"), "ingest": ("E1", "E2", "E3"),
        "analyze": ("activity_rhythm", "app_sessions", "co_timing"),
    }  # fmt: skip


def test_the_legal_basis_is_that_of_the_case() -> None:
    case = fake_case.FakeCase(training=False)
    case.own["authority"] = [
        {"authority_id": 1, "country": "BE", "instrument": "art. 90ter", "reference": "2026/17"}
    ]
    entries = {entry.name: entry.value for entry in build(case, ()).legal_basis}
    assert entries == {"country": "BE", "instrument": "art. 90ter", "reference": "2026/17"}
    assert build(fake_case.realistic(), ()).legal_basis == ()


def test_a_name_that_is_not_unicode_does_not_stop_it() -> None:
    case = fake_case.FakeCase(path=fake_case.Path("/cases/\udcff"))
    assert build(case, ()).case_name == r"\udcff"


def test_the_connection_is_closed() -> None:
    class Watched(fake_case.FakeCase):
        given: duckdb.DuckDBPyConnection

        def connect(self) -> duckdb.DuckDBPyConnection:
            self.given = super().connect()
            return self.given

    case = Watched()
    build(case, ())
    with pytest.raises(duckdb.ConnectionException):
        case.given.execute("SELECT 1")


def test_a_real_case_folder_serves(tmp_path: fake_case.Path) -> None:
    case: CaseSource = Case.create(tmp_path / "real", training=True)
    document = build(case, fake_case.METHODS)
    assert (document.case_name, document.training, document.exhibits) == ("real", True, ())
    assert [act.act for act in document.custody] == ["init"]
