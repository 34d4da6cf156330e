"""The survey of a capture, end to end: frames in, lines of the ledger and indicators out."""

import dataclasses
import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.traffic import (
    ACK,
    FIN,
    MS,
    PSH,
    RST,
    SECOND,
    START,
    SYN,
    Connection,
    Frame,
    batch_of,
    ethernet,
    ipv4,
    ipv6,
    tcp,
    udp,
)

from wirecover.capture.files.batch import Comment, Damage, Interface
from wirecover.capture.flows.tracker import FlowTracker
from wirecover.capture.packets.decode import decode_batch
from wirecover.capture.quality.explanations import EXPLANATIONS, INDICATORS, METRICS
from wirecover.capture.quality.measure import Indicator, Measure, duration
from wirecover.capture.quality.survey import Survey
from wirecover.capture.tables import FLOW_ENDS

A, B = "10.0.0.2", "192.0.2.10"


class Surveyed:
    """What a survey says of some frames."""

    def __init__(
        self,
        frames: Sequence[Frame],
        interfaces: Sequence[Interface] = (Interface(0, 1, 262_144, 1),),
        size: int = 1 << 20,
        comments: Sequence[Comment] = (),
        damage: Iterable[Damage] = (),
    ) -> None:
        self.ends: list[dict[str, Any]] = []
        survey, tracker = Survey(interfaces), FlowTracker()
        links = np.array([one.link_type for one in interfaces], np.int32)
        for start in range(0, len(frames), size):
            batch = batch_of(frames[start : start + size], start + 1)
            rows = decode_batch(batch, links)
            survey.take_frames(batch, rows, len(links))
            for step in tracker.follow(rows, batch.buffer):
                tracker.orient(rows, step)
                survey.take_packets(
                    batch, rows, step.start, step.stop, tracker.slot_of, tracker.half_of, tracker.flows
                )
                self._close(survey, tracker, step.finished)
        self._close(survey, tracker, tracker.finish().finished)
        self.measures: list[Measure] = list(survey.measures())
        self.indicators: list[Indicator] = list(survey.indicators(comments, damage))
        assert {one.metric for one in self.measures} <= METRICS.keys()
        assert {one.indicator for one in self.indicators} <= INDICATORS.keys()
        assert {key for one in self.indicators for key in one.explanations} <= EXPLANATIONS.keys()
        assert all(one.explanations for one in self.indicators), "an indicator never stands without a cause"

    def _close(self, survey: Survey, tracker: FlowTracker, finished: Any) -> None:
        tracker.settle(finished)
        columns = survey.close(finished, tracker.flows, tracker.halves)
        if columns is not None:
            self.ends += pa.Table.from_arrays(columns, schema=FLOW_ENDS).to_pylist()
        tracker.release(finished)

    def line(self, metric: str, subject: str | None = None) -> Measure:
        [found] = [one for one in self.measures if (one.metric, one.subject) == (metric, subject)]
        return found

    def indicator(self, name: str) -> Indicator | None:
        found = [one for one in self.indicators if one.indicator == name]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def found(self) -> set[str]:
        return {one.metric for one in self.measures if one.count} - {"silence", "drops-not-told"}


