"""The flow table as an object: owns the arrays of `table.track`, grows them, forgets flows that are over."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.flows import table
from wirecover.capture.flows.hellos import HELLO, SHAPE_BYTES
from wirecover.capture.flows.state import CANDIDATE, FLOW, HALF, HELD, RECORD

MAX_SLOTS: Final = 1 << 20
"""Flows alive at one time (about 400 bytes each). At this limit the half that was silent longest is ended early and
counted: a scan of a million addresses must not take the machine's memory."""
EXPIRE_ABOVE: Final = 1 << 16
"""Only with more flows than this are silent ones looked for, by the median time of a batch: one packet with a wild
time must not end the others' flows."""
GENTLE: Final = 1 << 18
"""From so many slots on the table grows by half, not to its double."""
POOL_BLOCKS: Final = 4096


@dataclass(frozen=True, slots=True)
class Step:
    """What following packets start..stop of a batch gave. Arrays are views, valid until the next step."""

    start: int
    stop: int
    candidates: NDArray[Any]
    """CANDIDATE rows in packet order: bytes for the parsers."""
    copies: NDArray[np.uint8]
    """What the `at` of POOLED candidates points into."""
    hellos: NDArray[Any]
    """HELLO rows in packet order: hellos that were taken by their shape."""
    records: NDArray[Any]
    """RECORD rows in packet order."""
    finished: NDArray[np.int32]
    """Slots of flows that ended; to be written, then given to `release`."""


