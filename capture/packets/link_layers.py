"""Link layers: the header a capture's link type announces, and what may stand between it and the IP packet.

Each reader gets the offset of its header and gives (what to read next, where, a number for that). Nothing is read
beyond `end`, where the captured bytes stop.

Sources: https://www.tcpdump.org/linktypes.html; IEEE 802.3, 802.2, 802.5, 802.11-2020 9.2 and 9.3; https://www.radiotap.org;
PPI Packet Header Format 1.0.10 (CACE); RFC 1042, 1662, 2427 (frame relay), 2684 (ATM), 8300 (NSH).
"""

from typing import Any

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import (
    BY_MAC,
    LAYER,
    PACKET,
    R_AGGREGATE,
    R_WIFI,
    T_FRAME_RELAY,
    T_NSH,
    T_WIFI,
)
from wirecover.capture.packets.steps import (
    CUT,
    ETHERNET,
    ETHERTYPE,
    FRAME_RELAY,
    IP,
    LINK,
    LLC,
    LLC_PADDED,
    NLPID,
    NOTHING,
    PPP,
    SEALED,
    SPOILED,
    SWAPPED,
    UNKNOWN,
    WIFI,
    little16,
    little32,
    note,
    u16,
    u32,
)

_MOST_TLVS = 64


@kernel
def link_layer(buffer: Any, at: int, end: int, link: int) -> tuple[int, int, int]:
    """The header of link type `link` at `at`."""
    if link == 1:
        return ETHERNET, at, 0
    if link in (12, 14, 101, 228, 229):
        return IP, at, 0
    if link in (0, 108):  # NULL in the capturing host's byte order, LOOP in network order
        return (IP, at + 4, 0) if at + 4 <= end else (CUT, at, 0)
    if link == 113:
        return _cooked(buffer, at, end, 16, at + 2, at + 14)
    if link == 276:
        return _cooked(buffer, at, end, 20, at + 8, at)
    if link in (105, 119, 127, 163, 192, 258):
        return _prefixed(buffer, at, end, link)
    if link in (9, 50, 51, 104, 166, 204, 205):
        return _serial(buffer, at, end, link)
    return _other_link(buffer, at, end, link)


@kernel
def _cooked(buffer: Any, at: int, end: int, size: int, device_at: int, kind_at: int) -> tuple[int, int, int]:
    """LINUX_SLL and LINUX_SLL2: the device's ARPHRD number, and an ethertype or one of Linux's own numbers."""
    if at + size > end:
        return CUT, at, 0
    device, kind = u16(buffer, device_at), u16(buffer, kind_at)
    if device == 801:
        return WIFI, at + size, 0
    if device == 802:
        return LINK, at + size, 119
    if device == 803:
        return LINK, at + size, 127
    if kind == 0x0004:  # 802.2 frames without their length field
        return LLC, at + size, 0
    if kind == 0x0001:  # raw 802.3
        return NOTHING, at + size, 0
    return ETHERTYPE, at + size, kind


@kernel
def _prefixed(buffer: Any, at: int, end: int, link: int) -> tuple[int, int, int]:
    """802.11, with or without what the radio wrote before it, and the packets of PPI and PKTAP."""
    if link == 105:
        return WIFI, at, 0
    if at + 12 > end and not (link == 127 and at + 8 <= end):
        return CUT, at, 0
    if link == 127:
        return _radiotap(buffer, at, end)
    if link == 192:
        size, inner = little16(buffer, at + 2), little32(buffer, at + 4)
        if size < 8 or at + size > end:
            return CUT, at, 0
        return LINK, at + size, inner
    if link == 258:
        size, inner = little32(buffer, at), little32(buffer, at + 8)
        if size < 12 or at + size > end:
            return CUT, at, 0
        return (LINK, at + size, inner) if little32(buffer, at + 4) == 1 else (NOTHING, at, 0)
    if u32(buffer, at) & 0xFFFFF000 == 0x80211000:  # AVS, also where the file says Prism
        size = u32(buffer, at + 4)
    elif link == 119:
        size = little32(buffer, at + 4) if buffer[at] else u32(buffer, at + 4)
    else:
        return UNKNOWN, at, 0
    if size < 8 or at + size > end:
        return CUT, at, 0
    return WIFI, at + size, 0


