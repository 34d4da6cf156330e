"""Media streams among the UDP packets: RTP and SRTP, plain or through a TURN relay, by what stays in clear.

`_observe` is the loop over packets. A packet takes part when its header may be RTP's (RFC 3550 5.1, with the
types that RFC 5761 4 leaves, and some payload behind it). STUN, ZRTP, DTLS and QUIC have other first bytes
(RFC 7983, RFC 9443), so they never do. Whether a stream (flow, direction, TURN channel, SSRC) is one, its run
of packets decides: `media_stream.py`. Through TURN a packet comes as ChannelData (RFC 8656 12.4) or in the
DATA attribute of a Send or Data indication (RFC 8656 11). Zoom puts headers of its own before RTP, which name the
kind of media (`protocols/zoom.py`); each kind, and its error correction, counts the numbers of an SSRC for itself.

On ports of other services (all below 1024, and `PORTS`) no stream begins unless STUN was spoken in the flow,
the packet came through TURN, or it has a header extension of a known profile; SFUs do sit on 443. In quiet
flows (recognised cleartext) none is followed.

The memory is `limit` streams. When it is full, those that never qualified go first, the longest silent before
the others; then streams that did are written early and may go on as a new row. All of this depends on the
order of the packets alone.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirecover.capture.flows.media_kind import Shape, kind_of
from wirecover.capture.flows.media_stream import QUALIFY, STREAM, begin, count, follow
from wirecover.capture.flows.state import FLOW
from wirecover.capture.kernels import kernel
from wirecover.capture.packets.record import OK, PACKET, WHOLE
from wirecover.capture.protocols import zoom
from wirecover.capture.protocols.rtp import ONE_BYTE_PROFILE, WARP_PROFILE

MAX_STREAMS: Final = 1 << 16
"""Streams remembered at a time (about 170 bytes each)."""
PORTS: Final = (5353, 5355, 9600, 30303)
"""mDNS, LLMNR, and two whose datagrams pass for RTP (OMRON FINS, Ethereum discovery), as nDPI found."""
MAX_ATTRIBUTES: Final = 16
"""Attributes of an indication in which DATA is looked for."""
INDICATION: Final = 1
"""Stands for a channel, whose numbers begin at 0x4000: the packet came in an indication."""
ZOOM: Final = 0x8000
"""Stands for a channel likewise, above all numbers of channels: with the kind of media (bits 7 to 13), whether it came
without a relay (`_DIRECT`), and whether it is error correction (bit 0)."""
_DIRECT: Final = 0x4000
_AUDIO, _VIDEO, _SCREEN, _DIRECT_SCREEN = zoom.AUDIO, zoom.VIDEO, zoom.SCREEN, zoom.DIRECT_SCREEN
_RELAY, _RELAY_BYTES, _SPLIT_VIDEO = zoom.RELAY, zoom.RELAY_BYTES, zoom.SPLIT_VIDEO
_FIRST_RTCP, _LAST_RTCP, _CORRECTION = zoom.FIRST_RTCP, zoom.LAST_RTCP, zoom.CORRECTION

MARK: Final = np.dtype([("flow_no", "i8"), ("stun", "u1"), ("rtcp", "u1")])
"""What was seen in a flow, by slot. stun: a message with the magic cookie. rtcp: bit 0 / 1 = of that half."""

USED, FULL = range(2)  # indices into the counters
_PORTS: Final = np.array(PORTS, np.int64)


class MediaStream(NamedTuple):
    """One stream, as it is written."""

    flow_no: int
    ssrc: int
    payload_type: int
    """Of most of its packets."""
    up: bool
    first_ts: int
    last_ts: int
    first_frame: int
    packets: int
    bytes: int
    """Behind the RTP headers; with SRTP the authentication tags are among them."""
    kind: str
    last_frame: int
    lost: int
    """Sequence numbers that were skipped and did not come late: an estimate."""
    gaps: int
    """How often numbers were skipped."""
    rtcp: bool
    """RTCP or SRTCP was seen in the same flow and direction."""
    extension_profile: int | None
    turn_channel: int | None
    """The TURN channel it went through, 0 where it went in indications, None where through no relay."""
    encapsulation: str | None = None
    """`zoom-relay` or `zoom-direct`: headers of Zoom's came before RTP and said the kind."""


@kernel
def _u16(buffer: Any, at: Any) -> Any:
    return (np.int64(buffer[at]) << 8) | np.int64(buffer[at + 1])


@kernel
def _u32(buffer: Any, at: Any) -> Any:
    return (_u16(buffer, at) << 16) | _u16(buffer, at + 2)


