"""Reading rule files: what is refused, and what the hash of the rules depends on."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from wirecover.capture.apps import matcher
from wirecover.capture.apps.loader import load_rules
from wirecover.capture.errors import RuleError

META = """
[meta]
id = "demo"
label = "demo"
title = "Demo"
created = 2026-01-01
updated = 2026-01-02
references = ["https://example.org"]
known_gaps = ["all of it"]
"""
ROW = """
[[evidence]]
id = "demo-name"
title = "a name"
kind = "sni"
match = "suffix"
values = ["demo.example"]
confidence = 90
source = "https://example.org"
mark = "seen"
licence_note = "facts"
"""


def load(folder, text, name="demo.toml"):
    (folder / name).write_text(text, encoding="utf-8")
    return load_rules(folder)


def test_extra_rules_are_added(tmp_path):
    rules = load(tmp_path, META + ROW)
    assert rules.apps["demo"].evidence[0].values == ("demo.example",)
    assert "whatsapp" in rules.apps
    assert rules.sha256 != load_rules().sha256
    assert load_rules() is load_rules()


def test_what_a_capture_confirmed_may_count_more(tmp_path):
    row = (
        load(tmp_path, META + ROW.replace('"seen"', '"mem"') + 'confirmed = "a.pcap"\nregion = ["KR"]\n')
        .apps["demo"]
        .evidence[0]
    )
    assert (row.confidence, row.confirmed, row.region) == (90, "a.pcap", ("KR",))


def test_the_hash_of_local_rules(tmp_path):
    local = load(tmp_path, META + ROW).local_sha256
    assert local is not None and load_rules().local_sha256 is None
    assert load(tmp_path, "# comment\n" + META + ROW).local_sha256 == local
    assert load(tmp_path, META + ROW.replace("90", "91")).local_sha256 != local


def test_one_file_may_be_given(tmp_path):
    load(tmp_path, META + ROW)
    assert "demo" in load_rules(tmp_path / "demo.toml").apps


def test_hash_depends_on_content_alone(tmp_path):
    first = load(tmp_path, META + ROW).sha256
    moved = '# a comment\n[[example]]\nfacts = { sni = "x.demo.example" }\nlabel = "demo"\n' + ROW + META
    assert load(tmp_path, moved).sha256 == first
    assert load(tmp_path, META + ROW.replace("90", "91")).sha256 != first
    assert load(tmp_path, META.replace("all of it", "some of it") + ROW).sha256 != first


def test_dates_are_days_in_utc(tmp_path):
    row = (
        load(tmp_path, META + ROW + "valid_from = 2025-03-01\nvalid_to = 2025-04-01\n")
        .apps["demo"]
        .evidence[0]
    )
    assert row.valid_from == int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()) * 10**9
    assert row.valid_to == int(datetime(2025, 4, 1, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[meta\n", "demo.toml"),
        (ROW, "meta is missing"),
        (META, "evidence is missing"),
        (META.replace('id = "demo"', 'id = "other"') + ROW, "not the file's name"),
        (META.replace('label = "demo"', 'label = "De mo"') + ROW, "lower-case"),
        (
            META.replace('label = "demo"', 'label = "whatsapp"') + ROW.replace("demo-", "whatsapp-x-"),
            "more than one",
        ),
        (META.replace('["all of it"]', "[]") + ROW, "known_gaps"),
        (META.replace('["https://example.org"]', '[""]') + ROW, "references"),
        (META.replace("2026-01-01", '"2026-01-01"') + ROW, "created must be of type date"),
        (META + 'colour = "red"\n' + ROW, "unknown key 'colour'"),
        (META + 'part_of = ["nobody"]\n' + ROW, "unknown label 'nobody'"),
        (META + ROW + 'note = "x"\n', "unknown key 'note'"),
        (META + ROW + ROW, "stands twice"),
        (META + ROW.replace("demo-name", "other-name"), "begin with the label"),
        (META + ROW.replace('"sni"', '"smell"'), "kind must be"),
        (META + ROW.replace('"suffix"', '"prefix"'), "match must be"),
        (META + ROW.replace('"suffix"', '"contains"'), "contains is for"),
        (META + ROW.replace('"sni"', '"alpn"'), "suffix is for"),
        (META + ROW.replace("90", "100"), "1 to 99"),
        (META + ROW.replace("90", "true"), "must be of type int"),
        (META + ROW.replace('"seen"', '"guess"'), "mark must be"),
        (META + ROW.replace('"demo.example"', '"demo.example", "demo.example"'), "stands twice"),
        (META + ROW.replace('"demo.example"', '".demo.example"'), "no sni value"),
        (META + ROW.replace('"demo.example"', '"Demo.example"'), "no sni value"),
        (META + ROW.replace('"demo.example"', '"com"'), "no sni value"),
        (META + ROW.replace('"https://example.org"', '" "'), "source is empty"),
        (META + ROW + "valid_from = 2026-01-02\nvalid_to = 2026-01-02\n", "after valid_from"),
        (META + ROW + "valid_from = 2026-01-02T00:00:00Z\n", "must be of type date"),
        (META + ROW + 'needs = ["demo-name"]\n', "needs itself"),
        (META + ROW.replace('"seen"', '"mem"'), "at most 75"),
        (META + ROW.replace('"seen"', '"derived"').replace("90", "76"), "at most 75"),
        (META + ROW + 'region = ["France"]\n', "two-letter"),
        (META + ROW + "confirmed = 1\n", "must be of type str"),
        (META + ROW + 'shared_with = ["nobody"]\n', "unknown label 'nobody'"),
    ],
)
def test_refused(tmp_path, text, reason):
    with pytest.raises(RuleError, match=reason) as refused:
        load(tmp_path, text)
    assert "demo.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("address", "192.0.2.1/24"), ("address", "10.0.0.0/7"), ("address", "2000::/3"), ("address", "host"),
        ("port", "udp/0"), ("port", "udp/70000"), ("port", "5222"), ("port", "tcp/9-8"),
        ("port", "tcp/1-60000"), ("port", "sctp/5"), ("ja4", "t13d"),
        ("stun_attribute", "16384"), ("stun_attribute", "0x40001"),
        ("alpn", "a\\u0007"),
    ],
)  # fmt: skip
def test_ill_formed_values_are_refused(tmp_path, kind, value):
    row = ROW.replace('"sni"', f'"{kind}"').replace('match = "suffix"\n', "").replace("demo.example", value)
    with pytest.raises(RuleError, match="demo-name"):
        load(tmp_path, META + row)


def test_weak_evidence_cannot_carry_by_weak_evidence(tmp_path):
    weak = (
        ROW.replace('"sni"', '"address"')
        .replace('match = "suffix"\n', "")
        .replace("demo.example", "192.0.2.0/24")
    )
    port = weak.replace("demo-name", "demo-port").replace("address", "port").replace("192.0.2.0/24", "tcp/5")
    with pytest.raises(RuleError, match="needs something else"):
        load(tmp_path, META + weak + 'needs = ["demo-port"]\n' + port)
    assert load(tmp_path, META + weak + 'needs = ["demo-port", "stun"]\n' + port)


def test_a_folder_without_rules_and_a_missing_file_are_said(tmp_path):
    with pytest.raises(RuleError, match="no rule files"):
        load_rules(tmp_path)
    with pytest.raises(RuleError, match="absent"):
        load_rules(tmp_path / "absent.toml")


def test_the_matcher_hands_out_the_same_rules():
    assert matcher.load_rules() is load_rules()


def test_the_matcher_loads_no_toml():
    code = "import sys, wirecover.capture.apps.loader; print('tomllib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