@kernel
def _radiotap(buffer: Any, at: int, end: int) -> tuple[int, int, int]:
    """Of the fields only Flags counts: padding behind the 802.11 header, and frames received with errors."""
    size = little16(buffer, at + 2)
    if buffer[at] != 0:
        return UNKNOWN, at, 0
    if size < 8 or at + size > end:
        return CUT, at, 0
    present = word = little32(buffer, at + 4)
    field = at + 8
    while word >> 31 and field + 4 <= at + size:
        word = little32(buffer, field)
        field += 4
    if present & 1:  # TSFT: eight octets, aligned to eight
        field = at + ((field - at + 7) & ~7) + 8
    flags = 0
    if present & 2 and field < at + size:
        flags = np.int64(buffer[field])
    if flags & 0x40:
        return SPOILED, at, 0
    return WIFI, at + size, flags & 0x20


@kernel
def _serial(buffer: Any, at: int, end: int, link: int) -> tuple[int, int, int]:
    """PPP and Cisco HDLC, some with an octet or two of the recorder's own."""
    if link == 51:  # PPPoE session without its Ethernet header
        return (PPP, at + 6, 0) if at + 6 <= end else (CUT, at, 0)
    if link == 166:  # the direction in place of the address
        return (PPP, at + 2, 0) if at + 2 <= end else (CUT, at, 0)
    if link == 204 or link == 205:
        at += 1
        link = 9 if link == 204 else 104
    if link == 9:
        if at + 2 <= end and buffer[at] == 0xFF and buffer[at + 1] == 0x03:
            return PPP, at + 2, 0
        if at + 4 > end or (buffer[at] != 0x0F and buffer[at] != 0x8F):
            return PPP, at, 0  # no protocol of PPP begins with the addresses of Cisco HDLC (RFC 1661 2)
    if at + 4 > end:
        return CUT, at, 0
    if buffer[at] == 0xFF and buffer[at + 1] == 0x03:
        return PPP, at + 2, 0
    if buffer[at] == 0x0F or buffer[at] == 0x8F:  # Cisco HDLC: unicast, broadcast
        return ETHERTYPE, at + 4, u16(buffer, at + 2)
    return (PPP, at, 0) if link == 50 else (UNKNOWN, at, 0)


@kernel
def _other_link(buffer: Any, at: int, end: int, link: int) -> tuple[int, int, int]:
    if link == 239:
        return _nflog(buffer, at, end)
    if link == 107:
        return FRAME_RELAY, at, 0
    if link == 206:
        return FRAME_RELAY, at + 1, 0
    if link == 219:
        return ETHERTYPE, at, 0x8847
    if link == 100:
        return LLC_PADDED, at, 0
    if link == 123:  # SunATM: what kind of traffic, then virtual path and channel
        if at + 4 > end:
            return CUT, at, 0
        kind = buffer[at] & 0x0F
        if kind == 2:
            return LLC_PADDED, at + 4, 0
        return (ETHERNET, at + 6, 0) if kind == 1 else (NOTHING, at, 0)
    if link == 10:  # FDDI: frame control, two addresses
        if at + 13 > end:
            return CUT, at, 0
        return (LLC, at + 13, 0) if buffer[at] & 0xF0 == 0x50 else (NOTHING, at, 0)
    if link == 6:  # token ring: access and frame control, two addresses, the route if the source says so
        if at + 14 > end:
            return CUT, at, 0
        if buffer[at + 1] & 0xC0 != 0x40:
            return NOTHING, at, 0
        route = np.int64(buffer[at + 14] & 0x1F) if buffer[at + 8] & 0x80 and at + 14 < end else 0
        return LLC, at + 14 + route, 0
    if link == 138:  # IP over IEEE 1394: two EUI-64
        return (ETHERTYPE, at + 18, u16(buffer, at + 16)) if at + 18 <= end else (CUT, at, 0)
    if link == 242:  # IP over InfiniBand: global route header, then RFC 4391 section 6
        return (ETHERTYPE, at + 44, u16(buffer, at + 40)) if at + 44 <= end else (CUT, at, 0)
    if link == 109:  # OpenBSD enc: family, SPI, flags
        return (IP, at + 12, 0) if at + 12 <= end else (CUT, at, 0)
    if link == 117:  # OpenBSD pflog: its length first, filled up to a multiple of four
        if at >= end or at + ((np.int64(buffer[at]) + 3) & ~3) > end:
            return CUT, at, 0
        size = (np.int64(buffer[at]) + 3) & ~3
        return (IP, at + size, 0) if size >= 4 else (UNKNOWN, at, 0)
    if link == 240:
        return ETHERNET, at + 4, 0
    if link == 241:
        return ETHERNET, at + 12, 0
    if link == 274:  # the preamble first
        return ETHERNET, at + 8, 0
    return UNKNOWN, at, 0


