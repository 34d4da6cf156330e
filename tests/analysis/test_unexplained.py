"""Why traffic has no label: one reason a flow, the first that holds; nothing lost, nothing counted twice."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.inventory_rows import endpoint_id
from wirecover.analysis.run import analyze
from wirecover.analysis.unexplained import LABELLED, REASONS, TUNNEL_APPS, Parameters, Unexplained
from wirecover.capture.apps.matcher import load_rules
from wirecover.casefile.case import Case

A, B, WEB, UDP = "10.0.0.1", "10.0.0.2", "198.51.100.1", {"transport": "udp"}
CAPTURES = Path(__file__).parents[1] / "captures"
NAME = "harbour-xmpp-turn-h3"


@pytest.fixture
def rows(plain):
    def ask(connection, parameters=None):
        return plain(Unexplained().run(connection, parameters or Parameters()).tables["unexplained"])

    return ask


@pytest.fixture
def reason(traffic, rows):
    """The one reason of one flow with these columns, hello and rows besides."""

    def ask(hello=None, packets=((0, True, 100), (1, False, 100)), capture=None, **columns):
        base = {"app": None, "service": None, "syn_seen": True, "payload_up": 100, "payload_down": 100}
        traffic.flow(A, list(packets), server=columns.pop("server", WEB), **base | columns)
        if hello is not None:
            traffic.hello(1000, 0, 0.1)
            traffic.handshakes[-1] |= {"client_frame": 1} | hello
        traffic.captures[7] |= {"packets": 100, "truncated_packets": 0} | (capture or {})
        [row] = [one for one in rows(traffic.connect()) if one["ip"] == A]
        assert (row["flows"], row["flow_id"], row["first_frame"], row["capture_id"]) == (1, 1000, 1, 7)
        assert row["labelled"] == (row["reason"] in LABELLED)
        return row["reason"]

    return ask


NO_HELLO = {"service": "tls"}
TLS = {"service": "tls", "hello": {}}
CASES = [
    ("application", {"app": "signal", "service": "tls"}),
    ("tunnel-app", {"app": "tor", "service": "tls"}),
    ("tunnel", UDP | {"service": "wireguard"}),
    ("tunnel", {"transport": "esp"}),
    ("control", {"transport": "icmp"}),
    ("no-payload", {"payload_up": 0, "payload_down": 0}),
    ("encrypted-dns", TLS | {"server_port": 853}),
    ("encrypted-dns", TLS | {"hello": {"alpn_offered": ["dot"]}}),
    ("encrypted-dns", TLS | {"hello": {"sni": "DNS.google"}}),
    ("encrypted-dns", TLS | {"hello": {"sni": "abc123.dns.nextdns.io"}}),
    ("other-service", {"service": "http"}),
    ("other-service", UDP | {"service": "dns"}),
    ("media", UDP | {"service": "stun"}),
    ("hint", {"server_port": 5222}),
    ("ech", TLS | {"hello": {"sni": "www.example.org", "ech": "outer"}}),
    ("no-rule", TLS | {"hello": {"sni": "www.example.org"}}),
    ("no-rule", TLS | {"hello": {"sni": "notdns.google.example"}}),
    ("no-name", TLS),
    ("quic-unread", UDP | {"service": "quic"}),
    ("before-capture", NO_HELLO | {"syn_seen": False}),
    ("before-capture", {"syn_seen": None}),
    ("one-sided", NO_HELLO | {"packets": [(0, True, 100)]}),
    ("one-sided", {"packets": [(0, False, 100)]}),
    ("cut", NO_HELLO | {"missing_bytes": 7}),
    ("cut", {"capture": {"truncated_packets": 11}}),
    ("unread", NO_HELLO),
    ("unread", UDP | {"service": "dtls"}),
    ("unknown", {}),
    ("unknown", {"capture": {"truncated_packets": 9}}),
    ("unknown", UDP | {"packets": [(0, True, 100)]}),
    ("unknown", UDP | {"syn_seen": None}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "columns"), CASES, ids=[f"{name}-{place}" for place, (name, _) in enumerate(CASES)]
)
def test_each_reason(reason, expected, columns):
    assert reason(**columns) == expected


def test_every_reason_has_a_case():
    assert {name for name, _ in CASES} == {*LABELLED, *REASONS}


def test_tunnel_labels_are_labels_of_the_rules():
    assert set(TUNNEL_APPS) <= set(load_rules().apps)


def test_a_hint_names_its_applications_and_web_ports_hint_at_none(traffic, rows):
    for number, port in enumerate((5222, 443, 8080)):
        traffic.flow(A, [(number, True, 9)], app=None, service=None, server=WEB, server_port=port, syn_seen=True,
                     payload_up=9, payload_down=1, packets_down=1, client_port=40_000 + number)  # fmt: skip
    hint, rest = rows(traffic.connect())
    assert (hint["reason"], rest["reason"], rest["flows"], rest["apps"]) == ("hint", "unknown", 2, [])
    assert "whatsapp" in hint["apps"]


def test_a_pattern_that_did_not_suffice_is_a_hint(traffic, rows):
    flow = traffic.flow(A, [(0, True, 9)], app=None, service=None, server=WEB, payload_up=9, payload_down=0)
    connection = traffic.connect()
    connection.execute(
        "INSERT INTO app_evidence (capture_id, flow_id, app, kind, frame) VALUES (7, ?, 'tox', 'signature', 1)",
        [flow],
    )
    [row] = rows(connection)
    assert (row["reason"], row["apps"]) == ("hint", ["tox"])


def test_a_handshake_that_another_exhibit_holds_counts_as_seen(traffic, rows):
    first = traffic.flow(
        A, [(0, True, 100), (1, True, 1)], app=None, server=WEB, syn_seen=False, payload_up=1
    )
    second = traffic.flow(A, [(0, True, 100)], app=None, server=WEB, capture=8, payload_up=1)
    traffic.hello(second, 0, 0.1)
    traffic.handshakes[-1] |= {"client_frame": 3, "sni": "www.example.org"}
    [row] = rows(traffic.connect())
    assert (row["reason"], row["flows"], row["flow_id"]) == ("no-rule", 1, first)


def test_an_endpoint_is_who_opened_a_flow_and_both_ends_count(traffic, rows):
    traffic.flow(A, [(0, True, 100)], app=None, service="http", server=B, payload_up=1, payload_down=0)
    traffic.flow(B, [(1, True, 100)], app="signal", server=WEB, client_port=41_000)
    found = {(row["ip"], row["reason"]): row["flows"] for row in rows(traffic.connect())}
    assert found == {(A, "other-service"): 1, (B, "other-service"): 1, (B, "application"): 1}


def test_caps_and_nothing(traffic, plain):
    with pytest.raises(AnalysisError):
        Unexplained().run(traffic.connect(), Parameters(most_endpoints=0))
    found = Unexplained().run(traffic.connect(), Parameters())
    assert found.tables["unexplained"].num_rows == 0 and "nothing to explain" in found.notes[0]
    for number, ip in enumerate((A, B, B)):
        traffic.flow(ip, [(number, True, 10)], app=None, server=WEB, payload_up=1, client_port=number)
    found = Unexplained().run(traffic.connect(), Parameters(most_endpoints=1, most_sockets=0))
    assert {row["ip"] for row in plain(found.tables["unexplained"])} == {B}
    assert found.notes == (
        "1 address with fewest bytes without a label not listed.",
        "1 server with fewest bytes not looked up for hints.",
    )  # fmt: skip


FLOWS = st.lists(
    st.fixed_dictionaries({
        "client": st.sampled_from([A, B]), "app": st.sampled_from([None, None, "signal", "tor"]),
        "service": st.sampled_from([None, "tls", "quic", "dns", "stun", "wireguard"]),
        "transport": st.sampled_from(["tcp", "udp", "icmp"]), "server_port": st.sampled_from([443, 853, 5222]),
        "syn_seen": st.booleans(), "payload_up": st.integers(0, 1), "missing_bytes": st.sampled_from([None, 0, 5]),
        "bytes_up": st.integers(0, 2**40), "bytes_down": st.integers(0, 2**40), "hello": st.booleans(),
    }), min_size=1, max_size=40,
)  # fmt: skip


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FLOWS, st.integers(0, 9))
def test_reasons_add_up_to_what_the_address_has(new_traffic, plain, flows, seed):
    traffic = new_traffic()
    for number, columns in enumerate(flows):
        columns = dict(columns)
        hello, client = columns.pop("hello"), columns.pop("client")
        flow = traffic.flow(
            client, [(number, True, 1)], server=WEB, client_port=number, payload_down=0, **columns
        )
        if hello:
            traffic.hello(flow, number, number)
            traffic.handshakes[-1] |= {"client_frame": 1}
    found = plain(Unexplained().run(traffic.connect(), Parameters()).tables["unexplained"])
    for ip in (A, B):
        own = [columns for columns in flows if columns["client"] == ip]
        some = [row for row in found if row["ip"] == ip]
        assert sum(row["flows"] for row in some) == len(own)
        assert sum(row["bytes"] for row in some) == sum(one["bytes_up"] + one["bytes_down"] for one in own)
        missing = [row for row in some if not row["labelled"]]
        bare = [one for one in own if one["app"] is None]
        assert sum(row["flows"] for row in missing) == len(bare), "total less labelled"
        assert sum(row["bytes"] for row in missing) == sum(
            one["bytes_up"] + one["bytes_down"] for one in bare
        )
        assert [row["place"] for row in some] == sorted({row["place"] for row in some})
    shuffled = plain(Unexplained().run(traffic.connect(shuffle=seed), Parameters()).tables["unexplained"])
    assert shuffled == found


# The bundled recording ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    case = Case.create(tmp_path_factory.mktemp("unexplained") / "case", training=True)
    case.ingest([CAPTURES / f"{NAME}.pcapng", CAPTURES / f"{NAME}-client1.pcap.gz"])
    analyze(case, ["unexplained"])
    with closing(case.connect()) as connection:
        yield connection


def test_sums_of_the_recording_are_those_of_its_flows(recorded):
    want = recorded.execute(
        "SELECT ip, count(*) FILTER (NOT continues), sum(bytes)::BIGINT, "
        "count(*) FILTER (NOT continues AND app IS NULL), coalesce(sum(bytes) FILTER (app IS NULL), 0)::BIGINT FROM ("
        "  SELECT client_ip AS ip, continues, app, bytes_up + bytes_down AS bytes FROM flow_sightings WHERE counted"
        "  UNION ALL SELECT server_ip, continues, app, bytes_up + bytes_down FROM flow_sightings WHERE counted) "
        "WHERE ip IN (SELECT client_ip FROM flow_sightings) GROUP BY ip ORDER BY ip"
    ).fetchall()
    found = recorded.execute(
        "SELECT ip, sum(flows)::BIGINT, sum(bytes)::BIGINT, (sum(flows) FILTER (NOT labelled))::BIGINT, "
        "coalesce(sum(bytes) FILTER (NOT labelled), 0)::BIGINT FROM unexplained GROUP BY ip ORDER BY ip"
    ).fetchall()
    assert [(*row[:3], row[3] or 0, row[4]) for row in found] == want and len(want) > 10


def test_the_visitor_without_a_messenger_has_no_label(recorded):
    truth = json.loads((CAPTURES / f"{NAME}.truth.json").read_text(encoding="utf-8"))
    gil = next(one["ipv4"] for one in truth["endpoints"] if one["name"] == "gil")
    found = dict(recorded.execute("SELECT reason, flows FROM unexplained WHERE ip = ?", [gil]).fetchall())
    visits = [one for one in truth["handshakes"] if one["client_ip"] == gil]
    assert found["no-rule"] == len(visits), "each handshake names a lab server that no rule knows"
    assert not set(found) & set(LABELLED)
    ((identifier,),) = recorded.execute(
        "SELECT DISTINCT endpoint_id FROM unexplained WHERE ip = ?", [gil]
    ).fetchall()
    assert identifier == endpoint_id(gil, None)


def test_one_fact_for_the_case_says_that_absence_is_not_absence_of_use(recorded):
    ((statement, kind),) = recorded.execute("SELECT statement, kind FROM findings").fetchall()
    assert "Absence of a label is not absence of use" in statement and kind == "fact"
    ((frames,),) = recorded.execute("SELECT count(*) FROM finding_frames").fetchall()
    assert frames >= 4
