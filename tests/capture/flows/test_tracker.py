"""The rules of flows: what belongs together, what ends, who is the client, and what is counted."""

import ipaddress
from typing import Any

import communityid
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.followed import Followed, follow
from support.traffic import (
    ACK,
    FIN,
    MS,
    RST,
    SECOND,
    START,
    SYN,
    Connection,
    Frame,
    ethernet,
    ipv4,
    ipv6,
    packet,
    tcp,
    udp,
)

from wirecover.capture.flows import tracker as tracker_module
from wirecover.capture.flows.endpoints import community_id

A, B = "10.0.0.2", "192.0.2.10"


def datagram(
    source: str, sport: int, target: str, dport: int, ts: int, data: bytes = b"text", **more: int
) -> Frame:
    return Frame(packet(source, target, 17, udp(sport, dport, data, **more)), ts)


def spans(found: Followed) -> list[tuple[int, int]]:
    return [(flow["first_frame"], flow["last_frame"]) for flow in found.flows]


def test_both_directions_are_one_flow() -> None:
    found = follow(Connection().open().say(True, b"ask").say(False, b"answer!").close().frames)
    (flow,) = found.flows
    assert (flow["client_ip"], flow["client_port"], flow["server_ip"], flow["server_port"]) == (
        A,
        40000,
        B,
        443,
    )
    assert (flow["packets_up"], flow["packets_down"], flow["payload_up"], flow["payload_down"]) == (
        5,
        3,
        3,
        7,
    )
    assert (flow["bytes_up"], flow["bytes_down"]) == (5 * 54 + 3, 3 * 54 + 7)
    assert (flow["syn_seen"], flow["fin_seen"], flow["rst_seen"], flow["client_by"]) == (
        True,
        True,
        False,
        "syn",
    )
    assert [(row["frame"], row["up"], row["payload_bytes"]) for row in found.packets] == [
        (4, True, 3),
        (5, False, 7),
    ]
    assert (flow["first_ts"], flow["last_ts"]) == (START, START + 7 * MS)


def test_tcp_and_udp_of_one_tuple_are_two_flows() -> None:
    frames = [datagram(A, 5, B, 6, START), Frame(packet(A, B, 6, tcp(5, 6, 1, 1, ACK, b"x")), START)]
    assert [flow["transport"] for flow in follow(frames).flows] == ["udp", "tcp"]


def test_the_same_numbers_in_another_ip_version_are_another_flow() -> None:
    frames = [
        datagram("0.0.0.1", 5, "0.0.0.2", 6, START),
        Frame(ethernet(ipv6("::1", "::2", 17, udp(5, 6, b"x")), 0x86DD), START),
    ]
    assert [flow["client_ip"] for flow in follow(frames).flows] == ["0.0.0.1", "::1"]


def test_a_syn_on_a_closed_connections_ports_starts_another_flow() -> None:
    line = Connection().open().say(True, b"one").close()
    line.up, line.down = 777_000, 888_000
    line.open().say(True, b"two")
    assert spans(follow(line.frames)) == [(1, 7), (8, 11)]


def test_a_syn_sent_twice_does_not() -> None:
    line = Connection()
    line.segment(True, line.up, 0, SYN)
    line.open().say(True, b"one")
    found = follow(line.frames)
    assert spans(found) == [(1, 5)]
    assert found.flows[0]["rtt_us"] is None  # which of the two was answered cannot be known (Karn)


@pytest.mark.parametrize(
    ("flags", "silence", "flows"),
    [(0, 7199, 1), (0, 7201, 2), (FIN, 119, 1), (FIN, 121, 2), (RST, 121, 2)],
)
def test_silence_ends_a_tcp_flow(flags: int, silence: int, flows: int) -> None:
    """Two hours while open, two minutes once both sides have closed or one has reset."""
    line = Connection().open().say(True, b"one")
    if flags == FIN:
        line.close()
    elif flags == RST:
        line.segment(False, line.down, line.up, RST | ACK)
    line.ts = line.frames[-1].ts + silence * SECOND
    line.say(True, b"two")
    for sizes in (None, [1]):
        assert len(follow(line.frames, sizes=sizes).flows) == flows


@pytest.mark.parametrize(("silence", "flows"), [(299, 1), (301, 2)])
def test_five_minutes_of_silence_end_a_udp_flow(silence: int, flows: int) -> None:
    frames = [datagram(A, 5, B, 6, START), datagram(B, 6, A, 5, START + silence * SECOND)]
    for sizes in (None, [1]):
        assert len(follow(frames, sizes=sizes).flows) == flows