@kernel
def _nflog(buffer: Any, at: int, end: int) -> tuple[int, int, int]:
    """Netfilter's records: family and version, then type-length-values in the recording host's byte order."""
    if at + 4 > end:
        return CUT, at, 0
    if buffer[at + 1] != 0:
        return UNKNOWN, at, 0
    at += 4
    for _ in range(_MOST_TLVS):
        if at + 4 > end:
            return NOTHING, at, 0
        # no type reaches 256, so the octet that is not zero says which order it is
        big = buffer[at + 2] == 0 and buffer[at + 3] != 0
        size = u16(buffer, at) if big else little16(buffer, at)
        kind = u16(buffer, at + 2) if big else little16(buffer, at + 2)
        if size < 4:
            return CUT, at, 0
        if kind == 9:  # the packet
            return IP, at + 4, 0
        at += (size + 3) & ~3
    return NOTHING, at, 0


@kernel
def llc_layer(buffer: Any, at: int, end: int, padding: int) -> tuple[int, int, int]:
    """802.2 with or without SNAP; `padding`: octets before a bridged frame."""
    if at + 3 > end:
        return CUT, at, 0
    sap, control = u16(buffer, at), buffer[at + 2]
    if sap == 0xAAAA and control == 3:
        return _snap(buffer, at + 3, end, padding)
    if sap == 0x0606 and control == 3:
        return IP, at + 3, 0
    if sap == 0xFEFE and control == 3:
        return NLPID, at + 3, 0
    return NOTHING, at, 0


@kernel
def _snap(buffer: Any, at: int, end: int, padding: int) -> tuple[int, int, int]:
    """Organisation and protocol (RFC 1042; IEEE 802.1H; RFC 2427 and 2684 for bridged frames)."""
    if at + 5 > end:
        return CUT, at, 0
    organisation = (u16(buffer, at) << 8) | np.int64(buffer[at + 2])
    kind = u16(buffer, at + 3)
    if organisation == 0 or organisation == 0x0000F8:
        return ETHERTYPE, at + 5, kind
    if organisation == 0x0080C2 and (kind == 1 or kind == 7):
        return ETHERNET, at + 5 + padding, 0
    return NOTHING, at, 0


@kernel
def nlpid_layer(buffer: Any, at: int, end: int) -> tuple[int, int, int]:
    """The network layer protocol identifier (RFC 2427 4), behind one octet of padding if there is any."""
    if at < end and buffer[at] == 0:
        at += 1
    if at >= end:
        return CUT, at, 0
    kind = buffer[at]
    if kind == 0xCC or kind == 0x8E:
        return IP, at + 1, 0
    if kind == 0x80:
        return _snap(buffer, at + 1, end, 0)
    if kind == 0xCF:
        return PPP, at + 1, 0
    return NOTHING, at, 0


@kernel
def frame_relay_layer(
    buffer: Any, at: int, end: int, row: Any, stack: Any, carrier: int
) -> tuple[int, int, int]:
    """Q.922 address of two to four octets (the last one is odd), then RFC 2427 or, with Cisco, an ethertype."""
    size = 1
    while size <= 4 and at + size <= end and not buffer[at + size - 1] & 1:
        size += 1
    if at + size + 2 > end:
        return CUT, at, 0
    if size == 1 or size > 4:
        return UNKNOWN, at, 0
    dlci = (np.int64(buffer[at] >> 2) << 4) | np.int64(buffer[at + 1] >> 4)
    if size == 3:
        dlci = (dlci << 6) | np.int64(buffer[at + 2] >> 2)
    elif size == 4:
        dlci = (dlci << 13) | (np.int64(buffer[at + 2] >> 1) << 6) | np.int64(buffer[at + 3] >> 2)
    note(buffer, row, stack, T_FRAME_RELAY, dlci, carrier, at, at)
    at += size
    if buffer[at] == 3:
        return NLPID, at + 1, 0
    return ETHERTYPE, at + 2, u16(buffer, at)


@kernel
def _is_snap(buffer: Any, at: int, end: int) -> bool:
    """LLC and SNAP of an encapsulated Ethernet protocol: 48 bits that an encrypted frame shows by chance alone."""
    return at + 8 <= end and u32(buffer, at) == 0xAAAA0300 and u16(buffer, at + 4) == 0


@kernel
def _mesh_control(buffer: Any, body: int, end: int) -> int:
    """Octets of a Mesh Control field at `body` (802.11-2020 9.2.4.8.3), 0 where it is none.

    Outside of a mesh the bit that announces it means something else, so LLC and SNAP must stand behind it.
    """
    if body >= end or buffer[body] > 2:
        return 0
    size = 6 + 6 * np.int64(buffer[body])
    return size if _is_snap(buffer, body + size, end) else 0


