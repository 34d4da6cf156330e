"""Media streams: the kernels against their plain twin, what is claimed and what is not, bounds, order."""

import random
import struct
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.media_twin import Datagram, MediaTwin, is_read_alike
from support.traffic import MS, SECOND, START, Frame, batch_of, packet, udp

from wirecover.capture.flows import media
from wirecover.capture.flows.media import MediaStream, MediaTracker
from wirecover.capture.flows.state import FLOW
from wirecover.capture.flows.tracker import FlowTracker
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.packets.record import FRAGMENT, PACKET
from wirecover.capture.protocols.rtp import parse_rtp

FLOWS = 4
CLIENT = {flow: flow % 2 for flow in range(FLOWS)}
COOKIE = bytes.fromhex("2112a442")


def rtp(
    sequence: int,
    timestamp: int,
    ssrc: int = 7,
    kind: int = 111,
    size: int = 80,
    profile: int | None = None,
    extra: int = 0,
) -> bytes:
    """`extra`: more bits for the first byte (CSRC count, padding, extension)."""
    first = 0x80 | extra | (0 if profile is None else 0x10)
    head = struct.pack("!BBHII", first, kind, sequence % 65536, timestamp % 2**32, ssrc)
    return head + (b"" if profile is None else struct.pack("!HHI", profile, 1, 0)) + bytes(size)


def channel_data(data: bytes, number: int = 0x4001, padding: int = 0) -> bytes:
    return struct.pack("!HH", number, len(data)) + data + bytes(padding)


def indication(data: bytes, kind: int = 0x17) -> bytes:
    address = struct.pack("!HHBBHI", 0x12, 8, 0, 1, 5000, 0x0A000001)
    body = address + struct.pack("!HH", 0x13, len(data)) + data + bytes(-len(data) % 4)
    return struct.pack("!HH", kind, len(body)) + COOKIE + bytes(12) + body


ZOOMS = (
    b"\x05" + bytes(7) + b"\x0f" + bytes(18),
    b"\x05" + bytes(7) + b"\x10" + bytes(19) + b"\x02" + bytes(3),
    b"\x05" + bytes(7) + b"\x10" + bytes(19),
    b"\x05" + bytes(7) + b"\x0d" + bytes(6) + b"\x1e" + bytes(19),
    b"\x0f" + bytes(18),
    b"\x10" + bytes(19),
    b"\x1e" + bytes(19),
)
"""Headers of Zoom's in front of audio, video (long and short), a screen; then the same without a relay."""


def zoomed(data: bytes, header: bytes) -> bytes:
    return header + data


def stun() -> bytes:
    return struct.pack("!HH", 1, 0) + COOKIE + bytes(12)


