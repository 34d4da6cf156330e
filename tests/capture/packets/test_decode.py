"""The compiled header decoder against its plain twin, on right, cut and broken frames."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import packet_twin as twin
from support.packet_zoo import ZOO, Specimen
from support.traffic import START, Frame, batch_of, ethernet, ipv4, ipv6, tcp, udp

from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.packets.decode import MAX_TOLD, decode_batch, decode_headers, trace
from wirecover.capture.packets.record import (
    BY_IP4,
    BY_IP6,
    BY_MAC,
    BY_NONE,
    LAYER,
    MALFORMED,
    OK,
    PACKET,
    REASONS,
    TUNNELS,
)

CAPTURES = Path(__file__).parent.parent.parent / "captures"
ALWAYS = ("status", "reason", "vlan", "tunnel", "tunnel_id", "layers", "segment")
ADDRESSED = ("ip_version", "protocol", "ip_id", "more_fragments", "payload_bytes")
FLOWING = ("src_port", "dst_port", "checksum", "tcp_flags", "payload_captured")
WORDS = {4: "!I", 6: "!QQ"}
DEEP = 9
"""Nothing that passes fewer headers may be refused as nested too deeply."""


def rows_of(frames: list[Frame], link: int = 1) -> Any:
    return decode_batch(batch_of(frames, slack=64), np.array([link], np.int32))


def halves(address: bytes) -> tuple[int, int]:
    return struct.unpack("!QQ", address.rjust(16, b"\0"))


def compare(row: Any, data: bytes, wire: int, link: int, start: int) -> None:
    """One decoded row is what the twin says of the same frame."""
    expected = twin.dissect(data, wire, link)
    if REASONS[row["reason"]] == "headers are nested too deeply" and len(expected.headers) > DEEP:
        return
    names = ALWAYS
    if expected.status in (twin.OK, twin.FRAGMENT):
        names += ADDRESSED
        found = [(int(row[f"{end}_hi"]), int(row[f"{end}_lo"])) for end in ("src", "dst")]
        assert found == [halves(expected.source), halves(expected.target)]
    if expected.status == twin.OK:
        names += FLOWING
        network, transport = int(row["network"]) - start, int(row["transport"]) - start
        assert data[network] >> 4 == expected.ip_version
        assert int(row["ttl"]) == data[network + (8 if expected.ip_version == 4 else 7)]
        if expected.protocol in (6, 17) and expected.headers[-1] in ("tcp", "udp"):
            ports = struct.unpack_from("!HH", data, transport)
            assert ports == (expected.src_port, expected.dst_port) and transport >= network + 20
        if expected.payload_captured:
            assert int(row["payload"]) - start == expected.payload
        if expected.protocol == 6 and expected.headers[-1] == "tcp":
            names += ("seq", "ack")
    assert {name: int(row[name]) for name in names} == {name: getattr(expected, name) for name in names}
    if expected.status in (twin.OK, twin.FRAGMENT):
        assert max(-1, int(row["fragment"]) - start) == expected.fragment
    assert int(row["cut"]) == (len(data) < wire)


CARRIERS = {("", 0): BY_NONE, ("mac", 6): BY_MAC, ("ip", 4): BY_IP4, ("ip", 16): BY_IP6}


def compare_layers(batch: Any, frames: list[Frame], link: int, rows: Any) -> None:
    """What `trace` tells of each frame is what the twin passed."""
    counts, stacks = trace(batch, np.array([link], np.int32), np.arange(len(frames)))
    for row, frame, count, stack in zip(rows, frames, counts.tolist(), stacks, strict=True):
        assert count == min(int(row["layers"]), MAX_TOLD)
        if row["status"] == MALFORMED:
            continue
        expected = twin.dissect(frame.data, frame.wire, link)
        for one, layer in zip(stack[:count], expected.stack, strict=False):
            found = [(int(one[f"{end}_hi"]), int(one[f"{end}_lo"])) for end in ("src", "dst")]
            assert found == [halves(layer.source), halves(layer.target)]
            assert one["carrier"] == CARRIERS[layer.sort, len(layer.source)]
            numbers = tuple(int(one[name]) for name in ("kind", "identifier", "src_port", "dst_port"))
            assert numbers == (layer.kind, layer.number, layer.src_port, layer.dst_port)


def compare_all(frames: list[Frame], link: int) -> Any:
    batch = batch_of(frames, slack=64)
    rows = decode_batch(batch, np.array([link], np.int32))
    for row, frame, start in zip(rows, frames, batch.offset.tolist(), strict=True):
        compare(row, frame.data, frame.wire, link, start)
        assert (row["ts"], row["wire_bytes"]) == (frame.ts, frame.wire)
    assert rows["frame"].tolist() == list(range(1, len(frames) + 1))
    compare_layers(batch, frames, link, rows)
    return rows


@pytest.mark.parametrize("specimen", ZOO, ids=lambda specimen: specimen.name)
def test_of_every_kind_of_frame_the_innermost_conversation_is_found(specimen: Specimen) -> None:
    """What a specimen holds is known from how it was made (scapy), not only from the twin."""
    row = compare_all([Frame(specimen.data)], specimen.link)[0]
    found = {name: int(row[name]) for name in specimen.expected if name not in ("tunnel", "payload")}
    assert found == {
        name: value for name, value in specimen.expected.items() if name not in ("tunnel", "payload")
    }
    if "tunnel" in specimen.expected:
        assert TUNNELS[row["tunnel"]] == specimen.expected["tunnel"]
    if "payload" in specimen.expected:
        start = int(row["payload"])
        assert specimen.data[start : start + int(row["payload_captured"])] == specimen.expected["payload"]


@pytest.mark.parametrize("specimen", ZOO, ids=lambda specimen: specimen.name)
def test_a_frame_cut_at_any_byte(specimen: Specimen) -> None:
    """Both as a snap length does it (the wire length stays) and as a short frame."""
    whole = Frame(specimen.data)
    compare_all([whole.cut(length) for length in range(len(specimen.data) + 1)], specimen.link)
    compare_all([Frame(specimen.data[:length]) for length in range(len(specimen.data) + 1)], specimen.link)


@pytest.mark.parametrize("specimen", ZOO, ids=lambda specimen: specimen.name)
def test_padding_behind_the_packet_is_not_payload(specimen: Specimen) -> None:
    plain, padded = compare_all([Frame(specimen.data), Frame(specimen.data + bytes(18))], specimen.link)
    if plain["status"] == OK and specimen.sized:
        assert plain["payload_bytes"] == padded["payload_bytes"]


mutations = st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ZOO), mutations, st.integers(-40, 60)), min_size=1, max_size=30))
def test_mutated_frames(cases: list[tuple[Specimen, list[tuple[int, int]], int]]) -> None:
    for specimen, changes, more in cases:
        data = bytearray(specimen.data)
        for at, value in changes:
            data[at % len(data)] = value
        kept = bytes(data[: len(data) + min(0, more)])
        compare_all([Frame(kept, START, max(0, len(kept) + more))], specimen.link)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=120),
    st.sampled_from(
        [
            0,
            1,
            9,
            10,
            12,
            50,
            51,
            100,
            101,
            104,
            105,
            107,
            108,
            109,
            113,
            117,
            119,
            123,
            127,
            138,
            147,
            163,
            166,
            192,
            204,
            205,
            206,
            219,
            228,
            229,
            239,
            240,
            241,
            258,
            274,
            276,
        ]
    ),
)
def test_noise(data: bytes, link: int) -> None:
    compare_all([Frame(data)], link)


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.name)
def test_real_captures(capture: Path) -> None:
    with CaptureReader(capture) as reader:
        for batch in reader:
            links = np.array([one.link_type for one in reader.interfaces], np.int32)
            rows = decode_batch(batch, links)
            view = memoryview(batch.buffer)
            columns = zip(
                rows,
                batch.offset.tolist(),
                batch.captured.tolist(),
                batch.original.tolist(),
                batch.interface.tolist(),
                strict=True,
            )
            for row, start, captured, original, interface in columns:
                compare(row, bytes(view[start : start + captured]), original, int(links[interface]), start)


def test_a_row_depends_on_its_frame_alone() -> None:
    """Not on what the memory of the row held before, which is another packet's."""
    for specimen in ZOO:
        for length in range(0, len(specimen.data) + 1, 7):
            batch = batch_of([Frame(specimen.data).cut(length)])
            found = []
            for noise in (0x00, 0xFF):
                rows = np.frombuffer(bytearray([noise]) * PACKET.itemsize, PACKET)
                decode_headers(
                    batch.buffer,
                    batch.offset,
                    batch.captured,
                    batch.original,
                    batch.ts,
                    batch.interface,
                    np.array([specimen.link], np.int32),
                    1,
                    rows,
                    np.zeros(0, LAYER),
                )
                found.append(rows[0].tolist())
            differing = {name for name, a, b in zip(PACKET.names or (), *found, strict=True) if a != b}
            if not rows[0]["ip_version"]:
                differing -= {"src_hi", "src_lo", "dst_hi", "dst_lo"}  # there are none
            assert not differing, (specimen.name, length)