@kernel
def _header_end(buffer: Any, at: Any, captured: Any, length: Any) -> Any:
    """Bytes of the RTP header at `at`, or 0 when this is no RTP packet with some payload."""
    if 64 <= (buffer[at + 1] & 0x7F) <= 95:
        return 0
    end = 12 + 4 * (np.int64(buffer[at]) & 0x0F)
    if buffer[at] & 0x10:
        if captured < end + 4:
            return 0
        end += 4 + 4 * _u16(buffer, at + end + 2)
    return end if end < length else 0


@kernel
def _indicated(buffer: Any, at: Any, captured: Any, length: Any) -> Any:
    """Offset of the DATA attribute of the STUN message at `at`, or -1. At least 20 bytes were captured."""
    size = 20 + _u16(buffer, at + 2)
    if size > length:
        return -1
    place = 20
    for _ in range(MAX_ATTRIBUTES):
        if place + 4 > min(size, captured):
            return -1
        value = _u16(buffer, at + place + 2)
        if place + 4 + value > size:
            return -1
        if _u16(buffer, at + place) == 0x0013:
            return at + place
        place += 4 + value + (-value & 3)
    return -1


@kernel
def _zoom(buffer: Any, at: Any, captured: Any) -> Any:
    """(bytes of Zoom's headers at `at`, what stands for a channel), or (0, 0); twin: `zoom.zoom_header`."""
    head, mark = np.int64(0), np.int64(ZOOM | _DIRECT)
    if buffer[at] == _RELAY:
        head, mark = np.int64(_RELAY_BYTES), np.int64(ZOOM)
    size = np.int64(0)
    if captured > head:
        kind = np.int64(buffer[at + head])
        mark |= kind << 7
        if kind == _AUDIO:
            size = np.int64(19)
        elif kind == _VIDEO:
            size = np.int64(20)
            if captured > head + 20 and buffer[at + head + 20] == _SPLIT_VIDEO:
                size = np.int64(24)
        elif kind == _SCREEN:
            if head and captured > head + 7 and buffer[at + head + 7] == _DIRECT_SCREEN:
                size = np.int64(27)
        elif kind == _DIRECT_SCREEN:
            if head == 0:
                size = np.int64(20)
        elif _FIRST_RTCP <= kind <= _LAST_RTCP:
            size = np.int64(16)
    if size == 0 or captured < head + size + 12:
        return np.int64(0), np.int64(0)
    return head + size, mark


@kernel
def _hash(flow_no: Any, half: Any, channel: Any, ssrc: Any, seed: Any) -> Any:
    value = np.uint64(flow_no) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(seed)
    value ^= value >> np.uint64(32)
    value ^= np.uint64(ssrc) ^ np.uint64(channel) << np.uint64(33) ^ np.uint64(half) << np.uint64(50)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(29)
    value *= np.uint64(0x94D049BB133111EB)
    return np.int64(value >> np.uint64(33))


@kernel
def _find(streams: Any, index: Any, flow_no: Any, half: Any, channel: Any, ssrc: Any, seed: Any) -> Any:
    """Position in `index` of this stream, or of the free place where it belongs."""
    mask = len(index) - 1
    at = _hash(flow_no, half, channel, ssrc, seed) & mask
    while index[at] >= 0:
        one = streams[index[at]]
        if one.ssrc == ssrc and one.flow_no == flow_no and one.half == half and one.channel == channel:
            break
        at = (at + 1) & mask
    return at


@kernel
def _rebuild(streams: Any, used: Any, index: Any, seed: Any) -> None:
    """Fill the index with the streams in use."""
    index[:] = -1
    for i in range(used):
        one = streams[i]
        half, channel, ssrc = np.int64(one.half), np.int64(one.channel), np.int64(one.ssrc)
        index[_find(streams, index, one.flow_no, half, channel, ssrc, seed)] = i


@kernel
def _mark(marks: Any, slot: Any, flow_no: Any) -> Any:
    mark = marks[slot]
    if mark.flow_no != flow_no:
        mark.flow_no = flow_no
        mark.stun = mark.rtcp = 0
    return mark


@kernel
def _may_begin(row: Any, mark: Any, channel: Any, profile: Any) -> Any:
    """Whether the ports, or something stronger, let a stream begin with this packet."""
    if channel or mark.stun or profile == ONE_BYTE_PROFILE or profile == WARP_PROFILE:
        return True
    if row.src_port < 1024 or row.dst_port < 1024:
        return False
    for port in _PORTS:
        if row.src_port == port or row.dst_port == port:
            return False
    return True


