"""Finished flows with their service and application, ready to be written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wirecover.capture.apps.matcher import Evidence, Label
from wirecover.capture.apps.sockets import SocketFlow
from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.texts import addresses


@dataclass(slots=True)
class LabelledFlows:
    """One service and one label (or None) for each of `rows`, in their order."""

    rows: FlowRows
    services: list[str | None] = field(default_factory=list)
    labels: list[Label | None] = field(default_factory=list)
    sessions: dict[int, frozenset[str]] = field(default_factory=dict)
    """Place of a flow -> the ICE session that its STUN messages name."""
    hints: dict[int, tuple[Evidence, ...]] = field(default_factory=dict)
    """Place of a flow without a label -> byte patterns that did not suffice for one."""

    def add(self, service: str | None, label: Label | None) -> None:
        """What is known of the next flow."""
        self.services.append(service)
        self.labels.append(label)

    def note_session(self, session: frozenset[str] | None) -> None:
        """The ICE session of the flow added last."""
        if session is not None:
            self.sessions[len(self.labels) - 1] = session

    def note_hints(self, hints: tuple[Evidence, ...]) -> None:
        """What did not suffice to label the flow added last."""
        if hints:
            self.hints[len(self.labels) - 1] = hints

    def socket_flows(self) -> Iterator[SocketFlow]:
        """The flows as `sockets.labels_by_socket` wants them."""
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
                last_ts, frame, self.labels[i], may_inherit=True, session=self.sessions.get(i),
            )  # fmt: skip

    def inherit(self, labels: Mapping[int, Label]) -> None:
        """Take over labels, by flow number, for flows that have none."""
        for i, flow_no in enumerate(self.rows.state["flow_no"].tolist()):
            if self.labels[i] is None:
                self.labels[i] = labels.get(flow_no)

    def write(self, evidence: EvidenceWriter) -> None:
        """Rows of `flows`, and a row of `app_evidence` for each reason, also for those of other applications."""
        for i, (flow_no, label) in enumerate(
            zip(self.rows.state["flow_no"].tolist(), self.labels, strict=True)
        ):
            if label is None and i not in self.hints:
                continue
            for why in (*label.evidence, *label.conflicts) if label is not None else self.hints[i]:
                evidence.add(
                    "app_evidence",
                    (flow_no, why.app, why.rule_id, why.kind, why.value, why.frame, why.confidence),
                )
        apps = [label.app if label else None for label in self.labels]
        confidences = [label.confidence if label else None for label in self.labels]
        evidence.add_columns("flows", self.rows.columns(self.services, apps, confidences))
