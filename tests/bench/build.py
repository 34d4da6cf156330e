"""Build the dense capture that `make bench` measures with: many small flows, handshake-rich.

Real conversations (the project's recorded captures) are copied over and over, each copy with its own client, port
and start time, and with its own random bytes where a real program would draw them, so that no two are alike:

* TLS over TCP: hello randoms, session ids, key shares;
* DNS: the transaction id, and the first label of the name asked for (of the same length, one of `NAMES`);
* QUIC and STUN are copied as they are, less their addresses: they authenticate themselves.

Checksums are adjusted (RFC 1624). The mix of flows is that of `MIX`; conversations longer than `LONGEST` packets
are left out, those in the class `tls12` end after `TLS12_PACKETS`. Copies start at random times, `RATE` of them a
second, from `CLIENTS` addresses, and are interleaved; what lasts longer than a chunk goes on in the next.

    python tests/bench/build.py OUT.pcap --bytes 1000000000 CAPTURE...
"""

import argparse
import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wirecover.capture.files.reader import CaptureReader
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.packets.record import OK

MIX = {"tls13": 330, "tls13-long": 20, "tls12": 110, "quic": 50, "dns": 420, "stun": 60, "media": 1}
"""Copies of each class of conversations, in parts of the sum. `-long`: more than 60 packets; `media`: DTLS-SRTP."""
LONGEST = 1000
TLS12_PACKETS = 24
CLIENTS = 1 << 14
NAMES = 4000
RATE = 1000
CHUNK_SECONDS = 8
EPOCH = 1_700_000_000


@dataclass
class Frame:
    """A frame of a template flow: raw IPv4 bytes behind an Ethernet header, and what a copy changes in it."""

    data: bytes
    delay_ns: int
    ip: int
    transport: int
    payload: int
    from_client: bool
    random_spans: list[tuple[int, int]]
    """(offset, length) of bytes that are drawn for each copy."""
    label: tuple[int, int] | None = None
    """Offset and length of the label of a DNS question that is replaced."""


def hello_spans(data: bytes, start: int) -> list[tuple[int, int]]:
    """(offset, length) of what is drawn at random in a ClientHello or ServerHello record at `start`."""
    if len(data) < start + 44 or data[start] != 22 or data[start + 5] not in (1, 2):
        return []
    spans = [(start + 11, 32)]
    at = start + 43
    session = data[at]
    spans.append((at + 1, session))
    at += 1 + session
    if data[start + 5] == 1:
        at += 2 + int.from_bytes(data[at : at + 2], "big")
        at += 1 + data[at] if at < len(data) else 0
    else:
        at += 3
    end = min(len(data), at + 2 + int.from_bytes(data[at : at + 2], "big"))
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack_from("!HH", data, at)
        body = at + 4
        if kind == 51 and length >= 36 and body + length <= end:
            spans.append((body + length - 32, 32))
        at = body + length
    return [(a, b) for a, b in spans if b and a + b <= len(data)]


