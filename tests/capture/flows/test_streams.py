"""TCP delivery and the TLS record walk against a plain twin, over random and over telling segmentations."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tls_bytes
from support.followed import Followed, follow
from support.stream_twin import Segment, missing, prefixes, records_by_segment, retransmits
from support.traffic import ACK, MS, RST, START, SYN, Connection, Frame, packet, tcp

CLIENT_HALF = 0
"""10.0.0.2 is lower than 192.0.2.10."""


def tls_stream(records: list[tuple[int, int]]) -> bytes:
    """Records (type, body length); a handshake body does not look like a hello."""
    return b"".join(
        struct.pack("!BHH", kind, 0x0303, length) + bytes((11 + at) % 256 for at in range(length))
        for kind, length in records
    )


def sent(stream: bytes, segments: list[Segment], first: int, *, syn: bool = True) -> list[Frame]:
    """The client sends these segments; frame 1 is a SYN if there is one."""
    line = Connection(up=first)
    if syn:
        line.segment(True, first - 1, 0, SYN)
    for segment in segments:
        line.segment(True, first + segment.start, 1, ACK, stream[segment.start : segment.stop])
    return line.frames


def cut_up(stream: bytes, cuts: list[int]) -> list[Segment]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = []
    for start, stop in pairwise(places):
        pieces += [Segment(at, min(at + 1400, stop)) for at in range(start, stop, 1400)]
    return pieces


shapes = st.lists(st.tuples(st.sampled_from([20, 21, 22]), st.integers(0, 900)), min_size=1, max_size=12)
sequences = st.one_of(st.integers(1, 2**32 - 1), st.integers(2**32 - 4000, 2**32 - 1))


@st.composite
def travels(draw: st.DrawFn) -> tuple[bytes, list[Segment], int]:
    """A stream, the segments as they pass the recorder (late, twice, cut anew), the first sequence number."""
    stream = tls_stream([(22, draw(st.integers(1, 600))), *draw(shapes)])
    segments = cut_up(stream, draw(st.lists(st.integers(0, 20000), max_size=25)))
    for place, offset in draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=8)):
        at = place % len(segments)
        late = segments.pop(at)
        segments.insert(min(len(segments), at + offset), late)
    for place, start, length in draw(
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20000), st.integers(1, 1400)), max_size=5)
    ):
        begin = start % len(stream)
        segments.insert(1 + place % len(segments), Segment(begin, min(len(stream), begin + length)))
    return stream, segments, draw(sequences)


@settings(max_examples=150, deadline=None)
@given(travels(), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_what_arrives_in_any_order_is_read_in_order(
    travel: tuple[bytes, list[Segment], int], sizes: list[int]
) -> None:
    stream, segments, first = travel
    found = follow(sent(stream, segments, first), sizes=sizes)
    assert found.stream(CLIENT_HALF) == stream
    places = [(piece.stream, len(piece.data)) for piece in found.shown]
    assert [at for at, _ in places] == [sum(size for _, size in places[:i]) for i in range(len(places))]
    assert [piece.start for piece in found.shown] == [True] + [False] * (len(places) - 1)
    assert not any(piece.after_gap for piece in found.shown)
    expected = [(2 + at, record) for at, record in records_by_segment(stream, segments)]
    assert found.records(up=True) == expected
    flow = found.flows[0]
    assert (flow["missing_bytes"], flow["retransmits"]) == (0, retransmits(segments))
    assert flow["payload_up"] == sum(segment.stop - segment.start for segment in segments)


@settings(max_examples=100, deadline=None)
@given(travels(), st.sets(st.integers(0, 60), min_size=1, max_size=4))
def test_bytes_that_never_came_are_counted(travel: tuple[bytes, list[Segment], int], lost: set[int]) -> None:
    stream, segments, first = travel
    kept = [segment for at, segment in enumerate(segments) if at not in lost]
    found = follow(sent(stream, kept, first))
    whole = prefixes(kept)[-1] if kept else 0
    assert found.stream(CLIENT_HALF) == stream[:whole]
    assert found.flows[0]["missing_bytes"] == missing(kept)
    expected = [(2 + at, record) for at, record in records_by_segment(stream[:whole], kept)]
    assert found.records(up=True) == expected


def test_held_segments_that_overlap_are_no_gap() -> None:
    """The first byte is lost; of what follows, a piece comes twice, the second time in a longer segment."""
    stream = tls_stream([(22, 2000)])
    segments = [Segment(1, 2), Segment(1, 1401), Segment(1401, 1402)]
    assert follow(sent(stream, segments, 100)).flows[0]["missing_bytes"] == missing(segments) == 1


@pytest.mark.parametrize("first", [1, 2**31 - 300, 2**32 - 1, 2**32 - 300])
def test_sequence_numbers_wrap_around(first: int) -> None:
    stream = tls_stream([(22, 500), (22, 500), (20, 1)])
    segments = cut_up(stream, list(range(0, len(stream), 100)))
    assert follow(sent(stream, segments[:1] + segments[:0:-1], first)).stream(CLIENT_HALF) == stream


def test_a_stream_whose_start_was_not_recorded() -> None:
    stream = tls_stream([(22, 300), (22, 40)])
    found = follow(sent(stream, cut_up(stream, [100, 200]), 5_000_000, syn=False))
    assert found.stream(CLIENT_HALF) == stream
    assert [record for _, record in found.records(up=True)] == [(300, 22), (40, 22)]
    assert found.flows[0]["syn_seen"] is False


def test_a_stream_joined_inside_a_record_is_no_tls_until_a_record_starts() -> None:
    stream = tls_stream([(23, 1000)])[100:]
    found = follow(sent(stream, cut_up(stream, []), 5_000_000, syn=False))
    assert found.records(up=True) == []
    assert found.flows[0]["missing_bytes"] == 0


def test_data_on_the_syn_is_the_streams_beginning() -> None:
    """TCP Fast Open, RFC 7413: the first byte has the sequence number behind the SYN's."""
    stream = tls_stream([(22, 50), (22, 60)])
    line = Connection(up=70)
    line.segment(True, 70, 0, SYN, stream[:30])
    line.segment(True, 71 + 30, 1, ACK, stream[30:])
    found = follow(line.frames)
    assert found.stream(CLIENT_HALF) == stream
    assert found.flows[0]["missing_bytes"] == 0