def folded(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total += data[-1] << 8 if len(data) % 2 else 0
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def filled(frame: Frame) -> Frame:
    """The frame with right checksums, written from RFC 1071."""
    data = bytearray(frame.data)
    kind = int.from_bytes(data[12:14], "big")
    if kind == 0x0800:
        head = 14 + (data[14] & 15) * 4
        data[24:26] = b"\0\0"
        data[24:26] = (0xFFFF - folded(bytes(data[14:head]))).to_bytes(2, "big")
        protocol, addresses = data[23], bytes(data[26:34])
    else:
        head, protocol, addresses = 54, data[20], bytes(data[22:54])
    at = head + (16 if protocol == 6 else 6)
    data[at : at + 2] = b"\0\0"
    pseudo = addresses + struct.pack("!IHBB", len(data) - head, 0, 0, protocol)
    data[at : at + 2] = (0xFFFF - folded(pseudo + bytes(data[head:]))).to_bytes(2, "big")
    return dataclasses.replace(frame, data=bytes(data))


def talk(count: int = 30, **how: Any) -> list[Frame]:
    """A whole connection with `count` turns of real checksums and IP identifications that count up."""
    line = Connection(**how).open()
    for turn in range(count):
        line.say(turn % 2 == 0, bytes([turn % 251]) * (40 + 3 * turn))
        mine, other = (line.up, line.down) if turn % 2 else (line.down, line.up)
        line.segment(turn % 2 == 1, mine, other, ACK)
    return numbered(line.frames)


def numbered(frames: Iterable[Frame]) -> list[Frame]:
    """With an IP identification counted up by each side, and right checksums."""
    ids: dict[bytes, int] = {}
    out = []
    for frame in frames:
        data = bytearray(frame.data)
        source = bytes(data[26:30])
        ids[source] = ids.get(source, 100) + 1
        data[18:20] = ids[source].to_bytes(2, "big")
        out.append(filled(dataclasses.replace(frame, data=bytes(data))))
    return out


def stream(*spans: tuple[bool, int, int, int]) -> list[Frame]:
    """Segments (from client, offset, length, acknowledged offset) of a connection whose handshake was seen."""
    line = Connection(up=1000, down=9000).open()
    up, down = line.up, line.down
    for from_client, at, length, acked in spans:
        mine, other = (up, down) if from_client else (down, up)
        line.segment(from_client, mine + at, other + acked, ACK | PSH, bytes([at % 251]) * length)
    return numbered(line.frames)


# --- order and completeness ------------------------------------------------------------------------------


def test_a_sound_capture_has_every_line_and_nothing_in_it() -> None:
    rest = Surveyed(talk())
    assert rest.found == set() and rest.indicators == []
    assert {one.metric for one in rest.measures} == METRICS.keys() - {"drops", "file-order"}
    assert rest.line("wrong-sum").total == rest.line("wrong-ip-sum").total == len(talk())
    assert all(one.row()[5] is None for one in rest.measures if not one.count)


def test_bytes_that_were_acknowledged_and_never_seen() -> None:
    found = Surveyed(stream((True, 0, 100, 0), (False, 0, 50, 400), (True, 400, 10, 50)))
    line = found.line("unseen")
    assert (line.count, line.value, line.unit, line.place.first_frame) == (1, 300, "bytes", 5)
    assert line.detail == "300 bytes in 1 of 2 directions of 1 connections followed"


def test_the_first_bytes_of_a_connection_may_be_the_missing_ones() -> None:
    line = Surveyed(stream((False, 0, 50, 517), (True, 517, 10, 50))).line("unseen")
    assert (line.count, line.value) == (1, 517)


def test_data_recorded_after_its_acknowledgement_is_not_missing() -> None:
    found = Surveyed(stream((True, 0, 100, 0), (False, 0, 10, 300), (True, 100, 100, 0), (True, 200, 100, 0)))
    assert (found.line("unseen").count, found.line("crossed").count) == (0, 2)
    partly = Surveyed(stream((True, 0, 100, 0), (False, 0, 10, 300), (True, 100, 100, 0), (True, 300, 1, 0)))
    assert (partly.line("unseen").value, partly.line("crossed").count) == (100, 1)


def test_what_fills_a_hole_was_overtaken_or_sent_again_by_its_delay() -> None:
    soon = stream((True, 0, 10, 0), (True, 20, 10, 0), (True, 10, 10, 0))
    assert Surveyed(soon).line("overtaken").count == 1
    late = [*soon[:-1], dataclasses.replace(soon[-1], ts=soon[-1].ts + 10 * MS)]
    found = Surveyed(late)
    assert (found.line("overtaken").count, found.line("sent-again").count) == (0, 1)


def test_numbers_far_away_and_resets_prove_nothing() -> None:
    line = Connection().open()
    line.segment(False, line.down, line.up + (1 << 27), ACK, b"x")
    line.segment(False, line.down + 1, line.up + 5000, RST | ACK)
    assert Surveyed(numbered(line.frames)).line("unseen").count == 0


def test_connections_of_which_one_side_is_missing() -> None:
    frames = talk()
    one = [frame for frame in frames if frame.data[26:30] == bytes([10, 0, 0, 2])]
    found = Surveyed(one)
    assert (found.line("one-sided").count, found.line("one-sided").total) == (1, 1)
    assert found.line("one-sided", "client only").place.first_frame == 1
    assert Surveyed(frames).line("one-sided").count == 0


def test_a_flood_of_syns_is_not_followed() -> None:
    flood = [
        filled(
            Frame(
                ethernet(ipv4(f"10.1.{n // 250}.{n % 250 + 1}", B, 6, tcp(1000 + n, 443, n, 0, SYN))),
                START + n,
            )
        )
        for n in range(300)
    ]
    found = Surveyed(flood)
    assert found.line("one-sided").total == 0 and "0 connections followed" in found.line("unseen").detail


# --- copies ----------------------------------------------------------------------------------------------


def mirrored(frames: Sequence[Frame], delay: int, **change: int) -> list[Frame]:
    out: list[Frame] = []
    for frame in frames:
        out += [frame, dataclasses.replace(frame, ts=frame.ts + delay, **change)]
    return out


def test_a_mirror_port_doubles_packets() -> None:
    frames = talk()
    found = Surveyed(mirrored(frames, 7000))
    line = found.line("duplicates")
    assert (line.count, line.total, line.value, line.unit) == (len(frames), 2 * len(frames), 7000, "ns")
    assert (
        found.line("duplicates", "interface 0").detail
        == "7 us to 7 us later, typically 7 us; frame 2 repeats frame 1"
    )
    assert found.indicator("copied-data") is None


def test_copies_tell_interfaces_vlans_and_hops() -> None:
    frame = talk(1)[3]
    routed = bytearray(frame.data)
    routed[22] -= 1
    tagged = frame.data[:12] + b"\x81\x00\x00\x0a" + bytes(routed[12:])
    two = [Interface(0, 1, None, 1), Interface(1, 1, None, 1)]
    found = Surveyed([frame, Frame(tagged, frame.ts + 5, interface=1)], two)
    assert found.line("duplicates", "interfaces 0 and 1, no VLAN and VLAN 10, 1 hop later").count == 1


def test_what_hosts_do_send_twice_is_not_compared() -> None:
    bare = filled(Frame(ethernet(ipv4(A, B, 6, tcp(1, 2, 5, 6, ACK)))))
    search = filled(Frame(ethernet(ipv4(A, "239.255.255.250", 17, udp(1, 1900, b"M-SEARCH")))))
    six = filled(Frame(ethernet(ipv6("fe80::1", "ff02::fb", 17, udp(5353, 5353, b"query")), 0x86DD)))
    for frame in (bare, search, six):
        assert Surveyed(mirrored([frame], 1000)).line("duplicates").count == 0


def test_the_same_data_far_apart_is_an_indicator() -> None:
    frames = talk()
    found = Surveyed([*frames, dataclasses.replace(frames[9], ts=frames[-1].ts + 3 * SECOND)])
    sign = found.indicator("copied-data")
    assert sign is not None and (sign.count, sign.place.first_frame) == (1, len(frames) + 1)
    assert f"frame {len(frames) + 1} repeats frame 10" in sign.detail
    again = Surveyed([*frames, dataclasses.replace(frames[9], ts=frames[9].ts + 500 * MS)])
    assert (again.line("repeated").count, again.indicator("copied-data")) == (1, None)


# --- senders ---------------------------------------------------------------------------------------------


def test_damage_and_offload_are_told_apart() -> None:
    frames = talk(40)
    mine = [frame.data[26:30] == bytes([10, 0, 0, 2]) for frame in frames]
    hurt = list(frames)
    hurt[20] = dataclasses.replace(hurt[20], data=hurt[20].data[:-1] + bytes([hurt[20].data[-1] ^ 1]))
    found = Surveyed(hurt)
    [line] = [one for one in found.measures if one.metric == "wrong-sum" and one.subject]
    assert (found.line("wrong-sum").count, found.line("wrong-sum").place.first_frame) == (1, 21)
    assert line.detail.startswith("among right ones")

    garbage = [
        dataclasses.replace(frame, data=frame.data[:50] + b"\x12\x34" + frame.data[52:]) if own else frame
        for frame, own in zip(frames, mine, strict=True)
    ]
    assert Surveyed(garbage).line("wrong-sum", A).detail.startswith("all or nearly all")


def test_a_sum_of_the_pseudo_header_is_left_to_the_card() -> None:
    out = []
    for frame in talk():
        data = bytearray(frame.data)
        if data[26] == 10:
            pseudo = bytes(data[26:34]) + struct.pack("!BBH", 0, 6, len(data) - 34)
            data[50:52] = folded(pseudo).to_bytes(2, "big")
        out.append(dataclasses.replace(frame, data=bytes(data)))
    found = Surveyed(out)
    assert found.line("wrong-sum").count == 0
    assert found.line("unfilled-sum", A).count == sum(frame.data[26] == 10 for frame in out)


def test_an_ip_header_without_a_sum_is_left_to_the_card() -> None:
    frames = [dataclasses.replace(one, data=one.data[:24] + b"\0\0" + one.data[26:]) for one in talk(2)]
    found = Surveyed(frames)
    assert (found.line("wrong-ip-sum").count, found.line("unfilled-sum").count) == (0, len(frames))


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 40, 1399])
def test_right_checksums_of_every_length_are_right(size: int, six: bool) -> None:
    data = random.Random(size).randbytes(size)
    for protocol, inner in ((6, tcp(1, 2, 3, 4, ACK, data)), (17, udp(1, 2, data))):
        packet = (
            ethernet(ipv6("2001:db8::1", "2001:db8::2", protocol, inner), 0x86DD)
            if six
            else ethernet(ipv4(A, B, protocol, inner))
        )
        found = Surveyed([filled(Frame(packet))])
        assert (found.line("wrong-sum").count, found.line("wrong-sum").total) == (0, 1)


