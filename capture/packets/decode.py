"""Frame batches -> packet columns: link, tunnel, IP and transport headers, read in one compiled pass.

`decode_headers` fills one `PACKET` row a frame. It walks layers in a loop, each layer naming the next, so a tunnel
is just one more turn; the innermost addresses make the flow (as Zeek, Suricata and nDPI do) and the outermost
tunnel is noted. A tunnel that holds no IP packet (ARP, signalling, what is not read) leaves its datagram to those who
speak it. Every offset is checked against the captured length before a byte is read.

`trace` walks the same way through chosen frames and notes every layer around the packet.

Sources: RFC 791, 8200, 4302, 2003, 4213; those of `link_layers`, `ethertypes`, `tunnel_headers`, `upper_layers`.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.ethertypes import ethertype_layer, link_step
from wirecover.capture.packets.link_layers import link_layer, wifi_layer
from wirecover.capture.packets.record import (
    BY_MAC,
    BY_NONE,
    FRAGMENT,
    LAYER,
    MALFORMED,
    NOT_IP,
    OK,
    PACKET,
    PROTECTED,
    R_DEPTH,
    R_FCS,
    R_IP4,
    R_IP4_TOTAL,
    R_IP6,
    R_IP6_EXT,
    R_LINK,
    R_TUNNEL,
    R_VERSION,
    T_4IN6,
    T_6IN4,
    T_IPIP,
    UNKNOWN_LINK,
)
from wirecover.capture.packets.steps import (
    CUT,
    DONE,
    ETHERNET,
    ETHERTYPE,
    GRE,
    IP,
    LLC,
    SEALED,
    SPOILED,
    TRANSPORT,
    UNKNOWN,
    WIFI,
    note,
    u16,
    u32,
    u64,
)
from wirecover.capture.packets.tunnel_headers import gre, udp_tunnel
from wirecover.capture.packets.upper_layers import ip6_extensions, transport_layer

MAX_LAYERS: Final = 24
"""More headers than this in one frame are refused: real stacks stay below ten."""
MAX_TOLD: Final = 12
"""Layers of one frame that `trace` tells, from the outermost."""


@kernel
def _keep_payload(row: Any, at: int, end: int, wire_end: int) -> None:
    row.payload = min(at, end)
    row.payload_bytes = min(max(0, wire_end - at), 0x7FFFFFFF)
    row.payload_captured = max(0, end - at)


@kernel
def _walk(buffer: Any, at: int, end: int, wire_end: int, link: int, row: Any, stack: Any) -> None:
    """Read one frame's headers into `row`. `end` is where the captured bytes stop, `wire_end` where the frame did."""
    row.vlan = -1
    row.status = NOT_IP
    layer, at, kind = link_layer(buffer, at, end, link)
    carrier, to_at, from_at, reason = BY_NONE, -1, -1, R_LINK
    outer_tunnel, outer_id, outer_layers, outer_segment, outer_vlan = 0, 0, 0, 0, -1
    turns = 0
    while True:
        turns += 1
        if turns > MAX_LAYERS:
            row.status, row.reason = MALFORMED, R_DEPTH
            break
        if layer == ETHERNET:
            if at + 14 > end:
                layer = CUT
                continue
            carrier, to_at, from_at = BY_MAC, at, at + 6
            kind = u16(buffer, at + 12)
            at += 14
            layer = ETHERTYPE if kind >= 0x0600 else LLC
        elif layer == ETHERTYPE:
            if kind == 0x0800 or kind == 0x86DD:
                layer = IP
            else:
                layer, at, kind = ethertype_layer(buffer, at, end, kind, row, stack, carrier, to_at, from_at)
        elif layer == IP:
            row.network, row.transport = at, -1
            if at >= end:
                row.status, row.reason = MALFORMED, R_IP4
                break
            version = buffer[at] >> 4
            if version == 4:
                if at + 20 > end:
                    row.status, row.reason = MALFORMED, R_IP4
                    break
                header = np.int64(buffer[at] & 0x0F) * 4
                if header < 20 or at + header > end:
                    row.status, row.reason = MALFORMED, R_IP4
                    break
                total = u16(buffer, at + 2)
                if total == 0:  # segmentation offload on the capturing host: the frame says how long it was
                    total = wire_end - at
                if total < header:
                    row.status, row.reason = MALFORMED, R_IP4_TOTAL
                    break
                row.ip_version, row.src_hi, row.dst_hi = 4, np.uint64(0), np.uint64(0)
                row.src_lo, row.dst_lo = np.uint64(u32(buffer, at + 12)), np.uint64(u32(buffer, at + 16))
                row.ip_id = u16(buffer, at + 4)
                row.ttl = buffer[at + 8]
                protocol = np.int64(buffer[at + 9])
                fragment = u16(buffer, at + 6)
                if fragment & 0x3FFF:
                    row.more_fragments |= (fragment >> 13) & 1
                    if row.fragment < 0:
                        row.fragment, row.fragment_in, row.fragment_layers = at, row.segment, row.layers
                wire_end = min(wire_end, at + total)
                at += header
                if fragment & 0x1FFF:
                    row.protocol, row.status = protocol, FRAGMENT
                    _keep_payload(row, at, 0, wire_end)
                    break
                if protocol == 51 and at + 8 <= min(end, wire_end):  # AH: what it covers follows in clear
                    row.transport = at
                    protocol = np.int64(buffer[at])
                    at += (np.int64(buffer[at + 1]) + 2) * 4
            elif version == 6:
                if at + 40 > end:
                    row.status, row.reason = MALFORMED, R_IP6
                    break
                row.ip_version = 6
                row.src_hi, row.src_lo = u64(buffer, at + 8), u64(buffer, at + 16)
                row.dst_hi, row.dst_lo = u64(buffer, at + 24), u64(buffer, at + 32)
                row.ip_id = 0
                row.ttl = buffer[at + 7]
                length = u16(buffer, at + 4)
                if length:  # 0: a jumbogram, or offload
                    wire_end = min(wire_end, at + 40 + length)
                network = at
                protocol, at, fragment, identification = ip6_extensions(
                    buffer, at + 40, min(end, wire_end), np.int64(buffer[at + 6])
                )
                if fragment >= 0:
                    row.ip_id = identification
                    row.more_fragments |= fragment & 1
                    if fragment & 0xFFF9 and row.fragment < 0:
                        row.fragment, row.fragment_in, row.fragment_layers = network, row.segment, row.layers
                if protocol < 0:
                    row.status, row.reason = MALFORMED, R_IP6_EXT
                    break
                if fragment >> 3 > 0:
                    row.protocol, row.status = protocol, FRAGMENT
                    _keep_payload(row, at, 0, wire_end)
                    break
            else:
                row.status, row.reason = MALFORMED, R_VERSION
                break
            end = min(end, wire_end)
            carrier = version
            row.protocol = protocol
            row.status = OK
            row.src_port, row.dst_port = 0, 0
            if at > end:  # behind an authentication header that says it is longer
                layer = DONE
            elif protocol == 4 or protocol == 41:
                inner = 4 if protocol == 4 else 6
                if at < end and (buffer[at] >> 4) == inner:
                    if inner == 4:
                        tunnel = T_IPIP if version == 4 else T_4IN6
                    else:
                        tunnel = T_6IN4 if version == 4 else T_IPIP
                    note(buffer, row, stack, tunnel, -1, carrier, to_at, from_at)
                else:
                    layer = DONE
            elif protocol == 47:
                layer = GRE
            else:
                layer = TRANSPORT
        elif layer == TRANSPORT:
            layer = DONE
            row.transport = at
            at, end, wire_end = transport_layer(buffer, at, end, wire_end, row)
            if at < 0:
                break
            if row.protocol == 17 or row.protocol == 136:
                next_layer, inner_at, number, tunnel, identifier = udp_tunnel(
                    buffer, at, end, wire_end, np.int64(row.src_port), np.int64(row.dst_port)
                )
                if next_layer >= 0:
                    outer_tunnel, outer_id, outer_layers = row.tunnel, row.tunnel_id, row.layers
                    outer_segment, outer_vlan = row.segment, row.vlan
                    _keep_payload(row, at, end, wire_end)
                    note(buffer, row, stack, tunnel, identifier, carrier, to_at, from_at)
                    layer, at, kind, row.status = next_layer, inner_at, number, NOT_IP
        elif layer == DONE:
            _keep_payload(row, at, end, wire_end)
            break
        elif layer == GRE:
            next_layer, inner_at, number, tunnel, identifier = gre(buffer, at, end)
            if next_layer == CUT:
                row.status, row.reason = MALFORMED, R_TUNNEL
                break
            layer = DONE
            if next_layer >= 0:
                outer_tunnel, outer_id, outer_layers = row.tunnel, row.tunnel_id, row.layers
                outer_segment, outer_vlan = row.segment, row.vlan
                _keep_payload(row, at, end, wire_end)
                note(buffer, row, stack, tunnel, identifier, carrier, to_at, from_at)
                layer, at, kind, row.status = next_layer, inner_at, number, NOT_IP
        elif layer == WIFI:
            layer, at, kind, to_at, from_at = wifi_layer(buffer, at, end, kind, row, stack)
            carrier = BY_MAC if to_at >= 0 else BY_NONE
        elif layer >= 0:
            layer, at, kind = link_step(buffer, at, end, layer, kind, row, stack, carrier, to_at, from_at)
        elif layer == CUT:
            row.status, row.reason = MALFORMED, reason
            break
        elif layer == SPOILED:
            row.status, row.reason = MALFORMED, R_FCS
            break
        elif layer == SEALED:
            row.status, row.reason = PROTECTED, kind
            break
        else:
            if layer == UNKNOWN and row.ip_version == 0 and row.layers == 0:
                row.status = UNKNOWN_LINK
            break
    if (
        row.status == NOT_IP and row.ip_version
    ):  # the tunnel holds no packet: it is a datagram of its own ends
        row.status = OK
        row.tunnel, row.tunnel_id, row.layers = outer_tunnel, outer_id, outer_layers
        row.segment, row.vlan = outer_segment, outer_vlan
    elif row.status == MALFORMED and row.fragment >= 0 and not row.cut and row.reason != R_DEPTH:
        row.status, row.reason = FRAGMENT, 0  # its headers may go on in the next fragment
        row.payload_bytes, row.payload_captured = 0, 0


