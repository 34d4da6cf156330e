"""SIP (RFC 3261): who calls whom, when, and where the media goes.

Kept are the start line's method or status, the parties (URIs and the names shown), the call's id, and of bodies
only a session description (`sdp.py`). Passwords in URIs, authorization, subjects, and every other body (MESSAGE
carries what people write) do not leave the parser.
"""

import re
from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.host_text import host_text
from wirecover.capture.protocols.sdp import SdpMedia, parse_sdp

MAX_HEAD: Final = 16384
MAX_LINES: Final = 300
MAX_BODY: Final = 1 << 16
_METHODS: Final = (
    rb"INVITE|REGISTER|OPTIONS|ACK|BYE|CANCEL|SUBSCRIBE|NOTIFY|MESSAGE|INFO|PUBLISH|UPDATE|REFER|PRACK"
)
_REQUEST: Final = re.compile(rb"(" + _METHODS + rb") ((?:sips?|tel|urn|im|pres):[^\s]{1,400}) SIP/2\.0\Z")
_RESPONSE: Final = re.compile(rb"SIP/2\.0 ([1-6]\d\d)(?: .*)?\Z", re.DOTALL)
_START: Final = re.compile(rb"(?:" + _METHODS + rb") (?:sips?|tel|urn|im|pres):|SIP/2\.0 [1-6]\d\d ")
# https://www.iana.org/assignments/sip-parameters, compact forms
_COMPACT: Final = {b"f": b"from", b"t": b"to", b"i": b"call-id", b"m": b"contact", b"c": b"content-type",
                   b"l": b"content-length"}  # fmt: skip
_WANTED: Final = frozenset({
    b"from", b"to", b"call-id", b"contact", b"cseq", b"user-agent", b"server", b"p-asserted-identity",
    b"p-preferred-identity", b"content-type", b"content-length",
})  # fmt: skip
_QUOTED: Final = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_BARE: Final = re.compile(rb"(?:sips?|tel|urn|im|pres):[^\s;,<>]+", re.IGNORECASE)
_MAX_FIELD: Final = 2048
"""Bytes of one address field that are looked at."""
_PASSWORD: Final = re.compile(rb"\A(sips?:[^:@]*):[^@]*@", re.IGNORECASE)
_CALLS: Final = frozenset({b"INVITE", b"ACK", b"PRACK", b"UPDATE"})
"""Methods whose bodies, and whose answers' bodies, may be session descriptions (RFC 3264, RFC 3311)."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One request or response."""

    method: str | None
    """Of a request its own, of a response that of the request it answers (CSeq)."""
    status: int | None
    """None: a request."""
    uri: str | None
    """Whom a request goes to."""
    call_id: str | None
    cseq: int | None
    from_uri: str | None
    from_name: str | None
    """The name shown, which the caller chooses."""
    to_uri: str | None
    to_name: str | None
    asserted: str | None
    """P-Asserted-Identity (RFC 3325): whom the network says the caller is."""
    contact: str | None
    software: str | None
    """User-Agent or Server."""
    media: tuple[SdpMedia, ...]


def looks_like_sip(data: bytes) -> bool:
    """Whether a SIP message begins here."""
    return _START.match(data) is not None


def parse_sip(data: bytes, *, cut: bool = False) -> SipMessage | None:
    """The message at the start of `data`; None where its head is not whole. Raises Malformed.

    `cut`: no more bytes will come (a datagram): the lines that are whole are read.
    """
    end = _head_end(data)
    if end is None:
        if len(data) >= MAX_HEAD:
            raise Malformed(MAX_HEAD, "head is too long")
        if not cut or b"\n" not in data:
            return None
        end = (data.rfind(b"\n") + 1, len(data))
    lines = _unfolded(data[: end[0]])
    start = lines[0]
    request, response = _REQUEST.match(start), _RESPONSE.match(start)
    if request is None and response is None:
        raise Malformed(0, "start line is not one of SIP")
    fields = _fields(lines[1:])
    number, _, method = fields.get(b"cseq", b"").partition(b" ")
    method = request[1] if request else method.strip()
    body = data[end[1] : end[1] + MAX_BODY] if method in _CALLS else b""
    from_name, from_uri = _party(fields.get(b"from"))
    to_name, to_uri = _party(fields.get(b"to"))
    return SipMessage(
        host_text(method), int(response[1]) if response else None, _uri(request[2]) if request else None,
        host_text(fields.get(b"call-id", b"")), int(number) if number.isdigit() and len(number) < 11 else None,
        from_uri, from_name, to_uri, to_name,
        _party(fields.get(b"p-asserted-identity"))[1] or _party(fields.get(b"p-preferred-identity"))[1],
        _party(fields.get(b"contact"))[1],
        host_text(fields.get(b"user-agent") or fields.get(b"server") or b""),
        _media(fields.get(b"content-type", b""), body),
    )  # fmt: skip


