"""What can be recognised, and why a flow has its label."""

import json
import shutil
from pathlib import Path

import pytest

from wirecover.capture.apps.loader import load_rules

CAPTURES = Path(__file__).parent.parent / "captures"
LOCAL = """
[meta]
id = "harbour"
label = "harbour"
title = "Server of the case"
created = 2026-11-01
updated = 2026-11-01
references = ["https://example.org/order"]
known_gaps = ["everything else"]

[[evidence]]
id = "harbour-name"
title = "Its name"
kind = ["sni"]
match = "suffix"
values = ["NAME"]
confidence = 97
source = "https://example.org/order"
mark = "seen"
licence_note = "own finding"
"""


def test_every_application_and_its_gaps(run) -> None:
    done = run("apps", "--format", "json")
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)
    assert [row["app"] for row in rows] == list(load_rules().apps)
    assert all(row["rows"] > 0 and row["known_gaps"] and row["sources"] for row in rows)


def test_every_rule_with_its_source_and_dates(run) -> None:
    rows = json.loads(run("apps", "--evidence", "--format", "json").out)
    assert len(rows) == sum(len(app.evidence) for app in load_rules().apps.values())
    by_id = {row["rule_id"]: row for row in rows}
    assert by_id["telegram-ja4-2025"]["holds"] == "until 2026-07-01"
    assert by_id["signal-servers"]["holds"] == "always"
    assert all(row["source"] and row["licence_note"] for row in rows)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> Path:
    from wirecover.casefile.case import Case

    path = tmp_path_factory.mktemp("explained") / "case"
    Case.create(path, training=True).ingest([CAPTURES / "harbour-xmpp-turn-h3-client1.pcap.gz"])
    return path


def ask(run, case: Path, query: str) -> list[dict]:
    return json.loads(run("sql", case, query, "--format", "json").out)


def test_the_reasons_of_a_label(run, case) -> None:
    flow = ask(run, case, "SELECT flow_id, app FROM flows WHERE app = 'xmpp' ORDER BY flow_id LIMIT 1")[0]
    done = run("apps", "explain", case, flow["flow_id"], "--format", "json")
    assert done.code == 0
    assert f"flow {flow['flow_id']}: label xmpp" in done.err
    rows = json.loads(done.out)
    reasons = [row for row in rows if row["role"] == "reason"]
    assert reasons and all(row["frame"] and row["source"].startswith("https://") for row in reasons)
    assert {row["app"] for row in reasons} == {"xmpp"}


def test_a_flow_without_a_label_shows_what_did_not_suffice(run, case) -> None:
    flows = ask(run, case, "SELECT flow_id FROM flows WHERE app IS NULL ORDER BY flow_id")
    for flow in flows:
        done = run("apps", "explain", case, flow["flow_id"], "--format", "json")
        assert done.code == 0 and "no label" in done.err
        assert {row["role"] for row in json.loads(done.out)} <= {"hint", "outdated"}


def test_a_flow_that_is_not_there(run, case) -> None:
    done = run("apps", "explain", case, 12345)
    assert done.code == 2 and "no flow 12345" in done.err


def test_rules_of_the_analyst(run, case, tmp_path) -> None:
    """They label, their hash is in manifest, case and report, and an explanation by other rules says so."""
    name = ask(run, case, "SELECT sni FROM tls_handshakes WHERE sni IS NOT NULL ORDER BY client_frame")[0][
        "sni"
    ]
    own = tmp_path / "rules"
    own.mkdir()
    own.joinpath("harbour.toml").write_text(LOCAL.replace("NAME", name), encoding="utf-8")
    assert run("init", tmp_path / "case", "--training").code == 0
    shutil.copy(CAPTURES / "harbour-xmpp-turn-h3-client1.pcap.gz", tmp_path / "a.pcap.gz")
    assert run("ingest", tmp_path / "case", tmp_path / "a.pcap.gz", "--rules", own).code == 0
    local = load_rules(own).local_sha256
    assert ask(run, tmp_path / "case", "SELECT rules_sha256, local_rules_sha256 FROM captures") == [
        {"rules_sha256": load_rules(own).sha256, "local_rules_sha256": local}
    ]
    [manifest] = tmp_path.glob("case/evidence/*/manifest.json")
    assert json.loads(manifest.read_text())["local_rules_sha256"] == local
    [flow] = ask(
        run, tmp_path / "case", "SELECT flow_id FROM flows WHERE app = 'harbour' ORDER BY flow_id LIMIT 1"
    )
    explained = run("apps", "explain", tmp_path / "case", flow["flow_id"], "--rules", own, "--format", "json")
    assert json.loads(explained.out)[0]["rule_id"] == "harbour-name"
    assert "not those of the ingest" not in explained.err
    assert "not those of the ingest" in run("apps", "explain", tmp_path / "case", flow["flow_id"]).err
    listed = run("apps", "--rules", own, "--format", "json")
    assert "harbour" in [row["app"] for row in json.loads(listed.out)] and local in listed.err


def test_rules_that_cannot_be_read_are_refused_before_any_work(run, tmp_path) -> None:
    tmp_path.joinpath("bad.toml").write_text("[meta]\n", encoding="utf-8")
    run("init", tmp_path / "case", "--training")
    done = run("ingest", tmp_path / "case", CAPTURES, "--rules", tmp_path / "bad.toml")
    assert done.code == 1 and "bad.toml" in done.err
