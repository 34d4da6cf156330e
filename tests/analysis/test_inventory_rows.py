"""Endpoints as they are read: what belongs to which address and network, and nothing twice."""

import pytest
from support.inventories import fact, tell

from wirecover.analysis.inventory_rows import Endpoint, endpoint_id, parsed, read_inventory
from wirecover.analysis.sightings import prepare_sightings

A, B, WEB = "10.0.0.1", "10.0.0.2", "198.51.100.1"


def read(connection, most=100) -> dict[tuple[str, str | None], Endpoint]:
    found, total = read_inventory(connection, prepare_sightings(connection, 2.0), most)
    assert total >= len(found)
    return {one.key: one for one in found}


def layer(traffic, flow, up, identifier, kind="vxlan", position=0):
    return {"capture_id": 7, "flow_id": flow, "up": up, "kind": kind, "position": position, "identifier": identifier,
            "first_frame": 1}  # fmt: skip


def insert(connection, table, rows):
    for row in rows:
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values())
        )


def test_who_opened_a_flow_is_listed_with_its_volume_and_frames(traffic):
    traffic.flow(A, [(0, True, 100), (1, False, 50)], server=WEB)
    traffic.flow(A, [(9, True, 10)], server="198.51.100.2", client_port=40_001)
    found = read(traffic.connect())
    assert set(found) == {(A, None)}, "servers are not"
    one = found[A, None]
    assert (one.flows, one.opened, one.peers, one.sent, one.received) == (2, 2, 2, 110 + 2 * 66, 50 + 66)
    assert (one.first.frame, one.last.frame) == (1, 3)
    assert (one.first_ns, one.last_ns) == (traffic.ns(0), traffic.ns(9))


def test_a_server_that_is_a_client_elsewhere_has_both_sides(traffic):
    traffic.flow(A, [(0, True, 100)], server=B)
    traffic.flow(B, [(5, True, 10)], server=WEB)
    one = read(traffic.connect())[B, None]
    assert (one.flows, one.opened, one.sent, one.received) == (2, 1, 76, 166)
    assert {(it.attribute, it.value) for it in one.facts} == {("app", "signal"), ("app-as-server", "signal")}


def test_what_two_exhibits_recorded_counts_once(traffic):
    for capture in (7, 8):
        traffic.flow(A, [(0, True, 100), (9, True, 1)], server=WEB, capture=capture)
    one = read(traffic.connect())[A, None]
    assert (one.flows, one.sent, one.captures) == (1, 101 + 2 * 66, {7, 8})
    assert {it.times for it in one.facts} == {1}


def test_virtual_networks_are_different_endpoints(traffic):
    flows = [traffic.flow(A, [(at, True, 100)], server=WEB, community_id=f"1:{at}") for at in (0, 1, 2)]
    connection = traffic.connect()
    insert(connection, "tunnels", [
        layer(traffic, flows[0], True, 5), layer(traffic, flows[0], False, 6),
        layer(traffic, flows[1], True, 7), layer(traffic, flows[1], True, 9, position=2),
        layer(traffic, flows[2], True, 100, kind="gtp-u"),
    ])  # fmt: skip
    assert set(read(connection)) == {(A, "vxlan 6"), (A, "vxlan 7 / vxlan 9"), (A, None)}


def test_what_is_told_without_a_network_is_placed_with_care(traffic):
    flows = [traffic.flow(ip, [(at, True, 100)], server=WEB, community_id=f"1:{at}")
             for at, ip in enumerate((A, A, B))]  # fmt: skip
    connection = traffic.connect()
    insert(connection, "tunnels", [layer(traffic, flow, False, number) for number, flow in enumerate(flows)])
    for ip in (A, B):
        tell(
            connection,
            traffic.ns(0),
            ip=ip,
            attribute="mac",
            value="00:1b:21:00:00:01",
            source="arp",
            frame=8,
        )
    found = read(connection)
    assert {key for key, one in found.items() if one.told("mac")} == {(A, None), (B, "vxlan 2")}
    assert found[A, None].flows == 0


def test_an_address_that_only_speaks_of_itself_is_listed_but_not_a_web_server(traffic):
    connection = traffic.connect()
    tell(connection, traffic.ns(0), ip=A, attribute="hostname", value="ada", last_ts=60, frame=4)
    tell(connection, traffic.ns(0), ip=WEB, attribute="server", value="nginx", source="http")
    tell(connection, traffic.ns(0), ip="224.0.0.251", attribute="hostname", value="x", source="mdns")
    found = read(connection)
    assert set(found) == {(A, None)}
    one = found[A, None]
    assert (one.flows, one.first.frame, one.first.flow, one.values("name")) == (0, 4, None, ["ada"])
    assert (one.first_ns, one.last_ns) == (traffic.ns(0), traffic.ns(60))


