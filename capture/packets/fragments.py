"""Rows of IP fragments -> rows of the datagrams they make, between the header decoder and the flow table.

A fragment's row is changed in place, so that each frame is still counted once, in the flow it belongs to:

* The first fragment shows whose it is. What it carries of a TCP stream goes its way at once; any other payload waits.
* A later one becomes a PART: with the flow's addresses and ports, counted, not parsed.
* The one that completes the datagram becomes WHOLE: its payload is that of the datagram, behind the batch's bytes.
* One that came before the first is HELD; the first row that knows the flow counts it too (`packets`).

What is never completed: a first fragment's payload is given to the parsers all the same, for a recorder's filter on a
port leaves nothing else; a row of no packets says so, before the row at which it was given up. Frames that no first
fragment explained are lost, and counted.

Completed datagrams are read by the header decoder as frames of their own, so that a tunnel in fragments is followed,
and fragments in it. Memory is bounded by datagrams, by bytes and, in one datagram, by fragments. Time is that of the
capture. Where a batch holds no fragment nothing happens here at all.
"""

from collections import OrderedDict
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.files.batch import FrameBatch
from wirecover.capture.packets.datagram import (
    MAX_PIECES,
    BadFragment,
    Datagram,
    Key,
    Piece,
    read_piece,
    whole_packet,
)
from wirecover.capture.packets.decode import MAX_TOLD, trace_rows
from wirecover.capture.packets.record import (
    FRAGMENT,
    HELD,
    LAYER,
    MALFORMED,
    OK,
    PACKET,
    PART,
    REASONS,
    T_NSH,
    T_VLAN,
    WHOLE,
)
from wirecover.capture.packets.steps import is_segment, join_segment

TIMEOUT: Final = 60 * 10**9
"""A datagram is given up after this (RFC 8200 4.5; the least of RFC 1122 3.3.2), by the times of the capture."""
MAX_DATAGRAMS: Final = 4096
MAX_BYTES: Final = 32 << 20
"""Datagrams waiting, and their memory; beyond, the oldest is given up."""
RAW_IP: Final = 101
"""The link type of a packet without one."""
MAX_NESTED: Final = 3
"""Fragments in a datagram of fragments in a datagram of fragments, and no further."""
_FLOW: Final = (
    "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "ip_version", "protocol", "vlan", "tunnel",
    "tunnel_id", "segment",
)  # fmt: skip
_DATAGRAM: Final = (*_FLOW, "seq", "ack", "tcp_flags", "ip_id", "layers")


