"""Outermost ends agree with the packet decoder where there is no tunnel, and nothing behind a frame is read."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packet_zoo import ZOO
from support.traffic import Frame, batch_of, ethernet, ipv4, packet, udp

from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.packets.record import OK
from wirecover.capture.scope_layers import frame_ends

READ_LINKS = {0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276}


def ends(frame: bytes, link: int = 1) -> np.void:
    batch = batch_of([Frame(frame)])
    return frame_ends(batch, np.array([1]), np.array([link], np.int32))[0]


def test_without_a_tunnel_the_outermost_header_is_the_innermost() -> None:
    compared = 0
    for one in ZOO:
        if one.link not in READ_LINKS:
            continue
        links = np.array([one.link], np.int32)
        [row] = decode_batch(batch_of([Frame(one.data)]), links)
        found = ends(one.data, one.link)
        if row["status"] == OK and row["tunnel"] == 0 and found["version"] and not found["arp"]:
            compared += 1
            for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"):
                assert found[name] == row[name], one
            assert found["version"] == row["ip_version"], one
    assert compared > 20


def test_the_outer_header_of_a_tunnel() -> None:
    inner = packet("10.1.1.1", "10.2.2.2", 17, udp(1, 2, b"x"))[14:]
    found = ends(packet("172.16.0.1", "172.16.0.2", 4, inner))
    assert (found["version"], found["src_lo"], found["dst_lo"]) == (4, 0xAC100001, 0xAC100002)


def test_hardware_addresses_and_arp_behind_tags() -> None:
    arp = (
        bytes.fromhex("0001080006040001")
        + b"\2\2\2\2\2\2"
        + bytes((10, 0, 0, 1))
        + bytes(6)
        + bytes((10, 0, 0, 2))
    )
    found = ends(ethernet(b"\0\5\x08\x06" + arp, 0x8100))
    assert (found["arp"], found["version"], found["src_lo"], found["dst_lo"]) == (
        1,
        4,
        0x0A000001,
        0x0A000002,
    )
    assert (found["mac_src"], found["mac_dst"]) == (0x010101010101, 0x020202020202)
    assert ends(ethernet(arp[:20], 0x0806))["version"] == 0


def test_what_cannot_be_read_is_unknown() -> None:
    whole = ethernet(ipv4("10.0.0.1", "10.0.0.2", 17, b""))
    for cut in range(34):
        assert ends(whole[:cut])["version"] == 0
    assert ends(whole)["version"] == 4
    assert ends(whole, 105)["version"] == 0 and ends(whole, 105)["has_mac_src"] == 0


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from(sorted(READ_LINKS | {105, 147})),
    st.binary(min_size=80, max_size=80),
)
def test_bytes_behind_the_frame_are_never_read(frame: bytes, link: int, behind: bytes) -> None:
    """The same frame before different bytes gives the same ends."""
    found = []
    for rest in (behind, bytes(80)):
        batch = batch_of([Frame(frame), Frame(rest)])
        found.append(frame_ends(batch, np.array([1]), np.array([link], np.int32))[0].tobytes())
    assert found[0] == found[1]
