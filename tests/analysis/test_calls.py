"""Calls on planted traffic: what is one call, what is none, and that order, time and numbering change nothing."""

import json
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirecover.analysis.call_apps import call_app
from wirecover.analysis.call_join import NO_TIES, Ties, chained, groups, islands
from wirecover.analysis.call_parts import JoinParameters
from wirecover.analysis.calls import Calls, Parameters
from wirecover.analysis.errors import AnalysisError

ADA, BEN, RELAY = "192.0.2.1", "192.0.2.2", "203.0.113.5"
ICE = ["USERNAME", "PRIORITY", "ICE-CONTROLLING"]


class Lines:
    """Plants set-up and media of calls in a `Traffic`."""

    def __init__(self, traffic, shift=0.0, reverse=False):
        self.traffic, self.shift, self.reverse = traffic, shift, reverse
        self.ports, self.transactions = count(50_000), count(1)

    def flow(self, client, server=RELAY, server_port=3478, start=0.0, end=1.0, **columns):
        port = columns.pop("client_port", None) or next(self.ports)
        base = {"transport": "udp", "service": "stun", "app": None, "app_confidence": None, "packets_up": 0,
                "packets_down": 0}  # fmt: skip
        return self.traffic.flow(
            client, [], span=(start + self.shift, end + self.shift), server=server, client_port=port,
            server_port=server_port, **base | columns,
        ), port  # fmt: skip

    def stun(self, flow_id, ts, method="binding", kind="request", up=True, **columns):
        flow = next(one for one in self.traffic.flows if one["flow_id"] == flow_id)
        side = "client" if up else "server"
        self.traffic.frame += 1
        self.traffic.stun.append({
            "capture_id": flow["capture_id"], "flow_id": flow_id, "frame": self.traffic.frame,
            "ts": self.traffic.ns(ts + self.shift), "source": f"{flow[f'{side}_ip']}:{flow[f'{side}_port']}",
            "method": method, "class": kind, "transaction_id": f"{next(self.transactions):024x}",
            "attributes": columns.pop("attributes", []), **columns,
        })  # fmt: skip
        flow["packets_up" if up else "packets_down"] += 1

    def media(self, flow_id, start, end, up=True, ssrc=None, packets=None, kind="audio", **columns):
        flow = next(one for one in self.traffic.flows if one["flow_id"] == flow_id)
        packets = packets or max(int((end - start) * 50), 3)
        self.traffic.frame += packets
        self.traffic.media.append({
            "capture_id": flow["capture_id"], "flow_id": flow_id, "payload_type": 111, "up": up,
            "ssrc": ssrc or 0x10000 + self.traffic.frame, "first_ts": self.traffic.ns(start + self.shift),
            "last_ts": self.traffic.ns(end + self.shift), "first_frame": self.traffic.frame - packets + 1,
            "last_frame": self.traffic.frame, "packets": packets, "bytes": packets * 60, "kind": kind,
            "lost": 0, "gaps": 0, "rtcp": True, **columns,
        })  # fmt: skip
        flow["packets_up" if up else "packets_down"] += packets

    def relayed(self, client, start, end, mine, theirs, ssrcs=(1, 2), **columns):
        """One side of a call through a TURN relay: allocation, permission, RTP both ways from start + 2 on."""
        flow, port = self.flow(client, start=start, end=end, **columns)
        self.stun(flow, start, "allocate", attributes=["REQUESTED-TRANSPORT"])
        self.stun(flow, start + 0.1, "allocate", "success", up=False, relayed=f"{RELAY}:{mine}",
                  mapped=f"{client}:{port}")  # fmt: skip
        self.stun(flow, start + 0.5, "create-permission", peer=f"{RELAY}:{theirs}")
        for way, ssrc in zip((True, False), ssrcs, strict=True):
            self.media(flow, start + 2 + 0.02 * way, end, way, ssrc + 0x20000 if ssrc < 0x10000 else ssrc)
        return flow


@pytest.fixture
def lines(traffic):
    return Lines(traffic)


def run(traffic, shuffle=None, parameters=Calls.parameters):
    return Calls().run(traffic.connect(shuffle=shuffle), parameters)