@kernel
def wifi_layer(
    buffer: Any, at: int, end: int, notes: int, row: Any, stack: Any
) -> tuple[int, int, int, int, int]:
    """An 802.11 frame: (next, where, number, where the receiver's and the sender's addresses are).

    `notes`: 0x20, the radio's note of padding behind the header; SWAPPED. Only data frames carry packets. A frame
    marked as protected is read if it was recorded decrypted (its LLC header then stands in clear, perhaps behind the
    initialisation vector). Of an aggregate (A-MSDU) the first is read.
    """
    if at + 2 > end:
        return CUT, at, 0, -1, -1
    control, flags = np.int64(buffer[at]), np.int64(buffer[at + 1])
    if notes & SWAPPED and control & 0x0F != 0x08 and flags & 0x0F == 0x08:
        control, flags = flags, control
    if control & 0x0F != 0x08 or control & 0x40:  # no data frame of version 0, or one without data
        return NOTHING, at, 0, -1, -1
    to_ds, from_ds = flags & 1, flags >> 1 & 1
    size = 30 if to_ds and from_ds else 24
    aggregate = False
    if control & 0x80:
        if at + size + 2 > end:
            return CUT, at, 0, -1, -1
        aggregate = buffer[at + size] & 0x80 != 0
        size += 6 if flags & 0x80 else 2
    if at + size > end:
        return CUT, at, 0, -1, -1
    if buffer[at + 22] & 0x0F:  # a later fragment of a frame
        return NOTHING, at, 0, -1, -1
    to_at, from_at, bssid_at = at + 4, at + 10, at + 16
    if to_ds and from_ds:
        to_at, from_at, bssid_at = at + 16, at + 24, -1
    elif to_ds:
        to_at, bssid_at = at + 16, at + 4
    elif from_ds:
        from_at, bssid_at = at + 16, at + 10
    bssid = -1
    if bssid_at >= 0:
        bssid = (u16(buffer, bssid_at) << 32) | u32(buffer, bssid_at + 2)
    note(buffer, row, stack, T_WIFI, bssid, BY_MAC, to_at, from_at)
    body = at + size
    if notes & 0x20:
        body = at + ((size + 3) & ~3)
    mesh = 0
    if control & 0x80 and buffer[at + (30 if to_ds and from_ds else 24) + 1] & 1:
        mesh = _mesh_control(buffer, body, end)
    if mesh:
        if mesh == 18:
            to_at, from_at = body + 6, body + 12
        body += mesh
    if flags & 0x40 and not _is_snap(buffer, body, end):
        if _is_snap(buffer, body + 8, end):
            body += 8
        elif _is_snap(buffer, body + 4, end):
            body += 4
        else:
            return SEALED, at, R_WIFI, to_at, from_at
    if aggregate and not _is_snap(buffer, body, end):
        if body + 14 > end:
            return CUT, at, 0, to_at, from_at
        if body + ((14 + u16(buffer, body + 12) + 3) & ~3) + 14 <= end:
            row.reason = R_AGGREGATE
        to_at, from_at, body = body, body + 6, body + 14
    return LLC, body, 0, to_at, from_at


@kernel
def nsh_layer(
    buffer: Any, at: int, end: int, row: Any, stack: Any, carrier: int, to_at: int, from_at: int
) -> tuple[int, int, int]:
    """Network Service Header (RFC 8300 2): length in words, next protocol, service path."""
    if at + 8 > end:
        return CUT, at, 0
    size = (u16(buffer, at) & 0x3F) * 4
    if buffer[at] >> 6 or size < 8:
        return NOTHING, at, 0
    note(buffer, row, stack, T_NSH, u32(buffer, at + 4) >> 8, carrier, to_at, from_at)
    kind = buffer[at + 3]
    if kind == 1 or kind == 2:
        return IP, at + size, 0
    if kind == 3:
        return ETHERNET, at + size, 0
    if kind == 5:
        return ETHERTYPE, at + size, 0x8847
    return NOTHING, at, 0


def warm() -> None:
    """Compile the kernels of this module with the types they are used with."""
    buffer, row, stack = np.zeros(64, np.uint8), np.zeros(1, PACKET)[0], np.zeros(2, LAYER)
    for link in (1, 239):
        link_layer(buffer, 0, 64, link)
    llc_layer(buffer, 0, 64, 2)
    nlpid_layer(buffer, 0, 64)
    frame_relay_layer(buffer, 0, 64, row, stack, 0)
    wifi_layer(buffer, 0, 64, 0, row, stack)
    nsh_layer(buffer, 0, 64, row, stack, 0, 0, 0)