class FlowTracker:
    """Follows the packets of one capture, batch after batch."""

    def __init__(self, slots: int = 1 << 13) -> None:
        self.flows: NDArray[Any] = np.zeros(0, FLOW)
        self.halves: NDArray[Any] = np.zeros(0, HALF)
        self.counters = np.zeros(16, np.int64)
        self._stage = table.Stage(
            held=np.zeros(POOL_BLOCKS, HELD), pool=np.zeros(POOL_BLOCKS * table.BLOCK, np.uint8),
            free=np.arange(POOL_BLOCKS, dtype=np.int32), candidates=np.zeros(1 << 16, CANDIDATE),
            records=np.zeros(1 << 19, RECORD), copies=np.zeros(4 << 20, np.uint8), hellos=np.zeros(1 << 15, HELLO),
            shape=np.zeros(SHAPE_BYTES, np.uint8), found=np.zeros(3, np.int64), counters=self.counters,
            seed=int.from_bytes(os.urandom(7), "little"),
        )  # fmt: skip
        self.slot_of = np.zeros(0, np.int32)
        self.half_of = np.zeros(0, np.uint8)
        self.ended_early = 0
        self._slots_free = np.zeros(0, np.int32)
        self._finished = np.zeros(0, np.int32)
        self.counters[table.POOL_FREE] = POOL_BLOCKS
        self._grow(slots)

    def _grow(self, slots: int) -> None:
        before = len(self.flows)
        self.flows = np.concatenate([self.flows, np.zeros(slots - before, FLOW)])
        self.halves = np.concatenate([self.halves, np.zeros(2 * (slots - before), HALF)])
        free = int(self.counters[table.FREE])
        grown = np.empty(slots, np.int32)
        grown[:free] = self._slots_free[:free]
        grown[free : free + slots - before] = np.arange(slots - 1, before - 1, -1, dtype=np.int32)
        self._slots_free = grown
        self.counters[table.FREE] = free + slots - before
        finished = np.zeros(slots + 1, np.int32)
        count = int(self.counters[table.FINISHED])
        finished[:count] = self._finished[:count]
        self._finished = finished
        self._index = np.empty(1 << (2 * slots - 1).bit_length(), np.int32)
        table._rebuild(self.flows, slots, self._index)

    @property
    def seed(self) -> int:
        """The secret of this process that its hash tables share."""
        return int(self._stage.seed)

    @property
    def flow_count(self) -> int:
        """Flows seen so far."""
        return int(self.counters[table.FLOWS])

    def follow(self, rows: NDArray[Any], buffer: NDArray[np.uint8]) -> Iterator[Step]:
        """Follow a batch of `PACKET` rows. Yields one step or a few; the consumer calls `release` in each."""
        if len(self.slot_of) < len(rows):
            self.slot_of = np.zeros(len(rows), np.int32)
            self.half_of = np.zeros(len(rows), np.uint8)
        at = 0
        while at < len(rows):
            for counter in (table.RECORDS, table.CANDIDATES, table.HELLOS, table.POOL_COPIED, table.NO_SLOT):
                self.counters[counter] = 0
            stop = table.track(
                at, rows, buffer, self.flows, self.halves, self._index, self._slots_free, self._finished, self.slot_of,
                self.half_of, self._stage,
            )  # fmt: skip
            full = bool(self.counters[table.NO_SLOT])
            if full and len(self.flows) >= MAX_SLOTS:
                self._end_early()
            elif stop == len(rows) and len(self.flows) - int(self.counters[table.FREE]) > EXPIRE_ABOVE:
                now = int(np.partition(rows["ts"], len(rows) // 2)[len(rows) // 2])
                table._expire(now, self.flows, len(self.flows), self._finished, self.counters)
            yield self._step(at, stop)
            if full and len(self.flows) < MAX_SLOTS:
                self._grow(
                    min(
                        MAX_SLOTS,
                        len(self.flows) * 2 if len(self.flows) < GENTLE else len(self.flows) * 3 // 2,
                    )
                )
            at = stop

    def _step(self, start: int, stop: int) -> Step:
        counters = self.counters
        return Step(
            start, stop, self._stage.candidates[: counters[table.CANDIDATES]], self._stage.copies,
            self._stage.hellos[: counters[table.HELLOS]], self._stage.records[: counters[table.RECORDS]],
            self._finished[: counters[table.FINISHED]],
        )  # fmt: skip

    def _end_early(self) -> None:
        """End the half of the flows that was silent longest."""
        live = np.flatnonzero(self.flows["live"])
        order = np.argsort(self.flows["last_frame"][live], kind="stable")
        chosen = live[order[: max(1, len(live) // 2)]].astype(np.int32)
        self.flows["live"][chosen] = 0
        count = int(self.counters[table.FINISHED])
        self._finished[count : count + len(chosen)] = chosen
        self.counters[table.FINISHED] = count + len(chosen)
        self.ended_early += len(chosen)

    def finish(self) -> Step:
        """The end of the capture: every flow that is still alive, in a last step."""
        for counter in (table.RECORDS, table.CANDIDATES, table.HELLOS, table.POOL_COPIED):
            self.counters[counter] = 0
        live = np.flatnonzero(self.flows["live"]).astype(np.int32)
        self.flows["live"][live] = 0
        self._finished[: len(live)] = live
        self.counters[table.FINISHED] = len(live)
        return self._step(0, 0)

    def settle(self, finished: NDArray[np.int32]) -> None:
        """Before finished flows are read: count what their streams still waited for, decide their client."""
        table._free_held(finished, self.halves, self._stage)
        table._orient_slots(finished, self.flows)

    def release(self, finished: NDArray[np.int32]) -> None:
        """Give the slots of written flows back."""
        if not len(finished):
            return
        free = int(self.counters[table.FREE])
        self._slots_free[free : free + len(finished)] = finished[::-1]
        self.counters[table.FREE] = free + len(finished)
        self.counters[table.FINISHED] = 0
        table._rebuild(self.flows, len(self.flows), self._index)

    def orient(self, rows: NDArray[Any], step: Step) -> None:
        """Decide the client of each flow that got payload in this step."""
        table._orient(rows, step.start, step.stop, self.slot_of, self.flows)

    def payload_columns(self, rows: NDArray[Any], step: Step) -> dict[str, NDArray[Any]]:
        """Columns of the `packets` table for this step; `ends` are list offsets into `step.records`."""
        size = step.stop - step.start
        flow_no, frame, ts = (np.empty(size, np.int64) for _ in range(3))
        up, payload, ends = np.empty(size, np.bool_), np.empty(size, np.int32), np.zeros(size + 1, np.int32)
        count = table._payload_rows(
            rows, step.start, step.stop, self.slot_of, self.half_of, self.flows, step.records, len(step.records),
            flow_no, frame, ts, up, payload, ends,
        )  # fmt: skip
        return {
            "flow_no": flow_no[:count], "frame": frame[:count], "ts": ts[:count], "up": up[:count],
            "payload_bytes": payload[:count], "ends": ends[:count],
        }  # fmt: skip