class SipStream:
    """One direction of SIP over TCP: messages by their Content-Length (RFC 3261 section 18.3)."""

    __slots__ = ("_buffer", "problem")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.problem: Malformed | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that end in `data`. Empty lines between messages keep the connection (RFC 5626)."""
        if self.problem is not None:
            return []
        self._buffer += data
        found: list[bytes] = []
        while True:
            while self._buffer and self._buffer[0] in b"\r\n":
                del self._buffer[0]
            end = _head_end(self._buffer)
            if end is None:
                if len(self._buffer) >= MAX_HEAD:
                    self._break("head is too long")
                return found
            if not looks_like_sip(bytes(self._buffer[:64])):
                self._break("stream is not at the start of a message")
                return found
            length = _fields(_unfolded(bytes(self._buffer[: end[0]]))[1:]).get(b"content-length", b"0")
            if not length.isdigit() or len(length) > 6:
                self._break("no length of the body")
                return found
            whole = end[1] + int(length)
            if len(self._buffer) < whole:
                if whole > MAX_HEAD + MAX_BODY:
                    self._break("body is too long")
                return found
            found.append(bytes(self._buffer[:whole]))
            del self._buffer[:whole]

    def _break(self, reason: str) -> None:
        self.problem = Malformed(0, reason)
        self._buffer.clear()


def _head_end(data: bytes | bytearray) -> tuple[int, int] | None:
    """Where the last line of the head ends, and where the body begins."""
    found = [
        (at, at + size)
        for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2))
        if (at := data.find(mark, 0, MAX_HEAD)) >= 0
    ]
    return min(found) if found else None


def _unfolded(head: bytes) -> list[bytes]:
    """The lines, continued ones put together (RFC 3261 section 7.3.1)."""
    lines: list[bytes] = []
    for line in head.replace(b"\r\n", b"\n").split(b"\n")[:MAX_LINES]:
        if line[:1] in (b" ", b"\t") and len(lines) > 1:
            lines[-1] += b" " + line.strip()
        else:
            lines.append(line)
    return lines


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    """The first of each field that is wanted."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        lower = name.strip().lower()
        lower = _COMPACT.get(lower, lower)
        if colon and lower in _WANTED:
            fields.setdefault(lower, value.strip())
    return fields


def _party(value: bytes | None) -> tuple[str | None, str | None]:
    """Name shown and URI of the first address of a field."""
    text = (value or b"")[:_MAX_FIELD].strip()
    quoted = _QUOTED.match(text)
    start = text.find(b"<", quoted.end() if quoted else 0)
    end = text.find(b">", start)
    if start < 0 or end < 0:
        bare = _BARE.match(text)
        return None, _uri(bare[0]) if bare else None
    name = re.sub(rb"\\(.)", rb"\1", quoted[1]) if quoted else text[:start]
    return host_text(name), _uri(text[start + 1 : end])


def _uri(raw: bytes) -> str | None:
    """A URI without password, parameters and headers."""
    return host_text(re.split(rb"[;?]", _PASSWORD.sub(rb"\1@", raw.strip()), maxsplit=1)[0])


def _media(content_type: bytes, body: bytes) -> tuple[SdpMedia, ...]:
    kind, _, rest = content_type.partition(b";")
    kind = kind.strip().lower()
    if kind == b"application/sdp":
        return parse_sdp(body)
    if kind != b"multipart/mixed":
        return ()
    boundary = re.search(rb"boundary=\"?([^\";]{1,70})\"?", rest, re.IGNORECASE)
    if boundary is None:
        return ()
    for part in body.split(b"--" + boundary[1])[1:17]:
        end = _head_end(part.lstrip(b"\r\n"))
        if end is None:
            continue
        inner = part.lstrip(b"\r\n")
        if re.search(rb"^content-type:\s*application/sdp", inner[: end[0]], re.IGNORECASE | re.MULTILINE):
            return parse_sdp(inner[end[1] :])
    return ()
