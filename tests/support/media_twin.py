"""The media tracker in plain Python: dictionaries, lists, and the parser of `protocols/rtp.py`.

It keeps every packet of a stream and works out the row at the end, where the kernels keep running numbers.
"""

from dataclasses import dataclass, field

from wirecover.capture.flows.media import MediaStream
from wirecover.capture.flows.media_kind import LARGE, SMALL, Shape, kind_of
from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.rtp import looks_like_rtcp, looks_like_rtp
from wirecover.capture.protocols.stun import looks_like_channel_data, parse_channel_data, parse_stun
from wirecover.capture.protocols.zoom import zoom_header

COOKIE = b"\x21\x12\xa4\x42"
ZOOM = 1 << 16


@dataclass(frozen=True)
class Datagram:
    """A UDP packet: `data` was captured of `length` bytes."""

    flow: int
    half: int
    data: bytes
    ts: int
    frame: int
    source: int = 40000
    target: int = 50000
    length: int = -1

    @property
    def wire(self) -> int:
        return len(self.data) if self.length < 0 else self.length


@dataclass(frozen=True)
class Seen:
    ts: int
    frame: int
    sequence: int
    timestamp: int
    kind: int
    size: int
    profile: int | None


@dataclass
class Stream:
    packets: list[Seen] = field(default_factory=list)
    newest: list[Seen] = field(default_factory=list)
    """Those that advanced the sequence number since the sender's last new beginning, in order."""
    advanced: list[tuple[Seen, Seen]] = field(default_factory=list)
    """Each step ahead, ever."""
    late: list[int] = field(default_factory=list)
    """How many numbers were lost after each packet that advanced the sequence or came late."""
    awaited: int | None = None
    claimed: bool = False

    def begin(self, seen: Seen) -> None:
        self.packets, self.newest, self.advanced, self.late = [seen], [seen], [], [0]
        self.awaited = None

    def take(self, seen: Seen) -> None:
        last = self.newest[-1]
        step = (seen.sequence - last.sequence) % 65536
        if not self.claimed:
            if step == 0 and seen.timestamp == last.timestamp:
                return
            if not (1 <= step <= 16 and seen.kind == last.kind and plausible(last, seen)):
                self.begin(seen)
                return
            self.advance(seen, step)
            self.claimed = len(self.newest) == 3
        elif 0 < step < 3000:
            self.advance(seen, step)
            self.awaited = None
        elif 3000 <= step <= 65536 - 100:
            if seen.sequence == self.awaited:
                self.awaited, self.newest = None, [seen]
            else:
                self.awaited = (seen.sequence + 1) % 65536
        elif step:
            self.late.append(max(0, self.late[-1] - 1))
        self.packets.append(seen)

    def advance(self, seen: Seen, step: int) -> None:
        self.advanced.append((self.newest[-1], seen))
        self.newest.append(seen)
        self.late.append(self.late[-1] + step - 1)


def ticks(before: Seen, after: Seen) -> int:
    """From -2**31 to 2**31 - 1."""
    moved = (after.timestamp - before.timestamp) % 2**32
    return moved - 2**32 if moved >= 2**31 else moved


def plausible(before: Seen, after: Seen) -> bool:
    moved, passed = abs(ticks(before, after)), abs(after.ts - before.ts)
    if not moved:
        return passed < 2 * 10**9
    return moved * 10**9 <= 200_000 * (min(passed, 2**40) + 10**9)


