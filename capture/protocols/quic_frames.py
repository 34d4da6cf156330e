"""The frames of an opened Initial packet (RFC 9000 sections 12.4 and 19), of which CRYPTO is what is
wanted.
"""

import re
from collections.abc import Iterator
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_varint import read_varint

_PADDING_OR_PING: Final = re.compile(rb"[\x00\x01]+")  # one step over a kilobyte of padding
_ACK: Final = (0x02, 0x03)
_CRYPTO: Final = 0x06
_CLOSE: Final = (0x1C, 0x1D)
_GOOGLE_PADDING_OR_PING: Final = re.compile(rb"[\x00\x07]+")
_GOOGLE_CRYPTO: Final = (0x06, 0x08)  # STOP_WAITING, the earlier 0x06, was gone by Q044
_GOOGLE_SIZES: Final = (1, 2, 4, 6)


def crypto_frames(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and data of each CRYPTO frame, in packet order; Malformed at a frame an Initial cannot carry.

    What came before the bad frame has been yielded by then.
    """
    offset, end = 0, len(payload)
    while offset < end:
        blank = _PADDING_OR_PING.match(payload, offset)
        if blank:
            offset = blank.end()
            continue
        kind = payload[offset]
        if kind == _CRYPTO:
            position, data, offset = _crypto_frame(payload, offset + 1, end)
            yield position, data
        elif kind in _ACK:
            offset = _skip_ack(payload, offset + 1, end, counts=kind == 0x03)
        elif kind in _CLOSE:
            offset = _skip_close(payload, offset + 1, end, has_frame_type=kind == 0x1C)
        else:
            raise Malformed(offset, f"frame type 0x{kind:02x} in an Initial packet")


def google_crypto_frames(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """As `crypto_frames`, for Q050, T050 and T051: CRYPTO is type 8, PING 7; unknown frames end the
    reading.
    """
    offset, end = 0, len(payload)
    while offset < end:
        blank = _GOOGLE_PADDING_OR_PING.match(payload, offset)
        if blank:
            offset = blank.end()
        elif payload[offset] in _GOOGLE_CRYPTO:
            position, data, offset = _crypto_frame(payload, offset + 1, end)
            yield position, data
        elif payload[offset] & 0xC0 == 0x40:
            offset = google_ack_end(payload, offset)
        else:
            return


def google_ack_end(data: bytes, offset: int) -> int:
    """Where Google's ACK frame (type 01ntllmm, from Q039 on) ends; Malformed if that is behind the bytes."""
    kind, at = data[offset], offset + 1
    block_bytes = _GOOGLE_SIZES[kind & 3]
    at += _GOOGLE_SIZES[(kind >> 2) & 3] + 2  # largest acknowledged, delay
    if kind & 0x20:
        at += 1 + sum(data[at : at + 1]) * (1 + block_bytes)
    at += block_bytes
    timestamps = sum(data[at : at + 1])
    at += 1 + (timestamps * 3 + 2 if timestamps else 0)  # the first takes 5 bytes, each further one 3
    if at > len(data):
        raise Malformed(offset, "an ACK frame runs over the packet's end")
    return at


def _crypto_frame(payload: bytes, offset: int, end: int) -> tuple[int, bytes, int]:
    position, offset = read_varint(payload, offset, end)
    length, offset = read_varint(payload, offset, end)
    if length > end - offset:
        raise Malformed(offset, f"a CRYPTO frame of {length} bytes runs over the packet's end")
    return position, payload[offset : offset + length], offset + length


def _skip_ack(payload: bytes, offset: int, end: int, *, counts: bool) -> int:
    _, offset = read_varint(payload, offset, end)  # largest acknowledged
    _, offset = read_varint(payload, offset, end)  # delay
    ranges, offset = read_varint(payload, offset, end)
    if ranges * 2 > end - offset:
        raise Malformed(offset, f"an ACK of {ranges} ranges runs over the packet's end")
    for _ in range(1 + 2 * ranges + (3 if counts else 0)):
        _, offset = read_varint(payload, offset, end)
    return offset


def _skip_close(payload: bytes, offset: int, end: int, *, has_frame_type: bool) -> int:
    for _ in range(2 if has_frame_type else 1):
        _, offset = read_varint(payload, offset, end)
    length, offset = read_varint(payload, offset, end)
    if length > end - offset:
        raise Malformed(offset, "a CONNECTION_CLOSE reason runs over the packet's end")
    return offset + length