def batch(datagrams: Sequence[Datagram]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """PACKET rows, their bytes, and the slot and half of each; a flow's slot is its number."""
    rows = np.zeros(len(datagrams), PACKET)
    buffer = np.array(bytearray(b"".join(one.data for one in datagrams) + b"\xee" * 4), np.uint8)
    at = 0
    for row, one in zip(rows, datagrams, strict=True):
        row["ts"], row["frame"], row["protocol"], row["payload"] = one.ts, one.frame, 17, at
        row["payload_captured"], row["payload_bytes"] = len(one.data), one.wire
        row["src_port"], row["dst_port"] = one.source, one.target
        at += len(one.data)
    slots = np.array([one.flow for one in datagrams], np.int32)
    return rows, buffer, slots, np.array([one.half for one in datagrams], np.uint8)


def flow_rows(quiet: Iterable[int] = ()) -> np.ndarray:
    flows = np.zeros(FLOWS, FLOW)
    flows["flow_no"] = np.arange(FLOWS)
    flows["client"] = [CLIENT[flow] for flow in range(FLOWS)]
    flows["quiet"][list(quiet)] = 1
    return flows


def tracked(
    datagrams: Sequence[Datagram], sizes: Sequence[int] = (10**9,), limit: int = 1 << 16, seed: int = 3, room: int = 1,
    quiet: Iterable[int] = (),
) -> tuple[list[MediaStream], MediaTracker]:  # fmt: skip
    """What the tracker finds when it gets the packets in batches of these sizes (the last one repeats)."""
    tracker = MediaTracker(seed, limit, room)
    flows = flow_rows(quiet)
    at, turn = 0, 0
    while at < len(datagrams):
        some = datagrams[at : at + sizes[min(turn, len(sizes) - 1)]]
        rows, buffer, slots, halves = batch(some)
        tracker.observe(rows, buffer, 0, len(rows), slots, halves, flows)
        at, turn = at + len(some), turn + 1
    return tracker.close(np.arange(FLOWS, dtype=np.int32), flows), tracker


def found(datagrams: Sequence[Datagram], **more: object) -> list[MediaStream]:
    return tracked(datagrams, **more)[0]  # type: ignore[arg-type]


def talk(
    payloads: Iterable[bytes],
    flow: int = 0,
    half: int = 0,
    step: int = 20 * MS,
    ports: tuple[int, int] = (40000, 50000),
) -> list[Datagram]:
    return [Datagram(flow, half, data, START + i * step, i + 1, *ports) for i, data in enumerate(payloads)]


def voice(count: int, ssrc: int = 7, first: int = 65530, **more: int) -> list[bytes]:
    return [rtp(first + i, 2**32 - 500 + 960 * i, ssrc, **more) for i in range(count)]


# ---- Zoom ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "kind", "encapsulation"),
    [
        (ZOOMS[0], "audio", "zoom-relay"),
        (ZOOMS[1], "video", "zoom-relay"),
        (ZOOMS[3], "screen", "zoom-relay"),
        (ZOOMS[4], "audio", "zoom-direct"),
        (ZOOMS[5], "video", "zoom-direct"),
        (ZOOMS[6], "screen", "zoom-direct"),
    ],
)
def test_zoom_says_the_kind(header: bytes, kind: str, encapsulation: str):
    (row,) = found(talk([zoomed(one, header) for one in voice(5)]))
    assert (row.kind, row.encapsulation, row.turn_channel, row.packets) == (kind, encapsulation, None, 5)
    assert row.bytes == 5 * 80


def test_zoom_counts_error_correction_for_itself():
    """Error correction has the SSRC of the picture and sequence numbers of its own."""
    both = [
        zoomed(one, ZOOMS[1])
        for pair in zip(voice(5, kind=98, first=10), voice(5, kind=110, first=4000), strict=True)
        for one in pair
    ]
    rows = found(talk(both))
    assert [(row.payload_type, row.packets, row.lost) for row in rows] == [(98, 5, 0), (110, 5, 0)]