def test_headers_nested_too_deeply_are_refused_not_followed() -> None:
    data = ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"x"))
    for depth in range(40):
        row = rows_of([Frame(ethernet(data))])[0]
        if depth < 8:
            assert (row["status"], row["src_port"]) == (OK, 1)
        data = ipv4("10.0.0.1", "10.0.0.2", 4, data)
    assert (row["status"], REASONS[row["reason"]]) == (MALFORMED, "headers are nested too deeply")


def test_a_length_on_the_wire_beyond_31_bits_does_not_turn_negative() -> None:
    """A crafted pcapng packet block can say 4 GiB - 1; bytes of a flow must never be negative."""
    huge = 0xFFFFFFFF
    segment = tcp(1, 2, 3, 4, 16, b"abc")
    frames = [
        Frame(ethernet(ipv4("10.0.0.1", "10.0.0.2", 6, segment, total=0)), START, huge),
        Frame(ethernet(ipv6("::1", "::2", 6, segment, length=0), 0x86DD), START, huge),
    ]
    for row in rows_of(frames):
        assert row["wire_bytes"] > 0
        assert row["payload_bytes"] > 0
        assert row["payload_captured"] == 3


def test_an_acknowledgement_of_pptp_carries_nothing_and_is_not_malformed() -> None:
    """RFC 2637 4.1: S bit 0, A bit 1, and the packet ends behind the acknowledgement number."""
    gre = struct.pack("!HHHHI", 0x2081, 0x880B, 0, 7, 41)
    row = rows_of([Frame(ethernet(ipv4("10.0.0.1", "10.0.0.2", 47, gre)))])[0]
    assert row["status"] != MALFORMED


def test_a_tunnel_is_found_in_a_cut_frame_too() -> None:
    """A snap length of 128 leaves the inner headers of Teredo whole; they say who speaks to whom."""
    inner = ipv6("2001:0:1::1", "2001:db8::2", 6, tcp(5000, 443, 1, 2, 16, bytes(400)))
    frame = Frame(ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, udp(50000, 3544, inner)))).cut(128)
    row = rows_of([frame])[0]
    assert (TUNNELS[row["tunnel"]], row["dst_port"]) == ("teredo", 443)
