"""SIP, RADIUS and GTP-C messages -> rows: who calls whom, and which subscriber had which address.

What is written is what the network's own elements said in the clear. A session's rows grow with each message of
it, so they are written at the end of the capture.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.endpoints import endpoint_text
from wirecover.capture.flows.ledger import Ledger
from wirecover.capture.flows.piece import Piece
from wirecover.capture.protocols import Malformed, radius
from wirecover.capture.protocols import gtpc as gtp
from wirecover.capture.protocols.gtpc import GtpSession, parse_gtpc
from wirecover.capture.protocols.radius import RadiusMessage, parse_radius
from wirecover.capture.protocols.sip import parse_sip

MAX_HELD: Final = 1 << 16
"""Facts, requests and sessions held of each kind; beyond, the oldest are written or forgotten."""

_Key = tuple[str | None, str, str, str, str | None]
"""Address, kind, identity, source, session."""
Row = tuple[str | None, str, str, int, int, bool, str, str | None, str | None, int, int, int]
"""Values in the order of `tables.SUBSCRIBERS`."""


class _Known:
    """What is known of one key."""

    __slots__ = ("ended", "first_ts", "flow_no", "frame", "gateway", "last_frame", "last_ts")

    def __init__(self, piece: Piece, flow_no: int, gateway: str | None) -> None:
        self.first_ts = self.last_ts = piece.ts
        self.frame = self.last_frame = piece.frame
        self.flow_no = flow_no
        self.gateway = gateway
        self.ended = False

    def see(self, piece: Piece) -> None:
        if piece.ts < self.first_ts:
            self.first_ts = piece.ts
        if piece.ts >= self.last_ts:
            self.last_ts, self.last_frame = piece.ts, piece.frame


class _Asked:
    """A request whose answer gives the address."""

    __slots__ = ("flow_no", "gateway", "identities", "piece", "session", "source", "told")

    def __init__(
        self, piece: Piece, flow_no: int, source: str, identities: list[tuple[str, str]], session: str | None,
        gateway: str | None, told: GtpSession | None = None,
    ) -> None:  # fmt: skip
        self.piece, self.flow_no, self.source = piece, flow_no, source
        self.identities, self.session, self.gateway, self.told = identities, session, gateway, told


class SubscriberBook:
    """Which identities the networks in one capture gave which addresses."""

    def __init__(self, evidence: EvidenceWriter, ledger: Ledger) -> None:
        self._evidence = evidence
        self._ledger = ledger
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._asked: OrderedDict[tuple[int, str, int], _Asked] = OrderedDict()
        self._sessions: OrderedDict[tuple[str, str], list[_Key]] = OrderedDict()
        """(whose name or address, session or TEID) -> the keys it is about."""

    # ---- RADIUS ------------------------------------------------------------------------------------------

    def take_radius(self, flow_no: int, piece: Piece, data: bytes) -> None:
        """One RADIUS message."""
        try:
            message = parse_radius(data)
        except Malformed as problem:
            self._ledger.note("malformed-radius", problem.reason, piece.frame)
            return
        if message is None:
            self._ledger.note("malformed-radius", "message is cut", piece.frame)
        elif message.code == radius.ACCOUNTING_REQUEST:
            self._take_accounting(flow_no, piece, message)
        elif message.code == radius.ACCESS_REQUEST:
            asked = _Asked(
                piece, flow_no, "radius", _radius_identities(message), message.session,
                message.nas or piece.sender[0],
            )  # fmt: skip
            self._ask((flow_no, "radius", message.identifier), asked)
        elif message.code == radius.ACCESS_ACCEPT:
            waiting = self._asked.pop((flow_no, "radius", message.identifier), None)
            if waiting is not None:
                identities = waiting.identities or _radius_identities(message)
                self._note_all(
                    message.addresses, identities, "radius", waiting.session, waiting.gateway, flow_no, piece
                )

    def _take_accounting(self, flow_no: int, piece: Piece, message: RadiusMessage) -> None:
        gateway = message.nas or piece.sender[0]
        keys = self._note_all(
            message.addresses, _radius_identities(message), "radius", message.session, gateway, flow_no, piece
        )
        if message.session is None:
            return
        place = (gateway, message.session)
        if message.addresses:
            known = self._sessions.get(place, [])
            self._remember(place, known + [key for key in keys if key not in known])
        if message.status == radius.STOP:
            self._end(place, piece)
            for key in keys:
                self._known[key].ended = True

    # ---- GTP ---------------------------------------------------------------------------------------------

    def take_gtp(self, flow_no: int, piece: Piece, data: bytes) -> None:
        """One GTP-C message."""
        try:
            message = parse_gtpc(data)
        except Malformed as problem:
            self._ledger.note("malformed-gtp", problem.reason, piece.frame)
            return
        if message is None:
            return
        source = f"gtpv{message.version}"
        if message.act == gtp.CREATE:
            identities = _gtp_identities(message)
            asked = _Asked(piece, flow_no, source, identities, None, piece.sender[0], message)
            self._ask((flow_no, source, message.sequence), asked)
        elif message.act == gtp.CREATED:
            waiting = self._asked.pop((flow_no, source, message.sequence), None)
            if waiting is not None:
                self._take_created(flow_no, piece, waiting, message)
        elif message.act == gtp.DELETE:
            self._end((piece.receiver[0], f"{message.teid:08x}"), piece)
        else:
            self._touch((piece.receiver[0], f"{message.teid:08x}"), piece)

    def _take_created(self, flow_no: int, piece: Piece, waiting: _Asked, message: GtpSession) -> None:
        asked = waiting.told
        assert asked is not None
        addresses = (message.addresses or asked.addresses) if message.accepted is not False else ()
        session = _teids(asked, message)
        keys = self._note_all(
            addresses,
            waiting.identities,
            waiting.source,
            session,
            waiting.piece.sender[0],
            flow_no,
            waiting.piece,
        )
        for key in keys:
            self._known[key].see(piece)
        for told, sender in ((asked, waiting.piece.sender[0]), (message, piece.sender[0])):
            for teid, ip in told.control:
                self._remember((ip or sender, f"{teid:08x}"), keys)

    # ---- the book ----------------------------------------------------------------------------------------

    def _ask(self, key: tuple[int, str, int], asked: _Asked) -> None:
        older = self._asked.pop(key, None)
        if older is not None and older.identities != asked.identities:
            self._note_unanswered(older)
        self._asked[key] = asked
        if len(self._asked) > MAX_HELD:
            self._note_unanswered(self._asked.popitem(last=False)[1])

    def _note_unanswered(self, asked: _Asked) -> None:
        told = asked.told.addresses if asked.told is not None else ()
        self._note_all(
            told, asked.identities, asked.source, asked.session, asked.gateway, asked.flow_no, asked.piece
        )

    def _note_all(
        self, addresses: tuple[str, ...], identities: list[tuple[str, str]], source: str, session: str | None,
        gateway: str | None, flow_no: int, piece: Piece,
    ) -> list[_Key]:  # fmt: skip
        keys: list[_Key] = []
        for ip in addresses or (None,):
            for kind, identity in identities:
                key = (ip, kind, identity, source, session)
                known = self._known.get(key)
                if known is None:
                    known = self._known[key] = _Known(piece, flow_no, gateway)
                known.see(piece)
                self._known.move_to_end(key)
                keys.append(key)
        while len(self._known) > MAX_HELD:
            oldest, known = self._known.popitem(last=False)
            self._evidence.add("subscribers", _row(oldest, known))
        return [key for key in keys if key in self._known]

    def _remember(self, place: tuple[str, str], keys: list[_Key]) -> None:
        self._sessions[place] = keys
        self._sessions.move_to_end(place)
        if len(self._sessions) > MAX_HELD:
            self._sessions.popitem(last=False)

    def _touch(self, place: tuple[str, str], piece: Piece) -> list[_Known]:
        found = [
            known for key in self._sessions.get(place, ()) if (known := self._known.get(key)) is not None
        ]
        for known in found:
            known.see(piece)
        return found

    def _end(self, place: tuple[str, str], piece: Piece) -> None:
        for known in self._touch(place, piece):
            known.ended = True
        self._sessions.pop(place, None)

    def rows(self) -> Iterator[Row]:
        """Everything known at the end, sorted, in the order of `tables.SUBSCRIBERS`."""
        while self._asked:
            self._note_unanswered(self._asked.popitem(last=False)[1])
        for key in sorted(self._known, key=lambda one: tuple((part is not None, part or "") for part in one)):
            yield _row(key, self._known[key])


def _row(key: _Key, known: _Known) -> Row:
    ip, kind, identity, source, session = key
    return (
        ip, kind, identity, known.first_ts, known.last_ts, known.ended, source, session, known.gateway,
        known.flow_no, known.frame, known.last_frame,
    )  # fmt: skip


def _radius_identities(message: RadiusMessage) -> list[tuple[str, str]]:
    """A calling station counts as a telephone number only where an IMSI says that it is a mobile."""
    station = message.calling_station
    number = message.imsi is not None and station is not None and station.lstrip("+").isdigit()
    pairs = (
        ("imsi", message.imsi), ("msisdn" if number else "calling-station", station), ("imei", message.imei),
        ("user-name", message.user_name),
    )  # fmt: skip
    return [(kind, value) for kind, value in pairs if value is not None]


def _gtp_identities(message: GtpSession) -> list[tuple[str, str]]:
    pairs = (("imsi", message.imsi), ("msisdn", message.msisdn), ("imei", message.imei))
    return [(kind, value) for kind, value in pairs if value is not None]


def _teids(asked: GtpSession, answer: GtpSession) -> str:
    """The tunnel endpoints of a session; those of the user plane are what GTP-U packets carry."""
    parts = [
        f"{plane}:{teid:08x}" for told in (asked, answer)
        for plane, ends in (("c", told.control), ("u", told.data)) for teid, _ in ends
    ]  # fmt: skip
    apn = asked.apn or answer.apn
    return " ".join([*dict.fromkeys(parts), *([f"apn:{apn}"] if apn else [])])


class CallBook:
    """Writes the SIP messages of one capture."""

    def __init__(self, evidence: EvidenceWriter, ledger: Ledger) -> None:
        self._evidence = evidence
        self._ledger = ledger

    def take_sip(self, flow_no: int, piece: Piece, data: bytes) -> None:
        """One whole SIP message, or a datagram that holds one."""
        try:
            message = parse_sip(data, cut=True)
        except Malformed as problem:
            self._ledger.note("malformed-sip", problem.reason, piece.frame)
            return
        if message is None:
            self._ledger.note("malformed-sip", "message is cut", piece.frame)
            return
        self._evidence.add(
            "sip_messages",
            (flow_no, piece.frame, piece.ts, endpoint_text(*piece.sender), endpoint_text(*piece.receiver),
             message.method, message.status, message.uri, message.call_id, message.cseq, message.from_uri,
             message.from_name, message.to_uri, message.to_name, message.asserted, message.contact,
             message.software, len(message.media)),
        )  # fmt: skip
        for one in message.media:
            self._evidence.add(
                "sdp_media",
                (flow_no, piece.frame, piece.ts, message.call_id, one.kind, one.ip, one.port, one.protocol,
                 list(one.formats), one.direction, list(one.candidates) or None, one.fingerprint, one.ice_ufrag),
            )  # fmt: skip
