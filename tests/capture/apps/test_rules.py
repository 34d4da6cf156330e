"""The house rules for rule files, over all of them: what every file must say, and that it holds.

An `[[example]]` is a flow (only the facts that matter) and the label that it must get from all rules
together, "" for none; adding one needs no Python.
"""

import re
import tomllib
from datetime import date

import pytest

from wirecover.capture.apps.loader import RULES, load_rules, parse_rules
from wirecover.capture.apps.matcher import FlowFacts
from wirecover.capture.protocols.messenger_bytes import SIGNATURES

FILES = sorted(RULES.glob("*.toml"))
DOCUMENTS = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in FILES}
EXAMPLES = [
    pytest.param(example["facts"], example["label"], id=f"{name}-{number}")
    for name, document in DOCUMENTS.items()
    for number, example in enumerate(document["example"])
]
MOST_USED = {
    "whatsapp", "messenger", "wechat", "telegram", "signal", "viber", "line", "kakaotalk", "discord",
    "snapchat", "threema", "teams", "zoom", "xmpp", "apns", "google-meet", "imo", "meta", "apple-ids", "facetime",
    "fcm", "rcs", "matrix", "tchap", "session", "simplex", "briar", "tor", "tox", "jami", "groupme", "wickr", "irc",
    "delta-chat", "olvid", "wire", "zalo", "wireguard", "openvpn", "ipsec", "socks", "http-proxy",
}  # fmt: skip
NEVER_MESSENGERS = [
    "www.facebook.com", "graph.facebook.com", "scontent.xx.fbcdn.net", "www.instagram.com",
    "www.google.com", "www.youtube.com", "r1---sn-4g5e6nls.googlevideo.com", "www.netflix.com",
    "occ-0-778-1.1.nflxso.net", "www.apple.com", "www.icloud.com", "gateway.icloud.com",
    "outlook.live.com", "login.live.com", "www.bing.com", "outlook.office365.com", "www.microsoft.com",
    "www.qq.com", "www.kakao.com", "www.naver.com", "api.spotify.com", "steamcommunity.com",
    "dropbox.com", "www.amazon.com", "example.com", "com", "net", "org", ".", "",
]  # fmt: skip
NOW = 1_790_000_000_000_000_000  # September 2026


def flow(**facts) -> FlowFacts:
    """A flow to an address that no rule knows, unless the example says otherwise."""
    known = {
        "transport": "tcp", "server_ip": "192.0.2.10", "server_port": 443, "client_ip": "10.0.0.1",
        "client_port": 50000, "frame": 1,
    }  # fmt: skip
    for key, value in facts.items():
        if key in ("signatures", "stun_attributes"):
            known[key] = frozenset(value)
        elif key == "dns_names":
            known[key] = tuple((name, 2) for name in value)
        else:
            known[key] = tuple(value) if isinstance(value, list) else value
    return FlowFacts(**known)


def test_the_most_used_messengers_have_rules():
    assert set(load_rules().apps) >= MOST_USED


@pytest.mark.parametrize("name", DOCUMENTS)
def test_file_says_all_that_it_must(name):
    document = DOCUMENTS[name]
    rules = parse_rules(document, f"{name}.toml")
    assert rules.id == rules.label == name
    assert all(gap.endswith((".", ":")) or len(gap) > 20 for gap in rules.known_gaps)
    assert all(reference.startswith("https://") for reference in rules.references)
    assert date.fromisoformat(rules.updated) >= date.fromisoformat(rules.created)
    for row in rules.evidence:
        assert row.licence_note
        if row.mark == "mem":
            assert "no public source seen" in row.source, f"{row.id}: a source, but marked as from memory"
        else:
            assert re.search(r"https://\S+\.\S+", row.source), f"{row.id}: source names no page"
        if row.mark != "seen":
            assert row.confidence <= 96


@pytest.mark.parametrize("name", DOCUMENTS)
def test_file_has_a_positive_and_a_negative_example(name):
    labels = [example["label"] for example in DOCUMENTS[name]["example"]]
    can_carry = any(row.get("alone", True) for row in DOCUMENTS[name]["evidence"])
    assert (name in labels) == can_carry  # a file of mere hints says so, and makes no label
    assert any(label != name for label in labels)


@pytest.mark.parametrize(("facts", "label"), EXAMPLES)
def test_example(facts, label):
    got = load_rules().match(flow(**facts), NOW)
    assert (got.app if got else "") == label
    if got:
        assert 50 <= got.confidence <= 99
        assert any(reason.app == label for reason in got.evidence)


@pytest.mark.parametrize("name", NEVER_MESSENGERS)
def test_names_of_other_services_get_no_label(name):
    rules = load_rules()
    assert rules.match(flow(sni=name), NOW) is None
    assert rules.match(flow(dns_names=[name]), NOW) is None
    assert rules.match(flow(certificate_names=[name, f"*.{name}"]), NOW) is None


def test_no_address_port_or_ja4_makes_a_label():
    """Every weak value of every rule, together, in a flow of which nothing else is known."""
    rules = load_rules()
    rows = [row for app in rules.apps.values() for row in app.evidence]
    addresses = [v.partition("/")[0] for row in rows if row.kinds == ("address",) for v in row.values]
    ports = [v for row in rows if row.kinds == ("port",) for v in row.values]
    fingerprints = [v for row in rows if row.kinds == ("ja4",) for v in row.values]
    assert addresses and ports and fingerprints
    for address in addresses:
        for port in {"tcp/443", *ports}:
            transport, _, number = port.partition("/")
            for ja4 in (None, fingerprints[0]):
                facts = flow(
                    server_ip=address, server_port=int(number.partition("-")[0]), transport=transport, ja4=ja4
                )
                assert rules.match(facts, NOW) is None, facts


def test_a_value_in_two_files_is_declared_in_both():
    rules = load_rules()
    owners = {}
    for app in rules.apps.values():
        for row in app.evidence:
            if row.kinds == ("port",):  # ports are shared by nature and never carry
                continue
            for kind in row.kinds:
                for value in row.values:
                    owners.setdefault((kind, value), {})[app.label] = row
    for value, rows in owners.items():
        for label, row in rows.items():
            assert set(rows) - {label} <= set(row.shared_with), f"{value} is in {sorted(rows)}"


def test_no_name_of_one_file_lies_under_a_name_of_another():
    rules = load_rules()
    names = {
        value: app.label
        for app in rules.apps.values()
        for row in app.evidence
        if row.match == "suffix"
        for value in row.values
    }
    for name, label in names.items():
        parent = name.partition(".")[2]
        while parent:
            assert names.get(parent, label) == label, f"{name} ({label}) lies under {parent}"
            parent = parent.partition(".")[2]


def test_signatures_and_patterns_belong_together():
    known = {name for patterns in SIGNATURES.values() for name in patterns}
    used = {
        value
        for app in load_rules().apps.values()
        for row in app.evidence
        if "signature" in row.kinds
        for value in row.values
    }
    assert used == known


def test_part_of_has_no_chain():
    rules = load_rules()
    for app in rules.apps.values():
        for broad in app.part_of:
            assert rules.apps[broad].part_of == ()
