"""What the readers of headers share: numbers in the buffer, what to read next, and the note of a layer passed."""

from typing import Any, Final

import numpy as np

from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import (
    BY_IP4,
    BY_IP6,
    BY_MAC,
    BY_NONE,
    LAYER,
    PACKET,
    T_GENEVE,
    T_GPE,
    T_NSH,
    T_PBB,
    T_VXLAN,
)

# What is read next.
(ETHERNET, ETHERTYPE, IP, PPP, GRE, TRANSPORT, DONE, LLC, LLC_PADDED, WIFI, LINK, FRAME_RELAY, NSH, NLPID) = (
    range(14)
)
"""LLC_PADDED: LLC as on ATM, where a bridged frame begins behind two octets of padding (RFC 2684 5.2). LINK: the
link type that the second number says. NLPID: RFC 2427, ISO/IEC TR 9577."""

SWAPPED: Final = 0x100
"""With WIFI: the two octets of the frame control may stand the other way round, as some access points send them
through CAPWAP. For a data frame there is no doubt which way they stand."""

# Why nothing is.
CUT: Final = -1
UNKNOWN: Final = -2
NOTHING: Final = -3
"""Known, and no packet."""
SPOILED: Final = -4
"""The receiver's radio says that the frame check sequence is wrong."""
SEALED: Final = -5
"""Encrypted by the link; the third number says by which (the `reason`)."""


@kernel
def u16(buffer: Any, at: int) -> int:
    """Big-endian."""
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def u32(buffer: Any, at: int) -> int:
    """Big-endian."""
    return (
        (np.int64(buffer[at]) << 24)
        | (np.int64(buffer[at + 1]) << 16)
        | (np.int64(buffer[at + 2]) << 8)
        | np.int64(buffer[at + 3])
    )


@kernel
def u64(buffer: Any, at: int) -> Any:
    """Big-endian, unsigned."""
    value = np.uint64(0)
    for i in range(8):
        value = (value << np.uint64(8)) | np.uint64(buffer[at + i])
    return value


@kernel
def little16(buffer: Any, at: int) -> int:
    """Little-endian."""
    return (np.int64(buffer[at + 1]) << 8) | np.int64(buffer[at])


@kernel
def little32(buffer: Any, at: int) -> int:
    """Little-endian."""
    return (little16(buffer, at + 2) << 16) | little16(buffer, at)


@kernel
def is_segment(kind: int) -> bool:
    """Does the identifier of this layer name a network of its own, the same in both directions?"""
    return kind in (T_VXLAN, T_GENEVE, T_GPE, T_PBB)


@kernel
def join_segment(outer: int, kind: int, identifier: int) -> int:
    """The number of the virtual network that a layer opens inside of another one (0: inside of none)."""
    tag = (np.int64(kind) << 24) | identifier
    return tag if outer == 0 else ((outer * 0x01000193) ^ tag) & 0xFFFFFFFF


@kernel
def note(
    buffer: Any, row: Any, stack: Any, kind: int, identifier: int, carrier: int, to_at: int, from_at: int
) -> None:
    """A layer of this kind begins: in the row the outermost tunnel, in `stack` (as far as it reaches) all there is.

    `to_at` and `from_at`: where the hardware addresses are, if those carry it.
    """
    if row.layers < len(stack):
        one = stack[row.layers]
        one.kind, one.identifier, one.carrier = kind, identifier, carrier
        one.src_hi = one.src_lo = one.dst_hi = one.dst_lo = np.uint64(0)
        one.src_port = one.dst_port = -1
        if carrier == BY_MAC:
            one.src_lo = np.uint64((u16(buffer, from_at) << 32) | u32(buffer, from_at + 2))
            one.dst_lo = np.uint64((u16(buffer, to_at) << 32) | u32(buffer, to_at + 2))
        elif carrier in (BY_IP4, BY_IP6):
            one.src_hi, one.src_lo, one.dst_hi, one.dst_lo = row.src_hi, row.src_lo, row.dst_hi, row.dst_lo
            if row.protocol == 17:
                one.src_port, one.dst_port = row.src_port, row.dst_port
    if row.layers < 255:
        row.layers += 1
    if kind <= T_NSH and row.tunnel == 0:
        row.tunnel, row.tunnel_id = kind, max(0, identifier)
    if is_segment(kind):
        row.segment = join_segment(np.int64(row.segment), kind, identifier)


def warm() -> None:
    """Compile the kernels of this module with the types they are used with."""
    buffer, row, stack = np.zeros(64, np.uint8), np.zeros(1, PACKET)[0], np.zeros(2, LAYER)
    for read in (u16, u32, u64, little16, little32):
        read(buffer, 0)
    note(buffer, row, stack, T_NSH, 0, BY_NONE, 0, 0)