def test_text_in_a_reset_is_no_stream() -> None:
    line = Connection().open().say(True, tls_stream([(22, 50)]))
    line.segment(True, line.up, line.down, RST | ACK, b"aborted by the user")
    assert follow(line.frames).stream(CLIENT_HALF) == tls_stream([(22, 50)])


AFTERWARDS = tls_stream([(23, 7)])


def lossy(size: int, lost: tuple[int, int], body: int) -> Followed:
    """Records of 20, `body` and 40 bytes; segments `lost` (first, last) are missing; all is acknowledged, and one
    more record of 7 bytes comes, with which what was held is read."""
    stream = tls_stream([(22, 20), (23, body), (23, 40)])
    line = Connection().open()
    first = line.up
    for number, at in enumerate(range(0, len(stream), size)):
        if not lost[0] <= number <= lost[1]:
            line.segment(True, first + at, line.down, ACK, stream[at : at + size])
    line.segment(False, line.down, first + len(stream), ACK)
    line.segment(True, first + len(stream), line.down, ACK, AFTERWARDS)
    return follow(line.frames)


def test_a_gap_inside_a_record_costs_no_record() -> None:
    found = lossy(1000, (3, 4), 9000)
    assert [record for _, record in found.records(up=True)] == [(20, 22), (9000, 23), (40, 23), (7, 23)]
    assert found.flows[0]["missing_bytes"] == 2000


def test_a_gap_over_a_records_header_costs_the_alignment_until_a_record_starts_a_segment() -> None:
    stream = tls_stream([(22, 20)]) + tls_stream([(23, 995)]) * 8
    line = Connection().open()
    first = line.up
    line.segment(True, first, line.down, ACK, stream[:25])
    for number in range(8):
        if number != 2:
            part = stream[25 + 1000 * number : 25 + 1000 * (number + 1)]
            line.segment(True, first + 25 + 1000 * number, line.down, ACK, part)
    line.segment(False, line.down, first + len(stream), ACK)
    line.segment(True, first + len(stream), line.down, ACK, AFTERWARDS)
    found = follow(line.frames)
    assert [record for _, record in found.records(up=True)] == [(20, 22)] + [(995, 23)] * 7 + [(7, 23)]
    assert found.flows[0]["missing_bytes"] == 1000


def test_a_hold_that_is_full_gives_the_gap_up() -> None:
    """Nothing acknowledges (one direction recorded): after 96 blocks the stream goes on behind the gap."""
    stream = tls_stream([(22, 20)]) + tls_stream([(23, 995)]) * 150
    line = Connection()
    first = line.up
    line.segment(True, first, 0, ACK, stream[:25])
    for number in range(150):
        if number != 2:
            part = stream[25 + 1000 * number : 25 + 1000 * (number + 1)]
            line.segment(True, first + 25 + 1000 * number, 0, ACK, part)
    found = follow(line.frames)
    assert found.flows[0]["missing_bytes"] == 1000
    assert len(found.records(up=True)) == 1 + 149


def test_what_is_still_held_when_the_flow_ends_shows_no_records() -> None:
    """One direction recorded, one segment lost, few behind it: nothing showed that the stream went on there."""
    stream = tls_stream([(22, 20)]) + tls_stream([(23, 995)]) * 10
    line = Connection()
    first = line.up
    line.segment(True, first, 0, ACK, stream[:25])
    for number in range(1, 10):
        part = stream[25 + 1000 * number : 25 + 1000 * (number + 1)]
        line.segment(True, first + 25 + 1000 * number, 0, ACK, part)
    found = follow(line.frames)
    assert found.flows[0]["missing_bytes"] == 1000
    assert [record for _, record in found.records(up=True)] == [(20, 22)]


