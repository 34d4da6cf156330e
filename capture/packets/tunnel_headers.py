"""Tunnels inside IP: what a UDP payload or a GRE header carries.

A port alone does not make a tunnel: its header and the first inner octets must fit too. What is no tunnel, or only a
tunnel's own signalling, is a datagram of the two that speak it.

Sources: RFC 2784, 2890, 2637 (GRE, PPTP); RFC 7348 (VXLAN); RFC 8926 (GENEVE); RFC 4380 (Teredo); RFC 5415, 5416
(CAPWAP); RFC 2661 (L2TP); 3GPP TS 29.281 (GTP-U); draft-ietf-nvo3-vxlan-gpe (VXLAN-GPE); draft-foschiano-erspan.
TZSP has no text of its own; its layout is what recorders of the field write.
"""

from typing import Any

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import (
    T_CAPWAP,
    T_ERSPAN,
    T_GENEVE,
    T_GPE,
    T_GRE,
    T_GTP,
    T_L2TP,
    T_TEREDO,
    T_TZSP,
    T_VXLAN,
)
from wirecover.capture.packets.steps import (
    CUT,
    ETHERNET,
    ETHERTYPE,
    FRAME_RELAY,
    IP,
    LINK,
    NSH,
    PPP,
    SWAPPED,
    UNKNOWN,
    WIFI,
    u16,
    u32,
)

_MOST_TAGS = 64


@kernel
def udp_tunnel(
    buffer: Any, at: int, end: int, wire_end: int, src: int, dst: int
) -> tuple[int, int, int, int, int]:
    """(what to read next, where, a number for that, tunnel, tunnel id); the first is -1 if this is no tunnel."""
    if dst == 2152 or src == 2152:
        return _gtp(buffer, at, end)
    if dst in (4789, 8472):
        if end - at >= 22 and (buffer[at] & 0x7F) == 0x08:  # the VNI flag, with or without group policy
            return ETHERNET, at + 8, 0, T_VXLAN, u32(buffer, at + 4) >> 8
    elif dst == 4790:
        return _gpe(buffer, at, end)
    elif dst == 6081:
        return _geneve(buffer, at, end)
    elif dst == 3544 or src == 3544:
        return _teredo(buffer, at, end, wire_end)
    elif dst == 5247 or src == 5247:
        return _capwap(buffer, at, end)
    elif dst == 37008:
        return _tzsp(buffer, at, end)
    elif dst == 1701 or src == 1701:
        return _l2tp(buffer, at, end)
    return -1, at, 0, 0, 0


