"""Finished flows -> their services and applications, each distinct set of facts judged once."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.apps.matcher import Evidence, FlowFacts, Label, RuleSet
from wirecover.capture.apps.sockets import ice_session
from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.conversations import Conversations
from wirecover.capture.flows.dialogue import Dialogue
from wirecover.capture.flows.endpoints import address_text, protocol_name
from wirecover.capture.flows.handshake import Handshake, handshake_columns
from wirecover.capture.flows.labelled import LabelledFlows
from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.state import SERVICE_DNS

CACHE_SIZE: Final = 1 << 15
"""Judgements remembered; at the limit all are forgotten."""
_FLOW, _HELLO, _CERTIFICATE, _DNS = -1, -2, -3, -4
"""Stand for frame numbers in a remembered label; of the DNS answers the first is -4, the next -5, ..."""

_OTHER_NAME: Final = ("other.invalid", 0)
_Names = tuple[tuple[str, int], ...]
_Server = tuple[int, int, int, int, int]
"""Protocol, IP version, the two halves of the address, port."""


class Labeller:
    """Judges the flows of one capture."""

    def __init__(self, rules: RuleSet, conversations: Conversations, evidence: EvidenceWriter) -> None:
        self._rules = rules
        self._conversations = conversations
        self._evidence = evidence
        self._judged: dict[Any, Label | None] = {}
        self._telling = lru_cache(maxsize=CACHE_SIZE)(rules.speaks_of)

    def label(self, rows: FlowRows) -> LabelledFlows:
        """Services and labels of finished flows; their dialogues are over, their handshakes written."""
        batch, state, conversations = LabelledFlows(rows), rows.state, self._conversations
        shaken: list[int] = []
        handshakes: list[Handshake] = []
        columns = (
            rows.slots, state["flow_no"], state["first_frame"], state["first_ts"], state["client"], state["service"],
            state["protocol"], state["ip_version"], *rows.server,
        )  # fmt: skip
        for slot, flow_no, frame, ts, client, service, *server in zip(
            *(one.tolist() for one in columns), strict=True
        ):
            dialogue = conversations.pop(slot)
            if dialogue is not None:
                handshake = dialogue.handshake
                if handshake is not None:
                    shaken.append(flow_no)
                    handshakes.append(handshake)
                    if handshake.sni:
                        conversations.dissector.name_server(
                            handshake, flow_no, address_text(*server[1:4]), ts
                        )
                if dialogue.ssh is not None and dialogue.ssh.is_known:
                    self._evidence.add("ssh_handshakes", dialogue.ssh.row(flow_no, client))
                names = self._names(dialogue.dns_names) if dialogue.dns_names else ()
                signatures = (
                    _NONE if dialogue.only_stun else dialogue.signatures(client, protocol_name(server[0]))
                )
                label = self._judge_dialogue(dialogue, tuple(server), names, signatures, frame, ts)
                batch.add(dialogue.service, label)
                if dialogue.stun_username is not None and dialogue.stun_realm is None:
                    batch.note_session(ice_session(dialogue.stun_username))
                if label is None and signatures:
                    batch.note_hints(self._rules.hints(signatures, ts, frame))
            elif service == SERVICE_DNS:
                names = self._names(conversations.pop_names(slot))
                batch.add("dns", self._judge_dns(tuple(server), names, frame, ts))
            else:
                batch.add(None, None)
        if handshakes:
            self._evidence.add_columns("tls_handshakes", handshake_columns(shaken, handshakes))
        return batch

    def _names(self, names: _Names) -> _Names:
        """Those names that rules speak of, and one for all others: that there are others is all that counts."""
        if not names:
            return names
        telling = [(name, frame) for name, frame in names if self._telling(name)]
        return tuple(telling) if len(telling) == len(names) else (*telling, _OTHER_NAME)

    def _judge_dns(self, server: _Server, names: _Names, frame: int, ts: int) -> Label | None:
        key = (self._rules.era(ts), server, tuple([name for name, _ in names]))
        try:
            label = self._judged[key]
        except KeyError:
            label = self._remember(key, self._facts(server, names, service="dns"), ts)
        return label and _with_frames(label, (frame, frame, frame), names)

    def _judge_dialogue(
        self,
        dialogue: Dialogue,
        server: _Server,
        names: _Names,
        signatures: frozenset[str],
        frame: int,
        ts: int,
    ) -> Label | None:
        handshake = dialogue.handshake
        client = handshake.client if handshake else None
        sni = handshake.sni if handshake else None
        alpn, ja4 = (client.alpn, client.ja4) if client else ((), None)
        fresh = dialogue.dns_fresh
        if fresh is not None and not self._telling(fresh):
            fresh = None
        key = (
            self._rules.era(ts), server, tuple([name for name, _ in names]) if names else (), sni, alpn, ja4,
            dialogue.service,
            dialogue.certificate_names, dialogue.stun_realm, dialogue.stun_username, dialogue.stun_software,
            dialogue.stun_attributes, signatures, dialogue.framing, fresh,
        )  # fmt: skip
        try:
            label = self._judged[key]
        except KeyError:
            facts = self._facts(
                server, names, sni=sni, sni_frame=_HELLO, alpn_offered=alpn, ja4=ja4, service=dialogue.service,
                certificate_names=dialogue.certificate_names, certificate_frame=_CERTIFICATE,
                stun_realm=dialogue.stun_realm, stun_username=dialogue.stun_username,
                stun_software=dialogue.stun_software, stun_attributes=dialogue.stun_attributes, signatures=signatures,
                framing=dialogue.framing, dns_fresh=fresh,
            )  # fmt: skip
            label = self._remember(key, facts, ts)
        if label is None:
            return None
        hello = handshake.client_frame if handshake else None
        certificate = handshake.certificate_frame if handshake else None
        return _with_frames(
            label,
            (frame, frame if hello is None else hello, frame if certificate is None else certificate),
            names,
        )

    @staticmethod
    def _facts(server: _Server, names: _Names, **more: Any) -> FlowFacts:
        """Facts with stand-ins for frames; the client's address and port make no label."""
        protocol, version, high, low, port = server
        stand_ins = tuple([(name, _DNS - i) for i, (name, _) in enumerate(names)])
        return FlowFacts(
            transport=protocol_name(protocol), server_ip=address_text(version, high, low), server_port=port,
            client_ip="", client_port=0, frame=_FLOW, dns_names=stand_ins, **more,
        )  # fmt: skip

    def _remember(self, key: Any, facts: FlowFacts, ts: int) -> Label | None:
        if len(self._judged) >= CACHE_SIZE:
            self._judged.clear()
        label = self._judged[key] = self._rules.match(facts, ts)
        return label