def plain(table):
    """Rows with times in nanoseconds."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(place, field.name, pc.cast(table[field.name], pa.int64()))
    return table.to_pylist()


def calls(traffic, **arguments):
    return plain(run(traffic, **arguments).calls)


def test_two_sides_of_a_relayed_call_are_one(traffic, lines):
    one = lines.relayed(ADA, 10, 40, 60_001, 60_002, (5, 6))
    two = lines.relayed(BEN, 11, 40, 60_002, 60_001, (6, 5))
    found = run(traffic)
    (call,) = plain(found.calls)
    assert (call["state"], call["media"], call["relayed"], call["views"], call["legs"]) == (
        "answered", "audio", True, 2, 2,
    )  # fmt: skip
    assert set(call["party_ips"]) == {ADA, BEN}
    assert f"{RELAY}:60001" in call["peer_addresses"]
    assert (call["setup_ts"], call["end_ts"]) == (traffic.ns(10), traffic.ns(40))
    assert call["answer_ts"] == traffic.ns(12.02)
    assert {row["flow_id"] for row in plain(found.call_flows)} == {one, two}
    assert sorted(found.findings["kind"].to_pylist()) == ["assessment", "fact"]
    frames = set(found.frames["frame"].to_pylist())
    reasons = json.loads(call["details"])["reasons"]
    assert reasons and {one["frame"] for one in reasons} <= frames
    assert sum(one["points"] for one in reasons) >= call["confidence"] > 60


def test_many_set_up_flows_of_one_call_are_one_row(traffic, lines):
    """A messenger asks many relays and servers at once, from sockets of its own."""
    lines.relayed(ADA, 10, 40, 60_001, 60_002, app="signal", app_confidence=90)
    for number in range(20):
        server = f"198.51.100.{number + 1}"
        flow, _ = lines.flow(ADA, server, start=10.1, end=30, app="signal", app_confidence=90)
        lines.stun(flow, 10.1 + number / 100, "allocate", attributes=["REQUESTED-TRANSPORT"])
        lines.stun(
            flow, 10.2 + number / 100, "allocate", "success", up=False, relayed=f"{server}:{7000 + number}"
        )
    (call,) = calls(traffic)
    assert (call["app"], call["legs"], call["state"]) == ("signal", 21, "answered")


def test_calls_of_different_people_through_one_relay_stay_apart(traffic, lines):
    for number in range(6):
        lines.relayed(
            f"192.0.2.{10 + number}", 10, 40, 61_000 + number, 62_000 + number, (10 + number, 30 + number)
        )
    found = calls(traffic)
    assert len(found) == 6 and {call["legs"] for call in found} == {1}
    assert len({call["call_id"] for call in found}) == 6


def test_two_calls_on_one_socket_a_minute_apart_are_two(traffic, lines):
    flow = lines.relayed(ADA, 10, 20, 60_001, 60_002)
    for way in (True, False):
        lines.media(flow, 80, 95, way)
    assert [call["media_ms"] // 1000 for call in calls(traffic)] == [7, 15]


def direct(lines, start=10.0, end=40.0, controlling=ADA, answers=True, **columns):
    flow, _port = lines.flow(ADA, BEN, 41_000, start=start, end=end, **columns)
    for number, up in enumerate((True, False)):
        role = "ICE-CONTROLLING" if (ADA if up else BEN) == controlling else "ICE-CONTROLLED"
        lines.stun(flow, start + 0.01 * number, up=up, username="abcd:efgh" if up else "efgh:abcd",
                   attributes=["USERNAME", "PRIORITY", role])  # fmt: skip
        if answers:
            lines.stun(flow, start + 0.05 + 0.01 * number, "binding", "success", up=not up)
    return flow


@pytest.mark.parametrize("controlling", [ADA, BEN])
def test_a_direct_call_says_who_controls_and_who_is_there(traffic, lines, controlling):
    flow = direct(lines, controlling=controlling)
    for way in (True, False):
        lines.media(flow, 12, 40, way)
    (call,) = calls(traffic)
    assert (call["relayed"], call["caller_ip"]) == (False, controlling)
    assert call["callee_ip"] == ({ADA, BEN} - {controlling}).pop()
    assert call["direction"] == ("outgoing" if call["party_ips"][0] == controlling else "incoming")


def test_roles_that_conflict_leave_the_sides_empty(traffic, lines):
    flow = direct(lines)
    lines.stun(flow, 10.5, attributes=["USERNAME", "PRIORITY", "ICE-CONTROLLED"], username="abcd:efgh")
    for way in (True, False):
        lines.media(flow, 12, 40, way)
    (call,) = calls(traffic)
    assert (call["caller_ip"], call["callee_ip"], call["direction"]) == (None, None, "unknown")


def test_a_call_that_moves_from_the_relay_to_a_direct_path_is_one(traffic, lines):
    lines.relayed(ADA, 10, 20, 60_001, 60_002, client_port=45_000)
    flow, _ = lines.flow(ADA, BEN, 41_000, start=18, end=60, client_port=45_000)
    lines.stun(flow, 18, username="abcd:efgh", attributes=ICE)
    for way in (True, False):
        lines.media(flow, 20, 60, way)
    (call,) = calls(traffic)
    assert (call["legs"], call["end_ts"]) == (2, traffic.ns(60))


def test_a_call_taken_up_on_a_new_socket_is_one_unless_others_are_active(traffic, lines):
    app = {"app": "signal", "app_confidence": 90}
    lines.relayed(ADA, 10, 40, 60_001, 60_002, (5, 6), **app)
    lines.relayed(ADA, 38.5, 70, 60_003, 60_004, (7, 8), **app)
    assert len(calls(traffic)) == 1
    lines.relayed(ADA, 20, 80, 60_005, 60_006, (9, 10), **app)  # somebody else behind the same address
    assert len(calls(traffic)) == 3


@pytest.mark.parametrize("app", ["signal", None])
def test_a_redial_is_another_call(traffic, lines, app):
    percent = None if app is None else 90
    lines.relayed(ADA, 10, 40, 60_001, 60_002, app=app, app_confidence=percent)
    lines.relayed(ADA, 42, 70, 60_003, 60_004, (8, 9), app=app, app_confidence=percent)
    assert len(calls(traffic)) == 2


def test_a_crowd_that_shares_an_address_is_told_as_no_call(traffic, lines):
    for number in range(70):
        lines.relayed(
            f"192.0.2.{10 + number}", 10, 40, 61_000 + number, 61_001 + number, (10 + number, 300 + number)
        )
    found = run(traffic)
    assert found.calls.num_rows == 0
    assert "more than 64 devices" in found.notes[0]


# What is no call -------------------------------------------------------------------------------------------------


def test_keepalives_and_relay_tests_are_no_calls(traffic, lines):
    flow, _ = lines.flow(ADA, end=600)
    for second in range(0, 600, 25):
        lines.stun(flow, second)
        lines.stun(flow, second + 0.02, kind="success", up=False, mapped="198.18.0.1:5000")
    test, _ = lines.flow(BEN, start=50, end=60)
    lines.stun(test, 50, "allocate", attributes=["REQUESTED-TRANSPORT"])
    lines.stun(test, 50.1, "allocate", "success", up=False, relayed=f"{RELAY}:60001")
    lines.stun(test, 51, "create-permission", peer=f"{RELAY}:60002")
    found = run(traffic)
    assert found.calls.num_rows == found.call_flows.num_rows == found.findings.num_rows == 0
    assert found.notes[0].startswith("1 set-up of a path or relay") and found.notes[1] == "No call found."


@pytest.mark.parametrize("app", [None, "signal"])
def test_the_data_of_a_web_page_is_no_call(traffic, lines, app):
    """WebRTC with a data channel alone: ICE and DTLS, many packets both ways, no RTP."""
    flow, _port = lines.flow(
        ADA, BEN, 41_000, start=0, end=60, service="dtls", app=app, app_confidence=app and 90
    )
    lines.stun(flow, 0, username="abcd:efgh", attributes=ICE)
    traffic.handshakes.append({
        "capture_id": 7, "flow_id": flow, "carrier": "dtls", "client_ts": traffic.ns(0.2),
        "server_ts": traffic.ns(0.3), "client_frame": 1, "server_frame": 2,
    })  # fmt: skip
    plant(traffic, flow, 1, 60)
    assert calls(traffic) == []


def plant(traffic, flow, start, end, rate=20, size=120, ratio=1):
    """Packets both ways, `ratio` times as large coming down."""
    for number in range(int((end - start) * rate)):
        for up in (True, False):
            traffic.frame += 1
            traffic.packets.append({
                "capture_id": 7, "flow_id": flow, "frame": traffic.frame,
                "ts": traffic.ns(start + number / rate), "up": up, "payload_bytes": size * (1 if up else ratio),
            })  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "ratio", "rate"),
    [
        ({"service": "quic", "app": "discord"}, 1, 20),  # video, or a page
        ({"service": None, "app": None}, 1, 20),  # a game, a VPN
        ({"service": None, "app": "wireguard"}, 1, 20),
        ({"service": None, "app": "zoom"}, 20, 20),  # a file
        ({"service": None, "app": "zoom"}, 1, 3),  # keepalives and control
        ({"service": "stun", "app": None}, 1, 20),  # a game that asks STUN first
    ],
)
def test_packets_both_ways_alone_are_no_call(traffic, lines, columns, ratio, rate):
    percent = None if columns["app"] is None else 90
    flow, _ = lines.flow(ADA, "198.51.100.9", 8801, end=60, app_confidence=percent, **columns)
    if columns["service"] == "stun":
        lines.stun(flow, 0)
    plant(traffic, flow, 1, 40, rate, ratio=ratio)
    assert calls(traffic) == []


def test_packets_both_ways_of_a_calling_application_are_one(traffic, lines):
    flow, _ = lines.flow(
        ADA, "198.51.100.9", 8801, end=60, service=None, app="zoom", app_confidence=82, packets_up=1
    )
    plant(traffic, flow, 1, 40)
    (call,) = calls(traffic)
    assert (call["app"], call["state"], call["media"]) == ("zoom", "answered", "unknown")
    assert call["packets_out"] == call["packets_in"] == 39 * 20


def test_media_of_one_direction_without_a_label_is_no_call(traffic, lines):
    flow, _ = lines.flow(ADA, "198.51.100.9", 5004, end=60)
    lines.stun(flow, 0, username="abcd:efgh", attributes=ICE)
    lines.media(flow, 1, 60, up=False, kind="video")
    assert calls(traffic) == []


def test_media_without_set_up_needs_voice_or_picture(traffic, lines):
    flow, _ = lines.flow(ADA, BEN, 20_000, end=60, service="rtp")
    for way in (True, False):
        lines.media(flow, 1, 60, way, kind="unknown")
    assert calls(traffic) == []
    traffic.media[0]["kind"] = "audio"
    (call,) = calls(traffic)
    assert (call["relayed"], call["state"]) == (None, "answered")


# Signalling --------------------------------------------------------------------------------------------------------


def zoom(lines, client, kinds, **columns):
    """A meeting over Zoom's relay: streams of these kinds both ways, the sources numbered as in every meeting."""
    flow, _ = lines.flow(
        client, server_port=8801, end=60, service=None, app="zoom", app_confidence=82, **columns
    )
    for number, kind in enumerate(kinds):
        for way in (True, False):
            lines.media(
                flow, 1 + number, 60, way, ssrc=0x01000402 + number, kind=kind, encapsulation="zoom-relay"
            )
    return flow