def test_other_payload_types_of_an_ssrc_are_one_stream():
    """A voice that turns to silence and back, in one row of sequence numbers (RFC 3550 section 5.1)."""
    data = [
        zoomed(rtp(10 + turn, 640 * turn, kind=112 if turn // 4 % 2 else 99), ZOOMS[0]) for turn in range(40)
    ]
    (row,) = found(talk(data))
    assert (row.packets, row.lost, row.kind) == (40, 0, "audio")


def test_zoom_s_rtcp_marks_the_stream():
    report = b"\x05" + bytes(7) + b"\x22" + bytes(15) + struct.pack("!BBHI", 0x80, 200, 6, 7) + bytes(20)
    (row,) = found(talk([*(zoomed(one, ZOOMS[0]) for one in voice(5)), report]))
    assert row.rtcp


def test_zoom_s_headers_without_rtp_behind_them_are_no_stream():
    chance = random.Random(5)
    noise = [ZOOMS[turn % len(ZOOMS)] + chance.randbytes(60) for turn in range(2000)]
    assert found(talk(noise)) == []


def test_on_ports_of_other_services_zoom_begins_nothing():
    data = [zoomed(one, ZOOMS[4]) for one in voice(9)]
    assert found(talk(data, ports=(443, 40000))) == []


# ---- the twin ------------------------------------------------------------------------------------------------

OPS = st.tuples(
    st.integers(0, 5),  # which source
    st.sampled_from(
        ["next"] * 10 + ["skip", "late", "again", "far", "back", "type", "still", "fast", "begin"]
    ),
    st.integers(0, 255),
    st.sampled_from(
        ["plain"] * 6
        + ["channel", "channel", "indication", "extension", "csrc", "cut", "damage", "zoom", "zoom"]
    ),
    st.sampled_from([0, MS, 20 * MS, 20 * MS, 3 * SECOND]),
)
NOISE = st.one_of(
    st.binary(min_size=0, max_size=40),
    st.binary(min_size=11, max_size=40).map(lambda tail: b"\x80" + tail),
    st.binary(min_size=20, max_size=40).map(lambda tail: b"\x16\xfe\xfd" + tail),
    st.binary(min_size=20, max_size=40).map(lambda tail: b"\x45" + tail),
    st.binary(min_size=20, max_size=40).map(lambda tail: b"\xc3\0\0\0\1" + tail),
    st.binary(max_size=30).map(channel_data),
    st.binary(max_size=30).map(indication),
    st.just(stun()),
    st.just(struct.pack("!BBHI", 0x80, 200, 6, 7) + bytes(20)),
    st.just(struct.pack("!BBHI", 0x81, 201, 9, 7) + bytes(20)),
    st.binary(max_size=60).map(lambda tail: b"\x05" + bytes(7) + b"\x10" + tail),
    st.just(b"\x22" + bytes(15) + struct.pack("!BBHI", 0x80, 200, 6, 7) + bytes(20)),
)
PORTS = {0: (40000, 50000), 1: (40001, 3478), 2: (443, 40002), 3: (9600, 30303)}


def scripted(ops: Sequence[object]) -> list[Datagram]:
    """Datagrams of six sources in four flows, and noise between them."""
    state = {
        source: [1000 * source, 2**32 - 2000, 111 if source % 2 else 96] for source in range(6)
    }  # sequence, timestamp, type
    out: list[Datagram] = []
    now = START
    for frame, op in enumerate(ops, 1):
        if isinstance(op, tuple):
            source, action, amount, wrap, pause = op
            now += pause
            place = state[source]
            shown = move(place, action, amount)
            flow, half = source % FLOWS, source // 4
            size = amount * (5 if source % 2 else 1) + 1
            data = wrapped(rtp(*shown, ssrc=source * 0x01010101, size=size, kind=place[2]), wrap, amount)
            length = len(data) + (40 if wrap == "cut" else 0)
        else:
            assert isinstance(op, bytes)
            data, flow, half, length = op, frame % FLOWS, frame // 4 % 2, -1
        out.append(Datagram(flow, half, data, now, frame, *PORTS[flow], length))
    return out


def move(place: list[int], action: str, amount: int) -> tuple[int, int]:
    """The sequence number and timestamp of a source's next packet; what it sends later goes on from there."""
    if action == "late":
        return place[0] - amount % 120, place[1] - 960
    if action == "again":
        return place[0], place[1]
    steps = {"skip": 1 + amount % 20, "far": 2990 + amount % 20, "back": -amount - 90, "begin": 20000}
    place[0] += steps.get(action, 1)
    place[1] += {"still": 0, "fast": 2**30 + amount, "begin": 12345}.get(action, 960)
    if action == "type":
        place[2] = 96 + amount % 4
    return place[0], place[1]


def wrapped(data: bytes, wrap: str, amount: int) -> bytes:
    if wrap == "channel":
        return channel_data(data, 0x4000 + amount % 2, amount % 4)
    if wrap == "indication":
        return indication(data, 0x16 + amount % 2)
    if wrap == "zoom":
        return zoomed(data, ZOOMS[amount % len(ZOOMS)])
    if wrap == "extension":
        return (
            bytes([data[0] | 0x10])
            + data[1:12]
            + struct.pack("!HHI", (0xBEDE, 0xDEBE, 5)[amount % 3], 1, 0)
            + data[12:]
        )
    if wrap == "csrc":
        return bytes([data[0] | amount % 16]) + data[1:]
    if wrap == "cut":
        return data[: amount % len(data)]
    if wrap == "damage":
        at = amount % len(data)
        return data[:at] + bytes([data[at] ^ amount]) + data[at + 1 :]
    return data


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(
    ops=st.lists(st.one_of(OPS, OPS, OPS, NOISE), max_size=120),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=5),
    limit=st.sampled_from([1, 2, 3, 5, 1 << 16]),
    quiet=st.sets(st.integers(0, FLOWS - 1), max_size=1),
)
def test_the_tracker_is_its_twin(ops: list[object], sizes: list[int], limit: int, quiet: set[int]):
    datagrams = scripted(ops)
    twin = MediaTwin(limit)
    twin.quiet = quiet
    for one in datagrams:
        twin.see(one)
    rows, tracker = tracked(datagrams, sizes, limit, quiet=quiet)
    assert rows == twin.rows(CLIENT)
    assert (tracker.ended_early, tracker.forgotten) == (twin.ended_early, twin.forgotten)


def test_long_random_scripts_are_their_twin():
    """Streams long enough for a kind, with losses, reordering and noise, four hundred packets a source."""
    for seed in range(4):
        chance = random.Random(seed)
        ops: list[object] = []
        for _ in range(2400):
            if chance.random() < 0.1:
                ops.append(chance.randbytes(chance.randrange(60)))
                continue
            action = chance.choice(["next"] * 40 + ["skip", "late", "again", "back"])
            ops.append((chance.randrange(6), action, chance.randrange(256), "plain", 3 * MS))
        datagrams = scripted(ops)
        twin = MediaTwin()
        for one in datagrams:
            twin.see(one)
        rows = found(datagrams, sizes=[97])
        assert rows == twin.rows(CLIENT)
        assert {"audio", "video"} & {row.kind for row in rows}
        assert rows == found(datagrams, seed=2**50 + seed, room=64)


def test_the_twin_reads_relays_as_the_parsers_do():
    chance = random.Random(1)
    for _ in range(300):
        inner = chance.randbytes(chance.randrange(50))
        for data in (
            channel_data(inner, padding=-len(inner) % 4),
            indication(inner),
            indication(inner, 0x16),
        ):
            assert is_read_alike(Datagram(0, 0, data, 0, 1))


# ---- what is claimed -----------------------------------------------------------------------------------------


def test_a_voice():
    data = voice(60, kind=0, size=160)
    (row,) = found(talk(data, half=1))
    assert row == MediaStream(
        flow_no=0, ssrc=7, payload_type=0, up=False, first_ts=START, last_ts=START + 59 * 20 * MS, first_frame=1,
        packets=60, bytes=9600, kind="audio", last_frame=60, lost=0, gaps=0, rtcp=False, extension_profile=None,
        turn_channel=None,
    )  # fmt: skip
    record = parse_rtp(data[0])
    assert record is not None
    assert record.payload_bytes * 60 == row.bytes


def test_three_packets_are_enough_and_two_are_not():
    assert found(talk(voice(2))) == []
    assert [row.packets for row in found(talk(voice(3)))] == [3]


@pytest.mark.parametrize(
    "second",
    [
        rtp(10, 460),  # the same number with another time
        rtp(9, 460),
        rtp(10 + 17, 460),
        rtp(11, 460, kind=96),
        rtp(11, 460, ssrc=8),
        rtp(11, 500_000),
        rtp(11, 2**31),
        rtp(11, 460)[:11],
        rtp(11, 460, size=0),
        b"\x40" + rtp(11, 460)[1:],
        b"\x80\x48" + rtp(11, 460)[2:],
        rtp(11, 460, size=3, extra=1),
    ],
)
def test_one_packet_that_does_not_fit_is_no_run(second: bytes):
    before, between, after = voice(3, first=10)
    assert found(talk([before, second, after])) == []
    assert len(found(talk([before, between, after]))) == 1


def test_a_packet_captured_twice_does_not_count_to_a_run():
    twice = [data for data in voice(2) for _ in (0, 1, 2)]
    assert found(talk(twice)) == []
    assert [row.packets for row in found(talk([*twice, voice(3)[2]]))] == [3]


def test_a_standing_timestamp_is_a_picture_in_pieces_or_nothing():
    pieces = [rtp(i, 5000, size=1100) for i in range(3)]
    assert len(found(talk(pieces, step=MS))) == 1
    assert found(talk(pieces, step=2 * SECOND)) == []


def test_loss_lateness_and_a_new_beginning():
    numbers = [0, 1, 2, 5, 4, 3, 10, 30000, 30001, 30002]
    (row,) = found(talk([rtp(n, 960 * n) for n in numbers]))
    assert (row.packets, row.gaps, row.lost) == (10, 2, 2 - 2 + 4)
    once = [rtp(n, 960 * n) for n in (0, 1, 2, 30000, 3, 4)]
    (row,) = found(talk(once))
    assert (row.packets, row.gaps, row.lost) == (6, 0, 0), "one stray number is no new beginning"


def claimed(numbers: Sequence[int], sizes: Sequence[int] = (80,)) -> list[tuple[int, int, int]]:
    """Packets, gaps and lost of what is claimed of packets with these sequence numbers."""
    data = [rtp(n, 960 * i, size=sizes[i % len(sizes)]) for i, n in enumerate(numbers)]
    return [(row.packets, row.gaps, row.lost) for row in found(talk(data))]


def test_steps_at_the_borders():
    assert claimed([0, 16, 32]) == [(3, 2, 30)]
    assert claimed([0, 17, 34]) == []
    assert claimed([0, 1, 2, 2 + 2999]) == [(4, 1, 2998)]
    assert claimed([0, 1, 2, 2 + 3000]) == [(4, 0, 0)]
    assert claimed([200, 201, 210, 210 - 99]) == [(4, 1, 7)], "late by 99: one less is lost"
    assert claimed([200, 201, 210, 210 - 100]) == [(4, 1, 8)]
    assert claimed([65534, 65535, 0, 65535]) == [(4, 0, 0)], (
        "across the wrap, and no less than nothing is lost"
    )


def test_a_stray_number_is_forgotten_when_the_stream_goes_on():
    """Two numbers in succession prove a new beginning only when nothing of the old one is between them."""
    assert claimed([0, 1, 2, 30000, 30001, 30005]) == [(6, 1, 3)]
    assert claimed([0, 1, 2, 30000, 3, 30001, 8]) == [(7, 1, 4)]


@pytest.mark.parametrize(
    ("size", "kind"), [(400, "audio"), (401, "unknown"), (699, "unknown"), (700, "video")]
)
def test_sizes_at_the_borders(size: int, kind: str):
    """Payload bytes as `media_kind` counts them; 4 seconds, so no clock is measured."""
    assert [row.kind for row in found(talk(voice(200, size=size)))] == [kind]


def test_counting_begins_with_the_run_that_qualifies():
    (row,) = found(talk([rtp(500, 0), rtp(90, 0), rtp(91, 960), rtp(92, 1920)]))
    assert (row.first_frame, row.packets) == (2, 3)


def test_time_that_goes_back():
    """Captures merged out of order: the last time is the latest one, the last frame the last in the file."""
    times = [0, 20, 40, 60, 30]
    (row,) = found(
        [
            Datagram(0, 0, data, START + at * MS, i + 1)
            for i, (data, at) in enumerate(zip(voice(5), times, strict=True))
        ]
    )
    assert (row.first_ts, row.last_ts, row.last_frame) == (START, START + 60 * MS, 5)


def test_streams_are_kept_apart_by_flow_direction_channel_and_source():
    datagrams: list[Datagram] = []
    for data in voice(5):
        for flow, half, wrap in (
            (0, 0, data),
            (0, 1, data),
            (1, 0, data),
            (0, 0, channel_data(data)),
            (0, 0, indication(data)),
        ):
            datagrams.append(Datagram(flow, half, wrap, START, len(datagrams) + 1))
    rows = found(datagrams)
    assert [(row.flow_no, row.up, row.turn_channel, row.packets) for row in rows] == [
        (0, True, None, 5), (0, False, None, 5), (0, True, 0x4001, 5), (0, True, 0, 5), (1, False, None, 5),
    ]  # fmt: skip
    for seed in range(60):  # whatever place they get in a small table
        assert found(datagrams, seed=seed) == rows
    interleaved = [one for pair in zip(voice(5), voice(5, ssrc=8), strict=True) for one in pair]
    assert [row.ssrc for row in found(talk(interleaved))] == [7, 8]


def inside(wrap: Callable[[bytes], bytes], captured: int = 10**6, wire: int = 0) -> list[MediaStream]:
    """Four packets in a relay's framing, cut to `captured` bytes; `wire` more or fewer bytes on the wire."""
    whole = [wrap(data) for data in voice(4, size=30)]
    return found(
        [
            Datagram(0, 0, data[:captured], START + i * 20 * MS, i + 1, length=len(data) + wire)
            for i, data in enumerate(whole)
        ]
    )


def test_the_framing_of_a_channel():
    """RFC 8656 12.4 and 12.5: the length is that of the data; up to three bytes of padding may follow."""
    for padding in range(4):
        (row,) = inside(lambda data, padding=padding: channel_data(data, 0x4FFF, padding))
        assert (row.turn_channel, row.bytes) == (0x4FFF, 120)
    assert inside(lambda data: channel_data(data, padding=4)) == []
    assert inside(lambda data: channel_data(data)[:-1]) == []
    assert inside(lambda data: channel_data(data, 0x5000)) == []
    assert inside(lambda data: channel_data(data, 0x3FFF)) == []
    assert len(inside(channel_data, captured=16)) == 1
    assert inside(channel_data, captured=15) == []


def test_the_framing_of_an_indication():
    """RFC 8656 section 11: DATA is one of the attributes, each padded to four bytes."""

    def odd(data: bytes, attributes: int = 1) -> bytes:
        body = (struct.pack("!HH", 0x8022, 5) + b"name!" + bytes(3)) * attributes
        body += struct.pack("!HH", 0x13, len(data)) + data
        return struct.pack("!HH", 0x16, len(body)) + COOKIE + bytes(12) + body

    (row,) = inside(indication)
    assert (row.turn_channel, row.bytes) == (0, 120)
    assert len(inside(odd)) == 1
    assert len(inside(lambda data: odd(data, 15))) == 1
    assert inside(lambda data: odd(data, 16)) == []
    head = 20 + 12 + 4  # of the message, of an address, of DATA
    assert len(inside(indication, captured=head + 12)) == 1
    assert inside(indication, captured=head + 11) == []
    for captured in (12, 19, 20, 32, 35):
        assert inside(indication, captured=captured) == []
    assert len(inside(indication, wire=1)) == 1
    assert inside(indication, wire=-1, captured=60) == []
    assert inside(lambda data: indication(data, 0x18)) == []
    assert inside(lambda data: indication(data).replace(COOKIE, bytes(4))) == []
    longer = [indication(data) for data in voice(4)]
    lying = [data[:34] + b"\xff\xff" + data[36:] for data in longer]
    assert found(talk(lying)) == []


@pytest.mark.parametrize(("kind", "count"), [(63, 1), (64, 0), (95, 0), (96, 1), (127, 1)])
def test_types_that_may_be_media(kind: int, count: int):
    assert len(found(talk(voice(4, kind=kind)))) == count


def test_the_header_has_to_leave_a_payload():
    bare = [rtp(i, 960 * i, size=4, extra=1) for i in range(4)]  # four bytes of CSRC, and nothing
    assert found(talk(bare)) == []
    (row,) = found(talk([rtp(i, 960 * i, size=5, extra=1) for i in range(4)]))
    assert row.bytes == 4
    extended = [rtp(i, 960 * i, profile=5, size=1) for i in range(4)]
    (row,) = found(talk(extended))
    assert (row.bytes, row.extension_profile) == (4, 5)
    for captured, count in ((16, 1), (15, 0)):
        cut = [
            Datagram(0, 0, data[:captured], START + i, i + 1, length=len(data))
            for i, data in enumerate(extended)
        ]
        assert len(found(cut)) == count


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\xfe\xfd\0\1\0\0\0\0\0" + bytes(40),  # DTLS
        b"\x45" + bytes(60),  # QUIC, short header
        b"\xc3\0\0\0\1\x08" + bytes(60),  # QUIC, long header
        b"\x80\0\0\0\1\x08" + bytes(60),  # the same with the fixed bit greased (RFC 9287): never counts up
        stun(),
        b"\x10\0" + bytes(40),  # ZRTP
        b"\x80\xc8\0\6" + bytes(24),  # RTCP
    ],
)
def test_other_protocols_never_qualify(data: bytes):
    assert found(talk([data] * 20)) == []
    counted = [data[:2] + i.to_bytes(2, "big") + data[4:] for i in range(20)]
    if data[0] >> 6 != 2 or data[1] == 200:
        assert found(talk(counted)) == []


