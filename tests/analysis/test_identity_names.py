"""What names tell, and what they do not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.analysis.identity_names import read_name


def told(name, app=None, port=443):
    return [(one.attribute, one.value, one.app) for one in read_name(name, app, port)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("matrix.agent.interieur.tchap.gouv.fr", [("Tchap department", "interieur", "tchap")]),
        ("matrix.agent.dev-durable.tchap.gouv.fr.", [("Tchap department", "dev-durable", "tchap")]),
        ("www.tchap.gouv.fr", []),
        ("tchap.gouv.fr", []),
        ("interieur.tchap.gouv.fr.example.org", []),
        ("config.rcs.mnc001.mcc208.jibecloud.net", [("home operator", "MCC 208 MNC 001", "rcs")]),
        ("config.rcs.mnc020.mcc234.pub.3gppnetwork.org", [("home operator", "MCC 234 MNC 020", "rcs")]),
        ("epdg.epc.mnc010.mcc208.pub.3gppnetwork.org", [("home operator", "MCC 208 MNC 010", None)]),
        ("mnc1.mcc208.pub.3gppnetwork.org", []),
        ("gb.ee.rcs.telephony.goog", [("home operator", "ee (gb)", "rcs")]),
        ("fp-de-carrier-vodafone.rcs.telephony.goog", [("home operator", "vodafone (de)", "rcs")]),
        ("rcs.telephony.goog", []),
        ("mediator-4.threema.ch", [("Threema device group id prefix", "4", "threema")]),
        ("safe-3f.threema.ch", [("Threema backup id prefix", "3f", "threema")]),
        ("safe-server.threema.ch", []),
        ("_xmpp-client._tcp.example.org", [("XMPP home server", "example.org", "xmpp")]),
        ("_matrix-fed._tcp.example.org", [("Matrix home server", "example.org", "matrix")]),
        ("www.example.org", []),
        ("", []),
        (".", []),
    ],
)
def test_names(name, expected):
    assert told(name) == expected


def test_home_servers_by_label_and_port():
    assert told("chat.example.org", "xmpp") == [("XMPP home server", "chat.example.org", "xmpp")]
    assert told("example.ems.host", "matrix") == [("Matrix home server", "example.ems.host", "matrix")]
    assert told("element.io", "matrix") == []
    assert told("hs.example.org", None, 8448) == [("Matrix home server", "hs.example.org", None)]


def test_a_reason_and_a_caveat_always():
    for name in ("matrix.agent.pm.tchap.gouv.fr", "us.pfi.rcs.telephony.goog", "_xmpps-client._tcp.a.b"):
        for one in read_name(name, None, 443):
            assert one.reason and one.caveat and one.source == name


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=80), st.sampled_from(["", ".tchap.gouv.fr", ".rcs.telephony.goog", ".threema.ch"]))
def test_any_name(text, tail):
    for one in read_name(text + tail, None, 443):
        assert one.value