@pytest.mark.parametrize(
    ("kinds", "said"),
    [(["audio"], "audio"), (["audio", "video"], "video"), (["audio", "video", "screen"], "screen")],
)
def test_zoom_s_headers_say_what_kind_of_call_it_was(traffic, lines, kinds, said):
    zoom(lines, ADA, kinds)
    (call,) = calls(traffic)
    assert (call["app"], call["media"], call["state"]) == ("zoom", said, "answered")


def test_meetings_that_number_their_sources_alike_are_not_one(traffic, lines):
    zoom(lines, ADA, ["audio"])
    zoom(lines, BEN, ["audio"])
    assert len(calls(traffic)) == 2


def test_signal_s_data_channel_alone_is_no_answered_call(traffic, lines):
    flow, _ = lines.flow(ADA, BEN, 5000, end=40, app="signal", app_confidence=70)
    for second in (1, 2, 30):
        lines.stun(flow, second, attributes=ICE)
    for way in (True, False):
        lines.media(flow, 3, 40, way, ssrc=13, payload_type=101, packets=37, kind="unknown")
    assert "answered" not in [call["state"] for call in calls(traffic)]


def talk(traffic, client, bursts, app="xmpp", capture=7):
    """A messenger's connection with bursts (second, up, bytes) and an early start."""
    return traffic.flow(client, [(at, up, size, [23]) for at, up, size in bursts], app=app, capture=capture,
                        span=(-100, 200), server="198.51.100.77")  # fmt: skip


