"""Finished flows -> their services and applications, each distinct set of facts judged once."""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wirecover.capture.apps.matcher import FlowFacts, Label, RuleSet
from wirecover.capture.apps.sockets import ice_session
from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.conversations import Conversations
from wirecover.capture.flows.dialogue import Dialogue
from wirecover.capture.flows.endpoints import address_text, protocol_name
from wirecover.capture.flows.handshake import Handshake, handshake_columns, known_handshakes
from wirecover.capture.flows.judgements import CERTIFICATE, FLOW, HELLO, NAMES, Judgements, with_frames
from wirecover.capture.flows.known import OF_QUIC, OF_TLS, SERVICES
from wirecover.capture.flows.labelled import LabelledFlows, by_flow
from wirecover.capture.flows.names import MAX_PER_ADDRESS
from wirecover.capture.flows.rows import FlowRows
from wirecover.capture.flows.texts import named
from wirecover.capture.kernels import kernel
from wirecover.capture.tables import TLS_HANDSHAKES

CACHE_SIZE: Final = 1 << 15
"""Judgements of spoken flows remembered; at the limit all are forgotten."""

_OTHER: Final = -2
"""Stands for all names that no rule speaks of: that there are others is all that counts."""
_OTHER_NAME: Final = "other.invalid"
_NONE: Final[frozenset[str]] = frozenset()
_Names = tuple[tuple[str, int], ...]
_Server = tuple[int, int, int, int, int]
"""Protocol, IP version, the two halves of the address, port."""
_FRAMES: Final = NAMES + MAX_PER_ADDRESS + 1
_UNKNOWN, _SILENT, _TELLING = range(3)


@kernel
def _unsettled(lists: Any, places: Any, telling: Any, out: Any) -> int:
    """The names in these lists of which it is not known whether a rule speaks of them; marks them as silent."""
    count = 0
    for i in range(len(places)):
        at = places[i]
        for k in range(lists[at] if at else 0):
            name = lists[at + 1 + 2 * k]
            if telling[name] == 0:
                telling[name] = 1
                out[count] = name
                count += 1
                if count == len(out):
                    return count
    return count


@kernel
def _choose(lists: Any, places: Any, telling: Any, chosen: Any, frames: Any) -> None:
    """Of each list the names that rules speak of, and their frames; then _OTHER if there are others; -1 fills up."""
    for i in range(len(places)):
        chosen[i, :] = -1
        at = places[i]
        size = lists[at] if at else 0
        count = 0
        for k in range(size):
            name = lists[at + 1 + 2 * k]
            if telling[name] == 2:
                chosen[i, count] = name
                frames[i, NAMES + count] = lists[at + 2 + 2 * k]
                count += 1
        if count < size:
            chosen[i, count] = _OTHER


