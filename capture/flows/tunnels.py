"""What is around the packets of each flow: tunnels, tags and the radio cell, noted at first sight of each direction.

Only the first packet of a direction that has any such layer is looked at again (`packets.decode.trace`); packets
without cost one look at a column of the batch. The same layers around many flows are kept once. What a direction shows
later (a handover, another tunnel) is not noted.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.files.batch import FrameBatch
from wirecover.capture.flows.endpoints import address_text
from wirecover.capture.flows.state import FLOW, HALF
from wirecover.capture.flows.texts import named
from wirecover.capture.flows.tracker import FlowTracker, Step
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.decode import trace
from wirecover.capture.packets.record import BY_IP4, BY_IP6, BY_MAC, LAYER, LAYERS, PACKET, T_WIFI
from wirecover.capture.tables import TUNNELS

MAX_STACKS: Final = 1 << 18
"""Different stacks of layers kept of flows alive; beyond, a direction's are not noted, and counted."""


@kernel
def _first_sights(
    rows: Any, start: int, stop: int, slot_of: Any, half_of: Any, halves: Any, chosen: Any
) -> int:
    """Fill `chosen` with the rows that first show layers around a direction; how many there are."""
    count = 0
    for i in range(start, stop):
        if rows[i].layers == 0 or slot_of[i] < 0:
            continue
        half = halves[2 * slot_of[i] + half_of[i]]
        if half.told == 0:
            half.told = 1
            chosen[count] = i
            count += 1
    return count


class TunnelBook:
    """The layers around the flows alive, by slot and direction."""

    def __init__(self) -> None:
        self._of_half: dict[int, tuple[int, int]] = {}
        """2 * slot + half -> number of its stack, frame."""
        self._numbers: dict[bytes, int] = {}
        self._stacks: list[bytes] = []
        self._uses: list[int] = []
        self._free: list[int] = []
        self.left_out = 0
        """Directions whose layers were not noted."""

    def take(
        self, batch: FrameBatch, links: NDArray[np.int32], rows: NDArray[Any], step: Step, tracker: FlowTracker,
        made: dict[int, NDArray[Any]],
    ) -> None:  # fmt: skip
        """Note what a step shows first. `made`: frame -> the layers of datagrams put together from fragments."""
        if not np.any(rows["layers"][step.start : step.stop]):
            return
        chosen = np.empty(step.stop - step.start, np.int64)
        count = _first_sights(
            rows, step.start, step.stop, tracker.slot_of, tracker.half_of, tracker.halves, chosen
        )
        chosen = chosen[:count]
        frames = rows["frame"][chosen]
        counts, stacks = trace(batch, links, frames - batch.first_frame)
        halves = 2 * tracker.slot_of[chosen].astype(np.int64) + tracker.half_of[chosen]
        for place, frame, count, stack in zip(
            halves.tolist(), frames.tolist(), counts.tolist(), stacks, strict=True
        ):
            layers = made.get(frame)
            self._note(place, frame, stack[:count] if layers is None else layers)

    def _note(self, place: int, frame: int, layers: NDArray[Any]) -> None:
        key = layers.tobytes()
        number = self._numbers.get(key)
        if number is None:
            if len(self._numbers) >= MAX_STACKS:
                self.left_out += 1
                return
            number = self._free.pop() if self._free else len(self._stacks)
            if number == len(self._stacks):
                self._stacks.append(key)
                self._uses.append(0)
            self._stacks[number] = key
            self._numbers[key] = number
        self._uses[number] += 1
        self._of_half[place] = number, frame

    def close(self, finished: NDArray[np.int32], flows: NDArray[Any]) -> list[pa.Array] | None:
        """The rows of flows that ended and whose client is decided, in the order of `tables.TUNNELS`; None: none."""
        if not self._of_half:
            return None
        found = [
            (flow_no, half != client, frame, number)
            for slot, flow_no, client in zip(
                finished.tolist(), flows["flow_no"][finished].tolist(), flows["client"][finished].tolist(),
                strict=True,
            )
            for half in (0, 1)
            if (place := 2 * slot + half) in self._of_half
            for number, frame in (self._of_half.pop(place),)
        ]  # fmt: skip
        if not found:
            return None
        found.sort()
        columns = _columns(found, [np.frombuffer(self._stacks[number], LAYER) for *_, number in found])
        for *_, number in found:
            self._release(number)
        return columns

    def _release(self, number: int) -> None:
        self._uses[number] -= 1
        if self._uses[number] == 0:
            del self._numbers[self._stacks[number]]
            self._stacks[number] = b""
            self._free.append(number)


def _columns(found: list[tuple[int, bool, int, int]], stacks: list[NDArray[Any]]) -> list[pa.Array]:
    """Values in the order of `tables.TUNNELS`."""
    sizes = np.array([len(stack) for stack in stacks], np.int64)
    layers = np.concatenate(stacks)
    ends = np.cumsum(sizes)
    position = np.arange(len(layers)) - np.repeat(ends - sizes, sizes)
    flow_no, down, frame = (
        np.repeat(np.array([one[k] for one in found], kind), sizes)
        for k, kind in ((0, np.int64), (1, np.bool_), (2, np.int64))
    )
    wifi = layers["kind"] == T_WIFI
    number = layers["identifier"]
    values: dict[str, Any] = {
        "flow_no": flow_no, "position": position.astype(np.int16), "up": ~down,
        "kind": named(layers["kind"].astype(np.int64), list(LAYERS)),
        "outer_source": _addresses(layers, "src"), "outer_destination": _addresses(layers, "dst"),
        "outer_source_port": pa.array(layers["src_port"], mask=layers["src_port"] < 0),
        "outer_destination_port": pa.array(layers["dst_port"], mask=layers["dst_port"] < 0),
        "identifier": pa.array(number, mask=wifi | (number < 0)),
        "bssid": pa.array(
            [_mac(one) if known else None for one, known in zip(number.tolist(), (wifi & (number >= 0)).tolist(),
                                                               strict=True)], pa.string()
        ),
        "first_frame": frame,
    }  # fmt: skip
    return [
        value if isinstance(value, pa.Array) else pa.array(value, field.type)
        for field, value in ((field, values[field.name]) for field in TUNNELS)
    ]


def _addresses(layers: NDArray[Any], end: str) -> pa.Array:
    """The addresses of what carries each layer, as text; each different one is written once."""
    keys = np.empty(len(layers), [("carrier", "u1"), ("hi", "u8"), ("lo", "u8")])
    keys["carrier"], keys["hi"], keys["lo"] = layers["carrier"], layers[f"{end}_hi"], layers[f"{end}_lo"]
    different, which = np.unique(keys, return_inverse=True)
    return named(which, [_text(*one) for one in different.tolist()])


def _text(carrier: int, high: int, low: int) -> str | None:
    if carrier in (BY_IP4, BY_IP6):
        return address_text(carrier, high, low)
    return _mac(low) if carrier == BY_MAC else None


def _mac(number: int) -> str:
    return number.to_bytes(6, "big").hex(":")


def warm() -> None:
    """Compile the kernel with the types it is used with."""
    one = np.zeros(1, np.int64)
    _first_sights(
        np.zeros(1, PACKET), 0, 1, np.zeros(1, np.int32), np.zeros(1, np.uint8), np.zeros(2, HALF), one
    )
    TunnelBook().close(np.zeros(0, np.int32), np.zeros(0, FLOW))