def test_signalling_bursts_tell_the_caller_and_the_unanswered_call(traffic, lines):
    flow, _port = lines.flow(ADA, start=10, end=20)
    lines.stun(flow, 10, "allocate", attributes=["REQUESTED-TRANSPORT"])
    lines.stun(flow, 10.1, "allocate", "success", up=False, relayed=f"{RELAY}:60001")
    lines.stun(flow, 20, "refresh")
    talk(traffic, ADA, [(10.15, True, 1600), (20.02, True, 280)])
    assert calls(traffic)[0]["callee_ip"] is None
    talk(traffic, BEN, [(10.2, False, 1620), (20.1, False, 290)])
    traffic.cover(7, 0, 300)
    (call,) = calls(traffic)
    assert (call["app"], call["state"], call["caller_ip"], call["callee_ip"]) == (
        "xmpp",
        "unanswered",
        ADA,
        BEN,
    )
    assert (call["ring_ts"], call["answer_ts"]) == (traffic.ns(10.2), None)
    talk(traffic, "192.0.2.3", [(10.3, False, 1610)])  # which of the two was called cannot be said
    assert calls(traffic)[0]["callee_ip"] is None


def test_a_relay_test_beside_a_chat_is_no_call(traffic, lines):
    flow, _port = lines.flow(ADA, start=10, end=20)
    lines.stun(flow, 10, "allocate", attributes=["REQUESTED-TRANSPORT"])
    lines.stun(flow, 10.1, "allocate", "success", up=False, relayed=f"{RELAY}:60001")
    lines.stun(flow, 20, "refresh")
    talk(traffic, ADA, [(10.15, True, 300), (14, True, 900), (17, True, 900)])
    assert calls(traffic) == []