def test_facts_from_every_source(traffic):
    flow = traffic.flow(A, [(0, True, 100)], app="telegram", server=WEB)
    traffic.hello(flow, 0, 0.1)
    traffic.handshakes[-1] |= {
        "client_frame": 2,
        "ja4": "t13d_a_b",
        "client_certificate_sha256s": ["ab", "cd"],
    }
    side = {"capture_id": 7, "flow_id": flow}
    traffic.stun.append(
        side | {"frame": 5, "ts": traffic.ns(1), "source": f"{A}:40000", "software": "libjingle"}
    )
    traffic.stun.append(
        side | {"frame": 6, "ts": traffic.ns(1), "source": f"{WEB}:3478", "software": "coturn"}
    )
    traffic.sip.append(side | {"frame": 7, "ts": traffic.ns(1), "source": f"{A}:5060", "from_uri": "sip:a@x"})
    connection = traffic.connect()
    insert(connection, "quic_handshakes", [side | {"frame": 3, "user_agent": "Chrome/1"}])
    insert(connection, "ssh_handshakes", [side | {"client_frame": 4, "server_frame": 5, "client_software": "Open",
                                                  "server_software": "Other"}])  # fmt: skip
    connection.execute("INSERT INTO subscribers (ip, kind, identity, first_ts, last_ts, source, capture_id, frame) "
                       "VALUES (?, 'imsi', '206', make_timestamp_ns(?), make_timestamp_ns(?), 'radius', 7, 9)",
                       [A, traffic.ns(0), traffic.ns(1)])  # fmt: skip
    connection.execute("INSERT INTO messenger_facts (capture_id, flow_id, frame, ts, protocol, attribute, value) "
                       "VALUES (7, ?, 8, make_timestamp_ns(?), 'mtproto', 'auth_key_id', '88')",
                       [flow, traffic.ns(1)])  # fmt: skip
    one = read(connection)[A, None]
    assert {(it.kind, it.attribute, it.value, it.place.frame) for it in one.facts} == {
        ("app", "app", "telegram", 1), ("ja4", "ja4", "t13d_a_b", 2), ("identity", "client-certificate", "ab", 2),
        ("software", "user-agent", "Chrome/1", 3), ("software", "ssh-software", "Open", 4),
        ("software", "stun-software", "libjingle", 5), ("identity", "sip-from", "sip:a@x", 7),
        ("identity", "imsi", "206", 9), ("identity", "Telegram key id", "88", 8),
    }  # fmt: skip


def test_dtls_inside_of_stun_does_not_say_whose_hello_it_is(traffic):
    for service, ip in (("stun", A), ("dtls", B)):
        flow = traffic.flow(ip, [(0, True, 100)], app=None, service=service, transport="udp", server=WEB)
        traffic.hello(flow, 0, 0.1)
        traffic.handshakes[-1] |= {"client_frame": 2, "ja4": "dd2_a_b", "carrier": "dtls"}
    found = read(traffic.connect())
    assert (found[A, None].values("ja4"), found[B, None].values("ja4")) == ([], ["dd2_a_b"])


def test_a_prefix_of_a_subscriber_is_of_the_addresses_inside(traffic):
    inside, outside = "2001:db8:1:2::9", "2001:db8:1:3::9"
    for ip in (inside, outside):
        traffic.flow(ip, [(0, True, 100)], server="2001:db8::1")
    connection = traffic.connect()
    for prefix in ("2001:db8:1:2::/64", "2001:db8::/32", "nonsense/64"):
        connection.execute("INSERT INTO subscribers (ip, kind, identity, first_ts, last_ts, source, capture_id, frame) "
                           "VALUES (?, 'imsi', ?, make_timestamp_ns(1), make_timestamp_ns(2), 'gtpv2', 7, 9)",
                           [prefix, prefix])  # fmt: skip
    found = read(connection)
    assert [it.value for it in found[inside, None].told("imsi")] == ["2001:db8:1:2::/64"]
    assert found[outside, None].told("imsi") == []


def test_the_busiest_are_kept(traffic):
    for number, ip in enumerate((A, B, B)):
        traffic.flow(ip, [(number, True, 100)], server=WEB, client_port=40_000 + number)
    connection = traffic.connect()
    found, total = read_inventory(connection, prepare_sightings(connection, 2.0), 1)
    assert ([one.ip for one in found], total) == ([B], 2)


@pytest.mark.parametrize("ip", ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "x", ""])
def test_addresses_of_nobody(ip):
    assert parsed(ip) is None


def test_ids_depend_on_address_and_network_alone():
    ids = {endpoint_id(A, None), endpoint_id(A, "vxlan 5"), endpoint_id(B, None)}
    assert len(ids) == 3 and all(0 <= one < 2**63 for one in ids)
    assert endpoint_id(A, None) == endpoint_id(A, None)


def test_certificates_of_calls_are_no_identity():
    assert fact("client-certificate", "ab", "dtls").kind == "other"
