"""Running detectors on a real case folder: what is written, replaced, logged and refused."""

import hashlib
from contextlib import closing
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wirecover.analysis.app_sessions import Parameters as SessionParameters
from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.run import BUILDS_ON, DETECTORS, analyze, chosen
from wirecover.capture.identifiers import capture_id, flow_base
from wirecover.capture.manifest import Manifest
from wirecover.capture.tables import TABLES
from wirecover.casefile.case import Case

UP, DOWN = True, False


def decoder_of(traffic):
    """A decoder that takes any file for the capture of this traffic, and writes it as evidence."""

    def decode(path, out, scope):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        capture = dict.fromkeys(TABLES["captures"].names, 0) | {
            "capture_id": capture_id(digest), "flow_base": flow_base(digest), "name": path.name,
            "sha256": digest, "bytes": path.stat().st_size, "format": "pcap", "compression": None,
            "complete": True,
            "packets": traffic.frame, "tool_version": "0", "rules_sha256": "0" * 64, "local_rules_sha256": None,
            "first_ts": min(row["first_ts"] for row in traffic.captures.values()),
            "last_ts": max(row["last_ts"] for row in traffic.captures.values()),
        }  # fmt: skip
        rows = {
            "captures": [capture],
            "flows": [row | {"flow_no": row["flow_id"] - 1000} for row in traffic.flows],
            "packets": [row | {"flow_no": row["flow_id"] - 1000} for row in traffic.packets],
            "tls_handshakes": [row | {"flow_no": row["flow_id"] - 1000} for row in traffic.handshakes],
        }
        for table, schema in TABLES.items():
            kept = [{name: row.get(name) for name in schema.names} for row in rows.get(table, [])]
            pq.write_table(pa.Table.from_pylist(kept, schema=schema), out / f"{table}.parquet")
        files = {
            f"{table}.parquet": hashlib.sha256((out / f"{table}.parquet").read_bytes()).hexdigest()
            for table in TABLES
        }
        manifest = Manifest(
            name=path.name, sha256=digest, bytes=path.stat().st_size, tool_version="0", rules_sha256="0" * 64,
            tables={table: len(rows.get(table, [])) for table in TABLES}, files=files, damage=(),
            complete=True,
        )  # fmt: skip
        manifest.write(out)
        return manifest

    return decode


def make_case(tmp_path, traffic, name="case"):
    """A training case with one exhibit: two addresses that write to each other for two hours."""
    random = Random(11)
    sides, at = {"10.0.0.1": [], "10.0.0.2": []}, 0.0
    while (at := at + 2 + random.expovariate(1 / 45)) < 7200:
        sender, receiver = ("10.0.0.1", "10.0.0.2") if random.random() < 0.5 else ("10.0.0.2", "10.0.0.1")
        sides[sender].append((at, UP, 400))
        sides[receiver].append((at + 0.4, DOWN, 420))
    for client, packets in sides.items():
        traffic.flow(client, packets, span=(0, 7200))
    exhibit = tmp_path / "tap.pcap"
    exhibit.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20))
    case = Case.create(tmp_path / name, training=True, clock=lambda: 1_772_400_000_000_000_000)
    case.ingest([exhibit], decoder=decoder_of(traffic))
    assert [one.name for one in case.exhibits()] == ["tap.pcap"]
    return case


def asked(case, query):
    with closing(case.connect()) as connection:
        return connection.execute(query).fetchall()


def all_rows(case):
    tables = ("findings", "finding_frames", "events")
    return {name: sorted(asked(case, f"SELECT t::VARCHAR FROM {name} t")) for name in tables}