@pytest.mark.parametrize(
    ("bursts", "direction"),
    [
        ([(10.1, True, 1600), (11.5, False, 1500)], "outgoing"),
        ([(4, False, 1600), (10.1, True, 1500)], "incoming"),
        ([(4, False, 1600), (10.1, True, 1500), (11.5, False, 900)], "unknown"),
    ],
)
def test_one_side_alone_shows_the_direction_by_the_order_of_two_bursts(traffic, lines, bursts, direction):
    lines.relayed(ADA, 10, 40, 60_001, 60_002)
    talk(traffic, ADA, bursts)
    (call,) = calls(traffic)
    assert call["direction"] == direction
    assert (call["caller_ip"], call["callee_ip"]) == {
        "outgoing": (ADA, None), "incoming": (None, ADA), "unknown": (None, None),
    }[direction]  # fmt: skip


def sip(traffic, flow, at, method, status=None, source=ADA, target=BEN, call_id="x@y", **columns):
    traffic.frame += 1
    traffic.sip.append({
        "capture_id": 7, "flow_id": flow, "frame": traffic.frame, "ts": traffic.ns(at), "method": method,
        "status": status, "source": f"{source}:5060", "target": f"{target}:5060", "call_id": call_id, "cseq": 1,
        **columns,
    })  # fmt: skip


