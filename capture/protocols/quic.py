"""One UDP flow's QUIC handshake: from its datagrams to the ClientHello and ServerHello bodies.

Theory of operation. Initial keys derive from the Destination Connection ID (DCID) of the client's first
Initial. The client later addresses the server by another id, but the keys stay those of the first; only
after a Retry do they derive anew, from the id the Retry gave. So each DCID of a client's Initial is an
*attempt* with its own keys and CRYPTO streams; a packet is tried with the attempts known, newest success
first, then with its own DCID. The AEAD tag decides: no handshake byte is taken that did not authenticate. A
server's Initial seen before the client's waits, a few of them; one whose client Initial is missing stays
unread. The keys of another version derive from the same DCID (RFC 9368, compatible negotiation), so an
attempt keeps keys by version. Version negotiation proper (RFC 9000 section 6) makes the client start over:
then everything is forgotten but the counts.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.gquic import (
    CHLO,
    GoogleHello,
    google_message_length,
    handshake_frames,
    parse_google_hello,
    parse_google_packet,
)
from wirecover.capture.protocols.quic_attempt import Attempt, CryptoStream
from wirecover.capture.protocols.quic_frames import crypto_frames, google_crypto_frames
from wirecover.capture.protocols.quic_header import (
    LongHeader,
    PacketType,
    looks_like_quic,
    parse_long_header,
)
from wirecover.capture.protocols.quic_keys import OpenedPacket, Side, retry_tag_holds
from wirecover.capture.protocols.quic_transport import TransportParameters, parse_transport_parameters
from wirecover.capture.registries.quic_versions import find_version, is_reserved, version_name

__all__ = [
    "GoogleHello",
    "InitialReader",
    "LongHeader",
    "PacketType",
    "QuicHello",
    "QuicProblem",
    "TransportParameters",
    "looks_like_quic",
    "parse_google_hello",
    "parse_long_header",
    "parse_transport_parameters",
    "version_name",
]

MAX_DATAGRAMS: Final = 64
"""Datagrams examined per direction."""
MAX_COALESCED: Final = 16
"""Packets read of one datagram; an honest one holds an Initial, a 0-RTT or Handshake packet, and a short
one.
"""
MAX_ATTEMPTS: Final = 6
"""Client DCIDs kept: the first, one after a Retry, and a few that never opened (damaged packets)."""
MAX_WAITING: Final = 4
"""Server Initials kept until a client Initial names their keys."""
MAX_PROBLEMS: Final = 16

_CLIENT_HELLO: Final = 1
_SERVER_HELLO: Final = 2
_HELLO_RETRY_RANDOM: Final = hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 8446 section 4.1.3


@dataclass(frozen=True, slots=True)
class QuicHello:
    """One hello, delivered once."""

    kind: Side
    body: bytes
    """TLS: the handshake body without its 4-byte header. Google: the whole CHLO message."""
    version: int
    """The version of the packet that completed it."""
    google: bool
    """True for Google's CHLO (parse_google_hello), False for TLS (parse_client_hello, parse_server_hello)."""
    retry_request: bool
    """True for a HelloRetryRequest: another ClientHello and the real ServerHello follow."""
    replaces: bool
    """True for a ClientHello after version negotiation: the connection is this one, not the one before."""
    first_datagram: int
    """Number (1-based, as fed) of the datagram that brought the first of its bytes to arrive."""
    datagram: int
    """Number of the datagram that completed it."""


@dataclass(frozen=True, slots=True)
class QuicProblem:
    """What could not be read: in which datagram (1-based, as fed), from which byte, and why."""

    datagram: int
    offset: int
    reason: str


