"""Media of a group: who sent and received it, from when to when, and what it was."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wirecover.analysis.call_evidence import Group, Stream
from wirecover.analysis.spans import intersection, length, merged

PAUSE: Final = 5_000_000_000
"""Media of one direction that pauses no longer is one stretch: a voice that is silent may send little."""


@dataclass(frozen=True, slots=True)
class BothWays:
    """Media that one device sent and received."""

    device: str
    first: Stream
    """The stream whose first packet completes the exchange."""
    answer_ns: int
    end_ns: int
    both_ns: int
    """How long media went both ways."""
    out: int
    into: int
    """Packets."""
    bytes_out: int
    bytes_in: int
    opaque: bool
    """No RTP header was seen."""


def both_ways(group: Group) -> BothWays | None:
    """The media of the first device seen whose media both ways is about the longest; None when none has both."""
    sent: dict[str, list[Stream]] = defaultdict(list)
    received: dict[str, list[Stream]] = defaultdict(list)
    for stream in group.streams:
        if stream.counted:
            sent[stream.sender].append(stream)
            received[stream.receiver].append(stream)
    devices = [device for device in group.devices if device in sent and device in received]
    found = [one for device in devices if (one := _of(device, sent[device], received[device]))]
    longest = max((one.both_ns for one in found), default=0)
    return next((one for one in found if 10 * one.both_ns >= 9 * longest), None)


def _of(device: str, sent: list[Stream], received: list[Stream]) -> BothWays | None:
    out, into = (merged(((one.start_ns, one.end_ns + 1) for one in some), PAUSE) for some in (sent, received))
    common = intersection(out, into)
    if not common:
        return None
    answer = common[0][0]
    later = sent if out[0][0] >= into[0][0] else received
    return BothWays(
        device=device,
        first=min(later, key=lambda one: (abs(one.start_ns - answer), one.frame)),
        answer_ns=answer,
        end_ns=max(one.end_ns for one in (*sent, *received)),
        both_ns=length(common),
        out=sum(one.packets for one in sent),
        into=sum(one.packets for one in received),
        bytes_out=sum(one.bytes for one in sent),
        bytes_in=sum(one.bytes for one in received),
        opaque=all(one.opaque for one in (*sent, *received)),
    )


def medium(streams: Iterable[Stream]) -> str:
    """`video` when a stream of the call is one, else `audio` when one is, else `unknown`."""
    kinds = {one.kind for one in streams if not one.opaque}
    return next((kind for kind in ("screen", "video", "audio") if kind in kinds), "unknown")


def relayed(streams: Iterable[Stream]) -> bool | None:
    """Whether most media packets went through a relay or conference server; None where that does not show."""
    through: dict[bool | None, int] = defaultdict(int)
    for one in streams:
        if one.counted:
            through[one.relayed] += one.packets
    return max(through, key=lambda way: (through[way], way is None, way is True), default=None)