@kernel
def _observe(
    start: Any, stop: Any, rows: Any, buffer: Any, slot_of: Any, half_of: Any, flows: Any, marks: Any,
    streams: Any, index: Any, counters: Any, seed: Any,
) -> Any:  # fmt: skip
    """Take packets start..stop; returns `stop`, or where it needs room for a new stream (FULL)."""
    for i in range(start, stop):
        row = rows[i]
        if row.protocol != 17 or row.payload_captured < 12 or slot_of[i] < 0:
            continue
        if row.status != OK and row.status != WHOLE:
            continue
        at, captured, length = row.payload, np.int64(row.payload_captured), np.int64(row.payload_bytes)
        length = max(length, captured)  # of a datagram in fragments, `payload_bytes` is the last one's share
        slot = slot_of[i]
        channel = np.int64(0)
        first = np.int64(buffer[at])
        if first < 80 and first >> 6 == 1:
            size = _u16(buffer, at + 2)
            if not size + 4 <= length < size + 8:
                continue
            channel = _u16(buffer, at)
            at, captured, length = at + 4, min(captured - 4, size), size
        elif first < 4 and _u32(buffer, at + 4) == 0x2112A442:
            _mark(marks, slot, flows[slot].flow_no).stun = 1
            if first != 0 or (buffer[at + 1] != 0x16 and buffer[at + 1] != 0x17) or captured < 20:
                continue
            data = _indicated(buffer, at, captured, length)
            if data < 0:
                continue
            channel = np.int64(INDICATION)
            length = _u16(buffer, data + 2)
            at, captured = data + 4, min(captured - (data + 4 - at), length)
        elif 0 < first <= _LAST_RTCP:  # Zoom's first bytes are among these
            skip, channel = _zoom(buffer, at, captured)
            at, captured, length = at + skip, captured - skip, length - skip
        if channel and captured < 12:
            continue
        if buffer[at] >> 6 != 2:
            continue
        flow = flows[slot]
        if flow.quiet:
            continue
        half = np.int64(half_of[i])
        second = np.int64(buffer[at + 1])
        mark = _mark(marks, slot, flow.flow_no)
        if 200 <= second <= 207:
            if 8 <= 4 + 4 * _u16(buffer, at + 2) <= length:
                mark.rtcp |= 1 << half
            continue
        end = _header_end(buffer, at, captured, length)
        if end == 0:
            continue
        profile = np.int64(-1)
        if buffer[at] & 0x10:
            profile = _u16(buffer, at + 12 + 4 * (np.int64(buffer[at]) & 0x0F))
        sequence, timestamp, ssrc = _u16(buffer, at + 2), _u32(buffer, at + 4), _u32(buffer, at + 8)
        kind = second & 0x7F
        if channel & ZOOM and kind == _CORRECTION:
            channel |= 1
        place = _find(streams, index, flow.flow_no, half, channel, ssrc, seed)
        if index[place] >= 0:
            follow(streams[index[place]], row, sequence, timestamp, kind, length - end, profile)
            continue
        if not _may_begin(row, mark, np.int64(0) if channel & ZOOM else channel, profile):
            continue
        if counters[USED] == len(streams):
            counters[FULL] = 1
            return i
        index[place] = counters[USED]
        one = streams[counters[USED]]
        counters[USED] += 1
        one.flow_no, one.slot, one.half, one.channel, one.ssrc = flow.flow_no, slot, half, channel, ssrc
        begin(one, row, sequence, timestamp, kind)
        count(one, row, kind, length - end, profile)
    return stop


