"""Frames built byte by byte and put into batches or capture files, independent of the code under test."""

import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from support.captures import pcap_header

from wirecover.capture.files.batch import FrameBatch

START = 1_700_000_000 * 10**9
MS = 10**6
SECOND = 10**9
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Frame:
    """One frame of a capture: captured bytes, time, length on the wire (None: all captured)."""

    data: bytes
    ts: int = START
    original: int | None = None
    interface: int = 0

    @property
    def wire(self) -> int:
        return len(self.data) if self.original is None else self.original

    def cut(self, snaplen: int) -> "Frame":
        return Frame(self.data[:snaplen], self.ts, self.wire, self.interface)


def ethernet(payload: bytes, kind: int = 0x0800) -> bytes:
    return bytes.fromhex("0202020202020101010101 01".replace(" ", "")) + kind.to_bytes(2, "big") + payload


def ipv4(
    source: str,
    target: str,
    protocol: int,
    payload: bytes,
    *,
    ident: int = 0,
    fragment: int = 0,
    total: int | None = None,
    options: bytes = b"",
) -> bytes:
    header = 20 + len(options)
    length = header + len(payload) if total is None else total
    return (
        struct.pack("!BBHHHBBH", 0x40 | header // 4, 0, length, ident, fragment, 64, protocol, 0)
        + socket.inet_pton(socket.AF_INET, source)
        + socket.inet_pton(socket.AF_INET, target)
        + options
        + payload
    )


def ipv6(source: str, target: str, protocol: int, payload: bytes, *, length: int | None = None) -> bytes:
    return (
        struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, protocol, 64)
        + socket.inet_pton(socket.AF_INET6, source)
        + socket.inet_pton(socket.AF_INET6, target)
        + payload
    )


def tcp(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    payload: bytes = b"",
    *,
    checksum: int = 0,
    options: bytes = b"",
) -> bytes:
    offset = (20 + len(options)) // 4 << 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, offset, flags, 8192, checksum, 0)
    return head + options + payload


def udp(sport: int, dport: int, payload: bytes, *, checksum: int = 0, length: int | None = None) -> bytes:
    return (
        struct.pack("!HHHH", sport, dport, 8 + len(payload) if length is None else length, checksum) + payload
    )


def packet(source: str, target: str, protocol: int, payload: bytes, **more: int) -> bytes:
    """An Ethernet frame with an IP packet of whichever version the addresses are."""
    if ":" in source:
        return ethernet(ipv6(source, target, protocol, payload), 0x86DD)
    return ethernet(ipv4(source, target, protocol, payload, **more))  # type: ignore[arg-type]


@dataclass
class Connection:
    """Makes the frames of one TCP connection; every frame 1 ms after the one before it."""

    client: str = "10.0.0.2"
    server: str = "192.0.2.10"
    cport: int = 40000
    sport: int = 443
    up: int = 1000
    """The client's next sequence number."""
    down: int = 9000
    ts: int = START
    step: int = MS
    frames: list[Frame] = field(default_factory=list)

    def segment(
        self, from_client: bool, seq: int, ack: int, flags: int, payload: bytes = b"", checksum: int = 0
    ) -> Frame:
        """Append one segment with explicit numbers; the counters do not move."""
        if from_client:
            data = packet(
                self.client,
                self.server,
                6,
                tcp(self.cport, self.sport, seq, ack, flags, payload, checksum=checksum),
            )
        else:
            data = packet(
                self.server,
                self.client,
                6,
                tcp(self.sport, self.cport, seq, ack, flags, payload, checksum=checksum),
            )
        frame = Frame(data, self.ts)
        self.ts += self.step
        self.frames.append(frame)
        return frame

    def open(self) -> "Connection":
        self.segment(True, self.up, 0, SYN)
        self.segment(False, self.down, self.up + 1, SYN | ACK)
        self.up += 1
        self.down += 1
        self.segment(True, self.up, self.down, ACK)
        return self

    def say(self, from_client: bool, data: bytes, size: int = 1400) -> "Connection":
        """Send bytes in segments of `size`, in order."""
        for at in range(0, len(data), size):
            part = data[at : at + size]
            if from_client:
                self.segment(True, self.up, self.down, ACK | PSH, part)
                self.up += len(part)
            else:
                self.segment(False, self.down, self.up, ACK | PSH, part)
                self.down += len(part)
        return self

    def close(self) -> "Connection":
        self.segment(True, self.up, self.down, FIN | ACK)
        self.up += 1
        self.segment(False, self.down, self.up, FIN | ACK)
        self.down += 1
        self.segment(True, self.up, self.down, ACK)
        return self


def batch_of(frames: Sequence[Frame], first_frame: int = 1, slack: int = 0) -> FrameBatch:
    """The frames as the capture reader would give them; `slack` bytes of noise follow the last one."""
    lengths = np.array([len(frame.data) for frame in frames], np.int64)
    offset = np.zeros(len(frames), np.int64)
    offset[1:] = np.cumsum(lengths)[:-1]
    buffer = np.array(bytearray(b"".join(frame.data for frame in frames) + b"\xa5" * slack), np.uint8)
    return FrameBatch(
        buffer=buffer,
        offset=offset,
        captured=lengths,
        original=np.array([frame.wire for frame in frames], np.int64),
        ts=np.array([frame.ts for frame in frames], np.int64),
        interface=np.array([frame.interface for frame in frames], np.int32),
        first_frame=first_frame,
    )


def write_capture(path: Path, frames: Iterable[Frame], link: int = 1) -> Path:
    """A little-endian pcap with nanosecond times."""
    parts = [pcap_header(magic=0xA1B23C4D, network=link)]
    for frame in frames:
        second, part = divmod(frame.ts, SECOND)
        parts.append(struct.pack("<IIII", second, part, len(frame.data), frame.wire) + frame.data)
    path.write_bytes(b"".join(parts))
    return path
