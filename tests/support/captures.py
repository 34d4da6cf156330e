"""Capture files built byte by byte, right and wrong ones, independent of the code under test."""

import struct
from dataclasses import dataclass
from typing import Literal

SHB_TYPE = 0x0A0D0D0A
Order = Literal["little", "big"]


@dataclass(frozen=True)
class Frame:
    """One record to write: `part` is in the file's own unit below the second."""

    data: bytes
    second: int = 1_700_000_000
    part: int = 0
    original: int | None = None


def _mark(order: Order) -> str:
    return "<" if order == "little" else ">"


def pcap_header(
    *, magic: int = 0xA1B2C3D4, order: Order = "little", version: tuple[int, int] = (2, 4),
    snaplen: int = 262144, network: int = 1,
) -> bytes:  # fmt: skip
    return struct.pack(_mark(order) + "IHHiIII", magic, *version, 0, 0, snaplen, network)


def pcap_record(frame: Frame, *, order: Order = "little", extra: bytes = b"", swap: bool = False) -> bytes:
    wire = len(frame.data) if frame.original is None else frame.original
    lengths = (wire, len(frame.data)) if swap else (len(frame.data), wire)
    return struct.pack(_mark(order) + "IIII", frame.second, frame.part, *lengths) + extra + frame.data


def pcap(frames: list[Frame], *, order: Order = "little", extra: bytes = b"", **header: int) -> bytes:
    records = b"".join(pcap_record(frame, order=order, extra=extra) for frame in frames)
    return pcap_header(order=order, **header) + records  # type: ignore[arg-type]


def frames(count: int, *, start: int = 1_700_000_000) -> list[Frame]:
    """`count` different frames of 1 to 300 bytes."""
    return [
        Frame(
            bytes((i + j) % 251 for j in range(1 + i * 37 % 300)),
            start + i // 10,
            i % 10 * 1000,
            1 + i * 37 % 300,
        )
        for i in range(count)
    ]


# --- pcapng ----------------------------------------------------------------------------------------


def pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def option(code: int, value: bytes, order: Order = "little") -> bytes:
    return struct.pack(_mark(order) + "HH", code, len(value)) + pad(value)


def block(kind: int, body: bytes, order: Order = "little") -> bytes:
    length = len(pad(body)) + 12
    return (
        struct.pack(_mark(order) + "II", kind, length) + pad(body) + struct.pack(_mark(order) + "I", length)
    )


def shb(order: Order = "little", options: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(_mark(order) + "IHHq", 0x1A2B3C4D, *version, -1) + options, order)


def idb(order: Order = "little", options: bytes = b"", link_type: int = 1, snaplen: int = 0) -> bytes:
    return block(1, struct.pack(_mark(order) + "HHI", link_type, 0, snaplen) + options, order)


def epb(
    data: bytes, time: int = 0, order: Order = "little", options: bytes = b"", interface: int = 0,
    original: int | None = None,
) -> bytes:  # fmt: skip
    wire = len(data) if original is None else original
    fixed = struct.pack(_mark(order) + "IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(data), wire)
    return block(6, fixed + pad(data) + options, order)


def spb(data: bytes, order: Order = "little", original: int | None = None) -> bytes:
    wire = len(data) if original is None else original
    return block(3, struct.pack(_mark(order) + "I", wire) + data, order)


def pb(data: bytes, time: int = 0, order: Order = "little", interface: int = 0, drops: int = 0xFFFF) -> bytes:
    fixed = struct.pack(
        _mark(order) + "HHIIII", interface, drops, time >> 32, time & 0xFFFFFFFF, len(data), len(data)
    )
    return block(2, fixed + pad(data), order)


def isb(interface: int = 0, order: Order = "little", options: bytes = b"") -> bytes:
    return block(5, struct.pack(_mark(order) + "III", interface, 0, 0) + options, order)