class InitialReader:
    """Reads the Initial packets of one UDP flow. `feed` raises nothing on bytes: see `problems`."""

    def __init__(self) -> None:
        self.done = False
        """Both hellos were delivered, or the limits are reached: feeding more does nothing."""
        self.problems: list[QuicProblem] = []
        self.sender: Side | None = None
        """Which side sent the datagram fed last, where an authenticated packet (or its type) shows it."""
        self.contradicted = False
        """True if a packet authenticated as the other side's than `from_client` said."""
        self.client_version: int | None = None
        self.server_version: int | None = None
        self.original_dcid: bytes | None = None
        """DCID of the client's first Initial: the one its keys derive from, before any Retry."""
        self.client_scid: bytes | None = None
        self.server_scid: bytes | None = None
        self.token_bytes = 0
        """Length of the longest token in a client's Initial: 0 if there was none."""
        self.early_data = False
        """A 0-RTT packet was seen: the client resumes an earlier connection."""
        self.offered_versions: tuple[int, ...] = ()
        """What a version negotiation packet listed."""
        self.retry_scid: bytes | None = None
        self.retry_holds: bool | None = None
        """Whether the Retry's integrity tag fits a client DCID that was seen; `None`: that cannot be told."""
        self._fed = 0
        self._number = 0  # of the datagram in hand: `_fed`, or that of one that waited
        self._examined: dict[bool | None, int] = {True: 0, False: 0, None: 0}
        self._attempts: list[Attempt] = []
        self._waiting: list[tuple[int, bytes, LongHeader]] = []
        self._google_stream = CryptoStream()
        self._delivered: set[tuple[Side, int]] = set()
        self._final_server = False
        self._restarted = False

    @property
    def version(self) -> int | None:
        """The version in use: the server's choice where it was seen, else the client's."""
        return self.client_version if self.server_version is None else self.server_version

    def feed(self, datagram: bytes, from_client: bool | None = None) -> list[QuicHello]:
        """Take the flow's next UDP payload; the hellos it completed, in the order they were completed.

        `from_client` is what the caller believes of the sender; it decides only what is tried first.
        """
        if self.done:
            return []
        self._fed += 1
        self._number = self._fed
        self._examined[from_client] += 1
        self.sender = None
        hellos: list[QuicHello] = []
        if self._examined[from_client] <= MAX_DATAGRAMS * (2 if from_client is None else 1):
            hellos.extend(self._take_datagram(datagram, from_client))
        self.done = self.done or self._fed >= 2 * MAX_DATAGRAMS
        return hellos

    def _take_datagram(self, datagram: bytes, from_client: bool | None) -> Iterator[QuicHello]:
        google = parse_google_packet(datagram)
        if google is not None:
            if from_client is not False:
                self.client_version = google.version
                self.original_dcid = self.original_dcid or google.connection_id
                yield from self._take_google(google.version, handshake_frames(datagram, google))
            return
        offset = 0
        for _ in range(MAX_COALESCED):
            if offset >= len(datagram) or not datagram[offset] & 0x80:
                return
            try:
                header = parse_long_header(datagram, offset)
            except Malformed as error:
                self._note(error.offset, error.reason)
                return
            if header is None:
                self._note(offset, "the datagram ends inside a long header")
                return
            yield from self._take_packet(datagram, header, from_client)
            offset = header.end

    def _take_packet(
        self, datagram: bytes, header: LongHeader, from_client: bool | None
    ) -> Iterator[QuicHello]:
        match header.type:
            case PacketType.INITIAL:
                yield from self._take_initial(datagram, header, from_client)
            case PacketType.RETRY:
                yield from self._take_retry(datagram, header)
            case PacketType.VERSION_NEGOTIATION:
                self._take_negotiation(header)
            case PacketType.ZERO_RTT:
                self.sender = "client"
                self.early_data = True
            case PacketType.HANDSHAKE | PacketType.UNKNOWN:
                return  # keys nobody else has; or a version that shows nothing more

    # ---- Initial packets ----

    def _take_initial(
        self, datagram: bytes, header: LongHeader, from_client: bool | None
    ) -> Iterator[QuicHello]:
        before = self.client_version
        if before is not None and is_reserved(before) and not is_reserved(header.version):
            self._start_over()  # the version negotiation packet itself was not captured
        sides: tuple[Side, Side] = ("server", "client") if from_client is False else ("client", "server")
        for side in sides:
            found = self._open(datagram, header, side)
            if found is None:
                continue
            if from_client is not None and (side == "client") != from_client:
                self.contradicted = True
            yield from self._take_opened(header, side, *found)
            if side == "client":
                yield from self._take_waiting()
            return
        yield from self._keep_unopened(datagram, header, from_client)

    def _open(self, datagram: bytes, header: LongHeader, side: Side) -> tuple[Attempt, OpenedPacket] | None:
        """Try the attempts known, the ones that worked first; for a client's packet then its own DCID."""
        if header.end > len(datagram):
            return None
        for attempt in self._attempts:
            opened = _open_with(attempt, datagram, header, side)
            if opened is not None:
                return attempt, opened
        if side == "server" or self._knows(header.dcid):
            return None
        fresh = Attempt(header.dcid)
        opened = _open_with(fresh, datagram, header, side)
        if opened is None:
            return None
        self._remember(fresh)
        return fresh, opened

    def _knows(self, dcid: bytes) -> bool:
        return any(attempt.dcid == dcid for attempt in self._attempts)

    def _remember(self, attempt: Attempt) -> None:
        """Put an attempt in front; with too many, forget one that opened nothing, else the oldest."""
        if len(self._attempts) >= MAX_ATTEMPTS:
            useless = next((old for old in reversed(self._attempts) if not old.opened), self._attempts[-1])
            self._attempts.remove(useless)
        self._attempts.insert(0, attempt)

    def _take_opened(
        self, header: LongHeader, side: Side, attempt: Attempt, opened: OpenedPacket
    ) -> Iterator[QuicHello]:
        attempt.opened = True
        if self._attempts[0] is not attempt:
            self._attempts.sort(key=lambda known: known is not attempt)
        self.sender = side
        self.original_dcid = self.original_dcid or attempt.dcid
        if side == "client":
            self.client_version = header.version
            self.client_scid = header.scid if self.client_scid is None else self.client_scid
            self.token_bytes = max(self.token_bytes, len(header.token))
        else:
            self.server_version = header.version
            self.server_scid = header.scid if self.server_scid is None else self.server_scid
        known = find_version(header.version)
        split = google_crypto_frames if known and known.google_frames else crypto_frames
        if known is None or not known.google_crypto:
            yield from self._take_crypto(header, side, attempt, split(opened.payload))
        elif side == "client":
            yield from self._take_google(header.version, split(opened.payload))

    def _keep_unopened(
        self, datagram: bytes, header: LongHeader, from_client: bool | None
    ) -> Iterator[QuicHello]:
        """An Initial no key fits: cut, damaged, or a server's whose client was not seen yet."""
        cut = header.end > len(datagram)
        if cut:
            self._note(header.start, "an Initial packet is cut short: it cannot be authenticated")
        elif len(self._waiting) < MAX_WAITING and from_client is not True:
            self._waiting.append((self._number, datagram, header))
        else:
            self._note(header.start, "an Initial packet does not authenticate")
        # The id of a client's Initial names the server's keys even where the packet itself cannot be opened.
        if from_client is False or not (cut or from_client) or len(self._attempts) >= MAX_ATTEMPTS:
            return
        if not self._knows(header.dcid):
            self._attempts.append(Attempt(header.dcid))
            yield from self._take_waiting()

    def _take_waiting(self) -> Iterator[QuicHello]:
        """Try the server Initials that came before their client's; those that do not open wait on."""
        waiting, self._waiting = self._waiting, []
        sender, number = self.sender, self._number
        for self._number, datagram, header in waiting:
            found = self._open(datagram, header, "server")
            if found is None:
                self._waiting.append((self._number, datagram, header))
            else:
                yield from self._take_opened(header, "server", *found)
        self.sender, self._number = sender, number

    # ---- packets that make the client begin again ----

    def _take_retry(self, datagram: bytes, header: LongHeader) -> Iterator[QuicHello]:
        """RFC 9000 section 17.2.5: the client goes on to the id the server chose; keys derive from that
        one.
        """
        self.sender = "server"
        self.retry_scid = header.scid
        known = find_version(header.version)
        protection = known.protections[0] if known and known.protections else None
        if protection is not None and self._attempts:
            results = [retry_tag_holds(protection, datagram, header, old.dcid) for old in self._attempts]
            self.retry_holds = None if results[0] is None else True in results
        if not self._knows(header.scid):
            self._remember(Attempt(header.scid))
            yield from self._take_waiting()

    def _take_negotiation(self, header: LongHeader) -> None:
        """RFC 9000 section 6.2: what makes a client take up another version, and only that, starts over."""
        self.sender = "server"
        self.offered_versions = header.versions
        answers = header.scid == self.original_dcid and header.dcid == self.client_scid
        if answers and self.server_version is None and self.client_version not in header.versions:
            self._start_over()

    def _start_over(self) -> None:
        self._attempts.clear()
        self._waiting.clear()
        self._restarted = self._restarted or ("client", 0) in self._delivered
        self._delivered.clear()
        self.client_version = self.original_dcid = self.client_scid = None

    # ---- handshake data ----

    def _take_crypto(
        self, header: LongHeader, side: Side, attempt: Attempt, frames: Iterator[tuple[int, bytes]]
    ) -> Iterator[QuicHello]:
        stream = attempt.client if side == "client" else attempt.server
        self._collect(stream, frames, header.start)
        try:
            messages = stream.take_messages(_CLIENT_HELLO if side == "client" else _SERVER_HELLO)
            for index, body, first in messages:
                if (side, index) not in self._delivered:  # else the same hello again, after a Retry
                    yield self._deliver(side, index, body, header.version, first)
        except Malformed as error:
            self._note(header.start, error.reason)

    def _collect(self, stream: CryptoStream, frames: Iterator[tuple[int, bytes]], start: int) -> None:
        """Put a packet's frames into the stream; what came before a frame that cannot be read stays."""
        try:
            for offset, data in frames:
                if stream.broken:
                    return
                try:
                    stream.add(offset, data, self._number)
                except Malformed as error:
                    self._note(start, error.reason)
        except Malformed as error:
            self._note(start, error.reason)

    def _deliver(self, side: Side, index: int, body: bytes, version: int, first: int) -> QuicHello:
        retry_request = side == "server" and body[2:34] == _HELLO_RETRY_RANDOM
        replaces = side == "client" and index == 0 and self._restarted
        self._delivered.add((side, index))
        self._final_server = self._final_server or (side == "server" and not retry_request)
        self.done = ("client", 0) in self._delivered and self._final_server
        return QuicHello(
            side, body, version, google=False, retry_request=retry_request, replaces=replaces,
            first_datagram=first, datagram=self._number,
        )  # fmt: skip

    def _take_google(self, version: int, frames: Iterator[tuple[int, bytes]]) -> Iterator[QuicHello]:
        """The CHLO. The server's answer shows nothing more, so the client's alone completes the flow."""
        stream = self._google_stream
        self.sender = "client"
        self._collect(stream, frames, 0)
        try:
            length = google_message_length(stream.head)
        except Malformed as error:
            self._note(0, error.reason)
            return
        if length is None or len(stream.head) < length or stream.head[:4] != CHLO:
            return
        self.done = True
        yield QuicHello(
            "client", bytes(stream.head[:length]), version, google=True, retry_request=False, replaces=False,
            first_datagram=stream.first_datagram, datagram=self._number,
        )  # fmt: skip

    def _note(self, offset: int, reason: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(QuicProblem(self._number, offset, reason))


def _open_with(attempt: Attempt, datagram: bytes, header: LongHeader, side: Side) -> OpenedPacket | None:
    for pair in attempt.keys_for(header.version):
        opened = pair.side(side).open(datagram, header.start, header.payload, header.end)
        if opened is not None:
            return opened
    return None
