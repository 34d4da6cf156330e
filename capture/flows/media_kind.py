"""Voice or picture: a conservative rule over what the RTP headers, the sizes and the times of a stream say.

A static payload type says it (RFC 3551). The meaning of a dynamic one was agreed out of sight, so two
independent signs are weighed: the sizes and the rate of the packets, and the clock by which the timestamps
run (video has 90 kHz, RFC 3551 section 5; audio its sampling rate, Opus always 48 kHz, RFC 7587 section 4.1).
Where they contradict one another, or neither says anything, the answer is `unknown`.
"""

from dataclasses import dataclass
from typing import Final

from wirecover.capture.protocols.rtp import AUDIO_TYPES, VIDEO_TYPES

SMALL: Final = 400
"""Bytes of payload a voice packet has at most. Opus for speech is 6 to 40 kbit/s (RFC 7587 section 3.1.1), so 300
bytes in 60 ms; G.711 has 320 in 40 ms (RFC 3551 section 4.5.14); and up to 16 for an SRTP tag."""
LARGE: Final = 700
"""From here on a packet is a piece of something that did not fit into one: pictures are cut near the path's MTU
(RFC 6184 section 5.8, RFC 7741 section 4.4)."""
MIN_PACKETS: Final = 48
MIN_RATE: Final = 6
"""Packets a second of a voice at least, and packets looked at (8 s of it). Measured in recorded calls: Messenger
8.1 and 9.0 a second, Signal 23, Skype 32 to 44, Teams 50."""
MAX_RATE: Final = 110
"""Packets a second of a voice at most: 10 ms a packet (RFC 3551 section 4.2 recommends 20), and a tenth for jitter."""
SMALL_PERCENT: Final = 95
"""Of the packets of a voice; the rest may be redundancy or a codec's change."""
JOINT_PERCENT: Final = 5
"""Of the packets of a voice that may share a timestamp (a telephone event does, RFC 4733 section 2.2.1)."""
LARGE_PERCENT: Final = 25
"""Of the packets of a picture, from which on the sizes speak for one."""
CLOCK_SECONDS: Final = 5
CLOCK_PERCENT: Final = 3
"""Over this time a sender's clock is measured, and so far it may be away from its nominal rate."""
AUDIO_CLOCKS: Final = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)
VIDEO_CLOCK: Final = 90_000
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What is counted of a stream."""

    packets: int
    duration_ns: int
    small: int
    """Packets of at most SMALL bytes of payload."""
    large: int
    """Of at least LARGE."""
    joint: int
    """With the timestamp of the packet before."""
    ticks: int
    """How far the timestamps went ..."""
    clock_ns: int
    """... in this time."""


def kind_of(payload_type: int, shape: Shape) -> str:
    """`audio`, `video`, or `unknown` where it is not clear."""
    if payload_type in AUDIO_TYPES:
        return "audio"
    if payload_type in VIDEO_TYPES:
        return "video"
    if shape.packets < MIN_PACKETS or shape.duration_ns <= 0:
        return "unknown"
    sizes, clock = _by_sizes(shape), _by_clock(shape)
    if sizes == "audio" and clock is None and shape.packets * _SECOND < MIN_RATE * shape.duration_ns:
        return "unknown"  # silence that is not sent makes a voice sparse; then its clock has to speak too
    if sizes == clock or clock is None:
        return sizes or "unknown"
    return "video" if sizes is None and clock == "video" else "unknown"


def _by_sizes(shape: Shape) -> str | None:
    if 100 * shape.large >= LARGE_PERCENT * shape.packets:
        return "video"
    fast = shape.packets * _SECOND > MAX_RATE * shape.duration_ns
    all_small = 100 * shape.small >= SMALL_PERCENT * shape.packets and shape.large == 0
    apart = 100 * shape.joint <= JOINT_PERCENT * shape.packets
    return "audio" if all_small and apart and not fast else None


def _by_clock(shape: Shape) -> str | None:
    if shape.clock_ns < CLOCK_SECONDS * _SECOND:
        return None
    if _runs_at(VIDEO_CLOCK, shape):
        return "video"
    return "audio" if any(_runs_at(rate, shape) for rate in AUDIO_CLOCKS) else None


def _runs_at(rate: int, shape: Shape) -> bool:
    nominal = rate * shape.clock_ns
    return 100 * abs(shape.ticks * _SECOND - nominal) <= CLOCK_PERCENT * nominal