def test_a_sip_dialog_and_its_media_are_one_call(traffic, lines):
    control, _ = lines.flow(ADA, BEN, 5060, end=60, service="sip")
    media, port = lines.flow(ADA, BEN, 20_000, start=15, end=50, service="rtp")
    for way in (True, False):
        lines.media(media, 15, 49, way)
    sip(traffic, control, 10, "INVITE", from_uri="sip:a@x", to_uri="sip:b@y")
    sip(traffic, control, 11, "INVITE", 180, BEN, ADA)
    sip(traffic, control, 14, "INVITE", 200, BEN, ADA)
    sip(traffic, control, 50, "BYE")
    traffic.sdp.append({"capture_id": 7, "flow_id": control, "frame": 1, "ts": traffic.ns(10), "call_id": "x@y",
                        "kind": "audio", "ip": ADA, "port": port})  # fmt: skip
    (call,) = calls(traffic)
    times = [(call[name] - traffic.ns(0)) // 10**9 for name in ("setup_ts", "ring_ts", "answer_ts", "end_ts")]
    assert times == [10, 11, 14, 50]
    assert (call["caller_ip"], call["callee_ip"], call["state"], call["media"]) == (
        ADA,
        BEN,
        "answered",
        "audio",
    )
    assert json.loads(call["details"])["signalling"]["from"] == "sip:a@x"


@pytest.mark.parametrize(
    ("status", "state"),
    [(486, "rejected"), (603, "rejected"), (487, "unanswered"), (503, "failed"), (401, "unknown")],
)
def test_a_sip_dialog_without_media_says_how_it_ended(traffic, lines, status, state):
    control, _ = lines.flow(ADA, BEN, 5060, end=60, service="sip")
    sip(traffic, control, 10, "INVITE")
    sip(traffic, control, 12, "INVITE", status, BEN, ADA)
    (call,) = calls(traffic)
    assert (call["state"], call["answer_ts"], call["caller_ip"]) == (state, None, ADA)


# Names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "app"),
    [
        ([], None),
        ([(0, "signal", 90), (1, "telegram", 95)], "signal"),
        ([(2, "google-meet", 80), (1, "signal", 70)], "signal"),
        ([(2, "google-meet", 80)], "google-meet"),
        ([(0, "meta", 84), (0, "whatsapp", 70)], "meta"),
        ([(0, "whatsapp", 70)], "meta"),
        ([(0, "whatsapp", 90), (1, "meta", 84)], "whatsapp"),
        ([(0, "whatsapp", 90), (1, "messenger", 84)], "meta"),
        ([(1, "messenger", 87)], "messenger"),
    ],
)
def test_calls_of_meta_are_told_apart_only_by_sure_labels(labels, app):
    assert call_app(labels)[0] == app
    assert call_app(reversed(labels))[0] == app


# What must not matter ----------------------------------------------------------------------------------------------


def busy(lines):
    """Several calls, attempts and tests at once."""
    lines.relayed(ADA, 10, 40, 60_001, 60_002, (5, 6), app="signal", app_confidence=90)
    lines.relayed(BEN, 10.5, 40, 60_002, 60_001, (6, 5), app="signal", app_confidence=90)
    lines.relayed("192.0.2.3", 12, 60, 60_011, 60_012, (15, 16))
    flow = direct(lines, 70, 100)
    for way in (True, False):
        lines.media(flow, 72, 100, way)
    test, _ = lines.flow("192.0.2.9", start=50, end=60)
    lines.stun(test, 50, "allocate", attributes=["REQUESTED-TRANSPORT"])


def essence(rows, shift=0):
    """What must not change, times counted from the shift, without ids."""
    times = ("setup_ts", "ring_ts", "answer_ts", "end_ts")
    kept = []
    for row in rows:
        row = {key: value for key, value in row.items() if key not in ("call_id", "details", "statement")}
        kept.append(row | {name: row[name] and row[name] - shift for name in times})
    return kept


def test_the_order_of_rows_changes_nothing(traffic, lines):
    busy(lines)
    straight = run(traffic)
    assert straight.calls.num_rows == 3
    for seed in (1, 2):
        other = run(traffic, shuffle=seed)
        assert other.calls.equals(straight.calls) and other.call_flows.equals(straight.call_flows)
        assert other.findings.equals(straight.findings) and other.frames.equals(straight.frames)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(-1_000_000, 1_000_000_000))
def test_later_or_earlier_is_the_same(new_traffic, seconds):
    found = []
    for shift in (0, seconds):
        traffic = new_traffic()
        busy(Lines(traffic, shift=shift))
        found.append(essence(calls(traffic), shift * 10**9))
    assert found[0] == found[1] and len(found[0]) == 3


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_other_numbers_of_flows_and_exhibits_change_nothing(new_traffic, random):
    traffic = new_traffic()
    busy(Lines(traffic))
    before = essence(calls(traffic))
    ids = [one["flow_id"] for one in traffic.flows]
    renamed = dict(zip(ids, random.sample(range(10_000), len(ids)), strict=True))
    for table in (traffic.flows, traffic.stun, traffic.media, traffic.handshakes):
        for row in table:
            row["flow_id"], row["capture_id"] = renamed[row["flow_id"]], 3
    traffic.captures = {3: traffic.captures[7] | {"capture_id": 3}}
    after = essence(calls(traffic))
    assert [row | {"capture_ids": [3]} for row in before] == after


