"""The clock kernel against a plain twin, and at the ends of the range of times."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wirecover.capture.quality import clock

GIGA = 10**9
LARGEST = 2**63 - 1


def observed(times: list[int], sizes: int, finest: int = 1) -> list[dict[str, int]]:
    """The two clocks (file, interface 0) after the times were given in batches of `sizes`."""
    clocks = clock.new(2)
    for start in range(0, len(times), sizes):
        part = np.array(times[start : start + sizes], np.int64)
        frames = np.arange(start + 1, start + 1 + len(part))
        clock.observe(part, frames, np.zeros(len(part), np.int32), np.array([finest]), clocks, 1)
    return [{name: int(row[name]) for name in clock.CLOCK.names or ()} for row in clocks]


def twin(times: list[int]) -> dict[str, int]:
    """The main figures in plain words."""
    timed = [(frame, ts) for frame, ts in enumerate(times, 1) if ts]
    steps = [(frame, b - a) for (_, a), (frame, b) in pairwise(timed)]
    back = [(frame, -by) for frame, by in steps if by < 0]
    unit = GIGA
    while unit > 1 and any(ts % unit for _, ts in timed):
        unit //= 10
    runs, run = [0], 1
    for (_, a), (_, b) in pairwise(steps):
        run = run + 1 if a == b and b > 0 else 1
        runs.append(run if run > 1 else 0)
    return {
        "frames": len(times), "timeless": len(times) - len(timed), "back": len(back),
        "back_most": max((by for _, by in back), default=0), "back_frame": back[0][0] if back else 0,
        "back_last": back[-1][0] if back else 0, "step": sum(by >= GIGA for _, by in back),
        "silence": max((by for _, by in steps if by > 0), default=0), "unit": unit,
        "still": sum(by == 0 for _, by in steps), "run_most": max(runs),
        "alike": sum(a == b > 0 for (_, a), (_, b) in pairwise(steps)),
    }  # fmt: skip


stamps = st.one_of(
    st.integers(0, 30).map(lambda n: n * 1000), st.integers(1, 10**12), st.sampled_from([0, GIGA, 5 * GIGA])
)


@given(st.lists(stamps, max_size=40), st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_the_kernel_counts_what_the_twin_counts(times: list[int], sizes: int) -> None:
    expected = twin(times)
    file, interface = observed(times, sizes)
    assert {name: interface[name] for name in expected} == expected
    assert (file["back"], file["silence"]) == (expected["back"], expected["silence"])


def test_each_interface_has_its_own_clock() -> None:
    clocks = clock.new(3)
    times = np.array([10, 5, 11, 6], np.int64) * GIGA
    clock.observe(times, np.arange(1, 5), np.array([0, 1, 0, 1], np.int32), np.array([1, 1]), clocks, 1)
    assert clocks["back"].tolist() == [2, 0, 0]
    assert (int(clocks[0]["back_frame"]), int(clocks[0]["step"])) == (2, 2)


def test_crafted_times_do_not_wrap_around() -> None:
    _, found = observed([LARGEST, -LARGEST, LARGEST], 1)
    assert (found["back"], found["back_most"], found["silence"]) == (1, LARGEST, LARGEST)


def test_the_search_for_the_unit_stops_at_the_claimed_tick() -> None:
    assert observed([1_234_567_891], 1, finest=1000)[1]["unit"] == 1000
    assert observed([3_000_000, 5_000_000], 1, finest=1)[1]["unit"] == 1_000_000