def test_one_wild_time_ends_no_flow() -> None:
    """A packet stamped a year ahead (a clock set, a damaged record); the results cannot depend on batches."""
    frames = [datagram(A, 5, B, 6, START + i * SECOND) for i in range(20)]
    frames.insert(5, datagram("10.7.7.7", 9, B, 9, START + 365 * 86400 * SECOND))
    assert spans(follow(frames)) == [(1, 21), (6, 6)]
    assert spans(follow(frames, sizes=[3])) == [(1, 21), (6, 6)]


# --- who is the client -------------------------------------------------------------------------------


def first_client(frame: Frame, *more: Frame) -> tuple[str, int, str]:
    flow = follow([frame, *more]).flows[0]
    return flow["client_ip"], flow["client_port"], flow["client_by"]


def segment(source: str, sport: int, target: str, dport: int, flags: int, data: bytes = b"") -> Frame:
    return Frame(packet(source, target, 6, tcp(sport, dport, 100, 200, flags, data)), START)


def test_the_sender_of_the_syn_is_the_client_whatever_the_ports() -> None:
    assert first_client(segment(B, 443, A, 50000, SYN)) == (B, 443, "syn")


def test_an_answered_syn_that_was_not_recorded_counts() -> None:
    assert first_client(segment(B, 50000, A, 40000, SYN | ACK)) == (A, 40000, "syn")


def test_the_sender_of_the_client_hello_is_the_client() -> None:
    hello = b"\x16\x03\x01\x00\x10\x01\x00\x00\x0c\x03\x03" + bytes(10)
    assert first_client(segment(B, 443, A, 50000, ACK, hello)) == (B, 443, "hello")
    answer = b"\x16\x03\x03\x00\x10\x02\x00\x00\x0c\x03\x03" + bytes(10)
    assert first_client(segment(B, 50000, A, 443, ACK, answer)) == (A, 443, "hello")


@pytest.mark.parametrize(
    ("sport", "dport", "client"),
    [(443, 50000, (B, 50000, "port")), (50000, 443, (A, 50000, "port")), (5222, 50000, (B, 50000, "port")),
     (5222, 6000, (A, 5222, "first")), (50000, 60000, (A, 50000, "first")), (53, 500, (A, 53, "first"))],
)  # fmt: skip
def test_else_the_ephemeral_port_else_who_spoke_first(
    sport: int, dport: int, client: tuple[str, int, str]
) -> None:
    for frames in ([segment(A, sport, B, dport, ACK, b"x")], [datagram(A, sport, B, dport, START)]):
        assert first_client(frames[0]) == client


# --- what is counted ---------------------------------------------------------------------------------


def test_the_round_trip_is_from_syn_to_the_handshakes_last_acknowledgement() -> None:
    line = Connection(step=20 * MS + 1500).open()
    assert follow(line.frames).flows[0]["rtt_us"] == 40003


def test_vlan_and_tunnel_of_the_first_packet() -> None:
    inner = ipv4(A, B, 17, udp(5, 6, b"x"))
    frame = Frame(
        b"\x02" * 12 + b"\x81\x00\x00\x2a\x08\x00" + ipv4("1.1.1.1", "2.2.2.2", 47, b"\0\0\x08\0" + inner)
    )
    (flow,) = follow([frame]).flows
    assert (flow["vlan"], flow["tunnel"], flow["client_ip"]) == (42, "gre", A)


def test_later_fragments_join_the_flow_of_their_first() -> None:
    whole = udp(5, 6, bytes(2000))
    parts = [
        Frame(ethernet(ipv4(A, B, 17, whole[:1000], ident=9, fragment=0x2000))),
        Frame(ethernet(ipv4(A, B, 17, whole[1000:1800], ident=9, fragment=0x2000 | 125))),
        Frame(ethernet(ipv4(A, B, 17, whole[1800:], ident=9, fragment=225))),
        Frame(ethernet(ipv4(A, B, 17, whole[1800:], ident=10, fragment=225))),
    ]
    found = follow(parts)
    (flow,) = found.flows
    assert (flow["packets_up"], flow["payload_up"], found.fragments_lost) == (3, 2000, 1)


def six_fragment(source: str, data: bytes, offset: int, more: bool) -> Frame:
    header = bytes((17, 0)) + (offset | more).to_bytes(2, "big") + (0x77).to_bytes(4, "big")
    return Frame(ethernet(ipv6(source, "2001:db8:ffff::1", 44, header + data), 0x86DD))


def test_fragments_of_two_hosts_that_differ_in_their_prefix_only() -> None:
    """2001:db8:1::1 and 2001:db8:2::1, both numbering their first datagram alike."""
    one, other = udp(5, 6, bytes(1000)), udp(7, 8, bytes(1000))
    found = follow([
        six_fragment("2001:db8:1::1", one[:800], 0, True),
        six_fragment("2001:db8:2::1", other[:800], 0, True),
        six_fragment("2001:db8:1::1", one[800:], 800, False),
        six_fragment("2001:db8:2::1", other[800:], 800, False),
    ])  # fmt: skip
    assert [(flow["client_port"], flow["payload_up"]) for flow in found.flows] == [(5, 1000), (7, 1000)]