@kernel
def _clear(row: Any) -> None:
    row.tunnel = 0
    row.tunnel_id = 0
    row.reason = 0
    row.tcp_flags = 0
    row.ttl = 0
    row.checksum = 0
    row.ip_version = 0
    row.protocol = 0
    row.ip_id = 0
    row.more_fragments = 0
    row.src_hi = row.src_lo = row.dst_hi = row.dst_lo = np.uint64(0)
    row.seq = 0
    row.ack = 0
    row.network = -1
    row.transport = -1
    row.fragment = -1
    row.payload_bytes = 0
    row.payload_captured = 0
    row.src_port = 0
    row.dst_port = 0
    row.segment = 0
    row.fragment_in = 0
    row.fragment_layers = 0
    row.layers = 0
    row.packets = 1


@kernel
def decode_headers(
    buffer: Any,
    offset: Any,
    captured: Any,
    original: Any,
    ts: Any,
    interface: Any,
    links: Any,
    first_frame: int,
    rows: Any,
    stack: Any,
) -> None:
    """Fill `rows[i]` for each frame i of a batch. `links[k]` is the link type of interface k; `stack` is empty."""
    for i in range(len(offset)):
        row = rows[i]
        _clear(row)
        row.ts = ts[i]
        row.frame = first_frame + i
        row.payload = offset[i]
        row.wire_bytes = min(original[i], 0x7FFFFFFF)
        row.cut = captured[i] < original[i]
        end = offset[i] + captured[i]
        _walk(buffer, offset[i], end, max(end, offset[i] + original[i]), links[interface[i]], row, stack)


