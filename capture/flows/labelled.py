"""Finished flows with their services and labels, on the way into rows of `flows` and `app_evidence`."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.apps.matcher import Evidence, Label
from wirecover.capture.apps.sockets import SocketFlow
from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.judgements import Judgements
from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.texts import addresses
from wirecover.capture.tables import APP_EVIDENCE


@dataclass(slots=True)
class LabelledFlows:
    """A service and a label, or none, for each of `rows`, in their order."""

    rows: FlowRows
    services: pa.Array
    numbers: NDArray[np.int32]
    """Which judgement holds for each flow; -1 for none, or where `own` has the label."""
    judged: Judgements
    frames: NDArray[np.int64]
    """A row a flow: the frames that the stand-ins of a judgement mean (see `judgements`)."""
    own: dict[int, Label] = field(default_factory=dict)
    """Labels of flows (by their place in `rows`) that no judgement was remembered for."""
    sessions: dict[int, frozenset[str]] = field(default_factory=dict)
    """Place of a flow -> the ICE session that its STUN messages name."""
    hints: dict[int, tuple[Evidence, ...]] = field(default_factory=dict)
    """Place of a flow without a label -> byte patterns that did not suffice for one."""

    def label(self, i: int) -> Label | None:
        """The label of one flow."""
        number = int(self.numbers[i])
        return self.own.get(i) if number < 0 else self.judged.label(number, self.frames[i].tolist())

    def socket_flows(self, media: Set[int]) -> Iterator[SocketFlow]:
        """The flows as `sockets.labels_by_socket` wants them. `media`: numbers of flows with RTP streams."""
        state, rows = self.rows.state, self.rows
        version = state["ip_version"]
        clients, servers = (addresses(version, *end[:2]).to_pylist() for end in (rows.client, rows.server))
        client_ports, server_ports = rows.client[2].tolist(), rows.server[2].tolist()
        times = zip(
            state["flow_no"].tolist(),
            state["first_ts"].tolist(),
            state["last_ts"].tolist(),
            state["first_frame"].tolist(),
            strict=True,
        )
        for i, (flow_no, first_ts, last_ts, frame) in enumerate(times):
            yield SocketFlow(
                flow_no, clients[i], client_ports[i], servers[i], server_ports[i], first_ts,
                last_ts, frame, self.label(i), may_inherit=True, session=self.sessions.get(i),
                media=flow_no in media,
            )  # fmt: skip

    def inherit(self, labels: Mapping[int, Label]) -> None:
        """Take over labels, by flow number, for flows that have none."""
        for i, flow_no in enumerate(self.rows.state["flow_no"].tolist()):
            if flow_no in labels and self.label(i) is None:
                self.own[i] = labels[flow_no]
                self.numbers[i] = -1

    def write(self, evidence: EvidenceWriter) -> None:
        """Rows of `flows`, and a row of `app_evidence` for each reason, also for those of other applications."""
        flow_no = self.rows.state["flow_no"]
        reasons = self.judged.reasons(self.numbers, flow_no, self.frames)
        given = {i: (*label.evidence, *label.conflicts) for i, label in self.own.items()}
        given |= {i: why for i, why in self.hints.items() if i not in given and self.numbers[i] < 0}
        own = [
            (int(flow_no[i]), why.app, why.rule_id, why.kind, why.value, why.frame, why.confidence)
            for i, reasons_of in sorted(given.items())
            for why in reasons_of
        ]
        if own:
            columns: list[Any] = [list(column) for column in zip(*own, strict=True)]
            more = pa.Table.from_arrays(
                [pa.array(values, kind.type) for values, kind in zip(columns, APP_EVIDENCE, strict=True)],
                schema=APP_EVIDENCE,
            )
            reasons = by_flow([reasons, more])
        evidence.add_columns("app_evidence", [column.combine_chunks() for column in reasons.columns])
        evidence.add_columns("flows", self.rows.columns(self.services, *self._apps()))

    def _apps(self) -> tuple[pa.Array, pa.Array]:
        """Application and confidence of each flow."""
        apps, confidences = self.judged.apps(self.numbers)
        if not self.own:
            return apps, confidences
        names, sure = apps.to_pylist(), confidences.to_pylist()
        for i, label in self.own.items():
            names[i], sure[i] = label.app, label.confidence
        return pa.array(names, pa.string()), pa.array(sure, pa.int16())


def by_flow(tables: list[pa.Table]) -> pa.Table:
    """These tables as one, in the order of flow_no; rows of one flow keep theirs."""
    whole = pa.concat_tables(tables)
    return whole.take(pa.array(np.argsort(whole["flow_no"].to_numpy(), kind="stable")))
