"""Session descriptions (RFC 8866) as far as they say where media goes: addresses, ports, formats, candidates.

Keys (`a=crypto`, `k=`), session names, subjects and free text do not leave the parser.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols.host_text import host_text

MAX_LINES: Final = 400
MAX_MEDIA: Final = 16
MAX_CANDIDATES: Final = 64
_DIRECTIONS: Final = frozenset({b"sendrecv", b"sendonly", b"recvonly", b"inactive"})


@dataclass(frozen=True, slots=True)
class SdpMedia:
    """One media description."""

    kind: str
    """audio, video, application, message, ..."""
    ip: str | None
    port: int
    """0: the medium is refused or over (RFC 3264 section 6)."""
    protocol: str
    """RTP/AVP, RTP/SAVPF, UDP/TLS/RTP/SAVPF, ..."""
    formats: tuple[str, ...]
    direction: str | None
    candidates: tuple[str, ...]
    """ICE candidates as `address:port type transport` (RFC 8839 section 5.1), in order."""
    fingerprint: str | None
    """Hash of the certificate that DTLS will show, as written (RFC 8122)."""
    ice_ufrag: str | None
    """The fragment that STUN user names are made of (RFC 8839 section 5.4): ties STUN messages to this call."""


class _Part:
    """The lines of one media description, or those before the first."""

    def __init__(self) -> None:
        self.ip: str | None = None
        self.direction: str | None = None
        self.candidates: list[str] = []
        self.fingerprint: str | None = None
        self.ufrag: str | None = None
        self.head: tuple[bytes, ...] = ()

    def take(self, kind: bytes, value: bytes) -> None:
        if kind == b"c":
            words = value.split()
            if len(words) == 3 and words[0] == b"IN":
                self.ip = self.ip or host_text(words[2].split(b"/")[0])
        elif kind == b"a":
            name, _, rest = value.partition(b":")
            if name in _DIRECTIONS:
                self.direction = name.decode("ascii")
            elif name == b"candidate" and len(self.candidates) < MAX_CANDIDATES:
                self._take_candidate(rest.split())
            elif name == b"fingerprint":
                self.fingerprint = self.fingerprint or host_text(rest)
            elif name == b"ice-ufrag":
                self.ufrag = self.ufrag or host_text(rest)

    def _take_candidate(self, words: list[bytes]) -> None:
        if len(words) >= 8 and words[6].lower() == b"typ" and words[5].isdigit():
            ip = host_text(words[4]) or ""
            place = f"[{ip}]" if ":" in ip else ip
            self.candidates.append(
                f"{place}:{words[5].decode('ascii')} {host_text(words[7])} {host_text(words[2].lower())}"
            )


def parse_sdp(body: bytes) -> tuple[SdpMedia, ...]:
    """The media of a session description; what is no line of one is passed over."""
    session = _Part()
    parts: list[_Part] = []
    for line in body.splitlines()[:MAX_LINES]:
        kind, equals, value = line.partition(b"=")
        if not equals or len(kind) != 1:
            continue
        if kind == b"m":
            if len(parts) >= MAX_MEDIA:
                break
            parts.append(_Part())
            parts[-1].head = tuple(value.split())
        else:
            (parts[-1] if parts else session).take(kind, value)
    return tuple([media for part in parts if (media := _media(part, session)) is not None])


def _media(part: _Part, session: _Part) -> SdpMedia | None:
    if len(part.head) < 4:
        return None
    kind, port, protocol = part.head[0], part.head[1].split(b"/")[0], part.head[2]
    if not port.isdigit() or len(port) > 5 or int(port) > 0xFFFF:
        return None
    return SdpMedia(
        host_text(kind) or "", part.ip or session.ip, int(port), host_text(protocol) or "",
        tuple([host_text(one) or "" for one in part.head[3:35]]), part.direction or session.direction,
        tuple(part.candidates), part.fingerprint or session.fingerprint, part.ufrag or session.ufrag,
    )  # fmt: skip