@kernel
def _trace(
    buffer: Any,
    offset: Any,
    captured: Any,
    original: Any,
    interface: Any,
    links: Any,
    chosen: Any,
    rows: Any,
    stacks: Any,
) -> None:
    for k in range(len(chosen)):
        i = chosen[k]
        row = rows[k]
        _clear(row)
        row.cut = captured[i] < original[i]
        end = offset[i] + captured[i]
        _walk(buffer, offset[i], end, max(end, offset[i] + original[i]), links[interface[i]], row, stacks[k])


_NO_STACK: Final = np.zeros(0, LAYER)
_FIRST: Final = np.zeros(1, np.int32)


def decode_batch(batch: Any, links: NDArray[np.int32]) -> NDArray[Any]:
    """Decode a `FrameBatch`: a `PACKET` array with one row a frame, in frame order."""
    rows = np.empty(len(batch.offset), dtype=PACKET)
    decode_headers(
        batch.buffer, batch.offset, batch.captured, batch.original, batch.ts, batch.interface, links,
        batch.first_frame, rows, _NO_STACK,
    )  # fmt: skip
    return rows


def trace(
    batch: Any, links: NDArray[np.int32], chosen: NDArray[np.int64], told: int = MAX_TOLD
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(how many layers are around the packet, the layers) of chosen frames of a batch, by their index in it.

    The layers are LAYER rows, one line a frame, outermost first; of more than `told` the first are given.
    """
    rows, stacks = np.empty(len(chosen), PACKET), np.zeros((len(chosen), told), LAYER)
    _trace(
        batch.buffer, batch.offset, batch.captured, batch.original, batch.interface, links,
        np.ascontiguousarray(chosen, np.int64), rows, stacks,
    )  # fmt: skip
    return np.minimum(rows["layers"], told), stacks


def trace_rows(frame: NDArray[np.uint8], link: int) -> tuple[Any, NDArray[Any]]:
    """The row of one frame that stands alone in its buffer, and the layers around its packet."""
    rows, stacks = np.empty(1, PACKET), np.zeros((1, MAX_TOLD), LAYER)
    size, zero = np.array([len(frame)], np.int64), np.zeros(1, np.int64)
    _trace(frame, zero, size, size, _FIRST, np.array([link], np.int32), zero, rows, stacks)
    return rows[0], stacks[0, : min(int(rows[0]["layers"]), MAX_TOLD)]


def warm() -> None:
    """Compile the decoder with the argument types it is used with."""
    one, links = np.zeros(1, np.int64), np.zeros(1, np.int32)
    rows = np.empty(1, dtype=PACKET)
    buffer = np.zeros(64, np.uint8)
    decode_headers(buffer, one, one, one, one, links, links, 1, rows, _NO_STACK)
    _trace(buffer, one, one, one, links, links, one, rows, np.zeros((1, MAX_TOLD), LAYER))