def test_a_gap_that_was_acknowledged_is_given_up_even_if_little_is_held() -> None:
    found = lossy(1000, (2, 8), 9000)
    assert found.flows[0]["missing_bytes"] == 7000
    assert [record for _, record in found.records(up=True)] == [(20, 22), (9000, 23), (40, 23), (7, 23)]


def test_records_read_upon_an_acknowledgement_belong_to_the_side_that_sent_them() -> None:
    """The client's acknowledgement shows that the server's bytes were lost only in the recording."""
    stream = tls_stream([(22, 20)]) + tls_stream([(23, 995)]) * 6
    line = Connection().open()
    line.say(True, tls_stream([(22, 30)]))
    first = line.down
    line.segment(False, first, line.up, ACK, stream[:25])
    for number in range(1, 6):
        part = stream[25 + 1000 * number : 25 + 1000 * (number + 1)]
        line.segment(False, first + 25 + 1000 * number, line.up, ACK, part)
    answer = tls_stream([(23, 77)])
    line.segment(True, line.up, first + len(stream), ACK, answer)
    line.segment(False, first + len(stream), line.up, ACK, AFTERWARDS)
    found = follow(line.frames)
    assert [record for _, record in found.records(up=True)] == [(30, 22), (77, 23)]
    assert [record for _, record in found.records(up=False)] == [(20, 22)] + [(995, 23)] * 5 + [(7, 23)]


def test_records_read_upon_a_pure_acknowledgement_do_not_move_to_another_flow() -> None:
    stream = tls_stream([(22, 20)]) + tls_stream([(23, 995)]) * 6
    line = Connection().open()
    line.say(True, tls_stream([(22, 30)]))
    first = line.down
    line.segment(False, first, line.up, ACK, stream[:25])
    for number in range(1, 6):
        part = stream[25 + 1000 * number : 25 + 1000 * (number + 1)]
        line.segment(False, first + 25 + 1000 * number, line.up, ACK, part)
    stranger = Frame(packet("10.9.9.9", "10.8.8.8", 6, tcp(1234, 80, 1, 1, ACK, b"GET / HTTP/1.1")), line.ts)
    line.frames.append(stranger)
    line.segment(True, line.up, first + len(stream), ACK)
    line.segment(False, first + len(stream), line.up, ACK, AFTERWARDS)
    found = follow(line.frames)
    assert found.records(up=True, flow=1) + found.records(up=False, flow=1) == []
    assert [record for _, record in found.records(up=False)] == [(20, 22)] + [(995, 23)] * 5 + [(7, 23)]


def test_segments_cut_by_the_snap_length_keep_the_records_aligned() -> None:
    stream = tls_stream([(22, 30), (23, 1360), (23, 1395), (23, 600)])
    frames = [frame.cut(54 + 60) for frame in sent(stream, cut_up(stream, []), 100)]
    found = follow(frames)
    assert found.flows[0]["missing_bytes"] == 0
    assert [record for _, record in found.records(up=True)][:2] == [(30, 22), (1360, 23)]


def test_a_record_over_many_segments_counts_where_its_last_byte_comes() -> None:
    stream = tls_stream([(22, 10), (23, 16000), (21, 2)])
    found = follow(sent(stream, cut_up(stream, []), 100))
    last = 1 + -(-len(stream) // 1400)
    assert found.records(up=True) == [(2, (10, 22)), (last, (16000, 23)), (last, (2, 21))]


def test_tls_may_start_later_in_a_stream() -> None:
    hello = tls_bytes.record(
        22, tls_bytes.message(1, tls_bytes.client_hello(tls_bytes.server_name(b"mail.example")))
    )
    line = Connection(sport=25).open()
    line.say(False, b"220 mail.example ESMTP\r\n").say(True, b"EHLO me\r\n").say(False, b"250 STARTTLS\r\n")
    line.say(True, b"STARTTLS\r\n").say(False, b"220 go\r\n").say(True, hello).say(
        True, tls_stream([(22, 60), (23, 99)])
    )
    found = follow(line.frames)
    bodies = [hello["body"] for hello in found.hellos] + [piece.data for piece in found.shown if piece.start]
    assert any(b"mail.example" in body for body in bodies)
    assert [record for _, record in found.records(up=True)][-2:] == [(60, 22), (99, 23)]
    assert found.flows[0]["client_ip"] == "10.0.0.2"


def test_a_new_connection_on_a_refused_ones_ports_is_read() -> None:
    """SYN, RST, and 2 s later the same ports with another first sequence number: the second one is whole."""
    stream = tls_stream([(22, 500), (22, 500)])
    line = Connection(up=4_000_000_000)
    line.segment(True, line.up, 0, SYN)
    line.segment(False, 0, line.up + 1, RST | ACK)
    line.up, line.down = 3_000_000_000, 77
    line.ts = START + 2000 * MS
    line.open().say(True, stream)
    found = follow(line.frames)
    assert b"".join(piece.data for piece in found.shown) == stream
    assert sum(flow["retransmits"] for flow in found.flows) == 0
