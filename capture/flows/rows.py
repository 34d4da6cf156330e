"""Finished flows -> columns of the `flows` table."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.flows.endpoints import address_text, community_id, protocol_name
from wirecover.capture.flows.state import CLIENT_BY
from wirecover.capture.packets.record import TUNNELS
from wirecover.capture.tables import FLOWS

_PORTED: Final = (6, 17, 132, 136)


class FlowRows:
    """The flows that ended in one step, side by side: their state, and their halves as up and down."""

    def __init__(self, flows: NDArray[Any], halves: NDArray[Any], slots: NDArray[np.int32]) -> None:
        order = np.argsort(flows["flow_no"][slots], kind="stable")
        self.slots = slots[order]
        self.state = flows[self.slots]
        client_is_high = self.state["client"] == 1
        low, high = halves[2 * self.slots], halves[2 * self.slots + 1]
        self.up = np.where(client_is_high, high, low)
        self.down = np.where(client_is_high, low, high)
        version = self.state["ip_version"].tolist()
        ends = [
            [address_text(v, h, l) for v, h, l in zip(version, self.state[f"{end}_hi"].tolist(), self.state[f"{end}_lo"].tolist(), strict=True)]
            for end in ("low", "high")
        ]
        ports = [self.state[f"{end}_port"].tolist() for end in ("low", "high")]
        swap = client_is_high.tolist()
        self.client_ip = [ends[s][i] for i, s in enumerate(swap)]
        self.server_ip = [ends[1 - s][i] for i, s in enumerate(swap)]
        self.client_port = [ports[s][i] for i, s in enumerate(swap)]
        self.server_port = [ports[1 - s][i] for i, s in enumerate(swap)]
        self.transport = [protocol_name(number) for number in self.state["protocol"].tolist()]

    def __len__(self) -> int:
        return len(self.slots)

    def community_ids(self) -> list[str]:
        """Community ID of each flow."""
        fields = [
            self.state[name].tolist()
            for name in ("ip_version", "protocol", "low_hi", "low_lo", "low_port", "high_hi", "high_lo", "high_port", "first_half")
        ]
        return [
            community_id(version, protocol, (a, b, p), (c, d, q), first == 0)
            for version, protocol, a, b, p, c, d, q, first in zip(*fields, strict=True)
        ]

    def columns(self, services: Sequence[str | None], apps: Sequence[str | None], confidences: Sequence[int | None]) -> list[pa.Array]:
        """Arrays in the order of `tables.FLOWS`."""
        state, up, down = self.state, self.up, self.down
        tcp = state["protocol"] == 6
        unknown_rtt = state["rtt_ns"] < 0
        values: dict[str, Any] = {
            "flow_no": state["flow_no"], "transport": self.transport, "client_ip": self.client_ip,
            "client_port": self.client_port, "server_ip": self.server_ip, "server_port": self.server_port,
            "client_by": [CLIENT_BY[by] for by in state["client_by"].tolist()],
            "first_frame": state["first_frame"], "last_frame": state["last_frame"], "first_ts": state["first_ts"],
            "last_ts": state["last_ts"], "packets_up": up["packets"], "packets_down": down["packets"],
            "bytes_up": up["bytes"], "bytes_down": down["bytes"], "payload_up": up["payload"],
            "payload_down": down["payload"], "syn_seen": pa.array(state["syn"] != 0, mask=~tcp),
            "fin_seen": pa.array(state["fin"] != 0, mask=~tcp), "rst_seen": pa.array(state["rst"] != 0, mask=~tcp),
            "rtt_us": pa.array(state["rtt_ns"] // 1000, mask=unknown_rtt),
            "retransmits": pa.array(up["retransmits"] + down["retransmits"], mask=~tcp),
            "missing_bytes": pa.array(up["missing"] + down["missing"], mask=~tcp),
            "vlan": pa.array(state["vlan"], mask=state["vlan"] < 0), "tunnel": self._tunnels(),
            "community_id": self.community_ids(), "service": services, "app": apps, "app_confidence": confidences,
        }  # fmt: skip
        return [_array(values[field.name], field.type) for field in FLOWS]

    def _tunnels(self) -> list[str | None]:
        found = []
        for kind, number in zip(self.state["tunnel"].tolist(), self.state["tunnel_id"].tolist(), strict=True):
            name = TUNNELS[kind]
            found.append(None if name is None else f"{name}:{number}" if number else name)
        return found


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