class MediaTracker:
    """Finds the media streams of one capture, step after step of the flow tracker.

    `seed` guards the table against crafted collisions; no result depends on it. `ended_early` counts streams
    written before their end, `forgotten` those that had not qualified, both for want of room.
    """

    def __init__(self, seed: int, limit: int = MAX_STREAMS, room: int = 1 << 8) -> None:
        self.ended_early = 0
        self.forgotten = 0
        self._seed, self._limit = seed, limit
        self._counters = np.zeros(2, np.int64)
        self._marks: NDArray[Any] = np.zeros(0, MARK)
        self._streams: NDArray[Any] = np.zeros(min(room, limit), STREAM)
        self._index = np.full(_index_size(len(self._streams)), -1, np.int32)
        self._written: list[MediaStream] = []

    def observe(
        self, rows: NDArray[Any], buffer: NDArray[np.uint8], start: int, stop: int, slot_of: NDArray[np.int32],
        half_of: NDArray[np.uint8], flows: NDArray[Any],
    ) -> None:  # fmt: skip
        """Packets start..stop of a batch, after the clients of their flows were decided."""
        if len(self._marks) < len(flows):
            more = np.zeros(len(flows) - len(self._marks), MARK)
            more["flow_no"] = -1
            self._marks = np.concatenate([self._marks, more])
        while True:
            self._counters[FULL] = 0
            start = _observe(
                start, stop, rows, buffer, slot_of, half_of, flows, self._marks, self._streams, self._index,
                self._counters, self._seed,
            )  # fmt: skip
            if not self._counters[FULL]:
                return
            self._make_room(flows)

    def close(self, finished: NDArray[np.int32], flows: NDArray[Any]) -> list[MediaStream]:
        """The streams of flows that ended, and those that were ended early since the last call, in flow order.

        Call it when the clients are decided and before the slots are released.
        """
        written, self._written = self._written, []
        if self._counters[USED] and len(finished):
            over = np.zeros(len(flows), np.bool_)
            over[finished] = True
            written += self._take(over[self._live["slot"]], flows)
        return sorted(
            written, key=lambda one: (one.flow_no, one.first_frame, one.ssrc, one.turn_channel or 0)
        )

    @property
    def _live(self) -> NDArray[Any]:
        return self._streams[: self._counters[USED]]

    def _make_room(self, flows: NDArray[Any]) -> None:
        """Grow; at the limit forget half of those that never qualified, else end half of all early."""
        if len(self._streams) < self._limit:
            grown = np.zeros(min(2 * len(self._streams), self._limit), STREAM)
            grown[: len(self._streams)] = self._streams
            self._streams = grown
            self._index = np.empty(_index_size(len(grown)), np.int32)
            _rebuild(self._streams, int(self._counters[USED]), self._index, self._seed)
            return
        live = self._live
        doubtful = np.flatnonzero(live["run"] < QUALIFY)
        chosen = doubtful if len(doubtful) else np.arange(len(live))
        order = np.argsort(live["last_frame"][chosen], kind="stable")
        gone = np.zeros(len(live), np.bool_)
        gone[chosen[order[: (len(chosen) + 1) // 2]]] = True
        if len(doubtful):
            self.forgotten += int(np.count_nonzero(gone))
        else:
            self.ended_early += int(np.count_nonzero(gone))
        self._written += self._take(gone, flows)

    def _take(self, gone: NDArray[np.bool_], flows: NDArray[Any]) -> list[MediaStream]:
        """Remove streams from the table; those that qualified, as rows."""
        if not gone.any():
            return []
        live = self._live
        taken, kept = live[gone], live[~gone]
        self._streams[: len(kept)] = kept
        self._counters[USED] = len(kept)
        _rebuild(self._streams, len(kept), self._index, self._seed)
        return list(_rows(taken[taken["run"] >= QUALIFY], flows, self._marks))


def _index_size(streams: int) -> int:
    return 1 << (2 * streams).bit_length()


def _rows(streams: NDArray[Any], flows: NDArray[Any], marks: NDArray[Any]) -> Iterator[MediaStream]:
    for values in streams.tolist():
        one = dict(zip(STREAM.names or (), values, strict=True))
        flow, mark, half = flows[one["slot"]], marks[one["slot"]], one["half"]
        if flow["quiet"]:
            continue
        channel, wrapped = one["channel"], _encapsulation(one["channel"])
        yield MediaStream(
            flow_no=one["flow_no"], ssrc=one["ssrc"], payload_type=one["payload_type"],
            up=half == int(flow["client"]), first_ts=one["first_ts"], last_ts=one["last_ts"],
            first_frame=one["first_frame"], packets=one["packets"], bytes=one["bytes"],
            kind=kind_of(one["payload_type"], _shape(one)) if wrapped is None else zoom.KINDS[channel >> 7 & 0x7F],
            last_frame=one["last_frame"], lost=one["lost"],
            gaps=one["gaps"], rtcp=bool(int(mark["rtcp"]) >> half & 1),
            extension_profile=None if one["profile"] < 0 else one["profile"],
            turn_channel=None if channel == 0 or wrapped else 0 if channel == INDICATION else channel,
            encapsulation=wrapped,
        )  # fmt: skip


def _encapsulation(channel: int) -> str | None:
    if not channel & ZOOM:
        return None
    return "zoom-direct" if channel & _DIRECT else "zoom-relay"


def _shape(one: dict[str, int]) -> Shape:
    return Shape(
        packets=one["packets"], duration_ns=one["last_ts"] - one["first_ts"], small=one["small"],
        large=one["large"], joint=one["joint"], ticks=one["ticks"], clock_ns=one["tick_ts"] - one["clock_ts"],
    )  # fmt: skip


def warm() -> None:
    """Compile the kernels of this module by following the packets of two streams, with room for one."""
    rows = np.zeros(4, PACKET)
    rows["protocol"], rows["payload"], rows["payload_captured"], rows["payload_bytes"] = (
        17,
        (0, 16, 32, 48),
        16,
        16,
    )
    rows["src_port"], rows["dst_port"] = 4000, 5000
    buffer = np.zeros(64, np.uint8)
    buffer[0::16], buffer[3::16] = 0x80, (1, 2, 3, 4)
    flows = np.zeros(1, FLOW)
    tracker = MediaTracker(0, room=1)
    tracker.observe(rows, buffer, 0, 4, np.zeros(4, np.int32), np.array([0, 0, 0, 1], np.uint8), flows)
    tracker.close(np.zeros(1, np.int32), flows)