def test_random_datagrams_never_qualify():
    chance = random.Random(5)
    noise = [b"\x80" + chance.randbytes(60) if i % 2 else chance.randbytes(60) for i in range(20_000)]
    rows, tracker = tracked(talk(noise, step=MS), limit=1024)
    assert rows == []
    assert tracker.forgotten > 0
    assert tracker.ended_early == 0


@pytest.mark.parametrize("port", [53, 443, 1023, 5353, 5355, 9600, 30303])
def test_ports_of_other_services_need_a_stronger_sign(port: int):
    for ports in ((port, 40000), (40000, port)):
        assert found(talk(voice(5), ports=ports)) == []
        assert len(found(talk([stun(), *voice(5)], ports=ports))) == 1
        assert len(found(talk(map(channel_data, voice(5)), ports=ports))) == 1
        known = [rtp(i, 960 * i, profile=0xDEBE if i == 2 else None) for i in range(6)]
        (row,) = found(talk(known, ports=ports))
        assert (row.packets, row.extension_profile) == (4, 0xDEBE)
    assert len(found(talk(voice(5), ports=(1024, 40000)))) == 1


def test_quiet_flows_and_fragments_have_no_streams():
    assert found(talk(voice(5)), quiet=[0]) == []
    rows, buffer, slots, halves = batch(talk(voice(5)))
    tracker, flows = MediaTracker(0), flow_rows()
    for field, value in (("status", FRAGMENT), ("protocol", 6), ("payload_captured", 11)):
        other = rows.copy()
        other[field] = value
        tracker.observe(other, buffer, 0, 5, slots, halves, flows)
    tracker.observe(rows, buffer, 0, 5, np.full(5, -1, np.int32), halves, flows)
    assert tracker.close(slots[:1], flows) == []
    tracker.observe(rows, buffer, 0, 5, slots, halves, flows)
    assert len(tracker.close(slots[:1], flows)) == 1
    assert tracker.close(slots[:1], flows) == []