def test_cut_packets_are_not_verified() -> None:
    found = Surveyed([frame.cut(60) for frame in talk(4)])
    assert found.line("wrong-sum").count == 0
    assert found.line("wrong-sum").total == sum(len(frame.data) <= 60 for frame in talk(4))
    cut = found.line("cut")
    assert cut.count == sum(len(frame.data) > 60 for frame in talk(4))
    assert cut.value == sum(max(0, len(frame.data) - 60) for frame in talk(4))


def test_one_address_with_two_times_to_live() -> None:
    frames = []
    for n, ttl in enumerate((64, 64, 127)):
        data = bytearray(ethernet(ipv4(A, B, 6, tcp(1000 + n, 443, n, 0, SYN))))
        data[22] = ttl
        frames.append(filled(Frame(bytes(data), START + n)))
    found = Surveyed(frames)
    assert found.line("hop-counts", A).detail == "times to live of its 3 SYNs: 64, 127"
    assert (found.line("hop-counts").count, found.line("hop-counts").total) == (1, 1)


def test_frames_that_go_on_behind_their_packet_or_end_before_it() -> None:
    frame = talk(1)[3]
    found = Surveyed([dataclasses.replace(frame, data=frame.data + bytes(8))])
    assert (found.line("behind-packet").count, found.line("behind-packet").value) == (1, 8)
    short = Surveyed([Frame(frame.data[:-3], frame.ts)])
    sign = short.indicator("packet-beyond-frame")
    assert sign is not None and (sign.count, sign.value) == (1, 3)
    tiny = filled(Frame(ethernet(ipv4(A, B, 6, tcp(1, 2, 3, 4, ACK)))))
    padded = Surveyed([dataclasses.replace(tiny, data=tiny.data + bytes(6))])
    assert padded.line("behind-packet").count == 0


