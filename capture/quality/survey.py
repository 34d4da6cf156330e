"""The survey of one capture: what it lacks, and what may speak against it, counted while it is read.

Frames are given batch by batch, packets step by step after the flow tracker followed them; at the end the survey says
the rows of `quality` and `authenticity`. What lies outside the authority is not looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.files.batch import Comment, Damage, FrameBatch, Interface
from wirecover.capture.quality import clock, indicators, lengths, metrics, writers
from wirecover.capture.quality.copies import Copies
from wirecover.capture.quality.edges import edge_columns
from wirecover.capture.quality.measure import Indicator, Measure, Place
from wirecover.capture.quality.packets import observe
from wirecover.capture.quality.segments import Segments
from wirecover.capture.quality.senders import Senders


class Survey:
    """Counts over one capture. `interfaces` is the reader's list, which grows while a pcapng is read."""

    def __init__(self, interfaces: Sequence[Interface] = ()) -> None:
        self._interfaces = interfaces
        self._known = 0
        self._clocks = clock.new(1)
        self._counts = lengths.new(0)
        self._snaplens: NDArray[np.int64] = np.zeros(0, np.int64)
        self._finest: NDArray[np.int64] = np.zeros(0, np.int64)
        self._copies, self._senders, self._segments = Copies(), Senders(), Segments()
        self._sided = 0
        self._one_sided: dict[str, list[int]] = {}
        """Which side alone was recorded -> connections, first frame and time of the first, last frame."""

    def _learn_interfaces(self, count: int) -> None:
        """Make room for interfaces met since."""
        if count <= self._known:
            return
        if self._known == 1:  # until now the one interface was the whole file
            self._clocks[0] = self._clocks[1]
        more = count - self._known
        self._clocks = np.concatenate([self._clocks, clock.new(more)])
        self._counts = np.concatenate([self._counts, lengths.new(more)])
        self._known = count
        told = list(self._interfaces[:count])
        self._snaplens = np.array([one.snaplen or 0 for one in told] + [0] * (count - len(told)), np.int64)
        self._finest = np.array([one.ts_resolution_ns for one in told] + [1] * (count - len(told)), np.int64)

    def take_frames(self, batch: FrameBatch, rows: NDArray[Any], interfaces: int) -> None:
        """Frames of a batch, of which `rows` lie inside the authority."""
        self._learn_interfaces(interfaces)
        ts, captured, original, interface = batch.ts, batch.captured, batch.original, batch.interface
        frames = np.arange(batch.first_frame, batch.first_frame + len(ts))
        if len(rows) != len(ts):
            kept = rows["frame"] - batch.first_frame
            ts, captured, original, interface, frames = (
                column[kept] for column in (ts, captured, original, interface, frames)
            )
        clock.observe(ts, frames, interface, self._finest, self._clocks, int(self._known > 1))
        lengths.observe(captured, original, ts, frames, interface, self._snaplens, self._counts)

    def take_packets(
        self, batch: FrameBatch, rows: NDArray[Any], start: int, stop: int, slot_of: NDArray[np.int32],
        half_of: NDArray[np.uint8], flows: NDArray[Any],
    ) -> None:  # fmt: skip
        """Packets start..stop of `rows`, which the tracker put into slots and halves of `flows`."""
        segments = self._segments
        segments.make_room(len(flows))
        copies, senders = self._copies, self._senders
        observe(
            rows, start, stop, batch.buffer, batch.offset, batch.original, batch.interface, batch.first_frame,
            copies.traces, copies.places, copies.groups, copies.delays, copies.counters, senders.table,
            senders.counters, slot_of, half_of, flows, segments.pair_of, segments.ends, segments.free,
            segments.counters,
        )  # fmt: skip

    def close(
        self, slots: NDArray[np.int32], flows: NDArray[Any], halves: NDArray[Any]
    ) -> list[NDArray[Any]] | None:
        """Flows that ended and whose client is decided. Returns columns of `flow_ends` of those cut by the capture's
        ends, in no order; None when there are none."""
        slots = slots[flows["protocol"][slots] == 6]
        if not len(slots):
            return None
        payload, packets = (halves[name].reshape(-1, 2)[slots] for name in ("payload", "packets"))
        data = payload.sum(axis=1) > 0
        talking, packets = slots[data], packets[data]
        self._sided += len(talking)
        alone = (packets == 0).any(axis=1)
        if alone.any():
            lonely, silent = talking[alone], packets[alone][:, 1] == 0
            seen = np.where(silent, 0, 1)  # the half that has packets
            is_client = (flows["client"][lonely] == 1).astype(np.int64) == seen
            self._note_one_sided("client", flows[lonely[is_client]])
            self._note_one_sided("server", flows[lonely[~is_client]])
        ends = edge_columns(talking, flows, halves, self._segments)
        self._segments.close(slots, flows)
        return ends

    def _note_one_sided(self, side: str, found: NDArray[Any]) -> None:
        if not len(found):
            return
        first = found[int(np.argmin(found["first_frame"]))]
        frame, ts, last = int(first["first_frame"]), int(first["first_ts"]), int(found["last_frame"].max())
        entry = self._one_sided.setdefault(side, [0, frame, ts, last])
        if frame < entry[1]:
            entry[1:3] = frame, ts
        entry[0] += len(found)
        entry[3] = max(entry[3], last)

    @property
    def duplicates(self) -> int:
        """Packets found recorded twice within 10 ms; of a large capture, in a sample."""
        return self._copies.duplicates

    @property
    def out_of_order(self) -> int:
        """Frames with an earlier time stamp than the frame before in the file."""
        return int(self._whole["back"])

    @property
    def _whole(self) -> Any:
        """The clock of the whole file."""
        return self._clocks[1 if self._known == 1 else 0]

    # ---- at the end --------------------------------------------------------------------------------------

    def measures(self) -> Iterator[Measure]:
        """The lines of the ledger; none of a capture without frames."""
        self._learn_interfaces(len(self._interfaces))
        if not self._whole["frames"]:
            return
        yield from metrics.of_interfaces(self._interfaces, self._counts, self._clocks)
        yield from metrics.of_copies(self._copies)
        yield from metrics.of_segments(self._segments)
        whole = sum(entry[0] for entry in self._one_sided.values())
        yield Measure("one-sided", None, None, whole, self._sided)
        for side, (count, frame, ts, last) in sorted(self._one_sided.items()):
            yield Measure(
                "one-sided", None, f"{side} only", count, self._sided, None, None, Place(frame, ts, last),
                f"connections of which only packets of the {side} were recorded",
            )  # fmt: skip
        yield from metrics.of_senders(self._senders)

    def indicators(self, comments: Sequence[Comment], damage: Iterable[Damage]) -> Iterator[Indicator]:
        """Authenticity indicators; comments and damage are the reader's, inside the authority."""
        self._learn_interfaces(len(self._interfaces))
        yield from indicators.of_interfaces(self._interfaces, self._counts, self._clocks)
        yield from indicators.of_packets(self._copies, self._segments, self._senders)
        yield from writers.indicators(comments, list(damage))