def test_rtcp_is_a_fact_of_its_direction():
    report = b"\x80\xc8\0\6" + bytes(24)
    datagrams = talk([report, *voice(4)]) + talk(voice(4), half=1)
    assert {row.up: row.rtcp for row in found(datagrams)} == {True: True, False: False}
    for words, seen in ((6, True), (7, False), (1, True), (0, False)):
        sized = b"\x80\xc8\0" + bytes([words]) + bytes(24)
        assert [row.rtcp for row in found(talk([sized, *voice(4)]))] == [seen]
    broken = b"\x80\xc8\0\xff" + bytes(24)
    assert [row.rtcp for row in found(talk([broken, *voice(4)]))] == [False]


def test_a_slot_that_is_used_again_remembers_nothing():
    rows, buffer, slots, halves = batch(
        talk([stun(), b"\x80\xc8\0\6" + bytes(24), *voice(4)], ports=(443, 40000))
    )
    tracker, flows = MediaTracker(0), flow_rows()
    tracker.observe(rows, buffer, 0, len(rows), slots, halves, flows)
    (row,) = tracker.close(slots[:1], flows)
    assert row.rtcp
    flows["flow_no"][0] = 77
    tracker.observe(rows, buffer, 2, len(rows), slots, halves, flows)
    assert tracker.close(slots[:1], flows) == [], "no STUN was seen in this flow"


