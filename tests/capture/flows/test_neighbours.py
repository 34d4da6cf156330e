"""Which frames are shown as ARP and neighbour discovery, by the plain reading of every frame."""

from itertools import pairwise

import numpy as np
import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP
from support.traffic import Frame, batch_of, ethernet, ipv4, udp

from wirecover.capture.flows.neighbours import ARP as ARP_TYPE
from wirecover.capture.flows.neighbours import IPV6, link_icmp6, neighbour_frames, network_layer
from wirecover.capture.packets.decode import decode_batch

MACS = [f"02:00:5e:10:00:{i:02x}" for i in range(1, 5)]


def arp(number: int, target: str = "192.0.2.200") -> bytes:
    return bytes(ARP(op=1, hwsrc=MACS[number], psrc=f"192.0.2.{number}", pdst=target))


def solicit(number: int, target: str, hops: int = 255) -> bytes:
    option = ICMPv6NDOptSrcLLAddr(lladdr=MACS[number])
    return bytes(IPv6(src=f"fe80::{number}", dst="ff02::1", hlim=hops) / ICMPv6ND_NS(tgt=target) / option)


def advertise(number: int, mac: int) -> bytes:
    option = ICMPv6NDOptDstLLAddr(lladdr=MACS[mac])
    return bytes(IPv6(src="fe80::9", dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=f"fe80::{number}") / option)


def router(lifetime: int) -> bytes:
    return bytes(IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=lifetime))


def shown(frames: list[Frame], link: int = 1) -> list[int]:
    batch = batch_of(frames, slack=64)
    links = np.array([link], np.int32)
    return neighbour_frames(batch, decode_batch(batch, links), links).tolist()


def timed(*frames: bytes) -> list[Frame]:
    return [Frame(data, 1000 + i) for i, data in enumerate(frames)]


def test_of_each_statement_the_first_and_the_last() -> None:
    one, two = ethernet(arp(1), 0x0806), ethernet(arp(2), 0x0806)
    other_target = ethernet(arp(1, "192.0.2.77"), 0x0806)
    ip = ethernet(ipv4("192.0.2.1", "192.0.2.2", 17, udp(1, 2, b"x")))
    assert shown(timed(one, ip, two, other_target, one, two, two)) == [0, 2, 4, 6]


def test_earliest_and_latest_by_time() -> None:
    one = ethernet(arp(1), 0x0806)
    assert shown([Frame(one, ts) for ts in (5, 1, 9, 3)]) == [1, 2]


def test_neighbour_discovery() -> None:
    frames = [solicit(1, "fe80::a"), solicit(1, "fe80::b"), solicit(1, "fe80::c"), solicit(2, "fe80::a")]
    frames += [advertise(1, 1), advertise(1, 2), advertise(2, 1), router(9), router(9), router(8), router(9)]
    assert shown(timed(*(ethernet(data, IPV6) for data in frames))) == [0, 2, 3, 4, 5, 6, 7, 9, 10]


def test_what_is_cut_or_irregular_is_shown_every_time() -> None:
    cut = ethernet(arp(1)[:20], 0x0806)
    odd = ethernet(b"\0\x20" + arp(1)[2:], 0x0806)
    short = ethernet(solicit(1, "fe80::a"), IPV6)[:60]
    assert shown(timed(cut, cut, cut, odd, odd, odd)) == [0, 1, 2, 3, 4, 5]
    assert shown([Frame(short, 1, 90), Frame(short, 2, 90), Frame(short, 3, 90)]) == [0, 1, 2]
    assert shown(timed(b"", b"\0" * 13, ethernet(b"", 0x0806))) == [2]


@pytest.mark.parametrize(
    ("link", "header"),
    [(1, bytes(12)), (113, bytes(14)), (276, b"")],
)
@pytest.mark.parametrize("tags", [b"", b"\x81\0\0\x05", b"\x88\xa8\0\x05\x81\0\0\x06"])
def test_links_and_tags(link: int, header: bytes, tags: bytes) -> None:
    kind = tags[:2] or b"\x08\x06"
    follow = tags[2:] + b"\x08\x06" if tags else b""
    body = kind + (bytes(18) if link == 276 else b"") + follow
    data = header + body + arp(1)
    found = network_layer(link, data)
    assert found is not None and (found.ethertype, data[found.start :]) == (ARP_TYPE, arp(1))
    assert shown(timed(data, data, data), link) == [0, 2]
    assert all(
        network_layer(link, data[:length]) is None
        for length in range(found.start - 1 if tags else len(header))
    )
    assert network_layer(101, data) is None


def test_only_what_came_over_the_link_itself() -> None:
    assert link_icmp6(solicit(1, "fe80::a"), 0) is not None
    assert link_icmp6(solicit(1, "fe80::a", hops=254), 0) is None
    assert link_icmp6(solicit(1, "fe80::a")[:39], 0) is None
    assert link_icmp6(b"\x45" + bytes(60), 0) is None


def test_every_distinct_statement_of_a_crowd_is_shown() -> None:
    picks = np.random.default_rng(7).integers(0, 4, 400)
    frames = timed(*(ethernet(arp(int(i)), 0x0806) for i in picks))
    found = shown(frames)
    assert all(a < b for a, b in pairwise(found))
    expected = {int(np.flatnonzero(picks == i)[end]) for i in range(4) for end in (0, -1)}
    assert set(found) == expected
