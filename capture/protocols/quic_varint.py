"""QUIC variable-length integers (RFC 9000 section 16)."""

from wirecover.capture.protocols import Malformed


def read_varint(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """The integer at `offset` and the offset behind it; raises Malformed if it does not fit before `end`."""
    if offset >= end:
        raise Malformed(min(offset, len(data)), "no room for a variable-length integer")
    first = data[offset]
    if first < 0x40:
        return first, offset + 1
    size = 1 << (first >> 6)
    if offset + size > end:
        raise Malformed(offset, "a variable-length integer is cut short")
    value = int.from_bytes(data[offset : offset + size], "big") & ((1 << (8 * size - 2)) - 1)
    return value, offset + size
