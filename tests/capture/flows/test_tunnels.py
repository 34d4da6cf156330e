"""The layers around a flow, as the evidence tells them: each direction's, at first sight."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.packet_zoo import ZOO
from support.traffic import START, Frame, batch_of, ethernet, ipv4, packet, udp, write_capture

from wirecover.capture.decode import decode
from wirecover.capture.flows import tunnels as module
from wirecover.capture.flows.table import MAX_NETWORKS
from wirecover.capture.flows.tracker import FlowTracker
from wirecover.capture.flows.tunnels import TunnelBook
from wirecover.capture.packets.decode import decode_batch

A, B = "10.0.0.1", "10.0.0.2"
OUTER = ("172.16.0.1", "172.16.0.2")
MACS = ("01:01:01:01:01:01", "02:02:02:02:02:02")


def gtp(teid: int, inner: bytes, ends: tuple[str, str] = OUTER, tag: bytes = b"") -> Frame:
    data = ipv4(*ends, 17, udp(2152, 2152, struct.pack("!BBHI", 0x30, 255, len(inner), teid) + inner))
    return Frame(ethernet(tag + data, 0x8100 if tag else 0x0800))


def rows_of(frames: list[Frame], folder: Path, table: str = "tunnels", link: int = 1) -> list[dict[str, Any]]:
    out = folder / "out"
    out.mkdir()
    decode(write_capture(folder / "a.pcap", frames, link), out)
    return pq.read_table(out / f"{table}.parquet").to_pylist()


def test_each_direction_tells_its_own_tunnel_once(tmp_path: Path) -> None:
    up, down = ipv4(A, B, 17, udp(40000, 6, b"x")), ipv4(B, A, 17, udp(6, 40000, b"y"))
    frames = [
        gtp(77, up, tag=b"\0\x2a\x08\0"),
        gtp(99, down, OUTER[::-1]),
        gtp(77, up),
        gtp(78, up),  # a handover: what is told stays that of the first packet
    ]
    found = rows_of(frames, tmp_path)
    assert [tuple(row.values()) for row in found] == [
        (0, 0, True, "vlan", *MACS, None, None, 42, None, 1),
        (0, 1, True, "gtp-u", *OUTER, 2152, 2152, 77, None, 1),
        (0, 0, False, "gtp-u", *OUTER[::-1], 2152, 2152, 99, None, 2),
    ]


def test_a_flow_without_layers_has_no_row(tmp_path: Path) -> None:
    assert rows_of([Frame(packet(A, B, 17, udp(5, 6, b"x")))], tmp_path) == []


def test_the_radio_cell(tmp_path: Path) -> None:
    (wifi,) = (one for one in ZOO if one.name == "802.11")
    (row,) = rows_of([Frame(wifi.data)], tmp_path, link=105)
    assert (row["kind"], row["bssid"], row["identifier"]) == ("802.11", "02:00:00:00:00:0b", None)
    assert (row["outer_source"], row["outer_destination"]) == ("02:00:00:00:00:0a", "02:00:00:00:00:0c")


def test_a_tunnel_in_fragments_is_told_too(tmp_path: Path) -> None:
    inner = ipv4(A, B, 17, udp(5, 6, bytes(900)))
    data = udp(2152, 2152, struct.pack("!BBHI", 0x30, 255, len(inner), 77) + inner)
    parts = [
        Frame(ethernet(ipv4(*OUTER, 17, data[24:], ident=3, fragment=3))),
        Frame(ethernet(ipv4(*OUTER, 17, data[:24], ident=3, fragment=0x2000))),
    ]
    (row,) = rows_of(parts, tmp_path)
    assert (row["kind"], row["identifier"], row["first_frame"]) == ("gtp-u", 77, 2)


def vxlan(vni: int, inner: bytes) -> Frame:
    return Frame(
        ethernet(ipv4(*OUTER, 17, udp(9, 4789, b"\x08\0\0\0" + vni.to_bytes(3, "big") + b"\0" + inner)))
    )


def test_the_same_addresses_in_two_virtual_networks_are_two_flows(tmp_path: Path) -> None:
    frame = packet(A, B, 17, udp(40000, 6, b"x"))
    answer = packet(B, A, 17, udp(6, 40000, b"y"))
    frames = [vxlan(1, frame), vxlan(2, frame), vxlan(1, answer), vxlan(2, answer)]
    flows = rows_of(frames, tmp_path, "flows")
    assert [(row["tunnel"], row["packets_up"], row["packets_down"]) for row in flows] == [
        ("vxlan:1", 1, 1), ("vxlan:2", 1, 1),
    ]  # fmt: skip


def test_each_direction_may_be_in_a_virtual_network_of_its_own(tmp_path: Path) -> None:
    """As with asymmetric routing between two of them (RFC 9135 4)."""
    up, down = packet(A, B, 17, udp(40000, 6, b"x")), packet(B, A, 17, udp(6, 40000, b"y"))
    frames = [vxlan(1, up), vxlan(2, down), Frame(up), vxlan(1, up), vxlan(2, down), vxlan(3, up)]
    flows = rows_of(frames, tmp_path, "flows")
    assert [(row["packets_up"], row["packets_down"]) for row in flows] == [(3, 2), (1, 0)]


def test_networks_without_end_are_told_apart_up_to_a_bound(tmp_path: Path) -> None:
    frame = packet(A, B, 17, udp(40000, 6, b"x"))
    flows = rows_of([vxlan(vni, frame) for vni in range(1, 200)] * 2, tmp_path, "flows")
    assert [row["packets_up"] for row in flows] == [2 + 2 * (199 - MAX_NETWORKS)] + [2] * (MAX_NETWORKS - 1)


def test_one_flow_in_two_tunnels_of_a_subscriber_is_one(tmp_path: Path) -> None:
    """TEIDs, GRE keys, labels and VLANs may differ by direction and by the place of the recorder."""
    up, down = ipv4(A, B, 17, udp(40000, 6, b"x")), ipv4(B, A, 17, udp(6, 40000, b"y"))
    frames = [gtp(77, up, tag=b"\0\x2a\x08\0"), gtp(99, down), Frame(ethernet(up))]
    (flow,) = rows_of(frames, tmp_path, "flows")
    assert (flow["packets_up"], flow["packets_down"]) == (2, 1)


def follow(book: TunnelBook, tracker: FlowTracker, frames: list[Frame], first: int) -> None:
    batch, links = batch_of(frames, first), np.array([1], np.int32)
    rows = decode_batch(batch, links)
    for step in tracker.follow(rows, batch.buffer):
        book.take(batch, links, rows, step, tracker, {})
        if len(step.finished):
            book.close(step.finished, tracker.flows)
            tracker.release(step.finished)


def test_memory_is_that_of_flows_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that end give their layers back; beyond the bound they are counted, not kept."""
    monkeypatch.setattr(module, "MAX_STACKS", 100)
    book, tracker = TunnelBook(), FlowTracker()
    for turn in range(5):
        frames = [
            Frame(
                gtp(turn * 80 + k, ipv4(A, B, 17, udp(1000 + k, 6, b"x"))).data, START + turn * 3600 * 10**9
            )
            for k in range(80)
        ]
        follow(book, tracker, frames, 80 * turn + 1)
        assert len(book._numbers) <= 100 and len(book._stacks) <= 160
    assert book.left_out > 0
    last = tracker.finish().finished
    book.close(last, tracker.flows)
    assert (book._of_half, book._numbers) == ({}, {})
    assert all(use == 0 for use in book._uses)