_NO_LAYERS: Final = np.zeros(0, LAYER)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fragment is."""

    frame: bytes
    at: int
    """Its IP header."""
    network: int
    """The virtual network it is in."""
    before: int
    """How many layers of the frame stand before it."""
    payload: int
    link: int
    outer: NDArray[Any]
    """Layers around the frame itself, which may be a datagram put together."""

    def layers(self) -> NDArray[Any]:
        """The layers around the IP header."""
        if not self.before:
            return self.outer
        _, stack = trace_rows(np.frombuffer(bytearray(self.frame), np.uint8), self.link)
        return np.concatenate([self.outer, stack[: self.before]])


def _segment_of(layers: NDArray[Any]) -> int:
    """The virtual network inside of these layers."""
    found = 0
    for kind, identifier in zip(layers["kind"].tolist(), layers["identifier"].tolist(), strict=True):
        if is_segment(kind):
            found = int(join_segment(found, kind, identifier))
    return found


def _surround(made: Any, layers: NDArray[Any], before: int) -> None:
    """Let the row of a datagram put together know of the layers around it, of which `before` are not in its packet."""
    kinds, numbers = layers["kind"].tolist(), layers["identifier"].tolist()
    for kind, number in zip(reversed(kinds), reversed(numbers), strict=True):
        if kind <= T_NSH:
            made["tunnel"], made["tunnel_id"] = kind, max(0, number)
        elif kind == T_VLAN:
            made["vlan"] = number
    made["layers"], made["segment"] = min(len(layers), 255), _segment_of(layers)
    made["fragment_layers"] = min(before + int(made["fragment_layers"]), 255)


class Reassembler:
    """Puts the fragments of one capture together, batch after batch."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Key, Datagram] = OrderedDict()
        self._bytes = 0
        self._losses: dict[tuple[str, str], list[int]] = {}
        self._late: list[tuple[int, NDArray[Any], bytes]] = []
        """Rows to be inserted: before which row, the row, its payload."""
        self._chunks: list[bytes] = []
        self._room = 0
        self.stacks: dict[int, NDArray[Any]] = {}
        """Frame -> the layers around its WHOLE row, of the batch at hand."""
        self.heads: dict[int, bytes] = {}
        """Frame -> what stands in its WHOLE datagram before the innermost IP header, of the batch at hand."""

    # ---- the driver's side -------------------------------------------------------------------------------

    def take(
        self, batch: FrameBatch, rows: NDArray[Any], links: NDArray[np.int32]
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """The rows to follow, and the buffer their payloads are in; both as they were if there is no fragment."""
        chosen = np.flatnonzero(rows["fragment"] >= 0)
        self.stacks.clear()
        self.heads.clear()
        if not len(chosen):
            return rows, batch.buffer
        buffer = memoryview(batch.buffer)  # type: ignore[arg-type]
        base = len(batch.buffer)
        for i in chosen.tolist():
            row = rows[i]
            k = int(row["frame"]) - batch.first_frame
            offset = int(batch.offset[k])
            frame = bytes(buffer[offset : offset + int(batch.captured[k])])
            here = Place(
                frame, int(row["fragment"]) - offset, int(row["fragment_in"]), int(row["fragment_layers"]),
                max(0, int(row["payload"]) - offset), int(links[batch.interface[k]]), _NO_LAYERS,
            )  # fmt: skip
            self._feed(i, row, here, base)
        return self._assemble(rows, batch.buffer)

    def finish(self) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """The end of the capture: rows of first fragments that never were completed, and their buffer."""
        for key in list(self._waiting):
            self._drop(key, 0)
        return self._assemble(np.zeros(0, PACKET), np.zeros(0, np.uint8))

    def forget(self, frames: Container[int]) -> None:
        """Let go of the bytes of datagrams that these frames began, which may not be read."""
        for datagram in self._waiting.values():
            if not datagram.done and datagram.flow is not None and datagram.flow["frame"] in frames:
                datagram.flow["payload"] = b""
                datagram.give_up()

    def losses(self) -> Iterator[tuple[str, str, int, int]]:
        """(kind, what it is, first frame, how many)."""
        for (kind, detail), (frame, count) in sorted(self._losses.items()):
            yield kind, detail, frame, count

    def _lose(self, kind: str, detail: str, frame: int, count: int = 1) -> None:
        entry = self._losses.setdefault((kind, detail), [frame, 0])
        entry[1] += count

    def _assemble(
        self, rows: NDArray[Any], buffer: NDArray[np.uint8]
    ) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Rows with the late ones in their places, buffer with the datagrams behind it."""
        if self._late:
            places = [2 * place for place, _, _ in self._late]
            late = np.array([row for _, row, _ in self._late], PACKET)
            for row, (_, _, payload) in zip(late, self._late, strict=True):
                row["payload"] = len(buffer) + self._keep(payload)
            order = np.argsort(np.concatenate([np.arange(len(rows)) * 2 + 1, places]), kind="stable")
            rows = np.concatenate([rows, late])[order]
            self._late.clear()
        if self._chunks:
            buffer = np.concatenate([buffer, np.frombuffer(b"".join(self._chunks), np.uint8)])
            self._chunks.clear()
            self._room = 0
        return rows, buffer

    def _keep(self, data: bytes) -> int:
        """Put bytes behind the buffer; where they begin there."""
        at = self._room
        self._chunks.append(data)
        self._room += len(data)
        return at

    # ---- fragments ---------------------------------------------------------------------------------------

    def _feed(self, i: int, row: Any, here: Place, base: int, depth: int = 0) -> None:
        """One fragment, whose row is row i."""
        if row["status"] not in (OK, FRAGMENT):
            return
        number, ts = int(row["frame"]), int(row["ts"])
        try:
            piece = read_piece(here.frame, here.at, here.network)
        except BadFragment as problem:
            self._lose("fragment-not-usable", problem.args[0], number)
            if row["status"] == FRAGMENT:
                row["status"] = HELD
            return
        self._expire(i, ts)
        datagram = self._find(i, piece, ts, number)
        fresh = piece.mark not in datagram.marks
        was_contradictory, was_dead = datagram.contradicts, datagram.dead
        if not datagram.dead and not datagram.done:
            datagram.add(piece)
        if datagram.contradicts and not was_contradictory:
            self._lose(*(_SIX_OVERLAP if datagram.six else _FOUR_OVERLAP), number)
        elif datagram.dead and not was_dead:
            self._lose("fragments-given-up", "datagrams of more fragments than are kept", number)
        if datagram.first is piece:
            datagram.around = here.layers()
        self._settle_row(row, datagram, here, fresh=fresh)
        if datagram.whole and not datagram.done:
            self._complete(i, row, datagram, base, depth)
        if self._waiting.get(piece.key) is datagram:
            self._charge(datagram)
        while len(self._waiting) > MAX_DATAGRAMS or self._bytes > MAX_BYTES:
            key = next(iter(self._waiting))
            if not self._waiting[key].done:
                self._lose("fragments-given-up", "datagrams given up to bound memory", number)
            self._drop(key, i, expired=False)

    def _find(self, i: int, piece: Piece, ts: int, number: int) -> Datagram:
        """The datagram a fragment belongs to. Identifications are used again, so an old one may have to go."""
        found = self._waiting.get(piece.key)
        if found is not None:
            other_first = piece.start == 0 and found.first is not None and found.first.data != piece.data
            again = found.done and piece.mark not in found.marks
            if abs(ts - found.ts) > TIMEOUT or again or (other_first and not found.six and not found.dead):
                self._drop(piece.key, i)
                found = None
        if found is None:
            found = self._waiting[piece.key] = Datagram(ts, number, six=piece.six)
        return found

    def _charge(self, datagram: Datagram) -> None:
        self._bytes += datagram.cost - datagram.charged
        datagram.charged = datagram.cost

    def _settle_row(self, row: Any, datagram: Datagram, here: Place, *, fresh: bool) -> None:
        """What the row of this fragment counts for; one that is not `fresh` was recorded before."""
        if row["status"] == OK:
            first = datagram.flow is None
            if first:
                datagram.flow = {name: row[name].item() for name in (*_FLOW, "frame", "ts")}
                datagram.flow["payload"] = here.frame[
                    here.payload : here.payload + int(row["payload_captured"])
                ]
                self._count_held(row, datagram)
            datagram.counted += int(row["payload_bytes"]) if fresh else 0
            if row["protocol"] != 6 or datagram.dead:
                row["payload_captured"] = 0
            elif first and not datagram.whole:
                datagram.delivered = int(row["payload_captured"])
        elif datagram.flow is not None:
            row["status"], row["payload_captured"] = PART, 0
            for name in _FLOW:
                row[name] = datagram.flow[name]
            datagram.counted += int(row["payload_bytes"]) if fresh else 0
        else:
            row["status"] = HELD
            if len(datagram.held) < MAX_PIECES:
                datagram.held.append((int(row["wire_bytes"]), int(row["payload_bytes"])))
            else:
                self._lose(*_NO_FIRST, int(row["frame"]))

    @staticmethod
    def _count_held(row: Any, datagram: Datagram) -> None:
        """The first row that knows the flow stands for those that came before it."""
        held = datagram.held
        row["packets"] += len(held)
        row["wire_bytes"] = min(int(row["wire_bytes"]) + sum(size for size, _ in held), 0x7FFFFFFF)
        if (
            row["protocol"] != 6
        ):  # of TCP the row's payload is a segment's; what was held counts when all is there
            row["payload_bytes"] += sum(size for _, size in held)
        datagram.held = []

    def _complete(self, i: int, row: Any, datagram: Datagram, base: int, depth: int) -> None:
        """All bytes are there: read them as one packet, and let the row be that of the datagram."""
        first, around, number = datagram.first, datagram.around, int(row["frame"])
        data = datagram.take()
        packet = None if first is None else whole_packet(first.header, data, six=datagram.six)
        if packet is None:
            self._lose("fragment-not-usable", "fragments of more than the largest datagram", number)
            return
        made, inside = trace_rows(np.frombuffer(bytearray(packet), np.uint8), RAW_IP)
        if made["status"] == MALFORMED:
            self._lose("malformed-packet", f"{REASONS[made['reason']]}, in a datagram of fragments", number)
        layers = inside
        if len(around):
            layers = np.concatenate([around, inside])
            _surround(made, layers, len(around))
        if made["fragment"] >= 0 and made["status"] in (OK, FRAGMENT):
            self._feed_inner(i, row, made, packet, layers, base, depth)
            return
        if made["status"] != OK:
            return
        alone = row["status"] == HELD  # no row has shown the flow before
        for name in _DATAGRAM:
            row[name] = made[name]
        row["status"], row["checksum"], row["network"], row["transport"] = WHOLE, 0, -1, -1
        if alone:
            held, datagram.held = datagram.held[:-1], []
            row["packets"] += len(held)
            row["wire_bytes"] = min(int(row["wire_bytes"]) + sum(size for size, _ in held), 0x7FFFFFFF)
        else:
            datagram.counted -= int(row["payload_bytes"])
        row["payload_bytes"] = max(0, int(made["payload_bytes"]) - datagram.counted)
        datagram.flow = {name: made[name].item() for name in _FLOW}
        self._show(row, made, packet, datagram.delivered, base)
        if len(layers):
            self.stacks[number] = layers[:MAX_TOLD]
        if made["network"] > 0:
            self.heads[number] = packet[: int(made["network"])]

    def _show(self, row: Any, made: Any, frame: bytes, delivered: int, base: int) -> None:
        """The payload of a datagram, less what of a TCP stream was given away already."""
        start = int(made["payload"]) + delivered
        size = max(0, int(made["payload_captured"]) - delivered)
        row["payload"], row["payload_captured"] = base + self._keep(frame[start : start + size]), size
        if delivered:
            syn = int(row["tcp_flags"]) >> 1 & 1
            row["seq"] = (int(row["seq"]) + delivered + syn) & 0xFFFFFFFF
            row["tcp_flags"] = int(row["tcp_flags"]) & ~0x03

    def _feed_inner(
        self, i: int, row: Any, made: Any, packet: bytes, layers: NDArray[Any], base: int, depth: int
    ) -> None:
        """The datagram turned out to be a fragment itself, in a tunnel."""
        if depth >= MAX_NESTED:
            self._lose("fragment-not-usable", "fragments nested too deeply", int(row["frame"]))
            return
        for name in (*_DATAGRAM, "status", "payload_bytes", "more_fragments"):
            row[name] = made[name]
        row["checksum"], row["network"], row["transport"] = 0, -1, -1
        if made["status"] == OK:
            self._show(row, made, packet, 0, base)
        outer = layers[: int(made["fragment_layers"])]
        here = Place(
            packet, int(made["fragment"]), _segment_of(outer), 0, int(made["payload"]), RAW_IP, outer.copy()
        )
        self._feed(i, row, here, base, depth + 1)
        if row["status"] == OK:
            row["status"] = WHOLE

    # ---- what is given up --------------------------------------------------------------------------------

    def _expire(self, i: int, now: int) -> None:
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if now - oldest.ts <= TIMEOUT:
                return
            self._drop(key, i)

    def _drop(self, key: Key, i: int, *, expired: bool = True) -> None:
        """Forget a datagram; if it is not complete, show what its first fragment carried."""
        datagram = self._waiting.pop(key)
        self._bytes -= datagram.charged
        if datagram.held:
            self._lose(*_NO_FIRST, datagram.first_frame, len(datagram.held))
        if datagram.done or datagram.flow is None:
            return
        if expired and not datagram.dead:
            self._lose(
                "fragments-incomplete", "datagrams of which fragments are missing", datagram.first_frame
            )
        if datagram.flow["protocol"] == 6 or datagram.dead or not datagram.flow["payload"]:
            return
        row = np.zeros(1, PACKET)[0]
        for name in (*_FLOW, "frame", "ts"):
            row[name] = datagram.flow[name]
        row["status"], row["network"], row["transport"], row["fragment"] = WHOLE, -1, -1, -1
        row["payload_captured"] = len(datagram.flow["payload"])
        self._late.append((i, row, datagram.flow["payload"]))


_NO_FIRST: Final = ("fragment-without-first", "later IP fragments whose first was not seen")
_SIX_OVERLAP: Final = (
    "fragments-overlap",
    "IPv6 datagrams whose fragments overlap or contradict each other: not read (RFC 8200 4.5)",
)
_FOUR_OVERLAP: Final = (
    "fragments-overlap",
    "IPv4 datagrams whose fragments contradict each other: what came first was read",
)
