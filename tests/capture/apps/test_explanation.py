"""Every row that fits a flow, and why it does or does not carry."""

import pytest

from wirecover.capture.apps.explanation import consider, span
from wirecover.capture.apps.loader import load_rules
from wirecover.capture.apps.matcher import FlowFacts

NOW = 1_790_000_000_000_000_000


def flow(**facts) -> FlowFacts:
    known = {"server_ip": "192.0.2.1", "server_port": 443, "client_ip": "10.0.0.1", "client_port": 50000}
    return FlowFacts(**({"transport": "tcp"} | known | facts))


def roles(at: int = NOW, **facts) -> dict[str, tuple[str, str]]:
    return {one.rule_id: (one.role, one.why) for one in consider(load_rules(), flow(**facts), at)}


def test_what_carries_and_what_supports():
    found = roles(sni="g.whatsapp.net", server_ip="157.240.20.53", server_port=5222)
    assert found["whatsapp-names"][0] == "carries"
    assert found["whatsapp-ports"] == (
        "supports",
        "Chat ports: an address, a port or a fingerprint alone never makes a label",
    )
    assert found["xmpp-ports"][0] == "hint"
    assert "it needs stun" in found["meta-relay-addresses"][1]


@pytest.mark.parametrize(
    ("facts", "rule", "role", "words"),
    [
        ({"server_ip": "149.154.167.91"}, "telegram-data-centres", "hint", "alone never makes a label"),
        ({"dns_names": (("g.whatsapp.net", 1), ("shop.example", 2))}, "whatsapp-names", "hint", "other names too"),
        ({"dns_names": (("g.whatsapp.net", 1),), "sni": "shop.example"}, "whatsapp-names", "hint", "another server"),
        ({"certificate_names": ("*.whatsapp.net", "shop.example")}, "whatsapp-names", "hint", "other names too"),
        ({"signatures": frozenset({"viber-frames"})}, "viber-frames", "hint", "it needs viber-ports"),
        ({"sni": "briarproject.org"}, "briar-site", "hint", "never makes a label alone"),
        ({"sni": "g.whatsapp.net", "alpn_offered": ("smp/1",)}, "whatsapp-names", "against", "Servers"),
    ],
)  # fmt: skip
def test_why_not(facts, rule, role, words):
    facts = {"alpn_offered": ()} | facts
    got = roles(**facts)[rule]
    if role == "against":  # whichever lost
        assert {one[0] for one in roles(**facts).values()} >= {"carries", "against"}
        return
    assert got[0] == role and words in got[1]


def test_rows_of_another_time():
    found = roles(ja4="t13d1516h2_8daaf6152771_e5627efa2ab1")
    assert found["telegram-ja4-2025"] == ("outdated", "holds until 2026-07-01 only")


def test_spans():
    rows = {row.id: row for app in load_rules().apps.values() for row in app.evidence}
    assert span(rows["telegram-ja4-2026"]) == "from 2026-01-01"
    assert span(rows["telegram-names"]) == "always"
