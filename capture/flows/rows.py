"""Finished flows -> columns of the `flows` table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.endpoints import protocol_name
from wirecover.capture.flows.state import CLIENT_BY
from wirecover.capture.flows.texts import addresses, community_id_array, named
from wirecover.capture.packets.record import TUNNELS
from wirecover.capture.tables import FLOWS


class FlowRows:
    """The flows that ended in one step, side by side: their state, and their halves as up and down."""

    def __init__(self, flows: NDArray[Any], halves: NDArray[Any], slots: NDArray[np.int32]) -> None:
        order = np.argsort(flows["flow_no"][slots], kind="stable")
        self.slots = slots[order]
        self.state = flows[self.slots]
        high = (self.state["client"] == 1).astype(np.int64)
        self.up, self.down = halves[2 * self.slots + high], halves[2 * self.slots + 1 - high]
        is_high = high == 1
        names = [f"{part}" for part in ("hi", "lo", "port")]
        low_end, high_end = ([self.state[f"{end}_{name}"] for name in names] for end in ("low", "high"))
        self.client = [np.where(is_high, b, a) for a, b in zip(low_end, high_end, strict=True)]
        """High half and low half of the address, and port, of each client."""
        self.server = [np.where(is_high, a, b) for a, b in zip(low_end, high_end, strict=True)]

    def __len__(self) -> int:
        return len(self.slots)

    def columns(
        self, services: Sequence[str | None], apps: Sequence[str | None], confidences: Sequence[int | None]
    ) -> list[pa.Array]:
        """Arrays in the order of `tables.FLOWS`."""
        state, up, down = self.state, self.up, self.down
        tcp = state["protocol"] == 6
        version = state["ip_version"]
        unknown_rtt = state["rtt_ns"] < 0
        values: dict[str, Any] = {
            "flow_no": state["flow_no"], "transport": self._transports(),
            "client_ip": addresses(version, *self.client[:2]),
            "client_port": self.client[2], "server_ip": addresses(version, *self.server[:2]),
            "server_port": self.server[2],
            "client_by": named(state["client_by"], CLIENT_BY),
            "first_frame": state["first_frame"], "last_frame": state["last_frame"], "first_ts": state["first_ts"],
            "last_ts": state["last_ts"], "packets_up": up["packets"], "packets_down": down["packets"],
            "bytes_up": up["bytes"], "bytes_down": down["bytes"], "payload_up": up["payload"],
            "payload_down": down["payload"], "syn_seen": pa.array(state["syn"] != 0, mask=~tcp),
            "fin_seen": pa.array(state["fin"] != 0, mask=~tcp), "rst_seen": pa.array(state["rst"] != 0, mask=~tcp),
            "rtt_us": pa.array(state["rtt_ns"] // 1000, mask=unknown_rtt),
            "retransmits": pa.array(up["retransmits"] + down["retransmits"], mask=~tcp),
            "missing_bytes": pa.array(up["missing"] + down["missing"], mask=~tcp),
            "vlan": pa.array(state["vlan"], mask=state["vlan"] < 0), "tunnel": self._tunnels(),
            "community_id": community_id_array(state), "service": services, "app": apps, "app_confidence": confidences,
        }  # fmt: skip
        return [_array(values[field.name], field.type) for field in FLOWS]

    def _transports(self) -> pa.Array:
        numbers, which = np.unique(self.state["protocol"], return_inverse=True)
        return named(which, [protocol_name(number) for number in numbers.tolist()])

    def _tunnels(self) -> Any:
        if not np.any(self.state["tunnel"]):
            return pa.nulls(len(self), pa.string())
        found: list[str | None] = []
        for kind, number in zip(self.state["tunnel"].tolist(), self.state["tunnel_id"].tolist(), strict=True):
            name = TUNNELS[kind]
            found.append(None if name is None else f"{name}:{number}" if number else name)
        return found


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
