"""What an ethertype or PPP's protocol number announces: tags, labels, sessions; and the way to the reader of a layer.

Sources: IEEE 802.1Q, 802.1ah (PBB), 802.1BR, 802.1AE (MACsec); RFC 2516 (PPPoE), 1661 (PPP), 3032 and 4385 (MPLS).
"""

from typing import Any

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.link_layers import (
    frame_relay_layer,
    link_layer,
    llc_layer,
    nlpid_layer,
    nsh_layer,
)
from wirecover.capture.packets.record import BY_NONE, LAYER, PACKET, R_MACSEC, T_MPLS, T_PBB, T_PPPOE, T_VLAN
from wirecover.capture.packets.steps import (
    CUT,
    ETHERNET,
    ETHERTYPE,
    FRAME_RELAY,
    IP,
    LLC,
    LLC_PADDED,
    NLPID,
    NOTHING,
    NSH,
    PPP,
    SEALED,
    note,
    u16,
    u32,
)


@kernel
def _mpls(
    buffer: Any, at: int, end: int, row: Any, stack: Any, carrier: int, to_at: int, from_at: int
) -> tuple[int, int, int]:
    """A stack of labels, the last one marked; nothing says what follows but its first four bits (RFC 4928 2)."""
    bottom = False
    for _ in range(16):
        if at + 4 > end:
            return CUT, at, 0
        note(buffer, row, stack, T_MPLS, u32(buffer, at) >> 12, carrier, to_at, from_at)
        bottom = (buffer[at + 2] & 1) == 1
        at += 4
        if bottom:
            break
    if not bottom or at >= end:
        return NOTHING, at, 0
    if (buffer[at] >> 4) in (4, 6):
        return IP, at, 0
    if (buffer[at] >> 4) == 0 and at + 4 < end:  # pseudowire control word, then Ethernet
        return ETHERNET, at + 4, 0
    return ETHERNET, at, 0


@kernel
def ethertype_layer(
    buffer: Any, at: int, end: int, kind: int, row: Any, stack: Any, carrier: int, to_at: int, from_at: int
) -> tuple[int, int, int]:
    if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
        if at + 4 > end:
            return CUT, at, 0
        vlan = u16(buffer, at) & 0x0FFF
        note(buffer, row, stack, T_VLAN, vlan, carrier, to_at, from_at)
        if row.vlan < 0:
            row.vlan = vlan
        return ETHERTYPE, at + 4, u16(buffer, at + 2)
    if kind in (0x8847, 0x8848):
        return _mpls(buffer, at, end, row, stack, carrier, to_at, from_at)
    if kind == 0x8864:
        if at + 6 > end:
            return CUT, at, 0
        note(buffer, row, stack, T_PPPOE, u16(buffer, at + 2), carrier, to_at, from_at)
        return PPP, at + 6, 0
    if kind == 0x88E7:  # PBB: I-TAG, then the customer's frame
        if at + 4 > end:
            return CUT, at, 0
        note(buffer, row, stack, T_PBB, u32(buffer, at) & 0xFFFFFF, carrier, to_at, from_at)
        return ETHERNET, at + 4, 0
    if kind == 0x894F:
        return NSH, at, 0
    if kind == 0x8903:  # FabricPath: forwarding tag and hop count, then the frame it carries
        return (ETHERNET, at + 2, 0) if at + 2 <= end else (CUT, at, 0)
    if kind == 0x8870:  # a longer frame than its length field can say
        return LLC, at, 0
    if kind == 0x8926 or kind == 0x893F:  # tags of VN-Link and of 802.1BR
        size = 6 if kind == 0x8926 else 8
        return (ETHERTYPE, at + size, u16(buffer, at + size - 2)) if at + size <= end else (CUT, at, 0)
    if kind == 0x88E5:  # MACsec: encrypted, unless bits E and C are both zero
        if at + 1 > end:
            return CUT, at, 0
        if buffer[at] & 0x0C:
            return SEALED, at, R_MACSEC
        size = 16 if buffer[at] & 0x20 else 8
        return (ETHERTYPE, at + size, u16(buffer, at + size - 2)) if at + size <= end else (CUT, at, 0)
    return NOTHING, at, 0


@kernel
def ppp_layer(buffer: Any, at: int, end: int) -> tuple[int, int, int]:
    if at + 2 > end:
        return CUT, at, 0
    if buffer[at] & 1:  # protocol field compression
        kind, at = np.int64(buffer[at]), at + 1
    else:
        kind, at = u16(buffer, at), at + 2
    if kind in (0x0021, 0x0057):
        return IP, at, 0
    return (ETHERTYPE, at, 0x8847) if kind == 0x0281 else (NOTHING, at, 0)


@kernel
def link_step(
    buffer: Any,
    at: int,
    end: int,
    layer: int,
    kind: int,
    row: Any,
    stack: Any,
    carrier: int,
    to_at: int,
    from_at: int,
) -> tuple[int, int, int]:
    """One of the rarer layers below IP, by its number in `steps`."""
    if layer == PPP:
        return ppp_layer(buffer, at, end)
    if layer == LLC:
        return llc_layer(buffer, at, end, 0)
    if layer == LLC_PADDED:
        return llc_layer(buffer, at, end, 2)
    if layer == NLPID:
        return nlpid_layer(buffer, at, end)
    if layer == FRAME_RELAY:
        return frame_relay_layer(buffer, at, end, row, stack, BY_NONE)
    if layer == NSH:
        return nsh_layer(buffer, at, end, row, stack, carrier, to_at, from_at)
    return link_layer(buffer, at, end, kind)


def warm() -> None:
    """Compile the kernels of this module with the types they are used with."""
    buffer, row, stack = np.zeros(64, np.uint8), np.zeros(1, PACKET)[0], np.zeros(2, LAYER)
    ethertype_layer(buffer, 0, 64, 0x8100, row, stack, 0, 0, 0)
    link_step(buffer, 0, 64, PPP, 0, row, stack, 0, 0, 0)