_NONE: Final[frozenset[str]] = frozenset()


def _with_frames(label: Label, frames: tuple[int, int, int], names: _Names) -> Label:
    """The label with the flow's own frames in place of the stand-ins."""
    return Label(
        label.app,
        label.confidence,
        _reasons_with_frames(label.evidence, frames, names),
        _reasons_with_frames(label.conflicts, frames, names) if label.conflicts else (),
    )


def _reasons_with_frames(
    reasons: tuple[Evidence, ...], frames: tuple[int, int, int], names: _Names
) -> tuple[Evidence, ...]:
    return tuple(
        [
            Evidence(
                app,
                rule,
                kind,
                value,
                frames[-frame - 1] if frame > _DNS else names[_DNS - frame][1],
                confidence,
            )
            for app, rule, kind, value, frame, confidence in reasons
        ]
    )


def shared_sockets(
    slots: NDArray[np.int32], protocols: NDArray[np.uint8], conversations: Conversations
) -> NDArray[np.bool_]:
    """Which of the flows are UDP flows of a socket that a call may use for other flows too."""
    shared = np.zeros(len(slots), np.bool_)
    for i in np.flatnonzero(protocols == 17).tolist():
        dialogue = conversations.get(int(slots[i]))
        shared[i] = dialogue is not None and dialogue.service in _CALL_SERVICES
    return shared


_CALL_SERVICES: Final = frozenset((None, "stun", "dtls"))
