"""Fragments through the decoder, the reassembly and the flow table: parsed once, counted a frame each."""

import random
import struct

import numpy as np
import pytest
from support.followed import Followed, follow
from support.traffic import ACK, MS, PSH, SECOND, START, Frame, batch_of, ethernet, ipv4, ipv6, tcp, udp

from wirecover.capture.packets import fragments
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.packets.fragments import Reassembler

A, B = "10.0.0.1", "10.0.0.2"
OUTER = ("172.16.0.1", "172.16.0.2")
TEXT = bytes(range(256)) * 12


def cut(
    data: bytes,
    *sizes: int,
    ident: int = 9,
    protocol: int = 17,
    ends: tuple[str, str] = (A, B),
    ts: int = START,
) -> list[Frame]:
    """The fragments of an IPv4 datagram; the last one takes the rest."""
    frames, at = [], 0
    for size in (*sizes, len(data)):
        part = data[at : at + size]
        more = 0x2000 if at + size < len(data) else 0
        packet = ipv4(*ends, protocol, part, ident=ident, fragment=more | at // 8)
        frames.append(Frame(ethernet(packet), ts + len(frames) * MS))
        at += size
    return frames


def cut_six(data: bytes, *sizes: int, ident: int = 0x10009) -> list[Frame]:
    frames, at = [], 0
    for size in (*sizes, len(data)):
        part, more = data[at : at + size], at + size < len(data)
        header = struct.pack("!BBHI", 17, 0, at | more, ident)
        frames.append(Frame(ethernet(ipv6("2001:db8::1", "2001:db8::2", 44, header + part), 0x86DD), START))
        at += size
    return frames


def shown(found: Followed) -> list[tuple[int, bytes]]:
    return [(piece.frame, piece.data) for piece in found.shown]


@pytest.mark.parametrize("frames", [cut(udp(5, 6, TEXT), 1480, 800), cut_six(udp(5, 6, TEXT), 1232, 800)])
def test_a_datagram_is_parsed_once_in_the_frame_that_completed_it(frames: list[Frame]) -> None:
    for sizes in (None, [1], [2]):
        found = follow(frames, sizes=sizes)
        (flow,) = found.flows
        assert shown(found) == [(3, TEXT)]
        assert (flow["packets_up"], flow["payload_up"]) == (3, len(TEXT))
        assert flow["bytes_up"] == sum(len(frame.data) for frame in frames)
        assert sum(row["payload_bytes"] for row in found.packets) == len(TEXT)
        assert found.losses == {}


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("tiny", [False, True])
def test_in_any_order_every_frame_counts(order: tuple[int, ...], tiny: bool) -> None:
    """Also where the first fragment is too short to show its ports (RFC 1858)."""
    parts = cut(tcp(5, 6, 100, 7, ACK | PSH, TEXT), *((8, 1480) if tiny else (1480, 800)), protocol=6)
    frames = [Frame(parts[i].data, START + k * MS) for k, i in enumerate(order)]
    found = follow(frames)
    (flow,) = found.flows
    assert found.stream(0) == TEXT[: len(found.stream(0))] and len(found.stream(0)) >= 2048
    assert (flow["packets_up"], flow["payload_up"], flow["retransmits"], flow["missing_bytes"]) == (
        3,
        len(TEXT),
        0,
        0,
    )
    assert flow["bytes_up"] == sum(len(frame.data) for frame in frames)


def test_the_first_fragment_of_a_tcp_segment_goes_its_way_at_once() -> None:
    frames = cut(tcp(5, 6, 100, 7, ACK, TEXT[:1600]), 1224, protocol=6)
    found = follow(frames)
    assert [(piece.frame, len(piece.data)) for piece in found.shown] == [(1, 1204), (2, 396)]
    assert found.stream(0) == TEXT[:1600]
    assert follow(frames[:1]).stream(0) == TEXT[:1204]


def test_a_copy_of_each_fragment_changes_no_text() -> None:
    parts = cut(udp(5, 6, TEXT), 1480, 800)
    found = follow([frame for frame in parts for _ in range(2)])
    assert shown(found) == [(5, TEXT)]
    assert found.flows[0]["packets_up"] == 6


def test_what_is_never_completed_is_shown_as_far_as_it_came() -> None:
    """A recorder that filters on a port keeps first fragments only."""
    frames = [
        *cut(udp(5, 6, TEXT), 1480)[:1],
        Frame(cut(udp(7, 8, TEXT), 1480, ident=1)[0].data, START + 61 * SECOND),
    ]
    for sizes in (None, [1]):
        found = follow(frames, sizes=sizes)
        assert shown(found) == [(1, TEXT[:1472]), (2, TEXT[:1472])]
        assert [flow["packets_up"] for flow in found.flows] == [1, 1]
        assert found.losses == {"datagrams of which fragments are missing": 2}


def test_an_identification_used_again_is_another_datagram() -> None:
    first, second = cut(udp(5, 6, TEXT), 1480), cut(udp(5, 6, TEXT[::-1]), 1480)
    assert shown(follow([*first, *second])) == [(2, TEXT), (4, TEXT[::-1])]
    later = [Frame(frame.data, START + 61 * SECOND) for frame in second]
    found = follow([first[0], *later])
    assert shown(found) == [(1, TEXT[:1472]), (3, TEXT[::-1])]
    found = follow([first[0], *second])  # the second half of the first one was lost
    assert shown(found)[-1] == (3, TEXT[::-1])


def test_contradicting_fragments() -> None:
    whole = udp(5, 6, TEXT)
    middle = Frame(ethernet(ipv4(A, B, 17, b"X" * 680, ident=9, fragment=0x2000 | 100)), START)
    first, last = cut(whole, 1480)
    found = follow([first, middle, last])
    assert shown(found) == [(3, TEXT)]
    assert found.losses == {
        "IPv4 datagrams whose fragments contradict each other: what came first was read": 1
    }
    six = cut_six(whole, 1480)
    header = struct.pack("!BBHI", 17, 0, 800 | 1, 0x10009)
    middle = Frame(ethernet(ipv6("2001:db8::1", "2001:db8::2", 44, header + b"X" * 680), 0x86DD), START)
    found = follow([six[0], middle, six[1]])
    assert (shown(found), found.flows[0]["packets_up"]) == ([], 3)
    assert list(found.losses.values()) == [1]


def gtp(inner: bytes) -> bytes:
    return udp(2152, 2152, struct.pack("!BBHI", 0x30, 255, len(inner), 77) + inner)


def gre(inner: bytes) -> bytes:
    return b"\0\0\x08\0" + inner


@pytest.mark.parametrize(
    ("tunnel", "protocol", "name"),
    [(gtp, 17, "gtp-u:77"), (gre, 47, "gre"), (lambda inner: inner, 4, "ipip")],
)
def test_tunnels_in_fragments(tunnel: object, protocol: int, name: str) -> None:
    inner = ipv4(A, B, 17, udp(5, 6, TEXT[:1400]))
    frames = cut(tunnel(inner), 1200, protocol=protocol, ends=OUTER)  # type: ignore[operator]
    for order in (frames, frames[::-1]):
        found = follow([Frame(frame.data, START + k * MS) for k, frame in enumerate(order)])
        (flow,) = found.flows
        assert (flow["client_ip"], flow["client_port"], flow["tunnel"]) == (A, 5, name)
        assert (flow["packets_up"], flow["payload_up"]) == (2, 1400)
        assert shown(found) == [(2, TEXT[:1400])]


def test_fragments_in_fragments() -> None:
    inner = [frame.data[14:] for frame in cut(udp(5, 6, TEXT), 1480)]
    frames = [
        one for k, part in enumerate(inner) for one in cut(gre(part), 800, protocol=47, ends=OUTER, ident=k)
    ]
    found = follow(frames)
    assert [data for _, data in shown(found)] == [TEXT]
    assert found.shown[0].frame == 4


def test_fragments_nested_without_end_are_not_followed_without_end() -> None:
    data = udp(5, 6, b"x" * 64)
    for _ in range(12):
        data = gre(
            ipv4(A, B, 47 if data[:4] == b"\0\0\x08\0" else 17, data + bytes(-len(data) % 8), fragment=0x2000)
        )
    found = follow([Frame(ethernet(ipv4(A, B, 47, data)))])
    assert found.flows == [] or found.flows[0]["packets_up"] <= 1


def test_the_same_numbers_in_two_virtual_networks_are_two_datagrams() -> None:
    frames = []
    for half in range(2):
        for vni, text in ((1, TEXT), (2, TEXT[::-1])):
            inner = cut(udp(5, 6, text), 1480)[half].data
            vxlan = b"\x08\0\0\0" + vni.to_bytes(3, "big") + b"\0" + inner
            frames.append(Frame(ethernet(ipv4(*OUTER, 17, udp(9, 4789, vxlan))), START))
    found = follow(frames)
    assert shown(found) == [(3, TEXT), (4, TEXT[::-1])]
    assert [flow["packets_up"] for flow in found.flows] == [2, 2]


def test_endless_fragments_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_BYTES", 1 << 18)
    monkeypatch.setattr(fragments, "MAX_DATAGRAMS", 50)
    chance, reassembler = random.Random(1), Reassembler()
    for turn in range(20):
        frames = [
            Frame(ethernet(ipv4(A, B, 17, b"x" * (8 * chance.randrange(1, 180)), ident=chance.randrange(500),
                                fragment=0x2000 | chance.randrange(0, 4000))), START)
            for _ in range(100)
        ]  # fmt: skip
        batch = batch_of(frames, turn * 100 + 1)
        links = np.array([1], np.int32)
        reassembler.take(batch, decode_batch(batch, links), links)
        assert len(reassembler._waiting) <= 50
        held = sum(one.cost for one in reassembler._waiting.values())
        assert held == reassembler._bytes <= 1 << 18
    losses = {detail: count for _, detail, _, count in reassembler.losses()}
    assert losses["datagrams given up to bound memory"] > 100


def test_a_flood_of_copies_is_counted_not_kept() -> None:
    frame = cut(udp(5, 6, TEXT), 1480)[1]
    found = follow([frame] * 5000)
    assert (found.flows, found.fragments_lost) == ([], 5000)


def test_batches_change_nothing() -> None:
    chance, frames = random.Random(3), []
    for ident in range(60):
        text = bytes(chance.randrange(256) for _ in range(200)) * 8
        frames += [
            frame for frame in cut(udp(5 + ident % 3, 6, text), 8 * chance.randrange(1, 90), ident=ident % 20)
            if chance.random() < 0.9
        ]  # fmt: skip
    chance.shuffle(frames)
    frames = [Frame(frame.data, START + k * SECOND) for k, frame in enumerate(frames)]
    one, other = follow(frames), follow(frames, sizes=[7])
    assert (one.flows, one.packets, shown(one), one.losses) == (
        other.flows,
        other.packets,
        shown(other),
        other.losses,
    )
