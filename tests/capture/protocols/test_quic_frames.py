"""Frames of Initial packets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.quic_packets import crypto, varint

from wirecover.capture.protocols import Malformed
from wirecover.capture.protocols.quic_frames import crypto_frames, google_ack_end, google_crypto_frames

ACK = (
    b"\x02" + varint(900) + varint(5) + varint(2) + varint(1) + varint(3) + varint(4) + varint(5) + varint(6)
)
ACK_ECN = b"\x03" + ACK[1:] + varint(1) + varint(70000) + varint(3)
CLOSE = b"\x1c" + varint(0x150) + varint(6) + varint(4) + b"why?"
APP_CLOSE = b"\x1d" + varint(1) + varint(0)


def test_crypto_among_everything_an_initial_may_carry() -> None:
    payload = (
        bytes(3)
        + ACK
        + crypto(70, b"late")
        + b"\x01\x01"
        + ACK_ECN
        + CLOSE
        + APP_CLOSE
        + crypto(0, b"early")
        + bytes(900)
    )
    assert list(crypto_frames(payload)) == [(70, b"late"), (0, b"early")]


def test_empty_and_padding_only() -> None:
    assert list(crypto_frames(b"")) == []
    assert list(crypto_frames(bytes(1200))) == []
    assert list(crypto_frames(crypto(5, b""))) == [(5, b"")]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x06" + varint(0) + varint(5) + b"four",
        b"\x06" + varint(0),
        b"\x06\x40",
        b"\x02" + varint(1) + varint(1) + varint(1 << 40) + varint(0),
        b"\x1c" + varint(1) + varint(1) + varint(9) + b"short",
        b"\x08\x00",
        b"\x1e",
        b"\xff",
    ],
)
def test_broken_frame_after_a_good_one(bad: bytes) -> None:
    frames = crypto_frames(crypto(0, b"good") + bad)
    assert next(frames) == (0, b"good")
    with pytest.raises(Malformed) as refused:
        list(frames)
    assert 7 <= refused.value.offset <= 7 + len(bad)


def test_google_frames_end_at_what_they_do_not_know() -> None:
    frame = b"\x08" + varint(0) + varint(4) + b"CHLO"
    assert list(google_crypto_frames(b"\x07" + frame + bytes(20))) == [(0, b"CHLO")]
    assert list(google_crypto_frames(frame + b"\x20" + frame)) == [(0, b"CHLO")]
    with pytest.raises(Malformed):
        list(google_crypto_frames(frame[:-1]))


@pytest.mark.parametrize(
    "ack",
    [
        "40 05 0102 05 00",
        "60 05 0102 02 05 0101 0202 00",
        "45 0005 0102 0005 00",
        "4f 000000000005 0102 000000000005 00",
        "40 05 0102 05 01 0001020304",
        "40 05 0102 05 03 0001020304 001122 002233",
    ],
)
def test_google_acks_are_stepped_over(ack: str) -> None:
    data = bytes.fromhex(ack)
    assert google_ack_end(data + b"\x08", 0) == len(data)
    for length in range(1, len(data)):
        with pytest.raises(Malformed):
            google_ack_end(data[:length], 0)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_noise_raises_nothing_else(noise: bytes) -> None:
    for read in (crypto_frames, google_crypto_frames):
        try:
            total = sum(len(data) for _, data in read(noise))
        except Malformed as refused:
            assert 0 <= refused.offset <= len(noise)
        else:
            assert total <= len(noise)