@kernel
def _gtp(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """Version 1, a G-PDU, with or without the optional octets and extension headers."""
    room = end - at
    if room >= 9 and (buffer[at] & 0xF0) == 0x30 and buffer[at + 1] == 0xFF:
        inner = at + 8
        if buffer[at] & 0x07:  # sequence, N-PDU or extension field present: four more octets
            extension = buffer[at + 11] if room >= 12 else 0
            inner += 4
            while extension != 0 and (buffer[at] & 0x04):
                if inner >= end or buffer[inner] == 0:
                    return -1, at, 0, 0, 0
                step = np.int64(buffer[inner]) * 4
                if inner + step > end:
                    return -1, at, 0, 0, 0
                extension = buffer[inner + step - 1]
                inner += step
        if inner < end and (buffer[inner] >> 4) in (4, 6):
            return IP, inner, 0, T_GTP, u32(buffer, at + 4)
    return -1, at, 0, 0, 0


@kernel
def _gpe(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """VXLAN with a next protocol: the I and P flags are set, version and O are not."""
    if end - at >= 9 and (buffer[at] & 0x3D) == 0x0C:
        kind, vni = buffer[at + 3], u32(buffer, at + 4) >> 8
        if kind == 1 and buffer[at + 8] >> 4 == 4:
            return IP, at + 8, 0, T_GPE, vni
        if kind == 2 and buffer[at + 8] >> 4 == 6:
            return IP, at + 8, 0, T_GPE, vni
        if kind == 3:
            return ETHERNET, at + 8, 0, T_GPE, vni
        if kind == 4:
            return NSH, at + 8, 0, T_GPE, vni
    return -1, at, 0, 0, 0


@kernel
def _geneve(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    if end - at >= 8 and (buffer[at] >> 6) == 0:
        inner = at + 8 + np.int64(buffer[at] & 0x3F) * 4
        kind = u16(buffer, at + 2)
        vni = u32(buffer, at + 4) >> 8
        if inner < end and kind == 0x6558:
            return ETHERNET, inner, 0, T_GENEVE, vni
        if inner < end and kind in (0x0800, 0x86DD):
            return IP, inner, 0, T_GENEVE, vni
    return -1, at, 0, 0, 0


@kernel
def _teredo(buffer: Any, at: int, end: int, wire_end: int) -> tuple[int, int, int, int, int]:
    """Bubbles and router discovery are between a client and its server: the tunnel's own signalling."""
    inner = at
    if end - at >= 4 and buffer[inner] == 0 and buffer[inner + 1] == 1:  # authentication
        inner += 13 + np.int64(buffer[at + 2]) + np.int64(buffer[at + 3])
    if inner + 8 <= end and buffer[inner] == 0 and buffer[inner + 1] == 0:  # origin indication
        inner += 8
    if inner + 40 > end or (buffer[inner] >> 4) != 6 or 40 + u16(buffer, inner + 4) > wire_end - inner:
        return -1, at, 0, 0, 0
    following = buffer[inner + 6]
    if following == 59:
        return -1, at, 0, 0, 0
    if following == 58 and inner + 41 <= end and (buffer[inner + 40] == 133 or buffer[inner + 40] == 134):
        return -1, at, 0, 0, 0
    return IP, inner, 0, T_TEREDO, -1


@kernel
def _capwap(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """A whole data frame in clear (RFC 5415 4.3): 802.3, or 802.11 where the header says so."""
    if end - at < 9 or buffer[at] != 0:  # version 0, and no DTLS
        return -1, at, 0, 0, 0
    size = np.int64(buffer[at + 1] >> 3) * 4
    radio = ((np.int64(buffer[at + 1]) & 0x07) << 2) | (np.int64(buffer[at + 2]) >> 6)
    binding = np.int64(buffer[at + 2] >> 1) & 0x1F
    native, fragment, keep_alive = buffer[at + 2] & 1, buffer[at + 3] & 0x80, buffer[at + 3] & 0x08
    if size < 8 or at + size >= end or fragment or keep_alive:
        return -1, at, 0, 0, 0
    if not native:
        return ETHERNET, at + size, 0, T_CAPWAP, radio
    if binding == 1:
        return WIFI, at + size, SWAPPED, T_CAPWAP, radio
    return -1, at, 0, 0, 0


@kernel
def _tzsp(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """Version 1, a received packet or one to be sent; tags until the end tag, then the frame."""
    if end - at < 5 or buffer[at] != 1 or buffer[at + 1] > 1:
        return -1, at, 0, 0, 0
    kind = u16(buffer, at + 2)
    inner = at + 4
    for _ in range(_MOST_TAGS):
        if inner >= end:
            return -1, at, 0, 0, 0
        tag = buffer[inner]
        if tag == 1:
            inner += 1
            break
        if tag == 0:
            inner += 1
        elif inner + 1 < end:
            inner += 2 + np.int64(buffer[inner + 1])
        else:
            return -1, at, 0, 0, 0
    else:
        return -1, at, 0, 0, 0
    if inner >= end:
        return -1, at, 0, 0, 0
    if kind == 1:
        return ETHERNET, inner, 0, T_TZSP, -1
    if kind == 18:
        return WIFI, inner, 0, T_TZSP, -1
    if kind == 119 or kind == 127:  # Prism and AVS
        return LINK, inner, 119 if kind == 119 else 163, T_TZSP, -1
    return -1, at, 0, 0, 0


@kernel
def _l2tp(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """A data message of version 2 that carries IP; the id is that of the tunnel, then that of the session."""
    if end - at < 6:
        return -1, at, 0, 0, 0
    flags = u16(buffer, at)
    if flags & 0xB4FF != 0x0002:  # no control message, reserved bits zero, version 2
        return -1, at, 0, 0, 0
    inner = at + 2
    if flags & 0x4000:
        inner += 2
    if inner + 4 > end:
        return -1, at, 0, 0, 0
    identifier = u32(buffer, inner)
    inner += 4
    if flags & 0x0800:
        inner += 4
    if flags & 0x0200:
        if inner + 2 > end:
            return -1, at, 0, 0, 0
        inner += 2 + u16(buffer, inner)
    packet = inner
    if packet + 2 <= end and buffer[packet] == 0xFF and buffer[packet + 1] == 0x03:
        packet += 2
    if packet + 3 > end:
        return -1, at, 0, 0, 0
    protocol, first = np.int64(buffer[packet]), buffer[packet + 1]
    if not protocol & 1:
        protocol, first = u16(buffer, packet), buffer[packet + 2]
    if (protocol == 0x21 and first >> 4 == 4) or (protocol == 0x57 and first >> 4 == 6):
        return PPP, packet, 0, T_L2TP, identifier
    return -1, at, 0, 0, 0


@kernel
def gre(buffer: Any, at: int, end: int) -> tuple[int, int, int, int, int]:
    """(what to read next, where, a number for that, tunnel, its key or session) behind a GRE header.

    UNKNOWN: what it carries is not read. The call id of PPTP and the key of GRE may differ by direction.
    """
    if at + 4 > end:
        return CUT, at, 0, 0, 0
    flags = u16(buffer, at)
    kind = u16(buffer, at + 2)
    if flags & 0x4000:  # RFC 1701's source routes, which receivers of RFC 2784 do not take
        return UNKNOWN, at, 0, 0, 0
    inner, key = at + 4, -1
    if flags & 0x8000:
        inner += 4
    if flags & 0x2000:
        if inner + 4 > end:
            return CUT, at, 0, 0, 0
        key = u32(buffer, inner)
        inner += 4
    if flags & 0x1000:
        inner += 4
    if flags & 0x0007 == 1:
        key &= 0xFFFF if key >= 0 else key
        if flags & 0x0080:  # acknowledgement
            inner += 4
    if inner > end:
        return CUT, at, 0, 0, 0
    if kind == 0x880B:
        if flags & 0x0007 == 1 and not flags & 0x1000:
            return UNKNOWN, at, 0, 0, 0  # no sequence number: an acknowledgement alone (RFC 2637 4.1)
        if inner + 2 <= end and buffer[inner] == 0xFF and buffer[inner + 1] == 0x03:
            inner += 2
        return PPP, inner, 0, T_GRE, key
    if kind == 0x6558:
        return ETHERNET, inner, 0, T_GRE, key
    if kind == 0x6559:
        return FRAME_RELAY, inner, 0, T_GRE, key
    if kind == 0x88BE or kind == 0x22EB:
        return _erspan(buffer, inner, end, kind, flags & 0x1000 != 0)
    if kind == 0x883E:  # WCCP: version 2 puts four octets before the packet
        if inner >= end:
            return CUT, at, 0, 0, 0
        return IP, (inner if buffer[inner] >> 4 == 4 else inner + 4), 0, T_GRE, key
    if kind == 0x894F:
        return NSH, inner, 0, T_GRE, key
    if kind in (0x0800, 0x86DD, 0x8847, 0x8848, 0x8100, 0x88A8):
        return ETHERTYPE, inner, kind, T_GRE, key
    return UNKNOWN, at, 0, 0, 0


@kernel
def _erspan(buffer: Any, at: int, end: int, kind: int, sequenced: bool) -> tuple[int, int, int, int, int]:
    """Type I has no header of its own and no GRE sequence number; II and III have a session of ten bits."""
    if kind == 0x88BE:
        if not sequenced:
            return ETHERNET, at, 0, T_ERSPAN, -1
        if at + 8 > end:
            return CUT, at, 0, 0, 0
        return ETHERNET, at + 8, 0, T_ERSPAN, u16(buffer, at + 2) & 0x3FF
    if at + 12 > end:
        return CUT, at, 0, 0, 0
    inner = at + 12 + (8 if buffer[at + 11] & 0x01 else 0)
    session = u16(buffer, at + 2) & 0x3FF
    if (buffer[at + 10] >> 2) & 0x1F == 2:  # the frame type: an IP packet
        return IP, inner, 0, T_ERSPAN, session
    return ETHERNET, inner, 0, T_ERSPAN, session


def warm() -> None:
    """Compile the kernels of this module with the types they are used with."""
    buffer = np.zeros(64, np.uint8)
    udp_tunnel(buffer, 0, 64, 64, 1, 2)
    gre(buffer, 0, 64)