# --- times and headers -----------------------------------------------------------------------------------


def random_walk(count: int, unit: int) -> list[Frame]:
    chance = random.Random(7)
    ts, out = START, []
    for n in range(count):
        ts += chance.randint(1, 40) * unit
        out.append(filled(Frame(ethernet(ipv4(A, B, 17, udp(1, 2, n.to_bytes(2, "big")), ident=n + 1)), ts)))
    return out


def test_times_coarser_than_claimed() -> None:
    sign = Surveyed(random_walk(200, MS)).indicator("coarse-time")
    assert sign is not None and (sign.value, sign.unit, sign.count) == (MS, "ns", 200)
    assert "the file claims 1 ns" in sign.detail
    assert Surveyed(random_walk(200, 1)).indicator("coarse-time") is None
    claimed = (Interface(0, 1, None, MS),)
    assert Surveyed(random_walk(200, MS), claimed).indicator("coarse-time") is None
    assert Surveyed(random_walk(50, MS)).indicator("coarse-time") is None


def test_even_intervals() -> None:
    even = [
        dataclasses.replace(frame, ts=START + n * 12_345_678) for n, frame in enumerate(random_walk(120, 1))
    ]
    sign = Surveyed(even).indicator("even-intervals")
    assert sign is not None and sign.value == 12_345_678
    assert Surveyed(random_walk(120, 1)).indicator("even-intervals") is None