def first_label(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the first label of a DNS message's question is."""
    if len(data) < start + 14 or data[start + 4 : start + 6] != b"\0\1" or not 0 < data[start + 12] < 64:
        return None
    return start + 13, data[start + 12]


def read_templates(paths: list[Path]) -> dict[str, list[list[Frame]]]:
    """The IPv4 conversations of these captures, as templates by class."""
    flows: dict[tuple, list[Frame]] = defaultdict(list)
    first: dict[tuple, tuple[tuple[int, int], int]] = {}
    for path in paths:
        with CaptureReader(path) as reader:
            for batch in reader:
                links = np.array([one.link_type for one in reader.interfaces], np.int32)
                rows = decode_batch(batch, links)
                for i, row in enumerate(rows):
                    if (
                        row["status"] != OK
                        or row["ip_version"] != 4
                        or row["protocol"] not in (6, 17)
                        or row["tunnel"]
                    ):
                        continue
                    if (
                        links[batch.interface[i]] != 1
                        or row["vlan"] >= 0
                        or row["cut"]
                        or row["more_fragments"]
                    ):
                        continue
                    at = int(batch.offset[i])
                    data = bytes(batch.buffer[at : at + int(batch.captured[i])])
                    ends = [
                        (int(row["src_lo"]), int(row["src_port"])),
                        (int(row["dst_lo"]), int(row["dst_port"])),
                    ]
                    key = (path.name, int(row["protocol"]), *sorted(ends))
                    client, start = first.setdefault(key, (ends[0], int(row["ts"])))
                    header = 14 + (data[14] & 15) * 4
                    payload = int(row["payload"]) - at
                    frame = Frame(data, int(row["ts"]) - start, 14, header, payload, ends[0] == client, [])
                    flows[key].append(with_spans(frame, int(row["protocol"]), {ends[0][1], ends[1][1]}))
    templates: dict[str, list[list[Frame]]] = defaultdict(list)
    for _, frames in sorted(flows.items()):
        kind = class_of(frames)
        if kind is not None:
            templates[kind].append(frames[:TLS12_PACKETS] if kind == "tls12" else frames)
    return templates


def with_spans(frame: Frame, protocol: int, ports: set[int]) -> Frame:
    """The frame with what a copy has to change in it."""
    if protocol == 6:
        return replace(frame, random_spans=hello_spans(frame.data, frame.payload))
    if 53 in ports:
        return replace(frame, label=first_label(frame.data, frame.payload))
    return frame


def class_of(frames: list[Frame]) -> str | None:
    """The class of a conversation in `MIX`; None if it is not copied."""
    head = frames[0]
    port = int.from_bytes(head.data[head.transport + 2 : head.transport + 4], "big")
    if len(frames) > LONGEST:
        return None
    if head.data[head.ip + 9] == 17:
        if len(frames) > 60:
            return "media"
        return {53: "dns", 443: "quic"}.get(port, "stun")
    hellos = [frame for frame in frames if frame.random_spans]
    if not hellos:
        return None
    if not any(b"\x00\x2b\x00\x02\x03\x04" in frame.data for frame in hellos):
        return "tls12"
    return "tls13" if len(frames) <= 60 else "tls13-long"


def ones_sum(words: np.ndarray) -> np.ndarray:
    """Ones' complement sum over the last axis of 16-bit words."""
    total = words.astype(np.uint64).sum(axis=-1)
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> np.uint64(16))
    return total


@dataclass
class Copies:
    """What each copy of one conversation in one chunk has of its own."""

    starts: np.ndarray
    clients: np.ndarray
    ports: np.ndarray
    names: np.ndarray
    """Rows of 63 letters."""
    ids: np.ndarray
    """16 bits that are XORed into each DNS id."""


