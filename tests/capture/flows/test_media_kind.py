"""Voice or picture: each threshold from both sides."""

from dataclasses import replace

import pytest

from wirecover.capture.flows.media_kind import Shape, kind_of

SECOND = 10**9
VOICE = Shape(
    packets=500, duration_ns=10 * SECOND, small=500, large=0, joint=0, ticks=480_000, clock_ns=10 * SECOND
)
PICTURE = Shape(
    packets=900, duration_ns=10 * SECOND, small=300, large=500, joint=600, ticks=900_000, clock_ns=10 * SECOND
)
NO_CLOCK = {"ticks": 123_456}


@pytest.mark.parametrize(
    ("payload_type", "kind"),
    [(0, "audio"), (3, "audio"), (18, "audio"), (25, "video"), (34, "video"), (1, "unknown"), (19, "unknown"),
     (33, "unknown"), (35, "unknown"), (96, "unknown"), (127, "unknown")],
)  # fmt: skip
def test_a_static_type_says_it(payload_type: int, kind: str):
    assert kind_of(payload_type, replace(VOICE, packets=3, small=3)) == kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "audio"),
        ({"packets": 48, "small": 48, "duration_ns": SECOND}, "audio"),
        ({"packets": 47, "small": 47, "duration_ns": SECOND}, "unknown"),
        ({"duration_ns": 0}, "unknown"),
        ({"small": 475}, "audio"),
        ({"small": 474}, "unknown"),
        ({"large": 1}, "unknown"),
        ({"joint": 25}, "audio"),
        ({"joint": 26}, "unknown"),
        ({"packets": 1100, "small": 1100}, "audio"),
        ({"packets": 1101, "small": 1101}, "unknown"),
        ({"ticks": 480_000 * 103 // 100}, "audio"),
        ({"ticks": 480_000 * 104 // 100}, "audio"),  # no clock speaks: sizes and rate do
        ({"ticks": 900_000}, "unknown"),  # the clock of a picture
        ({"ticks": 80_000}, "audio"),
        ({"clock_ns": 0, "ticks": 0}, "audio"),
        ({"packets": 60, "small": 60, **NO_CLOCK}, "audio"),
        ({"packets": 59, "small": 59, **NO_CLOCK}, "unknown"),
        ({"packets": 59, "small": 59}, "audio"),  # sparse, but by the clock of Opus
    ],
)
def test_a_voice(changes: dict[str, int], kind: str):
    assert kind_of(111, replace(VOICE, **changes)) == kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "video"),
        ({"large": 225, **NO_CLOCK}, "video"),
        ({"large": 224, **NO_CLOCK}, "unknown"),
        ({"large": 0}, "video"),
        ({"large": 0, "ticks": 900_000 * 103 // 100}, "video"),
        ({"large": 0, "ticks": 900_000 * 104 // 100}, "unknown"),
        ({"large": 0, "clock_ns": 5 * SECOND, "ticks": 450_000}, "video"),
        ({"large": 0, "clock_ns": 5 * SECOND - 1, "ticks": 450_000}, "unknown"),
        ({"ticks": 480_000}, "unknown"),  # large packets by the clock of a voice
        ({"ticks": -900_000}, "video"),  # no clock runs backwards: only the sizes speak
    ],
)
def test_a_picture(changes: dict[str, int], kind: str):
    assert kind_of(96, replace(PICTURE, **changes)) == kind
