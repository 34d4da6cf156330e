"""Fake TLS: named when the Finished message is missing, and not for what TLS may do."""

import pytest

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.fake_tls import PLAIN_SERVER_HELLO, FakeTls, Parameters

A, PROXY = "10.0.0.1", "198.51.100.9"
UP, DOWN = True, False


def connect(traffic, first, *, start=0.0, hello=512, rest=(), client=A, **facts):
    """One TLS 1.3 connection whose client writes records of these lengths after the server's flight."""
    times = [
        (start, UP, 0),
        (start + 0.1, DOWN, 0),
        *[(start + 0.2 + n / 10, UP, 0) for n in range(1 + len(rest))],
    ]
    flow = traffic.flow(client, times, app=None, server=PROXY, syn_seen=True, **facts.pop("flow", {}))
    rows = [row for row in traffic.packets if row["flow_id"] == flow]
    for row, (kind, length) in zip(
        rows, [(22, hello), (22, 90), (23, first), *[(23, one) for one in rest]], strict=True
    ):
        row["record_types"], row["record_bytes"], row["payload_bytes"] = [kind], [length], length + 5
    traffic.hello(flow, start, start + 0.1)
    traffic.handshakes[-1] |= {
        "client_frame": rows[0]["frame"], "server_frame": rows[1]["frame"], "cipher": "TLS_AES_128_GCM_SHA256",
        "sni": "www.example.org", "early_data": False,
    } | facts  # fmt: skip
    return flow


@pytest.fixture
def run(plain):
    def detect(traffic, parameters=None, **how):
        found = FakeTls().run(traffic.connect(**how), parameters or Parameters())
        return found, plain(found.findings)

    return detect


def test_data_in_place_of_the_finished_message(traffic, run):
    connect(traffic, 300, rest=[64])
    connect(traffic, 200, start=50)
    found, rows = run(traffic)
    [row] = rows
    assert (row["kind"], row["subject"], row["object"], row["score"]) == ("assessment", A, PROXY, 1.0)
    assert row["details"]["reasons"] == {"ClientHello of 517 bytes": 2, "no Finished message": 2}
    assert row["details"]["first_record_lengths"] == [200, 300]
    assert "2 connections of 2" in row["statement"] and "www.example.org" in row["statement"]
    assert [one["role"] for one in found.frames.to_pylist()].count("ClientHello") == 2
    assert found.notes == ("2 TLS 1.3 connections recorded whole from its SYN on were tested.",)
    assert run(traffic, shuffle=3)[0].findings == found.findings


@pytest.mark.parametrize(
    ("first", "facts"),
    [
        (53, {}),
        (69, {"cipher": "TLS_AES_256_GCM_SHA384"}),
        (45, {"cipher": "TLS_AES_128_CCM_8_SHA256"}),
        (63, {}),  # too short for fake TLS
        (300, {"early_data": True}),
        (300, {"version": "TLS 1.2"}),
        (300, {"hello": 600}),  # no further reason
        (300, {"flow": {"missing_bytes": 1}}),
        (300, {"cipher": None}),
    ],
)
def test_what_ordinary_tls_may_look_like(traffic, run, first, facts):
    connect(traffic, first, **facts)
    assert run(traffic)[1] == []


def test_a_client_certificate_in_records_of_its_own(traffic, run):
    connect(traffic, 1200, rest=[300, 53])
    assert run(traffic)[1] == []


def test_one_odd_connection_among_many_is_no_assessment(traffic, run):
    connect(traffic, 300)
    connect(traffic, 53, start=50)
    assert run(traffic)[1] == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"ja3s": PLAIN_SERVER_HELLO}, "ServerHello with two extensions only"),
        ({"ja4": "t13d1516h2_8daaf6152771_e5627efa2ab1"}, "ClientHello of Telegram's template"),
    ],
)
def test_further_reasons(traffic, run, facts, reason):
    connect(traffic, 300, hello=600, **facts)
    [row] = run(traffic)[1]
    assert set(row["details"]["reasons"]) == {"no Finished message", reason}


def test_the_least_number_of_reasons_is_a_parameter(traffic, run):
    connect(traffic, 300, hello=600)
    assert run(traffic)[1] == []
    assert len(run(traffic, Parameters(further_reasons=0))[1]) == 1
    with pytest.raises(AnalysisError, match="further_reasons"):
        run(traffic, Parameters(further_reasons=9))
