"""Zoom's headers in front of RTP and RTCP: what kind of media a datagram carries stands in clear.

Over Zoom's servers a relay header of 8 bytes (first byte 5) comes first; between two participants it is missing. The
first byte of the media header says the kind, and with it how far the RTP header is:

    15  audio: RTP at 19        13  screen over a server (30 at byte 7): RTP at 27
    16  video: RTP at 20, or at 24 where byte 20 is 2        30  screen between participants: RTP at 20
    33, 34, 35  RTCP at 16

Source: Michel, Sengupta, Kim, Netravali, Rexford: Enabling passive measurement of Zoom performance in production
networks, ACM IMC 2022, https://doi.org/10.1145/3517745.3561414 ; their dissector,
https://github.com/Princeton-Cabernet/zoom-analysis/tree/2c160c9 wireshark/zoom.lua. Newer clients may add headers that
these do not know: such packets are not read. A header alone proves nothing: a run of RTP packets behind it does.
"""

from typing import Final, NamedTuple

RELAY: Final = 5
RELAY_BYTES: Final = 8
AUDIO, VIDEO, SCREEN, DIRECT_SCREEN = 15, 16, 13, 30
FIRST_RTCP, LAST_RTCP = 33, 35
SPLIT_VIDEO: Final = 2
"""Byte 20 of a video header that is 4 bytes longer, with the frame's number and packets."""
KINDS: Final = {AUDIO: "audio", VIDEO: "video", SCREEN: "screen", DIRECT_SCREEN: "screen"}
RTP_BYTES: Final = 12
CORRECTION: Final = 110
"""RTP payload type of forward error correction: it has the SSRC of what it protects, and numbers of its own."""


class ZoomHeader(NamedTuple):
    """The headers before an RTP or RTCP packet."""

    kind: int
    """As in KINDS, or 33 to 35 for RTCP."""
    direct: bool
    """Without the relay's header."""
    size: int
    """Bytes of all headers: where RTP or RTCP begins."""


def zoom_header(data: bytes) -> ZoomHeader | None:
    """The headers at the start of a datagram; None when it has none, or is too short to hold RTP behind them."""
    direct = data[:1] != bytes([RELAY])
    at = 0 if direct else RELAY_BYTES
    if len(data) <= at:
        return None
    kind = data[at]
    if kind == AUDIO:
        size = 19
    elif kind == VIDEO:
        size = 24 if data[at + 20 : at + 21] == bytes([SPLIT_VIDEO]) else 20
    elif kind == SCREEN and not direct and data[at + 7 : at + 8] == bytes([DIRECT_SCREEN]):
        size = 27
    elif kind == DIRECT_SCREEN and direct:
        size = 20
    elif FIRST_RTCP <= kind <= LAST_RTCP:
        size = 16
    else:
        return None
    return ZoomHeader(kind, direct, at + size) if len(data) >= at + size + RTP_BYTES else None