# --- community ids -----------------------------------------------------------------------------------

fours = st.integers(0, 2**32 - 1)
sixes = st.integers(0, 2**128 - 1)
ports = st.integers(0, 65535)


def text_of(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([4, 6]), st.data(), st.sampled_from([6, 17, 132]), ports, ports, st.booleans()
)  # fmt: skip
def test_community_ids_are_those_of_the_reference(
    version: int, data: st.DataObject, protocol: int, sport: int, dport: int, same: bool
) -> None:
    addresses = fours if version == 4 else sixes
    one = data.draw(addresses)
    other = one if same else data.draw(addresses)
    maker = {
        6: communityid.FlowTuple.make_tcp,
        17: communityid.FlowTuple.make_udp,
        132: communityid.FlowTuple.make_sctp,
    }
    expected = communityid.CommunityID().calc(
        maker[protocol](text_of(version, one), text_of(version, other), sport, dport)
    )
    low, high = sorted([(one, sport), (other, dport)])
    ends = [(number >> 64, number & (2**64 - 1), port) for number, port in (low, high)]
    assert community_id(version, protocol, ends[0], ends[1], (one, sport) == low) == expected


@pytest.mark.parametrize("kind", [0, 3, 5, 8, 9, 10, 11, 13, 15, 16, 17, 18, 30])
@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_community_ids_of_icmp(kind: int, six: bool, swapped: bool) -> None:
    kind = kind + 127 if six else kind
    ends = ("2001:db8::1", "2001:db8::2") if six else (A, B)
    source, target = ends[::-1] if swapped else ends
    make = communityid.FlowTuple.make_icmp6 if six else communityid.FlowTuple.make_icmp
    expected = communityid.CommunityID().calc(make(source, target, kind, 4))
    frame = Frame(packet(source, target, 58 if six else 1, bytes((kind, 4)) + bytes(30)))
    assert follow([frame]).flows[0]["community_id"] == expected


# --- many flows --------------------------------------------------------------------------------------


def twin_flows(keys: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """(client number, direction) a packet -> packets of each flow, by first frame, with a dict."""
    flows: dict[int, list[int]] = {}
    for frame, (client, down) in enumerate(keys, 1):
        flow = flows.setdefault(client, [frame, frame, 0, 0])
        flow[1] = frame
        flow[2 + down] += 1
    return [
        {"client_ip": f"10.{client >> 16}.{client >> 8 & 255}.{client & 255}",
         "first_frame": first, "last_frame": last,
         "packets_up": up, "packets_down": down}
        for client, (first, last, up, down) in flows.items()
    ]  # fmt: skip


def many(count: int, packets: int) -> tuple[list[tuple[int, int]], list[Frame]]:
    """`count` clients, each heard at least once, and `packets` more in a scattered order; 53 us apart."""
    keys = [(i, 0) for i in range(count)] + [(i * 7919 % count, i % 2) for i in range(packets)]
    frames = []
    for number, (client, down) in enumerate(keys):
        ends = [(f"10.{client >> 16}.{client >> 8 & 255}.{client & 255}", 40000), (B, 5000)]
        (source, sport), (target, dport) = ends[::-1] if down else ends
        frames.append(Frame(packet(source, target, 17, udp(sport, dport, b"x")), START + number * 53_000))
    return keys, frames


def test_a_hundred_thousand_flows_are_those_of_a_dict() -> None:
    keys, frames = many(100_000, 40_000)
    expected = twin_flows(keys)
    found = follow(frames, sizes=[50_000], slots=64)
    names = expected[0].keys()
    assert [{name: flow[name] for name in names} for flow in found.flows] == expected
    assert [flow["flow_no"] for flow in found.flows] == list(range(100_000))


def test_a_full_table_ends_flows_early_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_module, "MAX_SLOTS", 256)
    _, frames = many(2000, 0)
    found = follow(frames, slots=64)
    assert len(found.flows) == 2000
    assert sum(flow["packets_up"] for flow in found.flows) == 2000
    assert 0 < found.ended_early <= 2000 - 256 + 128


def test_nothing_depends_on_the_secret_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    _, frames = many(500, 500)
    results = []
    for seed in (b"\0", b"\xff", b"\x5a"):
        monkeypatch.setattr("os.urandom", lambda size, seed=seed: seed * size)
        results.append(follow(frames, sizes=[300], slots=64).flows)
    assert results[0] == results[1] == results[2]
