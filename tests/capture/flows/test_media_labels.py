"""Streams that give Signal away: through the decoder, behind set-up of any length, and what only looks alike."""

import struct

import pyarrow.parquet as pq
import pytest
from support import conversations as talk
from support.traffic import MS, START, Connection, Frame, packet, udp, write_capture

from wirecover.capture.apps.loader import load_rules
from wirecover.capture.decode import decode
from wirecover.capture.flows.media import MediaStream
from wirecover.capture.flows.media_labels import media_labels


def stream(payload_type: int, ssrc: int, flow_no: int = 4) -> MediaStream:
    return MediaStream(
        flow_no, ssrc, payload_type, True, START, START + 9 * 10**9, 31, 9, 300, "unknown", 90, 0, 0, False,
        None, None,
    )  # fmt: skip


def test_the_data_channel_of_signal():
    [(flow_no, label)] = media_labels([stream(101, 13), stream(101, 13)], load_rules()).items()
    assert (flow_no, label.app, label.confidence) == (4, "signal", 70)
    assert [(why.rule_id, why.kind, why.frame) for why in label.evidence] == [
        ("signal-rtp-data", "signature", 31)
    ]


@pytest.mark.parametrize("other", [(101, 1234), (101, 1), (102, 13), (0, 13)])
def test_streams_that_are_not_signal_s(other):
    """Payload type 101 is what telephone events mostly have; 13 alone is comfort noise."""
    assert media_labels([stream(*other)], load_rules()) == {}


def call(ssrc: int, kind: int = 101) -> list[Frame]:
    """Twelve STUN messages, a voice, and a packet a second of the data channel."""
    line = Connection("10.0.0.2", "198.51.100.7", 41000, 5000)
    binding = struct.pack("!HHI", 1, 0, 0x2112A442) + talk.RANDOM_ID
    frames = talk.datagrams(line, *[(turn % 2 == 0, binding) for turn in range(12)])
    start = frames[-1].ts
    for turn in range(400):
        voice = struct.pack("!BBHII", 0x80, 102, turn, 960 * turn, 0x51F2A) + bytes(90)
        frames.append(
            Frame(packet("10.0.0.2", "198.51.100.7", 17, udp(41000, 5000, voice)), start + turn * 20 * MS)
        )
        if turn % 50 == 7:
            data = struct.pack("!BBHII", 0x80, kind, turn // 50, turn // 50, ssrc) + bytes(30)
            frames.append(
                Frame(packet("10.0.0.2", "198.51.100.7", 17, udp(41000, 5000, data)), start + turn * 20 * MS)
            )
    return frames


@pytest.mark.parametrize(("ssrc", "kind", "app"), [(13, 101, "signal"), (14, 101, None), (13, 100, None)])
def test_through_the_decoder(tmp_path, ssrc, kind, app):
    out = tmp_path / "out"
    out.mkdir()
    decode(write_capture(tmp_path / "a.pcap", call(ssrc, kind)), out)
    [flow] = pq.read_table(out / "flows.parquet").to_pylist()
    assert flow["app"] == app
    evidence = pq.read_table(out / "app_evidence.parquet").to_pylist()
    assert [(row["rule_id"], row["kind"]) for row in evidence] == (
        [("signal-rtp-data", "signature")] if app else []
    )
