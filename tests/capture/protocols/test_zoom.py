"""Zoom's headers: after the published layout, cut anywhere, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecover.capture.protocols.zoom import KINDS, ZoomHeader, zoom_header

RTP = b"\x90\x70" + bytes(range(10)) + bytes(40)
RELAY = b"\x05\x00\x02\x00\x4f\x83\x79\x04"


def audio() -> bytes:
    return b"\x0f" + bytes(18) + RTP


def video(split: bool = True) -> bytes:
    return b"\x10" + bytes(19) + (b"\x02" + bytes(3) if split else b"") + RTP


def screen() -> bytes:
    return b"\x0d" + bytes(6) + b"\x1e" + bytes(19) + RTP


def direct_screen() -> bytes:
    return b"\x1e" + bytes(19) + RTP


def control(kind: int = 34) -> bytes:
    return bytes([kind]) + bytes(15) + b"\x80\xc8\x00\x06" + bytes(24)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RELAY + audio(), ZoomHeader(15, False, 27)),
        (RELAY + video(), ZoomHeader(16, False, 32)),
        (RELAY + screen(), ZoomHeader(13, False, 35)),
        (RELAY + control(33), ZoomHeader(33, False, 24)),
        (audio(), ZoomHeader(15, True, 19)),
        (video(), ZoomHeader(16, True, 24)),
        (direct_screen(), ZoomHeader(30, True, 20)),
        (control(35), ZoomHeader(35, True, 16)),
    ],
)
def test_each_layout(data, expected):
    assert zoom_header(data) == expected
    assert data[expected.size] >> 6 == 2
    for cut in range(expected.size + 12):
        assert zoom_header(data[:cut]) is None
    assert zoom_header(data + b"\0") == expected


def test_video_without_a_frame_number():
    assert zoom_header(RELAY + video(split=False)) == ZoomHeader(16, False, 28)


@pytest.mark.parametrize(
    "data",
    [
        RELAY + direct_screen(),  # between participants only
        screen(),  # over a server only
        RELAY + b"\x0d" + bytes(60),  # another subtype
        RELAY + b"\x15" + bytes(60),  # padding to measure the path
        b"\x04" + audio(),
        RTP,
        b"",
    ],
)
def test_what_is_none(data):
    assert zoom_header(data) is None


@given(st.binary(max_size=80))
def test_any_bytes(data):
    found = zoom_header(data)
    assert found is None or (len(data) >= found.size + 12 and (found.kind in KINDS or 33 <= found.kind <= 35))
