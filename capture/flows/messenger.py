"""Messenger streams that frame themselves -> rows of `messenger_frames` and `messenger_facts`.

A stream is followed when its first payload opens one of the protocols of `messenger_frames`; what it gives is held
back until enough of it agreed with the protocol. A gap ends it: behind missing bytes nobody knows where a frame begins.
"""

from typing import Any, Final

from wirecover.capture.evidence import EvidenceWriter
from wirecover.capture.flows.piece import Piece
from wirecover.capture.protocols.messenger_datagrams import datagram_facts
from wirecover.capture.protocols.messenger_frames import FramedTalk, open_talk
from wirecover.capture.protocols.mtproto import parse_obfuscated_header

STREAM_BYTES: Final = 1 << 24
"""A framed stream is read this far in each direction."""
MAX_HELD: Final = 256
"""Frames that wait for their stream to be recognised; with more of them it is none."""

_Row = tuple[Any, ...]


class MessengerStream:
    """One TCP stream, from its opening on."""

    __slots__ = ("_flow_no", "_held", "_opener", "_talk", "framing")

    def __init__(self, talk: FramedTalk, flow_no: int, opener: int) -> None:
        self._talk = talk
        self._flow_no = flow_no
        self._opener = opener
        """The half that opened the protocol: what it sends goes up."""
        self._held: list[tuple[str, _Row]] | None = []
        """Rows that wait; None once the protocol is sure."""
        self.framing: str | None = None
        """The protocol, once it is sure."""

    def feed(self, piece: Piece, data: bytes, evidence: EvidenceWriter) -> bool:
        """Read the next bytes of a direction. False: nothing more will come of this stream."""
        talk, up, frame, ts = self._talk, piece.half == self._opener, piece.frame, piece.ts
        rows: list[tuple[str, _Row]] = [
            ("messenger_frames", (self._flow_no, frame, ts, up, talk.protocol, one.kind, one.length))
            for one in talk.feed(up, data)
        ]
        rows += [
            ("messenger_facts", (self._flow_no, frame, ts, up, talk.protocol, attribute, value))
            for attribute, value in talk.facts
        ]
        talk.facts.clear()
        self._take(rows, evidence)
        return not talk.broken and (self._held is None or len(self._held) <= MAX_HELD)

    def _take(self, rows: list[tuple[str, _Row]], evidence: EvidenceWriter) -> None:
        if self._held is not None:
            self._held += rows
            if not self._talk.sure:
                return
            rows, self._held = self._held, None
            self.framing = self._talk.protocol
        for table, row in rows:
            evidence.add(table, row)


def open_stream(flow_no: int, piece: Piece, data: bytes, evidence: EvidenceWriter) -> MessengerStream | None:
    """The stream that a first payload opens, that payload read; None for most.

    Of an obfuscated Telegram connection only the header is read, and no stream follows.
    """
    talk = open_talk(data, piece.length)
    if talk is not None:
        stream = MessengerStream(talk, flow_no, piece.half)
        return stream if stream.feed(piece, data, evidence) else None
    header = parse_obfuscated_header(data)
    if header is not None:
        facts = [("transport", f"obfuscated {header.transport}")]
        if header.data_centre is not None:
            facts.append(("data_centre", str(header.data_centre)))
        if header.has_key is not None:
            facts.append(("auth_key_id", "present" if header.has_key else "none: key exchange"))
        for attribute, value in facts:
            evidence.add(
                "messenger_facts", (flow_no, piece.frame, piece.ts, True, "mtproto", attribute, value)
            )
    return None


def note_datagram(flow_no: int, piece: Piece, data: bytes, evidence: EvidenceWriter) -> None:
    """Write what a datagram of a call says in clear."""
    for protocol, attribute, value in datagram_facts(data, piece.length):
        evidence.add("messenger_facts", (flow_no, piece.frame, piece.ts, None, protocol, attribute, value))