class Labeller:
    """Judges the flows of one capture."""

    def __init__(
        self, rules: RuleSet, conversations: Conversations, evidence: EvidenceWriter, seed: int
    ) -> None:
        self._rules = rules
        self._conversations = conversations
        self._evidence = evidence
        self._seed = seed
        self._judged = Judgements(seed)
        self._spoken: dict[Any, Label | None] = {}
        self._telling = np.zeros(0, np.uint8)
        """Of each name by its number: whether a rule speaks of it."""
        self._speaks = lru_cache(maxsize=CACHE_SIZE)(rules.speaks_of)

    def label(self, rows: FlowRows) -> LabelledFlows:
        """Services and labels of finished flows; their dialogues are over, their handshakes written."""
        state = rows.state
        known = self._conversations.known(rows.slots)
        met = known["flow_no"] == state["flow_no"]
        plain = np.flatnonzero(met & (known["spoken"] == 0))
        services = np.zeros(len(rows), np.int32)
        services[plain] = known["service"][plain]
        frames = np.zeros((len(rows), _FRAMES), np.int64)
        frames[:, :NAMES] = state["first_frame"][:, None]
        self._conversations.release(known[plain])
        self._name_servers(rows, known, plain)
        numbers = np.full(len(rows), -1, np.int32)
        numbers[plain] = self._judge(rows, known, plain, frames)
        tables = []
        for service, carrier in ((OF_TLS, "tcp"), (OF_QUIC, "quic")):
            shaken = plain[known["service"][plain] == service]
            tables.append(self._known_handshakes(state["flow_no"][shaken], known[shaken], carrier))
        batch = LabelledFlows(rows, None, numbers, self._judged, frames)
        self._note_sessions(batch, known, plain)
        names: dict[str | None, int] = {name: number for number, name in enumerate(SERVICES)}
        tables += self._spoken_flows(batch, np.flatnonzero(met & (known["spoken"] != 0)), services, names)
        self._evidence.add_columns(
            "tls_handshakes", [one.combine_chunks() for one in by_flow(tables).columns]
        )
        batch.services = named(services, list(names))
        return batch

    # ---- flows that only kernels have read ---------------------------------------------------------------

    def _name_servers(self, rows: FlowRows, known: NDArray[Any], plain: NDArray[np.int64]) -> None:
        """The server name that a client asked for is a name of the address that answered."""
        asked = plain[known["sni"][plain] >= 0]
        high, low, _ = rows.server
        state = rows.state[asked]
        self._conversations.names.note_servers(
            state["ip_version"], high[asked], low[asked], known["sni"][asked], state["flow_no"],
            known["client_frame"][asked], state["first_ts"],
        )  # fmt: skip

    def _known_handshakes(self, flow_no: NDArray[np.int64], known: NDArray[Any], carrier: str) -> pa.Table:
        shapes, names = self._conversations.shapes, self._conversations.names
        columns = known_handshakes(
            flow_no, known, (shapes.quic_clients if carrier == "quic" else shapes.clients).facts, shapes.servers.facts,
            names.strings.texts(np.ascontiguousarray(known["sni"])), self._conversations.chain, carrier,
        )  # fmt: skip
        return pa.Table.from_arrays(columns, schema=TLS_HANDSHAKES)

    def _judge(
        self, rows: FlowRows, known: NDArray[Any], plain: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> NDArray[np.int32]:
        """The judgement of each plain flow; fills in what of `frames` its reasons may need."""
        if not len(plain):
            return np.zeros(0, np.int32)
        state, of = rows.state[plain], known[plain]
        hello = of["client_frame"]
        frames[plain, HELLO] = np.where(hello > 0, hello, state["first_frame"])
        certificate = of["certificate_frame"]
        frames[plain, CERTIFICATE] = np.where(certificate > 0, certificate, state["first_frame"])
        chosen, name_frames = self._chosen(np.ascontiguousarray(of["names"]), frames[plain])
        frames[plain] = name_frames
        fresh = of["fresh"].copy()
        fresh[fresh >= 0] = np.where(self._telling[fresh[fresh >= 0]] == _TELLING, fresh[fresh >= 0], -1)
        high, low, port = rows.server
        columns = (
            np.searchsorted(self._rules.bounds, state["first_ts"], side="right"),
            state["protocol"], state["ip_version"], high[plain].view(np.int64), low[plain].view(np.int64), port[plain],
            of["service"], fresh, of["client"], of["chain"], of["sni"], of["username"], of["realm"], of["software"],
            of["low_bits"].view(np.int64), of["high_bits"].view(np.int64),
        )  # fmt: skip
        facts = np.empty((len(plain), 8 * len(columns) + 4 * chosen.shape[1]), np.uint8)
        facts[:, : 8 * len(columns)] = np.stack(columns, axis=1).astype(np.int64).view(np.uint8)
        facts[:, 8 * len(columns) :] = chosen.view(np.uint8)
        found = self._judged.number(facts)
        if found is None:
            self._judged = Judgements(self._seed)
            found = self._judged.number(facts)
            assert found is not None, "one batch of facts fits"
        numbers, new = found
        for i in new.tolist():
            server = tuple(int(column[i]) for column in columns[1:6])
            label = self._judge_known(
                server, of[i], int(fresh[i]), [int(name) for name in chosen[i]], int(state["first_ts"][i])
            )
            self._judged.add(label)
        return numbers

    def _chosen(
        self, places: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        names = self._conversations.names
        if len(self._telling) < len(names.strings):
            grown = np.zeros(2 * len(names.strings), np.uint8)
            grown[: len(self._telling)] = self._telling
            self._telling = grown
        out = np.zeros(1 << 10, np.int64)
        while count := _unsettled(names.arrays.lists, places, self._telling, out):
            for name in out[:count].tolist():
                if self._speaks(names.text(name)):
                    self._telling[name] = _TELLING
        chosen = np.empty((len(places), MAX_PER_ADDRESS + 1), np.int32)
        _choose(names.arrays.lists, places, self._telling, chosen, frames)
        return chosen, frames

    def _judge_known(self, server: Any, known: Any, fresh: int, chosen: list[int], ts: int) -> Label | None:
        """The label of a KNOWN row, with stand-ins for frames."""
        conversations = self._conversations
        names = conversations.names
        named_by = [
            (_OTHER_NAME if name == _OTHER else names.text(name), NAMES + k)
            for k, name in enumerate(chosen)
            if name != -1
        ]
        clients = (
            conversations.shapes.quic_clients if known["service"] == OF_QUIC else conversations.shapes.clients
        )
        client = clients.facts[known["client"]] if known["client"] >= 0 else None
        username, realm, software, sni = (
            names.text(int(known[field])) if known[field] >= 0 else None
            for field in ("username", "realm", "software", "sni")
        )
        facts = self._facts(
            server, tuple(named_by), sni=sni, sni_frame=HELLO, alpn_offered=client.alpn if client else (),
            ja4=client.ja4 if client else None, service=SERVICES[known["service"]], stun_realm=realm,
            certificate_names=conversations.chain(int(known["chain"])).names if known["chain"] >= 0 else (),
            certificate_frame=CERTIFICATE, dns_fresh=names.text(fresh) if fresh >= 0 else None,
            stun_username=username, stun_software=software,
            stun_attributes=conversations.attributes(int(known["low_bits"]), int(known["high_bits"])),
        )  # fmt: skip
        return self._rules.match(facts, ts)

    def _note_sessions(self, batch: LabelledFlows, known: NDArray[Any], plain: NDArray[np.int64]) -> None:
        """ICE sessions of flows of which a user name and no realm is known."""
        of = known[plain]
        for i in plain[(of["username"] >= 0) & (of["realm"] < 0)].tolist():
            self._note_session(batch, i, self._conversations.names.text(int(known["username"][i])))

    @staticmethod
    def _note_session(batch: LabelledFlows, i: int, username: str) -> None:
        session = ice_session(username)
        if session is not None:
            batch.sessions[i] = session

    # ---- spoken flows ------------------------------------------------------------------------------------

    def _spoken_flows(
        self, batch: LabelledFlows, places: NDArray[np.int64], services: NDArray[np.int32],
        names: dict[str | None, int],
    ) -> list[pa.Table]:  # fmt: skip
        """Services (numbered by `names`, which grows) and labels of flows that have a dialogue; their handshakes."""
        rows, conversations = batch.rows, self._conversations
        state = rows.state[places]
        shaken: list[int] = []
        handshakes: list[Handshake] = []
        columns: tuple[NDArray[Any], ...] = (
            places, rows.slots[places], state["flow_no"], state["first_frame"], state["first_ts"], state["client"],
            state["protocol"], state["ip_version"], *(column[places] for column in rows.server),
        )  # fmt: skip
        for i, slot, flow_no, frame, ts, client, *server in zip(
            *(one.tolist() for one in columns), strict=True
        ):
            dialogue = conversations.pop(slot)
            handshake = dialogue.handshake
            if handshake is not None:
                shaken.append(flow_no)
                handshakes.append(handshake)
                if handshake.sni:
                    conversations.dissector.name_server(handshake, flow_no, address_text(*server[1:4]), ts)
            if dialogue.ssh is not None and dialogue.ssh.is_known:
                self._evidence.add("ssh_handshakes", dialogue.ssh.row(flow_no, client))
            services[i] = names.setdefault(dialogue.service, len(names))
            signatures = (
                _NONE if dialogue.only_stun else dialogue.signatures(client, protocol_name(server[0]))
            )
            label = self._judge_dialogue(dialogue, tuple(server), signatures, frame, ts)
            if label is not None:
                batch.own[i] = label
            elif signatures:
                batch.hints[i] = self._rules.hints(signatures, ts, frame)
            if dialogue.stun_username is not None and dialogue.stun_realm is None:
                self._note_session(batch, i, dialogue.stun_username)
        return [pa.Table.from_arrays(handshake_columns(shaken, handshakes), schema=TLS_HANDSHAKES)]

    def _judge_dialogue(
        self, dialogue: Dialogue, server: _Server, signatures: frozenset[str], frame: int, ts: int
    ) -> Label | None:
        names = self._told(dialogue.dns_names) if dialogue.dns_names else ()
        handshake = dialogue.handshake
        client = handshake.client if handshake else None
        sni = handshake.sni if handshake else None
        alpn, ja4 = (client.alpn, client.ja4) if client else ((), None)
        fresh = dialogue.dns_fresh
        if fresh is not None and not self._speaks(fresh):
            fresh = None
        key = (
            self._rules.era(ts), server, tuple([name for name, _ in names]) if names else (), sni, alpn, ja4,
            dialogue.service,
            dialogue.certificate_names, dialogue.stun_realm, dialogue.stun_username, dialogue.stun_software,
            dialogue.stun_attributes, signatures, dialogue.framing, fresh,
        )  # fmt: skip
        try:
            label = self._spoken[key]
        except KeyError:
            facts = self._facts(
                server, tuple([(name, NAMES + k) for k, (name, _) in enumerate(names)]), sni=sni, sni_frame=HELLO,
                alpn_offered=alpn, ja4=ja4, service=dialogue.service,
                certificate_names=dialogue.certificate_names, certificate_frame=CERTIFICATE,
                stun_realm=dialogue.stun_realm, stun_username=dialogue.stun_username,
                stun_software=dialogue.stun_software, stun_attributes=dialogue.stun_attributes, signatures=signatures,
                framing=dialogue.framing, dns_fresh=fresh,
            )  # fmt: skip
            if len(self._spoken) >= CACHE_SIZE:
                self._spoken.clear()
            label = self._spoken[key] = self._rules.match(facts, ts)
        if label is None:
            return None
        hello = handshake.client_frame if handshake else None
        certificate = handshake.certificate_frame if handshake else None
        frames = [frame, frame if hello is None else hello, frame if certificate is None else certificate]
        frames += [at for _, at in names]
        return with_frames(label, frames)

    def _told(self, names: _Names) -> _Names:
        """Those names that rules speak of, and one for all others."""
        telling = [(name, frame) for name, frame in names if self._speaks(name)]
        return tuple(telling) if len(telling) == len(names) else (*telling, (_OTHER_NAME, 0))

    @staticmethod
    def _facts(server: _Server, names: _Names, **more: Any) -> FlowFacts:
        """Facts with stand-ins for frames; the client's address and port make no label."""
        protocol, version, high, low, port = server
        return FlowFacts(
            transport=protocol_name(protocol), server_ip=address_text(version, high, low), server_port=port,
            client_ip="", client_port=0, frame=FLOW, dns_names=names, **more,
        )  # fmt: skip


def shared_sockets(
    slots: NDArray[np.int32], flows: NDArray[Any], conversations: Conversations
) -> NDArray[np.bool_]:
    """Which of the flows are UDP flows of a socket that a call may use for other flows too."""
    known = conversations.known(slots)
    met = (known["flow_no"] == flows["flow_no"][slots]) & (flows["protocol"][slots] == 17)
    shared: NDArray[np.bool_] = met & (known["spoken"] == 0) & np.isin(known["service"], _CALL_KNOWN)
    for i in np.flatnonzero(met & (known["spoken"] != 0)).tolist():
        dialogue = conversations.get(int(slots[i]))
        shared[i] = dialogue is not None and dialogue.service in _CALL_SERVICES
    return shared


_CALL_SERVICES: Final = frozenset((None, "stun", "dtls"))
_CALL_KNOWN: Final = [number for number, service in enumerate(SERVICES) if service in _CALL_SERVICES]


def warm() -> None:
    """Compile the kernels of this module."""
    lists, places = np.zeros(1, np.int64), np.zeros(1, np.int64)
    telling = np.zeros(1, np.uint8)
    _unsettled(lists, places, telling, np.zeros(1, np.int64))
    chosen = np.zeros((1, MAX_PER_ADDRESS + 1), np.int32)
    _choose(lists, places, telling, chosen, np.zeros((1, _FRAMES), np.int64))