def copies_of(frame: Frame, copies: Copies, noise: np.random.Generator) -> np.ndarray:
    """One frame for every copy: (copies, bytes), addresses, ports and own bytes replaced, checksums adjusted."""
    count = len(copies.starts)
    padded = np.zeros((count, frame.transport + (len(frame.data) - frame.transport + 1) // 2 * 2), np.uint8)
    padded[:, : len(frame.data)] = np.frombuffer(frame.data, np.uint8)
    before = padded.copy()
    address = frame.ip + (12 if frame.from_client else 16)
    port = frame.transport + (0 if frame.from_client else 2)
    padded[:, address : address + 4] = copies.clients.astype(">u4").view(np.uint8).reshape(-1, 4)
    padded[:, port : port + 2] = copies.ports.astype(">u2").view(np.uint8).reshape(-1, 2)
    for at, length in frame.random_spans:
        padded[:, at : at + length] = noise.integers(0, 256, (count, length), np.uint8)
    if frame.label is not None:
        at, length = frame.label
        padded[:, at : at + length] = copies.names[:, :length]
        padded[:, frame.payload : frame.payload + 2] ^= copies.ids.astype(">u2").view(np.uint8).reshape(-1, 2)
    udp = frame.data[frame.ip + 9] == 17
    adjust(padded, before, frame.ip, frame.transport, frame.ip + 10)
    field = frame.transport + (6 if udp else 16)
    if not (udp and not any(frame.data[field : field + 2])):
        # the pseudo header's addresses count too
        span = [(frame.ip + 12, frame.ip + 20), (frame.transport, padded.shape[1])]
        old = np.concatenate([before[:, a:b] for a, b in span], axis=1)
        new = np.concatenate([padded[:, a:b] for a, b in span], axis=1)
        set_checksum(padded, field, old, new)
    return padded[:, : len(frame.data)]


def adjust(rows: np.ndarray, before: np.ndarray, start: int, end: int, field: int) -> None:
    """RFC 1624 over [start, end)."""
    set_checksum(rows, field, before[:, start:end], rows[:, start:end])


def set_checksum(rows: np.ndarray, field: int, old: np.ndarray, new: np.ndarray) -> None:
    """HC' = ~(~HC + ~m + m'), RFC 1624 equation 3, for all rows."""
    old_sum, new_sum = (ones_sum(np.ascontiguousarray(part).view(">u2")) for part in (old, new))
    present = (rows[:, field].astype(np.uint64) << np.uint64(8)) | rows[:, field + 1]
    total = (0xFFFF - present) + (0xFFFF - old_sum) + new_sum
    for _ in range(3):
        total = (total & 0xFFFF) + (total >> np.uint64(16))
    value = 0xFFFF - total
    rows[:, field], rows[:, field + 1] = value >> np.uint64(8), value & 0xFF


class Interleaver:
    """Writes frames in the order of their times; those after the present chunk wait."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self.bytes = file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        self.packets = 0

    def add(self, times: np.ndarray, rows: np.ndarray) -> None:
        """Frames of equal length: (n,) times, (n, bytes)."""
        self._waiting.append((times, rows))

    def write(self, until: int) -> None:
        """Write everything before `until` (ns)."""
        ready = [(times[times < until], rows[times < until]) for times, rows in self._waiting]
        late = [(times[times >= until], rows[times >= until]) for times, rows in self._waiting]
        self._waiting = [(times, rows) for times, rows in late if len(times)]
        ready = [(times, rows) for times, rows in ready if len(times)]
        times = np.concatenate([times for times, _ in ready])
        where = np.concatenate([np.full(len(times), i) for i, (times, _) in enumerate(ready)])
        inside = np.concatenate([np.arange(len(times)) for times, _ in ready])
        order = np.argsort(times, kind="stable")
        for ns, i, j in zip(
            times[order].tolist(), where[order].tolist(), inside[order].tolist(), strict=True
        ):
            data = ready[i][1][j].tobytes()
            seconds, rest = divmod(ns, 1_000_000_000)
            self.bytes += self._file.write(struct.pack("<IIII", seconds, rest, len(data), len(data)) + data)
            self.packets += 1


def shares(templates: dict[str, list[list[Frame]]], total: int) -> list[tuple[str, list[Frame], int]]:
    """How many copies of each conversation make `total` flows in the proportions of `MIX`."""
    parts = sum(MIX[kind] for kind in templates)
    found = []
    for kind, flows in sorted(templates.items()):
        copies, more = divmod(round(total * MIX[kind] / parts), len(flows))
        found += [(kind, frames, copies + (i < more)) for i, frames in enumerate(flows)]
    return [one for one in found if one[2]]


def build(out: Path, captures: list[Path], size: int) -> str:
    """Write at least `size` bytes; what was made, in words."""
    plan = shares(read_templates(captures), RATE * CHUNK_SECONDS)
    noise = np.random.default_rng(20260101)
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", np.uint8)
    names = letters[noise.integers(0, len(letters), (NAMES, 63))]
    made: Counter[str] = Counter()
    number, second = 0, EPOCH
    with out.open("wb") as file:
        frames_out = Interleaver(file)
        while frames_out.bytes < size:
            for kind, frames, count in plan:
                ids = number + np.arange(count)
                copies = Copies(
                    starts=second * 10**9 + np.sort(noise.integers(0, CHUNK_SECONDS * 10**9, count)),
                    clients=(0x0A000000 + 1 + ids * 7919 % CLIENTS).astype(np.uint32),
                    ports=(32768 + ids // CLIENTS * 61 % 28000 + ids % 61).astype(np.uint16),
                    names=names[noise.integers(0, NAMES, count)],
                    ids=noise.integers(0, 1 << 16, count).astype(np.uint16),
                )
                for frame in frames:
                    frames_out.add(copies.starts + frame.delay_ns, copies_of(frame, copies, noise))
                made[kind] += count
                number += count
            second += CHUNK_SECONDS
            frames_out.write(second * 1_000_000_000)
    flows, packets, written = made.total(), frames_out.packets, frames_out.bytes
    mix = ", ".join(f"{kind} {100 * count / flows:.1f} %" for kind, count in sorted(made.items()))
    return (
        f"{out}: {written} bytes, {packets} packets of {written / packets - 16:.0f} bytes, {flows} flows "
        f"({1e6 * flows / written:.0f} a MB, {second - EPOCH} s): {mix}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--bytes", type=int, default=1_000_000_000)
    arguments = parser.parse_args()
    print(build(arguments.out, arguments.captures, arguments.bytes))


if __name__ == "__main__":
    main()