def test_the_memory_is_bounded_and_doubtful_streams_go_first():
    real = voice(3, ssrc=1)
    doubtful = [rtp(i, 0, ssrc=100 + i) for i in range(8)]
    later = [rtp(65533 + i, 2**32 - 500 + 960 * (3 + i), 1) for i in range(2)]
    rows, tracker = tracked(talk([*real, *doubtful, *later]), limit=4)
    assert [(row.ssrc, row.packets) for row in rows] == [(1, 5)]
    assert (tracker.forgotten, tracker.ended_early) == (6, 0)
    one, two, three = voice(3, ssrc=1)
    first, second, fourth, fifth = (rtp(0, 0, ssrc=source) for source in range(2, 6))
    rows, tracker = tracked(talk([first, second, one, two, fourth, fifth, three]), limit=4)
    assert [row.ssrc for row in rows] == [1], "those silent longest go first"
    assert tracker.forgotten == 2
    crowd = [rtp(i, 960 * i, ssrc=source) for source in range(9) for i in range(3)]
    rows, tracker = tracked(talk(crowd), limit=4)
    assert sorted(row.ssrc for row in rows) == list(range(9))
    assert tracker.ended_early == 6
    assert tracker.forgotten == 0


# ---- with the flow tracker -----------------------------------------------------------------------------------


