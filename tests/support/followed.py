"""Frames through the header decoder and the flow tracker, and what came out in plain Python."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from support.traffic import Frame, batch_of

from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.state import AFTER_GAP, IS_TLS, IS_UDP, POOLED, TLS_START
from wirecover.capture.flows.tracker import FlowTracker
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.packets.fragments import Reassembler
from wirecover.capture.tables import FLOWS


@dataclass(frozen=True)
class Shown:
    """A piece of a stream, or a datagram, that was shown to the parsers."""

    flow: int
    half: int
    frame: int
    stream: int
    data: bytes
    tls: bool
    start: bool
    after_gap: bool
    udp: bool


@dataclass
class Followed:
    flows: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the flows table, by flow_no."""
    packets: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the packets table; `records` is a list of (length, type)."""
    shown: list[Shown] = field(default_factory=list)
    hellos: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    fragments_lost: int = 0
    losses: dict[str, int] = field(default_factory=dict)
    """What the reassembly of fragments could not use."""
    ended_early: int = 0

    def stream(self, half: int, flow: int = 0) -> bytes:
        return b"".join(piece.data for piece in self.shown if (piece.flow, piece.half) == (flow, half))

    def records(self, up: bool, flow: int = 0) -> list[tuple[int, tuple[int, int]]]:
        """(frame, (length, type)) of each record of a direction."""
        return [
            (row["frame"], record)
            for row in self.packets
            if (row["flow_no"], row["up"]) == (flow, up)
            for record in row["records"]
        ]


class _Follower:
    def __init__(self, tracker: FlowTracker) -> None:
        self.tracker = tracker
        self.reassembler = Reassembler()
        self.out = Followed()

    def take(self, frames: Sequence[Frame], first_frame: int, links: Sequence[int]) -> None:
        batch = batch_of(frames, first_frame)
        rows = decode_batch(batch, np.array(links, np.int32))
        self._follow(*self.reassembler.take(batch, rows, np.array(links, np.int32)))

    def finish(self) -> None:
        rows, buffer = self.reassembler.finish()
        if len(rows):
            self._follow(rows, buffer)
        self.end(self.tracker.finish().finished)

    def _follow(self, rows: Any, buffer: Any) -> None:
        for step in self.tracker.follow(rows, buffer):
            self.out.steps += 1
            self._show(step, rows, buffer)
            self.tracker.orient(rows, step)
            self._packets(step, rows)
            self.end(step.finished)

    def _show(self, step: Any, rows: Any, buffer: Any) -> None:
        for hello in step.hellos:
            found = {name: int(hello[name]) for name in hello.dtype.names}
            found["flow"] = int(self.tracker.flows[hello["slot"]]["flow_no"])
            found["body"] = bytes(buffer[hello["at"] : hello["at"] + hello["length"]])
            self.out.hellos.append(found)
        for piece in step.candidates:
            flags = int(piece["flags"])
            source = step.copies if flags & POOLED else buffer
            self.out.shown.append(
                Shown(
                    int(self.tracker.flows[piece["slot"]]["flow_no"]),
                    int(piece["half"]),
                    int(rows[piece["packet"]]["frame"]),
                    int(piece["stream"]),
                    bytes(source[piece["at"] : piece["at"] + piece["length"]]),
                    bool(flags & IS_TLS),
                    bool(flags & TLS_START),
                    bool(flags & AFTER_GAP),
                    bool(flags & IS_UDP),
                )
            )

    def _packets(self, step: Any, rows: Any) -> None:
        columns = self.tracker.payload_columns(rows, step)
        ends = columns.pop("ends").tolist()
        records = list(zip(step.records["length"].tolist(), step.records["kind"].tolist(), strict=True))
        begin = 0
        for values, end in zip(zip(*(c.tolist() for c in columns.values()), strict=True), ends, strict=True):
            row = dict(zip(columns, values, strict=True))
            row["records"] = records[begin:end]
            begin = end
            self.out.packets.append(row)
        assert begin == len(records), "every record belongs to a row"

    def end(self, finished: Any) -> None:
        if len(finished):
            self.tracker.settle(finished)
            rows = FlowRows(self.tracker.flows, self.tracker.halves, finished)
            none = [None] * len(rows)
            table = pa.Table.from_arrays(rows.columns(none, none, none), schema=FLOWS)
            self.out.flows.extend(table.to_pylist())
            self.tracker.release(finished)


def follow(
    frames: Sequence[Frame],
    *,
    sizes: Sequence[int] | None = None,
    links: Sequence[int] = (1,),
    slots: int = 1 << 13,
) -> Followed:
    """Follow the frames in batches of the given sizes (the last size repeats); None: all in one batch."""
    follower = _Follower(FlowTracker(slots))
    at, turn = 0, 0
    while at < len(frames):
        size = len(frames) if sizes is None else sizes[min(turn, len(sizes) - 1)]
        follower.take(frames[at : at + size], at + 1, links)
        at, turn = at + size, turn + 1
    follower.finish()
    out = follower.out
    out.flows.sort(key=lambda row: row["flow_no"])
    out.losses = {detail: count for _, detail, _, count in follower.reassembler.losses()}
    out.fragments_lost = out.losses.get("later IP fragments whose first was not seen", 0)
    out.ended_early = follower.tracker.ended_early
    return out