def test_a_clock_set_back_and_the_senders_clocks_against_it() -> None:
    frames, base = [], START
    line = Connection(step=0).open()
    for n in range(40):
        base += SECOND // 2
        shown = base - (3600 * SECOND if n >= 30 else 0)
        value = 5_000 + (base - START) // 10**6
        options = b"\x01\x01\x08\x0a" + value.to_bytes(4, "big") + bytes(4)
        data = ethernet(ipv4(A, B, 6, tcp(40000, 443, line.up + n, line.down, ACK, b"x", options=options)))
        frames.append(Frame(data, shown))
    found = Surveyed(numbered(frames))
    assert (found.line("clock-back").count, found.line("clock-back").place.first_frame) == (1, 31)
    sign = found.indicator("sender-clocks")
    assert sign is not None and sign.value is not None
    assert (sign.count, sign.place.first_frame) == (1, 31)
    assert abs(sign.value + 3600 * SECOND) < SECOND
    straight = [dataclasses.replace(one, ts=START + (n + 1) * SECOND // 2) for n, one in enumerate(frames)]
    sound = Surveyed(numbered(straight))
    assert sound.indicator("sender-clocks") is None and sound.indicator("clock-back") is None


def test_records_longer_than_they_can_be() -> None:
    frames = talk(2)
    found = Surveyed(frames, (Interface(0, 1, 60, 1),))
    sign = found.indicator("beyond-snaplen")
    assert sign is not None and sign.count == sum(len(frame.data) > 60 for frame in frames)
    odd = Surveyed([dataclasses.replace(frames[0], original=10)])
    assert odd.indicator("longer-than-frame") is not None


def test_drops_are_told_or_it_is_said_that_they_are_not() -> None:
    two = (Interface(0, 1, None, 1, reported_drops=12), Interface(1, 1, None, 1))
    found = Surveyed(talk(1), two)
    assert (found.line("drops").count, found.line("drops-not-told").count) == (12, 1)


def test_an_interface_that_comes_late_makes_the_order_of_the_file_a_matter_of_its_own() -> None:
    frames = [dataclasses.replace(one, interface=int(n > 9)) for n, one in enumerate(random_walk(20, MS))]
    frames[12] = dataclasses.replace(frames[12], ts=frames[5].ts)
    frames[3] = dataclasses.replace(frames[3], ts=frames[1].ts)
    two = [Interface(0, 1, None, 1), Interface(1, 1, None, 1)]
    whole, pieces = Surveyed(frames, two), Surveyed(frames, two, size=4)
    assert whole.line("file-order").count == 2 and whole.line("file-order").place.first_frame == 4
    assert whole.measures == pieces.measures


def test_nothing_is_said_of_a_capture_without_frames() -> None:
    assert Surveyed([]).measures == [] and Surveyed([]).indicators == []


# --- ends of connections ---------------------------------------------------------------------------------


def test_ends_of_cut_connections_carry_their_numbers() -> None:
    frames = talk(30)
    [row] = Surveyed(frames).ends
    assert (row["up_first_seq"], row["down_first_seq"]) == (1000, 9000)
    assert row["up_last_id"] == 100 + sum(frame.data[26] == 10 for frame in frames)
    [middle] = Surveyed(frames[10:]).ends
    assert middle["up_first_seq"] > 1000 and middle["up_next_seq"] == row["up_next_seq"]
    assert middle["up_first_id"] == 101 + sum(frame.data[26] == 10 for frame in frames[:10])


def test_whole_connections_leave_no_ends() -> None:
    line = Connection().open().say(True, b"hello")
    line.segment(True, line.up, line.down, FIN | ACK)
    line.segment(False, line.down, line.up + 1, FIN | ACK)
    assert Surveyed(numbered(line.frames)).ends == []


def test_identifications_that_do_not_count_up_are_left_out() -> None:
    [row] = Surveyed([filled(frame) for frame in Connection().open().say(True, bytes(30_000)).frames]).ends
    assert (row["up_first_id"], row["up_last_id"]) == (None, None)


# --- the survey as a whole -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 17])
def test_the_size_of_a_batch_changes_nothing(size: int) -> None:
    frames = mirrored(talk(20), 9000)
    frames += [dataclasses.replace(frames[9], ts=frames[-1].ts + 2 * SECOND), *random_walk(120, MS)]
    whole, pieces = Surveyed(frames), Surveyed(frames, size=size)
    assert whole.measures == pieces.measures
    assert whole.indicators == pieces.indicators and whole.ends == pieces.ends


def test_random_bytes_never_stop_the_survey() -> None:
    chance = random.Random(3)
    frames = []
    for frame in talk(60):
        data = bytearray(frame.data)
        for _ in range(chance.randint(0, 4)):
            data[chance.randrange(14, len(data))] = chance.randrange(256)
        frames.append(
            Frame(
                bytes(data[: chance.randint(14, len(data))]),
                chance.choice([0, frame.ts, 2**62, -5]),
                len(data),
            )
        )
    found = Surveyed(frames, size=13)
    assert all(
        one.total is None or one.metric == "hop-counts" or one.count <= one.total for one in found.measures
    )
    assert Surveyed(frames).measures == found.measures


def test_the_real_capture_is_sound() -> None:
    from wirecover.capture.files.reader import CaptureReader

    path = Path(__file__).parents[2] / "captures" / "harbour-xmpp-turn-h3.pcapng"
    frames = []
    with CaptureReader(path) as reader:
        for batch in reader:
            columns = (batch.offset, batch.captured, batch.original, batch.ts)
            for at, kept, wire, ts in zip(*(column.tolist() for column in columns), strict=True):
                frames.append(Frame(bytes(batch.buffer[at : at + kept]), ts, wire))
    found = Surveyed(frames)
    assert found.found == {"earlier"} and found.indicators == []


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0 ns"), (999, "999 ns"), (1000, "1 us"), (43_704, "43.704 us"), (-3_600_000_000_000, "-3600 s"),
     (1_500_000, "1.5 ms")],
)  # fmt: skip
def test_durations_are_written_in_a_unit_that_fits(ns: int, text: str) -> None:
    assert duration(ns) == text