def through_flows(frames: Sequence[Frame], size: int) -> list[MediaStream]:
    tracker, streams = FlowTracker(), MediaTracker(11)
    rows: list[MediaStream] = []
    for at in range(0, len(frames), size):
        some = batch_of(frames[at : at + size], at + 1)
        packets = decode_batch(some, np.array([1], np.int32))
        for step in tracker.follow(packets, some.buffer):
            tracker.orient(packets, step)
            streams.observe(
                packets, some.buffer, step.start, step.stop, tracker.slot_of, tracker.half_of, tracker.flows
            )
            tracker.settle(step.finished)
            rows += streams.close(step.finished, tracker.flows)
            tracker.release(step.finished)
    last = tracker.finish().finished
    tracker.settle(last)
    return rows + streams.close(last, tracker.flows)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_a_call_between_two_sockets(size: int):
    """Two directions, and the same sockets again after a long silence: another flow, another stream."""
    frames: list[Frame] = []
    for part in range(2):
        for i in range(20):
            ts = START + part * 3600 * SECOND + i * 20 * MS
            up = rtp(100 + i, 960 * i, ssrc=1)
            down = channel_data(rtp(100 + i, 960 * i, ssrc=2))
            frames.append(Frame(packet("10.0.0.1", "10.0.0.2", 17, udp(40000, 3478, up)), ts))
            frames.append(Frame(packet("10.0.0.2", "10.0.0.1", 17, udp(3478, 40000, down)), ts + MS))
            frames.append(Frame(packet("10.0.0.1", "10.0.0.3", 17, udp(50000 + i, 4000, b"\x80" * 30)), ts))
    rows = [row for row in through_flows(frames, size) if row.ssrc in (1, 2)]
    assert [(row.ssrc, row.up, row.packets, row.turn_channel, row.first_frame) for row in rows] == [
        (1, True, 20, None, 1), (2, False, 20, 0x4001, 2), (1, True, 20, None, 61), (2, False, 20, 0x4001, 62),
    ]  # fmt: skip
    assert rows[0].flow_no != rows[2].flow_no


def test_warm_compiles_without_a_trace():
    media.warm()
