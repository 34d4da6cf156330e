"""The comparison with tshark, without tshark: whose packet a frame is, and how sets are counted."""

import importlib.util
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from support import conversations as talk
from support.traffic import write_capture

SPEC = importlib.util.spec_from_file_location("compare_unseen", Path(__file__).parent / "unseen.py")
unseen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(unseen)


def row(protocols, **fields):
    found = {name: [] for name in unseen.FIELDS} | {"frame.protocols": [protocols]}
    return found | {name.replace("_", "."): value for name, value in fields.items()}


A, B = "192.0.2.1", "2001:db8::1"
OUTER = ("udp", (A, 4789), ("192.0.2.2", 4789))
INNER = ("tcp", (B, 40000), ("2001:db8::2", 443))
V4 = {"ip_src": [A], "ip_dst": ["192.0.2.2"], "udp_srcport": ["4789"], "udp_dstport": ["4789"]}
V6 = {"ipv6_src": ["2001:db8::2"], "ipv6_dst": [B], "tcp_srcport": ["443"], "tcp_dstport": ["40000"]}


@pytest.mark.parametrize(
    ("protocols", "fields", "flow"),
    [
        ("eth:ethertype:ip:udp:vxlan:eth:ethertype:ipv6:tcp:tls", V4 | V6, INNER),
        ("eth:ethertype:ip:udp:data", V4, OUTER),
        ("eth:ethertype:ip:icmp:ip:udp", V4 | {"ip_src": [A, A], "ip_dst": [A, A]}, None),
        ("eth:ethertype:ip:udp:gtp:ipv6:esp", V4 | V6, None),
        ("eth:ethertype:ip:udp:wg:ipv6:tcp", V4 | V6, OUTER),
        ("eth:ethertype:arp", {}, None),
    ],
)
def test_whose_packet_a_frame_is(protocols, fields, flow):
    assert unseen.innermost(row(protocols, **fields)) == flow


def test_names_are_compared_without_escapes():
    assert unseen.plain(r"a\.b\032c.d\\e") == "a.b c.d\\e"
    assert unseen.plain(r"\195\188") == "ü"


def test_what_is_said_of_a_capture_of_our_own(tmp_path):
    frames = talk.dns_lookup("chat.example", "cdn.example", b"\xc0\0\2\7", 10**18)
    ours = unseen.wirecover_says(write_capture(tmp_path / "a.pcap", frames))
    (flow,) = ours.flows
    assert (ours.packets, ours.flows[flow], ours.facts["dns name"]) == (2, 2, {(flow, "chat.example")})


def test_each_difference_is_counted_on_its_side():
    theirs = unseen.Said(
        3, Counter({OUTER: 2, INNER: 1}), defaultdict(set, sni={(INNER, "a")}), {"pc"}, set()
    )
    ours = unseen.Said(3, Counter({OUTER: 3}), defaultdict(set, sni={(OUTER, "b")}), set(), set())
    score = defaultdict(Counter)
    misses = unseen.compare(theirs, ours, score)
    assert score["packets of a capture"] == {"both": 1, "tshark": 0, "wirecover": 0}
    assert score["flow"] == {"both": 1, "tshark": 1, "wirecover": 0}
    assert score["packets of a flow"] == {"both": 0, "tshark": 1, "wirecover": 1}
    assert score["sni"] == {"both": 0, "tshark": 1, "wirecover": 1}
    assert score["dhcp host name"] == {"both": 0, "tshark": 1, "wirecover": 0}
    assert len(misses) == 6
    left_out = theirs._replace(fragments={frozenset((A, "192.0.2.2"))})
    unseen.compare(left_out, ours, again := defaultdict(Counter))
    assert not again["packets of a flow"].total()


def test_captures_are_known_by_how_they_begin(tmp_path):
    good = write_capture(
        tmp_path / "named.txt", talk.dns_lookup("a.example", "b.example", b"\xc0\0\2\7", 10**18)
    )
    (tmp_path / "named.pcap").write_bytes(b"no capture")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08")
    assert unseen.captures_below(tmp_path) == [good]
