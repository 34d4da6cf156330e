"""Clean what dumpcap tells about the machine out of a pcapng file; the packets stay byte for byte.

dumpcap names the processor and kernel in the section header (shb_hardware, shb_os) and in the interface
block (if_os, if_hardware). These options are dropped. Blocks: draft-ietf-opsawg-pcapng.
"""

import struct
from pathlib import Path

SECTION, INTERFACE, ENHANCED_PACKET, STATISTICS = 0x0A0D0D0A, 1, 6, 5
KEEP_SECTION = {1, 4}  # opt_comment, shb_userappl (dumpcap's version)
KEEP_INTERFACE = {2, 3, 9}  # if_name, if_description, if_tsresol
IF_DESCRIPTION = 3


def option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def options(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        found.append((code, data[at + 4 : at + 4 + length]))
        at += 4 + length + (-length % 4)
    return found


def block(kind: int, fixed: bytes, chosen: list[tuple[int, bytes]]) -> bytes:
    tail = b"".join(option(code, value) for code, value in chosen)
    if chosen:
        tail += option(0, b"")
    length = 12 + len(fixed) + len(tail)
    return struct.pack("<II", kind, length) + fixed + tail + struct.pack("<I", length)


def clean(source: Path, target: Path, comment: str, description: str) -> None:
    """Raises ValueError for a block kind that dumpcap is not known to write."""
    data, out, at = source.read_bytes(), [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        body = data[at + 8 : at + length - 4]
        if kind == SECTION:
            kept = [pair for pair in options(body[16:]) if pair[0] in KEEP_SECTION - {1}]
            # Section length "not given" (-1): the blocks after it change size.
            out.append(block(kind, body[:8] + b"\xff" * 8, [(1, comment.encode()), *kept]))
        elif kind == INTERFACE:
            kept = [pair for pair in options(body[8:]) if pair[0] in KEEP_INTERFACE - {IF_DESCRIPTION}]
            out.append(block(kind, body[:8], sorted([*kept, (IF_DESCRIPTION, description.encode())])))
        elif kind in (ENHANCED_PACKET, STATISTICS):
            out.append(data[at : at + length])
        else:
            raise ValueError(f"block kind {kind:#x} at {at}")
        at += length
    target.write_bytes(b"".join(out))
