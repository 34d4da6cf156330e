"""STUN over TCP: both framings, in pieces of every size."""

import pytest

from wirecover.capture.protocols.stun import MAGIC_COOKIE
from wirecover.capture.protocols.stun_tcp import StunTcpReader

BINDING = b"\x00\x01\x00\x04" + MAGIC_COOKIE + bytes(range(12)) + b"\x80\x22\x00\x00"
CHANNEL = b"\x40\x00\x00\x05hello"
RTP = b"\x80\x60" + bytes(20)


def framed(*packets: bytes) -> bytes:
    return b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)


STREAMS = {
    "turn": (BINDING + CHANNEL + bytes(3) + BINDING, [BINDING, CHANNEL, BINDING]),
    "rfc4571": (framed(BINDING, RTP, b"", BINDING), [BINDING, RTP, b"", BINDING]),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_frames_in_pieces(name, step):
    stream, expected = STREAMS[name]
    reader = StunTcpReader()
    frames = []
    for at in range(0, len(stream), step):
        frames += reader.feed(stream[at : at + step])
    assert frames == expected
    assert reader.problem is None


@pytest.mark.parametrize("name", STREAMS)
def test_an_unfinished_frame_waits(name):
    stream, expected = STREAMS[name]
    reader = StunTcpReader()
    assert reader.feed(stream[:-1]) == expected[:-1]
    assert reader.feed(stream[-1:]) == expected[-1:]


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", bytes(64)]
)
def test_another_protocol_is_a_problem(stream):
    reader = StunTcpReader()
    assert reader.feed(stream) == []
    assert reader.problem is not None
    assert reader.feed(BINDING) == []


def test_broken_framing_keeps_what_came_before():
    reader = StunTcpReader()
    assert reader.feed(BINDING + b"\xc0\x00\x00\x00") == [BINDING]
    assert reader.problem is not None
    assert reader.problem.offset == len(BINDING)


def test_memory_stays_under_one_frame():
    reader = StunTcpReader()
    reader.feed(BINDING)
    for _ in range(300):
        reader.feed(b"\x40\x00\xff\xff" + bytes(996))
    assert len(reader._buffer) <= 0x10000 + 1000
