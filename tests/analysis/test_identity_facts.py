"""Identity facts: each once, with times, frames, reason and caveat."""

import pytest

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.identity_facts import IdentityFacts, Parameters

A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def run(plain):
    def detect(traffic, parameters=None, dns=(), facts=(), shuffle=None):
        connection = traffic.connect(shuffle=shuffle)
        for flow, frame, ts, name in dns:
            connection.execute(
                "INSERT INTO dns_messages (capture_id, flow_id, frame, ts, is_response, query_name) "
                "VALUES (7, ?, ?, make_timestamp_ns(?), false, ?)", [flow, frame, traffic.ns(ts), name],
            )  # fmt: skip
        for flow, frame, ts, protocol, attribute, value in facts:
            connection.execute(
                "INSERT INTO messenger_facts (capture_id, flow_id, frame, ts, protocol, attribute, value) "
                "VALUES (7, ?, ?, make_timestamp_ns(?), ?, ?, ?)",
                [flow, frame, traffic.ns(ts), protocol, attribute, value],
            )  # fmt: skip
        found = IdentityFacts().run(connection, parameters or Parameters())
        return found, plain(found.findings)

    return detect


def named(traffic, client, name, start, app=None, **columns):
    flow = traffic.flow(client, [(start, True, 100)], app=app, **columns)
    traffic.hello(flow, start, start + 0.1)
    frame = traffic.frame
    traffic.handshakes[-1] |= {"client_frame": frame, "sni": name}
    return flow, frame


def test_a_department_is_stated_once_with_its_frames(traffic, run):
    name = "matrix.agent.interieur.tchap.gouv.fr"
    flows = [named(traffic, A, name, start, "tchap") for start in (0, 60)]
    named(traffic, B, "www.example.org", 5)
    found, [row] = run(traffic)
    assert (row["kind"], row["subject"], row["app"]) == ("fact", A, "tchap")
    assert (row["details"]["attribute"], row["details"]["value"]) == ("Tchap department", "interieur")
    assert (row["first_ts"], row["last_ts"], row["details"]["times"]) == (traffic.ns(0), traffic.ns(60), 2)
    assert name in row["statement"] and "seen 2 times" in row["statement"] and "Reason:" in row["statement"]
    assert [(one["flow_id"], one["frame"]) for one in found.frames.to_pylist()] == flows
    assert run(traffic, shuffle=5)[0].findings == found.findings


def test_a_question_to_dns_tells_as_well(traffic, run):
    flow = traffic.flow(A, [], app=None, server="10.0.0.53", service="dns", transport="udp", server_port=53)
    _, rows = run(
        traffic,
        dns=[(flow, 3, 1, "config.rcs.mnc001.mcc208.jibecloud.net"), (flow, 4, 2, "www.example.org")],
    )
    assert [(row["details"]["value"], row["details"]["times"]) for row in rows] == [("MCC 208 MNC 001", 1)]


def test_the_public_address_by_stun_and_discord(traffic, run):
    flow = traffic.flow(A, [(0, True, 20)], app="discord", server="192.0.2.9", service="stun", transport="udp",
                        server_port=3478)  # fmt: skip
    base = {
        "capture_id": 7,
        "flow_id": flow,
        "frame": 1,
        "ts": traffic.ns(0),
        "method": "binding",
        "class": "success",
    }
    traffic.stun += [
        base | {"source": "192.0.2.9:3478", "mapped": "203.0.113.7:5000"},
        base | {"source": "192.0.2.9:3478", "mapped": "203.0.113.7:5001", "frame": 2},
        base | {"source": "192.0.2.9:3478", "mapped": f"{A}:5001", "frame": 3},  # not translated
        base
        | {"source": f"{A}:5000", "mapped": "203.0.113.99:5001", "frame": 4},  # the client tells the server
    ]
    _, rows = run(
        traffic,
        facts=[
            (flow, 5, 1, "discord", "public_address", "203.0.113.7:6000"),
            (flow, 6, 1, "mtproto", "auth_key_id", "present"),
            (flow, 7, 1, "mtproto", "auth_key_id", "8877665544332211"),
            (flow, 8, 1, "unheard-of", "x", "y"),
        ],
    )
    got = {(row["details"]["attribute"], row["details"]["value"], row["details"]["source"]) for row in rows}
    assert got == {
        ("public address", "203.0.113.7", "192.0.2.9"),
        ("public address", "203.0.113.7", "discord"),
        ("Telegram key id", "8877665544332211", "mtproto"),
    }


def test_the_relay_user_of_session(traffic, run):
    flow = traffic.flow(A, [(0, True, 20)], app="session", service="stun", transport="udp")
    traffic.stun.append(
        {"capture_id": 7, "flow_id": flow, "frame": 1, "ts": traffic.ns(0), "username": "session202111"}
    )
    [row] = run(traffic)[1]
    assert row["details"]["attribute"] == "relay user of Session"


def test_nothing_to_tell_and_too_much(traffic, run):
    found, rows = run(traffic)
    assert rows == [] and "No name" in found.notes[0]
    for number in range(3):
        named(traffic, A, f"matrix.agent.d{number}.tchap.gouv.fr", number)
    found, rows = run(traffic, Parameters(most_findings=2))
    assert len(rows) == 2 and found.notes == ("1 identity fact seen least often not listed.",)
    with pytest.raises(AnalysisError, match="most_findings"):
        run(traffic, Parameters(most_findings=0))