def test_a_call_in_two_exhibits_is_one_call_with_two_views(traffic, lines):
    for capture in (7, 8):
        lines.relayed(ADA, 10, 40, 60_001, 60_002, (5, 6), capture=capture, client_port=45_000)
    lines.relayed(BEN, 10.5, 40, 60_002, 60_001, (6, 5), capture=8)
    (call,) = calls(traffic)
    assert (call["views"], call["legs"], call["capture_ids"]) == (2, 2, [7, 8])
    assert call["packets_out"] < 1600  # media that two exhibits hold counts once


# The joining itself --------------------------------------------------------------------------------------------------


def array(*values):
    return np.array(values, np.int64)


def test_islands_and_groups():
    piece, key = array(0, 1, 2, 3), array(5, 5, 5, 6)
    found = islands(piece, key, array(0, 5, 100, 0), array(4, 9, 101, 9), 2)
    assert found[0] == found[1] != found[2] and found[3] not in found[:3]
    ties = chained(piece, found, array(0, 5, 100, 0), array(1, 1, 1, 1))
    assert (ties.left.tolist(), ties.right.tolist()) == ([0], [1])
    assert groups(5, NO_TIES).tolist() == [0, 1, 2, 3, 4]
    chain = Ties(array(4, 3, 2, 1), array(3, 2, 1, 0), array(0, 0, 0, 0))
    assert groups(6, chain).tolist() == [0, 0, 0, 0, 0, 5]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 20)), max_size=25),
    st.integers(0, 5),
)
def test_islands_are_those_of_the_plain_rule(rows, gap):
    """Twin: walk each key by start, and begin anew behind a gap."""
    spans = [(key, start, start + length) for key, start, length in rows]
    found = islands(
        array(*range(len(spans))), array(*(one[0] for one in spans)), array(*(one[1] for one in spans)),
        array(*(one[2] for one in spans)), gap,
    )  # fmt: skip
    told, reached, number = {}, {}, 0
    for place in sorted(range(len(spans)), key=lambda one: (spans[one], one)):
        key, start, end = spans[place]
        if key not in reached or start - reached[key] > gap:
            number += 1
            reached[key] = end
        reached[key] = max(reached[key], end)
        told[place] = (key, number)
    pairs = [(told[place], int(found[place])) for place in range(len(spans))]
    assert len({one for one, _ in pairs}) == len({two for _, two in pairs}) == len(set(pairs))


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_groups_are_the_connected_ones(size, pairs):
    pairs = [(one % size, two % size) for one, two in pairs]
    found = groups(
        size, Ties(array(*(a for a, _ in pairs)), array(*(b for _, b in pairs)), array(*[0] * len(pairs)))
    )
    parent = list(range(size))

    def root(one):
        while parent[one] != one:
            one = parent[one]
        return one

    for one, two in pairs:
        parent[max(root(one), root(two))] = min(root(one), root(two))
    assert found.tolist() == [root(one) for one in range(size)]


@pytest.mark.parametrize(
    "wrong",
    [{"split_s": -1}, {"join_s": 50}, {"fewest_per_s": 0}, {"most_ratio": 0}, {"transaction_s": 4000}],
)
def test_parameters_that_make_no_sense_are_refused(wrong):
    with pytest.raises(AnalysisError):
        Parameters(join=JoinParameters(**wrong)).check()
    with pytest.raises(AnalysisError):
        Parameters(most_findings=0).check()


def test_wild_times_do_not_stop_the_run(traffic, lines):
    lines.relayed(ADA, 10, 40, 60_001, 60_002)
    flow, _ = lines.flow(BEN)
    for ns in (-(1 << 62), (1 << 62) + 5):
        lines.stun(flow, 0, username="abcd:efgh", attributes=ICE)
        traffic.stun[-1]["ts"] = ns
    assert len(calls(traffic)) == 1
