"""The detector of endpoints: its tables, findings and notes; and on the bundled recording, what is true of it."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from support.inventories import tell

from wirecover.analysis.errors import AnalysisError
from wirecover.analysis.inventory import Inventory, Parameters
from wirecover.analysis.inventory_rows import endpoint_id
from wirecover.analysis.run import analyze
from wirecover.casefile.case import Case

A, B, WEB = "10.0.0.1", "10.0.0.2", "198.51.100.1"
MAC = "00:1b:21:00:00:01"
CAPTURES = Path(__file__).parents[1] / "captures"
NAME = "harbour-xmpp-turn-h3"


def moved(traffic):
    """One device that is given another address, and a second program."""
    flow = traffic.flow(A, [(0, True, 100), (5, False, 9)], server=WEB)
    traffic.hello(flow, 0, 0.1)
    traffic.handshakes[-1] |= {"client_frame": 1, "ja4": "t13d_a_b"}
    traffic.flow(B, [(100, True, 100)], app=None, server=WEB, client_port=41_000)
    return [
        {"ip": A, "attribute": "mac", "value": MAC, "source": "arp", "frame": 11, "last_ts": 9},
        {"ip": B, "attribute": "mac", "value": MAC, "source": "dhcp", "frame": 12, "first_ts": 99, "last_ts": 99},
        {"ip": B, "attribute": "hostname", "value": "ada", "frame": 13, "first_ts": 99, "last_ts": 101},
        {"ip": B, "attribute": "hostname", "value": "=cmd()|ben\u202e", "frame": 14, "first_ts": 100, "last_ts": 102},
    ]  # fmt: skip


def run(traffic, told, parameters=None, shuffle=None):
    connection = traffic.connect(shuffle=shuffle)
    for row in reversed(told) if shuffle else told:
        tell(connection, traffic.ns(0), **row)
    return Inventory().run(connection, parameters or Parameters())


def test_tables_findings_and_frames(traffic, plain):
    found = run(traffic, moved(traffic))
    tables = {name: plain(table) for name, table in found.tables.items()}
    one, other = sorted(tables["endpoints"], key=lambda row: row["ip"])
    assert (one["endpoint_id"], one["apps"], one["ja4s"], one["macs"]) == (
        endpoint_id(A, None),
        ["signal"],
        ["t13d_a_b"],
        [MAC],
    )
    assert (one["links"], one["warnings"], other["links"], other["warnings"]) == (
        1,
        [],
        1,
        ["names-together"],
    )
    assert other["names"] == ["=cmd()|ben\u202e", "ada"], "as told; escaped where shown"
    [link] = tables["device_links"]
    assert (link["ip"], link["frame"], link["other_ip"], link["other_frame"], link["strength"]) == (
        A,
        11,
        B,
        12,
        "hardware",
    )
    [sign] = tables["endpoint_warnings"]
    assert (sign["ip"], sign["warning"], sign["frame"], sign["other_frame"]) == (B, "names-together", 13, 14)
    assert {(row["ip"], row["attribute"]) for row in tables["endpoint_facts"]} == {
        (A, "mac"), (A, "ja4"), (A, "app"), (B, "mac"), (B, "hostname"),
    }  # fmt: skip
    assessment, fact = sorted(plain(found.findings), key=lambda row: row["kind"])
    assert (assessment["kind"], assessment["subject"], assessment["object"]) == ("assessment", A, B)
    assert (
        "the same hardware address" in assessment["statement"]
        and "may be one piece of hardware" in assessment["statement"]
    )
    assert (fact["kind"], fact["subject"]) == ("fact", B)
    assert {(row["frame"], row["flow_id"]) for row in found.frames.to_pylist()} == {
        (11, None), (12, None), (13, None), (14, None),
    }  # fmt: skip


def test_order_of_rows_changes_nothing(traffic):
    told = moved(traffic)
    straight = run(traffic, told)
    for seed in (1, 2):
        other = run(traffic, told, shuffle=seed)
        assert other.findings == straight.findings and other.frames == straight.frames
        assert other.tables == straight.tables


def test_other_numbers_of_flows_and_exhibits_change_nothing(new_traffic, plain):
    answers = []
    for number, capture in ((0, 7), (5_000, 3)):
        traffic = new_traffic()
        told = [row | {"capture_id": capture} for row in moved(traffic)]
        for row in (*traffic.flows, *traffic.packets, *traffic.handshakes):
            row |= {"flow_id": (row["flow_id"] * 7 + number) % 9_999, "capture_id": capture}
        traffic.captures = {capture: traffic.captures[7] | {"capture_id": capture}}
        tables = {name: plain(table) for name, table in run(traffic, told).tables.items()}
        drop = ("capture_id", "last_capture_id", "other_capture_id", "flow_id", "capture_ids")
        answers.append({name: [{key: value for key, value in row.items() if key not in drop} for row in some]
                        for name, some in tables.items()})  # fmt: skip
    assert answers[0] == answers[1]


def test_caps_are_told(traffic):
    found = run(traffic, moved(traffic), Parameters(most_endpoints=1, most_findings=1, most_values=1))
    assert found.notes == (
        "1 address with fewest flows not listed.", "2 facts beyond the first 1 of an address not listed.",
    )  # fmt: skip
    assert found.tables["endpoints"].num_rows == found.tables["endpoint_facts"].num_rows == 1
    found = run(traffic, moved(traffic), Parameters(most_findings=1))
    assert found.findings.num_rows == 1 and found.notes == (
        "1 link or warning without a finding of its own.",
    )


def test_nothing(traffic):
    found = run(traffic, [])
    assert found.findings.num_rows == 0 and "empty" in found.notes[0]
    for odd in ({"most_endpoints": 0}, {"many_user_agents": 1}, {"clock_tolerance_s": -1}):
        with pytest.raises(AnalysisError):
            run(traffic, [], Parameters(**odd))


# The bundled recording ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    case = Case.create(tmp_path_factory.mktemp("inventory") / "case", training=True)
    case.ingest([CAPTURES / f"{NAME}.pcapng", CAPTURES / f"{NAME}-client1.pcap.gz"])
    analyze(case, ["endpoints"])
    with closing(case.connect()) as connection:
        yield connection


@pytest.fixture(scope="module")
def persons():
    truth = json.loads((CAPTURES / f"{NAME}.truth.json").read_text(encoding="utf-8"))
    return {one["name"]: one for one in truth["endpoints"] if one["side"] == "client"}


def test_hardware_addresses_are_those_of_the_machines(recorded, persons):
    found = dict(recorded.execute("SELECT ip, macs FROM endpoints").fetchall())
    for person in persons.values():
        for ip in filter(None, (person["ipv4"], person["ipv6"])):
            assert found[ip] == [person["mac"]]


def test_links_join_addresses_of_one_machine_and_no_two(recorded, persons):
    machine = {ip: one["mac"] for one in persons.values() for ip in (one["ipv4"], one["ipv6"]) if ip}
    links = recorded.execute("SELECT ip, other_ip, value, reason FROM device_links").fetchall()
    of_persons = [link for link in links if link[0] in machine and link[1] in machine]
    assert {(ip, other) for ip, other, *_ in of_persons} == {
        (persons[name]["ipv4"], persons[name]["ipv6"]) for name in ("cleo", "egon")
    }
    assert all(machine[ip] == machine[other] == value for ip, other, value, _ in of_persons)
    assert {reason for *_, reason in links} == {"mac"}


def test_nobody_but_the_router_is_taken_for_shared(recorded, persons):
    warned = {ip for (ip,) in recorded.execute("SELECT ip FROM endpoint_warnings").fetchall()}
    assert warned and warned.isdisjoint(ip for one in persons.values() for ip in (one["ipv4"], one["ipv6"]))


def test_every_row_names_a_frame_of_its_exhibit(recorded):
    places = ("endpoints", "capture_id", "first_frame"), ("endpoints", "last_capture_id", "last_frame"), \
        ("endpoint_facts", "capture_id", "frame"), ("device_links", "capture_id", "frame"), \
        ("device_links", "other_capture_id", "other_frame"), ("endpoint_warnings", "capture_id", "frame")  # fmt: skip
    for table, capture, frame in places:
        ((rows, right),) = recorded.execute(
            f"SELECT count(*), count(*) FILTER (t.{frame} BETWEEN 1 AND c.packets) FROM {table} t "
            f"LEFT JOIN captures c ON c.capture_id = t.{capture}"
        ).fetchall()
        assert rows == right > 0, table
