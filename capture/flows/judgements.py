"""Labels that were judged once for all flows with the same facts, and their reasons as columns.

A judgement speaks of frames by stand-ins, for each flow has its own: the flow's first frame, its ClientHello, its
certificate, the DNS answer that taught its k-th name.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.apps.matcher import Evidence, Label
from wirecover.capture.flows.strings import AS_IT_IS, StringTable, intern
from wirecover.capture.kernels import kernel
from wirecover.capture.tables import APP_EVIDENCE

FLOW, HELLO, CERTIFICATE, NAMES = range(4)
"""Stand-ins for frames; the k-th name known from DNS is NAMES + k."""
MAX_KEY_BYTES: Final = 32 << 20
"""Of facts remembered; beyond, all are forgotten and judged anew."""
_ROOM: Final = 1 << 12


@kernel
def number_facts(strings: Any, facts: Any, width: int, start: int, numbers: Any) -> int:
    """Number each distinct row of `width` bytes from row `start` on; the row reached when there is no more room."""
    for i in range(start, len(numbers)):
        number = intern(strings, facts, i * width, (i + 1) * width, AS_IT_IS)
        if number < 0:
            return i
        numbers[i] = number
    return len(numbers)


def with_frames(label: Label, frames: Sequence[int]) -> Label:
    """The label with a flow's own frames in place of the stand-ins."""
    evidence, conflicts = (
        tuple([why._replace(frame=frames[why.frame]) for why in reasons])
        for reasons in (label.evidence, label.conflicts)
    )
    return Label(label.app, label.confidence, evidence, conflicts)


class Judgements:
    """Facts (rows of bytes) -> label or None."""

    def __init__(self, seed: int) -> None:
        self._facts = StringTable(seed, MAX_KEY_BYTES)
        self._labels: list[Label | None] = []
        self._reasons: list[Evidence] = []
        """Of all labels, one after the other."""

    def number(self, facts: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """The number of each row, and for each number beyond those judged the row that needs it judged.

        The latter have to be given to `add`, in that order. None: there is no more room; a new object is needed.
        """
        size, width = facts.shape
        numbers = np.zeros(size, np.int32)
        flat = facts.reshape(-1)
        before, at = len(self._facts), 0
        while at < size:
            at = number_facts(self._facts.strings, flat, width, at, numbers)
            if at < size and not self._facts.make_room(_ROOM, _ROOM * width):
                return None
        found, first = np.unique(numbers, return_index=True)
        return numbers, first[found >= before]

    def add(self, label: Label | None) -> None:
        """The judgement of the next number."""
        self._labels.append(label)
        if label is not None:
            self._reasons += (*label.evidence, *label.conflicts)

    def label(self, number: int, frames: list[int]) -> Label | None:
        """A judgement as it is for a flow with these frames."""
        label = self._labels[number]
        if label is None:
            return None
        return with_frames(label, frames)

    def apps(self, numbers: NDArray[np.int32]) -> tuple[pa.Array, pa.Array]:
        """Application and confidence of flows with these judgements (-1: none)."""
        places = pa.array(numbers, mask=numbers < 0)
        apps = pa.array([label and label.app for label in self._labels], pa.string())
        confidences = pa.array([label and label.confidence for label in self._labels], pa.int16())
        return apps.take(places), confidences.take(places)

    def reasons(
        self, numbers: NDArray[np.int32], flow_no: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> pa.Table:
        """Rows of `app_evidence` of flows with these judgements: `frames` has a row of frames for each flow."""
        counts = np.array(
            [len(label.evidence) + len(label.conflicts) if label else 0 for label in self._labels], np.int64
        )
        starts = np.array([0, *accumulate(counts.tolist())], np.int64)
        given = np.flatnonzero(numbers >= 0)
        count = counts[numbers[given]]
        flow = np.repeat(given, count)
        before = np.cumsum(count) - count
        which = np.arange(len(flow)) - np.repeat(before, count) + np.repeat(starts[numbers[given]], count)
        texts = list(zip(*self._reasons, strict=True)) or [()] * len(Evidence._fields)
        app, rule, kind, value, where, confidence = texts
        place = np.array(where, np.int64)[which]
        columns = [
            pa.array(flow_no[flow]),
            *(pa.array(one, pa.string()).take(pa.array(which)) for one in (app, rule, kind, value)),
            pa.array(frames[flow, place]), pa.array(np.array(confidence, np.int16)[which]),
        ]  # fmt: skip
        return pa.Table.from_arrays(columns, schema=APP_EVIDENCE)


def warm() -> None:
    """Compile the kernel of this module."""
    Judgements(1).number(np.zeros((1, 8), np.uint8))