def test_every_detector_writes_its_findings_and_events(tmp_path, traffic):
    case = make_case(tmp_path, traffic)
    summary = {one.pattern: one for one in analyze(case)}
    assert list(summary) == list(DETECTORS)
    assert summary["app_sessions"].facts == 2
    assert summary["co_timing"].assessments == 1
    assert summary["message_events"].events == len(traffic.packets)
    written = dict(asked(case, "SELECT pattern, count(*)::INTEGER FROM findings GROUP BY pattern"))
    assert written == {
        name: one.facts + one.assessments for name, one in summary.items() if one.facts + one.assessments
    }
    assert (summary["calls"].facts, summary["calls"].notes) == (0, ("No call found.",))
    notes = asked(case, "SELECT pattern, seq, note FROM analysis_notes ORDER BY ALL")
    assert ("calls", 1, "No call found.") in notes
    assert notes == sorted(
        (name, seq, note) for name, one in summary.items() for seq, note in enumerate(one.notes, 1)
    )
    assert asked(case, "SELECT count(*) FROM events JOIN flows USING (flow_id)") == [(len(traffic.packets),)]
    ((exceeds,),) = asked(
        case, "SELECT details::JSON ->> 'exceeds_chance' FROM findings WHERE kind = 'assessment'"
    )
    assert exceeds == "true"
    # each frame a finding names lies in the flow it says, in the exhibit of the case
    strays = asked(
        case,
        "SELECT count(*) FROM finding_frames r LEFT JOIN packets p "
        "ON p.flow_id = r.flow_id AND p.frame = r.frame AND p.capture_id = r.capture_id "
        "WHERE p.frame IS NULL",
    )
    assert strays == [(0,)]
    assert asked(case, "SELECT count(*) FROM findings WHERE likelihood_ratio IS NOT NULL") == [(0,)]
    acts = asked(case, "SELECT verb, arguments FROM custody_log WHERE phase = 'noted' ORDER BY seq")
    assert [verb for verb, _ in acts][-4:] == ["analyze"] * 4
    assert [one for _, one in acts if '"delta_s":3.0' in one and '"pattern":"co_timing"' in one]


def test_running_again_replaces_and_gives_the_same(tmp_path, traffic):
    case = make_case(tmp_path, traffic)
    analyze(case)
    first = all_rows(case)
    assert all(first.values())
    analyze(case)
    assert all_rows(case) == first


def test_one_pattern_leaves_the_others_alone(tmp_path, traffic):
    case = make_case(tmp_path, traffic)
    analyze(case)
    before = asked(case, "SELECT count(*) FROM findings WHERE pattern <> 'app_sessions'")
    (summary,) = analyze(case, ["app_sessions"], {"app_sessions": SessionParameters(gap_s=10)})
    assert summary.pattern == "app_sessions"
    assert asked(case, "SELECT count(*) FROM findings WHERE pattern <> 'app_sessions'") == before
    ((parameters,),) = asked(case, "SELECT DISTINCT parameters FROM findings WHERE pattern = 'app_sessions'")
    assert '"gap_s":10' in parameters


def test_events_come_with_the_detectors_that_speak_of_them(tmp_path, traffic):
    case = make_case(tmp_path, traffic)
    assert [one.pattern for one in analyze(case, ["co_timing"])] == ["message_events", "co_timing"]
    assert chosen(["activity_rhythm"]) == ("message_events", "activity_rhythm")
    assert chosen([]) == chosen(None) == tuple(DETECTORS)


def test_what_cannot_be_run_is_refused_and_nothing_written(tmp_path, traffic):
    case = make_case(tmp_path, traffic)
    with pytest.raises(AnalysisError, match="no such pattern: nonsense; there are: app_sessions"):
        analyze(case, ["nonsense"])
    with pytest.raises(AnalysisError, match="unknown pattern"):
        analyze(case, ["app_sessions"], {"nonsense": SessionParameters()})
    with pytest.raises(AnalysisError, match="record of its own module"):
        analyze(case, ["co_timing"], {"co_timing": SessionParameters()})
    with pytest.raises(AnalysisError, match="gap_s"):
        analyze(case, None, {"app_sessions": SessionParameters(gap_s=-1)})
    assert asked(case, "SELECT count(*) FROM findings") == [(0,)]


def test_detectors_say_what_they_ask_how_and_what_they_cannot_show():
    for name, detector in DETECTORS.items():
        assert detector.name == name
        assert detector.question.endswith("?")
        assert len(detector.method) > 200
        assert len(detector.cannot_show) >= 4
        assert all(text.endswith(".") and text[0].isupper() for text in detector.cannot_show)
        assert not any("  " in text for text in (detector.method, *detector.cannot_show))
    assert set(BUILDS_ON) | set(BUILDS_ON.values()) <= set(DETECTORS)


def test_every_detector_has_its_section_in_the_methods():
    text = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
    sections = {
        part.split(" ", 1)[0]: part for part in text.split("\n## ")[1:] if "(" in part.split("\n", 1)[0]
    }
    assert set(sections) == set(DETECTORS)
    for name, section in sections.items():
        assert f"**Question.** {DETECTORS[name].question}" in section.replace("\n", " ")
        assert "**What it cannot show.**" in section