class MediaTwin:
    """Same rules as `MediaTracker`, streams in order of their first packet."""

    def __init__(self, limit: int = 1 << 16) -> None:
        self.limit = limit
        self.streams: dict[tuple[int, int, int, int], Stream] = {}
        self.stun: set[int] = set()
        self.rtcp: set[tuple[int, int]] = set()
        self.quiet: set[int] = set()
        self.early: list[tuple[tuple[int, int, int, int], Stream]] = []
        self.rtcp_early: list[bool] = []
        self.ended_early = self.forgotten = 0

    def see(self, one: Datagram) -> None:
        data, wire, channel = one.data, one.wire, 0
        if len(data) < 12:
            return
        if 64 <= data[0] < 80:
            size = int.from_bytes(data[2:4], "big")
            if not size + 4 <= wire <= size + 7:
                return
            channel, data, wire = int.from_bytes(data[:2], "big"), data[4 : 4 + size], size
        elif data[0] < 4 and data[4:8] == COOKIE:
            self.stun.add(one.flow)
            found = indicated(data, wire)
            if found is None:
                return
            channel, (data, wire) = 1, found
        elif data[0] and (header := zoom_header(data)) is not None:
            channel = ZOOM + header.kind * 256 + header.direct * 128
            data, wire = data[header.size :], wire - header.size
        if one.flow in self.quiet or len(data) < 12 or data[0] >> 6 != 2:
            return
        if 200 <= data[1] <= 207:
            if looks_like_rtcp(data, wire):
                self.rtcp.add((one.flow, one.half))
            return
        if looks_like_rtp(data, wire):
            self.media(one, data, wire, channel)

    def media(self, one: Datagram, data: bytes, wire: int, channel: int) -> None:
        end = 12 + 4 * (data[0] % 16)
        profile = None
        if data[0] & 16:
            profile = int.from_bytes(data[end : end + 2], "big")
            end += 4 + 4 * int.from_bytes(data[end + 2 : end + 4], "big")
        seen = Seen(
            one.ts, one.frame, int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big"),
            data[1] % 128, wire - end, profile,
        )  # fmt: skip
        if channel >= ZOOM:
            channel += seen.kind == 110
        key = (one.flow, one.half, channel, int.from_bytes(data[8:12], "big"))
        if key in self.streams:
            self.streams[key].take(seen)
            return
        ports = {one.source, one.target}
        odd = min(ports) < 1024 or ports & {5353, 5355, 9600, 30303}
        if (
            odd
            and channel in (0, *range(ZOOM, 2 * ZOOM))
            and one.flow not in self.stun
            and profile not in (0xBEDE, 0xDEBE)
        ):
            return
        if len(self.streams) == self.limit:
            self.make_room()
        self.streams[key] = Stream()
        self.streams[key].begin(seen)

    def make_room(self) -> None:
        doubtful = [key for key, stream in self.streams.items() if not stream.claimed]
        chosen = doubtful or list(self.streams)
        chosen.sort(key=lambda key: self.streams[key].packets[-1].frame)
        for key in chosen[: (len(chosen) + 1) // 2]:
            stream = self.streams.pop(key)
            if doubtful:
                self.forgotten += 1
            else:
                self.ended_early += 1
                self.early.append((key, stream))
                self.rtcp_early.append(key[:2] in self.rtcp)

    def rows(self, client: dict[int, int]) -> list[MediaStream]:
        rows = [
            row(key, one, client, rtcp) for (key, one), rtcp in zip(self.early, self.rtcp_early, strict=True)
        ]
        rows += [
            row(key, one, client, key[:2] in self.rtcp) for key, one in self.streams.items() if one.claimed
        ]
        return sorted(rows, key=lambda one: (one.flow_no, one.first_frame, one.ssrc, one.turn_channel or 0))


def indicated(data: bytes, wire: int) -> tuple[bytes, int] | None:
    """What the DATA attribute of an indication holds, as far as it was captured, and its length."""
    if data[:2] not in (b"\x00\x16", b"\x00\x17") or len(data) < 20:
        return None
    size = 20 + int.from_bytes(data[2:4], "big")
    if size > wire:
        return None
    place = 20
    for _ in range(16):
        head = data[place : place + 4] if place + 4 <= size else b""
        length = int.from_bytes(head[2:], "big")
        if len(head) < 4 or place + 4 + length > size:
            return None
        if head[:2] == b"\x00\x13":
            return data[place + 4 : place + 4 + length], length
        place += 4 + (length + 3) // 4 * 4
    return None


def row(key: tuple[int, int, int, int], one: Stream, client: dict[int, int], rtcp: bool) -> MediaStream:
    flow, half, channel, ssrc = key
    packets, sizes = one.packets, [seen.size for seen in one.packets]
    last_ts = max(seen.ts for seen in packets)
    kind = voted([seen.kind for seen in packets])
    shape = Shape(
        packets=len(packets), duration_ns=last_ts - packets[0].ts, small=sum(size <= SMALL for size in sizes),
        large=sum(size >= LARGE for size in sizes), joint=sum(ticks(*pair) == 0 for pair in one.advanced),
        ticks=sum(ticks(*pair) for pair in zip(one.newest, one.newest[1:], strict=False)),
        clock_ns=one.newest[-1].ts - one.newest[0].ts,
    )  # fmt: skip
    zoom = None
    if channel >= ZOOM:
        which, direct = divmod(channel - ZOOM, 256)
        said = {15: "audio", 16: "video"}.get(which, "screen")
        zoom = (said, "zoom-direct" if direct >= 128 else "zoom-relay")
    profiles = [seen.profile for seen in packets if seen.profile is not None]
    return MediaStream(
        flow_no=flow, ssrc=ssrc, payload_type=kind, up=half == client[flow], first_ts=packets[0].ts,
        last_ts=last_ts, first_frame=packets[0].frame, packets=len(packets), bytes=sum(sizes),
        kind=zoom[0] if zoom else kind_of(kind, shape), last_frame=packets[-1].frame, lost=one.late[-1],
        gaps=sum((after.sequence - before.sequence) % 65536 > 1 for before, after in one.advanced), rtcp=rtcp,
        extension_profile=profiles[0] if profiles else None,
        turn_channel=None if zoom else {0: None, 1: 0}.get(channel, channel), encapsulation=zoom[1] if zoom else None,
    )  # fmt: skip


def voted(kinds: list[int]) -> int:
    """Majority vote of Boyer and Moore: the majority where there is one."""
    lead, votes = -1, 0
    for kind in kinds:
        lead = kind if not votes else lead
        votes += 1 if kind == lead else -1
    return lead


def is_read_alike(one: Datagram) -> bool:
    """Whether the parsers see the relay's framing of a whole datagram as the twin does."""
    if looks_like_channel_data(one.data):
        found = parse_channel_data(one.data)
        return found is not None and one.data[4 : found.size] == one.data[4 : 4 + found.length]
    try:
        message = parse_stun(one.data)
    except Malformed:
        return True
    if message is None or message.type not in (0x16, 0x17) or len(message.attributes) > 16:
        return True
    first = next((value for number, value in message.attributes if number == 0x13), None)
    found = indicated(one.data, one.wire)
    return (None if found is None else found[0]) == first
